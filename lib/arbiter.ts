import { type ModelChoice, resolveModel, toModelIds } from "./routing/resolve.ts";
import { createHandler } from "./server/handler.ts";
import type { RequestLog } from "./server/request_log.ts";
import type { Backend } from "./upstream/candidate.ts";
import { type ChainOptions, createChain } from "./upstream/chain.ts";
import { systemClock } from "./wire/clock.ts";
import { randomId } from "./wire/ids.ts";
import { VERSION } from "./version.ts";

/** Where NVIDIA serves its free hosted models. */
export const NVIDIA_BASE_URL = "https://integrate.api.nvidia.com/v1";
/** The model used when nobody chooses: large, steady and good with tools. */
export const DEFAULT_MODEL = "nvidia/nemotron-3-super-120b-a12b";

/** Options of {@linkcode createArbiter}. */
export interface ArbiterOptions extends ChainOptions {
  /** Key for the upstream, sent as a bearer token. */
  apiKey?: string;
  /** Upstream address up to and including `/v1`. @default {NVIDIA_BASE_URL} */
  baseUrl?: string;
  /** Upstream id of the model for the main work. @default {DEFAULT_MODEL} */
  model?: string;
  /** Upstream ids for Claude Code's tiers; those left out use `model`. @default {{}} */
  tiers?: ModelChoice["tiers"];
  /** Largest request body, in bytes. @default {33_554_432} */
  maxBodyBytes?: number;
  /**
   * Milliseconds to wait for the upstream in silence, so that an early failure can still be a truthful HTTP status.
   * @default {8_000}
   */
  hold?: number;
  /** Milliseconds of silence in a stream after which a `ping` is sent. @default {10_000} */
  pingInterval?: number;
  /** Called when a request is over. @default {() => {}} */
  onRequest?: (log: RequestLog) => void;
}

/** A proxy: Anthropic's Messages API in front of an OpenAI-compatible host. */
export interface Arbiter {
  /** Answers one request; it never rejects. */
  fetch(request: Request): Promise<Response>;
  /** Breaks off every answer that is still on its way. */
  close(): void;
}

/**
 * Puts a proxy together; nothing is opened before the first request.
 *
 * @example Behind any server that takes a fetch handler
 * ```ts
 * const arbiter = createArbiter({ apiKey: "nvapi-…" });
 * const response = await arbiter.fetch(new Request("http://localhost/health"));
 * ```
 */
export function createArbiter(options: ArbiterOptions = {}): Arbiter {
  const { apiKey, baseUrl = NVIDIA_BASE_URL, model = DEFAULT_MODEL, tiers = {} } = options;
  const backend: Backend = {
    baseUrl: baseUrl.replace(/\/+$/, ""),
    ...(apiKey ? { apiKey } : {}),
  };
  const choice: ModelChoice = { elite: model, tiers };
  const running = new Set<AbortController>();
  const userAgent = options.userAgent ?? `arbiter-proxy/${VERSION}`;
  const fetch = createHandler({
    send: createChain({ ...options, userAgent }),
    running,
    toCandidates(request) {
      return [{ backend, model: resolveModel(request.model, choice) }];
    },
    hold: options.hold ?? 8_000,
    pingInterval: options.pingInterval ?? 10_000,
    clock: options.clock ?? systemClock,
    newId: options.newId ?? randomId,
    maxBodyBytes: options.maxBodyBytes ?? 32 * 1024 * 1024,
    models: toModelIds(choice),
    version: VERSION,
    onRequest: options.onRequest ?? (() => {}),
  });
  return { fetch, close: () => running.forEach((controller) => controller.abort()) };
}
