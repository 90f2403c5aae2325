import { type CodeState, isFenced, isSpan, NO_CODE, readCode } from "./code_spans.ts";
import { type FoundCall, toFoundCall } from "./found_calls.ts";
import type { DeclaredTools, Grammar, Trigger } from "./grammar.ts";
import { type Piece, Reader, type WrittenCall } from "./reader.ts";
import type { TriggerTable } from "./triggers.ts";

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
export class Scanner {
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
