import { BACKENDS } from "../routing/backends.ts";
import { LOCAL_ANSWERS, type LocalAnswer, USUAL_ANSWERS } from "../routing/local_answers.ts";
import { withoutEndSlashes } from "../wire/slashes.ts";
import { parseClientKeys } from "./client_keys.ts";
import { AN_ADDRESS } from "./config_schema.ts";

/** Environment variables as a plain record, so that tests need no process. */
export type Env = Readonly<Record<string, string | undefined>>;

/** A mistake in how the program was started or configured; its message says what to do. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

function expected(what: string): never {
  throw new ConfigError(`expected ${what}`);
}

/** Model ids with commas between. */
const models = (value: string): string[] => {
  const ids = value.split(",").map((id) => id.trim()).filter(Boolean);
  return ids.length > 0 ? ids : expected("a model id");
};
const model = (value: string): string => models(value)[0]!;
/** Models that step in; nobody does when the value is `none`. */
const fallbacks = (value: string): string[] => value.toLowerCase() === "none" ? [] : models(value);
/** A whole number in a range, in the unit of the variable; `factor` makes it ours. */
const integer = (least: number, most: number, factor = 1) => (value: string): number => {
  const number = /^\d+$/.test(value) ? Number(value) : NaN;
  return number >= least && number <= most ? number * factor : expected(`a whole number from ${least} to ${most}`);
};

