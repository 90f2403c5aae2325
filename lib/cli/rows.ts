/** A count and what is counted, such as `2 requests`. */
export function toAmount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** A time in words, such as `5 min`; what is less than a minute is one. */
export function toDuration(ms: number): string {
  const minutes = Math.max(1, Math.floor(ms / 60_000));
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
}

/** Breaks a text between words, so that no line is longer than `width`; a longer word stays whole. */
export function wrapText(text: string, width: number): string[] {
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
export function wrapLines(text: string, columns = Infinity): string {
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
export function breakText(text: string, width: number): string[] {
  return wrapText(text.split(" ").flatMap((word) => cutWord(word, width)).join(" "), width);
}

/**
 * Aligns rows of a label and words; words that do not fit beside it go on below, one that is longer than a line is cut.
 *
 * @param columns The width of the terminal; nothing is broken where there is none.
 */
export function toRows(rows: readonly (readonly [label: string, words: string])[], columns = Infinity): string[] {
  const indent = Math.max(0, ...rows.map(([label]) => label.length)) + 2;
  const width = Math.max(columns - 1 - indent, 16); // No sentence fits into less. The last column stays free.
  return rows.flatMap(([label, words]) => {
    return breakText(words, width).map((line, i) => `${(i === 0 ? label : "").padEnd(indent)}${line}`.trimEnd());
  });
}
