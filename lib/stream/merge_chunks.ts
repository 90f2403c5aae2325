/** Where the text of a chunk begins, up to its opening quote. */
const TEXT_FIELD = /"(?:content|reasoning_content|reasoning)": ?"/;
/** What may stand between the quotes of a JSON string. */
const IN_QUOTES = /[^"\\]*(?:\\.[^"\\]*)*/y;

/** Where the literal ends that begins in a text at `from`. */
function toLiteralEnd(text: string, from: number): number {
  IN_QUOTES.lastIndex = from;
  return IN_QUOTES.test(text) ? IN_QUOTES.lastIndex : from;
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
  let [head, texts, tail] = ["", "", ""];
  for (const chunk of data) {
    if (head !== "" && chunk.startsWith(head) && chunk.endsWith(tail) && chunk.length >= head.length + tail.length) {
      const text = chunk.slice(head.length, -tail.length);
      if (!/["\\]/.test(text) || toLiteralEnd(text, 0) === text.length) {
        texts += text;
        continue;
      }
    }
    if (head !== "") merged.push(head + texts + tail);
    const found = TEXT_FIELD.exec(chunk);
    head = "";
    const from = found ? found.index + found[0].length : chunk.length;
    const end = toLiteralEnd(chunk, from);
    if (end === chunk.length) merged.push(chunk);
    else [head, texts, tail] = [chunk.slice(0, from), chunk.slice(from, end), chunk.slice(end)];
  }
  if (head !== "") merged.push(head + texts + tail);
  return merged;
}
