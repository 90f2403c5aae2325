import { isJsonObject } from "../wire/json.ts";
import { JsonScanner } from "./json_scanner.ts";
import { parseTolerant } from "./tolerant_json.ts";

/**
 * A grammar waiting for more text, when it gives nothing, or handing over what it has understood so far: a piece, text
 * that is whatever text is at the moment, or calls.
 */
export type Reading<T> = Generator<Piece | string | WrittenCall[] | undefined, T>;

/** A piece of an answer, told apart. */
export type Piece = { kind: "text" | "thinking"; text: string };

/**
 * A value of an XML dialect, before the schema says what it is. `json` when the dialect itself says that it is JSON, or
 * that it is where the schema does not say anything.
 */
export type Field = [key: string, value: string, json?: boolean | "undeclared"];

/** A call as a model wrote it: its arguments are JSON text or fields. */
export type WrittenCall = {
  name: string;
  arguments: string | Field[];
  /** Whether its end is missing: it must not run if the answer was cut short. */
  cut?: boolean;
  /** Whether the end of a value is missing: it must not run at all. */
  torn?: boolean | undefined;
};

/** What finds the first of `markers`; of two that begin alike, the one that is listed first. */
export function toPattern(markers: readonly string[]): RegExp {
  return new RegExp(markers.map((marker) => marker.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|"), "g");
}

const BRACKET = /["'{}[\]()\\]/g;
/** How far prose may look like the tag or the JSON of a call before it is let go. */
export const MAX_TAG = 200;
/** How far beyond the end of a value may stand what shows that it was none. */
const LOOK_AHEAD = 1000;
/** How far {@linkcode parseTolerant} looks ahead. */
const PARSER_AHEAD = 50;

/** The longest end of `text` that may be the beginning of one of `markers`, which must not be sent on yet. */
export function toHeldLength(text: string, markers: readonly string[]): number {
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
export class Reader {
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
