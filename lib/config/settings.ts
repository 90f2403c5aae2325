import type { ModelChoice } from "../routing/resolve.ts";
import { type EnvReader, parseNumber } from "./env.ts";
import { ConfigError } from "./errors.ts";

/** How much is logged: every request, only those that failed, or nothing. */
export type LogLevel = "info" | "error" | "silent";

/** Everything a user can set, checked; what is `undefined` takes its default where it is used. */
export interface Settings {
  apiKey: string | undefined;
  baseUrl: string | undefined;
  /** The port, and whether the user chose it. */
  port: { number: number; chosen: boolean };
  model: string | undefined;
  tiers: ModelChoice["tiers"];
  maxTokens: number | undefined;
  /** Milliseconds. */
  pingInterval: number | undefined;
  /** Milliseconds. */
  requestTimeout: number | undefined;
  maxBodyBytes: number | undefined;
  thinking: boolean | undefined;
  logLevel: LogLevel;
  skipCheck: boolean;
  targetDir: string | undefined;
}

/** Flags that override the environment, as typed. */
export type SettingFlags = Partial<Record<"port" | "model" | "max-tokens", string>>;

/** Arbiter's port when nobody chooses one. */
const DEFAULT_PORT = 4005;
/** Levels of the earlier tools, most of them Python's, that mean one of ours. */
const LOG_LEVELS: Record<string, LogLevel> = {
  trace: "info",
  debug: "info",
  info: "info",
  warn: "error",
  warning: "error",
  error: "error",
  critical: "error",
  silent: "silent",
  off: "silent",
};

function toLogLevel(env: EnvReader): LogLevel {
  const found = env.find("logLevel");
  if (!found) return "info";
  const level = LOG_LEVELS[found.value.toLowerCase()];
  if (level) return level;
  throw new ConfigError(`Cannot use ${found.name}='${found.value}': expected info, error or silent`);
}

function toBaseUrl(env: EnvReader): string | undefined {
  const found = env.find("baseUrl");
  if (!found) return undefined;
  if (URL.canParse(found.value) && /^https?:/.test(found.value)) return found.value;
  throw new ConfigError(
    `Cannot use ${found.name}='${found.value}': expected an address such as https://host/v1`,
  );
}

function toThousands(value: number | undefined): number | undefined {
  return value === undefined ? undefined : value * 1000;
}

/** The first of a comma-separated list: earlier tools let the others follow as fallbacks. */
function toFirst(list: string | undefined): string | undefined {
  return list?.split(",")[0]?.trim() || undefined;
}

/**
 * Reads all settings: a flag counts most, then the environment.
 *
 * @throws {ConfigError} Naming the flag or variable and what was expected.
 */
export function resolveSettings(flags: SettingFlags, env: EnvReader): Settings {
  const tiers: Record<string, string> = {};
  for (const tier of ["opus", "sonnet", "haiku"] as const) {
    const model = toFirst(env.find(tier)?.value);
    if (model) tiers[tier] = model;
  }
  const flag = (name: keyof SettingFlags, least: number, most: number) =>
    flags[name] === undefined ? undefined : parseNumber(`--${name}`, flags[name], least, most);
  const port = flag("port", 0, 65535) ?? env.number("port", 0, 65535);
  const megabytes = env.number("maxBodyMb", 1, 1024);
  const maxTokens = flag("max-tokens", 1, 10_000_000) ?? env.number("maxTokens", 1);
  return {
    apiKey: env.find("apiKey")?.value,
    baseUrl: toBaseUrl(env),
    port: { number: port ?? DEFAULT_PORT, chosen: port !== undefined },
    model: flags.model ?? toFirst(env.find("model")?.value),
    tiers,
    maxTokens,
    pingInterval: toThousands(env.number("pingSeconds", 1, 300)),
    requestTimeout: toThousands(env.number("timeoutSeconds", 1, 86_400)),
    maxBodyBytes: megabytes === undefined ? undefined : megabytes * 1024 * 1024,
    thinking: env.flag("thinking"),
    logLevel: toLogLevel(env),
    skipCheck: env.flag("skipCheck") ?? false,
    targetDir: env.find("targetDir")?.value,
  };
}
