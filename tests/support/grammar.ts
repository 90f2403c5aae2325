import assert from "node:assert/strict";
import type { ApiErrorBody, ContentBlock, Message, MessageStreamEvent, StopReason, Usage } from "../../mod.ts";

/** An event as a client reads it. */
export type StreamEvent = MessageStreamEvent | ApiErrorBody;

/** How a stream may end: whole, with an `error` event, or with the connection. */
export type StreamEnd = "whole" | "error" | "cut";

/** What the events of a stream come to. */
export interface StreamedAnswer {
  content: ContentBlock[];
  stop_reason: StopReason | null;
  stop_sequence: string | null;
  /** The counts of `message_start`, overwritten by those of each `message_delta`. */
  usage: Usage;
}

const COUNTS = ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"] as const;

/** Which deltas a block may have. */
const DELTAS: Record<ContentBlock["type"], readonly string[]> = {
  text: ["text_delta"],
  thinking: ["thinking_delta", "signature_delta"],
  tool_use: ["input_json_delta"],
};

/** Whether an event only shows that the stream is alive. */
function isKeepAlive(event: StreamEvent): boolean {
  return event.type === "ping" || (event.type === "message_delta" && event.delta.stop_reason === null);
}

/**
 * Reads server-sent events, each of which must have the form `event: TYPE`, `data: JSON`, blank line.
 *
 * @param whole Whether the text must end with an event; if not, the beginning of one is passed over.
 */
export function parseEvents(text: string, whole = true): StreamEvent[] {
  const frames = text.split("\n\n");
  const rest = frames.pop();
  if (whole) assert.equal(rest, "", "the stream ends in the middle of an event");
  return frames.map((frame) => {
    const [, name, data] = /^event: (\w+)\ndata: ([^\n]+)$/.exec(frame) ?? [];
    assert.ok(name && data, `no legal event: ${frame}`);
    const event: StreamEvent = JSON.parse(data);
    assert.equal(event.type, name, "the event's name is not its type");
    return event;
  });
}

function checkUsage(usage: Partial<Usage>, needed: readonly (keyof Usage)[]): void {
  for (const name of needed) assert.ok(name in usage, `usage has no ${name}`);
  for (const [name, count] of Object.entries(usage)) {
    assert.ok(Number.isInteger(count) && count >= 0, `usage.${name} is ${count}`);
  }
}

function checkStart(message: Message): void {
  assert.match(message.id, /^msg_\w+$/);
  assert.equal(message.type, "message");
  assert.equal(message.role, "assistant");
  assert.equal(typeof message.model, "string");
  assert.deepEqual(message.content, []);
  assert.equal(message.stop_reason, null);
  assert.equal(message.stop_sequence, null);
  checkUsage(message.usage, COUNTS);
}

