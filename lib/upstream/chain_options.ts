import type { Store } from "../store/store.ts";
import type { Clock } from "../wire/clock.ts";
import type { Fetch } from "../wire/fetch.ts";
import type { NewId } from "../wire/ids.ts";
import type { Call } from "./call.ts";

/** How upstreams are called. */
export interface ChainOptions {
  /** `fetch` for upstream calls. @default {globalThis.fetch, without its own time limits} */
  fetch?: Fetch;
  /** What calls upstreams, such as {@linkcode httpCall}. @default {what calls `fetch`} */
  call?: Call;
  /** Milliseconds until the first content of an answer must have come, whoever gives it. @default {600_000} */
  requestTimeout?: number;
  /**
   * Milliseconds one candidate is given for its first content while others are left, and one more for every two
   * bytes of the request, which a model has to read first. @default {120_000}
   */
  patience?: number;
  /** Milliseconds of silence allowed in the middle of an answer. @default {180_000} */
  idleTimeout?: number;
  /** Most output tokens to ask any model for. @default {Infinity} */
  maxTokens?: number;
  /** Most upstream calls for one request. @default {6} */
  maxAttempts?: number;
  /** Where what models teach is kept; proxies with one that is shared keep to limits together. @default {memory} */
  store?: Store;
  /** Sent upstream as `user-agent`. @default {"arbiter-proxy/" and the version} */
  userAgent?: string;
  /** The clock that time limits run on. @default {systemClock} */
  clock?: Clock;
  /** Gives a number from 0 to 1, for jitter. @default {Math.random} */
  random?: () => number;
  /** Makes ids of messages, requests and tool calls. @default {randomId} */
  newId?: NewId;
}
