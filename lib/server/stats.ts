import { isJsonObject } from "../wire/json.ts";
import { toAnthropicCost } from "./prices.ts";
import { LOCAL_MODEL, type RequestLog } from "./request_log.ts";

/** Where a proxy tells how it goes. */
export const STATUS_PATH = "/v1/stream/visualization";

/** So many names are counted each by itself; clients may ask for any. */
const MOST_NAMES = 100;
const OTHER_NAMES = "(others)";

/** What a proxy, or a session of it, has done since it started: counts only, never content or keys. */
export type Stats = {
  /** When it started, in milliseconds since 1970. */
  since: number;
  /** Requests for messages that are over, and how many of each kind. */
  requests: number;
  kinds: Readonly<Record<string, number>>;
  /** How many answers each model gave, and how many needed none. */
  models: Readonly<Record<string, number>>;
  local: number;
  /** Answers by another model than the first that was to be asked: turns that would have failed or waited. */
  fallbacks: number;
  /** Requests that failed, also in the middle of an answer; not those whose client went away. */
  errors: number;
  /** Tokens of models; `inputTokens` has the `cachedTokens` in it. */
  inputTokens: number;
  cachedTokens: number;
  outputTokens: number;
  /** Estimate of what these tokens would have cost from Anthropic, in dollars. */
  anthropicCost: number;
  /** Streams whose first content has left, the milliseconds until then, all in all, and of the slowest. */
  firstToken: { count: number; ms: number; slowest: number };
};

/** Requests that an account may start now, of so many within so many milliseconds. */
export type Quota = { left: number; limit: number; window: number };

/** What `GET /v1/stream/visualization` tells; `quota` is that of the main model's account, if it has a limit. */
export type ArbiterStatus = Stats & {
  name: "arbiter";
  version: string;
  model: string;
  quota?: Quota;
};

/** The counts of a proxy that has just started. */
export function createStats(since: number): Stats {
  const tokens = { inputTokens: 0, cachedTokens: 0, outputTokens: 0, anthropicCost: 0 };
  const firstToken = { count: 0, ms: 0, slowest: 0 };
  return { since, requests: 0, kinds: {}, models: {}, local: 0, fallbacks: 0, errors: 0, ...tokens, firstToken };
}

const MESSAGE_PATHS: readonly string[] = ["/v1/messages", "/v1/chat/completions"];

/** Whether a request is one for a message, in either format; others are not counted. */
export function asksForMessage({ path }: RequestLog): boolean {
  return MESSAGE_PATHS.includes(path);
}

/** Whether a request was answered to the end. */
export function isAnswered({ status, error }: RequestLog): boolean {
  return status < 400 && error === undefined;
}

/** The name something is counted under: its own, unless there are too many already. */
export function toCountedName(known: Readonly<Record<string, unknown>>, name: string): string {
  return Object.hasOwn(known, name) || Object.keys(known).length < MOST_NAMES ? name : OTHER_NAMES;
}

function addOne(counts: Readonly<Record<string, number>>, name: string | undefined): Readonly<Record<string, number>> {
  if (name === undefined) return counts;
  const key = toCountedName(counts, name);
  return { ...counts, [key]: (Object.hasOwn(counts, key) ? counts[key]! : 0) + 1 };
}

function addTime({ count, ms, slowest }: Stats["firstToken"], taken: number): Stats["firstToken"] {
  return { count: count + 1, ms: ms + taken, slowest: Math.max(slowest, taken) };
}

/** The counts with one more request; what asks for no message leaves them as they are. */
export function addRequest(stats: Stats, log: RequestLog): Stats {
  if (!asksForMessage(log)) return stats;
  const { status, model, fellBack = false, route, firstMs } = log;
  const answered = isAnswered(log);
  const local = model === LOCAL_MODEL;
  const { inputTokens = 0, cachedTokens = 0, outputTokens = 0 }: Partial<RequestLog> = local ? {} : log;
  return {
    since: stats.since,
    requests: stats.requests + 1,
    kinds: addOne(stats.kinds, route?.kind),
    models: addOne(stats.models, answered && !local ? model : undefined),
    local: stats.local + Number(local),
    fallbacks: stats.fallbacks + Number(answered && fellBack),
    errors: stats.errors + Number(!answered && status !== 499),
    inputTokens: stats.inputTokens + inputTokens,
    cachedTokens: stats.cachedTokens + cachedTokens,
    outputTokens: stats.outputTokens + outputTokens,
    anthropicCost: stats.anthropicCost + (local ? 0 : toAnthropicCost(log)),
    firstToken: answered && firstMs !== undefined ? addTime(stats.firstToken, firstMs) : stats.firstToken,
  };
}

/** Adds up the numbers of two values of one shape; what only one of them has is left as it is. */
function addUp(a: unknown, b: unknown): unknown {
  if (typeof a === "number" && typeof b === "number") return a + b;
  if (!isJsonObject(a) || !isJsonObject(b)) return a;
  const sums = new Map<string, unknown>(Object.entries(a));
  for (const [key, value] of Object.entries(b)) sums.set(key, sums.has(key) ? addUp(sums.get(key), value) : value);
  return Object.fromEntries(sums);
}

/** The counts of two proxies as those of one. */
export function joinStats<T extends Stats>(a: T, b: T): T {
  const sum = addUp(a, b) as T;
  const slowest = Math.max(a.firstToken.slowest, b.firstToken.slowest);
  return { ...sum, since: Math.min(a.since, b.since), firstToken: { ...sum.firstToken, slowest } };
}
