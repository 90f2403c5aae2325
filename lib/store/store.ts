/**
 * At most `limit` holders of a place under `key`; each keeps it for `ms` milliseconds, unless it is given back before. Who
 * takes it for 0 only looks whether there is one.
 */
export type SlidingWindow = { key: string; limit: number; ms: number };

/** Whether places were taken: if not, milliseconds until they may be free; and how many are left in the first window. */
export type Taken = { wait: number; left: number };

/**
 * Remembers JSON values under keys such as `model nvidia z-ai/glm4.7`, whose first word says what they are about.
 *
 * What it does to one key is atomic, also where several processes share it. Whatever fails rejects: whoever asks has to
 * do without what others know.
 */
export interface Store {
  /** Whether other processes see what is kept here. */
  readonly shared: boolean;
  /** The value under a key, `undefined` if there is none, or its time is over. */
  get(key: string): Promise<unknown>;
  /** Every key that begins with `prefix`, which is a first word and a blank, with its value. */
  list(prefix: string): Promise<[key: string, value: unknown][]>;
  /** Keeps a value, for `ms` milliseconds if they are given; `undefined` forgets the key. */
  set(key: string, value: unknown, ms?: number): Promise<void>;
  /** Keeps `after` only if `before` is what is there, `undefined` for nothing; tells whether it was. */
  swap(key: string, before: unknown, after: unknown, ms?: number): Promise<boolean>;
  /** Takes a place in each of the windows, or in none of them; one that `id` has already lasts from now on. */
  take(id: string, windows: readonly SlidingWindow[]): Promise<Taken>;
  /** Gives a place back. */
  free(id: string, key: string): Promise<void>;
  /** Ends what holds the process open; what is asked afterwards rejects. */
  close(): Promise<void>;
}

/** What a store is made of is not there, as its message says, together with what to install. */
export class MissingEngineError extends Error {
  /** Always `MissingEngineError`. */
  override readonly name = "MissingEngineError";
}
