/** How deep values may be nested before they are taken for nonsense. */
const MAX_DEPTH = 200;

const ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f", "\n": "" };
/** Digits of the escapes that name a character: JSON's `\u`, Python's `\x` and `\U`. */
export const CODE_LENGTHS: Record<string, number> = { u: 4, x: 2, U: 8 };
const CLOSING_QUOTES: Record<string, string> = { '"': '"', "'": "'", "“": "”", "‘": "’", "`": "`" };
const WORDS: Record<string, unknown> = {
  true: true,
  false: false,
  null: null,
  True: true,
  False: false,
  None: null,
  undefined: null,
  nan: null,
  NaN: null,
  inf: null,
  Infinity: null,
};

/** What {@linkcode parseTolerant} made of a text. */
export interface Tolerated {
  value: unknown;
  /** Whether the text ended before the value did. */
  cut: boolean;
  /** Whether more than brackets is missing: a string or a number may be as long as it got, a field have no value. */
  torn: boolean;
  /** How much of the text was read. */
  length: number;
}

class TolerantParser {
  readonly #text: string;
  /** Where the last comment can end; looking for the end of each that has none would be quadratic. */
  readonly #lastEnd: number;
  /** How much was read; one more at the end. */
  at = 0;
  cut = false;
  torn = false;

  constructor(text: string) {
    this.#text = text;
    this.#lastEnd = text.lastIndexOf("*/");
  }

  value(depth: number): unknown {
    if (depth > MAX_DEPTH) throw new SyntaxError("Cannot read values nested that deep");
    this.#skip();
    const char = this.#text.charAt(this.at);
    if (char === "") return this.#end(null);
    if (char === "{") return this.#object(depth);
    if (char === "[" || char === "(") return this.#list(depth);
    return this.#startsString() ? this.#strings() : this.#word();
  }

  #end<T>(value: T): T {
    [this.cut, this.torn] = [true, true];
    return value;
  }

  /** Notes that a closing bracket is missing; before it, a whole value must stand. */
  #open(): void {
    this.cut = true;
    this.torn ||= /[,:{[(]/.test(this.#text.trimEnd().slice(-1));
  }

  /** White space and comments. */
  #skip(): void {
    const blank = this.at + 2 <= this.#lastEnd ? /(?:\s|\/\/[^\n]*|\/\*[^]*?\*\/)+/y : /(?:\s|\/\/[^\n]*)+/y;
    blank.lastIndex = this.at;
    if (blank.test(this.#text)) this.at = blank.lastIndex;
  }

  #object(depth: number): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    this.#items("}", () => {
      const key = this.#startsString() ? this.#strings() : this.#bare(/[^:=,{}\s]/);
      this.#skip();
      const char = this.#text.charAt(this.at);
      if (char === "") return this.#end(undefined);
      if (char !== ":" && char !== "=") throw new SyntaxError("Cannot read a key: no colon");
      this.at++;
      entries.push([key, this.value(depth + 1)]);
    });
    return Object.fromEntries(entries);
  }

  #list(depth: number): unknown[] {
    const list: unknown[] = [];
    this.#items("])", () => void list.push(this.value(depth + 1)));
    return list;
  }

  /** Reads what stands between brackets; commas may be missing, or too many. */
  #items(closers: string, readItem: () => void): void {
    for (this.at++;;) {
      this.#skip();
      const char = this.#text.charAt(this.at);
      if (char === "") return this.#open();
      if (char !== "," && !closers.includes(char)) {
        readItem();
        continue;
      }
      this.at++;
      if (char !== ",") return;
    }
  }

  #startsString(): boolean {
    return /^[bru]?["'“‘`]/.test(this.#text.slice(this.at, this.at + 2));
  }

  /** A string, or several that Python would put together. */
  #strings(): string {
    let text = "";
    do {
      if (!(this.#text.charAt(this.at) in CLOSING_QUOTES)) this.at++;
      text += this.#string();
      this.#skip();
    } while (this.#startsString());
    return text;
  }

  #string(): string {
    const close = CLOSING_QUOTES[this.#text.charAt(this.at++)] ?? '"';
    let text = "";
    for (;;) {
      const char = this.#text.charAt(this.at++);
      if (char === "") return this.#end(text);
      if (char === "\\") text += this.#escape();
      else if (char !== close) text += char;
      // Models forget to escape quotes: one that nothing legal follows belongs to the text.
      else if (/^\s*(?:[,}\]):]|$|\/[/*]|[bru]?["'“])/.test(this.#text.slice(this.at, this.at + 40))) return text;
      else text += char;
    }
  }

  #escape(): string {
    const char = this.#text.charAt(this.at++);
    const length = CODE_LENGTHS[char] ?? 0;
    const digits = this.#text.slice(this.at, this.at + length);
    if (digits.length === length && /^[\da-fA-F]+$/.test(digits)) {
      this.at += length;
      const code = parseInt(digits, 16);
      return code > 0x10ffff ? "\uFFFD" : String.fromCodePoint(code);
    }
    if (char in ESCAPES) return ESCAPES[char] ?? "";
    // A backslash before anything else was meant: Windows paths, regular expressions.
    return "\"'\\/`".includes(char) ? char : `\\${char}`;
  }

  /** What stands there without quotes. */
  #bare(char: RegExp): string {
    const from = this.at;
    while (this.at < this.#text.length && char.test(this.#text.charAt(this.at))) this.at++;
    const word = this.#text.slice(from, this.at).trim();
    if (word === "") throw new SyntaxError("Cannot read a value: none there");
    return word;
  }

  #word(): unknown {
    const word = this.#bare(/[^,{}\])\n]/);
    const known = Object.hasOwn(WORDS, word);
    if (this.at >= this.#text.length) [this.cut, this.torn] = [true, this.torn || !known];
    if (known) return WORDS[word];
    return /^[+-]?(?:\d|\.\d)[\d._]*(?:[eE][+-]?\d+)?$/.test(word) ? Number(word.replaceAll("_", "")) : word;
  }
}

/**
 * Parses JSON as models write it when they do not write JSON: single quotes, keys without quotes, Python's words,
 * strings and tuples, comments, trailing commas, raw line breaks, invalid escapes, a code fence around, an end missing,
 * junk behind.
 *
 * @returns Nothing when it cannot be made sense of.
 */
export function parseTolerant(text: string): Tolerated | undefined {
  const fence = /^\s*```\w*\s/.exec(text)?.[0].length ?? 0;
  const parser = new TolerantParser(text.slice(fence));
  try {
    const value = parser.value(0);
    return { value, cut: parser.cut, torn: parser.torn, length: Math.min(text.length, fence + parser.at) };
  } catch {
    return undefined;
  }
}
