/** A piece of an answer's text, told apart. */
export interface Segment {
  kind: "text" | "thinking";
  text: string;
}

const OPEN = "<think>";
const CLOSE = "</think>";

/** The longest end of `text` that may be the beginning of `tag`, which must not be sent on yet. */
function toHeldLength(text: string, tag: string): number {
  for (let length = Math.min(text.length, tag.length - 1); length > 0; length--) {
    if (tag.startsWith(text.slice(-length))) return length;
  }
  return 0;
}

/**
 * Tells `<think>…</think>` at the beginning of an answer apart from its text.
 *
 * The tag counts only before the first real text: later it is something the model writes about.
 */
export class ThinkTagSplitter {
  /** Where the answer stands: before anything, right behind a tag, between the tags, or in the text. */
  #state: "start" | "opened" | "thinking" | "closed" | "text" = "start";
  /** What has been fed and not told apart yet, because a tag may be beginning. */
  #held = "";

  /** Takes the next piece of `content`. */
  feed(piece: string): Segment[] {
    if (this.#state === "text") return [{ kind: "text", text: piece }];
    this.#held += piece;
    if (this.#state === "start") {
      const text = this.#held.trimStart();
      if (text.length < OPEN.length && OPEN.startsWith(text)) return [];
      this.#state = text.startsWith(OPEN) ? "opened" : "text";
      if (this.#state === "opened") this.#held = text.slice(OPEN.length);
    }
    const segments: Segment[] = [];
    if (this.#state === "opened") {
      this.#held = this.#held.trimStart();
      if (this.#held !== "") this.#state = "thinking";
    }
    if (this.#state === "thinking") {
      const end = this.#held.indexOf(CLOSE);
      const length = end < 0 ? this.#held.length - toHeldLength(this.#held, CLOSE) : end;
      if (length > 0) segments.push({ kind: "thinking", text: this.#held.slice(0, length) });
      this.#held = this.#held.slice(end < 0 ? length : end + CLOSE.length);
      if (end < 0) return segments;
      this.#state = "closed";
    }
    const text = this.#state === "closed" ? this.#held.trimStart() : this.#held;
    this.#held = "";
    if (text === "") return segments;
    this.#state = "text";
    return [...segments, { kind: "text", text }];
  }

  /** Gives what was held back; a tool call or the end of the answer also ends thinking. */
  flush(): Segment[] {
    const [text, kind] = [this.#held, this.#state === "thinking" ? "thinking" : "text"] as const;
    this.#held = "";
    this.#state = "text";
    return text === "" ? [] : [{ kind, text }];
  }
}
