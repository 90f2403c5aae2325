import { type Clock, systemClock } from "../wire/clock.ts";
import type { Fetch } from "../wire/fetch.ts";
import { parseJson } from "../wire/json.ts";
import { createRedisConnection } from "./redis_client.ts";
import { createRedisHttp } from "./redis_http.ts";
import type { Store, Taken } from "./store.ts";

/** Options of {@linkcode createRedisStore}. */
export interface RedisStoreOptions {
  /**
   * Where Redis is, `redis://127.0.0.1:6379` unless told; `rediss:` for TLS, with user, password and database in it.
   * `https:` is where it takes commands over HTTP, as Upstash does.
   */
  url?: string | undefined;
  /** The password, if the address has none; the token for HTTP. */
  password?: string | undefined;
  /** What all keys begin with, `arbiter:` unless told. */
  prefix?: string | undefined;
  /** Milliseconds to wait for an answer, 500 unless told. */
  timeout?: number;
  /** A folder that has the npm package `redis`, if it is not among the packages around Arbiter. */
  packages?: string | undefined;
  /** What asks over HTTP. @default {the runtime's} */
  fetch?: Fetch;
  /** Time to wait by; what ends when is told by Redis' own clock, for machines differ. */
  clock?: Clock;
}

const NOW = `local time = redis.call("TIME") local now = time[1] * 1000 + math.floor(time[2] / 1000)`;
/** What is of another type where an index or places belong is nobody's. */
const clear = (key: string) => `if redis.call("TYPE", ${key}).ok ~= "zset" then redis.call("DEL", ${key}) end`;

/** KEYS: value, index. ARGV: name, what to keep, or nothing, for how many ms, if not for ever, and what has to be there. */
const CHANGE = `${NOW} ${clear("KEYS[2]")}
local name, value, ms, before = unpack(ARGV)
local found = redis.pcall("GET", KEYS[1])
if before and before ~= (type(found) == "string" and found or "") then return 0 end
redis.call("ZREMRANGEBYSCORE", KEYS[2], "-inf", now)
if value == "" then
  redis.call("DEL", KEYS[1])
  redis.call("ZREM", KEYS[2], name)
elseif ms == "" then
  redis.call("SET", KEYS[1], value)
  redis.call("ZADD", KEYS[2], "+inf", name)
else
  redis.call("SET", KEYS[1], value, "PX", ms)
  redis.call("ZADD", KEYS[2], now + ms, name)
end
return 1`;

/** KEYS: index. ARGV: what keys of values begin with, prefix. */
const LIST = `${NOW} ${clear("KEYS[1]")}
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now)
local found = {}
for _, name in ipairs(redis.call("ZRANGE", KEYS[1], 0, -1)) do
  local value = redis.pcall("GET", ARGV[1] .. name)
  if type(value) == "string" and name:sub(1, #ARGV[2]) == ARGV[2] then
    found[#found + 1] = name
    found[#found + 1] = value
  end
end
return found`;

/** KEYS: places in each window. ARGV: who, then limit and ms of each window. A wait of -1 is one without end. */
const TAKE = `${NOW}
local id, wait, left = ARGV[1], 0, 0
for i, key in ipairs(KEYS) do
  ${clear("key")}
  redis.call("ZREMRANGEBYSCORE", key, "-inf", now)
  local limit, own = tonumber(ARGV[2 * i]), redis.call("ZRANK", key, id)
  local others = redis.call("ZCARD", key) - (own and 1 or 0)
  if i == 1 then left = limit - others end
  if others >= limit then
    local place = others - limit
    if own and own <= place then place = place + 1 end
    local last = redis.call("ZRANGE", key, place, place, "WITHSCORES")[2]
    if not last then return {-1, math.max(left, 0)} end
    wait = math.max(wait, last - now)
  end
end
if wait > 0 then return {wait, math.max(left, 0)} end
for i, key in ipairs(KEYS) do
  local ms = tonumber(ARGV[2 * i + 1])
  if ms > 0 then redis.call("ZADD", key, now + ms, id) end
  if redis.call("PTTL", key) < ms then redis.call("PEXPIRE", key, ms) end
end
return {0, left - 1}`;

/** A time as Redis takes it: whole milliseconds, and nothing for one without end. */
function toMs(ms: number): string {
  return ms < Infinity ? String(Math.max(1, Math.ceil(ms))) : "";
}

/** JSON, and nothing for what is not there. */
function toStored(value: unknown): string {
  return value === undefined ? "" : JSON.stringify(value);
}

/**
 * Makes a store in Redis, 5 or later, which several machines share: each question is one round trip. It connects when it
 * is first used, and again whenever the connection was lost; what is asked while there is none, or is not answered in
 * time, rejects.
 *
 * @throws {TypeError} If the address is of no use.
 * @throws {MissingEngineError} If the npm package `redis`, which HTTP does without, cannot be found.
 */
export async function createRedisStore(options: RedisStoreOptions = {}): Promise<Store> {
  const { url = "redis://127.0.0.1:6379", password, prefix = "arbiter:", timeout = 500, clock = systemClock } = options;
  if (!URL.canParse(url) || !/^rediss?:\/\/[^/?]*(?:\/\d*)?(?:\?|$)|^https?:[^@]*$/.test(url)) {
    throw new TypeError(
      "Cannot use the address of Redis, REDIS_URL: expected one such as redis://127.0.0.1:6379", // It may have a password.
    );
  }
  const server = password === undefined ? { url } : { url, password };
  const { ask, close } = url.startsWith("http")
    ? createRedisHttp({ url, token: password ?? "", timeout, fetch: options.fetch ?? fetch, clock })
    : await createRedisConnection(server, { timeout, clock, packages: options.packages });
  const values = `${prefix}value:`;
  const toIndex = (key: string) => `${prefix}index:${key.split(" ", 1)[0]}`;
  const toPlaces = (key: string) => `${prefix}places:${key}`;
  const run = (script: string, keys: readonly string[], args: readonly string[]) =>
    ask("EVAL", script, String(keys.length), ...keys, ...args);
  const change = (key: string, after: unknown, ms: number, ...before: string[]) =>
    run(CHANGE, [values + key, toIndex(key)], [key, toStored(after), toMs(ms), ...before]);

  return {
    shared: true,
    async get(key) {
      const [found] = await ask("MGET", values + key) as unknown[]; // Nothing, and no error, for another type.
      return typeof found === "string" ? parseJson(found) : undefined;
    },
    async list(prefix) {
      const found = await run(LIST, [toIndex(prefix)], [values, prefix]) as string[];
      const names = found.filter((_, i) => i % 2 === 0);
      return names.map((name, i) => [name, parseJson(found[2 * i + 1]!)]);
    },
    async set(key, value, ms = Infinity) {
      await change(key, value, ms);
    },
    swap: async (key, before, after, ms = Infinity) => await change(key, after, ms, toStored(before)) === 1,
    async take(id, windows): Promise<Taken> {
      if (windows.length === 0) return { wait: 0, left: Infinity };
      const sizes = windows.flatMap(({ limit, ms }) => [limit, Math.ceil(ms)].map(String));
      const [wait = 0, left = 0] = await run(TAKE, windows.map(({ key }) => toPlaces(key)), [id, ...sizes]) as number[];
      return { wait: wait < 0 ? Infinity : wait, left };
    },
    async free(id, key) {
      await ask("ZREM", toPlaces(key), id);
    },
    close,
  };
}
