import type { Trigger } from "./grammar.ts";
import { toHeldLength, toPattern } from "./reader.ts";

/** The triggers of a family, ready to be looked for. */
export class TriggerTable {
  readonly #byMarker: ReadonlyMap<string, Trigger>;
  /** The longest first, so that of two markers that begin alike the longer one is found. */
  readonly #markers: readonly string[];
  readonly #pattern: RegExp;
  /** What a marker can begin with; an end of text without it needs no closer look. */
  readonly #firsts: RegExp;

  constructor(triggers: readonly Trigger[]) {
    this.#byMarker = new Map(triggers.map((trigger) => [trigger.marker, trigger]));
    this.#markers = [...this.#byMarker.keys()].sort((a, b) => b.length - a.length);
    this.#pattern = toPattern(this.#markers);
    this.#firsts = toPattern([...new Set(this.#markers.map((marker) => marker.charAt(0)))]);
  }

  /** The first trigger that `accepts` lets pass, and where it is. */
  find(text: string, accepts: (trigger: Trigger, at: number) => boolean): [Trigger, number] | undefined {
    if (text.search(this.#firsts) < 0) return undefined;
    this.#pattern.lastIndex = 0;
    for (let found = this.#pattern.exec(text); found; found = this.#pattern.exec(text)) {
      const trigger = this.#byMarker.get(found[0]);
      if (trigger && accepts(trigger, found.index)) return [trigger, found.index];
      this.#pattern.lastIndex = found.index + 1;
    }
    return undefined;
  }

  /** How much of the end of `text` may be the beginning of a marker. */
  toHeld(text: string): number {
    const longest = this.#markers[0]?.length ?? 1;
    const end = text.slice(Math.max(0, text.length - longest + 1));
    return end.search(this.#firsts) < 0 ? 0 : toHeldLength(end, this.#markers);
  }
}
