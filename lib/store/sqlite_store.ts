import type { Clock } from "../wire/clock.ts";
import { parseJson } from "../wire/json.ts";
import { readRuntime } from "../wire/runtime.ts";
import { toTaken } from "./memory_store.ts";
import { MissingEngineError, type Store } from "./store.ts";

/** Options of {@linkcode createSqliteStore}. */
export interface SqliteStoreOptions {
  /** Time: that of the machine, by which all its processes count, also where it is set back. */
  clock?: Pick<Clock, "now">;
  /** Milliseconds to wait for another process that is writing, 2 seconds unless told. */
  patience?: number;
}

/** What comes with all of Deno, Bun and Node but its oldest versions. */
type Sqlite = typeof import("node:sqlite");
type Query = (sql: string, ...values: (string | number)[]) => Record<string, unknown>[];
type OpenFile = { query: Query; close: () => void };

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
    const { name, version } = await readRuntime();
    throw new MissingEngineError(
      `SQLite needs Node 22.13, Deno 2.2 or Bun 1.4, or a later one, and this is ${name} ${version}`,
      { cause },
    );
  }
}

/** Opens the file, which only its owner may read, and so those that SQLite puts beside it; prepares what is asked once. */
async function openDatabase({ DatabaseSync }: Sqlite, path: string, patience: number): Promise<OpenFile> {
  const { mkdir, open } = await import("node:fs/promises");
  const { dirname } = await import("node:path");
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await (await open(path, "a", 0o600)).close();
  const database = new DatabaseSync(path);
  try {
    database.exec(
      `PRAGMA busy_timeout = ${patience}; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; ${SCHEMA}`,
    );
  } catch (thrown) {
    database.close();
    throw thrown;
  }
  const statements = new Map<string, ReturnType<typeof database.prepare>>();
  const query: Query = (sql, ...values) => {
    const statement = statements.get(sql) ?? database.prepare(sql);
    statements.set(sql, statement);
    return statement.all(...values);
  };
  return { query, close: () => database.close() };
}

function readEntry(query: Query, key: string, now: number): string | undefined {
  return query("SELECT value FROM entries WHERE key = ? AND until > ?", key, now)[0]?.value as string | undefined;
}

function writeEntry(query: Query, key: string, value: unknown, until: number): void {
  if (value === undefined) query("DELETE FROM entries WHERE key = ?", key);
  else query("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", key, JSON.stringify(value), until);
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
  let opened: Promise<OpenFile> | undefined;
  let [changes, closed] = [0, false];

  async function ask<T>(run: (file: OpenFile, now: number) => T): Promise<T> {
    if (closed) throw new Error("The store is closed");
    opened ??= openDatabase(sqlite, path, patience);
    const file = await opened.catch((cause) => {
      opened = undefined;
      throw new Error(`Cannot open ${path}: ${cause.message}`, { cause });
    });
    return run(file, clock.now());
  }
  /** Does all or nothing, and nobody else writes meanwhile. */
  const change = <T>(run: (query: Query, now: number) => T): Promise<T> =>
    ask(({ query }, now) => {
      query("BEGIN IMMEDIATE");
      try {
        const cleans = changes++ % CHANGES_PER_CLEANING === 0;
        for (const table of cleans ? ["entries", "places"] : []) query(`DELETE FROM ${table} WHERE until <= ?`, now);
        const result = run(query, now);
        query("COMMIT");
        return result;
      } catch (thrown) {
        query("ROLLBACK");
        throw thrown;
      }
    });
  return {
    shared: true,
    get: (key) => ask(({ query }, now) => parseJson(readEntry(query, key, now) ?? "")),
    list: (prefix) =>
      ask(({ query }, now) => {
        const sql = "SELECT key, value FROM entries WHERE key >= ? AND key < ? || char(1114111) AND until > ?";
        return query(sql, prefix, prefix, now).map(({ key, value }) => [key as string, parseJson(value as string)]);
      }),
    set: (key, value, ms = Infinity) => change((query, now) => writeEntry(query, key, value, now + ms)),
    swap: (key, before, after, ms = Infinity) =>
      change((query, now) => {
        const same = readEntry(query, key, now) === JSON.stringify(before);
        if (same) writeEntry(query, key, after, now + ms);
        return same;
      }),
    take: (id, windows) =>
      change((query, now) => {
        const others = "SELECT until FROM places WHERE key = ? AND id <> ? AND until > ?";
        const ends = windows.map(({ key }) => query(others, key, id, now).map(({ until }) => until as number));
        const taken = toTaken(windows, ends, now);
        const kept = taken.wait > 0 ? [] : windows.filter(({ ms }) => ms > 0);
        for (const { key, ms } of kept) query("INSERT OR REPLACE INTO places VALUES (?, ?, ?)", key, id, now + ms);
        return taken;
      }),
    free: (id, key) => ask(({ query }) => void query("DELETE FROM places WHERE key = ? AND id = ?", key, id)),
    async close() {
      const closing = opened && ask(({ close }) => close()).catch(() => {}); // After what was asked before.
      closed = true;
      await closing;
      opened = undefined;
    },
  };
}
