import type { DeclaredTools } from "../dialects/grammar.ts";
import { RepetitionGuard } from "../dialects/repetition.ts";
import { type Found, Scanner } from "../dialects/scanner.ts";
import { type Family, toFamily } from "../models/families.ts";
import { isCut, toStopReason } from "../translate/stop_reason.ts";
import { toTokenCount, toUsage } from "../translate/usage.ts";
import type { MessageStreamEvent } from "../wire/anthropic.ts";
import { type NewId, randomId } from "../wire/ids.ts";
import { isJsonObject } from "../wire/json.ts";
import type { ChatChunk, ChatDelta, ChatUsage, ToolCallDelta } from "../wire/openai.ts";
import { BadAnswer } from "./bad_answer.ts";
import { BlockSequencer } from "./block_sequencer.ts";
import { ToolCallAssembler } from "./tool_call_assembler.ts";

/** Finish reasons of hosts whose answer went wrong; it must not end like a whole one. */
const BROKEN_FINISHES: readonly unknown[] = ["abort", "error", "insufficient_system_resource", "repetition"];
/** How many blanks may be padding; more of them are text. */
const MAX_FILLER_CHARS = 200;
/** What Kimi writes beside calls, or instead of an answer, because histories show it. */
const NO_CONTENT = "(no content)";

/** The event an answer begins with. */
export type MessageStart = MessageStreamEvent & { type: "message_start" };

/** Options of {@linkcode ChunkTranslator}. */
export interface ChunkTranslatorOptions {
  /** The declared tools under their names upstream. @default {new Map()} */
  tools?: DeclaredTools;
  /** The upstream id of the model that answers. @default {""} */
  model?: string;
  /** Its family, which decides what it leaks. @default {that of the id} */
  family?: Family;
  /** The request's `stop_sequences`. @default {[]} */
  stopSequences?: readonly string[];
  /** Estimated input tokens, for hosts that report no usage. @default {0} */
  inputTokens?: number;
  /** Makes ids of tool calls. @default {randomId} */
  newId?: NewId;
}

/** The first event of an answer, which may leave before the upstream has said anything. */
export function toMessageStart(id: string, model: string, inputTokens: number): MessageStart {
  const usage = toUsage(undefined, { input: inputTokens, output: 0 });
  const rest = { content: [], stop_reason: null, stop_sequence: null, usage };
  return { type: "message_start", message: { id, type: "message", role: "assistant", model, ...rest } };
}

