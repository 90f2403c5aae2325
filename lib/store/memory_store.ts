import { type Clock, systemClock } from "../wire/clock.ts";
import { isSameJson } from "../wire/json.ts";
import type { SlidingWindow, Store, Taken } from "./store.ts";

/** So many changes, and what nobody asked for again since its time was over is thrown away. */
const CHANGES_PER_SWEEP = 1_000;

/** What becomes of who wants a place in windows, by when the places of the others in each of them end. */
export function toTaken(windows: readonly SlidingWindow[], others: readonly number[][], now: number): Taken {
  const waits = windows.map(({ limit }, i) => {
    const ends = others[i]!.sort((a, b) => a - b);
    return ends.length < limit ? 0 : (ends[ends.length - limit] ?? Infinity) - now;
  });
  const wait = Math.max(0, ...waits);
  const left = (windows[0]?.limit ?? Infinity) - (others[0]?.length ?? 0) - (wait === 0 ? 1 : 0);
  return { wait, left: Math.max(0, left) };
}

/** Makes a store that lasts as long as the process; `entries` are there from the beginning. */
export function createMemoryStore(
  entries: Iterable<[key: string, value: unknown]> = [],
  clock: Clock = systemClock,
): Store {
  const values = new Map<string, { value: unknown; until: number }>();
  /** When each place ends, by the key of its window and who has it. */
  const places = new Map<string, Map<string, number>>();
  let changes = 0;

  function set(key: string, value: unknown, ms = Infinity): void {
    values.delete(key);
    if (value !== undefined) values.set(key, { value, until: clock.now() + ms });
    if (++changes % CHANGES_PER_SWEEP > 0) return;
    for (const [key, { until }] of values) if (until <= clock.now()) values.delete(key);
  }

  function get(key: string): unknown {
    const found = values.get(key);
    return found && found.until > clock.now() ? found.value : undefined;
  }

  /** Who is in a window now, but for `id`. */
  function othersOf(id: string, key: string): Map<string, number> {
    const now = clock.now();
    return new Map([...places.get(key) ?? []].filter(([holder, until]) => holder !== id && until > now));
  }

  function take(id: string, windows: readonly SlidingWindow[]): Taken {
    const now = clock.now();
    const others = windows.map(({ key }) => othersOf(id, key));
    const taken = toTaken(windows, others.map((ends) => [...ends.values()]), now);
    windows.forEach(({ key, ms }, i) => {
      if (taken.wait === 0 && ms > 0) places.set(key, others[i]!.set(id, now + ms));
    });
    return taken;
  }

  for (const [key, value] of entries) set(key, value);
  return {
    shared: false,
    get: (key) => Promise.resolve(get(key)),
    list: (prefix) =>
      Promise.resolve([...values.keys()].flatMap((key) => {
        const value = key.startsWith(prefix) ? get(key) : undefined;
        return value === undefined ? [] : [[key, value]];
      })),
    set: (key, value, ms) => Promise.resolve(set(key, value, ms)),
    swap(key, before, after, ms) {
      const same = isSameJson(get(key), before);
      if (same) set(key, after, ms);
      return Promise.resolve(same);
    },
    take: (id, windows) => Promise.resolve(take(id, windows)),
    free(id, key) {
      places.get(key)?.delete(id);
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}
