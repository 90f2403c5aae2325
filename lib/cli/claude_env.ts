import type { Env, Settings } from "../config/settings.ts";
import type { Tier } from "../routing/routing_options.ts";
import type { ModelChoice } from "./model_choice.ts";

/** What would lead Claude Code elsewhere; with a key of Anthropic's it also asks whether to use that. */
export const ELSEWHERE = [
  "ANTHROPIC_API_KEY",
  "CLAUDE_CODE_USE_BEDROCK",
  "CLAUDE_CODE_USE_VERTEX",
  "CLAUDE_CODE_USE_FOUNDRY",
];

type Given = { env: Env; url: string; models: ModelChoice; token: string };
type Value = string | ((given: Given) => string | undefined);

/** Variables, their value, if there is one, and why; the user's own go before those that are not `always` set. */
type ClaudeRow = readonly [names: string, why: string, value: Value, always?: "always"];

/** What a proxy is asked with where no key is set: any token will do, but without one Claude Code asks for a login. */
const ANY_TOKEN = "arbiter";

/** The token with which the user's own programs ask the proxy: the first of its keys. */
export function toToken({ clientKeys = [] }: Settings): string {
  return clientKeys[0]?.key ?? ANY_TOKEN;
}

/** What Claude Code keeps free of a window beside the room for an answer (13,000 tokens in 2.1.328), less some for a turn. */
const KEPT_FREE = 11_000;
/** A window from which on that leaves enough to work in: in less it would compact again and again, and give up. */
const AMPLE_WINDOW = 65_536;

/** The window to tell of: of a small one Claude Code is to use all. */
function toToldWindow({ models: { contextTokens: window, outputTokens = 0 } }: Given): string | undefined {
  return window === undefined
    ? undefined
    : String(Math.max(window, Math.min(window + outputTokens + KEPT_FREE, AMPLE_WINDOW)));
}

/** A list of hosts that no corporate proxy is asked for, with the one of `url` in it. */
function toNoProxy({ env, url }: Given): string {
  const hosts = (env.NO_PROXY ?? env.no_proxy ?? "").split(",").map((host) => host.trim());
  return [...new Set([...hosts, new URL(url).hostname])].filter(Boolean).join(",");
}

const WHY_MODELS = "the model for the main work, and for each tier";
const toTierModel = (tier: Tier) => ({ models: { elite, tiers } }: Given) => tiers[tier] ?? elite;

/**
 * What makes Claude Code work well with Arbiter. Models are named by their upstream ids: its own names would make it
 * believe in a million tokens and never compact.
 */
const CLAUDE_ROWS: readonly ClaudeRow[] = [
  ["ANTHROPIC_BASE_URL", "where Arbiter listens", ({ url }) => url, "always"],
  ["ANTHROPIC_AUTH_TOKEN", "the key of the proxy; without one any token", ({ token }) => token, "always"],
  ["NO_PROXY no_proxy", "a proxy of your network cannot reach this machine", toNoProxy, "always"],
  ["ANTHROPIC_MODEL", WHY_MODELS, ({ models }) => models.elite],
  ["ANTHROPIC_DEFAULT_OPUS_MODEL ANTHROPIC_DEFAULT_FABLE_MODEL", WHY_MODELS, toTierModel("opus")],
  ["ANTHROPIC_DEFAULT_SONNET_MODEL", WHY_MODELS, toTierModel("sonnet")],
  ["ANTHROPIC_DEFAULT_HAIKU_MODEL", WHY_MODELS, toTierModel("haiku")],
  [
    "CLAUDE_CODE_MAX_CONTEXT_TOKENS",
    "when to compact; Claude Code takes a million for models it does not know",
    toToldWindow,
  ],
  [
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
    "how much to ask the model for",
    ({ models: { outputTokens } }) => outputTokens?.toString(),
  ],
  ["CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY", "lists the models of the proxy in /model", "1"],
  ["CLAUDE_CODE_GATEWAY_HINT_HEADERS", "tells what a request is for, and so where it should go", "1"],
  ["CLAUDE_CODE_AUTO_MODE_SERVER", "without it a dialog blocks the first command of a session", "0"],
  ["CLAUDE_CODE_ATTRIBUTION_HEADER", "leaves out a head of each prompt that only spoils caches here", "0"],
  [
    "CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION",
    "saves a request with the whole conversation after each turn",
    "false",
  ],
];

/** Which of the variables Arbiter has set, by name: where it finds them again, as `env` does in the same shell, they are not the user's. */
const OURS = "ARBITER_VARIABLES";

/** What is to be set for Claude Code, and why, what forgotten, and what the user has set and stays. */
export type ClaudeVariables = {
  set: { name: string; value: string; why: string }[];
  unset: string[];
  kept: string[];
};

/** Finds what is to be done to an environment so that Claude Code works well with a proxy at `url`. */
export function toClaudeVariables(env: Env, url: string, models: ModelChoice, token = ANY_TOKEN): ClaudeVariables {
  const variables: ClaudeVariables = { set: [], unset: ELSEWHERE.filter((name) => env[name] !== undefined), kept: [] };
  const ours = env[OURS]?.split(" ") ?? [];
  for (const [names, why, given, always] of CLAUDE_ROWS) {
    const value = typeof given === "string" ? given : given({ env, url, models, token });
    for (const name of names.split(" ")) {
      const free = always || env[name] === undefined || ours.includes(name);
      if (value === undefined) variables.unset.push(...(ours.includes(name) ? [name] : []));
      else if (free) variables.set.push({ name, value, why });
      else variables.kept.push(name);
    }
  }
  const value = variables.set.map(({ name }) => name).join(" ");
  variables.set.push({ name: OURS, value, why: "these are Arbiter's, to be set anew the next time" });
  return variables;
}

/**
 * The environment in which Claude Code works well with a proxy at `url`. What routes it there is always set; everything
 * else leaves the user's own variables alone.
 */
export function toClaudeEnv(env: Env, url: string, models: ModelChoice, token?: string): Env {
  const { set, unset } = toClaudeVariables(env, url, models, token);
  const kept = Object.entries(env).filter(([name]) => !unset.includes(name));
  return Object.fromEntries([...kept, ...set.map(({ name, value }) => [name, value])]);
}
