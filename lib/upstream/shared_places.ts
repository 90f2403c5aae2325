import type { RateLimits } from "../routing/rate_limits.ts";
import type { SlidingWindow, Store } from "../store/store.ts";
import type { Clock } from "../wire/clock.ts";
import { randomId } from "../wire/ids.ts";

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

/** What an account is called where others may read it: its key cannot be found from it. */
async function toSecretDigest(value: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(value));
  return Array.from(new Uint8Array(bytes, 0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The places of an account that processes share; each is on its own where the store fails. */
export class SharedPlaces {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #limits: RateLimits;
  readonly #account: string;
  #digest: Promise<string> | undefined;

  /** @param account Address and key. */
  constructor(store: Store, clock: Clock, account: string, limits: RateLimits) {
    this.#store = store;
    this.#clock = clock;
    this.#limits = limits;
    this.#account = account;
  }

  /** Takes the place of one request, where no more than `limit` may start in the window; asks the store once. */
  async take(limit: number): Promise<SharedPlace> {
    try {
      const [store, id, windows] = [this.#store, randomId(""), await this.#toWindows(limit)];
      const limited = windows.filter(({ limit }) => limit < Infinity);
      const { wait, left } = await store.take(id, limited);
      const [rate, run] = windows;
      const stop = wait === 0 && limited.includes(run) ? this.#renew(id, run) : () => {};
      const leave = (never = false) => {
        stop();
        for (const { key } of never ? [run, rate] : [run]) store.free(id, key).catch(() => {});
      };
      return { wait, left: limit < Infinity ? left : Infinity, leave };
    } catch {
      return UNSHARED;
    }
  }

  /** Keeps everybody out for some milliseconds. */
  async block(ms: number): Promise<void> {
    try {
      const [, , block] = await this.#toWindows(0);
      await this.#store.take(randomId(""), [{ ...block, limit: MOST_BLOCKS, ms }]);
    } catch {
      // The others will find out by themselves.
    }
  }

  /** What starts, what runs, and who blocks: a request has no place among the last, and only looks for one. */
  async #toWindows(limit: number): Promise<[rate: SlidingWindow, run: SlidingWindow, block: SlidingWindow]> {
    const account = await (this.#digest ??= toSecretDigest(this.#account));
    const { window, concurrency } = this.#limits;
    return [
      { key: `rate ${account}`, limit, ms: window },
      { key: `run ${account}`, limit: concurrency, ms: LEASE },
      { key: `block ${account}`, limit: 1, ms: 0 },
    ];
  }

  /** Keeps a place until what is returned is called. */
  #renew(id: string, run: SlidingWindow): () => void {
    let cancel = () => {};
    const wait = () => {
      cancel = this.#clock.after(RENEWAL, () => {
        this.#store.take(id, [run]).catch(() => {});
        wait();
      });
    };
    wait();
    return () => cancel();
  }
}
