import type { BlockDelta, ContentBlock, MessageStreamEvent } from "../wire/anthropic.ts";

/**
 * What Arbiter signs thinking with. Clients send the signature back and some drop a thinking block without one; nobody
 * verifies it here.
 */
const SIGNATURE = "unsigned";

/** The type of the deltas of each kind of block, and the field that holds their text. */
const DELTAS = {
  text: ["text_delta", "text"],
  thinking: ["thinking_delta", "thinking"],
  tool_use: ["input_json_delta", "partial_json"],
} as const;

/** Keeps at most one block open and numbers blocks 0, 1, 2 …, as Anthropic's grammar demands. */
export class BlockSequencer {
  #events: MessageStreamEvent[] = [];
  #index = -1;
  #open: ContentBlock["type"] | undefined;

  /** How many blocks have been started. */
  get count(): number {
    return this.#index + 1;
  }

  /** Appends text or thinking, in a new block when none of its kind is open. */
  append(kind: "text" | "thinking", text: string): void {
    if (this.#open !== kind) {
      this.#start(kind === "text" ? { type: kind, text: "" } : { type: kind, thinking: "", signature: "" });
    }
    this.#lengthen(kind, text);
  }

  /** Starts a tool call; a client may run it as soon as {@linkcode close} was called. */
  startTool(id: string, name: string): void {
    this.#start({ type: "tool_use", id, name, input: {} });
  }

  /** Appends a piece of the arguments of the open tool call. */
  appendInput(json: string): void {
    if (json !== "") this.#lengthen("tool_use", json);
  }

  /** Closes the open block, if any. */
  close(): void {
    const index = this.#index;
    if (this.#open === "thinking") {
      this.push({ type: "content_block_delta", index, delta: { type: "signature_delta", signature: SIGNATURE } });
    }
    if (this.#open) this.push({ type: "content_block_stop", index });
    this.#open = undefined;
  }

  /** Adds an event that belongs to no block. */
  push(event: MessageStreamEvent): void {
    this.#events.push(event);
  }

  /** Hands over the events since the last call. */
  take(): MessageStreamEvent[] {
    return this.#events.splice(0);
  }

  #start(content_block: ContentBlock): void {
    this.close();
    this.#open = content_block.type;
    this.push({ type: "content_block_start", index: ++this.#index, content_block });
  }

  /** Adds a delta, or lengthens the one before: what came in one read leaves as one event. */
  #lengthen(kind: ContentBlock["type"], text: string): void {
    const [type, field] = DELTAS[kind];
    const last = this.#events.at(-1);
    if (last?.type === "content_block_delta" && last.delta.type === type) {
      const delta = last.delta as unknown as Record<string, string>;
      delta[field] += text;
    } else {
      this.push({ type: "content_block_delta", index: this.#index, delta: { type, [field]: text } as BlockDelta });
    }
  }
}
