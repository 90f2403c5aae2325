/** So many `!` in a row are a broken deployment: what NaN logits become (vLLM #42426). */
const MARKS = "!".repeat(100);
/** How much of the end of an answer is looked at, and after how many further characters. */
const WINDOW_CHARS = 3_000;
const STEP_CHARS = 1_000;
/** The longest unit whose endless repetition is recognised. */
const MAX_UNIT_CHARS = 24;

/** Recognises an answer that only repeats itself: a run of `!`, or one short text over and over. */
export class RepetitionGuard {
  #end = "";
  #unchecked = 0;

  /** Takes the next piece; tells whether the answer has become nonsense. */
  feed(text: string): boolean {
    this.#end += text;
    this.#unchecked += text.length;
    if (text.includes("!") && this.#end.endsWith(MARKS)) return true;
    if (this.#unchecked < STEP_CHARS || this.#end.length < WINDOW_CHARS) return false;
    this.#unchecked = 0;
    this.#end = this.#end.slice(-WINDOW_CHARS);
    for (let unit = 1; unit <= MAX_UNIT_CHARS; unit++) {
      // Lines of blanks, dashes and the like are long in honest answers, too.
      const repeated = this.#end.slice(unit) === this.#end.slice(0, -unit);
      if (repeated) return /[^\s\-=_*#.~|+]/.test(this.#end.slice(0, unit));
    }
    return false;
  }
}
