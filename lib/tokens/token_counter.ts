import { type TextCost, weighText } from "./estimate.ts";

/** Characters: of a text that is weighed sooner than found, and of all texts that are kept, ten full windows. */
const SHORT_TEXT = 256, MAX_KEPT = 8_000_000;
/** So many characters are looked at, at the beginning and over all: files differ at the top, results have numbers there. */
const LOOKS = 32;

/**
 * Remembers what texts cost, so that of a growing conversation only what is new is weighed. Requests bring their own
 * copies: a text is found by its length and a few of its characters, then compared whole, which takes a tenth of
 * weighing. One that only looks alike takes the other's place. Those not asked for go first.
 */
export class TokenCounter {
  readonly #kept = new Map<number, { text: string; cost: TextCost }>();
  #size = 0;

  /** What `weighText()` says; bound, to be handed over. */
  readonly weigh = (text: string): TextCost => {
    if (text.length < SHORT_TEXT) return weighText(text);
    let key = text.length;
    for (let i = 0; i < LOOKS; i++) {
      key = Math.imul(key, 31) + text.charCodeAt(i) | 0;
      key = Math.imul(key, 31) + text.charCodeAt(Math.floor(text.length * i / LOOKS)) | 0;
    }
    const found = this.#kept.get(key);
    // The older copy is kept: the new ones can go while they are young.
    const entry = found?.text === text ? found : { text, cost: weighText(text) };
    this.#kept.delete(key); // What was asked for last goes last.
    this.#kept.set(key, entry);
    this.#size += text.length - (found?.text.length ?? 0);
    for (const [oldest, { text: { length } }] of this.#kept) {
      if (this.#size <= MAX_KEPT) break;
      this.#kept.delete(oldest);
      this.#size -= length;
    }
    return entry.cost;
  };
}
