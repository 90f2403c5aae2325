/** A piece of an answer's text, told apart. */
export interface Segment {
  kind: "text" | "thinking";
  text: string;
}

const OPEN = "<think>";
const CLOSE = "</think>";

/** The longest end of `text` that may be the beginning of `tag`, which must not be sent on yet. */
export function toHeldLength(text: string, tag: string): number {
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
  /** Where the answer stands: before anything, inside the tag, or past the point where one may come. */
  #state: "start" | "thinking" | "text";
  /** What has been fed and not yet told apart, because a tag may be beginning. */
  #held = "";
  /** Whether line breaks are still to be dropped after a tag. */
  #trim = false;

  constructor(startsInThinking = false) {
    this.#state = startsInThinking ? "thinking" : "start";
    this.#trim = startsInThinking;
  }

  /** Takes the next piece of `content`. */
  feed(piece: string): Segment[] {
    if (this.#state === "text" && !this.#trim) return [{ kind: "text", text: piece }];
    this.#held += piece;
    const segments: Segment[] = [];
    if (this.#state === "start") {
      const text = this.#held.trimStart();
      if (text === "" || (OPEN.startsWith(text) && text !== OPEN)) return [];
      this.#state = text.startsWith(OPEN) ? "thinking" : "text";
      this.#trim = this.#state === "thinking";
      if (this.#trim) this.#held = text.slice(OPEN.length);
    }
    if (this.#state === "thinking") {
      const end = this.#held.indexOf(CLOSE);
      const length = end < 0 ? this.#held.length - toHeldLength(this.#held, CLOSE) : end;
      this.#take("thinking", length, segments);
      if (end < 0) return segments;
      this.#held = this.#held.slice(CLOSE.length);
      this.#state = "text";
      this.#trim = true;
    }
    this.#take("text", this.#held.length, segments);
    return segments;
  }

  /** Gives what was held back; a tool call or the end of the answer also ends thinking. */
  flush(): Segment[] {
    const [text, kind] = [this.#held, this.#state === "thinking" ? "thinking" : "text"] as const;
    this.#held = "";
    this.#state = "text";
    return text === "" ? [] : [{ kind, text }];
  }

  #take(kind: Segment["kind"], length: number, into: Segment[]): void {
    let text = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    if (this.#trim) text = text.trimStart();
    if (text === "") return;
    this.#trim = false;
    into.push({ kind, text });
  }
}