/** A text; hosts send anything else where there is none. */
function toPlain(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function toReasoning(delta: ChatDelta): string {
  // Hosts may fill several fields with the same text: only one is read.
  const { reasoning_content, reasoning, reasoning_details: details, content } = delta;
  // Mistral's API has it among the parts of the content.
  const parts = Array.isArray(content) ? content.map((part) => toJoined(part?.thinking)).join("") : "";
  return toPlain(reasoning_content) || toPlain(reasoning) || toJoined(details) || parts;
}

/** A text, or the texts of its parts; of some details of reasoning there is only a summary. */
function toJoined(value: unknown): string {
  return Array.isArray(value) ? value.map((part) => toPlain(part?.text ?? part?.summary)).join("") : toPlain(value);
}

function toContentText({ content, refusal }: ChatDelta): string {
  return toJoined(content) || toPlain(refusal);
}

function toCallDeltas({ tool_calls, function_call }: ChatDelta): ToolCallDelta[] {
  if (Array.isArray(tool_calls)) return tool_calls.filter(isJsonObject);
  return function_call ? [{ function: function_call }] : [];
}

/**
 * Translates the chunks of one answer into the events of Anthropic's stream, `message_start` excepted. A whole
 * completion is a stream of one chunk.
 *
 * Each field of a chunk is read for itself: calls may come with the finish reason, usage with or without choices, and
 * text and reasoning in any mixture.
 */
export class ChunkTranslator {
  readonly #blocks = new BlockSequencer();
  readonly #calls: ToolCallAssembler;
  /** What tells text, thinking and calls apart in each of the two fields that may hold all of them. */
  readonly #scanners: Record<"text" | "thinking", Scanner>;
  /** The field that text came in last. */
  #field: "text" | "thinking" = "text";
  readonly #guard = new RepetitionGuard();
  readonly #family: Family;
  readonly #stopSequences: readonly string[];
  readonly #inputTokens: number;
  /** Text that is sent only if more follows: models pad calls and thinking with it. */
  #filler = "";
  /** Text that came while a call was open; it follows after the call. */
  #late = "";
  #usage: ChatUsage | undefined;
  #outputChars = 0;
  #finishReason: string | undefined;
  #stopSequence: string | null = null;

  /** Makes a translator for one answer. */
  constructor(options: ChunkTranslatorOptions = {}) {
    const { tools = new Map(), model = "", family = toFamily(model), stopSequences = [], newId = randomId } = options;
    this.#family = family;
    const { dialect: triggers, startsInThinking = false } = this.#family;
    this.#calls = new ToolCallAssembler(this.#blocks, tools, newId);
    this.#scanners = {
      text: new Scanner({ triggers, tools, startsInThinking }),
      thinking: new Scanner({ triggers, tools, kind: "thinking" }),
    };
    this.#stopSequences = stopSequences;
    this.#inputTokens = options.inputTokens ?? 0;
  }

  /** Whether the upstream has said that the answer is complete. */
  get finished(): boolean {
    return this.#finishReason !== undefined;
  }

  /** The tokens of the prompt, cached ones too, once the upstream has told them. */
  get promptTokens(): number | undefined {
    return toTokenCount(this.#usage?.prompt_tokens) || undefined;
  }

  /** Takes the chunks of one read; a delta that continues another is merged with it. */
  feed(chunks: Iterable<ChatChunk>): MessageStreamEvent[] {
    for (const chunk of chunks) {
      const { delta, message, finish_reason, stop_reason, matched_stop, usage } = chunk.choices?.[0] ?? {};
      const counts = chunk.usage ?? usage;
      if (counts) this.#usage = { ...this.#usage, ...counts };
      this.#feedDelta(delta ?? message ?? {});
      if (BROKEN_FINISHES.includes(finish_reason)) throw new BadAnswer("cut", `broke off: ${finish_reason}`);
      if (finish_reason && !isCut(this.#finishReason)) this.#finishReason = finish_reason;
      const stop = stop_reason ?? matched_stop;
      if (typeof stop === "string" && this.#stopSequences.includes(stop)) this.#stopSequence = stop;
    }
    return this.#blocks.take();
  }

  /**
   * Ends the answer.
   *
   * @throws {ApiError} `overloaded_error` if there was nothing in it.
   */
  flush(): MessageStreamEvent[] {
    const cut = isCut(this.#finishReason);
    this.#endField(cut);
    const half = this.#calls.flush(cut);
    this.#dropFiller();
    this.#settle();
    this.#blocks.close();
    if (this.#blocks.count === 0 && !cut && this.#stopSequence === null) {
      throw new BadAnswer("empty", "was empty");
    }
    const reason = this.#stopSequence === null ? toStopReason(half ? "length" : this.#finishReason) : "stop_sequence";
    const stop_reason = this.#calls.count > 0 && !half ? "tool_use" : reason;
    const usage = toUsage(this.#usage, { input: this.#inputTokens, output: Math.ceil(this.#outputChars / 4) });
    this.#blocks.push({ type: "message_delta", delta: { stop_reason, stop_sequence: this.#stopSequence }, usage });
    this.#blocks.push({ type: "message_stop" });
    return this.#blocks.take();
  }

  #feedDelta(delta: ChatDelta): void {
    const reasoning = toReasoning(delta);
    if (reasoning !== "") this.#feedField("thinking", reasoning);
    const content = toContentText(delta);
    const text = this.#family.continuesCalls ? this.#calls.absorb(content) : content;
    if (text !== "") this.#feedField("text", text);
    const calls = toCallDeltas(delta);
    if (calls.length === 0) return;
    this.#endField(true, true);
    this.#dropFiller();
    for (const call of calls) this.#outputChars += JSON.stringify(call.function?.arguments ?? "").length;
    this.#calls.feed(calls);
  }

  #feedField(field: "text" | "thinking", text: string): void {
    this.#outputChars += text.length;
    if (this.#guard.feed(text)) throw new BadAnswer("degenerate", "has become nothing but repetition");
    if (field !== this.#field) this.#endField();
    this.#field = field;
    this.#scanners[field].feed(text).forEach((found) => this.#add(found));
  }

  /** Lets go of what the field has held back: something else has come, and what is half a call by then is none. */
  #endField(cut = true, called = false): void {
    this.#scanners[this.#field].flush(cut, called).forEach((found) => this.#add(found));
  }

  #add(found: Found): void {
    if (found.kind === "call") {
      this.#dropFiller();
      this.#calls.add(found);
    } else if (found.kind === "thinking") {
      this.#dropFiller();
      // Thinking in the middle of a call has no place in the grammar; nothing depends on it.
      if (this.#settle()) this.#blocks.append("thinking", found.text);
    } else {
      this.#filler += found.text;
      if (!this.#isFiller()) this.#sendFiller();
    }
  }

  /** Sends what was held back, or keeps it for after the call that is open. */
  #sendFiller(): void {
    this.#late += this.#filler;
    this.#filler = "";
    this.#settle();
  }

  /** Closes the call that is open, if it is complete, and sends what had to wait for that; tells whether none is open. */
  #settle(): boolean {
    if (!this.#calls.settle()) return false;
    if (this.#late !== "") this.#blocks.append("text", this.#late);
    this.#late = "";
    return true;
  }

  /** Whether the text held back may still turn out to be nothing: blanks, Kimi's `(no content)`, a run of `!`. */
  #isFiller(): boolean {
    if ((this.#blocks.open === "text" && !this.#calls.open) || this.#filler.length > MAX_FILLER_CHARS) return false;
    const text = this.#filler.trim();
    return NO_CONTENT.startsWith(text) || (this.#blocks.count === 0 && /^!+$/.test(text));
  }

  /** Blanks and `(no content)` were padding, before a call or thinking or at the end; other text is sent. */
  #dropFiller(): void {
    const text = this.#filler.trim();
    if (text !== "" && text !== NO_CONTENT) this.#sendFiller();
    this.#filler = "";
  }
}
