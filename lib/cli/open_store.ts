import { toConfigPath, toStatePath } from "../config/folders.ts";
import { ConfigError } from "../config/settings.ts";
import { createFileStore } from "../store/file_store.ts";
import { createMemoryStore } from "../store/memory_store.ts";
import { createRedisStore } from "../store/redis_store.ts";
import { createSqliteStore } from "../store/sqlite_store.ts";
import { createSteadyStore } from "../store/steady_store.ts";
import { MissingEngineError, type Store } from "../store/store.ts";
import { LearnedFacts } from "../upstream/learned.ts";
import { systemClock } from "../wire/clock.ts";
import type { Context } from "./io.ts";

/** What people call the stores that are shared. */
export const STORE_NAMES = { redis: "Redis", sqlite: "SQLite" } as const;

/** Makes the store that is shared, as the settings name it; what fails in it fails. Nothing where none is shared. */
export async function openSharedStore({ settings, flags, io }: Context): Promise<Store | undefined> {
  const { store, redisUrl: url, redisPrefix: prefix, redisPassword: password } = settings;
  if (flags.demo || store === "memory" || store === undefined) return undefined;
  try {
    // Never from the current folder: what a download brings is not run.
    const packages = toConfigPath(io);
    if (store === "redis") return await createRedisStore({ url, prefix, password, packages });
    const path = toStatePath(io, "store.sqlite");
    if (path) return await createSqliteStore(path);
    throw new ConfigError("ARBITER_STORE=sqlite needs a folder for its file: set HOME");
  } catch (cause) {
    const isTheirs = cause instanceof MissingEngineError || cause instanceof TypeError;
    throw isTheirs ? new ConfigError(cause.message, { cause }) : cause;
  }
}

/**
 * Makes the store of the settings, which never fails: one that is shared, or a file for what models teach, or memory where
 * nobody knows where files of a user belong.
 *
 * @throws {ConfigError} If the store needs something that is not there.
 */
export async function openStore(context: Context, warn: (warning: string) => void): Promise<Store> {
  const { settings: { store = "memory" }, flags, io } = context;
  const shared = await openSharedStore(context);
  if (shared && store !== "memory") return createSteadyStore(shared, { name: STORE_NAMES[store], warn });
  const path = flags.demo ? undefined : toStatePath(io, "lessons.json");
  return path ? createFileStore(path, warn) : createMemoryStore();
}

/** Reads what models have taught. */
export async function readLessons(store: Store): Promise<LearnedFacts> {
  const learned = new LearnedFacts(store, systemClock);
  await learned.sync();
  return learned;
}
