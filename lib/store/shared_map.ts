import { BoundedMap } from "../wire/bounded_map.ts";
import { isSameJson } from "../wire/json.ts";
import type { Store } from "./store.ts";

/** How values are kept: read from what may be anything, written, and for how many milliseconds others are told of it. */
export type SharedMapFormat<T> = {
  parse: (stored: unknown) => T | undefined;
  format: (value: T) => unknown;
  toLife: (value: T | undefined) => number;
};

/** Stands for what was forgotten, so that those who still know it forget it, too. */
const FORGOTTEN = false;
/** So many values are known here; what was changed longest ago is forgotten first. */
const MOST_VALUES = 1_000;
/** So often a change is tried anew because another process was faster. */
const MAX_TRIES = 10;

/** The values under one first word, in memory and in a store; where that is shared, all processes change them together. */
export class SharedMap<T> {
  /** What is known here. */
  readonly values: ReadonlyMap<string, T>;
  readonly #values = new BoundedMap<string, T>(MOST_VALUES);
  readonly #store: Store;
  readonly #prefix: string;
  readonly #format: SharedMapFormat<T>;
  /** How many changes of each key are on their way to a shared store. */
  readonly #pending = new Map<string, number>();
  #queue: Promise<unknown> = Promise.resolve();

  /** @param prefix The first word and a blank. */
  constructor(store: Store, prefix: string, format: SharedMapFormat<T>) {
    this.values = this.#values;
    this.#store = store;
    this.#prefix = prefix;
    this.#format = format;
  }

  /**
   * Changes a value, here at once and then in the store; `undefined` forgets it. `update` makes the new value from the
   * one that is there, which may be another in the store than here, so that no change of another process is lost.
   */
  change(key: string, update: (before: T | undefined) => T | undefined): void {
    const before = this.#values.get(key);
    const after = update(before);
    if (isSameJson(before, after)) return;
    this.#put(key, after);
    const name = this.#prefix + key;
    if (!this.#store.shared) {
      this.#store.set(name, after === undefined ? undefined : this.#format.format(after)).catch(() => {});
      return;
    }
    const count = (change: number) => this.#pending.set(key, (this.#pending.get(key) ?? 0) + change);
    count(1);
    this.#enqueue(() => this.#merge(name, update)).catch(() => {}).finally(() => count(-1));
  }

  /** Takes over what is in the store, and gives what was not known here; rejects if the store fails. */
  sync(): Promise<[key: string, value: T][]> {
    return this.#enqueue(async () => {
      const news: [string, T][] = [];
      for (const [name, stored] of await this.#store.list(this.#prefix)) {
        const key = name.slice(this.#prefix.length);
        if (this.#pending.get(key)) continue; // What it is about to become is known here only.
        const value = this.#format.parse(stored);
        if (stored === FORGOTTEN) this.#put(key, undefined);
        if (value === undefined || isSameJson(value, this.#values.get(key))) continue;
        this.#put(key, value);
        news.push([key, value]);
      }
      return news;
    });
  }

  /** Forgets everything, here and in the store. */
  async forget(): Promise<void> {
    this.#values.clear();
    const [shared, life] = [this.#store.shared, this.#format.toLife(undefined)];
    for (const [name] of await this.#store.list(this.#prefix)) {
      await (shared ? this.#store.set(name, FORGOTTEN, life) : this.#store.set(name, undefined));
    }
  }

  /** Waits until a store that is shared has what was changed here, for whoever closes it then. */
  async saved(): Promise<void> {
    await this.#queue;
  }

  async #merge(name: string, update: (before: T | undefined) => T | undefined): Promise<void> {
    const { parse, format, toLife } = this.#format;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const stored = await this.#store.get(name);
      const before = parse(stored);
      const after = update(before);
      if (isSameJson(before, after)) return;
      const next = after === undefined ? FORGOTTEN : format(after);
      if (await this.#store.swap(name, stored, next, toLife(after))) return;
    }
  }

  #put(key: string, value: T | undefined): void {
    if (value === undefined) this.#values.delete(key);
    else this.#values.set(key, value);
  }

  /** Does one thing after the other, so that what was read is never older than what was written before. */
  #enqueue<R>(job: () => Promise<R>): Promise<R> {
    const done = this.#queue.then(job);
    this.#queue = done.catch(() => {});
    return done;
  }
}
