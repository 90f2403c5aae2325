import { toTokenCount } from "../translate/usage.ts";
import { BadAnswer } from "../stream/bad_answer.ts";
import { toMessageEvents } from "../stream/message.ts";
import type { JsonObject, Message, MessageStreamEvent, Usage } from "../wire/anthropic.ts";
import { STATUS_BY_ERROR_TYPE } from "../wire/errors.ts";
import { isJsonObject, parseJson } from "../wire/json.ts";
import { type AnswerReader, toUnreadable } from "./answer_reader.ts";
import { toUpstreamFault } from "./faults.ts";
import type { Candidate } from "../routing/candidate.ts";

/** Why an answer may end before it has begun: there is something to tell the client all the same. */
const WORDLESS = ["refusal", "max_tokens", "pause_turn", "stop_sequence", "model_context_window_exceeded"];

/** What the deltas that bring text call it. */
const TEXTS: ReadonlyMap<string, string> = new Map([
  ["text_delta", "text"],
  ["thinking_delta", "thinking"],
  ["signature_delta", "signature"],
  ["input_json_delta", "partial_json"],
]);

type BlockEvent = MessageStreamEvent & { index: number };

/** Reads one event, or all those of an answer that came whole; `[DONE]`, which some hosts end with, says nothing. */
function toPassedEvents(data: string, candidate: Candidate): MessageStreamEvent[] {
  if (data === "[DONE]") return [];
  const event = parseJson(data);
  const { type, error, code } = isJsonObject(event) ? event : {};
  if (type === "message") return toMessageEvents(event as Message);
  if (typeof type === "string" && type !== "error") return [event as MessageStreamEvent];
  // Hosts that say 200 to all have a code instead.
  if (!error && !(Number(code) >= 400)) throw toUnreadable("it is no event");
  const statuses = new Map<unknown, number>(Object.entries(STATUS_BY_ERROR_TYPE));
  const status = statuses.get(isJsonObject(error) ? error.type : "") ?? (Number(code) || 500);
  throw toUpstreamFault(status, data, candidate);
}

/**
 * Passes on the events of a host that speaks Anthropic's format.
 *
 * The client has had a `message_start` already, with an estimate: the counts of the host's own go into `message_delta`.
 */
export class MessageReader implements AnswerReader {
  readonly #candidate: Candidate;
  #usage: Partial<Usage> = {};
  readonly #inputTokens: number;
  #outputChars = 0;
  #blocks = 0;
  /** The host's number of the block that is open. */
  #open: number | undefined;
  #reason: string | undefined;
  finished = false;

  /** Reads what a candidate answers; the tokens of the prompt are for hosts that do not count them. */
  constructor(candidate: Candidate, inputTokens = 0) {
    this.#candidate = candidate;
    this.#inputTokens = inputTokens;
  }

  get ended(): boolean {
    return this.finished;
  }

  get promptTokens(): number | undefined {
    const { input_tokens = 0, cache_read_input_tokens = 0, cache_creation_input_tokens = 0 } = this.#usage;
    return input_tokens + cache_read_input_tokens + cache_creation_input_tokens || undefined;
  }

  feed(data: readonly string[]): MessageStreamEvent[] {
    const events: MessageStreamEvent[] = [];
    for (const text of data) {
      if (this.finished) break; // What follows the end is no part of the answer, whatever it is.
      for (const event of toPassedEvents(text, this.#candidate)) events.push(...this.#pass(event));
    }
    return events;
  }

  flush(): MessageStreamEvent[] {
    return [];
  }

  #pass(event: MessageStreamEvent): MessageStreamEvent[] {
    const { type } = event;
    if (type === "message_start") this.#count(event.message?.usage);
    if (type.startsWith("content_block_") && this.#reason === undefined) return this.#passBlock(event as BlockEvent);
    if (type !== "message_delta" && type !== "message_stop") {
      return /^(?!ping$|message_start$|content_block_)\w+$/.test(type) ? [event] : [];
    }
    if (type === "message_stop") this.finished = true;
    else if (isJsonObject(event.delta)) this.#reason ??= event.delta.stop_reason ?? undefined;
    else throw toUnreadable("its end is not told");
    const over = this.finished || this.#reason !== undefined;
    if (over && this.#blocks === 0 && !WORDLESS.includes(this.#reason ?? "")) throw new BadAnswer("empty", "was empty");
    if (this.finished && this.#reason === undefined) throw new BadAnswer("cut", "broke off");
    return [...over ? this.#close() : [], type === "message_delta" ? this.#toDelta(event) : event];
  }

  /** Numbers blocks 0, 1, 2 …, whatever the host does; pieces of one that is not open have no place. */
  #passBlock(event: BlockEvent): MessageStreamEvent[] {
    const { type, index } = event;
    if (type === "content_block_start" && typeof index === "number" && typeof event.content_block.type === "string") {
      const closing = this.#close();
      this.#open = index;
      return [...closing, { ...event, index: this.#blocks++ }];
    }
    if (type === "content_block_stop") return index === this.#open ? this.#close() : [];
    const isOpen = this.#open !== undefined && index === this.#open;
    if (type === "content_block_delta" && isOpen && typeof event.delta.type === "string") {
      const field = TEXTS.get(event.delta.type);
      const text = field === undefined ? "" : (event.delta as JsonObject)[field];
      if (typeof text !== "string") throw toUnreadable("a piece of it has no text");
      this.#outputChars += text.length;
      return [{ ...event, index: this.#blocks - 1 }];
    }
    throw toUnreadable("its blocks are not in order");
  }

  #close(): MessageStreamEvent[] {
    if (this.#open === undefined) return [];
    this.#open = undefined;
    return [{ type: "content_block_stop", index: this.#blocks - 1 }];
  }

  /** Takes over what a host has counted. */
  #count(usage: Partial<Usage> | null | undefined): void {
    const told = Object.entries(usage ?? {}).filter(([, value]) => value != null);
    const counts = told.map(([name, value]) => [name, name.endsWith("_tokens") ? toTokenCount(value) : value]);
    this.#usage = { ...this.#usage, ...Object.fromEntries(counts) };
  }

  /** Puts the tokens that were counted into the event that ends an answer. */
  #toDelta(event: MessageStreamEvent & { type: "message_delta" }): MessageStreamEvent {
    this.#count(event.usage);
    // Clients take zero for "not counted".
    const input_tokens = this.promptTokens ? this.#usage.input_tokens ?? 0 : this.#inputTokens;
    const output_tokens = this.#usage.output_tokens || Math.ceil(this.#outputChars / 4);
    return { ...event, usage: { ...this.#usage, input_tokens, output_tokens } };
  }
}
