/** Characters one line may have before it is taken for an attack or a broken host. */
const MAX_LINE_CHARS = 16 * 1024 * 1024;

/**
 * Decodes server-sent events from bytes, cut anywhere, and gives the `data` of each.
 *
 * Only `data` matters here: OpenAI-compatible hosts name no events. Lines end in LF, CRLF or CR; an event ends at a
 * blank line or with the stream, since some hosts leave out the last blank line.
 */
export class SseDecoder {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #begun = false;
  /** Pieces of the line that is not complete yet, joined once it is: appending would be quadratic. */
  #pieces: string[] = [];
  #pieceChars = 0;
  /** The data lines of the event that is not complete yet. */
  #data: string[] = [];
  /** Whether the last chunk ended in CR, so that an LF to come belongs to it. */
  #afterCr = false;

  /**
   * Takes the next bytes and gives the data of the events that are complete with them.
   *
   * @throws {RangeError} If one line has more than 16 Mi characters.
   */
  feed(bytes: Uint8Array): string[] {
    // No character goes on behind a read that ends in ASCII, and Node's decoder takes longer for what may go on.
    const stream = (bytes.at(-1) ?? 128) > 127;
    return this.#feedText(this.#decoder.decode(bytes, { stream }));
  }

  /** Gives the event the stream ended in, if any. */
  flush(): string[] {
    return this.#feedText(`${this.#decoder.decode()}\n\n`);
  }

  #feedText(read: string): string[] {
    // Deno's decoder would take byte order marks from the beginning of each read.
    const chunk = this.#begun ? read : read.replace(/^\uFEFF/, "");
    this.#begun ||= read !== "";
    let text = this.#afterCr && chunk.startsWith("\n") ? chunk.slice(1) : chunk;
    if (chunk !== "") this.#afterCr = chunk.endsWith("\r");
    if (text.includes("\r")) text = text.replace(/\r\n?/g, "\n");
    const events: string[] = [];
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      // Nearly every event is a line and a blank one, whole.
      const whole = this.#pieces.length + this.#data.length === 0 && text.charCodeAt(end + 1) === 10 &&
        text.startsWith("data: ", start);
      if (whole) events.push(text.slice(start + 6, end));
      else this.#endLine(text.slice(start, end), events);
      start = end + (whole ? 2 : 1);
    }
    if (start === text.length) return events;
    this.#pieces.push(text.slice(start));
    this.#pieceChars += text.length - start;
    if (this.#pieceChars > MAX_LINE_CHARS) throw new RangeError("Cannot read an event: its line is too long");
    return events;
  }

  #endLine(end: string, events: string[]): void {
    const line = this.#pieces.length > 0 ? this.#pieces.join("") + end : end;
    this.#pieces = [];
    this.#pieceChars = 0;
    if (line.startsWith("data:")) this.#data.push(line.charAt(5) === " " ? line.slice(6) : line.slice(5));
    else if (line === "" && this.#data.length > 0) events.push(this.#data.splice(0).join("\n"));
  }
}
