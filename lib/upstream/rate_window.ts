import type { Priority } from "../routing/priority.ts";
import type { RateLimits } from "../routing/rate_limits.ts";
import type { Clock } from "../wire/clock.ts";
import { onAbort } from "../wire/signal.ts";
import type { SharedPlace, SharedPlaces } from "./shared_places.ts";

/** The longest pause, in milliseconds, until other processes are looked at again: they may give places back at any time. */
const POLL_PAUSE = 250;

type Leave = SharedPlace["leave"];
/** Those of one priority who wait, first come first served: what lets each in. */
type Line = Set<(leave: Leave) => void>;

/**
 * Admits requests to one upstream account.
 *
 * The window slides: in no interval of its length, the end not included, do more requests start than the limit says.
 * Where the upstream says 429 earlier, the limit drops to what it took, and grows by one for each full window since.
 * Whoever may enter takes one of the places that processes share, too, if there are such.
 */
export class RateWindow {
  readonly #limits: RateLimits;
  readonly #clock: Clock;
  /** Most urgent first. */
  readonly #lines: Record<Priority, Line> = { main: new Set(), subagent: new Set(), background: new Set() };
  /** When the latest starts leave the window, the n-th at n modulo the full limit. */
  readonly #leaves: number[] = [];
  /** How many requests have started, where there is a limit to that. */
  #started = 0;
  /** How many requests have entered and not given their place back. */
  #entered = 0;
  /** When the last block ends, or ended. */
  #blockedUntil = 0;
  /** What the last block left of the limit, and what it has grown by since. */
  #limit: number;
  /** When it grows next; `Infinity` while it is full. */
  #growsAt = Infinity;
  #cancel = () => {};
  readonly #places: SharedPlaces | undefined;
  /** How many shared places are being asked for, how many may be at once, and until when it makes no sense to ask. */
  #asking = 0;
  #atOnce = Infinity;
  #refusedUntil = 0;
  /** How many more shared places there were when last asked, and until when some of those taken last. */
  #seen = { left: Infinity, until: 0 };

  /** @param places Those that processes share. */
  constructor(limits: RateLimits, clock: Clock, places?: SharedPlaces) {
    this.#limit = (limits.window && limits.limit) || Infinity;
    this.#limits = { ...limits, limit: this.#limit, concurrency: limits.concurrency || Infinity };
    this.#clock = clock;
    this.#places = places;
  }

  /** How many requests may start now. */
  get left(): number {
    const now = this.#grow();
    if (this.blocked) return 0;
    const left = this.#limit - this.#leaves.filter((time) => time > now).length;
    return now < this.#seen.until ? Math.min(left, this.#seen.left) : left;
  }

  /** Whether the upstream has said 429, and is left alone. */
  get blocked(): boolean {
    return this.#clock.now() < this.#blockedUntil;
  }

  /** Milliseconds until a request may start, whoever queues for that; 0 when one may start now. */
  get wait(): number {
    const now = this.#grow();
    const { limit } = this.#limits;
    const free = this.#leaves[(this.#started + this.#asking + limit - this.#limit) % limit] ?? 0;
    return Math.max(now, this.#blockedUntil, this.#refusedUntil, Math.min(free, this.#growsAt)) - now;
  }

  /**
   * Waits for a place, the highest priority first, then first come first served.
   *
   * Rejects with the signal's reason when nobody waits any more, which costs nothing.
   *
   * @returns What gives the place back; calling it again does nothing.
   */
  enter(priority: Priority, signal: AbortSignal): Promise<() => void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const line = this.#lines[priority];
      const call = (leave: Leave) => {
        line.delete(call);
        release();
        resolve(this.#start(leave));
      };
      const release = onAbort(signal, () => {
        line.delete(call);
        reject(signal.reason);
        this.#admit();
      });
      line.add(call);
      this.#admit();
    });
  }

  /** Notes that the upstream said 429: nobody enters for `ms` milliseconds, and the limit adapts. */
  block(ms: number): void {
    const now = this.#grow();
    const { limit, window } = this.#limits;
    // During a block nothing is left: what is refused then had started before, and is no news about the limit.
    if (limit < Infinity) this.#limit = Math.max(1, this.#limit - this.left);
    this.#blockedUntil = Math.max(this.#blockedUntil, now + ms);
    this.#growsAt = this.#limit < limit ? this.#blockedUntil + window : Infinity;
    void this.#places?.block(ms);
  }

  /** Lets the limit grow to what it is now, and gives the time. */
  #grow(): number {
    const now = this.#clock.now();
    const { limit, window } = this.#limits;
    while (this.#growsAt <= now) this.#growsAt = ++this.#limit < limit ? this.#growsAt + window : Infinity;
    return now;
  }

  get #waiting(): number {
    return Object.values(this.#lines).reduce((count, line) => count + line.size, 0);
  }

  /** Lets in whoever may enter; sets a timer, which looks again, where the next one waits for the time only. */
  #admit(): void {
    this.#cancel();
    while (this.#waiting > this.#asking) {
      if (this.#entered + this.#asking >= this.#limits.concurrency) return;
      if (this.#asking >= Math.min(this.#atOnce, this.#limit)) return;
      const wait = this.wait;
      if (wait > 0) { // Timers of more than 31 bits fire at once.
        this.#cancel = this.#clock.after(Math.min(wait, 2 ** 31 - 1), () => this.#admit());
        return;
      }
      if (this.#places) void this.#ask(this.#places);
      else this.#call(() => {});
    }
  }

  /** Asks for a shared place; who is the most urgent when it is given gets it. */
  async #ask(places: SharedPlaces): Promise<void> {
    this.#asking++;
    const { wait, left, leave } = await places.take(this.#limit);
    const now = this.#clock.now();
    this.#asking--;
    this.#atOnce = wait > 0 ? 1 : Math.max(1, left);
    this.#seen = { left, until: now + this.#limits.window };
    if (wait > 0) this.#refusedUntil = now + Math.min(wait, POLL_PAUSE);
    else if (this.#waiting > 0 && now >= this.#blockedUntil) this.#call(leave);
    else leave(true);
    this.#admit();
  }

  /** Calls the first of the most urgent. */
  #call(leave: Leave): void {
    const [call] = Object.values(this.#lines).find((line) => line.size > 0) ?? [];
    call?.(leave);
  }

  #start(leave: Leave): () => void {
    const { limit, window } = this.#limits;
    if (limit < Infinity) this.#leaves[this.#started++ % limit] = this.#clock.now() + window;
    this.#entered++;
    let held = true;
    return () => {
      if (held) {
        this.#entered--;
        leave();
        this.#refusedUntil = 0; // The place may be the one that is waited for.
      }
      held = false;
      this.#admit();
    };
  }
}
