import type { Grammar } from "./grammar.ts";
import { parseCalls } from "./json_calls.ts";
import type { Piece, Reader, Reading } from "./reader.ts";
import { CODE_LENGTHS, parseTolerant } from "./tolerant_json.ts";

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
export const pythonRepr: Grammar = function* (reader) {
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
