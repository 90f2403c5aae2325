import { setImmediate } from "node:timers";
import type { Clock } from "../../lib/wire/clock.ts";

interface Timer {
  due: number;
  run: () => void;
}

/** Lets everything happen that waits for nothing but its turn: promises, streams, bodies. */
export async function settle(turns = 20): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** A clock that stands still until it is told to go on. */
export class FakeClock implements Clock {
  readonly #timers = new Set<Timer>();
  #now = 0;

  /** How many timers are waiting. */
  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { due: this.#now + ms, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /**
   * Goes on by `ms`, from timer to timer: what one of them sets off has happened, with the timers it
   * starts, before the next one fires. What was going on before has happened as well.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.due);
      next.run();
      await settle();
    }
    this.#now = end;
  }

  #next(end: number): Timer | undefined {
    const [first] = [...this.#timers].sort((a, b) => a.due - b.due);
    return first && first.due <= end ? first : undefined;
  }
}

/** Goes on by `ms` on several clocks together, as far as steps of 50 ms can tell. */
export async function advanceAll(clocks: readonly FakeClock[], ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 50) for (const clock of clocks) await clock.advance(Math.min(50, left));
}
