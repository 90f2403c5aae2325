/** What the parts of the soak test have in common: texts that prove themselves, and chance that can be repeated. */

/** Chance from a seed (mulberry32): the same numbers each time. */
export function createChance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A number that stands for a text (FNV-1a). */
export function toSum(text: string): number {
  let sum = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193);
  return sum >>> 0;
}

const WORDS = [
  "file",
  "漢字",
  "🙂",
  "é",
  "\n",
  '"quoted"',
  "\\n",
  "<b>",
  "{}",
  "a < b",
  "// no",
  "𝒳",
  "line\r\nend",
  "0.5",
  "`x`",
];

/** Words by chance. */
export function makeText(chance: () => number, words: number): string {
  return Array.from({ length: words }, () => WORDS[Math.floor(chance() * WORDS.length)]! + Math.floor(chance() * 99))
    .join(" ");
}

/** A text between marks with its sum, by which the other end sees that nothing of it is missing or changed. */
export function seal(text: string): string {
  return `«${text}~${toSum(text)}»`;
}

/** The sealed texts in a text; what is broken is told. */
export function unseal(text: string, problem: (what: string) => void): string[] {
  const found = [...text.matchAll(/«([^»]*)~(\d+)»/g)];
  if (found.length !== text.split("«").length - 1) problem(`a sealed text has lost its end: ${text.slice(-60)}`);
  return found.map(([, sealed = "", sum = ""]) => {
    if (toSum(sealed) !== Number(sum)) problem(`a sealed text has changed: ${sealed.slice(0, 60)}`);
    return sealed;
  });
}

/** Tokens that a host says it has counted for a request with this nonce: the client knows what to expect. */
export function toCounts(nonce: string): { prompt_tokens: number; completion_tokens: number } {
  const sum = toSum(nonce);
  return { prompt_tokens: 100 + sum % 9_000, completion_tokens: 1 + sum % 500 };
}
