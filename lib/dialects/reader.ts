import { JsonScanner } from "./json_scanner.ts";

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
};

/** What finds the first of `markers`; of two that begin alike, the one that is listed first. */
export function toPattern(markers: readonly string[]): RegExp {
  return new RegExp(markers.map((marker) => marker.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|"), "g");
}

const BRACKET = /["'{}[\]()\\]/;

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
  #window = "";
  #read: string[] = [];
  /** Whether no more will come. */
  ended = false;

  /** Whether all has been read. */
  get done(): boolean {
    return this.ended && this.#window === "";
  }

  /** Adds text at the end. */
  push(text: string): void {
    // A sum with nothing is not free: some engines copy the long text when they look at it.
    this.#window = this.#window === "" ? text : this.#window + text;
  }

  /** Gives what was read since the last commit, and forgets it: it has been understood. */
  commit(): string {
    const text = this.#read.join("");
    this.#read = [];
    return text;
  }

  /** Gives all text since the last commit, read or not, and starts anew. */
  reset(): string {
    const [read, rest] = [this.commit(), this.#window];
    this.#window = "";
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
      const whole = literals.filter((literal) => this.#window.startsWith(literal));
      const open = literals.some((literal) => literal.length > this.#window.length && literal.startsWith(this.#window));
      if (!open || this.ended) {
        return whole.sort((a, b) => b.length - a.length)[0];
      }
      yield;
    }
  }

  /** Reads up to the first of `markers`, which stays unread, or to the end. */
  *until(...markers: string[]): Reading<string> {
    const pieces: string[] = [];
    const pattern = toPattern(markers);
    for (;;) {
      const end = this.#window.search(pattern);
      if (end >= 0) return pieces.join("") + this.#consume(end);
      const held = this.ended ? 0 : toHeldLength(this.#window, markers);
      pieces.push(this.#consume(this.#window.length - held));
      if (this.ended) return pieces.join("");
      yield;
    }
  }

  /** Reads like {@linkcode until}, handing the text over as it comes instead of giving it at the end. */
  *pass(kind: Piece["kind"], ...markers: string[]): Reading<void> {
    const pattern = toPattern(markers);
    for (;;) {
      const end = this.#window.search(pattern);
      const held = this.ended ? 0 : toHeldLength(this.#window, markers);
      const text = this.#consume(end >= 0 ? end : this.#window.length - held);
      if (text !== "") yield { kind, text };
      if (end >= 0 || this.ended) return;
      yield;
    }
  }

  /**
   * Reads a value and its end, past what only looks like the end: each of `ends` counts where one of its followers
   * follows, or nothing.
   *
   * @returns The value, and which end it has; none if the text ended before.
   */
  *value(ends: Readonly<Record<string, readonly string[]>>): Reading<[value: string, end?: string]> {
    const markers = Object.keys(ends);
    let value = "";
    for (;;) {
      value += yield* this.until(...markers);
      const end = yield* this.take(...markers);
      if (end === undefined) return [value];
      const space = yield* this.space();
      if (this.done || (yield* this.peek(...ends[end] ?? [])) !== undefined) return [value, end];
      value += end + space;
    }
  }

  /** Reads characters that match, such as a name. */
  *while(char: RegExp): Reading<string> {
    let text = "";
    for (;;) {
      let end = 0;
      while (end < this.#window.length && char.test(this.#window.charAt(end))) end++;
      const open = end === this.#window.length;
      text += this.#consume(end);
      if (!open || this.ended) return text;
      yield;
    }
  }

  /** Reads one character; none at the end. */
  *next(): Reading<string> {
    while (this.#window === "" && !this.ended) yield;
    return this.#consume(1);
  }

  /** Reads up to the bracket that closes what is open, past all brackets and strings between. */
  *untilClosed(close: string): Reading<string> {
    let [depth, quote] = [0, ""];
    const pieces: string[] = [];
    for (;;) {
      const at = this.#window.search(BRACKET);
      pieces.push(this.#consume(at < 0 ? this.#window.length : at));
      const char = this.#window.charAt(0);
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

  /** Reads white space. */
  space(): Reading<string> {
    return this.while(/\s/);
  }

  /** Reads a JSON value as far as it is one; what is cut short or broken is read up to one of `markers`. */
  *json(...markers: string[]): Reading<string> {
    const scanner = new JsonScanner();
    const pieces: string[] = [];
    for (;;) {
      const window = this.#window;
      const rest = scanner.feed(window);
      if (scanner.failed) return pieces.join("") + (yield* this.until(...markers));
      pieces.push(this.#consume(window.length - rest.length));
      if (scanner.complete || this.ended) return pieces.join("");
      yield;
    }
  }

  #consume(length: number): string {
    const text = this.#window.slice(0, length);
    this.#window = this.#window.slice(length);
    if (text !== "") this.#read.push(text);
    return text;
  }
}
