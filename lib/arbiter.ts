import { type ModelChoice, resolveModel, toModelIds } from "./routing/resolve.ts";
import { createHandler } from "./server/handler.ts";
import type { HandlerOptions } from "./server/options.ts";
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
  const { apiKey, baseUrl = NVIDIA_BASE_URL, model = DEFAULT_MODEL, tiers = {} } = options;
  if (apiKey && !/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new TypeError("Cannot use the API key: it has blanks or other characters that no header can carry");
  }
  const backend: Backend = { baseUrl: baseUrl.replace(/\/+$/, ""), apiKey };
  const choice: ModelChoice = { elite: model, tiers };
  const settings: Required<HandlerOptions> = {
    fetch: options.fetch ?? patientFetch,
    requestTimeout: options.requestTimeout ?? 600_000,
    idleTimeout: options.idleTimeout ?? 180_000,
    maxTokens: options.maxTokens ?? Infinity,
    userAgent: options.userAgent ?? `arbiter-proxy/${VERSION}`,
    clock: options.clock ?? systemClock,
    newId: options.newId ?? randomId,
    maxBodyBytes: options.maxBodyBytes ?? 32 * 1024 * 1024,
    hold: options.hold ?? 8_000,
    pingInterval: options.pingInterval ?? 10_000,
    onRequest: options.onRequest ?? (() => {}),
  };
  const toCandidates = ({ model }: MessagesRequest) => [{ backend, model: resolveModel(model, choice) }];
  return createHandler({ ...settings, models: toModelIds(choice), toCandidates, send: createChain(settings) });
}
