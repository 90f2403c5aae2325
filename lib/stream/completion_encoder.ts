import { toCompletionId, toCompletionUsage, toFinishReason } from "../translate/completion.ts";
import type {
  BlockDelta,
  ContentBlock,
  JsonObject,
  MessageStreamEvent,
  Usage,
  VisualizationEvent,
} from "../wire/anthropic.ts";
import { toChatError } from "../wire/chat_errors.ts";
import type { ApiErrorBody } from "../wire/errors.ts";

/** What fills silence: a comment, which no client takes for a chunk. */
const PING = ": ping\n\n";

const toLine = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`;

/**
 * Encodes the events of an answer as the chunks of a streamed chat completion.
 *
 * The events say themselves where the answer ends; one that breaks off gets no `[DONE]`.
 */
export class CompletionEncoder {
  readonly #created: number;
  readonly #withUsage: boolean;
  /** What each chunk begins with. */
  #head: JsonObject = {};
  #usage: Usage | undefined;
  /** How many calls have begun. */
  #calls = 0;
  /** What the open call begins with, until pieces of its arguments come. */
  #input: JsonObject | undefined;

  /**
   * @param created When the answer began, in seconds.
   * @param withUsage Whether a chunk with token counts comes last.
   */
  constructor(created: number, withUsage = false) {
    this.#created = created;
    this.#withUsage = withUsage;
  }

  /** Gives the lines for the events of one read. */
  feed(events: readonly (MessageStreamEvent | VisualizationEvent | ApiErrorBody)[]): string {
    return events.map((event) => this.#encode(event)).join("");
  }

  #encode(event: MessageStreamEvent | VisualizationEvent | ApiErrorBody): string {
    switch (event.type) {
      case "message_start": {
        const { id, model, usage } = event.message;
        const head = { id: toCompletionId(id), object: "chat.completion.chunk", created: this.#created, model };
        this.#head = this.#withUsage ? { ...head, usage: null } : head;
        this.#usage = usage;
        return this.#toChunk({ role: "assistant", content: "" });
      }
      case "content_block_start":
        return this.#startBlock(event.content_block);
      case "content_block_delta":
        return this.#encodeDelta(event.delta);
      case "content_block_stop":
        return this.#input ? this.#continueCall(JSON.stringify(this.#input)) : "";
      case "message_delta": {
        if (this.#usage) this.#usage = { ...this.#usage, ...event.usage };
        const { stop_reason } = event.delta;
        return stop_reason === null ? PING : this.#toChunk({}, toFinishReason(stop_reason));
      }
      case "message_stop":
        return `${this.#withUsage ? this.#toUsageChunk() : ""}data: [DONE]\n\n`;
      case "ping":
        return PING;
      case "error":
        return toLine(toChatError(event));
      default:
        return "";
    }
  }

  #startBlock(block: ContentBlock): string {
    if (block.type !== "tool_use") return "";
    const { id, name, input } = block;
    this.#input = input;
    return this.#toChunk({
      tool_calls: [{ index: this.#calls++, id, type: "function", function: { name, arguments: "" } }],
    });
  }

  #encodeDelta(delta: BlockDelta): string {
    if (delta.type === "text_delta") return this.#toChunk({ content: delta.text });
    if (delta.type === "thinking_delta") return this.#toChunk({ reasoning_content: delta.thinking });
    return delta.type === "input_json_delta" && delta.partial_json ? this.#continueCall(delta.partial_json) : "";
  }

  #continueCall(piece: string): string {
    this.#input = undefined;
    return this.#toChunk({ tool_calls: [{ index: this.#calls - 1, function: { arguments: piece } }] });
  }

  #toChunk(delta: JsonObject, finish_reason: string | null = null): string {
    return toLine({ ...this.#head, choices: [{ index: 0, delta, logprobs: null, finish_reason }] });
  }

  #toUsageChunk(): string {
    return this.#usage ? toLine({ ...this.#head, choices: [], usage: toCompletionUsage(this.#usage) }) : "";
  }
}
