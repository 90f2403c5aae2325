/** Remembers JSON values under keys, for as long as it lasts. */
export interface Store {
  /** Every key that begins with `prefix`, with its value. */
  list(prefix: string): Promise<[key: string, value: unknown][]>;
  /** Keeps a value; `undefined` forgets the key. */
  set(key: string, value: unknown): Promise<void>;
}

/** Makes a store that lasts as long as the process. */
export function createMemoryStore(entries: Iterable<[string, unknown]> = []): Store {
  const map = new Map(entries);
  return {
    list: (prefix) => Promise.resolve([...map].filter(([key]) => key.startsWith(prefix))),
    set(key, value) {
      if (value === undefined) map.delete(key);
      else map.set(key, value);
      return Promise.resolve();
    },
  };
}
