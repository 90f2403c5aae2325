/** So many `!` are a broken deployment, alone or after something else: what NaN logits become (vLLM #42426). */
const MAX_MARKS = 100;
const MAX_LATE_MARKS = 500;
/** How much of the end of an answer is looked at, and after how many further characters: data may repeat for long. */
const WINDOW_CHARS = 10_000;
const STEP_CHARS = 2_000;
/** The longest unit whose endless repetition is recognised. */
const MAX_UNIT_CHARS = 24;

/** Recognises an answer that only repeats itself: a run of `!`, or one short text over and over. */
export class RepetitionGuard {
  #end = "";
  #chars = 0;
  #unchecked = 0;
  /** How many `!` stand at the end. */
  #marks = 0;

  /** Takes the next piece; tells whether the answer has become nonsense. */
  feed(text: string): boolean {
    let from = text.length;
    while (from > 0 && text.charAt(from - 1) === "!") from--;
    this.#marks = text.length - from + (from === 0 ? this.#marks : 0);
    this.#chars += text.length;
    if (this.#marks >= (this.#marks === this.#chars ? MAX_MARKS : MAX_LATE_MARKS)) return true;
    this.#end += text;
    this.#unchecked += text.length;
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
