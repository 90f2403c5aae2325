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
export function toDigest(value: string, length: number): string {
  let [a, b] = [0x811c9dc5, 0x01000193];
  for (let i = 0; i < value.length; i++) {
    a = Math.imul(a ^ value.charCodeAt(i), 0x01000193);
    b = Math.imul(b ^ value.charCodeAt(i), 0x85ebca6b) ^ (a >>> 13);
  }
  const number = (a >>> 0) * 2 ** 21 + ((b >>> 0) >>> 11);
  return number.toString(36).padStart(length, "0").slice(-length);
}
