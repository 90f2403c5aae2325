import type { BlockDelta, ContentBlock, MessageStreamEvent } from "../wire/anthropic.ts";

/**
 * What Arbiter signs thinking with. Clients send the signature back and some drop a thinking block without one; nobody
 * verifies it here.
 */
const SIGNATURE = "unsigned";

/** Lengthens `before` by `delta` if they are of one kind; tells whether. */
function merge(before: BlockDelta, delta: BlockDelta): boolean {
  if (before.type === "text_delta" && delta.type === "text_delta") before.text += delta.text;
  else if (before.type === "thinking_delta" && delta.type === "thinking_delta") before.thinking += delta.thinking;
  else if (before.type === "input_json_delta" && delta.type === "input_json_delta") {
    before.partial_json += delta.partial_json;
  } else return false;
  return true;
}

/** Keeps at most one block open and numbers blocks 0, 1, 2 …, as Anthropic's grammar demands. */
export class BlockSequencer {
  #events: MessageStreamEvent[] = [];
  #index = -1;
  #open: ContentBlock["type"] | undefined;

  /** How many blocks have been started. */
  get count(): number {
    return this.#index + 1;
  }

  /** Appends text, in a new block when none of text is open. */
  text(text: string): void {
    if (this.#open !== "text") this.#start({ type: "text", text: "" });
    this.#delta({ type: "text_delta", text });
  }

  /** Appends thinking, in a new block when none of thinking is open. */
  thinking(thinking: string): void {
    if (this.#open !== "thinking") this.#start({ type: "thinking", thinking: "", signature: "" });
    this.#delta({ type: "thinking_delta", thinking });
  }

  /** Starts a tool call; a client may run it as soon as {@linkcode close} was called. */
  startTool(id: string, name: string): void {
    this.#start({ type: "tool_use", id, name, input: {} });
  }

  /** Appends a piece of the arguments of the open tool call. */
  toolInput(partial_json: string): void {
    if (partial_json !== "") this.#delta({ type: "input_json_delta", partial_json });
  }

  /** Closes the open block, if any. */
  close(): void {
    if (this.#open === "thinking") this.#delta({ type: "signature_delta", signature: SIGNATURE });
    if (this.#open) this.#events.push({ type: "content_block_stop", index: this.#index });
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
    this.#events.push({ type: "content_block_start", index: ++this.#index, content_block });
  }

  /** Adds a delta, or lengthens the one before: what came in one read leaves as one event. */
  #delta(delta: BlockDelta): void {
    const last = this.#events.at(-1);
    if (last?.type === "content_block_delta" && merge(last.delta, delta)) return;
    this.#events.push({ type: "content_block_delta", index: this.#index, delta });
  }
}
