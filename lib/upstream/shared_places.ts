import type { RateLimits } from "../routing/rate_limits.ts";
import type { SlidingWindow, Store } from "../store/store.ts";
import type { Clock } from "../wire/clock.ts";
import { randomId, toDigest } from "../wire/ids.ts";

/** Milliseconds a running request keeps its place after its process was killed, and after which a living one renews it. */
const LEASE = 15_000;
const RENEWAL = 5_000;
/** So many processes may block an account at once. */
const MOST_BLOCKS = 1_000_000;

/** What came of asking for a place: how long to wait, 0 if it was given, and how many more requests may start now. */
export type SharedPlace = {
  wait: number;
  left: number;
  /** Gives the place back; a request that `never` started does not count either. */
  leave: (never?: boolean) => void;
};

/** The place of whoever has only the limits of its own process. */
const UNSHARED: SharedPlace = { wait: 0, left: Infinity, leave: () => {} };

/** The places of an account that processes share; each is on its own where the store fails. */
export class SharedPlaces {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #limits: RateLimits;
  readonly #account: string;

  /** @param account Address and key. */
  constructor(store: Store, clock: Clock, account: string, limits: RateLimits) {
    this.#store = store;
    this.#clock = clock;
    this.#limits = limits;
    this.#account = toDigest(account, 11); // Its 53 bits tell accounts apart, and are far too few to tell a key.
  }

  /** Takes the place of one request, where no more than `limit` may start in the window; asks the store once. */
  async take(limit: number): Promise<SharedPlace> {
    try {
      const [store, id, windows] = [this.#store, randomId(""), this.#toWindows(limit)];
      const limited = windows.filter(({ limit }) => limit < Infinity);
      const { wait, left } = await store.take(id, limited);
      const [rate, run] = windows;
      const stop = wait === 0 && limited.includes(run) ? this.#renew(id, run) : () => {};
      const leave = (never = false) => {
        stop();
        const ended = limited.filter((window) => window === run || (never && window === rate));
        for (const { key } of ended) store.free(id, key).catch(() => {});
      };
      return { wait, left: limit < Infinity ? left : Infinity, leave };
    } catch {
      return UNSHARED;
    }
  }

  /** Keeps everybody out for some milliseconds. */
  async block(ms: number): Promise<void> {
    try {
      const [, , block] = this.#toWindows(0);
      await this.#store.take(randomId(""), [{ ...block, limit: MOST_BLOCKS, ms }]);
    } catch {
      // The others will find out by themselves.
    }
  }

  /** What starts, what runs, and who blocks: a request has no place among the last, and only looks for one. */
  #toWindows(limit: number): [rate: SlidingWindow, run: SlidingWindow, block: SlidingWindow] {
    const { window, concurrency } = this.#limits;
    return [
      { key: `rate ${this.#account}`, limit, ms: window },
      { key: `run ${this.#account}`, limit: concurrency || Infinity, ms: LEASE },
      { key: `block ${this.#account}`, limit: 1, ms: 0 },
    ];
  }

  /** Keeps a place until what is returned is called. */
  #renew(id: string, run: SlidingWindow): () => void {
    let [over, cancel] = [false, () => {}];
    const wait = () => {
      cancel = this.#clock.after(RENEWAL, () => {
        if (over) return; // In a Worker no request can call off another's timer.
        this.#store.take(id, [run]).catch(() => {});
        wait();
      });
    };
    wait();
    return () => {
      over = true;
      cancel();
    };
  }
}
