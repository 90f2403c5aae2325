import { type BlockDelta, type ContentBlock, type MessageStreamEvent, UNSIGNED } from "../wire/anthropic.ts";
import { BadAnswer } from "./bad_answer.ts";

/** The type of the deltas of each kind of block, and the field that holds their text. */
const DELTAS = {
  text: ["text_delta", "text"],
  thinking: ["thinking_delta", "thinking"],
  tool_use: ["input_json_delta", "partial_json"],
} as const;

/** Keeps at most one block open and numbers blocks 0, 1, 2 …, as Anthropic's grammar demands. */
export class BlockSequencer {
  /** How many blocks have been started. */
  count = 0;
  /** The kind of the block that is open. */
  open: ContentBlock["type"] | undefined;
  #events: MessageStreamEvent[] = [];
  #torn = false;

  /** Starts a block; a client may run a tool call as soon as {@linkcode close} was called. */
  start(content_block: ContentBlock): void {
    this.close();
    if (this.#torn) throw new BadAnswer("cut", "broke off in the middle of a call");
    this.open = content_block.type;
    this.push({ type: "content_block_start", index: this.count++, content_block });
  }

  /** Appends to the open block of a kind; text and thinking start one when there is none. */
  append(kind: ContentBlock["type"], text: string): void {
    if (this.open !== kind && kind === "text") this.start({ type: kind, text: "" });
    if (this.open !== kind && kind === "thinking") this.start({ type: kind, thinking: "", signature: "" });
    const [type, field] = DELTAS[kind];
    const last = this.#events.at(-1);
    // What came in one read leaves as one event.
    if (last?.type === "content_block_delta" && last.delta.type === type) {
      const delta = last.delta as unknown as Record<string, string>;
      delta[field] += text;
    } else this.#pushDelta({ type, [field]: text } as BlockDelta);
  }

  /** Closes the open block, if any; after one that is `torn` there is no other. */
  close(torn = false): void {
    this.#torn ||= torn;
    if (this.open === "thinking") this.#pushDelta({ type: "signature_delta", signature: UNSIGNED });
    if (this.open) this.push({ type: "content_block_stop", index: this.count - 1 });
    this.open = undefined;
  }

  /** Adds an event that belongs to no block. */
  push(event: MessageStreamEvent): void {
    this.#events.push(event);
  }

  /** Hands over the events since the last call. */
  take(): MessageStreamEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  #pushDelta(delta: BlockDelta): void {
    this.push({ type: "content_block_delta", index: this.count - 1, delta });
  }
}