/** An address of a host; a password in it would be shown, and stored with what its models teach. */
function toBaseUrl(value: string): string {
  const fine = URL.canParse(value) && /^https?:(?!\/*[^/]*@)/.test(value);
  return fine ? withoutEndSlashes(value) : expected(AN_ADDRESS);
}

/** An address to listen on; `localhost` is the one of IPv4, so that everybody means the same. */
function address(value: string): string {
  const name = value.replace(/^\[|\]$/g, "").toLowerCase();
  const url = `http://${name.includes(":") ? `[${name}]` : name}`;
  const { hostname } = /^[\w.:]+$/.test(name) && URL.canParse(url) ? new URL(url) : { hostname: "" };
  if (hostname === "localhost") return "127.0.0.1";
  const fine = /^\[.*\]$|^\d+(\.\d+){3}$/.test(hostname);
  return fine ? hostname.replace(/^\[|\]$/g, "") : expected("an address such as 127.0.0.1, ::1 or 0.0.0.0");
}

/** One of some words, which mean what they stand beside. */
const word = <const T>(what: string, meanings: [words: string, meaning: T][]) => (value: string): T => {
  const found = meanings.find(([words]) => words.split(" ").includes(value.toLowerCase()));
  return found ? found[1] : expected(what);
};

const onOff = word("on or off", [["1 true yes on", true], ["0 false no off", false]]);

/** Names of local answers with commas between, or all of them or none. */
function localAnswers(value: string): LocalAnswer[] {
  const words = value.toLowerCase().split(",").map((name) => name.trim()).filter(Boolean);
  const names = LOCAL_ANSWERS.filter((name) => words.includes(name));
  if (names.length > 0 && names.length === new Set(words).size) return names;
  const what = `${LOCAL_ANSWERS.join(", ")}, all or off`;
  return word<LocalAnswer[]>(what, [["all", [...LOCAL_ANSWERS]], ["off none", []]])(value);
}

/**
 * How much is logged: every request, only those that failed, or nothing. A project's `.env` may have any word of common
 * logging libraries, for a program of its own.
 */
const LOG_LEVELS: [string, "info" | "error" | "silent"][] = [
  ["all silly trace debug verbose http info notice", "info"],
  ["warn warning error critical fatal alert emergency", "error"],
  ["silent off none", "silent"],
];

/** How a value is read, the variables it may come from (Arbiter's own name first, then those of earlier tools), a flag. */
type Row<T> = readonly [parse: (value: string) => T, names: string, flag?: string];

/** Everything a user can set, one row each. Times become milliseconds, sizes bytes. */
const ROWS = {
  port: [integer(0, 65_535), "ARBITER_PORT BRIDGE_PORT PROXY_PORT", "port"],
  host: [address, "ARBITER_HOST BRIDGE_HOST PROXY_HOST", "host"],
  clientKeys: [parseClientKeys, "ARBITER_API_KEY PROXY_API_KEY"],
  allowOpen: [onOff, "ARBITER_ALLOW_OPEN"],
  inboundRpm: [integer(0, 1_000_000), "ARBITER_INBOUND_RPM RATE_LIMIT_RPM"],
  model: [models, "ARBITER_MODEL NVIDIA_ELITE_MODEL NCP_DEFAULT_MODEL MODEL CLAUDIA_CLAUDE_MODEL", "model"], // Earlier tools let fallbacks follow.
  fallbacks: [fallbacks, "ARBITER_FALLBACK_MODELS NCP_FALLBACK_MODELS AUTO_MODEL_ORDER"],
  opus: [model, "ARBITER_MODEL_OPUS MODEL_OPUS"],
  sonnet: [model, "ARBITER_MODEL_SONNET MODEL_SONNET"],
  haiku: [model, "ARBITER_MODEL_HAIKU MODEL_HAIKU"],
  maxTokens: [integer(1, 10_000_000), "ARBITER_MAX_TOKENS NCP_DEFAULT_MAX_TOKENS", "max-tokens"],
  hardMaxTokens: [integer(1, 10_000_000), "ARBITER_HARD_MAX_TOKENS NCP_HARD_MAX_TOKENS"],
  clientMaxTokens: [integer(1, 10_000_000), "ARBITER_CLIENT_MAX_TOKENS NCP_CLAUDE_CODE_MAX_OUTPUT_TOKENS"],
  thinking: [onOff, "ARBITER_THINKING ENABLE_MODEL_THINKING"],
  opusThinking: [onOff, "ARBITER_THINKING_OPUS ENABLE_MODEL_THINKING_OPUS"],
  sonnetThinking: [onOff, "ARBITER_THINKING_SONNET ENABLE_MODEL_THINKING_SONNET"],
  haikuThinking: [onOff, "ARBITER_THINKING_HAIKU ENABLE_MODEL_THINKING_HAIKU"],
  rateLimit: [integer(0, 100_000), "ARBITER_RATE_LIMIT PROVIDER_RATE_LIMIT"],
  rateWindow: [integer(1, 86_400, 1000), "ARBITER_RATE_WINDOW PROVIDER_RATE_WINDOW"],
  maxConcurrency: [integer(0, 1000), "ARBITER_MAX_CONCURRENCY PROVIDER_MAX_CONCURRENCY"],
  pingInterval: [integer(1, 240, 1000), "ARBITER_PING_SECONDS R2_PING_INTERVAL"],
  maxBodyBytes: [integer(1, 1024, 1024 * 1024), "MAX_REQUEST_BODY_MB"],
  requestTimeout: [integer(1, 86_400, 1000), "REQUEST_TIMEOUT_SECONDS"],
  logLevel: [word("info, error or silent", LOG_LEVELS), "LOG_LEVEL", "log-level"],
  skipCheck: [onOff, "SKIP_NIM_CHECK"],
  localAnswers: [localAnswers, "ARBITER_LOCAL_ANSWERS"],
  titleAnswer: [onOff, "ENABLE_TITLE_GENERATION_SKIP"], // This and the next four: switches of an earlier tool.
  quotaAnswer: [onOff, "ENABLE_NETWORK_PROBE_MOCK"],
  suggestionAnswer: [onOff, "ENABLE_SUGGESTION_MODE_SKIP"],
  filepathsAnswer: [onOff, "ENABLE_FILEPATH_EXTRACTION_MOCK"],
  prefixAnswer: [onOff, "FAST_PREFIX_DETECTION"],
  showContent: [onOff, "ARBITER_SHOW_CONTENT"],
  visualizes: [onOff, "ARBITER_STREAM_VISUALIZATION R2_STREAM_VISUALIZATION"],
  targetDir: [String, "TARGET_DIR"],
  testUrl: [toBaseUrl, "", "base-url"],
  store: [
    word("memory, sqlite or redis", [["memory", "memory"], ["sqlite", "sqlite"], ["redis", "redis"]]),
    "ARBITER_STORE STORAGE_ENGINE",
  ],
  redisUrl: [String, "REDIS_URL"], // Checked only where it is used: other programs know it, too.
  redisPrefix: [String, "REDIS_PREFIX"],
  redisPassword: [String, "REDIS_PASSWORD"],
} satisfies Record<string, Row<unknown>>;

/** What a user has set, and the key from a file of `--api-key-file`; what is absent takes its default where it is used. */
export type Settings = { [K in keyof typeof ROWS]?: ReturnType<(typeof ROWS)[K][0]> } & { apiKey?: string };

/** Finds a variable in the first place that has it; an empty one counts as absent. */
function find(names: readonly string[], layers: readonly Env[], warn: (warning: string) => void): [string?, string?] {
  for (const layer of layers) {
    const found = names.map((name) => [name, layer[name]?.trim() ?? ""] as const).filter(([, value]) => value !== "");
    const [first] = found;
    if (!first) continue;
    const other = found.find(([, value]) => value !== first[1]);
    if (other) warn(`${first[0]} is used, although ${other[0]} says something else`);
    return [...first];
  }
  return [];
}

/** Reads a value; what is wrong with it names where it stands, and shows it unless it is secret. */
function parseAt<T>(parse: (value: string) => T, name: string | undefined, value: string): T {
  try {
    return parse(value);
  } catch (cause) {
    const shown = name?.endsWith("_KEY") || /^\s*http.*@/i.test(value) ? name : `${name}='${value}'`;
    throw new ConfigError(`Cannot use ${shown}: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Reads the keys and addresses of the hosts that need no configuration.
 *
 * @throws {ConfigError} Naming the variable and what was expected.
 */
export function resolveBackends(
  layers: readonly Env[],
  warn: (warning: string) => void = () => {},
): Record<string, { apiKey?: string; baseUrl?: string }> {
  const found = [...BACKENDS].map(([name, { keyNames, urlNames }]) => {
    const [, keys] = find(keyNames, layers, warn);
    const apiKey = keys?.split(",")[0]?.trim(); // One tool takes several.
    const [at, url] = find(urlNames, layers, warn);
    return [name, { ...(apiKey ? { apiKey } : {}), ...(url ? { baseUrl: parseAt(toBaseUrl, at, url) } : {}) }] as const;
  });
  return Object.fromEntries(found.filter(([, own]) => Object.keys(own).length > 0));
}

/**
 * Makes sure that a proxy which other machines may reach has a key, or that the user wants it without one.
 *
 * @throws {ConfigError} Saying what to set.
 */
export function checkHost({ host = "127.0.0.1", clientKeys, allowOpen }: Settings): void {
  if (/^127\.|^::1$/.test(host) || clientKeys || allowOpen) return;
  throw new ConfigError(
    `Cannot listen on ${host} without a key, for other machines may reach that: set ARBITER_API_KEY to one of your own, ` +
      "or ARBITER_ALLOW_OPEN=1 to serve anybody",
  );
}

/**
 * Reads all settings: a flag counts most, then the environment's layers in their order; contradictions are warned of.
 *
 * @throws {ConfigError} Naming the flag or variable and what was expected.
 */
export function resolveSettings(
  flags: Readonly<Record<string, string | boolean | undefined>>,
  layers: readonly Env[],
  warn: (warning: string) => void,
): Settings {
  const settings: Record<string, unknown> = {};
  for (const [key, [parse, names, flag = ""]] of Object.entries<Row<unknown>>(ROWS)) {
    const typed = flags[flag];
    const [name, value] = typeof typed === "string" ? [`--${flag}`, typed] : find(names.split(" "), layers, warn);
    if (value === undefined) continue;
    settings[key] = parseAt(parse, name, value);
  }
  return settings;
}

/** The local answers a user wants: the list if there is one, else the usual ones with what single switches change. */
export function toLocalAnswers(settings: Settings): readonly LocalAnswer[] {
  const switched = LOCAL_ANSWERS.filter((name) => settings[`${name}Answer`] ?? USUAL_ANSWERS.includes(name));
  return settings.localAnswers ?? switched;
}