/** Takes the events of one stream in order and fails at the first that Anthropic's grammar forbids. */
class Checker {
  readonly answer: StreamedAnswer = {
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: 0, output_tokens: 0, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 },
  };
  /** The type of the last event that counts. */
  last: string | undefined;
  #open: ContentBlock | undefined;
  #json = "";
  /** A call whose arguments broke off: legal for the last block of an answer that was too long. */
  #broken: string | undefined;

  take(event: StreamEvent): void {
    assert.ok(this.last !== "message_stop" && this.last !== "error", `${event.type} after ${this.last}`);
    if (event.type === "error") this.#takeError(event);
    else if (!isKeepAlive(event)) this.#takeContent(event);
    else assert.ok(this.last !== undefined, `${event.type} before message_start`);
    if (!isKeepAlive(event)) this.last = event.type;
  }

  finish(end: StreamEnd): void {
    const whole = this.last === "message_stop";
    if (end === "whole") assert.ok(whole, `the stream ends with ${this.last}`);
    else if (end === "error") assert.equal(this.last, "error");
    else assert.ok(!whole && this.last !== "error", `the stream was to be cut, but ends with ${this.last}`);
    if (!whole) assert.equal(this.answer.stop_reason, null, "a broken stream tells a stop reason");
  }

  #takeError({ error }: ApiErrorBody): void {
    assert.match(error.type, /^\w+_error$|^request_too_large$/);
    assert.ok(error.message.length > 0, "an error without a message");
  }

  #takeContent(event: MessageStreamEvent): void {
    const first = this.last === undefined;
    assert.equal(event.type === "message_start", first, `${event.type} after ${this.last ?? "nothing"}`);
    if (this.last === "message_delta") assert.equal(event.type, "message_stop", `${event.type} after message_delta`);
    if (event.type === "message_start") {
      checkStart(event.message);
      this.answer.usage = { ...event.message.usage };
    } else if (event.type === "content_block_start") this.#start(event.index, event.content_block);
    else if (event.type === "content_block_delta") this.#delta(event.index, event.delta);
    else if (event.type === "content_block_stop") this.#stop(event.index);
    else if (event.type === "message_delta") this.#end(event);
    else if (event.type === "message_stop") assert.equal(this.last, "message_delta", `message_stop after ${this.last}`);
    else assert.fail(`no event of the grammar: ${JSON.stringify(event)}`);
  }

  #start(index: number, block: ContentBlock): void {
    assert.equal(this.#open, undefined, `block ${index} starts while another is open`);
    assert.equal(this.#broken, undefined, "a block follows broken arguments");
    assert.equal(index, this.answer.content.length, "blocks are numbered 0, 1, 2 …");
    assert.ok(Object.hasOwn(DELTAS, block.type), `unknown block ${block.type}`);
    // What is in the block at its start is ignored by clients: only deltas count.
    if (block.type === "text") assert.equal(block.text, "");
    if (block.type === "thinking") assert.equal(block.thinking, "");
    if (block.type === "tool_use") {
      assert.deepEqual(block.input, {});
      assert.match(block.id, /^toolu_\w+$/);
      assert.ok(block.name.length > 0, "a call without a name");
      const ids = this.answer.content.map((other) => other.type === "tool_use" && other.id);
      assert.ok(!ids.includes(block.id), `two calls have the id ${block.id}`);
    }
    this.#open = { ...block };
    this.#json = "";
    this.answer.content.push(this.#open);
  }

  #delta(index: number, delta: (MessageStreamEvent & { type: "content_block_delta" })["delta"]): void {
    const block = this.#open;
    assert.ok(block, `a delta for block ${index} while none is open`);
    assert.equal(index, this.answer.content.length - 1, "a delta for a block that is not open");
    assert.ok(DELTAS[block.type].includes(delta.type), `${delta.type} in a block of ${block.type}`);
    if (delta.type === "input_json_delta") this.#json += delta.partial_json;
    else if (delta.type === "text_delta" && block.type === "text") block.text += delta.text;
    else if (block.type === "thinking") {
      assert.equal(block.signature, "", `${delta.type} after the signature`);
      if (delta.type === "thinking_delta") block.thinking += delta.thinking;
      else if (delta.type === "signature_delta") block.signature = delta.signature;
    }
  }

  #stop(index: number): void {
    const block = this.#open;
    assert.ok(block, `block ${index} stops while none is open`);
    assert.equal(index, this.answer.content.length - 1, "a block stops that is not open");
    if (block.type === "thinking") assert.notEqual(block.signature, "", "thinking without a signature");
    if (block.type === "tool_use") block.input = this.#parseInput();
    this.#open = undefined;
  }

  #parseInput(): Record<string, unknown> {
    let input: unknown;
    try {
      input = JSON.parse(this.#json);
    } catch {
      this.#broken = this.#json;
      return {};
    }
    assert.ok(typeof input === "object" && input && !Array.isArray(input), `arguments are no object: ${this.#json}`);
    return input as Record<string, unknown>;
  }

  #end(event: MessageStreamEvent & { type: "message_delta" }): void {
    const { stop_reason, stop_sequence } = event.delta;
    assert.equal(this.#open, undefined, "the message ends while a block is open");
    assert.match(String(stop_reason), /^(?:end_turn|max_tokens|stop_sequence|tool_use)$/);
    assert.equal(stop_sequence !== null, stop_reason === "stop_sequence", `${stop_reason} with ${stop_sequence}`);
    if (stop_reason !== "max_tokens") assert.equal(this.#broken, undefined, `arguments are no JSON: ${this.#broken}`);
    if (stop_reason === "tool_use") assert.ok(this.answer.content.some(({ type }) => type === "tool_use"), "no call");
    checkUsage(event.usage, ["output_tokens"]);
    Object.assign(this.answer, { stop_reason, stop_sequence, usage: { ...this.answer.usage, ...event.usage } });
  }
}

/**
 * Checks that a stream follows Anthropic's grammar exactly and gives what it comes to:
 * `message_start`, blocks numbered from 0 with one open at a time and only deltas of their type, one
 * `message_delta` with the stop reason, `message_stop`, nothing after. A `ping` and a `message_delta`
 * without a stop reason may stand anywhere between. The arguments of each call are a JSON object.
 *
 * @param end How the stream ends; a broken one must never tell a stop reason.
 */
export function assertLegalStream(events: readonly StreamEvent[], end: StreamEnd = "whole"): StreamedAnswer {
  const checker = new Checker();
  events.forEach((event, i) => {
    try {
      checker.take(event);
    } catch (thrown) {
      if (thrown instanceof Error) thrown.message = `event ${i}: ${thrown.message}`;
      throw thrown;
    }
  });
  checker.finish(end);
  return checker.answer;
}
