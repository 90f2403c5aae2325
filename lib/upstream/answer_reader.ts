import type { Candidate } from "../routing/candidate.ts";
import { ChunkTemplate } from "../stream/chunk_template.ts";
import type { ChunkTranslator } from "../stream/chunk_translator.ts";
import { mergeChunks } from "../stream/merge_chunks.ts";
import type { MessageStreamEvent } from "../wire/anthropic.ts";
import { ApiError } from "../wire/errors.ts";
import { isJsonObject } from "../wire/json.ts";
import type { ChatChunk } from "../wire/openai.ts";
import { toUpstreamFault, UpstreamFault } from "./faults.ts";

/** Reads the answer of a host, in whatever format it comes. */
export interface AnswerReader {
  /** Whether the host has said that the answer is complete. */
  readonly finished: boolean;
  /** Whether nothing of the answer can follow. */
  readonly ended: boolean;
  /** The tokens of the prompt, cached ones too, once the host has told them. */
  readonly promptTokens: number | undefined;
  /** Takes the data of the server-sent events of one read. */
  feed(data: readonly string[]): MessageStreamEvent[];
  /** Ends the answer. */
  flush(): MessageStreamEvent[];
}

/** Makes the fault of an answer that has come, but as something else than an answer. */
export function toUnreadable(why: string, cause?: unknown): UpstreamFault {
  return new UpstreamFault("broken", `Cannot read the upstream's answer: ${why}`, {}, { cause });
}

/** Does a step of reading; that something has another type than it should is not looked for field by field. */
export function readAnswer(step: () => MessageStreamEvent[]): MessageStreamEvent[] {
  try {
    return step();
  } catch (cause) {
    if (cause instanceof ApiError) throw cause;
    throw toUnreadable("it has an unknown form", cause);
  }
}

/** Reads one chunk; errors come as `error`, in SGLang's form, in NVIDIA's, or with a `code` where others have choices. */
function toChunk(data: string, chunk: unknown, candidate: Candidate): ChatChunk {
  if (!isJsonObject(chunk)) throw toUnreadable("it is not JSON");
  const { error, object, status, choices } = chunk;
  const code = Number(isJsonObject(error) ? error.code : chunk.code ?? status);
  if (!error && object !== "error" && (choices || !(code >= 400))) return chunk;
  throw toUpstreamFault(code >= 400 ? code : 500, data, candidate);
}

/** Reads the chunks of a chat completion; `[DONE]` ends them. */
export class ChatReader implements AnswerReader {
  readonly #translator: ChunkTranslator;
  readonly #candidate: Candidate;
  readonly #template = new ChunkTemplate();
  ended = false;

  /** Reads for a translator what a candidate answers. */
  constructor(translator: ChunkTranslator, candidate: Candidate) {
    this.#translator = translator;
    this.#candidate = candidate;
  }

  get finished(): boolean {
    return this.#translator.finished;
  }

  get promptTokens(): number | undefined {
    return this.#translator.promptTokens;
  }

  feed(data: readonly string[]): MessageStreamEvent[] {
    const end = data.indexOf("[DONE]");
    this.ended = end >= 0;
    const chunks = mergeChunks(end < 0 ? data : data.slice(0, end));
    return this.#translator.feed(this.#toChunks(chunks));
  }

  flush(): MessageStreamEvent[] {
    return this.#translator.flush();
  }

  /** One by one: each is good until the next. */
  *#toChunks(data: readonly string[]): Generator<ChatChunk> {
    for (const text of data) yield toChunk(text, this.#template.parse(text), this.#candidate);
  }
}
