import type { ModelRow } from "../models/roster.ts";
import type { JsonObject } from "../wire/anthropic.ts";
import type { RoutedTask } from "./tasks.ts";

/** A host of models; one that is known by name needs only what is different. */
export interface BackendOptions {
  /** Address up to and including `/v1`; with Anthropic's format also what is before that. */
  baseUrl?: string;
  /** The key, sent as a bearer token; a config file names a variable instead. */
  apiKey?: string | undefined;
  /** The environment variable that holds the key: the command line reads it, a program is only told its name. */
  apiKeyEnv?: string;
  /** Upstream id of the model for the main work, if this is the default backend and nobody chose one. */
  defaultModel?: string;
  /** What it speaks; Anthropic's own format is passed on without translation. @default {"openai"} */
  format?: "openai" | "anthropic";
  /** Headers for each of its requests. @default {{}} */
  headers?: Record<string, string>;
  /** Most calls in any `rateWindow`; 0 is no limit. @default {the limit of the proxy} */
  rateLimit?: number;
  /** Milliseconds in which `rateLimit` calls may start. @default {60_000} */
  rateWindow?: number;
  /** Most calls at once; 0 is no limit. @default {the limit of the proxy} */
  maxConcurrency?: number;
}

/** A name for a model, with everything about how it is asked. */
export interface ProfileOptions {
  /** Name of its host. @default {the default backend} */
  backend?: string;
  /** The upstream's name of the model. */
  providerModel: string;
  /** How often it is asked when it fails, other models in between. @default {1} */
  retryAttempts?: number;
  /** Milliseconds before it is asked again, doubled with each time to a minute at most. @default {500, to 4 seconds} */
  retryBaseDelayMs?: number;
  /** Fields that each request to it gets. @default {{}} */
  extraBody?: JsonObject;
  /** What it can do, where the roster is wrong or says nothing. @default {{}} */
  capabilities?: { toolCalls?: boolean; coding?: boolean; vision?: boolean; reasoning?: boolean };
  /** Its context window, in tokens. @default {what the roster says} */
  context?: number;
  /** Its most output tokens. @default {what the roster says} */
  maxOutput?: number;
  /** Models that step in for it before all others. @default {[]} */
  fallbacks?: string[];
}

/** Where requests may go: what a config file says of it. */
export interface RoutingOptions {
  /** Name of the host for models that name none. @default {"nvidia"} */
  defaultBackend?: string;
  /** Hosts by name. @default {those known without configuration} */
  backends?: Record<string, BackendOptions>;
  /** Models by the name a client asks for. @default {{}} */
  modelProfiles?: Record<string, ProfileOptions>;
  /** The same in short; profiles win. @default {{}} */
  modelMap?: Record<string, { backend: string; model: string }>;
  /** Models the roster does not know, or is wrong about. @default {[]} */
  models?: ModelRow[];
  /** Models for tasks. @default {{}} */
  tasks?: Partial<Record<RoutedTask, string>>;
}

/** Tiers in the names of Anthropic's models that may be given a model of their own. */
export type Tier = "opus" | "sonnet" | "haiku";

/** Everything that decides where a request goes. */
export interface RouterOptions extends RoutingOptions {
  /** Key for the default backend; the environment is not read. */
  apiKey?: string | undefined;
  /** Address of the default backend. */
  baseUrl?: string | undefined;
  /** The model for the main work. @default {the default backend's, else a steady one of NVIDIA's} */
  model?: string | undefined;
  /** Models for Claude Code's tiers. @default {`model`, for haiku on NVIDIA a small one} */
  tiers?: Readonly<Partial<Record<Tier, string | undefined>>>;
  /** Whether the models of tiers may think. @default {as `thinking` says} */
  tierThinking?: Readonly<Partial<Record<Tier, boolean | undefined>>>;
  /** Models to list for clients beside all that are used. @default {[]} */
  listed?: readonly string[];
  /** Models that step in, in this order, when the one that was chosen fails. @default {on NVIDIA steady ones, else []} */
  fallbacks?: readonly string[];
  /** Whether models may think when the client asks for it. @default {true} */
  thinking?: boolean;
  /** Most calls of one upstream account in any `rateWindow`; 0 is no limit. @default {for NVIDIA 40, else 0} */
  rateLimit?: number | undefined;
  /** Milliseconds in which `rateLimit` calls may start. @default {60_000} */
  rateWindow?: number;
  /** Most calls of one upstream account at once; 0 is no limit. @default {for NVIDIA 8, else 0} */
  maxConcurrency?: number | undefined;
}
