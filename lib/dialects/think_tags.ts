/** A piece of an answer's text, told apart. */
export type Segment = { kind: "text" | "thinking"; text: string };

const OPEN = "<think>";
const CLOSE = "</think>";

/** The longest end of `text` that may be the beginning of `tag`, which must not be sent on yet. */
function toHeldLength(text: string, tag: string): number {
  for (let length = Math.min(text.length, tag.length - 1); length > 0; length--) {
    if (tag.startsWith(text.slice(-length))) return length;
  }
  return 0;
}

/** Tells `<think>…</think>` at the head of an answer apart from its text; later on it is what the model writes about. */
export class ThinkTagSplitter {
  /** Where the answer stands: before anything, right behind a tag, between the tags, or in the text. */
  #state: "start" | "opened" | "thinking" | "closed" | "text" = "start";
  /** What has been fed and not told apart yet, because a tag may be beginning. */
  #held = "";

  /** Takes the next piece of `content`. */
  feed(piece: string): Segment[] {
    if (this.#state === "text") return piece === "" ? [] : [{ kind: "text", text: piece }];
    const held = this.#held + piece;
    if (this.#state === "thinking") return this.#think(held);
    const text = held.trimStart();
    if (this.#state === "start") {
      this.#held = held;
      if (text.startsWith(OPEN)) return this.#go("opened", text.slice(OPEN.length));
      return text.length < OPEN.length && OPEN.startsWith(text) ? [] : this.#go("text", held);
    }
    return text === "" ? [] : this.#go(this.#state === "opened" ? "thinking" : "text", text);
  }

  /** Gives what was held back; a tool call or the end of the answer also ends thinking. */
  flush(): Segment[] {
    const [text, kind] = [this.#held, this.#state === "thinking" ? "thinking" : "text"] as const;
    this.#go("text", "");
    return text === "" ? [] : [{ kind, text }];
  }

  #think(held: string): Segment[] {
    const end = held.indexOf(CLOSE);
    const length = end < 0 ? held.length - toHeldLength(held, CLOSE) : end;
    const segments: Segment[] = length > 0 ? [{ kind: "thinking", text: held.slice(0, length) }] : [];
    if (end >= 0) return [...segments, ...this.#go("closed", held.slice(end + CLOSE.length))];
    this.#held = held.slice(length);
    return segments;
  }

  #go(state: "opened" | "thinking" | "closed" | "text", rest: string): Segment[] {
    this.#state = state;
    this.#held = "";
    return this.feed(rest);
  }
}
