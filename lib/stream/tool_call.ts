import { continueJson, mayStay, readArguments, toUnparsed } from "../dialects/arguments.ts";
import type { DeclaredTools } from "../dialects/grammar.ts";
import { JsonScanner } from "../dialects/json_scanner.ts";
import { resolveToolName } from "../dialects/tool_names.ts";
import type { JsonObject } from "../wire/anthropic.ts";
import { sortKeys } from "../wire/json.ts";
import type { ToolCallDelta } from "../wire/openai.ts";
import { BadAnswer } from "./bad_answer.ts";

/** One tool call of an answer, put together from whatever pieces the host sends. */
export class ToolCall {
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
