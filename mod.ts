/**
 * Arbiter lets Claude Code work with NVIDIA's free hosted models, or any other host that speaks
 * OpenAI's chat completions: it translates both ways while streaming.
 *
 * As a program: `deno run -A mod.ts code`. As a library:
 *
 * @example
 * ```ts
 * import { createArbiter } from "jsr:@arbiter/proxy";
 *
 * const arbiter = createArbiter({ apiKey: "nvapi-…" });
 * const response = await arbiter.fetch(new Request("http://localhost/health"));
 * ```
 *
 * @module
 */

// Written by scripts/amalgamate.ts from lib/: edit there, not here.

import type { ChildProcess } from "node:child_process";
import type { EventEmitter } from "node:events";
import type { Agent, IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex, Readable, Writable } from "node:stream";

// lib/wire/anthropic.ts ---------------------------------------------------------------------
/** A JSON object whose fields nobody has checked yet. */
export type JsonObject = Record<string, unknown>;

/** A block of a request's content; a type not in this list is possible and must be tolerated. */
export type ContentBlockParam =
  | { type: "text"; text: string }
  | { type: "image"; source: JsonObject }
  | { type: "document"; source: JsonObject; title?: string | null; context?: string | null }
  | { type: "thinking"; thinking: string; signature?: string }
  | { type: "tool_use"; id: string; name: string; input: JsonObject }
  | ToolResultParam
  | { type: "tool_reference"; tool_name: string };

/** What thinking of other models is signed with: some clients drop a block that has no signature. */
const UNSIGNED = "unsigned";

/** The content of a message: plain text or blocks. */
export type MessageContent = string | ContentBlockParam[];

/** What a tool gave back; blocks may be text, image, document or tool_reference. */
export type ToolResultParam = {
  type: "tool_result";
  tool_use_id: string;
  content?: MessageContent;
  is_error?: boolean;
};

/** One entry of `messages`; Claude Code also sends `system` in the middle of a conversation. */
export type MessageParam = { role: "user" | "assistant" | "system"; content: MessageContent };

/** A tool of the client; Anthropic's own server tools have no `input_schema`. */
export type ToolParam = { name: string; description?: string; input_schema?: JsonObject; type?: string | null };

/** How the model may use tools. */
export type ToolChoice = { type: "auto" | "any" | "tool" | "none"; name?: string; disable_parallel_tool_use?: boolean };

/** The body of `POST /v1/messages`, with the fields this proxy reads; `output_format` is the older place. */
export type MessagesRequest = {
  model: string;
  messages: MessageParam[];
  max_tokens: number;
  system?: MessageContent;
  stream?: boolean;
  tools?: ToolParam[];
  tool_choice?: ToolChoice;
  stop_sequences?: string[];
  temperature?: number;
  top_p?: number;
  top_k?: number;
  thinking?: { type: string; budget_tokens?: number };
  output_config?: { effort?: string; format?: { type: string; schema?: JsonObject } };
  output_format?: { type: string; schema?: JsonObject };
};

/** Token counts of a message, in Anthropic's terms: `input_tokens` excludes what was cached. */
export type Usage = {
  input_tokens: number;
  output_tokens: number;
  cache_read_input_tokens: number;
  cache_creation_input_tokens: number;
};

/** Why a message ended. */
export type StopReason = "end_turn" | "max_tokens" | "stop_sequence" | "tool_use";

/** A block of an answer. */
export type ContentBlock =
  | { type: "text"; text: string }
  | { type: "thinking"; thinking: string; signature: string }
  | { type: "tool_use"; id: string; name: string; input: JsonObject };

/** An answer, whole. */
export type Message = {
  id: string;
  type: "message";
  role: "assistant";
  model: string;
  content: ContentBlock[];
  stop_reason: StopReason | null;
  stop_sequence: string | null;
  usage: Usage;
};

/** What a `content_block_delta` appends. */
export type BlockDelta =
  | { type: "text_delta"; text: string }
  | { type: "thinking_delta"; thinking: string }
  | { type: "signature_delta"; signature: string }
  | { type: "input_json_delta"; partial_json: string };

/** What a `message_delta` changes. */
export type MessageDelta = { stop_reason: StopReason | null; stop_sequence: string | null };

/** One event of a streamed answer. */
export type MessageStreamEvent =
  | { type: "message_start"; message: Message }
  | { type: "content_block_start"; index: number; content_block: ContentBlock }
  | { type: "content_block_delta"; index: number; delta: BlockDelta }
  | { type: "content_block_stop"; index: number }
  | { type: "message_delta"; delta: MessageDelta; usage: Partial<Usage> }
  | { type: "message_stop" }
  | { type: "ping" };

/** An event of an earlier tool, which clients pass over: a request has come into a lane, so many milliseconds old. */
export type VisualizationEvent = {
  type: "ncp_visualization";
  request_id: string;
  at: number;
  lane: string;
  model?: string;
  left?: string;
  why?: string | undefined;
};
// lib/wire/json.ts --------------------------------------------------------------------------
/** Whether `value` is a JSON object, as opposed to an array or a bare value. */
function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Nobody nests deeper who means well; every function that goes into such a value would run out of stack. */
const MAX_NESTING = 500;

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  if (Array.isArray(value)) return value.some((inner) => isDeeper(inner, levels - 1));
  // A list of the values would cost more than looking at them.
  for (const name in value) if (isDeeper((value as JsonObject)[name], levels - 1)) return true;
  return false;
}

/** Parses JSON that others wrote; nothing if it is none, or nested more than 500 deep. */
function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    // A level takes two characters, so that most texts need not be looked at.
    return text.length > 2 * MAX_NESTING && isDeeper(value, MAX_NESTING) ? undefined : value;
  } catch {
    return undefined;
  }
}

/** Whether two values are the same JSON, with their keys in the same order. */
function isSameJson(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/** The same value with the keys of its objects in order, so that equal values become equal text. */
function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sortKeys(value[key])]));
}

/** Whether all texts in a value have both halves of each character that takes two. */
function isWellFormed(value: unknown): boolean {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) return value.every(isWellFormed);
  for (const name in value) if (!name.isWellFormed() || !isWellFormed((value as JsonObject)[name])) return false;
  return true;
}

/** Writes JSON for others; half of a character that takes two, which strict parsers refuse, becomes U+FFFD. */
function toJsonText(value: unknown): string {
  const json = JSON.stringify(value);
  // V8 takes longer to look through the text for what is escaped there than to write it.
  if (isWellFormed(value)) return json;
  return json.replace(/\\(?:ud[89a-f]..|[^])/g, (escape) => escape.length > 2 ? "\\ufffd" : escape);
}
// lib/dialects/json_scanner.ts --------------------------------------------------------------
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
class JsonScanner {
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
// lib/dialects/tolerant_json.ts -------------------------------------------------------------
/** How deep values may be nested before they are taken for nonsense. */
const MAX_DEPTH = 200;

const ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f", "\n": "" };
/** Digits of the escapes that name a character: JSON's `\u`, Python's `\x` and `\U`. */
const CODE_LENGTHS: Record<string, number> = { u: 4, x: 2, U: 8 };
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
interface Tolerated {
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
function parseTolerant(text: string): Tolerated | undefined {
  const fence = /^\s*```\w*\s/.exec(text)?.[0].length ?? 0;
  const parser = new TolerantParser(text.slice(fence));
  try {
    const value = parser.value(0);
    return { value, cut: parser.cut, torn: parser.torn, length: Math.min(text.length, fence + parser.at) };
  } catch {
    return undefined;
  }
}
// lib/dialects/reader.ts --------------------------------------------------------------------
/**
 * A grammar waiting for more text, when it gives nothing, or handing over what it has understood so far: a piece, text
 * that is whatever text is at the moment, or calls.
 */
type Reading<T> = Generator<Piece | string | WrittenCall[] | undefined, T>;

/** A piece of an answer, told apart. */
export type Piece = { kind: "text" | "thinking"; text: string };

/**
 * A value of an XML dialect, before the schema says what it is. `json` when the dialect itself says that it is JSON, or
 * that it is where the schema does not say anything.
 */
type Field = [key: string, value: string, json?: boolean | "undeclared"];

/** A call as a model wrote it: its arguments are JSON text or fields. */
type WrittenCall = {
  name: string;
  arguments: string | Field[];
  /** Whether its end is missing: it must not run if the answer was cut short. */
  cut?: boolean;
  /** Whether the end of a value is missing: it must not run at all. */
  torn?: boolean | undefined;
};

/** What finds the first of `markers`; of two that begin alike, the one that is listed first. */
function toPattern(markers: readonly string[]): RegExp {
  return new RegExp(markers.map((marker) => marker.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|"), "g");
}

const BRACKET = /["'{}[\]()\\]/g;
/** How far prose may look like the tag or the JSON of a call before it is let go. */
const MAX_TAG = 200;
/** How far beyond the end of a value may stand what shows that it was none. */
const LOOK_AHEAD = 1000;
/** How far {@linkcode parseTolerant} looks ahead. */
const PARSER_AHEAD = 50;

/** The longest end of `text` that may be the beginning of one of `markers`, which must not be sent on yet. */
function toHeldLength(text: string, markers: readonly string[]): number {
  const longest = markers.reduce((length, marker) => Math.max(length, marker.length), 0);
  for (let from = Math.max(0, text.length - longest + 1); from < text.length; from++) {
    const end = text.slice(from);
    if (markers.some((marker) => marker.length > end.length && marker.startsWith(end))) return end.length;
  }
  return 0;
}

/**
 * Text that arrives in pieces, for grammars written as generators: a grammar reads as if all were there, and is
 * suspended where it is not.
 *
 * Everything read is kept until {@linkcode commit}, so that what turns out to be no call can be given back as text.
 * Each character is looked at a fixed number of times, however it arrives.
 */
class Reader {
  /** The text at hand, and how much of it was read. */
  #window = "";
  #at = 0;
  #read: string[] = [];
  /** How much has been read, what was read again included. */
  total = 0;
  /** Whether no more will come. */
  ended = false;

  /** Whether all has been read. */
  get done(): boolean {
    return this.ended && this.#at === this.#window.length;
  }

  /** Adds text at the end. */
  push(text: string): void {
    // A sum with nothing is not free: some engines copy the long text when they look at it.
    const rest = this.#rest();
    this.#window = rest === "" ? text : rest + text;
    this.#at = 0;
  }

  /** Gives what was read since the last commit, and forgets it: it has been understood. */
  commit(): string {
    const text = this.#read.join("");
    this.#read = [];
    return text;
  }

  /** Gives all text since the last commit, read or not, and starts anew. */
  reset(): string {
    const [read, rest] = [this.commit(), this.#rest()];
    [this.#window, this.#at] = ["", 0];
    return read === "" ? rest : read + rest;
  }

  /** Reads one of `literals` if the text goes on with it, the longest that does. */
  *take(...literals: string[]): Reading<string | undefined> {
    const found = yield* this.peek(...literals);
    if (found !== undefined) this.#consume(found.length);
    return found;
  }

  /** Tells which of `literals` the text goes on with, without reading it. */
  *peek(...literals: string[]): Reading<string | undefined> {
    for (;;) {
      const whole = literals.filter((literal) => this.#window.startsWith(literal, this.#at));
      const left = this.#window.length - this.#at;
      const open = literals.some((literal) => literal.length > left && literal.startsWith(this.#rest()));
      if (!open || this.ended) return whole.sort((a, b) => b.length - a.length)[0];
      yield;
    }
  }

  /** Reads up to the first of `markers`, which stays unread, or to the end, or `limit` characters. */
  *until(markers: readonly string[], limit = Infinity): Reading<string> {
    const pieces: string[] = [];
    const pattern = toPattern(markers);
    for (let left = limit;;) {
      const [length, found] = this.#find(pattern, markers);
      const piece = this.#consume(Math.min(length, left));
      pieces.push(piece);
      left -= piece.length;
      if (found || this.ended || left === 0) return pieces.join("");
      yield;
    }
  }

  /** Reads like {@linkcode until}, handing the text over as it comes instead of giving it at the end. */
  *pass(kind: Piece["kind"], ...markers: string[]): Reading<void> {
    const pattern = toPattern(markers);
    for (;;) {
      const [length, found] = this.#find(pattern, markers);
      const text = this.#consume(length);
      if (text !== "") yield { kind, text };
      if (found || this.ended) return;
      yield;
    }
  }

  /**
   * Reads a value and its end, past what only looks like the end: each of `ends` counts where one of its followers
   * follows, or nothing, unless soon after it `close` comes before any of `opens`: then it was quoted.
   *
   * @returns The value, and which end it has; none if the text ended before.
   */
  *value(
    ends: Readonly<Record<string, readonly string[]>>,
    close: string,
    opens: readonly string[],
  ): Reading<[value: string, end?: string]> {
    const markers = Object.keys(ends);
    let value = "";
    for (;;) {
      value += yield* this.until(markers);
      const end = yield* this.take(...markers);
      if (end === undefined) return [value];
      const space = yield* this.space();
      const follows = this.done || (yield* this.peek(...ends[end] ?? [])) !== undefined;
      if (follows && (opens.includes(end.trim()) || (yield* this.#first([close, ...opens])) !== close)) {
        return [value, end];
      }
      value += end + space;
    }
  }

  /** Tells which of `markers` comes first in what follows. */
  *#first(markers: readonly string[]): Reading<string | undefined> {
    const pattern = toPattern(markers);
    for (;;) {
      const ahead = this.#window.slice(this.#at, this.#at + LOOK_AHEAD);
      const found = pattern.exec(ahead)?.[0];
      if (found !== undefined || this.ended || ahead.length === LOOK_AHEAD) return found;
      yield;
    }
  }

  /** Reads characters that match, such as a name, as far as `limit`. */
  *while(char: RegExp, limit = Infinity): Reading<string> {
    let text = "";
    for (;;) {
      const most = this.#at + limit - text.length;
      let end = this.#at;
      while (end < this.#window.length && end < most && char.test(this.#window.charAt(end))) end++;
      const open = end === this.#window.length && end < most;
      text += this.#consume(end - this.#at);
      if (!open || this.ended) return text;
      yield;
    }
  }

  /** Reads the rest of a tag, `>` and all; nothing when it does not end soon. */
  *tag(): Reading<string | undefined> {
    const tag = yield* this.while(/[^>\n]/, MAX_TAG);
    return (yield* this.take(">")) === undefined ? undefined : tag;
  }

  /** Reads one character; none at the end. */
  *next(): Reading<string> {
    while (this.#at === this.#window.length && !this.ended) yield;
    return this.#consume(1);
  }

  /** Reads up to the bracket that closes what is open, past all brackets and strings between. */
  *untilClosed(close: string): Reading<string> {
    let [depth, quote] = [0, ""];
    const pieces: string[] = [];
    for (;;) {
      BRACKET.lastIndex = this.#at;
      const end = BRACKET.exec(this.#window)?.index ?? this.#window.length;
      pieces.push(this.#consume(end - this.#at));
      const char = this.#window.charAt(end);
      if (this.done || (char === close && depth === 0 && quote === "")) return pieces.join("");
      if (char === "") {
        yield;
        continue;
      }
      pieces.push(this.#consume(1));
      if (char === "\\") pieces.push(yield* this.next());
      else if (quote !== "") quote = char === quote ? "" : quote;
      else if (char === '"' || char === "'") quote = char;
      else depth += "{[(".includes(char) ? 1 : -1;
    }
  }

  /** Reads what the name of a tool may consist of. */
  name(): Reading<string> {
    return this.while(/[\w.:-]/);
  }

  /** Reads white space. */
  space(): Reading<string> {
    return this.while(/\s/);
  }

  /** Reads like {@linkcode take}, with the white space around, which is read also where there is nothing else. */
  *token(...literals: string[]): Reading<string | undefined> {
    yield* this.space();
    const found = yield* this.take(...literals);
    yield* this.space();
    return found;
  }

  /**
   * Reads a JSON value. What is broken is read as far as it can be made sense of, or up to one of `markers`; prose is
   * seen for what it is after some {@linkcode MAX_TAG} characters.
   */
  *json(...markers: string[]): Reading<string> {
    const scanner = new JsonScanner();
    let text = "";
    for (;;) {
      const window = this.#rest();
      const rest = scanner.feed(window);
      text += this.#consume(window.length - rest.length);
      if (scanner.failed) break;
      if (scanner.complete) return text;
      // An object that has not even begun is cut, not empty.
      if (this.ended) return text.trim() === "" ? "{" : text;
      yield;
    }
    this.unread(text.slice(scanner.failedAt));
    text = text.slice(0, scanner.failedAt);
    for (let size = MAX_TAG;; size *= 2) {
      if (size <= text.length) continue;
      text += yield* this.until(markers, size - text.length);
      const ended = text.length < size;
      const { value, cut = true, torn, length = text.length } = parseTolerant(text) ?? {};
      if (!cut && (ended || length + PARSER_AHEAD < size)) {
        this.unread(text.slice(length));
        return text.slice(0, length);
      }
      // A line break shows that a number before a marker is whole.
      if (ended) return this.done ? text : `${text}\n`;
      if (torn === undefined || !isJsonObject(Array.isArray(value) ? value[0] ?? {} : value)) return text;
    }
  }

  /** Gives back the end of what was read. */
  unread(text: string): void {
    if (text === "") return;
    this.total -= text.length;
    this.#read = [this.#read.join("").slice(0, -text.length)];
    this.#window = text + this.#rest();
    this.#at = 0;
  }

  /** How far the first of `markers` is away, if it is there; else how much of the text is before any. */
  #find(pattern: RegExp, markers: readonly string[]): [length: number, found: boolean] {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#window);
    if (found) return [found.index - this.#at, true];
    const rest = this.#rest();
    return [rest.length - (this.ended ? 0 : toHeldLength(rest, markers)), false];
  }

  #rest(): string {
    return this.#window.slice(this.#at);
  }

  #consume(length: number): string {
    const text = this.#window.slice(this.#at, this.#at + length);
    this.#at += text.length;
    this.total += text.length;
    if (text !== "") this.#read.push(text);
    return text;
  }
}
// lib/dialects/grammar.ts -------------------------------------------------------------------
/** The tools a client declared, under the names they have upstream. */
export type DeclaredTools = ReadonlyMap<string, { name: string; input_schema?: JsonObject }>;

/**
 * Reads one thing a model has written in its own tokens, from the marker on that announces it.
 *
 * Hands over calls as it has read them, and gives the last ones at the end; calls that are handed over together count
 * together. Gives nothing when it is something else: then it becomes text, exactly as it was written. A grammar should
 * see that it is something else as early as it can, because text waits for it.
 */
type Grammar = (reader: Reader, tools: DeclaredTools) => Reading<WrittenCall[] | undefined>;

/** What a marker in an answer leads to; one that leads nowhere is a token that means nothing to people. */
type Trigger = {
  marker: string;
  /** Reads on from the marker. */
  grammar?: Grammar;
  /** Thinking begins or ends here. */
  mode?: "text" | "thinking";
  /** Whether it counts only where an answer begins. */
  start?: boolean;
  /** Whether the turn ends with it. */
  end?: boolean;
};

/** Tokens that are removed wherever they turn up. */
function toStrays(markers: string): Trigger[] {
  return markers.split(" ").map((marker) => ({ marker }));
}

/**
 * Thinking between tags in the text, as hosts without a reasoning parser leave it.
 *
 * The opening tag counts only where an answer begins: later it is something the model writes about. A closing tag
 * without a partner, which templates that open thinking themselves leave behind, counts where a line begins or ends.
 */
function thinkTags(...tags: string[]): Trigger[] {
  return tags.flatMap((tag): Trigger[] => [
    { marker: `<${tag}>`, mode: "thinking", start: true },
    { marker: `</${tag}>`, mode: "text" },
  ]);
}
// lib/dialects/triggers.ts ------------------------------------------------------------------
/** The triggers of a family, ready to be looked for. */
class TriggerTable {
  readonly #byMarker: ReadonlyMap<string, Trigger>;
  /** The longest first, so that of two markers that begin alike the longer one is found. */
  readonly #markers: readonly string[];
  readonly #pattern: RegExp;
  /** What a marker can begin with; an end of text without it needs no closer look. */
  readonly #firsts: RegExp;

  constructor(triggers: readonly Trigger[]) {
    this.#byMarker = new Map(triggers.map((trigger) => [trigger.marker, trigger]));
    this.#markers = [...this.#byMarker.keys()].sort((a, b) => b.length - a.length);
    this.#pattern = toPattern(this.#markers);
    this.#firsts = toPattern([...new Set(this.#markers.map((marker) => marker.charAt(0)))]);
  }

  /** The first trigger that `accepts` lets pass, and where it is. */
  find(text: string, accepts: (trigger: Trigger, at: number) => boolean): [Trigger, number] | undefined {
    if (text.search(this.#firsts) < 0) return undefined;
    this.#pattern.lastIndex = 0;
    for (let found = this.#pattern.exec(text); found; found = this.#pattern.exec(text)) {
      const trigger = this.#byMarker.get(found[0]);
      if (trigger && accepts(trigger, found.index)) return [trigger, found.index];
      this.#pattern.lastIndex = found.index + 1;
    }
    return undefined;
  }

  /** How much of the end of `text` may be the beginning of a marker. */
  toHeld(text: string): number {
    const longest = this.#markers[0]?.length ?? 1;
    const end = text.slice(Math.max(0, text.length - longest + 1));
    return end.search(this.#firsts) < 0 ? 0 : toHeldLength(end, this.#markers);
  }
}
// lib/dialects/invoke_xml.ts ----------------------------------------------------------------
/** Reads an attribute of a tag, in quotes or not. */
function toAttribute(tag: string, name: string): string | undefined {
  const found = new RegExp(`\\b${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s>]+))`).exec(tag);
  return found?.[1] ?? found?.[2] ?? found?.[3];
}

/**
 * Calls as `invoke` elements in a wrapper: MiniMax M2, DeepSeek's DSML and Meta's ATEM, which differ in what stands
 * before the names of the tags.
 *
 * An attribute `string="false"` says that a value is JSON. An `invoke` may hold a JSON object instead of parameters, or
 * its name and arguments as children. A value ends where something follows that may; markup in it belongs to it.
 *
 * @param prefixes What may stand before the names of the tags; models mix them.
 * @param others What else may be the tag around the calls.
 */
function invokeXml(prefixes: readonly string[], ...others: string[]): Grammar {
  const tags = (...names: string[]) => prefixes.flatMap((prefix) => names.map((name) => `<${prefix}${name}`));
  const ends = (...names: string[]) => prefixes.flatMap((prefix) => names.map((name) => `</${prefix}${name}>`));
  const wrappers = [...tags("function_calls>", "tool_calls>"), ...others];
  const closers = wrappers.map((tag) => tag.replace("<", "</"));
  const valueEnds = Object.fromEntries([
    ...ends("parameter").map((end) => [end, [...tags("parameter"), ...ends("invoke"), ...closers]]),
    ...ends("invoke").map((end) => [end, [...tags("invoke"), ...closers]]),
  ]);
  const opens = [...tags("parameter", "invoke"), ...wrappers];
  return function* (reader) {
    yield* reader.take(...wrappers);
    for (let some = false;; some = true) {
      yield* reader.space();
      if ((yield* reader.take(...closers)) !== undefined) return [];
      if ((yield* reader.take(...tags("invoke"))) === undefined) return some ? [] : undefined;
      const head = yield* reader.tag();
      if (head === undefined) return undefined;
      let name = toAttribute(head, "name");
      const fields: Field[] = [];
      let [json, end]: (string | undefined)[] = [];
      let torn = false;
      while (end === undefined || end.endsWith("parameter>")) {
        yield* reader.space();
        if ((yield* reader.peek("{")) !== undefined) json = yield* reader.json(...ends("invoke"));
        yield* reader.space();
        const tag = yield* reader.take(...tags("parameter"), "<name>", "<tool_name>", "<arguments>", "<parameters>");
        if (tag === undefined) break;
        if (tag === "<name>" || tag === "<tool_name>") name = yield* reader.while(/[^<]/, MAX_TAG);
        else if (tag.endsWith(">")) json = yield* reader.json("</");
        else {
          const attributes = yield* reader.tag();
          if (attributes === undefined) return undefined;
          const [value, valueEnd] = yield* reader.value(valueEnds, `${tag.replace("<", "</")}>`, opens);
          const key = toAttribute(attributes, "name");
          if (key !== undefined) fields.push([key, value, toAttribute(attributes, "string") === "false"]);
          [end, torn] = [valueEnd, valueEnd === undefined];
          continue;
        }
        yield* reader.token(tag.replace("<", "</"));
      }
      const closed = end?.endsWith("invoke>") || (yield* reader.take(...ends("invoke"))) !== undefined;
      yield* reader.space();
      const last = yield* reader.take(...closers);
      if (name === undefined) return undefined;
      const cut = !closed && last === undefined;
      torn ||= cut && json === undefined && fields.length === 0;
      yield [{ name, arguments: json ?? fields, cut, torn }];
      if (last !== undefined) return [];
    }
  };
}
// lib/dialects/deepseek.ts ------------------------------------------------------------------
const DEEPSEEK_CALLS_BEGIN = "<｜tool▁calls▁begin｜>";
const DEEPSEEK_CALLS_END = "<｜tool▁calls▁end｜>";
const DEEPSEEK_BEGIN = "<｜tool▁call▁begin｜>";
const DEEPSEEK_SEPARATOR = "<｜tool▁sep｜>";
const DEEPSEEK_END = "<｜tool▁call▁end｜>";

/**
 * DeepSeek's calls: V3.1 writes `NAME<｜tool▁sep｜>{…}`, R1 and V3 `function<｜tool▁sep｜>NAME` with the arguments in a
 * fence of code.
 */
const deepseekCalls: Grammar = function* (reader) {
  yield* reader.token(DEEPSEEK_CALLS_BEGIN);
  if ((yield* reader.peek(DEEPSEEK_BEGIN)) === undefined) return undefined;
  while ((yield* reader.token(DEEPSEEK_BEGIN)) !== undefined) {
    let name = yield* reader.name();
    if ((yield* reader.token(DEEPSEEK_SEPARATOR)) === undefined) return undefined;
    if (name === "function") {
      name = yield* reader.name();
      yield* reader.token("```json", "```");
    }
    const call = { name, arguments: yield* reader.json(DEEPSEEK_END, "\n```", DEEPSEEK_CALLS_END) };
    yield* reader.token("```");
    yield* reader.token(DEEPSEEK_END);
    const closed = yield* reader.take(DEEPSEEK_CALLS_END);
    yield [call];
    if (closed !== undefined) break;
  }
  return [];
};

/** What DeepSeek R1, V3 and V3.1 leak. */
const DEEPSEEK: readonly Trigger[] = [
  ...[DEEPSEEK_CALLS_BEGIN, DEEPSEEK_BEGIN].map((marker) => ({ marker, grammar: deepseekCalls })),
  ...toStrays(
    "<｜tool▁calls▁end｜> <｜tool▁call▁end｜> <｜tool▁outputs▁begin｜> <｜tool▁outputs▁end｜> <｜tool▁output▁begin｜> " +
      "<｜tool▁output▁end｜> <｜User｜> <｜Assistant｜>",
  ),
  { marker: "<｜end▁of▁sentence｜>", end: true },
];

const DSML_MARKS = ["｜DSML｜", "｜｜DSML｜｜", "‖DSML‖", "|DSML|"];
const DSML_PREFIXES = [...DSML_MARKS, ""];
const DSML_WRAPPERS = DSML_PREFIXES.flatMap((prefix) => [`${prefix}function_calls>`, `${prefix}tool_calls>`]);
const dsmlCalls = invokeXml(DSML_PREFIXES);

/** What DeepSeek V3.2 and V4 leak: DSML, with its tags in any spelling, with or without a wrapper. */
const DSML: readonly Trigger[] = [
  ...DSML_MARKS.map((mark) => ({ marker: `<${mark}invoke`, grammar: dsmlCalls })),
  ...DSML_WRAPPERS.flatMap((tag): Trigger[] => [{ marker: `<${tag}`, grammar: dsmlCalls }, { marker: `</${tag}` }]),
  ...DEEPSEEK,
];
// lib/dialects/arguments.ts -----------------------------------------------------------------
/** How often arguments may be wrapped in a further JSON string. */
const MAX_WRAPS = 3;

/** What languages other than JSON's call its types. */
const TYPE_WORDS: readonly [words: RegExp, type: string][] = [
  [/^(?:u?int|long|short|unsigned)/, "integer"],
  [/^(?:num|float|double)/, "number"],
  [/^(?:bool|binary)/, "boolean"],
  [/^(?:str|text|varchar|char|enum)/, "string"],
  [/^(?:list|arr|tuple)/, "array"],
  [/^(?:dict|obj|map)/, "object"],
];

function toTypeName(word: unknown): string {
  return TYPE_WORDS.find(([words]) => words.test(String(word)))?.[1] ?? String(word);
}

/** The types a schema allows; nothing when it does not say, or says it in a way that is not looked into. */
function toTypes(schema: unknown): readonly string[] {
  if (!isJsonObject(schema)) return [];
  const { type, anyOf, oneOf, enum: values } = schema;
  if (typeof type === "string") return [toTypeName(type)];
  if (Array.isArray(type)) return type.map(toTypeName);
  const options = Array.isArray(anyOf) ? anyOf : Array.isArray(oneOf) ? oneOf : [];
  if (options.length > 0) return options.every((option) => toTypes(option).length > 0) ? options.flatMap(toTypes) : [];
  return Array.isArray(values) ? [...new Set(values.map(toType))] : [];
}

/** The fields a schema declares. */
function toProperties(schema: unknown): JsonObject {
  return isJsonObject(schema) && isJsonObject(schema.properties) ? schema.properties : {};
}

/** What a schema says of a field; nothing of one that it does not declare. */
function toFieldSchema(schema: unknown, key: string): unknown {
  const properties = toProperties(schema);
  return Object.hasOwn(properties, key) ? properties[key] : undefined;
}

function toType(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}

function fits(value: unknown, types: readonly string[]): boolean {
  return types.includes(toType(value)) || (types.includes("integer") && Number.isInteger(value));
}

/** Reads a text as the type a schema wants; gives the text itself when it is none of that type. */
function readAs(text: string, types: readonly string[]): unknown {
  const word = text.trim();
  if (types.includes("boolean") && /^(?:true|false)$/i.test(word)) return word.toLowerCase() === "true";
  if (types.includes("null") && /^(?:null|none|nil)$/i.test(word)) return null;
  if ((types.includes("number") || types.includes("integer")) && /^[+-]?\d[\d.]*(?:e[+-]?\d+)?$/i.test(word)) {
    const number = Number(word);
    if (Number.isFinite(number)) return number;
  }
  if (/^["[{]/.test(word) && !types.includes("string")) {
    const value = parseTolerant(word)?.value;
    if (fits(value, types)) return value;
    // A string of JSON in a string.
    if (typeof value === "string" && value.length < word.length) return readAs(value, types);
  }
  return text;
}

/**
 * Makes a value the type its schema wants, where the two disagree and the value can be read that way.
 *
 * Models send numbers, lists and objects as strings and single values for lists; a string is never read as anything
 * else where the schema allows strings.
 */
function coerce(value: unknown, schema: unknown): unknown {
  const types = toTypes(schema);
  if (!isJsonObject(schema) || types.length === 0 || types.includes("string") && typeof value === "string") {
    return value;
  }
  const read = typeof value === "string" ? readAs(value, types) : value;
  const only = types.length === 1 && read !== null ? types[0] : undefined;
  if (only === "string") return JSON.stringify(read);
  if (only === "array" && !Array.isArray(read)) {
    const item = coerce(read, schema.items);
    if (fits(item, toTypes(schema.items))) return [item];
  }
  if (Array.isArray(read)) return read.map((item) => coerce(item, schema.items));
  return isJsonObject(read) ? coerceFields(read, schema) : read;
}

/** Makes each field the type its schema wants; fields the schema does not know stay as they are. */
function coerceFields(value: JsonObject, schema: unknown): JsonObject {
  const fields = Object.entries(value).map(([key, field]) => [key, coerce(field, toFieldSchema(schema, key))]);
  return Object.fromEntries(fields);
}

/** Arguments that could be read, and whether their text ended before they did. */
type ReadArguments = { value: JsonObject } & Pick<Tolerated, "cut" | "torn">;

/** Reads JSON strictly if that goes, tolerantly if not; the empty objects some hosts put before it are passed over. */
function readAnyJson(text: string): Omit<Tolerated, "length"> | undefined {
  if (["", "null", "None"].includes(text.trim())) return { value: {}, cut: false, torn: false };
  const value = parseJson(text);
  if (value !== undefined) return { value, cut: false, torn: false };
  const found = parseTolerant(text.replace(/^\s*(?:\{\s*\}\s*)+(?=\{)/, ""));
  return typeof found?.value === "string" && found.value.trim() === "" ? undefined : found;
}

/**
 * Reads a call's arguments: strictly if that goes, tolerantly if not, then by the tool's schema.
 *
 * @param schema The tool's `input_schema`; without it values stay as they are.
 * @returns Nothing when there is no object to be found; never an empty object in place of something unreadable.
 */
function readArguments(text: string, schema?: JsonObject): ReadArguments | undefined {
  let found = readAnyJson(text);
  for (let i = 0; i < MAX_WRAPS && typeof found?.value === "string"; i++) {
    found = found.cut ? undefined : readAnyJson(found.value);
  }
  if (!found || !isJsonObject(found.value)) return undefined;
  // Cut in its first key, or no object at all.
  if (found.cut && Object.keys(found.value).length === 0 && text.trim() !== "{") return undefined;
  return { value: coerceFields(found.value, schema), cut: found.cut, torn: found.torn };
}

/** Whether a value of this type may stay as it is in a field of the arguments, without a look at what is in it. */
function mayStay(key: string, type: string, schema: JsonObject | undefined): boolean {
  const field = toFieldSchema(schema, key);
  const types = toTypes(field);
  if (types.length === 0 || !isJsonObject(field)) return true;
  if (type === "number" && types.includes("integer")) return true;
  return types.includes(type) && !((type === "object" && field.properties) || (type === "array" && field.items));
}

/** Arguments nobody can read, in the form in which Claude Code itself replays such calls. */
function toUnparsed(raw: string): JsonObject {
  return { __unparsedToolInput: { raw, len: raw.length } };
}

/**
 * Goes on with JSON that was partly sent: what must follow `sent` to make it `value`.
 *
 * @param sent The beginning of an object: complete fields, the last of which may be a string cut anywhere.
 * @returns Nothing if `sent` cannot become `value` any more.
 */
function continueJson(sent: string, value: JsonObject): string | undefined {
  if (sent === "") return JSON.stringify(value);
  const before = parseTolerant(sent)?.value;
  if (!isJsonObject(before)) return undefined;
  const keys = Object.keys(before);
  const scanner = new JsonScanner();
  scanner.feed(sent);
  let rest = "";
  if (scanner.inString) {
    const last = keys.at(-1) ?? "";
    const [begun, whole] = [before[last], value[last]];
    if (typeof begun !== "string" || typeof whole !== "string" || !whole.startsWith(begun)) return undefined;
    rest = JSON.stringify(whole.slice(begun.length)).slice(1);
  }
  for (const [key, field] of Object.entries(value)) {
    if (keys.includes(key)) continue;
    rest += `,${JSON.stringify(key)}:${JSON.stringify(field)}`;
  }
  rest += "}";
  const whole = parseJson(sent + rest);
  const isValue = isJsonObject(whole) &&
    Object.keys(whole).every((key) => JSON.stringify(whole[key]) === JSON.stringify(value[key]));
  return isValue ? rest : undefined;
}
// lib/dialects/json_calls.ts ----------------------------------------------------------------
/**
 * Finds the calls in parsed JSON: an object with name and arguments under whatever key, or a list of such.
 *
 * @param bare Whether nothing but the JSON announces the call: then it must have arguments under a key of the API.
 * @param cut Whether its end is missing: then the arguments may be, too.
 */
function toWrittenCalls(value: unknown, bare: boolean, cut: boolean): WrittenCall[] | undefined {
  if (Array.isArray(value)) {
    const calls = value.map((item) => toWrittenCalls(item, bare, cut));
    return calls.every((call) => call !== undefined) && calls.length > 0 ? calls.flat() : undefined;
  }
  if (!isJsonObject(value)) return undefined;
  const call = isJsonObject(value.function) ? value.function : value;
  const { name, arguments: args = call.parameters ?? (bare ? undefined : call.args ?? call.input) } = call;
  if (typeof name !== "string" || ((bare || cut) && args === undefined)) return undefined;
  return [{ name, arguments: typeof args === "string" ? args : JSON.stringify(args ?? {}) }];
}

/** Reads the calls in JSON as models write it, like {@linkcode toWrittenCalls}. */
function parseCalls(json: string, bare = false): WrittenCall[] | undefined {
  const { value, cut = false, torn } = parseTolerant(json) ?? {};
  return toWrittenCalls(value, bare, cut)?.map((call) => ({ ...call, cut, torn }));
}

/**
 * Calls as JSON between markers: Hermes, Qwen2.5 and Qwen3, Granite, Nemotron, Phi, Llama, Inkling.
 *
 * Several objects may follow each other, with or without brackets, commas or semicolons; the closing marker may be
 * missing.
 *
 * @param open What was found; it is not read when the JSON itself is what announces the call.
 * @param close The closing marker, if there is one.
 * @param limits What else ends JSON that does not end by itself.
 */
function jsonCalls(open: string, close: string | undefined, ...limits: string[]): Grammar {
  const closers = close === undefined ? [] : [close];
  const bare = /^[[{]/.test(open);
  return function* (reader) {
    if (!bare) yield* reader.take(open);
    yield* reader.space();
    if ((yield* reader.peek("{", "[")) === undefined) return undefined;
    for (;;) {
      const json = yield* reader.json(...closers, ...limits);
      const calls = /^\[\s*\]$/.test(json) ? [] : parseCalls(json.replace(/^\{\s*\{/, "{"), bare);
      if (!calls) return undefined;
      // What joins calls, and brackets too many.
      const joint = yield* reader.while(/[\s,;}\]]/);
      const closed = yield* reader.take(...closers);
      if (calls.length === 0 && closed === undefined) return undefined;
      yield calls;
      if (closed !== undefined) return [];
      if ((yield* reader.peek("{", "[")) === undefined) {
        if (joint !== "" && joint.trim() === "") yield joint;
        return [];
      }
    }
  };
}

/** Calls in a grammar of their own, which begins behind `open`, or as JSON: models that have learned both mix them up. */
function orJson(grammar: Grammar, open: string, close: string): Grammar {
  const json = jsonCalls(open, close);
  return function* (reader, tools) {
    yield* reader.token(open);
    const isJson = (yield* reader.peek("{", "[")) !== undefined;
    return yield* (isJson ? json : grammar)(reader, tools);
  };
}

/** Such calls between tags, of which the closing one may be left over. */
function jsonTags(open: string, close: string): Trigger[] {
  return [{ marker: open, grammar: jsonCalls(open, close) }, { marker: close }];
}
// lib/dialects/function_xml.ts --------------------------------------------------------------
/**
 * Qwen3-Coder's XML, which Qwen3.5, Nemotron 3, Step and (in a wrapper of its own) Seed-OSS write as well:
 * `<tool_call><function=NAME><parameter=KEY>VALUE</parameter></function></tool_call>`.
 *
 * The wrapper may be missing, and so may ends. One line break at each end of a value belongs to the markup, all other
 * white space to the value. A value ends where something follows that may; markup in it belongs to it. Without an end it
 * ends before a parameter that the tool declares and that was not there yet.
 */
function functionXml(open: string, close: string): Grammar {
  const ends = {
    "</parameter>": ["<parameter=", "</function>", "<function=", close],
    "</function>": ["<function=", close],
    [close]: [open],
  };
  return function* (reader, tools) {
    for (let some = false;; some = true) {
      const begin = yield* reader.take("<function=", "<function ", "<function");
      if (begin === undefined) return some ? [] : undefined;
      const name = yield* reader.name();
      if (name === "" || (begin === "<function" && !tools.has(name))) return undefined;
      const missing = new Set(Object.keys(toProperties(tools.get(name)?.input_schema)));
      yield* reader.take(">");
      yield* reader.space();
      const fields: Field[] = [];
      let end: string | undefined;
      while (end === "\n<parameter=" || (yield* reader.take("<parameter=")) !== undefined) {
        const key = (yield* reader.while(/[^>\n<]/, MAX_TAG)).replace(/^parameter=/, "").trim();
        yield* reader.take(">");
        missing.delete(key);
        const valueEnds = { ...ends, "\n<parameter=": [...missing].map((name) => `${name}>`) };
        const [value, valueEnd] = yield* reader.value(valueEnds, "</parameter>", ["<parameter=", "<function=", open]);
        fields.push([key, value.replace(/^\n/, "").replace(/\n$/, "")]);
        end = valueEnd;
      }
      const closed = end === "</function>" || (yield* reader.take("</function>")) !== undefined;
      yield* reader.space();
      const last = end === close || (yield* reader.take(close)) !== undefined;
      if (fields.length === 0 && !closed && !last) return undefined;
      const torn = fields.length > 0 && end === undefined;
      yield [{ name, arguments: fields, cut: !closed && !last, torn }];
      if (last) return [];
    }
  };
}

/** What models leak that write so, in a wrapper of their own. */
function functionTags(open: string, close: string): Trigger[] {
  const grammar = orJson(functionXml(open, close), open, close);
  return [{ marker: open, grammar }, { marker: "<function=", grammar }, { marker: close }];
}
// lib/dialects/gemma.ts ---------------------------------------------------------------------
const GEMMA_QUOTE = '<|"|>';

/** Gemma 4's calls: `<|tool_call>call:NAME{key:<|"|>text<|"|>,n:2}<tool_call|>`, strings between tokens of their own. */
const gemmaCall: Grammar = function* (reader) {
  yield* reader.take("<|tool_call>");
  if ((yield* reader.take("call:")) === undefined) return undefined;
  const name = yield* reader.name();
  if (name === "" || (yield* reader.take("{")) === undefined) return undefined;
  let json = `{${yield* reader.while(/[^:{}<]/, MAX_TAG)}`;
  if ((yield* reader.peek(":", "}", "<")) === undefined && !reader.done) return undefined;
  for (;;) {
    json += yield* reader.until([GEMMA_QUOTE, "<tool_call|>", "<|tool_call>"]);
    if ((yield* reader.take(GEMMA_QUOTE)) === undefined) break;
    const text = JSON.stringify(yield* reader.until([GEMMA_QUOTE]));
    json += (yield* reader.take(GEMMA_QUOTE)) === undefined ? text.slice(0, -1) : text;
  }
  yield* reader.take("<tool_call|>");
  return [{ name, arguments: json }];
};

/** What Gemma 4 leaks. */
const GEMMA: readonly Trigger[] = [
  { marker: "<|tool_call>", grammar: gemmaCall },
  { marker: "<|channel>thought", mode: "thinking" },
  { marker: "<channel|>", mode: "text" },
  { marker: "<tool_call|>" },
];
// lib/dialects/glm.ts -----------------------------------------------------------------------
const GLM_ENDS = { "</arg_value>": [""], "</tool_call>": [""] };

/** White space, also where its escape has leaked. */
function* glmSpace(reader: Reader): Reading<void> {
  do yield* reader.space(); while ((yield* reader.take("\\n")) !== undefined);
}

/**
 * GLM's and Laguna's tags: `<tool_call>NAME<arg_key>K</arg_key><arg_value>V</arg_value></tool_call>`, with or without
 * line breaks.
 *
 * When the first `<arg_key>` is missing, name and key run together, and the longest declared name tells them apart. A
 * key without a value is dropped.
 */
const glmCall: Grammar = function* (reader, tools) {
  const head = yield* reader.name();
  if (head === "") return undefined;
  const fields: Field[] = [];
  const glued = (yield* reader.peek("</arg_key>")) !== undefined;
  const known = [...tools.keys()].filter((name) => head.startsWith(name)).sort((a, b) => b.length - a.length)[0];
  const name = glued && known !== undefined ? known : head;
  let key = glued ? head.slice(name.length) : undefined;
  let [torn, closed] = [false, false];
  while (!closed) {
    yield* glmSpace(reader);
    if (key === undefined && (yield* reader.take("<arg_key>")) === undefined) break;
    key ??= yield* reader.until(["</arg_key>", "<arg_value>", "</tool_call>"], MAX_TAG);
    yield* reader.take("</arg_key>");
    yield* glmSpace(reader);
    if ((yield* reader.take("<arg_value>")) !== undefined) {
      const [value, end] = yield* reader.value(GLM_ENDS, "</arg_value>", ["<arg_key>", "<arg_value>", "<tool_call>"]);
      fields.push([key.trim(), value, "undeclared"]);
      torn = end === undefined;
      if (end === "</tool_call>") closed = true;
    }
    key = undefined;
  }
  // Behind a name without arguments there may be the end of one.
  closed ||= (yield* reader.take("</tool_call>", "</arg_value>")) !== undefined;
  return closed || fields.length > 0 ? [{ name, arguments: fields, cut: !closed, torn }] : undefined;
};

/** What GLM and Laguna leak. */
const GLM: readonly Trigger[] = [
  { marker: "<tool_call>", grammar: orJson(glmCall, "<tool_call>", "</tool_call>") },
  { marker: "</tool_call>" },
];
// lib/dialects/harmony.ts -------------------------------------------------------------------
const HARMONY_MESSAGE = "<|message|>";
/** What a header consists of, so that prose about headers does not wait. */
const HARMONY_WORD = /^(?:assistant|analysis|commentary|final|json|code|to=[\w.:-]*|)$/;
const HARMONY_ENDS = ["<|end|>", "<|call|>", "<|return|>", "<|start|>", "<|channel|>"];

/**
 * gpt-oss's harmony format: `<|channel|>analysis<|message|>…` is thinking, `final` the answer, and a channel with a
 * recipient, before or after its name, a call: `commentary to=functions.NAME <|constrain|>json<|message|>{…}<|call|>`.
 */
const harmonyChannel: Grammar = function* (reader) {
  let header = "";
  for (;;) {
    const token = yield* reader.take("<|start|>", "<|channel|>", "<|constrain|>", HARMONY_MESSAGE);
    if (token === HARMONY_MESSAGE) break;
    const word = yield* reader.while(/[\w.=:-]/);
    if ((token === undefined && word === "") || !HARMONY_WORD.test(word)) return undefined;
    header += `${word} `;
    yield* reader.space();
  }
  const name = /to=(?:functions\.)?([\w.:-]+)/.exec(header)?.[1];
  if (name !== undefined) {
    const call = { name, arguments: yield* reader.json(...HARMONY_ENDS) };
    yield* reader.take("<|call|>", "<|end|>", "<|return|>");
    return [call];
  }
  yield* reader.pass(header.includes("analysis") ? "thinking" : "text", ...HARMONY_ENDS);
  return [];
};

/** What is left of a call's header where the host has removed its tokens. */
const HARMONY_RECIPIENTS = ["commentary to=functions.", "to=functions."];

/** A call whose channel was lost: `to=functions.NAME {…}`. */
const harmonyRecipient: Grammar = function* (reader) {
  yield* reader.take(...HARMONY_RECIPIENTS);
  const name = yield* reader.name();
  const words = (yield* reader.while(/[\s\w]/, MAX_TAG)).trim().split(/\s+/);
  const isHeader = name !== "" && words.every((word) => HARMONY_WORD.test(word));
  if (!isHeader || (yield* reader.peek("{")) === undefined) return undefined;
  return [{ name, arguments: yield* reader.json(...HARMONY_ENDS) }];
};

/** What gpt-oss leaks. */
const HARMONY: readonly Trigger[] = [
  ...["<|start|>", "<|channel|>"].map((marker) => ({ marker, grammar: harmonyChannel })),
  ...HARMONY_RECIPIENTS.map((marker) => ({ marker, grammar: harmonyRecipient })),
  ...toStrays("<|end|> <|call|> <|return|> <|message|> <|constrain|>"),
];
// lib/dialects/inkling.ts -------------------------------------------------------------------
const INKLING_CALL = "<|content_invoke_tool_json|>";
const inklingCall = jsonCalls(INKLING_CALL, "<|end_message|>");

/** A message; if it is a call, the tool's name stands before its marker once more. */
const inklingMessage: Grammar = function* (reader, tools) {
  yield* reader.take("<|message_model|>");
  const word = yield* reader.name();
  if ((yield* reader.peek(INKLING_CALL)) !== undefined) return yield* inklingCall(reader, tools);
  yield word;
  return [];
};

/** What Inkling leaks: `<|message_model|>NAME<|content_invoke_tool_json|>{"name":…,"args":{…}}<|end_message|>`. */
const INKLING: readonly Trigger[] = [
  { marker: "<|message_model|>", grammar: inklingMessage },
  { marker: INKLING_CALL, grammar: inklingCall },
  ...toStrays("<|end_message|>"),
];
// lib/dialects/python_repr.ts ---------------------------------------------------------------
/** Reads one of `words` in quotes, with the white space around. */
function* takeQuoted(reader: Reader, ...words: string[]): Reading<string | undefined> {
  const found = yield* reader.token(...words.flatMap((word) => [`'${word}'`, `"${word}"`]));
  return found?.slice(1, -1);
}

/** The character an escape stands for, from behind its backslash. */
function* readEscape(reader: Reader): Reading<string> {
  const char = yield* reader.next();
  let digits = "";
  if (/[0-7]/.test(char)) {
    while (digits.length < 2 && (yield* reader.peek(..."01234567")) !== undefined) digits += yield* reader.next();
    return String.fromCharCode(parseInt(char + digits, 8));
  }
  for (let i = 0; i < (CODE_LENGTHS[char] ?? 0); i++) digits += yield* reader.next();
  return String(parseTolerant(`"\\${char}${digits}"`)?.value);
}

/**
 * Passes strings on, unescaped, as they come; Python puts together what stands side by side.
 *
 * A quote ends a string only where something follows that may: models forget to escape apostrophes.
 */
function* passStrings(reader: Reader, kind: Piece["kind"]): Reading<boolean> {
  let quote = yield* reader.take("'", '"');
  if (quote === undefined) return false;
  for (;;) {
    yield* reader.pass(kind, quote, "\\");
    const found = yield* reader.take(quote, "\\");
    if (found === undefined) return true;
    if (found === "\\") {
      yield { kind, text: yield* readEscape(reader) };
      continue;
    }
    const space = yield* reader.space();
    if (reader.ended || (yield* reader.peek(",", "}", "]")) !== undefined) return true;
    const next: string | undefined = space === "" ? undefined : yield* reader.take("'", '"');
    if (next !== undefined) quote = next;
    else yield { kind, text: quote + space };
  }
}

/** One part, from behind its brace: text and thinking are passed on, a tool_use is a call. Tells whether it is a part. */
function* readPart(reader: Reader): Reading<boolean> {
  // A text without a type, in JSON's spelling, is an answer in JSON that somebody has asked for.
  let key = (yield* takeQuoted(reader, "type")) ?? (yield* reader.token("'text'"))?.slice(1, -1);
  if (key === undefined || (yield* reader.token(":")) === undefined) return false;
  if (key === "type") {
    key = yield* takeQuoted(reader, "text", "thinking", "tool_use");
    if (key === undefined || (yield* reader.token(",")) === undefined) return false;
    if (key === "tool_use") {
      const part = yield* reader.untilClosed("}");
      const calls = parseCalls(`{${part}${reader.done ? "" : "}"}`);
      yield* reader.while(/[}\],\s]/);
      yield calls ?? reader.commit();
      return true;
    }
    if ((yield* takeQuoted(reader, key)) === undefined || (yield* reader.token(":")) === undefined) return false;
  }
  if (!(yield* passStrings(reader, key === "thinking" ? "thinking" : "text"))) return false;
  yield* reader.untilClosed("}");
  yield* reader.take("}");
  return true;
}

/**
 * A whole answer as Python prints a list of content parts: `[{'type': 'text', 'text': 'It\'s done.\n'}]`, also in
 * JSON's spelling, without the brackets, or several lists one after the other.
 *
 * Kimi K2 imitates what an old template showed it of the history. Parts of another type are text as they stand, and so
 * is an answer that begins with one.
 */
const pythonRepr: Grammar = function* (reader) {
  for (let parts = 0;; parts++) {
    yield* reader.while(/[[\],\s]/);
    if ((yield* reader.peek("{")) === undefined) return parts > 0 ? [] : undefined;
    if (parts > 0) reader.commit();
    yield* reader.take("{");
    if (yield* readPart(reader)) continue;
    if (parts === 0) return undefined;
    yield* reader.untilClosed("}");
    yield* reader.take("}");
    yield reader.commit();
  }
};
// lib/dialects/tool_names.ts ----------------------------------------------------------------
/** Longer names are none: no host takes more than 64 characters, and models put little around them. */
const LONGEST_TOOL_NAME = 300;

/** Steps from what a model wrote to what it meant, each tried only if it leads to a declared name. */
const STEPS: readonly ((name: string) => string)[] = [
  (name) => name,
  (name) => name.split("<", 1)[0] ?? name,
  (name) => name.replace(/^[\s"'●]+|[\s"']+$/g, ""),
  (name) => name.replace(/^(?:functions|tools|default_api|namespace|ns)[.:/]/, ""),
  (name) => name.replace(/:\d+$/, ""),
];

/**
 * Finds the declared tool a model means by `written`, such as `functions.Read:0` for `Read`.
 *
 * @returns The tool's name upstream; nothing when none fits.
 */
function resolveToolName(written: string, tools: DeclaredTools): string | undefined {
  if (written.length > LONGEST_TOOL_NAME) return undefined;
  let name = written;
  for (const step of STEPS) {
    name = step(name);
    if (tools.has(name)) return name;
  }
  const names = [...tools.keys()];
  const lower = name.toLowerCase();
  return names.find((key) => key.toLowerCase() === lower) ?? names.find((key) => key === name.split(".").at(-1));
}
// lib/dialects/kimi.ts ----------------------------------------------------------------------
const KIMI_BEGIN = "<|tool_call_begin|>";
const KIMI_ARGUMENTS = "<|tool_call_argument_begin|>";
const KIMI_END = "<|tool_call_end|>";
/** What ends arguments that do not end by themselves. */
const KIMI_ENDS = [
  ...[KIMI_END, KIMI_BEGIN, KIMI_ARGUMENTS],
  ...["<|tool_calls_section_end|>", "<|tool_call_section_end|>", "<|im_end|>"],
];

/** The name in an id such as `functions.mcp__wiki__find-all:1`; K2.5 may leave out what stands between its parts. */
function toKimiName(id: string, tools: DeclaredTools): string {
  return resolveToolName(id, tools) ?? id.replace(/^functions\.?/, "").replace(/(?::|(?<!\d))\d+$/, "");
}

/**
 * Kimi K2's calls: `<|tool_call_begin|>functions.NAME:N<|tool_call_argument_begin|>{…}<|tool_call_end|>`.
 *
 * The end may be missing, and the header of the next call may stand in the arguments of this one: they end where their
 * JSON ends, wherever the markers are.
 */
const kimiCall: Grammar = function* (reader, tools) {
  yield* reader.token(KIMI_BEGIN);
  let id = yield* reader.name();
  yield* reader.space();
  if (id === "" || (yield* reader.peek(KIMI_ARGUMENTS)) === undefined) return undefined;
  while ((yield* reader.take(KIMI_ARGUMENTS)) !== undefined) {
    const call = { name: toKimiName(id, tools), arguments: yield* reader.json(...KIMI_ENDS) };
    const rest = yield* reader.until(["<"], MAX_TAG);
    const next = /^[\s}\]]*(?:\S*?(functions\.[\w.-]+:\d+)\s*)?$/.exec(rest);
    const goesOn = next !== null && (reader.done || (yield* reader.peek(...KIMI_ENDS)) !== undefined);
    if (!goesOn) reader.unread(rest);
    id = next?.[1] ?? "";
    yield* reader.take(KIMI_END);
    yield [call];
  }
  return [];
};

/** What Kimi K2, K2.5 and K2.6 leak, in text and in reasoning. */
const KIMI: readonly Trigger[] = [
  { marker: KIMI_BEGIN, grammar: kimiCall },
  ...["[", "{'type'", '{"type"', "{'text'"].map((marker) => ({ marker, grammar: pythonRepr, start: true })),
  ...toStrays(
    "<|tool_calls_section_begin|> <|tool_call_section_begin|> <|tool_calls_section_end|> <|tool_call_section_end|> " +
      "<|tool_call_argument_begin|> <|tool_call_end|> <|im_user|> <|im_assistant|> <|im_system|> <|im_middle|> [BOS] " +
      "[EOS] <|media_start|> <|media_content|> <|media_pad|> <|media_end|>",
  ),
  { marker: "<|im_end|>", end: true },
];
// lib/dialects/kimi_k3.ts -------------------------------------------------------------------
const K3_OPEN = "<|open|>";
const K3_SEPARATOR = "<|sep|>";
const K3_CLOSE = "<|close|>";

/** The attributes of a tag such as `argument key="path" type="string"`. */
function toK3Attributes(tag: string): Record<string, string> {
  const pairs = [...tag.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = "", value = ""]) => {
    return [key, value.replaceAll("&quot;", '"').replaceAll("&amp;", "&")];
  });
  return Object.fromEntries(pairs);
}

const K3_TAGS = ["think", "response", "tools", "call", "argument", "json", "message"];

/** Kimi K3's channels: `<|open|>think<|sep|>…<|close|>think<|sep|>`, then `response`, then `tools` with calls in it. */
const k3Channel: Grammar = function* (reader) {
  let call: WrittenCall & { arguments: Field[] } | undefined;
  let json: string | undefined;
  let torn = false;
  while ((yield* reader.token(K3_OPEN)) !== undefined) {
    const name = yield* reader.while(/\w/);
    if (name === "" && reader.done) break;
    if (!K3_TAGS.includes(name)) return undefined;
    const attributes = yield* reader.while(/[^<\n]/, MAX_TAG);
    if ((yield* reader.take(K3_SEPARATOR)) === undefined) return undefined;
    const { tool = "", key, type } = toK3Attributes(attributes);
    if (name === "think" || name === "response") {
      reader.commit();
      yield* reader.pass(name === "think" ? "thinking" : "text", K3_CLOSE, K3_OPEN, "<|end_of_msg|>");
    } else if (name === "call") [call, json, torn] = [{ name: tool, arguments: [] }, undefined, true];
    else if (name === "argument" && key !== undefined) {
      call?.arguments.push([key, yield* reader.until([K3_CLOSE]), type !== undefined && type !== "string"]);
      torn = reader.done;
    } else if (name === "json") [json, torn] = [yield* reader.until([K3_CLOSE]), false];
    while ((yield* reader.token(K3_CLOSE)) !== undefined) {
      const closed = yield* reader.while(/\w/);
      yield* reader.token(K3_SEPARATOR);
      if (closed === "call" && call) {
        yield [{ name: call.name, arguments: json ?? call.arguments }];
        call = undefined;
      } else if (!call) reader.commit();
    }
  }
  return call ? [{ name: call.name, arguments: json ?? call.arguments, cut: true, torn }] : [];
};

/** What Kimi K3 leaks. A closing tag alone ends the thinking that the template had opened. */
const KIMI_K3: readonly Trigger[] = [
  { marker: K3_OPEN, grammar: k3Channel },
  ...["think", " think "].map((tag): Trigger => ({ marker: `${K3_CLOSE}${tag}${K3_SEPARATOR}`, mode: "text" })),
  ...["response", "tools", "message"].flatMap((tag) => [tag, ` ${tag} `])
    .map((tag) => ({ marker: `${K3_CLOSE}${tag}${K3_SEPARATOR}` })),
  ...toStrays("<|kimi_image_placeholder|>"),
  { marker: "<|end_of_msg|>", end: true },
];
// lib/dialects/llama.ts ---------------------------------------------------------------------
/** Llama 3.1's custom form: `<function=NAME>{…}</function>`, also without the bracket. */
const customCall: Grammar = function* (reader) {
  yield* reader.take("<function=");
  const name = yield* reader.name();
  yield* reader.take(">");
  yield* reader.space();
  if (name === "" || (yield* reader.peek("{")) === undefined) return undefined;
  const json = yield* reader.json("</function>");
  yield* reader.space();
  yield* reader.take("</function>");
  return [{ name, arguments: json }];
};

/** Llama 4's calls as Python would write them: `[ls(path="."), cat(path="a")]`. */
const pythonicCalls: Grammar = function* (reader, tools) {
  yield* reader.token("[");
  const calls: WrittenCall[] = [];
  do {
    const name = yield* reader.name();
    if (!tools.has(name) || (yield* reader.take("(")) === undefined) return undefined;
    calls.push({ name, arguments: `{${yield* reader.untilClosed(")")}}` });
    if ((yield* reader.take(")")) === undefined) return undefined;
  } while ((yield* reader.token(",")) !== undefined);
  return (yield* reader.take("]")) === undefined ? undefined : calls;
};

/** What Llama 3 and 4 leak; the bare forms only where an answer begins. */
const LLAMA: readonly Trigger[] = [
  { marker: "<|python_tag|>", grammar: jsonCalls("<|python_tag|>", undefined, "<|eom_id|>", "<|eot_id|>") },
  ...["", " ", "\n  ", "\n    "].flatMap((space) => [`{${space}"name"`, `{${space}"type"`]).map((marker) => {
    return { marker, grammar: jsonCalls(marker, undefined, "<|eom_id|>", "<|eot_id|>"), start: true };
  }),
  { marker: "[", grammar: pythonicCalls, start: true },
  { marker: "<function=", grammar: customCall },
  ...["<|eom_id|>", "<|eot_id|>"].map((marker) => ({ marker, end: true })),
];
// lib/dialects/minimax.ts -------------------------------------------------------------------
const M3_MARK = "]<]minimax[>[";
/** How deep elements may be nested before they are taken for nonsense. */
const MAX_M3_DEPTH = 200;
const MINIMAX_WRAPPER = "<minimax:tool_call>";

/** An element of M3's markup: its text, or the elements in it. */
type M3Element = { tag: string; text: string; children: [name: string, value: unknown][] };

/** Elements as an object, `item` elements as a list, and everything else as text. */
function toM3Value({ text, children }: M3Element): unknown {
  if (children.length === 0) return text;
  return children.every(([name]) => name === "item")
    ? children.map(([, value]) => value)
    : Object.fromEntries(children);
}

function toM3Call(element: M3Element): WrittenCall {
  return { name: toAttribute(element.tag, "name") ?? "", arguments: JSON.stringify(toM3Value(element)) };
}

/** MiniMax M3's calls: a mark before each tag, `invoke` elements whose children are the arguments. */
const m3Calls: Grammar = function* (reader) {
  yield* reader.token(M3_MARK);
  if ((yield* reader.token("<tool_call>")) === undefined) return undefined;
  if ((yield* reader.peek(M3_MARK)) === undefined) return undefined;
  const open: M3Element[] = [];
  for (;;) {
    const text = yield* reader.until([M3_MARK]);
    const element = open.at(-1);
    if (element) element.text += text;
    if ((yield* reader.token(M3_MARK)) === undefined) break;
    const kind = yield* reader.take("<", "</");
    if (kind === undefined) return undefined;
    const tag = yield* reader.tag();
    if (tag === undefined) return undefined;
    if (!element && kind === "<" && !tag.startsWith("invoke")) return undefined;
    if (open.length > MAX_M3_DEPTH) return undefined;
    if (kind === "<") open.push({ tag, text: "", children: [] });
    else {
      const closed = open.pop();
      if (!closed) return [];
      const parent = open.at(-1);
      if (parent) parent.children.push([closed.tag, toM3Value(closed)]);
      else {
        yield* reader.space();
        const last = yield* reader.take(`${M3_MARK}</tool_call>`);
        yield [toM3Call(closed)];
        if (last !== undefined || (yield* reader.peek(M3_MARK)) === undefined) return [];
      }
    }
  }
  const [call] = open;
  return call && [{ ...toM3Call(call), cut: true, torn: open.length > 1 || call.children.length === 0 }];
};

/** What MiniMax M2 to M2.7 leak. */
const MINIMAX: readonly Trigger[] = [
  ...[MINIMAX_WRAPPER, '<invoke name="'].map((marker) => ({ marker, grammar: invokeXml([""], MINIMAX_WRAPPER) })),
  { marker: "</minimax:tool_call>" },
];

/** What MiniMax M3 leaks. */
const MINIMAX_M3: readonly Trigger[] = [
  { marker: M3_MARK, grammar: m3Calls },
  ...MINIMAX,
];
// lib/dialects/mistral.ts -------------------------------------------------------------------
const MISTRAL_OPEN = "[TOOL_CALLS]";

/** Mistral's calls in all three forms: `[{…}]`, `NAME{…}` and `NAME[CALL_ID]…[ARGS]{…}`, each after `[TOOL_CALLS]`. */
const mistralCalls: Grammar = function* (reader) {
  while ((yield* reader.take(MISTRAL_OPEN)) !== undefined) {
    yield* reader.space();
    if ((yield* reader.peek("[", "{")) !== undefined) {
      const calls = parseCalls(yield* reader.json(MISTRAL_OPEN));
      if (!calls) return undefined;
      yield calls;
    } else {
      const name = yield* reader.name();
      if ((yield* reader.take("[CALL_ID]")) !== undefined) yield* reader.while(/\w/);
      yield* reader.take("[ARGS]");
      yield* reader.space();
      if (name === "" || (yield* reader.peek("{")) === undefined) return undefined;
      yield [{ name, arguments: yield* reader.json(MISTRAL_OPEN) }];
    }
  }
  return [];
};

/** The end of the turn; anywhere else the same is HTML. */
const mistralEnd: Grammar = function* (reader) {
  yield* reader.take("</s>");
  yield* reader.space();
  return reader.done ? [] : undefined;
};

/** What Mistral's models leak; Magistral's thinking has tags of its own. */
const MISTRAL: readonly Trigger[] = [
  { marker: MISTRAL_OPEN, grammar: mistralCalls },
  { marker: "[THINK]", mode: "thinking", start: true },
  { marker: "[/THINK]", mode: "text" },
  { marker: "</s>", grammar: mistralEnd },
];
// lib/dialects/muse.ts ----------------------------------------------------------------------
const museCalls = invokeXml(["atem:", ""]);

/**
 * Muse's channels: `<|start|>assistant to=self<|message|>…<|eom|>` is thinking, `to=user` the answer, and what is
 * addressed to a tool a call. Calls in the other channels are only spoken of.
 */
const museChannel: Grammar = function* (reader, tools) {
  yield* reader.take("<|start|>");
  if ((yield* reader.take("assistant")) === undefined) return undefined;
  const header = yield* reader.while(/[\w.=: -]/, MAX_TAG);
  if ((yield* reader.take("<|message|>")) === undefined) return undefined;
  const recipient = /to=([\w.:-]+)/.exec(header)?.[1] ?? "user";
  if (recipient !== "self" && recipient !== "user") return yield* museCalls(reader, tools);
  yield* reader.pass(recipient === "self" ? "thinking" : "text", "<|eom|>", "<|eot|>", "<|start|>");
  return [];
};

/** What Meta's Muse leaks. */
const MUSE: readonly Trigger[] = [
  { marker: "<|start|>", grammar: museChannel },
  { marker: "<atem:function_calls>", grammar: museCalls },
  ...toStrays("<|eom|> <|eot|>"),
];
// lib/models/dialect_tables.ts --------------------------------------------------------------
const QWEN = functionTags("<tool_call>", "</tool_call>");

/** All dialects know tags for thinking. */
function toTable(...lists: readonly (readonly Trigger[])[]): TriggerTable {
  return new TriggerTable([...lists, thinkTags("think", "thinking")].flat());
}

/** What models leak into text and reasoning, one row a dialect; families share them. */
const DIALECTS = {
  kimi: toTable(KIMI),
  kimiK3: toTable(KIMI_K3),
  mistral: toTable(MISTRAL),
  nemotron: toTable(jsonTags("<TOOLCALL>", "</TOOLCALL>"), QWEN),
  deepseek: toTable(DEEPSEEK),
  dsml: toTable(DSML),
  glm: toTable(GLM),
  qwen: toTable(QWEN),
  minimax: toTable(MINIMAX),
  minimaxM3: toTable(MINIMAX_M3),
  harmony: toTable(HARMONY),
  gemma: toTable(GEMMA),
  seed: toTable(
    functionTags("<seed:tool_call>", "</seed:tool_call>"),
    toStrays("<seed:cot_budget_reflect> </seed:cot_budget_reflect>"),
    thinkTags("seed:think"),
  ),
  llama: toTable(LLAMA),
  phi: toTable(
    [{ marker: "functools[{", grammar: jsonCalls("functools", "<|end|>") }],
    jsonTags("<|tool_call|>", "<|/tool_call|>"),
    jsonTags("<function_call>", "</function_call>"),
    QWEN,
  ),
  muse: toTable(MUSE),
  inkling: toTable(INKLING),
  plain: toTable(),
} satisfies Record<string, TriggerTable>;
// lib/models/thinking.ts --------------------------------------------------------------------
/** How much a model shall think, from not at all to as much as it can. */
export type Effort = "off" | "low" | "medium" | "high" | "max";

/** What makes a model think as much as it shall: fields of the body, and text at the end of its system message. */
type ThinkingFields = { fields?: JsonObject; system?: string };

const EFFORTS: readonly Effort[] = ["off", "low", "medium", "high", "max"];

/** Budgets below these many tokens mean these efforts; Claude Code's 31,999 for plain "on" is high. */
const BUDGETS: readonly [below: number, effort: Effort][] = [[4096, "low"], [16_384, "medium"], [32_000, "high"]];

/**
 * How much a request wants the model to think; no `thinking` means off, as it does at Anthropic.
 *
 * A budget tells it by its size. Everything else that is not `disabled` is on, as much as `output_config` says, else
 * medium.
 */
export function toEffort({ thinking, output_config }: Pick<MessagesRequest, "thinking" | "output_config">): Effort {
  if (typeof thinking?.type !== "string" || thinking.type === "disabled") return "off";
  const { type, budget_tokens: budget } = thinking;
  if (type === "enabled" && typeof budget === "number") return BUDGETS.find(([below]) => budget < below)?.[1] ?? "max";
  const named = output_config?.effort;
  // Claude Code has one more than hosts can tell apart.
  return named === "xhigh" ? "max" : EFFORTS.slice(1).find((effort) => effort === named) ?? "medium";
}

/** Of the efforts a model knows, in order, the first that is enough, else the most. */
function clampEffort(effort: Effort, ...known: [Effort, ...Effort[]]): Effort {
  const enough = known.find((one) => EFFORTS.indexOf(one) >= EFFORTS.indexOf(effort));
  return enough ?? known.at(-1) ?? effort;
}

/** OpenAI's field; its word for off is `none`. */
function toEffortField(effort: Effort, ...known: [Effort, ...Effort[]]): JsonObject {
  const clamped = clampEffort(effort, ...known);
  return { reasoning_effort: clamped === "off" ? "none" : clamped };
}

/** Fields for the model's template: `flag` says whether to think. */
function toTemplateFields(flag: string, effort: Effort, more: JsonObject = {}): JsonObject {
  return { chat_template_kwargs: { [flag]: effort !== "off", ...more } };
}

/** Fields for a Nemotron, which gives an empty answer if it has only thought, unless it is told otherwise. */
function toNemotronFields(effort: Effort, less: JsonObject = {}): ThinkingFields {
  return { fields: toTemplateFields("enable_thinking", effort, { force_nonempty_content: true, ...less }) };
}

/** Tokens a Seed-OSS may think, of the sizes it was trained with; as long as it likes when nothing is said. */
const SEED_BUDGETS: Partial<Record<Effort, number>> = { off: 0, low: 1024, medium: 4096, high: 16_384 };

/**
 * The name of a switch: first those of templates, by the field or the family that has it, then those of models that
 * read their system message, then those of hosts that have one for all models.
 */
export type ThinkingSwitch =
  | ("thinking" | "enable_thinking" | "glm" | "nemotron-3" | "nemotron-3-super" | "nemotron-3-ultra" | "kimi-k3")
  | ("deepseek-v4" | "gpt-oss" | "mistral" | "minimax-m3" | "seed-oss")
  | ("slash" | "detailed")
  | ("openrouter" | "ollama");

/** How thinking is switched, by name, as of 2026-09: each gives what to send for an effort, as near as it can. */
// deno-fmt-ignore: a table reads best with one switch a row
const THINKING_SWITCHES: Record<ThinkingSwitch, (effort: Effort) => ThinkingFields> = {
  "thinking": (effort) => ({ fields: toTemplateFields("thinking", effort) }),
  "enable_thinking": (effort) => ({ fields: toTemplateFields("enable_thinking", effort) }),
  // GLM's template takes earlier thinking out of the history unless it is told to keep it.
  "glm": (effort) => ({ fields: toTemplateFields("enable_thinking", effort, { clear_thinking: false }) }),
  "nemotron-3": (effort) => toNemotronFields(effort),
  "nemotron-3-super": (effort) => toNemotronFields(effort, effort === "low" ? { low_effort: true } : {}),
  "nemotron-3-ultra": (effort) => toNemotronFields(effort, /^(?:low|medium)$/.test(effort) ? { medium_effort: true } : {}),
  "kimi-k3": (effort) => {
    const depth = effort === "off" ? {} : toEffortField(effort, "low", "high", "max");
    return { fields: { ...toTemplateFields("thinking", effort), ...depth } };
  },
  // Left out, DeepSeek V4 may not answer at all.
  "deepseek-v4": (effort) => {
    return { fields: { ...toTemplateFields("thinking", effort), ...toEffortField(effort, "off", "high", "max") } };
  },
  "gpt-oss": (effort) => ({ fields: toEffortField(effort, "low", "medium", "high") }),
  "mistral": (effort) => ({ fields: toEffortField(effort, "off", "high") }),
  "minimax-m3": (effort) => ({ fields: { thinking: { type: effort === "off" ? "disabled" : "enabled" } } }),
  "seed-oss": (effort) => {
    const thinking_budget = SEED_BUDGETS[effort];
    return thinking_budget === undefined ? {} : { fields: { chat_template_kwargs: { thinking_budget } } };
  },
  "slash": (effort) => ({ system: effort === "off" ? "/no_think" : "/think" }),
  "detailed": (effort) => ({ system: `detailed thinking ${effort === "off" ? "off" : "on"}` }),
  "openrouter": (effort) => {
    const reasoning = effort === "off" ? { enabled: false } : { effort: clampEffort(effort, "low", "medium", "high") };
    return { fields: { reasoning } };
  },
  "ollama": (effort) => ({ fields: toEffortField(effort, "off", "low", "medium", "high") }),
};

/** What has to be known of a model to switch its thinking. */
type Thinker = { reasoning: boolean; family: { thinking?: ThinkingSwitch; alwaysThinks?: boolean } };

/**
 * What to send so that a model thinks as much as it shall; nothing for one that does not think or has no switch.
 *
 * A model that cannot stop thinking thinks little instead. A host's own switch replaces the family's.
 */
function toThinkingFields(model: Thinker, effort: Effort, hostSwitch?: ThinkingSwitch): ThinkingFields {
  const name = hostSwitch ?? model.family.thinking;
  if (!model.reasoning || name === undefined) return {};
  return THINKING_SWITCHES[name](effort === "off" && model.family.alwaysThinks ? "low" : effort);
}
// lib/models/families.ts --------------------------------------------------------------------
/** What the models of one family have in common. */
export interface Family {
  /** Short name. */
  name: string;
  /** Which upstream model ids, in lower case, belong to it; other hosts spell them differently. */
  pattern: RegExp;
  /**
   * What it leaks into text and reasoning.
   *
   * @internal
   */
  dialect: TriggerTable;
  /** Whether its models see images, or which of their ids do. @default {ids that speak of it} */
  vision: RegExp | boolean;
  /** What switches its thinking on and off. @default {nothing does} */
  thinking?: ThinkingSwitch;
  /** Whether it thinks whatever it is told; a switch it may still have tells how much. @default {false} */
  alwaysThinks?: boolean;
  /**
   * Whether its answers begin in the middle of thinking, because the template has opened it and hosts leave the closing
   * tag in the text. The templates of MiniMax M2 and Kimi K3 open it, too; but there hosts may take the tags away, and
   * an answer without thinking must not be lost. @default {false}
   */
  startsInThinking?: boolean;
  /**
   * Whether it wants its thinking back, as `reasoning_content`, while it calls tools; by name if some of its hosts refuse
   * `calls` that have none, or want it `always`, not only that of the work at hand. @default {false}
   */
  replaysThinking?: boolean | "calls" | "always";
  /**
   * How it wants ids of calls in the history: Kimi's template shows them to the model, which then writes ids nobody can
   * read; Mistral refuses all but nine characters. @default {"any"}
   */
  callIds?: CallIdRule;
  /** Whether it refuses what the user says right after results: an answer has to stand between. @default {false} */
  answersResults?: boolean;
  /** Whether its template refuses a history with more than one call at once. @default {false} */
  singleCalls?: boolean;
  /** Whether its host signs calls, and refuses those in the history that are not signed. @default {false} */
  signsCalls?: boolean;
  /** Whether its host may send the end of long arguments as text. @default {false} */
  continuesCalls?: boolean;
  /** How its vocabulary cuts numbers, which most of what sets vocabularies apart comes from. @default {unknown} */
  digits?: DigitRule;
}

/** How a family wants the ids of calls. */
export type CallIdRule = "any" | "kimi" | "mistral";
/** A token a digit, or one for up to three in a row. */
export type DigitRule = "single" | "triple";

const VISION = /vl\b|vision|omni/;
const KIMI_CALLS = { callIds: "kimi", digits: "triple" } as const;
const MISTRAL_TRAITS = { callIds: "mistral", answersResults: true, digits: "single" } as const;
const GLM_TRAITS = { vision: /glm-?\d(?:\.\d)?v/, digits: "triple" } as const;

function family(name: string, pattern: RegExp, dialect: TriggerTable, more: Partial<Family> = {}): Family {
  return { name, pattern, dialect, vision: VISION, ...more };
}

/** One row a family, the most specific first; what is said of vision and thinking was so at NVIDIA until 2026-09. */
// deno-fmt-ignore: a table reads best with one family a row
const FAMILIES: readonly Family[] = [
  family("Kimi K3", /kimi-k3/, DIALECTS.kimiK3,
    { ...KIMI_CALLS, vision: true, thinking: "kimi-k3", replaysThinking: "calls" }),
  family("Kimi K2.5", /kimi-k2\.\d/, DIALECTS.kimi,
    { ...KIMI_CALLS, continuesCalls: true, vision: true, thinking: "thinking", replaysThinking: "calls" }),
  family("Kimi K2 Thinking", /kimi-k2-thinking/, DIALECTS.kimi,
    { ...KIMI_CALLS, continuesCalls: true, alwaysThinks: true, replaysThinking: "calls" }),
  family("Kimi K2", /kimi/, DIALECTS.kimi, { ...KIMI_CALLS, continuesCalls: true }),
  family("Mistral Small 4", /mistral-(?:small-4|medium-3[.-]5)/, DIALECTS.mistral,
    { ...MISTRAL_TRAITS, vision: true, thinking: "mistral" }),
  family("Mistral", /mistral|mixtral|devstral|codestral|pixtral|ministral|magistral|sarvam/, DIALECTS.mistral,
    { ...MISTRAL_TRAITS, vision: /pixtral|large-3|medium-3|small-?3\.[12]/ }),
  family("Nemotron 3 Ultra", /nemotron-3-ultra/, DIALECTS.qwen, { thinking: "nemotron-3-ultra", digits: "single" }),
  family("Nemotron 3 Super", /nemotron-3-super/, DIALECTS.qwen, { thinking: "nemotron-3-super", digits: "single" }),
  family("Nemotron 3", /nemotron-(?:nano-)?3/, DIALECTS.qwen, { thinking: "nemotron-3", digits: "single" }),
  family("Nemotron Nano 2", /nemotron-nano-\d+b-v2/, DIALECTS.nemotron, { thinking: "slash", digits: "single" }),
  family("Llama-Nemotron 1.5", /llama.*nemotron.*v1\.5/, DIALECTS.nemotron, { thinking: "slash", digits: "triple" }),
  family("Llama-Nemotron", /llama.*nemotron-(?:super|ultra|nano-\d)/, DIALECTS.nemotron,
    { thinking: "detailed", digits: "triple" }),
  family("Nemotron", /nemotron/, DIALECTS.nemotron),
  family("DeepSeek V4", /deepseek.*v4/, DIALECTS.dsml,
    { thinking: "deepseek-v4", replaysThinking: "always", digits: "triple" }),
  family("DeepSeek V3.2", /deepseek.*v3\.2/, DIALECTS.dsml,
    { thinking: "thinking", replaysThinking: true, digits: "triple" }),
  family("DeepSeek V3.1", /deepseek.*v3\.1/, DIALECTS.deepseek, { thinking: "thinking", digits: "triple" }),
  family("DeepSeek R1", /deepseek-r1/, DIALECTS.deepseek,
    { alwaysThinks: true, startsInThinking: true, digits: "triple" }),
  family("DeepSeek", /deepseek/, DIALECTS.deepseek, { digits: "triple" }),
  family("GLM 4.7, 5", /glm-?(?:4\.[7-9]|[5-9])/, DIALECTS.glm,
    { ...GLM_TRAITS, thinking: "glm", replaysThinking: true }),
  family("GLM 4.5", /glm-?4\.[56]/, DIALECTS.glm, { ...GLM_TRAITS, thinking: "glm" }),
  family("GLM", /glm/, DIALECTS.glm, GLM_TRAITS),
  family("Laguna", /laguna/, DIALECTS.glm, { thinking: "enable_thinking" }),
  family("Qwen Thinking", /qwq|qwen.*-thinking/, DIALECTS.qwen,
    { alwaysThinks: true, startsInThinking: true, digits: "single" }),
  family("Qwen3-Coder", /qwen-?3-coder/, DIALECTS.qwen, { digits: "single" }),
  family("Qwen3.5", /qwen-?3\.[5-9]/, DIALECTS.qwen, { vision: true, thinking: "enable_thinking", digits: "single" }),
  family("Qwen3", /qwen-?3(?!.*instruct)/, DIALECTS.qwen, { thinking: "enable_thinking", digits: "single" }),
  family("Qwen", /qwen|cosmos/, DIALECTS.qwen, { vision: /vl\b|omni|cosmos/, digits: "single" }),
  family("Hermes", /hermes/, DIALECTS.qwen),
  family("Step", /step-3/, DIALECTS.qwen, { vision: /step-3\.7/, alwaysThinks: true }),
  family("MiniMax M3", /minimax-m3/, DIALECTS.minimaxM3, { vision: true, thinking: "minimax-m3" }),
  family("MiniMax M2", /minimax/, DIALECTS.minimax, { alwaysThinks: true, replaysThinking: true }),
  family("gpt-oss", /gpt-oss/, DIALECTS.harmony, { thinking: "gpt-oss", alwaysThinks: true, digits: "triple" }),
  family("Gemma 4", /gemma-?4/, DIALECTS.gemma, { vision: true, thinking: "enable_thinking", digits: "single" }),
  family("Gemma", /gemma/, DIALECTS.gemma, { vision: /gemma-?3(?!.1b)/, digits: "single" }),
  family("Gemini 3", /gemini-(?:[3-9]|(?:pro|flash)-latest)/, DIALECTS.plain, { vision: true, signsCalls: true }),
  family("Seed-OSS", /seed-oss/, DIALECTS.seed, { thinking: "seed-oss" }),
  family("Llama", /llama|dracarys/, DIALECTS.llama,
    { vision: /vision|maverick|scout|llama-?4/, singleCalls: true, digits: "triple" }),
  family("Phi, Granite", /phi-?[34]|granite/, DIALECTS.phi),
  family("Muse", /muse/, DIALECTS.muse, { vision: true, alwaysThinks: true }),
  family("Inkling", /inkling/, DIALECTS.inkling, { vision: true, alwaysThinks: true }),
];

/** What is taken for granted of a model nobody has described. */
const UNKNOWN_FAMILY: Family = family("unknown", /(?:)/, DIALECTS.plain, {
  vision: /vl\b|vision|omni|claude|gemini|gpt-(?:4[.o]|[5-9])|grok-[4-9]|llava|minicpm-v/,
});

/** Finds the family of an upstream model id, such as `moonshotai/kimi-k2.6`. */
function toFamily(model: string): Family {
  const id = model.toLowerCase();
  return FAMILIES.find(({ pattern }) => pattern.test(id)) ?? UNKNOWN_FAMILY;
}
// lib/models/roster.ts ----------------------------------------------------------------------
/** What is known of one model, beyond what its family says; whatever is absent is the family's or unknown. */
export interface ModelRow {
  /** Its id at the upstream, as that spells it. */
  id: string;
  /** Most tokens of prompt and answer together; where sources differ, the smaller number. */
  context?: number;
  /** Most tokens of an answer; where sources differ, the smaller number. */
  maxOutput?: number;
  /** Whether it is served with tools. @default {true} */
  tools?: boolean;
  /** Whether it sees images. @default {as its family} */
  vision?: boolean;
  /** Whether it can think. @default {as its family} */
  reasoning?: boolean;
  /** Id of the model to ask instead when it is gone or does not answer. */
  successor?: string;
  /** When it ended, an ISO day or month: the first at which it was seen to be gone. Of a wrong spelling, when the right one did. */
  gone?: string;
  /** Whether it is asked for whole answers, because its streams lose something. @default {false} */
  wholeAnswers?: boolean;
  /** Name of its family, for an id that does not tell. */
  family?: string;
  /** The host that serves it, if that is not NVIDIA. */
  host?: string;
}

/** What is known of a model, completed by its family; numbers nobody knows are `Infinity`. */
export type Model =
  & Required<Omit<ModelRow, "family" | "successor" | "gone" | "host">>
  & Pick<ModelRow, "successor" | "gone" | "host">
  & { family: Family };

/** The models people use through NVIDIA or used through earlier tools, as of 2026-09; what they teach overrides it. */
// deno-fmt-ignore: a table reads best with one model a row
export const ROSTER: readonly ModelRow[] = [
  { id: "nvidia/nemotron-3-super-120b-a12b", context: 262_144, maxOutput: 262_144 },
  { id: "nvidia/nemotron-3-ultra-550b-a55b", context: 1_000_000, maxOutput: 65_536 },
  { id: "nvidia/nemotron-3-nano-30b-a3b", context: 131_072, maxOutput: 131_072 },
  { id: "nvidia/nemotron-nano-3-30b-a3b", context: 131_072, maxOutput: 131_072, successor: "nvidia/nemotron-3-nano-30b-a3b" },
  { id: "nvidia/nemotron-3-nano-omni-30b-a3b-reasoning", context: 256_000, maxOutput: 65_536 },
  { id: "nvidia/nemotron-3.5-lightning-30b-a3b", context: 262_144, maxOutput: 262_144 },
  { id: "openai/gpt-oss-120b", context: 128_000, maxOutput: 8192 },
  { id: "openai/gpt-oss-20b", context: 131_072, maxOutput: 32_768 },
  { id: "z-ai/glm-5.2", context: 131_072, maxOutput: 131_072 },
  { id: "minimaxai/minimax-m3", context: 1_000_000, maxOutput: 16_384 },
  { id: "deepseek-ai/deepseek-v4-flash-0731", context: 1_000_000, maxOutput: 384_000 },
  { id: "deepseek-ai/deepseek-v4-pro-0813", context: 1_000_000, maxOutput: 384_000, successor: "deepseek-ai/deepseek-v4-flash-0731" },
  { id: "moonshotai/kimi-k3", context: 1_048_576, maxOutput: 131_072, successor: "nvidia/nemotron-3-super-120b-a12b" },
  { id: "google/gemma-4-31b-it", context: 256_000, maxOutput: 16_384 },
  { id: "google/diffusiongemma-26b-a4b-it" },
  { id: "mistralai/mistral-small-4-119b-2603", context: 128_000, maxOutput: 8192 },
  { id: "mistralai/mistral-nemotron", context: 128_000, maxOutput: 8192 },
  { id: "stepfun-ai/step-3.7-flash", context: 256_000, maxOutput: 16_384 },
  { id: "poolside/laguna-xs-2.1", context: 262_144, maxOutput: 16_384 },
  { id: "thinkingmachines/inkling", context: 1_048_576, maxOutput: 16_384 },
  { id: "meta/muse-glimmer-30b", context: 131_072, maxOutput: 131_072 },
  { id: "qwen/qwen3.5-397b-a17b", context: 262_144, maxOutput: 8192, successor: "qwen/qwen3.5-122b-a10b" },
  { id: "qwen/qwen3.5-122b-a10b", context: 262_144, maxOutput: 65_536, successor: "nvidia/nemotron-3-super-120b-a12b" },
  { id: "bytedance/seed-oss-36b-instruct", context: 131_072, maxOutput: 131_072 },
  { id: "nvidia/llama-3.3-nemotron-super-49b-v1.5", context: 131_072, maxOutput: 65_536 },
  { id: "nvidia/nvidia-nemotron-nano-9b-v2", context: 131_072, maxOutput: 131_072 },
  { id: "nvidia/nemotron-nano-12b-v2-vl", context: 128_000, maxOutput: 8192 },
  { id: "nvidia/cosmos-reason2-8b", context: 262_144, maxOutput: 16_384, reasoning: true },
  { id: "nvidia/nemotron-mini-4b-instruct", context: 4096, maxOutput: 2048, tools: false },
  { id: "meta/llama-3.1-8b-instruct", context: 16_000, maxOutput: 4096 },
  { id: "meta/llama-3.1-70b-instruct", context: 128_000, maxOutput: 4096 },
  { id: "meta/llama-3.2-1b-instruct", context: 128_000, maxOutput: 4096 },
  { id: "meta/llama-3.2-3b-instruct", context: 32_768, maxOutput: 32_000, tools: false },
  { id: "meta/llama-3.2-11b-vision-instruct", context: 128_000, maxOutput: 4096 },
  { id: "meta/llama-3.2-90b-vision-instruct", context: 128_000, maxOutput: 4096 },
  { id: "abacusai/dracarys-llama-3.1-70b-instruct", context: 128_000, maxOutput: 8192 },
  { id: "sarvamai/sarvam-m", context: 32_768, maxOutput: 8192 },
  { id: "microsoft/phi-4-mini-instruct", context: 131_072, maxOutput: 8192 },
  // Gone.
  { id: "moonshotai/kimi-k2-instruct", context: 131_072, maxOutput: 8192, successor: "moonshotai/kimi-k3", gone: "2026-07" },
  { id: "moonshotai/kimi-k2-instruct-0905", context: 131_072, successor: "moonshotai/kimi-k3", gone: "2026-07" },
  { id: "moonshotai/kimi-k2-thinking", context: 131_072, maxOutput: 16_384, successor: "moonshotai/kimi-k3", gone: "2026-07" },
  { id: "moonshotai/kimi-k2.5", context: 262_144, maxOutput: 16_384, successor: "moonshotai/kimi-k2.6", gone: "2026-05" },
  { id: "moonshotai/kimi-k2.6", context: 262_144, maxOutput: 262_144, successor: "moonshotai/kimi-k3", gone: "2026-07-07" },
  { id: "z-ai/glm4.7", context: 131_072, maxOutput: 16_384, successor: "z-ai/glm-5.2", gone: "2026-05-14" },
  { id: "z-ai/glm5", context: 202_752, maxOutput: 16_384, successor: "z-ai/glm-5.2", gone: "2026-05" },
  { id: "z-ai/glm-5.1", context: 131_072, maxOutput: 131_072, successor: "z-ai/glm-5.2", gone: "2026-07-02" },
  { id: "minimaxai/minimax-m2.1", context: 204_800, maxOutput: 8192, successor: "minimaxai/minimax-m3", gone: "2026-05" },
  { id: "minimaxai/minimax-m2.5", context: 204_800, maxOutput: 8192, successor: "minimaxai/minimax-m3", gone: "2026-05" },
  { id: "minimaxai/minimax-m2.7", context: 196_608, maxOutput: 131_072, successor: "minimaxai/minimax-m3", gone: "2026-07-27" },
  { id: "deepseek-ai/deepseek-v3.1", context: 131_072, maxOutput: 16_384, successor: "deepseek-ai/deepseek-v4-flash-0731", gone: "2026-07" },
  { id: "deepseek-ai/deepseek-v3.1-terminus", context: 131_072, maxOutput: 16_384, successor: "deepseek-ai/deepseek-v4-flash-0731", gone: "2026-07" },
  { id: "deepseek-ai/deepseek-v3.2", context: 131_072, maxOutput: 16_384, successor: "deepseek-ai/deepseek-v4-flash-0731", gone: "2026-07" },
  { id: "deepseek-ai/deepseek-v4-pro", context: 1_048_576, maxOutput: 393_216, successor: "deepseek-ai/deepseek-v4-pro-0813", gone: "2026-08-07" },
  { id: "deepseek-ai/deepseek-v4-flash", context: 1_048_576, maxOutput: 393_216, successor: "deepseek-ai/deepseek-v4-flash-0731", gone: "2026-08-08" },
  { id: "deepseek-ai/deepseek-r1", context: 131_072, tools: false, successor: "deepseek-ai/deepseek-v4-flash-0731", gone: "2026-03" },
  { id: "deepseek-ai/deepseek-r1-0528", context: 131_072, tools: false, successor: "deepseek-ai/deepseek-v4-flash-0731", gone: "2026-03" },
  { id: "deepseek/deepseek-r1-0528", tools: false, successor: "deepseek-ai/deepseek-r1-0528", gone: "2026-03" },
  { id: "qwen/qwen3-coder-480b-a35b-instruct", context: 262_144, maxOutput: 65_536, successor: "qwen/qwen3.5-122b-a10b", gone: "2026-06-11" },
  { id: "qwen/qwen3-coder-480b-a22b", successor: "qwen/qwen3-coder-480b-a35b-instruct", gone: "2026-06-11" },
  { id: "qwen/qwen3-235b-a22b", context: 131_072, successor: "qwen/qwen3.5-122b-a10b", gone: "2026-03" },
  { id: "qwen/qwen3-next-80b-a3b-instruct", context: 131_072, maxOutput: 16_384, successor: "qwen/qwen3.5-122b-a10b", gone: "2026-09-05" },
  { id: "qwen/qwen3-next-80b-a3b-thinking", context: 131_072, maxOutput: 16_384, successor: "qwen/qwen3.5-122b-a10b", gone: "2026-09-05" },
  { id: "qwen/qwen2.5-coder-32b-instruct", context: 128_000, maxOutput: 4096, successor: "qwen/qwen3.5-122b-a10b", gone: "2026-07" },
  { id: "qwen/qwq-32b", context: 131_072, maxOutput: 4096, successor: "qwen/qwen3.5-122b-a10b", gone: "2026-07" },
  { id: "meta/llama-3.3-70b-instruct", context: 128_000, maxOutput: 4096, successor: "meta/llama-3.1-70b-instruct", gone: "2026-09-05" },
  { id: "meta/llama-4-maverick-17b-128e-instruct", context: 128_000, maxOutput: 4096, successor: "google/gemma-4-31b-it", gone: "2026-09-05" },
  { id: "meta/llama-4-scout-17b-16e-instruct", context: 128_000, maxOutput: 4096, successor: "google/gemma-4-31b-it", gone: "2026-09-05" },
  { id: "mistralai/mistral-large-3-675b-instruct-2512", context: 131_072, maxOutput: 16_384, successor: "mistralai/mistral-small-4-119b-2603", gone: "2026-07-26" },
  { id: "mistralai/devstral-2-123b-instruct-2512", context: 262_144, maxOutput: 32_768, successor: "mistralai/mistral-small-4-119b-2603", gone: "2026-07" },
  { id: "mistralai/mistral-medium-3-instruct", context: 131_072, maxOutput: 32_768, tools: false, successor: "mistralai/mistral-small-4-119b-2603", gone: "2026-07" },
  { id: "mistralai/magistral-small-2506", context: 32_768, maxOutput: 32_768, tools: false, reasoning: true, successor: "mistralai/mistral-small-4-119b-2603", gone: "2026-07" },
  { id: "stepfun-ai/step-3.5-flash", context: 131_072, maxOutput: 16_384, successor: "stepfun-ai/step-3.7-flash", gone: "2026-07" },
  { id: "nvidia/llama-3.1-nemotron-ultra-253b-v1", context: 131_072, maxOutput: 32_768, successor: "nvidia/nemotron-3-ultra-550b-a55b", gone: "2026-07" },
  { id: "nvidia/llama-3.3-nemotron-super-49b-v1", context: 131_072, successor: "nvidia/llama-3.3-nemotron-super-49b-v1.5" },
  { id: "google/gemma-3-27b-it", context: 131_072, maxOutput: 4096, successor: "google/gemma-4-31b-it", gone: "2026-07" },
  { id: "google/gemma-3n-e2b-it", context: 128_000, maxOutput: 4096, successor: "google/gemma-4-31b-it", gone: "2026-07" },
  { id: "google/gemma-3n-e4b-it", context: 128_000, maxOutput: 4096, successor: "google/gemma-4-31b-it", gone: "2026-07" },
  // Elsewhere.
  { id: "minimax-m2.5-free", host: "zen" },
  { id: "nemotron-3-super-free", host: "zen" },
  { id: "big-pickle", host: "zen" },
  { id: "ring-2.6-1t-free", host: "zen" },
  { id: "stepfun/step-3.5-flash:free", host: "openrouter" },
  { id: "arcee-ai/trinity-large-preview:free", host: "openrouter" },
  { id: "qwen/qwen-2.5-coder-32b-instruct", host: "openrouter" },
  { id: "local-model", host: "local" },
];

/** What is used at NVIDIA when nobody chooses: steady models, those that step in in this order. */
export const DEFAULT_MODELS: { elite: string; speed: string; fallbacks: readonly string[] } = {
  elite: "nvidia/nemotron-3-super-120b-a12b",
  speed: "nvidia/nemotron-3-nano-30b-a3b",
  fallbacks: [
    "nvidia/nemotron-3-super-120b-a12b",
    "openai/gpt-oss-120b",
    "z-ai/glm-5.2",
    "minimaxai/minimax-m3",
    "deepseek-ai/deepseek-v4-flash-0731",
  ],
};

const ROWS_BY_ID: ReadonlyMap<string, ModelRow> = new Map(ROSTER.map((row) => [row.id.toLowerCase(), row]));

/**
 * What is known of a model.
 *
 * @param id Its upstream id in any case; one that no table has is known as its family, as other hosts spell it too.
 * @param rows The user's own rows: they override the roster's field by field, the first the others.
 */
export function toModel(id: string, rows: readonly ModelRow[] = []): Model {
  const key = id.toLowerCase();
  const own = rows.filter((row) => row.id.toLowerCase() === key).reverse();
  const stated = own.flatMap((row) => Object.entries(row).filter(([, value]) => value !== undefined));
  const { family: name, ...row }: Partial<ModelRow> = { ...ROWS_BY_ID.get(key), ...Object.fromEntries(stated) };
  const family = FAMILIES.find((one) => one.name === name) ?? toFamily(id);
  const { vision, thinking, alwaysThinks = false } = family;
  return {
    context: Infinity,
    maxOutput: Infinity,
    tools: true,
    wholeAnswers: false,
    vision: typeof vision === "boolean" ? vision : vision.test(key),
    reasoning: thinking !== undefined || alwaysThinks,
    ...row,
    id,
    family,
  };
}

/** The models to ask instead of one, the nearest first; a table that goes in circles ends where it began. */
export function toSuccessors(id: string, rows: readonly ModelRow[] = []): string[] {
  const chain = new Set([id]);
  for (const one of chain) {
    const { successor } = toModel(one, rows);
    if (successor !== undefined) chain.add(successor);
  }
  return [...chain].slice(1);
}
// lib/routing/tasks.ts ----------------------------------------------------------------------
/** What the user's words ask for. */
export type Task = "ui_complex" | "ui_quick" | "coding" | "reasoning" | "longcontext" | "fast";

/** All tasks, in the order that settles a tie. */
const TASKS: readonly Task[] = ["ui_complex", "ui_quick", "coding", "reasoning", "longcontext", "fast"];

/** A task, or what shows without the user's words. */
export type RoutedTask = Task | "think" | "image" | "background" | "safety";
// lib/routing/routing_options.ts ------------------------------------------------------------
/** A host of models; one that is known by name needs only what is different. */
export interface BackendOptions {
  /** Address up to and including `/v1`; with Anthropic's format also what is before that. */
  baseUrl?: string;
  /** The key, sent as a bearer token; a config file names a variable instead. */
  apiKey?: string | undefined;
  /** The environment variable that holds the key: the command line reads it, a program is only told its name. */
  apiKeyEnv?: string;
  /** Upstream id of the model for the main work, if this is the default backend and nobody chose one. */
  defaultModel?: string;
  /** What it speaks; Anthropic's own format is passed on without translation. @default {"openai"} */
  format?: "openai" | "anthropic";
  /** Headers for each of its requests. @default {{}} */
  headers?: Record<string, string>;
  /** Most calls in any `rateWindow`; 0 is no limit. @default {the limit of the proxy} */
  rateLimit?: number;
  /** Milliseconds in which `rateLimit` calls may start. @default {60_000} */
  rateWindow?: number;
  /** Most calls at once; 0 is no limit. @default {the limit of the proxy} */
  maxConcurrency?: number;
}

/** A name for a model, with everything about how it is asked. */
export interface ProfileOptions {
  /** Name of its host. @default {the default backend} */
  backend?: string;
  /** The upstream's name of the model. */
  providerModel: string;
  /** How often it is asked when it fails, other models in between. @default {1} */
  retryAttempts?: number;
  /** Milliseconds before it is asked again, doubled with each time to a minute at most. @default {500, to 4 seconds} */
  retryBaseDelayMs?: number;
  /** Fields that each request to it gets. @default {{}} */
  extraBody?: JsonObject;
  /** What it can do, where the roster is wrong or says nothing. @default {{}} */
  capabilities?: { toolCalls?: boolean; coding?: boolean; vision?: boolean; reasoning?: boolean };
  /** Its context window, in tokens. @default {what the roster says} */
  context?: number;
  /** Its most output tokens. @default {what the roster says} */
  maxOutput?: number;
  /** Models that step in for it before all others. @default {[]} */
  fallbacks?: string[];
}

/** Where requests may go: what a config file says of it. */
export interface RoutingOptions {
  /** Name of the host for models that name none. @default {"nvidia"} */
  defaultBackend?: string;
  /** Hosts by name. @default {those known without configuration} */
  backends?: Record<string, BackendOptions>;
  /** Models by the name a client asks for. @default {{}} */
  modelProfiles?: Record<string, ProfileOptions>;
  /** The same in short; profiles win. @default {{}} */
  modelMap?: Record<string, { backend: string; model: string }>;
  /** Models the roster does not know, or is wrong about. @default {[]} */
  models?: ModelRow[];
  /** Models for tasks. @default {{}} */
  tasks?: Partial<Record<RoutedTask, string>>;
}

/** Tiers in the names of Anthropic's models that may be given a model of their own. */
export type Tier = "opus" | "sonnet" | "haiku";

/** Everything that decides where a request goes. */
export interface RouterOptions extends RoutingOptions {
  /** Key for the default backend; the environment is not read. */
  apiKey?: string | undefined;
  /** Address of the default backend. */
  baseUrl?: string | undefined;
  /** The model for the main work. @default {the default backend's, else a steady one of NVIDIA's} */
  model?: string | undefined;
  /** Models for Claude Code's tiers. @default {`model`, for haiku on NVIDIA a small one} */
  tiers?: Readonly<Partial<Record<Tier, string | undefined>>>;
  /** Whether the models of tiers may think. @default {as `thinking` says} */
  tierThinking?: Readonly<Partial<Record<Tier, boolean | undefined>>>;
  /** Models to list for clients beside all that are used. @default {[]} */
  listed?: readonly string[];
  /** Models that step in, in this order, when the one that was chosen fails. @default {on NVIDIA steady ones, else []} */
  fallbacks?: readonly string[];
  /** Whether models may think when the client asks for it. @default {true} */
  thinking?: boolean;
  /** Most calls of one upstream account in any `rateWindow`; 0 is no limit. @default {for NVIDIA 40, else 0} */
  rateLimit?: number | undefined;
  /** Milliseconds in which `rateLimit` calls may start. @default {60_000} */
  rateWindow?: number;
  /** Most calls of one upstream account at once; 0 is no limit. @default {for NVIDIA 8, else 0} */
  maxConcurrency?: number | undefined;
}
// lib/config/nearest.ts ---------------------------------------------------------------------
/** Words that are less alike than this are not taken for each other: two letters exchanged in four leave as much. */
const LEAST_LIKENESS = 0.4;

/** How alike two words are, from 0 to 1, by the pairs of letters they share, their ends included (Dice's coefficient). */
function toLikeness(...words: [one: string, other: string]): number {
  const [a, b] = words.map((word) =>
    Array.from(`${word} `, (letter, i) => ((word[i - 1] ?? " ") + letter).toLowerCase())
  );
  return 2 * a!.filter((pair) => b!.includes(pair)).length / (a!.length + b!.length);
}

/** Finds the known word that somebody may have meant; nothing if none is alike. */
function findNearest(word: string, known: readonly string[]): string | undefined {
  const [nearest = ""] = known.toSorted((a, b) => toLikeness(word, b) - toLikeness(word, a));
  return toLikeness(word, nearest) >= LEAST_LIKENESS ? nearest : undefined;
}
// lib/config/json_schema.ts -----------------------------------------------------------------
type TypeRule = readonly [words: string, fits: (value: unknown) => boolean];

/** What each type is called in messages, and what is of it. */
const RULE_BY_TYPE = {
  string: ["a string", (value) => typeof value === "string"],
  integer: ["a whole number", Number.isInteger],
  boolean: ["true or false", (value) => typeof value === "boolean"],
  object: ["an object", isJsonObject],
  array: ["a list", Array.isArray],
} satisfies Record<string, TypeRule>;

type SchemaType = keyof typeof RULE_BY_TYPE;

/** The part of JSON Schema (draft 2020-12) that {@linkcode checkSchema} knows; `title` is what messages expect. */
interface JsonSchema {
  $schema?: string;
  title?: string;
  description?: string;
  type?: SchemaType | readonly SchemaType[];
  enum?: readonly string[];
  minimum?: number;
  maximum?: number;
  pattern?: string;
  items?: JsonSchema;
  properties?: Readonly<Record<string, JsonSchema>>;
  required?: readonly string[];
  additionalProperties?: boolean | JsonSchema;
  /** Nothing fits: for a key that people write although they must not. */
  not?: Record<string, never>;
}

/** What is wrong at a place such as `models.0.id`; the path of the whole value is empty. */
type SchemaProblem = { path: string; expected: string; got: string };

/** Longer strings are not shown, nor passwords: keys of hosts have 50 letters and more, and end up in the wrong place. */
const LONGEST_SHOWN = 40;

function toRules({ type = [] }: JsonSchema): readonly TypeRule[] {
  return [type].flat().map((name) => RULE_BY_TYPE[name]);
}

function toExpected(schema: JsonSchema): string {
  const { title, enum: words, minimum, maximum } = schema;
  if (title) return title;
  if (words) return words.map((word) => `'${word}'`).join(" or ");
  const range = maximum === undefined ? ` of ${minimum} or more` : ` from ${minimum} to ${maximum}`;
  return toRules(schema).map(([words]) => words).join(" or ") + (minimum === undefined ? "" : range);
}

/** How messages show what they got. */
function toGot(value: unknown): string {
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object";
  if (typeof value !== "string") return value === undefined ? "nothing" : String(value);
  return value.length > LONGEST_SHOWN || /^\s*http.*@/i.test(value)
    ? `a string of ${value.length} characters`
    : `'${value}'`;
}

/** Whether a value fits, whatever is in it. */
function fitsOutside(value: unknown, schema: JsonSchema): boolean {
  const { enum: words, minimum = -Infinity, maximum = Infinity, pattern = "" } = schema;
  const rules = toRules(schema);
  if (schema.not || (rules.length > 0 && !rules.some(([, fits]) => fits(value)))) return false;
  if (words && !words.some((word) => word === value)) return false;
  if (typeof value === "number") return value >= minimum && value <= maximum;
  return typeof value !== "string" || new RegExp(pattern, "u").test(value);
}

/** What may stand instead of an unknown key: the one most like it, or any if none is. */
function toExpectedKey(key: string, known: readonly string[]): string {
  const nearest = findNearest(key, known);
  return `a known key (${nearest === undefined ? known.join(", ") : `did you mean '${nearest}'?`})`;
}

/** Finds all that is wrong with a value; where a value is wrong itself, nothing inside it. */
function checkSchema(value: unknown, schema: JsonSchema, path = ""): SchemaProblem[] {
  const at = (key: string | number) => path ? `${path}.${key}` : `${key}`;
  if (!fitsOutside(value, schema)) {
    return [{ path, expected: toExpected(schema), got: schema.not ? "one" : toGot(value) }];
  }
  const { items = {}, properties = {}, required = [], additionalProperties: others = true } = schema;
  if (Array.isArray(value)) return value.flatMap((entry, i) => checkSchema(entry, items, at(i)));
  if (!isJsonObject(value)) return [];
  const missing = required.filter((key) => !Object.hasOwn(value, key));
  const inside = Object.entries(value).flatMap(([key, entry]) => {
    // Only own ones: every object has a property called "constructor".
    const known = Object.hasOwn(properties, key) ? properties[key] : others;
    if (typeof known === "object") return checkSchema(entry, known, at(key));
    return known ? [] : [{ path, expected: toExpectedKey(key, Object.keys(properties)), got: toGot(key) }];
  });
  return [
    ...missing.map((key) => ({ path: at(key), expected: toExpected(properties[key] ?? {}), got: "nothing" })),
    ...inside,
  ];
}
// lib/config/config_schema.ts ---------------------------------------------------------------
/** What messages call an address of a backend. */
const AN_ADDRESS = "an address such as https://host/v1, without a password";
const A_MODEL = "a model id";
const A_BACKEND = "a backend";

/** A schema for each key of a type: the type check finds one that is missing or too many. */
type Properties<Key extends string> = Record<Key, JsonSchema>;

const ofText = (title: string, description: string, pattern = "\\S"): JsonSchema => ({
  type: "string",
  pattern,
  title,
  description,
});
const ofCount = (minimum: number, description: string): JsonSchema => ({ type: "integer", minimum, description });
const ofFlag = (description: string): JsonSchema => ({ type: "boolean", description });
const ofList = (items: JsonSchema, description: string): JsonSchema => ({ type: "array", items, description });
const ofMap = (values: JsonSchema, description: string): JsonSchema => ({
  type: "object",
  additionalProperties: values,
  description,
});
const ofRecord = (properties: Properties<string>, description: string, ...required: string[]): JsonSchema => ({
  type: "object",
  properties,
  required,
  additionalProperties: false,
  description,
});

const BACKEND_KEYS: Properties<Exclude<keyof BackendOptions, "rateWindow"> | "rateWindowSeconds"> = {
  baseUrl: ofText(AN_ADDRESS, "Address up to and including /v1. A built-in name has one.", "^https?://(?![^/]*@)\\S+$"),
  apiKey: {
    not: {},
    title: "no key in this file (name the variable that holds it in 'apiKeyEnv')",
    description: "Not here: secrets do not belong in this file. Use apiKeyEnv.",
  },
  apiKeyEnv: ofText("the name of an environment variable", "The variable that holds the key.", "^[A-Za-z_]\\w*$"),
  defaultModel: ofText(A_MODEL, "Model for the main work, if this is the defaultBackend and nobody chose one."),
  format: {
    enum: ["openai", "anthropic"],
    description: "What it speaks: chat completions (the default), or messages, which are passed on as they are.",
  },
  headers: ofMap({ type: "string" }, "Headers for each request. They are no place for secrets."),
  rateLimit: ofCount(0, "Most requests in any rateWindowSeconds. 0 is no limit."),
  rateWindowSeconds: { ...ofCount(1, "Seconds over which requests are counted."), maximum: 86_400 },
  maxConcurrency: ofCount(0, "Most requests at once. 0 is no limit."),
};

const CAPABILITY_KEYS: Properties<keyof NonNullable<ProfileOptions["capabilities"]>> = {
  toolCalls: ofFlag("Whether it calls tools."),
  coding: ofFlag("For people: Arbiter does not use it."),
  vision: ofFlag("Whether it sees images."),
  reasoning: ofFlag("Whether it thinks before it answers."),
};

const PROFILE_KEYS: Properties<keyof ProfileOptions | "notes"> = {
  backend: ofText(A_BACKEND, "Where the model is. Without it, the defaultBackend."),
  providerModel: ofText(A_MODEL, "The model's id there."),
  retryAttempts: ofCount(0, "How often it is asked when it fails, other models in between. 0 and 1 are both once."),
  retryBaseDelayMs: ofCount(
    0,
    "Milliseconds before it is asked again. Each further time waits twice as long, at most a minute.",
  ),
  extraBody: { type: "object", description: "Fields for the body of each request, such as chat_template_kwargs." },
  capabilities: ofRecord(CAPABILITY_KEYS, "What the model can do, where you know better than Arbiter."),
  notes: { type: ["string", "array"], items: { type: "string" }, description: "For people. Arbiter ignores them." },
  context: ofCount(1, "Tokens that fit into its window, the answer included."),
  maxOutput: ofCount(1, "Most tokens of one answer."),
  fallbacks: ofList(
    ofText(A_MODEL, "A name of modelProfiles or modelMap, or a model's id."),
    "Who steps in, in order.",
  ),
};

const ROW_KEYS: Properties<Exclude<keyof ModelRow, "gone" | "host">> = {
  id: ofText(A_MODEL, "The model's id at its host."),
  context: PROFILE_KEYS.context,
  maxOutput: PROFILE_KEYS.maxOutput,
  tools: CAPABILITY_KEYS.toolCalls,
  vision: CAPABILITY_KEYS.vision,
  reasoning: CAPABILITY_KEYS.reasoning,
  successor: ofText(A_MODEL, "The model that takes its place once it is retired."),
  wholeAnswers: ofFlag("Whether it is asked for whole answers, because its streams lose something."),
  family: { enum: FAMILIES.map(({ name }) => name), description: "The family it belongs to, if its id does not tell." },
};

const TASK_KEYS: Properties<RoutedTask> = {
  coding: ofText(A_MODEL, "For writing and mending code."),
  reasoning: ofText(A_MODEL, "For planning, proofs and analysis."),
  longcontext: ofText(A_MODEL, "For work on many files or long documents."),
  ui_complex: ofText(A_MODEL, "For designing whole user interfaces."),
  ui_quick: ofText(A_MODEL, "For small work on user interfaces."),
  fast: ofText(A_MODEL, "For short questions."),
  think: ofText(A_MODEL, "For requests that ask for as much thinking as can be (effort max)."),
  image: ofText(A_MODEL, "For requests with images."),
  background: ofText(A_MODEL, "For what Claude Code does by the way, such as titles."),
  safety: ofText(A_MODEL, "For checks whether a command is safe."),
};

const MAPPED_KEYS: Properties<"backend" | "model"> = {
  backend: ofText(A_BACKEND, "Where the model is."),
  model: ofText(A_MODEL, "The model's id there."),
};

const FILE_KEYS: Properties<keyof RoutingOptions | "$schema" | "port"> = {
  $schema: { type: "string", description: "Where this schema is, for editors." },
  port: { ...ofCount(0, "Port to listen on. 0 takes any free one."), maximum: 65_535 },
  defaultBackend: ofText(A_BACKEND, "The backend of models that name none."),
  backends: ofMap(
    ofRecord(BACKEND_KEYS, "A host."),
    "Hosts by name. One with a built-in name changes only what it says.",
  ),
  modelProfiles: ofMap(
    ofRecord(PROFILE_KEYS, "A model, and how it is asked.", "providerModel"),
    "Models by the name a client asks for. They count more than modelMap.",
  ),
  modelMap: ofMap(
    ofRecord(MAPPED_KEYS, "A model.", "backend", "model"),
    "Models by the name a client asks for, in short.",
  ),
  models: ofList(ofRecord(ROW_KEYS, "A model.", "id"), "Models that Arbiter does not know, or describes wrongly."),
  tasks: ofRecord(TASK_KEYS, "Models for tasks: names of modelProfiles or modelMap, or model ids."),
};

/**
 * The config file as JSON Schema: the shape of Claudia-Router's config.json, and more keys. `arbiter.schema.json` is
 * written from it.
 */
const CONFIG_SCHEMA: JsonSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  ...ofRecord(FILE_KEYS, "Where Arbiter's requests go. Comments and trailing commas are allowed."),
};
// lib/routing/backends.ts -------------------------------------------------------------------
/** A host that needs no configuration: where it is, what its key and its address may be called in the environment. */
type BackendRow = BackendOptions & {
  baseUrl: string;
  /** What earlier tools call it in front of a model's name. */
  aliases: readonly string[];
  /** Variables of the key, the first is the one to tell people; none where no key is needed. */
  keyNames: readonly string[];
  /** Variables of the address. */
  urlNames: readonly string[];
  /** How it wants thinking switched, if not as the family of the model does. */
  thinkingSwitch?: ThinkingSwitch;
};

/** The name of the host that is used when nobody chooses one. */
const DEFAULT_BACKEND = "nvidia";
/** Where NVIDIA serves its free hosted models. */
const NVIDIA_BASE_URL = "https://integrate.api.nvidia.com/v1";

const names = (text: string): string[] => text.split(" ").filter(Boolean);
function row(baseUrl: string, keys: string, urls: string, aliases: string, more: Partial<BackendRow> = {}): BackendRow {
  return { baseUrl, keyNames: names(keys), urlNames: names(urls), aliases: names(aliases), ...more };
}

/**
 * Hosts by name. The original Arbiter takes a leading `openai/` off its models' names. NVIDIA's free accounts have about
 * 40 requests a minute; Zen's free models took any key until September 2026. Models for the main work are those of
 * earlier tools.
 */
// deno-fmt-ignore: a table reads best one row a line
const BACKENDS: ReadonlyMap<string, BackendRow> = new Map([
  ["nvidia", row(NVIDIA_BASE_URL, "NVIDIA_API_KEY NVIDIA_NIM_API_KEY NVIDIA_NIM_API_KEYS", "NVIDIA_BASE_URL", "nvidia_nim nim openai", {
    rateLimit: 40, rateWindow: 60_000, maxConcurrency: 8, defaultModel: DEFAULT_MODELS.elite,
  })],
  ["openrouter", row("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", "OPENROUTER_BASE_URL", "open_router", {
    thinkingSwitch: "openrouter", defaultModel: "qwen/qwen-2.5-coder-32b-instruct",
  })],
  ["zen", row("https://opencode.ai/zen/v1", "OPENCODE_API_KEY ZEN_API_KEY", "", "opencode", {
    apiKey: "public", defaultModel: "minimax-m2.5-free",
  })],
  ["moonshot", row("https://api.moonshot.ai/anthropic", "MOONSHOT_API_KEY", "MOONSHOT_BASE_URL", "kimi", {
    format: "anthropic", defaultModel: "kimi-k3",
  })],
  ["local", row("http://localhost:1234/v1", "LOCAL_API_KEY", "LM_STUDIO_BASE_URL LOCAL_BASE_URL", "lmstudio lm_studio", {
    defaultModel: "local-model",
  })],
  ["llamacpp", row("http://localhost:8080/v1", "", "LLAMACPP_BASE_URL", "llama_cpp", { defaultModel: "local-model" })],
  ["ollama", row("http://localhost:11434/v1", "", "OLLAMA_BASE_URL", "", { thinkingSwitch: "ollama" })],
]);
// lib/routing/command_answers.ts ------------------------------------------------------------
/** Makes Claude Code ask the user about a command, whatever has been allowed. */
const INJECTION = "command_injection_detected";

/**
 * A command that cannot be more than it seems: words of harmless characters with one blank between. What is not in the
 * list (quotes, escapes, variables, globs, redirection, a second command) is not parsed but left to the user.
 */
const PLAIN_COMMAND = /^[a-z][\w-]*(?: [\w./:,@+-][\w./:,@+=-]*)*$/;

/** Options that name a program to run, or settings that do: `--exec`, `-toolexec`, `--upload-pack`, `-c`, also cut short. */
const RUNS_OTHERS = / -+(?:e|x|upl|rec|tool|vet|c(?: |=|onf|omp)|[a-z]*flags)/i;

/** Commands that are their own prefix. */
const SINGLE_COMMANDS =
  "cat cd cp date df diff du echo file grep head ls mkdir mv pwd rmdir sleep stat tail touch tree " +
  "wc which whoami";

/** Commands whose prefix is two words, with the second words that run nothing named by the rest. */
const SUBCOMMANDS: ReadonlyMap<string, string> = new Map([
  ["git", "add branch checkout commit diff fetch log pull push reset restore rev-parse show stash status switch tag"],
  ["npm", "audit ci install ls outdated view"],
  ["docker", "images inspect logs ps pull version"],
  ["kubectl", "describe get logs version"],
  ["cargo", "build check clippy doc fmt test tree"],
  ["go", "build doc fmt list test version vet"],
  ["pip", "check freeze list show"],
  ["yarn", "add install list outdated why"],
  ["pnpm", "add install list outdated why"],
  ["bun", "add install outdated test"],
  ["deno", "check doc fmt info lint test"],
]);

const includesWord = (words: string, word: string): boolean => words.split(" ").includes(word);

/**
 * The prefix under which a user may allow a command for good: one word or two of a known command, `none` if there is no
 * such prefix, `command_injection_detected` for everything that is not plainly one command. Both make Claude Code ask.
 *
 * @param text The request's only text: a policy or nothing, then `Command: ` and the command.
 */
function toCommandPrefix(text: string): string {
  const [, command, ...others] = text.split(/^Command: ?|\n\nCommand: ?/);
  if (command?.trim() === "" && others.length === 0) return "none";
  if (command === undefined || others.length > 0 || !PLAIN_COMMAND.test(command)) return INJECTION;
  const [first = "", second = ""] = command.split(" ");
  const known = SUBCOMMANDS.get(first);
  if (RUNS_OTHERS.test(command) || (known && second.startsWith("-"))) return INJECTION;
  if (known && includesWord(known, second)) return `${first} ${second}`;
  return includesWord(SINGLE_COMMANDS, first) ? first : "none";
}

/** How many arguments stand before the files a command shows; all of them for commands that show none. */
const BEFORE_FILES: readonly (readonly [commands: string, count: number])[] = [
  ["cd dir ls mkdir pwd rm rmdir tree", Infinity],
  ["bat cat head less more tail type", 0],
  ["grep", 1],
];

/**
 * The files whose contents a command has shown, in the tags Claude Code asks for; nothing if that is not plain to see, as
 * with options, which may take an argument.
 *
 * @param text The request's only text: `Command: `, the command in one line, and `Output: ` in the next.
 */
function toFilePaths(text: string): string | undefined {
  const command = /^Command: (.*)\nOutput:/.exec(text)?.[1] ?? "";
  const [first = "", ...words] = PLAIN_COMMAND.test(command) ? command.split(" ") : [];
  const [, count] = BEFORE_FILES.find(([commands]) => includesWord(commands, first)) ?? [];
  const files = words.slice(count);
  const unclear = files.length === 0 || words.some((word) => word.startsWith("-"));
  if (count === undefined || (unclear && count < Infinity)) return undefined;
  const shown = `<is_displaying_contents>\n${files.length > 0}\n</is_displaying_contents>`;
  return `${shown}\n\n<filepaths>\n${files.map((file) => `${file}\n`).join("")}</filepaths>`;
}
// lib/routing/request_kind.ts ---------------------------------------------------------------
/** What Claude Code wants with a request: a turn of its main loop or of a subagent, or something on the side. */
export type RequestKind =
  | "main"
  | "subagent"
  | "compaction"
  | "title"
  | "quota"
  | "safety"
  | "suggestion"
  | "file_paths"
  | "command_prefix"
  | "web_search"
  | "web_page"
  | "auxiliary";

/** The classifier's system prompt has 141,000 characters, that of a turn rarely more than 20,000. */
const LEAST_SAFETY_SYSTEM = 20_000;

/** The classifier asks for 64 to 10,240 tokens, a turn for 32,000 and more unless the user says less. */
const MOST_SAFETY_TOKENS = 16_384;

/** The summary of a page comes with two short blocks; the main prompt is never below 5,700 characters. */
const MOST_PAGE_SYSTEM = 2000;

/** How a block of the system prompt begins in old versions' side requests. */
const PREFIX_TASK = "Your task is to process Bash commands that an AI coding agent wants to run";
const PATHS_TASK = "Extract any file paths that this command reads or modifies";
const SUMMARY_TASK = "You are a helpful AI assistant tasked with summarizing conversations";
const TOPIC_TASK = "Analyze if this message indicates a new conversation topic";

/** The texts of content, block by block; blocks of other types are left out. */
function toTexts(content: MessageContent | null | undefined): string[] {
  if (typeof content === "string") return [content];
  return content?.flatMap((block) => block.type === "text" ? [block.text] : []) ?? [];
}

/**
 * The text of a request without tools that is a single question: one message of the user's and nothing but text in it.
 * Old versions put the beginning of the answer after it, as a message of the assistant's.
 */
function toQuestion({ messages: [message, ...others], tools }: MessagesRequest): string | undefined {
  const alone = others.length === 0 || (others.length === 1 && others[0]?.role === "assistant");
  if (tools?.length || !alone || message?.role !== "user") return undefined;
  const texts = toTexts(message.content);
  return typeof message.content !== "string" && texts.length < message.content.length ? undefined : texts.join("");
}

const asks = (request: MessagesRequest, ...beginnings: string[]): boolean =>
  beginnings.some((beginning) => toQuestion(request)?.startsWith(beginning));

const isTold = (request: MessagesRequest, beginning: string): boolean =>
  toTexts(request.system).some((text) => text.trimStart().startsWith(beginning));

const toSystemSize = ({ system }: MessagesRequest): number =>
  toTexts(system).reduce((sum, text) => sum + text.length, 0);

/** The schema an answer must satisfy has a title. */
function wantsTitle({ output_config }: MessagesRequest): boolean {
  const { type, schema } = output_config?.format ?? {};
  return type === "json_schema" && isJsonObject(schema?.properties) && Object.hasOwn(schema.properties, "title");
}

/** Whether an old version asks for a topic and its title, as JSON without a schema. */
function asksForTopic(request: MessagesRequest): boolean {
  return isTold(request, TOPIC_TASK) && asks(request, "");
}

/** The head of the system prompt, unless it is switched off, says so. */
const isBilledToSubagent = ({ system }: MessagesRequest): boolean =>
  /^x-anthropic-billing-header:.*\bcc_is_subagent=true;/.test(toTexts(system)[0] ?? "");

/** Whether one of the hints is given: a header of Claude Code's without its `x-claude-`, or a value it must have. */
function isHinted(headers: Headers, hints: string): boolean {
  return hints.split(" ").some((hint) => {
    const [name, value] = hint.split("=");
    const given = headers.get(`x-claude-${name}`);
    return value === undefined ? given !== null : given === value;
  });
}

/**
 * How each kind is known, the first row that fits counts: by Claude Code's hint headers, or by a shape nobody can type.
 * A suggestion, a recap and a new compaction differ from a turn by the user's text only: without hints they are turns.
 */
const KIND_ROWS: readonly (readonly [RequestKind, shaped: (asked: MessagesRequest) => boolean, hints?: string])[] = [
  [
    "safety",
    (asked) =>
      asks(asked, "<transcript>") && asked.stream !== true && asked.max_tokens <= MOST_SAFETY_TOKENS &&
      toSystemSize(asked) >= LEAST_SAFETY_SYSTEM,
  ],
  ["quota", (asked) => asked.max_tokens === 1 && toQuestion(asked) === "quota"],
  ["command_prefix", (asked) => isTold(asked, PREFIX_TASK) && asks(asked, "<policy_spec>", "Command:")],
  ["file_paths", (asked) => isTold(asked, PATHS_TASK) && asks(asked, "Command:")],
  ["web_search", (asked) =>
    asked.tools?.length === 1 && !!asked.tools[0]?.type?.startsWith("web_search_") &&
    asks({ ...asked, tools: [] }, "Perform a web search for the query:")],
  ["web_page", (asked) => asks(asked, "\nWeb page content:") && toSystemSize(asked) <= MOST_PAGE_SYSTEM],
  ["compaction", (asked) => isTold(asked, SUMMARY_TASK), "code-compaction code-request-class=compaction"],
  [
    "title",
    (asked) => wantsTitle(asked) ? asks(asked, "<session>") : asksForTopic(asked),
    "1p-request-class=summary-extraction",
  ],
  ["suggestion", () => false, "1p-request-class=followup-generation"],
  ["subagent", isBilledToSubagent, "code-agent-id code-request-class=subagent 1p-request-class=blocking-subagent"],
  ["auxiliary", ({ tools }) => !tools?.length, "code-request-class=auxiliary"],
];

/**
 * Tells what a request of Claude Code's is for. Nothing a user types or quotes changes it: texts count only where the
 * client writes them, in its headers, its system prompt, or a question without tools.
 */
function toRequestKind(headers: Headers, request: MessagesRequest): RequestKind {
  const all = isHinted(headers, "code-request-class 1p-request-class");
  const row = KIND_ROWS.find(([, fits, hints = ""]) => isHinted(headers, hints) || (!(all && hints) && fits(request)));
  return row?.[0] ?? "main";
}
// lib/routing/local_answers.ts --------------------------------------------------------------
/** A side request that needs no model, by the name a user switches it with. */
export type LocalAnswer = "title" | "quota" | "suggestion" | "filepaths" | "prefix";

/** All of them. */
const LOCAL_ANSWERS: readonly LocalAnswer[] = ["title", "quota", "suggestion", "filepaths", "prefix"];
/** Those that are on unless the user says otherwise: nobody misses a model there. */
const USUAL_ANSWERS: readonly LocalAnswer[] = ["title", "quota"];

/** Claude Code's own instructions for a title say 3 to 7 words. */
const MOST_WORDS = 6;

/** Letters that take two columns and stand without blanks between words. */
const WIDE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;

/** What no title is made of: code, what the client adds in tags, tags, marks of Markdown, a command at the beginning. */
const NO_TITLE = [
  /```[^]*?(?:```|$)/g,
  /<(system-reminder|[a-z]+-command-\w+|command-\w+)>[^]*?<\/\1>/g,
  /<[^<>]*>/g,
  /^[\s#>*-]*(?:\/[\w:-]+(?=\s|$)|\d+[.)]\s)?|[`*]+|__+/gm,
];

/** A few words that name a session: the beginning of the first sentence in which the user says something. */
function toTitle(text: string): string {
  const plain = NO_TITLE.reduce((text, pattern) => text.replace(pattern, ""), text.slice(0, 4000));
  const sentence = plain.split(/[.!?;:,]+(?:\s|$)|[。！？；]|\n/).find((part) => /[\p{L}\p{N}]/u.test(part));
  const words = (sentence ?? "New session").trim().split(/\s+/).slice(0, MOST_WORDS).join(" ");
  const most = WIDE.test(words) ? 25 : 50; // In both cases 50 columns, which fit a line of Claude Code's list.
  const letters = [...words];
  const fitting = letters.slice(0, most).join("");
  const title = letters.length > most && letters[most] !== " " ? fitting.replace(/(\S) \S*$/, "$1") : fitting;
  const [first = ""] = title;
  return first.toUpperCase() + title.slice(first.length).trimEnd();
}

/** Whether a title alone satisfies a schema; limits on the title are for a model. */
function isTitleSchema({ properties, required }: Record<string, unknown>): boolean {
  const title = isJsonObject(properties) ? properties.title : undefined;
  return isJsonObject(title) && title.type === "string" &&
    Object.keys(title).every((key) => ["type", "description"].includes(key)) &&
    JSON.stringify(required) === '["title"]';
}

function toTitleAnswer(question: string, request: MessagesRequest): string | undefined {
  const schema = request.output_config?.format?.schema;
  const session = /^<session>([^]*?)(?:<\/session>|$)/.exec(question)?.[1];
  if (schema && isTitleSchema(schema) && session !== undefined) return JSON.stringify({ title: toTitle(session) });
  if (schema || !asksForTopic(request)) return undefined;
  const answer = JSON.stringify({ isNewTopic: true, title: toTitle(question) });
  return request.messages.length === 1 ? answer : answer.slice(1); // The client has written the first brace itself.
}

/** What answers which kind. A check of safety has no row: a wrong answer could run a command nobody approved. */
const ANSWER_ROWS: Record<
  LocalAnswer,
  readonly [kind: RequestKind, answer: (question: string, request: MessagesRequest) => string | undefined]
> = {
  title: ["title", toTitleAnswer],
  quota: ["quota", () => "OK"],
  // Claude Code takes this for no suggestion; an empty message would make it ask once more.
  suggestion: ["suggestion", () => "(silence)"],
  filepaths: ["file_paths", toFilePaths],
  prefix: ["command_prefix", toCommandPrefix],
};

/** What Claude Code's WebSearch gives to the model that called it, where a model without a web would make results up. */
const NO_SEARCH = "Nothing was searched: WebSearch runs on Anthropic's servers, and this session uses other models. " +
  "There are no sources. Try WebFetch with an address you know, or a search tool of an MCP server; else tell the user " +
  "that the web could not be searched.";

/**
 * Answers a side request without a model, if it wants what no model here can do, or if the user has switched that on and
 * the answer is plain to see.
 *
 * @returns The text to answer with; nothing if a model must be asked.
 */
function toLocalAnswer(
  kind: RequestKind,
  request: MessagesRequest,
  on: ReadonlySet<LocalAnswer>,
): string | undefined {
  if (kind === "web_search") return NO_SEARCH;
  const name = LOCAL_ANSWERS.find((name) => ANSWER_ROWS[name][0] === kind);
  return name && on.has(name) ? ANSWER_ROWS[name][1](toQuestion(request) ?? "", request) : undefined;
}
// lib/wire/slashes.ts -----------------------------------------------------------------------
/** An address or a path without the slashes at its end; a pattern for that would be quadratic in slashes elsewhere. */
function withoutEndSlashes(text: string): string {
  let end = text.length;
  while (text.endsWith("/", end)) end--;
  return text.slice(0, end);
}
// lib/config/client_keys.ts -----------------------------------------------------------------
/** A key that clients of the proxy send: its name in the log, if any, and how many messages it may ask for a minute. */
export type ClientKey = { key: string; name?: string; rpm?: number };

/** Characters that a key has at least: fewer can be guessed. */
const LEAST_KEY_CHARS = 8;

/** One key of a list; a colon would begin a model or a rate, what looks like a name at its end is padding. */
const KEY_PATTERN = /^(?:([\w.-]+)=(?!=*$))?([^\s:=]+=*)(?::(\d{1,6}))?$/;

/** Finds what is wrong with keys, in words that hold none of them. */
function findClientKeyFault(keys: readonly ClientKey[]): string | undefined {
  const names = keys.flatMap(({ name }) => name ?? []);
  const rows: [wrong: boolean, says: string][] = [
    [keys.some(({ key }) => key.length < LEAST_KEY_CHARS), `a key has fewer than ${LEAST_KEY_CHARS} characters`],
    [keys.some(({ key }) => !/^[\x21-\x7e]+$/.test(key)), "a key has characters that no header can carry"],
    [keys.some(({ key }) => key.includes(":")), "a key has a colon, behind which clients may name a model"],
    [new Set(keys.map(({ key }) => key)).size < keys.length, "two keys are the same"],
    [new Set(names).size < names.length, "two keys have the same name"],
  ];
  return rows.find(([wrong]) => wrong)?.[1];
}

/**
 * Makes sure that keys can be told from each other, and are hard to guess.
 *
 * @throws {TypeError} Saying what is wrong, but not with which key.
 */
function checkClientKeys(keys: readonly ClientKey[]): void {
  const fault = findClientKeyFault(keys);
  if (fault) throw new TypeError(`Cannot use the keys for clients: ${fault}`);
}

/**
 * Reads keys with commas between: `KEY`, `NAME=KEY`, or either with `:RPM` behind it.
 *
 * @throws {TypeError} Saying what is wrong, but not with which key.
 */
export function parseClientKeys(value: string): ClientKey[] {
  const keys = value.split(",").map((text) => {
    const [, name, key = "", rpm] = KEY_PATTERN.exec(text.trim()) ?? [];
    if (!key) throw new TypeError("expected KEY or NAME=KEY:RPM, with commas between several; no colon within a key");
    return { key, ...(name === undefined ? {} : { name }), ...(rpm === undefined ? {} : { rpm: Number(rpm) }) };
  });
  const fault = findClientKeyFault(keys);
  if (fault) throw new TypeError(fault);
  return keys;
}
// lib/config/settings.ts --------------------------------------------------------------------
/** Environment variables as a plain record, so that tests need no process. */
type Env = Readonly<Record<string, string | undefined>>;

/** A mistake in how the program was started or configured; its message says what to do. */
class ConfigError extends Error {
  override readonly name = "ConfigError";
}

function expected(what: string): never {
  throw new ConfigError(`expected ${what}`);
}

/** Model ids with commas between. */
const models = (value: string): string[] => {
  const ids = value.split(",").map((id) => id.trim()).filter(Boolean);
  return ids.length > 0 ? ids : expected("a model id");
};
const model = (value: string): string => models(value)[0]!;
/** Models that step in; nobody does when the value is `none`. */
const fallbacks = (value: string): string[] => value.toLowerCase() === "none" ? [] : models(value);
/** A whole number in a range, in the unit of the variable; `factor` makes it ours. */
const integer = (least: number, most: number, factor = 1) => (value: string): number => {
  const number = /^\d+$/.test(value) ? Number(value) : NaN;
  return number >= least && number <= most ? number * factor : expected(`a whole number from ${least} to ${most}`);
};

/** An address of a host; a password in it would be shown, and stored with what its models teach. */
function toBaseUrl(value: string): string {
  const fine = URL.canParse(value) && /^https?:(?!\/*[^/]*@)/.test(value);
  return fine ? withoutEndSlashes(value) : expected(AN_ADDRESS);
}

/** An address to listen on; `localhost` is the one of IPv4, so that everybody means the same. */
function address(value: string): string {
  const name = value.replace(/^\[|\]$/g, "").toLowerCase();
  const url = `http://${name.includes(":") ? `[${name}]` : name}`;
  const { hostname } = /^[\w.:]+$/.test(name) && URL.canParse(url) ? new URL(url) : { hostname: "" };
  if (hostname === "localhost") return "127.0.0.1";
  const fine = /^\[.*\]$|^\d+(\.\d+){3}$/.test(hostname);
  return fine ? hostname.replace(/^\[|\]$/g, "") : expected("an address such as 127.0.0.1, ::1 or 0.0.0.0");
}

/** One of some words, which mean what they stand beside. */
const word = <const T>(what: string, meanings: [words: string, meaning: T][]) => (value: string): T => {
  const found = meanings.find(([words]) => words.split(" ").includes(value.toLowerCase()));
  return found ? found[1] : expected(what);
};

const onOff = word("on or off", [["1 true yes on", true], ["0 false no off", false]]);

/** Names of local answers with commas between, or all of them or none. */
function localAnswers(value: string): LocalAnswer[] {
  const words = value.toLowerCase().split(",").map((name) => name.trim()).filter(Boolean);
  const names = LOCAL_ANSWERS.filter((name) => words.includes(name));
  if (names.length > 0 && names.length === new Set(words).size) return names;
  const what = `${LOCAL_ANSWERS.join(", ")}, all or off`;
  return word<LocalAnswer[]>(what, [["all", [...LOCAL_ANSWERS]], ["off none", []]])(value);
}

/**
 * How much is logged: every request, only those that failed, or nothing. A project's `.env` may have any word of common
 * logging libraries, for a program of its own.
 */
const LOG_LEVELS: [string, "info" | "error" | "silent"][] = [
  ["all silly trace debug verbose http info notice", "info"],
  ["warn warning error critical fatal alert emergency", "error"],
  ["silent off none", "silent"],
];

/** How a value is read, the variables it may come from (Arbiter's own name first, then those of earlier tools), a flag. */
type Row<T> = readonly [parse: (value: string) => T, names: string, flag?: string];

/** Everything a user can set, one row each. Times become milliseconds, sizes bytes. */
const ROWS = {
  port: [integer(0, 65_535), "ARBITER_PORT BRIDGE_PORT PROXY_PORT", "port"],
  host: [address, "ARBITER_HOST BRIDGE_HOST PROXY_HOST", "host"],
  clientKeys: [parseClientKeys, "ARBITER_API_KEY PROXY_API_KEY"],
  allowOpen: [onOff, "ARBITER_ALLOW_OPEN"],
  inboundRpm: [integer(0, 1_000_000), "ARBITER_INBOUND_RPM RATE_LIMIT_RPM"],
  model: [models, "ARBITER_MODEL NVIDIA_ELITE_MODEL NCP_DEFAULT_MODEL MODEL CLAUDIA_CLAUDE_MODEL", "model"], // Earlier tools let fallbacks follow.
  fallbacks: [fallbacks, "ARBITER_FALLBACK_MODELS NCP_FALLBACK_MODELS AUTO_MODEL_ORDER"],
  opus: [model, "ARBITER_MODEL_OPUS MODEL_OPUS"],
  sonnet: [model, "ARBITER_MODEL_SONNET MODEL_SONNET"],
  haiku: [model, "ARBITER_MODEL_HAIKU MODEL_HAIKU"],
  maxTokens: [integer(1, 10_000_000), "ARBITER_MAX_TOKENS NCP_DEFAULT_MAX_TOKENS", "max-tokens"],
  hardMaxTokens: [integer(1, 10_000_000), "ARBITER_HARD_MAX_TOKENS NCP_HARD_MAX_TOKENS"],
  clientMaxTokens: [integer(1, 10_000_000), "ARBITER_CLIENT_MAX_TOKENS NCP_CLAUDE_CODE_MAX_OUTPUT_TOKENS"],
  thinking: [onOff, "ARBITER_THINKING ENABLE_MODEL_THINKING"],
  opusThinking: [onOff, "ARBITER_THINKING_OPUS ENABLE_MODEL_THINKING_OPUS"],
  sonnetThinking: [onOff, "ARBITER_THINKING_SONNET ENABLE_MODEL_THINKING_SONNET"],
  haikuThinking: [onOff, "ARBITER_THINKING_HAIKU ENABLE_MODEL_THINKING_HAIKU"],
  rateLimit: [integer(0, 100_000), "ARBITER_RATE_LIMIT PROVIDER_RATE_LIMIT"],
  rateWindow: [integer(1, 86_400, 1000), "ARBITER_RATE_WINDOW PROVIDER_RATE_WINDOW"],
  maxConcurrency: [integer(0, 1000), "ARBITER_MAX_CONCURRENCY PROVIDER_MAX_CONCURRENCY"],
  pingInterval: [integer(1, 240, 1000), "ARBITER_PING_SECONDS R2_PING_INTERVAL"],
  maxBodyBytes: [integer(1, 1024, 1024 * 1024), "MAX_REQUEST_BODY_MB"],
  requestTimeout: [integer(1, 86_400, 1000), "REQUEST_TIMEOUT_SECONDS"],
  logLevel: [word("info, error or silent", LOG_LEVELS), "LOG_LEVEL", "log-level"],
  skipCheck: [onOff, "SKIP_NIM_CHECK"],
  localAnswers: [localAnswers, "ARBITER_LOCAL_ANSWERS"],
  titleAnswer: [onOff, "ENABLE_TITLE_GENERATION_SKIP"], // This and the next four: switches of an earlier tool.
  quotaAnswer: [onOff, "ENABLE_NETWORK_PROBE_MOCK"],
  suggestionAnswer: [onOff, "ENABLE_SUGGESTION_MODE_SKIP"],
  filepathsAnswer: [onOff, "ENABLE_FILEPATH_EXTRACTION_MOCK"],
  prefixAnswer: [onOff, "FAST_PREFIX_DETECTION"],
  showContent: [onOff, "ARBITER_SHOW_CONTENT"],
  visualizes: [onOff, "ARBITER_STREAM_VISUALIZATION R2_STREAM_VISUALIZATION"],
  targetDir: [String, "TARGET_DIR"],
  testUrl: [toBaseUrl, "", "base-url"],
  store: [
    word("memory, sqlite or redis", [["memory", "memory"], ["sqlite", "sqlite"], ["redis", "redis"]]),
    "ARBITER_STORE STORAGE_ENGINE",
  ],
  redisUrl: [String, "REDIS_URL"], // Checked only where it is used: other programs know it, too.
  redisPrefix: [String, "REDIS_PREFIX"],
  redisPassword: [String, "REDIS_PASSWORD"],
} satisfies Record<string, Row<unknown>>;

/** What a user has set, and the key from a file of `--api-key-file`; what is absent takes its default where it is used. */
type Settings = { [K in keyof typeof ROWS]?: ReturnType<(typeof ROWS)[K][0]> } & { apiKey?: string };

/** Finds a variable in the first place that has it; an empty one counts as absent. */
function find(names: readonly string[], layers: readonly Env[], warn: (warning: string) => void): [string?, string?] {
  for (const layer of layers) {
    const found = names.map((name) => [name, layer[name]?.trim() ?? ""] as const).filter(([, value]) => value !== "");
    const [first] = found;
    if (!first) continue;
    const other = found.find(([, value]) => value !== first[1]);
    if (other) warn(`${first[0]} is used, although ${other[0]} says something else`);
    return [...first];
  }
  return [];
}

/** Reads a value; what is wrong with it names where it stands, and shows it unless it is secret. */
function parseAt<T>(parse: (value: string) => T, name: string | undefined, value: string): T {
  try {
    return parse(value);
  } catch (cause) {
    const shown = name?.endsWith("_KEY") || /^\s*http.*@/i.test(value) ? name : `${name}='${value}'`;
    throw new ConfigError(`Cannot use ${shown}: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Reads the keys and addresses of the hosts that need no configuration.
 *
 * @throws {ConfigError} Naming the variable and what was expected.
 */
function resolveBackends(
  layers: readonly Env[],
  warn: (warning: string) => void = () => {},
): Record<string, { apiKey?: string; baseUrl?: string }> {
  const found = [...BACKENDS].map(([name, { keyNames, urlNames }]) => {
    const [, keys] = find(keyNames, layers, warn);
    const apiKey = keys?.split(",")[0]?.trim(); // One tool takes several.
    const [at, url] = find(urlNames, layers, warn);
    return [name, { ...(apiKey ? { apiKey } : {}), ...(url ? { baseUrl: parseAt(toBaseUrl, at, url) } : {}) }] as const;
  });
  return Object.fromEntries(found.filter(([, own]) => Object.keys(own).length > 0));
}

/**
 * Makes sure that a proxy which other machines may reach has a key, or that the user wants it without one.
 *
 * @throws {ConfigError} Saying what to set.
 */
function checkHost({ host = "127.0.0.1", clientKeys, allowOpen }: Settings): void {
  if (/^127\.|^::1$/.test(host) || clientKeys || allowOpen) return;
  throw new ConfigError(
    `Cannot listen on ${host} without a key, for other machines may reach that: set ARBITER_API_KEY to one of your own, ` +
      "or ARBITER_ALLOW_OPEN=1 to serve anybody",
  );
}

/**
 * Reads all settings: a flag counts most, then the environment's layers in their order; contradictions are warned of.
 *
 * @throws {ConfigError} Naming the flag or variable and what was expected.
 */
function resolveSettings(
  flags: Readonly<Record<string, string | boolean | undefined>>,
  layers: readonly Env[],
  warn: (warning: string) => void,
): Settings {
  const settings: Record<string, unknown> = {};
  for (const [key, [parse, names, flag = ""]] of Object.entries<Row<unknown>>(ROWS)) {
    const typed = flags[flag];
    const [name, value] = typeof typed === "string" ? [`--${flag}`, typed] : find(names.split(" "), layers, warn);
    if (value === undefined) continue;
    settings[key] = parseAt(parse, name, value);
  }
  return settings;
}

/** The local answers a user wants: the list if there is one, else the usual ones with what single switches change. */
function toLocalAnswers(settings: Settings): readonly LocalAnswer[] {
  const switched = LOCAL_ANSWERS.filter((name) => settings[`${name}Answer`] ?? USUAL_ANSWERS.includes(name));
  return settings.localAnswers ?? switched;
}
// lib/config/folders.ts ---------------------------------------------------------------------
/** A kind of folder: the variable of Windows for it, that of XDG, and where it is in a home without that. */
type Kind = readonly [windows: string, xdg: string, inHome: string];

const CONFIG: Kind = ["APPDATA", "XDG_CONFIG_HOME", ".config"];
const STATE: Kind = ["LOCALAPPDATA", "XDG_STATE_HOME", ".local/state"];

/** Whose files are meant: an environment, and Node's name of the platform. */
type Place = { env: Env; platform: string };

function toUserPath({ env, platform }: Place, [windows, xdg, inHome]: Kind, names: string[]): string | undefined {
  const isWindows = platform === "win32";
  const base = isWindows ? env[windows] : env[xdg] || (env.HOME && `${env.HOME}/${inHome}`);
  if (!base) return undefined;
  const path = [base, "arbiter", ...names];
  return isWindows ? path.join("\\") : path.join("/").replaceAll(/\/+/g, "/"); // As paths are where a file has been found.
}

/** The folder for the user's configuration, by the custom of the platform, or a file in it; nothing if home is unknown. */
function toConfigPath(place: Place, ...names: string[]): string | undefined {
  return toUserPath(place, CONFIG, names);
}

/** The folder for what the program remembers by itself, or a file in it, found in the same way. */
function toStatePath(place: Place, ...names: string[]): string | undefined {
  return toUserPath(place, STATE, names);
}

/** Where nvd-claude-proxy and free-claude-code keep their variables, on each platform. */
const EARLIER_FILES = [".config/nvd-claude-proxy/.env", ".nvd-claude-proxy/.env", ".config/free-claude-code/.env"];

/** Files with variables of earlier tools; what is set anywhere else counts more. */
function toEarlierFiles(env: Env): string[] {
  const home = env.HOME || env.USERPROFILE;
  const files = home ? EARLIER_FILES.map((file) => `${home}/${file}`) : [];
  return env.FCC_ENV_FILE ? [env.FCC_ENV_FILE, ...files] : files;
}
// lib/config/jsonc.ts -----------------------------------------------------------------------
/** White space and comments between tokens; a comment that does not end is none. */
const GAP = /(?:\s+|\/\/.*|\/\*[^]*?\*\/)*/y;
/** A string as far as JSON allows it, without the quote at its end. */
const OPEN_STRING = /"(?:[ !#-[\]-\uffff]+|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*/y;
/** A number, or one of the three words. */
const SCALAR = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![-+.\w])/y;

/** What a message says of what stands where something else was expected; `$&` is the text itself. */
const FOUND: [pattern: RegExp, words: string][] = [
  [/\/\*/y, "a comment that does not end"],
  [/[\r\n]/y, "the end of the line"],
  [/[^ -\uffff]/y, "a control character"],
  [/\\[^]/y, "an escape that JSON does not have"],
  [/[-+.\w]{1,20}|[^]/uy, "$&"],
];

/**
 * Parses JSON in which comments, trailing commas and a byte order mark are allowed, as editors allow them.
 *
 * @throws {SyntaxError} Its message begins with line and column, which count from 1, and says what was expected there.
 */
function parseJsonc(text: string): unknown {
  let at = 0;

  function match(pattern: RegExp): string | undefined {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0];
  }

  function fail(expected: string): never {
    const lines = text.slice(0, at).replace(/^\uFEFF/, "").split(/\r\n|\r|\n/);
    const [pattern, words] = FOUND.find(([pattern]) => match(pattern) !== undefined) ?? [/$/, "the end of the file"];
    const got = words.replace("$&", () => match(pattern) ?? "");
    throw new SyntaxError(`line ${lines.length}, column ${lines.at(-1)!.length + 1}: expected ${expected}, got ${got}`);
  }

  /** Goes to the next token and, if it is the one asked for, past it. */
  function take(token: string): boolean {
    at += match(GAP)!.length;
    const found = text.startsWith(token, at);
    if (found) at += token.length;
    return found;
  }

  function takeString(): string {
    const start = at;
    at += match(OPEN_STRING)!.length;
    if (text[at] !== '"') fail("the rest of the string");
    at += 1;
    return JSON.parse(text.slice(start, at));
  }

  function takeEntries<T>(end: string, takeEntry: () => T): T[] {
    const entries: T[] = [];
    while (!take(end)) {
      entries.push(takeEntry());
      if (!take(",") && !text.startsWith(end, at)) fail(`',' or '${end}'`);
    }
    return entries;
  }

  function takePair(): [string, unknown] {
    if (text[at] !== '"') fail("a key in double quotes or '}'");
    const key = takeString();
    if (!take(":")) fail("':'");
    return [key, takeValue()];
  }

  function takeValue(): unknown {
    // Made from entries, because a key may be called __proto__.
    if (take("{")) return Object.fromEntries(takeEntries("}", takePair));
    if (take("[")) return takeEntries("]", takeValue);
    if (text[at] === '"') return takeString();
    const scalar = match(SCALAR) ?? fail("a value");
    at += scalar.length;
    return JSON.parse(scalar);
  }

  const value = takeValue();
  take("");
  if (at < text.length) fail("the end of the file");
  return value;
}
// lib/config/read_text_file.ts --------------------------------------------------------------
/** Reads a text file, also as Windows writes it: PowerShell's `>` makes UTF-16, editors begin with a byte order mark. */
async function readTextFile(path: string): Promise<string> {
  const { readFile } = await import("node:fs/promises");
  const bytes = await readFile(path);
  return new TextDecoder(bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : "utf-8").decode(bytes);
}
// lib/config/config_file.ts -----------------------------------------------------------------
/** What the config file says. */
interface ConfigFile extends RoutingOptions {
  /** Port to listen on; 0 takes any free one. */
  port?: number;
}

type WrittenBackend = BackendOptions & { rateWindowSeconds?: number };
type WrittenFile = ConfigFile & { backends?: Record<string, WrittenBackend> };

/** The shortest way from a profile over the fallbacks back to it. */
function findCycle(profiles: NonNullable<RoutingOptions["modelProfiles"]>, start: string): string[] | undefined {
  const trails = new Map([[start, [start]]]);
  for (const [name, trail] of trails) { // Goes on to what is added meanwhile.
    for (const next of Object.hasOwn(profiles, name) ? profiles[name]!.fallbacks ?? [] : []) {
      if (next === start) return [...trail, start];
      if (!trails.has(next)) trails.set(next, [...trail, next]);
    }
  }
  return undefined;
}

/** Whether headers can be sent; behind one address many hosts may be, of which `host` would choose another. */
function areHeaders(headers: Record<string, string> = {}): boolean {
  try {
    return !new Headers(headers).has("host");
  } catch {
    return false;
  }
}

/** Finds what is wrong with a file that fits the schema. */
function findConflicts(file: WrittenFile, known: readonly string[]): SchemaProblem[] {
  const { defaultBackend, backends = {}, modelProfiles = {}, modelMap = {} } = file;
  const names = [...new Set([...known, ...Object.keys(backends)])];
  const uses: [path: string, backend: string | undefined][] = [["defaultBackend", defaultBackend]];
  for (const [key, entries] of Object.entries({ modelProfiles, modelMap })) {
    for (const [name, { backend }] of Object.entries(entries)) uses.push([`${key}.${name}.backend`, backend]);
  }
  const cycle = Object.keys(modelProfiles).map((name) => findCycle(modelProfiles, name)).find(Boolean) ?? [];
  const rules: [fits: boolean, path: string, expected: string, got: string][] = [];
  for (const [path, backend] of uses) {
    const fits = backend === undefined || names.includes(backend);
    rules.push([fits, path, `a backend (${names.join(", ")})`, toGot(backend)]);
  }
  for (const [name, { baseUrl, headers }] of Object.entries(backends)) {
    const path = `backends.${name}`;
    const hasUrl = baseUrl === undefined ? known.includes(name) : URL.canParse(baseUrl);
    rules.push(
      [/^[\w.-]+$/.test(name), path, "a name of letters, digits, '.', '_' and '-'", toGot(name)],
      [hasUrl, `${path}.baseUrl`, AN_ADDRESS, toGot(baseUrl)],
      [areHeaders(headers), `${path}.headers`, "headers that can be sent, without host", "others"],
    );
  }
  rules.push([cycle.length === 0, `modelProfiles.${cycle[0]}.fallbacks`, "no circle", cycle.join(" → ")]);
  return rules.filter(([fits]) => !fits).map(([, path, expected, got]) => ({ path, expected, got }));
}

/** A backend as it is used; what is absent stays absent, so that it hides nothing built in. */
function toReadBackend({ baseUrl, rateWindowSeconds, ...backend }: WrittenBackend, env: Env): BackendOptions {
  const { [backend.apiKeyEnv ?? ""]: value } = env;
  const apiKey = typeof value === "string" && value.trim(); // Environments have a toString, too.
  return {
    ...backend,
    ...(baseUrl && { baseUrl: withoutEndSlashes(baseUrl) }),
    ...(apiKey && { apiKey }),
    ...(rateWindowSeconds && { rateWindow: rateWindowSeconds * 1000 }),
  };
}

/**
 * Reads the text of a config file: its shape is checked, keys come from the environment, seconds become milliseconds.
 * What only people and editors read stays in.
 *
 * @param path What messages call the file.
 * @param known The backends that need no file; only they may lack a `baseUrl`.
 * @throws {ConfigError} Naming the file, each place in it that is wrong, and what was expected there.
 */
function parseConfig(text: string, path: string, env: Env, known: readonly string[]): ConfigFile {
  let value: unknown;
  try {
    value = parseJsonc(text);
  } catch (cause) {
    throw new ConfigError(`Cannot use ${path}: ${(cause as Error).message}`, { cause });
  }
  const file = value as WrittenFile;
  const misfits = checkSchema(value, CONFIG_SCHEMA);
  const problems = (misfits.length > 0 ? misfits : findConflicts(file, known))
    .map(({ path, expected, got }) => `${path && `${path}: `}expected ${expected}, got ${got}`);
  if (problems.length > 0) throw new ConfigError(`Cannot use ${path}: ${problems.join("\n  ")}`);
  const backends = Object.entries(file.backends ?? {}).map(([name, backend]) => [name, toReadBackend(backend, env)]);
  return { ...file, ...(file.backends && { backends: Object.fromEntries(backends) }) };
}

/** Why a file cannot be read, by the system's code. */
const UNREADABLE: Record<string, string> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a folder",
  EACCES: "you may not",
  ENOTDIR: "a folder on the way to it is a file",
};

/** Why a file cannot be read, in words. */
function toWhy(thrown: unknown): string {
  const { code = "", message } = thrown as Error & { code?: string };
  return UNREADABLE[code] ?? message;
}

/**
 * Reads an API key from a file that holds nothing else; messages never show what is in it.
 *
 * @throws {ConfigError} If the file cannot be read or has no key.
 */
async function readKeyFile(path: string): Promise<string> {
  const text = await readTextFile(path).catch((cause) => {
    throw new ConfigError(`Cannot read the API key file ${path}: ${toWhy(cause)}`, { cause });
  });
  const key = text.trim();
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new ConfigError(`Cannot use the API key file ${path}: ${key ? "it has more in it than a key" : "it is empty"}`);
}

/** Keys that tell Claudia-Router's config.json, which cannot do without, from those of other programs, broken or not. */
const CLAUDIAS = ['"defaultBackend"', '"apiKeyEnv"'];

/**
 * Reads a config file; nothing if it is not there and may be absent.
 *
 * @throws {ConfigError} If it cannot be read.
 */
async function readConfig(path: string, optional = false): Promise<{ path: string; text: string } | undefined> {
  try {
    return { path, text: await readTextFile(path) };
  } catch (cause) {
    if (optional && ["ENOENT", "ENOTDIR"].includes((cause as { code?: string }).code ?? "")) return undefined;
    throw new ConfigError(`Cannot read the config file ${path}: ${toWhy(cause)}`, { cause });
  }
}

/** The config file that the environment names, if it does. */
function toConfigName({ ARBITER_CONFIG, CLAUDIA_CONFIG }: Env): string | undefined {
  return ARBITER_CONFIG?.trim() || CLAUDIA_CONFIG?.trim() || undefined;
}

/**
 * Finds the config file: the one that `ARBITER_CONFIG` or `CLAUDIA_CONFIG` names, which must be there, else
 * `arbiter.json` in the current folder or the user's config folder, else Claudia-Router's `config.json`, which
 * has no name of its own.
 *
 * @throws {ConfigError} If the file cannot be read.
 */
async function findConfig(
  env: Env,
  cwd: string,
  platform: string,
): Promise<{ path: string; text: string } | undefined> {
  const { posix, win32 } = await import("node:path");
  const { resolve } = platform === "win32" ? win32 : posix;
  const named = toConfigName(env);
  for (const path of named ? [named] : ["arbiter.json", toConfigPath({ env, platform }, "arbiter.json")]) {
    const file = path && await readConfig(resolve(cwd, path), !named);
    if (file) return file;
  }
  const path = resolve(cwd, "config.json");
  const text = named ? "" : await readTextFile(path).catch(() => "");
  return CLAUDIAS.every((key) => text.includes(key)) ? { path, text } : undefined;
}
// lib/config/dotenv.ts ----------------------------------------------------------------------
/** A variable, in quotes of one of three kinds, which may hold several lines, or up to a comment. */
const VARIABLE = /^[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*=[ \t]*(?:"([^"]*)"|'([^']*)'|`([^`]*)`|([^\n#]*))/gm;

/**
 * Parses a `.env` much as `parse` of `@std/dotenv` does; `$NAME` stays as it is, backticks are quotes, too, and only double
 * ones make `\n` a line end. What is no variable is left out. `util.parseEnv` is not everywhere, and takes the next line for
 * the value of `A= ` from Node 22 on.
 */
function parseDotenv(text: string): Env {
  const variables = text.replaceAll("\r", "").matchAll(VARIABLE);
  return Object.fromEntries([...variables].map(([, name, double, single, tick, plain = ""]) => {
    return [name, double?.replaceAll("\\n", "\n") ?? single ?? tick ?? plain.trim()];
  }));
}
// lib/version.ts ----------------------------------------------------------------------------
/** The version of this package; written by scripts/amalgamate.ts from package.json. */
const VERSION = "1.0.0";

/** What hosts are told is calling, unless an option says otherwise. */
const USER_AGENT: string = `arbiter-proxy/${VERSION}`;
// lib/wire/signal.ts ------------------------------------------------------------------------
/** What is to be done when a signal fires, behind one listener for all: Node warns of more than ten. */
const ON_ABORT = new WeakMap<AbortSignal, Set<() => void>>();

function runAll({ target }: Event): void {
  ON_ABORT.get(target as AbortSignal)?.forEach((run) => run());
}

/** Calls `run` when a signal fires, at once if it already has; gives a way to call that off. */
function onAbort(signal: AbortSignal, run: () => void): () => void {
  const one = () => run(); // The same function may be added twice.
  if (signal.aborted) one();
  const runs = ON_ABORT.get(signal) ?? new Set();
  if (runs.size === 0) signal.addEventListener("abort", runAll);
  ON_ABORT.set(signal, runs.add(one));
  return () => {
    if (runs.delete(one) && runs.size === 0) signal.removeEventListener("abort", runAll);
  };
}

/** What a promise gives, unless a signal fires before; then it rejects with the signal's reason. */
function abortable<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, () => reject(signal.reason));
    promise.then(resolve, reject).finally(forget);
  });
}
// lib/cli/child.ts --------------------------------------------------------------------------
/** A program to run, with the arguments that come before the user's. */
type Program = { command: string; args: readonly string[] };

/** Finds a program on PATH, as a shell would; nothing when it is not there. */
async function findOnPath(name: string, env: Env, platform: string): Promise<string | undefined> {
  const { access, constants, stat } = await import("node:fs/promises");
  const windows = platform === "win32";
  const [between, slash] = windows ? [";", "\\"] : [":", "/"];
  const endings = windows ? (env.PATHEXT ?? ".COM;.EXE;.BAT;.CMD").split(";") : [""];
  const search = env.PATH ?? env.Path ?? "";
  const folders = (windows ? search.replaceAll('"', "") : search).split(between).filter(Boolean);
  const paths = folders.flatMap((folder) => endings.map((ending) => folder + slash + name + ending));
  for (const path of paths) {
    const found = await access(path, constants.X_OK).then(() => stat(path)).catch(() => undefined);
    if (found?.isFile()) return path;
  }
  return undefined;
}

/**
 * Writes an argument so that it arrives through a .cmd file as it was. The program reads quotes and backslashes; before it
 * cmd reads the line twice, for itself and where the file says `%*`, and takes carets away. A line end would cut the line.
 */
function toCmdWord(word: string): string {
  const quoted = `"${word.replace(/[\r\n]+/g, " ").replace(/(\\*)"/g, '$1$1\\"').replace(/\\*$/, "$&$&")}"`;
  const escape = (text: string) => text.replace(/[()%!^"<>&|]/g, "^$&");
  return escape(escape(quoted));
}

/** What to give to `spawn`: on Windows only a shell can start npm's .cmd files, and takes the arguments as one line. */
function toSpawned({ command, args }: Program, platform: string): Program & { shell: boolean } {
  const shell = platform === "win32" && !/\.(?:exe|com)$/i.test(command);
  if (!shell) return { command, args, shell };
  return { command: [`"${command}"`, ...args.map(toCmdWord)].join(" "), args: [], shell };
}

/** Starts a program as a shell would find it, with this process's terminal. */
async function start(program: Program, env: Env, cwd: string, stdout: "inherit" | "pipe"): Promise<ChildProcess> {
  const { spawn } = await import("node:child_process");
  const { default: process } = await import("node:process");
  const { command, args, shell } = toSpawned(program, process.platform);
  return spawn(command, args, { stdio: ["inherit", stdout, "inherit"], env, cwd, shell });
}

/** Runs a program and gives the last line it wrote; nothing if it failed, or was not over when `signal` fired. */
async function readLastLine(program: Program, env: Env, cwd: string, signal?: AbortSignal) {
  const child = await start(program, env, cwd, "pipe");
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text) => output += text);
  const end = () => {
    child.kill();
    child.stdout?.destroy(); // What it has started itself may hold that.
  };
  if (signal) onAbort(signal, end);
  const code = await new Promise((resolve) => child.once("error", resolve).once("close", resolve));
  return code === 0 ? output.trim().split(/\r?\n/).at(-1) : undefined;
}

/**
 * Runs a program in the foreground and gives its exit code, or 128 and the number of the signal that ended it.
 *
 * Ctrl-C reaches it from the terminal, so this process only waits; SIGTERM and SIGHUP are passed on.
 */
async function runChild(program: Program, env: Env, cwd: string): Promise<number> {
  const { constants } = await import("node:os");
  const { default: process } = await import("node:process");
  const child = await start(program, env, cwd, "inherit");
  const stay = () => {};
  const pass = (signal: NodeJS.Signals) => {
    try {
      process.kill(child.pid!, signal); // With its own kill() Deno takes the signal for how it ended.
    } catch {
      // It has just ended.
    }
  };
  process.on("SIGINT", stay).on("SIGTERM", pass).on("SIGHUP", pass);
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
    });
  } finally {
    process.off("SIGINT", stay).off("SIGTERM", pass).off("SIGHUP", pass);
  }
}
// lib/routing/rate_limits.ts ----------------------------------------------------------------
/** The limits of an account: so many requests in any window of so many milliseconds, so many at once; 0 is no limit. */
export type RateLimits = { limit: number; window: number; concurrency: number };

/** None. */
const NO_LIMITS: RateLimits = { limit: 0, window: 60_000, concurrency: 0 };
// lib/routing/candidate.ts ------------------------------------------------------------------
/** A host of models. */
export type Backend = {
  /** Address up to and including `/v1`. */
  baseUrl: string;
  /** Name for people and for names of models, such as `nvidia`. */
  name?: string;
  /** Key, sent as a bearer token. */
  apiKey?: string | undefined;
  /** The variable of its key, such as `NVIDIA_API_KEY`. */
  keyName?: string;
  /** What it speaks; Anthropic's format is passed on without translation. @default {"openai"} */
  format?: "openai" | "anthropic";
  /** Headers for each of its requests. */
  headers?: Readonly<Record<string, string>>;
  /** How it wants thinking switched, if not as the family of the model does. */
  thinkingSwitch?: ThinkingSwitch;
  /** Limits of the account there. @default {none} */
  limits?: RateLimits;
  /** The variable that must be set before it can be asked. */
  lacks?: string;
};

/** One model at one host, and how it is asked: a place a request may go to. */
export type Candidate = {
  backend: Backend;
  /** The upstream's name of it. */
  model: string;
  /** What is known about it beforehand, if not what the roster says. */
  traits?: Model;
  /** Whether it may think. @default {true} */
  thinking?: boolean;
  /** How it is asked, and how often. */
  profile?: ProfileOptions;
};

/** What a candidate is remembered under. */
function toKey({ backend, model }: Candidate): string {
  return `${backend.baseUrl} ${model}`;
}
// lib/models/aliases.ts ---------------------------------------------------------------------
/** Names that nvd-claude-proxy gives to models of NVIDIA's; those of its tiers need no row. */
const MODEL_ALIASES: ReadonlyMap<string, string> = new Map([
  ["claude-opus-4-7-vision", "meta/llama-4-maverick-17b-128e-instruct"],
  ["claude-llama4-maverick", "meta/llama-4-maverick-17b-128e-instruct"],
  ["claude-llama4-scout", "meta/llama-4-scout-17b-16e-instruct"],
  ["claude-llama-3-3", "meta/llama-3.3-70b-instruct"],
  ["claude-qwen3", "qwen/qwen3-235b-a22b"],
  ["claude-qwen3-coder", "qwen/qwen3-coder-480b-a35b-instruct"],
  ["claude-deepseek-v4", "deepseek-ai/deepseek-v4-pro"],
  ["claude-deepseek-v4-flash", "deepseek-ai/deepseek-v4-flash"],
  ["claude-r1", "deepseek-ai/deepseek-r1"],
  ["claude-mistral", "mistralai/mistral-small-4-119b-2603"],
  ["claude-gemma4", "google/gemma-4-31b-it"],
  ["claude-minimax", "minimaxai/minimax-m2.7"],
]);
// lib/routing/picker.ts ---------------------------------------------------------------------
/** Claude Code's picker shows only ids with one of these words; `anthropic` leaves the window that was set alone. */
const PICKER_PREFIX = "anthropic/";
const NO_THINKING = "anthropic-no-thinking/";
/** Also the form of earlier tools, `claude-3-freecc-no-thinking/…`. */
const PICKER_ID = /^(?:anthropic|claude)(?:[\w.-]*(-no-thinking))?\/(.+)$/;

/** Makes an id that Claude Code's picker shows, and that {@linkcode parsePickerId} reads. */
function toPickerId(id: string, thinking: boolean): string {
  return (thinking ? PICKER_PREFIX : NO_THINKING) + id;
}

/** Reads an id from the picker: the name in it, and whether the model may think; nothing if it is none. */
function parsePickerId(name: string): { id: string; thinking: boolean } | undefined {
  const [, off, id] = PICKER_ID.exec(name) ?? [];
  return id === undefined ? undefined : { id, thinking: off === undefined };
}
// lib/routing/reference.ts ------------------------------------------------------------------
/** A model that a name stands for: where it is, what its profile says of it, `false` if it must not think. */
export type Target = { backend: Backend; model: string; profile?: ProfileOptions; thinking?: false };

/** What names are made of. */
export type Names = {
  options: RouterOptions;
  /** The default host, and all by their names and aliases. */
  backend: Backend;
  backends: ReadonlyMap<string, Backend>;
  /** Profiles and entries of the map, by names in lower case. */
  profiles: ReadonlyMap<string, ProfileOptions>;
};

/** Longer names are none. */
const LONGEST_NAME = 256;
/** Names of Anthropic's models; others with a slash are names of an upstream. */
const CLAUDE_NAME = /^(?:anthropic(?:-no-thinking)?\/)?(?:claude|(?:opus|sonnet|haiku|fable|default|best)\b)/;
/** Windows, dates, versions and "latest" at the end of a name of Anthropic's: they tell no other model here. */
const SUFFIXES = /(?:\[1m\]|[-@]\d{8}|-v\d+(?::\d+)?|-latest)+$/;

/** A name without the window that Claude Code may write behind it. */
function withoutWindow(name: string): string {
  return name.trim().replace(/\[1m\]$/i, "");
}

/** A name in lower case, without the endings that say nothing about the model. */
function toPlainName(name: string): string {
  const plain = name.trim().toLowerCase();
  return plain.length > LONGEST_NAME ? plain : plain.replace(SUFFIXES, "");
}

/** What a model is called where it cannot mean another: its profile's name, its own at the default host, or with the host. */
function toLabel(target: Pick<Target, "backend" | "model" | "profile">, { backend, profiles }: Names): string {
  const [alias] = [...profiles].find(([, profile]) => profile === target.profile) ?? [];
  if (alias !== undefined) return alias;
  const short = target.backend === backend && !profiles.has(target.model.toLowerCase());
  return short ? target.model : `${target.backend.name}/${target.model}`;
}

/** A host and one of its models; what also owns models, such as `nvidia`, is a host before a second slash only. */
function splitName(name: string, names: Names): { target: Target; declared: boolean } | undefined {
  const [, host = "", between, model = ""] = /^([\w.-]+)(,\s*|\/)(.+)$/.exec(name) ?? [];
  const backend = names.backends.get(host.toLowerCase());
  if (!backend) return undefined;
  const own = Object.keys(names.options.backends ?? {}).filter((name) => !BACKENDS.has(name));
  const declared = own.some((name) => name.toLowerCase() === host.toLowerCase());
  const owns = () => ROSTER.some(({ id }) => id.startsWith(`${host.toLowerCase()}/`));
  return between !== "/" || declared || model.includes("/") || !owns()
    ? { target: { backend, model }, declared }
    : undefined;
}

/** Where a model of the roster is. Other hosts spell NVIDIA's ids in their own ways: there a name is what it says. */
function toRowTarget(row: ModelRow, name: string, { backend, backends, options }: Names): Target {
  if (row.host) return { backend: backends.get(row.host.toLowerCase()) ?? backend, model: row.id };
  const own = options.models?.includes(row) || backend.name === DEFAULT_BACKEND;
  return { backend, model: own ? row.id : name };
}

function findRow({ options }: Names, fits: (id: string) => boolean): ModelRow | undefined {
  return [...options.models ?? [], ...ROSTER].find(({ id }) => fits(id.toLowerCase()));
}

/** A way to read a name; `plain` is the name without its endings. */
type Find = (name: string, names: Names, plain: string) => Target | undefined;

/**
 * What a name is called and how it is then read, the first row that finds something counts. Not all are sure: any two
 * words with a slash between may be an upstream's id.
 */
const RULES: readonly (readonly [why: string, find: Find, sure?: false])[] = [
  ["profile", (name, { backends, backend, profiles }, plain) => {
    const profile = profiles.get(name.toLowerCase()) ??
      [...profiles].find(([alias]) => toPlainName(alias) === plain)?.[1];
    if (!profile) return undefined;
    const host = backends.get(profile.backend?.toLowerCase() ?? "") ?? backend;
    return { backend: host, model: profile.providerModel, profile };
  }],
  ["picker id", (name, names) => {
    const { id, thinking } = parsePickerId(name) ?? {};
    if (id === undefined) return undefined;
    const found = parsePickerId(id) ? undefined : findReference(id, names);
    // Anthropic's own names may have the same prefix; other hosts put one before them.
    if (!found && !id.includes("/") && CLAUDE_NAME.test(toPlainName(id))) return undefined;
    const target = found ?? { backend: names.backend, model: id };
    return thinking ? target : { ...target, thinking: false };
  }],
  ["host and model", (name, names) => {
    const { declared, target } = splitName(name, names) ?? {};
    return declared ? target : undefined;
  }],
  ["name of an earlier tool", (_name, { backends, backend }, plain) => {
    const model = MODEL_ALIASES.get(plain);
    return model === undefined ? undefined : { backend: backends.get(DEFAULT_BACKEND) ?? backend, model };
  }],
  ["model of the roster", (name, names, plain) => {
    const words = [name.toLowerCase(), plain];
    const row = name.includes("/") ? findRow(names, (id) => words.includes(id)) : undefined;
    return row && toRowTarget(row, name, names);
  }],
  ["host and model", (name, names) => splitName(name, names)?.target],
  ["upstream id", (name, { backend }, plain) => {
    return name.includes("/") && !CLAUDE_NAME.test(plain) ? { backend, model: name } : undefined;
  }, false],
  ["short name", (name, names, plain) => {
    const words = [name.toLowerCase(), plain];
    const row = findRow(names, (id) => words.some((word) => id === word || id.endsWith(`/${word}`)));
    const known = row && (row.host || names.backend.name === DEFAULT_BACKEND || names.options.models?.includes(row));
    return known ? toRowTarget(row, name, names) : undefined;
  }],
];

/** The model that was found, in words how, and whether a name can have meant nothing else. */
type FoundTarget = { target: Target; why: string; sure?: boolean };

/** Finds the model that a name stands for, and by which rule; nothing for names of Anthropic's and unknown ones. */
function findRule(name: string, names: Names): FoundTarget | undefined {
  const whole = withoutWindow(name);
  if (whole.length > LONGEST_NAME || /\p{Cc}/u.test(whole)) return undefined;
  const plain = toPlainName(name);
  for (const [why, find, sure = true] of RULES) {
    const target = find(whole, names, plain);
    if (target) return { target, why, sure };
  }
  return undefined;
}

/** Finds the model that a name stands for. */
function findReference(name: string, names: Names): Target | undefined {
  return findRule(name, names)?.target;
}
// lib/routing/tier.ts -----------------------------------------------------------------------
const TIER_WORDS: readonly [tier: Tier, words: RegExp][] = [
  ["opus", /opus|fable/],
  ["sonnet", /sonnet/],
  ["haiku", /haiku/],
];

/** Finds the tier that a name of Anthropic's speaks of, such as `claude-3-5-haiku-20241022`. */
function findTier(name: string): Tier | undefined {
  const plain = toPlainName(name);
  return CLAUDE_NAME.test(plain) ? TIER_WORDS.find(([, words]) => words.test(plain))?.[0] : undefined;
}
// lib/routing/catalog.ts --------------------------------------------------------------------
/** Everything names can mean; made once for a configuration. */
export type Catalog = Names & {
  /** The models for the main work, for small things, and for what must not fail. */
  elite: Target;
  speed: Target;
  steady: Target;
  tiers: Readonly<Record<Tier, Target>>;
  /** Who steps in. */
  fallbacks: readonly Target[];
  /** The models for tasks. */
  tasks: Readonly<Partial<Record<RoutedTask, Target>>>;
  /** Every model that somebody has named, or that steps in, by what it is called. */
  listed: ReadonlyMap<string, Target>;
};

/** Hosts that run on this machine need no key. */
const LOOPBACK = /^https?:\/\/(?:localhost|127(?:\.\d+){3}|\[::1\])(?=[:/]|$)/;

function toBackend(name: string, given: BackendOptions, options: RouterOptions): Backend {
  const known = BACKENDS.get(name);
  const baseUrl = withoutEndSlashes(given.baseUrl ?? known?.baseUrl ?? "");
  if (!/^https?:\/\/\S/.test(baseUrl)) {
    throw new TypeError(`Cannot use the backend '${name}': its baseUrl must be an address such as https://host/v1`);
  }
  // The limits of a known host are not those of another at its place.
  const usual = known?.baseUrl === baseUrl ? known : undefined;
  const limit = (key: "rateLimit" | "rateWindow" | "maxConcurrency") => given[key] ?? options[key] ?? usual?.[key];
  const apiKey = given.apiKey || usual?.apiKey;
  const keyName = given.apiKeyEnv ?? known?.keyNames[0];
  const needsKey = (given.apiKeyEnv ?? usual?.keyNames[0]) !== undefined && !LOOPBACK.test(baseUrl);
  return {
    name,
    baseUrl,
    apiKey,
    format: given.format ?? known?.format ?? "openai",
    headers: given.headers ?? {},
    limits: {
      limit: limit("rateLimit") ?? 0,
      window: limit("rateWindow") ?? 60_000,
      concurrency: limit("maxConcurrency") ?? 0,
    },
    ...(known?.thinkingSwitch ? { thinkingSwitch: known.thinkingSwitch } : {}),
    ...(keyName ? { keyName } : {}),
    ...(keyName && needsKey && !apiKey ? { lacks: keyName } : {}),
  };
}

/** The name of the default host, whatever earlier tools call it. */
function toHostName({ defaultBackend: name = DEFAULT_BACKEND, backends = {} }: RouterOptions): string {
  if (Object.hasOwn(backends, name) || BACKENDS.has(name)) return name;
  return [...BACKENDS].find(([, { aliases }]) => aliases.includes(name.toLowerCase()))?.[0] ?? name;
}

/** Hosts by their names and aliases; a name that a user has given is not an alias of another. */
function toBackends(options: RouterOptions, defaultBackend: string): Map<string, Backend> {
  const { apiKey, baseUrl, backends: declared = {} } = options;
  const backends = new Map<string, Backend>();
  for (const name of new Set([...BACKENDS.keys(), ...Object.keys(declared), defaultBackend])) {
    const own = name === defaultBackend ? { ...(apiKey ? { apiKey } : {}), ...(baseUrl ? { baseUrl } : {}) } : {};
    const backend = toBackend(name, { ...declared[name], ...own }, options);
    const aliases = BACKENDS.get(name)?.aliases.filter((alias) => !Object.hasOwn(declared, alias)) ?? [];
    for (const alias of [name, ...aliases]) backends.set(alias.toLowerCase(), backend);
  }
  return backends;
}

/** Models that are used, and those that somebody has named, by what they are called. */
function listTargets(used: readonly Target[], names: Names): Map<string, Target> {
  const { options: { models = [], listed = [] }, profiles, backend } = names;
  const find = (name: string) => findReference(name, names) ?? [];
  const profiled = [...profiles.keys()].flatMap(find);
  // A row may only tell more of a model that a profile asks another host for.
  const own = models.filter(({ id }) => !profiled.some((one) => one.model === id && one.backend !== backend));
  const targets = new Map<string, Target>();
  // The first counts: a tier may have the main model, with or without thinking.
  for (const target of [...used, ...[...listed, ...own.map(({ id }) => id)].flatMap(find), ...profiled]) {
    const label = toLabel(target, names);
    if (!targets.has(label)) targets.set(label, target);
  }
  return targets;
}

/**
 * Puts together everything names can mean.
 *
 * @throws {TypeError} If no model is chosen and none is known of the default backend, or a backend is of no use.
 */
function createCatalog(options: RouterOptions): Catalog {
  const defaultBackend = toHostName(options);
  const { modelMap = {}, modelProfiles = {}, models = [], tiers = {} } = options;
  const backends = toBackends(options, defaultBackend);
  const backend = backends.get(defaultBackend.toLowerCase())!;
  const mapped = Object.entries(modelMap).map(([alias, { backend, model }]): [string, ProfileOptions] => {
    return [alias, { backend, providerModel: model }];
  });
  const profiles = new Map(
    [...mapped, ...Object.entries(modelProfiles)].map(([alias, profile]) => [alias.toLowerCase(), profile]),
  );
  const placed = [...profiles, ...models.map(({ id, host }) => [id, { backend: host }] as const)];
  const [name, lost] = placed.find(([, { backend: host }]) => host && !backends.has(host.toLowerCase())) ?? [];
  // The default host would get a key and conversations that are not for it.
  if (lost) throw new TypeError(`Cannot use the model '${name}': there is no backend '${lost.backend}'`);
  const names: Names = { options, backend, backends, profiles };
  const toTarget = (name: string): Target => findReference(name, names) ?? { backend, model: name };
  const { defaultModel = BACKENDS.get(defaultBackend)?.defaultModel } = options.backends?.[defaultBackend] ?? {};
  if (!options.model && !defaultModel) {
    throw new TypeError(`No model is chosen for '${defaultBackend}': set ARBITER_MODEL, or its defaultModel`);
  }
  // A host's own model is called what the host calls it.
  const elite = options.model ? toTarget(options.model) : { backend, model: defaultModel! };
  // What is usual at NVIDIA is of no use to those who work elsewhere, without its key.
  const isUsual = backend.baseUrl === NVIDIA_BASE_URL && (elite.backend === backend || !backend.lacks);
  const usual: Partial<typeof DEFAULT_MODELS> = isUsual ? DEFAULT_MODELS : {};
  const or = (name: string | undefined): Target => name ? toTarget(name) : elite;
  const toTierTarget = (tier: Tier, name = tiers[tier]): Target => {
    return options.tierThinking?.[tier] === false ? { ...or(name), thinking: false } : or(name);
  };
  const [opus, sonnet] = [toTierTarget("opus"), toTierTarget("sonnet")];
  const haiku = toTierTarget("haiku", tiers.haiku ?? usual.speed);
  const byTier = { opus, sonnet, haiku };
  const tasks = Object.entries(options.tasks ?? {}).map(([task, name]): [string, Target] => {
    const tier = findTier(name);
    return [task, tier && !findReference(name, names) ? byTier[tier] : toTarget(name)];
  });
  const fallbacks = (options.fallbacks ?? usual.fallbacks ?? []).map(toTarget);
  const used = [elite, opus, sonnet, haiku, ...fallbacks, ...tasks.map(([, target]) => target)];
  return {
    ...names,
    elite,
    speed: haiku,
    steady: or(usual.elite),
    tiers: byTier,
    fallbacks,
    tasks: Object.fromEntries(tasks),
    listed: listTargets(used, names),
  };
}

/** What is known about a target: its profile goes before the user's row, and that before the roster's. */
function toTraits({ model, profile }: Target, { options: { models = [] } }: Names): Model {
  const { context, maxOutput, capabilities: { toolCalls: tools, vision, reasoning } = {} } = profile ?? {};
  return toModel(model, [{ id: model, context, maxOutput, tools, vision, reasoning } as ModelRow, ...models]);
}

/** How a target is asked. */
function toCandidate(target: Target, names: Names): Candidate & { traits: Model } {
  return { ...target, traits: toTraits(target, names), thinking: target.thinking ?? names.options.thinking ?? true };
}
// lib/store/store.ts ------------------------------------------------------------------------
/**
 * At most `limit` holders of a place under `key`; each keeps it for `ms` milliseconds, unless it is given back before. Who
 * takes it for 0 only looks whether there is one.
 */
export type SlidingWindow = { key: string; limit: number; ms: number };

/** Whether places were taken: if not, milliseconds until they may be free; and how many are left in the first window. */
export type Taken = { wait: number; left: number };

/**
 * Remembers JSON values under keys such as `model nvidia z-ai/glm4.7`, whose first word says what they are about.
 *
 * What it does to one key is atomic, also where several processes share it. Whatever fails rejects: whoever asks has to
 * do without what others know.
 */
export interface Store {
  /** Whether other processes see what is kept here. */
  readonly shared: boolean;
  /** The value under a key, `undefined` if there is none, or its time is over. */
  get(key: string): Promise<unknown>;
  /** Every key that begins with `prefix`, which is a first word and a blank, with its value. */
  list(prefix: string): Promise<[key: string, value: unknown][]>;
  /** Keeps a value, for `ms` milliseconds if they are given; `undefined` forgets the key. */
  set(key: string, value: unknown, ms?: number): Promise<void>;
  /** Keeps `after` only if `before` is what is there, `undefined` for nothing; tells whether it was. */
  swap(key: string, before: unknown, after: unknown, ms?: number): Promise<boolean>;
  /** Takes a place in each of the windows, or in none of them; one that `id` has already lasts from now on. */
  take(id: string, windows: readonly SlidingWindow[]): Promise<Taken>;
  /** Gives a place back. */
  free(id: string, key: string): Promise<void>;
  /** Ends what holds the process open; what is asked afterwards rejects. */
  close(): Promise<void>;
}

/** What a store is made of is not there, as its message says, together with what to install. */
export class MissingEngineError extends Error {
  /** Always `MissingEngineError`. */
  override readonly name = "MissingEngineError";
}
// lib/translate/merge.ts --------------------------------------------------------------------
/** The fields of both bodies; where both have an object they are merged in turn, else `over` wins, with lists too. */
function mergeBodies(base: JsonObject, over: JsonObject): JsonObject {
  const merged = { ...base, ...over };
  for (const [key, value] of Object.entries(over)) {
    const under = Object.hasOwn(base, key) ? base[key] : undefined;
    if (isJsonObject(under) && isJsonObject(value)) merged[key] = mergeBodies(under, value);
  }
  return merged;
}
// lib/wire/openai.ts ------------------------------------------------------------------------
/** A part of a user message that holds more than text. */
export type ChatPart = { type: "text"; text: string } | { type: "image_url"; image_url: { url: string } };

/** A tool call of an assistant message in the history. */
export type ChatToolCall = {
  id: string;
  type: "function";
  function: { name: string; arguments: string };
  /** What hosts add; Gemini's is a signature. */
  extra_content?: JsonObject;
};

/** One message of a chat completion request. */
export type ChatMessage =
  | { role: "system"; content: string }
  | { role: "user"; content: string | ChatPart[] }
  | { role: "assistant"; content: string | null; reasoning_content?: string; tool_calls?: ChatToolCall[] }
  | { role: "tool"; tool_call_id: string; content: string };

/** A function the model may call. */
export type ChatTool = { type: "function"; function: { name: string; description?: string; parameters: JsonObject } };

/** The body of `POST /chat/completions`; a family may add fields of its own. */
export type ChatRequest = JsonObject & {
  model: string;
  messages: ChatMessage[];
  max_tokens: number;
  stream?: boolean;
  stream_options?: { include_usage: boolean };
  temperature?: number;
  top_p?: number;
  stop?: string[];
  tools?: ChatTool[];
  tool_choice?: "auto" | "none" | "required" | { type: "function"; function: { name: string } };
  parallel_tool_calls?: boolean;
  response_format?: JsonObject;
};

/** A tool call in an answer, or a piece of one: hosts leave out whatever they like. */
export type ToolCallDelta = {
  index?: number | null | undefined;
  id?: string | null | undefined;
  type?: string | null;
  function?: { name?: string | null | undefined; arguments?: unknown } | null;
};

/** The changing part of a chunk, or the `message` of a whole completion. */
export type ChatDelta = {
  content?: string | { type?: string; text?: string; thinking?: unknown }[] | null;
  refusal?: string | null;
  reasoning_content?: string | null;
  reasoning?: string | null;
  reasoning_details?: { text?: string; summary?: string }[] | null;
  tool_calls?: ToolCallDelta[] | null;
  function_call?: ToolCallDelta["function"];
};

/** Token counts as OpenAI-compatible hosts report them; the prompt includes what was cached. */
export type ChatUsage = {
  prompt_tokens?: number | null;
  completion_tokens?: number | null;
  prompt_tokens_details?: { cached_tokens?: number | null } | null;
  completion_tokens_details?: { reasoning_tokens?: number | null } | null;
};

/**
 * A choice of a chunk; vLLM names the stop string that ended it `stop_reason`, SGLang `matched_stop`. Moonshot has the
 * counts here.
 */
export type ChatChoice = {
  delta?: ChatDelta | null;
  message?: ChatDelta | null;
  finish_reason?: string | null;
  stop_reason?: unknown;
  matched_stop?: unknown;
  usage?: ChatUsage | null;
};

/** One chunk of a streamed completion; a whole completion has `message` for `delta`. */
export type ChatChunk = { choices?: ChatChoice[]; usage?: ChatUsage | null; error?: unknown };
// lib/wire/ids.ts ---------------------------------------------------------------------------
/** Makes an id no other call has made, such as `msg_` followed by 24 letters and digits. */
export type NewId = (prefix: string) => string;

/**
 * Makes a random id in the form of Anthropic's own, for a prefix such as `msg_`.
 *
 * Ids must differ over a whole conversation: Claude Code throws away a tool call whose id it has seen before.
 */
export function randomId(prefix: string): string {
  return prefix + crypto.randomUUID().replaceAll("-", "").slice(-24);
}

/** A short text that stands for `value`: the same in each run, on each machine (FNV-1a, 53 bits). */
function toDigest(value: string, length: number): string {
  let [a, b] = [0x811c9dc5, 0x01000193];
  for (let i = 0; i < value.length; i++) {
    a = Math.imul(a ^ value.charCodeAt(i), 0x01000193);
    b = Math.imul(b ^ value.charCodeAt(i), 0x85ebca6b) ^ (a >>> 13);
  }
  const number = (a >>> 0) * 2 ** 21 + ((b >>> 0) >>> 11);
  return number.toString(36).padStart(length, "0").slice(-length);
}
// lib/translate/call_ids.ts -----------------------------------------------------------------
/**
 * Makes what gives each call of a history, in order, the id its family wants upstream.
 *
 * Kimi's ids count the calls from the first on; the same history always becomes the same text, which prompt caches
 * depend on.
 */
function createCallIds(rule: CallIdRule = "any"): (id: string, name: string) => string {
  let count = 0;
  if (rule === "kimi") return (_id, name) => `functions.${name}:${count++}`;
  return rule === "mistral" ? (id) => toDigest(id, 9) : (id) => id;
}
// lib/translate/content.ts ------------------------------------------------------------------
/** What content translation has to know: whether the model sees images, and where to tell of losses. */
type ContentOptions = { vision: boolean; warn: (warning: string) => void };

const NO_IMAGE = "[An image stood here. This model cannot see images: ask for a description, or inspect the file " +
  "with a tool.]";

/** The beginning of an address at which hosts find an image. */
const IMAGE_ADDRESS = /^(?:https?:\/\/\S|data:image\/[\w.+-]+;base64,[\w+/])/;

function toImagePart({ type, media_type, data, url }: JsonObject, { vision, warn }: ContentOptions): ChatPart {
  const address = type === "base64" ? `data:${media_type};base64,${data}` : url;
  if (vision && IMAGE_ADDRESS.test(String(address))) return { type: "image_url", image_url: { url: String(address) } };
  warn("Cannot show an image to the model: replaced by a note");
  return { type: "text", text: NO_IMAGE };
}

function toDocumentParts(block: ContentBlockParam & { type: "document" }, options: ContentOptions): ChatPart[] {
  const { title, context } = block;
  const { type, media_type, data, url, content } = block.source;
  if (Array.isArray(content)) return [...toTextParts(title, context), ...toPartsOf(content, options)];
  const plain = type === "text" ? data : content;
  if (typeof plain === "string") return toTextParts(title, context, plain);
  options.warn(`Cannot show a document of type '${media_type ?? type}': replaced by a note`);
  const name = [title, url].filter((part) => typeof part === "string").map((part) => ` "${part}"`).join(" from");
  const size = typeof data === "string" ? `, ${Math.ceil(data.length * 3 / 4 / 1024)} kB` : "";
  const note = `[A document${name} (${media_type ?? type}${size}) was attached here. It cannot be shown to ` +
    "this model. To read it, run a tool on the file, such as `pdftotext -layout FILE -` or Python's pypdf.]";
  return toTextParts(context, note);
}

/** One text of lines, as far as there are any. */
function toTextParts(...lines: (string | null | undefined)[]): ChatPart[] {
  const text = lines.filter(Boolean).join("\n");
  return text === "" ? [] : [{ type: "text", text }];
}

function toParts(block: ContentBlockParam, options: ContentOptions): ChatPart[] {
  if (block.type === "text") return toTextParts(block.text);
  if (block.type === "image") return [toImagePart(block.source, options)];
  if (block.type === "document") return toDocumentParts(block, options);
  if (block.type === "tool_reference") return toTextParts(`The tool ${block.tool_name} is loaded now.`);
  // Blocks of server tools, search results and whatever comes next: better shown than lost.
  const { type, ...fields } = block as object as JsonObject;
  options.warn(`Cannot translate a block of type '${type}': passed as text`);
  return toTextParts(`[${type}] ${typeof fields.text === "string" ? fields.text : JSON.stringify(fields)}`);
}

/** Translates content that may be a plain string, absent, or blocks; tool results are not its concern. */
function toPartsOf(content: MessageContent | undefined, options: ContentOptions): ChatPart[] {
  if (typeof content === "string") return toTextParts(content);
  return content?.flatMap((block) => toParts(block, options)) ?? [];
}

/** Joins the text of parts with blank lines between. */
function toText(parts: ChatPart[]): string {
  return parts.flatMap((part) => part.type === "text" ? [part.text] : []).join("\n\n");
}

/** The shortest form of parts: hosts take a plain string everywhere, a list in few places. */
function toContent(parts: ChatPart[]): string | ChatPart[] {
  return parts.every((part) => part.type === "text") ? toText(parts) : parts;
}
// lib/translate/tool_input.ts ---------------------------------------------------------------
/** Made once of each input: what is sent is weighed, too. */
const INPUT_TEXTS = new WeakMap<JsonObject, string>();

/** The input of a call as the text that hosts take. */
function toInputText(input: JsonObject): string {
  const text = INPUT_TEXTS.get(input) ?? toJsonText(input);
  INPUT_TEXTS.set(input, text);
  return text;
}

/** Parses arguments; what is no object comes in the form in which Claude Code itself replays such calls. */
function parseInput(json: string): JsonObject {
  const input = parseJson(json);
  return isJsonObject(input) ? input : toUnparsed(json);
}
// lib/translate/schema.ts -------------------------------------------------------------------
const toSet = (words: string): ReadonlySet<string> => new Set(words.split(" "));

/** Where JSON Schema keeps one further schema. */
const ONE = toSet(
  "additionalProperties contains else if items not propertyNames then unevaluatedItems unevaluatedProperties",
);
/** Where it keeps several, by name or in a list. */
const MANY = toSet("$defs definitions dependentSchemas patternProperties properties allOf anyOf oneOf prefixItems");
/** Keywords a model can do without and that some hosts refuse: llama.cpp and OpenAI cannot read Claude Code's patterns. */
const NOISE = toSet("$schema $id $comment pattern");
/** Limits of how often something comes, and the largest that llama.cpp makes a grammar of. */
const REPEATS = toSet("maxLength maxItems minLength minItems");
const MOST_REPEATS = 2000;

function toEntries(schema: JsonObject): [string, unknown][] {
  return Object.entries(schema).flatMap(([keyword, value]): [string, unknown][] => {
    if (NOISE.has(keyword) || (REPEATS.has(keyword) && Number(value) > MOST_REPEATS)) return [];
    // `true` and `false` are legal schemas, but several hosts accept objects only.
    if (ONE.has(keyword)) return typeof value === "boolean" ? [] : [[keyword, toClean(value)]];
    if (!MANY.has(keyword)) return [[keyword, value]];
    if (!isJsonObject(value)) return [[keyword, toClean(value)]];
    return [[keyword, Object.fromEntries(Object.entries(value).map(([name, sub]) => [name, toClean(sub)]))]];
  });
}

function toClean(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(toClean);
  return isJsonObject(schema) ? Object.fromEntries(toEntries(schema)) : {};
}

/**
 * Makes a tool's `input_schema` one that strict hosts accept, without changing what it asks for but in details.
 *
 * Boolean subschemas, patterns, huge limits and `$schema` go, in schema positions only: a property that is *called*
 * `$schema` or a default value that looks like a schema stays.
 */
function toParameters(schema: JsonObject): JsonObject {
  const { type = "object", properties, ...rest } = Object.fromEntries(toEntries(schema));
  if (type !== "object") return { type, ...rest };
  return { type, properties: isJsonObject(properties) ? properties : {}, ...rest };
}
// lib/translate/tools.ts --------------------------------------------------------------------
/** Claude Code's stand-in for tools it has not loaded; nobody may call it. */
const PLACEHOLDER = "DeferredToolPlaceholder";

/**
 * The function name for a tool: at most 64 letters, digits, `_` and `-` (OpenAI's rule).
 *
 * A name that breaks the rule keeps its beginning and gets a digest of the whole.
 */
function toFunctionName(name: string): string {
  return /^[\w-]{1,64}$/.test(name) ? name : `${name.replace(/[^\w-]/g, "_").slice(0, 54)}_${toDigest(name, 9)}`;
}

/** Translates `tools`; Anthropic's own server tools cannot run here and are left out. */
function toChatTools(tools: MessagesRequest["tools"], warn: ContentOptions["warn"]): ChatTool[] {
  return (tools ?? []).flatMap(({ name, description, input_schema }): ChatTool[] => {
    if (name === PLACEHOLDER) return [];
    if (!input_schema) warn(`Cannot offer the server tool '${name}' to the model: it runs at Anthropic only`);
    if (!input_schema) return [];
    const call = { name: toFunctionName(name), ...(description ? { description } : {}) };
    return [{ type: "function", function: { ...call, parameters: toParameters(input_schema) } }];
  });
}

/** The declared tools under the names they have upstream, where longer ones than 64 characters are shortened. */
export function toDeclaredTools(tools: MessagesRequest["tools"]): DeclaredTools {
  return new Map(tools?.map((tool) => [toFunctionName(tool.name), tool]));
}

const CHOICE_NAMES = new Map<string, "required" | "none">([["any", "required"], ["none", "none"]]);

/** Translates `tool_choice` with its `disable_parallel_tool_use`. */
function toToolChoice(
  choice: ToolChoice | undefined,
  tools: readonly ChatTool[],
): Pick<ChatRequest, "tool_choice" | "parallel_tool_calls"> {
  if (!choice) return {};
  const name = toFunctionName(choice.name ?? "");
  // One that was left out cannot be called.
  const named = choice.type === "tool" && tools.some((tool) => tool.function.name === name);
  const tool_choice = named
    ? { type: "function", function: { name } } as const
    : CHOICE_NAMES.get(choice.type) ?? "auto";
  return { tool_choice, ...(choice.disable_parallel_tool_use ? { parallel_tool_calls: false } : {}) };
}
// lib/translate/messages.ts -----------------------------------------------------------------
const NO_OUTPUT = "(no output)"; // Tool messages must not be empty.
const NO_RESULT = "(no result: the call was interrupted)";
const ANSWER = "OK.";
/** What Google's documentation has for calls whose signature is not there: clients do not keep it. */
const UNVERIFIED = { extra_content: { google: { thought_signature: "skip_thought_signature_validator" } } };
const IMAGE_FOLLOWS = "(the image follows the tool results)";

/** The blocks of content. */
function toBlocks(content: MessageParam["content"]): ContentBlockParam[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : content;
}

/** What the system says in the middle of a conversation, as the client says it where nobody takes that role there. */
function toReminder(text: string): string {
  return `<system-reminder>\n${text}\n</system-reminder>`;
}

/** Whether a message has what a person wrote, not only results and reminders: new work begins with it. */
function isTyped({ role, content }: MessageParam): boolean {
  return role === "user" &&
    toBlocks(content).some((block) => block.type === "text" && /^\s*(?!<system-reminder>)\S/.test(block.text));
}

/** What a family wants of the history. */
type HistoryRules = Pick<
  Family,
  "callIds" | "replaysThinking" | "answersResults" | "singleCalls" | "signsCalls"
>;

/** Consecutive messages of one side, the assistant's or the client's, are one turn. */
function toTurns(messages: MessageParam[]): MessageParam[][] {
  const turns: MessageParam[][] = [];
  for (const message of messages) {
    const last = turns.at(-1);
    if (last && (last[0]?.role === "assistant") === (message.role === "assistant")) last.push(message);
    else turns.push([message]);
  }
  return turns;
}

/**
 * Translates `messages`, repairing what strict hosts refuse.
 *
 * Results follow their calls directly and in the order of the calls, whatever order they came in; a missing result is
 * filled in, an orphan becomes user text. Text beside results comes after them. System messages from the middle become
 * reminders. Thinking is left out, because most hosts refuse it in the history; a family that wants it back gets that
 * of the work at hand, which begins where a person last wrote something, or all; a blank for calls that must have some.
 */
function toChatMessages(
  messages: MessageParam[],
  options: ContentOptions,
  { callIds, replaysThinking = false, answersResults, singleCalls = false, signsCalls = false }: HistoryRules = {},
): ChatMessage[] {
  const chat: ChatMessage[] = [];
  const toCallId = createCallIds(callIds);
  /** The calls of the last assistant turn that wait for their results, in order, each with the client's own id. */
  const waiting: [clientId: string, call: ChatToolCall][] = [];
  /** The ids of all calls, and how many were given to calls whose own was taken. */
  const taken = new Set<string>();
  let copies = 1;

  function addCall({ id, name, input }: ContentBlockParam & { type: "tool_use" }): void {
    const called = { name: toFunctionName(name), arguments: toInputText(input) };
    let callId = toCallId(id || "call", called.name);
    // Hosts that go by the id would take two calls for one.
    while (taken.has(callId)) callId = toCallId(`${id}_${++copies}`, called.name);
    taken.add(callId);
    waiting.push([id, { id: callId, type: "function", function: called, ...(signsCalls ? UNVERIFIED : {}) }]);
  }

  /** What an assistant wrote. */
  function addAssistant(turn: MessageParam[], withThinking: boolean): void {
    const texts: ContentBlockParam[] = [];
    const thoughts: string[] = [];
    for (const block of turn.flatMap(({ content }) => toBlocks(content))) {
      if (block.type === "tool_use") addCall(block);
      else if (block.type === "thinking") thoughts.push(block.thinking);
      else if (!block.type.endsWith("thinking")) texts.push(block);
    }
    // Many templates want roles to alternate, and a client's turn may have come to nothing.
    const before = chat.at(-1)?.role === "assistant" ? chat.pop()?.content : "";
    const text = [before, toText(toPartsOf(texts, options))].filter(Boolean).join("\n\n");
    const tool_calls = waiting.slice(0, singleCalls ? 1 : Infinity).map(([, call]) => call);
    const none = typeof replaysThinking === "string" && waiting.length > 0 ? " " : "";
    const thinking = withThinking && thoughts.filter((thought) => thought.trim() !== "").join("\n\n") || none;
    const reasoning = thinking === "" ? {} : { reasoning_content: thinking };
    if (tool_calls.length > 0) chat.push({ role: "assistant", content: text || null, ...reasoning, tool_calls });
    else if (text !== "") chat.push({ role: "assistant", content: text, ...reasoning });
  }

  /** What came in return: first the results in the order of the calls, then everything else. */
  function addClient(turn: MessageParam[]): void {
    const results: ToolResultParam[] = [];
    const parts: ChatPart[] = [];
    for (const { role, content } of turn) {
      const blocks = toBlocks(content);
      const others = toPartsOf(blocks.filter((block) => block.type !== "tool_result"), options);
      results.push(...blocks.filter((block) => block.type === "tool_result"));
      // Most templates take a system message in front only.
      if (role !== "system") parts.push(...others);
      else if (others.length > 0) parts.push({ type: "text", text: toReminder(toText(others)) });
    }
    parts.unshift(...addResults(results));
    const last = chat.at(-1);
    // An assistant turn that came to nothing may have stood between.
    if (last?.role === "user" && Array.isArray(last.content)) last.content.push(...parts);
    else if (parts.length > 0) {
      if (last?.role === "tool" && answersResults) chat.push({ role: "assistant", content: ANSWER });
      chat.push({ role: "user", content: parts });
    }
  }

  /** Adds a tool message for each waiting call; gives what tool messages cannot hold. */
  function addResults(results: ToolResultParam[]): ChatPart[] {
    const extra: ChatPart[] = [];
    const left = new Set(results);
    const byId = new Map<string, ToolResultParam[]>();
    for (const result of results.reverse()) {
      const { tool_use_id: id } = result;
      byId.set(id, byId.get(id) ?? []).get(id)?.push(result);
    }
    for (const [i, [clientId, call]] of waiting.splice(0).entries()) {
      const { id, function: { name } } = call;
      if (singleCalls && i > 0) chat.push({ role: "assistant", content: null, tool_calls: [call] });
      const result = byId.get(clientId)?.pop();
      if (result) left.delete(result);
      const parts = toPartsOf(result?.content, options);
      const images = parts.filter((part) => part.type !== "text");
      if (images.length > 0) extra.push({ type: "text", text: `Result of ${name}:` }, ...images);
      if (!result) options.warn(`Cannot find the result of a call of '${name}': said to be interrupted`);
      let content = toText(parts) || (result ? images.length > 0 ? IMAGE_FOLLOWS : NO_OUTPUT : NO_RESULT);
      if (result?.is_error && !/error/i.test(content.slice(0, 40))) content = `Error: ${content}`;
      chat.push({ role: "tool", tool_call_id: id, content });
    }
    for (const { content } of left) {
      options.warn("Cannot find the call of a tool result: passed as text");
      extra.push({ type: "text", text: "Result of an earlier tool call:" }, ...toPartsOf(content, options));
    }
    return extra;
  }

  const turns = toTurns(messages);
  const begin = replaysThinking === "always" ? -1 : turns.findLastIndex((turn) => turn.some(isTyped));
  turns.forEach((turn, i) => {
    if (turn[0]?.role === "assistant") addAssistant(turn, replaysThinking !== false && i > begin);
    else addClient(turn);
  });
  addResults([]);
  for (const message of chat) {
    if (message.role === "user" && Array.isArray(message.content)) message.content = toContent(message.content);
  }
  return chat;
}
// lib/wire/printable.ts ---------------------------------------------------------------------
/**
 * A text without what moves the cursor, changes the terminal or turns the direction of writing: what others named may
 * be shown, but must not do anything. Line ends stay.
 */
function toPrintable(text: string): string {
  return text.replace(/(?!\n)[\p{Cc}\p{Bidi_Control}]/gu, " ");
}
// lib/wire/errors.ts ------------------------------------------------------------------------
/** The HTTP status that Anthropic sends each `error.type` with. */
export const STATUS_BY_ERROR_TYPE = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
} as const;

/** An `error.type` of Anthropic's API. */
export type ApiErrorType = keyof typeof STATUS_BY_ERROR_TYPE;

/**
 * Options of {@linkcode ApiError}: a status unlike the type's, further response headers such as `retry-after`, and what
 * programs can read of it.
 */
export type ApiErrorOptions = ErrorOptions & {
  status?: number;
  headers?: Record<string, string>;
  details?: Record<string, unknown>;
};

/** The body of an error response and of an SSE `error` event. */
export type ApiErrorBody = {
  type: "error";
  error: { type: ApiErrorType; message: string; details?: Record<string, unknown> };
  request_id?: string;
};

/** A failure that has a shape on the Anthropic wire. */
export class ApiError extends Error {
  /** Always `ApiError`. */
  override readonly name = "ApiError";
  /** The `error.type` sent to the client. */
  readonly type: ApiErrorType;
  /** The HTTP status sent when no byte of the response has left yet. */
  readonly status: number;
  /** Headers of the error response. */
  readonly headers: Record<string, string>;
  /** What programs can read of it. */
  readonly details: Record<string, unknown> | undefined;

  /** Makes an error that is sent as `type` with `message`, which clients show in terminals. */
  constructor(type: ApiErrorType, message: string, options: ApiErrorOptions = {}) {
    super(toPrintable(message), options);
    this.type = type;
    this.status = options.status ?? STATUS_BY_ERROR_TYPE[type];
    this.headers = options.headers ?? {};
    this.details = options.details;
  }

  /** The body for an HTTP response and for an SSE `error` event. */
  toJSON(): ApiErrorBody {
    const { type, message, details } = this;
    return { type: "error", error: { type, message, ...(details ? { details } : {}) } };
  }
}

/** Makes an {@linkcode ApiError} of anything thrown; what was unforeseen becomes an `api_error`. */
function toApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new ApiError("api_error", `Arbiter failed: ${message}`, { cause: thrown });
}
// lib/translate/request.ts ------------------------------------------------------------------
/** Claude Code's first system block: accounting for Anthropic, different in each conversation. */
const BILLING = /^x-anthropic-billing-header:[^\n]*/;

/** What a request is translated for. */
export type ChatRequestOptions = {
  /** The upstream's name of the model. */
  model: string;
  /** The most output tokens to ask for; `max_tokens` is lowered to it and to what the model can. @default {Infinity} */
  maxTokens?: number;
  /** What is known of the model. @default {what its id tells} */
  traits?: Model;
  /** Whether the model may think; if not, it is told not to, whatever the client wants. @default {true} */
  thinking?: boolean;
  /** How the host switches thinking, if it has its own way. @default {as the model's family does} */
  thinkingSwitch?: ThinkingSwitch;
  /** Fields to send as they are, over all others. @default {{}} */
  extraBody?: JsonObject;
};

/** A translated request and, as sentences, what could not be carried over. */
export type TranslatedRequest = { request: ChatRequest; warnings: string[] };

/**
 * Translates a Messages request into a chat completion request.
 *
 * Only fields that strict hosts know are sent, sampling only when the client set it, thinking in the way of the model's
 * family. Everything else Claude Code adds for Anthropic (metadata, cache control, context management, betas) has no
 * counterpart and is left out silently, because nothing the user can see depends on it.
 */
export function toChatRequest(request: MessagesRequest, options: ChatRequestOptions): TranslatedRequest {
  const { model, maxTokens = Infinity, traits = toModel(model), thinking = true, extraBody = {} } = options;
  const { temperature, top_p, top_k, stop_sequences, output_config, output_format } = request;
  const warnings = new Set<string>();
  const content = { vision: traits.vision, warn: (warning: string) => void warnings.add(warning) };
  const effort = thinking ? toEffort(request) : "off";
  const think = toThinkingFields(traits, effort, options.thinkingSwitch);
  const { family } = traits;
  const replaysThinking = traits.reasoning && effort !== "off" && (family.replaysThinking ?? false);
  const messages = toChatMessages(request.messages, content, { ...family, replaysThinking });
  if (messages.length === 0) throw new ApiError("invalid_request_error", "messages: All of them are empty");
  const told = toText(toPartsOf(request.system, content)).replace(BILLING, "").trimStart();
  const system = [told, think.system].filter(Boolean).join("\n\n");
  if (system !== "") messages.unshift({ role: "system", content: system });
  const chat: ChatRequest = { model, messages, max_tokens: Math.min(request.max_tokens, maxTokens, traits.maxOutput) };
  if (request.stream) Object.assign(chat, { stream: true, stream_options: { include_usage: true } });
  if (temperature != null) chat.temperature = temperature;
  if (top_p != null) chat.top_p = top_p;
  if (top_k != null) content.warn("Cannot pass 'top_k': OpenAI's format has no such field");
  const stop = stop_sequences?.filter(Boolean) ?? [];
  if (stop.length > 0) chat.stop = stop;
  const tools = toChatTools(request.tools, content.warn);
  if (tools.length > 0 && !traits.tools) content.warn(`Cannot offer the tools: ${model} is served without tools`);
  else if (tools.length > 0) Object.assign(chat, { tools }, toToolChoice(request.tool_choice, tools));
  const format = output_config?.format ?? output_format;
  if (format?.type === "json_schema") {
    const json_schema = { name: "answer", schema: format.schema ?? {}, strict: true };
    chat.response_format = { type: "json_schema", json_schema };
  }
  // Where it must not think, nothing that a profile says makes it.
  const layers = thinking ? [think.fields ?? {}, extraBody] : [extraBody, think.fields ?? {}];
  const body = layers.reduce<JsonObject>(mergeBodies, chat) as ChatRequest;
  return { request: body, warnings: [...warnings] };
}
// lib/translate/passed_request.ts -----------------------------------------------------------
/**
 * A message without the thinking of models that sign nothing: who verifies signatures would refuse it. A family that wants
 * thinking back gets it as it is; a blank for calls that must have some.
 */
function toPassedMessages(message: MessageParam, replays: Family["replaysThinking"]): MessageParam[] {
  const { content } = message;
  if (message.role !== "assistant" || typeof content === "string") return [message];
  if (replays) {
    const has = (type: string) => content.some((block) => block.type.endsWith(type));
    if (replays === true || !has("tool_use") || has("thinking")) return [message];
    return [{ ...message, content: [{ type: "thinking", thinking: " ", signature: UNSIGNED }, ...content] }];
  }
  const signed = content.filter((block) => block.type !== "thinking" || block.signature !== UNSIGNED);
  return signed.length > 0 ? [{ ...message, content: signed }] : [];
}

/** Messages without the system's in the middle of them, which few hosts take: it reminds the client's side. */
function withReminders(messages: readonly MessageParam[]): MessageParam[] {
  const all: MessageParam[] = [];
  let reminded: ContentBlockParam[] | undefined;
  for (const message of messages) {
    if (message.role !== "system") {
      all.push(message);
      reminded = undefined;
      continue;
    }
    if (!reminded) {
      reminded = all.at(-1)?.role === "user" ? [...toBlocks(all.pop()?.content ?? [])] : [];
      all.push({ role: "user", content: reminded });
    }
    for (const block of toBlocks(message.content)) {
      reminded.push(block.type === "text" ? { ...block, text: toReminder(block.text) } : block);
    }
  }
  return all;
}

/** Anthropic takes no smaller `budget_tokens`, and none that is not below `max_tokens`. */
const MIN_BUDGET = 1024;

/**
 * Makes the request for a host that speaks Anthropic's format: the client's own, with another model.
 *
 * The answer is always streamed. Thinking is fitted into the output tokens that are left; where the model must not think,
 * or cannot in so few, what speaks of thinking goes, too.
 */
function toPassedRequest(
  request: MessagesRequest,
  { model, maxTokens = Infinity, traits = toModel(model), thinking = true, extraBody = {} }: ChatRequestOptions,
): { request: JsonObject & { max_tokens: number }; warnings: string[] } {
  const max_tokens = Math.min(request.max_tokens, maxTokens, traits.maxOutput);
  const budget = request.thinking?.budget_tokens;
  const exceeds = typeof budget === "number" && budget >= max_tokens;
  const fits = !exceeds || max_tokens > MIN_BUDGET;
  const { replaysThinking } = traits.family;
  const messages = withReminders(request.messages.flatMap((message) => toPassedMessages(message, replaysThinking)));
  const body: JsonObject = { ...request, model, messages, max_tokens, stream: true };
  if (exceeds) body.thinking = { ...request.thinking, budget_tokens: max_tokens - 1 };
  if (!(thinking && fits)) {
    if (body.thinking) body.thinking = { type: "disabled" };
    delete body.context_management;
  }
  const warnings = thinking && !fits ? [`Cannot let ${model} think: it has only ${max_tokens} output tokens`] : [];
  return { request: { max_tokens, ...mergeBodies(body, extraBody) }, warnings };
}
// lib/upstream/fault_text.ts ----------------------------------------------------------------
/** No more of a body is looked at when it is not JSON, in characters. */
const MAX_BODY = 20_000;
/** What a user is shown of a body, and what is matched: the beginning says what happened, the rest quotes. */
const [MAX_TEXT, MAX_MATCHED] = [1000, 600];
/** The quotations that are looked at: any other may be the user's own words, which must teach nothing. */
const QUOTED_NAME = /^.[\w.]{1,60}.$/;

/** Quotations; an apostrophe is no quote, and a quote that is not closed lasts to the end. */
const QUOTES = /"(?:[^"\\]|\\.)*(?:"|\\?$)|`[^`]*(?:`|$)|(?<!\w)'(?:[^'\\]|\\.|'(?=\w))*(?:'|\\?$)/gs;

/** Errors of Python printed as they are, with what programs put before them. */
const PRINTED = /^(?:Error code: \d+ - |\d+ validation errors?: ?)?(?=(?:\[ ?)?\{ ?["'])/;

/** Parses JSON; objects and lists also as Python prints them or with their end missing. */
function parseBody(text: string): unknown {
  const tolerated = () => /^[[{]/.test(text) ? parseTolerant(text.slice(0, MAX_BODY))?.value : undefined;
  return parseJson(text) ?? tolerated();
}

/** Finds the sentence in an error of any shape; of pydantic's entries where and what, not what the user had sent. */
function findSentence(error: unknown, depth = 0): string {
  if (typeof error === "string") return error;
  if (depth > 5) return "";
  if (Array.isArray(error)) {
    return error.slice(0, 20).map((entry) => findSentence(entry, depth + 1)).filter(Boolean).join("; ");
  }
  if (!isJsonObject(error)) return "";
  if (typeof error.msg === "string") {
    const path = (Array.isArray(error.loc) ? error.loc : []).filter((key) => /^(?:string|number)$/.test(typeof key));
    return [path.join("."), error.msg].filter(Boolean).join(": ");
  }
  const { error: inner, metadata, message, detail, title } = error;
  // OpenRouter itself says no more than "Provider returned error".
  const raw = isJsonObject(metadata) && typeof metadata.raw === "string" && (parseBody(metadata.raw) ?? metadata.raw);
  return [inner, raw, message, detail, title].map((value) => findSentence(value, depth + 1)).find(Boolean) ?? "";
}

function squeeze(text: string): string {
  const plain = /^\s*<(?:[!?]|html|head|body)/i.test(text) ? text.replace(/<[^<>]*>/g, " ") : text;
  return plain.replace(/\s+/g, " ").trim();
}

/** The sentence of a body, or the body; it may be JSON of several shapes, Python's, HTML, text or empty. */
function unwrap(body: string): string {
  const text = body.trimStart();
  const sentence = /^[[{]\s*["'{]|^"/.test(text) ? findSentence(parseBody(text)) : "";
  return squeeze((sentence || body).slice(0, MAX_BODY));
}

/** Finds the sentence in an error body, for the user. */
function toFaultText(body: string): string {
  return unwrap(body).slice(0, MAX_TEXT);
}

/** Finds what a server says in an error body, without what it quotes of the user. */
function toServerWords(body: string): string {
  const text = unwrap(body);
  const printed = PRINTED.exec(text)?.[0];
  const words = printed === undefined ? text : printed + findSentence(parseBody(text.slice(printed.length)));
  return words
    .replace(/input_value=.{0,200}?, input_type=\w+/g, "")
    .replace(QUOTES, (quote) => QUOTED_NAME.test(quote) ? quote : '""')
    .slice(0, MAX_MATCHED);
}
// lib/upstream/limits.ts --------------------------------------------------------------------
/**
 * What a refusal states of the model: its context, the prompt, prompt and output together, and the most output, all in
 * tokens; fields it does not take.
 */
type StatedLimits = { limit?: number; used?: number; total?: number; cap?: number; fields?: string[] };

/** No wording is longer; what comes after that is an echo of the request. */
const MAX_WORDS = 1000;

/** The wordings of numbers; of each group the first row that has it counts. Digits carry no separators here. */
const NUMBERS: readonly RegExp[] = [
  /\binputs?[`'" ]+tokens \+ [`'"]?max_new_tokens[`'"]? must be <= (?<limit>\d+)\. Given: (?<used>\d+)/, // TGI
  /too long: (?<used>\d+) tokens > (?<limit>\d+) maximum/, // Anthropic
  /exceed context limit: (?<used>\d+) \+ \d+ > (?<limit>\d+)/, // Anthropic
  /context length:? (?:is|of|=)?(?: only)? ?\(?(?<limit>\d+)/, // vLLM, SGLang, Fireworks
  /Current length is (?<total>\d+) while limit is (?<limit>\d+)/, // Cerebras
  /model token limit: (?<limit>\d+)(?: \(requested: (?<total>\d+))?/, // Moonshot
  /prompt length is (?<limit>\d+) but the request contains (?<used>\d+)/, // xAI
  /token count \((?<used>\d+)\) exceeds the maximum number of tokens allowed \((?<limit>\d+)/, // Gemini
  /max_num_tokens \((?<limit>\d+)\)/, // TRT-LLM
  /maximum sequence length \((?<limit>\d+)\)/, // Triton
  /max_model_len=(?:max_total_tokens=)?(?<limit>\d+)/, // vLLM
  /(?<used>\d+) (?:tokens )?(?:in|from) (?:the|your) (?:input |request )?(?:messages|prompt)/, // OpenAI, vLLM, SGLang
  /messages resulted in (?<used>\d+)/, // OpenAI, vLLM
  /(?:request has|contains|passed)(?: at least)? (?<used>\d+) input tokens/, // vLLM
  /input_tokens, value=(?<used>\d+)/, // vLLM
  /(?:input|request) \((?<used>\d+) tokens\)/, // SGLang, llama.cpp
  /available context size \((?<limit>\d+) tokens\)/, // llama.cpp
  /keep the first (?<used>\d+) tokens/, // LM Studio
  /n_keep: (?<used>\d+) ?>= n_ctx: (?<limit>\d+)/, // LM Studio
  /prompt length \((?<used>\d+)\)/, // TRT-LLM, Triton
  /requested (?:about |a total of )?(?<total>\d+) tokens/, // OpenRouter, OpenAI, vLLM
  /tokens per min\w* \(TPM\): Limit (?<limit>\d+), Requested (?<total>\d+)/, // Groq, OpenAI: of a whole minute
  /max_(?:completion_)?tokens\b[^;]{0,120}?(?:less than or equal to|<=|at most|(?:not|cannot) exceed)[\s`'"]*(?<cap>\d+)/,
  /max_(?:completion_)?tokens\b[^;]{0,120}?maximum (?!context)\D{0,60}?(?:is|of)[\s`'":]*(?<cap>\d+)/,
  /maximum (?!context).{0,60}?(?:max_\w*?|output |completion )tokens\D{0,40}?(?:is|of)[\s`'":]*(?<cap>\d+)/,
  /range of max_(?:completion_)?tokens is [[(]\d+, ?(?<cap>\d+)/, // DeepSeek
  /^max_(?:completion_)?tokens: \d+ > (?<cap>\d+)/, // Anthropic
  /fewer max_tokens.{0,60} can only afford (?<cap>\d{5,})/, // OpenRouter, FCC#752; with less left there is no credit
].map((pattern) => new RegExp(pattern.source.replaceAll("\\d+)", "\\d+(?!\\d*[km]\\b))"), "i")); // Not the 128 of 128k.

/** What else Claude Code 2.1.328 takes for an overflow, of any provider. */
const OVERFLOW: RegExp = new RegExp(
  [
    "exceeds the (?:context window|available context size|maximum number of tokens allowed)",
    "context window exceeds limit|longer than the maximum model length|exceeded model token limit|exceed context limit",
    "input tokens exceed the configured limit|input token length too long|maximum prompt length|input is too long",
    "prompt exceeds max length|range of input length should be|tokens in request more than max tokens allowed",
    "but model only supports up to|reduce the length of the messages|context exceeds your deployment",
    "`inputs` tokens \\+ `max_new_tokens` must be|contextwindowexceedederror",
  ].join("|"),
  "i",
);

/** The wordings of fields a model does not take; all count. */
const REJECTIONS: readonly RegExp[] = [
  // NIM "Unsupported parameter(s): `a`, `b`", OpenAI "Unrecognized request argument supplied: a", Gemini 'Unknown name "a"'
  /\bun\w+ (?:request )?(?:parameter|argument|field|name|value)[s()]*(?: supplied)?(?:: ?| (?=[`'"]))(?<fields>[\w.`'", ]+)/gi,
  /(?<![\w.])(?<fields>[\w.]+):? Extra (?:inputs are|fields) not permitted/gi, // pydantic, as "body.a: …"
  /support the provided [`'"](?<fields>\w+)/g, // OpenRouter
  // NIM's kimi-k3, Groq, Cerebras, Azure "Extra parameters ['a'] are …"
  /[`'"](?<fields>[a-z][\w.]*)[`'"]\]? (?:is|are) (?:immutable|unsupported|not (?:supported|allowed|permitted))/g,
  /not permitted, field: [`'"](?<fields>[\w.[\]]+)/g, // Fireworks
  /(?:invalid|Unsupported) (?<fields>thinking|tool_choice): (?:only )?type=/g, // Moonshot, Cerebras
  /(?<fields>think)(?: value \S+ is not supported|ing$)/g, // Ollama "… does not support thinking"
  /(?<fields>Reasoning) is mandatory/g, // OpenRouter, of a model that cannot be told not to
  /not support(?:ed on this model:| parameter) (?<fields>\w+)/g, // xAI
  /(?<![\w`'"./-])(?<fields>[a-z]+(?:_[a-z]+)+) (?:is|are) (?:immutable|not (?:supported|allowed|permitted))/g, // NIM
];

/** What refusals call something else than the field. */
const FIELD_NAMES = new Map([
  ["chat_template", ["chat_template", "chat_template_kwargs"]], // Mistral's tokenizers
  ["think", ["reasoning_effort"]], // Ollama
  ["Reasoning", ["reasoning"]], // OpenRouter
]);

/** A list ends where two names have no comma between them. */
function toFields(list: string): string[] {
  const fields = list.replace(/(?<!,) +[\w`'"].*/, "").match(/\w+(?:\.\w+)*/g) ?? [];
  return fields.flatMap((name) => FIELD_NAMES.get(name) ?? name.replace(/^body\./, ""));
}

/** Reads what the text of a refusal states of the model; numbers may be written 32768, 32,768, 32_768 or 32768.0. */
function parseLimits(text: string): StatedLimits {
  const words = text.slice(0, MAX_WORDS).replace(/(?<=\d)[,_](?=\d{3}(?!\d))|(?<=\d)\.\d+/g, "");
  const limits: StatedLimits = {};
  for (const pattern of NUMBERS) {
    for (const [name, digits] of Object.entries(pattern.exec(words)?.groups ?? {})) {
      const number = Number(digits);
      if (number > 0 && Number.isSafeInteger(number)) limits[name as "limit" | "used" | "total" | "cap"] ??= number;
    }
  }
  if (limits.used !== undefined) delete limits.total;
  const fields = REJECTIONS.flatMap((pattern) =>
    [...words.matchAll(pattern)].flatMap(({ groups }) => toFields(groups?.fields ?? ""))
  );
  if (fields.length > 0) limits.fields = [...new Set(fields)];
  return limits;
}
// lib/upstream/faults.ts --------------------------------------------------------------------
/** What went wrong upstream: with the account, with the request, with the model or host, with the answer. */
type FaultKind =
  | ("bad_key" | "moved" | "rate_limited")
  | ("bad_request" | "rejected_field" | "no_tools" | "context_overflow" | "output_cap")
  | ("pool_full" | "degraded" | "unavailable" | "gone" | "broken" | "gateway" | "timeout")
  | ("cut" | "empty" | "degenerate");

/**
 * What a kind of fault means. The chain mends the request and asks the same candidate again, asks the next one, leaves
 * the account and asks the next one of another, or stops. The model is avoided at once for `avoid` milliseconds; without,
 * its health counts the fault. `account` is whether the fault is the account's, `final` whether time cannot help.
 */
type FaultMeaning = {
  type: ApiErrorType;
  then: "mend" | "next" | "leave" | "stop";
  avoid?: number;
  account?: true;
  final?: true;
};

const [AN_HOUR, A_DAY] = [3_600_000, 86_400_000];

/** All kinds of faults. */
const FAULT_KINDS: Readonly<Record<FaultKind, FaultMeaning>> = {
  bad_key: { type: "authentication_error", then: "leave", account: true, final: true },
  moved: { type: "not_found_error", then: "leave", account: true, final: true },
  bad_request: { type: "invalid_request_error", then: "stop" },
  rejected_field: { type: "invalid_request_error", then: "mend" },
  no_tools: { type: "invalid_request_error", then: "next" },
  context_overflow: { type: "invalid_request_error", then: "mend" }, // Fewer output tokens may do.
  output_cap: { type: "invalid_request_error", then: "mend" },
  rate_limited: { type: "rate_limit_error", then: "next", avoid: 5_000, account: true }, // Models have limits, too.
  pool_full: { type: "overloaded_error", then: "next", avoid: 2_000 },
  degraded: { type: "overloaded_error", then: "next", avoid: 180_000 },
  unavailable: { type: "not_found_error", then: "next", avoid: AN_HOUR, final: true }, // Firewalls say 403, too.
  gone: { type: "not_found_error", then: "next", avoid: 30 * A_DAY, final: true },
  broken: { type: "api_error", then: "next" },
  gateway: { type: "overloaded_error", then: "next" },
  timeout: { type: "timeout_error", then: "next" },
  cut: { type: "overloaded_error", then: "next" },
  empty: { type: "overloaded_error", then: "next" },
  degenerate: { type: "api_error", then: "next" },
};

/** What a fault states besides: limits, milliseconds to wait, the day a model ends (in milliseconds since 1970). */
type FaultFacts = StatedLimits & { retryAfter?: number; until?: number };

/** Claude Code does not retry at all when it is told to wait longer than this many seconds. */
const MAX_RETRY_AFTER = 60;
/** No `retry-after` is believed beyond this many milliseconds. */
const MAX_WAIT = 600_000;

type FaultOptions = { type?: ApiErrorType | undefined; status?: number; cause?: unknown };

/** A fault of an upstream, as the client sees it and as the chain reads it. */
class UpstreamFault extends ApiError {
  /** What went wrong. */
  readonly kind: FaultKind;
  /** What else the upstream stated. */
  readonly facts: FaultFacts;

  /** Makes a fault of `kind`; `options` when the client's error has another type or status than the kind. */
  constructor(kind: FaultKind, message: string, facts: FaultFacts = {}, options: FaultOptions = {}) {
    const { type = FAULT_KINDS[kind].type, ...rest } = options;
    const headers: Record<string, string> = {};
    const wait = facts.retryAfter;
    if (wait !== undefined) headers["retry-after"] = String(Math.min(Math.ceil(wait / 1000), MAX_RETRY_AFTER));
    if (FAULT_KINDS[kind].final) headers["x-should-retry"] = "false";
    super(type, message, { headers, ...rest });
    this.kind = kind;
    this.facts = facts;
  }
}

/**
 * A kind, its statuses (none: any), its text or the limit it states, words for the user, in which `{key}` is what the key
 * is called, a type unlike the kind's.
 */
type FaultRow = [FaultKind, number[], RegExp | keyof StatedLimits, says?: string, type?: ApiErrorType];

const ANY = /(?:)/;
/** Refusals of a request; 500 is also the status of an error inside a stream that has none. */
const REFUSALS = [400, 413, 422, 500];
const TOO_LONG = "prompt is too long";
/** Hosts that say so with 400: OpenRouter, LM Studio (two), DeepSeek, SiliconFlow, Mistral, Z.ai. */
const NO_MODEL =
  /^(?:\S+ is not a valid model ID|Invalid model identifier|No models loaded|Model (?:Not|does not) Exist|Invalid model:|Unknown Model)/i;
const NO_TOOLS = /not support tools|found that support tool use|--enable-auto-tool-choice|--tool-call-parser/;
/** What Zen says of free models that end, and, since September 2026, of all to whoever is not OpenCode. */
const NO_LONGER_FREE =
  /^Model \S+ is not supported|^Free promotion has ended|OpenCode's free tier can only be used from/;
const MOVED = "The host sends to another address, which is not followed: correct its own";
const NOT_YOURS = "The model is not available to this account";
const WRONG_KEY = "The upstream refused the API key, check {key}";
const CHECK_KEY = "The API key is wrong or has no right to this model, check {key}";

/** The first row that fits counts; what none fits is `broken`. */
const FAULTS: readonly FaultRow[] = [
  ["degraded", [], /DEGRADED function/], // NIM 400, 2026-07: FCC#1012, 9router#2527
  ["pool_full", [], /ResourceExhausted|total request limit reached/], // NIM 503, inside streams, without a status
  ["gone", [], /reached its end of life/, "The model is gone"], // NIM 410, 2026-05
  ["gone", [400], /has been decommissioned and is no longer supported/, "The model is gone"], // Groq
  ["gone", [410], ANY, "The model is gone"],
  ["no_tools", [404, ...REFUSALS], NO_TOOLS, "The model is served without tools"], // Ollama, OpenRouter, NIM
  ["rejected_field", [404], /found that support the provided/], // OpenRouter, zed#36094
  ["unavailable", [404], /Not found for account/, NOT_YOURS], // NIM, FCC#1021
  ["unavailable", [404], ANY, "The upstream does not know this model, or its address is wrong"], // NIM "404 page not found"
  ["unavailable", [401, 403], NO_LONGER_FREE, NOT_YOURS],
  ["bad_key", [401], ANY, WRONG_KEY], // NIM, also empty
  ["bad_key", [400], /^(?:API key not valid|Incorrect API key provided)/, WRONG_KEY], // Gemini, xAI
  ["unavailable", [400], NO_MODEL, "The upstream does not have this model"],
  ["output_cap", [402], "cap"], // OpenRouter
  ["bad_key", [402], ANY, "The account has no credit, check {key}", "billing_error"], // NIM, credits of old accounts
  ["unavailable", [403], ANY, CHECK_KEY, "permission_error"], // NIM "Authorization failed", also for one model
  ["context_overflow", [413, 429], /Request too large for/, TOO_LONG], // Groq, OpenAI: for a whole minute, so forever
  ["rate_limited", [429], ANY], // NIM, hardly ever with retry-after
  ["rate_limited", [500], /\brate.?limit|too many requests/i], // Inside streams, where the code is a word
  ["context_overflow", REFUSALS, /prompt is too long/i], // Anthropic
  ["context_overflow", REFUSALS, /max_tokens must be at least 1, got -|greater than max_model_len/, TOO_LONG], // vLLM
  ["context_overflow", REFUSALS, /exceed max_num_tokens|exceeds maximum sequence length/, TOO_LONG], // TRT-LLM, Triton
  ["context_overflow", REFUSALS, /(?:maximum|model's) context l|context_length_exceeded/i, TOO_LONG], // vLLM, SGLang
  ["context_overflow", REFUSALS, /greater than the context length|with a larger context/, TOO_LONG], // LM Studio
  ["context_overflow", REFUSALS, OVERFLOW, TOO_LONG], // Claude Code 2.1.328 compacts on these as well
  ["output_cap", REFUSALS, "cap"], // FCC#955
  ["rejected_field", REFUSALS, "fields"], // NIM, kimi-cli#2534, 9router#1887; pydantic; Mistral's tokenizers
  ["timeout", [], /Decode wall clock timeout/], // NIM 500, after 600 s
  ["timeout", [408, 504], ANY], // NIM 504, empty, after 300 s
  ["moved", [301, 302, 303, 307, 308], ANY, MOVED],
  ["cut", [], /incomplete chunked read/], // NIM
  ["gateway", [], /temporarily overloaded/], // NIM 503
  ["gateway", [400], /^Failed to load model/], // LM Studio
  ["gateway", [502, 503, 529], ANY], // NIM, HTML or empty
  ["broken", [200], ANY, "The host answers with a page, not like a model: check its address"], // Log-ins, wrong paths
  ["degenerate", [400], /failed to call a function|tool call validation failed|output that could not be parsed/i], // Groq
  ["bad_request", [413], ANY, "", "request_too_large"],
  ["bad_request", [400, 422], ANY],
];

/** Milliseconds to wait, of a `retry-after` in seconds or as a date. */
function toWait(value: string, now: number): number | undefined {
  const isNumber = /^\d+(?:\.\d+)?$/.test(value);
  const ms = isNumber ? Number(value) * 1000 : / GMT$/.test(value) ? Date.parse(value) - now : NaN;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_WAIT);
}

/** Shorter keys are placeholders, and may be words of the text. */
const LEAST_SECRET_CHARS = 8;

/** A text of a host without the key it was asked with: some repeat it. */
function hideKey(text: string, { apiKey = "", keyName = "(key)" }: Candidate["backend"]): string {
  return apiKey.length < LEAST_SECRET_CHARS ? text : text.replaceAll(apiKey, keyName);
}

/** Makes the fault of an upstream's error; `status` may also be the `code` of an error inside a stream. */
function toUpstreamFault(
  status: number,
  answered: string,
  { model, backend }: Candidate,
  headers?: Pick<Headers, "get">,
  now: number = Date.now(),
): UpstreamFault {
  const { keyName = "its API key" } = backend;
  const body = hideKey(answered, backend);
  const words = toServerWords(body);
  const limits = parseLimits(words);
  const fits = ([, statuses, sign]: FaultRow) =>
    (statuses.length === 0 || statuses.includes(status)) &&
    (typeof sign === "string" ? limits[sign] !== undefined : sign.test(words));
  const [kind, , , says = "", type] = FAULTS.find(fits) ?? ["broken", [], ANY];
  const facts: FaultFacts = FAULT_KINDS[kind].then === "mend" ? limits : {};
  const until = Date.parse(/end of life on (\d{4}-\d\d-\d\d)/.exec(words)?.[1] ?? "");
  if (kind === "gone" && !Number.isNaN(until)) facts.until = until;
  const said = /\b(?:re)?try (?:again )?in (\d+(?:\.\d+)?) ?s/.exec(words)?.[1] ?? ""; // Gemini, OpenAI
  const retryAfter = toWait(headers?.get("retry-after") ?? said, now);
  if (retryAfter !== undefined) facts.retryAfter = retryAfter;
  const message = [says.replace("{key}", keyName), toFaultText(body)].filter(Boolean).join(": ") ||
    "The upstream failed";
  return new UpstreamFault(kind, `${message} (${model}, status ${status})`, facts, { type });
}

/** Makes the error on which every Claude Code compacts the conversation: it goes by these words. */
function toOverflowError(used: number, limit: number): ApiError {
  return new ApiError("invalid_request_error", `prompt is too long: ${used} tokens > ${limit} maximum`);
}
// lib/wire/bounded_map.ts -------------------------------------------------------------------
/** A map of so many entries at most: the one that was set longest ago goes first. */
class BoundedMap<K, V> extends Map<K, V> {
  readonly #most: number;

  constructor(most: number) {
    super();
    this.#most = most;
  }

  override set(key: K, value: V): this {
    this.delete(key);
    super.set(key, value);
    const [oldest] = this.keys();
    if (this.size > this.#most) this.delete(oldest!);
    return this;
  }

  /** The value of a key, made if there is none; it is the last to go. */
  recall(key: K, make: (key: K) => V): V {
    const value = this.get(key) ?? make(key);
    this.set(key, value);
    return value;
  }
}
// lib/store/shared_map.ts -------------------------------------------------------------------
/** How values are kept: read from what may be anything, written, and for how many milliseconds others are told of it. */
type SharedMapFormat<T> = {
  parse: (stored: unknown) => T | undefined;
  format: (value: T) => unknown;
  toLife: (value: T | undefined) => number;
};

/** Stands for what was forgotten, so that those who still know it forget it, too. */
const FORGOTTEN = false;
/** So many values are known here; what was changed longest ago is forgotten first. */
const MOST_VALUES = 1_000;
/** So often a change is tried anew because another process was faster. */
const MAX_TRIES = 10;

/** The values under one first word, in memory and in a store; where that is shared, all processes change them together. */
class SharedMap<T> {
  /** What is known here. */
  readonly values: ReadonlyMap<string, T>;
  readonly #values = new BoundedMap<string, T>(MOST_VALUES);
  readonly #store: Store;
  readonly #prefix: string;
  readonly #format: SharedMapFormat<T>;
  /** How many changes of each key are on their way to a shared store. */
  readonly #pending = new Map<string, number>();
  #queue: Promise<unknown> = Promise.resolve();

  /** @param prefix The first word and a blank. */
  constructor(store: Store, prefix: string, format: SharedMapFormat<T>) {
    this.values = this.#values;
    this.#store = store;
    this.#prefix = prefix;
    this.#format = format;
  }

  /**
   * Changes a value, here at once and then in the store; `undefined` forgets it. `update` makes the new value from the
   * one that is there, which may be another in the store than here, so that no change of another process is lost.
   */
  change(key: string, update: (before: T | undefined) => T | undefined): void {
    const before = this.#values.get(key);
    const after = update(before);
    if (isSameJson(before, after)) return;
    this.#put(key, after);
    const name = this.#prefix + key;
    if (!this.#store.shared) {
      this.#store.set(name, after === undefined ? undefined : this.#format.format(after)).catch(() => {});
      return;
    }
    const count = (change: number) => this.#pending.set(key, (this.#pending.get(key) ?? 0) + change);
    count(1);
    this.#enqueue(() => this.#merge(name, update)).catch(() => {}).finally(() => count(-1));
  }

  /** Takes over what is in the store, and gives what was not known here; rejects if the store fails. */
  sync(): Promise<[key: string, value: T][]> {
    return this.#enqueue(async () => {
      const news: [string, T][] = [];
      for (const [name, stored] of await this.#store.list(this.#prefix)) {
        const key = name.slice(this.#prefix.length);
        if (this.#pending.get(key)) continue; // What it is about to become is known here only.
        const value = this.#format.parse(stored);
        if (stored === FORGOTTEN) this.#put(key, undefined);
        if (value === undefined || isSameJson(value, this.#values.get(key))) continue;
        this.#put(key, value);
        news.push([key, value]);
      }
      return news;
    });
  }

  /** Forgets everything, here and in the store. */
  async forget(): Promise<void> {
    this.#values.clear();
    const [shared, life] = [this.#store.shared, this.#format.toLife(undefined)];
    for (const [name] of await this.#store.list(this.#prefix)) {
      await (shared ? this.#store.set(name, FORGOTTEN, life) : this.#store.set(name, undefined));
    }
  }

  /** Waits until a store that is shared has what was changed here, for whoever closes it then. */
  async saved(): Promise<void> {
    await this.#queue;
  }

  async #merge(name: string, update: (before: T | undefined) => T | undefined): Promise<void> {
    const { parse, format, toLife } = this.#format;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const stored = await this.#store.get(name);
      const before = parse(stored);
      const after = update(before);
      if (isSameJson(before, after)) return;
      const next = after === undefined ? FORGOTTEN : format(after);
      if (await this.#store.swap(name, stored, next, toLife(after))) return;
    }
  }

  #put(key: string, value: T | undefined): void {
    if (value === undefined) this.#values.delete(key);
    else this.#values.set(key, value);
  }

  /** Does one thing after the other, so that what was read is never older than what was written before. */
  #enqueue<R>(job: () => Promise<R>): Promise<R> {
    const done = this.#queue.then(job);
    this.#queue = done.catch(() => {});
    return done;
  }
}
// lib/wire/clock.ts -------------------------------------------------------------------------
/** Time as an argument, so that tests never sleep. */
export type Clock = {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `run` once after `ms` milliseconds and gives a way to call it off. */
  after(ms: number, run: () => void): () => void;
};

/** The longest a timer of the machine can run. */
const MAX_TIMER = 2 ** 31 - 1;

/** Times that never go back: where those of `now` are set back they go on from there, so that nobody waits for the past. */
function toRising(now: () => number): () => number {
  let [latest, ahead] = [-Infinity, 0];
  return () => {
    const time = now() + ahead;
    if (time < latest) ahead += latest - time;
    return latest = Math.max(latest, time);
  };
}

/** The clock of the machine. */
export const systemClock: Clock = {
  now: toRising(() => Date.now()),
  after(ms, run) {
    const timer = setTimeout(run, Math.min(ms, MAX_TIMER));
    return () => clearTimeout(timer);
  },
};

/** Waits some milliseconds, for ever if they are `Infinity`; rejects with the signal's reason as soon as it fires. */
function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  let cancel = () => {};
  const slept = new Promise<void>((wake) => {
    if (Number.isFinite(ms)) cancel = clock.after(ms, wake);
  });
  return abortable(signal, slept).finally(() => cancel());
}
// lib/upstream/learned.ts -------------------------------------------------------------------
/** What a model at a backend has taught, all of it from its own answers. */
type ModelFacts = {
  /** Fields of a request it refuses. */
  refused: readonly string[];
  /** Its context window and its most output tokens, in tokens; `Infinity` while nothing is known. */
  context: number;
  maxOutput: number;
  /** Whether it cannot call tools. */
  noTools: boolean;
  /** When its host retired it, in milliseconds since 1970, 0 if nobody said; `Infinity` while it is there. */
  goneSince: number;
};

const NOTHING: ModelFacts = {
  refused: [],
  context: Infinity,
  maxOutput: Infinity,
  noTools: false,
  goneSince: Infinity,
};
const PREFIX = "model ";
/** Apart from the lessons: it changes all the time, and they must be forgotten in time. */
const RATIO_PREFIX = "ratio ";
/** A ratio that has changed by less is not stored again. */
const LEAST_CHANGE = 0.02;
/** Milliseconds after which a lesson is forgotten: hosts change how they serve a model. */
const LESSON_LIFE = 7 * 86_400_000;

/** What a model has taught, and when that changed last, in milliseconds since 1970. */
type Lesson = { facts: ModelFacts; at: number };

/** Reads a lesson as it is stored: JSON has no `Infinity`, so that limits nobody knows are left out. */
function parseLesson(value: unknown, now: number): Lesson | undefined {
  if (!isJsonObject(value) || typeof value.at !== "number" || now - value.at >= LESSON_LIFE) return undefined;
  const { refused, context, maxOutput, noTools, goneSince } = value;
  const facts = {
    ...NOTHING,
    ...(Array.isArray(refused) && refused.every((name) => typeof name === "string") ? { refused } : {}),
    ...(typeof context === "number" ? { context } : {}),
    ...(typeof maxOutput === "number" ? { maxOutput } : {}),
    ...(typeof noTools === "boolean" ? { noTools } : {}),
    ...(typeof goneSince === "number" && !Number.isNaN(new Date(goneSince).getTime()) ? { goneSince } : {}),
  };
  return { facts, at: value.at };
}

/** Adds to what is known: more refused fields, smaller limits. */
function addFacts(before: ModelFacts, facts: Partial<ModelFacts>): ModelFacts {
  return {
    refused: [...new Set([...before.refused, ...facts.refused ?? []])],
    context: Math.min(before.context, facts.context ?? Infinity),
    maxOutput: Math.min(before.maxOutput, facts.maxOutput ?? Infinity),
    noTools: before.noTools || facts.noTools === true,
    goneSince: Math.min(before.goneSince, facts.goneSince ?? Infinity),
  };
}

/** Learns from faults, so that the next request is asked as the model wants it, also after a restart, and by others. */
class LearnedFacts {
  readonly #facts: SharedMap<Lesson>;
  readonly #ratios: SharedMap<number>;
  readonly #clock: Clock;

  constructor(store: Store, clock: Clock) {
    this.#clock = clock;
    this.#facts = new SharedMap(store, PREFIX, {
      parse: (stored) => parseLesson(stored, clock.now()),
      format: ({ facts, at }) => ({ ...facts, at }),
      toLife: () => LESSON_LIFE,
    });
    this.#ratios = new SharedMap(store, RATIO_PREFIX, {
      parse: (stored) => typeof stored === "number" ? stored : undefined,
      format: (ratio) => ratio,
      toLife: () => LESSON_LIFE,
    });
  }

  /** Takes over what was learned before, and by others; gives the ratios among that. A store that fails has nothing. */
  async sync(): Promise<[key: string, ratio: number][]> {
    const [, ratios] = await Promise.all([this.#facts.sync(), this.#ratios.sync()]).catch(() => [[], []]);
    return ratios;
  }

  /** How many tokens an estimated one is, by what a candidate is remembered under. */
  get ratios(): ReadonlyMap<string, number> {
    return this.#ratios.values;
  }

  /** Keeps the ratio of a candidate; one that has hardly changed is not worth a write. */
  learnRatio(candidate: Candidate, ratio: number): void {
    const key = toKey(candidate);
    if (Math.abs(ratio / (this.ratios.get(key) ?? 1) - 1) > LEAST_CHANGE) this.#ratios.change(key, () => ratio);
  }

  /** What is known about a candidate. */
  of(candidate: Candidate): ModelFacts {
    return this.#toFacts(this.#facts.values.get(toKey(candidate)));
  }

  /** All lessons, by what a candidate is remembered under. */
  all(): [key: string, facts: ModelFacts][] {
    const all = [...this.#facts.values].map(([key, lesson]): [string, ModelFacts] => [key, this.#toFacts(lesson)]);
    return all.filter(([, facts]) => facts !== NOTHING).sort();
  }

  /** Forgets everything, here and in the store. */
  async forget(): Promise<void> {
    for (const known of [this.#facts, this.#ratios]) await known.forget();
  }

  /** Waits until what was learned is where others see it. */
  async saved(): Promise<void> {
    await Promise.all([this.#facts.saved(), this.#ratios.saved()]);
  }

  /** Notes what a model has taught. */
  learn(candidate: Candidate, facts: Partial<ModelFacts>): void {
    this.#change(candidate, (before) => addFacts(before, facts));
  }

  /** Notes that a model answers: it has come back, or was never gone. */
  learnBack(candidate: Candidate): void {
    if (this.of(candidate).goneSince === Infinity) return;
    this.#change(candidate, (before) => ({ ...before, goneSince: Infinity }));
  }

  /** What is left of a lesson: a process may run for longer than it lasts. */
  #toFacts(lesson: Lesson | undefined): ModelFacts {
    return lesson && this.#clock.now() - lesson.at < LESSON_LIFE ? lesson.facts : NOTHING;
  }

  /** Changes what is known; nothing known is nothing kept. */
  #change(candidate: Candidate, update: (before: ModelFacts) => ModelFacts): void {
    this.#facts.change(toKey(candidate), (lesson) => {
      const before = this.#toFacts(lesson);
      const facts = update(before);
      if (isSameJson(facts, NOTHING)) return undefined;
      return isSameJson(facts, before) ? lesson : { facts, at: this.#clock.now() };
    });
  }
}
// lib/routing/has_blocks.ts -----------------------------------------------------------------
function hasBlock(content: MessageContent | undefined, types: readonly string[]): boolean {
  return Array.isArray(content) &&
    content.some((block) =>
      types.includes(block.type) || (block.type === "tool_result" && hasBlock(block.content, types))
    );
}

/** Whether a block of some types is anywhere in a conversation, also in what a tool gave back. */
function hasBlocks({ messages }: Pick<MessagesRequest, "messages">, ...types: string[]): boolean {
  return messages.some(({ content }) => hasBlock(content, types));
}
// lib/tokens/calibration.ts -----------------------------------------------------------------
/** Fewer estimated tokens teach nothing: what templates add outweighs them. */
const MIN_ESTIMATE = 500;
/** Real tokens to an estimated one; at the worst Hindi takes 0.6 in Gemma's vocabulary and 2.4 in cl100k. */
const isPossible = (ratio: unknown) => typeof ratio === "number" && ratio >= 0.5 && ratio <= 2.5;
/** How far from its prediction a report may be before it is doubted, and how much of the way to it the ratio goes. */
const NEAR_COUNT = 1.3, WEIGHT = 0.3;
/** A request with less than this much of the one before it was compacted: it does not go on from there. */
const COMPACTED = 0.9, MAX_REPORTS = 256;

/** A request as it was estimated and as its host counted it; how many reports in a row, this the last, were doubted. */
type Report = { estimate: number; actual: number; doubts: number };
const NO_REPORT: Report = { estimate: 0, actual: 0, doubts: 0 };

/**
 * Learns how models count from what their hosts report. A key stands for a model at a host, a session for a conversation:
 * its next request is its last, whose real count is known, and something more. Only ratios outlive the process.
 */
export class Calibration {
  /** Tokens of a model's own to an estimated one, by the key of each that has reported. */
  readonly ratios: Map<string, number> = new BoundedMap(MAX_REPORTS);
  /** The last of each key, and the last believed of each session. */
  readonly #reports = new BoundedMap<string, Report>(MAX_REPORTS);

  /** Goes on from the ratios of another process; impossible ones are left out. */
  restore(ratios: Iterable<readonly [key: string, ratio: number]>): void {
    for (const [key, ratio] of ratios) if (isPossible(ratio)) this.ratios.set(key, ratio);
  }

  /** The tokens of an estimated request as its model counts them. */
  predict(key: string, session: string, estimate: number): number {
    const last = this.#reports.get(`${key}\n${session}`) ?? NO_REPORT;
    const from = estimate >= COMPACTED * last.estimate ? last : NO_REPORT;
    return Math.max(Math.ceil(from.actual + (this.ratios.get(key) ?? 1) * (estimate - from.estimate)), 0);
  }

  /**
   * Takes what a host has counted; the caller leaves out requests with images.
   *
   * A report that is far from the prediction, impossible, or the same as for another request is an accident. A second one
   * in a row is the new truth or, where it cannot be, shows that nothing this host says is to be believed.
   */
  observe(key: string, session: string, estimate: number, actual: number): void {
    if (!(estimate >= MIN_ESTIMATE && actual > 0 && actual < Infinity)) return;
    const [name, sample] = [`${key}\n${session}`, actual / estimate];
    const [last, own] = [this.#reports.get(key) ?? NO_REPORT, this.#reports.get(name) ?? NO_REPORT];
    const possible = isPossible(sample) && (last.actual !== actual || Math.abs(last.estimate / estimate - 1) < 0.01);
    const ratio = this.ratios.get(key) ?? sample;
    const off = this.ratios.has(key) ? this.predict(key, session, estimate) / actual : 1;
    const doubts = possible && Math.max(off, 1 / off) <= NEAR_COUNT ? 0 : Math.max(last.doubts, own.doubts) + 1;
    const believed = possible && doubts !== 1;
    if (believed) this.ratios.set(key, ratio + WEIGHT * (sample - ratio));
    else if (doubts > 1) this.ratios.delete(key);
    this.#reports.set(key, { estimate, actual, doubts });
    this.#reports.set(name, believed ? { estimate, actual, doubts } : { ...own, doubts });
  }
}
// lib/wire/image_size.ts --------------------------------------------------------------------
/** Bytes of a JPEG after which its size is no longer looked for: what cameras write before it is less. */
const MAX_JPEG_HEADER = 1_000_000;
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Reads a number of some bytes, the first of them the highest; `NaN` past the end. */
type Read = (at: number, bytes?: number) => number;
/** The width and height of an image in pixels. */
type ImageSize = [width: number, height: number];

function toReader(data: string): Read {
  const digitAt = (at: number) => at < data.length ? BASE64.indexOf(data.charAt(at)) : NaN;
  return (at, bytes = 1) => {
    let value = 0;
    for (let i = at; i < at + bytes; i++) {
      const first = Math.floor(i * 4 / 3);
      const twelveBits = digitAt(first) * 64 + digitAt(first + 1);
      value = value * 256 + Math.floor(twelveBits / 4 ** (2 - i % 3)) % 256;
    }
    return value;
  };
}

/** A number of two bytes, the first of them the lowest. */
const readLow = (read: Read, at: number) => read(at + 1) * 256 + read(at);

/** Goes from segment to segment to the frame's header. */
function readJpeg(read: Read): ImageSize {
  for (let at = 2; at < MAX_JPEG_HEADER && read(at) === 0xff; at += 2 + read(at + 2, 2)) {
    if ((read(at + 1) & 0xfc) === 0xc0) return [read(at + 7, 2), read(at + 5, 2)];
  }
  return [NaN, NaN];
}

/** What the base64 of each format begins with, and where the size is. */
const FORMATS: [start: RegExp, read: (read: Read) => ImageSize][] = [
  [/^iVBORw0KGgo/, (read) => [read(16, 4), read(20, 4)]], // PNG
  [/^\/9j\//, readJpeg],
  [/^R0lGOD/, (read) => [readLow(read, 6), readLow(read, 8)]], // GIF
  [/^UklGR.{11}VlA4I/, (read) => [readLow(read, 26) % 0x4000, readLow(read, 28) % 0x4000]], // WebP, lossy
  [/^UklGR.{11}VlA4T/, (read) => { // WebP, lossless: two numbers of 14 bits, each one less
    const bits = readLow(read, 23) * 0x10000 + readLow(read, 21);
    return [bits % 0x4000 + 1, Math.floor(bits / 0x4000) % 0x4000 + 1];
  }],
  [/^UklGR.{11}VlA4W/, (read) => [readLow(read, 24) + 1, readLow(read, 27) + 1]], // WebP, extended: up to 65,536 of it
];

/**
 * The size of a PNG, JPEG, GIF or WebP file, read out of its base64 without decoding the rest.
 *
 * Nothing of any other file, or of one that ends before its size. What the file begins with counts, not what type it is
 * said to be.
 */
function toImageSize(data: string): ImageSize | undefined {
  const [width = NaN, height = NaN] = FORMATS.find(([start]) => start.test(data))?.[1](toReader(data)) ?? [];
  return width > 0 && height > 0 ? [width, height] : undefined;
}

/**
 * What an image costs at Anthropic: a token for 750 pixels, but never more than 1600, to which larger ones are scaled.
 *
 * So much is also taken where nothing tells the size, as with an address.
 */
function toImageTokens(data: unknown): number {
  const [width, height] = (typeof data === "string" && toImageSize(data)) || [Infinity, 1];
  return Math.min(Math.ceil(width * height / 750), 1600);
}
// lib/tokens/estimate.ts --------------------------------------------------------------------
/** What a text costs, in thousandths of a token so that sums are exact, with vocabularies of both digit rules. */
export type TextCost = { triple: number; single: number };

/** What features cost, fitted on o200k, Llama 3, DeepSeek V3, and on Qwen 3, Tekken, Gemma 3; emoji as measured alone. */
// deno-fmt-ignore: one idea a line
const COSTS: Record<string, [triple: number, single: number]> = {
  word: [1067, 1022], tail: [0, 23], long: [404, 390], // A piece, cut at aB and ABc; each letter from its 6th, its 11th.
  number: [1236, 1866], digit: [0, 180], spaced: [525, 348], // Up to three digits; each one; a blank before them.
  mark: [692, 810], marks: [244, 161], // A run of punctuation; each character more.
  line: [1112, 1171], end: [785, 779], indent: [219, 468], // Line breaks; the same after a mark; two blanks or more.
  script: [1625, 1925], letter: [124, 73], // A run in an alphabet that has no row; each letter.
  cjk: [701, 737], kana: [745, 623], hangul: [798, 752], accent: [1398, 1229], astral: [2000, 2000], // Each.
};

/** Kinds of UTF-16 code units, each from its first to the next row's. */
// deno-fmt-ignore: a table
const RANGES: [first: number, kind: string][] = [
  [0, "mark"], [9, "blank"], [10, "line"], [11, "blank"], [14, "mark"], [32, "blank"], [33, "mark"], [48, "digit"],
  [58, "mark"], [65, "upper"], [91, "mark"], [97, "lower"], [123, "mark"], [128, "accent"], [0x250, "letter"],
  [0x3000, "cjk"], [0x3040, "kana"], [0x3100, "letter"], [0x3400, "cjk"], [0xa000, "letter"], [0xac00, "hangul"],
  [0xd7b0, "letter"], [0xd800, "astral"], [0xdc00, "low"], [0xe000, "letter"], [0xff00, "cjk"],
];
const STOP = 15; // The number of a kind that no character has: the end of a text.

/** From the run a text is in, and its length as far as it matters, to the next, and what comes in or, after `-`, goes. */
type Transition = (run: string, length: number) => [run: string, length: number, features: string];
const isBlank = (run: string) => /blank|line/.test(run);
const toLetter: Transition = (run, length) => {
  return [run, Math.min(length, 11), length === 1 ? "word" : length > 10 ? "long" : length > 5 ? "tail" : ""];
};

/** What a character does to the run before it, by its kind; a kind without a row is a run and a feature by itself. */
// deno-fmt-ignore: a table
const TRANSITIONS: Record<string, Transition> = {
  upper: (run, length) => toLetter("upper", run === "upper" ? length + 1 : 1),
  lower: (run, length) => run === "upper" ? ["lower", 2, `word -${toLetter(run, length)[2]}`] // Begun by the last capital.
    : toLetter("lower", run === "lower" ? length + 1 : 1),
  digit: (run, length) => run === "digit" ? [run, length % 3 + 1, length === 3 ? "digit number" : "digit"]
    : ["digit", 1, isBlank(run) && length > 0 ? "digit number spaced" : "digit number"],
  mark: (run) => ["mark", 0, run === "mark" ? "marks" : "mark"],
  blank: (run, length) => isBlank(run) ? [run, Math.min(length + 1, 2), ""]
    : [run === "mark" ? "mark, blank" : "blank", 1, ""],
  line: (run) => ["line", 0, run === "line" ? "" : run.startsWith("mark") ? "end" : "line"],
  letter: (run) => ["letter", 0, run === "letter" ? "letter" : "letter script"],
};

/** Makes the machine that reads two characters a step: what each step costs, and where the next state's steps begin. */
function toMachine() {
  const kinds = [...new Set(RANGES.map(([, kind]) => kind))];
  const kindOf = new Uint8Array(0x10000);
  for (const [first, kind] of RANGES) kindOf.fill(kinds.indexOf(kind), first);
  const states: [run: string, length: number][] = [["stop", 0]];
  const steps: (TextCost & { next: number })[] = [];
  for (let at = 0; at < states.length * 16; at++) {
    const [[run, length] = ["", 0], kind = "stop"] = [states[at >> 4], kinds[at & 15]];
    const [nextRun, nextLength, features] = TRANSITIONS[kind]?.(run, length) ?? [kind, 0, kind];
    const names = `${features}${isBlank(run) && length > 1 && !isBlank(kind) ? " indent" : ""}`.split(" ");
    const toSum = (rule: 0 | 1) =>
      names.reduce((sum, name) => sum + (name[0] === "-" ? -1 : 1) * (COSTS[name.replace("-", "")]?.[rule] ?? 0), 0);
    const known = states.findIndex(([run, length]) => run === nextRun && length === nextLength);
    const next = known < 0 ? states.push([nextRun, nextLength]) - 1 : known;
    steps.push({ triple: toSum(0), single: toSum(1), next });
  }
  const size = steps.length * 16;
  const made = { kindOf, triple: new Int16Array(size), single: new Int16Array(size), next: new Uint16Array(size) };
  for (let at = 0; at < size; at++) {
    const first = steps[at >> 4]!, second = steps[first.next * 16 + (at & 15)]!;
    made.triple[at] = first.triple + second.triple;
    made.single[at] = first.single + second.single;
    made.next[at] = second.next * 256;
  }
  return made;
}
let machine: ReturnType<typeof toMachine> | undefined; // Not made before it is needed: it takes some milliseconds.
// Called as a function: as a method V8 looks it up for each character once it has seen five sorts of strings.
const { charCodeAt } = String.prototype;

/** Weighs a text in one pass. Any UTF-16 will do: half of a surrogate pair is an emoji or nothing. */
function weighText(text: string): TextCost {
  const { kindOf, triple, single, next } = machine ??= toMachine();
  const { length } = text;
  let sumTriple = 0, sumSingle = 0, state = 0, i = 1;
  for (; i < length; i += 2) {
    const at = state + kindOf[charCodeAt.call(text, i - 1)]! * 16 + kindOf[charCodeAt.call(text, i)]!;
    sumTriple += triple[at]!;
    sumSingle += single[at]!;
    state = next[at]!;
  }
  const at = state + (i === length ? kindOf[charCodeAt.call(text, i - 1)]! : STOP) * 16 + STOP;
  return { triple: sumTriple + triple[at]!, single: sumSingle + single[at]! };
}

/** Whole tokens of a weighed text. Where nobody knows how numbers are cut it is the mean: half as far off at worst. */
function toTokens({ triple, single }: TextCost, digits?: DigitRule): number {
  return Math.round((digits === "triple" ? triple : digits === "single" ? single : (triple + single) / 2) / 1000);
}

/** Estimates the tokens of a text without any vocabulary: what coding agents send mostly within 3 %, Gemma's within 9. */
export function estimateTokens(text: string, digits?: DigitRule): number {
  return toTokens(weighText(text), digits);
}
// lib/tokens/request_tokens.ts --------------------------------------------------------------
/** Tokens that templates spend around a message or a result (4 to 8), a call or a tool; tools they write anew as JSON. */
const MESSAGE = 6, CALL = 12, TOOL_FACTOR = 1.06;
/** To say that there are tools: Claude Code takes just this off where it asks for the cost of some. */
const TOOLS_TOKENS = 500;

/** How a model counts and what it is sent, everything if it is passed on; what is left out is as with most models. */
export type TokenRules = Pick<Family, "digits" | "replaysThinking"> & { vision?: boolean; passed?: boolean };

/** Whether a request offers tools of the client's own. */
const hasTools = ({ tools = [] }: MessagesRequest): boolean => tools.some((tool) => tool.input_schema);

/**
 * Estimates the input tokens of a request as it is sent upstream: thinking only where the model gets it back, notes for
 * what it cannot be shown.
 *
 * It is a sum of whole tokens over all parts, so that parts can be counted alone. `weigh` may remember texts.
 */
export function estimateRequestTokens(
  request: MessagesRequest,
  { digits, vision = true, replaysThinking = false, passed = false }: TokenRules = {},
  weigh: (text: string) => TextCost = weighText,
): number {
  const { system, messages, tools = [] } = request;
  const count = (text: string) => toTokens(weigh(text), digits);
  const sum = <T>(items: readonly T[], toCount: (item: T, at: number) => number) =>
    items.reduce((sum, item, at) => sum + toCount(item, at), 0);

  function countBlock(block: ContentBlockParam, replays: boolean): number {
    if (block.type === "text") return count(block.text);
    if (block.type === "thinking") return replays ? count(block.thinking) : 0;
    if (block.type.endsWith("thinking")) return 0;
    if (block.type === "tool_use") return CALL + count(block.name) + count(toInputText(block.input));
    if (block.type === "tool_result") return MESSAGE + countContent(block.content, false);
    if (block.type === "image" && (vision || passed)) return toImageTokens(block.source.data);
    if (passed && block.type !== "document") return count(JSON.stringify(block));
    const parts = toPartsOf([block], { vision, warn: () => {} });
    return sum(parts, (part) => part.type === "text" ? count(part.text) : toImageTokens(undefined));
  }

  const countContent = (content: MessageContent | null | undefined, replays: boolean): number =>
    typeof content === "string" ? count(content) : sum(content ?? [], (block) => countBlock(block, replays));

  const offered = tools.filter(({ input_schema }) => input_schema || passed);
  const replays = passed || replaysThinking !== false;
  const begin = passed || replaysThinking === "always" ? -1 : messages.findLastIndex(isTyped);
  return countContent(system, false) + (hasTools(request) ? TOOLS_TOKENS : 0) +
    sum(messages, ({ content }, at) => MESSAGE + countContent(content, replays && at > begin)) +
    sum(offered, ({ name, description, input_schema }) => {
      const { $schema: _, ...schema } = input_schema ?? {};
      return CALL + Math.round(TOOL_FACTOR * (count(name) + count(description ?? "") + count(JSON.stringify(schema))));
    });
}
// lib/tokens/token_counter.ts ---------------------------------------------------------------
/** Characters: of a text that is weighed sooner than found, and of all texts that are kept, ten full windows. */
const SHORT_TEXT = 256, MAX_KEPT = 8_000_000;
/** So many characters are looked at, at the beginning and over all: files differ at the top, results have numbers there. */
const LOOKS = 32;

/**
 * Remembers what texts cost, so that of a growing conversation only what is new is weighed. Requests bring their own
 * copies: a text is found by its length and a few of its characters, then compared whole, which takes a tenth of
 * weighing. One that only looks alike takes the other's place. Those not asked for go first.
 */
export class TokenCounter {
  readonly #kept = new Map<number, { text: string; cost: TextCost }>();
  #size = 0;

  /** What `weighText()` says; bound, to be handed over. */
  readonly weigh = (text: string): TextCost => {
    if (text.length < SHORT_TEXT) return weighText(text);
    let key = text.length;
    for (let i = 0; i < LOOKS; i++) {
      key = Math.imul(key, 31) + text.charCodeAt(i) | 0;
      key = Math.imul(key, 31) + text.charCodeAt(Math.floor(text.length * i / LOOKS)) | 0;
    }
    const found = this.#kept.get(key);
    // The older copy is kept: the new ones can go while they are young.
    const entry = found?.text === text ? found : { text, cost: weighText(text) };
    this.#kept.delete(key); // What was asked for last goes last.
    this.#kept.set(key, entry);
    this.#size += text.length - (found?.text.length ?? 0);
    for (const [oldest, { text: { length } }] of this.#kept) {
      if (this.#size <= MAX_KEPT) break;
      this.#kept.delete(oldest);
      this.#size -= length;
    }
    return entry.cost;
  };
}
// lib/upstream/token_ledger.ts --------------------------------------------------------------
/** So many sessions keep a ratio. */
const MAX_SESSIONS = 100;

/** Characters of the first message that tell a conversation from others. */
const TELLING_CHARS = 500;

/**
 * What tells conversations apart whose requests follow each other: what the client says, or how it began. A request of
 * another kind, such as one for a title, belongs to none of them.
 */
function toSession(headers: Headers, { messages: [first] }: MessagesRequest, kind: string): string {
  const ids = ["x-claude-code-session-id", "x-session-id", "x-claude-code-agent-id"].map((name) => headers.get(name));
  if (ids.some(Boolean)) return [...ids, kind].join(" ");
  const content = typeof first?.content === "string"
    ? [{ type: "text" as const, text: first.content }]
    : first?.content;
  const texts = content?.map((block) => block.type === "text" ? block.text.slice(0, TELLING_CHARS) : "") ?? [];
  return `${toDigest(texts.join(" "), 11)} ${kind}`;
}

/** The tokens of one request with each candidate; nothing is counted before it is asked for, and nothing twice. */
type PromptTokens = {
  /** A guess that is never too low, for which nothing has to be counted: no token has less than a byte. */
  readonly roughly: number;
  /** Estimated tokens, as if nothing were known of how the model counts. */
  estimate(candidate: Candidate): number;
  /** Tokens as the candidate's model counts them, as far as it has been heard of. */
  count(candidate: Candidate): number;
  /** Notes what a host has counted; what pictures and documents cost says nothing about words. */
  report(candidate: Candidate, actual: number): void;
};

/** What a request holds for a candidate's model, as far as it depends on that. */
function toTokenRules(
  request: MessagesRequest,
  { model, traits = toModel(model), thinking, backend }: Candidate,
): TokenRules {
  const { family: { digits, replaysThinking = false }, vision, reasoning } = traits;
  const replays = reasoning && thinking !== false && toEffort(request) !== "off" && replaysThinking;
  const rules: TokenRules = { vision, replaysThinking: replays, passed: backend.format === "anthropic" };
  return digits ? { ...rules, digits } : rules;
}

/** Counts the tokens of all requests: remembers texts, and how models count. */
class TokenLedger {
  readonly #counter = new TokenCounter();
  readonly #calibration = new Calibration();
  /** The ratio of each session, once its model has one: what is asked twice gets the same answer. */
  readonly #settled = new BoundedMap<string, number>(MAX_SESSIONS);

  /** How many tokens an estimated one is with a candidate, if it has been heard of. */
  ratioOf(candidate: Candidate): number | undefined {
    return this.#calibration.ratios.get(toKey(candidate));
  }

  /** Goes on from the ratios of another process. */
  restore(ratios: Iterable<readonly [key: string, ratio: number]>): void {
    this.#calibration.restore(ratios);
  }

  /**
   * Counts a request.
   *
   * @param session Whose next request this is, from {@linkcode toSession}.
   * @param roughly How many bytes it has.
   */
  open(request: MessagesRequest, session: string, roughly: number): PromptTokens {
    const estimates = new Map<string, number>();
    const estimate = (candidate: Candidate) => {
      const rules = toTokenRules(request, candidate);
      const key = JSON.stringify(rules);
      let counted = estimates.get(key);
      if (counted !== undefined) return counted;
      try {
        counted = estimateRequestTokens(request, rules, this.#counter.weigh);
      } catch {
        counted = roughly; // What cannot even be read will be refused where it is translated.
      }
      estimates.set(key, counted);
      return counted;
    };
    return {
      roughly,
      estimate,
      count: (candidate) => this.#calibration.predict(toKey(candidate), session, estimate(candidate)),
      report: (candidate, actual) => {
        if (hasBlocks(request, "image", "document")) return;
        this.#calibration.observe(toKey(candidate), session, estimate(candidate), actual);
      },
    };
  }

  /**
   * The tokens of a part of a request, such as one tool: the parts of a session add up, and what is asked twice gets the
   * same answer. What having tools costs at all is always the same: Claude Code takes it off.
   */
  countPart(request: MessagesRequest, session: string, candidate: Candidate): number {
    const key = `${session} ${toKey(candidate)}`;
    const ratio = this.#settled.get(key) ?? this.ratioOf(candidate);
    if (ratio !== undefined) this.#settled.set(key, ratio);
    const fixed = hasTools(request) ? TOOLS_TOKENS : 0;
    const counted = this.open(request, session, 0).estimate(candidate);
    return Math.round((ratio ?? 1) * (counted - fixed)) + fixed;
  }
}
// lib/upstream/fit.ts -----------------------------------------------------------------------
/** An answer with fewer tokens is no use to anybody: the prompt is too long then. */
const MIN_OUTPUT_TOKENS = 1024;
/** Tokens left free when an answer is fitted into a window: counts are off by a little. */
const HEADROOM = 512;

/** The context window of a candidate, in tokens: what it has stated itself goes before what the roster says. */
function toWindow({ model, traits = toModel(model) }: Candidate, { context }: ModelFacts): number {
  return context < Infinity ? context : traits.context;
}

/** Whether a prompt can be within the window that a fault states, so that only the output was too much. */
function mayFit({ facts }: UpstreamFault, estimate: number): boolean {
  const { total = Infinity, used = total, limit = Infinity } = facts;
  return Math.min(used, estimate) + MIN_OUTPUT_TOKENS <= limit;
}

/** The body of a request for a host, the most output tokens it asks for, and, as sentences, what could not be carried over. */
type FittingRequest = { body: JsonObject; maxTokens: number; warnings: string[] };

/** Translates a request for a model as far as is known what it takes: no refused fields, an output that has room. */
function toFittingRequest(
  request: MessagesRequest,
  options: { candidate: Candidate; maxTokens: number; tokens: PromptTokens; facts: ModelFacts },
): FittingRequest {
  const { candidate, maxTokens, tokens, facts } = options;
  const { model, backend: { format, thinkingSwitch }, traits = toModel(model), thinking = true, profile } = candidate;
  const replay = facts.refused.includes("reasoning_content") ? { replaysThinking: false } : {};
  const room = toWindow(candidate, facts) - HEADROOM;
  // Nothing is counted before its time unless it comes near the window.
  const isShort = tokens.roughly + request.max_tokens <= room;
  const fitting = isShort ? Infinity : Math.max(room - tokens.count(candidate), MIN_OUTPUT_TOKENS);
  const toRequest = format === "anthropic" ? toPassedRequest : toChatRequest;
  const { request: fitted, warnings } = toRequest(request, {
    model,
    traits: { ...traits, family: { ...traits.family, ...replay } },
    thinking,
    extraBody: profile?.extraBody ?? {},
    maxTokens: Math.min(maxTokens, facts.maxOutput, fitting),
    ...(thinkingSwitch ? { thinkingSwitch } : {}),
  });
  const body: JsonObject = fitted;
  const { max_tokens } = fitted;
  for (const field of facts.refused) {
    if (!(field in body)) continue;
    delete body[field];
    if (field === "max_tokens") body.max_completion_tokens = max_tokens; // OpenAI's own models
    else warnings.push(`Left out '${field}': ${model} refuses it`);
  }
  return { body, maxTokens: max_tokens, warnings };
}
// lib/cli/commands.ts -----------------------------------------------------------------------
/**
 * A flag: its type for `parseArgs`, its letter, what the help calls its value, the words its value may be, whether it is
 * a file, and what it does.
 */
type FlagRow = {
  type: "string" | "boolean";
  short?: string;
  value?: string;
  values?: readonly string[];
  file?: true;
  help: string;
};

/** Every flag; help, parsing and completion come from here. */
const FLAGS = {
  port: { type: "string", short: "p", value: "N", help: "port of the proxy (4005; 0 takes any free one)" },
  host: {
    type: "string",
    value: "ADDRESS",
    help: "address of the proxy (127.0.0.1); one that others reach needs ARBITER_API_KEY",
  },
  model: { type: "string", short: "m", value: "ID", help: "upstream model; more, with commas between, step in for it" },
  "max-tokens": { type: "string", short: "t", value: "N", help: "most output tokens to ask a model for" },
  config: { type: "string", value: "FILE", file: true, help: "the config file, instead of arbiter.json" },
  "api-key-file": { type: "string", value: "FILE", file: true, help: "a file with the API key and nothing else" },
  "log-level": {
    type: "string",
    value: "LEVEL",
    values: ["info", "error", "silent"],
    help: "what is logged: info (each request), error or silent",
  },
  demo: { type: "boolean", short: "d", help: "use the built-in demo model: no key, no network" },
  yes: { type: "boolean", short: "y", help: "ask nothing" },
  json: { type: "boolean", help: "print JSON, for scripts" },
  shell: {
    type: "string",
    value: "NAME",
    values: ["sh", "fish", "powershell", "cmd"],
    help: "sh (also bash and zsh), fish, powershell or cmd; yours, if not said",
  },
  watch: { type: "boolean", short: "w", help: "go on and show what changes" },
  all: { type: "boolean", short: "a", help: "ask every model the host lists, not only the roster" },
  "base-url": { type: "string", value: "URL", help: "address of the proxy, if it is not Arbiter" },
  help: { type: "boolean", short: "h", help: "show how a command is used" },
  version: { type: "boolean", short: "v", help: "show the version" },
} as const satisfies Record<string, FlagRow>;

/** A flag's long name. */
type FlagName = keyof typeof FLAGS;

/** Flags that only those commands take that name them; all others are accepted everywhere. */
const OWN_FLAGS: readonly FlagName[] = ["shell", "watch", "all", "base-url"];

/** A command: other names, its arguments for the help, how many and of which words, the flags that matter to it. */
type CommandRow = {
  aliases?: readonly string[];
  args?: string;
  /** Least and most arguments. @default {[0, 0]} */
  count?: readonly [least: number, most: number];
  /** What the first argument may be. */
  words?: readonly string[];
  help: string;
  /** Sentences for its own help. */
  more?: string;
  flags?: readonly FlagName[];
  /** Arguments of examples, short enough for 40 columns. */
  examples?: readonly string[];
  /** Exit codes that mean something else than {@linkcode EXITS}. */
  exits?: Readonly<Record<string, string>>;
};

/** What exit codes mean. */
const EXITS: Readonly<Record<string, string>> = {
  0: "done",
  1: "something could not be done",
  2: "Arbiter was started or configured wrongly",
};

const LEFT_EXIT = { 130: "a question was left" } as const;
const UPSTREAM = ["model", "config", "api-key-file", "demo"] as const;
const PROXY = ["port", "host", ...UPSTREAM, "max-tokens", "log-level"] as const;
const RUNNING = ["port", "host"] as const;

/** Every command; the first is the default. */
const COMMANDS = {
  code: {
    args: "[-- ARGUMENTS]",
    help: "start the proxy and Claude Code in this folder (the default)",
    more: "What follows after -- goes to Claude Code. TARGET_DIR names another folder.",
    flags: [...PROXY, "yes"],
    examples: ["--demo", 'code -- -p "explain it"', "code -- --continue", "code -m z-ai/glm-5.2"],
    exits: { 0: "Claude Code's own, like all others", 127: "there is no Claude Code to run", ...LEFT_EXIT },
  },
  serve: {
    aliases: ["proxy", "run", "r2"],
    help: "start the proxy alone, in the foreground",
    more: "It runs until Ctrl-C, and logs a line a request.",
    flags: PROXY,
    examples: ["serve", "serve --port 4010"],
  },
  probe: {
    help: "ask every model of the roster whether it answers",
    more:
      "One token each, within 8 seconds: OK, FAIL, TIME, ???? (unclear) or SKIP, and why. The models in use come first. " +
      "Half of the host's quota is left for work, and what others said in the last 6 hours is believed.",
    flags: ["all", ...UPSTREAM, "json"],
    examples: ["probe", "probe --all", "probe --json"],
    exits: { 0: "at least one model answers" },
  },
  models: {
    args: "[list | show [ID [PROMPT]] | refresh]",
    count: [0, 3],
    words: ["list", "show", "refresh"],
    help: "list the models; show where a request goes, and why",
    more:
      "list: models and their limits. show ID: where a request for that name goes, with the words of PROMPT in it, " +
      "and why; without ID what models have taught. refresh: compares with what the host says it serves.",
    flags: [...UPSTREAM, "json"],
    examples: ["models", "models show kimi-k3", "models refresh"],
  },
  env: {
    help: "print what points any Claude Code at a proxy that runs",
    more:
      "Your own variables win. In fish: arbiter-proxy env | source. In PowerShell: arbiter-proxy env | Out-String | " +
      "Invoke-Expression. In cmd: arbiter-proxy env > env.bat, then env.bat. --json prints what belongs into " +
      ".claude/settings.json.",
    flags: ["shell", ...RUNNING, "model", "max-tokens", "config", "demo", "json"],
    examples: ['eval "$(arbiter-proxy env)"', "env --shell fish", "env --json"],
  },
  init: {
    help: "choose key and model again, as at the first run",
    flags: ["config", "api-key-file"],
    exits: LEFT_EXIT,
  },
  reset: {
    help: "forget the choice, and what models have taught",
  },
  doctor: {
    help: "check key, Claude Code, port and network, each with its fix",
    flags: [...RUNNING, "config", "api-key-file", "json"],
    exits: { 1: "something is wrong" },
  },
  status: {
    help: "show what a running proxy does",
    flags: ["watch", ...RUNNING, "json"],
    examples: ["status", "status --watch"],
    exits: { 1: "no proxy runs there" },
  },
  dashboard: {
    help: "tell where to see what a running proxy does",
    more: "It is a page for a browser, which shows requests while they are on their way, models and sessions.",
    flags: RUNNING,
    exits: { 1: "no proxy runs there" },
  },
  stop: {
    help: "stop a running proxy",
    flags: RUNNING,
    exits: { 1: "no proxy runs there" },
  },
  test: {
    help: "check that a running proxy answers as Claude Code expects",
    flags: ["base-url", ...RUNNING, "model", "json"],
    examples: ["test", "test --port 8082"],
    exits: { 1: "a check failed" },
  },
  completions: {
    args: "bash | zsh | fish | powershell",
    count: [1, 1],
    words: ["bash", "zsh", "fish", "powershell"],
    help: "print a script by which a shell completes commands",
    more: "Its first line says how it is put to use.",
    examples: ["completions bash"],
  },
  help: {
    args: "[COMMAND]",
    count: [0, 1],
    help: "show how a command is used",
    examples: ["help env"],
  },
} as const satisfies Record<string, CommandRow>;

/** A command's name. */
type Command = keyof typeof COMMANDS;

/** Commands and their rows; the table itself knows them too exactly to ask for what a row may lack. */
const COMMAND_ROWS: readonly (readonly [Command, CommandRow])[] = Object.entries(COMMANDS) as [
  Command,
  CommandRow,
][];

/** Each command under its own name and those that earlier tools gave it. */
const COMMAND_BY_NAME: ReadonlyMap<string, Command> = new Map(
  COMMAND_ROWS.flatMap(([name, { aliases = [] }]) => [name, ...aliases].map((alias) => [alias, name] as const)),
);
// lib/cli/flags.ts --------------------------------------------------------------------------
/** Flags that were typed, under their long names. */
type Flags = { [K in FlagName]?: (typeof FLAGS)[K]["type"] extends "string" ? string : boolean };

/** A parsed command line: flags, the command's own arguments, what stands after `--` for Claude. */
type CommandLine = { command: Command; flags: Flags; args: string[]; rest: string[] };

/** What is added to a complaint about a word: the one that may have been meant, or else what helps. */
function toHint(word: string, known: Iterable<string>, otherwise = "", before = ""): string {
  const nearest = findNearest(word, [...known]);
  return nearest === undefined ? otherwise : `: did you mean '${before}${nearest}'?`;
}

/** What is wrong with a flag, from what `parseArgs` says; it has sentences of advice that do not fit here. */
function toFlagProblem({ message, code }: Error & { code?: string }, args: readonly string[]): string {
  const [problem = ""] = message.replace("argument is ambiguous", "needs a value").split(/\.\s|\n/);
  if (code !== "ERR_PARSE_ARGS_UNKNOWN_OPTION") return problem;
  const [, flag = ""] = /--?([^'\s]+)/.exec(problem) ?? [];
  const command = COMMAND_BY_NAME.get(args.find((arg) => COMMAND_BY_NAME.has(arg)) ?? "code");
  return problem + toHint(flag, Object.keys(FLAGS), command === "code" ? ": claude's own follow after --" : "", "--");
}

function toCommand(name: string): Command {
  const command = COMMAND_BY_NAME.get(name);
  if (!command) throw new ConfigError(`Unknown command '${name}'${toHint(name, COMMAND_BY_NAME.keys())}`);
  return command;
}

function checkArgs(command: Command, args: readonly string[]): void {
  const { count: [least, most] = [0, 0], words, args: usage }: CommandRow = COMMANDS[command];
  const [first] = args;
  const extra = args[most];
  if (first !== undefined && words && !words.includes(first)) {
    throw new ConfigError(`Unexpected argument '${first}'${toHint(first, words, `: expected ${words.join(", ")}`)}`);
  }
  if (args.length < least) throw new ConfigError(`'${command}' needs an argument: ${usage}`);
  if (extra === undefined) return;
  throw new ConfigError(`Unexpected argument '${extra}'${command === "code" ? ": claude's own follow after --" : ""}`);
}

/**
 * Parses the arguments in the manner of `parseArgs` of `@std/cli`; what nobody knows is a {@linkcode ConfigError}.
 *
 * `--help` with a command is the command `help` with that as its argument.
 */
async function parseCommandLine(args: readonly string[]): Promise<CommandLine> {
  const { parseArgs } = await import("node:util");
  const cut = args.includes("--") ? args.indexOf("--") : args.length;
  const toParsed = () => parseArgs({ args: args.slice(0, cut), options: FLAGS, allowPositionals: true });
  let parsed: ReturnType<typeof toParsed>;
  try {
    parsed = toParsed();
  } catch (cause) {
    throw new ConfigError(toFlagProblem(cause as Error, args), { cause });
  }
  const [name = "code", ...own] = parsed.positionals;
  const command = toCommand(name);
  const { help, ...flags }: Flags = { ...parsed.values };
  const rest = args.slice(cut + 1);
  if (help) return { command: "help", flags, args: command === "help" ? own : parsed.positionals.slice(0, 1), rest };
  checkArgs(command, own);
  if (command === "help") own.forEach(toCommand);
  const { flags: taken = [] }: CommandRow = COMMANDS[command];
  const wrong = OWN_FLAGS.find((flag) => flag in flags && !taken.includes(flag));
  if (wrong) throw new ConfigError(`'${command}' has no flag --${wrong}`);
  const [empty] = Object.entries(flags).find(([, value]) => value === "") ?? [];
  if (empty) throw new ConfigError(`Option '--${empty}' is empty`);
  // Claude Code's own -p takes a prompt.
  if (command === "code" && /\s/.test(flags.port ?? "")) {
    throw new ConfigError(`'${flags.port}' is no port: claude's own -p follows after --`);
  }
  if (rest.length > 0 && command !== "code") throw new ConfigError(`'${command}' takes nothing after --`);
  return { command, flags, args: own, rest };
}
// lib/cli/rows.ts ---------------------------------------------------------------------------
/** A count and what is counted, such as `2 requests`. */
function toAmount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** A time in words, such as `5 min`; what is less than a minute is one. */
function toDuration(ms: number): string {
  const minutes = Math.max(1, Math.floor(ms / 60_000));
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
}

/** Breaks a text between words, so that no line is longer than `width`; a longer word stays whole. */
function wrapText(text: string, width: number): string[] {
  const [first = "", ...words] = text.split(" ");
  const lines = [first];
  for (const word of words) {
    const longer = `${lines.at(-1)} ${word}`.trimStart();
    if (longer.length <= width) lines.splice(-1, 1, longer);
    else if (word !== "") lines.push(word);
  }
  return lines;
}

/** Breaks lines that are no table so that a terminal need not cut words; each keeps what it begins with. */
function wrapLines(text: string, columns = Infinity): string {
  return text.split("\n").flatMap((line) => {
    const [indent = ""] = /^ */.exec(line)!;
    return wrapText(line.trim(), columns - 1 - indent.length).map((part) => indent + part);
  }).join("\n");
}

/** A word in pieces of at most `width` characters. */
function cutWord(word: string, width: number): string[] {
  const pieces = [];
  for (; word.length > width; word = word.slice(width)) pieces.push(word.slice(0, width));
  return [...pieces, word];
}

/** Breaks a text between words, and words that are longer than a line anywhere. */
function breakText(text: string, width: number): string[] {
  return wrapText(text.split(" ").flatMap((word) => cutWord(word, width)).join(" "), width);
}

/**
 * Aligns rows of a label and words; words that do not fit beside it go on below, one that is longer than a line is cut.
 *
 * @param columns The width of the terminal; nothing is broken where there is none.
 */
function toRows(rows: readonly (readonly [label: string, words: string])[], columns = Infinity): string[] {
  const indent = Math.max(0, ...rows.map(([label]) => label.length)) + 2;
  const width = Math.max(columns - 1 - indent, 16); // No sentence fits into less. The last column stays free.
  return rows.flatMap(([label, words]) => {
    return breakText(words, width).map((line, i) => `${(i === 0 ? label : "").padEnd(indent)}${line}`.trimEnd());
  });
}
// lib/cli/io.ts -----------------------------------------------------------------------------
/**
 * What a command sees of the world. `platform` is Node's name of it, `interactive` tells whether a person may be asked,
 * `columns` is the width of the terminal that results go to, if it is one, `print` writes a line of result, behind
 * `before` for the terminal itself, `tell` one about what is going on, or wrong.
 */
type Io = {
  env: Env;
  readonly cwd: string;
  platform: string;
  interactive: boolean;
  readonly columns?: number | undefined;
  print: (line: string, before?: string) => void;
  tell: (line: string) => void;
};

/**
 * What a command works with: beside the settings the layers of the environment that they came from, and which of them
 * is the current folder's `.env`.
 */
type Context = CommandLine & { io: Io; settings: Settings; layers: readonly Env[]; folder?: Env };

/** Prints lines or, with `--json`, a value. */
function report({ io, flags }: Context, value: unknown, lines: readonly string[]): void {
  for (const line of flags.json ? [JSON.stringify(value, null, 2)] : lines) io.print(line);
}

/** The world of this process. */
async function createIo(): Promise<Io> {
  const { default: process } = await import("node:process");
  // Who reads no further, as `head` does, has what they wanted; a terminal that was closed is of no use any more.
  for (const stream of [process.stdin, process.stdout, process.stderr]) stream.on("error", () => {});
  return {
    env: process.env,
    get cwd() {
      try {
        return process.cwd();
      } catch (cause) {
        throw new Error("The current folder is not there any more: change to another", { cause });
      }
    },
    platform: process.platform,
    interactive: Boolean(process.stdin.isTTY && process.stderr.isTTY),
    get columns() {
      return process.stdout.isTTY && process.stdout.columns || undefined; // Some terminals say 0.
    },
    print: (line, before = "") => void process.stdout.write(`${before}${toPrintable(line)}\n`),
    tell: (line) => {
      const { isTTY, columns } = process.stderr;
      const text = toPrintable(line);
      process.stderr.write(`${isTTY ? wrapLines(text, columns || undefined) : text}\n`);
    },
  };
}
// lib/store/memory_store.ts -----------------------------------------------------------------
/** So many changes, and what nobody asked for again since its time was over is thrown away. */
const CHANGES_PER_SWEEP = 1_000;

/** What becomes of who wants a place in windows, by when the places of the others in each of them end. */
function toTaken(windows: readonly SlidingWindow[], others: readonly number[][], now: number): Taken {
  const waits = windows.map(({ limit }, i) => {
    const ends = others[i]!.sort((a, b) => a - b);
    return ends.length < limit ? 0 : (ends[ends.length - limit] ?? Infinity) - now;
  });
  const wait = Math.max(0, ...waits);
  const left = (windows[0]?.limit ?? Infinity) - (others[0]?.length ?? 0) - (wait === 0 ? 1 : 0);
  return { wait, left: Math.max(0, left) };
}

/** Makes a store that lasts as long as the process; `entries` are there from the beginning. */
export function createMemoryStore(
  entries: Iterable<[key: string, value: unknown]> = [],
  clock: Clock = systemClock,
): Store {
  const values = new Map<string, { value: unknown; until: number }>();
  /** When each place ends, by the key of its window and who has it. */
  const places = new Map<string, Map<string, number>>();
  let changes = 0;

  function set(key: string, value: unknown, ms = Infinity): void {
    values.delete(key);
    if (value !== undefined) values.set(key, { value, until: clock.now() + ms });
    if (++changes % CHANGES_PER_SWEEP > 0) return;
    for (const [key, { until }] of values) if (until <= clock.now()) values.delete(key);
  }

  function get(key: string): unknown {
    const found = values.get(key);
    return found && found.until > clock.now() ? found.value : undefined;
  }

  /** Who is in a window now, but for `id`. */
  function othersOf(id: string, key: string): Map<string, number> {
    const now = clock.now();
    return new Map([...places.get(key) ?? []].filter(([holder, until]) => holder !== id && until > now));
  }

  function take(id: string, windows: readonly SlidingWindow[]): Taken {
    const now = clock.now();
    const others = windows.map(({ key }) => othersOf(id, key));
    const taken = toTaken(windows, others.map((ends) => [...ends.values()]), now);
    windows.forEach(({ key, ms }, i) => {
      if (taken.wait === 0 && ms > 0) places.set(key, others[i]!.set(id, now + ms));
    });
    return taken;
  }

  for (const [key, value] of entries) set(key, value);
  return {
    shared: false,
    get: (key) => Promise.resolve(get(key)),
    list: (prefix) =>
      Promise.resolve([...values.keys()].flatMap((key) => {
        const value = key.startsWith(prefix) ? get(key) : undefined;
        return value === undefined ? [] : [[key, value]];
      })),
    set: (key, value, ms) => Promise.resolve(set(key, value, ms)),
    swap(key, before, after, ms) {
      const same = isSameJson(get(key), before);
      if (same) set(key, after, ms);
      return Promise.resolve(same);
    },
    take: (id, windows) => Promise.resolve(take(id, windows)),
    free(id, key) {
      places.get(key)?.delete(id);
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}
// lib/store/replace_file.ts -----------------------------------------------------------------
/** What {@linkcode replaceFile} needs of `node:fs/promises`, so that a full disk can be tried without one. */
type FileWriter = Pick<typeof import("node:fs/promises"), "mkdir" | "writeFile" | "rename" | "rm" | "realpath">;

/**
 * Writes a file that only its owner may read. It is written whole beside its place and then put there, so that nobody
 * ever reads half of it, also when several do so at once; a link is followed. What fails leaves everything as it was.
 */
async function replaceFile(path: string, text: string, writer?: FileWriter): Promise<void> {
  const { mkdir, writeFile, rename, rm, realpath } = writer ?? await import("node:fs/promises");
  const { dirname } = await import("node:path");
  const target = await realpath(path).catch(() => path);
  const part = `${target}.${crypto.randomUUID()}`;
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  try {
    await writeFile(part, text, { mode: 0o600 });
    await rename(part, target);
  } catch (thrown) {
    await rm(part, { force: true }).catch(() => {});
    throw thrown;
  }
}
// lib/store/file_store.ts -------------------------------------------------------------------
/**
 * Makes a store that keeps everything in one JSON file.
 *
 * Changes that come together are written once; times and places are not in the file. What other processes have changed in
 * it meanwhile stays there. A file that is missing or spoilt counts as empty, and one that cannot be written is told to
 * `warn` once: what is remembered is then lost with the process.
 *
 * @param path Where the file is; its folder is made when it is first written.
 */
function createFileStore(path: string, warn: (warning: string) => void = () => {}): Store {
  let warned = false;
  let opened: Promise<Store> | undefined;
  /** The last write; while one is `waiting`, it has not begun, and takes with it what has changed until then. */
  let writing = Promise.resolve();
  let waiting = false;
  /** What is to be written. */
  let changed = new Set<string>();

  async function read(): Promise<Map<string, unknown>> {
    const { readFile } = await import("node:fs/promises");
    const found = parseJson(await readFile(path, "utf8").catch(() => ""));
    return new Map(Object.entries(isJsonObject(found) ? found : {}));
  }

  const open = () => opened ??= read().then((entries) => createMemoryStore(entries));

  async function write(store: Store): Promise<void> {
    waiting = false;
    const keys = changed;
    changed = new Set();
    try {
      const all = await read();
      for (const key of keys) all.set(key, await store.get(key)); // JSON leaves out what is forgotten.
      await replaceFile(path, `${JSON.stringify(Object.fromEntries(all), null, 2)}\n`);
    } catch (thrown) {
      for (const key of keys) changed.add(key);
      if (!warned) warn(`Cannot write ${path}: ${(thrown as Error).message}`);
      warned = true;
    }
  }

  /** Does something to what is kept, and waits until the file has it. */
  async function change<T>(key: string, run: (store: Store) => Promise<T>): Promise<T> {
    const store = await open();
    const result = await run(store);
    changed.add(key);
    if (!waiting) writing = writing.then(() => write(store));
    waiting = true;
    await writing;
    return result;
  }

  return {
    shared: false,
    get: async (key) => await (await open()).get(key),
    list: async (prefix) => await (await open()).list(prefix),
    set: (key, value, ms) => change(key, (store) => store.set(key, value, ms)),
    swap: (key, before, after, ms) => change(key, (store) => store.swap(key, before, after, ms)),
    take: async (id, windows) => await (await open()).take(id, windows), // Places end with the process.
    free: async (id, key) => await (await open()).free(id, key),
    close: () => writing,
  };
}
// lib/wire/fetch.ts -------------------------------------------------------------------------
/** What is called like the runtime's `fetch`; the type of that has more on Bun, which no other function has. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;
// lib/store/redis_client.ts -----------------------------------------------------------------
/** As much of the npm package `redis` as is used here, of its versions from 4. */
type RedisClient = {
  readonly isReady: boolean;
  connect(): Promise<unknown>;
  sendCommand(command: readonly string[]): Promise<unknown>;
  on(event: "error", listener: (error: Error) => void): unknown;
  unref(): void;
  /** Closes the connection at once; version 4 has the other. */
  destroy?(): void;
  disconnect(): unknown;
};
type RedisPackage = { createClient(options: object): RedisClient };

/** Asks Redis. */
type RedisConnection = {
  /** Sends one command; rejects if there is no connection, or no answer in time. */
  ask(...command: string[]): Promise<unknown>;
  /** Waits for what is on its way, and ends the connection. */
  close(): Promise<void>;
};

/** Milliseconds after which a connection is not waited for any more; who asks waits no longer than for an answer. */
const CONNECT_TIMEOUT = 5_000;

/** Where `redis` may be: among the packages around Arbiter, in a folder, or, with Deno, wherever npm's are. */
async function toPlaces(folder: string | undefined): Promise<(() => unknown)[]> {
  const { createRequire } = await import("node:module");
  const name: string = "redis"; // Known only when it runs, so that whoever bundles Arbiter needs none.
  return [
    () => import(name),
    ...(folder ? [() => createRequire(`${folder}/`)(name)] : []),
    ...("Deno" in globalThis ? [() => import(`npm:${name}@6`)] : []),
  ];
}

/**
 * Loads `redis` from the first place that has it; if none has, it belongs into the folder.
 *
 * @throws {MissingEngineError} If none has.
 */
async function loadRedis(places: readonly (() => unknown)[], folder?: string): Promise<RedisPackage> {
  for (const load of places) {
    try {
      const found = await load() as RedisPackage & { default?: RedisPackage };
      return found.default ?? found;
    } catch {
      // Perhaps it is in the next place.
    }
  }
  const where = folder ? `--prefix "${folder}" ` : "";
  throw new MissingEngineError(`Redis needs the npm package redis: run npm install ${where}redis`);
}

/** An error that says something also where several addresses have been tried. */
function toError(cause: Error & { code?: string }): Error {
  return new Error(cause.message || cause.code, { cause });
}

/** Connects when it is first asked, and again whenever the connection was lost; only a question holds the process open. */
async function createRedisConnection(
  options: object,
  { timeout, clock, packages }: { timeout: number; clock: Clock; packages: string | undefined },
): Promise<RedisConnection> {
  const { createClient } = await loadRedis(await toPlaces(packages), packages);
  let current: { client: RedisClient; ready: Promise<unknown>; since: number; lost?: Error } | undefined;
  let closed = false;

  async function drop(client: RedisClient): Promise<void> {
    if (current?.client === client) current = undefined;
    try {
      await (client.destroy ? client.destroy() : client.disconnect());
    } catch {
      // It is closed already.
    }
  }

  function connect(): NonNullable<typeof current> {
    const socket = { connectTimeout: CONNECT_TIMEOUT, reconnectStrategy: false };
    const client = createClient({ ...options, socket, RESP: 2, disableOfflineQueue: true, disableClientInfo: true });
    client.on("error", (error) => {
      made.lost ??= toError(error); // Who waits for an answer then would be told only that the client was closed.
      drop(client);
    });
    client.unref();
    const made: NonNullable<typeof current> = { client, ready: client.connect(), since: clock.now() };
    made.ready.catch(() => drop(client));
    return made;
  }

  async function ask(...command: string[]): Promise<unknown> {
    if (closed) throw new Error("The store is closed");
    const asked = current ??= connect();
    const { client, ready, since } = asked;
    let [forget, isLate] = [() => {}, false];
    const late = new Promise<never>((_, reject) => {
      const giveUp = () => {
        isLate = true;
        // What does not answer may be gone without a word; what is not even there yet may still come.
        const error = new Error(`no answer within ${timeout} ms`);
        if (client.isReady || clock.now() - since >= CONNECT_TIMEOUT) {
          asked.lost = error; // Also for those whose questions end with the connection.
          drop(client);
        }
        reject(error);
      };
      // In two halves: a process that was held up itself has read what came meanwhile before the second is over.
      forget = clock.after(timeout / 2, () => forget = clock.after(timeout / 2, giveUp));
    });
    try {
      return await Promise.race([ready.then(() => isLate || client.sendCommand(command)), late]);
    } catch (cause) {
      throw asked.lost ?? toError(cause as Error);
    } finally {
      forget();
    }
  }

  return {
    ask,
    async close() {
      if (current) await ask("PING").catch(() => {}); // Answers come in order: this one is the last.
      closed = true;
      if (current) await drop(current.client);
    },
  };
}
// lib/store/redis_http.ts -------------------------------------------------------------------
/** Where Redis answers over HTTP, the token it wants, milliseconds to wait for it, what asks, and time. */
type RedisHttpOptions = { url: string; token: string; timeout: number; fetch: Fetch; clock: Clock };

/**
 * Asks Redis over HTTP, as Upstash and its likes offer it: each command is a list in JSON.
 *
 * Where a connection belongs to the request that made it, as in a Cloudflare Worker, nothing else can be shared.
 */
function createRedisHttp({ url, token, timeout, fetch, clock }: RedisHttpOptions): RedisConnection {
  const running = new Set<Promise<unknown>>();
  let closed = false;

  async function send(command: readonly string[]): Promise<unknown> {
    const stop = new AbortController();
    const cancel = clock.after(timeout, () => stop.abort(new Error(`no answer within ${timeout} ms`)));
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify(command),
        signal: stop.signal,
        redirect: "manual",
      });
      const answer = parseJson(await response.text());
      if (isJsonObject(answer) && "result" in answer) return answer.result;
      throw new Error(isJsonObject(answer) && answer.error ? String(answer.error) : `status ${response.status}`);
    } finally {
      cancel();
    }
  }

  return {
    async ask(...command) {
      if (closed) throw new Error("The store is closed");
      const answer = send(command);
      running.add(answer);
      return await answer.finally(() => running.delete(answer));
    },
    async close() {
      closed = true;
      await Promise.allSettled(running);
    },
  };
}
// lib/store/redis_store.ts ------------------------------------------------------------------
/** Options of {@linkcode createRedisStore}. */
export interface RedisStoreOptions {
  /**
   * Where Redis is, `redis://127.0.0.1:6379` unless told; `rediss:` for TLS, with user, password and database in it.
   * `https:` is where it takes commands over HTTP, as Upstash does.
   */
  url?: string | undefined;
  /** The password, if the address has none; the token for HTTP. */
  password?: string | undefined;
  /** What all keys begin with, `arbiter:` unless told. */
  prefix?: string | undefined;
  /** Milliseconds to wait for an answer, 500 unless told. */
  timeout?: number;
  /** A folder that has the npm package `redis`, if it is not among the packages around Arbiter. */
  packages?: string | undefined;
  /** What asks over HTTP. @default {the runtime's} */
  fetch?: Fetch;
  /** Time to wait by; what ends when is told by Redis' own clock, for machines differ. */
  clock?: Clock;
}

const NOW = `local time = redis.call("TIME") local now = time[1] * 1000 + math.floor(time[2] / 1000)`;
/** What is of another type where an index or places belong is nobody's. */
const clear = (key: string) => `if redis.call("TYPE", ${key}).ok ~= "zset" then redis.call("DEL", ${key}) end`;

/** KEYS: value, index. ARGV: name, what to keep, or nothing, for how many ms, if not for ever, and what has to be there. */
const CHANGE = `${NOW} ${clear("KEYS[2]")}
local name, value, ms, before = unpack(ARGV)
local found = redis.pcall("GET", KEYS[1])
if before and before ~= (type(found) == "string" and found or "") then return 0 end
redis.call("ZREMRANGEBYSCORE", KEYS[2], "-inf", now)
if value == "" then
  redis.call("DEL", KEYS[1])
  redis.call("ZREM", KEYS[2], name)
elseif ms == "" then
  redis.call("SET", KEYS[1], value)
  redis.call("ZADD", KEYS[2], "+inf", name)
else
  redis.call("SET", KEYS[1], value, "PX", ms)
  redis.call("ZADD", KEYS[2], now + ms, name)
end
return 1`;

/** KEYS: index. ARGV: what keys of values begin with, prefix. */
const LIST = `${NOW} ${clear("KEYS[1]")}
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now)
local found = {}
for _, name in ipairs(redis.call("ZRANGE", KEYS[1], 0, -1)) do
  local value = redis.pcall("GET", ARGV[1] .. name)
  if type(value) == "string" and name:sub(1, #ARGV[2]) == ARGV[2] then
    found[#found + 1] = name
    found[#found + 1] = value
  end
end
return found`;

/** KEYS: places in each window. ARGV: who, then limit and ms of each window. A wait of -1 is one without end. */
const TAKE = `${NOW}
local id, wait, left = ARGV[1], 0, 0
for i, key in ipairs(KEYS) do
  ${clear("key")}
  redis.call("ZREMRANGEBYSCORE", key, "-inf", now)
  local limit, own = tonumber(ARGV[2 * i]), redis.call("ZRANK", key, id)
  local others = redis.call("ZCARD", key) - (own and 1 or 0)
  if i == 1 then left = limit - others end
  if others >= limit then
    local place = others - limit
    if own and own <= place then place = place + 1 end
    local last = redis.call("ZRANGE", key, place, place, "WITHSCORES")[2]
    if not last then return {-1, math.max(left, 0)} end
    wait = math.max(wait, last - now)
  end
end
if wait > 0 then return {wait, math.max(left, 0)} end
for i, key in ipairs(KEYS) do
  local ms = tonumber(ARGV[2 * i + 1])
  if ms > 0 then redis.call("ZADD", key, now + ms, id) end
  if redis.call("PTTL", key) < ms then redis.call("PEXPIRE", key, ms) end
end
return {0, left - 1}`;

/** A time as Redis takes it: whole milliseconds, and nothing for one without end. */
function toMs(ms: number): string {
  return ms < Infinity ? String(Math.max(1, Math.ceil(ms))) : "";
}

/** JSON, and nothing for what is not there. */
function toStored(value: unknown): string {
  return value === undefined ? "" : JSON.stringify(value);
}

/**
 * Makes a store in Redis, 5 or later, which several machines share: each question is one round trip. It connects when it
 * is first used, and again whenever the connection was lost; what is asked while there is none, or is not answered in
 * time, rejects.
 *
 * @throws {TypeError} If the address is of no use.
 * @throws {MissingEngineError} If the npm package `redis`, which HTTP does without, cannot be found.
 */
export async function createRedisStore(options: RedisStoreOptions = {}): Promise<Store> {
  const { url = "redis://127.0.0.1:6379", password, prefix = "arbiter:", timeout = 500, clock = systemClock } = options;
  if (!URL.canParse(url) || !/^rediss?:\/\/[^/?]*(?:\/\d*)?(?:\?|$)|^https?:[^@]*$/.test(url)) {
    throw new TypeError(
      "Cannot use the address of Redis, REDIS_URL: expected one such as redis://127.0.0.1:6379", // It may have a password.
    );
  }
  const server = password === undefined ? { url } : { url, password };
  const { ask, close } = url.startsWith("http")
    ? createRedisHttp({ url, token: password ?? "", timeout, fetch: options.fetch ?? fetch, clock })
    : await createRedisConnection(server, { timeout, clock, packages: options.packages });
  const values = `${prefix}value:`;
  const toIndex = (key: string) => `${prefix}index:${key.split(" ", 1)[0]}`;
  const toPlaces = (key: string) => `${prefix}places:${key}`;
  const run = (script: string, keys: readonly string[], args: readonly string[]) =>
    ask("EVAL", script, String(keys.length), ...keys, ...args);
  const change = (key: string, after: unknown, ms: number, ...before: string[]) =>
    run(CHANGE, [values + key, toIndex(key)], [key, toStored(after), toMs(ms), ...before]);

  return {
    shared: true,
    async get(key) {
      const [found] = await ask("MGET", values + key) as unknown[]; // Nothing, and no error, for another type.
      return typeof found === "string" ? parseJson(found) : undefined;
    },
    async list(prefix) {
      const found = await run(LIST, [toIndex(prefix)], [values, prefix]) as string[];
      const names = found.filter((_, i) => i % 2 === 0);
      return names.map((name, i) => [name, parseJson(found[2 * i + 1]!)]);
    },
    async set(key, value, ms = Infinity) {
      await change(key, value, ms);
    },
    swap: async (key, before, after, ms = Infinity) => await change(key, after, ms, toStored(before)) === 1,
    async take(id, windows): Promise<Taken> {
      if (windows.length === 0) return { wait: 0, left: Infinity };
      const sizes = windows.flatMap(({ limit, ms }) => [limit, Math.ceil(ms)].map(String));
      const [wait = 0, left = 0] = await run(TAKE, windows.map(({ key }) => toPlaces(key)), [id, ...sizes]) as number[];
      return { wait: wait < 0 ? Infinity : wait, left };
    },
    async free(id, key) {
      await ask("ZREM", toPlaces(key), id);
    },
    close,
  };
}
// lib/wire/runtime.ts -----------------------------------------------------------------------
/** A runtime's name as people write it, and its version. */
type Runtime = { name: string; version: string };

/** By the names they give themselves; the first two claim to be Node, too. */
const NAMES = { deno: "Deno", bun: "Bun", node: "Node" };

/** Finds out on what this runs. */
async function readRuntime(): Promise<Runtime> {
  const { default: { versions } } = await import("node:process");
  const [key = "node", name = ""] = Object.entries(NAMES).find(([key]) => versions[key]) ?? [];
  return { name, version: versions[key] ?? "" };
}
// lib/store/sqlite_store.ts -----------------------------------------------------------------
/** Options of {@linkcode createSqliteStore}. */
export interface SqliteStoreOptions {
  /** Time: that of the machine, by which all its processes count, also where it is set back. */
  clock?: Pick<Clock, "now">;
  /** Milliseconds to wait for another process that is writing, 2 seconds unless told. */
  patience?: number;
}

/** What comes with all of Deno, Bun and Node but its oldest versions. */
type Sqlite = typeof import("node:sqlite");
type Query = (sql: string, ...values: (string | number)[]) => Record<string, unknown>[];
type OpenFile = { query: Query; close: () => void };

/** So many changes, and what is over is thrown away. */
const CHANGES_PER_CLEANING = 1_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value TEXT NOT NULL, until REAL NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS places (key TEXT, id TEXT, until REAL NOT NULL, PRIMARY KEY (key, id)) WITHOUT ROWID;
`;

async function loadSqlite(): Promise<Sqlite> {
  try {
    return await import("node:sqlite");
  } catch (cause) {
    const { name, version } = await readRuntime();
    throw new MissingEngineError(
      `SQLite needs Node 22.13, Deno 2.2 or Bun 1.4, or a later one, and this is ${name} ${version}`,
      { cause },
    );
  }
}

/** Opens the file, which only its owner may read, and so those that SQLite puts beside it; prepares what is asked once. */
async function openDatabase({ DatabaseSync }: Sqlite, path: string, patience: number): Promise<OpenFile> {
  const { mkdir, open } = await import("node:fs/promises");
  const { dirname } = await import("node:path");
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await (await open(path, "a", 0o600)).close();
  const database = new DatabaseSync(path);
  try {
    database.exec(
      `PRAGMA busy_timeout = ${patience}; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; ${SCHEMA}`,
    );
  } catch (thrown) {
    database.close();
    throw thrown;
  }
  const statements = new Map<string, ReturnType<typeof database.prepare>>();
  const query: Query = (sql, ...values) => {
    const statement = statements.get(sql) ?? database.prepare(sql);
    statements.set(sql, statement);
    return statement.all(...values);
  };
  return { query, close: () => database.close() };
}

function readEntry(query: Query, key: string, now: number): string | undefined {
  return query("SELECT value FROM entries WHERE key = ? AND until > ?", key, now)[0]?.value as string | undefined;
}

function writeEntry(query: Query, key: string, value: unknown, until: number): void {
  if (value === undefined) query("DELETE FROM entries WHERE key = ?", key);
  else query("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", key, JSON.stringify(value), until);
}

/**
 * Makes a store in a file of SQLite, which several processes of one machine share; its folder is made, and the file
 * opened, when it is first used. A file that cannot be opened is tried anew each time.
 *
 * @param path Where the file is; SQLite puts two more beside it.
 * @throws {Error} If the runtime has no SQLite.
 */
export async function createSqliteStore(path: string, options: SqliteStoreOptions = {}): Promise<Store> {
  const { clock = Date, patience = 2_000 } = options;
  const sqlite = await loadSqlite();
  let opened: Promise<OpenFile> | undefined;
  let [changes, closed] = [0, false];

  async function ask<T>(run: (file: OpenFile, now: number) => T): Promise<T> {
    if (closed) throw new Error("The store is closed");
    opened ??= openDatabase(sqlite, path, patience);
    const file = await opened.catch((cause) => {
      opened = undefined;
      throw new Error(`Cannot open ${path}: ${cause.message}`, { cause });
    });
    return run(file, clock.now());
  }
  /** Does all or nothing, and nobody else writes meanwhile. */
  const change = <T>(run: (query: Query, now: number) => T): Promise<T> =>
    ask(({ query }, now) => {
      query("BEGIN IMMEDIATE");
      try {
        const cleans = changes++ % CHANGES_PER_CLEANING === 0;
        for (const table of cleans ? ["entries", "places"] : []) query(`DELETE FROM ${table} WHERE until <= ?`, now);
        const result = run(query, now);
        query("COMMIT");
        return result;
      } catch (thrown) {
        query("ROLLBACK");
        throw thrown;
      }
    });
  return {
    shared: true,
    get: (key) => ask(({ query }, now) => parseJson(readEntry(query, key, now) ?? "")),
    list: (prefix) =>
      ask(({ query }, now) => {
        const sql = "SELECT key, value FROM entries WHERE key >= ? AND key < ? || char(1114111) AND until > ?";
        return query(sql, prefix, prefix, now).map(({ key, value }) => [key as string, parseJson(value as string)]);
      }),
    set: (key, value, ms = Infinity) => change((query, now) => writeEntry(query, key, value, now + ms)),
    swap: (key, before, after, ms = Infinity) =>
      change((query, now) => {
        const same = readEntry(query, key, now) === JSON.stringify(before);
        if (same) writeEntry(query, key, after, now + ms);
        return same;
      }),
    take: (id, windows) =>
      change((query, now) => {
        const others = "SELECT until FROM places WHERE key = ? AND id <> ? AND until > ?";
        const ends = windows.map(({ key }) => query(others, key, id, now).map(({ until }) => until as number));
        const taken = toTaken(windows, ends, now);
        const kept = taken.wait > 0 ? [] : windows.filter(({ ms }) => ms > 0);
        for (const { key, ms } of kept) query("INSERT OR REPLACE INTO places VALUES (?, ?, ?)", key, id, now + ms);
        return taken;
      }),
    free: (id, key) => ask(({ query }) => void query("DELETE FROM places WHERE key = ? AND id = ?", key, id)),
    async close() {
      const closing = opened && ask(({ close }) => close()).catch(() => {}); // After what was asked before.
      closed = true;
      await closing;
      opened = undefined;
    },
  };
}
// lib/store/steady_store.ts -----------------------------------------------------------------
/** Options of {@linkcode createSteadyStore}. */
export interface SteadyStoreOptions {
  /** What people call the store. */
  name: string;
  /** Told that the store is away, and that it is back. */
  warn?: (warning: string) => void;
  /** Time. */
  clock?: Clock;
}

/** What the other store has missed: until when it matters, how it is told, and what has to be there, if anything. */
type Missed = { until: number; tell: (left: number) => Promise<unknown>; base?: { value: unknown } | undefined };

/** Milliseconds until a store that is away is asked again. */
const PAUSE = 1_000;
/** Milliseconds after which a place that nobody gave back is free anyhow. */
const LONGEST_PLACE = 3_600_000;

/**
 * Makes a store that never fails of one that may: while that is away, this process does with what it has kept itself.
 *
 * Only who finds out that it is away waits for it. From then on it is asked about once a second, beside the
 * requests, until it takes again what it has missed; what others have swapped meanwhile stays.
 */
export function createSteadyStore(remote: Store, options: SteadyStoreOptions): Store {
  const { name, warn = () => {}, clock = systemClock } = options;
  const local = createMemoryStore([], clock);
  const missed = new Map<string, Missed>();
  let [away, closed] = [false, false];
  /** When it is asked about again, nobody asking now. */
  let askAgainAt = Infinity;

  function miss(what: string, ms: number, tell: Missed["tell"], base?: Missed["base"]): void {
    missed.set(what, { until: clock.now() + ms, tell, base });
  }

  function leave(cause: Error): void {
    if (away) return;
    away = true;
    askAgainAt = clock.now() + PAUSE;
    warn(`${name} is away (${cause.message}): limits count for this process alone until it is back`);
  }

  async function comeBack(): Promise<void> {
    askAgainAt = Infinity;
    for (const [what, { until }] of missed) if (until <= clock.now()) missed.delete(what);
    try {
      await remote.set("steady check", true, PAUSE); // One that can be read but not written is not back.
      while (missed.size > 0) {
        for (const [what, one] of missed) {
          await one.tell(Math.max(1, one.until - clock.now()));
          if (missed.get(what) === one) missed.delete(what);
        }
      }
      away = false;
      warn(`${name} is back`);
    } catch {
      askAgainAt = clock.now() + PAUSE;
    }
  }

  /** Asks the other store, or this process where that is away. */
  async function ask<T>(there: () => Promise<T>, here: () => Promise<T>): Promise<T> {
    if (closed) throw new Error("The store is closed");
    if (clock.now() >= askAgainAt) comeBack();
    try {
      if (!away) return await there();
    } catch (thrown) {
      if (closed) throw thrown;
      leave(thrown as Error);
    }
    return await here();
  }

  return {
    shared: true,
    get: (key) => ask(() => remote.get(key), () => local.get(key)),
    list: (prefix) => ask(() => remote.list(prefix), () => local.list(prefix)),
    set: (key, value, ms = Infinity) =>
      ask(async () => {
        await remote.set(key, value, ms);
        await local.set(key, value, ms);
      }, () => {
        miss(`value ${key}`, ms, (left) => remote.set(key, value, left));
        return local.set(key, value, ms);
      }),
    swap: (key, before, after, ms = Infinity) =>
      ask(async () => {
        const same = await remote.swap(key, before, after, ms);
        if (same) await local.set(key, after, ms);
        return same;
      }, async () => {
        const same = await local.swap(key, before, after, ms);
        const earlier = missed.get(`value ${key}`);
        const base = earlier ? earlier.base : { value: before };
        const tell = async (left: number) =>
          base
            ? await remote.swap(key, base.value, after, left) || await remote.swap(key, undefined, after, left)
            : await remote.set(key, after, left);
        if (same) miss(`value ${key}`, ms, tell, base);
        return same;
      }),
    take: (id, windows) =>
      ask(async () => {
        const taken = await remote.take(id, windows);
        if (taken.wait === 0) await local.take(id, windows);
        return taken;
      }, async () => {
        const taken = await local.take(id, windows);
        for (const { key, ms } of taken.wait === 0 ? windows : []) {
          // Nobody asks there any more whether it was free: the place is in use.
          const limit = Number.MAX_SAFE_INTEGER;
          miss(`place ${id} ${key}`, ms, (left) => remote.take(id, [{ key, limit, ms: left }]));
        }
        return taken;
      }),
    free: (id, key) =>
      ask(async () => {
        await remote.free(id, key);
        await local.free(id, key);
      }, () => {
        miss(`place ${id} ${key}`, LONGEST_PLACE, () => remote.free(id, key));
        return local.free(id, key);
      }),
    async close() {
      closed = true;
      await remote.close();
    },
  };
}
// lib/cli/open_store.ts ---------------------------------------------------------------------
/** What people call the stores that are shared. */
const STORE_NAMES = { redis: "Redis", sqlite: "SQLite" } as const;

/** Makes the store that is shared, as the settings name it; what fails in it fails. Nothing where none is shared. */
async function openSharedStore({ settings, flags, io }: Context): Promise<Store | undefined> {
  const { store, redisUrl: url, redisPrefix: prefix, redisPassword: password } = settings;
  if (flags.demo || store === "memory" || store === undefined) return undefined;
  try {
    // Never from the current folder: what a download brings is not run.
    const packages = toConfigPath(io);
    if (store === "redis") return await createRedisStore({ url, prefix, password, packages });
    const path = toStatePath(io, "store.sqlite");
    if (path) return await createSqliteStore(path);
    throw new ConfigError("ARBITER_STORE=sqlite needs a folder for its file: set HOME");
  } catch (cause) {
    const isTheirs = cause instanceof MissingEngineError || cause instanceof TypeError;
    throw isTheirs ? new ConfigError(cause.message, { cause }) : cause;
  }
}

/**
 * Makes the store of the settings, which never fails: one that is shared, or a file for what models teach, or memory where
 * nobody knows where files of a user belong.
 *
 * @throws {ConfigError} If the store needs something that is not there.
 */
async function openStore(context: Context, warn: (warning: string) => void): Promise<Store> {
  const { settings: { store = "memory" }, flags, io } = context;
  const shared = await openSharedStore(context);
  if (shared && store !== "memory") return createSteadyStore(shared, { name: STORE_NAMES[store], warn });
  const path = flags.demo ? undefined : toStatePath(io, "lessons.json");
  return path ? createFileStore(path, warn) : createMemoryStore();
}

/** Reads what models have taught. */
async function readLessons(store: Store): Promise<LearnedFacts> {
  const learned = new LearnedFacts(store, systemClock);
  await learned.sync();
  return learned;
}
// lib/cli/model_choice.ts -------------------------------------------------------------------
/** What Claude Code is told of the main model: its window and the most output to ask for; what is absent it assumes. */
type ModelLimits = { contextTokens?: number; outputTokens?: number };

/** What Claude Code calls its models: the one for the main work, and those of its tiers, if they have their own. */
type ModelChoice = ModelLimits & { elite: string; tiers: Readonly<Partial<Record<Tier, string>>> };

/** Context window of a model of which nobody knows it: what most hosted models serve. */
const CONTEXT_TOKENS = 131_072;
/** Output tokens Claude Code asks any model for that it does not know, as observed in its version 2.1.328. */
const OUTPUT_TOKENS = 32_000;

/** What Claude Code is to be told of a proxy's models; what the main one has taught goes before what the roster says. */
async function readModelChoice(
  catalog: Catalog,
  { settings }: Context,
  store: Store,
): Promise<ModelChoice> {
  const candidate = toCandidate(catalog.elite, catalog);
  const { traits = toModel(candidate.model) } = candidate;
  const facts = (await readLessons(store)).of(candidate);
  const window = toWindow(candidate, facts);
  const contextTokens = window < Infinity ? window : CONTEXT_TOKENS;
  const { maxTokens = Infinity, hardMaxTokens = Infinity, clientMaxTokens } = settings;
  // Claude Code keeps room for the answer free: more than a quarter would make it compact all the time.
  const limits = [maxTokens, hardMaxTokens, traits.maxOutput, facts.maxOutput, Math.floor(contextTokens / 4)];
  const outputTokens = clientMaxTokens ?? Math.min(OUTPUT_TOKENS, ...limits);
  const { elite, tiers: { opus, sonnet, haiku } } = catalog;
  const toName = (target: Target) => toLabel(target, catalog);
  return {
    elite: toName(elite),
    tiers: { opus: toName(opus), sonnet: toName(sonnet), haiku: toName(haiku) },
    contextTokens,
    ...(outputTokens === OUTPUT_TOKENS ? {} : { outputTokens }),
  };
}
// lib/cli/claude_env.ts ---------------------------------------------------------------------
/** What would lead Claude Code elsewhere; with a key of Anthropic's it also asks whether to use that. */
const ELSEWHERE = [
  "ANTHROPIC_API_KEY",
  "CLAUDE_CODE_USE_BEDROCK",
  "CLAUDE_CODE_USE_VERTEX",
  "CLAUDE_CODE_USE_FOUNDRY",
];

type Given = { env: Env; url: string; models: ModelChoice; token: string };
type Value = string | ((given: Given) => string | undefined);

/** Variables, their value, if there is one, and why; the user's own go before those that are not `always` set. */
type ClaudeRow = readonly [names: string, why: string, value: Value, always?: "always"];

/** What a proxy is asked with where no key is set: any token will do, but without one Claude Code asks for a login. */
const ANY_TOKEN = "arbiter";

/** The token with which the user's own programs ask the proxy: the first of its keys. */
function toToken({ clientKeys = [] }: Settings): string {
  return clientKeys[0]?.key ?? ANY_TOKEN;
}

/** What Claude Code keeps free of a window beside the room for an answer (13,000 tokens in 2.1.328), less some for a turn. */
const KEPT_FREE = 11_000;
/** A window from which on that leaves enough to work in: in less it would compact again and again, and give up. */
const AMPLE_WINDOW = 65_536;

/** The window to tell of: of a small one Claude Code is to use all. */
function toToldWindow({ models: { contextTokens: window, outputTokens = 0 } }: Given): string | undefined {
  return window === undefined
    ? undefined
    : String(Math.max(window, Math.min(window + outputTokens + KEPT_FREE, AMPLE_WINDOW)));
}

/** A list of hosts that no corporate proxy is asked for, with the one of `url` in it. */
function toNoProxy({ env, url }: Given): string {
  const hosts = (env.NO_PROXY ?? env.no_proxy ?? "").split(",").map((host) => host.trim());
  return [...new Set([...hosts, new URL(url).hostname])].filter(Boolean).join(",");
}

const WHY_MODELS = "the model for the main work, and for each tier";
const toTierModel = (tier: Tier) => ({ models: { elite, tiers } }: Given) => tiers[tier] ?? elite;

/**
 * What makes Claude Code work well with Arbiter. Models are named by their upstream ids: its own names would make it
 * believe in a million tokens and never compact.
 */
const CLAUDE_ROWS: readonly ClaudeRow[] = [
  ["ANTHROPIC_BASE_URL", "where Arbiter listens", ({ url }) => url, "always"],
  ["ANTHROPIC_AUTH_TOKEN", "the key of the proxy; without one any token", ({ token }) => token, "always"],
  ["NO_PROXY no_proxy", "a proxy of your network cannot reach this machine", toNoProxy, "always"],
  ["ANTHROPIC_MODEL", WHY_MODELS, ({ models }) => models.elite],
  ["ANTHROPIC_DEFAULT_OPUS_MODEL ANTHROPIC_DEFAULT_FABLE_MODEL", WHY_MODELS, toTierModel("opus")],
  ["ANTHROPIC_DEFAULT_SONNET_MODEL", WHY_MODELS, toTierModel("sonnet")],
  ["ANTHROPIC_DEFAULT_HAIKU_MODEL", WHY_MODELS, toTierModel("haiku")],
  [
    "CLAUDE_CODE_MAX_CONTEXT_TOKENS",
    "when to compact; Claude Code takes a million for models it does not know",
    toToldWindow,
  ],
  [
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
    "how much to ask the model for",
    ({ models: { outputTokens } }) => outputTokens?.toString(),
  ],
  ["CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY", "lists the models of the proxy in /model", "1"],
  ["CLAUDE_CODE_GATEWAY_HINT_HEADERS", "tells what a request is for, and so where it should go", "1"],
  ["CLAUDE_CODE_AUTO_MODE_SERVER", "without it a dialog blocks the first command of a session", "0"],
  ["CLAUDE_CODE_ATTRIBUTION_HEADER", "leaves out a head of each prompt that only spoils caches here", "0"],
  [
    "CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION",
    "saves a request with the whole conversation after each turn",
    "false",
  ],
];

/** Which of the variables Arbiter has set, by name: where it finds them again, as `env` does in the same shell, they are not the user's. */
const OURS = "ARBITER_VARIABLES";

/** What is to be set for Claude Code, and why, what forgotten, and what the user has set and stays. */
type ClaudeVariables = {
  set: { name: string; value: string; why: string }[];
  unset: string[];
  kept: string[];
};

/** Finds what is to be done to an environment so that Claude Code works well with a proxy at `url`. */
function toClaudeVariables(env: Env, url: string, models: ModelChoice, token = ANY_TOKEN): ClaudeVariables {
  const variables: ClaudeVariables = { set: [], unset: ELSEWHERE.filter((name) => env[name] !== undefined), kept: [] };
  const ours = env[OURS]?.split(" ") ?? [];
  for (const [names, why, given, always] of CLAUDE_ROWS) {
    const value = typeof given === "string" ? given : given({ env, url, models, token });
    for (const name of names.split(" ")) {
      const free = always || env[name] === undefined || ours.includes(name);
      if (value === undefined) variables.unset.push(...(ours.includes(name) ? [name] : []));
      else if (free) variables.set.push({ name, value, why });
      else variables.kept.push(name);
    }
  }
  const value = variables.set.map(({ name }) => name).join(" ");
  variables.set.push({ name: OURS, value, why: "these are Arbiter's, to be set anew the next time" });
  return variables;
}

/**
 * The environment in which Claude Code works well with a proxy at `url`. What routes it there is always set; everything
 * else leaves the user's own variables alone.
 */
function toClaudeEnv(env: Env, url: string, models: ModelChoice, token?: string): Env {
  const { set, unset } = toClaudeVariables(env, url, models, token);
  const kept = Object.entries(env).filter(([name]) => !unset.includes(name));
  return Object.fromEntries([...kept, ...set.map(({ name, value }) => [name, value])]);
}
// lib/upstream/patient_fetch.ts -------------------------------------------------------------
let patient: Promise<Fetch> | undefined;

async function create(): Promise<Fetch> {
  // Node gives up on a response after 300 s without headers or without a piece of the body, and a
  // model may think longer. Its dispatcher, which can be told to wait, exists after the first fetch.
  await fetch("data:,").catch(() => {});
  const globals = globalThis as Record<symbol, { constructor: new (options: object) => unknown } | undefined>;
  const [modern, old] = [2, 1].map((n) => globals[Symbol.for(`undici.globalDispatcher.${n}`)]);
  const Agent = (modern ?? old)?.constructor;
  if (!Agent) return fetch;
  const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 });
  return (input, init) => fetch(input, { ...init, dispatcher } as object);
}

/** The runtime's `fetch` without time limits of its own; deadlines are set by those who call it. */
const patientFetch: Fetch = async (input, init) => await (await (patient ??= create()))(input, init);

/** Why a call failed: Node has that in the cause, or for each address of a name, Deno behind the address. */
function toCallFailure(thrown: unknown): string {
  type Failure = { message?: string; cause?: unknown; errors?: unknown[] };
  const { message = String(thrown), cause, errors = [] } = thrown as Failure;
  const inner = cause ?? errors[0];
  if (inner instanceof Error) return toCallFailure(inner) || message;
  return message.replace(/^error sending request for url \(\S*\): /, "").replace(/^client error \(\w+\): /, "");
}
// lib/routing/priority.ts -------------------------------------------------------------------
/** How urgent a request is: the main loop before subagents, before what the user does not wait for. */
type Priority = "main" | "subagent" | "background";

/** How urgent each kind is: the user waits for a check of a command and for a compaction, a turn for searches and pages. */
const PRIORITIES: Readonly<Record<RequestKind, Priority>> = {
  main: "main",
  compaction: "main",
  safety: "main",
  web_search: "main",
  web_page: "main",
  subagent: "subagent",
  title: "background",
  quota: "background",
  suggestion: "background",
  file_paths: "background",
  command_prefix: "background",
  auxiliary: "background",
};
// lib/stream/bad_answer.ts ------------------------------------------------------------------
/** An answer that is none: nothing is in it, it broke off, or it has become nonsense. */
class BadAnswer extends ApiError {
  readonly kind: "empty" | "cut" | "degenerate";

  constructor(kind: BadAnswer["kind"], how: string) {
    super("overloaded_error", `The model's answer ${how}`);
    this.kind = kind;
  }
}
// lib/upstream/deadline.ts ------------------------------------------------------------------
/** Why a signal fires when nothing is wrong; made for each, with its stack, it would cost as much as the signal. */
const OVER = new DOMException("The attempt is over", "AbortError");

/** One signal for both reasons to give up an attempt: nobody waits for it, or the upstream is silent for too long. */
class Deadline {
  readonly #controller = new AbortController();
  /** Fires for either reason. */
  readonly signal: AbortSignal = this.#controller.signal;
  readonly #clock: Clock;
  #cancel = () => {};
  #release = () => {};
  /** Since when the upstream is waited for; `undefined` while the limit is on the whole wait. */
  #since: number | undefined;
  #late: ApiError | undefined;
  #reached = false;

  /** Fires `limit` milliseconds from now, or together with `outer`. */
  constructor(clock: Clock, outer: AbortSignal, limit: number) {
    this.#clock = clock;
    this.#start(limit);
    this.#release = onAbort(outer, () => this.close());
  }

  /** From the next {@linkcode listen} on allows `idle` milliseconds of silence at a time. */
  extend(idle: number): void {
    if (this.signal.aborted) return;
    this.#since = Infinity;
    this.#start(idle);
  }

  /** Notes that the upstream has begun to answer, and is waited for from now on. */
  listen(): void {
    this.#reached = true;
    // The timer looks at this when it fires: a new timer for each read would cost more than the read.
    if (this.#since !== undefined) this.#since = this.#clock.now();
  }

  /** Notes that the upstream has been heard of, and is not waited for: a client that reads slowly is not its fault. */
  heard(): void {
    if (this.#since !== undefined) this.#since = Infinity;
  }

  /** Lets go of the timer and of the attempt, whether finished or not. */
  close(): void {
    this.#cancel();
    this.#release();
    this.#controller.abort(OVER);
  }

  /** What an error was really about: runtimes differ in what they throw when a signal fires. */
  explain(thrown: unknown): ApiError {
    if (this.#late) return this.#late;
    if (thrown instanceof BadAnswer) return new UpstreamFault(thrown.kind, thrown.message);
    if (thrown instanceof ApiError) return thrown;
    const [kind, what] = this.#reached
      ? ["cut", "The upstream broke off"] as const
      : ["gateway", "Cannot reach the upstream"] as const;
    return new UpstreamFault(kind, `${what}: ${toCallFailure(thrown)}`, {}, {
      type: "api_error",
      status: 502,
      cause: thrown,
    });
  }

  #start(limit: number, wait: number = limit): void {
    this.#cancel();
    this.#cancel = this.#clock.after(wait, () => {
      const left = (this.#since ?? -Infinity) + limit - this.#clock.now();
      if (left > 0) return this.#start(limit, Math.min(left, limit));
      this.#late = new UpstreamFault("timeout", `The upstream was silent for ${Math.round(limit / 1000)} seconds`);
      this.close();
    });
  }
}
// lib/upstream/shared_places.ts -------------------------------------------------------------
/** Milliseconds a running request keeps its place after its process was killed, and after which a living one renews it. */
const LEASE = 15_000;
const RENEWAL = 5_000;
/** So many processes may block an account at once. */
const MOST_BLOCKS = 1_000_000;

/** What came of asking for a place: how long to wait, 0 if it was given, and how many more requests may start now. */
type SharedPlace = {
  wait: number;
  left: number;
  /** Gives the place back; a request that `never` started does not count either. */
  leave: (never?: boolean) => void;
};

/** The place of whoever has only the limits of its own process. */
const UNSHARED: SharedPlace = { wait: 0, left: Infinity, leave: () => {} };

/** The places of an account that processes share; each is on its own where the store fails. */
class SharedPlaces {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #limits: RateLimits;
  readonly #account: string;

  /** @param account Address and key. */
  constructor(store: Store, clock: Clock, account: string, limits: RateLimits) {
    this.#store = store;
    this.#clock = clock;
    this.#limits = limits;
    this.#account = toDigest(account, 11); // Its 53 bits tell accounts apart, and are far too few to tell a key.
  }

  /** Takes the place of one request, where no more than `limit` may start in the window; asks the store once. */
  async take(limit: number): Promise<SharedPlace> {
    try {
      const [store, id, windows] = [this.#store, randomId(""), this.#toWindows(limit)];
      const limited = windows.filter(({ limit }) => limit < Infinity);
      const { wait, left } = await store.take(id, limited);
      const [rate, run] = windows;
      const stop = wait === 0 && limited.includes(run) ? this.#renew(id, run) : () => {};
      const leave = (never = false) => {
        stop();
        const ended = limited.filter((window) => window === run || (never && window === rate));
        for (const { key } of ended) store.free(id, key).catch(() => {});
      };
      return { wait, left: limit < Infinity ? left : Infinity, leave };
    } catch {
      return UNSHARED;
    }
  }

  /** Keeps everybody out for some milliseconds. */
  async block(ms: number): Promise<void> {
    try {
      const [, , block] = this.#toWindows(0);
      await this.#store.take(randomId(""), [{ ...block, limit: MOST_BLOCKS, ms }]);
    } catch {
      // The others will find out by themselves.
    }
  }

  /** What starts, what runs, and who blocks: a request has no place among the last, and only looks for one. */
  #toWindows(limit: number): [rate: SlidingWindow, run: SlidingWindow, block: SlidingWindow] {
    const { window, concurrency } = this.#limits;
    return [
      { key: `rate ${this.#account}`, limit, ms: window },
      { key: `run ${this.#account}`, limit: concurrency || Infinity, ms: LEASE },
      { key: `block ${this.#account}`, limit: 1, ms: 0 },
    ];
  }

  /** Keeps a place until what is returned is called. */
  #renew(id: string, run: SlidingWindow): () => void {
    let [over, cancel] = [false, () => {}];
    const wait = () => {
      cancel = this.#clock.after(RENEWAL, () => {
        if (over) return; // In a Worker no request can call off another's timer.
        this.#store.take(id, [run]).catch(() => {});
        wait();
      });
    };
    wait();
    return () => {
      over = true;
      cancel();
    };
  }
}
// lib/upstream/rate_window.ts ---------------------------------------------------------------
/** The longest pause, in milliseconds, until other processes are looked at again: they may give places back at any time. */
const POLL_PAUSE = 250;

type Leave = SharedPlace["leave"];
/** Those of one priority who wait, first come first served: what lets each in. */
type Line = Set<(leave: Leave) => void>;

/**
 * Admits requests to one upstream account.
 *
 * The window slides: in no interval of its length, the end not included, do more requests start than the limit says.
 * Where the upstream says 429 earlier, the limit drops to what it took, and grows by one for each full window since.
 * Whoever may enter takes one of the places that processes share, too, if there are such.
 */
class RateWindow {
  readonly #limits: RateLimits;
  readonly #clock: Clock;
  /** Most urgent first. */
  readonly #lines: Record<Priority, Line> = { main: new Set(), subagent: new Set(), background: new Set() };
  /** When the latest starts leave the window, the n-th at n modulo the full limit. */
  readonly #leaves: number[] = [];
  /** How many requests have started, where there is a limit to that. */
  #started = 0;
  /** How many requests have entered and not given their place back. */
  #entered = 0;
  /** When the last block ends, or ended. */
  #blockedUntil = 0;
  /** What the last block left of the limit, and what it has grown by since. */
  #limit: number;
  /** When it grows next; `Infinity` while it is full. */
  #growsAt = Infinity;
  #cancel = () => {};
  readonly #places: SharedPlaces | undefined;
  /** How many shared places are being asked for, how many may be at once, and until when it makes no sense to ask. */
  #asking = 0;
  #atOnce = Infinity;
  #refusedUntil = 0;
  /** How many more shared places there were when last asked, and until when some of those taken last. */
  #seen = { left: Infinity, until: 0 };

  /** @param places Those that processes share. */
  constructor(limits: RateLimits, clock: Clock, places?: SharedPlaces) {
    this.#limit = (limits.window && limits.limit) || Infinity;
    this.#limits = { ...limits, limit: this.#limit, concurrency: limits.concurrency || Infinity };
    this.#clock = clock;
    this.#places = places;
  }

  /** How many requests may start now. */
  get left(): number {
    const now = this.#grow();
    if (this.blocked) return 0;
    const left = this.#limit - this.#leaves.filter((time) => time > now).length;
    return now < this.#seen.until ? Math.min(left, this.#seen.left) : left;
  }

  /** Whether the upstream has said 429, and is left alone. */
  get blocked(): boolean {
    return this.#clock.now() < this.#blockedUntil;
  }

  /** Milliseconds until a request may start, whoever queues for that; 0 when one may start now. */
  get wait(): number {
    const now = this.#grow();
    const { limit } = this.#limits;
    const free = this.#leaves[(this.#started + this.#asking + limit - this.#limit) % limit] ?? 0;
    return Math.max(now, this.#blockedUntil, this.#refusedUntil, Math.min(free, this.#growsAt)) - now;
  }

  /**
   * Waits for a place, the highest priority first, then first come first served.
   *
   * Rejects with the signal's reason when nobody waits any more, which costs nothing.
   *
   * @returns What gives the place back; calling it again does nothing.
   */
  enter(priority: Priority, signal: AbortSignal): Promise<() => void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const line = this.#lines[priority];
      const call = (leave: Leave) => {
        line.delete(call);
        release();
        resolve(this.#start(leave));
      };
      const release = onAbort(signal, () => {
        line.delete(call);
        reject(signal.reason);
        this.#admit();
      });
      line.add(call);
      this.#admit();
    });
  }

  /** Notes that the upstream said 429: nobody enters for `ms` milliseconds, and the limit adapts. */
  block(ms: number): void {
    const now = this.#grow();
    const { limit, window } = this.#limits;
    // During a block nothing is left: what is refused then had started before, and is no news about the limit.
    if (limit < Infinity) this.#limit = Math.max(1, this.#limit - this.left);
    this.#blockedUntil = Math.max(this.#blockedUntil, now + ms);
    this.#growsAt = this.#limit < limit ? this.#blockedUntil + window : Infinity;
    void this.#places?.block(ms);
  }

  /** Lets the limit grow to what it is now, and gives the time. */
  #grow(): number {
    const now = this.#clock.now();
    const { limit, window } = this.#limits;
    while (this.#growsAt <= now) this.#growsAt = ++this.#limit < limit ? this.#growsAt + window : Infinity;
    return now;
  }

  get #waiting(): number {
    return Object.values(this.#lines).reduce((count, line) => count + line.size, 0);
  }

  /** Lets in whoever may enter; sets a timer, which looks again, where the next one waits for the time only. */
  #admit(): void {
    this.#cancel();
    while (this.#waiting > this.#asking) {
      if (this.#entered + this.#asking >= this.#limits.concurrency) return;
      if (this.#asking >= Math.min(this.#atOnce, this.#limit)) return;
      const wait = this.wait;
      if (wait > 0) { // Timers of more than 31 bits fire at once.
        this.#cancel = this.#clock.after(Math.min(wait, 2 ** 31 - 1), () => this.#admit());
        return;
      }
      if (this.#places) void this.#ask(this.#places);
      else this.#call(() => {});
    }
  }

  /** Asks for a shared place; who is the most urgent when it is given gets it. */
  async #ask(places: SharedPlaces): Promise<void> {
    this.#asking++;
    const { wait, left, leave } = await places.take(this.#limit);
    const now = this.#clock.now();
    this.#asking--;
    this.#atOnce = wait > 0 ? 1 : Math.max(1, left);
    this.#seen = { left, until: now + this.#limits.window };
    if (wait > 0) this.#refusedUntil = now + Math.min(wait, POLL_PAUSE);
    else if (this.#waiting > 0 && now >= this.#blockedUntil) this.#call(leave);
    else leave(true);
    this.#admit();
  }

  /** Calls the first of the most urgent. */
  #call(leave: Leave): void {
    const [call] = Object.values(this.#lines).find((line) => line.size > 0) ?? [];
    call?.(leave);
  }

  #start(leave: Leave): () => void {
    const { limit, window } = this.#limits;
    if (limit < Infinity) this.#leaves[this.#started++ % limit] = this.#clock.now() + window;
    this.#entered++;
    let held = true;
    return () => {
      if (held) {
        this.#entered--;
        leave();
        this.#refusedUntil = 0; // The place may be the one that is waited for.
      }
      held = false;
      this.#admit();
    };
  }
}
// lib/upstream/accounts.ts ------------------------------------------------------------------
/** Two models that are refused within so many milliseconds show that the account is at its limit, not a model. */
const REFUSAL_WINDOW = 10_000;
/** Milliseconds an account is left alone when it is at its limit and nobody has said for how long; at most so many. */
const BLOCK = 5_000;
const MAX_BLOCK = 60_000;

type Account = { window: RateWindow; refused?: { model: string; at: number } };

/** Whether two backends are asked with the same key at the same address. */
function isSameAccount(a: Backend, b: Backend): boolean {
  return a.baseUrl === b.baseUrl && a.apiKey === b.apiKey;
}

/** The rate windows of accounts, and which models they were refused for last. */
class Accounts {
  readonly #accounts = new Map<string, Account>();
  readonly #clock: Clock;
  readonly #store: Store | undefined;

  /** @param store Where other processes with the same accounts see what they take, if it is shared. */
  constructor(clock: Clock, store?: Store) {
    this.#clock = clock;
    this.#store = store?.shared ? store : undefined;
  }

  /** The rate window of a backend's account. */
  windowOf(backend: Backend): RateWindow {
    return this.#of(backend).window;
  }

  /**
   * Waits for a place at a backend's account; gives what gives it back.
   *
   * @throws {ApiError} If none is free within `limit` milliseconds; the signal's reason if that fires first.
   */
  async enter(backend: Backend, priority: Priority, signal: AbortSignal, limit: number): Promise<() => void> {
    const deadline = new Deadline(this.#clock, signal, limit);
    try {
      return await this.windowOf(backend).enter(priority, deadline.signal);
    } catch {
      signal.throwIfAborted();
      const waited = `no call was free within ${Math.round(limit / 1000)} seconds`;
      throw new ApiError("rate_limit_error", `Too many requests wait for '${backend.name}': ${waited}`);
    } finally {
      deadline.close();
    }
  }

  /** Notes that a candidate said 429; blocks the account only where that is not about the model alone. */
  refuse({ backend, model }: Candidate, told: number = BLOCK): void {
    const account = this.#of(backend);
    const { refused } = account;
    const now = this.#clock.now();
    account.refused = { model, at: now };
    const again = refused !== undefined && refused.model !== model && now - refused.at < REFUSAL_WINDOW;
    if (again) account.window.block(Math.min(told, MAX_BLOCK));
  }

  #of({ baseUrl, apiKey = "", limits = NO_LIMITS }: Backend): Account {
    const key = `${baseUrl} ${apiKey} ${Object.values(limits)}`; // A limit that changes begins anew.
    let account = this.#accounts.get(key);
    if (!account) {
      const [store, clock] = [this.#store, this.#clock];
      const places = store && new SharedPlaces(store, clock, `${baseUrl} ${apiKey}`, limits);
      this.#accounts.set(key, account = { window: new RateWindow(limits, clock, places) });
    }
    return account;
  }
}
// lib/upstream/call.ts ----------------------------------------------------------------------
/** What is asked of a host. */
export type CallOptions = {
  method?: "GET" | "POST";
  headers: Readonly<Record<string, string>>;
  body?: string;
  signal: AbortSignal;
};

/** What a host answers; its body comes piece by piece, each of which is good until the next, and nothing at the end. */
export type CallAnswer = {
  status: number;
  headers: Pick<Headers, "get">;
  read(): Promise<Uint8Array | undefined>;
  /** Lets go of what has not been read. */
  cancel(): void;
};

/**
 * Calls a host; where that wants to send the call elsewhere, its answer is that: whoever followed would take the
 * conversation, and some of the headers, to anybody.
 */
export type Call = (url: string, options: CallOptions) => Promise<CallAnswer>;

/** Bytes that are read at once. */
const READ_SIZE = 65_536;

type BodyReader = Pick<CallAnswer, "read" | "cancel">;

const NO_BODY: BodyReader = { read: () => Promise.resolve(undefined), cancel() {} };

/** Deno's own way of reading costs five times as much as this for each chunk that a host sends. */
function toBlockReader(body: ReadableStream<Uint8Array>): BodyReader {
  const reader = body.getReader({ mode: "byob" });
  let buffer = new ArrayBuffer(READ_SIZE);
  return {
    async read() {
      const { value, done } = await reader.read(new Uint8Array(buffer));
      if (value) buffer = value.buffer;
      return done ? undefined : value; // At the end there is an empty one.
    },
    cancel: () => void reader.cancel().catch(() => {}),
  };
}

function toBodyReader(body: ReadableStream<Uint8Array>): BodyReader {
  if ("Deno" in globalThis) {
    try {
      return toBlockReader(body);
    } catch {
      // A stream that a program has made.
    }
  }
  const reader = body.getReader();
  return { read: async () => (await reader.read()).value, cancel: () => void reader.cancel().catch(() => {}) };
}

/** Makes calls with a `fetch`. */
function toCall(fetch: Fetch): Call {
  return async (url, options) => {
    const { status, headers, body } = await fetch(url, { ...options, redirect: "manual" });
    return { status, headers, ...body ? toBodyReader(body) : NO_BODY };
  };
}
// lib/upstream/lessons.ts -------------------------------------------------------------------
/** Smaller limits than these are misread, whatever a fault seems to state. */
const MIN_CONTEXT = 2048;
const MIN_CAP = 256;
/** What a prompt is taken for, times the tokens at which its host stopped counting, where that is more than was thought. */
const UNCOUNTED = 1.2;
const REASONING = "reasoning_content";
/** Fields that a request can do without; what a host refuses beside them is in the messages or the tools. */
const SPARE_FIELDS: readonly string[] = [
  ...["temperature", "top_p", "stop", "stream_options"],
  ...["tool_choice", "parallel_tool_calls", "response_format"],
  ...["chat_template_kwargs", "reasoning_effort", "reasoning", "thinking", REASONING],
  ...["context_management", "output_config", "metadata"],
  "max_tokens", // It has a newer name.
];

/** Tells what a fault teaches about the model that was asked for so many tokens. */
function toLessons({ kind, facts }: UpstreamFault, maxTokens: number): Partial<ModelFacts> {
  const { cap = 0, limit = 0, fields = [] } = facts;
  // Reasoning is refused inside messages, everything else that can be left out at the top.
  const names = fields.map((path) => path.endsWith(REASONING) ? REASONING : path.split(".")[0] ?? "");
  return {
    noTools: kind === "no_tools",
    ...(kind === "gone" ? { goneSince: facts.until ?? 0 } : {}),
    refused: names.filter((name) => SPARE_FIELDS.includes(name)),
    ...(cap >= MIN_CAP && cap < maxTokens ? { maxOutput: cap } : {}),
    ...(limit >= MIN_CONTEXT ? { context: limit } : {}),
  };
}

/** The tokens of a prompt as a fault tells them; vLLM counts no further than to where there is no room any more. */
function toCounted({ facts }: UpstreamFault, maxTokens: number, estimate: number): number {
  const { limit = 0, used = 0 } = facts;
  const stopped = used + maxTokens === limit + 1;
  if (!stopped) return used;
  return used > estimate ? used * UNCOUNTED : 0;
}
// lib/dialects/repetition.ts ----------------------------------------------------------------
/** So many `!` are a broken deployment, alone or after something else: what NaN logits become (vLLM #42426). */
const MAX_MARKS = 100;
const MAX_LATE_MARKS = 500;
/** How much of the end of an answer is looked at, and after how many further characters: data may repeat for long. */
const WINDOW_CHARS = 10_000;
const STEP_CHARS = 2_000;
/** The longest unit whose endless repetition is recognised. */
const MAX_UNIT_CHARS = 24;

/** Recognises an answer that only repeats itself: a run of `!`, or one short text over and over. */
class RepetitionGuard {
  #end = "";
  #chars = 0;
  #unchecked = 0;
  /** How many `!` stand at the end. */
  #marks = 0;

  /** Takes the next piece; tells whether the answer has become nonsense. */
  feed(text: string): boolean {
    let from = text.length;
    while (from > 0 && text.charAt(from - 1) === "!") from--;
    this.#marks = text.length - from + (from === 0 ? this.#marks : 0);
    this.#chars += text.length;
    if (this.#marks >= (this.#marks === this.#chars ? MAX_MARKS : MAX_LATE_MARKS)) return true;
    this.#end += text;
    this.#unchecked += text.length;
    if (this.#unchecked < STEP_CHARS || this.#end.length < WINDOW_CHARS) return false;
    this.#unchecked = 0;
    this.#end = this.#end.slice(-WINDOW_CHARS);
    for (let unit = 1; unit <= MAX_UNIT_CHARS; unit++) {
      // Lines of blanks, dashes and the like are long in honest answers, too.
      const repeated = this.#end.slice(unit) === this.#end.slice(0, -unit);
      if (repeated) return /[^\s\-=_*#.~|+]/.test(this.#end.slice(0, unit));
    }
    return false;
  }
}
// lib/dialects/code_spans.ts ----------------------------------------------------------------
/**
 * Where text stands in Markdown's code: in a fence or a span of how many backticks, whether without a blank since the
 * span began, after how many backticks, and whether only blanks stand before it on its line.
 */
type CodeState = { fence: number; span: number; tight: boolean; ticks: number; lineStart: boolean };

/** The state before any text. */
const NO_CODE: CodeState = { fence: 0, span: 0, tight: false, ticks: 0, lineStart: true };

/**
 * What the backticks read last have opened or closed, before `next`.
 *
 * A fence ends where a line begins or ends, or on the line where it began: then it was none. Elsewhere backticks are code.
 */
function settle(state: CodeState, next = "\n"): CodeState {
  const { fence, span, tight, ticks, lineStart } = state;
  if (ticks === 0) return state;
  const rest = { tight: tight || span === 0, ticks: 0, lineStart: false };
  const ends = ticks >= fence && (lineStart || span > 0 || next === "\n");
  if (fence > 0) return ends ? { fence: 0, span: 0, ...rest } : { ...state, ticks: 0, lineStart: false };
  if (ticks >= 3 && lineStart) return { fence: ticks, span: ticks, ...rest, tight: false };
  return { fence, span: span === 0 ? ticks : span === ticks ? 0 : span, ...rest };
}

/** Whether text that stands here is in a fence: a marker in it is only written about. */
function isFenced(state: CodeState): boolean {
  return settle(state).fence > 0;
}

/** Whether text that stands here is in a span; `tight`: one that has no blank in it, as a stray backtick would have. */
function isSpan(state: CodeState, tight: boolean): boolean {
  const settled = settle(state);
  return settled.span > 0 && (settled.tight || !tight);
}

/** The state after some more text. */
function readCode(state: CodeState, text: string): CodeState {
  const next = { ...state };
  // Most text.
  if (next.ticks === 0 && !text.includes("`") && !text.includes("\n")) {
    next.lineStart &&= text.trim() === "";
    next.tight &&= !text.includes(" ");
    return next;
  }
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === "`") next.ticks++;
    else {
      if (next.ticks > 0) Object.assign(next, settle(next, char));
      // A fence may begin behind the mark of a list.
      if (char === "\n" && next.span >= 3 && next.tight) next.fence ||= next.span;
      if (char === "\n") [next.lineStart, next.span] = [true, 0];
      else if (char !== " " && char !== "\t") next.lineStart = false;
      if (char === " " || char === "\n") next.tight = false;
    }
  }
  return next;
}
// lib/dialects/found_calls.ts ---------------------------------------------------------------
/** A call of a declared tool, with strict JSON for arguments. */
export type FoundCall = { kind: "call"; name: string; arguments: string };

/** The types a value may have whose type nobody declared. */
const UNDECLARED = ["boolean", "null", "number", "object", "array"];

function toValue([key, value, json]: Field, schema: unknown): unknown {
  const types = toTypes(toFieldSchema(schema, key));
  if (json === true) {
    const read = value.trim() === "" ? undefined : parseTolerant(value);
    return read ? read.value : value;
  }
  if (types.length === 0) return json === "undeclared" ? readAs(value, UNDECLARED) : value;
  const nullable = types.includes("null") || !types.includes("string");
  if (nullable && /^(?:null|none|nil)$/i.test(value.trim())) return null;
  return types.includes("string") ? value : readAs(value, types);
}

function toObject(fields: Field[], schema: JsonObject | undefined): JsonObject {
  return coerceFields(Object.fromEntries(fields.map((field) => [field[0], toValue(field, schema)])), schema);
}

/** The only tool whose arguments these can be; for models that copy an opaque id where the name belongs. */
function findByArguments(value: JsonObject, tools: DeclaredTools): string | undefined {
  const keys = Object.keys(value);
  const fitting = [...tools].filter(([, { input_schema: schema = {} }]) => {
    const properties = toProperties(schema);
    const required = Array.isArray(schema.required) ? schema.required : [];
    return keys.every((key) => Object.hasOwn(properties, key)) && required.every((key) => keys.includes(key));
  });
  return fitting.length === 1 && keys.length > 0 ? fitting[0]?.[0] : undefined;
}

/**
 * Makes what a model wrote a call, if its tool is declared and its arguments can be read.
 *
 * A call torn in the middle of a value never counts: hosts hide that an answer was cut.
 *
 * @param whole Whether nothing at all may be missing, not even what closes the call.
 */
function toFoundCall(written: WrittenCall, tools: DeclaredTools, whole: boolean): FoundCall | undefined {
  if (written.torn || (whole && written.cut)) return undefined;
  let name = resolveToolName(written.name, tools);
  const schema = tools.get(name ?? "")?.input_schema;
  if (typeof written.arguments !== "string") {
    if (name === undefined) return undefined;
    return { kind: "call", name, arguments: JSON.stringify(toObject(written.arguments, schema)) };
  }
  const read = readArguments(written.arguments, schema);
  if (!read || read.torn || (whole && read.cut)) return undefined;
  if (name === undefined && /^(?:call_|chatcmpl-|toolu_)/.test(written.name)) name = findByArguments(read.value, tools);
  return name === undefined ? undefined : { kind: "call", name, arguments: JSON.stringify(read.value) };
}
// lib/dialects/scanner.ts -------------------------------------------------------------------
/** How often an answer may look like a call and not be one, before the rest is taken as it stands. */
const MAX_FAILURES = 200;
/** How many characters may have been read again for that: at each failure it can be all there is. */
const MAX_READ_AGAIN = 2_000_000;

/** A beginning of a marker that is dropped where the host's own calls follow; shorter ones, and words, may be text. */
const HALF = /^<.{4}/;

/** So many characters behind a closing tag are waited for to see whether its line ends with it. */
const MAX_BLANKS = 1000;

/** Tokens of a template, which nobody writes but to quote them: a stray backtick before them means nothing. */
const NATIVE = /^(?:<[|｜]|]<])|[|｜]>$/;

/** What a {@linkcode Scanner} finds in an answer. */
export type Found = Piece | FoundCall;

/** Options of {@linkcode Scanner}. */
interface ScannerOptions {
  triggers: TriggerTable;
  tools: DeclaredTools;
  /** What text is where no tag says otherwise. @default {"text"} */
  kind?: Piece["kind"];
  /** Whether the template has opened thinking already. @default {false} */
  startsInThinking?: boolean;
}

/**
 * Tells text, thinking and tool calls apart in an answer that holds them all in one text.
 *
 * Text leaves at once, except for what may be the beginning of a marker. A call counts only if its tool is declared and
 * its arguments can be read; everything else stays text, exactly as it was written, and so does what stands in code
 * spans and fences. Tokens of the template that mean nothing to people are removed.
 */
class Scanner {
  readonly #options: ScannerOptions;
  readonly #reader = new Reader();
  /** What text is at the moment. */
  #kind: Piece["kind"];
  /** Text that has not been told apart yet, and where in Markdown's code it begins. */
  #pending = "";
  #code: CodeState = NO_CODE;
  /** Whether a tag has opened thinking. */
  #opened: boolean;
  /** The grammar that is reading, if one is. */
  #reading: ReturnType<Grammar> | undefined;
  /** What has been found and not been handed over. */
  #found: Found[] = [];
  /** Whether nothing but blanks has come since the beginning or the last block. */
  #atStart = true;
  /** Whether blanks are dropped, because they follow a tag. */
  #trim = false;
  #failures = 0;
  /** How many characters have come. */
  #fed = 0;
  /** Whether the beginning of a call is dropped, because the host sends it itself. */
  #called = false;
  /** Whether a token has ended the turn: whatever follows is noise. */
  #ended = false;

  constructor(options: ScannerOptions) {
    this.#options = options;
    this.#kind = options.startsInThinking ? "thinking" : options.kind ?? "text";
    this.#trim = this.#opened = options.startsInThinking === true;
  }

  /** Takes the next piece of the answer. */
  feed(text: string): Found[] {
    if (this.#ended) return [];
    this.#fed += text.length;
    if (this.#reading) this.#reader.push(text);
    else this.#pending += text;
    return this.#advance(false);
  }

  /**
   * Gives what was held back when the answer ends, or something else follows.
   *
   * @param cut Whether the answer was cut short by its length: a call that is not complete does not count then.
   * @param called Whether calls of the host's own follow: the beginning of one is what its parser has left behind.
   */
  flush(cut = false, called = false): Found[] {
    [this.#reader.ended, this.#called] = [true, called];
    const found = this.#advance(cut);
    [this.#reader.ended, this.#called] = [false, false];
    this.#startAnew();
    return found;
  }

  #advance(cut: boolean): Found[] {
    let more = true;
    while (more) more = this.#reading ? this.#read(this.#reading, cut) : this.#seek();
    const found = this.#found;
    this.#found = [];
    return found;
  }

  /** Hands over text up to the next marker and follows that; tells whether there was one. */
  #seek(): boolean {
    const { triggers, tools } = this.#options;
    const last = this.#reader.ended;
    const free = this.#pending.length - triggers.toHeld(this.#pending);
    if (this.#called && HALF.test(this.#pending.slice(free))) this.#pending = this.#pending.slice(0, free);
    let [code, from] = [this.#code, 0];
    // A marker at the end may still turn out to be the beginning of a longer one.
    let end = last ? this.#pending.length : free;
    const tired = this.#failures > MAX_FAILURES || this.#reader.total > this.#fed + MAX_READ_AGAIN;
    const next = tired ? undefined : triggers.find(this.#pending, (trigger, at) => {
      code = readCode(code, this.#pending.slice(from, at));
      from = at;
      const accepted = this.#accepts(trigger, code, at);
      if (accepted === undefined && !last) end = Math.min(end, at);
      return accepted ?? true;
    });
    const [trigger, at = end] = next && next[1] < end ? next : [];
    this.#emit(at);
    if (!trigger) return false;
    if (trigger.grammar) {
      this.#reader.push(this.#pending);
      this.#pending = "";
      this.#reading = trigger.grammar(this.#reader, tools);
      return true;
    }
    this.#pending = this.#pending.slice(trigger.marker.length);
    if (trigger.mode) {
      // Of a lone tag at the end of a line only the tag goes.
      this.#trim = this.#opened || this.#code.lineStart || !trigger.marker.startsWith("</");
      this.#startAnew(trigger.mode);
      this.#opened = trigger.mode === "thinking";
    } else if (trigger.end) [this.#ended, this.#pending] = [true, ""];
    return true;
  }

  /** Something else begins. */
  #startAnew(kind = this.#options.kind ?? "text"): void {
    [this.#kind, this.#opened, this.#atStart, this.#code] = [kind, false, true, NO_CODE];
  }

  /** Whether a marker means something where it stands; nothing while that is not certain. */
  #accepts(trigger: Trigger, code: CodeState, at: number): boolean | undefined {
    const { marker, mode, start, end } = trigger;
    if (start && !(this.#atStart && this.#pending.slice(0, at).trim() === "")) return false;
    const native = NATIVE.test(marker) && !end;
    const closes = mode === "text";
    // Code that thinking has left open ends with it.
    if (closes && (this.#opened || native)) return !isSpan(code, true);
    if (isFenced(code) || isSpan(code, native)) return false;
    if (!closes || !marker.startsWith("</")) return true;
    // A closing tag without an opening one, which a template may have written, begins or ends a line; in reasoning, where
    // it would show what follows, it does both.
    const [begins, after] = [code.lineStart, this.#pending.slice(at + marker.length)];
    const reasoning = this.#kind === "thinking";
    if (begins !== reasoning) return begins;
    const open = after.length < MAX_BLANKS && after.trim() === "";
    return /^[ \t]*\n/.test(after) || (open ? undefined : false);
  }

  /** Hands over the first `length` characters of what is pending. */
  #emit(length: number): void {
    let text = this.#pending.slice(0, length);
    this.#pending = this.#pending.slice(length);
    this.#code = readCode(this.#code, text);
    if (this.#trim) text = text.trimStart();
    if (text === "") return;
    this.#trim = false;
    if (text.trim() !== "") this.#atStart = false;
    this.#found.push({ kind: this.#kind, text });
  }

  /** Lets the grammar go on; tells whether it has finished. */
  #read(reading: ReturnType<Grammar>, cut: boolean): boolean {
    let next = reading.next();
    for (; !next.done; next = reading.next()) {
      const { value } = next;
      if (value === undefined) return false;
      if (Array.isArray(value)) {
        this.#addCalls(value, cut);
        continue;
      }
      this.#reader.commit();
      if (typeof value === "string") this.#addText(value);
      else {
        this.#atStart = false;
        this.#found.push(value);
      }
    }
    this.#reading = undefined;
    if (next.value) this.#addCalls(next.value, cut);
    const rest = this.#reader.reset();
    this.#pending = this.#called && !next.value ? "" : rest;
    if (next.value) return true;
    // No call: its first character is text, and there may be one in the rest.
    this.#failures++;
    this.#emit(1);
    return true;
  }

  /** Hands over calls that were read; if one of them does not count, what was read is text. */
  #addCalls(written: WrittenCall[], cut: boolean): void {
    const calls = written.map((call) => toFoundCall(call, this.#options.tools, cut));
    const read = this.#reader.commit();
    if (calls.every((call) => call !== undefined)) {
      this.#found.push(...calls);
      if (calls.length > 0) this.#startAnew();
    } else {
      this.#failures++;
      if (!this.#called) this.#addText(read);
    }
  }

  /** Hands over text while a grammar is reading. */
  #addText(text: string): void {
    this.#pending = text;
    this.#emit(text.length);
  }
}
// lib/translate/stop_reason.ts --------------------------------------------------------------
/** Whether an answer was cut short by its length, under any of the names that hosts have for it. */
function isCut(finishReason: string | null | undefined): boolean {
  return /^(?:(?:model_)?length|max_tokens)$/i.test(finishReason ?? "");
}

/**
 * Maps a `finish_reason`.
 *
 * All but those are an ordinary end, also unknown and absent ones: any client can act on it. `tool_calls` too, since
 * whether there are calls is decided by the calls (hosts say `stop` with and `tool_calls` without); and
 * `content_filter`, since `refusal` would make Claude Code blame its own safeguards.
 */
function toStopReason(finishReason: string | null | undefined): StopReason {
  return isCut(finishReason) ? "max_tokens" : "end_turn";
}
// lib/translate/usage.ts --------------------------------------------------------------------
/** No window is wider: more is a number below zero without its sign, or made up. */
const MOST_TOKENS = 10_000_000;

/** A count as a host reports it; 0 for whatever is none. */
function toTokenCount(value: unknown): number {
  return typeof value === "number" && value > 0 && value <= MOST_TOKENS ? Math.round(value) : 0;
}

/**
 * Translates token counts, or estimates them; none is zero, because clients take that for "not counted".
 *
 * Anthropic counts cached input apart, OpenAI as a part of the prompt; thinking is output with both, but a few hosts count
 * it apart.
 */
function toUsage(usage: ChatUsage | undefined, estimate: { input: number; output: number }): Usage {
  const prompt = toTokenCount(usage?.prompt_tokens) || estimate.input;
  const cached = Math.min(prompt, toTokenCount(usage?.prompt_tokens_details?.cached_tokens));
  const written = toTokenCount(usage?.completion_tokens);
  const thought = toTokenCount(usage?.completion_tokens_details?.reasoning_tokens);
  return {
    input_tokens: prompt - cached,
    output_tokens: written + (thought > written ? thought : 0) || estimate.output,
    cache_read_input_tokens: cached,
    cache_creation_input_tokens: 0,
  };
}
// lib/stream/block_sequencer.ts -------------------------------------------------------------
/** The type of the deltas of each kind of block, and the field that holds their text. */
const DELTAS = {
  text: ["text_delta", "text"],
  thinking: ["thinking_delta", "thinking"],
  tool_use: ["input_json_delta", "partial_json"],
} as const;

/** Keeps at most one block open and numbers blocks 0, 1, 2 …, as Anthropic's grammar demands. */
class BlockSequencer {
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
// lib/stream/tool_call.ts -------------------------------------------------------------------
/** One tool call of an answer, put together from whatever pieces the host sends. */
class ToolCall {
  /** The host's index; several calls may share one. */
  readonly index: ToolCallDelta["index"];
  /** The host's id, which never reaches the client. */
  id: ToolCallDelta["id"];
  /** Whether it was found in text, complete. */
  readonly found: boolean;
  /** The call whose arguments it came behind, without a word: the host may have repeated those. */
  readonly follows: ToolCall | undefined;
  readonly #tools: DeclaredTools;
  #name = "";
  #schema: JsonObject | undefined;
  #scanner: JsonScanner;
  /** Everything fed, to recognise hosts that repeat the whole text each time. */
  #fed = "";
  /** The arguments, how much of them was handed out, and what was not. */
  #text = "";
  #taken = 0;
  #pending = "";
  #sorted: string | undefined;

  constructor(tools: DeclaredTools, index?: ToolCallDelta["index"], found = false, follows?: ToolCall) {
    this.#tools = tools;
    this.follows = follows;
    this.index = index;
    this.found = found;
    this.#scanner = this.#createScanner();
    if (follows) this.name = follows.name;
  }

  /** The name: the tool's if one is meant, else what the host wrote. */
  get name(): string {
    return this.#name;
  }

  set name(written: string) {
    this.#name = resolveToolName(written, this.#tools) ?? written;
    this.#schema = this.#tools.get(this.#name)?.input_schema;
  }

  /** What the arguments mean, once all have come, with keys in order; nothing if nobody can read them. */
  get sorted(): string {
    return this.#sorted ??= JSON.stringify(sortKeys(readArguments(this.#text, this.#schema)?.value)) ?? "";
  }

  /** Whether arguments have begun, are not complete and may go on; looking at their text each time would be quadratic. */
  get running(): boolean {
    return this.#scanner.filled && !this.complete && !this.#scanner.failed;
  }

  /** Whether the arguments are a complete JSON value. */
  get complete(): boolean {
    return this.#scanner.complete;
  }

  /** Whether the arguments are absent, or the `{}` some hosts send first. */
  get empty(): boolean {
    return !this.#scanner.filled && /^(?:\{\s*\}|null)?$/.test(this.#text.trim());
  }

  /** Whether the arguments are complete and more than a placeholder. */
  get settled(): boolean {
    return this.complete && (this.found || !this.empty);
  }

  /** Whether the arguments end in the middle of a value, or before one. */
  get half(): boolean {
    return !this.complete && (readArguments(this.#text, this.#schema)?.torn ?? this.#scanner.inString);
  }

  /** Whether `piece` is all of the arguments so far over again, as snapshots and repetitions are. */
  repeats(piece: string): boolean {
    const { length } = this.#fed;
    return (length > 1 || this.#fed === "{") && piece.length >= length && piece.startsWith(this.#fed);
  }

  /** Takes the next piece of the arguments; gives what follows their end: another call's arguments, or junk. */
  feed(piece: string): string {
    const snapshot = this.repeats(piece) && (this.complete || piece.length > this.#fed.length);
    const fresh = snapshot ? piece.slice(this.#fed.length) : piece;
    this.#fed += fresh;
    let rest = this.#scan(fresh);
    while (this.complete && this.empty && /^\s*[{["]/.test(rest)) {
      this.#scanner = this.#createScanner();
      [this.#text, this.#pending] = ["", ""];
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
   * The rest of the arguments when nothing more will come, repaired if they need it.
   *
   * What was `cut` short stays as broken as it is, so that the client does not run half a command; what cannot be read
   * goes on as it is written, wrapped in an object if nothing of it was sent.
   */
  finish(cut: boolean): string {
    const { length, filled, blocked } = this.#scanner;
    if ((cut && !this.complete) || (this.complete && filled && !blocked)) return this.#takeUntil(length);
    const read = readArguments(this.#text, this.#schema);
    const rest = read && continueJson(this.#text.slice(0, this.#taken), read.value);
    if (rest === undefined && this.#taken > 0) {
      throw new BadAnswer("degenerate", "has a call whose arguments cannot be read");
    }
    return rest ?? JSON.stringify(toUnparsed(this.#text));
  }

  #createScanner(): JsonScanner {
    // Before the name is known nobody can tell what a value must be.
    return new JsonScanner((key, type) => this.#name !== "" && mayStay(key, type, this.#schema));
  }

  #scan(piece: string): string {
    const rest = this.#scanner.feed(piece);
    const read = piece.slice(0, piece.length - rest.length);
    this.#text += read;
    this.#pending += read;
    return rest;
  }

  #takeUntil(end: number): string {
    const piece = this.#pending.slice(0, end - this.#taken);
    this.#pending = this.#pending.slice(piece.length);
    this.#taken += piece.length;
    return piece;
  }
}
// lib/stream/tool_call_assembler.ts ---------------------------------------------------------
/** Calls of one answer; each is compared with all others. */
const MOST_CALLS = 1_000;

/** Arguments as text: some hosts send an object, or nothing. */
function toArgumentText(value: unknown): string {
  return typeof value === "string" ? value : value == null ? "" : JSON.stringify(value);
}

/** Whether two whole calls are one: hosts send what their parser found and leave the same call in the text. */
function isSame(one: ToolCall, other: ToolCall): boolean {
  if (one.name !== other.name) return false;
  return one.empty || other.empty || (one.sorted !== "" && one.sorted === other.sorted);
}

/**
 * Puts tool calls together from deltas of every shape hosts send, and passes them on one at a time.
 *
 * Hosts leave out the index or give each call the same one, repeat ids, names or whole arguments, and mix the pieces of
 * parallel calls. The client runs a call as soon as its block is closed, so a block is closed only when its arguments
 * are complete.
 */
class ToolCallAssembler {
  readonly #blocks: BlockSequencer;
  readonly #tools: DeclaredTools;
  readonly #newId: NewId;
  readonly #calls: ToolCall[] = [];
  /** How many calls are closed; the next one is the only one that is sent on. */
  #closed = 0;

  /** @param tools The declared tools under their names upstream. */
  constructor(blocks: BlockSequencer, tools: DeclaredTools, newId: NewId) {
    this.#blocks = blocks;
    this.#tools = tools;
    this.#newId = newId;
  }

  /** How many calls there are. */
  get count(): number {
    return this.#calls.length;
  }

  /** Whether a call is not closed yet. */
  get open(): boolean {
    return this.#closed < this.#calls.length;
  }

  /** Takes the `tool_calls` of one chunk. */
  feed(deltas: readonly ToolCallDelta[]): void {
    for (const delta of deltas) {
      const text = toArgumentText(delta.function?.arguments);
      const call = this.#find(delta, text) ?? this.#push(new ToolCall(this.#tools, delta.index));
      call.id ??= delta.id;
      this.#setName(call, delta.function?.name ?? "");
      let rest = call.feed(text).trimStart();
      while (rest.startsWith("{")) {
        rest = this.#push(new ToolCall(this.#tools, call.index, false, call)).feed(rest).trimStart();
      }
    }
    this.#advance();
  }

  /** Takes a call that was found in text; one without arguments that is still open gets its. */
  add(found: FoundCall): void {
    const twin = this.#calls.slice(this.#closed).find((call) => !call.found && call.empty && call.name === found.name);
    const call = twin ?? this.#push(new ToolCall(this.#tools, undefined, true));
    call.name = found.name;
    call.feed(found.arguments);
    this.#advance();
  }

  /**
   * Takes text that continues the arguments of a call: vLLM leaves a Kimi call after 8,192 characters and sends the
   * rest as text (vLLM #41182). Gives what does not belong to them.
   */
  absorb(text: string): string {
    const call = this.#calls[this.#closed];
    if (!call?.running) return text;
    const rest = call.feed(text);
    this.#advance();
    return rest;
  }

  /** Closes the call that is being sent if it is complete; tells whether another block may follow. */
  settle(): boolean {
    const call = this.#calls[this.#closed];
    if (call?.settled) this.#close(call);
    return !this.open;
  }

  /**
   * Closes all calls; tells whether one of them was cut. That the answer was `cut` short is not always said: vLLM makes
   * `tool_calls` of `length` once a call has begun (vLLM #9053).
   */
  flush(cut: boolean): boolean {
    let broken = false;
    for (const call of this.#calls.slice(this.#closed)) {
      const half = (cut && !call.complete) || call.half;
      broken ||= half;
      if (this.#blocks.open === "tool_use" || !half) this.#close(call, half);
      else this.#calls.splice(this.#closed, 1);
    }
    return broken;
  }

  /** The call that a delta goes on with, if it is none of its own. */
  #find({ id, index, function: called }: ToolCallDelta, text: string): ToolCall | undefined {
    const name = called?.name;
    // Hosts may give each piece an id of its own: one that is not known tells of another call only with a name.
    const byId = index == null && id && (name || this.#calls.some((call) => call.id === id));
    const last = this.#calls.findLast((call) => {
      return !call.found && (byId ? call.id === id : index == null || call.index === index);
    });
    if (!last || !name || last.name === "") return last;
    // One index for several calls: another id, or a name after the arguments were complete.
    if (id && last.id && id !== last.id) return undefined;
    if (!last.complete) return last;
    const repeats = text === "" || last.empty ? name === last.name : last.repeats(text);
    return repeats ? last : undefined;
  }

  #push(call: ToolCall): ToolCall {
    if (this.#calls.push(call) > MOST_CALLS) throw new BadAnswer("degenerate", "has become nothing but tool calls");
    return call;
  }

  /** Names come whole, late, or again with each piece; rarely in pieces. */
  #setName(call: ToolCall, piece: string): void {
    if (piece === "" || this.#tools.has(call.name)) return;
    const longer = call.name + piece;
    call.name = [...this.#tools.keys()].some((name) => name.startsWith(longer)) ? longer : piece;
  }

  /** Sends on what is certain; closes each complete call that another one follows. */
  #advance(): void {
    for (let call = this.#calls[this.#closed]; call; call = this.#calls[this.#closed]) {
      // What was found in text may come as a call as well: then only the whole tells whether it is another one.
      const twins = this.#calls.some(({ found, name }) => found !== call.found && name === call.name);
      const piece = call.name === "" || twins || call.follows ? "" : call.take();
      if (piece !== "") this.#send(call, piece);
      if (call.name === "" || !call.settled || this.#closed === this.#calls.length - 1) return;
      this.#close(call);
    }
  }

  #send(call: ToolCall, piece: string): void {
    const name = this.#tools.get(call.name)?.name ?? call.name;
    if (this.#blocks.open !== "tool_use") {
      this.#blocks.start({ type: "tool_use", id: this.#newId("toolu_"), name, input: {} });
    }
    if (piece !== "") this.#blocks.append("tool_use", piece);
  }

  #close(call: ToolCall, cut = false): void {
    // A call without a name goes on as well: the client tells the model that it is no tool.
    if (call.name === "") call.name = "unnamed";
    const twin = this.#calls.slice(0, this.#closed).some((other) => {
      return (other === call.follows || other.found !== call.found) && isSame(other, call);
    });
    if (!twin) {
      this.#send(call, call.finish(cut));
      this.#blocks.close(cut);
    }
    this.#closed++;
  }
}
// lib/stream/chunk_translator.ts ------------------------------------------------------------
/** Finish reasons of hosts whose answer went wrong; it must not end like a whole one. */
const BROKEN_FINISHES: readonly unknown[] = ["abort", "error", "insufficient_system_resource", "repetition"];
/** How many blanks may be padding; more of them are text. */
const MAX_FILLER_CHARS = 200;
/** What Kimi writes beside calls, or instead of an answer, because histories show it. */
const NO_CONTENT = "(no content)";

/** The event an answer begins with. */
export type MessageStart = MessageStreamEvent & { type: "message_start" };

/** Options of {@linkcode ChunkTranslator}. */
export interface ChunkTranslatorOptions {
  /** The declared tools under their names upstream. @default {new Map()} */
  tools?: DeclaredTools;
  /** The upstream id of the model that answers. @default {""} */
  model?: string;
  /** Its family, which decides what it leaks. @default {that of the id} */
  family?: Family;
  /** The request's `stop_sequences`. @default {[]} */
  stopSequences?: readonly string[];
  /** Estimated input tokens, for hosts that report no usage. @default {0} */
  inputTokens?: number;
  /** Makes ids of tool calls. @default {randomId} */
  newId?: NewId;
}

/** The first event of an answer, which may leave before the upstream has said anything. */
export function toMessageStart(id: string, model: string, inputTokens: number): MessageStart {
  const usage = toUsage(undefined, { input: inputTokens, output: 0 });
  const rest = { content: [], stop_reason: null, stop_sequence: null, usage };
  return { type: "message_start", message: { id, type: "message", role: "assistant", model, ...rest } };
}

/** A text; hosts send anything else where there is none. */
function toPlain(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function toReasoning(delta: ChatDelta): string {
  // Hosts may fill several fields with the same text: only one is read.
  const { reasoning_content, reasoning, reasoning_details: details, content } = delta;
  // Mistral's API has it among the parts of the content.
  const parts = Array.isArray(content) ? content.map((part) => toJoined(part?.thinking)).join("") : "";
  return toPlain(reasoning_content) || toPlain(reasoning) || toJoined(details) || parts;
}

/** A text, or the texts of its parts; of some details of reasoning there is only a summary. */
function toJoined(value: unknown): string {
  return Array.isArray(value) ? value.map((part) => toPlain(part?.text ?? part?.summary)).join("") : toPlain(value);
}

function toContentText({ content, refusal }: ChatDelta): string {
  return toJoined(content) || toPlain(refusal);
}

function toCallDeltas({ tool_calls, function_call }: ChatDelta): ToolCallDelta[] {
  if (Array.isArray(tool_calls)) return tool_calls.filter(isJsonObject);
  return function_call ? [{ function: function_call }] : [];
}

/**
 * Translates the chunks of one answer into the events of Anthropic's stream, `message_start` excepted. A whole
 * completion is a stream of one chunk.
 *
 * Each field of a chunk is read for itself: calls may come with the finish reason, usage with or without choices, and
 * text and reasoning in any mixture.
 */
export class ChunkTranslator {
  readonly #blocks = new BlockSequencer();
  readonly #calls: ToolCallAssembler;
  /** What tells text, thinking and calls apart in each of the two fields that may hold all of them. */
  readonly #scanners: Record<"text" | "thinking", Scanner>;
  /** The field that text came in last. */
  #field: "text" | "thinking" = "text";
  readonly #guard = new RepetitionGuard();
  readonly #family: Family;
  readonly #stopSequences: readonly string[];
  readonly #inputTokens: number;
  /** Text that is sent only if more follows: models pad calls and thinking with it. */
  #filler = "";
  /** Text that came while a call was open; it follows after the call. */
  #late = "";
  #usage: ChatUsage | undefined;
  #outputChars = 0;
  #finishReason: string | undefined;
  #stopSequence: string | null = null;

  /** Makes a translator for one answer. */
  constructor(options: ChunkTranslatorOptions = {}) {
    const { tools = new Map(), model = "", family = toFamily(model), stopSequences = [], newId = randomId } = options;
    this.#family = family;
    const { dialect: triggers, startsInThinking = false } = this.#family;
    this.#calls = new ToolCallAssembler(this.#blocks, tools, newId);
    this.#scanners = {
      text: new Scanner({ triggers, tools, startsInThinking }),
      thinking: new Scanner({ triggers, tools, kind: "thinking" }),
    };
    this.#stopSequences = stopSequences;
    this.#inputTokens = options.inputTokens ?? 0;
  }

  /** Whether the upstream has said that the answer is complete. */
  get finished(): boolean {
    return this.#finishReason !== undefined;
  }

  /** The tokens of the prompt, cached ones too, once the upstream has told them. */
  get promptTokens(): number | undefined {
    return toTokenCount(this.#usage?.prompt_tokens) || undefined;
  }

  /** Takes the chunks of one read; a delta that continues another is merged with it. */
  feed(chunks: Iterable<ChatChunk>): MessageStreamEvent[] {
    for (const chunk of chunks) {
      const { delta, message, finish_reason, stop_reason, matched_stop, usage } = chunk.choices?.[0] ?? {};
      const counts = chunk.usage ?? usage;
      if (counts) this.#usage = { ...this.#usage, ...counts };
      this.#feedDelta(delta ?? message ?? {});
      if (BROKEN_FINISHES.includes(finish_reason)) throw new BadAnswer("cut", `broke off: ${finish_reason}`);
      if (finish_reason && !isCut(this.#finishReason)) this.#finishReason = finish_reason;
      const stop = stop_reason ?? matched_stop;
      if (typeof stop === "string" && this.#stopSequences.includes(stop)) this.#stopSequence = stop;
    }
    return this.#blocks.take();
  }

  /**
   * Ends the answer.
   *
   * @throws {ApiError} `overloaded_error` if there was nothing in it.
   */
  flush(): MessageStreamEvent[] {
    const cut = isCut(this.#finishReason);
    this.#endField(cut);
    const half = this.#calls.flush(cut);
    this.#dropFiller();
    this.#settle();
    this.#blocks.close();
    if (this.#blocks.count === 0 && !cut && this.#stopSequence === null) {
      throw new BadAnswer("empty", "was empty");
    }
    const reason = this.#stopSequence === null ? toStopReason(half ? "length" : this.#finishReason) : "stop_sequence";
    const stop_reason = this.#calls.count > 0 && !half ? "tool_use" : reason;
    const usage = toUsage(this.#usage, { input: this.#inputTokens, output: Math.ceil(this.#outputChars / 4) });
    this.#blocks.push({ type: "message_delta", delta: { stop_reason, stop_sequence: this.#stopSequence }, usage });
    this.#blocks.push({ type: "message_stop" });
    return this.#blocks.take();
  }

  #feedDelta(delta: ChatDelta): void {
    const reasoning = toReasoning(delta);
    if (reasoning !== "") this.#feedField("thinking", reasoning);
    const content = toContentText(delta);
    const text = this.#family.continuesCalls ? this.#calls.absorb(content) : content;
    if (text !== "") this.#feedField("text", text);
    const calls = toCallDeltas(delta);
    if (calls.length === 0) return;
    this.#endField(true, true);
    this.#dropFiller();
    for (const call of calls) this.#outputChars += JSON.stringify(call.function?.arguments ?? "").length;
    this.#calls.feed(calls);
  }

  #feedField(field: "text" | "thinking", text: string): void {
    this.#outputChars += text.length;
    if (this.#guard.feed(text)) throw new BadAnswer("degenerate", "has become nothing but repetition");
    if (field !== this.#field) this.#endField();
    this.#field = field;
    this.#scanners[field].feed(text).forEach((found) => this.#add(found));
  }

  /** Lets go of what the field has held back: something else has come, and what is half a call by then is none. */
  #endField(cut = true, called = false): void {
    this.#scanners[this.#field].flush(cut, called).forEach((found) => this.#add(found));
  }

  #add(found: Found): void {
    if (found.kind === "call") {
      this.#dropFiller();
      this.#calls.add(found);
    } else if (found.kind === "thinking") {
      this.#dropFiller();
      // Thinking in the middle of a call has no place in the grammar; nothing depends on it.
      if (this.#settle()) this.#blocks.append("thinking", found.text);
    } else {
      this.#filler += found.text;
      if (!this.#isFiller()) this.#sendFiller();
    }
  }

  /** Sends what was held back, or keeps it for after the call that is open. */
  #sendFiller(): void {
    this.#late += this.#filler;
    this.#filler = "";
    this.#settle();
  }

  /** Closes the call that is open, if it is complete, and sends what had to wait for that; tells whether none is open. */
  #settle(): boolean {
    if (!this.#calls.settle()) return false;
    if (this.#late !== "") this.#blocks.append("text", this.#late);
    this.#late = "";
    return true;
  }

  /** Whether the text held back may still turn out to be nothing: blanks, Kimi's `(no content)`, a run of `!`. */
  #isFiller(): boolean {
    if ((this.#blocks.open === "text" && !this.#calls.open) || this.#filler.length > MAX_FILLER_CHARS) return false;
    const text = this.#filler.trim();
    return NO_CONTENT.startsWith(text) || (this.#blocks.count === 0 && /^!+$/.test(text));
  }

  /** Blanks and `(no content)` were padding, before a call or thinking or at the end; other text is sent. */
  #dropFiller(): void {
    const text = this.#filler.trim();
    if (text !== "" && text !== NO_CONTENT) this.#sendFiller();
    this.#filler = "";
  }
}
// lib/stream/message.ts ---------------------------------------------------------------------
/** Adds what a delta brings: texts go on, citations come one by one into a list, everything else comes whole. */
function append(block: JsonObject, field: string, piece: unknown): void {
  if (field === "__proto__") return; // Assigned to, it would not become a field.
  const before = block[field];
  if (field === "citation") block.citations = [...Array.isArray(block.citations) ? block.citations : [], piece];
  else block[field] = typeof piece === "string" && typeof before === "string" ? before + piece : piece;
}

/** Folds the events of an answer into the answer as a whole, for clients that do not stream. */
export function toMessage(events: Iterable<MessageStreamEvent>, start: Message): Message {
  const message: Message = { ...start, content: [] };
  let block: JsonObject = {};
  for (const event of events) {
    if (event.type === "content_block_start") {
      block = { ...event.content_block };
      message.content.push(block as ContentBlock);
    } else if (event.type === "content_block_delta") {
      const { type: _, ...fields } = event.delta;
      for (const [field, piece] of Object.entries(fields)) append(block, field, piece);
    } else if (event.type === "content_block_stop") {
      if (block.partial_json) block.input = parseInput(String(block.partial_json));
      delete block.partial_json;
    } else if (event.type === "message_delta") {
      Object.assign(message, event.delta, { usage: { ...message.usage, ...event.usage } });
    }
  }
  return message;
}

/** What is sent of a block in deltas, by field: what the block has of it when it starts, and the deltas of a value. */
const PIECES: Readonly<Record<string, [empty: unknown, toDeltas: (value: unknown) => JsonObject[]]>> = {
  thinking: ["", (thinking) => thinking ? [{ type: "thinking_delta", thinking }] : []],
  signature: ["", (signature) => signature ? [{ type: "signature_delta", signature }] : []],
  text: ["", (text) => text ? [{ type: "text_delta", text }] : []],
  citations: [[], (list) => Array.isArray(list) ? list.map((citation) => ({ type: "citations_delta", citation })) : []],
  input: [{}, (input) => [{ type: "input_json_delta", partial_json: JSON.stringify(input ?? {}) }]],
};

/** A block as it is streamed. */
function toBlockEvents(block: ContentBlock, index: number): MessageStreamEvent[] {
  const split = Object.entries(PIECES).filter(([field]) => field in block);
  const content_block = { ...block, ...Object.fromEntries(split.map(([field, [empty]]) => [field, empty])) };
  const deltas = split.flatMap(([field, [, toDeltas]]) => toDeltas((block as JsonObject)[field])) as BlockDelta[];
  return [
    { type: "content_block_start", index, content_block },
    ...deltas.map((delta) => ({ type: "content_block_delta", index, delta }) as const),
    { type: "content_block_stop", index },
  ];
}

/** Unfolds a whole answer into its events: clients take no part of a block but from deltas. */
function toMessageEvents(message: Message): MessageStreamEvent[] {
  const { content, stop_reason, stop_sequence, usage } = message;
  const blocks = Array.isArray(content) ? content.filter(isJsonObject) as ContentBlock[] : [];
  return [
    { type: "message_start", message: { ...message, content: [] } },
    ...blocks.flatMap(toBlockEvents),
    { type: "message_delta", delta: { stop_reason, stop_sequence }, usage },
    { type: "message_stop" },
  ];
}
// lib/stream/merge_chunks.ts ----------------------------------------------------------------
/** Where the text of a chunk begins, up to its opening quote. */
const TEXT_FIELD = /"(content|reasoning_content|reasoning)": ?"/;
/** What else adds to an answer: of two chunks with the same of that both count. */
const MORE = /"(?:content|reasoning\w*|thinking|refusal|tool_calls|function_call)": ?(?!null\b|\[\]|"")/;
/** What may stand between the quotes of a JSON string. */
const IN_QUOTES = /[^"\\]*(?:\\.[^"\\]*)*/y;

const UNSPLIT = { head: "", text: "", tail: "" };

/** Where the literal ends that begins in a text at `from`. */
function toLiteralEnd(text: string, from: number): number {
  IN_QUOTES.lastIndex = from;
  return IN_QUOTES.test(text) ? IN_QUOTES.lastIndex : from;
}

/** Whether a text stands between `head` and `tail`; `startsWith` takes V8 four times as long. */
function isBetween(head: string, tail: string, text: string): boolean {
  return text.length >= head.length + tail.length && text.slice(0, head.length) === head &&
    text.slice(text.length - tail.length) === tail;
}

/**
 * What stands before and behind the text of a chunk, the text as it is written, and its field; nothing without, nor where
 * more than that text adds to the answer.
 */
function splitChunk(chunk: string): { head: string; text: string; tail: string; field: string } | undefined {
  const found = TEXT_FIELD.exec(chunk);
  if (!found) return undefined;
  const [opening, field = ""] = found;
  const from = found.index + opening.length;
  const end = toLiteralEnd(chunk, from);
  if (end === chunk.length || MORE.test(chunk.slice(0, found.index)) || MORE.test(chunk.slice(end))) return undefined;
  return { head: chunk.slice(0, from), text: chunk.slice(from, end), tail: chunk.slice(end), field };
}

/**
 * Makes one chunk of those that follow each other and differ in their text only, before any is parsed: what came in one
 * read leaves as one event, and a burst costs a parse a read.
 *
 * Nothing has to be known of a chunk for that: between the same beginning and the same end, two literals in a row are the
 * text of both.
 */
function mergeChunks(data: readonly string[]): readonly string[] {
  if (data.length < 2) return data;
  const merged: string[] = [];
  let { head, text: texts, tail } = UNSPLIT;
  for (const chunk of data) {
    if (head !== "" && isBetween(head, tail, chunk)) {
      const text = chunk.slice(head.length, -tail.length);
      if (!/["\\]/.test(text) || toLiteralEnd(text, 0) === text.length) {
        texts += text;
        continue;
      }
    }
    if (head !== "") merged.push(head + texts + tail);
    const split = splitChunk(chunk);
    if (!split) merged.push(chunk);
    ({ head, text: texts, tail } = split ?? UNSPLIT);
  }
  if (head !== "") merged.push(head + texts + tail);
  return merged;
}
// lib/stream/chunk_template.ts --------------------------------------------------------------
/** Stands for the text of a chunk, to see where it comes out. */
const MARK = "@";
/** So often is learned from an answer; a host that changes something in each chunk has no template. */
const MOST_LESSONS = 3;
/** What makes a literal other than the text it stands for, or none. */
const NOT_PLAIN = /["\\\p{Cc}]/u;

/** Reads the chunks of one answer; of those that differ in their text only, just one is parsed. */
class ChunkTemplate {
  #head = "";
  #tail = "";
  #setText: (text: string) => unknown = () => undefined;
  #lessons = 0;

  /** Parses a chunk, which is good until the next one; nothing if it is no JSON. */
  parse(data: string): unknown {
    const [head, tail] = [this.#head, this.#tail];
    if (head !== "" && isBetween(head, tail, data)) {
      const text = data.slice(head.length, data.length - tail.length);
      if (!NOT_PLAIN.test(text)) return this.#setText(text);
    } else if (this.#lessons < MOST_LESSONS) this.#learn(data);
    return parseJson(data);
  }

  #learn(data: string): void {
    const { head, tail, field } = splitChunk(data) ?? {};
    if (!head || !tail || !field) return;
    this.#lessons++;
    const chunk = parseJson(head + MARK + tail);
    const [choice] = isJsonObject(chunk) && Array.isArray(chunk.choices) ? chunk.choices : [];
    const { delta } = isJsonObject(choice) ? choice : {};
    if (!isJsonObject(delta) || delta[field] !== MARK) return;
    [this.#head, this.#tail] = [head, tail];
    this.#setText = (text) => {
      delta[field] = text;
      return chunk;
    };
  }
}
// lib/upstream/answer_reader.ts -------------------------------------------------------------
/** Reads the answer of a host, in whatever format it comes. */
interface AnswerReader {
  /** Whether the host has said that the answer is complete. */
  readonly finished: boolean;
  /** Whether nothing of the answer can follow. */
  readonly ended: boolean;
  /** The tokens of the prompt, cached ones too, once the host has told them. */
  readonly promptTokens: number | undefined;
  /** Takes the data of the server-sent events of one read. */
  feed(data: readonly string[]): MessageStreamEvent[];
  /** Ends the answer. */
  flush(): MessageStreamEvent[];
}

/** Makes the fault of an answer that has come, but as something else than an answer. */
function toUnreadable(why: string, cause?: unknown): UpstreamFault {
  return new UpstreamFault("broken", `Cannot read the upstream's answer: ${why}`, {}, { cause });
}

/** Does a step of reading; that something has another type than it should is not looked for field by field. */
function readAnswer(step: () => MessageStreamEvent[]): MessageStreamEvent[] {
  try {
    return step();
  } catch (cause) {
    if (cause instanceof ApiError) throw cause;
    throw toUnreadable("it has an unknown form", cause);
  }
}

/** Reads one chunk; errors come as `error`, in SGLang's form, in NVIDIA's, or with a `code` where others have choices. */
function toChunk(data: string, chunk: unknown, candidate: Candidate): ChatChunk {
  if (!isJsonObject(chunk)) throw toUnreadable("it is not JSON");
  const { error, object, status, choices } = chunk;
  const code = Number(isJsonObject(error) ? error.code : chunk.code ?? status);
  if (!error && object !== "error" && (choices || !(code >= 400))) return chunk;
  throw toUpstreamFault(code >= 400 ? code : 500, data, candidate);
}

/** Reads the chunks of a chat completion; `[DONE]` ends them. */
class ChatReader implements AnswerReader {
  readonly #translator: ChunkTranslator;
  readonly #candidate: Candidate;
  readonly #template = new ChunkTemplate();
  ended = false;

  /** Reads for a translator what a candidate answers. */
  constructor(translator: ChunkTranslator, candidate: Candidate) {
    this.#translator = translator;
    this.#candidate = candidate;
  }

  get finished(): boolean {
    return this.#translator.finished;
  }

  get promptTokens(): number | undefined {
    return this.#translator.promptTokens;
  }

  feed(data: readonly string[]): MessageStreamEvent[] {
    const end = data.indexOf("[DONE]");
    this.ended = end >= 0;
    const chunks = mergeChunks(end < 0 ? data : data.slice(0, end));
    return this.#translator.feed(this.#toChunks(chunks));
  }

  flush(): MessageStreamEvent[] {
    return this.#translator.flush();
  }

  /** One by one: each is good until the next. */
  *#toChunks(data: readonly string[]): Generator<ChatChunk> {
    for (const text of data) yield toChunk(text, this.#template.parse(text), this.#candidate);
  }
}
// lib/upstream/message_reader.ts ------------------------------------------------------------
/** Why an answer may end before it has begun: there is something to tell the client all the same. */
const WORDLESS = ["refusal", "max_tokens", "pause_turn", "stop_sequence", "model_context_window_exceeded"];

/** What the deltas that bring text call it. */
const TEXTS: ReadonlyMap<string, string> = new Map([
  ["text_delta", "text"],
  ["thinking_delta", "thinking"],
  ["signature_delta", "signature"],
  ["input_json_delta", "partial_json"],
]);

type BlockEvent = MessageStreamEvent & { index: number };

/** Reads one event, or all those of an answer that came whole; `[DONE]`, which some hosts end with, says nothing. */
function toPassedEvents(data: string, candidate: Candidate): MessageStreamEvent[] {
  if (data === "[DONE]") return [];
  const event = parseJson(data);
  const { type, error, code } = isJsonObject(event) ? event : {};
  if (type === "message") return toMessageEvents(event as Message);
  if (typeof type === "string" && type !== "error") return [event as MessageStreamEvent];
  // Hosts that say 200 to all have a code instead.
  if (!error && !(Number(code) >= 400)) throw toUnreadable("it is no event");
  const statuses = new Map<unknown, number>(Object.entries(STATUS_BY_ERROR_TYPE));
  const status = statuses.get(isJsonObject(error) ? error.type : "") ?? (Number(code) || 500);
  throw toUpstreamFault(status, data, candidate);
}

/**
 * Passes on the events of a host that speaks Anthropic's format.
 *
 * The client has had a `message_start` already, with an estimate: the counts of the host's own go into `message_delta`.
 */
class MessageReader implements AnswerReader {
  readonly #candidate: Candidate;
  #usage: Partial<Usage> = {};
  readonly #inputTokens: number;
  #outputChars = 0;
  #blocks = 0;
  /** The host's number of the block that is open. */
  #open: number | undefined;
  #reason: string | undefined;
  finished = false;

  /** Reads what a candidate answers; the tokens of the prompt are for hosts that do not count them. */
  constructor(candidate: Candidate, inputTokens = 0) {
    this.#candidate = candidate;
    this.#inputTokens = inputTokens;
  }

  get ended(): boolean {
    return this.finished;
  }

  get promptTokens(): number | undefined {
    const { input_tokens = 0, cache_read_input_tokens = 0, cache_creation_input_tokens = 0 } = this.#usage;
    return input_tokens + cache_read_input_tokens + cache_creation_input_tokens || undefined;
  }

  feed(data: readonly string[]): MessageStreamEvent[] {
    const events: MessageStreamEvent[] = [];
    for (const text of data) {
      if (this.finished) break; // What follows the end is no part of the answer, whatever it is.
      for (const event of toPassedEvents(text, this.#candidate)) events.push(...this.#pass(event));
    }
    return events;
  }

  flush(): MessageStreamEvent[] {
    return [];
  }

  #pass(event: MessageStreamEvent): MessageStreamEvent[] {
    const { type } = event;
    if (type === "message_start") this.#count(event.message?.usage);
    if (type.startsWith("content_block_") && this.#reason === undefined) return this.#passBlock(event as BlockEvent);
    if (type !== "message_delta" && type !== "message_stop") {
      return /^(?!ping$|message_start$|content_block_)\w+$/.test(type) ? [event] : [];
    }
    if (type === "message_stop") this.finished = true;
    else if (isJsonObject(event.delta)) this.#reason ??= event.delta.stop_reason ?? undefined;
    else throw toUnreadable("its end is not told");
    const over = this.finished || this.#reason !== undefined;
    if (over && this.#blocks === 0 && !WORDLESS.includes(this.#reason ?? "")) throw new BadAnswer("empty", "was empty");
    if (this.finished && this.#reason === undefined) throw new BadAnswer("cut", "broke off");
    return [...over ? this.#close() : [], type === "message_delta" ? this.#toDelta(event) : event];
  }

  /** Numbers blocks 0, 1, 2 …, whatever the host does; pieces of one that is not open have no place. */
  #passBlock(event: BlockEvent): MessageStreamEvent[] {
    const { type, index } = event;
    if (type === "content_block_start" && typeof index === "number" && typeof event.content_block.type === "string") {
      const closing = this.#close();
      this.#open = index;
      return [...closing, { ...event, index: this.#blocks++ }];
    }
    if (type === "content_block_stop") return index === this.#open ? this.#close() : [];
    const isOpen = this.#open !== undefined && index === this.#open;
    if (type === "content_block_delta" && isOpen && typeof event.delta.type === "string") {
      const field = TEXTS.get(event.delta.type);
      const text = field === undefined ? "" : (event.delta as JsonObject)[field];
      if (typeof text !== "string") throw toUnreadable("a piece of it has no text");
      this.#outputChars += text.length;
      return [{ ...event, index: this.#blocks - 1 }];
    }
    throw toUnreadable("its blocks are not in order");
  }

  #close(): MessageStreamEvent[] {
    if (this.#open === undefined) return [];
    this.#open = undefined;
    return [{ type: "content_block_stop", index: this.#blocks - 1 }];
  }

  /** Takes over what a host has counted. */
  #count(usage: Partial<Usage> | null | undefined): void {
    const told = Object.entries(usage ?? {}).filter(([, value]) => value != null);
    const counts = told.map(([name, value]) => [name, name.endsWith("_tokens") ? toTokenCount(value) : value]);
    this.#usage = { ...this.#usage, ...Object.fromEntries(counts) };
  }

  /** Puts the tokens that were counted into the event that ends an answer. */
  #toDelta(event: MessageStreamEvent & { type: "message_delta" }): MessageStreamEvent {
    this.#count(event.usage);
    // Clients take zero for "not counted".
    const input_tokens = this.promptTokens ? this.#usage.input_tokens ?? 0 : this.#inputTokens;
    const output_tokens = this.#usage.output_tokens || Math.ceil(this.#outputChars / 4);
    return { ...event, usage: { ...this.#usage, input_tokens, output_tokens } };
  }
}
// lib/upstream/protocol.ts ------------------------------------------------------------------
/** What a reader needs beside the request. */
type ReaderOptions = { candidate: Candidate; inputTokens: number; newId: NewId };

/** How a host is asked in one of the two formats. */
type Protocol = {
  toUrl(baseUrl: string): string;
  toHeaders(backend: Backend, client: Headers | undefined): Record<string, string | null | undefined>;
  createReader(request: MessagesRequest, options: ReaderOptions): AnswerReader;
};

/** The version of Anthropic's API when the client names none. */
const ANTHROPIC_VERSION = "2023-06-01";

/** Both formats. */
const PROTOCOLS: Readonly<Record<NonNullable<Backend["format"]>, Protocol>> = {
  openai: {
    toUrl: (baseUrl) => `${baseUrl}/chat/completions`,
    toHeaders: ({ apiKey }) => ({ authorization: apiKey && `Bearer ${apiKey}` }),
    createReader(request, { candidate, inputTokens, newId }) {
      const { model, traits = toModel(model) } = candidate;
      const { stop_sequences: stopSequences = [] } = request;
      const { family } = traits;
      const tools = toDeclaredTools(request.tool_choice?.type === "none" ? [] : request.tools);
      return new ChatReader(
        new ChunkTranslator({ tools, model, family, stopSequences, inputTokens, newId }),
        candidate,
      );
    },
  },
  anthropic: {
    toUrl: (baseUrl) => `${baseUrl.replace(/\/v1$/, "")}/v1/messages`,
    toHeaders: ({ apiKey }, client) => ({
      // Anthropic takes the one, hosts that offer its format the other or both.
      "x-api-key": apiKey,
      "authorization": apiKey && `Bearer ${apiKey}`,
      "anthropic-version": client?.get("anthropic-version") ?? ANTHROPIC_VERSION,
      "anthropic-beta": client?.get("anthropic-beta"),
    }),
    createReader: (_request, { candidate, inputTokens }) => new MessageReader(candidate, inputTokens),
  },
};

/** The headers of a request to a host; what its configuration says goes before all others, an empty one removes. */
function toUpstreamHeaders(
  backend: Backend,
  { stream, userAgent, client }: { stream: boolean; userAgent: string; client: Headers | undefined },
): Record<string, string> {
  const headers = {
    "content-type": "application/json",
    "accept": stream ? "text/event-stream" : "application/json",
    "user-agent": userAgent,
    ...PROTOCOLS[backend.format ?? "openai"].toHeaders(backend, client),
    ...Object.fromEntries(Object.entries(backend.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value])),
  };
  return Object.fromEntries(Object.entries(headers).filter((entry): entry is [string, string] => Boolean(entry[1])));
}
// lib/upstream/read_limited.ts --------------------------------------------------------------
/** Bytes of an answer, unpacked: chunks of the longest there are take 50 MB. What is longer will never end. */
const MAX_ANSWER_BYTES = 128 * 1024 * 1024;
/** Bytes of one that comes whole. */
const MAX_WHOLE_BYTES = 16 * 1024 * 1024;
/** Bytes that are read of what says why there is no answer. */
const MAX_REFUSAL_BYTES = 1024 * 1024;

/**
 * Reads the text of an answer, behind the piece that has been read, but no more than so many bytes of it: a few packed
 * ones may unpack to any number.
 */
async function readLimited(
  answer: Pick<CallAnswer, "read" | "cancel">,
  most: number,
  first?: Uint8Array,
): Promise<string> {
  const decoder = new TextDecoder();
  let [text, left] = ["", most];
  for (let bytes = first ?? await answer.read(); bytes; bytes = await answer.read()) {
    text += decoder.decode(bytes.subarray(0, left), { stream: true });
    left -= bytes.byteLength;
    if (left > 0) continue;
    answer.cancel();
    break;
  }
  return text + decoder.decode();
}
// lib/upstream/probe.ts ---------------------------------------------------------------------
/** How a model was found: it answers, refuses, is silent, cannot be asked for want of a key, was not asked. */
export type ProbeState = "ok" | "fail" | "timeout" | "unknown" | "skipped";

/** What asking a model came to: after how many milliseconds, why in a few words, and whom to ask instead. */
export type ProbeResult = {
  candidate: Candidate;
  state: ProbeState;
  ms: number;
  reason: string;
  /** The HTTP status of a refusal. */
  status?: number;
  /** A model of the roster that took its place. */
  successor?: string;
  /** When it was asked, in milliseconds since 1970, if that was earlier. */
  at?: number;
};

/** Options of {@linkcode probeModels}. */
export interface ProbeOptions {
  /** Told each result as it comes. */
  onResult?: (result: ProbeResult) => void;
  /** Whether none is asked at all. @default {false} */
  skip?: boolean;
  /** Milliseconds for which an earlier result will do, for all or for each; passing troubles never do. @default {0} */
  maxAge?: number | ((candidate: Candidate) => number);
  /** Milliseconds a model is given. @default {8_000} */
  timeout?: number;
  /** Where results and what models teach are kept. @default {memory} */
  store?: Store;
  /** Fires when nobody waits any more. */
  signal?: AbortSignal;
  /** `fetch` for upstream calls. @default {globalThis.fetch} */
  fetch?: Fetch;
  /** The clock that time limits run on. @default {systemClock} */
  clock?: Clock;
}

/** What results are kept under in a store, before the key of the candidate. */
const PROBE_PREFIX = "probe ";
/** Most models of one account that are asked at once. */
const PROBES_AT_ONCE = 8;
const PROBE = { messages: [{ role: "user", content: "Hi" }], max_tokens: 1, stream: false };

/** Kinds of faults in a few words, where the kind's own name will not do. */
const REASONS: Readonly<Partial<Record<FaultKind, string>>> = {
  bad_key: "wrong key",
  rate_limited: "too many calls",
  pool_full: "overloaded",
  gateway: "overloaded",
  unavailable: "not for your account",
  broken: "broken answer",
  timeout: "no answer in time",
};

/** Lets a quarter of an account's quota go in half of its time: half of the quota is left for work. */
function toGentle({ backend, ...candidate }: Candidate): Candidate {
  const { limit, window, concurrency } = backend.limits ?? NO_LIMITS;
  const most = Math.min(concurrency || PROBES_AT_ONCE, PROBES_AT_ONCE);
  const limits = { limit: limit && Math.ceil(limit / 4), window: window / 2, concurrency: most };
  return { ...candidate, backend: { ...backend, limits } };
}

function toReason(fault: UpstreamFault, { model, traits = toModel(model) }: Candidate): string {
  const { kind, facts: { until }, cause } = fault;
  const date = until === undefined ? traits.gone : new Date(until).toISOString().slice(0, 10);
  if (kind === "gone" && date) return `gone since ${date}`;
  if (cause !== undefined) return "cannot be reached"; // Only what fetch threw has a cause.
  return REASONS[kind] ?? kind.replaceAll("_", " ");
}

function findSuccessor({ model, traits }: Candidate): string | undefined {
  const rows = traits?.successor === undefined ? [] : [{ id: model, successor: traits.successor }];
  return toSuccessors(model, rows).find((id) => !toModel(id).gone);
}

/** A result as a store has kept it, if it is no older than is wanted. */
function toKept(value: unknown, candidate: Candidate, now: number, maxAge: number): ProbeResult | undefined {
  if (!isJsonObject(value) || !(now - Number(value.at) < maxAge)) return undefined;
  const result = value as unknown as ProbeResult;
  return result.state === "ok" || result.state === "fail" ? { ...result, candidate } : undefined;
}

/** Whether a candidate answered when it was last asked, and that is not too long ago. */
async function hasAnswered(
  candidate: Candidate,
  { store, maxAge, now = Date.now() }: { store: Store; maxAge: number; now?: number },
): Promise<boolean> {
  const key = PROBE_PREFIX + toKey(candidate);
  return toKept(await store.get(key), candidate, now, maxAge)?.state === "ok";
}

/**
 * Asks each candidate for one token, as many at a time as their accounts can spare, and tells which of them answer.
 *
 * What they teach is kept as that of other requests is; an account whose key is refused is not asked any further.
 * Rejects only with the reason of its signal.
 */
export async function probeModels(
  candidates: readonly Candidate[],
  {
    onResult = () => {},
    skip = false,
    maxAge = 0,
    timeout = 8_000,
    store = createMemoryStore(),
    signal = new AbortController().signal,
    fetch = patientFetch,
    clock = systemClock,
  }: ProbeOptions = {},
): Promise<ProbeResult[]> {
  const accounts = new Accounts(clock, store);
  const learned = new LearnedFacts(store, clock);
  const refused: ProbeResult[] = [];
  await learned.sync();
  const kept = new Map(await store.list(PROBE_PREFIX).catch(() => []));

  const post = toCall(fetch);
  /** Asks for one token; throws what is wrong. */
  async function call(candidate: Candidate, signal: AbortSignal): Promise<void> {
    const { backend, model, profile } = candidate;
    const body = JSON.stringify({ ...profile?.extraBody, model, ...PROBE });
    const headers = toUpstreamHeaders(backend, { stream: false, userAgent: USER_AGENT, client: undefined });
    const url = PROTOCOLS[backend.format ?? "openai"].toUrl(backend.baseUrl);
    const { status, headers: received, ...answered } = await post(url, { method: "POST", headers, body, signal });
    const text = await readLimited(answered, MAX_REFUSAL_BYTES);
    if (status === 202) throw new UpstreamFault("pool_full", "The upstream has queued the request");
    const answer = parseJson(text);
    const ok = status >= 200 && status < 300;
    if (ok && isJsonObject(answer) && !answer.error) return;
    throw toUpstreamFault(ok ? 500 : status, text, candidate, received, clock.now());
  }

  async function ask(candidate: Candidate): Promise<ProbeResult> {
    const deadline = new Deadline(clock, signal, timeout);
    const began = clock.now();
    const toResult = (state: ProbeState, reason: string) => ({ candidate, state, ms: clock.now() - began, reason });
    try {
      await call(candidate, deadline.signal);
      learned.learnBack(candidate);
      return toResult("ok", "");
    } catch (thrown) {
      signal.throwIfAborted();
      const fault = deadline.explain(thrown);
      if (!(fault instanceof UpstreamFault)) return toResult("fail", fault.message);
      const { kind, status, facts: { retryAfter } } = fault;
      learned.learn(candidate, toLessons(fault, PROBE.max_tokens));
      if (kind === "rate_limited") accounts.refuse(toGentle(candidate), retryAfter);
      const successor = FAULT_KINDS[kind].account ? undefined : findSuccessor(candidate);
      const result = toResult(kind === "timeout" ? "timeout" : "fail", toReason(fault, candidate));
      return { ...result, status, ...(successor === undefined ? {} : { successor }) };
    } finally {
      deadline.close();
    }
  }

  async function probe(candidate: Candidate): Promise<ProbeResult> {
    const { backend } = candidate;
    if (skip) return { candidate, state: "skipped", ms: 0, reason: "" };
    if (backend.lacks) return { candidate, state: "unknown", ms: 0, reason: `no key: set ${backend.lacks}` };
    const key = PROBE_PREFIX + toKey(candidate);
    const age = typeof maxAge === "number" ? maxAge : maxAge(candidate);
    const earlier = toKept(kept.get(key), candidate, clock.now(), age);
    if (earlier) return earlier;
    const leave = await accounts.windowOf(toGentle(candidate).backend).enter("background", signal);
    try {
      const other = refused.find((one) => isSameAccount(one.candidate.backend, backend));
      if (other) return { ...other, candidate, ms: 0 };
      const result = await ask(candidate);
      if (result.status === 401) refused.push(result);
      // Troubles that pass are not worth remembering.
      const lasts = result.state === "ok" || result.status === 404;
      const { candidate: _, ...rest } = result;
      if (lasts || kept.has(key)) {
        await store.set(key, lasts ? { at: clock.now(), ...rest } : undefined).catch(() => {});
      }
      return result;
    } finally {
      leave();
    }
  }

  const results = await Promise.all(candidates.map(async (candidate) => {
    const result = await probe(candidate);
    onResult(result);
    return result;
  }));
  await learned.saved();
  return results;
}
// lib/cli/badges.ts -------------------------------------------------------------------------
/** What is told of a model: how it was found, `pending` while nobody knows, and why in a few words. */
type Availability = { state: ProbeState | "pending"; note: string };

/** The badges of the original Arbiter, and the numbers of their colours in a terminal. */
const BADGES: Readonly<Record<Availability["state"], readonly [text: string, colour: number]>> = {
  ok: ["[OK ]", 32],
  fail: ["[FAIL]", 31],
  timeout: ["[TIME]", 33],
  unknown: ["[????]", 2],
  skipped: ["[SKIP]", 2],
  pending: ["[ .. ]", 2],
};

/** A badge, six columns wide. */
function toBadge(state: Availability["state"], color: boolean): string {
  const [text, colour] = BADGES[state];
  const fill = " ".repeat(6 - text.length);
  return (color ? `\x1b[${colour}m${text}\x1b[0m` : text) + fill;
}

/** Milliseconds for which what was found of a model is believed where it matters less. */
const PROBE_LIFE = 6 * 3_600_000;

/** What a result tells beside its badge: how long an answer took, and when, why there is none, and whom to ask instead. */
function toAvailability({ state, ms, reason, successor, at }: ProbeResult, now = Date.now()): Availability {
  const what = [state === "ok" ? `${ms} ms` : reason, at !== undefined && `${toDuration(now - at)} ago`].filter(Boolean)
    .join(" ");
  return { state, note: [what, successor && `try ${successor}`].filter(Boolean).join(", ") };
}

/** About a model: a mark, the badge, the id in `width` columns, the note, in lines of its own where it does not fit. */
function toModelLines(
  { mark = "", id: known, width, state, note: said }: Availability & { mark?: string; id: string; width: number },
  columns: number,
  color: boolean,
): string[] {
  const [id, note] = [toPrintable(known), toPrintable(said)];
  const indent = " ".repeat(mark.length + 7);
  const room = Math.max(columns - 1 - indent.length, 2);
  // The end of an id says more than its beginning.
  const name = id.length > room ? `…${id.slice(1 - room)}` : id;
  const head = `${mark}${toBadge(state, color)} `;
  if (!note) return [head + name];
  const whole = `${name.padEnd(width)}  ${note}`;
  if (whole.length <= room) return [head + whole];
  return [head + name, ...breakText(note, room).map((line) => indent + line)];
}
// lib/cli/choice.ts -------------------------------------------------------------------------
/** What was chosen in the menu: the model, the ids added to the list and those removed from it. */
type Choice = { model?: string; added: string[]; removed: string[] };

/** Where the choice is kept; nowhere if nobody knows where files of a user belong. */
function toChoicePath(io: Pick<Io, "env" | "platform">): string | undefined {
  return toStatePath(io, "choice.json");
}

/** Reads the choice; a file that is missing or spoilt has none. */
async function readChoice(io: Pick<Io, "env" | "platform">): Promise<Choice> {
  const { readFile } = await import("node:fs/promises");
  const path = toChoicePath(io);
  const found = path ? parseJson(await readFile(path, "utf8").catch(() => "")) : undefined;
  const { model, added, removed } = isJsonObject(found) ? found : {};
  const toIds = (value: unknown) => Array.isArray(value) ? value.filter((id) => typeof id === "string") : [];
  return { ...(typeof model === "string" ? { model } : {}), added: toIds(added), removed: toIds(removed) };
}

/** Adds to a choice what was changed in the menu. */
function toChoice(before: Choice, model: string, { added, removed }: Pick<Choice, "added" | "removed">): Choice {
  const without = (ids: string[], others: string[]) => [...new Set(ids)].filter((id) => !others.includes(id));
  return {
    model,
    added: without([...before.added, ...added], removed),
    removed: without([...before.removed, ...removed], added),
  };
}

/** Keeps a choice; what cannot be done is told, and nothing else happens. */
async function writeChoice(io: Io, choice: Choice, write = replaceFile): Promise<void> {
  const path = toChoicePath(io);
  if (!path) return;
  try {
    await write(path, `${JSON.stringify(choice, null, 2)}\n`);
  } catch (thrown) {
    io.tell(`The choice cannot be kept, and counts for this run only: ${(thrown as Error).message}`);
  }
}
// lib/cli/keep_key.ts -----------------------------------------------------------------------
/** The text of a `.env` with a variable set in it; all other lines stay as they are. */
function setVariable(text: string, name: string, value: string): string {
  const line = `${name}=${/^[\w./+=:~-]*$/.test(value) ? value : `'${value}'`}`;
  const old = new RegExp(`^[ \\t]*(?:export[ \\t]+)?${name}[ \\t]*=.*$`, "m");
  if (old.test(text)) return text.replace(old, () => line);
  return `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${line}\n`;
}

/** Keeps a key in the user's config folder, for their eyes only; what cannot be done is told, and nothing else happens. */
async function keepKey(io: Io, path: string, name: string, key: string, write = replaceFile): Promise<void> {
  try {
    const text = await readTextFile(path).catch((thrown) => {
      if (thrown.code === "ENOENT") return "";
      throw thrown; // What cannot be read must not be replaced.
    });
    await write(path, setVariable(text, name, key));
    io.tell(`Kept in ${path}`);
  } catch (thrown) {
    io.tell(`The key cannot be kept, and counts for this run only: ${(thrown as Error).message}`);
  }
}
// lib/cli/line_state.ts ---------------------------------------------------------------------
/** A key that was pressed, as `node:readline` tells of it; `text` is what it would write. */
type Key = { text?: string | undefined; name?: string | undefined; ctrl?: boolean; meta?: boolean };

/** What a prompt ends with when somebody leaves it. */
const LEFT = null;

/** Whether a key writes something. */
function toTyped({ text = "", ctrl, meta }: Key): string {
  return ctrl || meta || !/^[^\p{C}]+$/u.test(text) ? "" : text;
}

/** A line that is being typed. */
class LineState {
  /** What stands there now. */
  text: string;

  /** Begins with some text. */
  constructor(text = "") {
    this.text = text;
  }

  /** Takes a key; gives the line on Enter, {@linkcode LEFT} on Escape, Ctrl-C and Ctrl-D. */
  feed(key: Key): string | typeof LEFT | undefined {
    const name = key.ctrl ? `ctrl-${key.name}` : key.name ?? "";
    if (["escape", "ctrl-c", "ctrl-d"].includes(name)) return LEFT;
    if (["return", "enter"].includes(name)) return this.text;
    if (name === "backspace" || name === "ctrl-h") this.text = [...this.text].slice(0, -1).join("");
    else if (name === "ctrl-u") this.text = "";
    else this.text += toTyped(key);
    return undefined;
  }
}
// lib/cli/model_id.ts -----------------------------------------------------------------------
/** A page of NVIDIA's catalogue, with or without what comes before its name and after the model's. */
const CATALOGUE_PAGE = /^(?:https?:\/\/)?build\.nvidia\.com\/([\w.-]+\/[\w.-]+)(?:[/?#].*)?$/i;
const MODEL_ID = /^[\w.:@-]+(?:\/[\w.:@-]+)*$/;

/** The model id that somebody means: any id, or the address of its page in NVIDIA's catalogue; nothing if it is neither. */
function toModelId(text: string): string | undefined {
  const words = text.trim();
  // The catalogue cannot have dots in its addresses: llama-3_3-70b-instruct.
  const [, page] = CATALOGUE_PAGE.exec(words) ?? [];
  if (page !== undefined) return page.replace(/(?<=\d)_(?=\d)/g, ".");
  return MODEL_ID.test(words) ? words : undefined;
}
// lib/cli/menu.ts ---------------------------------------------------------------------------
/** A model to choose, and what is known of it. */
type MenuRow = Availability & { id: string };

/** Lines of the list, at most, and those beside it: together they fit into a terminal of 24. */
const LIST_LINES = 19, FRAME_LINES = 4;
const QUESTION = "Which model shall Claude Code use?";
const CUSTOM = "Custom: any id or page address";
const MENU_HELP = ["↑ ↓ or number moves, letters filter", "Enter chooses, Del removes, Esc leaves"];
const CUSTOM_HELP = ["Enter adds and chooses it, Esc goes back"];

/** A list of models to choose from, as a machine: keys go in, lines come out. */
class MenuState {
  readonly #rows: MenuRow[];
  readonly #usual: string;
  readonly #filter = new LineState();
  #custom: LineState | undefined;
  #problem = "";
  #number = "";
  #cursor: number;
  /** Ids that were added to the list, and that were removed from it. */
  readonly added: string[] = [];
  readonly removed: string[] = [];

  /** Begins at the model that is used when nobody chooses. */
  constructor(rows: readonly MenuRow[], usual: string) {
    this.#rows = [...rows];
    this.#usual = usual;
    this.#cursor = Math.max(0, rows.findIndex(({ id }) => id === usual));
  }

  /** Notes what is known of a model by now. */
  mark(id: string, finding: Availability): void {
    Object.assign(this.#rows.find((row) => row.id === id) ?? {}, finding);
  }

  /** Takes a key; gives the id that was chosen, or {@linkcode LEFT}. */
  feed(key: Key): string | typeof LEFT | undefined {
    if (key.ctrl && key.name === "c") return LEFT;
    if (this.#custom) return this.#feedCustom(key, this.#custom);
    const rows = this.#found();
    const moves: Record<string, number> = { up: this.#cursor - 1, down: this.#cursor + 1, home: 0, end: rows.length };
    const to = moves[key.name ?? ""];
    const digit = this.#filter.text === "" ? /^\d$/.exec(toTyped(key))?.[0] : undefined;
    this.#number = digit === undefined ? "" : this.#toNumber(digit, rows.length + 1);
    if (to !== undefined) this.#cursor = Math.min(Math.max(to, 0), rows.length);
    else if (digit !== undefined) this.#cursor = this.#number ? Number(this.#number) - 1 : this.#cursor;
    else if (key.name === "delete") this.#remove(rows[this.#cursor]);
    else return this.#feedFilter(key, rows[this.#cursor]);
    return undefined;
  }

  /** The lines to show now, none as wide as the terminal, and no more than it has. */
  render(columns: number, color: boolean, height = 24): string[] {
    const cut = (line: string) => line.slice(0, columns - 1);
    if (this.#custom) {
      const tail = this.#custom.text.slice(-(columns - 5));
      return ["Model id, or build.nvidia.com/…", `> ${tail}_`, this.#problem, ...CUSTOM_HELP].map(cut);
    }
    const { text } = this.#filter;
    const room = Math.max(1, Math.min(LIST_LINES, height - FRAME_LINES));
    const rows = [...this.#toLines(columns, color), [cut(`${this.#toMark(this.#found().length)}${CUSTOM}`)]];
    let first = this.#cursor;
    while (first > 0 && rows.slice(first - 1, this.#cursor + 1).flat().length <= room) first--;
    return [
      ...[QUESTION, text && `Filter: ${text}_`].filter(Boolean).map(cut),
      ...rows.slice(first).flat().slice(0, room),
      ...MENU_HELP.map(cut),
    ];
  }

  /** The whole list, where there can be no menu. */
  list(): string[] {
    return [QUESTION, ...this.#toLines(Infinity, false).flat()];
  }

  /** What an answer to a plain question means: a number of the list, an id or its page, or nothing for the default. */
  pick(answer: string): string | undefined {
    if (answer.trim() === "") return this.#usual;
    const row = this.#rows[Number(answer) - 1];
    return row ? row.id : /^\s*\d+\s*$/.test(answer) ? undefined : this.#add(answer);
  }

  #toLines(columns: number, color: boolean): string[][] {
    const rows = this.#found();
    const width = Math.max(0, ...rows.map(({ id }) => id.length));
    return rows.map(({ id, state, note }, i) => {
      const told = [id === this.#usual ? "default" : "", note].filter(Boolean).join(", ");
      return toModelLines({ mark: this.#toMark(i), id, width, state, note: told }, columns, color);
    });
  }

  #toMark(i: number): string {
    const at = i === this.#cursor ? ">" : " ";
    return `${at} ${String(i + 1).padStart(String(this.#rows.length + 1).length)} `;
  }

  #found(): MenuRow[] {
    const words = this.#filter.text.toLowerCase().split(/\s+/);
    return this.#rows.filter(({ id }) => words.every((word) => id.toLowerCase().includes(word)));
  }

  /** A digit after others makes one number, where the list is as long as that. */
  #toNumber(digit: string, count: number): string {
    return [this.#number + digit, digit].find((number) => Number(number) >= 1 && Number(number) <= count) ?? "";
  }

  #feedFilter(key: Key, row: MenuRow | undefined): string | typeof LEFT | undefined {
    const before = this.#filter.text;
    const end = this.#filter.feed(key);
    if (end === LEFT) return LEFT;
    if (end === undefined) {
      if (this.#filter.text !== before) this.#cursor = 0;
      return undefined;
    }
    if (row) return row.id;
    this.#custom = new LineState(end);
    return undefined;
  }

  #feedCustom(key: Key, line: LineState): string | undefined {
    const end = line.feed(key);
    this.#problem = "";
    if (end === LEFT) this.#custom = undefined;
    if (typeof end !== "string") return undefined;
    const id = this.#add(end);
    if (id === undefined) this.#problem = "That is no model id.";
    return id;
  }

  #add(text: string): string | undefined {
    const id = toModelId(text);
    if (id !== undefined && !this.#rows.some((row) => row.id === id)) this.added.push(id);
    return id;
  }

  #remove(row: MenuRow | undefined): void {
    if (!row) return;
    this.#rows.splice(this.#rows.indexOf(row), 1);
    this.removed.push(row.id);
  }
}
// lib/stand_in/script.ts --------------------------------------------------------------------
/** A tool call of a script; arguments that are no string are sent as JSON text. */
export type ScriptedCall = { name: string; arguments: unknown; id?: string };

/**
 * One step of an answer.
 *
 * - `text`, `reasoning`: a string is sent in pieces of `size` characters (12), a list as it stands
 * - `calls`: tool calls, each whole in a chunk; `deltas`: calls in any shape a host may choose
 * - `chunk`: any object as a chunk, such as `{ error: … }`
 * - `wait`: milliseconds of silence, `Infinity` until the client goes away
 * - `finish`: the finish reason, when it is not what the steps suggest
 * - `stop`: the connection breaks (`cut`) or the stream ends without `[DONE]` (`end`)
 */
export type Step =
  | { text: string | string[]; size?: number }
  | { reasoning: string | string[]; size?: number }
  | { calls: ScriptedCall[] }
  | { deltas: ToolCallDelta[][] }
  | { chunk: unknown }
  | { wait: number }
  | { finish: string }
  | { stop: "cut" | "end" };

/**
 * What the stand-in does with one request: after `delay` milliseconds either a failure with its `status` and `body` (a
 * string is sent as it stands), or the `steps` of an answer. `usage` replaces the counts it makes up; `null` leaves
 * them out.
 */
export type ScriptedAnswer = {
  delay?: number;
  status?: number;
  body?: unknown;
  headers?: Record<string, string>;
  steps?: Step[];
  usage?: ChatUsage | null;
};

/** Decides about a request; `turn` counts the requests for this model. Nothing: the demo model does. */
export type Script = (request: ChatRequest, turn: number) => ScriptedAnswer | undefined;
// lib/stand_in/demo_model.ts ----------------------------------------------------------------
const INTRODUCTION = "I am Arbiter's demo model: a script, not a language model. I can create a file " +
  '("create a file hello.txt with the content "Hi""), edit one ("replace "Hi" with "Hello" in ' +
  'hello.txt"), read one or run a command ("run `ls`"). To talk to real models, get a free key at ' +
  "https://build.nvidia.com, set NVIDIA_API_KEY and start again without --demo.";

const FILE = "[`\"']?([\\w./\\\\:~-]*\\w\\.\\w+)[`\"']?";
const QUOTED = '[`"\'“]([^`"”]+?)[`"\'”]';
const CONTENT = `(?:.*?(?:content|contents|text|containing|saying|with)\\b[^\`"'“]*${QUOTED})?`;

/** What the demo model can do: how it is asked to, and the calls it then makes one after the other. */
type Skill = [asks: RegExp, toCalls: (match: RegExpExecArray, toPath: (name: string) => string) => ScriptedCall[]];

const SKILLS: readonly Skill[] = [
  [
    new RegExp(`\\breplace ${QUOTED} (?:with|by) ${QUOTED} in (?:the file )?${FILE}`, "is"),
    ([, old_string = "", new_string = "", name = ""], toPath) => [
      { name: "Read", arguments: { file_path: toPath(name) } },
      { name: "Edit", arguments: { file_path: toPath(name), old_string, new_string } },
    ],
  ],
  [
    new RegExp(`\\b(?:create|write|make|save|add)\\b.*?${FILE}${CONTENT}`, "is"),
    ([, name = "", content = "Hello from Arbiter's demo model."], toPath) => [
      { name: "Write", arguments: { file_path: toPath(name), content: `${content}\n` } },
    ],
  ],
  [
    /\b(?:run|execute)\b[^`]*`([^`]+)`/is,
    ([, command]) => [{ name: "Bash", arguments: { command, description: "Run the command the user gave" } }],
  ],
  [
    new RegExp(`\\b(?:read|show|open|print)\\b.*?${FILE}`, "is"),
    ([, name = ""], toPath) => [{ name: "Read", arguments: { file_path: toPath(name) } }],
  ],
];

function toPlainText({ content }: ChatMessage): string {
  if (typeof content === "string") return content;
  return content?.map((part) => part.type === "text" ? part.text : "").join("\n") ?? "";
}

/** What the user typed, without what Claude Code put around it. */
function toPrompt(message: ChatMessage): string {
  if (message.role !== "user") return "";
  return toPlainText(message).replace(/<system-reminder>.*?<\/system-reminder>/gs, "").trim();
}

/** What Claude Code wants when it asks for JSON: a title, or whatever other texts the schema names. */
function fillSchema(schema: unknown, prompt: string): string {
  const words = prompt.replace(/<[^>]*>/g, " ").trim().split(/\s+/).slice(0, 5).join(" ");
  return JSON.stringify(Object.fromEntries(Object.keys(toProperties(schema)).map((name) => [name, words || "Demo"])));
}

function toSteps({ messages, tools = [], response_format }: ChatRequest): Step[] {
  const asked = messages.findLastIndex((message) => toPrompt(message) !== "");
  const prompt = messages[asked] ? toPrompt(messages[asked]) : "";
  const format = response_format?.json_schema;
  if (isJsonObject(format)) return [{ text: fillSchema(format.schema, prompt) }];
  const [, folder = "."] = /working directory:?\s*([^\s<]+)/i.exec(messages.map(toPlainText).join("\n")) ?? [];
  const toPath = (name: string) => /^(?:[/~\\]|\w:)/.test(name) ? name : `${folder}/${name}`;
  const results = messages.slice(asked + 1).filter(({ role }) => role === "tool").map(toPlainText);
  const failure = results.find((text) => /^\W*(?:error|<tool_use_error)/i.test(text));
  if (failure) return [{ text: `That did not work. The tool said: ${failure}` }];
  for (const [asks, toCalls] of SKILLS) {
    const match = asks.exec(prompt);
    const calls = match ? toCalls(match, toPath) : [];
    const offered = calls.every(({ name }) => tools.some((tool) => tool.function.name === name));
    if (calls.length === 0 || !offered) continue;
    const call = calls[results.length];
    if (!call) return [{ text: `Done. The last tool said: ${results.at(-1) ?? ""}` }];
    const reasoning = `The user wants something ${call.name} can do.`;
    return [{ reasoning }, { text: `I will use ${call.name}.` }, { calls: [call] }];
  }
  return [{ text: INTRODUCTION }];
}

/**
 * Answers like a very small model: it creates, edits and reads files and runs commands through the client's own tools,
 * and otherwise says what it is.
 */
function answerAsDemoModel(request: ChatRequest): ScriptedAnswer {
  return { steps: toSteps(request) };
}
// lib/stand_in/strictness.ts ----------------------------------------------------------------
/** The fields NVIDIA's hosts accept; all others are refused by name. */
const KNOWN_FIELDS =
  "model messages max_tokens stream stream_options temperature top_p stop seed tools tool_choice parallel_tool_calls " +
  "response_format chat_template_kwargs reasoning_effort thinking";

/** Checks what the chat templates of real hosts insist on. */
function findMisplaced(messages: unknown[]): string | undefined {
  const open: unknown[] = [];
  for (const [i, message] of messages.entries()) {
    if (!isJsonObject(message)) return `messages.${i} is not an object`;
    const { role, content, tool_calls, tool_call_id } = message;
    const calls = Array.isArray(tool_calls) ? tool_calls.filter(isJsonObject) : [];
    if (role === "system" && i > 0) return "System message must be at the beginning.";
    if (role === "tool" && !open.includes(tool_call_id)) return `Unexpected tool message '${tool_call_id}'`;
    if (role !== "tool" && open.length > 0) return `Tool calls without results before messages.${i}`;
    const empty = content === "" || (content == null && calls.length === 0);
    if (empty) return `messages.${i}.content: String should have at least 1 character`;
    if (Array.isArray(content) && role !== "user") return "list content is only supported for user messages";
    if (role === "tool") open.splice(open.indexOf(tool_call_id), 1);
    open.push(...calls.map(({ id }) => id));
  }
  return open.length > 0 ? "Tool calls without results at the end" : undefined;
}

function findBadTool(tools: unknown): string | undefined {
  if (!Array.isArray(tools) || tools.length === 0) return "tools: should have at least 1 item";
  for (const [i, tool] of tools.entries()) {
    const { name, parameters } = tool?.function ?? {};
    if (!/^[\w-]{1,64}$/.test(String(name))) return `tools.${i}.function.name is invalid`;
    if (!isJsonObject(parameters)) return `tools.${i}.function.parameters is missing`;
    const loose = /"additionalProperties":(?:true|false)/.test(JSON.stringify(parameters));
    if (loose) return `tools.${i}: boolean subschemas are not supported`;
  }
  return undefined;
}

/** Why NVIDIA's hosts would refuse a request, in their words; nothing when it is fine. */
function findRefusal(body: Record<string, unknown>): string | undefined {
  const { messages, max_tokens, stream, stream_options, tools } = body;
  const unknown = Object.keys(body).filter((field) => !KNOWN_FIELDS.split(" ").includes(field));
  if (unknown.length > 0) return `Validation: Unsupported parameter(s): ${unknown.map((f) => `\`${f}\``).join(", ")}`;
  if (!Array.isArray(messages) || messages.length === 0) return "messages: Field required";
  if (stream_options && !stream) return "stream_options is only allowed when stream is set";
  if (!(Number(max_tokens) >= 1)) return `max_tokens must be at least 1, got ${max_tokens}`;
  return findMisplaced(messages) ?? (tools === undefined ? undefined : findBadTool(tools));
}
// lib/stand_in/stand_in.ts ------------------------------------------------------------------
/** Id of the model that `--demo` uses. */
const DEMO_MODEL = "arbiter/demo-model";

/**
 * Options of {@linkcode createStandIn}: what each model does (`arbiter/demo-model` alone; one that is not listed does not
 * exist), the key that must be sent (any or none will do), the clock that silences run on (the machine's) and how many
 * of the latest requests are kept (all).
 */
export type StandInOptions = { models?: Record<string, Script>; apiKey?: string; clock?: Clock; keep?: number };

/**
 * A fake of NVIDIA's hosted API: as strict, as talkative and, on request, as broken. It keeps well-formed chat
 * requests and counts the streams that are `open`.
 */
export type StandIn = { fetch: Fetch; requests: ChatRequest[]; readonly open: number };

/** Waits `ms` milliseconds, `Infinity` until the client goes away. */
type Wait = (ms: number) => Promise<void>;

function toPieces(text: string | string[], size = 12): string[] {
  return typeof text === "string" ? text.match(new RegExp(`.{1,${size}}`, "gsu")) ?? [] : text;
}

/** The chunks' contents of a step; `calls` is how many calls came before. */
function toDeltas(step: Step, calls: number): ChatDelta[] {
  if ("text" in step) return toPieces(step.text, step.size).map((content) => ({ content }));
  if ("reasoning" in step) return toPieces(step.reasoning, step.size).map((text) => ({ reasoning_content: text }));
  if ("deltas" in step) return step.deltas.map((tool_calls) => ({ tool_calls }));
  if (!("calls" in step)) return [];
  return step.calls.map(({ name, arguments: args, id = `chatcmpl-tool-${name}` }, i) => {
    const call = { name, arguments: typeof args === "string" ? args : JSON.stringify(args) };
    return { tool_calls: [{ index: calls + i, id, type: "function", function: call }] };
  });
}

/** Plays an answer: its chunks, then the finish reason, the usage and `[DONE]`, unless the stream just ends. */
async function* play(request: ChatRequest, answer: ScriptedAnswer, wait: Wait): AsyncGenerator<ChatChunk | "[DONE]"> {
  const { messages, tools = [], stream, stream_options } = request;
  let [finish, calls, written] = ["", 0, 0];
  for (const step of answer.steps ?? []) {
    const deltas = toDeltas(step, calls);
    calls += deltas.filter(({ tool_calls }) => tool_calls).length;
    const chunks = "chunk" in step ? [step.chunk as ChatChunk] : deltas.map((delta) => ({ choices: [{ delta }] }));
    written += JSON.stringify(chunks).length;
    yield* chunks;
    if ("wait" in step) await wait(step.wait);
    else if ("finish" in step) finish = step.finish;
    else if ("stop" in step && step.stop === "cut") throw new TypeError("terminated");
    else if ("stop" in step) return;
  }
  yield { choices: [{ delta: {}, finish_reason: finish || (calls > 0 ? "tool_calls" : "stop") }] };
  const read = JSON.stringify(messages).length + JSON.stringify(tools).length;
  const counts = { prompt_tokens: Math.ceil(read / 4), completion_tokens: Math.ceil(written / 4) };
  const { usage = counts } = answer;
  if (usage && (!stream || stream_options?.include_usage)) yield { choices: [], usage };
  yield "[DONE]";
}

/** An answer in server-sent events, as NVIDIA's hosts write them. */
async function* toEvents(request: ChatRequest, answer: ScriptedAnswer, wait: Wait): AsyncGenerator<string> {
  const base = { id: "chatcmpl-0", object: "chat.completion.chunk", created: 0, model: request.model };
  for await (const chunk of play(request, answer, wait)) {
    const full = chunk !== "[DONE]" && chunk.choices ? { ...base, ...chunk } : chunk;
    yield `data: ${full === "[DONE]" ? full : JSON.stringify(full)}\n\n`;
  }
}

/** An answer whole: the same chunks put together. */
async function toCompletion(request: ChatRequest, answer: ScriptedAnswer, wait: Wait): Promise<unknown> {
  const message: ChatDelta & { content: string; tool_calls: ToolCallDelta[] } = { content: "", tool_calls: [] };
  const choice: ChatChoice = { message };
  const whole: ChatChunk = { choices: [choice], usage: null };
  for await (const chunk of play(request, answer, wait)) {
    if (chunk === "[DONE]") break;
    if (chunk.error) return chunk;
    const { delta = {}, finish_reason } = chunk.choices?.[0] ?? {};
    message.content += delta?.content ?? "";
    if (delta?.reasoning_content) {
      message.reasoning_content = (message.reasoning_content ?? "") + delta.reasoning_content;
    }
    message.tool_calls.push(...delta?.tool_calls ?? []);
    if (finish_reason) choice.finish_reason = finish_reason;
    if (chunk.usage) whole.usage = chunk.usage;
  }
  return whole;
}

/** Makes a fake upstream; what it does is the same each time. */
export function createStandIn(options: StandInOptions = {}): StandIn {
  const { models = { [DEMO_MODEL]: answerAsDemoModel }, apiKey, clock = systemClock, keep = Infinity } = options;
  const requests: ChatRequest[] = [];
  /** How many requests each model had. */
  const turns = new Map<string, number>();
  let open = 0;

  function choose(body: ChatRequest): ScriptedAnswer {
    const script = Object.hasOwn(models, body.model) ? models[body.model] : undefined;
    const detail = findRefusal(body);
    if (!script) return { status: 404, body: "404 page not found" };
    if (detail) return { status: 400, body: { status: 400, title: "Bad Request", detail } };
    const turn = turns.get(body.model) ?? 0;
    turns.set(body.model, turn + 1);
    requests.push(body);
    if (requests.length > keep) requests.shift();
    return script(body, turn) ?? answerAsDemoModel(body);
  }

  function toStream(events: AsyncGenerator<string>): ReadableStream<Uint8Array> {
    const encoder = new TextEncoder();
    return new ReadableStream({
      async start(controller) {
        open++;
        try {
          for await (const event of events) controller.enqueue(encoder.encode(event));
          controller.close();
        } finally {
          open--;
        }
      },
    });
  }

  async function answerChat(body: ChatRequest, signal: AbortSignal): Promise<Response> {
    const answer = choose(body);
    const { delay = 0, status = 200, headers = {}, body: failure } = answer;
    const wait = (ms: number) => sleep(clock, ms, signal);
    if (delay > 0) await wait(delay);
    if (status >= 400 && typeof failure === "string") return new Response(failure, { status, headers });
    if (status >= 400) return Response.json(failure, { status, headers });
    if (!body.stream) return Response.json(await toCompletion(body, answer, wait));
    const type = { "content-type": "text/event-stream", ...headers };
    return new Response(toStream(toEvents(body, answer, wait)), { headers: type });
  }

  return {
    requests,
    get open() {
      return open;
    },
    async fetch(input, init) {
      const request = input instanceof Request ? new Request(input, init) : new Request(String(input), init);
      const { pathname } = new URL(request.url);
      const data = Object.keys(models).map((id) => ({ id, object: "model", created: 735790403, owned_by: "arbiter" }));
      if (pathname === "/v1/models") return Response.json({ object: "list", data });
      if (pathname !== "/v1/chat/completions") return new Response("404 page not found", { status: 404 });
      if (apiKey && request.headers.get("authorization") !== `Bearer ${apiKey}`) {
        return Response.json({ status: 401, title: "Unauthorized", detail: "Authentication failed" }, { status: 401 });
      }
      // A request made of another loses the signal that a server has put on that one.
      const { signal } = init?.signal ? { signal: init.signal } : input instanceof Request ? input : request;
      return await answerChat(await request.json() as ChatRequest, signal);
    },
  };
}
// lib/routing/task_weights.ts ---------------------------------------------------------------
/** Task, weight and the features that have it, written by bench/train_tasks.ts from labelled prompts. */
const TASK_WEIGHTS = `
none -7 the -5 de defi -3 #70 #any in of use を -2 a 2 me 3 ^ok c i no 4 ^no go ja not pode あ り 继 续 5 ^merc ^好 goed good merc ok plea seco that zo あ_り は_い 好 6 ^ja ^あ ^は so は 응 7 one 8 you 12 #3
ui_complex -8 #3 -7 me -6 #ask -5 is -4 #8 post you 가 에 -3 #code by or que this writ 는 이 -2 o 1 with 2 and chec da sear spec tabl them und イ 3 #70 ^crea aa admi all app auto book butt cont dell look mult port vari и テ 做 画 면 시 예 자 통 4 ^work bast dial filt inte make_a mit news our set stor syst tasa typo whol widg work zapr 作 和 整 色 見 面 기 5 #quote char colo crea dash draw firs flow gest menu page visu サ 管 화 6 comp dark dise info met navi paym reac reth toke ui vali 7 acce audi buil ekra guid komp prev rede step usab wire 组 8 pane 9 scre site wcag 10 desi layo 14 figm
ui_quick -5 list me work -4 #quote app hard repo serv toke こ -3 comm does func here que we what 지 -2 all for of our per read to with い 2 #3 den la le off на 3 ^anim ^buto ^the add add_a drop form head pric simp t the top whil ー 标 튼 4 ^chan ^make bota boto bout der flex gap iets imag it layo orta plac poli scro stic swit tabe teh tele togg two up а る 右 大 放 栏 航 바 아 5 ^add bar bott el fron heig kart klei logo matc mobi navb on padd przy righ shou side tidy use whit 小 钮 격 색 운 크 6 ^poli avat buto card dark foot land modo popu px rech spin tail tool vue карт 中 色 7 ^use ajou anim arro cent deix hove link text タ 8 ikon tsx 9 butt colo css knop 10 moda кноп 11 menu 13 icon
coding -7 ^what -5 ^whic est expl firs fron how me si toda -4 ^is arch butt come desi es full icon km of qual summ top tsx who 全 세 -3 are by figm layo line ou over term was whol y と 有 을 전 -2 #3 cont is は -1 one 1 get 2 #any an die file not on the to with 3 ^use ^writ afte al api bot ci clas clie comm cons cras el fur hand help id je log los make migr orde retr set upda upgr в し ス テ ト 写 单 결 려 4 ^refa ^rewr ^set bash clea corr cron duze env erro exce fail gith hata inst it limi lint logg mens napr node null pr py read rele reno repa rout s3 says serv smal sql synt terr tu unit up use user util when writ_a 加 更 重 돌 제 5 #code ^chec ^defi ^it ^port aggi asyn bran buil cann chan djan func goog here impl java job json logi merg modu quer refa refu requ rewr_it sqli src stag sync trac vali warn 修 动 把 支 登 일 작 6 ^debu deve ekle esli fix impo main ngin pack push pyth reso type 커 7 ^impl crea csv depl enum hook scri test посл 8 #path add bug endp pars 9 run 12 dock
reasoning -7 list -5 clos impo mail stri 文 -4 alte je new tabe 줘 -3 das git les page sear sql 字 -2 fix и -1 um 1 #any of 2 #code ^anal abou die down for jak post な 3 ^a ^expl arqu bu cach co coll db est func leg ne proo test this thre thro uit waar у か こ 지 4 ^was ^what ^whic app arch aws bei denk dit er even expl funz hang hora jaki micr or ou poll por pros read serv sess sse syst te theo tre two was wir は 为 有 还 这 명 왜 유 5 ^does ^find ^is ^por ^weig bij deri dwa find_a gibt grad how irra licz migr mono prob prov ques reas sens sist what wies каки ли мы 什 哪 比 理 移 统 考 計 説 를 6 ^thin anal appr auth crit eval opti our send us we weig yet 7 #ask ^prov ^이 algo desi nede stra tena что 8 ^comp argu b cost n plan поче 9 math 11 why
longcontext -5 port pour -4 #quote 시 -3 a up 로 -2 #3 #8 #any on to 1 me plik 2 #70 ^read resu src 3 ^resu ^summ and base del et give hard l les list over scri sql und whic 整 项 4 #code arch auf chec docu doku dump end expo file func moi ogni sour stel summ ve во и 总 有 结 끝 수 안 읽 파 5 anyw cada clau docs dosy durc log look neve note prze read_the term this где прое 件 体 依 出 目 코 6 acro codi comp depo enti full here pack pagi read serv tout весь 7 alle code each wszy проч 8 kod mono todo whol 全 전 9 butu tutt кодо 10 ever repo 所 11 proj 13 all
fast -7 proj test -6 app back chan pack work -5 buil desi expo func read sche src 了 -4 code del fail hand help here logi logo mach migr mode modu step the ther tu type user и не с 고 -3 #path ^the conf even los no op opti our page so su syst thin 를 -2 #70 add comp de du n serv with 个 서 -1 die 2 ^how as me mean s time と 文 야 3 ^plur dr gz ingl of or rege sign tl to una て 以 字 得 怎 方 이 4 ^trad ^what cels cevi comm day dire dns engl f five fras git good he many poli quic re say sent sino soli tldr um unix was week what は 么 会 何 句 名 是 議 话 違 다 되 열 5 #8 ^is ^rege ^tldr ^tran cafe capi corr defi dife for how http idem ik mona one reun skro tar udp word お 五 快 무 섯 6 #3 boul coma diff iso json kilo om plur syno англ тако 英 몇 영 7 #ask ^list gram ip km shor spel 8 linu name who 11 #quote
`;
// lib/routing/typed_text.ts -----------------------------------------------------------------
/** Characters of each end that are read, with reminders and without: people ask before or after what they paste. */
const [MAX_RAW, MAX_END] = [20_000, 400];
const [OPEN, CLOSE] = ["<system-reminder>", "</system-reminder>"];

/** What Claude Code writes: tags with two words in their names, and sentences. */
const INJECTED = [
  /<\/?command-args>/g,
  /(?<![`"'])<([a-z]+(?:[-_][a-z]+)+)>[^]*?<\/\1>/g,
  /^\s*(?:This session is being con|Caveat: The messages|\[SUGGESTION|CRITICAL: Respond|The user stepped|Tool loaded\.)[^]*/,
  /\[(?:Request interrupted|Image)[^\]]*\]/g,
];

function toEnds(text: string, end = MAX_END): string {
  return text.length > 2 * end ? `${text.slice(0, end)}\n${text.slice(-end)}` : text;
}

/** A reminder that is not closed lasts to the next; one in quotes is the user's. */
function readText(text: string): string {
  const typed = toEnds(text, MAX_RAW).split(OPEN).reduce((before, part) => {
    if (/[`"']$/.test(before.slice(-1))) return before + OPEN + part;
    const end = part.indexOf(CLOSE);
    return end < 0 ? before : before + part.slice(end + CLOSE.length);
  });
  return INJECTED.reduce((rest, pattern) => rest.replace(pattern, " "), toEnds(typed));
}

function readMessage(message?: MessageParam): string {
  const { role, content } = message ?? {};
  const blocks = role !== "user" ? [] : Array.isArray(content) ? content : [{ type: "text", text: content ?? "" }];
  return blocks.map((block) => block?.type === "text" ? readText(`${block.text}`) : "").join("\n");
}

/** The ends of what the user typed, without code, in the last two messages with such text, the latest first; and where. */
function toTypedText(messages: readonly MessageParam[]): [text: string, at: number][] {
  const texts: [string, number][] = [];
  for (let at = messages.length - 1; at >= 0 && texts.length < 2; at--) {
    const text = toEnds(readMessage(messages[at]).trim()).replace(/```[^]*?```/g, "```");
    if (text) texts.push([text, at]);
  }
  return texts;
}
// lib/routing/classify_task.ts --------------------------------------------------------------
/** What is asked for, if words say so, the tier that serves it, and why: ASCII, under 60 characters. */
export type TaskVerdict = { task: Task | undefined; tier: "elite" | "speed"; why: string };

/** What a text shows beside its words: a path or file name, code, something quoted or pasted, a question. */
const SHAPES: Record<string, RegExp> = {
  "#path": /(?:^|[\s"'`(@])[\w.~-]*\/[\w.-]*\w|\w\.[a-z]{1,4}\b(?!\.)/i,
  "#code": /```|\b[a-z]+[A-Z]\w|\w_\w|\w\(\)|<\/?\w+>|=>|\w(?:Error|Exception)\b|[{}]/,
  "#quote": /["“„«「][^"”“»」]{12,}["”“»」]|:\s*\n|: \S+ \S+ \S+/,
  "#ask": /[?？]/,
};
/** Up to so many words a text has a feature of its own. */
const LENGTHS = [3, 8, 25, 70, Infinity];
/** So many letters tell a word from others, whatever its ending and with many a slip. */
const STEM = 4;

/** Words in lower case without accents; of Chinese, Japanese and Korean each character is one. */
function toWords(text: string): string[] {
  const plain = text.toLowerCase().normalize("NFKD").replace(/\p{M}+/gu, "").normalize("NFC");
  return plain.replace(/[\u3040-\u9fff\uac00-\ud7a3]/g, " $& ").split(/[^\p{L}\p{N}]+/u).filter(Boolean);
}

/** What tells the task: stems of the words, of the first alone and with the second, and the shape of the text. */
function toTaskFeatures(words: readonly string[], text: string): string[] {
  const stems = words.map((word) => word.slice(0, STEM));
  const shapes = Object.keys(SHAPES).filter((shape) => SHAPES[shape]!.test(text));
  const length = `#${LENGTHS.find((most) => words.length <= most)}`;
  return [...new Set([...stems, `^${stems[0]}`, stems.slice(0, 2).join("_"), length, "#any", ...shapes])];
}

let weights: Map<string, number[]> | undefined;

/** Weights by feature, the first for no task: in the table a number stands before the features that have it. */
function readWeights(): Map<string, number[]> {
  const read = new Map<string, number[]>();
  for (const line of TASK_WEIGHTS.trim().split("\n")) {
    const [task, ...entries] = line.split(" ");
    let weight = 0;
    for (const entry of entries) {
      if (/^-?\d+$/.test(entry)) weight = Number(entry);
      else if (!read.has(entry)) read.set(entry, new Array(TASKS.length + 1).fill(0));
      if (read.has(entry)) read.get(entry)![TASKS.indexOf(task as Task) + 1] = weight;
    }
  }
  return read;
}

/** The task that most speaks for, and the word that does so most; of two as likely the first. */
type Judgement = { task: Task | undefined; word: string };

function judge(text: string): Judgement {
  const known = weights ??= readWeights();
  const words = toWords(text);
  const rows = toTaskFeatures(words, text).map((feature) => known.get(feature) ?? []);
  const scores = [undefined, ...TASKS].map((_, at) => rows.reduce((sum, row) => sum + (row[at] ?? 0), 0));
  const at = scores.indexOf(Math.max(...scores));
  const toWeight = (stem: string) => known.get(stem)?.[at] ?? 0;
  const counts = words.map((word, i) => toWeight(word.slice(0, STEM)) + (i ? 0 : toWeight(`^${word.slice(0, STEM)}`)));
  const word = words[counts.indexOf(Math.max(...counts))] ?? "";
  return { task: TASKS[at - 1], word };
}

/** What was judged of the last texts: the requests of a turn bring the same again and again. */
const JUDGED = new BoundedMap<string, Judgement>(100);

/**
 * Says what is asked for and which tier serves it: speed only for a small question or text that needs no project, never
 * amid the use of tools or when much thinking is wanted. A message that says nothing has the task of the one before.
 */
export function classifyTask(request: Pick<MessagesRequest, "messages"> & Partial<MessagesRequest>): TaskVerdict {
  const { messages, output_config: output } = request;
  const [[latest, at] = ["", 0], [before] = [""]] = toTypedText(messages);
  const now = JUDGED.recall(latest, judge);
  const { task, word } = now.task ? now : JUDGED.recall(before, judge);
  const busy = messages.slice(at).some((message) =>
    Array.isArray(message?.content) && message.content.some((block) => /^tool_/.test(block?.type))
  );
  const deep = /^(?:max|xhigh)$/.test(output?.effort ?? toEffort(request)) || /\bultrathink\b/i.test(latest);
  const why = task ? `'${word.replace(/[^ -~]/g, "?").slice(0, 20)}' in the user's words` : "nothing recognised";
  return { task, tier: now.task === "fast" && !busy && !deep ? "speed" : "elite", why };
}
// lib/routing/resolve.ts --------------------------------------------------------------------
/**
 * What a name stands for: the model, whether somebody asked for just that one, and in words how it was found. Where
 * nobody did, the task may send the request elsewhere.
 */
type Resolution = { target: Target; tier: "elite" | "speed"; chosen: boolean; why: string };

function isSameTarget(a: Target, b: Target): boolean {
  return a.backend === b.backend && a.model === b.model && a.profile === b.profile && a.thinking === b.thinking;
}

/** A model that was picked from the list, which tells whether it may think, whatever its tier does. */
function findPicked(name: string, { listed }: Catalog): FoundTarget | undefined {
  const { id = "", thinking } = parsePickerId(name) ?? {};
  const picked = listed.get(id);
  if (!picked) return undefined;
  const { thinking: _, ...target } = picked;
  return { target: thinking ? target : { ...target, thinking: false }, why: "picker id" };
}

/**
 * Finds the model for the name a client asked for.
 *
 * Any name is served: Claude Code asks for models of its own (`claude-sonnet-5` to check a command) whatever the user
 * chose, and a 404 would cost a second request and confuse the user. The names of the tiers' models are nobody's choice:
 * Claude Code was started with them.
 */
function resolveModel(asked: string, catalog: Catalog): Resolution {
  const { elite, speed, tiers, listed } = catalog;
  const name = withoutWindow(asked);
  const named = listed.get(name);
  if (named && named !== elite && [speed, tiers.opus, tiers.sonnet].includes(named)) {
    return { target: named, tier: named === speed ? "speed" : "elite", chosen: false, why: "a tier's model" };
  }
  const found = named
    ? { target: named, why: named.profile ? "profile" : "a model that is listed" }
    : findPicked(name, catalog) ?? findRule(asked, catalog);
  if (found && isSameTarget(found.target, elite)) {
    return { target: elite, tier: "elite", chosen: false, why: "the main model" };
  }
  if (found) {
    const tier = isSameTarget(found.target, speed) ? "speed" : "elite";
    return { target: found.target, tier, chosen: true, why: found.why };
  }
  const tier = findTier(asked);
  if (!tier) return { target: elite, tier: "elite", chosen: false, why: "no model of that name" };
  return { target: tiers[tier], tier: tier === "haiku" ? "speed" : "elite", chosen: false, why: `tier ${tier}` };
}
// lib/routing/subagent_tag.ts ---------------------------------------------------------------
/** claude-code-router's way to give a subagent a model: the first thing in its prompt. */
const SUBAGENT_TAG = /^<CCR-SUBAGENT-MODEL>([^<>]*)<\/CCR-SUBAGENT-MODEL>\s*/;

/** Changes content, or each of its text blocks. */
function mapText(content: MessageContent, change: (text: string) => string): MessageContent {
  if (typeof content === "string") return change(content);
  return content.map((block) => block.type === "text" ? { ...block, text: change(block.text) } : block);
}

/**
 * Takes the model from `<CCR-SUBAGENT-MODEL>provider,model</CCR-SUBAGENT-MODEL>`, and the tag from what is sent on.
 *
 * The tag counts where the client writes it: at the very beginning of the system prompt or of one of its blocks, and for
 * a subagent also of a text of its first user message. Quoted anywhere else it is only text.
 *
 * @param subagent Whether the request is a subagent's.
 * @returns The model as it was written, with its provider; the request is not changed, a new one takes its place.
 */
function takeSubagentModel(
  request: MessagesRequest,
  subagent: boolean,
): { model?: string; request: MessagesRequest } {
  const found: string[] = [];
  const strip = (text: string) => text.replace(SUBAGENT_TAG, (_, model: string) => (found.push(model.trim()), ""));
  const { system, messages } = request;
  const first = subagent ? messages.findIndex(({ role }) => role === "user") : -1;
  const taken = {
    ...request,
    ...(system ? { system: mapText(system, strip) } : {}),
    messages: messages.map((message, i) =>
      i === first ? { ...message, content: mapText(message.content, strip) } : message
    ),
  };
  const model = found.find(Boolean);
  return found.length === 0 ? { request } : { ...(model ? { model } : {}), request: taken };
}
// lib/routing/router.ts ---------------------------------------------------------------------
/** Input tokens from which a request counts as a long one (the threshold of claude-code-router). */
const LONG_TOKENS = 60_000;

/** So many names and ways are remembered; clients may ask for any. */
const MOST_KNOWN_NAMES = 200;

/** A request, and what else is known of it. */
export type Asked = { request: MessagesRequest; headers: Headers; inputTokens: (candidate: Candidate) => number };

/** Where a request goes and why; never content, but a few of its words. */
export type RouteTrace = {
  /** The name the client asked for, or that was asked for instead. */
  asked: string;
  /** The model that is asked first, with its host where that is not the default one. */
  model: string;
  /** What the client wants of it. */
  kind: RequestKind;
  task?: Task | undefined;
  tier: "elite" | "speed";
  /** All models, in order of preference. */
  chain: string[];
  /** The reasons, in the order in which they were found. */
  why: string[];
};

/** A request as it is sent on, what it should go to, where it may go (a host may lack its key), and why. */
export type Route = {
  request: MessagesRequest;
  kind: RequestKind;
  wanted: Candidate;
  candidates: Candidate[];
  trace: RouteTrace;
};

/** Finds where requests go. */
export interface Router {
  /** What it knows. */
  readonly catalog: Catalog;
  /** Finds the model for a name, whatever a request with it says. */
  find(name: string): Candidate;
  /** Finds where a request goes: nowhere if no host on the way has a key. */
  route(asked: Asked): Route;
}

/** A model that is named in the token of a request, behind a colon, as with free-claude-code; all else there is secret. */
function toTokenModel(headers: Headers, catalog: Catalog): string | undefined {
  return ["x-api-key", "authorization"]
    .map((name) => /^[^:]+:(.+)$/.exec(headers.get(name) ?? "")?.[1] ?? "")
    .find((name) => name !== "" && (catalog.listed.has(name) || findRule(name, catalog)?.sure || findTier(name)));
}

/** Requests that need little, and that the user does not wait for. */
const BACKGROUND: readonly RequestKind[] = ["title", "suggestion", "web_page", "quota", "file_paths", "command_prefix"];

/** Whether the words of a request are the user's. */
const isUsersTurn = (kind: RequestKind): boolean => kind === "main" || kind === "auxiliary";

/** The weightiest of what else than its name decides about a request, and the model for that. */
function findFact(asked: Asked, kind: RequestKind, verdict: TaskVerdict, found: Resolution, catalog: Catalog) {
  const { request } = asked;
  // Nothing is counted for a task that has no model of its own.
  const tokens = catalog.tasks.longcontext ? asked.inputTokens(toCandidate(found.target, catalog)) : 0;
  const { task, why } = verdict;
  const small = verdict.tier === "speed" ? catalog.speed : undefined;
  const aside = BACKGROUND.includes(kind);
  const isSmall = aside || found.tier === "speed";
  const rows: [applies: boolean, task: RoutedTask | undefined, why: string, usual?: Target | undefined][] = [
    [kind === "safety", "safety", "a check of a command", catalog.steady],
    [isSmall, "background", aside ? `a side request: ${kind}` : "the small tier", catalog.speed],
    [hasBlocks(request, "image"), "image", "there are images"],
    [tokens > LONG_TOKENS, "longcontext", `some ${tokens} tokens`],
    [toEffort(request) === "max", "think", "the effort is max"],
    [isUsersTurn(kind), task, why, small],
  ];
  for (const [applies, task, why, usual] of rows) {
    const target = applies && task ? catalog.tasks[task] ?? usual : undefined;
    if (target) return { target, why: `${task}: ${why}` };
  }
  return undefined;
}

/** Everything a target leads to: its profile's fallbacks, who follows what is gone, the main model, who else steps in. */
function toChain(first: Target, catalog: Catalog): Candidate[] {
  const { elite, fallbacks, backend, options: { models } } = catalog;
  const own = first.profile?.fallbacks?.map((name) => findReference(name, catalog) ?? { backend, model: name }) ?? [];
  // Other hosts have other names for what follows.
  const isKnown = ({ backend, model }: Target) => {
    return backend.name === DEFAULT_BACKEND || models?.some(({ id }) => id === model);
  };
  const toFollowers = (target: Target, gone: boolean): Target[] => {
    if (!isKnown(target) || Boolean(toModel(target.model, models).gone) !== gone) return [];
    return toSuccessors(target.model, models).map((model) => ({ backend: target.backend, model }));
  };
  const targets = [first, ...own, ...toFollowers(first, true)];
  for (const other of [elite, ...fallbacks]) targets.push(other, ...toFollowers(other, true));
  targets.push(...[first, ...own].flatMap((target) => toFollowers(target, false)));
  const chain = new Map<string, Candidate>();
  for (const target of targets) {
    const candidate = toCandidate(first.thinking === false ? { ...target, thinking: false } : target, catalog);
    if (!chain.has(toKey(candidate))) chain.set(toKey(candidate), candidate);
  }
  return [...chain.values()];
}

/**
 * Makes the router of a configuration.
 *
 * @throws {TypeError} If no model is chosen and none is known, or a backend or its address is of no use.
 */
export function createRouter(options: RouterOptions): Router {
  const catalog = createCatalog(options);
  const chains = new BoundedMap<string, Candidate[]>(MOST_KNOWN_NAMES);
  const resolved = new BoundedMap<string, Resolution>(MOST_KNOWN_NAMES);

  // Requests of a session ask for the same names, and go the same way, again and again.
  const resolve = (name: string) =>
    resolved.recall(name.slice(0, LONGEST_NAME + 1), (name) => resolveModel(name, catalog));
  const findChain = (target: Target) =>
    chains.recall(
      `${target.backend.name} ${toLabel(target, catalog)} ${target.thinking}`,
      () => toChain(target, catalog),
    );

  function route(asked: Asked): Route {
    const kind = toRequestKind(asked.headers, asked.request);
    const { request, model: tagged } = takeSubagentModel(asked.request, kind === "subagent");
    const named = toTokenModel(asked.headers, catalog);
    const name = tagged ?? named ?? request.model;
    const found = resolve(name);
    const why = [tagged ? "named in the prompt" : named ? "named in the token" : "", found.why].filter(Boolean);
    let { target, tier } = found;
    const verdict = classifyTask(request);
    const fact = found.chosen ? undefined : findFact({ ...asked, request }, kind, verdict, found, catalog);
    if (fact) {
      target = fact.target;
      tier = target === catalog.speed ? "speed" : "elite";
      why.push(fact.why);
    }
    // A check of a command is answered with a word; thinking would only make it late.
    if (kind === "safety") target = { ...target, thinking: false };
    const all = findChain(target);
    const [wanted = toCandidate(target, catalog)] = all;
    const candidates = all.filter(({ backend }) => !backend.lacks);
    const chain = candidates.map((candidate) => toLabel(candidate, catalog));
    const [model = toLabel(target, catalog)] = chain;
    const closed = new Set(all.map(({ backend }) => backend).filter(({ lacks }) => lacks));
    // The last is told where nobody can be asked: that of the model that was wanted.
    for (const { name, lacks } of [...closed].reverse()) why.push(`no API key for '${name}': set ${lacks}`);
    return {
      // Claude Code gives up on a compaction whose answer is a call instead of a summary.
      request: kind === "compaction" && request.tools?.length ? { ...request, tool_choice: { type: "none" } } : request,
      kind,
      wanted,
      candidates,
      trace: { asked: name, model, kind, task: isUsersTurn(kind) ? verdict.task : undefined, tier, chain, why },
    };
  }

  return { catalog, route, find: (name) => toCandidate(resolve(name).target, catalog) };
}
// lib/routing/list_models.ts ----------------------------------------------------------------
/** A model in a list of models: Anthropic's fields, and OpenAI's. */
type ListedModel = JsonObject & { id: string };

/** Nobody publishes when open models were released. */
const EPOCH = "1970-01-01T00:00:00Z";

function toLimit(tokens: number): number | null {
  return tokens < Infinity ? tokens : null;
}

function toListed(id: string, display_name: string, { backend, traits }: Candidate & { traits: Model }): ListedModel {
  return {
    type: "model",
    id,
    display_name,
    created_at: EPOCH,
    max_input_tokens: toLimit(traits.context),
    max_tokens: toLimit(traits.maxOutput),
    object: "model",
    created: 0,
    owned_by: backend.name,
  };
}

/**
 * Lists models as `GET /v1/models` answers; at a host that lacks its key none could be asked.
 *
 * @param picker Whether ids are made such that Claude Code shows them; then each model that can do without thinking is
 * listed once more, without.
 */
function listModels(catalog: Catalog, picker: boolean): ListedModel[] {
  return [...catalog.listed].filter(([, { backend }]) => !backend.lacks).flatMap(([name, target]) => {
    const candidate = toCandidate(target, catalog);
    if (!picker) return [toListed(name, name, candidate)];
    const { reasoning, family: { alwaysThinks, thinking } } = candidate.traits;
    const canRest = reasoning && !alwaysThinks && (thinking || target.backend.thinkingSwitch);
    const rested = canRest ? [toListed(toPickerId(name, false), `${name} (no thinking)`, candidate)] : [];
    return [toListed(toPickerId(name, true), name, candidate), ...rested];
  });
}

/** Finds what `GET /v1/models/{id}` answers: any name of a model will do that is listed or in the roster. */
function findModel(id: string, catalog: Catalog): ListedModel | undefined {
  const { listed } = catalog;
  const target = listed.get(id) ?? findReference(id, catalog);
  const known = target && (listed.has(toLabel(target, catalog)) || ROSTER.some((row) => row.id === target.model));
  return known ? toListed(id, target.model, toCandidate(target, catalog)) : undefined;
}
// lib/wire/fields.ts ------------------------------------------------------------------------
const isString = (value: unknown): boolean => typeof value === "string";
const areStrings = (value: unknown): boolean => Array.isArray(value) && value.every(isString);

const ROLES: readonly unknown[] = ["user", "assistant", "system"];
const isWithin = (value: unknown, most: number): boolean => typeof value === "number" && value >= 0 && value <= most;

/** What a field may have to be, by name: how that is said, and what fits. */
const FIELD_KINDS: Record<string, [says: string, fits: (value: unknown) => boolean]> = {
  string: ["a string", isString],
  count: ["a whole number of at least 1", (value) => Number.isSafeInteger(value) && Number(value) >= 1],
  upTo1: ["a number from 0 to 1", (value) => isWithin(value, 1)],
  upTo2: ["a number from 0 to 2", (value) => isWithin(value, 2)],
  boolean: ["true or false", (value) => typeof value === "boolean"],
  role: ["'user', 'assistant' or 'system'", (value) => ROLES.includes(value)],
  object: ["an object", isJsonObject],
  list: ["a list", Array.isArray],
  strings: ["a list of strings", areStrings],
  stop: ["a string or a list of strings", (value) => isString(value) || areStrings(value)],
  content: ["a string or a list of parts", (value) => isString(value) || Array.isArray(value)],
};

/** What the text of some fields says, of each text once: every field, whether it may be absent, its kind. */
const FIELDS = new Map<string, [name: string, optional: boolean, kind: string][]>();

function parseFields(fields: string): [name: string, optional: boolean, kind: string][] {
  const parsed = fields.split(" ").map((entry): [string, boolean, string] => {
    const [, name = "", mark, kind = ""] = /^(\w+)(\??):(\w+)$/.exec(entry) ?? [];
    return [name, mark !== "", kind];
  });
  FIELDS.set(fields, parsed);
  return parsed;
}

/** Refuses a request because of what is at `path` in it. */
function refuse(path: string, problem: string): never {
  throw new ApiError("invalid_request_error", `${path}: ${problem}`);
}

/**
 * Checks some fields of an object; others may be there.
 *
 * @param fields Each field and the kind it must have, such as `name:string type?:string`; `?` if it may be absent.
 * @throws {ApiError} `invalid_request_error` naming the path and what was expected there.
 */
function checkFields(value: unknown, fields: string, path: string): void {
  if (!isJsonObject(value)) return refuse(path || "body", "Input should be an object");
  for (const [name, optional, kind] of FIELDS.get(fields) ?? parseFields(fields)) {
    const given = value[name] ?? undefined;
    if (given === undefined ? optional : FIELD_KINDS[kind]?.[1](given)) continue;
    const problem = given === undefined ? "Field required" : `Input should be ${FIELD_KINDS[kind]?.[0]}`;
    refuse(path ? `${path}.${name}` : name, problem);
  }
}
// lib/wire/messages_request.ts --------------------------------------------------------------
const REQUEST_FIELDS = "model:string messages:list max_tokens?:count stream?:boolean tools?:list tool_choice?:object " +
  "stop_sequences?:strings temperature?:upTo2 top_p?:upTo1 output_config?:object output_format?:object";
const TOOL_FIELDS = "name:string type?:string description?:string input_schema?:object";

/** The fields of each type of block, as {@linkcode checkFields} takes them. */
const BLOCK_FIELDS = new Map([
  ["text", "text:string"],
  ["image", "source:object"],
  ["document", "source:object title?:string context?:string"],
  ["thinking", "thinking:string"],
  ["tool_use", "id:string name:string input:object"],
  ["tool_result", "tool_use_id:string"],
  ["tool_reference", "tool_name:string"],
]);

const SOURCE_FIELDS = "type:string media_type?:string data?:string url?:string";

function checkContent(content: unknown, path: string): void {
  if (typeof content === "string") return;
  if (!Array.isArray(content)) return refuse(path, "Input should be a string or a list of blocks");
  content.forEach((block, i) => {
    const at = `${path}.${i}`;
    if (!isJsonObject(block) || typeof block.type !== "string") return refuse(at, "Block has no type");
    checkFields(block, BLOCK_FIELDS.get(block.type) ?? "type:string", at);
    if (block.type === "tool_result" && block.content != null) checkContent(block.content, `${at}.content`);
    if (block.type !== "image" && block.type !== "document") return;
    checkFields(block.source, SOURCE_FIELDS, `${at}.source`);
    const { content: within } = block.source as JsonObject;
    if (within != null) checkContent(within, `${at}.source.content`);
  });
}

/**
 * Checks the body of `POST /v1/messages` or `/v1/messages/count_tokens`.
 *
 * Only what translation relies on is checked: fields and blocks of other names pass, because Claude Code adds new ones
 * with every release.
 *
 * @param needsMaxTokens Whether `max_tokens` must be there; counting does without.
 * @throws {ApiError} `invalid_request_error` naming the path and what was expected there.
 */
export function parseMessagesRequest(body: unknown, needsMaxTokens = true): MessagesRequest {
  checkFields(body, REQUEST_FIELDS, "");
  // What is null is as good as absent.
  const given = Object.fromEntries(Object.entries(body as JsonObject).filter(([, value]) => value !== null));
  if (given.thread !== undefined) {
    // Only what is new would come. Anthropic's libraries, whose tool runners begin threads, send all when told like this.
    const details = { error_code: "thread_unsupported_request", unsupported: ["thread"] };
    const message = "thread: Arbiter holds no conversations: send all messages";
    throw new ApiError("invalid_request_error", message, { details });
  }
  const request = given as MessagesRequest;
  if (request.messages.length === 0) refuse("messages", "at least one message is required");
  request.messages.forEach((message, i) => {
    checkFields(message, "role:role", `messages.${i}`);
    checkContent(message.content, `messages.${i}.content`);
  });
  if (request.system != null) checkContent(request.system, "system");
  request.tools?.forEach((tool, i) => checkFields(tool, TOOL_FIELDS, `tools.${i}`));
  const { tool_choice: choice, max_tokens: most, output_config, output_format } = request;
  if (output_config) checkFields(output_config, "effort?:string format?:object", "output_config");
  if (output_config?.format) checkFields(output_config.format, "type:string schema?:object", "output_config.format");
  if (output_format) checkFields(output_format, "type:string schema?:object", "output_format");
  if (choice) checkFields(choice, `type:string ${choice.type === "tool" ? "name" : "name?"}:string`, "tool_choice");
  if (choice?.type === "tool" && !request.tools?.some(({ name }) => name === choice.name)) {
    refuse("tool_choice.name", `Tool '${choice.name}' is not in tools`);
  }
  if (needsMaxTokens && most == null) refuse("max_tokens", "Field required");
  return request;
}
// lib/wire/completion.ts --------------------------------------------------------------------
/** Why a completion ended. */
type FinishReason = "stop" | "length" | "tool_calls" | "content_filter";

/** Token counts of a completion, in OpenAI's terms: the prompt includes what was cached. */
type CompletionUsage = {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: { cached_tokens: number };
};

/** The body of an answer to `POST /v1/chat/completions`. */
type Completion = {
  id: string;
  object: "chat.completion";
  created: number;
  model: string;
  choices: {
    index: 0;
    message: {
      role: "assistant";
      content: string | null;
      refusal: null;
      reasoning_content?: string;
      tool_calls?: { id: string; type: "function"; function: { name: string; arguments: string } }[];
    };
    logprobs: null;
    finish_reason: FinishReason;
  }[];
  usage: CompletionUsage;
};
// lib/translate/completion.ts ---------------------------------------------------------------
/** What each `stop_reason` is called, also those that only Anthropic's own hosts give; others are an ordinary end. */
const FINISHES = new Map<string | null, FinishReason>([
  ["max_tokens", "length"],
  ["model_context_window_exceeded", "length"],
  ["tool_use", "tool_calls"],
  ["refusal", "content_filter"],
]);

/** Translates a `stop_reason`. */
function toFinishReason(stopReason: string | null): FinishReason {
  return FINISHES.get(stopReason) ?? "stop";
}

/** The id of a completion for that of a message. */
function toCompletionId(id: string): string {
  return id.replace(/^(?:msg_)?/, "chatcmpl-");
}

/** Translates token counts of Anthropic's into OpenAI's. */
function toCompletionUsage(usage: Usage): CompletionUsage {
  const { input_tokens, output_tokens, cache_read_input_tokens = 0, cache_creation_input_tokens = 0 } = usage;
  const prompt = input_tokens + cache_read_input_tokens + cache_creation_input_tokens;
  return {
    prompt_tokens: prompt,
    completion_tokens: output_tokens,
    total_tokens: prompt + output_tokens,
    prompt_tokens_details: { cached_tokens: cache_read_input_tokens },
  };
}

/** Translates a whole answer; `created` is in seconds. */
function toChatCompletion(message: Message, created: number): Completion {
  const { id, model, content, stop_reason, usage } = message;
  const text = content.map((block) => block.type === "text" ? block.text : "").join("");
  const reasoning_content = content.map((block) => block.type === "thinking" ? block.thinking : "").join("");
  const tool_calls = content.flatMap((block) => {
    if (block.type !== "tool_use") return [];
    const called = { name: block.name, arguments: JSON.stringify(block.input) };
    return [{ id: block.id, type: "function" as const, function: called }];
  });
  return {
    id: toCompletionId(id),
    object: "chat.completion",
    created,
    model,
    choices: [{
      index: 0,
      message: {
        role: "assistant",
        content: text === "" && tool_calls.length > 0 ? null : text,
        refusal: null,
        ...(reasoning_content ? { reasoning_content } : {}),
        ...(tool_calls.length > 0 ? { tool_calls } : {}),
      },
      logprobs: null,
      finish_reason: toFinishReason(stop_reason),
    }],
    usage: toCompletionUsage(usage),
  };
}
// lib/wire/chat_errors.ts -------------------------------------------------------------------
/** The body of an error of chat completions. */
type ChatErrorBody = { error: { message: string; type: string; code: string | null; param: string | null } };

/** How OpenAI names each of Anthropic's errors. */
const CHAT_ERRORS: Record<ApiErrorType, [type: string, code: string | null]> = {
  invalid_request_error: ["invalid_request_error", null],
  authentication_error: ["authentication_error", "invalid_api_key"],
  billing_error: ["insufficient_quota", "insufficient_quota"],
  permission_error: ["permission_error", null],
  not_found_error: ["invalid_request_error", "not_found"],
  request_too_large: ["invalid_request_error", "request_too_large"],
  rate_limit_error: ["rate_limit_error", "rate_limit_exceeded"],
  api_error: ["server_error", null],
  timeout_error: ["server_error", "timeout"],
  overloaded_error: ["server_error", "overloaded"],
};

/** What says that a prompt is too long, in Anthropic's words or, where it has no numbers, in a host's. */
const TOO_LONG_PROMPT = /^prompt is too long(?:: (\d+) tokens > (\d+) maximum)?/;

/**
 * The error in OpenAI's shape.
 *
 * Clients shorten a conversation that is too long by OpenAI's words and code only.
 */
function toChatError({ error: { type, message } }: ApiErrorBody): ChatErrorBody {
  const [tooLong, used, limit] = TOO_LONG_PROMPT.exec(message) ?? [];
  const [kind, code] = CHAT_ERRORS[type];
  if (tooLong === undefined) return { error: { message, type: kind, code, param: null } };
  const told = limit === undefined
    ? message
    : `This model's maximum context length is ${limit} tokens. However, your messages resulted in ${used} tokens.`;
  return { error: { message: told, type: kind, code: "context_length_exceeded", param: "messages" } };
}
// lib/stream/completion_encoder.ts ----------------------------------------------------------
/** What fills silence: a comment, which no client takes for a chunk. */
const PING = ": ping\n\n";

const toLine = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`;

/**
 * Encodes the events of an answer as the chunks of a streamed chat completion.
 *
 * The events say themselves where the answer ends; one that breaks off gets no `[DONE]`.
 */
class CompletionEncoder {
  readonly #created: number;
  readonly #withUsage: boolean;
  /** What each chunk begins with. */
  #head: JsonObject = {};
  #usage: Usage | undefined;
  /** How many calls have begun. */
  #calls = 0;
  /** What the open call begins with, until pieces of its arguments come. */
  #input: JsonObject | undefined;

  /**
   * @param created When the answer began, in seconds.
   * @param withUsage Whether a chunk with token counts comes last.
   */
  constructor(created: number, withUsage = false) {
    this.#created = created;
    this.#withUsage = withUsage;
  }

  /** Gives the lines for the events of one read. */
  feed(events: readonly (MessageStreamEvent | VisualizationEvent | ApiErrorBody)[]): string {
    return events.map((event) => this.#encode(event)).join("");
  }

  #encode(event: MessageStreamEvent | VisualizationEvent | ApiErrorBody): string {
    switch (event.type) {
      case "message_start": {
        const { id, model, usage } = event.message;
        const head = { id: toCompletionId(id), object: "chat.completion.chunk", created: this.#created, model };
        this.#head = this.#withUsage ? { ...head, usage: null } : head;
        this.#usage = usage;
        return this.#toChunk({ role: "assistant", content: "" });
      }
      case "content_block_start":
        return this.#startBlock(event.content_block);
      case "content_block_delta":
        return this.#encodeDelta(event.delta);
      case "content_block_stop":
        return this.#input ? this.#continueCall(JSON.stringify(this.#input)) : "";
      case "message_delta": {
        if (this.#usage) this.#usage = { ...this.#usage, ...event.usage };
        const { stop_reason } = event.delta;
        return stop_reason === null ? PING : this.#toChunk({}, toFinishReason(stop_reason));
      }
      case "message_stop":
        return `${this.#withUsage ? this.#toUsageChunk() : ""}data: [DONE]\n\n`;
      case "ping":
        return PING;
      case "error":
        return toLine(toChatError(event));
      default:
        return "";
    }
  }

  #startBlock(block: ContentBlock): string {
    if (block.type !== "tool_use") return "";
    const { id, name, input } = block;
    this.#input = input;
    return this.#toChunk({
      tool_calls: [{ index: this.#calls++, id, type: "function", function: { name, arguments: "" } }],
    });
  }

  #encodeDelta(delta: BlockDelta): string {
    if (delta.type === "text_delta") return this.#toChunk({ content: delta.text });
    if (delta.type === "thinking_delta") return this.#toChunk({ reasoning_content: delta.thinking });
    return delta.type === "input_json_delta" && delta.partial_json ? this.#continueCall(delta.partial_json) : "";
  }

  #continueCall(piece: string): string {
    this.#input = undefined;
    return this.#toChunk({ tool_calls: [{ index: this.#calls - 1, function: { arguments: piece } }] });
  }

  #toChunk(delta: JsonObject, finish_reason: string | null = null): string {
    return toLine({ ...this.#head, choices: [{ index: 0, delta, logprobs: null, finish_reason }] });
  }

  #toUsageChunk(): string {
    return this.#usage ? toLine({ ...this.#head, choices: [], usage: toCompletionUsage(this.#usage) }) : "";
  }
}
// lib/stream/event_encoder.ts ---------------------------------------------------------------
const encoder = new TextEncoder();

/** Encodes events as server-sent events, all of one read in one piece. */
export function encodeEvents(events: readonly (MessageStreamEvent | VisualizationEvent | ApiErrorBody)[]): Uint8Array {
  let text = "";
  for (const event of events) text += `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
  return encoder.encode(text);
}
// lib/server/answer_format.ts ---------------------------------------------------------------
/** How the answer to one request is put on the wire. */
type AnswerFormat = {
  /** The body of a whole answer. */
  toBody(message: Message): unknown;
  /** The bytes for the next events of a streamed one. */
  encode(events: readonly (MessageStreamEvent | VisualizationEvent | ApiErrorBody)[]): Uint8Array;
  /** Whether the connection of each client is cut when an answer breaks off after its content has begun. */
  cuts: boolean;
};

/** Anthropic's own format. */
const MESSAGES_FORMAT: AnswerFormat = { toBody: (message) => message, encode: encodeEvents, cuts: false };

/** The format of chat completions; `created` is in milliseconds. */
function createChatFormat(created: number, withUsage: boolean): AnswerFormat {
  const seconds = Math.floor(created / 1000);
  const encoder = new CompletionEncoder(seconds, withUsage);
  const bytes = new TextEncoder();
  return {
    toBody: (message) => toChatCompletion(message, seconds),
    encode: (events) => bytes.encode(encoder.feed(events)),
    cuts: true,
  };
}

/** The body of an error as the clients of a path read it. */
function toErrorBody(path: string, error: ApiErrorBody): ApiErrorBody | ChatErrorBody {
  return path.startsWith("/v1/chat/") ? toChatError(error) : error;
}
// lib/server/auth.ts ------------------------------------------------------------------------
/** Who may ask: whoever has one of these keys, or without any this machine only, unless the proxy is open to all. */
type AccessOptions = { clientKeys: readonly ClientKey[]; open: boolean };

/**
 * What a route asks of its clients: no key, or that they keep to their rate, too, or that a page is one of this very
 * server: browsers let every page read what comes over a WebSocket.
 */
type RouteAccess = "keyless" | "rated" | "own_page" | undefined;

const THIS_MACHINE = String.raw`(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?`;
const LOOPBACK_HOST = new RegExp(`^${THIS_MACHINE}$`, "i");
const LOOPBACK_ORIGIN = new RegExp(`^https?://${THIS_MACHINE}$`, "i");
const LOOPBACK_PEER = /^(?:::ffff:)?127\.|^::1$/i;

/** What tells that a proxy or a tunnel on this machine passes on what comes from elsewhere. */
const FORWARDED = ["forwarded", "x-forwarded-for", "x-real-ip"];

/** Compares in a time that tells nothing about the secret. */
function isSameSecret(given: string, secret: string): boolean {
  let difference = given.length ^ secret.length;
  for (let i = 0; i < given.length; i++) difference |= given.charCodeAt(i) ^ secret.charCodeAt(i); // NaN counts as 0.
  return difference === 0;
}

/** The key among the subprotocols of a WebSocket, in base64url: a page can set no other header there. */
function toOfferedKey(headers: Headers): string | undefined {
  const offered = /(?:^|,) *arbiter\.key\.([\w-]+)/.exec(headers.get("sec-websocket-protocol") ?? "")?.[1];
  try {
    return offered && atob(offered.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    return undefined;
  }
}

/** What a request has to show, without the model that may stand behind a colon. */
function toSecrets(headers: Headers): string[] {
  const bearer = /^bearer +(.+)$/i.exec(headers.get("authorization") ?? "")?.[1];
  return [headers.get("x-api-key"), bearer, toOfferedKey(headers)].flatMap((secret) => secret?.split(":", 1) ?? []);
}

/** Finds the key that a request has shown; all are compared, whichever it is. */
function findClientKey(headers: Headers, keys: readonly ClientKey[]): ClientKey | undefined {
  const secrets = toSecrets(headers);
  return keys.filter(({ key }) => secrets.filter((secret) => isSameSecret(secret, key)).length > 0)[0];
}

/**
 * Finds why a request is none of this machine's own. A page of another site can send requests here, and with a name
 * that leads here (DNS rebinding) even read the answers; it cannot choose what the browser says of it.
 */
function findForeign(headers: Headers, peer: string | undefined, open: boolean): string | undefined {
  const [host, origin] = [headers.get("host"), headers.get("origin")];
  const isOwn = origin === null || LOOPBACK_ORIGIN.test(origin) ||
    (open && origin.replace(/^https?:\/\//, "") === host);
  const rows: [foreign: boolean, why: string][] = [
    [!open && peer !== undefined && !LOOPBACK_PEER.test(peer), "comes from another machine"],
    [!open && host !== null && !LOOPBACK_HOST.test(host), "has a Host header that names another machine"],
    [!open && FORWARDED.some((name) => headers.has(name)), "was forwarded by another proxy"],
    [!isOwn, "comes from a page of another site"],
  ];
  return rows.find(([foreign]) => foreign)?.[1];
}

/**
 * Decides whether a request is served.
 *
 * @param peer The address it comes from, if that is known.
 * @returns The key it has shown, or what it was refused with; nothing where no key is needed.
 */
function checkAccess(
  { headers, peer, access }: { headers: Headers; peer?: string | undefined; access?: RouteAccess },
  { clientKeys, open }: AccessOptions,
): ClientKey | ApiError | undefined {
  const origin = headers.get("origin");
  if (access === "own_page" && origin !== null && origin.replace(/^https?:\/\//, "") !== headers.get("host")) {
    return new ApiError("permission_error", "The request comes from a page of another server");
  }
  if (clientKeys.length > 0) {
    return access === "keyless" ? undefined : findClientKey(headers, clientKeys) ?? new ApiError(
      "authentication_error",
      "This proxy wants its own key, as x-api-key or as a bearer token: the one that ARBITER_API_KEY was set to",
      { headers: { "www-authenticate": "Bearer", "x-should-retry": "false" } },
    );
  }
  const foreign = findForeign(headers, peer, open);
  return foreign === undefined ? undefined : new ApiError(
    "permission_error",
    `The request ${foreign}: without a key only this machine is served; set ARBITER_API_KEY for the proxy`,
    { headers: { "x-should-retry": "false" } },
  );
}

/** Counts what clients ask for: each key has a minute of its own, and so have all who need none. */
class InboundLimits {
  readonly #windows = new Map<ClientKey | undefined, RateWindow>();
  readonly #rpm: number;
  readonly #clock: Clock;

  /** Lets so many requests a minute pass, 0 any number, unless a key says otherwise. */
  constructor(rpm: number, clock: Clock) {
    this.#rpm = rpm;
    this.#clock = clock;
  }

  /** Counts a request, or gives what it is refused with. */
  count(client: ClientKey | undefined): ApiError | undefined {
    const limit = client?.rpm ?? this.#rpm;
    if (limit === 0) return undefined;
    const window = this.#windows.get(client) ?? new RateWindow({ limit, window: 60_000, concurrency: 0 }, this.#clock);
    this.#windows.set(client, window);
    const { wait } = window;
    if (wait > 0) {
      const headers = { "retry-after": String(Math.ceil(wait / 1000)) };
      return new ApiError("rate_limit_error", `More than ${limit} requests a minute: that is this proxy's limit`, {
        headers,
      });
    }
    void window.enter("main", new AbortController().signal);
    return undefined;
  }
}
// lib/server/body.ts ------------------------------------------------------------------------
/**
 * Reads a JSON body and how many bytes it has, measuring it while it comes: `content-length` may be absent or a lie.
 *
 * @throws {ApiError} `request_too_large` beyond `maxBytes`, `invalid_request_error` if it is not JSON.
 */
async function readJson(request: Request, maxBytes: number): Promise<{ body: unknown; size: number }> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true }); // Deno's takes marks from each chunk.
  let [text, size] = ["", 0];
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.byteLength;
      if (size > maxBytes) {
        const message = `Request exceeds the maximum size of ${Number((maxBytes / 1024 / 1024).toPrecision(4))} MiB`;
        throw new ApiError("request_too_large", message, { headers: { connection: "close" } });
      }
      text += decoder.decode(chunk, { stream: true });
    }
  } catch (cause) {
    if (cause instanceof ApiError) throw cause;
    throw new ApiError("invalid_request_error", "The request body broke off", { cause });
  }
  text += decoder.decode();
  const body = parseJson(text.replace(/^\uFEFF/, ""));
  if (body === undefined) {
    throw new ApiError("invalid_request_error", "The request body is not valid JSON, or nested more than 500 deep");
  }
  return { body, size };
}
// lib/wire/client_chat_request.ts -----------------------------------------------------------
/** A part of a message of a client. */
type ClientChatPart =
  | { type: "text"; text: string }
  | { type: "refusal"; refusal: string }
  | { type: "image_url"; image_url: { url: string } }
  | { type: "file"; file: { file_data?: string | null; filename?: string | null } };

/** What a message of a client says. */
type ClientChatContent = string | ClientChatPart[] | null;

/** One message of a client's request; `arguments` may be anything. */
type ClientChatMessage =
  | { role: "system" | "developer" | "user"; content: ClientChatContent }
  | {
    role: "assistant";
    content?: ClientChatContent;
    reasoning_content?: unknown;
    tool_calls?: { id: string; function: { name: string; arguments?: unknown } }[] | null;
  }
  | { role: "tool"; tool_call_id: string; content?: ClientChatContent };

/** The body of `POST /v1/chat/completions`, with the fields this proxy reads. */
type ClientChatRequest = {
  model: string;
  messages: ClientChatMessage[];
  max_completion_tokens?: number | null;
  max_tokens?: number | null;
  stream?: boolean | null;
  stream_options?: { include_usage?: boolean } | null;
  temperature?: number | null;
  top_p?: number | null;
  stop?: string | string[] | null;
  tools?: { function: { name: string; description?: string; parameters?: JsonObject } }[] | null;
  tool_choice?: string | { type: string; function: { name: string } } | null;
  parallel_tool_calls?: boolean | null;
  response_format?: { type: string; json_schema?: { schema?: JsonObject } } | null;
  reasoning_effort?: string | null;
};

const REQUEST_FIELDS_OF_CHAT = "model:string messages:list stream?:boolean stream_options?:object max_tokens?:count " +
  "max_completion_tokens?:count temperature?:upTo2 top_p?:upTo1 stop?:stop tools?:list " +
  "parallel_tool_calls?:boolean response_format?:object reasoning_effort?:string";

/** The fields of each role's messages. */
const ROLE_FIELDS = new Map<unknown, string>([
  ["system", "content:content"],
  ["developer", "content:content"],
  ["user", "content:content"],
  ["assistant", "content?:content tool_calls?:list"],
  ["tool", "content?:content tool_call_id:string"],
]);

/** The fields of each type of part, and of what is in it. */
const PART_FIELDS = new Map<unknown, [outer: string, inner?: string]>([
  ["text", ["text:string"]],
  ["refusal", ["refusal:string"]],
  ["image_url", ["image_url:object", "url:string"]],
  ["file", ["file:object", "file_data?:string filename?:string"]],
]);

const toOneOf = (names: Iterable<unknown>): string => `Input should be one of ${[...names].join(", ")}`;

function checkPart(part: unknown, path: string): void {
  checkFields(part, "type:string", path);
  const { type, ...fields } = part as JsonObject;
  const [outer, inner] = PART_FIELDS.get(type) ?? refuse(`${path}.type`, toOneOf(PART_FIELDS.keys()));
  checkFields(part, outer, path);
  if (inner) checkFields(fields[String(type)], inner, `${path}.${type}`);
}

function checkMessage(message: unknown, path: string): void {
  checkFields(message, "role:string", path);
  const { role, content, tool_calls: calls } = message as JsonObject;
  checkFields(message, ROLE_FIELDS.get(role) ?? refuse(`${path}.role`, toOneOf(ROLE_FIELDS.keys())), path);
  if (Array.isArray(content)) content.forEach((part, i) => checkPart(part, `${path}.content.${i}`));
  if (Array.isArray(calls)) calls.forEach((call, i) => checkCalled(call, "id:string", `${path}.tool_calls.${i}`));
}

/** Checks what names a function: a call, a tool, a choice. */
function checkCalled(value: unknown, fields: string, path: string): void {
  checkFields(value, `${fields} function:object`, path);
  checkFields((value as JsonObject).function, "name:string description?:string parameters?:object", `${path}.function`);
}

/**
 * Checks the body of `POST /v1/chat/completions`.
 *
 * Only what translation relies on is checked, and what cannot be done is refused: more than one answer, tools that are no
 * functions.
 *
 * @throws {ApiError} `invalid_request_error` naming the path and what was expected there.
 */
function parseClientChatRequest(body: unknown): ClientChatRequest {
  checkFields(body, REQUEST_FIELDS_OF_CHAT, "");
  const { messages, tools, tool_choice: choice, response_format: format, n, functions } = body as
    & JsonObject
    & ClientChatRequest;
  if (messages.length === 0) refuse("messages", "at least one message is required");
  messages.forEach((message, i) => checkMessage(message, `messages.${i}`));
  tools?.forEach((tool, i) => checkCalled(tool, "type?:string", `tools.${i}`));
  if (isJsonObject(choice)) {
    checkCalled(choice, "type?:string", "tool_choice");
    const { name } = choice.function;
    const offered = tools?.some((tool) => tool.function.name === name);
    if (!offered) refuse("tool_choice.function.name", `Tool '${name}' is not in tools`);
  }
  if (format) checkFields(format, "type:string json_schema?:object", "response_format");
  if (format?.json_schema) checkFields(format.json_schema, "schema?:object", "response_format.json_schema");
  if (typeof n === "number" && n > 1) refuse("n", "Input should be 1");
  if (functions) refuse("functions", "Use tools instead");
  return body as ClientChatRequest;
}
// lib/translate/client_chat_request.ts ------------------------------------------------------
/** Output tokens for clients that ask for no number; as always, no more than the model can and its window has room for. */
const USUAL_MAX_TOKENS = 32_000;
/** Fields that change answers and that have no counterpart. */
const LOST_FIELDS = ["frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "seed", "prediction", "audio"];
/** `tool_choice` in words. */
const CHOICE_WORDS = new Map<unknown, ToolChoice["type"]>([["none", "none"], ["required", "any"]]);

/** A data URL becomes its bytes, every other address stays one. */
function toSource(url: string): JsonObject {
  const comma = url.indexOf(",");
  const head = url.slice(0, comma);
  if (!head.startsWith("data:") || !head.endsWith(";base64")) return { type: "url", url };
  return { type: "base64", media_type: head.slice(5).split(";", 1)[0], data: url.slice(comma + 1) };
}

function toBlock(part: ClientChatPart): ContentBlockParam {
  if (part.type === "image_url") return { type: "image", source: toSource(part.image_url.url) };
  if (part.type === "text") return { type: "text", text: part.text };
  if (part.type === "refusal") return { type: "text", text: part.refusal };
  const { file_data, filename } = part.file;
  return {
    type: "document",
    source: file_data ? toSource(file_data) : { type: "file" },
    title: filename ?? null,
  };
}

function toContentBlocks(content: ClientChatContent | undefined): ContentBlockParam[] {
  const blocks = typeof content === "string" ? [{ type: "text" as const, text: content }] : content?.map(toBlock) ?? [];
  return blocks.filter((block) => block.type !== "text" || block.text !== "");
}

/** Arguments are JSON in a string, but some clients replay the object, and nothing for no arguments. */
function toInput(args: unknown): JsonObject {
  return isJsonObject(args) ? args : parseInput(typeof args === "string" ? args || "{}" : JSON.stringify(args ?? {}));
}

function toBlocksOf(message: ClientChatMessage): ContentBlockParam[] {
  const content = toContentBlocks(message.content);
  if (message.role === "tool") return [{ type: "tool_result", tool_use_id: message.tool_call_id, content }];
  if (message.role !== "assistant") return content;
  const { reasoning_content: thinking, tool_calls } = message;
  const calls = tool_calls?.map(({ id, function: { name, arguments: args } }) => {
    return { type: "tool_use" as const, id, name, input: toInput(args) };
  });
  const thought = typeof thinking === "string" && thinking !== "";
  return [...thought ? [{ type: "thinking" as const, thinking, signature: UNSIGNED }] : [], ...content, ...calls ?? []];
}

/** Translates a message; the results of parallel calls come one by one and belong into one message. */
function addMessage(messages: MessageParam[], message: ClientChatMessage): MessageParam[] {
  const { role } = message;
  const content = toBlocksOf(message);
  const last = messages.at(-1)?.content;
  if (role === "tool" && Array.isArray(last) && last[0]?.type === "tool_result") last.push(...content);
  else messages.push({ role: role === "tool" ? "user" : role === "developer" ? "system" : role, content });
  return messages;
}

function toChosenTool(
  { tool_choice: choice, parallel_tool_calls: parallel }: ClientChatRequest,
): ToolChoice | undefined {
  const type = CHOICE_WORDS.get(choice) ?? "auto";
  const chosen: ToolChoice = isJsonObject(choice) ? { type: "tool", name: choice.function.name } : { type };
  if (parallel === false) return { ...chosen, disable_parallel_tool_use: true };
  return choice == null ? undefined : chosen;
}

/** The schema an answer must satisfy; without one, any object. */
function toSchema(format: ClientChatRequest["response_format"]): JsonObject | undefined {
  if (format?.type === "json_object") return { type: "object" };
  return format?.type === "json_schema" ? format.json_schema?.schema : undefined;
}

/**
 * Translates the chat completion request of a client into a Messages request, which everything else works with.
 *
 * System messages at the head are the system prompt, those further on stay where they are. No `reasoning_effort` means no
 * thinking, as no `thinking` does at Anthropic.
 */
function toMessagesRequest(chat: ClientChatRequest): { request: MessagesRequest; warnings: string[] } {
  const { model, messages, tools, temperature, top_p, stop, reasoning_effort: effort } = chat;
  const isInstruction = ({ role }: ClientChatMessage) => role === "system" || role === "developer";
  const begin = messages.findIndex((message) => !isInstruction(message));
  const [told, said] = begin < 0 ? [[], messages] : [messages.slice(0, begin), messages.slice(begin)];
  const request: MessagesRequest = {
    model,
    messages: said.reduce<MessageParam[]>(addMessage, []),
    max_tokens: chat.max_completion_tokens ?? chat.max_tokens ?? USUAL_MAX_TOKENS,
    stream: chat.stream ?? false,
  };
  const choice = toChosenTool(chat);
  const schema = toSchema(chat.response_format);
  if (told.length > 0) request.system = told.flatMap(toBlocksOf);
  if (temperature != null) request.temperature = temperature;
  if (top_p != null) request.top_p = top_p;
  if (stop != null) request.stop_sequences = [stop].flat();
  if (tools?.length) {
    request.tools = tools.map(({ function: { name, description, parameters } }) => ({
      name,
      ...(description ? { description } : {}),
      input_schema: parameters ?? { type: "object", properties: {} },
    }));
    if (choice) request.tool_choice = choice;
  }
  if (effort != null && effort !== "none") {
    request.thinking = { type: "adaptive" };
    request.output_config = { effort: effort === "minimal" ? "low" : effort };
  }
  if (schema) request.output_config = { ...request.output_config, format: { type: "json_schema", schema } };
  const lost = LOST_FIELDS.filter((field) => (chat as JsonObject)[field]);
  return { request, warnings: lost.map((field) => `Cannot pass '${field}': Anthropic's format has no such field`) };
}
// lib/stream/text_events.ts -----------------------------------------------------------------
/** The events, but the first, of an answer that is a text from the proxy itself; its tokens are estimated. */
function toTextEvents(text: string): MessageStreamEvent[] {
  const usage = { output_tokens: Math.ceil(estimateTokens(text)) };
  return [
    ...toBlockEvents({ type: "text", text }, 0),
    { type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage },
    { type: "message_stop" },
  ];
}
// lib/upstream/send.ts ----------------------------------------------------------------------
/**
 * An answer that has begun: who gives it, what could not be carried over (one sentence each), and the events of each read
 * of the upstream but `message_start`, which throw an `ApiError` when the upstream breaks off.
 */
type Answer = {
  candidate: Candidate;
  warnings: string[];
  events: AsyncIterableIterator<MessageStreamEvent[], undefined>;
};

/**
 * What {@linkcode Send} is given beside the request: where it may go, in order of preference, a signal that fires when
 * nobody waits any more, the tokens of the request, what Claude Code wants with it, and the client's headers, of which hosts
 * that speak Anthropic's format get some, and what is called when a candidate is asked and when it has failed.
 */
type SendOptions = {
  candidates: readonly Candidate[];
  signal: AbortSignal;
  tokens: PromptTokens;
  kind: RequestKind;
  headers?: Headers;
  onTry?: ((candidate: Candidate, fault?: ApiError) => void) | undefined;
};

/**
 * Sends a request to whichever candidate answers.
 *
 * Resolves with the first content, so that everything that fails before can be tried again elsewhere without the client
 * noticing; rejects with an `ApiError` when no candidate answers.
 */
type Send = (request: MessagesRequest, options: SendOptions) => Promise<Answer>;
// lib/upstream/chain_options.ts -------------------------------------------------------------
/** How upstreams are called. */
export interface ChainOptions {
  /** `fetch` for upstream calls. @default {globalThis.fetch, without its own time limits} */
  fetch?: Fetch;
  /** What calls upstreams, such as {@linkcode httpCall}. @default {what calls `fetch`} */
  call?: Call;
  /** Milliseconds until the first content of an answer must have come, whoever gives it. @default {600_000} */
  requestTimeout?: number;
  /**
   * Milliseconds one candidate is given for its first content while others are left, and one more for every two
   * bytes of the request, which a model has to read first. @default {120_000}
   */
  patience?: number;
  /** Milliseconds of silence allowed in the middle of an answer. @default {180_000} */
  idleTimeout?: number;
  /** Most output tokens to ask any model for. @default {Infinity} */
  maxTokens?: number;
  /** Most upstream calls for one request. @default {6} */
  maxAttempts?: number;
  /** Where what models teach is kept; proxies with one that is shared keep to limits together. @default {memory} */
  store?: Store;
  /** Sent upstream as `user-agent`. @default {"arbiter-proxy/" and the version} */
  userAgent?: string;
  /** The clock that time limits run on. @default {systemClock} */
  clock?: Clock;
  /** Gives a number from 0 to 1, for jitter. @default {Math.random} */
  random?: () => number;
  /** Makes ids of messages, requests and tool calls. @default {randomId} */
  newId?: NewId;
}
// lib/server/request_log.ts -----------------------------------------------------------------
/** What the log says has answered where no model did. */
const LOCAL_MODEL = "(local)";
/** What the log says of a request that nobody waits for any more. */
const CLIENT_GONE = "The client went away";
/** Servers and clients limit all headers together to 8 to 16 kB. */
const MAX_ROUTE_CHARS = 2_000;
const MAX_LOG_CHARS = 4_000;

/**
 * What is known about a request once it is over; never content, never a key.
 *
 * `id` is the `request-id` the client was given, `status` 499 when the client went away first, `ms` the time until the
 * last byte, `client` the name of its key, `asked` its model, `route` where it was sent and why, `model` the one that
 * answered, `replayed` whether another request had asked for that answer before, `fellBack` whether it was not the
 * first to be asked, `session` what the client calls the session, `firstMs` the time until the first content left of a
 * stream that a model was asked for, `cachedTokens` how many of `inputTokens` a host had in its cache. `error` may
 * also stand beside a status 200; `warnings` tell what could not be carried over.
 */
export type RequestLog = {
  id: string;
  method: string;
  path: string;
  status: number;
  ms: number;
  session?: string | undefined;
  client?: string | undefined;
  asked?: string;
  route?: RouteTrace;
  model?: string;
  replayed?: boolean;
  fellBack?: boolean;
  firstMs?: number | undefined;
  inputTokens?: number | undefined;
  cachedTokens?: number | undefined;
  outputTokens?: number | undefined;
  error?: string | undefined;
  warnings?: string[];
};

/** A request on its way, and the log that fills while it lasts. */
type Exchange = {
  request: Request;
  log: RequestLog;
  /** When it came, in milliseconds since 1970. */
  began: number;
  /** Whose key it has shown, where one is needed. */
  client?: ClientKey | undefined;
  /** Its body, if it is a POST, and how many bytes that has. */
  body: unknown;
  size: number;
  /** Ends the answer early: the client went away, or the proxy closes. */
  stop: AbortController;
  /** How its answer is put on the wire. */
  format: AnswerFormat;
  /** Whether the answer goes on after the response was returned; then `end` tells when it is over. */
  streams: boolean;
  end: () => void;
};

/** Token counts that a log has already: an answer that several requests read is counted once. */
const NOTED = new WeakSet<MessageStreamEvent>();

/** Notes the token counts of an answer, which its last `message_delta` tells. */
function noteUsage(log: Partial<RequestLog>, events: readonly MessageStreamEvent[]): void {
  const last = events.findLast((event) => event.type === "message_delta");
  if (!last || NOTED.has(last)) return;
  NOTED.add(last);
  const { input_tokens = 0, cache_creation_input_tokens = 0, output_tokens: outputTokens } = last.usage;
  const { cache_read_input_tokens: cachedTokens = 0 } = last.usage;
  Object.assign(log, {
    inputTokens: input_tokens + cache_creation_input_tokens + cachedTokens,
    cachedTokens,
    outputTokens,
  });
}

/** A route as the value of a header: `asked=…; model=…; kind=…; task=…; tier=…; chain=…, …; why=…, …`. */
function formatRoute({ chain, why, ...trace }: RouteTrace): string {
  const fields = Object.entries({ ...trace, chain: chain.join(", "), why: why.join(", ") });
  const text = fields.filter(([, value]) => value).map(([name, value]) => `${name}=${value}`).join("; ");
  return text.replace(/[^\x20-\x7e]+/g, "?").slice(0, MAX_ROUTE_CHARS);
}

/** A text as one line of a log: what others sent must not write lines, nor fill the disk. */
function toLogLine(text: string): string {
  return text.slice(0, MAX_LOG_CHARS).replace(/[\p{Cc}\p{Bidi_Control}]+/gu, " ");
}

/** One line about a request, for people and for `grep`. */
function formatRequestLog(log: RequestLog): string {
  const { method, path, status, ms, client, asked, route, model, replayed, inputTokens, outputTokens, id, error } = log;
  const tokens = outputTokens === undefined ? undefined : `${inputTokens}+${outputTokens} tokens`;
  const models = model ? `${asked} → ${model}` : asked;
  const found = route && [route.kind, route.task, route.tier].filter(Boolean).join(" ");
  const parts = [
    `${method} ${path}`,
    status,
    models,
    found,
    replayed && "replayed",
    `${Math.round(ms)} ms`,
    tokens,
    client,
    id,
    error,
  ];
  return toLogLine(parts.filter(Boolean).join(" · "));
}
// lib/server/prices.ts ----------------------------------------------------------------------
/** What Anthropic asks for a million tokens, in dollars: input, output, and input read from its cache. */
type PriceRow = [name: RegExp, input: number, output: number, cached: number];

/** The day of the prices below. */
const PRICES_DATE = "2026-10-10";

/**
 * Prices by the name that was asked for; the first row that fits counts, and a bare `opus` is the newest one.
 *
 * From https://platform.claude.com/docs/en/about-claude/pricing, for short prompts: Haiku 5.5 costs more beyond 100,000
 * tokens.
 */
const PRICES: readonly PriceRow[] = [
  [/fable|mythos/, 10, 50, 0.25],
  [/opus-(?:4-[5-9]|5(?!-5))/, 5, 25, 0.5],
  [/opus-[34]|3-opus/, 15, 75, 1.5],
  [/opus/, 4, 20, 0.2],
  [/sonnet-5(?!-5)/, 2, 10, 0.2],
  [/sonnet-[34]|3(?:-\d)?-sonnet/, 3, 15, 0.3],
  [/sonnet/, 2, 10, 0.1],
  [/haiku-4/, 1, 5, 0.1],
  [/3-5-haiku/, 0.8, 4, 0.08],
  [/haiku/, 0.1, 0.5, 0.01],
];

/** Whose prices stand for models of another name. */
const STAND_INS = { elite: "sonnet", speed: "haiku" };

function findPrice(name: string): PriceRow | undefined {
  return PRICES.find(([pattern]) => pattern.test(name));
}

/**
 * What an answer would have cost from Anthropic, in dollars. It is an estimate: another model needs other tokens, and
 * Anthropic's own cache would have held more of them.
 */
function toAnthropicCost(log: RequestLog): number {
  const { asked = "", route, inputTokens = 0, cachedTokens = 0, outputTokens = 0 } = log;
  const row = findPrice(asked.toLowerCase()) ?? findPrice(STAND_INS[route?.tier ?? "elite"]);
  const [, input = 0, output = 0, cached = 0] = row ?? [];
  return ((inputTokens - cachedTokens) * input + cachedTokens * cached + outputTokens * output) / 1_000_000;
}
// lib/server/stats.ts -----------------------------------------------------------------------
/** Where a proxy tells how it goes. */
const STATUS_PATH = "/v1/stream/visualization";

/** So many names are counted each by itself; clients may ask for any. */
const MOST_NAMES = 100;
const OTHER_NAMES = "(others)";

/** What a proxy, or a session of it, has done since it started: counts only, never content or keys. */
export type Stats = {
  /** When it started, in milliseconds since 1970. */
  since: number;
  /** Requests for messages that are over, and how many of each kind. */
  requests: number;
  kinds: Readonly<Record<string, number>>;
  /** How many answers each model gave, and how many needed none. */
  models: Readonly<Record<string, number>>;
  local: number;
  /** Answers by another model than the first that was to be asked: turns that would have failed or waited. */
  fallbacks: number;
  /** Requests that failed, also in the middle of an answer; not those whose client went away. */
  errors: number;
  /** Tokens of models; `inputTokens` has the `cachedTokens` in it. */
  inputTokens: number;
  cachedTokens: number;
  outputTokens: number;
  /** Estimate of what these tokens would have cost from Anthropic, in dollars. */
  anthropicCost: number;
  /** Streams whose first content has left, the milliseconds until then, all in all, and of the slowest. */
  firstToken: { count: number; ms: number; slowest: number };
};

/** Requests that an account may start now, of so many within so many milliseconds. */
export type Quota = { left: number; limit: number; window: number };

/** What `GET /v1/stream/visualization` tells; `quota` is that of the main model's account, if it has a limit. */
export type ArbiterStatus = Stats & {
  name: "arbiter";
  version: string;
  model: string;
  quota?: Quota;
};

/** The counts of a proxy that has just started. */
function createStats(since: number): Stats {
  const tokens = { inputTokens: 0, cachedTokens: 0, outputTokens: 0, anthropicCost: 0 };
  const firstToken = { count: 0, ms: 0, slowest: 0 };
  return { since, requests: 0, kinds: {}, models: {}, local: 0, fallbacks: 0, errors: 0, ...tokens, firstToken };
}

const MESSAGE_PATHS: readonly string[] = ["/v1/messages", "/v1/chat/completions"];

/** Whether a request is one for a message, in either format; others are not counted. */
function asksForMessage({ path }: RequestLog): boolean {
  return MESSAGE_PATHS.includes(path);
}

/** Whether a request was answered to the end. */
function isAnswered({ status, error }: RequestLog): boolean {
  return status < 400 && error === undefined;
}

/** The name something is counted under: its own, unless there are too many already. */
function toCountedName(known: Readonly<Record<string, unknown>>, name: string): string {
  return Object.hasOwn(known, name) || Object.keys(known).length < MOST_NAMES ? name : OTHER_NAMES;
}

function addOne(counts: Readonly<Record<string, number>>, name: string | undefined): Readonly<Record<string, number>> {
  if (name === undefined) return counts;
  const key = toCountedName(counts, name);
  return { ...counts, [key]: (Object.hasOwn(counts, key) ? counts[key]! : 0) + 1 };
}

function addTime({ count, ms, slowest }: Stats["firstToken"], taken: number): Stats["firstToken"] {
  return { count: count + 1, ms: ms + taken, slowest: Math.max(slowest, taken) };
}

/** The counts with one more request; what asks for no message leaves them as they are. */
function addRequest(stats: Stats, log: RequestLog): Stats {
  if (!asksForMessage(log)) return stats;
  const { status, model, fellBack = false, route, firstMs } = log;
  const answered = isAnswered(log);
  const local = model === LOCAL_MODEL;
  const { inputTokens = 0, cachedTokens = 0, outputTokens = 0 }: Partial<RequestLog> = local ? {} : log;
  return {
    since: stats.since,
    requests: stats.requests + 1,
    kinds: addOne(stats.kinds, route?.kind),
    models: addOne(stats.models, answered && !local ? model : undefined),
    local: stats.local + Number(local),
    fallbacks: stats.fallbacks + Number(answered && fellBack),
    errors: stats.errors + Number(!answered && status !== 499),
    inputTokens: stats.inputTokens + inputTokens,
    cachedTokens: stats.cachedTokens + cachedTokens,
    outputTokens: stats.outputTokens + outputTokens,
    anthropicCost: stats.anthropicCost + (local ? 0 : toAnthropicCost(log)),
    firstToken: answered && firstMs !== undefined ? addTime(stats.firstToken, firstMs) : stats.firstToken,
  };
}

/** Adds up the numbers of two values of one shape; what only one of them has is left as it is. */
function addUp(a: unknown, b: unknown): unknown {
  if (typeof a === "number" && typeof b === "number") return a + b;
  if (!isJsonObject(a) || !isJsonObject(b)) return a;
  const sums = new Map<string, unknown>(Object.entries(a));
  for (const [key, value] of Object.entries(b)) sums.set(key, sums.has(key) ? addUp(sums.get(key), value) : value);
  return Object.fromEntries(sums);
}

/** The counts of two proxies as those of one. */
function joinStats<T extends Stats>(a: T, b: T): T {
  const sum = addUp(a, b) as T;
  const slowest = Math.max(a.firstToken.slowest, b.firstToken.slowest);
  return { ...sum, since: Math.min(a.since, b.since), firstToken: { ...sum.firstToken, slowest } };
}
// lib/server/live.ts ------------------------------------------------------------------------
/** So many requests that are over are remembered, so many steps of each, so many models. */
const MOST_OVER = 100;
const MOST_STEPS = 60;
const MOST_MODELS = 100;
/** Characters of a name, which clients may choose, and of the text that is shown where the user wants that. */
const MAX_NAME_CHARS = 200;
const MAX_TEXT_CHARS = 600;

/** What a request is in: nothing has come yet, and nothing from who was asked before; words come, or a tool call. */
type Lane = "hold" | "fallback" | "stream" | "tools";

/** When a request, so many milliseconds old, came into a lane; who is asked now; who was left before, and why. */
type LiveStep = { at: number; lane: Lane; model?: string; left?: string; why?: string | undefined };

/** A request for a message and what has become of it; never content, unless the user wants to see that. */
type LiveRequest = Pick<RequestLog, "id" | "session" | "asked" | "model"> & {
  /** When it came, and when something about it changed last, in milliseconds since 1970. */
  began: number;
  changed: number;
  kind?: string | undefined;
  task?: string | undefined;
  steps: LiveStep[];
  pings: number;
  /** Characters of the answer so far. */
  written: number;
  /** The end of the answer so far; only where the user wants to see it. */
  text?: string;
  /** What its log says, once it is over. */
  over?: Pick<RequestLog, "status" | "ms" | "firstMs" | "inputTokens" | "cachedTokens" | "outputTokens"> & {
    failed: boolean;
  };
};

/** How a model does: how often it answered and failed, how it failed last, and until when it is therefore avoided. */
type LiveModel = {
  model: string;
  backend?: string | undefined;
  answers: number;
  faults: number;
  /** Why it failed last, and when. */
  why?: string;
  failedAt?: number;
  /** Milliseconds until the first content of its last streamed answer. */
  firstMs?: number | undefined;
  /** Until when it is asked last, in milliseconds since 1970; only while that is to come. */
  avoidedUntil?: number;
};

/** What a delta adds, as far as it is written. */
function toWritten(event: MessageStreamEvent): string {
  if (event.type !== "content_block_delta") return "";
  const { delta } = event;
  if (delta.type === "text_delta") return delta.text;
  if (delta.type === "thinking_delta") return delta.thinking;
  return delta.type === "input_json_delta" ? delta.partial_json : "";
}

/** A request on its way: what is shown of it, the model that is asked, and the last step its stream has told of. */
type Running = { request: LiveRequest; asked?: LiveModel; told?: LiveStep | undefined };

/** Notes what happens to requests for messages while they are on their way. */
class Live {
  readonly #clock: Clock;
  readonly #showContent: boolean;
  readonly #running = new Map<string, Running>();
  readonly #over = new BoundedMap<string, LiveRequest>(MOST_OVER);
  readonly #models = new BoundedMap<string, LiveModel & { candidate: Candidate }>(MOST_MODELS);
  /** When the last of those was over that are not remembered any more: who was told before that has missed some. */
  forgotten = 0;
  /** Called when something has changed. */
  onChange: () => void = () => {};

  /** Texts of answers are kept only with `showContent`. */
  constructor(clock: Clock, showContent = false) {
    this.#clock = clock;
    this.#showContent = showContent;
  }

  /** Notes that a request has been routed. */
  begin({ id, session, asked = "", route }: RequestLog, began: number): void {
    const { kind, task } = route ?? {};
    const named = { id, session, asked: asked.slice(0, MAX_NAME_CHARS), kind, task };
    const request: LiveRequest = { ...named, began, changed: began, steps: [], pings: 0, written: 0 };
    if (this.#showContent) request.text = "";
    this.#running.set(id, { request });
    this.#enter(request, { lane: "hold" });
  }

  /** Notes that a candidate is asked, or with a fault that it failed before its first content. */
  tried(id: string, candidate: Candidate, fault?: ApiError): void {
    const running = this.#running.get(id);
    if (!running) return;
    const { request } = running;
    const asked = running.asked = this.#modelOf(candidate);
    if (fault) {
      this.#fail(asked, fault instanceof UpstreamFault ? fault.kind : fault.type);
      this.#enter(request, { lane: "fallback", left: asked.model, why: asked.why });
    } else {
      request.model = request.steps.at(-1)!.model = asked.model;
      this.#touch(request);
    }
  }

  /** Notes what has come of an answer. */
  heard(id: string, events: readonly MessageStreamEvent[]): void {
    const { request } = this.#running.get(id) ?? {};
    if (!request) return;
    for (const event of events) {
      if (event.type === "content_block_start") {
        const lane = event.content_block.type === "tool_use" ? "tools" : "stream";
        if (request.steps.at(-1)!.lane !== lane) this.#enter(request, { lane });
      }
      const written = toWritten(event);
      request.written += written.length;
      if (request.text !== undefined && written) request.text = (request.text + written).slice(-MAX_TEXT_CHARS);
    }
    this.#touch(request);
  }

  /** Notes that a silence was filled. */
  pinged(id: string): void {
    const { request } = this.#running.get(id) ?? {};
    if (!request) return;
    request.pings++;
    this.#touch(request);
  }

  /** Notes that a request is over; of those that were refused before they were routed nothing is known. */
  end(log: RequestLog): void {
    const { id, status, model, ms, firstMs, inputTokens, cachedTokens, outputTokens } = log;
    const { request, asked } = this.#running.get(id) ?? {};
    if (!request) return;
    const failed = !isAnswered(log);
    if (model !== undefined) request.model = model;
    request.over = { status, ms, firstMs, inputTokens, cachedTokens, outputTokens, failed };
    // What failed before its first content has been noted by then; who goes away says nothing about the model.
    if (asked && failed && model !== undefined && status !== 499) this.#fail(asked, "cut");
    if (asked && !failed) Object.assign(asked, { answers: asked.answers + 1, firstMs: firstMs ?? asked.firstMs });
    this.#running.delete(id);
    const [oldest] = this.#over.values();
    if (this.#over.size === MOST_OVER) this.forgotten = oldest!.changed;
    this.#over.set(id, request);
    this.#touch(request);
  }

  /** What has changed since a time in milliseconds since 1970: requests on their way, then others as they ended. */
  requests(since = 0): LiveRequest[] {
    const running = [...this.#running.values()].map(({ request }) => request);
    return [...running, ...this.#over.values()].filter(({ changed }) => changed >= since);
  }

  /** How the models do that were asked, and some others; `toAvoided` tells until when one is avoided. */
  models(others: readonly Candidate[], toAvoided: (candidate: Candidate) => number): LiveModel[] {
    const now = this.#clock.now();
    for (const candidate of others) this.#modelOf(candidate);
    return [...this.#models.values()].map(({ candidate, ...model }) => {
      const avoidedUntil = toAvoided(candidate);
      return avoidedUntil > now ? { ...model, avoidedUntil } : model;
    });
  }

  /** The hosts of these models. */
  backends(): Backend[] {
    const backends = [...this.#models.values()].map(({ candidate: { backend } }) => [backend.name, backend] as const);
    return [...new Map(backends).values()];
  }

  /** The steps of a request that its stream has not told of yet, as events for it. */
  tell(id: string): VisualizationEvent[] {
    const running = this.#running.get(id);
    if (!running) return [];
    const { request: { steps }, told } = running;
    running.told = steps.at(-1);
    const fresh = told ? steps.slice(steps.indexOf(told) + 1) : steps;
    return fresh.map((step) => ({ type: "ncp_visualization", request_id: id, ...step }));
  }

  #modelOf(candidate: Candidate): LiveModel {
    const key = toKey(candidate);
    const { model, backend: { name: backend } } = candidate;
    let known = this.#models.get(key);
    if (!known) this.#models.set(key, known = { candidate, model, backend, answers: 0, faults: 0 });
    known.candidate = candidate; // What is configured may have changed.
    return known;
  }

  #fail(model: LiveModel, why: string): void {
    Object.assign(model, { faults: model.faults + 1, why, failedAt: this.#clock.now() });
  }

  #enter(request: LiveRequest, step: Omit<LiveStep, "at">): void {
    request.steps.push({ at: this.#clock.now() - request.began, ...step });
    if (request.steps.length > MOST_STEPS) request.steps.splice(1, 1);
    this.#touch(request);
  }

  #touch(request: LiveRequest): void {
    request.changed = this.#clock.now();
    this.onChange();
  }
}
// lib/server/sessions.ts --------------------------------------------------------------------
/** So many sessions are remembered. */
const MOST_SESSIONS = 200;
const MAX_ID_CHARS = 200;
const PREFIX_OF_PARTS = "session ";
/** Milliseconds between two writes of what has changed, and for which other processes know of it. */
const WRITE_PAUSE = 1_000;
const PART_LIFE = 86_400_000;

/** What a session of Claude Code has come to: counts only. */
type Session = Stats & {
  type: "session";
  /** What its client calls it. */
  id: string;
  /** When its last request ended, in milliseconds since 1970. */
  last: number;
};

/** The session a request belongs to, if its client says so. */
function toSessionId(headers: Headers): string | undefined {
  const id = headers.get("x-claude-code-session-id") || headers.get("x-session-id") || undefined;
  return id?.slice(0, MAX_ID_CHARS);
}

/** Whether a value is what some proxy has kept of a session. */
function isSession(value: unknown): value is Session {
  return isJsonObject(value) && value.type === "session" && isJsonObject(value.firstToken);
}

/** The sessions that asked last: here, and at every process with the same store, of which each keeps its own part. */
class Sessions {
  readonly #sessions = new BoundedMap<string, Session>(MOST_SESSIONS);
  readonly #clock: Clock;
  readonly #store: Store | undefined;
  #process: string | undefined;
  /** What is to be written. */
  readonly #changed = new Set<string>();
  #cancel = () => {};

  /** @param store Where the parts of all processes are, if it is shared. */
  constructor(clock: Clock, store?: Store) {
    this.#clock = clock;
    this.#store = store?.shared ? store : undefined;
  }

  /** How many have asked here. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Notes a request that is over; what is refused at the door begins no session. */
  add(log: RequestLog): void {
    const { session: id, ms } = log;
    if (id === undefined || !asksForMessage(log)) return;
    const known = this.#sessions.get(id);
    if (!known && !log.route) return;
    const now = this.#clock.now();
    const stats = addRequest(known ?? createStats(now - ms), log);
    this.#sessions.set(id, { type: "session", id, last: now, ...stats });
    if (!this.#store) return;
    if (this.#changed.size === 0) this.#cancel = this.#clock.after(WRITE_PAUSE, () => this.flush());
    this.#changed.add(id);
  }

  /** All of them, the one that asked last first. */
  async list(): Promise<Session[]> {
    const stored = await this.#store?.list(PREFIX_OF_PARTS).catch(() => []) ?? [];
    const others = stored.flatMap(([key, part]) => key.endsWith(` ${this.#process}`) || !isSession(part) ? [] : [part]);
    const joined = new Map<string, Session>();
    for (const part of [...this.#sessions.values()].reverse().concat(others)) {
      const known = joined.get(part.id);
      joined.set(part.id, known ? { ...joinStats(known, part), last: Math.max(known.last, part.last) } : part);
    }
    return [...joined.values()].sort((a, b) => b.last - a.last).slice(0, MOST_SESSIONS);
  }

  /** Those that have asked here since a time, in milliseconds since 1970. */
  since(time: number): Session[] {
    return [...this.#sessions.values()].filter(({ last }) => last >= time);
  }

  /** Finds a session by its id. */
  async find(id: string): Promise<Session | undefined> {
    return (await this.list()).find((session) => session.id === id);
  }

  /** Writes what has changed. */
  flush(): void {
    this.#cancel();
    for (const id of this.#changed) {
      const part = this.#sessions.get(id);
      // Made now: Workers may not make anything random before the first request.
      const key = `${PREFIX_OF_PARTS}${id} ${this.#process ??= randomId("")}`;
      if (part) this.#store?.set(key, part, PART_LIFE).catch(() => {});
    }
    this.#changed.clear();
  }
}
// lib/server/live_feed.ts -------------------------------------------------------------------
/** Milliseconds between two changes that are told, and those after which something is told although nothing changed. */
const PACE = 200;
const BEAT = 5_000;

/** What {@linkcode ArbiterStatus} tells, and what happens now: all of it, or what has changed lately. */
type LiveState = ArbiterStatus & {
  live: {
    /** The time of this, in milliseconds since 1970. */
    at: number;
    requests: LiveRequest[];
    models: LiveModel[];
    sessions: Session[];
    /** The quotas of the hosts of these models, where there is a limit. */
    quotas: (Quota & { backend?: string | undefined })[];
    /** Whether this is all of it. */
    whole: boolean;
    /** Whether requests tell what their answers say. */
    showsContent: boolean;
  };
};

/**
 * Tells all who watch what has changed, in one JSON for all of them; while nobody watches it does nothing.
 *
 * A watcher is told everything at first, and again when it has been too slow for a change.
 */
class LiveFeed {
  readonly #clock: Clock;
  readonly #toState: (since: number) => LiveState;
  readonly #watchers = new Set<(json: string) => void>();
  #cancel = () => {};
  #told = 0;
  /** Whether a change waits for its time. */
  #waits = false;

  /** @param toState Gives what has changed since a time, in milliseconds since 1970, 0 for everything. */
  constructor(clock: Clock, toState: (since: number) => LiveState) {
    this.#clock = clock;
    this.#toState = toState;
  }

  /** To be called when something has changed. */
  readonly change = (): void => {
    if (this.#waits || this.#watchers.size === 0) return;
    this.#waits = true;
    this.#tellIn(PACE - (this.#clock.now() - this.#told));
  };

  /** What a watcher is told until it leaves or the proxy closes, `toText` being how its protocol puts a JSON. */
  open(
    exchange: Pick<Exchange, "stop" | "streams" | "end">,
    toText: (json: string) => string,
  ): ReadableStream<Uint8Array> {
    const encoder = new TextEncoder();
    let behind = true;
    let [leave, forget] = [() => {}, () => {}];
    exchange.streams = true;
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        const tell = (json: string) => {
          behind ||= (controller.desiredSize ?? 0) <= 0;
          if (!behind) controller.enqueue(encoder.encode(toText(json)));
        };
        this.#watchers.add(tell);
        if (this.#watchers.size === 1) this.#tellIn(BEAT);
        leave = () => {
          if (!this.#watchers.delete(tell)) return;
          forget();
          if (this.#watchers.size === 0) {
            this.#cancel();
            this.#waits = false;
          }
          exchange.end();
        };
        forget = onAbort(exchange.stop.signal, () => {
          leave();
          controller.close();
        });
      },
      pull: (controller) => {
        if (behind) controller.enqueue(encoder.encode(toText(JSON.stringify(this.#toState(0)))));
        behind = false;
      },
      cancel: () => leave(),
    });
  }

  #tellIn(ms: number): void {
    this.#cancel();
    this.#cancel = this.#clock.after(Math.max(0, ms), () => {
      this.#waits = false;
      const since = this.#told;
      this.#told = this.#clock.now();
      const json = JSON.stringify(this.#toState(since));
      for (const tell of this.#watchers) tell(json);
      this.#tellIn(BEAT);
    });
  }
}
// lib/server/prometheus.ts ------------------------------------------------------------------
/** The labels of a series; those that are `undefined` are left out. */
type Labels = Readonly<Record<string, string | undefined>>;

/** What is counted under one name. */
type MetricFamily = {
  name: string;
  type: "counter" | "gauge" | "histogram";
  help: string;
  samples: readonly (readonly [Labels, number | Histogram])[];
};

/** Counts values by size. */
class Histogram {
  readonly bounds: readonly number[];
  /** How many values each bound holds that the one before does not. */
  readonly counts: number[];
  count = 0;
  sum = 0;

  /** @param bounds The largest value of each bucket, in rising order. */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = bounds.map(() => 0);
  }

  /** Counts a value. */
  add(value: number): void {
    const bucket = this.bounds.findIndex((bound) => value <= bound);
    if (bucket >= 0) this.counts[bucket]! += 1;
    this.count += 1;
    this.sum += value;
  }
}

const ESCAPED: Readonly<Record<string, string>> = { "\\": "\\\\", '"': '\\"', "\n": "\\n" };

function formatSample(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).flatMap(([label, text]) =>
    text === undefined ? [] : [`${label}="${text.replace(/[\\"\n]/g, (found) => ESCAPED[found]!)}"`]
  );
  return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}`;
}

function formatHistogram(name: string, labels: Labels, { bounds, counts, count, sum }: Histogram): string[] {
  let below = 0;
  const buckets = bounds.map((bound, i) =>
    formatSample(`${name}_bucket`, { ...labels, le: String(bound) }, below += counts[i]!)
  );
  return [
    ...buckets,
    formatSample(`${name}_bucket`, { ...labels, le: "+Inf" }, count),
    formatSample(`${name}_sum`, labels, sum),
    formatSample(`${name}_count`, labels, count),
  ];
}

/** The media type of {@linkcode formatMetrics}. */
const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Metrics in Prometheus' text format; a name without samples is left out. */
function formatMetrics(families: readonly MetricFamily[]): string {
  const lines = families.filter(({ samples }) => samples.length > 0).flatMap(({ name, type, help, samples }) => [
    `# HELP ${name} ${help.replace(/[\\\n]/g, (found) => ESCAPED[found]!)}`,
    `# TYPE ${name} ${type}`,
    ...samples.flatMap(([labels, value]) =>
      typeof value === "number" ? [formatSample(name, labels, value)] : formatHistogram(name, labels, value)
    ),
  ]);
  return lines.map((line) => `${line}\n`).join("");
}
// lib/server/metrics.ts ---------------------------------------------------------------------
// The buckets of OpenTelemetry's conventions, and more for the minutes that answers may take.
const DURATIONS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 120, 300, 600];
const FIRST_TIMES = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 120];
const TOKENS = Array.from({ length: 14 }, (_, power) => 4 ** power);

/** The histograms, by OpenTelemetry's names in Prometheus' spelling. */
const HISTOGRAMS = {
  http_server_request_duration_seconds: ["Time until the last byte of an answer.", DURATIONS],
  gen_ai_server_time_to_first_token_seconds: ["Time until the first content of a stream left.", FIRST_TIMES],
  gen_ai_client_token_usage: ["Tokens of an answer.", TOKENS],
} as const;

type HistogramName = keyof typeof HISTOGRAMS;

function toSamples(counts: Readonly<Record<string, number>>, label: string): [Labels, number][] {
  return Object.entries(counts).map(([name, count]) => [{ [label]: name }, count]);
}

/** What a proxy's counts are as metrics. */
function toFamilies(status: ArbiterStatus, sessions: number): MetricFamily[] {
  const one = (value: number | undefined): [Labels, number][] => value === undefined ? [] : [[{}, value]];
  const { version, quota, since, kinds, models, local, fallbacks, errors, cachedTokens, anthropicCost } = status;
  const tokens = { input: status.inputTokens, output: status.outputTokens };
  const rows: [name: string, type: "counter" | "gauge", help: string, samples: [Labels, number][]][] = [
    ["build_info", "gauge", "The version.", [[{ version }, 1]]],
    ["start_time_seconds", "gauge", "When it started, in seconds since 1970.", one(since / 1000)],
    ["requests_total", "counter", "Requests for messages by what they are for.", toSamples(kinds, "kind")],
    ["answers_total", "counter", "Answers by the model that gave them.", toSamples(models, "model")],
    ["local_answers_total", "counter", "Answers that needed no model.", one(local)],
    ["fallbacks_total", "counter", "Answers by another model than the first that was to be asked.", one(fallbacks)],
    ["errors_total", "counter", "Requests that failed, also in the middle of an answer.", one(errors)],
    ["tokens_total", "counter", "Tokens of all answers, also of broken ones.", toSamples(tokens, "type")],
    ["cached_input_tokens_total", "counter", "Input tokens that a host had in its cache.", one(cachedTokens)],
    ["anthropic_cost_dollars_total", "counter", "Estimate of what Anthropic would have asked.", one(anthropicCost)],
    ["sessions", "gauge", "Sessions that are remembered.", one(sessions)],
    ["quota_left_requests", "gauge", "Requests the account may start now.", one(quota?.left)],
    ["quota_limit_requests", "gauge", "Requests the account may start in a window.", one(quota?.limit)],
  ];
  return rows.map(([name, type, help, samples]) => ({ name: `arbiter_${name}`, type, help, samples }));
}

/** How long answers took and how large they were, by the model that gave them; never by who asked. */
class Metrics {
  readonly #series = new Map<string, { name: HistogramName; labels: Labels; histogram: Histogram }>();
  readonly #models: Record<string, true> = Object.create(null);

  /** Notes a request that is over. */
  add(log: RequestLog): void {
    if (!asksForMessage(log)) return;
    const { method, path, status, ms, error, model, firstMs, inputTokens, outputTokens } = log;
    this.#add("http_server_request_duration_seconds", ms / 1000, {
      http_request_method: method === "POST" ? method : "_OTHER",
      http_route: path,
      http_response_status_code: String(status),
      error_type: status >= 400 ? String(status) : error === undefined ? undefined : "broken_off",
    });
    if (model === undefined || model === LOCAL_MODEL || !isAnswered(log)) return;
    const name = toCountedName(this.#models, model);
    this.#models[name] = true;
    const labels = { gen_ai_operation_name: "chat", gen_ai_response_model: name };
    if (firstMs !== undefined) this.#add("gen_ai_server_time_to_first_token_seconds", firstMs / 1000, labels);
    const tokens = { input: inputTokens, output: outputTokens };
    for (const [type, count] of Object.entries(tokens)) {
      if (count) this.#add("gen_ai_client_token_usage", count, { ...labels, gen_ai_token_type: type });
    }
  }

  /** Everything there is to tell. */
  families(status: ArbiterStatus, sessions: number): MetricFamily[] {
    const series = [...this.#series.values()];
    const histograms = Object.entries(HISTOGRAMS).map(([name, [help]]): MetricFamily => {
      const samples = series.filter((one) => one.name === name).map((one) => [one.labels, one.histogram] as const);
      return { name, type: "histogram", help, samples };
    });
    return [...histograms, ...toFamilies(status, sessions)];
  }

  #add(name: HistogramName, value: number, labels: Labels): void {
    const key = JSON.stringify([name, labels]);
    let series = this.#series.get(key);
    if (!series) {
      series = { name, labels, histogram: new Histogram(HISTOGRAMS[name][1]) };
      this.#series.set(key, series);
    }
    series.histogram.add(value);
  }
}
// lib/wire/iterate.ts -----------------------------------------------------------------------
/** Makes an iterable of what `next` gives: in a stream of many small pieces, generators within generators cost the most. */
function iterate<T>(next: () => Promise<IteratorResult<T, undefined>>): AsyncIterableIterator<T, undefined> {
  return { next, [Symbol.asyncIterator]: () => iterate(next) };
}
// lib/server/shared_answer.ts ---------------------------------------------------------------
/** An answer that has begun: what the log says of it, and the events of each read of the upstream. */
type GivenAnswer = {
  model: string;
  fellBack: boolean;
  warnings: string[];
  events: AsyncIterableIterator<MessageStreamEvent[], undefined>;
};

/** A request that can be asked: when it came, what makes the event its stream begins with, what asks and tells when. */
type Question = {
  created: number;
  toStart: () => MessageStart;
  ask: (signal: AbortSignal, onAsked?: () => void) => Promise<GivenAnswer>;
};

/** An answer that was asked for, and what was in the {@linkcode Question} it is for. */
type Begun = Omit<Question, "ask"> & { answer: Promise<GivenAnswer> };

/** The events of one read, and what follows once somebody has asked for that: nothing at the end. */
type Batch = { events: MessageStreamEvent[]; next?: Promise<Batch | undefined> };

/** So much of an answer is kept for those who come later, as {@linkcode toSize} measures it. */
const MAX_SIZE = 2_000_000;
/** What a delta takes beside its text: roughly its characters as JSON. */
const EVENT_SIZE = 100;

/** Roughly how many characters events have as JSON. */
function toSize(events: readonly MessageStreamEvent[]): number {
  let size = 0;
  for (const event of events) {
    if (event.type !== "content_block_delta") size += JSON.stringify(event).length;
    else {
      size += EVENT_SIZE;
      for (const value of Object.values(event.delta)) {
        size += typeof value === "string" ? value.length : JSON.stringify(value).length;
      }
    }
  }
  return size;
}

/** Makes an answer's events of what is there already, in one read. */
async function* toBatches(...batches: MessageStreamEvent[][]): AsyncGenerator<MessageStreamEvent[], undefined> {
  yield* batches;
}

function readFrom(first: Batch | undefined, pull: () => Promise<Batch | undefined>): GivenAnswer["events"] {
  let at = first;
  return iterate(async () => {
    at = await (at && (at.next ??= pull()));
    return at ? { value: at.events, done: false } : { value: undefined, done: true };
  });
}

/**
 * One answer for several requests, each of which reads it from its first event on.
 *
 * The fastest reader sets the pace. Batches are linked, so that only the first one has to be held for those who come
 * later, and what everybody has read is forgotten when it is let go.
 */
class SharedAnswer {
  readonly #begun: Omit<Begun, "answer">;
  readonly #answer: Promise<GivenAnswer>;
  readonly #stop = new AbortController();
  readonly #onLeft: () => void;
  readonly #onOver: (whole: boolean) => void;
  #events: GivenAnswer["events"] | undefined;
  #first: Batch | undefined = { events: [] };
  #readers = 0;
  /** Whether a model has been asked: until then it has cost nothing. */
  asked = false;
  /** Whether nothing of it can come any more. */
  over = false;
  /** How much of it has come, in characters. */
  size = 0;

  /** Asks; `onLeft` is called when the last reader has gone before the end, `onOver` when it ends, whole or not. */
  constructor({ ask, ...begun }: Question, onLeft: () => void, onOver: (whole: boolean) => void) {
    [this.#begun, this.#onLeft, this.#onOver] = [begun, onLeft, onOver];
    this.#answer = ask(this.#stop.signal, () => this.asked = true);
    this.#answer.catch(() => this.#end(false));
  }

  /** Whether all that has come is still there. */
  get kept(): boolean {
    return this.#first !== undefined;
  }

  /** Gives the answer to one more reader, who goes away when `signal` fires. */
  join(signal: AbortSignal): Begun {
    const events = readFrom(this.#first, () => this.#pull());
    this.#readers++;
    onAbort(signal, () => {
      if (--this.#readers === 0 && !this.over) this.#onLeft();
    });
    return { ...this.#begun, answer: this.#answer.then((given) => ({ ...given, events })) };
  }

  /** Reads on although nobody waits, so that all of it is there when somebody comes. */
  async finish(): Promise<void> {
    const events = readFrom(this.#first, () => this.#pull());
    try {
      while (!(await events.next()).done);
    } catch {
      // It is over.
    }
  }

  /** Breaks off, also for those who read. */
  giveUp(reason?: unknown): void {
    this.#end(false);
    this.#stop.abort(reason);
  }

  async #pull(): Promise<Batch | undefined> {
    try {
      this.#events ??= (await this.#answer).events;
      const { value: events, done } = await this.#events.next();
      if (done) {
        this.#end(true);
        return undefined;
      }
      this.size += toSize(events);
      if (this.size > MAX_SIZE) this.#first = undefined;
      return { events };
    } catch (thrown) {
      this.#end(false);
      throw thrown;
    }
  }

  #end(whole: boolean): void {
    if (this.over) return;
    this.over = true;
    this.#onOver(whole);
  }
}
// lib/server/claims.ts ----------------------------------------------------------------------
/** Milliseconds an answer is remembered under its key. */
const KEY_MEMORY = 600_000;
/** Milliseconds after which a process that has said nothing of its claim has lost it. */
const CLAIM_LEASE = 30_000;
/** Milliseconds between two looks at another process's claim. */
const CLAIM_POLL = 250;
/** Longer answers, in characters, are not stored: each store has to carry all of one at once. */
const MAX_STORED = 512_000;

/** Who asks for an answer under a key, for which body; in the end all of it. */
type Claim = {
  owner: string;
  body: string;
  created: number;
  start: MessageStart;
  answer?: Omit<GivenAnswer, "events"> & { events: MessageStreamEvent[] };
};

/**
 * Sees to it that of several processes with one store only one asks for what has a key: it claims the key, and renews
 * that while it is at work; the others wait for the answer, or take the claim over when its owner is silent. Without the
 * store each asks for itself.
 */
class Claims {
  readonly #parts: Pick<HandlerParts, "store" | "clock" | "newId">;

  constructor(parts: Pick<HandlerParts, "store" | "clock" | "newId">) {
    this.#parts = parts;
  }

  /**
   * Claims a key for a question, unless that is done; `check` throws where the body is another one.
   *
   * @returns What to ask instead, and whether somebody else was the first.
   */
  async claim(
    id: string,
    body: string,
    question: Question,
    check: (body: string) => void,
  ): Promise<{ question: Question; found: boolean }> {
    const { created, toStart, ask } = question;
    const mine: Claim = { owner: this.#parts.newId("claim_"), body, created, start: toStart() };
    const claim = await this.#take(id, mine).catch(() => mine);
    check(claim.body);
    const { start } = claim;
    const own = { ...mine, created: claim.created, start };
    const wait = async (signal: AbortSignal): Promise<GivenAnswer> => {
      let now = claim;
      while (now.owner !== own.owner && !now.answer) {
        await sleep(this.#parts.clock, CLAIM_POLL, signal);
        now = await this.#take(id, own).catch(() => own);
        check(now.body);
      }
      if (!now.answer) return await this.#ask(id, own, ask, signal);
      noteUsage({}, now.answer.events); // Whoever asked has counted it.
      return { ...now.answer, events: toBatches(now.answer.events) };
    };
    return { question: { created: claim.created, toStart: () => start, ask: wait }, found: claim.owner !== own.owner };
  }

  /** Takes a claim if nobody has it, and gives the one there is. */
  async #take(id: string, claim: Claim): Promise<Claim> {
    const { store } = this.#parts;
    for (;;) {
      const found = await store.get(id) as Claim | undefined;
      if (found) return found;
      if (await store.swap(id, undefined, claim, CLAIM_LEASE)) return claim;
    }
  }

  /** Asks, keeps the claim meanwhile, and puts the answer in its place; what fails gives it up. */
  async #ask(id: string, claim: Claim, ask: Question["ask"], signal: AbortSignal): Promise<GivenAnswer> {
    const { store, clock } = this.#parts;
    let over = false;
    let cancel = () => {};
    const renew = () => {
      cancel = clock.after(CLAIM_LEASE / 3, async () => {
        const held = await store.swap(id, claim, claim, CLAIM_LEASE).catch(() => true);
        if (held && !over) renew();
      });
    };
    const end = (answer?: Claim["answer"]) => {
      if (over) return;
      over = true;
      cancel();
      store.swap(id, claim, answer && { ...claim, answer }, KEY_MEMORY).catch(() => {}); // Then its lease ends it.
    };
    renew();
    onAbort(signal, () => end());
    try {
      const { events, ...given } = await ask(signal);
      return { ...given, events: this.#keep(events, (all) => end(all && { ...given, events: all })) };
    } catch (thrown) {
      end();
      throw thrown;
    }
  }

  /** Passes events on, and gives all of them to `end`, nothing if they are too many. */
  async *#keep(events: GivenAnswer["events"], end: (all?: MessageStreamEvent[]) => void): GivenAnswer["events"] {
    const all: MessageStreamEvent[] = [];
    let size = 0;
    try {
      for await (const batch of events) {
        size += toSize(batch);
        if (size <= MAX_STORED) all.push(...batch);
        yield batch;
      }
      end(size <= MAX_STORED ? all : undefined);
    } finally {
      end();
    }
  }
}
// lib/server/shared_answers.ts --------------------------------------------------------------
const MAX_KEY_CHARS = 255;
/** So many answers are remembered under keys, and so many characters of them. */
const MOST_KEPT = 1_000;
const MAX_KEPT_CHARS = 32_000_000;

const NO_RETRY = { headers: { "x-should-retry": "false" } };

type Kept = { body: string; answer: SharedAnswer; until: number };

/** Whose request it is: what one client asks, is none of another's business. */
function toOwner({ client, log: { path } }: Exchange): string {
  return `${client?.name ?? toDigest(client?.key ?? "", 11)} ${path}`;
}

/** The part of a session that asks one thing after the other, if its client says so. */
function toThread({ request: { headers }, log: { session } }: Exchange): string | undefined {
  return session && `${session} ${headers.get("x-claude-code-agent-id")}`;
}

/**
 * Finds requests that have been asked before, so that they need not be asked again: under a key that the client has
 * given them, or because its connection broke a moment ago.
 *
 * Answers wait for clients that send `x-stainless-retry-count` only: those repeat by themselves what has broken off.
 */
class SharedAnswers {
  readonly #parts: Pick<HandlerParts, "clock" | "store" | "linger">;
  readonly #claims: Claims;
  readonly #running = new Set<SharedAnswer>();
  /** Answers whose clients have gone, with what they had asked, and what calls off the end. */
  readonly #lingering = new Map<SharedAnswer, { exchange: Exchange; cancel: () => void }>();
  readonly #kept = new Map<string, Kept>();

  constructor(parts: Pick<HandlerParts, "clock" | "store" | "newId" | "linger">) {
    this.#parts = parts;
    this.#claims = new Claims(parts);
  }

  /**
   * Gives the answer to a question, an older one if there is one that fits.
   *
   * @throws {ApiError} If its key is too long, or belongs to another request.
   */
  async begin(exchange: Exchange, question: Question): Promise<Begun> {
    const { request: { headers }, stop: { signal } } = exchange;
    signal.throwIfAborted();
    const key = headers.get("idempotency-key") || headers.get("anthropic-idempotency-key");
    if (key) return await this.#beginKeyed(key, exchange, question);
    const left = this.#findLeft(exchange);
    if (left) {
      exchange.log.replayed = true;
      return left.join(signal);
    }
    const lingers = headers.has("x-stainless-retry-count") && this.#parts.linger > 0;
    const answer = this.#share(question, () => {
      if (lingers && answer.asked) this.#linger(answer, exchange);
      else answer.giveUp();
    });
    return answer.join(signal);
  }

  /** Breaks everything off. */
  close(reason: unknown): void {
    for (const answer of this.#running) answer.giveUp(reason);
  }

  #share(question: Question, onLeft: () => void, onOver: (whole: boolean) => void = () => {}): SharedAnswer {
    // What is not kept is of no use to anybody who comes later.
    const leave = () => answer.kept ? onLeft() : answer.giveUp();
    const answer: SharedAnswer = new SharedAnswer(question, leave, (whole) => {
      this.#running.delete(answer);
      this.#take(answer);
      onOver(whole);
    });
    this.#running.add(answer);
    return answer;
  }

  /** Waits a little while for whoever has gone from an answer to come again. */
  #linger(answer: SharedAnswer, exchange: Exchange): void {
    const cancel = this.#parts.clock.after(this.#parts.linger, () => answer.giveUp());
    this.#lingering.set(answer, { exchange, cancel });
  }

  /** Takes an answer out of those that linger. */
  #take(answer: SharedAnswer): void {
    this.#lingering.get(answer)?.cancel();
    this.#lingering.delete(answer);
  }

  /** Finds the answer that a client has left and asks for again; one that asks for something else has given it up. */
  #findLeft(exchange: Exchange): SharedAnswer | undefined {
    if (this.#lingering.size === 0) return undefined;
    const [owner, thread] = [toOwner(exchange), toThread(exchange)];
    const own = [...this.#lingering].filter(([, { exchange: before }]) =>
      toOwner(before) === owner && toThread(before) === thread
    );
    const [same] =
      own.find(([, { exchange: { body, size } }]) => size === exchange.size && isSameJson(body, exchange.body)) ?? [];
    if (same) this.#take(same);
    else if (thread !== undefined) own.forEach(([answer]) => answer.giveUp());
    return same;
  }

  async #beginKeyed(key: string, exchange: Exchange, question: Question): Promise<Begun> {
    const { log, stop: { signal }, body } = exchange;
    if (key.length > MAX_KEY_CHARS) {
      const message = `The idempotency key has ${key.length} characters: at most ${MAX_KEY_CHARS} are allowed`;
      throw new ApiError("invalid_request_error", message, NO_RETRY);
    }
    const id = `answer ${toOwner(exchange)} ${key}`;
    const digest = toDigest(JSON.stringify(body), 11);
    const check = (other: string) => {
      if (other === digest) return;
      const message = "The idempotency key was used for another request: give each request a key of its own";
      throw new ApiError("invalid_request_error", message, { ...NO_RETRY, status: 409 });
    };
    this.#forget();
    const kept = this.#kept.get(id);
    if (kept) check(kept.body);
    if (kept?.answer.kept) {
      log.replayed = true;
      return kept.answer.join(signal);
    }
    const claimed = this.#parts.store.shared
      ? await this.#claims.claim(id, digest, question, check)
      : { question, found: false };
    if (signal.aborted) return { ...claimed.question, answer: claimed.question.ask(signal) };
    if (claimed.found) log.replayed = true;
    const answer = this.#share(claimed.question, () => void answer.finish(), (whole) => {
      if (whole && answer.kept) entry.until = this.#parts.clock.now() + KEY_MEMORY;
      else if (this.#kept.get(id) === entry) this.#kept.delete(id);
      this.#forget();
    });
    const entry: Kept = { body: digest, answer, until: Infinity };
    this.#kept.set(id, entry);
    return answer.join(signal);
  }

  /** Forgets what is too old, and of what is too much the oldest. */
  #forget(): void {
    const now = this.#parts.clock.now();
    let size = 0;
    for (const { answer } of this.#kept.values()) size += answer.size;
    for (const [id, { answer, until }] of this.#kept) {
      if (until > now && this.#kept.size <= MOST_KEPT && size <= MAX_KEPT_CHARS) continue;
      size -= answer.size;
      this.#kept.delete(id);
    }
  }
}
// lib/server/options.ts ---------------------------------------------------------------------
/** How clients are answered. */
export interface HandlerOptions extends ChainOptions {
  /** Largest request body, in bytes. @default {33_554_432} */
  maxBodyBytes?: number;
  /** Milliseconds to wait in silence, so that an early failure can be a truthful HTTP status. @default {8_000} */
  hold?: number;
  /** Milliseconds of silence in a stream after which a `ping` is sent. @default {10_000} */
  pingInterval?: number;
  /**
   * Milliseconds an answer goes on after a client that repeats by itself has gone in the middle of it; 0 breaks it off at
   * once. @default {5_000}
   */
  linger?: number;
  /** Side requests that are answered without any model. @default {["title", "quota"]} */
  localAnswers?: readonly LocalAnswer[];
  /** Keys of which every client needs one; without any only clients of this machine are served. @default {[]} */
  clientKeys?: readonly ClientKey[];
  /** Whether others are served, too, where there are no keys. @default {false} */
  open?: boolean;
  /** How many messages a client may ask for in any minute, unless its key says otherwise; 0 is no limit. @default {0} */
  inboundRpm?: number;
  /** Whether the dashboard shows the end of what each answer says; without it content is never shown. @default {false} */
  showContent?: boolean;
  /** Whether streams tell of their lanes in events called `ncp_visualization`, as one earlier tool has it. @default {false} */
  visualizes?: boolean;
  /** Called when a request is over. @default {() => {}} */
  onRequest?: (log: RequestLog) => void;
}

/** What the handler works with: all its options, and the parts that stand for one proxy; `load` goes before counting. */
type HandlerParts = Required<HandlerOptions> & {
  router: () => Router;
  send: Send;
  load: () => Promise<void>;
  ledger: TokenLedger;
  shared: SharedAnswers;
  status: () => ArbiterStatus;
  sessions: Sessions;
  metrics: Metrics;
  live: Live;
  feed: LiveFeed;
  state: () => LiveState;
};
// lib/server/event_stream.ts ----------------------------------------------------------------
/**
 * Milliseconds after which silence is filled with more than a ping: Claude Code gives up after ten minutes of pings,
 * but counts an empty `message_delta` as life (observed with 2.1.328).
 */
const EMPTY_DELTA_INTERVAL = 240_000;

const EMPTY_DELTA: MessageStreamEvent = {
  type: "message_delta",
  delta: { stop_reason: null, stop_sequence: null },
  usage: { output_tokens: 0 },
};

/** What makes the event a stream begins with, whether that is sent before the answer is there, and the answer. */
type Streamed = { toStart: () => MessageStreamEvent; early: boolean; answer: Promise<GivenAnswer> };

/** Whether the client is Claude Code. */
function isClaudeCode(headers: Headers): boolean {
  return headers.get("user-agent")?.startsWith("claude-cli/") ?? false;
}

/** The body of a streamed answer: one write a read, pings in its silences; a broken one never ends like a whole one. */
function toEventStream(
  exchange: Exchange,
  { toStart, early, answer }: Streamed,
  { clock, pingInterval, live, visualizes }: HandlerParts,
): ReadableStream<Uint8Array> {
  const { request: { headers, signal }, log, began, stop, format } = exchange;
  // Claude Code repeats a request by itself when the connection breaks or an `overloaded_error` comes before any
  // content; other errors cost it a request without streaming.
  const repeats = isClaudeCode(headers);
  let begun = false;
  let [content, over] = [false, false];
  let [lastWrite, lastContent] = [clock.now(), clock.now()];
  let cancelTick = () => {};
  let given: GivenAnswer["events"] | undefined;
  let controller: ReadableStreamDefaultController<Uint8Array>;

  function write(events: (MessageStreamEvent | ApiErrorBody)[]): void {
    lastWrite = clock.now();
    const first = [...begun ? [] : [toStart()], ...visualizes ? live.tell(log.id) : []];
    controller.enqueue(format.encode(first.length > 0 ? [...first, ...events] : events));
    begun = true;
  }

  function tick(wait: number): void {
    cancelTick = clock.after(wait, () => {
      const now = clock.now();
      if (now < lastWrite + pingInterval) return tick(lastWrite + pingInterval - now);
      const late = now + pingInterval > lastContent + EMPTY_DELTA_INTERVAL;
      if (late) lastContent = now;
      live.pinged(log.id);
      if ((controller.desiredSize ?? 0) > 0) write([late ? EMPTY_DELTA : { type: "ping" }]);
      tick(pingInterval);
    });
  }

  function end(error?: string): void {
    over = true;
    cancelTick();
    log.error = error;
    if (error !== undefined) stop.abort();
    if (error !== undefined && signal.aborted) log.status = 499;
    exchange.end();
  }

  function fail(error: ApiError): void {
    end(error.message);
    if (content && (repeats || format.cuts)) return controller.error(error);
    const again = repeats && error.status >= 429 && error.headers["x-should-retry"] !== "false";
    try {
      write([again ? new ApiError("overloaded_error", error.message).toJSON() : error.toJSON()]);
      controller.close();
    } catch {
      // Deno's own server takes nothing more for a client that has gone.
    }
  }

  async function pull(): Promise<void> {
    given ??= (await answer).events;
    const { value: events, done } = await given.next();
    if (over) return;
    if (done) {
      end();
      return controller.close();
    }
    noteUsage(log, events);
    live.heard(log.id, events);
    content ||= events.some(({ type }) => type === "content_block_start");
    lastContent = clock.now();
    if (content && !log.replayed && log.model !== LOCAL_MODEL) log.firstMs ??= lastContent - began;
    write(events);
  }

  exchange.streams = true;
  return new ReadableStream<Uint8Array>({
    start(given) {
      controller = given;
      if (early) write([]);
      tick(pingInterval);
      onAbort(stop.signal, () => over || fail(toApiError(stop.signal.reason))); // The answer may go on for others.
    },
    pull: () => pull().catch((thrown) => over ? undefined : fail(toApiError(thrown))),
    cancel() {
      if (over) return;
      log.status = 499;
      end(CLIENT_GONE);
    },
  });
}
// lib/server/messages.ts --------------------------------------------------------------------
/** Headers of every answer that comes piece by piece. */
const STREAM_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  "x-accel-buffering": "no",
};

/** Finds out where a request goes, if it needs a model at all; nobody is asked yet. */
function prepareQuestion(
  asked: MessagesRequest,
  { request: { headers }, log, size, began: created }: Exchange,
  parts: HandlerParts,
): Question {
  const toTokens = (request: MessagesRequest, kind: string) =>
    parts.ledger.open(request, toSession(headers, request, kind), size);
  const turn = toTokens(asked, "main");
  const inputTokens = (candidate: Candidate) => turn.count(candidate);
  const { request, kind, wanted, candidates, trace } = parts.router().route({ request: asked, headers, inputTokens });
  log.route = trace;
  parts.live.begin(log, created);
  const tokens = request === asked && kind === "main" ? turn : toTokens(request, kind);
  const id = parts.newId("msg_");
  let start: MessageStart | undefined;
  const toStart = () => start ??= toMessageStart(id, asked.model, tokens.count(wanted));
  // Hosts of Anthropic's format may know how, and OpenRouter searches for models whose names end like this.
  const searches = kind === "web_search" && (wanted.backend.format === "anthropic" || wanted.model.endsWith(":online"));
  const text = searches ? undefined : toLocalAnswer(kind, request, new Set(parts.localAnswers));
  if (text !== undefined) {
    trace.why.push("answered without a model");
    const given = { model: LOCAL_MODEL, fellBack: false, warnings: [], events: toBatches(toTextEvents(text)) };
    return { created, toStart, ask: () => Promise.resolve(given) };
  }
  if (candidates.length === 0) {
    throw new ApiError("authentication_error", trace.why.at(-1) ?? "", { headers: { "x-should-retry": "false" } });
  }
  const ask: Question["ask"] = async (signal, onAsked = () => {}) => {
    // Counting waits until the request is on its way; what it takes is not added to the time of the answer.
    setTimeout(() => tokens.count(wanted), 0);
    const onTry: SendOptions["onTry"] = (candidate, fault) => {
      onAsked();
      parts.live.tried(log.id, candidate, fault);
    };
    const options = { candidates, signal, tokens, kind, headers, onTry };
    const { candidate, warnings, events } = await parts.send(request, options);
    return { model: candidate.model, fellBack: candidate !== candidates[0], warnings, events };
  };
  return { created, toStart, ask };
}

/**
 * Answers `POST /v1/messages`, in the format that `toFormat` makes for an answer of that time.
 *
 * A failure within the hold is a truthful HTTP status. After it the stream has begun: pings keep the client waiting,
 * and what fails then can only be told inside the stream.
 *
 * @throws {ApiError} If no candidate answers before the response begins.
 */
async function answerMessages(
  exchange: Exchange,
  body: unknown,
  parts: HandlerParts,
  toFormat: (created: number) => AnswerFormat = () => MESSAGES_FORMAT,
): Promise<Response> {
  const { log, stop: { signal } } = exchange;
  const asked = parseMessagesRequest(body);
  log.asked = asked.model;
  const begun = await parts.shared.begin(exchange, prepareQuestion(asked, exchange, parts));
  const { created, toStart } = begun;
  exchange.format = toFormat(created);
  const answer = abortable(signal, begun.answer).then((given) => {
    const { model, fellBack, warnings } = given;
    Object.assign(log, { model, fellBack, warnings: [...log.warnings ?? [], ...warnings] });
    return given;
  });
  answer.catch(() => {}); // It is awaited below or by the stream, perhaps only when the client reads.
  if (!asked.stream) {
    const events: MessageStreamEvent[] = [];
    for await (const batch of (await answer).events) {
      parts.live.heard(log.id, batch);
      events.push(...batch);
    }
    noteUsage(log, events);
    return Response.json(exchange.format.toBody(toMessage(events, toStart().message)));
  }
  let cancelHold = () => {};
  const held = new Promise<"held">((resolve) => cancelHold = parts.clock.after(parts.hold, () => resolve("held")));
  const early = await Promise.race([answer, held]).finally(cancelHold) === "held";
  return new Response(toEventStream(exchange, { toStart, early, answer }, parts), { headers: STREAM_HEADERS });
}
// lib/server/chat_completions.ts ------------------------------------------------------------
/**
 * Answers `POST /v1/chat/completions`: as a Messages request it goes the way of all others, and only its answer is put
 * on the wire in another format.
 *
 * @throws {ApiError} If no candidate answers before the response begins.
 */
function answerChat(exchange: Exchange, parts: HandlerParts): Promise<Response> {
  const asked = parseClientChatRequest(exchange.body);
  const { request, warnings } = toMessagesRequest(asked);
  exchange.log.warnings = warnings;
  const withUsage = asked.stream_options?.include_usage === true;
  return answerMessages(exchange, request, parts, (created) => createChatFormat(created, withUsage));
}
// lib/server/dashboard_page.ts --------------------------------------------------------------
/** The dashboard, made by scripts/amalgamate.ts from the files in lib/server/dashboard/. */
const DASHBOARD_PAGE = ` <!doctype html>
 <html lang="en">
 <head>
 <meta charset="utf-8">
 <meta name="viewport" content="width=device-width, initial-scale=1">
 <title>Arbiter</title>
 <link rel="icon" href="data:,">
<style>
 :root {
 color-scheme: light dark;
 --ground: light-dark(#f6f7f9, #10141a);
 --card: light-dark(#fff, #181e27);
 --ink: light-dark(#1b2430, #e6eaf0);
 --soft: light-dark(#566273, #a3afbf);
 --line: light-dark(#d6dbe3, #303a48);
 --accent: light-dark(#1d5fc4, #7fb1ff);
 --bad: light-dark(#b3261e, #ff8a80);
 --good: light-dark(#1a6b3c, #6fd39a);
 }
 * {
 box-sizing: border-box;
 margin: 0;
 }
 body {
 margin: 0 auto;
 max-width: 1240px;
 padding: 0 16px 32px;
 background: var(--ground);
 color: var(--ink);
 font: 15px/1.45 system-ui, sans-serif;
 font-variant-numeric: tabular-nums;
 overflow-wrap: anywhere;
 }
 header {
 display: flex;
 flex-wrap: wrap;
 align-items: center;
 gap: 4px 16px;
 padding: 14px 0;
 }
 h1 {
 font-size: 20px;
 }
 h1 small,
 dt,
 .legend,
 thead th {
 color: var(--soft);
 font-weight: 400;
 font-size: 13px;
 }
 h2 {
 margin: 0 0 8px;
 font-size: 15px;
 }
 #connection {
 flex: 1;
 color: var(--soft);
 }
 #connection::before,
 .legend li::before {
 content: "";
 display: inline-block;
 width: 10px;
 height: 10px;
 margin-right: 6px;
 border-radius: 50%;
 background: var(--lane);
 }
 #connection.live {
 --lane: var(--good);
 }
 #connection.lost {
 --lane: var(--bad);
 }
 button,
 input {
 font: inherit;
 color: inherit;
 background: var(--card);
 border: 1px solid var(--soft);
 border-radius: 6px;
 padding: 5px 12px;
 min-height: 34px;
 }
 button {
 cursor: pointer;
 }
 :focus-visible {
 outline: 3px solid var(--accent);
 outline-offset: 2px;
 }
 main {
 display: grid;
 grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr));
 gap: 12px;
 }
 section,
 #door,
 #notice,
 #tiles div {
 background: var(--card);
 border: 1px solid var(--line);
 border-radius: 10px;
 padding: 12px 14px;
 min-width: 0;
 }
 .wide {
 grid-column: 1 / -1;
 }
 #notice {
 border-color: var(--bad);
 }
 #tiles {
 display: grid;
 grid-template-columns: repeat(auto-fit, minmax(140px, 1fr));
 gap: 12px;
 }
 #tiles div {
 padding: 8px 12px;
 }
 dd {
 font-size: 20px;
 }
 ul,
 ol {
 padding: 0;
 list-style: none;
 }
 .legend {
 display: flex;
 flex-wrap: wrap;
 gap: 2px 14px;
 margin-bottom: 6px;
 }
 .legend li::before {
 border-radius: 3px;
 }
 .requests > li {
 padding: 6px 0;
 }
 .requests > li + li {
 border-top: 1px solid var(--line);
 }
 .line {
 display: flex;
 flex-wrap: wrap;
 gap: 0 12px;
 }
 .line .time {
 margin-left: auto;
 }
 .soft {
 color: var(--soft);
 }
 .bad {
 color: var(--bad);
 }
 .good {
 color: var(--good);
 }
 svg {
 display: block;
 width: 100%;
 }
 .lanes {
 position: relative;
 margin-top: 4px;
 }
 .lanes svg {
 height: 8px;
 }
 .lanes span {
 display: block;
 height: 14px;
 color: var(--soft);
 font-size: 12px;
 line-height: 10px;
 }
 #flight svg {
 position: absolute;
 top: 0;
 left: 64px;
 width: calc(100% - 64px);
 height: 56px;
 }
 rect {
 fill: var(--lane);
 }
 .rail {
 --lane: var(--line);
 opacity: .45;
 }
 .hold {
 --lane: light-dark(#c8891a, #e0a93f);
 }
 .stream {
 --lane: light-dark(#2b6fd6, #5b9bf5);
 }
 .fallback {
 --lane: light-dark(#c0392b, #f0705f);
 }
 .tools {
 --lane: light-dark(#7c4dd1, #a98af0);
 }
 #latency,
 #tokens {
 height: 80px;
 margin-bottom: 4px;
 border-bottom: 1px solid var(--line);
 }
 pre {
 margin: 4px 0 0;
 max-height: 6em;
 overflow: hidden;
 white-space: pre-wrap;
 color: var(--soft);
 }
 #recent pre {
 white-space: nowrap;
 text-overflow: ellipsis;
 }
 .scroll {
 overflow: auto;
 max-height: 340px;
 }
 table {
 width: 100%;
 border-collapse: collapse;
 }
 th,
 td {
 padding: 4px 12px 4px 0;
 text-align: left;
 vertical-align: top;
 }
 th {
 font-weight: 400;
 }
 thead th {
 white-space: nowrap;
 }
 tbody th {
 min-width: 160px;
 }
 td,
 time {
 overflow-wrap: normal;
 }
 tbody td:nth-child(2) {
 min-width: 100px;
 }
 tbody > tr > * {
 border-top: 1px solid var(--line);
 }
 #quotas li {
 display: flex;
 flex-wrap: wrap;
 gap: 0 8px;
 align-items: center;
 margin-bottom: 6px;
 }
 meter {
 width: 120px;
 }
 #events li {
 display: flex;
 gap: 12px;
 padding: 1px 0;
 }
 .hidden {
 position: absolute;
 width: 1px;
 height: 1px;
 overflow: hidden;
 clip-path: inset(50%);
 }
</style>
 </head>
 <body>
 <header>
 <h1>Arbiter <small id="version"></small></h1>
 <p id="connection" class="hold" role="status">Connecting …</p>
 <button id="theme" type="button">Theme: auto</button>
 </header>
 <p id="news" class="hidden" aria-live="polite"></p>
 <main>
 <form id="door" class="wide" hidden>
 <label for="key">This proxy wants its key (ARBITER_API_KEY). It stays in this tab.</label>
 <p>
 <input id="key" type="password" autocomplete="off" pattern=" *[!-~]+ *" required>
 <button>Open</button>
 </p>
 </form>
 <p id="notice" class="wide" hidden>
 <strong>Content is shown</strong>: this proxy was started with ARBITER_SHOW_CONTENT, so that whoever opens this page
 can read the end of each answer.
 </p>
 <dl id="tiles" class="wide" aria-label="Since the start"></dl>

 <section aria-labelledby="h-flight" class="wide">
 <h2 id="h-flight">In flight</h2>
 <p id="idle" class="soft">Nothing is on its way.</p>
 <ul id="flight" class="requests"></ul>
 </section>

 <section aria-labelledby="h-recent" class="wide">
 <h2 id="h-recent">Recent</h2>
 <ul class="legend" aria-label="Lanes">
 <li class="hold">hold</li>
 <li class="fallback">fallback</li>
 <li class="stream">stream</li>
 <li class="tools">tools</li>
 </ul>
 <p id="none" class="soft">
 No request yet. In another terminal: <code>arbiter-proxy env</code> says how Claude Code gets here.</p>
 <ul id="recent" class="requests"></ul>
 </section>

 <section>
 <h2 id="h-models">Models</h2>
 <ul id="quotas"></ul>
 <div class="scroll" role="region" aria-labelledby="h-models" tabindex="0">
 <table>
 <thead>
 <tr>
 <th scope="col">Model</th>
 <th scope="col">State</th>
 <th scope="col">Answers</th>
 <th scope="col">Faults</th>
 <th scope="col">First token</th>
 </tr>
 </thead>
 <tbody id="models"></tbody>
 </table>
 </div>
 </section>

 <section>
 <h2 id="h-sessions">Sessions</h2>
 <div class="scroll" role="region" aria-labelledby="h-sessions" tabindex="0">
 <table>
 <thead>
 <tr>
 <th scope="col">Session</th>
 <th scope="col">Last</th>
 <th scope="col">Requests</th>
 <th scope="col">Tokens in / out</th>
 <th scope="col">Fallbacks</th>
 <th scope="col">Errors</th>
 </tr>
 </thead>
 <tbody id="sessions"></tbody>
 </table>
 </div>
 </section>

 <section aria-labelledby="h-latency">
 <h2 id="h-latency">Time to the first token</h2>
 <svg id="latency" aria-labelledby="latency-words" viewBox="0 0 300 80" role="img"
 preserveAspectRatio="none"></svg>
 <p id="latency-words" class="soft">No answer yet.</p>
 </section>

 <section aria-labelledby="h-tokens">
 <h2 id="h-tokens">Tokens of an answer</h2>
 <svg id="tokens" aria-labelledby="tokens-words" viewBox="0 0 300 80" role="img"
 preserveAspectRatio="none"></svg>
 <p id="tokens-words" class="soft">No answer yet.</p>
 </section>

 <section class="wide">
 <h2 id="h-events">Events</h2>
 <div class="scroll" role="region" aria-labelledby="h-events" tabindex="0">
 <ol id="events"></ol>
 </div>
 </section>
 </main>
<script>
 "use strict";
 // Whatever comes from clients and models is put into the page as text, never as markup.

 const STATE_PATH = "/v1/stream/visualization";
 const EVENTS_PATH = "/v1/stream/events";
 const SOCKET_PATH = "/ws/stream-visualization";
 const LANES = ["hold", "fallback", "stream", "tools"];
 const MOST_OVER = 100;
 const MOST_SHOWN = 8;
 const MOST_EVENTS = 80;
 const MOST_BARS = 60;
 /** Milliseconds of silence after which a connection counts as lost; the proxy says something every five seconds. */
 const SILENCE = 15_000;
 const RETRY = 1_000;
 const MAX_RETRY = 15_000;
 const NEWS_PAUSE = 10_000;

 const $ = (id) => document.getElementById(id);

 const keep = (store, name, value) => {
 try {
 return value === undefined ? globalThis[store][name] ?? "" : globalThis[store][name] = value;
 } catch {
 return ""; // Some browsers forbid it; then nothing is remembered.
 }
 };

 // ---- What is known

 let state;
 let skew = 0;
 let key = keep("sessionStorage", "arbiter-key");
 const requests = new Map();
 const sessions = new Map();

 const now = () => Date.now() - skew;
 const newest = (list, most) => list.slice(-most).reverse();
 const isOver = ({ over }) => over !== undefined;

 function take(message) {
 const { live } = message;
 state = message;
 skew = Date.now() - live.at;
 if (live.whole) {
 requests.clear();
 sessions.clear();
 }
 for (const request of live.requests) {
 if (request.over) requests.delete(request.id); // So that those that are over stand in the order in which they ended.
 requests.set(request.id, request);
 }
 const over = [...requests.values()].filter(isOver);
 for (const { id } of over.slice(0, -MOST_OVER)) requests.delete(id);
 for (const one of live.sessions) sessions.set(one.id, one);
 drawSoon();
 }

 // ---- Words

 const number = (value) => value < 10_000 ? String(value) : \`\${(value / 1000).toFixed(value < 100_000 ? 1 : 0)}\\u00a0k\`;
 const duration = (ms) => {
 if (ms < 1000) return \`\${Math.max(0, Math.round(ms))} ms\`;
 if (ms < 60_000) return \`\${(ms / 1000).toFixed(1)} s\`;
 const minutes = Math.floor(ms / 60_000);
 const seconds = Math.floor(ms % 60_000 / 1000);
 if (minutes < 120) return seconds > 0 ? \`\${minutes} min \${seconds} s\` : \`\${minutes} min\`;
 return \`\${Math.floor(minutes / 60)} h\`;
 };
 const clock = (time) => new Date(time + skew).toLocaleTimeString("en-GB");
 const words = (name = "") => name.replaceAll("_", " ");
 const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
 const plural = (count, name) => \`\${count} \${name}\${count === 1 ? "" : "s"}\`;

 function toOutcome({ over, written, pings, steps }) {
 const { lane, left, why } = steps.at(-1);
 if (over) {
 const { status, failed, inputTokens, outputTokens } = over;
 if (status === 499) return "the client went away";
 if (failed && status === 200) return "broke off";
 if (failed) return \`failed, status \${status}\${why ? \`: \${words(why)}\` : ""}\`;
 return outputTokens === undefined ? "answered" : \`\${number(inputTokens)} in, \${number(outputTokens)} out\`;
 }
 const parts = [left ? \`\${left} failed (\${words(why)})\` : "", written ? \`\${number(written)} characters\` : ""];
 return [lane, ...parts, pings ? plural(pings, "ping") : ""].filter(Boolean).join(", ");
 }

 function toEvents(request) {
 const { began, asked, kind, steps, over, id } = request;
 const say = {
 hold: () => \`\${asked} is asked for\${kind ? \`, \${words(kind)}\` : ""}\`,
 fallback: ({ left, why, model }) => \`\${left} failed (\${words(why)})\${model ? \`, \${model} is asked\` : ""}\`,
 stream: () => \`\${request.model} answers\`,
 tools: () => \`\${request.model} calls a tool\`,
 };
 const events = steps.map((step, i) => ({
 id: \`\${id} \${i}\`,
 at: began + step.at,
 bad: step.lane === "fallback",
 text: say[step.lane](step),
 }));
 if (over) {
 const text = \`over after \${duration(over.ms)}: \${toOutcome(request)}\`;
 events.push({ id: \`\${id} over\`, at: began + over.ms, bad: over.failed, text });
 }
 return events;
 }

 // ---- Drawing

 /** Shows a text, without what would turn the direction of writing. */
 const set = (node, text) => {
 const shown = String(text).replace(/\\p{Bidi_Control}/gu, " ");
 if (node.textContent !== shown) node.textContent = shown;
 };

 function make(tag, attributes = {}, ...children) {
 const svg = tag === "rect" || tag === "svg";
 const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
 for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
 node.append(...children);
 return node;
 }

 const rect = (x, y, width, height, name) => make("rect", { x, y, width: Math.max(width, 0), height, class: name });

 /** Brings the children of a list in line with items, keeping those that stay. */
 function align(list, items, create, update) {
 const old = new Map([...list.children].map((node) => [node.dataset.id, node]));
 items.forEach((item, i) => {
 const id = String(item.id);
 const node = old.get(id) ?? create(item);
 node.dataset.id = id;
 old.delete(id);
 if (list.children[i] !== node) list.insertBefore(node, list.children[i] ?? null);
 update(node, item);
 });
 old.forEach((node) => node.remove());
 }

 /** The lanes of a request as bars over its time: one below the other, or in one line when it is over. */
 function drawLanes(svg, { steps, over, began }) {
 const total = Math.max(over ? over.ms : now() - began, 1);
 const bars = steps.map(({ at, lane }, i) => {
 const from = i > 0 ? at : 0;
 const end = steps[i + 1]?.at ?? total;
 const row = over ? 0 : LANES.indexOf(lane);
 return rect(from / total * 1000, row * 14, Math.max((end - from) / total * 1000, 3), over ? 8 : 10, lane);
 });
 const rails = over ? [] : LANES.map((_, row) => rect(0, row * 14, 1000, 10, "rail"));
 svg.replaceChildren(...rails, ...bars);
 }

 function createRequest({ over }) {
 const svg = make("svg", { viewBox: \`0 0 1000 \${over ? 8 : 56}\`, preserveAspectRatio: "none" });
 const names = over ? [] : LANES.map((lane) => make("span", {}, lane));
 const line = [make("b"), make("span", { class: "soft" }), make("span"), make("span", { class: "time" })];
 const lanes = make("div", { class: "lanes", "aria-hidden": "true" }, ...names, svg);
 return make("li", {}, make("div", { class: "line" }, ...line), lanes);
 }

 function updateRequest(item, request) {
 const { id, model, asked, kind, task, session, over, began, changed, text } = request;
 if (over && item.dataset.changed === String(changed)) return;
 item.dataset.changed = changed;
 const [line, lanes] = item.children;
 const [name, about, outcome, time] = line.children;
 set(name, model ?? asked);
 set(about, [model ? \`for \${asked}\` : "", words(kind), words(task), session?.slice(0, 8)].filter(Boolean).join(" · "));
 set(outcome, toOutcome(request));
 outcome.className = over?.failed ? "bad" : "";
 set(time, duration(over ? over.ms : now() - began));
 item.title = \`\${id}, \${clock(began)}\`;
 drawLanes(lanes.lastChild, request);
 if (text) {
 const pre = item.children[2] ?? item.appendChild(make("pre"));
 set(pre, text.slice(over ? -100 : -400));
 }
 }

 /** Fills a table; a cell is a text, or a text and its class. */
 function fill(body, rows) {
 align(
 body,
 rows,
 ({ cells }) => make("tr", {}, ...cells.map((_, i) => make(i ? "td" : "th", i ? {} : { scope: "row" }))),
 (row, { cells }) =>
 cells.forEach((cell, i) => {
 const [text, name = ""] = [cell].flat();
 set(row.children[i], text);
 row.children[i].className = name;
 }),
 );
 }

 function toModelState({ avoidedUntil = 0, answers, faults, why, failedAt }) {
 const left = avoidedUntil - now();
 if (left > 0) return [\`avoided for \${duration(left)}\${why ? \`: \${words(why)}\` : ""}\`, "bad"];
 if (faults) return [\`\${answers ? "answers" : "asked"}; \${words(why)} \${duration(now() - failedAt)} ago\`, ""];
 return answers ? ["answers", "good"] : ["no answer yet", "soft"];
 }

 /** Draws a number of each answer that has it as bars, the newest at the right, and says the same in words. */
 function drawBars(id, logs, field, format, extreme) {
 const shown = logs.filter((log) => log[field] > 0).slice(-MOST_BARS);
 const values = shown.map((log) => log[field]);
 const most = Math.max(...values);
 const step = 300 / Math.max(shown.length, 20);
 const bars = shown.map((log, i) => {
 const height = Math.max(log[field] / most * 76, 1.5);
 const x = 300 - (shown.length - i) * step;
 return rect(x + step * .15, 80 - height, step * .7, height, log.failed ? "fallback" : "stream");
 });
 const numbers = \`median \${format(median(values))}, \${extreme} \${format(most)}\`;
 $(id).replaceChildren(...bars);
 set($(\`\${id}-words\`), shown.length > 0 ? \`The last \${shown.length}: \${numbers}\` : "No answer yet.");
 }

 function drawTiles() {
 const { requests, fallbacks, errors, inputTokens, outputTokens, anthropicCost, firstToken, since } = state;
 const tiles = [
 ["Requests", number(requests)],
 ["Fallbacks", number(fallbacks)],
 ["Errors", number(errors)],
 ["Tokens in / out", \`\${number(inputTokens)} / \${number(outputTokens)}\`],
 ["First token", firstToken.count ? duration(firstToken.ms / firstToken.count) : "–"],
 ["At Anthropic’s prices", \`$\${anthropicCost.toFixed(2)}\`],
 ["Running for", duration(now() - since)],
 ];
 align(
 $("tiles"),
 tiles.map(([id, text]) => ({ id, text })),
 ({ id }) => make("div", {}, make("dt", {}, id), make("dd")),
 (tile, { text }) => set(tile.children[1], text),
 );
 }

 function drawQuotas({ quotas }) {
 align(
 $("quotas"),
 quotas.map((quota) => ({ id: quota.backend, ...quota })),
 ({ id }) => make("li", {}, make("meter", { min: 0, "aria-label": \`Quota of \${id}\` }), make("span")),
 (item, { id, left, limit, window }) => {
 Object.assign(item.children[0], { max: limit, low: limit * .2, optimum: limit, value: left });
 set(item.children[1], \`\${id}: \${left} of \${limit} requests left, window \${duration(window)}\`);
 },
 );
 }

 function draw() {
 const { version, model, live } = state;
 const all = [...requests.values()];
 const over = all.filter(isOver);
 const flight = all.filter((one) => !isOver(one));
 set($("version"), \`\${version} · \${model}\`);
 $("notice").hidden = !live.showsContent;
 set($("h-flight"), flight.length > MOST_SHOWN * 2 ? \`In flight: \${MOST_SHOWN * 2} of \${flight.length}\` : "In flight");
 $("idle").hidden = flight.length > 0;
 $("none").hidden = all.length > 0;
 drawTiles();
 align($("flight"), newest(flight, MOST_SHOWN * 2), createRequest, updateRequest);
 align($("recent"), newest(over, MOST_SHOWN), createRequest, updateRequest);
 drawQuotas(live);
 fill(
 $("models"),
 live.models.map((one) => ({
 id: \`\${one.backend} \${one.model}\`,
 cells: [one.model, toModelState(one), one.answers, one.faults, one.firstMs ? duration(one.firstMs) : "–"],
 })),
 );
 const last = [...sessions.values()].sort((a, b) => b.last - a.last).slice(0, MOST_SHOWN);
 fill(
 $("sessions"),
 last.map(({ id, last, requests, inputTokens, outputTokens, fallbacks, errors }) => ({
 id,
 cells: [
 id.slice(0, 13),
 clock(last),
 requests,
 \`\${number(inputTokens)} / \${number(outputTokens)}\`,
 fallbacks,
 errors,
 ],
 })),
 );
 const logs = over.map(({ over }) => over);
 drawBars("latency", logs, "firstMs", duration, "slowest");
 drawBars("tokens", logs, "outputTokens", number, "most");
 const events = newest(all.flatMap(toEvents).sort((a, b) => a.at - b.at), MOST_EVENTS);
 align(
 $("events"),
 events,
 () => make("li", {}, make("time", { class: "soft" }), make("span")),
 (item, { at, text, bad }) => {
 set(item.children[0], clock(at));
 set(item.children[1], text);
 item.children[1].className = bad ? "bad" : "";
 },
 );
 tellNews(flight.length);
 }

 let drawn = false;
 function drawSoon() {
 if (drawn || !state) return;
 drawn = true;
 requestAnimationFrame(() => {
 drawn = false;
 draw();
 });
 }

 /** Tells screen readers what has changed, not more often than they can read it. */
 let told = 0;
 function tellNews(flight) {
 if (Date.now() - told < NEWS_PAUSE) return;
 told = Date.now();
 const { requests, fallbacks, errors } = state;
 const counts = \`\${plural(requests, "request")}, \${plural(fallbacks, "fallback")}, \${plural(errors, "error")}\`;
 set($("news"), \`\${flight} in flight; \${counts} so far\`);
 }

 // ---- The connection

 let end = () => {};
 let watchdog = 0;
 function heard(how, message) {
 clearTimeout(watchdog);
 watchdog = setTimeout(() => end(), SILENCE);
 say(\`Live, by \${how}\`, "live");
 take(message);
 }

 function say(text, name = "hold") {
 set($("connection"), text);
 $("connection").className = name;
 }

 /** Follows the proxy over a WebSocket until that ends; tells whether it began. */
 function followSocket() {
 return new Promise((resolve) => {
 const offered = btoa(key).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
 const protocols = ["arbiter", ...(key ? [\`arbiter.key.\${offered}\`] : [])];
 const socket = new WebSocket(\`ws\${location.protocol.slice(4)}//\${location.host}\${SOCKET_PATH}\`, protocols);
 let began = false;
 end = () => {
 socket.onmessage = null;
 socket.close();
 resolve(began); // Where nobody answers, closing takes a minute.
 };
 socket.onmessage = ({ data }) => {
 began = true;
 heard("WebSocket", JSON.parse(data));
 };
 socket.onclose = () => resolve(began);
 });
 }

 /** Follows the proxy by server-sent events, read with \`fetch\`, which can send a key, until they end. */
 async function followEvents(headers) {
 const stop = new AbortController();
 end = () => stop.abort();
 const response = await fetch(EVENTS_PATH, { headers, signal: stop.signal });
 if (!response.ok) return;
 const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
 let text = "";
 for (let read = await reader.read(); !read.done; read = await reader.read()) {
 const events = (text + read.value).split("\\n\\n");
 text = events.pop();
 for (const event of events) heard("server-sent events", JSON.parse(event.slice("data: ".length)));
 }
 }

 function openDoor(wrong) {
 say(wrong ? "That is not its key" : "Locked", "lost");
 $("door").hidden = false;
 $("key").focus();
 }

 async function follow() {
 const headers = key ? { "x-api-key": key } : {};
 const response = await fetch(STATE_PATH, { headers, cache: "no-store" });
 if (response.status === 401) return "locked";
 if (!response.ok) return "refused";
 take(await response.json());
 if (!await followSocket()) await followEvents(headers);
 }

 async function run() {
 for (let wait = RETRY;; wait = Math.min(wait * 2, MAX_RETRY)) {
 const began = Date.now();
 const how = await follow().catch(() => {});
 clearTimeout(watchdog);
 if (how === "locked") {
 openDoor(key !== "");
 key = "";
 keep("sessionStorage", "arbiter-key", "");
 return;
 }
 say(how ? "The proxy refuses this page" : "The connection is lost, trying again …", "lost");
 if (Date.now() - began > MAX_RETRY) wait = RETRY;
 await new Promise((resolve) => setTimeout(resolve, wait));
 }
 }

 $("door").addEventListener("submit", (event) => {
 event.preventDefault();
 key = $("key").value.trim();
 keep("sessionStorage", "arbiter-key", key);
 $("key").value = "";
 $("door").hidden = true;
 say("Connecting …");
 run();
 });

 // ---- Light and dark

 const THEMES = ["auto", "dark", "light"];
 let theme = THEMES.find((name) => name === keep("localStorage", "arbiter-theme")) ?? "auto";
 function paint() {
 document.documentElement.style.colorScheme = theme === "auto" ? "" : theme;
 set($("theme"), \`Theme: \${theme}\`);
 }
 $("theme").addEventListener("click", () => {
 theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
 keep("localStorage", "arbiter-theme", theme);
 paint();
 });
 paint();

 setInterval(() => {
 const moving = [...requests.values()].some((one) => !isOver(one)) ||
 state?.live.models.some((one) => one.avoidedUntil);
 if (moving && !document.hidden) drawSoon();
 }, 250);
 run();
</script>
 </body>
 </html>
`;
// lib/server/dashboard.ts -------------------------------------------------------------------
/** Where a browser finds the dashboard. */
const DASHBOARD_PATH = "/dashboard";

/** What one element of the page holds, as the policy of its contents wants it named. */
async function toElementSource(name: "script" | "style"): Promise<string> {
  const [, text = ""] = new RegExp(`<${name}>([^]*?)</${name}>`).exec(DASHBOARD_PAGE) ?? [];
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `${name}-src 'sha256-${btoa(String.fromCharCode(...new Uint8Array(hash)))}'`;
}

/** Answers with the dashboard: a page that is the same for everybody, holds nothing, and loads nothing from elsewhere. */
async function answerDashboard(): Promise<Response> {
  const sources = await Promise.all([toElementSource("script"), toElementSource("style")]);
  const fixed = ["img-src data:", "connect-src 'self'", "base-uri 'none'", "form-action 'none'"];
  const headers = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": ["default-src 'none'", ...sources, ...fixed, "frame-ancestors 'none'"].join("; "),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
  };
  return new Response(DASHBOARD_PAGE, { headers });
}
// lib/server/peers.ts -----------------------------------------------------------------------
/** The addresses that requests of {@linkcode serve} came from; others have none here. */
const PEERS: WeakMap<Request, string> = new WeakMap();
// lib/server/pour.ts ------------------------------------------------------------------------
/**
 * Writes a body as it comes, not faster than it is taken, and leaves the end to the caller.
 *
 * @param gone Fires when nobody takes it any more.
 * @param toBytes Makes what is written of each chunk.
 */
async function pour(
  body: ReadableStream<Uint8Array>,
  outgoing: Writable,
  gone: AbortSignal,
  toBytes: (chunk: Uint8Array) => Uint8Array = (chunk) => chunk,
): Promise<void> {
  let wake = () => {};
  outgoing.on("drain", () => wake());
  const reader = body.getReader();
  onAbort(gone, () => {
    void reader.cancel(gone.reason).catch(() => {});
    wake();
  });
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    if (outgoing.write(toBytes(read.value)) || outgoing.destroyed) continue;
    await new Promise<void>((resolve) => wake = resolve);
  }
}
// lib/server/serve.ts -----------------------------------------------------------------------
/** Answers one request. */
export type Handler = (request: Request) => Response | Promise<Response>;

/**
 * Where to listen: an address (127.0.0.1 when left out) and a port (0, which takes a free one); milliseconds a request
 * may take to arrive (300,000 when left out).
 */
export type ServeOptions = { hostname?: string; port?: number; bodyTimeout?: number };

/** A listening server: its port, its address such as `http://127.0.0.1:4005`; closing cuts open streams. */
export type Server = { readonly port: number; readonly url: string; close(): Promise<void> };

/** Milliseconds an idle connection is kept: after Node's 5 a client's next request may meet its closing. */
const KEEP_ALIVE_TIMEOUT = 600_000;

/** So many pieces of a body are read before somebody wants them. */
const PIECES_AHEAD = 4;

/** Addresses that mean all of a machine's, and the one by which it calls itself. */
const OWN_NAMES: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/** The address by which programs of the same machine reach a server. */
function toServerUrl(hostname: string, port: number): string {
  const name = OWN_NAMES[hostname] ?? hostname;
  return `http://${name.includes(":") ? `[${name}]` : name}:${port}`;
}

/**
 * Serves a web-standard handler over `node:http`, which Deno and Bun have too.
 *
 * `request.signal` fires when the client goes away before the answer is complete. Where the handler throws, or the body
 * of its answer fails, the connection is cut.
 *
 * @throws {Error} With the code `EADDRINUSE` if the port is taken.
 */
export async function serve(handler: Handler, options: ServeOptions = {}): Promise<Server> {
  const { hostname = "127.0.0.1", port = 0, bodyTimeout = 300_000 } = options;
  const { createServer } = await import("node:http");
  const settings = { keepAliveTimeout: KEEP_ALIVE_TIMEOUT, shouldUpgradeCallback: wantsSocket };
  const server = createServer(settings, (incoming, outgoing) => {
    if (hasBody(incoming)) {
      const late = setTimeout(() => incoming.complete || outgoing.destroy(), bodyTimeout);
      outgoing.once("close", () => clearTimeout(late));
    }
    answerIncoming(handler, incoming, outgoing).catch(() => breakOff(outgoing));
  });
  server.requestTimeout = 0; // Each runtime has another idea of it.
  const sockets = new Set<Duplex>();
  server.on("upgrade", (incoming: IncomingMessage, socket: Duplex, head: Uint8Array) => {
    if (!wantsSocket(incoming)) return passOver(server, incoming, socket, head);
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    answerSocket(handler, incoming, socket, head).catch(() => socket.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, resolve);
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    port: bound,
    url: toServerUrl(hostname, bound),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        sockets.forEach((socket) => socket.destroy());
      }),
  };
}

const hasBody = ({ method = "GET" }: IncomingMessage): boolean => method !== "GET" && method !== "HEAD";

/** What has a body is an ordinary request, whatever it asks for: a body must be read, and not waited for too long. */
const wantsSocket = (incoming: IncomingMessage): boolean =>
  !hasBody(incoming) && /^websocket$/i.test(incoming.headers.upgrade ?? "");

/** Goes on as if no other protocol had been offered, such as `h2c` by Java's client: Node 20 cannot be told beforehand. */
function passOver(server: EventEmitter, incoming: IncomingMessage, socket: Duplex, head: Uint8Array): void {
  const { method, url, httpVersion, rawHeaders } = incoming;
  const lines = rawHeaders.flatMap((name, i) => {
    return i % 2 > 0 || name.toLowerCase() === "upgrade" ? [] : [`${name}: ${rawHeaders[i + 1]}`];
  });
  socket.unshift(head);
  socket.unshift([`${method} ${url} HTTP/${httpVersion}`, ...lines, "", ""].join("\r\n"), "latin1");
  server.emit("connection", socket);
}

async function answerSocket(handler: Handler, incoming: IncomingMessage, socket: Duplex, head: Uint8Array) {
  const gone = new AbortController();
  socket.on("error", () => {}); // "close" follows.
  for (const event of ["end", "close"]) socket.once(event, () => gone.abort());
  await answerUpgrade(handler, toRequest(incoming, gone.signal), { socket, head, gone });
}

/** The body of a request as it comes; Node's own way copies each piece. */
function toBodyStream(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  let open = true;
  const finish = (run: () => void) => {
    if (open) run();
    open = false;
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      incoming.pause().on("data", (piece: Uint8Array) => {
        if (!open) return;
        controller.enqueue(piece);
        if (controller.desiredSize! <= 0) incoming.pause();
      });
      incoming.on("error", () => {}); // "close" follows.
      incoming.once("end", () => finish(() => controller.close()));
      incoming.once("close", () => finish(() => controller.error(new Error("The client went away"))));
    },
    pull: () => void incoming.resume(),
    cancel: () => finish(() => incoming.pause()),
  }, { highWaterMark: PIECES_AHEAD });
}

function toRequest(incoming: IncomingMessage, signal: AbortSignal): Request {
  // A client that has hung up has no address any more, and must not pass for an embedding program.
  const { remoteAddress: peer = "unknown" } = incoming.socket;
  const { method = "GET", url = "", rawHeaders } = incoming;
  const headers = new Headers();
  for (let i = 0; i < rawHeaders.length; i += 2) headers.append(rawHeaders[i]!, rawHeaders[i + 1]!);
  const body = hasBody(incoming) ? toBodyStream(incoming) : null;
  const init = { method, headers, body, duplex: "half" } as RequestInit;
  // A target like `//` or `*` is no address by itself, but it must become a 404 and not an exception.
  const address = `http://localhost${url.startsWith("/") ? "" : "/"}${url}`;
  // Given in init instead of defined, the signal makes Node keep 6 kB a request until the next full collection.
  const request = Object.defineProperty(new Request(address, init), "signal", { value: signal });
  PEERS.set(request, peer);
  return request;
}

/** Cuts the connection, behind what has been written: a client should see that it has half an answer. */
function breakOff(outgoing: ServerResponse): void {
  if (outgoing.headersSent) setTimeout(() => outgoing.destroy(), 0);
  else outgoing.destroy();
}

async function answerIncoming(handler: Handler, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const gone = new AbortController();
  outgoing.once("close", () => {
    if (!outgoing.writableFinished) gone.abort();
  });
  const response = await handler(toRequest(incoming, gone.signal));
  // A body that nobody has read would stand in the way of the next request on this connection.
  if (!incoming.complete) response.headers.set("connection", "close");
  outgoing.writeHead(response.status, [...response.headers].flat());
  if (!response.body || incoming.method === "HEAD") return void outgoing.end();
  // They wait for the first piece of the body, but not for long: mostly both leave as one packet.
  const flush = setTimeout(() => outgoing.flushHeaders(), 0);
  await pour(response.body, outgoing, gone.signal).finally(() => clearTimeout(flush));
  outgoing.end();
}
// lib/server/web_socket.ts ------------------------------------------------------------------
const SOCKET = "websocket";
/** What the accepting hash is made with, by RFC 6455. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** The subprotocol that is offered beside the one that carries a key. */
const PROTOCOL = "arbiter";

const OPCODES = { text: 1, close: 8, ping: 9, pong: 10 };
/** Most bytes of a frame that pings or closes. */
const MOST_PAYLOAD = 125;

/** Why a connection is closed: the client did, the server goes, or the client does what is not allowed. */
const CLOSE_CODES = { normal: 1000, away: 1001, broken: 1002, unsupported: 1003 };

/** A whole message, as a server sends it. */
function toFrame(opcode: number, payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const size = length < 126
    ? [length]
    : length < 65_536
    ? [126, length >> 8, length & 255]
    : [127, 0, 0, 0, 0, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255];
  const frame = new Uint8Array(1 + size.length + length);
  frame.set([0x80 | opcode, ...size]);
  frame.set(payload, 1 + size.length);
  return frame;
}

/** The frame that closes a connection. */
function toCloseFrame(code: number): Uint8Array {
  return toFrame(OPCODES.close, Uint8Array.of(code >> 8, code & 255));
}

/** Reads the frames of a client that may only ping and close, and gives those to answer with. */
class ClientFrames {
  #bytes = new Uint8Array();
  /** Whether the connection is to end, after the last answer. */
  over = false;

  /** Takes the bytes of one read; what follows a closing is passed over. */
  feed(bytes: Uint8Array): Uint8Array[] {
    const answers: Uint8Array[] = [];
    if (this.over) return answers;
    const all = new Uint8Array(this.#bytes.length + bytes.length);
    all.set(this.#bytes);
    all.set(bytes, this.#bytes.length);
    let from = 0;
    const close = (code: number) => {
      this.over = true;
      answers.push(toCloseFrame(code));
    };
    while (!this.over && all.length >= from + 2) {
      const [first, second] = [all[from]!, all[from + 1]!];
      const [opcode, length] = [first & 15, second & 127];
      // A control frame is whole, short, masked and has no extension; what else there is brings data.
      if (opcode < 3) close(CLOSE_CODES.unsupported);
      else if (
        (first & 0xf0) !== 0x80 || opcode < OPCODES.close || opcode > OPCODES.pong || second < 0x80 ||
        length > MOST_PAYLOAD
      ) {
        close(CLOSE_CODES.broken);
      } else {
        const start = from + 6;
        if (all.length < start + length) break;
        const payload = all.slice(start, start + length).map((byte, i) => byte ^ all[from + 2 + i % 4]!);
        from = start + length;
        if (opcode === OPCODES.close) close(CLOSE_CODES.normal);
        if (opcode === OPCODES.ping) answers.push(toFrame(OPCODES.pong, payload));
      }
    }
    this.#bytes = all.slice(from);
    return answers;
  }
}

/** Whether a request asks for a WebSocket as RFC 6455 wants it. */
function asksForSocket(headers: Headers): boolean {
  const key = headers.get("sec-websocket-key") ?? "";
  const fits = headers.get("sec-websocket-version") === "13" && /^[\w+/]{22}==$/.test(key);
  return fits && headers.get("upgrade")?.toLowerCase() === SOCKET;
}

/** An answer that is to be spoken as a WebSocket: each chunk of its body is a message. */
function toSocketAnswer(body: ReadableStream<Uint8Array>): Response {
  return new Response(body, { headers: { upgrade: SOCKET } });
}

/** The first lines of an answer, as they are written. */
function toHead(status: number, headers: Iterable<[string, string]>): string {
  return [`HTTP/1.1 ${status} `, ...[...headers].map(([name, value]) => `${name}: ${value}`), "", ""].join("\r\n");
}

/** What an answer has beside its own headers when a WebSocket begins. */
async function toAcceptance({ headers }: Request): Promise<[string, string][]> {
  const key = new TextEncoder().encode(headers.get("sec-websocket-key") + GUID);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-1", key));
  const accept: [string, string][] = [
    ["connection", "upgrade"],
    ["sec-websocket-accept", btoa(String.fromCharCode(...hash))],
  ];
  const offered = headers.get("sec-websocket-protocol")?.split(/, */) ?? [];
  if (offered.includes(PROTOCOL)) accept.push(["sec-websocket-protocol", PROTOCOL]);
  return accept;
}

/** Writes the answer to a request for a WebSocket; `head` is what the client has sent since. */
async function answerUpgrade(
  handler: Handler,
  request: Request,
  { socket, head, gone }: { socket: Duplex; head: Uint8Array; gone: AbortController },
): Promise<void> {
  const response = await handler(request);
  const end = (bytes: Uint8Array = new Uint8Array()) => void socket.end(bytes, () => socket.destroy());
  if (response.status !== 200 || response.headers.get("upgrade") !== SOCKET) {
    response.headers.set("connection", "close");
    socket.write(toHead(response.status, response.headers));
    if (response.body) await pour(response.body, socket, gone.signal);
    return end();
  }
  socket.write(toHead(101, [...response.headers, ...await toAcceptance(request)]));
  const frames = new ClientFrames();
  const read = (bytes: Uint8Array) => {
    // Pongs that somebody who does not read would have to be kept for are left out.
    for (const answer of frames.feed(bytes)) if (frames.over || !socket.writableNeedDrain) socket.write(answer);
    if (frames.over) gone.abort();
  };
  read(head);
  socket.on("data", read);
  if (response.body) await pour(response.body, socket, gone.signal, (chunk) => toFrame(OPCODES.text, chunk));
  end(frames.over ? undefined : toCloseFrame(CLOSE_CODES.away));
}
// lib/server/handler.ts ---------------------------------------------------------------------
/** What a route is asked with; `id` is what the path's pattern captured. */
type RouteCall = { parts: HandlerParts; exchange: Exchange; id: string };

/** A route: its path, its methods, what answers, and what it asks of clients beside their key. */
type RouteRow = [path: RegExp, methods: string, answer: (asked: RouteCall) => unknown, access?: RouteAccess];

/** A list that is whole, as Anthropic's API writes lists. */
function toList(data: readonly { id: string }[]): object {
  return { object: "list", data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
}

const ROUTES: readonly RouteRow[] = [
  [/^\/v1\/messages$/, "POST", ({ exchange, parts }) => answerMessages(exchange, exchange.body, parts), "rated"],
  [/^\/v1\/chat\/completions$/, "POST", ({ exchange, parts }) => answerChat(exchange, parts), "rated"],
  [/^\/v1\/messages\/count_tokens$/, "POST", async ({ exchange, parts: { router, ledger, load } }) => {
    const session = exchange.request.headers.get("x-claude-code-session-id") ?? "";
    const request = parseMessagesRequest(exchange.body, false);
    await load();
    return { input_tokens: Math.max(1, ledger.countPart(request, session, router().find(request.model))) };
  }],
  [/^\/v1\/models$/, "GET, HEAD", ({ exchange: { request: { headers } }, parts: { router } }) => {
    return toList(listModels(router().catalog, headers.has("anthropic-version")));
  }],
  [/^\/v1\/models\/(.+)$/, "GET, HEAD", ({ id, parts: { router } }) => {
    const model = findModel(id, router().catalog);
    if (model) return model;
    throw new ApiError("not_found_error", `No model '${id}': GET /v1/models lists them`);
  }],
  [/^\/(?:api\/hello|health|healthz|readyz)?$/, "GET, HEAD", ({ parts: { router } }) => {
    const { catalog } = router();
    return { name: "arbiter", status: "ok", version: VERSION, model: toLabel(catalog.elite, catalog) };
  }, "keyless"],
  [/^\/dashboard(?:\/stream)?$/, "GET, HEAD", answerDashboard, "keyless"],
  [/^\/v1\/stream\/visualization$/, "GET, HEAD", ({ parts }) => parts.state()],
  [/^\/v1\/stream\/events$/, "GET", ({ exchange, parts: { feed } }) => {
    const body = feed.open(exchange, (json) => `data: ${json}\n\n`);
    return new Response(body, { headers: STREAM_HEADERS });
  }],
  [/^\/ws\/stream-visualization$/, "GET", ({ exchange, parts: { feed } }) => {
    if (asksForSocket(exchange.request.headers)) return toSocketAnswer(feed.open(exchange, (json) => json));
    const headers = { "upgrade": "websocket", "sec-websocket-version": "13" };
    throw new ApiError("invalid_request_error", "Here a WebSocket is spoken", { status: 426, headers });
  }, "own_page"],
  [/^\/v1\/sessions$/, "GET, HEAD", async ({ parts: { sessions } }) => toList(await sessions.list())],
  [/^\/v1\/sessions\/(.+)$/, "GET, HEAD", async ({ id, parts: { sessions } }) => {
    const session = await sessions.find(id);
    if (session) return session;
    throw new ApiError("not_found_error", `No session '${id}': GET /v1/sessions lists them`);
  }],
  [/^\/metrics$/, "GET, HEAD", ({ parts: { status, metrics, sessions } }) => {
    const text = formatMetrics(metrics.families(status(), sessions.size));
    return new Response(text, { headers: { "content-type": METRICS_TYPE } });
  }],
];

function toPath(url: string): string {
  // A base URL that ends in /v1 makes clients ask for /v1/v1/messages.
  const path = withoutEndSlashes(new URL(url).pathname.replace(/^(?:\/v1)+(?=\/)/, "/v1")) || "/";
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

async function answerRoute(exchange: Exchange, parts: HandlerParts, limits: InboundLimits): Promise<Response> {
  const { request, log: { method, path } } = exchange;
  const [pattern, methods = "", toAnswer, access] = ROUTES.find(([pattern]) => pattern.test(path)) ?? [];
  const client = checkAccess({ headers: request.headers, peer: PEERS.get(request), access }, parts);
  if (client instanceof ApiError) throw client;
  exchange.client = client;
  exchange.log.client = client?.name;
  if (!toAnswer) throw new ApiError("not_found_error", `No route for ${method} ${path}`);
  if (!methods.split(", ").includes(method)) {
    const error = { status: 405, headers: { allow: methods } };
    throw new ApiError("invalid_request_error", `${path} does not take ${method}`, error);
  }
  const refused = access === "rated" ? limits.count(client) : undefined;
  if (refused) throw refused;
  if (method === "POST") Object.assign(exchange, await readJson(request, parts.maxBodyBytes));
  const answer = await toAnswer({ parts, exchange, id: pattern?.exec(path)?.[1] ?? "" });
  return answer instanceof Response ? answer : Response.json(answer);
}

/**
 * Makes the handler of the whole proxy, and what breaks off every answer that is still on its way.
 *
 * Paths are matched without the query. Whatever goes wrong is answered in the error shape of the path's protocol.
 */
function createHandler(parts: HandlerParts): { fetch(request: Request): Promise<Response>; close(): void } {
  const { clock, newId, onRequest } = parts;
  const running = new Set<AbortController>();
  const limits = new InboundLimits(parts.inboundRpm, clock);
  return {
    async fetch(request) {
      const began = clock.now();
      const { method, url, headers } = request;
      const session = toSessionId(headers);
      const log: RequestLog = { id: newId("req_"), method, path: toPath(url), status: 200, ms: 0, session };
      const stop = new AbortController();
      const release = onAbort(request.signal, () => stop.abort(new ApiError("api_error", CLIENT_GONE)));
      running.add(stop);
      const end = () => {
        release();
        running.delete(stop);
        try {
          onRequest({ ...log, ms: clock.now() - began });
        } catch {
          // A log that fails must not take the answer with it.
        }
      };
      const fresh = { body: undefined, size: 0, format: MESSAGES_FORMAT, streams: false };
      const exchange: Exchange = { request, log, began, stop, end, ...fresh };
      let response: Response;
      try {
        response = await answerRoute(exchange, parts, limits);
      } catch (thrown) {
        const error = toApiError(thrown);
        log.error = request.signal.aborted ? CLIENT_GONE : error.message;
        // Of a model that is not there Claude Code hides what a 404 says, and asks once more, without a stream.
        const status = error.status === 404 && log.route && isClaudeCode(headers) ? 410 : error.status;
        log.status = request.signal.aborted ? 499 : status;
        const body = toErrorBody(log.path, { ...error.toJSON(), request_id: log.id });
        response = Response.json(body, { status, headers: error.headers });
      }
      if (!exchange.streams) end();
      for (const name of ["request-id", "x-request-id"]) response.headers.set(name, log.id);
      if (log.route) response.headers.set("x-arbiter-route", formatRoute(log.route));
      if (log.replayed) response.headers.set("x-arbiter-replayed", "true");
      return method === "HEAD" ? new Response(null, response) : response;
    },
    close() {
      const reason = new ApiError("overloaded_error", "Arbiter is closing");
      for (const stop of running) stop.abort(reason);
      parts.shared.close(reason);
    },
  };
}
// lib/stream/sse_decoder.ts -----------------------------------------------------------------
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
// lib/upstream/use.ts -----------------------------------------------------------------------
/** Whether an event is what Claude Code can use an answer for. */
type IsOfUse = (event: MessageStreamEvent) => boolean;

/** Something the user sees, a call, or why there is no more: thinking alone is none. */
const isVisible: IsOfUse = (event) => {
  if (event.type === "message_delta") return (event.delta.stop_reason ?? "end_turn") !== "end_turn";
  return event.type === "content_block_start" && !event.content_block.type.endsWith("thinking");
};

/** The end of an answer. */
const isEnd: IsOfUse = ({ type }) => type === "message_stop";

/** What Claude Code looks for in the check of a command; it asks for that without a stream, so that the text is in one piece. */
const isVerdict: IsOfUse = (event) =>
  event.type === "content_block_delta" && event.delta.type === "text_delta" && event.delta.text.includes("<block>");

/**
 * What an answer must have before any of it is passed on; nothing in particular where that is not known.
 *
 * @param again Whether another's answer to the request was of no use, and there are others to ask after this one.
 */
function toHeldUntil(kind: RequestKind, again: boolean): IsOfUse | undefined {
  if (kind === "compaction") return isEnd; // Claude Code gives up where half a summary breaks off.
  return again ? isVisible : undefined;
}

/** What an answer must have so that somebody else need not be asked when the request comes again. */
function toNeeded(kind: RequestKind): IsOfUse {
  return kind === "safety" ? isVerdict : isVisible;
}
// lib/upstream/attempt.ts -------------------------------------------------------------------
/** Milliseconds between two questions for an answer that is queued. */
const POLL_INTERVAL = 1_000;
/** Milliseconds the upstream is given to end its response after `[DONE]`. */
const DRAIN_TIMEOUT = 2_000;

/** Milliseconds for which comments alone keep an answer alive: hosts send them while they hold back a call, too. */
const MAX_COMMENTS = 600_000;

/** Makes what reads the body of an answer: the data of the events of each read, or a JSON body as one, then nothing. */
function toDataReader(
  answer: CallAnswer,
  candidate: Candidate,
  deadline: Deadline,
  clock: Clock,
): () => Promise<string[] | undefined> {
  const decoder = new SseDecoder();
  let [begin, over] = ["", false];
  let [size, waited] = [0, 0];
  return async () => {
    if (over) return undefined;
    const asked = clock.now();
    deadline.listen();
    const bytes = await answer.read();
    deadline.heard();
    over = !bytes;
    // No event begins like an object or a page, whatever the host calls it; hosts may send blanks before it, or a mark of the order of bytes.
    if (begin === "" && bytes) {
      begin = String.fromCharCode(bytes.find((byte) => byte > 0x20 && byte < 0x80) ?? 0x20).trim();
      over = begin === "{" || begin === "<";
      const text = over ? await readLimited(answer, MAX_WHOLE_BYTES, bytes) : "";
      if (begin === "<") throw toUpstreamFault(200, text, candidate);
      if (over) return [text, "[DONE]"];
    }
    size += bytes?.byteLength ?? 0;
    if (size > MAX_ANSWER_BYTES) throw new UpstreamFault("broken", "The upstream's answer does not end");
    const data = bytes ? decoder.feed(bytes) : decoder.flush();
    waited = data.length > 0 ? 0 : waited + clock.now() - asked;
    if (waited > MAX_COMMENTS) {
      throw new UpstreamFault("timeout", "The upstream has sent nothing but comments for ten minutes");
    }
    return data.map((text) => text.trim()).filter((text) => text !== "");
  };
}

/** Translates an answer as it comes; the batches are never empty. */
function readEvents(
  read: () => Promise<string[] | undefined>,
  reader: AnswerReader,
  deadline: Deadline,
  { settings: { clock }, options: { signal }, onPromptTokens }: AttemptOptions,
): Answer["events"] {
  let done = false;

  async function readOn(): Promise<MessageStreamEvent[]> {
    // What breaks off behind the end of the answer is no loss; some hosts say no more than the finish reason.
    const data = await read().catch((thrown) => {
      if (!reader.finished || signal.aborted) throw thrown;
      return undefined;
    });
    const events = readAnswer(() => reader.feed(data ?? []));
    done = !data || reader.ended;
    if (!data && !reader.finished) {
      throw new UpstreamFault("cut", "The upstream broke off in the middle of its answer");
    }
    if (done) {
      events.push(...readAnswer(() => reader.flush()));
      if (reader.promptTokens) onPromptTokens(reader.promptTokens);
    }
    if (reader.finished) deadline.extend(DRAIN_TIMEOUT);
    return events;
  }

  /** Reads what follows the end, so that the connection can be used again, but not for ever. */
  function drain(): void {
    const cancel = clock.after(DRAIN_TIMEOUT, () => deadline.close());
    const readAll = async () => {
      while (await read());
    };
    readAll().catch(() => {}).finally(() => {
      cancel();
      deadline.close();
    });
  }

  return iterate(async () => {
    try {
      while (!done) {
        const events = await readOn();
        if (events.length > 0) return { value: events, done: false };
      }
    } catch (thrown) {
      done = true;
      deadline.close();
      throw deadline.explain(thrown);
    }
    drain();
    return { value: undefined, done: true };
  });
}

/**
 * How an attempt is made, for whom, how many milliseconds its first content may take, what of it is of use (anything),
 * and who is told what a host counts.
 */
type AttemptOptions = {
  settings: Required<ChainOptions>;
  options: SendOptions;
  limit: number;
  isOfUse?: IsOfUse | undefined;
  onPromptTokens: (actual: number) => void;
};

/**
 * Asks one candidate once, with the body made of the request.
 *
 * @throws {ApiError} If it refuses, breaks off or is silent for too long before its first content, or has none of use.
 */
async function attempt(
  request: MessagesRequest,
  body: JsonObject,
  candidate: Candidate,
  how: AttemptOptions,
): Promise<Answer["events"]> {
  const { settings, options, limit, isOfUse = () => true } = how;
  const { clock, call, userAgent, newId, idleTimeout } = settings;
  const { tokens, headers: client } = options;
  const { backend } = candidate;
  const json = toJsonText(body);
  const deadline = new Deadline(clock, options.signal, limit);
  try {
    const { baseUrl, format = "openai" } = backend;
    const headers = toUpstreamHeaders(backend, { stream: Boolean(body.stream), userAgent, client });
    const { signal } = deadline;
    let answer = await call(PROTOCOLS[format].toUrl(baseUrl), { method: "POST", headers, body: json, signal });
    // NVIDIA may queue a request: 202 and an id under which to ask for the answer.
    for (let id = answer.headers.get("nvcf-reqid"); answer.status === 202 && id;) {
      answer.cancel();
      await sleep(clock, POLL_INTERVAL, signal);
      answer = await call(`${baseUrl}/status/${encodeURIComponent(id)}`, { headers, signal });
      id = answer.headers.get("nvcf-reqid") ?? id;
    }
    deadline.listen();
    if (answer.status < 200 || answer.status > 299) {
      const refusal = await readLimited(answer, MAX_REFUSAL_BYTES);
      throw toUpstreamFault(answer.status, refusal, candidate, answer.headers, clock.now());
    }
    const inputTokens = tokens.count(candidate);
    const reader = PROTOCOLS[format].createReader(request, { candidate, inputTokens, newId });
    const read = toDataReader(answer, candidate, deadline, clock);
    const events = readEvents(read, reader, deadline, how);
    const held: MessageStreamEvent[] = [];
    for (let ready = false; !ready;) {
      const { value } = await events.next();
      if (!value) throw new BadAnswer("empty", "has nothing that is of use");
      deadline.extend(idleTimeout);
      held.push(...value);
      ready = value.some(isOfUse);
    }
    return iterate(() => held.length > 0 ? Promise.resolve({ value: held.splice(0), done: false }) : events.next());
  } catch (thrown) {
    deadline.close();
    throw deadline.explain(thrown);
  }
}
// lib/upstream/back_off.ts ------------------------------------------------------------------
/** Milliseconds before the call after a fault that may pass, doubled with each; at most so many. */
const BACK_OFF = 500;
const MAX_BACK_OFF = 4_000;
/** At most so many where a profile or the host says how long: as long as Claude Code lets itself be told to wait. */
const MAX_TOLD_WAIT = 60_000;

/** Whether the same call may succeed a little later. */
function mayPass({ status, headers, facts }: ApiError & { facts?: FaultFacts }): boolean {
  if ((facts?.retryAfter ?? 0) > MAX_TOLD_WAIT) return false;
  return status === 429 || (status >= 500 && headers["x-should-retry"] !== "false");
}

/**
 * Milliseconds to wait before a candidate is asked, half of which are chance (`random`, from 0 to 1).
 *
 * One that is asked again waits for each time it was `asked`, with the delay of its profile if that has an `own`, but as
 * long as its `last` fault told; one that is new waits for each of the `faults` of others that may pass.
 */
function toBackOff(
  { faults, asked, last, own, random }: {
    faults: Iterable<ApiError>;
    asked: number;
    last: ApiError | undefined;
    own: number | undefined;
    random: number;
  },
): number {
  const times = asked || [...faults].filter(mayPass).length;
  if (times === 0) return 0;
  const [delay, most] = asked > 0 && own !== undefined ? [own, MAX_TOLD_WAIT] : [BACK_OFF, MAX_BACK_OFF];
  const told = asked > 0 ? Number(last?.headers["retry-after"] ?? 0) * 1000 : 0;
  return Math.max(told, Math.min(delay * 2 ** (times - 1), most) * (1 + random) / 2);
}
// lib/upstream/cuts.ts ----------------------------------------------------------------------
/** Milliseconds during which a request whose answer broke off is sent elsewhere. */
const MEMORY = 300_000;
/** Claude Code asks to go on: what it was sent of the answer and one sentence more (2.1.328). */
const MAX_ADDED_MESSAGES = 2;
/** How the sentence begins that it adds to the last message after an answer without a visible word (2.1.328). */
const REMINDER = "[Your previous response had no visible output.";

type Cut = { key: string; at: number; length: number; fingerprint: string };

/**
 * What stays the same when a request comes again: a message is a block while it has a mark for Anthropic's cache, and
 * gets a line break before a reminder.
 */
function toFingerprint({ messages }: MessagesRequest, length: number): string {
  const blocks = messages.slice(0, length).map(({ role, content }) => ({
    role,
    content: typeof content === "string"
      ? [{ type: "text", text: content }]
      : content.filter((block) => block.type !== "text" || !block.text.startsWith(REMINDER)),
  }));
  const toSame = (name: string, value: unknown) =>
    name === "cache_control" ? undefined : typeof value === "string" ? value.trimEnd() : value;
  return toDigest(JSON.stringify(blocks, toSame), 11);
}

/**
 * Remembers where answers broke off after they had begun, or were of no use: Claude Code sends the same request again, or
 * asks to go on, and that should go to somebody else.
 */
class Cuts {
  readonly #clock: Clock;
  #cuts: Cut[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes that the answer to a request broke off at the candidate with this key. */
  note(request: MessagesRequest, key: string): void {
    const { length } = request.messages;
    this.#cuts.push({ key, at: this.#clock.now(), length, fingerprint: toFingerprint(request, length) });
  }

  /** The keys of the candidates where this request broke off a little while ago. */
  of(request: MessagesRequest): ReadonlySet<string> {
    const now = this.#clock.now();
    this.#cuts = this.#cuts.filter(({ at }) => now - at <= MEMORY);
    const same = this.#cuts.filter(({ length, fingerprint }) => {
      const added = request.messages.length - length;
      return added >= 0 && added <= MAX_ADDED_MESSAGES && toFingerprint(request, length) === fingerprint;
    });
    return new Set(same.map(({ key }) => key));
  }
}
// lib/upstream/health.ts --------------------------------------------------------------------
/** So many faults within so many milliseconds, and a model is avoided for as long; then one request may try it. */
const MAX_FAULTS = 3;
const FAULT_WINDOW = 30_000;
const AVOID_TIME = 30_000;

/** So many models are remembered; clients may ask for any. */
const MOST_KNOWN = 1_000;

type ModelHealth = {
  /** When it failed, in milliseconds since 1970. */
  faults: number[];
  /** Whether the one request that tries it again is on its way. */
  probing: boolean;
};

/** Remembers which models fail. */
class Health {
  readonly #clock: Clock;
  readonly #models = new BoundedMap<string, ModelHealth>(MOST_KNOWN);
  /** Until when each is avoided, if anything is counted against it. */
  readonly #avoided: SharedMap<number>;

  /** @param store Where other processes learn which models are avoided, if it is shared. */
  constructor(clock: Clock, store?: Store) {
    this.#clock = clock;
    this.#avoided = new SharedMap(store?.shared ? store : createMemoryStore(), "avoid ", {
      parse: (stored) => typeof stored === "number" ? stored : undefined,
      format: (until) => until,
      // Who comes later has to know that the model must be tried first.
      toLife: (until = 0) => Math.max(0, until - clock.now()) + AVOID_TIME,
    });
  }

  /** Takes over which models other processes avoid; a store that fails knows none. */
  async sync(): Promise<void> {
    await this.#avoided.sync().catch(() => {});
  }

  /** Forgets which models are avoided, here and in a store that is shared. */
  forget(): Promise<void> {
    return this.#avoided.forget();
  }

  /** Whether a model may be asked now. */
  isWell(key: string): boolean {
    return this.#clock.now() >= this.avoidedUntil(key) && !this.#of(key).probing;
  }

  /** Until when a model is avoided, in milliseconds since 1970. */
  avoidedUntil(key: string): number {
    return this.#avoided.values.get(key) ?? 0;
  }

  /** Avoids a model for some milliseconds, whatever it did before. */
  avoid(key: string, ms: number): void {
    const until = this.#clock.now() + ms;
    this.#avoided.change(key, (before = 0) => Math.max(before, until));
  }

  /**
   * Notes that a request goes out; what is returned is told how it went, `undefined` if that says nothing about the
   * model. Only the first time counts.
   */
  begin(key: string): (well: boolean | undefined) => void {
    const health = this.#of(key);
    const avoidedUntil = this.avoidedUntil(key);
    const probes = avoidedUntil > 0 && !health.probing;
    health.probing ||= probes;
    let told = false;
    return (well) => {
      if (told) return;
      told = true;
      if (probes) health.probing = false;
      // An answer that began before the model was avoided does not speak for it.
      if (well === true && this.avoidedUntil(key) <= avoidedUntil) {
        health.faults = [];
        this.#avoided.change(key, (until = 0) => until > avoidedUntil ? until : undefined);
      }
      if (well !== false) return;
      const now = this.#clock.now();
      health.faults = [...health.faults, now].filter((at) => at > now - FAULT_WINDOW);
      if (probes || health.faults.length >= MAX_FAULTS) this.avoid(key, AVOID_TIME);
    };
  }

  #of(key: string): ModelHealth {
    let health = this.#models.get(key);
    if (!health) this.#models.set(key, health = { faults: [], probing: false });
    return health;
  }
}
// lib/upstream/order.ts ---------------------------------------------------------------------
/** What is known about a candidate at the moment. */
type Standing = {
  /** What it has taught. */
  facts: ModelFacts;
  /** Whether it may be asked, as far as its health goes. */
  well: boolean;
  /** When it may be asked again if it is not well, in milliseconds since 1970. */
  back: number;
  /** Whether an answer to this very request has broken off there. */
  cut: boolean;
  /** Whether nobody may ask its account at the moment. */
  blocked: boolean;
};

/**
 * Puts candidates in the order in which they are asked: as they were given, but first those that are well and can do it.
 *
 * Of those that are not well only the one that is soonest back stays, the last resort: what is known of it may be out of
 * date.
 */
function orderCandidates(
  request: MessagesRequest,
  candidates: readonly Candidate[],
  tokens: Pick<PromptTokens, "roughly" | "count">,
  toStanding: (candidate: Candidate) => Standing,
): Candidate[] {
  const needsTools = (request.tools?.length ?? 0) > 0;
  const needsEyes = candidates.length > 1 && hasBlocks(request, "image");
  const ranked = candidates.map((candidate) => {
    const { facts, well, back, cut, blocked } = toStanding(candidate);
    const { tools, vision } = candidate.traits ?? toModel(candidate.model);
    const room = toWindow(candidate, facts) - MIN_OUTPUT_TOKENS;
    // The first reason outweighs all that follow; sight is the last, because a picture can be told of in words.
    const reasons = [
      tokens.roughly > room && tokens.count(candidate) > room,
      needsTools && (facts.noTools || !tools),
      cut,
      !well,
      blocked,
      needsEyes && !vision,
    ];
    return { candidate, well, back, penalty: parseInt(reasons.map(Number).join(""), 2) };
  });
  ranked.sort((a, b) => a.penalty - b.penalty);
  const [resort] = ranked.filter(({ well }) => !well).sort((a, b) => a.penalty - b.penalty || a.back - b.back);
  return ranked.filter((one) => one.well || one === resort).map(({ candidate }) => candidate);
}
// lib/upstream/refusal.ts -------------------------------------------------------------------
/** Milliseconds for which a request that was refused is refused again as it stands. */
const REFUSAL_LIFE = 5_000;

/** Remembers what a host has refused last: Claude Code sends such a request up to six times (2.1.328). */
class LastRefusal {
  readonly #clock: Clock;
  #last: { candidate: Candidate; body: unknown; fault: UpstreamFault; until: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes what a host has said to a body; those of Anthropic's format are told of the client's betas, too. */
  note(candidate: Candidate, body: unknown, fault: UpstreamFault): void {
    if (candidate.backend.format === "anthropic" || fault === this.#last?.fault) return; // Or it was only said again.
    this.#last = { candidate, body, fault, until: this.#clock.now() + REFUSAL_LIFE };
  }

  /** What the host has just said to the very same body; of what Claude Code changes meanwhile no host is told. */
  of(candidate: Candidate, body: unknown): UpstreamFault | undefined {
    if (this.#last && this.#clock.now() >= this.#last.until) this.#last = undefined;
    return this.#last?.candidate === candidate && isSameJson(this.#last.body, body) ? this.#last.fault : undefined;
  }
}
// lib/upstream/summary.ts -------------------------------------------------------------------
/** Candidates in the order they were asked first, with the last fault of each. */
type Tried = ReadonlyMap<Candidate, ApiError>;

/** Kinds that say what is wrong with the request. */
const REQUEST_KINDS: readonly FaultKind[] = ["context_overflow", "bad_request", "rejected_field", "output_cap"];
/** Which fault to tell of when all failed: what will pass before what will not. */
const TRUEST: readonly FaultKind[] = [
  ...(["rate_limited", "pool_full", "degraded", "gateway", "timeout", "cut"] as const),
  ...(["empty", "degenerate", "broken", "bad_key", "moved"] as const),
  ...REQUEST_KINDS,
  ...(["no_tools", "unavailable", "gone"] as const),
];

/** What is wrong with the request counts most where the first model says so: that is the one that was wanted. */
function toPlace(fault: ApiError, first: boolean): number {
  if (!(fault instanceof UpstreamFault)) return TRUEST.length;
  return first && REQUEST_KINDS.includes(fault.kind) ? -1 : TRUEST.indexOf(fault.kind);
}

/** The message of a fault, which names the model. */
function toNamed({ model }: Candidate, { message }: ApiError): string {
  return message.includes(model) ? message : `${message} (${model})`;
}

/** Among overflows the one with the widest window, in the words on which Claude Code compacts. */
function toWidestOverflow(tried: Tried, tokens: Pick<PromptTokens, "count">): ApiError | undefined {
  const stated = [...tried].flatMap(([candidate, fault]) => {
    if (!(fault instanceof UpstreamFault && fault.kind === "context_overflow")) return [];
    const { limit = Infinity, total = 0, used = total } = fault.facts;
    // What the host has not counted, or only in part, is told as it was estimated.
    const counted = used > limit ? used : tokens.count(candidate);
    return counted > limit ? [{ counted, limit }] : [];
  });
  const [widest] = stated.sort((a, b) => b.limit - a.limit);
  return widest && toOverflowError(widest.counted, widest.limit);
}

/** Makes one error of all that went wrong: of the truest kind, naming what else was tried and why it failed. */
function summarizeFaults(tried: Tried, tokens: Pick<PromptTokens, "count">): ApiError {
  const ranked = [...tried].map(([candidate, fault], i) => ({ candidate, fault, place: toPlace(fault, i === 0) }));
  const [truest, ...others] = ranked.sort((a, b) => a.place - b.place);
  if (!truest) return new ApiError("api_error", "No model is configured");
  const { fault } = truest;
  if (fault instanceof UpstreamFault && fault.kind === "context_overflow") {
    return toWidestOverflow(tried, tokens) ?? fault;
  }
  if (others.length === 0) return fault;
  const { type, status, headers } = fault;
  const message = ranked.map(({ candidate, fault }) => toNamed(candidate, fault)).join("; also tried: ");
  return new ApiError(type, message, { status, headers, cause: fault });
}
// lib/upstream/chain.ts ---------------------------------------------------------------------
/** Milliseconds that must be left for another candidate to be asked. */
const MIN_LEFT = 5_000;
/** Milliseconds an output token may take where the answer comes only when it is whole. */
const TIME_PER_TOKEN = 20;
/** Milliseconds after which what other processes know is read again. */
const SYNC_PAUSE = 1_000;

/** What an attempt is made with, until when the answer must have begun, and whether there are others to ask after it. */
type Turn = SendOptions & { end: number; hasOthers: boolean };
/** Tells once how an answer went, `undefined` if that says nothing about the model. */
type Over = (well: boolean | undefined) => void;

/** Asks one candidate after the other until one answers, and remembers which of them fail and how. */
class Chain {
  readonly #settings: Required<ChainOptions>;
  readonly #learned: LearnedFacts;
  readonly #health: Health;
  readonly #accounts: Accounts;
  readonly #cuts: Cuts;
  readonly #ledger: TokenLedger;
  readonly #refusal: LastRefusal;
  #loading: Promise<void> | undefined;
  /** When what others know is to be read again; never while that is going on. */
  #syncAt = Infinity;

  /** The accounts of hosts, and what counts tokens, are shared with others. */
  constructor(settings: Required<ChainOptions>, accounts: Accounts, ledger: TokenLedger) {
    this.#settings = settings;
    this.#accounts = accounts;
    this.#ledger = ledger;
    this.#learned = new LearnedFacts(settings.store, settings.clock);
    this.#health = new Health(settings.clock, settings.store);
    this.#cuts = new Cuts(settings.clock);
    this.#refusal = new LastRefusal(settings.clock);
  }

  /** See {@linkcode Send}. */
  readonly send: Send = async (request, options) => {
    const { clock, random, maxAttempts, requestTimeout } = this.#settings;
    const { signal, tokens, onTry } = options;
    const end = clock.now() + requestTimeout;
    await this.load();
    if (clock.now() >= this.#syncAt) void this.#sync();
    const tried = new Map<Candidate, ApiError>();
    const asks = new Map<Candidate, number>();
    let waiting = this.#order(request, options, options.candidates);
    let candidate = waiting.shift();
    for (let calls = 0; candidate && calls < maxAttempts; calls++) {
      const asked = asks.get(candidate) ?? 0;
      const { retryAttempts = 1, retryBaseDelayMs: own } = candidate.profile ?? {};
      const wait = toBackOff({ faults: tried.values(), asked, last: tried.get(candidate), own, random: random() });
      if (tried.size > 0 && end - clock.now() - wait < MIN_LEFT) break;
      if (wait > 0) await sleep(clock, wait, signal);
      const wanted = candidate.traits?.wholeAnswers ? { ...request, stream: false } : request;
      const fitting = this.#fit(wanted, candidate, tokens);
      const { body } = fitting;
      try {
        const refused = this.#refusal.of(candidate, body);
        if (refused) throw refused;
        const turn = { ...options, end, hasOthers: waiting.length > 0 && calls + 1 < maxAttempts };
        const events = await this.#ask(wanted, fitting, candidate, turn);
        const failed = [...tried].map(([candidate, fault]) => toNamed(candidate, fault));
        return { candidate, events, warnings: [...failed, ...fitting.warnings] };
      } catch (thrown) {
        signal.throwIfAborted();
        const fault = toApiError(thrown);
        tried.set(candidate, fault);
        onTry?.(candidate, fault);
        if (!(fault instanceof UpstreamFault)) break;
        this.#learn(candidate, fault, fitting, tokens);
        const { then } = FAULT_KINDS[fault.kind];
        // What one model finds wrong with a request, another may not, once the one that was wanted has failed.
        if (then === "stop" && tried.size === 1) {
          this.#refusal.note(candidate, body, fault);
          break;
        }
        const mended = then === "mend" && mayFit(fault, tokens.count(candidate)) &&
          !isSameJson(body, this.#fit(wanted, candidate, tokens).body);
        if (mended) continue;
        asks.set(candidate, asked + 1);
        if (asked + 1 < retryAttempts && mayPass(fault)) waiting.push(candidate);
        const { backend } = candidate;
        if (then === "leave") waiting = waiting.filter((other) => !isSameAccount(other.backend, backend));
        if (this.#accounts.windowOf(backend).blocked) waiting = this.#order(request, options, waiting);
        candidate = waiting.shift();
      }
    }
    throw summarizeFaults(tried, tokens);
  };

  /** Reads what was learned before, which sending does by itself. */
  readonly load = (): Promise<void> => this.#loading ??= this.#sync();

  /** Until when a model is asked last, in milliseconds since 1970. */
  readonly avoidedUntil = (candidate: Candidate): number => this.#health.avoidedUntil(toKey(candidate));

  /** Takes over what other processes know. */
  async #sync(): Promise<void> {
    const { store, clock } = this.#settings;
    this.#syncAt = Infinity;
    const [ratios] = await Promise.all([this.#learned.sync(), this.#health.sync()]);
    this.#ledger.restore(ratios);
    if (store.shared) this.#syncAt = clock.now() + SYNC_PAUSE;
  }

  #order(request: MessagesRequest, { tokens }: SendOptions, candidates: readonly Candidate[]): Candidate[] {
    const cuts = this.#cuts.of(request);
    return orderCandidates(request, candidates, tokens, (candidate) => {
      const [key, facts] = [toKey(candidate), this.#learned.of(candidate)];
      const gone = facts.goneSince < Infinity;
      return {
        facts,
        well: this.#health.isWell(key) && !gone,
        back: gone ? Infinity : this.#health.avoidedUntil(key),
        cut: cuts.has(key),
        blocked: this.#accounts.windowOf(candidate.backend).blocked,
      };
    });
  }

  #fit(request: MessagesRequest, candidate: Candidate, tokens: PromptTokens): FittingRequest {
    const { maxTokens } = this.#settings;
    return toFittingRequest(request, { candidate, maxTokens, tokens, facts: this.#learned.of(candidate) });
  }

  async #ask(
    request: MessagesRequest,
    { body, maxTokens }: FittingRequest,
    candidate: Candidate,
    turn: Turn,
  ): Promise<Answer["events"]> {
    const { clock, patience } = this.#settings;
    const { signal, tokens, kind, end, hasOthers } = turn;
    const leave = await this.#accounts.enter(candidate.backend, PRIORITIES[kind], signal, end - clock.now());
    turn.onTry?.(candidate);
    const tell = this.#health.begin(toKey(candidate));
    let release = () => {};
    const over: Over = (well) => {
      tell(well);
      leave();
      release();
    };
    // A request that nobody waits for says nothing about the model, and its events may never be read to the end.
    release = onAbort(signal, () => over(undefined));
    const began = clock.now();
    try {
      const left = Math.max(0, end - began);
      const writing = request.stream ? 0 : maxTokens * TIME_PER_TOKEN;
      const limit = hasOthers ? Math.min(left / 2, patience + tokens.roughly / 2 + writing) : left;
      const isOfUse = toHeldUntil(kind, hasOthers && this.#cuts.of(request).size > 0);
      const onPromptTokens = (actual: number) => this.#report(candidate, tokens, actual);
      const options = { settings: this.#settings, options: turn, limit, isOfUse, onPromptTokens };
      const events = await attempt(request, body, candidate, options);
      // An answer that let the user wait for long is as good as a fault.
      const slow = hasOthers && clock.now() - began > limit / 2;
      return this.#watch(events, request, candidate, turn, (well) => over(well && !slow));
    } catch (thrown) {
      // What is wrong with the request or the account says nothing about the model.
      const { then, account } = thrown instanceof UpstreamFault ? FAULT_KINDS[thrown.kind] : { then: "stop" };
      over(then === "next" && !account ? false : undefined);
      throw thrown;
    }
  }

  /** Passes events on, tells how the answer ended, and remembers whose was of no use. */
  #watch(
    events: Answer["events"],
    request: MessagesRequest,
    candidate: Candidate,
    { signal, kind }: SendOptions,
    over: Over,
  ): Answer["events"] {
    const isOfUse = toNeeded(kind);
    let used = false;
    return iterate(async () => {
      try {
        const read = await events.next();
        used ||= !!read.value?.some(isOfUse);
        if (read.done) {
          if (!used) this.#cuts.note(request, toKey(candidate));
          over(true);
          this.#learned.learnBack(candidate);
        }
        return read;
      } catch (thrown) {
        if (!signal.aborted) this.#cuts.note(request, toKey(candidate));
        over(false);
        throw thrown;
      }
    });
  }

  /** Remembers what a fault says about a model. */
  #learn(candidate: Candidate, fault: UpstreamFault, { maxTokens }: FittingRequest, tokens: PromptTokens): void {
    const { kind, facts: { retryAfter, used } } = fault;
    const wait = Math.max(FAULT_KINDS[kind].avoid ?? 0, retryAfter ?? 0);
    if (wait > 0) this.#health.avoid(toKey(candidate), wait);
    if (kind === "rate_limited") this.#accounts.refuse(candidate, retryAfter);
    this.#learned.learn(candidate, toLessons(fault, maxTokens));
    if (used) this.#report(candidate, tokens, toCounted(fault, maxTokens, tokens.count(candidate)));
  }

  /** Notes how many tokens a host has counted. */
  #report(candidate: Candidate, tokens: PromptTokens, actual: number): void {
    tokens.report(candidate, actual);
    const ratio = this.#ledger.ratioOf(candidate);
    if (ratio !== undefined) this.#learned.learnRatio(candidate, ratio);
  }
}
// lib/arbiter.ts ----------------------------------------------------------------------------
/** Options of {@linkcode createArbiter}: where requests may go, and how clients and upstreams are treated. */
export interface ArbiterOptions extends HandlerOptions, RouterOptions {}

/** A proxy: Anthropic's Messages API in front of other hosts. */
export type Arbiter = {
  /** Answers one request; never rejects. */
  fetch(request: Request): Promise<Response>;
  /**
   * Routes requests by these options alone from now on; answers that are on their way go on.
   *
   * @throws {TypeError} If no model is chosen and none is known, or a backend, its address or its key is of no use.
   */
  configure(options: RouterOptions): void;
  /** Finds where requests go. */
  readonly router: Router;
  /** Tells what it has done since it was made, and how many requests the account may still start. */
  status(): ArbiterStatus;
  /** Breaks off every answer that is still on its way. */
  close(): void;
};

const UNFIT = "it has blanks or other characters that no header can carry";

/**
 * Puts a proxy together; nothing is opened before the first request.
 *
 * @throws {TypeError} If no model is chosen and none is known, or a backend, its address, its key or one for clients is
 * of no use.
 */
export function createArbiter(options: ArbiterOptions = {}): Arbiter {
  checkClientKeys(options.clientKeys ?? []);
  const { fetch = patientFetch } = options;
  const settings: Required<HandlerOptions> = {
    fetch,
    call: options.call ?? toCall(fetch),
    requestTimeout: options.requestTimeout ?? 600_000,
    patience: options.patience ?? 120_000,
    idleTimeout: options.idleTimeout ?? 180_000,
    maxTokens: options.maxTokens ?? Infinity,
    maxAttempts: options.maxAttempts ?? 6,
    store: options.store ?? createMemoryStore(),
    userAgent: options.userAgent ?? USER_AGENT,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    newId: options.newId ?? randomId,
    maxBodyBytes: options.maxBodyBytes ?? 32 * 1024 * 1024,
    hold: options.hold ?? 8_000,
    pingInterval: options.pingInterval ?? 10_000,
    linger: options.linger ?? 5_000,
    clientKeys: options.clientKeys ?? [],
    open: options.open ?? false,
    inboundRpm: options.inboundRpm ?? 0,
    showContent: options.showContent ?? false,
    visualizes: options.visualizes ?? false,
    localAnswers: options.localAnswers ?? USUAL_ANSWERS,
    onRequest(log) {
      stats = addRequest(stats, log);
      sessions.add(log);
      metrics.add(log);
      live.end(log);
      options.onRequest?.(log);
    },
  };
  const accounts = new Accounts(settings.clock, settings.store);
  let stats = createStats(settings.clock.now());
  const [sessions, metrics] = [new Sessions(settings.clock, settings.store), new Metrics()];
  const live = new Live(settings.clock, settings.showContent);
  let router: Router;
  function configure(options: RouterOptions): void {
    const next = createRouter(options);
    const unfit = [...next.catalog.backends.values()].find(({ apiKey }) => apiKey && !/^[\x21-\x7e]+$/.test(apiKey));
    if (unfit) throw new TypeError(`Cannot use the API key of '${unfit.name}': ${UNFIT}`);
    router = next;
  }
  configure(options);
  function toQuota(backend: Backend): Quota | undefined {
    const { limit, window } = backend.limits ?? NO_LIMITS;
    return limit > 0 ? { left: accounts.windowOf(backend).left, limit, window } : undefined;
  }
  function status(): ArbiterStatus {
    const { elite } = router.catalog;
    const quota = toQuota(elite.backend);
    const found = { name: "arbiter", version: VERSION, model: toLabel(elite, router.catalog) } as const;
    return { ...found, ...stats, ...(quota ? { quota } : {}) };
  }
  const ledger = new TokenLedger();
  const chain = new Chain(settings, accounts, ledger);
  function state(told = 0): LiveState {
    const whole = told <= live.forgotten;
    const since = whole ? 0 : told;
    const { catalog, catalog: { elite, speed, fallbacks } } = router;
    const usual = [elite, speed, ...fallbacks].map((target) => toCandidate(target, catalog));
    return {
      ...status(),
      live: {
        at: settings.clock.now(),
        requests: live.requests(since),
        models: live.models(usual, chain.avoidedUntil),
        quotas: live.backends().flatMap((backend) => {
          const quota = toQuota(backend);
          return quota ? [{ backend: backend.name, ...quota }] : [];
        }),
        sessions: sessions.since(since),
        whole,
        showsContent: settings.showContent,
      },
    };
  }
  const feed = new LiveFeed(settings.clock, state);
  live.onChange = feed.change;
  const shared = new SharedAnswers(settings);
  const noting = { status, state, sessions, metrics, live, feed };
  const { send, load } = chain;
  const handler = createHandler({ ...settings, router: () => router, send, load, ledger, shared, ...noting });
  return {
    fetch: handler.fetch,
    close() {
      handler.close();
      sessions.flush();
    },
    configure,
    status,
    get router() {
      return router;
    },
  };
}
// lib/upstream/http_call.ts -----------------------------------------------------------------
/** Milliseconds an idle connection is kept: many hosts close theirs after five seconds, just when it is used again. */
const IDLE_TIMEOUT = 4_000;
/** So many bytes may wait to be read before the host is told to pause. */
const MAX_WAITING = 262_144;

type Connector = { request: typeof import("node:http").request; agent: Agent };

/** What opens connections and keeps them, by protocol. */
const CONNECTORS = new Map<string, Connector>();

async function loadConnector(protocol: string): Promise<Connector> {
  const { Agent, request }: typeof import("node:http") = await import(`node:${protocol.slice(0, -1)}`);
  const known = CONNECTORS.get(protocol);
  const connector = known ?? { request, agent: new Agent({ keepAlive: true, timeout: IDLE_TIMEOUT }) };
  CONNECTORS.set(protocol, connector);
  return connector;
}

/** Asks once more when the host has closed a connection, that was kept, just before this. */
function ask(connector: Connector, url: URL, options: CallOptions): Promise<IncomingMessage> {
  const { method, headers, body, signal } = options;
  return new Promise((resolve, reject) => {
    const asked = connector.request(url, { method, headers, agent: connector.agent }, (incoming) => {
      asked.reusedSocket = false; // Half an answer is not asked for again.
      resolve(incoming);
    });
    asked.on("error", (error: Error & { code?: string }) => {
      const stale = asked.reusedSocket && error.code === "ECONNRESET" && !signal.aborted;
      if (stale) resolve(ask(connector, url, options));
      else reject(error);
    });
    const release = onAbort(signal, () => {
      asked.reusedSocket = false; // Deno would ask again.
      asked.destroy();
      reject(signal.reason);
    });
    asked.once("close", () => {
      release();
      reject(new Error("The connection was closed")); // Whoever changes the protocol says no more.
    });
    asked.end(body);
  });
}

/** Hosts pack what they send only if asked to, but for some. */
async function unpack(incoming: IncomingMessage): Promise<Readable> {
  const packed = incoming.headers["content-encoding"] ?? "identity";
  if (packed === "identity") return incoming;
  const [{ createBrotliDecompress, createUnzip }, { pipeline }] = await Promise.all([
    import("node:zlib"),
    import("node:stream"),
  ]);
  return pipeline(incoming, packed === "br" ? createBrotliDecompress() : createUnzip(), () => {});
}

function joinPieces(pieces: readonly Uint8Array[], size: number): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const joined = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

/** Reads a body; what came in one read of the socket, chunk by chunk, leaves as one piece. */
function toPieceReader(body: Readable): () => Promise<Uint8Array | undefined> {
  let pieces: Uint8Array[] = [];
  let [size, over] = [0, false];
  let failure: Error | undefined;
  let wake = () => {};
  const end = (error?: Error) => {
    if (!over) failure = error;
    over = true;
    wake();
  };
  body.on("data", (piece: Uint8Array) => {
    pieces.push(piece);
    size += piece.length;
    if (size > MAX_WAITING) body.pause();
    wake();
  });
  body.once("end", () => end()).on("error", end).once("close", () => end(new Error("The connection was closed")));
  return async () => {
    // Whoever waits goes on behind the events of the whole read.
    if (size === 0 && !over) await new Promise<void>((resolve) => wake = resolve);
    if (size > 0) {
      const joined = joinPieces(pieces, size);
      [pieces, size] = [[], 0];
      if (!over) body.resume();
      return joined;
    }
    if (failure) throw failure;
    return undefined;
  };
}

/** What only `fetch` heeds: a company's proxy, and Deno's own ways to trust a certificate. */
const FETCH_NAMES = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "DENO_CERT", "DENO_TLS_CA_STORE"];

/** Whether {@linkcode httpCall} does in this place what `fetch` does, for less: on Bun `fetch` is as fast. */
function suitsHttpCall(env: Readonly<Record<string, string | undefined>>): boolean {
  return !("Bun" in globalThis) && !FETCH_NAMES.some((name) => env[name] || env[name.toLowerCase()]);
}

/**
 * Calls hosts through `node:http`, for Node and Deno: their `fetch` takes more time for each piece of an answer than all
 * that is done with it here. It knows no `HTTPS_PROXY`, and follows no redirect.
 *
 * @throws {Error} If the host cannot be reached, or breaks off; the signal's reason if that fires first.
 */
export async function httpCall(url: string, { headers, ...options }: CallOptions): Promise<CallAnswer> {
  const address = new URL(url);
  const connector = CONNECTORS.get(address.protocol) ?? await loadConnector(address.protocol);
  const incoming = await ask(connector, address, {
    ...options,
    headers: { ...headers, "accept-encoding": "identity" },
  });
  const body = await unpack(incoming);
  const { statusCode: status = 0, headers: received } = incoming;
  return {
    status,
    headers: { get: (name) => received[name]?.toString() ?? null },
    read: toPieceReader(body),
    cancel: () => void incoming.destroy(),
  };
}
// lib/cli/oldest.ts -------------------------------------------------------------------------
/**
 * The first versions on which all of it works: older ones of Deno and Bun run a session, but do not always notice
 * that a connection breaks or a client goes away.
 */
const OLDEST: Readonly<Record<string, string>> = { Node: "20", Deno: "2.8", Bun: "1.4.3" };

/** Whether a version such as `2.1.154` is older than another. */
function isOlder(version: string, than: string): boolean {
  return version.localeCompare(than, "en", { numeric: true }) < 0;
}

/** What to do about a runtime that is too old. */
function toUpgrade({ name, version }: Runtime): string | undefined {
  const oldest = OLDEST[name];
  return oldest !== undefined && isOlder(version, oldest) ? `Install ${oldest} or later.` : undefined;
}
// lib/cli/run_file.ts -----------------------------------------------------------------------
/** What a proxy notes of itself while it listens; `started`, in milliseconds since 1970, is what it tells as `since`. */
type RunFile = { pid: number; port: number; started: number; version: string };

const toRunPath = (io: Io, ...names: string[]) => toStatePath(io, "run", ...names);

/** Notes who listens on a port; without it only `stop` does not work. */
async function keepRunFile(io: Io, port: number, started: number): Promise<void> {
  const path = toRunPath(io, `${port}.json`);
  const { pid } = (await import("node:process")).default;
  const file: RunFile = { pid, port, started, version: VERSION };
  if (path) await replaceFile(path, `${JSON.stringify(file)}\n`).catch(() => {});
}

/** Removes the note about a port, if there is one. */
async function removeRunFile(io: Io, port: number): Promise<void> {
  const { rm } = await import("node:fs/promises");
  const path = toRunPath(io, `${port}.json`);
  if (path) await rm(path, { force: true }).catch(() => {});
}

/** Reads all notes, also those of proxies that were killed: only who tells the same start is who is meant. */
async function readRunFiles(io: Io): Promise<RunFile[]> {
  const { readdir, readFile } = await import("node:fs/promises");
  const names = await readdir(toRunPath(io) ?? "").catch(() => []);
  const texts = await Promise.all(names.map((name) => readFile(toRunPath(io, name)!, "utf8").catch(() => "")));
  return texts.map(parseJson).filter((file): file is RunFile =>
    isJsonObject(file) && ["pid", "port", "started"].every((key) => Number.isInteger(file[key])) &&
    Number(file.port) > 0 && Number(file.port) <= 65_535 && Number(file.pid) > 0 // Others are groups of processes.
  );
}

/**
 * The key for who listens on a port of this machine: only a proxy that has left a note, and whose process is there, is
 * shown it. Anybody could listen there instead.
 */
async function readOwnToken(io: Io, settings: Settings, port: number): Promise<string> {
  const { default: process } = await import("node:process");
  const isThere = ({ pid }: RunFile): boolean => {
    try {
      return process.kill(pid, 0); // Asks only whether the process is there, and the user's.
    } catch {
      return false;
    }
  };
  const own = (await readRunFiles(io)).some((file) => file.port === port && isThere(file));
  return toToken(own ? settings : {});
}
// lib/cli/running.ts ------------------------------------------------------------------------
/** Milliseconds a proxy on this machine is given to say who it is. */
const STATUS_TIMEOUT = 2_000;

/** What corporate proxies are not asked for. */
const THIS_MACHINE_NAMES = ["127.0.0.1", "localhost", "[::1]"];

/** `fetch` for this machine: Deno and Bun would send that to `HTTP_PROXY`, too, unless a variable says otherwise. */
const localFetch: Fetch = async (input, init) => {
  const { env } = (await import("node:process")).default;
  for (const name of ["NO_PROXY", "no_proxy"]) {
    if (!env[name]?.includes("127.0.0.1")) env[name] = [env[name], ...THIS_MACHINE_NAMES].filter(Boolean).join(",");
  }
  return await fetch(input, init);
};

/** Where a proxy listens. */
type Address = { host: string; port: number };

/** Whether somebody listens at an address of this machine, whatever it speaks. */
async function isPortTaken({ host, port }: Address): Promise<boolean> {
  const { connect } = await import("node:net");
  const { hostname } = new URL(toServerUrl(host, port));
  return await new Promise((resolve) => {
    const socket = connect({ port, host: hostname.replace(/^\[|\]$/g, ""), timeout: STATUS_TIMEOUT });
    const end = (taken: boolean) => {
      socket.destroy();
      resolve(taken);
    };
    socket.once("connect", () => end(true)).once("error", () => end(false)).once("timeout", () => end(true));
  });
}

/** Who is on a port: an Arbiter, which tells how it goes, or wants another key, another program, or nobody. */
type Occupant = ArbiterStatus | "locked" | "other" | undefined;

/** Asks who is at an address of this machine; a proxy of the user's own is shown its key. */
async function findRunning(address: Address, { io, settings }: Context): Promise<Occupant> {
  if (address.port === 0 || !await isPortTaken(address)) return undefined;
  const url = toServerUrl(address.host, address.port) + STATUS_PATH;
  const signal = AbortSignal.timeout(STATUS_TIMEOUT);
  const headers = { authorization: `Bearer ${await readOwnToken(io, settings, address.port)}` };
  const response = await localFetch(url, { headers, signal, redirect: "error" }).catch(() => undefined);
  const status = parseJson(await response?.text().catch(() => "") ?? "");
  if (isJsonObject(status) && status.name === "arbiter") {
    const { live: _live, ...counts } = status;
    return counts as ArbiterStatus;
  }
  return response?.status === 401 && response.headers.has("request-id") ? "locked" : "other";
}
// lib/cli/folder_files.ts -------------------------------------------------------------------
const OWN_MACHINE = /^(?:localhost|127(?:\.\d+){3}|\[?::1\]?)$/i;
const OWN_STORE = /^(?:memory|sqlite)$/i;
const OFF = /^(?:0|false|no|off)$/i;

/** Variables by which others could reach the proxy, read along, or the folder bring a package that is run; what is safe. */
const OPENING: readonly (readonly [names: string, safe: RegExp])[] = [
  ["ARBITER_HOST BRIDGE_HOST PROXY_HOST", OWN_MACHINE],
  ["ARBITER_ALLOW_OPEN ARBITER_SHOW_CONTENT", OFF],
  ["ARBITER_STORE STORAGE_ENGINE", OWN_STORE],
];

/** Variables of the current folder's `.env` but those that would let others in: whoever wrote a folder may not do that. */
function withoutOpening(folder: Env, warn: (warning: string) => void): Env {
  const opens = ([name, value]: [string, string | undefined]) =>
    Boolean(value) && OPENING.some(([names, safe]) => names.split(" ").includes(name) && !safe.test(value!));
  // A project's own Redis is nothing to warn of, but not to be told of Arbiter either.
  const variables = Object.entries(folder).filter(([name]) => !name.startsWith("REDIS_"));
  for (const [name] of variables.filter(opens)) {
    warn(`${name} in this folder's .env does not count: set it in the environment`);
  }
  return Object.fromEntries(variables.filter((variable) => !opens(variable)));
}

/** Whether a key may go there whoever says so: hosts that are known anyway, and this machine. */
function isKnownHost(url: string): boolean {
  const { origin, hostname } = new URL(url);
  return OWN_MACHINE.test(hostname) || [...BACKENDS.values()].some(({ baseUrl }) => new URL(baseUrl).origin === origin);
}

/**
 * Makes sure that no file which came with a folder sends a key of the user's to a host of its own: a project that was
 * downloaded may have an `arbiter.json` or a `.env`.
 *
 * @param backends Hosts as they would be asked.
 * @param folder The current folder's `.env`; keys in it are its own.
 * @param trusted The hosts that the user has named elsewhere.
 * @throws {ConfigError} Saying how to agree.
 */
function checkFolderHosts(
  backends: Readonly<Record<string, BackendOptions>>,
  folder: Env,
  trusted: readonly (ConfigFile["backends"])[],
): void {
  for (const [name, { baseUrl, apiKey }] of Object.entries(backends)) {
    if (!baseUrl || !apiKey || !URL.canParse(baseUrl) || isKnownHost(baseUrl)) continue;
    const named = trusted.some((hosts) => hosts && Object.hasOwn(hosts, name) && hosts[name]!.baseUrl === baseUrl);
    if (named || Object.values(folder).some((keys) => keys?.split(",").some((key) => key.trim() === apiKey))) continue;
    throw new ConfigError(
      `A file of this folder would send your API key for '${name}' to ${baseUrl}: if that is right, name the file ` +
        "with --config, or set the address where you set the key",
    );
  }
}
// lib/cli/router_options.ts -----------------------------------------------------------------
/** What a router is made from, and the port and the path of the config file, if there is one. */
type ReadOptions = RouterOptions & { port?: number; path?: string };

/** Milliseconds between two looks at the config file. */
const WATCH_INTERVAL = 1_000;

/** Whether somebody has said which model to use, or has a host of their own, which knows. */
function namesModel({ model, defaultBackend = DEFAULT_BACKEND, backends = {} }: RouterOptions): boolean {
  return Boolean(model ?? backends[defaultBackend]?.defaultModel) || defaultBackend !== DEFAULT_BACKEND;
}

/** All variables; what is empty hides nothing. */
function mergeLayers(layers: readonly Env[]): Env {
  const set = [...layers].reverse().map((layer) => Object.entries(layer).filter(([, value]) => value?.trim()));
  return Object.fromEntries(set.flat());
}

/**
 * Puts together where requests may go: flags and environment go before the config file, which is read now, and
 * that before the choice made in the menu.
 *
 * @param path The file, when it was found before and must still be there.
 * @throws {ConfigError} If the file cannot be read, or is wrong.
 */
async function readRouterOptions(
  { settings, layers, flags, io, folder = {} }: Context,
  path?: string,
  warn: (warning: string) => void = () => {},
): Promise<ReadOptions> {
  const env = mergeLayers(layers);
  const file = path === undefined ? await findConfig(env, io.cwd, io.platform) : await readConfig(path);
  const config = file ? parseConfig(file.text, file.path, env, [...BACKENDS.keys()]) : {};
  const backends: Record<string, BackendOptions> = { ...config.backends };
  for (const [name, { apiKey, baseUrl }] of Object.entries(resolveBackends(layers, warn))) {
    const own = backends[name] ?? {};
    // A key goes only to whom it is for: a file that names another variable means that one, or none.
    const key = apiKey && !own.apiKeyEnv ? { apiKey } : {};
    backends[name] = { ...own, ...key, ...(baseUrl ? { baseUrl } : {}) };
  }
  const { apiKey, port, thinking, rateLimit, rateWindow, maxConcurrency } = settings;
  const host = config.defaultBackend ?? DEFAULT_BACKEND;
  const outside = layers.filter((layer) => layer !== folder);
  const named = toConfigName(mergeLayers(outside));
  const isOwn = named ? named === toConfigName(env) : file?.path === toConfigPath(io, "arbiter.json");
  checkFolderHosts(
    apiKey ? { ...backends, [host]: { ...backends[host], apiKey } } : backends,
    folder,
    [resolveBackends(outside), isOwn ? config.backends : undefined],
  );
  const { model = [], opus, sonnet, haiku, opusThinking, sonnetThinking, haikuThinking } = settings;
  const typed = flags.model?.includes(",");
  const fallbacks = (typed ? undefined : settings.fallbacks) ?? (model.length > 1 ? model.slice(1) : undefined);
  const set = { apiKey, port, thinking, rateLimit, rateWindow, maxConcurrency };
  const chosen = {
    ...set,
    path: file?.path,
    // What was chosen in the menu counts least.
    model: model[0] ?? (namesModel(config) ? undefined : (await readChoice(io)).model),
    fallbacks,
    listed: model.length > 1 ? model : undefined,
  };
  const given = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined));
  const tierThinking = { opus: opusThinking, sonnet: sonnetThinking, haiku: haikuThinking };
  return { ...config, ...given, backends, tiers: { opus, sonnet, haiku }, tierThinking };
}

/** Calls `changed` when a file has changed, and `failed` when that throws; gives what ends it. */
async function watchConfig(
  path: string | undefined,
  changed: () => Promise<void>,
  failed: (error: Error) => void,
): Promise<() => void> {
  if (path === undefined) return () => {};
  const { watchFile, unwatchFile } = await import("node:fs");
  const look = () => void changed().catch(failed);
  // It looks every second: what tells of changes differs between systems, and misses editors that replace files.
  watchFile(path, { interval: WATCH_INTERVAL, persistent: false }, look);
  return () => unwatchFile(path, look);
}
// lib/cli/proxy.ts --------------------------------------------------------------------------
/** Arbiter's port when nobody chooses one. */
const DEFAULT_PORT = 4005;
/** Arbiter's address when nobody chooses one: Claude Code may look for `localhost` in the wrong family. */
const DEFAULT_HOST = "127.0.0.1";

const NO_KEY =
  "No API key: get a free one at https://build.nvidia.com and set NVIDIA_API_KEY in the environment or in " +
  ".env. To try without a key, add --demo";

/** Where requests go in a demo; its `fetch` is the stand-in's. */
const DEMO_OPTIONS: RouterOptions = { baseUrl: "http://stand-in/v1", model: DEMO_MODEL, fallbacks: [] };

/** What to do where a host has no key; nothing where it has one, or needs none. */
function toNoKey({ lacks, name }: Backend): string | undefined {
  return lacks === "NVIDIA_API_KEY" ? NO_KEY : lacks && `No API key for '${name}': set ${lacks}`;
}

/** A proxy made from settings: where it is to listen, its store, its models, its upstream's name, what ends its care for files. */
type ConfiguredProxy = Awaited<ReturnType<typeof createProxy>>;

/** So many sentences about losses are remembered; clients may name what is lost as they like. */
const MOST_WARNINGS = 200;

/** What is written of requests: a line each, and a sentence about a loss only once. */
function toRequestWriter(logLevel: string, write: (line: string) => void): (log: RequestLog) => void {
  const warned = new Set<string>();
  return (log) => {
    if (log.path === STATUS_PATH) return; // Who watches asks every second.
    if (logLevel === "silent" || (logLevel === "error" && log.status < 400 && !log.error)) return;
    write(formatRequestLog(log));
    for (const warning of log.warnings ?? []) {
      const line = toLogLine(`warning: ${warning}`);
      if (warned.has(line)) continue;
      write(line);
      if (warned.size >= MOST_WARNINGS) warned.clear();
      warned.add(line);
    }
  };
}

/** How clients and upstreams are treated; one earlier tool has two limits of output, a usual one and a hard one. */
function toHandlerOptions(settings: Settings, write: (line: string) => void): HandlerOptions {
  const { maxTokens = Infinity, hardMaxTokens = Infinity, logLevel = "info", allowOpen: open } = settings;
  const { pingInterval, maxBodyBytes, requestTimeout, clientKeys, inboundRpm, showContent, visualizes } = settings;
  const set = { pingInterval, maxBodyBytes, requestTimeout, clientKeys, open, inboundRpm, showContent, visualizes };
  return {
    ...Object.fromEntries(Object.entries(set).filter(([, value]) => value !== undefined)),
    localAnswers: toLocalAnswers(settings),
    maxTokens: Math.min(maxTokens, hardMaxTokens),
    onRequest: toRequestWriter(logLevel, write),
  };
}

/** What a library calls a wrong argument is a wrong configuration here. */
function toConfigured<T>(create: () => T): T {
  try {
    return create();
  } catch (cause) {
    throw cause instanceof TypeError ? new ConfigError(cause.message, { cause }) : cause;
  }
}

/** Where the proxy listens, or would; `options` tells the port of a config file. */
function toAddress({ settings }: Context, options: { port?: number | undefined } = {}): Address {
  return { host: settings.host ?? DEFAULT_HOST, port: settings.port ?? options.port ?? DEFAULT_PORT };
}

/** What a router is made from: the demo's options, or those of flags, environment and config file. */
async function readOptions(context: Context, warn?: (warning: string) => void): Promise<ReadOptions> {
  return context.flags.demo ? DEMO_OPTIONS : await readRouterOptions(context, undefined, warn);
}

/** The address a command is about: the one that `serve` would take; where the port is said no file can stand in the way. */
async function readAddress(context: Context): Promise<Address> {
  return toAddress(context, context.settings.port === undefined ? await readOptions(context) : {});
}

/** Finds out what names mean, and where requests would go. */
async function readRouter(context: Context, warn?: (warning: string) => void): Promise<Router> {
  const options = await readOptions(context, warn);
  return toConfigured(() => createArbiter(options)).router;
}

/** What asks the upstream: the stand-in in a demo, `node:http` where that does as well as `fetch`. */
function toCaller({ flags, io }: Context): Pick<HandlerOptions, "fetch" | "call"> {
  if (flags.demo) return { fetch: createStandIn({ keep: 0 }).fetch };
  return suitsHttpCall(io.env) ? { call: httpCall } : {};
}

/** Makes the proxy the settings ask for; `write` takes the lines of its log. */
async function createProxy(context: Context, write: (line: string) => void) {
  const { settings, flags, io } = context;
  checkHost(settings);
  const runtime = await readRuntime();
  const upgrade = toUpgrade(runtime);
  if (upgrade) io.tell(`arbiter: ${runtime.name} ${runtime.version} is too old for all to work. ${upgrade}`);
  const handling = { ...toHandlerOptions(settings, write), ...toCaller(context) };
  const store = await openStore(context, write);
  const { port, path, ...options } = await readOptions(context, io.tell);
  const arbiter = toConfigured(() => createArbiter({ ...handling, ...options, store }));
  const { catalog, catalog: { elite: { backend } } } = arbiter.router;
  const noKey = toNoKey(backend);
  if (noKey) throw new ConfigError(noKey);
  const unwatch = await watchConfig(path, async () => {
    arbiter.configure(await readRouterOptions(context, path));
    write(`Read ${path} again`);
  }, (error) => write(`Kept the configuration as it was: ${error.message}`));
  const models = await readModelChoice(catalog, context, store);
  const upstream = flags.demo ? "the built-in demo model" : backend.baseUrl;
  return { arbiter, store, models, upstream, ...toAddress(context, { port }), unwatch };
}

/**
 * Listens on the proxy's port, and notes that for `stop`; if it is taken, tells `elsewhere` and takes a free one, or
 * without it fails. Closing the server ends the proxy.
 */
async function listen(proxy: ConfiguredProxy, io: Io, elsewhere?: (taken: number) => void): Promise<Server> {
  const { arbiter, host, port, store, unwatch } = proxy;
  const open = (port: number) => serve(arbiter.fetch, { hostname: host, port });
  const server = await open(port).catch(({ code, message }) => {
    const why = code ?? message;
    if (why !== "EADDRINUSE") {
      throw new Error(`Cannot listen on ${host}, port ${port} (${why}): choose others with --host and --port`);
    }
    if (!elsewhere) throw new Error(`Port ${port} is taken, perhaps by another Arbiter: choose another with --port`);
    elsewhere(port);
    return open(0);
  });
  await keepRunFile(io, server.port, arbiter.status().since);
  return {
    ...server,
    async close() {
      unwatch();
      arbiter.close();
      await removeRunFile(io, server.port);
      await server.close();
      await store.close();
    },
  };
}
// lib/cli/reach.ts --------------------------------------------------------------------------
/**
 * Milliseconds an upstream is given to show that it is there, and one whose model has answered in the last hours: without
 * a network calls fail at once, and nobody should wait for a slow answer that tells nothing new.
 */
const REACH_TIMEOUT = 5_000, KNOWN_REACH_TIMEOUT = 100;

/** What is said of a host that cannot be reached. */
function toUnreachable(url: string, thrown: unknown): string {
  return `Cannot reach ${url} (${toCallFailure(thrown)}): check the network, or that address`;
}

/** Why the upstream cannot be reached at all, as a sentence; any answer will do, and slowness is no proof. */
async function findUnreachable(
  { upstream, store, arbiter: { router: { catalog } } }: ConfiguredProxy,
): Promise<string | undefined> {
  const known = await hasAnswered(toCandidate(catalog.elite, catalog), { store, maxAge: PROBE_LIFE });
  const signal = AbortSignal.timeout(known ? KNOWN_REACH_TIMEOUT : REACH_TIMEOUT);
  try {
    const response = await patientFetch(`${upstream}/models`, { signal, redirect: "manual" });
    await response.body?.cancel();
    return undefined;
  } catch (thrown) {
    return signal.aborted ? undefined : toUnreachable(upstream, thrown);
  }
}
// lib/cli/host_lists.ts ---------------------------------------------------------------------
/** Milliseconds a host is given to list its models. */
const LIST_TIMEOUT = 15_000;
/** Bytes of a list: OpenRouter's, the longest, has one million. */
const MAX_LIST_BYTES = 16 * 1024 * 1024;

/** The ids that hosts listed, and when they did, by their address. */
function createListStore(io: Io): Store {
  const path = toStatePath(io, "hosts.json");
  return path ? createFileStore(path, io.tell) : createMemoryStore();
}

/** The models a host listed when it was last asked; nothing if it never was. */
async function readHostList(io: Io, { baseUrl }: Backend): Promise<string[] | undefined> {
  const found = await createListStore(io).get(baseUrl);
  const { ids } = isJsonObject(found) ? found : {};
  const known = Array.isArray(ids) ? ids.filter((id) => typeof id === "string") : [];
  return known.length > 0 ? known : undefined;
}

/** Asks a host for its models, and keeps what it says; with `demo` the built-in one. */
async function fetchHostList(io: Io, backend: Backend, demo = false): Promise<string[]> {
  const { baseUrl, format } = backend;
  const url = `${format === "anthropic" ? `${baseUrl.replace(/\/v1$/, "")}/v1` : baseUrl}/models`;
  const headers = toUpstreamHeaders(backend, { stream: false, userAgent: USER_AGENT, client: undefined });
  const ask = demo ? createStandIn().fetch : patientFetch;
  const signal = AbortSignal.timeout(LIST_TIMEOUT);
  const { status, ...answered } = await toCall(ask)(url, { headers, signal }).catch((cause) => {
    throw new Error(toUnreachable(baseUrl, cause), { cause });
  });
  const answer = parseJson(await readLimited(answered, MAX_LIST_BYTES));
  const rows = isJsonObject(answer) && Array.isArray(answer.data) ? answer.data : [];
  const ids = rows.filter(isJsonObject).map(({ id }) => id).filter((id) => typeof id === "string").sort();
  if (status !== 200 || ids.length === 0) throw new Error(`${url} lists no models (status ${status})`);
  if (!demo) await createListStore(io).set(baseUrl, { at: new Date().toISOString(), ids });
  return ids;
}

/** The models of the roster, and of the config file, that the default host should have. */
function toHostRows({ backend, options: { models = [] } }: Catalog): ModelRow[] {
  const own = ROSTER.filter(({ host = DEFAULT_BACKEND }) => host === backend.name);
  return [...models, ...own].filter(({ id }, i, all) => all.findIndex((row) => row.id === id) === i);
}
// lib/cli/held_terminal.ts ------------------------------------------------------------------
/** What ends a program from outside. */
const END_SIGNALS = ["SIGTERM", "SIGHUP"] as const;
const OPEN_SCREEN = "\x1b[?1049h\x1b[?25l";
const CLOSE_SCREEN = "\x1b[?25h\x1b[?1049l";

/**
 * Holds the terminal while somebody is asked in it: nothing of what is typed is shown until `giveBack`, also when a signal
 * ends the program; `toScreen` goes to a screen of its own, without a cursor, and back.
 */
async function holdTerminal() {
  const { constants } = await import("node:os");
  const { default: process } = await import("node:process");
  let open = false;
  const toScreen = (wanted: boolean) => {
    if (open !== wanted) process.stderr.write(wanted ? OPEN_SCREEN : CLOSE_SCREEN);
    open = wanted;
  };
  const giveBack = () => {
    for (const signal of END_SIGNALS) process.off(signal, end);
    toScreen(false);
    process.stdin.setRawMode(false);
  };
  const end = (signal: (typeof END_SIGNALS)[number]) => {
    giveBack();
    process.exit(128 + constants.signals[signal]);
  };
  for (const signal of END_SIGNALS) process.on(signal, end);
  process.stdin.setRawMode(true);
  return { toScreen, giveBack };
}
// lib/cli/prompts.ts ------------------------------------------------------------------------
/**
 * Ways to ask a person; each gives {@linkcode LEFT} when they leave. From the first question until `close` the terminal
 * shows nothing of what is typed by itself, so that a key is not seen either when it is typed between two questions.
 */
type Prompts = {
  /** Asks for a line; a hidden one is never shown. */
  askLine(question: string, hidden?: boolean): Promise<string | typeof LEFT>;
  /** Lets somebody choose; `start` is given what shows the menu anew, and awaited where that cannot be done. */
  choose(menu: MenuState, start: (show: () => void) => Promise<unknown>): Promise<string | typeof LEFT>;
  /** Waits for something, as long as nobody leaves. */
  waitFor<T>(work: Promise<T>): Promise<T | typeof LEFT>;
  /** Gives the terminal back. */
  close(): Promise<void>;
};

/** Whether colours are wanted on a terminal. */
function wantsColor({ NO_COLOR, TERM }: Env): boolean {
  return !NO_COLOR && TERM !== "dumb";
}

/** Gives keys to a machine until it gives something; `ask` is called when they are no longer shown, and may end it, too. */
async function readKeys<T>(
  ask: (stop: (result: T) => void, fail: (cause: unknown) => void) => void,
  feed: (key: Key) => T | typeof LEFT | undefined,
): Promise<T | typeof LEFT> {
  const { emitKeypressEvents } = await import("node:readline");
  const { default: process } = await import("node:process");
  const { stdin } = process;
  emitKeypressEvents(stdin);
  return await new Promise((resolve, reject) => {
    const stop = (result: T | typeof LEFT) => {
      stdin.off("keypress", onKey).off("end", onEnd).off("error", onEnd).pause(); // What follows is for the next question, or for claude.
      resolve(result);
    };
    const onEnd = () => stop(LEFT);
    const onKey = (text: string | undefined, key: object) => {
      const result = feed({ ...key, text });
      if (result !== undefined) stop(result);
    };
    stdin.on("keypress", onKey).once("end", onEnd).once("error", onEnd); // A terminal that was closed ends with either.
    stdin.resume();
    ask(stop, reject);
  });
}

/** Asks in the terminal of this process, in plain lines where `TERM` says that it can do no more. */
function createPrompts(env: Env): Prompts {
  let held: ReturnType<typeof holdTerminal> | undefined;
  const hold = () => held ??= holdTerminal();
  const askLine: Prompts["askLine"] = async (question, hidden = false) => {
    const { default: { stderr } } = await import("node:process");
    await hold();
    const line = new LineState();
    const asked = `${wrapLines(question, stderr.columns || undefined)} `;
    const answer = await readKeys(() => stderr.write(asked), (key) => {
      const before = line.text;
      const end = line.feed(key);
      const gone = before.length - line.text.length;
      if (!hidden) stderr.write(gone > 0 ? "\b \b".repeat(gone) : end === undefined ? toTyped(key) : "");
      return end;
    });
    stderr.write("\n");
    return answer;
  };
  return {
    askLine,
    waitFor: (work) =>
      readKeys(
        (stop, fail) => void work.then(stop, fail),
        (key) => new LineState().feed(key) === LEFT ? LEFT : undefined,
      ),
    async close() {
      (await held)?.giveBack();
      held = undefined;
    },
    async choose(menu, start) {
      const { default: { stderr } } = await import("node:process");
      if (env.TERM === "dumb") {
        stderr.write("Asking the models …\n");
        await start(() => {});
        stderr.write(`${menu.list().join("\n")}\n`);
        for (;;) {
          const answer = await askLine("Number, id or address (Enter: the default):");
          const id = answer === LEFT ? LEFT : menu.pick(answer);
          if (id !== undefined) return id;
          stderr.write("That is no number of the list, and no model id.\n");
        }
      }
      // A screen of its own: what a terminal does with lines when its size changes does not matter there.
      let open = true;
      const show = () => {
        if (!open) return;
        const lines = menu.render(stderr.columns || 80, wantsColor(env), stderr.rows || 24);
        stderr.write(`\x1b[H\x1b[J${lines.join("\r\n")}`);
      };
      const { toScreen } = await hold();
      const begin = () => {
        toScreen(true);
        stderr.on("resize", show);
        show();
        start(show).catch(() => {});
      };
      try {
        return await readKeys(begin, (key) => {
          const end = menu.feed(key);
          show();
          return end;
        });
      } finally {
        open = false; // Results that still come must not clear what is there then.
        stderr.off("resize", show);
        toScreen(false);
      }
    },
  };
}
// lib/cli/probe_command.ts ------------------------------------------------------------------
/** A name that means a target, wherever it is read; a model may begin like a host that the user has declared. */
function toSureName(target: Target, catalog: Catalog): string {
  const label = toLabel(target, catalog);
  const { backend, model } = findReference(label, catalog) ?? { backend: catalog.backend, model: label };
  return backend === target.backend && model === target.model ? label : `${target.backend.name}/${target.model}`;
}

/** The models in use, the main one first, and others by name, each with a name to choose it by. */
function toProbed(catalog: Catalog, names: readonly string[] = []): Map<Candidate, string> {
  const { elite, tiers, fallbacks, backend } = catalog;
  const others = names.map((name): Target => findReference(name, catalog) ?? { backend, model: name });
  const targets = [elite, ...Object.values(tiers), ...fallbacks, ...others];
  const byName = new Map(targets.map((target) => [toSureName(target, catalog), toCandidate(target, catalog)]));
  return new Map([...byName].map(([name, candidate]) => [candidate, name]));
}

/** More characters no finding has, its name and what is left free at the ends of lines included. */
const LONGEST = 160;

/** Shows findings as they come, all in their places on a terminal that is high enough, else line by line. */
async function createBoard(ids: readonly string[], { env }: Context["io"]) {
  const { default: { stdout } } = await import("node:process");
  const width = Math.max(...ids.map((id) => id.length));
  const color = Boolean(stdout.isTTY) && wantsColor(env);
  const columns = () => stdout.isTTY && stdout.columns || Infinity;
  const most = ids.length * Math.ceil(LONGEST / (stdout.columns || 80));
  const live = Boolean(stdout.isTTY) && env.TERM !== "dumb" && most < (stdout.rows || 24);
  const findings = new Map(ids.map((id): [string, Availability] => [id, { state: "pending", note: "" }]));
  const toLines = (id: string) => toModelLines({ id, width, ...findings.get(id)! }, columns(), color);
  let drawn: string[] = [];
  let cancel: (() => void) | undefined;
  const draw = () => {
    cancel = undefined;
    const back = drawn.length > 0 ? `\x1b[${drawn.length}A\x1b[J` : "";
    drawn = ids.flatMap(toLines);
    stdout.write(`${back}${drawn.join("\n")}\n`);
  };
  if (live) draw();
  return {
    show(id: string, finding: Availability) {
      findings.set(id, finding);
      // What is known already comes at once: drawn for each, it would be more than a terminal takes.
      if (live) cancel ??= systemClock.after(0, draw);
      else stdout.write(`${toLines(id).join("\n")}\n`);
    },
    /** Shows what has come last. */
    end() {
      cancel?.();
      if (live) draw();
    },
  };
}

/** The models beside those in use: those of the roster, or all that the host lists. */
async function readOthers(catalog: Catalog, { io, flags }: Context): Promise<string[]> {
  const rows = flags.demo ? [] : toHostRows(catalog).filter(({ gone }) => !gone).map(({ id }) => id);
  const ids = flags.all ? await fetchHostList(io, catalog.backend, flags.demo) : rows;
  return ids.map((id) => `${catalog.backend.name}/${id}`);
}

/** Asks models whether they answer, those in use anew; 0 when one does, or none was to be asked. */
async function runProbe(context: Context): Promise<number> {
  const { io, flags, settings } = context;
  const { catalog } = await readRouter(context, io.tell);
  const used = [...toProbed(catalog).values()];
  const probed = toProbed(catalog, await readOthers(catalog, context));
  const toId = (candidate: Candidate) => probed.get(candidate)!;
  const board = flags.json ? undefined : await createBoard([...probed.values()], io);
  const results = await probeModels([...probed.keys()], {
    skip: settings.skipCheck ?? false,
    maxAge: (candidate) => used.includes(toId(candidate)) ? 0 : PROBE_LIFE,
    onResult: (result) => board?.show(toId(result.candidate), toAvailability(result)),
    store: await openStore(context, io.tell),
    ...(flags.demo ? { fetch: createStandIn().fetch } : {}),
  });
  board?.end();
  const rows = results.map(({ candidate, ...result }) => ({ model: toId(candidate), ...result }));
  if (flags.json) io.print(JSON.stringify(rows, null, 2));
  const noKey = settings.skipCheck ? undefined : toNoKey(catalog.elite.backend);
  if (noKey) io.tell(noKey);
  return settings.skipCheck || results.some(({ state }) => state === "ok") ? 0 : 1;
}
// lib/cli/first_run.ts ----------------------------------------------------------------------
/** Exit code of a program that was left with Ctrl-C. */
const LEFT_CODE = 130;

/** What the first run asks with; tests bring their own. */
type Wizard = { prompts: Prompts; write: typeof replaceFile; store: Store; fetch: Fetch };

/** Why a key is no good, from one call, or a second where a model may not be for everybody; slowness is no proof. */
async function findKeyFault(key: string, candidates: Candidate[], options: ProbeOptions): Promise<string | undefined> {
  if (!/^[\x21-\x7e]+$/.test(key) || /['"`]/.test(key)) return "It is empty, or has characters that no key has.";
  for (const { backend: { lacks: _, ...backend }, ...candidate } of candidates.slice(0, 2)) {
    const [result] = await probeModels([{ ...candidate, backend: { ...backend, apiKey: key } }], options);
    if (result?.status === 401) break;
    if (result?.status !== 403) return undefined;
  }
  return `${candidates[0]?.backend.baseUrl} refuses it.`;
}

/**
 * Asks for the key of the host, where Enter means the one that is `known`, and whether to keep it; gives the context in
 * which it is set, nothing if left.
 */
async function askKey(context: Context, name: string, candidates: Candidate[], wizard: Wizard, known = "") {
  const { io, settings: { skipCheck: skip = false } } = context;
  const { prompts: { askLine, waitFor }, write, store, fetch } = wizard;
  // Nobody is asked for a key that a file of this folder would send elsewhere.
  await readRouterOptions({ ...context, layers: [{ [name]: "key" }, ...context.layers] });
  io.tell(known ? `Arbiter has an API key, ${name}: Enter keeps it.` : `Arbiter needs an API key, ${name}.`);
  if (name === "NVIDIA_API_KEY") io.tell("A free one is at https://build.nvidia.com");
  for (;;) {
    const answer = await askLine("Key (it is not shown, and tried at once):", true);
    if (answer === LEFT) return undefined;
    const key = answer.trim() || known;
    const stop = new AbortController();
    const fault = await waitFor(findKeyFault(key, candidates, { skip, store, fetch, signal: stop.signal }));
    stop.abort();
    if (fault === LEFT) return undefined;
    if (fault) {
      io.tell(`That key cannot be used. ${fault}`);
      continue;
    }
    if (key === known) return context;
    const path = toConfigPath(io, ".env");
    const keep = path ? await askLine(`Keep it in ${path}? [y/N]`) : "";
    if (keep === LEFT) return undefined;
    if (path && /^\s*y/i.test(keep)) await keepKey(io, path, name, key, write);
    return { ...context, layers: [{ [name]: key }, ...context.layers] };
  }
}

/** The name of a key that a question may change: what is set in the environment or by a flag counts more than a file. */
function findKept(
  { io, folder = {}, settings }: Context,
  { apiKey, keyName }: Candidate["backend"],
): string | undefined {
  const given = [...Object.values(io.env), ...Object.values(folder), settings.apiKey];
  return apiKey && !given.some((value) => value?.split(",")[0]?.trim() === apiKey) ? keyName : undefined;
}

/** Lets the user choose a model while all are being asked, and keeps the choice; nothing if left. */
async function askModel(context: Context, { prompts, write, store, fetch }: Wizard): Promise<Context | undefined> {
  const { io, settings } = context;
  const { catalog } = await readRouter(context);
  const choice = await readChoice(io);
  const known = [...toProbed(catalog, choice.added)];
  const [, usual = ""] = known[0] ?? [];
  const probed = new Map(known.filter(([, id]) => !choice.removed.includes(id)));
  const menu = new MenuState([...probed.values()].map((id) => ({ id, state: "pending", note: "" })), usual);
  const stop = new AbortController();
  const model = await prompts.choose(menu, (show) =>
    probeModels([...probed.keys()], {
      skip: settings.skipCheck ?? false,
      store,
      maxAge: PROBE_LIFE,
      signal: stop.signal,
      fetch,
      onResult(result) {
        menu.mark(probed.get(result.candidate)!, toAvailability(result));
        show();
      },
    }));
  stop.abort();
  if (model === LEFT) return undefined;
  await writeChoice(io, toChoice(choice, model, menu), write);
  return { ...context, settings: { ...settings, model: [model] } };
}

/**
 * Asks for what is not set yet: the key, and the model the first time, or `again`; where nobody may be asked, nothing.
 *
 * @returns The context with the answers in it; nothing if the user left.
 */
async function askUnset(context: Context, again = false, given?: Wizard): Promise<Context | undefined> {
  const { io, flags } = context;
  if (flags.demo || flags.yes || !io.interactive) return context;
  const { catalog } = await readRouter(context);
  const { elite, fallbacks } = catalog;
  const { lacks, apiKey } = elite.backend;
  const chooses = again || !namesModel(catalog.options);
  if (!lacks && !chooses) return context;
  const key = lacks ?? (again ? findKept(context, elite.backend) : undefined);
  const store = given?.store ?? await openStore(context, () => {});
  const wizard = given ?? { prompts: createPrompts(io.env), write: replaceFile, store, fetch: patientFetch };
  const candidates = [elite, ...fallbacks].map((target) => toCandidate(target, catalog));
  try {
    const ready = key ? await askKey(context, key, candidates, wizard, apiKey) : context;
    if (!ready || !chooses) return ready;
    const chosen = await askModel(ready, wizard);
    return chosen && await askUnset(chosen, false, wizard); // Its host may want a key of its own.
  } finally {
    await wizard.prompts.close();
  }
}

/** The name of the model that the main work goes to. */
async function readMainModel(context: Context): Promise<string> {
  const { catalog } = await readRouter(context);
  return toLabel(catalog.elite, catalog);
}

/** Asks everything again that the first run asks. */
async function runInit(given: Context): Promise<number> {
  const context = { ...given, flags: { ...given.flags, demo: false } };
  const { io, flags } = context;
  if (!io.interactive || flags.yes) {
    throw new Error("init asks questions, which needs a terminal: set NVIDIA_API_KEY and ARBITER_MODEL instead");
  }
  const ready = await askUnset(context, true);
  if (!ready) return LEFT_CODE;
  const [chosen, used] = [await readMainModel(ready), await readMainModel(context)];
  if (used === chosen) io.tell(`From now on the model is ${chosen}.`);
  else io.tell(`The model is still ${used}, not ${chosen}: a flag, the environment or the config file names it.`);
  return 0;
}
// lib/cli/log_file.ts -----------------------------------------------------------------------
/** Bytes after which the log is moved aside, in place of the one that was moved before. */
const MAX_LOG_BYTES = 1_000_000;

/**
 * Makes a log in the state folder, for the time in which the terminal belongs to Claude Code; nothing is opened before the
 * first line. `close` tells, as a sentence, where it is or why it is not.
 */
function createLogFile(io: Io, now: () => number = Date.now) {
  const path = toStatePath(io, "arbiter.log");
  let [told, writing] = ["", Promise.resolve()];

  async function append(path: string, line: string): Promise<void> {
    const { appendFile, mkdir, rename, stat } = await import("node:fs/promises");
    const { dirname } = await import("node:path");
    const size = await stat(path).then(({ size }) => size, () => 0);
    if (size === 0) await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    if (size + line.length > MAX_LOG_BYTES) await rename(path, `${path}.1`);
    await appendFile(path, line, { mode: 0o600 });
    told ||= `Log: ${path}`;
  }

  return {
    write(line: string) {
      if (!path) return;
      const text = `${new Date(now()).toISOString()} ${toPrintable(line)}\n`;
      writing = writing.then(() => append(path, text)).catch(({ message }: Error) => {
        told = `The log could not be written: ${message}`;
      });
    },
    close: () => writing.then(() => told),
  };
}

/** What a session came to, in one line; nothing where nothing was asked. */
function toSummary(status: ArbiterStatus): string {
  const { requests, models, local, fallbacks, errors } = status;
  if (requests === 0) return "";
  const answers = Object.entries(models).sort(([, a], [, b]) => b - a).map(([name, count]) => `${count} by ${name}`);
  return [
    `Arbiter: ${toAmount(requests, "request")}`,
    ...(answers.length > 0 ? [`answered ${answers.join(", ")}`] : []),
    ...(local > 0 ? [`${local} without a model`] : []),
    ...(fallbacks > 0 ? [`${toAmount(fallbacks, "turn")} saved by a fallback`] : []),
    ...(errors > 0 ? [`${errors} failed`] : []),
  ].join("; ");
}
// lib/cli/code.ts ---------------------------------------------------------------------------
const CLAUDE_PACKAGE = "@anthropic-ai/claude-code";
/** What a shell returns for a command it cannot find. */
const NOT_FOUND = 127;

/** Asks a question, to which Enter means yes. */
async function askYesNo(question: string, env: Env): Promise<boolean | typeof LEFT> {
  const { askLine, close } = createPrompts(env);
  const answer = await askLine(`${question} [Y/n]`).finally(close);
  return answer === LEFT ? LEFT : !/^\s*n/i.test(answer);
}

/** Finds Claude Code, installed or through npx; an exit code when there is none or the user does not want it. */
async function findClaude({ env, platform, interactive, tell }: Io, yes = false): Promise<string | number> {
  const claude = await findOnPath("claude", env, platform);
  if (claude) return claude;
  const npx = await findOnPath("npx", env, platform);
  if (npx) tell(`Claude Code is not on PATH: running it through npx (${CLAUDE_PACKAGE}, a large download once).`);
  else tell(`Claude Code is not on PATH, nor is npx to fetch it: install Node.js, then ${CLAUDE_PACKAGE}.`);
  const wanted = npx && (yes || !interactive || await askYesNo("Go on?", env));
  if (wanted === LEFT) return LEFT_CODE;
  if (npx && wanted) {
    // Asked only where the program is: npx would stand in the way of signals and exit codes.
    const where = platform === "win32" ? "where claude" : "command -v claude";
    const program = { command: npx, args: ["--yes", "-p", CLAUDE_PACKAGE, "-c", where] };
    const { homedir } = await import("node:os"); // In the current folder its .npmrc or node_modules would choose the program.
    const found = await readLastLine(program, env, homedir());
    if (found) return found;
  }
  tell(`To install it: npm install -g ${CLAUDE_PACKAGE}`);
  return NOT_FOUND;
}

/** Tokens a session needs at the least (measured with 2.1.328): in less it cannot go on after a compaction or two. */
const LEAST_WINDOW = 32_000;

/** The folder that Claude Code starts in. */
async function findTarget({ io: { cwd }, settings: { targetDir } }: Context): Promise<string> {
  if (targetDir === undefined) return cwd;
  const { stat } = await import("node:fs/promises");
  const isFolder = await stat(targetDir).then((found) => found.isDirectory(), () => false);
  if (!isFolder) throw new ConfigError(`Cannot use TARGET_DIR='${targetDir}': expected a folder`);
  return targetDir;
}

/** Runs the proxy and, in front of it, Claude Code; gives Claude Code's exit code. */
async function runCode(given: Context): Promise<number> {
  const folder = await findTarget(given);
  const context = await askUnset(given);
  if (!context) return LEFT_CODE;
  const { io, settings, flags, rest } = context;
  const log = createLogFile(io); // The terminal is Claude Code's.
  const proxy = await createProxy(context, log.write);
  // Whether the upstream is there takes a while to find out: Arbiter begins to listen meanwhile.
  const checking = flags.demo || settings.skipCheck ? undefined : findUnreachable(proxy);
  const server = await listen(proxy, io, (taken) => {
    io.tell(`Port ${taken} is taken, perhaps by another Arbiter: using a free one.`);
  });
  try {
    const problem = await checking;
    if (problem) throw new Error(problem);
    const claude = await findClaude(io, flags.yes);
    if (typeof claude === "number") return claude;
    io.tell(`Arbiter: ${server.url} → ${proxy.upstream}, model ${proxy.models.elite}`);
    const { contextTokens = Infinity } = proxy.models;
    if (contextTokens < LEAST_WINDOW) {
      io.tell(
        `Its window of ${contextTokens} tokens is too small: Claude Code's own words take some 12,000. Choose another.`,
      );
    }
    const env = toClaudeEnv(io.env, server.url, proxy.models, toToken(settings));
    return await runChild({ command: claude, args: rest }, env, folder);
  } finally {
    await server.close();
    const where = await log.close();
    const summary = toSummary(proxy.arbiter.status());
    if (summary && settings.logLevel !== "silent") io.tell([summary, where].filter(Boolean).join(". "));
  }
}
// lib/cli/shells.ts -------------------------------------------------------------------------
/** How a shell writes a text as one word, sets a variable, forgets one, begins a remark, and does what a command prints. */
type ShellRow = {
  quote(text: string): string;
  set(name: string, value: string): string;
  unset(name: string): string;
  remark: string;
  use(command: string): string;
};

const quoteSh = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
const quoteFish = (text: string) => `'${text.replace(/['\\]/g, "\\$&")}'`;
/** PowerShell takes typographic quotation marks for plain ones. */
const quotePowershell = (text: string) => `'${text.replace(/['‘’‚‛]/g, "$&$&")}'`;
/**
 * In a batch file nothing makes a whole out of several lines, and a percent sign is written twice. Inside quotation marks
 * all other signs are themselves; a quotation mark would end that, so where there is one everything gets a caret.
 */
function quoteCmd(text: string): string {
  const line = text.replace(/[\r\n]+/g, " ").replaceAll("%", "%%");
  return line.includes('"') ? line.replace(/[\^"&|<>()!]/g, "^$&") : line;
}

/** Shells by the names that `--shell` takes. */
const SHELLS = {
  sh: {
    quote: quoteSh,
    set: (name, value) => `export ${name}=${quoteSh(value)}`,
    unset: (name) => `unset ${name}`,
    remark: "# ",
    use: (command) => `eval "$(${command})"`,
  },
  fish: {
    quote: quoteFish,
    set: (name, value) => `set -gx ${name} ${quoteFish(value)}`,
    unset: (name) => `set -e ${name}`,
    remark: "# ",
    use: (command) => `${command} | source`,
  },
  powershell: {
    quote: quotePowershell,
    set: (name, value) => `$env:${name} = ${quotePowershell(value)}`,
    unset: (name) => `Remove-Item Env:${name} -ErrorAction Ignore`,
    remark: "# ",
    use: (command) => `${command} | Out-String | Invoke-Expression`,
  },
  cmd: {
    quote: quoteCmd,
    set: (name, value) => value.includes('"') ? `@set ${name}=${quoteCmd(value)}` : `@set "${name}=${quoteCmd(value)}"`,
    unset: (name) => `@set "${name}="`,
    remark: "@rem ",
    use: (command) => `${command} > env.bat && env.bat`,
  },
} as const satisfies Record<string, ShellRow>;

/** A shell's name. */
type ShellName = keyof typeof SHELLS;

/**
 * The shell of a user, as far as its variables tell. On Windows only Git Bash and the like set `SHELL`, and only cmd sets
 * `PROMPT`.
 */
function findShell({ SHELL = "", PROMPT }: Env, platform: string): ShellName {
  if (/\bfish(?:\.exe)?$/.test(SHELL)) return "fish";
  if (/\bpwsh(?:\.exe)?$/.test(SHELL)) return "powershell";
  if (platform !== "win32" || SHELL !== "") return "sh";
  return PROMPT === undefined ? "powershell" : "cmd";
}
// lib/cli/completions.ts --------------------------------------------------------------------
/** A word to offer, and what it does. */
type Offer = readonly [word: string, help: string];

const FLAG_ROWS = Object.entries(FLAGS) as [FlagName, FlagRow][];
const toSpellings = (name: FlagName): string[] => {
  const { short }: FlagRow = FLAGS[name];
  return [`--${name}`, ...(short ? [`-${short}`] : [])];
};
const COMMAND_OFFERS: readonly Offer[] = COMMAND_ROWS.map(([name, { help }]) => [name, help]);

/** What may follow a command; without one all commands may, and the flags of the default one. */
function toFollowing(name: string): Offer[] {
  const command = COMMAND_BY_NAME.get(name) ?? "code";
  const { words = [], flags = [] }: CommandRow = COMMANDS[command];
  const alone = !COMMAND_BY_NAME.has(name);
  const first = alone || command === "help" ? COMMAND_OFFERS : words.map((word): Offer => [word, ""]);
  const own: FlagName[] = [...flags, "help", ...(alone ? ["version" as const] : [])];
  return [...first, ...own.map((name): Offer => [`--${name}`, FLAGS[name].help])];
}

/** Flags before words of their own, before files, and before what nobody can know. */
const CHOICES = FLAG_ROWS.filter(([, { values }]) => values);
const FILES = FLAG_ROWS.filter(([, { file }]) => file).flatMap(([name]) => toSpellings(name));
const FREE = FLAG_ROWS.filter(([, { type, values, file }]) => type === "string" && !values && !file)
  .flatMap(([name]) => toSpellings(name));

/** The cases of bash and zsh, which differ in how they take what they offer, and files. */
function toCases(before: string, offer: (offers: readonly Offer[]) => string, files: string): string {
  const choices = CHOICES.map(([name, { values = [] }]) => {
    return `    ${toSpellings(name).join("|")}) ${offer(values.map((value) => [value, ""]))} ;;`;
  });
  const names = COMMAND_ROWS.map(([name, { aliases = [] }]) => [name, ...aliases]);
  const following = [["''"], ...names].map((names) => `      ${names.join("|")}) ${offer(toFollowing(names[0]!))} ;;`);
  return `  case ${before} in
${choices.join("\n")}
    ${FILES.join("|")}) ${files} ;;
    ${FREE.join("|")}) return ;;
    *) case $command in
${following.join("\n")}
    esac ;;
  esac`;
}

const COMMAND_PATTERN = [...COMMAND_BY_NAME.keys()].join("|");
const { quote } = SHELLS.sh;

const bash = () =>
  `# In ~/.bashrc: eval "$(arbiter-proxy completions bash)"
_arbiter_proxy() {
  local command= words= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      --) return ;;
      ${COMMAND_PATTERN}) [[ $command ]] || command=\${COMP_WORDS[i]} ;;
    esac
  done
${
    toCases(
      "${COMP_WORDS[COMP_CWORD-1]}",
      (offers) => `words=${quote(offers.map(([word]) => word).join(" "))}`,
      "return",
    )
  }
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _arbiter_proxy arbiter-proxy arbiter`;

const zsh = () =>
  `# In ~/.zshrc, after compinit: eval "$(arbiter-proxy completions zsh)"
_arbiter_proxy() {
  local command= i
  local -a offers
  for ((i = 2; i < CURRENT; i++)); do
    case $words[i] in
      --) _files; return ;;
      ${COMMAND_PATTERN}) [[ -n $command ]] || command=$words[i] ;;
    esac
  done
${
    toCases("$words[CURRENT-1]", (offers) => {
      return `offers=(${
        offers.map(([word, help]) => quote(help === "" ? word : `${word}:${help.replaceAll(":", "\\:")}`)).join(" ")
      })`;
    }, "_files; return")
  }
  _describe 'arbiter-proxy' offers
}
compdef _arbiter_proxy arbiter-proxy arbiter`;

function fish(): string {
  const { quote } = SHELLS.fish;
  const seen = `__fish_seen_subcommand_from ${[...COMMAND_BY_NAME.keys()].join(" ")}`;
  const row = (condition: string, rest: string, help: string) =>
    `complete -c arbiter-proxy${condition && ` -n ${quote(condition)}`} ${rest}${help && ` -d ${quote(help)}`}`;
  const flags = FLAG_ROWS.map(([name, { type, short, values, file, help }]) => {
    const takers = COMMAND_ROWS.filter(([, { flags = [] }]) => flags.includes(name)).map(([command]) => command);
    const value = type === "boolean" ? "" : file ? " -r -F" : ` -x${values ? ` -a ${quote(values.join(" "))}` : ""}`;
    const condition = OWN_FLAGS.includes(name) ? `__fish_seen_subcommand_from ${takers.join(" ")}` : "";
    return row(condition, `-l ${name}${short ? ` -s ${short}` : ""}${value}`, help);
  });
  const words = COMMAND_ROWS.filter(([name, { words }]) => words || name === "help").map(([name, { words }]) => {
    const names = words ?? COMMAND_ROWS.map(([name]) => name);
    return row(`__fish_seen_subcommand_from ${name}`, `-a ${quote(names.join(" "))}`, "");
  });
  return [
    "# In ~/.config/fish/config.fish: arbiter-proxy completions fish | source",
    "complete -c arbiter-proxy -f",
    ...COMMAND_OFFERS.map(([name, help]) => row(`not ${seen}`, `-a ${name}`, help)),
    ...words,
    ...flags,
    "complete -c arbiter -w arbiter-proxy",
  ].join("\n");
}

function powershell(): string {
  const { quote } = SHELLS.powershell;
  const row = (name: string, words: readonly string[]) => `    ${quote(name)} = ${quote(words.join(" "))}`;
  const values = [
    ...CHOICES.flatMap(([name, { values = [] }]) => toSpellings(name).map((typed) => row(typed, values))),
    ...[...FILES, ...FREE].map((typed) => row(typed, [])),
  ];
  return `# In $PROFILE: arbiter-proxy completions powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName arbiter-proxy, arbiter -ScriptBlock {
  param($word, $ast, $position)
  $values = @{
${values.join("\n")}
  }
  $following = @{
${["", ...COMMAND_BY_NAME.keys()].map((name) => row(name, toFollowing(name).map(([word]) => word))).join("\n")}
  }
  $typed = @($ast.CommandElements | Where-Object { $_.Extent.EndOffset -lt $position } | ForEach-Object { "$_" })
  if ($typed -contains '--') { return }
  $command = "$($typed | Select-Object -Skip 1 | Where-Object { $following.ContainsKey($_) } | Select-Object -First 1)"
  $words = if ($values.ContainsKey($typed[-1])) { $values[$typed[-1]] } else { $following[$command] }
  $words -split ' ' | Where-Object { $_ -and $_ -like "$word*" } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}`;
}

const SCRIPT_BY_SHELL: ReadonlyMap<string, () => string> = new Map([
  ["bash", bash],
  ["zsh", zsh],
  ["fish", fish],
  ["powershell", powershell],
]);

/** The script by which a shell completes Arbiter's commands; nothing for a shell that has none. */
function toCompletions(shell: string): string {
  return SCRIPT_BY_SHELL.get(shell)?.() ?? "";
}
// lib/cli/doctor_checks.ts ------------------------------------------------------------------
/** What a check has found; `fix` is what to do, in a sentence. */
type Finding = { check: string; state: "OK" | "WARN" | "FAIL"; says: string; fix?: string };

/** Makes what a check has found; `FAIL` is what keeps Arbiter from working. */
function found(check: string, state: Finding["state"], says: string, fix?: string): Finding {
  return fix === undefined ? { check, state, says } : { check, state, says, fix };
}

/** Signs of trouble in a text, of which the first counts: what to say, what to do, whether it may work nevertheless. */
type Sign = readonly [pattern: RegExp, says: string, fix: string, state?: "WARN"];

function findSign(check: string, signs: readonly Sign[], text: string, fine: string): Finding {
  const sign = signs.find(([pattern]) => pattern.test(text));
  return sign ? found(check, sign[3] ?? "FAIL", sign[1], sign[2]) : found(check, "OK", fine);
}

/** The first Claude Code whose requests and picker are those that Arbiter knows. */
const OLDEST_CLAUDE = "2.1.154";

/** Whether the runtime is new enough. */
function checkRuntime(runtime: Runtime): Finding {
  const upgrade = toUpgrade(runtime);
  // A session runs on an older Deno or Bun.
  const state = !upgrade ? "OK" : runtime.name === "Node" ? "FAIL" : "WARN";
  return found("runtime", state, `${runtime.name} ${runtime.version}`, upgrade);
}

/** Whether Claude Code is there and new enough. */
function checkClaude(path?: string, version?: string, npx?: string): Finding {
  const install = "Run npm install -g @anthropic-ai/claude-code";
  if (!path && !npx) return found("claude", "WARN", "not on PATH, nor is npx", `Install Node.js. ${install}`);
  if (!path) return found("claude", "WARN", "not on PATH; npx would fetch it", install);
  if (!version) return found("claude", "FAIL", `${path} does not run`, install);
  const says = `${version}, ${path}`;
  const old = isOlder(version, OLDEST_CLAUDE);
  return old ? found("claude", "WARN", says, "That is old: run claude update.") : found("claude", "OK", says);
}

const KEY_SITE = "https://build.nvidia.com";
const KEY_SIGNS: readonly Sign[] = [
  [/^["'`“”‘’]|["'`“”‘’]$/, "there are quotes around it", "Set it without quotes."],
  [/\s/, "there are blanks or line ends in it", "Set it without them."],
  [/[<>…*]|\.\.\.|your|xxxx|change.?me|placeholder|example/i, "it is a placeholder", `Get a key at ${KEY_SITE}.`],
  [/[^\x21-\x7e]/, "there are characters in it that no header can carry", "Copy it again."],
];
const NVIDIA_KEY_SIGNS: readonly Sign[] = [
  ...KEY_SIGNS,
  [/^(?!nvapi-)/, "NVIDIA's keys begin with nvapi-", `Get a key at ${KEY_SITE}.`, "WARN"],
  [/^.{0,39}$/, "it is too short", "Copy all of it.", "WARN"], // NVIDIA's have 70 characters.
];

/** Whether there is a key, and it looks like one. */
function checkKey({ apiKey, keyName = "the key", lacks, baseUrl }: Backend): Finding {
  if (lacks) return found("key", "FAIL", `${lacks} is not set`, `Set it (NVIDIA's: ${KEY_SITE}), or try --demo.`);
  if (!apiKey) return found("key", "OK", "none is needed");
  const finding = findSign("key", baseUrl === NVIDIA_BASE_URL ? NVIDIA_KEY_SIGNS : KEY_SIGNS, apiKey, "it is set");
  return { ...finding, says: `${keyName}: ${finding.says}` };
}

const NEAR = String
  .raw`localhost\b|127\.|\[|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|[^/.]+(?:[:/]|$)|[^/:]+\.(?:local|lan)\b`;
const URL_SIGNS: readonly Sign[] = [
  [/[?#]/, "it has a query", "Set it without."],
  [/\/v1\/+v1\b/, "/v1 is there twice", "Let it end in one /v1."],
  [/\/(?:completions|messages|models|embeddings)$/, "it names a route", "Let it end in /v1."],
  [/build\.nvidia\.com|integrate\.api\.nvidia\.com(?!\/v1$)/, "NVIDIA's is another", `Set ${NVIDIA_BASE_URL}.`],
  [new RegExp(`^http://(?!${NEAR})`), "the key travels unencrypted", "Let it begin with https."],
];
const NO_VERSION: Sign = [/^(?!.*\/v\d)/, "most end in /v1", "If it does not work, add that.", "WARN"];

/** Whether the address of a host looks like one. */
function checkBaseUrl({ baseUrl, format }: Backend): Finding {
  const signs = format === "anthropic" ? URL_SIGNS : [...URL_SIGNS, NO_VERSION];
  const finding = findSign("address", signs, baseUrl, "");
  return { ...finding, says: [baseUrl, finding.says].filter(Boolean).join(": ") };
}

/** What to do about a certificate that is not trusted; all runtimes know the variable. */
const TRUST = "Set NODE_EXTRA_CA_CERTS to the file with the certificate of who has signed it, such as your company.";

/** Why a host could not be reached, by the words of Node, Bun and Deno. */
const REACH_SIGNS: readonly Sign[] = [
  [/ENOTFOUND|EAI_AGAIN|dns error/i, "its name is unknown", "Check the network and the address."],
  [/CERT|UNABLE_TO|UnknownIssuer|self.signed/i, "its certificate is not trusted", TRUST],
  [/(?:)/, "it does not answer", "Check the network and the address; set HTTPS_PROXY if you need a proxy."],
];

/** What it means that a host could not be reached. */
function checkReach(thrown: unknown): Finding {
  type Failure = { message: string; code?: string; cause?: Failure };
  const { message, code, cause } = thrown as Failure;
  const words = [message, code, cause?.code, cause?.message].filter(Boolean).join(" ");
  const finding = findSign("upstream", REACH_SIGNS, words, "");
  return { ...finding, says: `${finding.says} (${cause?.code ?? code ?? toCallFailure(thrown)})` };
}

const STORE_FIXES = {
  redis: "Start Redis, or correct REDIS_URL and REDIS_PASSWORD.",
  sqlite: "Make it a file that Arbiter may write, or remove it.",
};

/** Why the store that is shared takes nothing; what is wrong in the settings says itself what to do. */
function checkStoreFault(name: keyof typeof STORE_FIXES, thrown: Error): Finding {
  const fix = /self.signed|unable to (?:get|verify)|UnknownIssuer/i.test(thrown.message) ? TRUST : STORE_FIXES[name];
  const says = `${STORE_NAMES[name]}: ${thrown.message}`;
  return found("store", "FAIL", says, thrown instanceof ConfigError ? undefined : fix);
}

/** Whether the clock is right, by the `date` of an answer: with a wrong one certificates fail. */
function checkClock(date: string | null, now: number): Finding[] {
  const minutes = Math.round((now - Date.parse(date ?? "")) / 60_000);
  if (Number.isNaN(minutes)) return [];
  if (Math.abs(minutes) <= 5) return [found("clock", "OK", "as the upstream's")];
  const says = `${Math.abs(minutes)} minutes ${minutes > 0 ? "ahead of" : "behind"} the upstream's`;
  return [found("clock", "WARN", says, "Set it; with a wrong clock certificates fail.")];
}

/** What to do about an error that does not pass by itself. */
const FIX_BY_ERROR: ReadonlyMap<string, string> = new Map([
  ["authentication_error", `Check the key, or get another at ${KEY_SITE}.`],
  ["permission_error", `Check the key, or get another at ${KEY_SITE}.`],
  ["billing_error", "Check the account at the host."],
  ["not_found_error", "Choose another with --model; arbiter-proxy models list shows some."],
  ["invalid_request_error", "Choose another with --model; arbiter-proxy models list shows some."],
]);

/** What an error, or none, to a small question means for the key and the model. */
function checkAnswer(model: string, error?: { type: string; message: string }): Finding {
  if (!error) return found("model", "OK", `${model} answers, the key is accepted`);
  const fix = FIX_BY_ERROR.get(error.type);
  return found("model", fix ? "FAIL" : "WARN", error.message, fix ?? "Try again later; until then others step in.");
}

/** What the runtime makes of a company's proxy and of its certificates, which `isReadable` tells of. */
function checkNetwork(env: Env, { name, version }: Runtime, isReadable: boolean): Finding[] {
  const { HTTPS_PROXY = env.https_proxy, NODE_EXTRA_CA_CERTS: path } = env;
  const able = name !== "Node" || (!isOlder(version, "22.21") && !version.startsWith("23."));
  const used = able && (name !== "Node" || env.NODE_USE_ENV_PROXY === "1");
  const fix = able ? "If you need it, set NODE_USE_ENV_PROXY=1." : "If you need it, run Arbiter with Deno or Bun.";
  const proxy = used
    ? found("proxy", "OK", `${name} uses HTTPS_PROXY`)
    : found("proxy", "WARN", `${name} ${version} ignores HTTPS_PROXY`, fix);
  const certificates = found("certificates", "WARN", `cannot read ${path}`, "Correct NODE_EXTRA_CA_CERTS.");
  return [...(HTTPS_PROXY ? [proxy] : []), ...(path && !isReadable ? [certificates] : [])];
}

/** Names the variables with which Claude Code goes elsewhere, or with another key. */
function toConflicts(env: Readonly<Record<string, unknown>>): string {
  const ours = /^http:\/\/(?:127\.0\.0\.1|localhost)\b/.test(String(env.ANTHROPIC_BASE_URL));
  const routes = ours ? [] : ["ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN"];
  return [...routes, ...ELSEWHERE].filter((name) => env[name]).join(", ");
}

/** What the environment sets against Arbiter. */
function checkClaudeEnv(env: Env): Finding[] {
  const names = toConflicts(env);
  const fix = "arbiter-proxy code passes over it; unset it before you start claude yourself.";
  return names ? [found("environment", "WARN", `${names} is set`, fix)] : [];
}

/** What a settings file of Claude Code sets against Arbiter; what is there counts more than the environment. */
function checkClaudeSettings(path: string, text: string | undefined): Finding[] {
  const file = parseJson(text?.replace(/^\uFEFF/, "") ?? "{}");
  if (!isJsonObject(file)) return [found("claude settings", "WARN", `${path} is no JSON`, "Correct the file.")];
  const names = toConflicts(isJsonObject(file.env) ? file.env : {});
  const fix = "Remove that from its env; it counts more than what Arbiter sets.";
  return names ? [found("claude settings", "FAIL", `${path} sets ${names}`, fix)] : [];
}

/** What is on the port, and the system's code for why nobody can listen there. */
function checkPort(port: number, running: string | undefined, error: string | undefined): Finding {
  const fix = "code takes a free one; for serve choose another with --port.";
  if (running === "other") return found("port", "WARN", `another program is on ${port}`, fix);
  if (running === "locked") {
    return found("port", "WARN", `an Arbiter with a key is on ${port}`, `${fix} Or set ARBITER_API_KEY to that key.`);
  }
  if (running) return found("port", "WARN", `Arbiter ${running} is on ${port}`, `${fix} arbiter-proxy stop ends it.`);
  if (!error) return found("port", "OK", `${port} is free`);
  if (error === "EADDRNOTAVAIL") {
    return found("port", "FAIL", "there is no 127.0.0.1", "Give the loopback an IPv4 address.");
  }
  return found("port", "FAIL", `nobody may listen on ${port} (${error})`, "Choose another with --port.");
}

/** Whether `localhost` is where Arbiter listens. */
function checkLocalhost(addresses: readonly string[]): Finding[] {
  if (addresses.some((address) => address.startsWith("127."))) return [];
  const says = `localhost is ${addresses.join(", ") || "unknown"}, but Arbiter listens on 127.0.0.1`;
  return [found("localhost", "WARN", says, "Write 127.0.0.1 wherever you name the proxy.")];
}

/** What to know inside WSL, which the system's release or a variable tells. */
function checkWsl(env: Env, release: string, claude = ""): Finding[] {
  if (!env.WSL_DISTRO_NAME && !/microsoft/i.test(release)) return [];
  if (!/^\/mnt\/\w\//.test(claude)) return [found("WSL", "OK", "what runs in Windows itself is not on localhost here")];
  return [found("WSL", "WARN", `${claude} runs in Windows and may not reach 127.0.0.1 here`, "Install it inside WSL.")];
}

/** Whether a folder can be written to; what cannot be remembered is no more than a pity. */
function checkFolder(check: string, folder: string | undefined, isWritable: boolean): Finding {
  if (folder && isWritable) return found(check, "OK", folder);
  const says = `cannot write to ${folder || "it: HOME is not set"}`;
  return found(check, "WARN", says, "Arbiter forgets what it learns until you can.");
}
// lib/cli/doctor_command.ts -----------------------------------------------------------------
/** Milliseconds the upstream is given to show that it is there, and its model to answer. */
const LOOK_TIMEOUT = 8_000;
const TASTE_TIMEOUT = 30_000;

/** What `doctor` looks at, so that tests can be any machine. */
type Machine = Awaited<ReturnType<typeof createMachine>>;

/** The machine this runs on; what fails is the system's code for it. */
async function createMachine({ env, platform, cwd }: Io) {
  const { access, constants, readFile } = await import("node:fs/promises");
  const { lookup } = await import("node:dns/promises");
  const { release } = await import("node:os");
  const { dirname } = await import("node:path");
  const isWritable = async (folder: string): Promise<boolean> => {
    const code = await access(folder, constants.W_OK).then(() => "", (error) => error.code);
    return code === "ENOENT" ? await isWritable(dirname(folder)) : code === "";
  };
  return {
    runtime: await readRuntime(),
    release: release(),
    fetch: patientFetch,
    now: Date.now,
    readText: (path: string) => readFile(path, "utf8").catch(() => undefined),
    isWritable,
    resolve: (host: string) => lookup(host, { all: true }).then((all) => all.map(({ address }) => address), () => []),
    tryPort: (port: number): Promise<string | undefined> =>
      serve(() => new Response(), { port }).then(
        (server) => void server.close(),
        ({ code, message }) => code ?? message,
      ),
    findRunning,
    async findClaude(): Promise<[path?: string | undefined, version?: string | undefined, npx?: string | undefined]> {
      const path = await findOnPath("claude", env, platform);
      const program = { command: path ?? "", args: ["--version"] };
      const asked = path && readLastLine(program, env, cwd, AbortSignal.timeout(LOOK_TIMEOUT));
      const line = asked && await asked.catch(() => undefined);
      return [path, line?.split(" ")[0], await findOnPath("npx", env, platform)];
    },
  };
}

/** Asks the main model for a word: NVIDIA lists its models without a key, so that nothing less shows whether it works. */
async function tryModel(options: RouterOptions, fetch: Machine["fetch"]): Promise<Finding> {
  let log: RequestLog | undefined;
  const limits = { maxAttempts: 1, requestTimeout: TASTE_TIMEOUT, localAnswers: [] };
  const arbiter = createArbiter({ ...options, ...limits, fetch, onRequest: (over) => void (log = over) });
  const { catalog } = arbiter.router;
  const model = toLabel(catalog.elite, catalog);
  const body = JSON.stringify({ model, max_tokens: 1, messages: [{ role: "user", content: "Say yes." }] });
  const response = await arbiter.fetch(new Request("http://localhost/v1/messages", { method: "POST", body }));
  const { error } = await response.json() as Partial<ApiErrorBody>;
  return checkAnswer(log?.model ?? model, error);
}

/** Whether the host is there, its key and its model work, the clock is right, and the models are still served. */
async function checkUpstream(options: RouterOptions, { fetch, now }: Machine, context: Context): Promise<Finding[]> {
  const { elite, elite: { backend }, tiers } = createRouter(options).catalog;
  const findings = [checkKey(backend), checkBaseUrl(backend)];
  const store = await openStore(context, () => {}).catch(() => createMemoryStore()); // It has a row of its own.
  const learned = await readLessons(store);
  for (const target of new Map([elite, ...Object.values(tiers)].map((one) => [one.model, one])).values()) {
    const { gone, successor = "another" } = toModel(target.model, options.models);
    if (!gone && learned.of(target).goneSince === Infinity) continue;
    const fix = `Choose ${successor}; if it is back, run arbiter-proxy reset.`;
    findings.push(found("model", "WARN", `${target.model} is gone`, fix));
  }
  try {
    const signal = AbortSignal.timeout(LOOK_TIMEOUT);
    const response = await fetch(`${backend.baseUrl}/models`, { signal, redirect: "manual" });
    await response.body?.cancel();
    findings.push(found("upstream", "OK", "can be reached"), ...checkClock(response.headers.get("date"), now()));
  } catch (thrown) {
    return [...findings, checkReach(thrown)];
  }
  // What is wrong already need not be tried.
  return findings.some(({ state }) => state === "FAIL") ? findings : [...findings, await tryModel(options, fetch)];
}

/** Whether the store that is shared can be written to. */
async function checkStore(context: Context): Promise<Finding[]> {
  const { store: name = "memory" } = context.settings;
  if (name === "memory") return [];
  try {
    const store = await openSharedStore(context);
    await store?.set("doctor check", true, 1_000);
    await store?.close();
    return store ? [found("store", "OK", `${STORE_NAMES[name]} takes what it is given`)] : [];
  } catch (thrown) {
    return [checkStoreFault(name, thrown as Error)];
  }
}

/** Looks for every ordinary mistake. */
async function diagnose(context: Context, machine: Machine): Promise<Finding[]> {
  const { io: { env, cwd }, flags, settings } = context;
  const { NODE_EXTRA_CA_CERTS: certificates } = env;
  const isReadable = certificates === undefined || await machine.readText(certificates) !== undefined;
  const findings = [checkRuntime(machine.runtime), ...checkNetwork(env, machine.runtime, isReadable)];
  let port = settings.port ?? DEFAULT_PORT;
  try {
    const { path = "no config file", port: chosen = port, ...options } = await readRouterOptions(context);
    port = chosen;
    toConfigured(() => createRouter(options));
    findings.push(found("settings", "OK", path));
    if (!flags.demo) findings.push(...await checkUpstream(options, machine, context));
  } catch (thrown) {
    findings.push(found("settings", "FAIL", (thrown as Error).message, "Correct that first."));
  }
  findings.push(...await checkStore(context));
  const [claude, ...more] = await machine.findClaude();
  findings.push(checkClaude(claude, ...more), ...checkClaudeEnv(env));
  const home = env.CLAUDE_CONFIG_DIR || `${env.HOME || env.USERPROFILE}/.claude`;
  const files = [`${home}/settings.json`, `${cwd}/.claude/settings.json`, `${cwd}/.claude/settings.local.json`];
  for (const path of new Set(files)) findings.push(...checkClaudeSettings(path, await machine.readText(path)));
  const running = await machine.findRunning(toAddress(context, { port }), context);
  const who = typeof running === "object" ? running.version : running;
  findings.push(checkPort(port, who, who ? undefined : await machine.tryPort(port)));
  findings.push(...checkLocalhost(await machine.resolve("localhost")), ...checkWsl(env, machine.release, claude));
  const folders = { "state folder": toStatePath(context.io), "config folder": toConfigPath(context.io) };
  for (const [check, folder] of Object.entries(folders)) {
    findings.push(checkFolder(check, folder, folder !== undefined && await machine.isWritable(folder)));
  }
  return findings;
}

/** Tells what is right, what is not, and what to do about it; fails if anything keeps Arbiter from working. */
async function runDoctor(context: Context): Promise<number> {
  const findings = await diagnose(context, await createMachine(context.io));
  const ok = findings.every(({ state }) => state !== "FAIL");
  const rows = findings.map(({ check, state, says, fix }) =>
    [state.padEnd(4), [`${check}: ${says}`, fix].filter(Boolean).join(". ")] as const
  );
  report(context, { version: VERSION, ok, findings }, toRows(rows, context.io.columns));
  return ok ? 0 : 1;
}
// lib/cli/env_command.ts --------------------------------------------------------------------
/** What a user should know of Claude Code's usual permission mode, whatever is set: it spends a free account's quota. */
const AUTO_MODE = [
  "Auto mode, which Claude Code starts in, checks each command by a request",
  "of its own of some 35,000 tokens: on a free account that counts.",
  "Without: claude --permission-mode acceptEdits, or in .claude/settings.json",
  '"permissions": {"defaultMode": "acceptEdits"}.',
];

/** The lines of a script that sets and forgets variables, each with its reason. */
function toScript({ set, unset, kept }: ClaudeVariables, shell: ShellName): string[] {
  const { remark, ...write } = SHELLS[shell];
  const sets = set.flatMap(({ name, value, why }, i) => {
    return [...(set[i - 1]?.why === why ? [] : [remark + why]), write.set(name, value)];
  });
  return [
    ...sets,
    ...(unset.length > 0 ? [`${remark}would lead elsewhere, or to what was before`, ...unset.map(write.unset)] : []),
    ...(kept.length > 0 ? [`${remark}yours, and left alone: ${kept.join(", ")}`] : []),
    ...AUTO_MODE.map((line) => remark + line),
  ];
}

/** Prints what points any Claude Code at a proxy that runs, as a script or as settings of Claude Code's. */
async function runEnv(context: Context): Promise<number> {
  const { io, flags: { shell = findShell(io.env, io.platform), json } } = context;
  if (!Object.hasOwn(SHELLS, shell)) {
    throw new ConfigError(`Cannot use --shell='${shell}': expected ${Object.keys(SHELLS).join(", ")}`);
  }
  const { host, port } = await readAddress(context);
  if (port === 0) throw new ConfigError("Port 0 is any free one: name the proxy's with --port");
  const { catalog } = await readRouter(context, io.tell);
  const models = await readModelChoice(catalog, context, await openStore(context, io.tell));
  const variables = toClaudeVariables(io.env, toServerUrl(host, port), models, toToken(context.settings));
  const env = Object.fromEntries(variables.set.map(({ name, value }) => [name, value]));
  report(context, { env }, toScript(variables, shell as ShellName));
  const elsewhere = variables.unset.map((name) => `${name} would lead Claude Code elsewhere: unset it.`);
  for (const line of json ? [...elsewhere, ...AUTO_MODE] : []) io.tell(line);
  return 0;
}
// lib/cli/help.ts ---------------------------------------------------------------------------
/** Columns of a terminal that does not say how many it has. */
const COLUMNS = 80;
/** Longer lines are hard to read. */
const MOST_COLUMNS = 100;
/** Columns a text needs beside what it explains; with less it goes below. */
const LEAST_TEXT = 30;

const ABOUT =
  "Claude Code on NVIDIA's free models. Needs NVIDIA_API_KEY, in the environment or in .env; a free key is at " +
  "https://build.nvidia.com.";

/** Lines of two columns, the second one beside or, where it is narrow, below the first. */
function toColumns(rows: readonly (readonly [name: string, text: string])[], width: number): string[] {
  const left = Math.max(...rows.map(([name]) => name.length)) + 4;
  if (width - left < LEAST_TEXT) {
    return rows.flatMap(([name, text]) => {
      return [`  ${name.trimStart()}`, ...wrapText(text, width - 6).map((line) => `      ${line}`)];
    });
  }
  return toRows(rows.map(([name, text]) => [`  ${name}`, text]), width + 1);
}

function toFlagRow(name: FlagName): [string, string] {
  const { short, value, help }: FlagRow = FLAGS[name];
  return [`${short ? `-${short}, ` : "    "}--${name}${value ? ` ${value}` : ""}`, help];
}

const toExample = (args: string) => `  ${args.startsWith("eval") ? args : `arbiter-proxy ${args}`}`;

/** Puts the parts of a help text together; a part without lines is left out. */
function join(width: number, about: readonly string[], sections: Readonly<Record<string, readonly string[]>>): string {
  const parts = Object.entries(sections).filter(([, lines]) => lines.length > 0);
  const texts = about.map((text) => wrapText(text, width).join("\n"));
  return [...texts, ...parts.map(([title, lines]) => [title, ...lines].join("\n"))].join("\n\n");
}

/** The help text about the command of a name, or about all of them. */
function toHelp(name = "", columns = COLUMNS): string {
  const width = Math.min(columns, MOST_COLUMNS);
  const command = COMMAND_BY_NAME.get(name);
  if (command === undefined) {
    const flags = (Object.keys(FLAGS) as FlagName[]).filter((name) => !OWN_FLAGS.includes(name));
    return join(width, ["Usage: arbiter-proxy [COMMAND] [FLAGS] [-- ARGUMENTS FOR CLAUDE]", ABOUT], {
      "Commands:": toColumns(COMMAND_ROWS.map(([name, { help }]) => [name, help] as const), width),
      "Flags:": toColumns(flags.map(toFlagRow), width),
      "Examples:": ["--demo", 'code -- -p "explain it"', "serve --port 4010", "help env"].map(toExample),
    });
  }
  const { aliases = [], args, help, more, flags = [], examples = [], exits = {} }: CommandRow = COMMANDS[command];
  const usage = [`Usage: arbiter-proxy ${command}`, flags.length > 0 && "[FLAGS]", args].filter(Boolean).join(" ");
  const sentences = [`${help[0]!.toUpperCase()}${help.slice(1)}.`, more];
  if (aliases.length > 0) sentences.push(`Other names: ${aliases.join(", ")}.`);
  return join(width, [usage, sentences.filter(Boolean).join(" ")], {
    "Flags:": flags.length > 0 ? toColumns(flags.map(toFlagRow), width) : [],
    "Examples:": examples.map(toExample),
    "Exit codes:": toColumns(Object.entries({ ...EXITS, ...exits }), width),
  });
}
// lib/cli/models_command.ts -----------------------------------------------------------------
/** What a model has taught, in words. */
function toLessonWords({ refused, context, maxOutput, noTools, goneSince }: ModelFacts, ratio = 1): string {
  return [
    goneSince === 0 && "is gone",
    goneSince > 0 && goneSince < Infinity && `is gone since ${new Date(goneSince).toISOString().slice(0, 10)}`,
    noTools && "is served without tools",
    refused.length > 0 && `refuses ${refused.join(", ")}`,
    context < Infinity && `has a window of ${context} tokens`,
    maxOutput < Infinity && `gives at most ${maxOutput} tokens`,
    ratio !== 1 && `counts ${ratio.toFixed(2)} times the tokens that are estimated`,
  ].filter(Boolean).join("; ");
}

/** What a model can do, in words; what has ended says so, and names who follows. */
function toAbilities({ tools, vision, reasoning, gone, successor }: Model): string {
  const abilities = [tools && "tools", vision && "images", reasoning && "thinking"].filter(Boolean).join(", ");
  const end = gone && `gone since ${gone}${successor ? `, followed by ${successor}` : ""}`;
  return end || abilities || "text only";
}

function toCount(tokens: number): string {
  return tokens < Infinity ? String(tokens) : "?";
}

function toLimits({ context, maxOutput }: Model): string {
  return `window ${toCount(context)}, output ${toCount(maxOutput)} tokens`;
}

/** What `--json` says of a model; a limit nobody knows is null. */
function toJsonModel({ id, context, maxOutput, tools, vision, reasoning, gone, successor }: Model): object {
  const limits = { context: context < Infinity ? context : null, maxOutput: maxOutput < Infinity ? maxOutput : null };
  return { id, ...limits, tools, vision, reasoning, gone, successor };
}

/** Models as a table, or with what is known of each in lines of their own where that is too wide. */
function toModelTable(rows: (Model & { about: string })[], columns = Infinity): string[] {
  const width = Math.max(...rows.map(({ id }) => id.length));
  const table = [["model", "window", "output", "abilities"]].concat(
    rows.map(({ id, context, maxOutput, about }) => [id, toCount(context), toCount(maxOutput), about]),
  ).map(([id = "", window = "", output = "", about = ""]) =>
    `${id.padEnd(width)}  ${window.padStart(8)}  ${output.padStart(7)}  ${about}`
  );
  if (table.every((line) => line.length < columns)) return table;
  return rows.flatMap((row) => [row.id, ...toRows([["", `${toLimits(row)}: ${row.about}`]], columns)]);
}

/** Lists the roster, and what the config file adds to it; what the host did not list when it was asked is marked. */
async function listRoster(context: Context): Promise<void> {
  const { io } = context;
  const { catalog } = await readRouter(context);
  const { models = [] } = catalog.options;
  const listed = await readHostList(io, catalog.backend);
  const owned = new Set(toHostRows(catalog).map(({ id }) => id));
  const ids = new Set([...models, ...ROSTER].map(({ id }) => id));
  const rows = [...ids].map((id) => toModel(id, models)).sort((a, b) => Number(!!a.gone) - Number(!!b.gone));
  const isListed = ({ id }: Model) => listed && owned.has(id) ? listed.includes(id) : undefined;
  const all = rows.map((row) => ({ ...toJsonModel(row), listed: isListed(row) }));
  const toAbout = (row: Model) =>
    toAbilities(row) + (isListed(row) === false && !row.gone ? ", not listed by the host" : "");
  report(context, all, toModelTable(rows.map((row) => ({ ...row, about: toAbout(row) })), io.columns));
}

/** Compares what the default host lists with the roster. */
async function refresh(context: Context): Promise<void> {
  const { io, flags } = context;
  const { catalog } = await readRouter(context);
  const ids = await fetchHostList(io, catalog.backend, flags.demo);
  const rows = toHostRows(catalog);
  const fresh = ids.filter((id) => !rows.some((row) => row.id === id));
  const missing = rows.filter(({ id, gone }) => !gone && !ids.includes(id)).map(({ id }) => id);
  const host = catalog.backend.name;
  const toSection = (title: string, names: string[]) =>
    names.length > 0 ? [title, ...names.map((id) => `  ${id}`)] : [];
  report(context, { host, listed: ids.length, new: fresh, missing }, [
    `${host} lists ${toAmount(ids.length, "model")}.`,
    ...toSection("Not in the roster:", fresh),
    ...toSection("In the roster, but not listed:", missing),
  ]);
}

/** Tells what a name stands for, where a request for it goes, with which words in it, and why. */
async function explain(router: Router, name: string, prompt: string, context: Context): Promise<void> {
  const messages = [{ role: "user" as const, content: prompt }];
  const tools = [{ name: "Bash", input_schema: {} }]; // Without tools it would not be a turn of Claude Code's.
  const request = { model: name, max_tokens: 1, messages, tools };
  const { wanted, trace } = router.route({ request, headers: new Headers(), inputTokens: () => 0 });
  const traits = wanted.traits ?? toModel(wanted.model);
  const learned = await readLessons(await openStore(context, context.io.tell));
  const lessons = toLessonWords(learned.of(wanted), learned.ratios.get(toKey(wanted)));
  const { name: host, baseUrl } = wanted.backend;
  const { why, task, tier, chain } = trace;
  const family = traits.family.name;
  const told = { asked: name, ...toJsonModel(traits), host, baseUrl, family, why, task, tier, chain, lessons };
  const rows = {
    asked: name,
    model: `${wanted.model} (${baseUrl})`,
    why: why.join(", "),
    task,
    tier,
    chain: chain.join(", "),
    family,
    limits: toLimits(traits),
    abilities: toAbilities(traits),
    taught: lessons,
  };
  const known = Object.entries(rows).flatMap(([row, value]) => value ? [[row, value] as const] : []);
  report(context, told, toRows(known, context.io.columns));
}

/** Shows what all models have taught. */
async function showLessons(context: Context): Promise<void> {
  const { io } = context;
  const learned = await readLessons(await openStore(context, io.tell));
  const rows = learned.all().map(([key, facts]) => {
    const [host, model] = key.split(" ");
    return { model, host, lessons: toLessonWords(facts) };
  });
  const lines = rows.map(({ model, host, lessons }) => wrapLines(`${model} ${lessons} (${host})`, io.columns));
  report(context, rows, lines.length > 0 ? lines : ["No model has taught anything yet."]);
}

/** Shows the roster, one model and the way to it, or what models have taught; or asks the host what it serves. */
async function runModels(context: Context): Promise<number> {
  const [action = "list", id, prompt = ""] = context.args;
  if (action !== "show" && id !== undefined) throw new ConfigError(`Unexpected argument '${id}'`);
  if (action === "list") await listRoster(context);
  else if (action === "refresh") await refresh(context);
  else if (id === undefined) await showLessons(context);
  else await explain(await readRouter(context), id, prompt, context);
  return 0;
}

/** Forgets the choice, and what models have taught and how they were found; keys stay. */
async function runReset(context: Context): Promise<number> {
  const { io } = context;
  const say = (text: string) => io.print(wrapLines(text, io.columns));
  const store = await openStore(context, io.tell);
  const learned = await readLessons(store);
  const count = learned.all().length;
  await learned.forget();
  await new Health(systemClock, store).forget();
  for (const [key] of await store.list(PROBE_PREFIX)) await store.set(key, undefined);
  say(`Forgot what ${toAmount(count, "model")} had taught.`);
  const when = store.shared ? "with its next requests" : "at its next start";
  if (count > 0) say(`A proxy that runs does so ${when}.`);
  const { model } = await readChoice(io);
  const { access, rm } = await import("node:fs/promises");
  const [choice, keys] = [toChoicePath(io), toConfigPath(io, ".env")];
  if (choice) {
    await rm(choice, { force: true }).catch((cause) => {
      throw new Error(`The choice cannot be forgotten: ${cause.message}`, { cause });
    });
  }
  if (model) say(`Forgot the choice of ${model}.`);
  if (keys && await access(keys).then(() => true, () => false)) say(`Keys stay in ${keys}`);
  return 0;
}
// lib/cli/serve_command.ts ------------------------------------------------------------------
/** Flags that tell `env` of the same proxy. */
const SHARED_FLAGS: readonly FlagName[] = ["host", "model", "max-tokens", "config", "demo"];

/** What to type for a program whose script is there: what is only fetched, or copied, is not on PATH. */
const STARTS: readonly (readonly [script: RegExp, start: string])[] = [
  [/[\\/]\.?bunx-/, "bunx arbiter-proxy"],
  [/[\\/](?:_npx|\.bin)[\\/]/, "npx arbiter-proxy"],
  [/\$deno\$node/, "deno run -A jsr:@arbiter/proxy"],
  [/[\\/]node_modules[\\/]|[\\/]arbiter(?:-proxy)?$/, "arbiter-proxy"],
];

/** The line that points Claude Code at a proxy, for the shell of the user and as `process` was started. */
function toUse(
  { io: { env, platform }, flags }: Context,
  port: number,
  { argv: [, script = ""], versions: { deno, bun } }: Pick<NodeJS.Process, "argv" | "versions">,
): string {
  const { use, quote } = SHELLS[findShell(env, platform)];
  const [, known] = STARTS.find(([pattern]) => pattern.test(script)) ?? [];
  const start = known ?? `${deno ? "deno run -A" : bun ? "bun" : "node"} ${quote(script)}`;
  const typed = SHARED_FLAGS.filter((name) => flags[name] !== undefined);
  const same = typed.flatMap((name) => [`--${name}`, ...(flags[name] === true ? [] : [quote(String(flags[name]))])]);
  return use([`${start} env`, ...(port === DEFAULT_PORT ? [] : [`--port ${port}`]), ...same].join(" "));
}

/** Runs the proxy until it is told to stop. */
async function runServe(context: Context): Promise<number> {
  const { default: process } = await import("node:process");
  const { print, tell } = context.io;
  const proxy = await createProxy(context, tell);
  // Whoever reads that it listens may stop it at once.
  const told = new Promise((resolve) => process.once("SIGINT", resolve).once("SIGTERM", resolve));
  const server = await listen(proxy, context.io);
  const listening = `Arbiter is listening on ${server.url} → ${proxy.upstream}, model ${proxy.models.elite}`;
  print(wrapLines(listening, context.io.columns));
  const there = context.settings.clientKeys ? " with the same ARBITER_API_KEY" : "";
  print(`To use it, in another terminal${there}: ${toUse(context, server.port, process)}, then claude`);
  print(`To watch it: ${server.url}${DASHBOARD_PATH}`);
  await told;
  await server.close();
  return 0;
}
// lib/cli/status_command.ts -----------------------------------------------------------------
/** Milliseconds between two looks of `status --watch`, and of `stop` at a port. */
const WATCH_PAUSE = 1_000;
const STOP_PAUSE = 100;
/** Milliseconds a proxy, and the Claude Code in front of it, have to end. */
const STOP_TIMEOUT = 10_000;

/** Why there is no proxy to work with on a port. */
const NOBODY = {
  locked: (port: number) =>
    `The Arbiter on port ${port} wants its key: set ARBITER_API_KEY as it is set there. Only what you have started yourself is told it.`,
  other: (port: number) => `Another program is on port ${port}, no Arbiter.`,
  none: (port: number) => `Nothing runs on port ${port}.`,
};

/** Says why there is no proxy to work with, and where there may be one. */
async function tellNobody(
  found: Exclude<Occupant, ArbiterStatus>,
  { host, port }: Address,
  context: Context,
): Promise<1> {
  const { io } = context;
  const files = await readRunFiles(io);
  if (!found) await removeRunFile(io, port); // Its proxy was killed.
  const others = files.filter((file) => file.port !== port);
  const running = await Promise.all(others.map(async ({ port, started }) => {
    const other = await findRunning({ host, port }, context);
    return typeof other === "object" && other.since === started ? [port] : [];
  }));
  io.tell(NOBODY[found ?? "none"](port));
  for (const other of running.flat()) io.tell(`An Arbiter runs on port ${other}: add --port ${other}`);
  return 1;
}

function toCounts(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts).sort(([, a], [, b]) => b - a).map(([name, count]) => `${name} ${count}`).join(", ");
}

function toQuotaWords({ quota }: ArbiterStatus): string {
  if (!quota) return "no limit";
  return `${quota.left} of ${quota.limit} left in this ${quota.window === 60_000 ? "minute" : "window"}`;
}

/** How a proxy goes, as lines for a terminal of so many columns. */
function toStatusLines(status: ArbiterStatus, port: number, now: number, columns?: number): string[] {
  const { version, model, since, requests, kinds, models, local, fallbacks, errors, anthropicCost } = status;
  const dollars = Math.max(anthropicCost, 0.01).toFixed(2);
  return toRows([
    ["Arbiter", `${version} on port ${port}, for ${toDuration(now - since)}`],
    ["model", model],
    ["requests", requests > 0 ? `${requests}: ${toCounts(kinds)}` : "none yet"],
    ["answers", toCounts({ ...models, ...(local > 0 ? { "(no model needed)": local } : {}) }) || "none yet"],
    ["fallbacks", String(fallbacks)],
    ["errors", String(errors)],
    ["tokens", `${status.inputTokens} in, ${status.outputTokens} out`],
    ...(anthropicCost > 0
      ? [["cost", `an estimated $${dollars} at Anthropic's prices of ${PRICES_DATE}`] as const]
      : []),
    ["quota", toQuotaWords(status)],
  ], columns);
}

/** How a proxy goes, in one line. */
function toStatusLine(status: ArbiterStatus): string {
  const { requests, fallbacks, errors, inputTokens, outputTokens } = status;
  const tokens = `${inputTokens} in, ${outputTokens} out`;
  return `requests ${requests}, fallbacks ${fallbacks}, errors ${errors}, tokens ${tokens}, ${toQuotaWords(status)}`;
}

/** Follows a proxy until Ctrl-C, or until it ends. */
async function watchStatus(first: ArbiterStatus, address: Address, context: Context): Promise<number> {
  const { port } = address;
  const { io, flags } = context;
  const { default: process } = await import("node:process");
  const stop = new AbortController();
  const abort = () => stop.abort();
  process.once("SIGINT", abort);
  process.stdout.once("error", abort); // Whoever reads no further watches no more.
  const redraws = io.columns !== undefined && io.env.TERM !== "dumb" && !flags.json;
  let [drawn, last] = [0, ""];
  try {
    for (let status: Occupant = first; !stop.signal.aborted;) {
      if (typeof status !== "object") return await tellNobody(status, address, context);
      const counts = JSON.stringify({ ...status, quota: undefined }); // The quota comes back by itself.
      const lines = [...toStatusLines(status, port, Date.now(), io.columns), "", "Ctrl-C ends this."];
      if (redraws && lines.length < (process.stdout.rows || 24)) {
        io.print(lines.join("\n"), drawn > 0 ? `\x1b[${drawn}A\x1b[J` : "");
        drawn = lines.length;
      } else if (counts !== last) {
        io.print(flags.json ? JSON.stringify({ port, ...status }) : toStatusLine(status));
        drawn = 0;
      }
      last = counts;
      await sleep(systemClock, WATCH_PAUSE, stop.signal).catch(() => {});
      status = await findRunning(address, context);
    }
    return 0;
  } finally {
    process.off("SIGINT", abort).stdout.off("error", abort);
  }
}

/** Shows how the proxy on the port goes. */
async function runStatus(context: Context): Promise<number> {
  const { io, flags } = context;
  const address = await readAddress(context);
  const status = await findRunning(address, context);
  if (typeof status !== "object") return await tellNobody(status, address, context);
  if (flags.watch) return await watchStatus(status, address, context);
  report(context, { port: address.port, ...status }, toStatusLines(status, address.port, Date.now(), io.columns));
  return 0;
}

/** Tells where the page is on which the proxy on the port can be watched. */
async function runDashboard(context: Context): Promise<number> {
  const address = await readAddress(context);
  const status = await findRunning(address, context);
  if (typeof status !== "object") return await tellNobody(status, address, context);
  context.io.print(toServerUrl(address.host, address.port) + DASHBOARD_PATH);
  return 0;
}

/** Stops the proxy on the port, if it is one of the user's. */
async function runStop(context: Context): Promise<number> {
  const { io } = context;
  const { default: process } = await import("node:process");
  const address = await readAddress(context);
  const { port } = address;
  const status = await findRunning(address, context);
  if (typeof status !== "object") return await tellNobody(status, address, context);
  // Whoever listens now must be who wrote the note: ids of processes come again.
  const run = (await readRunFiles(io)).find((file) => file.port === port && file.started === status.since);
  if (!run) throw new Error(`The Arbiter on port ${port} has left no note of its process: end it where it was started`);
  process.kill(run.pid, "SIGTERM");
  for (let waited = 0; await isPortTaken(address); waited += STOP_PAUSE) {
    if (waited >= STOP_TIMEOUT) throw new Error(`Arbiter (process ${run.pid}) was told to stop, but is still there`);
    await sleep(systemClock, STOP_PAUSE, new AbortController().signal);
  }
  await removeRunFile(io, port); // Windows ends processes without a word.
  io.print(wrapLines(`Stopped Arbiter ${run.version} on port ${port} (process ${run.pid}).`, io.columns));
  return 0;
}
// lib/cli/test_command.ts -------------------------------------------------------------------
/** Milliseconds a proxy is given to show that it is there. */
const PRESENCE_TIMEOUT = 5_000;
/** Milliseconds a proxy is given for each answer: models think. */
const TEST_TIMEOUT = 120_000;

/** Asks the proxy under test: a route and a body to post, if any. */
type Ask = (path: string, body?: object, method?: string) => Promise<Response>;

/** A check of a proxy; what it throws is what is wrong, what it gives a remark. */
type ProxyCheck = readonly [name: string, check: (ask: Ask, model: string) => Promise<string | void>];

function expect(fine: unknown, otherwise: string): asserts fine {
  if (!fine) throw new Error(otherwise);
}

async function readObject(response: Response, status = 200): Promise<Record<string, unknown>> {
  const text = await response.text();
  expect(response.status === status, `status ${response.status}, not ${status}: ${text.slice(0, 200)}`);
  const value = parseJson(text);
  expect(isJsonObject(value), `no JSON object: ${text.slice(0, 80)}`);
  return value;
}

/** Goes through a stream by Anthropic's grammar. */
function checkGrammar(events: readonly unknown[]): void {
  let [open, next, before] = [-1, 0, ""];
  for (const event of events) {
    expect(isJsonObject(event), "an event is no JSON object");
    const { type, index } = event;
    expect(type !== "error", `an error: ${JSON.stringify(event.error)}`);
    if (type === "ping" || (type === "message_delta" && isJsonObject(event.delta) && !event.delta.stop_reason)) {
      continue;
    }
    const legal: Record<string, boolean> = {
      message_start: before === "",
      content_block_start: before !== "" && open < 0 && index === next,
      content_block_delta: open >= 0 && index === open,
      content_block_stop: open >= 0 && index === open,
      message_delta: before !== "" && open < 0,
      message_stop: before === "message_delta",
    };
    const fine = Object.hasOwn(legal, String(type)) && legal[String(type)];
    expect(fine && (before !== "message_delta" || type === "message_stop"), `${type} after ${before || "nothing"}`);
    if (type === "content_block_start") open = next++;
    if (type === "content_block_stop") open = -1;
    before = String(type);
  }
  expect(before === "message_stop", `the stream ends with ${before || "nothing"}`);
}

const BASH = {
  name: "Bash",
  description: "Run a command",
  input_schema: { type: "object", properties: { command: { type: "string" } }, required: ["command"] },
};
const toBody = (model: string, content: string, more: object = {}) => {
  return { model, max_tokens: 1024, messages: [{ role: "user", content }], ...more };
};

/** What any proxy for Claude Code must do. */
const PROXY_CHECKS: readonly ProxyCheck[] = [
  ["GET /health", async (ask) => void await readObject(await ask("/health"))],
  ["HEAD /", async (ask) => expect((await ask("/", undefined, "HEAD")).ok, "it is refused")],
  ["GET /v1/models", async (ask) => {
    const { data } = await readObject(await ask("/v1/models"));
    expect(Array.isArray(data) && data.every(({ id }) => typeof id === "string"), "no list of models");
    return toAmount(data.length, "model");
  }],
  ["count_tokens", async (ask, model) => {
    const { messages } = toBody(model, "How many tokens are this?");
    const { input_tokens } = await readObject(await ask("/v1/messages/count_tokens", { model, messages }));
    expect(Number.isInteger(input_tokens) && Number(input_tokens) > 0, `input_tokens is ${input_tokens}`);
    return `${input_tokens} tokens`;
  }],
  ["message", async (ask, model) => {
    const message = await readObject(await ask("/v1/messages", toBody(model, "Say hello.")));
    expect(message.type === "message" && Array.isArray(message.content), "no message");
    expect(typeof message.stop_reason === "string" && isJsonObject(message.usage), "no stop reason, or no usage");
  }],
  ["stream", async (ask, model) => {
    const response = await ask("/v1/messages", toBody(model, "Say hello.", { stream: true }));
    const bytes = new Uint8Array(await response.arrayBuffer());
    expect(response.ok, `status ${response.status}: ${new TextDecoder().decode(bytes).slice(0, 200)}`);
    const decoder = new SseDecoder();
    checkGrammar([...decoder.feed(bytes), ...decoder.flush()].map(parseJson));
  }],
  ["tool call", async (ask, model) => {
    const body = toBody(model, "Run `ls` with the tool Bash.", { tools: [BASH] });
    const { content, stop_reason } = await readObject(await ask("/v1/messages", body));
    const calls = Array.isArray(content) ? content.filter(({ type }) => type === "tool_use") : [];
    if (calls.length === 0) return "the model made none";
    expect(stop_reason === "tool_use", `stop_reason is ${stop_reason}`);
    expect(calls.every(({ id, input }) => /^toolu_/.test(id) && isJsonObject(input)), "a call without id or input");
  }],
  ["unknown route", async (ask) => {
    const { type, error } = await readObject(await ask("/v1/nothing"), 404);
    expect(type === "error" && isJsonObject(error) && error.type === "not_found_error", "not Anthropic's error shape");
  }],
];

/** Goes through what any proxy for Claude Code must do, with one that runs. */
async function runTest(context: Context): Promise<number> {
  const { io, flags, settings } = context;
  const { host, port } = await readAddress(context);
  const { testUrl } = settings;
  const baseUrl = (testUrl ?? toServerUrl(host, port)).replace(/\/v1$/, "");
  const token = testUrl ? toToken(settings) : await readOwnToken(io, settings, port);
  const ask: Ask = (path, body, method = body ? "POST" : "GET") =>
    localFetch(baseUrl + path, {
      method,
      redirect: "manual",
      headers: {
        authorization: `Bearer ${token}`,
        "anthropic-version": "2023-06-01",
        "content-type": "application/json",
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(TEST_TIMEOUT),
    });
  await localFetch(`${baseUrl}/health`, { signal: AbortSignal.timeout(PRESENCE_TIMEOUT) })
    .then((response) => response.body?.cancel())
    .catch((cause) => {
      const help = "start a proxy with arbiter-proxy serve, or name one with --base-url";
      throw new Error(`Nothing answers at ${baseUrl}: ${help}`, { cause });
    });
  const results: { check: string; ok: boolean; says?: string }[] = [];
  for (const [check, run] of PROXY_CHECKS) {
    const result = await run(ask, flags.model ?? "claude-sonnet-5").then(
      (says) => ({ check, ok: true, ...(says ? { says } : {}) }),
      (thrown: Error) => ({ check, ok: false, says: thrown.message }),
    );
    results.push(result);
    if (flags.json) continue;
    const words = result.says ? `${check}: ${result.says}` : check;
    for (const line of toRows([[result.ok ? "OK  " : "FAIL", words]], io.columns)) io.print(line);
  }
  if (flags.json) io.print(JSON.stringify({ baseUrl, results }, null, 2));
  return results.every(({ ok }) => ok) ? 0 : 1;
}
// lib/cli/main.ts ---------------------------------------------------------------------------
const RUN_BY_COMMAND: Record<Exclude<Command, "help" | "completions">, (context: Context) => Promise<number>> = {
  code: runCode,
  serve: runServe,
  models: runModels,
  probe: runProbe,
  env: runEnv,
  init: runInit,
  reset: runReset,
  doctor: runDoctor,
  status: runStatus,
  dashboard: runDashboard,
  stop: runStop,
  test: runTest,
};

/** What is not there, or is a folder, is no file. */
const NO_FILE = ["ENOENT", "ENOTDIR", "EISDIR"];

/** Reads a `.env`, which most folders have not. */
async function readDotenv(path: string, warn: (warning: string) => void): Promise<Env> {
  const text = await readTextFile(path).catch((thrown) => {
    if (!NO_FILE.includes(thrown.code)) warn(`Cannot read ${path}: ${toWhy(thrown)}`);
    return "";
  });
  return parseDotenv(text);
}

/** The environment in order of weight: a variable that is set is never overwritten by a file, as in `@std/dotenv`. */
function readEnvironment(io: Io, warn: (warning: string) => void): Promise<Env[]> {
  const files = [`${io.cwd}/.env`, toConfigPath(io, ".env") ?? "", ...toEarlierFiles(io.env)];
  return Promise.all([io.env, ...files.map((file) => readDotenv(file, warn))]);
}

async function run(typed: readonly string[], io: Io): Promise<number> {
  const line = await parseCommandLine(typed);
  const { flags, command, args } = line;
  const say = (text: string) => {
    io.print(text);
    return 0;
  };
  // Whatever is set, or set wrongly.
  if (flags.version) return say(VERSION);
  if (command === "help") return say(toHelp(args[0], io.columns));
  if (command === "completions") return say(toCompletions(args[0]!));
  const warn = (warning: string) => io.tell(`arbiter: ${warning}`);
  const [given = {}, here = {}, ...files] = await readEnvironment(io, warn);
  const folder = io.cwd === toConfigPath(io) ? here : withoutOpening(here, warn);
  const layers = [{ ARBITER_CONFIG: flags.config }, given, folder, ...files];
  const { "api-key-file": keyFile } = flags;
  const settings = resolveSettings(flags, layers, warn);
  if (keyFile !== undefined) settings.apiKey = await readKeyFile(keyFile);
  return await RUN_BY_COMMAND[command]({ ...line, io, settings, layers, folder });
}

/**
 * The command line.
 *
 * @param args What was typed after the program's name.
 * @returns The exit code: 0, Claude Code's own, 1 when something could not be done, 2 when the program was started or
 * configured wrongly.
 */
export async function main(args: readonly string[]): Promise<number> {
  const io = await createIo();
  // Node ends at once where all that is left is a call that hangs: its deadline alone does not keep it.
  const awake = setInterval(() => {}, 60_000);
  try {
    return await run(args, io);
  } catch (thrown) {
    io.tell(`arbiter: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    if (!(thrown instanceof ConfigError)) return 1;
    io.tell("Run arbiter-proxy --help to see how it is used.");
    return 2;
  } finally {
    clearInterval(awake);
  }
}
// lib/models/sanitiser.ts -------------------------------------------------------------------
/** Tells text, thinking and tool calls apart in text that arrives in pieces. */
export type Sanitiser = {
  /** Takes the next piece; gives what it is certain of. */
  feed(text: string): Found[];
  /** Gives what was held back, at the end. */
  flush(): Found[];
};

/**
 * Makes a sanitiser for what a model leaks into its text, such as Kimi's `<|tool_call_begin|>`.
 *
 * @param model The upstream model id: its family decides which tokens mean something.
 * @param tools The declared tools; a call of any other stays text, as it was written.
 *
 * @example
 * ```ts
 * const sanitiser = createSanitiser("moonshotai/kimi-k2.6", new Map([["Read", { name: "Read" }]]));
 * const found = [...sanitiser.feed("Let me look.<|tool_call_be"), ...sanitiser.flush()];
 * ```
 */
export function createSanitiser(model: string, tools: DeclaredTools = new Map()): Sanitiser {
  const { dialect: triggers, startsInThinking = false } = toFamily(model);
  return new Scanner({ triggers, tools, startsInThinking });
}
// lib/mod.ts --------------------------------------------------------------------------------
if (import.meta.main) {
  import("node:process").then(async ({ default: process }) => {
    process.exitCode = await main(process.argv.slice(2));
  });
}
