import { isJsonObject, parseJson } from "../wire/json.ts";
import { createMemoryStore } from "./memory_store.ts";
import { replaceFile } from "./replace_file.ts";
import type { Store } from "./store.ts";

/**
 * Makes a store that keeps everything in one JSON file.
 *
 * Changes that come together are written once; times and places are not in the file. What other processes have changed in
 * it meanwhile stays there. A file that is missing or spoilt counts as empty, and one that cannot be written is told to
 * `warn` once: what is remembered is then lost with the process.
 *
 * @param path Where the file is; its folder is made when it is first written.
 */
export function createFileStore(path: string, warn: (warning: string) => void = () => {}): Store {
  let warned = false;
  let opened: Promise<Store> | undefined;
  /** The last write; while one is `waiting`, it has not begun, and takes with it what has changed until then. */
  let writing = Promise.resolve();
  let waiting = false;
  /** What is to be written. */
  let changed = new Set<string>();

  async function read(): Promise<Map<string, unknown>> {
    const { readFile } = await import("node:fs/promises");
    const found = parseJson(await readFile(path, "utf8").catch(() => ""));
    return new Map(Object.entries(isJsonObject(found) ? found : {}));
  }

  const open = () => opened ??= read().then((entries) => createMemoryStore(entries));

  async function write(store: Store): Promise<void> {
    waiting = false;
    const keys = changed;
    changed = new Set();
    try {
      const all = await read();
      for (const key of keys) all.set(key, await store.get(key)); // JSON leaves out what is forgotten.
      await replaceFile(path, `${JSON.stringify(Object.fromEntries(all), null, 2)}\n`);
    } catch (thrown) {
      for (const key of keys) changed.add(key);
      if (!warned) warn(`Cannot write ${path}: ${(thrown as Error).message}`);
      warned = true;
    }
  }

  /** Does something to what is kept, and waits until the file has it. */
  async function change<T>(key: string, run: (store: Store) => Promise<T>): Promise<T> {
    const store = await open();
    const result = await run(store);
    changed.add(key);
    if (!waiting) writing = writing.then(() => write(store));
    waiting = true;
    await writing;
    return result;
  }

  return {
    shared: false,
    get: async (key) => await (await open()).get(key),
    list: async (prefix) => await (await open()).list(prefix),
    set: (key, value, ms) => change(key, (store) => store.set(key, value, ms)),
    swap: (key, before, after, ms) => change(key, (store) => store.swap(key, before, after, ms)),
    take: async (id, windows) => await (await open()).take(id, windows), // Places end with the process.
    free: async (id, key) => await (await open()).free(id, key),
    close: () => writing,
  };
}
