import type { Clock } from "../wire/clock.ts";
import { parseJson } from "../wire/json.ts";
import { toTaken } from "./memory_store.ts";
import { MissingEngineError, type SlidingWindow, type Store, type Taken } from "./store.ts";

/** Options of {@linkcode createSqliteStore}. */
export interface SqliteStoreOptions {
  /** Time: that of the machine, by which all its processes count, also where it is set back. */
  clock?: Pick<Clock, "now">;
  /** Milliseconds to wait for another process that is writing, 2 seconds unless told. */
  patience?: number;
}

/** What comes with all of Deno, Bun and Node but its oldest versions. */
type Sqlite = typeof import("node:sqlite");
type Database = InstanceType<Sqlite["DatabaseSync"]>;

/** So many changes, and what is over is thrown away. */
const CHANGES_PER_CLEANING = 1_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value TEXT NOT NULL, until REAL NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS places (key TEXT, id TEXT, until REAL NOT NULL, PRIMARY KEY (key, id)) WITHOUT ROWID;
`;

async function loadSqlite(): Promise<Sqlite> {
  try {
    return await import("node:sqlite");
  } catch (cause) {
    const { default: { versions } } = await import("node:process");
    const { deno, bun, node } = versions;
    const runtime = deno ? `Deno ${deno}` : bun ? `Bun ${bun}` : `Node ${node}`;
    throw new MissingEngineError(
      `SQLite needs Node 22.13, Deno 2.2 or Bun 1.4, or a later one, and this is ${runtime}`,
      { cause },
    );
  }
}

/** Opens the file, which only its owner may read, and so those that SQLite puts beside it. */
async function openDatabase({ DatabaseSync }: Sqlite, path: string, patience: number): Promise<Database> {
  const { mkdir, open } = await import("node:fs/promises");
  const { dirname } = await import("node:path");
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await (await open(path, "a", 0o600)).close();
  const database = new DatabaseSync(path);
  try {
    database.exec(
      `PRAGMA busy_timeout = ${patience}; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; ${SCHEMA}`,
    );
    return database;
  } catch (thrown) {
    database.close();
    throw thrown;
  }
}

type Queries = ReturnType<typeof toQueries>;

/** Makes what is asked of an open database; each statement is prepared once. */
function toQueries(database: Database) {
  const sql = (text: string) => database.prepare(text);
  const getOne = sql("SELECT value FROM entries WHERE key = ? AND until > ?");
  const listAll = sql("SELECT key, value FROM entries WHERE key >= ? AND key < ? || char(1114111) AND until > ?");
  const forget = sql("DELETE FROM entries WHERE key = ?");
  const keep = sql("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)");
  const others = sql("SELECT until FROM places WHERE key = ? AND id <> ? AND until > ?");
  const place = sql("INSERT OR REPLACE INTO places VALUES (?, ?, ?)");
  const leave = sql("DELETE FROM places WHERE key = ? AND id = ?");
  const clean = [sql("DELETE FROM entries WHERE until <= ?"), sql("DELETE FROM places WHERE until <= ?")];

  const get = (key: string, now: number) => getOne.get(key, now)?.value as string | undefined;
  const set = (key: string, value: unknown, until: number) =>
    void (value === undefined ? forget.run(key) : keep.run(key, JSON.stringify(value), until));
  /** Does all or nothing, and nobody else writes meanwhile. */
  function change<T>(run: () => T): T {
    database.exec("BEGIN IMMEDIATE");
    try {
      const result = run();
      database.exec("COMMIT");
      return result;
    } catch (thrown) {
      database.exec("ROLLBACK");
      throw thrown;
    }
  }
  return {
    get,
    set,
    list: (prefix: string, now: number) => listAll.all(prefix, prefix, now) as { key: string; value: string }[],
    swap: (key: string, before: unknown, after: unknown, now: number, until: number) =>
      change(() => {
        const same = get(key, now) === JSON.stringify(before);
        if (same) set(key, after, until);
        return same;
      }),
    take: (id: string, windows: readonly SlidingWindow[], now: number): Taken =>
      change(() => {
        const ends = windows.map(({ key }) => others.all(key, id, now).map(({ until }) => until as number));
        const taken = toTaken(windows, ends, now);
        const kept = taken.wait > 0 ? [] : windows.filter(({ ms }) => ms > 0);
        for (const { key, ms } of kept) place.run(key, id, now + ms);
        return taken;
      }),
    free: (id: string, key: string) => void leave.run(key, id),
    clean: (now: number) => clean.forEach((statement) => statement.run(now)),
    close: () => database.close(),
  };
}

/**
 * Makes a store in a file of SQLite, which several processes of one machine share; its folder is made, and the file
 * opened, when it is first used. A file that cannot be opened is tried anew each time.
 *
 * @param path Where the file is; SQLite puts two more beside it.
 * @throws {Error} If the runtime has no SQLite.
 */
export async function createSqliteStore(path: string, options: SqliteStoreOptions = {}): Promise<Store> {
  const { clock = Date, patience = 2_000 } = options;
  const sqlite = await loadSqlite();
  let opened: Promise<Queries> | undefined;
  let [changes, closed] = [0, false];

  async function ask<T>(run: (queries: Queries, now: number) => T): Promise<T> {
    if (closed) throw new Error("The store is closed");
    opened ??= openDatabase(sqlite, path, patience).then(toQueries);
    const queries = await opened.catch((cause) => {
      opened = undefined;
      throw new Error(`Cannot open ${path}: ${cause.message}`, { cause });
    });
    return run(queries, clock.now());
  }
  const change = <T>(run: (queries: Queries, now: number) => T): Promise<T> =>
    ask((queries, now) => {
      if (changes++ % CHANGES_PER_CLEANING === 0) queries.clean(now);
      return run(queries, now);
    });
  return {
    shared: true,
    get: (key) => ask(({ get }, now) => parseJson(get(key, now) ?? "")),
    list: (prefix) => ask(({ list }, now) => list(prefix, now).map(({ key, value }) => [key, parseJson(value)])),
    set: (key, value, ms = Infinity) => change(({ set }, now) => set(key, value, now + ms)),
    swap: (key, before, after, ms = Infinity) => change(({ swap }, now) => swap(key, before, after, now, now + ms)),
    take: (id, windows) => change(({ take }, now) => take(id, windows, now)),
    free: (id, key) => ask(({ free }) => free(id, key)),
    async close() {
      const closing = opened && ask(({ close }) => close()).catch(() => {}); // After what was asked before.
      closed = true;
      await closing;
      opened = undefined;
    },
  };
}
