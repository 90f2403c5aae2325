import { type ModelChoice, resolveModel, toModelIds } from "./routing/resolve.ts";
import { createHandler } from "./server/handler.ts";
import type { HandlerOptions } from "./server/options.ts";
import { createMemoryStore } from "./store/store.ts";
import type { Backend } from "./upstream/candidate.ts";
import { createChain } from "./upstream/chain.ts";
import { patientFetch } from "./upstream/patient_fetch.ts";
import { VERSION } from "./version.ts";
import type { MessagesRequest } from "./wire/anthropic.ts";
import { systemClock } from "./wire/clock.ts";
import { randomId } from "./wire/ids.ts";

/** Where NVIDIA serves its free hosted models. */
export const NVIDIA_BASE_URL = "https://integrate.api.nvidia.com/v1";
/** The model used when nobody chooses: large, steady and good with tools. */
export const DEFAULT_MODEL = "nvidia/nemotron-3-super-120b-a12b";
/** What NVIDIA's free accounts need: steady models of its catalogue to step in (2026-09), about 40 requests a minute. */
const NVIDIA_DEFAULTS = {
  fallbacks: [DEFAULT_MODEL, "openai/gpt-oss-120b", "z-ai/glm-5.2", "minimaxai/minimax-m3"],
  rateLimit: 40,
  maxConcurrency: 8,
};

/** Options of {@linkcode createArbiter}. */
export interface ArbiterOptions extends HandlerOptions {
  /** Key for the upstream, sent as a bearer token. */
  apiKey?: string;
  /** Upstream address up to and including `/v1`. @default {NVIDIA_BASE_URL} */
  baseUrl?: string;
  /** Upstream id of the model for the main work. @default {DEFAULT_MODEL} */
  model?: string;
  /** Upstream ids for Claude Code's tiers; those left out use `model`. @default {{}} */
  tiers?: ModelChoice["tiers"];
  /**
   * Upstream ids of models that step in, in this order, when the one that was chosen fails.
   * @default {for NVIDIA four that are steady, else []}
   */
  fallbacks?: readonly string[];
}

/**
 * A proxy: Anthropic's Messages API in front of an OpenAI-compatible host. `fetch` never rejects; `close` breaks off
 * every answer that is still on its way.
 */
export type Arbiter = { fetch(request: Request): Promise<Response>; close(): void };

/**
 * Puts a proxy together; nothing is opened before the first request.
 *
 * @throws {TypeError} If the API key cannot be sent.
 */
export function createArbiter(options: ArbiterOptions = {}): Arbiter {
  const { apiKey, model = DEFAULT_MODEL, tiers = {} } = options;
  const baseUrl = options.baseUrl?.replace(/\/+$/, "") ?? NVIDIA_BASE_URL;
  const usual = baseUrl === NVIDIA_BASE_URL ? NVIDIA_DEFAULTS : { fallbacks: [], rateLimit: 0, maxConcurrency: 0 };
  const fallbacks = options.fallbacks ?? usual.fallbacks;
  if (apiKey && !/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new TypeError("Cannot use the API key: it has blanks or other characters that no header can carry");
  }
  const backend: Backend = { baseUrl, apiKey };
  const choice: ModelChoice = { elite: model, tiers };
  const settings: Required<HandlerOptions> = {
    fetch: options.fetch ?? patientFetch,
    requestTimeout: options.requestTimeout ?? 600_000,
    patience: options.patience ?? 120_000,
    idleTimeout: options.idleTimeout ?? 180_000,
    maxTokens: options.maxTokens ?? Infinity,
    maxAttempts: options.maxAttempts ?? 6,
    rateLimit: options.rateLimit ?? usual.rateLimit,
    rateWindow: options.rateWindow ?? 60_000,
    maxConcurrency: options.maxConcurrency ?? usual.maxConcurrency,
    wholeAnswers: options.wholeAnswers ?? [],
    store: options.store ?? createMemoryStore(),
    userAgent: options.userAgent ?? `arbiter-proxy/${VERSION}`,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    newId: options.newId ?? randomId,
    maxBodyBytes: options.maxBodyBytes ?? 32 * 1024 * 1024,
    hold: options.hold ?? 8_000,
    pingInterval: options.pingInterval ?? 10_000,
    onRequest: options.onRequest ?? (() => {}),
  };
  const toCandidates = ({ model }: MessagesRequest) => {
    const models = new Set([resolveModel(model, choice), ...fallbacks]);
    return [...models].map((model) => ({ backend, model }));
  };
  return createHandler({ ...settings, models: toModelIds(choice), toCandidates, send: createChain(settings) });
}
