/** What may come next: a value, the first of an array, a key, the first of an object, and so on. */
type Expectation = "value" | "item" | "key" | "first key" | "colon" | "comma" | "end";

const LITERAL = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;
/** An escape, or the beginning of one. */
const ESCAPE = /^\\(?:["\\/bfnrt]|u[0-9a-fA-F]{0,4})?$/;
const SCALAR_CHAR = /[\w.+-]/;
/** The type of a value by its first character; whatever is not listed begins a number. */
const TYPE_BY_CHAR: Record<string, string> = {
  '"': "string",
  "{": "object",
  "[": "array",
  t: "boolean",
  f: "boolean",
  n: "null",
};

/**
 * Reads JSON that arrives in pieces and says how far it is certain to be what will be sent.
 *
 * Tool arguments may only be sent on while what has been sent is the beginning of the final text: a value that must
 * become another type is not certain, nor is one that is not a string and not complete, nor a comma before the next key.
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
  /** Where it failed, if it did. */
  failedAt = 0;
  /** Whether the value is an object that has at least one key. */
  filled = false;
  /** Whether a field has a value that cannot stay as it is. */
  blocked = false;
  readonly #accepts: (key: string, type: string) => boolean;
  /** What closes the brackets that are open, the innermost last. */
  readonly #closers: string[] = [];
  #expect: Expectation = "value";
  /** The literal or number being read, whose end only the next character tells. */
  #scalar = "";
  #inString = false;
  /** The escape being read. */
  #escape = "";
  /** The key of the field being read, as it is written between its quotes. */
  #key = "";

  /** @param accepts Tells whether a value of this type may stay as it is in this field of the object. */
  constructor(accepts: (key: string, type: string) => boolean = () => true) {
    this.#accepts = accepts;
  }

  /** Takes the next piece; gives what followed the end of the value in it, `""` while the value goes on. */
  feed(piece: string): string {
    let i = 0;
    while (i < piece.length && !this.complete && !this.failed) {
      const position = this.length + i;
      this.failedAt = position;
      i += this.#inString ? this.#readString(piece, i) : this.#readToken(piece.charAt(i), position);
      const inText = this.#inString && this.#closers.length === 1 && !this.#isKey() && this.#escape === "";
      if ((inText || this.complete) && !this.blocked && !this.failed) this.safe = this.length + i;
    }
    const end = this.complete ? i : piece.length;
    this.length += end;
    return piece.slice(end);
  }

  /** Whether the text ends inside a string: then it was cut, whatever anybody says. */
  get inString(): boolean {
    return this.#inString && !this.failed;
  }

  #isKey(): boolean {
    return this.#expect === "key" || this.#expect === "first key";
  }

  /** Reads on inside a string; gives how many characters were taken. */
  #readString(piece: string, from: number): number {
    const char = piece.charAt(from);
    if (this.#escape !== "") {
      this.#escape += char;
      this.failed = !ESCAPE.test(this.#escape);
      if (this.#escape.length === (this.#escape.startsWith("\\u") ? 6 : 2)) this.#escape = "";
      return 1;
    }
    let i = from;
    for (let code = piece.charCodeAt(i); code >= 32 && code !== 34 && code !== 92; code = piece.charCodeAt(i)) i++;
    if (i > from) {
      if (this.#isKey() && this.#closers.length === 1) this.#key += piece.slice(from, i);
      return i - from;
    }
    if (char === "\\") this.#escape = char;
    else if (char !== '"') this.failed = true;
    else {
      this.#inString = false;
      this.#endValue(this.#isKey() ? "colon" : undefined);
    }
    return 1;
  }

  /** Reads one character outside strings; gives how many were taken, 0 to look at it again. */
  #readToken(char: string, position: number): number {
    if (this.#scalar !== "" && !SCALAR_CHAR.test(char)) {
      this.failed = !LITERAL.test(this.#scalar);
      this.#scalar = "";
      this.#endValue();
      return 0;
    }
    const value = this.#expect === "value" || this.#expect === "item";
    if (value && this.#scalar === "" && this.#closers.length === 1 && !" \t\n\r".includes(char)) {
      this.blocked ||= !this.#accepts(this.#key, TYPE_BY_CHAR[char] ?? "number");
    }
    // What follows shows that the value before was whole: a quote in it may also have been forgotten to be escaped.
    const fieldEnds = this.#closers.length === 1 && this.#expect === "comma" && (char === "," || char === "}");
    if (fieldEnds && !this.blocked) this.safe = position;
    if (this.#scalar !== "" || (value && SCALAR_CHAR.test(char))) this.#scalar += char;
    else if (char === '"' && (value || this.#isKey())) {
      this.#inString = true;
      this.filled ||= !value && this.#closers[0] === "}";
      if (!value && this.#closers.length === 1) this.#key = "";
    } else if (value && (char === "{" || char === "[")) {
      this.#closers.push(char === "{" ? "}" : "]");
      this.#expect = char === "{" ? "first key" : "item";
    } else if (char === ":" && this.#expect === "colon") this.#expect = "value";
    else if (char === "," && this.#expect === "comma") this.#expect = this.#closers.at(-1) === "}" ? "key" : "value";
    else if (char === this.#closers.at(-1) && ["comma", "item", "first key"].includes(this.#expect)) {
      this.#closers.pop();
      this.#endValue();
    } else if (!" \t\n\r".includes(char)) this.failed = true;
    return 1;
  }

  #endValue(next: Expectation = this.#closers.length > 0 ? "comma" : "end"): void {
    this.#expect = next;
    this.complete = next === "end";
  }
}
