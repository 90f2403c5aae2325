import type { Clock } from "../wire/clock.ts";
import { ApiError } from "../wire/errors.ts";
import type { NewId } from "../wire/ids.ts";
import { attempt } from "./attempt.ts";
import type { Send } from "./candidate.ts";

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
  /** Sent upstream as `user-agent`. @default {"arbiter-proxy/" and the version} */
  userAgent?: string;
  /** The clock that time limits run on. @default {systemClock} */
  clock?: Clock;
  /** Makes ids of messages, requests and tool calls. @default {randomId} */
  newId?: NewId;
}

/** Makes the {@linkcode Send} that asks the first candidate, and so far only that one. */
export function createChain(settings: Required<ChainOptions>): Send {
  return async (request, send) => {
    const [candidate] = send.candidates;
    if (!candidate) throw new ApiError("api_error", "No model is configured");
    return await attempt(request, candidate, { ...settings, ...send });
  };
}
