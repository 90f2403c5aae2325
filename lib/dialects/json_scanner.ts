type Expectation = "value" | "key" | "first_key" | "first_item" | "colon" | "comma" | "end";

const LITERAL = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;
const SCALAR_CHAR = /[\w.+-]/;
const SPACE = /[ \t\n\r]/;
const HEX = /[0-9a-fA-F]/;

/**
 * Reads JSON that arrives in pieces and says how far it is certain to be legal.
 *
 * Tool arguments may only be sent on while what has been sent is the beginning of some valid JSON
 * text; a trailing comma, half a literal and half an escape are not certain yet.
 */
export class JsonScanner {
  /** How many characters were read, up to and including the end of the value. */
  length = 0;
  /** How many of them may be sent on. */
  safe = 0;
  /** Whether the value is complete. */
  complete = false;
  /** Whether the text cannot be JSON any more; what is fed afterwards is only counted. */
  failed = false;
  /** Whether the value is an object that has at least one key. */
  filled = false;
  /** Brackets opened and not closed. */
  readonly #open: ("{" | "[")[] = [];
  #expect: Expectation = "value";
  /** The literal or number being read, whose end only the next character tells. */
  #scalar = "";
  #inString = false;
  /** Characters of an escape read so far, the backslash included. */
  #escape = "";

  /**
   * Takes the next piece.
   *
   * @returns What followed the end of the value in this piece; `""` while it goes on.
   */
  feed(piece: string): string {
    let i = 0;
    while (i < piece.length && !this.complete && !this.failed) {
      i += this.#inString ? this.#readString(piece, i) : this.#readToken(piece.charAt(i));
      if (!this.failed && this.#certain()) this.safe = this.length + i;
    }
    const end = this.complete ? i : piece.length;
    this.length += end;
    return piece.slice(end);
  }

  /**
   * What makes the text complete if it was only cut short: the first `keep` characters of it,
   * followed by `add`.
   */
  closing(): { keep: number; add: string } | undefined {
    const cut = this.failed || this.#escape !== "" || (this.#inString && this.#isKey()) ||
      (this.#scalar !== "" && !LITERAL.test(this.#scalar));
    const waits = this.#expect === "colon" || (this.#expect === "value" && !this.#afterComma());
    if (cut || (waits && !this.#inString && this.#scalar === "")) return undefined;
    const brackets = this.#open.map((bracket) => bracket === "{" ? "}" : "]").reverse().join("");
    return { keep: this.#afterComma() ? this.safe : this.length, add: (this.#inString ? '"' : "") + brackets };
  }

  #afterComma(): boolean {
    if (this.#inString || this.#scalar !== "") return false;
    return this.#expect === "key" || (this.#expect === "value" && this.#open.at(-1) === "[");
  }

  /** Whether any continuation that is wanted here keeps what has been read as it is. */
  #certain(): boolean {
    return this.#inString ? this.#escape === "" : this.#scalar === "" && !this.#afterComma();
  }

  #isKey(): boolean {
    return this.#expect === "key" || this.#expect === "first_key";
  }

  /** Reads on inside a string; gives how many characters were taken. */
  #readString(piece: string, from: number): number {
    const char = piece.charAt(from);
    if (this.#escape) {
      this.#escape += char;
      if (this.#escape.length === 2) {
        if (char !== "u" && !'"\\/bfnrt'.includes(char)) this.failed = true;
        if (char !== "u") this.#escape = "";
      } else if (!HEX.test(char)) this.failed = true;
      else if (this.#escape.length === 6) this.#escape = "";
      return 1;
    }
    let i = from;
    for (; i < piece.length; i++) {
      const code = piece.charCodeAt(i);
      if (code === 34 || code === 92 || code < 32) break;
    }
    if (i > from) return i - from;
    if (char === "\\") this.#escape = char;
    else if (char === '"') {
      this.#inString = false;
      this.#endValue(this.#isKey() ? "colon" : undefined);
    } else this.failed = true;
    return 1;
  }

  /** Reads one character outside strings; gives how many were taken, 0 to look at it again. */
  #readToken(char: string): number {
    if (this.#scalar) {
      if (SCALAR_CHAR.test(char)) {
        this.#scalar += char;
        return 1;
      }
      if (!LITERAL.test(this.#scalar)) this.failed = true;
      this.#scalar = "";
      this.#endValue();
      return 0;
    }
    if (SPACE.test(char)) return 1;
    const expect = this.#expect;
    const value = expect === "value" || expect === "first_item";
    if (value && SCALAR_CHAR.test(char)) this.#scalar = char;
    else if (char === '"' && (value || this.#isKey())) {
      this.#inString = true;
      if (this.#isKey() && this.#open.length === 1) this.filled = true;
    } else if (value && (char === "{" || char === "[")) {
      this.#open.push(char);
      this.#expect = char === "{" ? "first_key" : "first_item";
    } else if (char === ":" && expect === "colon") this.#expect = "value";
    else if (char === "," && expect === "comma") {
      this.#expect = this.#open.at(-1) === "{" ? "key" : "value";
    } else if (char === "}" && this.#mayClose("{", "first_key")) this.#close();
    else if (char === "]" && this.#mayClose("[", "first_item")) this.#close();
    else this.failed = true;
    return 1;
  }

  #mayClose(bracket: string, empty: Expectation): boolean {
    return this.#open.at(-1) === bracket && (this.#expect === "comma" || this.#expect === empty);
  }

  #close(): void {
    this.#open.pop();
    this.#endValue();
  }

  #endValue(next?: Expectation): void {
    this.#expect = next ?? (this.#open.length > 0 ? "comma" : "end");
    this.complete = this.#expect === "end";
  }
}
