import { type Clock, systemClock } from "../wire/clock.ts";
import { ApiError } from "../wire/errors.ts";
import { type NewId, randomId } from "../wire/ids.ts";
import { attempt } from "./attempt.ts";
import type { Send } from "./candidate.ts";
import { patientFetch } from "./patient_fetch.ts";

/** How upstreams are called. */
export interface ChainOptions {
  /** `fetch` for upstream calls. @default {globalThis.fetch, without its own time limits} */
  fetch?: typeof fetch;
  /** Milliseconds until the first content of an answer must have come. @default {600_000} */
  requestTimeout?: number;
  /** Milliseconds of silence allowed in the middle of an answer. @default {180_000} */
  idleTimeout?: number;
  /** Most output tokens to ask any model for. @default {Infinity} */
  maxTokens?: number;
  /** Sent upstream as `user-agent`. @default {"arbiter-proxy"} */
  userAgent?: string;
  /** The clock that time limits run on. @default {systemClock} */
  clock?: Clock;
  /** Makes ids of messages, requests and tool calls. @default {randomId} */
  newId?: NewId;
}

/** {@linkcode ChainOptions} with every default filled in. */
export type ChainSettings = Required<ChainOptions>;

/** Makes the {@linkcode Send} that asks the first candidate, and so far only that one. */
export function createChain(options: ChainOptions = {}): Send {
  const settings: ChainSettings = {
    fetch: options.fetch ?? patientFetch,
    requestTimeout: options.requestTimeout ?? 600_000,
    idleTimeout: options.idleTimeout ?? 180_000,
    maxTokens: options.maxTokens ?? Infinity,
    userAgent: options.userAgent ?? "arbiter-proxy",
    clock: options.clock ?? systemClock,
    newId: options.newId ?? randomId,
  };
  return async (request, send) => {
    const [candidate] = send.candidates;
    if (!candidate) throw new ApiError("api_error", "No model is configured");
    return await attempt(request, candidate, { ...settings, ...send });
  };
}
