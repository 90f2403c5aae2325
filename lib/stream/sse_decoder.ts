/** Characters one SSE event may have before it is taken for an attack or a broken host. */
const MAX_EVENT_CHARS = 16 * 1024 * 1024;

/**
 * Decodes server-sent events from bytes, cut anywhere, and gives the `data` of each.
 *
 * Only `data` matters here: OpenAI-compatible hosts name no events. Lines end in LF, CRLF or CR; an
 * event ends at a blank line or with the stream, since some hosts leave out the last blank line.
 */
export class SseDecoder {
  readonly #decoder = new TextDecoder();
  /** Pieces of the line that is not complete yet, joined once it is: appending would be quadratic. */
  #pieces: string[] = [];
  #pieceChars = 0;
  /** The data lines of the event that is not complete yet. */
  #data: string[] = [];
  /** Whether the last piece ended in CR, so that an LF to come belongs to it. */
  #afterCr = false;

  /**
   * Takes the next bytes and gives the data of the events that are complete with them.
   *
   * @throws {RangeError} If one event has more than 16 Mi characters.
   */
  feed(bytes: Uint8Array): string[] {
    return this.#feedText(this.#decoder.decode(bytes, { stream: true }));
  }

  /** Gives the event the stream ended in, if any. */
  flush(): string[] {
    return this.#feedText(`${this.#decoder.decode()}\n\n`);
  }

  #feedText(chunk: string): string[] {
    const events: string[] = [];
    let text = chunk;
    if (this.#afterCr && text !== "") {
      if (text.startsWith("\n")) text = text.slice(1);
      this.#afterCr = false;
    }
    if (text.includes("\r")) {
      this.#afterCr = text.endsWith("\r");
      text = text.replace(/\r\n?/g, "\n");
    }
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      let line = text.slice(start, end);
      if (this.#pieces.length > 0) {
        line = this.#pieces.join("") + line;
        this.#pieces = [];
        this.#pieceChars = 0;
      }
      start = end + 1;
      if (line === "") {
        if (this.#data.length > 0) events.push(this.#data.join("\n"));
        this.#data = [];
      } else if (line.startsWith("data:")) {
        this.#data.push(line.charAt(5) === " " ? line.slice(6) : line.slice(5));
      }
    }
    if (start < text.length) {
      this.#pieces.push(start === 0 ? text : text.slice(start));
      this.#pieceChars += text.length - start;
      if (this.#pieceChars > MAX_EVENT_CHARS) {
        throw new RangeError(`Cannot read an event of more than ${MAX_EVENT_CHARS} characters`);
      }
    }
    return events;
  }
}
