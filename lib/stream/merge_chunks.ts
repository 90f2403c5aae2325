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
export function isBetween(head: string, tail: string, text: string): boolean {
  return text.length >= head.length + tail.length && text.slice(0, head.length) === head &&
    text.slice(text.length - tail.length) === tail;
}

/**
 * What stands before and behind the text of a chunk, the text as it is written, and its field; nothing without, nor where
 * more than that text adds to the answer.
 */
export function splitChunk(chunk: string): { head: string; text: string; tail: string; field: string } | undefined {
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
export function mergeChunks(data: readonly string[]): readonly string[] {
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
