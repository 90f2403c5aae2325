import { type Segment, ThinkTagSplitter } from "../dialects/think_tags.ts";
import { toStopReason } from "../translate/stop_reason.ts";
import { toUsage } from "../translate/usage.ts";
import type { MessageStreamEvent } from "../wire/anthropic.ts";
import { ApiError } from "../wire/errors.ts";
import { type NewId, randomId } from "../wire/ids.ts";
import type { ChatChunk, ChatDelta, ChatUsage } from "../wire/openai.ts";
import { BlockSequencer } from "./block_sequencer.ts";
import { ToolCallAssembler } from "./tool_call_assembler.ts";

/** The event an answer begins with. */
export type MessageStart = MessageStreamEvent & { type: "message_start" };

/** Options of {@linkcode ChunkTranslator}. */
export interface ChunkTranslatorOptions {
  /** Maps each function name sent upstream to the client's own. @default {new Map()} */
  toolNames?: ReadonlyMap<string, string>;
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

function toReasoning(delta: ChatDelta): string {
  // Hosts may fill several fields with the same text: only one is read.
  return delta.reasoning_content || delta.reasoning ||
    delta.reasoning_details?.map((detail) => detail.text ?? detail.summary ?? "").join("") || "";
}

function toContentText({ content, refusal }: ChatDelta): string {
  if (typeof content === "string" && content !== "") return content;
  return Array.isArray(content) ? content.map((part) => part.text ?? "").join("") : refusal ?? "";
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
  readonly #tags = new ThinkTagSplitter();
  readonly #stopSequences: readonly string[];
  readonly #inputTokens: number;
  /** Blank text that is sent only if more text follows: models pad calls and thinking with it. */
  #blank = "";
  /** Text that came while a call was open; it follows after the call. */
  #late = "";
  #usage: ChatUsage | undefined;
  #outputChars = 0;
  #finishReason: string | undefined;
  #stopSequence: string | null = null;

  /** Makes a translator for one answer. */
  constructor(options: ChunkTranslatorOptions = {}) {
    const { toolNames = new Map(), stopSequences = [], inputTokens = 0, newId = randomId } = options;
    this.#calls = new ToolCallAssembler(this.#blocks, toolNames, newId);
    this.#stopSequences = stopSequences;
    this.#inputTokens = inputTokens;
  }

  /** Whether the upstream has said that the answer is complete. */
  get finished(): boolean {
    return this.#finishReason !== undefined;
  }

  /** Takes the chunks of one read; a delta that continues another is merged with it. */
  feed(chunks: readonly ChatChunk[]): MessageStreamEvent[] {
    for (const chunk of chunks) {
      if (chunk.usage) this.#usage = { ...this.#usage, ...chunk.usage };
      const { delta, message, finish_reason, stop_reason, matched_stop } = chunk.choices?.[0] ?? {};
      this.#feedDelta(delta ?? message ?? {});
      if (finish_reason) this.#finishReason = finish_reason;
      const stop = stop_reason ?? matched_stop;
      if (typeof stop === "string" && this.#stopSequences.includes(stop)) this.#stopSequence = stop;
    }
    return this.#blocks.take();
  }

  /**
   * Ends the answer.
   *
   * @throws {ApiError} `overloaded_error` if the upstream said nothing at all.
   */
  flush(): MessageStreamEvent[] {
    this.#tags.flush().forEach((segment) => this.#add(segment));
    const broken = this.#calls.flush(this.#finishReason === "length");
    if (this.#late !== "") this.#blocks.append("text", this.#late);
    this.#blocks.close();
    if (this.#blocks.count === 0 && !this.finished) {
      throw new ApiError("overloaded_error", "The model's answer was empty");
    }
    const reason = this.#stopSequence === null ? toStopReason(this.#finishReason) : "stop_sequence";
    const stop_reason = this.#calls.count > 0 && !broken ? "tool_use" : reason;
    const usage = toUsage(this.#usage, { input: this.#inputTokens, output: Math.ceil(this.#outputChars / 4) });
    this.#blocks.push({ type: "message_delta", delta: { stop_reason, stop_sequence: this.#stopSequence }, usage });
    this.#blocks.push({ type: "message_stop" });
    return this.#blocks.take();
  }

  #feedDelta(delta: ChatDelta): void {
    const reasoning = toReasoning(delta);
    if (reasoning !== "") this.#add({ kind: "thinking", text: reasoning });
    const text = toContentText(delta);
    if (text !== "") this.#tags.feed(text).forEach((segment) => this.#add(segment));
    const calls = delta.tool_calls ?? (delta.function_call ? [{ function: delta.function_call }] : []);
    if (calls.length === 0) return;
    this.#tags.flush().forEach((segment) => this.#add(segment));
    this.#blank = "";
    for (const call of calls) this.#outputChars += String(call.function?.arguments ?? "").length;
    this.#calls.feed(calls);
  }

  #add({ kind, text }: Segment): void {
    this.#outputChars += text.length;
    const free = this.#calls.settle();
    // Thinking in the middle of a call has no place in the grammar; nothing depends on it.
    if (kind === "thinking") return free ? this.#blocks.append("thinking", text) : undefined;
    this.#blank += text;
    if (this.#blank.trim() === "") return;
    if (free) this.#blocks.append("text", this.#blank);
    else this.#late += this.#blank;
    this.#blank = "";
  }
}
