import { type Clock, systemClock } from "../wire/clock.ts";
import { createMemoryStore } from "./memory_store.ts";
import type { Store } from "./store.ts";

/** Options of {@linkcode createSteadyStore}. */
export interface SteadyStoreOptions {
  /** What people call the store. */
  name: string;
  /** Told that the store is away, and that it is back. */
  warn?: (warning: string) => void;
  /** Time. */
  clock?: Clock;
}

/** What the other store has missed: until when it matters, how it is told, and what has to be there, if anything. */
type Missed = { until: number; tell: (left: number) => Promise<unknown>; base?: { value: unknown } | undefined };

/** Milliseconds until a store that is away is asked again. */
const PAUSE = 1_000;
/** Milliseconds after which a place that nobody gave back is free anyhow. */
const LONGEST_PLACE = 3_600_000;

/**
 * Makes a store that never fails of one that may: while that is away, this process does with what it has kept itself.
 *
 * Only who finds out that it is away waits for it. From then on it is asked about once a second, beside the
 * requests, until it takes again what it has missed; what others have swapped meanwhile stays.
 */
export function createSteadyStore(remote: Store, options: SteadyStoreOptions): Store {
  const { name, warn = () => {}, clock = systemClock } = options;
  const local = createMemoryStore([], clock);
  const missed = new Map<string, Missed>();
  let [away, closed] = [false, false];
  /** When it is asked about again, nobody asking now. */
  let askAgainAt = Infinity;

  function miss(what: string, ms: number, tell: Missed["tell"], base?: Missed["base"]): void {
    missed.set(what, { until: clock.now() + ms, tell, base });
  }

  function leave(cause: Error): void {
    if (away) return;
    away = true;
    askAgainAt = clock.now() + PAUSE;
    warn(`${name} is away (${cause.message}): limits count for this process alone until it is back`);
  }

  async function comeBack(): Promise<void> {
    askAgainAt = Infinity;
    for (const [what, { until }] of missed) if (until <= clock.now()) missed.delete(what);
    try {
      await remote.set("steady check", true, PAUSE); // One that can be read but not written is not back.
      while (missed.size > 0) {
        for (const [what, one] of missed) {
          await one.tell(Math.max(1, one.until - clock.now()));
          if (missed.get(what) === one) missed.delete(what);
        }
      }
      away = false;
      warn(`${name} is back`);
    } catch {
      askAgainAt = clock.now() + PAUSE;
    }
  }

  /** Asks the other store, or this process where that is away. */
  async function ask<T>(there: () => Promise<T>, here: () => Promise<T>): Promise<T> {
    if (closed) throw new Error("The store is closed");
    if (clock.now() >= askAgainAt) comeBack();
    try {
      if (!away) return await there();
    } catch (thrown) {
      if (closed) throw thrown;
      leave(thrown as Error);
    }
    return await here();
  }

  return {
    shared: true,
    get: (key) => ask(() => remote.get(key), () => local.get(key)),
    list: (prefix) => ask(() => remote.list(prefix), () => local.list(prefix)),
    set: (key, value, ms = Infinity) =>
      ask(async () => {
        await remote.set(key, value, ms);
        await local.set(key, value, ms);
      }, () => {
        miss(`value ${key}`, ms, (left) => remote.set(key, value, left));
        return local.set(key, value, ms);
      }),
    swap: (key, before, after, ms = Infinity) =>
      ask(async () => {
        const same = await remote.swap(key, before, after, ms);
        if (same) await local.set(key, after, ms);
        return same;
      }, async () => {
        const same = await local.swap(key, before, after, ms);
        const earlier = missed.get(`value ${key}`);
        const base = earlier ? earlier.base : { value: before };
        const tell = async (left: number) =>
          base
            ? await remote.swap(key, base.value, after, left) || await remote.swap(key, undefined, after, left)
            : await remote.set(key, after, left);
        if (same) miss(`value ${key}`, ms, tell, base);
        return same;
      }),
    take: (id, windows) =>
      ask(async () => {
        const taken = await remote.take(id, windows);
        if (taken.wait === 0) await local.take(id, windows);
        return taken;
      }, async () => {
        const taken = await local.take(id, windows);
        for (const { key, ms } of taken.wait === 0 ? windows : []) {
          // Nobody asks there any more whether it was free: the place is in use.
          const limit = Number.MAX_SAFE_INTEGER;
          miss(`place ${id} ${key}`, ms, (left) => remote.take(id, [{ key, limit, ms: left }]));
        }
        return taken;
      }),
    free: (id, key) =>
      ask(async () => {
        await remote.free(id, key);
        await local.free(id, key);
      }, () => {
        miss(`place ${id} ${key}`, LONGEST_PLACE, () => remote.free(id, key));
        return local.free(id, key);
      }),
    async close() {
      closed = true;
      await remote.close();
    },
  };
}
