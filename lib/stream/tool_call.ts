import { JsonScanner } from "../dialects/json_scanner.ts";

/** How often arguments may be wrapped in a further JSON string. */
const MAX_WRAPS = 3;

/** Arguments as an object: absent ones are `{}`, wrapped ones are taken out of their strings. */
function unwrap(text: string): string {
  let value = text.trim();
  try {
    for (let i = 0; i < MAX_WRAPS && value.startsWith('"'); i++) value = String(JSON.parse(value)).trim();
  } catch {
    return text;
  }
  return value === "" || value === "null" ? "{}" : value;
}

/** One tool call of an answer, put together from whatever pieces the host sends. */
export class ToolCall {
  /** The host's index; several calls may share one. */
  index: number | undefined;
  /** The host's id, which never reaches the client. */
  id: string | undefined;
  /** The name as the host wrote it. */
  name = "";
  #scanner = new JsonScanner();
  /** Everything fed, to recognise hosts that repeat the whole text each time. */
  #fed = "";
  /** The arguments from the first character that was not handed out. */
  #pending = "";
  /** How many characters of the arguments were handed out. */
  #taken = 0;

  /** Whether the arguments are a complete JSON value. */
  get complete(): boolean {
    return this.#scanner.complete;
  }

  /** Whether the arguments are complete and more than the `{}` some hosts send first. */
  get settled(): boolean {
    return this.complete && !this.#isPlaceholder();
  }

  /** Whether `piece` is all of the arguments so far over again, as snapshots and repetitions are. */
  repeats(piece: string): boolean {
    const { length } = this.#fed;
    return length > 1 && piece.length >= length && piece.startsWith(this.#fed);
  }

  /** Takes the next piece of the arguments; gives what follows their end: another call's arguments, or junk. */
  feed(piece: string): string {
    const snapshot = this.repeats(piece) && (this.complete || piece.length > this.#fed.length);
    const fresh = snapshot ? piece.slice(this.#fed.length) : piece;
    this.#fed += fresh;
    let rest = this.#scan(fresh);
    while (this.complete && this.#isPlaceholder() && rest.trim() !== "") {
      this.#scanner = new JsonScanner();
      this.#pending = "";
      rest = this.#scan(rest);
    }
    return rest;
  }

  /** What of the arguments may be sent on now and was not before. */
  take(): string {
    // Only objects are streamed: a string may be wrapped arguments, `{}` a placeholder.
    return this.#scanner.filled ? this.#takeUntil(this.#scanner.safe) : "";
  }

  /**
   * The rest of the arguments when nothing more will come. If the answer was `cut` short they stay as broken as they
   * are, so that the client does not run half a command.
   */
  finish(cut: boolean): string {
    const { filled, length } = this.#scanner;
    const { keep = length, add = "" } = cut ? {} : this.#scanner.closing() ?? {};
    const rest = this.#takeUntil(keep) + add;
    return filled ? rest : unwrap(rest);
  }

  #scan(piece: string): string {
    if (this.complete) return piece;
    const rest = this.#scanner.feed(piece);
    this.#pending += rest === "" ? piece : piece.slice(0, -rest.length);
    return rest;
  }

  #takeUntil(end: number): string {
    const piece = this.#pending.slice(0, end - this.#taken);
    this.#pending = this.#pending.slice(piece.length);
    this.#taken += piece.length;
    return piece;
  }

  #isPlaceholder(): boolean {
    return !this.#scanner.filled && /^\s*(?:\{\s*\}|null)\s*$/.test(this.#pending);
  }
}
