import { ChunkTranslator } from "../stream/chunk_translator.ts";
import { SseDecoder } from "../stream/sse_decoder.ts";
import { toChatRequest } from "../translate/request.ts";
import { toToolNames } from "../translate/tools.ts";
import type { MessagesRequest, MessageStreamEvent } from "../wire/anthropic.ts";
import type { Clock } from "../wire/clock.ts";
import { ApiError } from "../wire/errors.ts";
import type { NewId } from "../wire/ids.ts";
import { isJsonObject } from "../wire/messages_request.ts";
import type { ChatChunk } from "../wire/openai.ts";
import type { Answer, Candidate, SendOptions } from "./candidate.ts";
import { Deadline } from "./deadline.ts";
import { toUpstreamError } from "./faults.ts";

/** Milliseconds the upstream is given to end its response after `[DONE]`. */
const DRAIN_TIMEOUT = 2_000;

/** What one attempt needs beside the request. */
export interface AttemptOptions extends SendOptions {
  fetch: typeof fetch;
  clock: Clock;
  newId: NewId;
  /** Milliseconds until the first content must have come. */
  requestTimeout: number;
  /** Milliseconds of silence allowed once content has come. */
  idleTimeout: number;
  maxTokens: number | undefined;
  thinking: boolean;
  userAgent: string;
}

function toChunk(data: string, model: string): ChatChunk {
  let chunk: unknown;
  try {
    chunk = JSON.parse(data);
  } catch (cause) {
    throw new ApiError("api_error", "Cannot read the upstream's answer: it is not JSON", { cause });
  }
  if (!isJsonObject(chunk)) {
    throw new ApiError("api_error", "Cannot read the upstream's answer: it is no object");
  }
  if (chunk.error) {
    const code = isJsonObject(chunk.error) ? Number(chunk.error.code) : NaN;
    throw toUpstreamError(code >= 400 ? code : 500, data, model);
  }
  return chunk;
}

/** Reads the body of an answer: the data of the events of each read, or a JSON body as one. */
async function* readData(response: Response, deadline: Deadline): AsyncGenerator<string[], void> {
  if (response.headers.get("content-type")?.includes("application/json")) {
    yield [await response.text(), "[DONE]"];
    return;
  }
  const decoder = new SseDecoder();
  const reader = response.body?.getReader();
  for (;;) {
    const read = await reader?.read();
    deadline.touch();
    if (!read || read.done) break;
    yield decoder.feed(read.value);
  }
  yield decoder.flush();
}

/** Translates an answer as it comes; the batches are never empty. */
async function* readEvents(
  response: Response,
  translator: ChunkTranslator,
  model: string,
  deadline: Deadline,
): AsyncGenerator<MessageStreamEvent[], void> {
  let done = false;
  try {
    for await (const data of readData(response, deadline)) {
      if (done) continue; // Reads to the end, so that the connection can be used again.
      const end = data.indexOf("[DONE]");
      const chunks = (end < 0 ? data : data.slice(0, end)).map((text) => toChunk(text, model));
      const events = translator.feed(chunks);
      if (end >= 0) events.push(...translator.flush());
      if (events.length > 0) yield events;
      done = end >= 0;
      if (done) deadline.extend(DRAIN_TIMEOUT);
    }
    if (done) return;
    const events = translator.flush();
    if (!translator.finished) {
      throw new ApiError("overloaded_error", "The upstream broke off in the middle of its answer");
    }
    yield events;
  } catch (thrown) {
    if (!done) throw deadline.explain(thrown);
  } finally {
    deadline.close();
  }
}

async function* prepend<T>(first: T, rest: AsyncGenerator<T, void>): AsyncGenerator<T, void> {
  yield first;
  yield* rest;
}

/**
 * Asks one candidate once.
 *
 * @throws {ApiError} If it refuses, breaks off, is silent for too long or answers nothing.
 */
export async function attempt(
  request: MessagesRequest,
  candidate: Candidate,
  options: AttemptOptions,
): Promise<Answer> {
  const { backend, model, family } = candidate;
  const { clock, newId, maxTokens, thinking } = options;
  const translated = toChatRequest(request, { model, family, maxTokens, thinking });
  const deadline = new Deadline(clock, options.signal, options.requestTimeout);
  try {
    const response = await options.fetch(`${backend.baseUrl}/chat/completions`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "accept": request.stream ? "text/event-stream" : "application/json",
        "user-agent": options.userAgent,
        ...(backend.apiKey ? { authorization: `Bearer ${backend.apiKey}` } : {}),
      },
      body: JSON.stringify(translated.request),
      signal: deadline.signal,
    });
    if (!response.ok) {
      const text = await response.text();
      throw toUpstreamError(response.status, text, model, response.headers);
    }
    const translator = new ChunkTranslator({
      toolNames: toToolNames(request.tools),
      stopSequences: request.stop_sequences,
      startsInThinking: family.startsInThinking && thinking,
      inputTokens: options.inputTokens,
      newId,
    });
    const events = readEvents(response, translator, model, deadline);
    const first = await events.next();
    deadline.extend(options.idleTimeout);
    const { warnings } = translated;
    return { candidate, warnings, events: prepend(first.value ?? [], events) };
  } catch (thrown) {
    deadline.close();
    throw deadline.explain(thrown);
  }
}
