/**
 * Arbiter lets Claude Code work with NVIDIA's free hosted models, or any other host that speaks
 * OpenAI's chat completions: it translates both ways while streaming.
 *
 * As a program: `deno run -A mod.ts code`. As a library:
 *
 * @example
 * ```ts
 * import { createArbiter } from "jsr:@arbiter/proxy";
 *
 * const arbiter = createArbiter({ apiKey: "nvapi-…" });
 * const response = await arbiter.fetch(new Request("http://localhost/health"));
 * ```
 *
 * @module
 */

// Written by scripts/amalgamate.ts from lib/: edit there, not here.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

// lib/config/errors.ts ----------------------------------------------------------------------

/** A mistake in how the program was started or configured; its message says what to do. */
class ConfigError extends Error {
  override readonly name = "ConfigError";
}

// lib/routing/resolve.ts --------------------------------------------------------------------

/** The models a user has chosen; a tier without one uses `elite`. */
export interface ModelChoice {
  /** Upstream id of the model for the main work. */
  elite: string;
  /** Upstream ids for Claude Code's tiers, such as `opus`. */
  tiers: Readonly<Partial<Record<Tier, string>>>;
}

/** A tier in the names of Anthropic's models that may be given a model of its own. */
export type Tier = "opus" | "sonnet" | "haiku";

/** Every {@linkcode Tier}. */
const TIERS: readonly Tier[] = ["opus", "sonnet", "haiku"];

/**
 * Finds the upstream model for the name a client asked for.
 *
 * Any name is served: Claude Code asks for models of its own (`claude-sonnet-5` to check a command)
 * whatever the user chose, and a 404 would cost a second request and confuse the user.
 *
 * @returns A name with a slash that is not Anthropic's as it is, else the tier's model, else elite.
 */
function resolveModel(asked: string, choice: ModelChoice): string {
  const name = asked.toLowerCase();
  const claude = /^(?:anthropic\/)?claude|^(?:opus|sonnet|haiku|default)\b/.test(name);
  if (!claude && name.includes("/")) return asked;
  const tier = TIERS.find((tier) => name.includes(tier));
  return (claude && tier && choice.tiers[tier]) || choice.elite;
}

/** Every upstream id of a choice, once each. */
function toModelIds(choice: ModelChoice): string[] {
  return [...new Set([choice.elite, ...Object.values(choice.tiers)])];
}

// lib/config/env.ts -------------------------------------------------------------------------

/** Environment variables as a plain record, so that tests need no process. */
type Env = Readonly<Record<string, string | undefined>>;

/**
 * The variables Arbiter reads. The first name of a row is its own; the others are those of earlier
 * tools (Arbiter's bridge, nvd-claude-proxy, free-claude-code) and keep working.
 */
const VARIABLES = {
  apiKey: ["NVIDIA_API_KEY", "NVIDIA_NIM_API_KEY"],
  baseUrl: ["NVIDIA_BASE_URL"],
  port: ["ARBITER_PORT", "BRIDGE_PORT", "PROXY_PORT"],
  model: ["ARBITER_MODEL", "NVIDIA_ELITE_MODEL", "NCP_DEFAULT_MODEL", "MODEL"],
  opus: ["ARBITER_MODEL_OPUS", "MODEL_OPUS"],
  sonnet: ["ARBITER_MODEL_SONNET", "MODEL_SONNET"],
  haiku: ["ARBITER_MODEL_HAIKU", "MODEL_HAIKU"],
  maxTokens: ["ARBITER_MAX_TOKENS", "NCP_DEFAULT_MAX_TOKENS"],
  pingSeconds: ["ARBITER_PING_SECONDS", "R2_PING_INTERVAL"],
  thinking: ["ARBITER_THINKING", "ENABLE_MODEL_THINKING"],
  maxBodyMb: ["MAX_REQUEST_BODY_MB"],
  timeoutSeconds: ["REQUEST_TIMEOUT_SECONDS"],
  logLevel: ["LOG_LEVEL"],
  skipCheck: ["SKIP_NIM_CHECK"],
  targetDir: ["TARGET_DIR"],
} as const;

/** A row of {@linkcode VARIABLES}. */
type Variable = keyof typeof VARIABLES;

/** A variable's value and the name it was found under. */
interface Found {
  name: string;
  value: string;
}

/** Reads variables from several places, the first place counting most. */
class EnvReader {
  readonly #layers: readonly Env[];
  /** Sentences about variables that contradict each other. */
  readonly warnings: string[] = [];

  constructor(...layers: Env[]) {
    this.#layers = layers;
  }

  /** Finds a variable under any of its names; an empty one counts as absent. */
  find(variable: Variable): Found | undefined {
    for (const layer of this.#layers) {
      const found = VARIABLES[variable].flatMap((name) => {
        const value = layer[name]?.trim();
        return value ? [{ name, value }] : [];
      });
      const [first] = found;
      if (!first) continue;
      const other = found.find(({ value }) => value !== first.value);
      if (other) this.warnings.push(`${first.name} is used; ${other.name} says something else`);
      return first;
    }
    return undefined;
  }

  /** A whole number of at least `least`. */
  number(variable: Variable, least: number, most: number = Number.MAX_SAFE_INTEGER): number | undefined {
    const found = this.find(variable);
    return found && parseNumber(found.name, found.value, least, most);
  }

  /** A switch; `1 true yes on` and `0 false no off` are understood. */
  flag(variable: Variable): boolean | undefined {
    const found = this.find(variable);
    if (!found) return undefined;
    if (/^(?:1|true|yes|on)$/i.test(found.value)) return true;
    if (/^(?:0|false|no|off)$/i.test(found.value)) return false;
    throw new ConfigError(`Cannot use ${found.name}='${found.value}': expected on or off`);
  }
}

/**
 * Parses a whole number from a flag or variable called `name`.
 *
 * @throws {ConfigError} If it is none, or out of range.
 */
function parseNumber(name: string, value: string, least: number, most: number): number {
  const number = /^\d+$/.test(value) ? Number(value) : NaN;
  if (number >= least && number <= most) return number;
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  throw new ConfigError(`Cannot use ${name}='${value}': expected a whole number ${range}`);
}

// lib/config/settings.ts --------------------------------------------------------------------

/** How much is logged: every request, only those that failed, or nothing. */
type LogLevel = "info" | "error" | "silent";

/** Everything a user can set, checked; what is `undefined` takes its default where it is used. */
interface Settings {
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
type SettingFlags = Partial<Record<"port" | "model" | "max-tokens", string>>;

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
function resolveSettings(flags: SettingFlags, env: EnvReader): Settings {
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

// lib/version.ts ----------------------------------------------------------------------------

/** The version of this package; written by scripts/amalgamate.ts from package.json. */
const VERSION = "0.1.0";

// lib/cli/child.ts --------------------------------------------------------------------------

/** A program to run, with the arguments that come before the user's. */
interface Program {
  command: string;
  args: readonly string[];
}

/** Finds a program on PATH, as a shell would; nothing when it is not there. */
async function findOnPath(name: string, env: Env, platform: string): Promise<string | undefined> {
  const { access, constants } = await import("node:fs/promises");
  const windows = platform === "win32";
  const endings = windows ? (env.PATHEXT ?? ".COM;.EXE;.BAT;.CMD").split(";") : [""];
  const folders = (env.PATH ?? env.Path ?? "").split(windows ? ";" : ":").filter(Boolean);
  for (const folder of folders) {
    for (const ending of endings) {
      const path = `${folder}${windows ? "\\" : "/"}${name}${ending}`;
      const found = await access(path, windows ? constants.F_OK : constants.X_OK)
        .then(() => true, () => false);
      if (found) return path;
    }
  }
  return undefined;
}

/** Quotes an argument for cmd.exe, which starts npm's `.cmd` files. */
function quoteForCmd(argument: string): string {
  return `"${argument.replaceAll('"', '""')}"`;
}

/**
 * Runs a program in the foreground and gives its exit code.
 *
 * Ctrl-C reaches it from the terminal, so this process only waits; SIGTERM and SIGHUP are passed on.
 *
 * @returns Its exit code, or 128 and the number of the signal that ended it.
 * @throws {Error} With the code `ENOENT` if it cannot be started.
 */
async function runChild(program: Program, env: Env, cwd: string): Promise<number> {
  const { spawn } = await import("node:child_process");
  const { constants } = await import("node:os");
  const { default: process } = await import("node:process");
  // Only a shell can start .cmd files. A list of arguments beside it would be a deprecated call.
  const shell = process.platform === "win32" && !/\.exe$/i.test(program.command);
  const [file, args] = shell
    ? [[program.command, ...program.args].map(quoteForCmd).join(" "), []]
    : [program.command, program.args];
  const child = spawn(file, args, { stdio: "inherit", env, cwd, shell });
  const stay = () => {};
  const pass = (signal: NodeJS.Signals) => void child.kill(signal);
  process.on("SIGINT", stay).on("SIGTERM", pass).on("SIGHUP", pass);
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => {
        resolve(code ?? 128 + (signal ? constants.signals[signal] : 0));
      });
    });
  } finally {
    process.off("SIGINT", stay).off("SIGTERM", pass).off("SIGHUP", pass);
  }
}

// lib/cli/claude_env.ts ---------------------------------------------------------------------

/** Context window Claude Code is told when nobody knows better: what most hosted models serve. */
const CONTEXT_TOKENS = 131_072;

/**
 * The environment in which Claude Code works well with a proxy.
 *
 * What routes it here is always set; everything else leaves the user's own variables alone.
 *
 * @param url Where the proxy listens.
 * @param model Upstream id of the model. Claude Code's own names would make it believe in windows
 * of a million tokens and never compact.
 */
function toClaudeEnv(env: Env, url: string, model: string): Env {
  const { ANTHROPIC_API_KEY: _, ...rest } = env; // With it, Claude Code asks whether to use that key.
  return {
    ANTHROPIC_MODEL: model,
    ANTHROPIC_DEFAULT_OPUS_MODEL: model,
    ANTHROPIC_DEFAULT_SONNET_MODEL: model,
    ANTHROPIC_DEFAULT_HAIKU_MODEL: model,
    CLAUDE_CODE_MAX_CONTEXT_TOKENS: String(CONTEXT_TOKENS),
    // Without it a dialog blocks the first command of a session.
    CLAUDE_CODE_AUTO_MODE_SERVER: "0",
    // Accounting for Anthropic at the head of each prompt; it only spoils prompt caches here.
    CLAUDE_CODE_ATTRIBUTION_HEADER: "0",
    // A further request with the whole conversation after each turn; a free account cannot spare it.
    CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION: "false",
    ...rest,
    ANTHROPIC_BASE_URL: url,
    ANTHROPIC_AUTH_TOKEN: "arbiter",
  };
}

// lib/cli/flags.ts --------------------------------------------------------------------------

/** One flag of the command line. */
interface FlagRow {
  type: "string" | "boolean";
  short?: string;
  /** What the value is, for the help text. */
  value?: string;
  help: string;
}

const FLAGS = {
  port: { type: "string", short: "p", value: "N", help: "port to listen on (4005; 0 takes any)" },
  model: { type: "string", short: "m", value: "ID", help: "upstream model, such as openai/gpt-oss-120b" },
  "max-tokens": { type: "string", value: "N", help: "most output tokens to ask a model for" },
  demo: { type: "boolean", help: "use the built-in demo model: no key, no network" },
  yes: { type: "boolean", short: "y", help: "ask nothing" },
  help: { type: "boolean", short: "h", help: "show this help" },
  version: { type: "boolean", short: "v", help: "show the version" },
} as const satisfies Record<string, FlagRow>;

const COMMANDS = {
  code: "start the proxy and Claude Code in this folder (the default)",
  serve: "start the proxy alone, in the foreground",
} as const;

const ALIASES: Record<string, Command> = { proxy: "serve", run: "serve", r2: "serve" };

/** A command's name. */
type Command = keyof typeof COMMANDS;

/** A parsed command line. */
interface CommandLine {
  command: Command;
  flags: {
    port?: string;
    model?: string;
    "max-tokens"?: string;
    demo?: boolean;
    yes?: boolean;
    help?: boolean;
    version?: boolean;
  };
  /** What stands after `--`, for Claude Code. */
  rest: string[];
}

/** The help text. */
function usage(): string {
  const commands = Object.entries(COMMANDS).map(([name, help]) => `  ${name.padEnd(18)}${help}`);
  const flags = Object.entries<FlagRow>(FLAGS).map(([name, { short, value, help }]) => {
    const names = `${short ? `-${short}, ` : "    "}--${name}${value ? ` ${value}` : ""}`;
    return `  ${names.padEnd(22)}${help}`;
  });
  return [
    "Usage: arbiter-proxy [code|serve] [flags] [-- arguments for claude]",
    "",
    "Claude Code on NVIDIA's free models. Needs NVIDIA_API_KEY, in the environment or in .env;",
    "a free key is at https://build.nvidia.com.",
    "",
    "Commands:",
    ...commands,
    "",
    "Flags:",
    ...flags,
    "",
    "Examples:",
    "  arbiter-proxy --demo",
    '  arbiter-proxy code -- -p "explain this repository"',
    "  arbiter-proxy serve --port 4005 --model openai/gpt-oss-120b",
  ].join("\n");
}

/**
 * Parses the arguments, in the manner of `parseArgs` of `@std/cli` with unknown flags refused.
 *
 * @throws {ConfigError} For a flag or command nobody knows, or a flag without its value.
 */
async function parseCommandLine(args: readonly string[]): Promise<CommandLine> {
  const { parseArgs } = await import("node:util");
  const cut = args.indexOf("--");
  const own = cut < 0 ? [...args] : args.slice(0, cut);
  const rest = cut < 0 ? [] : args.slice(cut + 1);
  let parsed;
  try {
    parsed = parseArgs({ args: own, options: FLAGS, allowPositionals: true });
  } catch (cause) {
    const said = cause instanceof Error ? cause.message.split(/\.\s/)[0] : String(cause);
    throw new ConfigError(`${said}`, { cause });
  }
  const [name = "code", extra] = parsed.positionals;
  const command = Object.hasOwn(COMMANDS, name) ? name as Command : ALIASES[name];
  if (!command) throw new ConfigError(`Unknown command '${name}'`);
  if (extra !== undefined) {
    throw new ConfigError(`Unexpected argument '${extra}': arguments for claude follow after --`);
  }
  return { command, flags: parsed.values, rest };
}

// lib/cli/io.ts -----------------------------------------------------------------------------

/** What a command sees of the world. */
interface Io {
  env: Env;
  /** The current folder. */
  cwd: string;
  /** Node's name of the platform, such as `win32`. */
  platform: string;
  /** Whether a person sits at the terminal, so that questions may be asked. */
  interactive: boolean;
  /** Writes a line of result. */
  print: (line: string) => void;
  /** Writes a line about what is going on, or wrong. */
  tell: (line: string) => void;
}

/** The world of this process. */
async function createIo(): Promise<Io> {
  const { default: process } = await import("node:process");
  return {
    env: process.env,
    cwd: process.cwd(),
    platform: process.platform,
    interactive: Boolean(process.stdin.isTTY && process.stderr.isTTY),
    print: (line) => void process.stdout.write(`${line}\n`),
    tell: (line) => void process.stderr.write(`${line}\n`),
  };
}

// lib/cli/context.ts ------------------------------------------------------------------------

/** What a command works with. */
interface Context extends CommandLine {
  io: Io;
  settings: Settings;
}

// lib/config/folders.ts ---------------------------------------------------------------------

/**
 * The folder for one kind of file of this user's, by the custom of the platform.
 *
 * @param kind `config` holds what the user wrote, `state` what Arbiter did.
 * @param platform Node's name of the platform, such as `win32`.
 * @returns Nothing if the environment does not tell where home is.
 */
function toFolder(kind: "config" | "state", env: Env, platform: string): string | undefined {
  if (platform === "win32") {
    const base = kind === "config" ? env.APPDATA : env.LOCALAPPDATA;
    return base && `${base}\\arbiter`;
  }
  const set = kind === "config" ? env.XDG_CONFIG_HOME : env.XDG_STATE_HOME;
  const usual = kind === "config" ? ".config" : ".local/state";
  const base = set || (env.HOME && `${env.HOME}/${usual}`);
  return base && `${base}/arbiter`;
}

// lib/cli/log_file.ts -----------------------------------------------------------------------

/** Bytes after which a log becomes `arbiter.log.old`, so that the two stay under twice this. */
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * Opens the log in the user's state folder: while Claude Code runs, the terminal is its own.
 *
 * @returns The path and a function that appends a line; nothing if the folder cannot be written.
 */
async function openLogFile(io: Io): Promise<{ path: string; write: (line: string) => void } | undefined> {
  const folder = toFolder("state", io.env, io.platform);
  if (!folder) return undefined;
  const { appendFileSync, mkdirSync, renameSync, statSync } = await import("node:fs");
  const path = `${folder}/arbiter.log`;
  const write = (line: string) => {
    try {
      appendFileSync(path, `${new Date().toISOString()} ${line}\n`, { mode: 0o600 });
    } catch {
      // A full disk must not end the session; the line is lost.
    }
  };
  try {
    mkdirSync(folder, { recursive: true });
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    if (size > MAX_BYTES) renameSync(path, `${path}.old`);
    appendFileSync(path, "");
    return { path, write };
  } catch {
    return undefined;
  }
}

// lib/models/families.ts --------------------------------------------------------------------

/** What the models of one family have in common, as far as a request must respect it. */
export interface Family {
  /** Short name for logs. */
  name: string;
  /** Which upstream model ids belong to it; the first row that matches counts. */
  pattern: RegExp;
  /** Whether it sees images. */
  vision?: boolean;
  /**
   * How it wants tool call ids in the history. Kimi's template prints them, so that foreign ids
   * teach the model to write calls nobody can read; Mistral refuses all but nine characters.
   *
   * @default {"any"}
   */
  toolCallIds?: "any" | "kimi" | "mistral";
  /** Body fields that switch thinking; effort is the client's, `undefined` when it named none. */
  thinking?: (on: boolean, effort: string | undefined) => Record<string, unknown>;
  /** Whether reasoning of the running tool loop must be sent back as `reasoning_content`. */
  replaysReasoning?: boolean;
  /** Whether the template opens `<think>` itself, so that an answer starts inside it. */
  startsInThinking?: boolean;
}

type Thinking = NonNullable<Family["thinking"]>;

const kwargs = (name: string, extra: object = {}): Thinking => (on) => ({
  chat_template_kwargs: { [name]: on, ...extra },
});

/** The client's effort, lowered to the nearest word the family knows; `off` when not thinking. */
const effort = (off: string, low: string, medium: string, high: string): Thinking => (on, asked) => ({
  reasoning_effort: on ? { low, medium, high, xhigh: high, max: high }[asked ?? "medium"] ?? medium : off,
});

/** One row a family, the most specific first. */
// deno-fmt-ignore: a table reads best one row a line
const FAMILIES: readonly Family[] = [
  { name: "kimi-k3", pattern: /kimi-k3/, vision: true, toolCallIds: "kimi", thinking: kwargs("thinking"), replaysReasoning: true },
  { name: "kimi-k2.5", pattern: /kimi-k2\.\d/, vision: true, toolCallIds: "kimi", thinking: kwargs("thinking"), replaysReasoning: true },
  { name: "kimi-k2", pattern: /kimi/, toolCallIds: "kimi", replaysReasoning: true },
  { name: "deepseek-v4", pattern: /deepseek-v4/, thinking: effort("none", "high", "high", "max") },
  { name: "deepseek", pattern: /deepseek/, thinking: kwargs("thinking") },
  { name: "glm", pattern: /glm|laguna/, thinking: kwargs("enable_thinking", { clear_thinking: false }) },
  { name: "qwen3.5", pattern: /qwen3\.5/, vision: true, thinking: kwargs("enable_thinking") },
  { name: "qwen", pattern: /qwen|qwq/ },
  { name: "nemotron-3", pattern: /nemotron-3/, thinking: kwargs("enable_thinking", { force_nonempty_content: true }) },
  { name: "nemotron-vl", pattern: /nemotron.*-vl|cosmos-reason/, vision: true },
  { name: "minimax-m3", pattern: /minimax-m3/, vision: true, thinking: (on) => ({ thinking: { type: on ? "enabled" : "disabled" } }) },
  { name: "minimax", pattern: /minimax/, startsInThinking: true },
  { name: "gpt-oss", pattern: /gpt-oss/, thinking: effort("low", "low", "medium", "high") },
  { name: "mistral-small-4", pattern: /mistral-small-4/, vision: true, toolCallIds: "mistral", thinking: effort("none", "high", "high", "high") },
  { name: "mistral", pattern: /mistral|devstral|codestral|ministral/, toolCallIds: "mistral" },
  { name: "gemma-4", pattern: /gemma-4/, vision: true, thinking: kwargs("enable_thinking") },
  { name: "step", pattern: /step-3\.7/, vision: true },
  { name: "llama-vision", pattern: /llama.*(vision|maverick|scout)/, vision: true },
];

const UNKNOWN: Family = { name: "unknown", pattern: /(?:)/ };

/** Finds the family of an upstream model id, such as `moonshotai/kimi-k2.6`. */
export function toFamily(model: string): Family {
  const id = model.toLowerCase();
  return FAMILIES.find((family) => family.pattern.test(id)) ?? UNKNOWN;
}

// lib/wire/anthropic.ts ---------------------------------------------------------------------

/** A JSON object whose fields nobody has checked yet. */
export type JsonObject = Record<string, unknown>;

/** A block of a request's content; a type not in this list is possible and must be tolerated. */
export type ContentBlockParam =
  | { type: "text"; text: string }
  | { type: "image"; source: JsonObject }
  | { type: "document"; source: JsonObject; title?: string | null; context?: string | null }
  | { type: "thinking"; thinking: string; signature?: string }
  | { type: "tool_use"; id: string; name: string; input: JsonObject }
  | ToolResultParam
  | { type: "tool_reference"; tool_name: string };

/** What a tool gave back; blocks may be text, image, document or tool_reference. */
export interface ToolResultParam {
  type: "tool_result";
  tool_use_id: string;
  content?: string | ContentBlockParam[];
  is_error?: boolean;
}

/** One entry of `messages`; Claude Code also sends `system` in the middle of a conversation. */
export interface MessageParam {
  role: "user" | "assistant" | "system";
  content: string | ContentBlockParam[];
}

/** A tool of the client; Anthropic's own server tools have no `input_schema`. */
export interface ToolParam {
  name: string;
  description?: string;
  input_schema?: JsonObject;
  type?: string | null;
}

/** How the model may use tools. */
export interface ToolChoice {
  type: "auto" | "any" | "tool" | "none";
  name?: string;
  disable_parallel_tool_use?: boolean;
}

/** The body of `POST /v1/messages`, with the fields this proxy reads. */
export interface MessagesRequest {
  model: string;
  messages: MessageParam[];
  max_tokens: number;
  system?: string | ContentBlockParam[];
  stream?: boolean;
  tools?: ToolParam[];
  tool_choice?: ToolChoice;
  stop_sequences?: string[];
  temperature?: number;
  top_p?: number;
  top_k?: number;
  thinking?: { type: string; budget_tokens?: number };
  output_config?: { effort?: string; format?: { type: string; schema?: JsonObject } };
}

/** Token counts of a message, in Anthropic's terms: `input_tokens` excludes what was cached. */
export interface Usage {
  input_tokens: number;
  output_tokens: number;
  cache_read_input_tokens: number;
  cache_creation_input_tokens: number;
}

/** Why a message ended. */
export type StopReason = "end_turn" | "max_tokens" | "stop_sequence" | "tool_use";

/** A block of an answer. */
export type ContentBlock =
  | { type: "text"; text: string }
  | { type: "thinking"; thinking: string; signature: string }
  | { type: "tool_use"; id: string; name: string; input: JsonObject };

/** An answer, whole. */
export interface Message {
  id: string;
  type: "message";
  role: "assistant";
  model: string;
  content: ContentBlock[];
  stop_reason: StopReason | null;
  stop_sequence: string | null;
  usage: Usage;
}

/** What a `content_block_delta` appends. */
export type BlockDelta =
  | { type: "text_delta"; text: string }
  | { type: "thinking_delta"; thinking: string }
  | { type: "signature_delta"; signature: string }
  | { type: "input_json_delta"; partial_json: string };

/** One event of a streamed answer. */
export type MessageStreamEvent =
  | { type: "message_start"; message: Message }
  | { type: "content_block_start"; index: number; content_block: ContentBlock }
  | { type: "content_block_delta"; index: number; delta: BlockDelta }
  | { type: "content_block_stop"; index: number }
  | {
    type: "message_delta";
    delta: { stop_reason: StopReason | null; stop_sequence: string | null };
    usage: Partial<Usage>;
  }
  | { type: "message_stop" }
  | { type: "ping" };

// lib/tokens/estimate.ts --------------------------------------------------------------------

/** Tokens a template spends around each message (observed 4 to 8 in open models' templates). */
const MESSAGE_TOKENS = 6;
/** Tokens of an image: what a 1092 × 1092 picture costs with Anthropic. */
const IMAGE_TOKENS = 1600;
const [LOWER, UPPER, DIGIT, BLANK, PUNCTUATION, NEWLINE, OTHER] = [1, 2, 3, 4, 5, 6, 0];

/**
 * Estimates how many tokens a text costs, without any vocabulary.
 *
 * One pass counts what byte-pair encoders split on: 1.155 for a word piece, 0.854 for a digit, a run
 * of punctuation or of line breaks, 0.96 for any other code unit (a quarter of that for alphabets
 * above U+0250). Fitted on ten open vocabularies.
 */
export function estimateTokens(text: string): number {
  let [words, marks, others] = [0, 0, 0];
  let kind = OTHER;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 97 && code <= 122) {
      if (kind !== LOWER && kind !== UPPER) words++;
      kind = LOWER;
    } else if (code >= 65 && code <= 90) {
      if (kind !== UPPER) words++;
      kind = UPPER;
    } else if (code >= 48 && code <= 57) {
      marks++;
      kind = DIGIT;
    } else if (code === 10 || code === 13) {
      if (kind !== NEWLINE) marks++;
      kind = NEWLINE;
    } else if (code === 32 || code === 9) {
      if (kind !== NEWLINE) kind = BLANK;
    } else if (code < 128) {
      if (kind !== PUNCTUATION) marks++;
      kind = PUNCTUATION;
    } else {
      others += code >= 0x250 && code < 0x3000 ? 0.25 : 1;
      kind = OTHER;
    }
  }
  return 1.155 * words + 0.854 * marks + 0.96 * others;
}

function estimateContent(content: string | ContentBlockParam[] | undefined | null): number {
  if (typeof content === "string") return estimateTokens(content);
  let sum = 0;
  for (const block of content ?? []) {
    if (block.type === "text") sum += estimateTokens(block.text);
    else if (block.type === "thinking") sum += estimateTokens(block.thinking);
    else if (block.type === "image") sum += IMAGE_TOKENS;
    else if (block.type === "tool_result") sum += estimateContent(block.content);
    else if (block.type === "tool_use") sum += estimateTokens(JSON.stringify(block.input)) + 10;
    else sum += 50; // documents become a sentence
  }
  return sum;
}

/** Estimates the input tokens of a request: the sum of its parts, so that parts can be counted alone. */
export function estimateRequestTokens(request: MessagesRequest): number {
  let sum = estimateContent(request.system);
  for (const message of request.messages) sum += MESSAGE_TOKENS + estimateContent(message.content);
  for (const tool of request.tools ?? []) sum += estimateTokens(JSON.stringify(tool));
  return Math.ceil(sum);
}

// lib/wire/errors.ts ------------------------------------------------------------------------

const STATUS_BY_TYPE = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
} as const;

/** An `error.type` of Anthropic's API. */
export type ApiErrorType = keyof typeof STATUS_BY_TYPE;

/** Options of {@linkcode ApiError}. */
export interface ApiErrorOptions extends ErrorOptions {
  /** HTTP status; the one Anthropic sends with the type when left out. */
  status?: number;
  /** Further response headers, such as `retry-after` in seconds or `x-should-retry`. */
  headers?: Record<string, string>;
}

/** The body of an error response and of an SSE `error` event. */
export interface ApiErrorBody {
  type: "error";
  error: { type: ApiErrorType; message: string };
  request_id?: string;
}

/** A failure that has a shape on the Anthropic wire. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** The `error.type` sent to the client. */
  readonly type: ApiErrorType;
  /** The HTTP status sent when no byte of the response has left yet. */
  readonly status: number;
  /** Headers of the error response. */
  readonly headers: Record<string, string>;

  constructor(type: ApiErrorType, message: string, options: ApiErrorOptions = {}) {
    super(message, options);
    this.type = type;
    this.status = options.status ?? STATUS_BY_TYPE[type];
    this.headers = options.headers ?? {};
  }

  /** The body for an HTTP response and for an SSE `error` event. */
  toJSON(): ApiErrorBody {
    return { type: "error", error: { type: this.type, message: this.message } };
  }
}

/** Makes an {@linkcode ApiError} of anything thrown; what was unforeseen becomes an `api_error`. */
function toApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new ApiError("api_error", `Arbiter failed: ${message}`, { cause: thrown });
}

// lib/wire/messages_request.ts --------------------------------------------------------------

type Kind = "string" | "number" | "boolean" | "object" | "array" | "strings";

/** Fields that must have a type, per kind of object; a trailing `?` marks those that may be absent. */
const FIELDS: Record<string, Record<string, Kind>> = {
  request: {
    "model": "string",
    "messages": "array",
    "stream?": "boolean",
    "tools?": "array",
    "tool_choice?": "object",
    "stop_sequences?": "strings",
    "temperature?": "number",
    "top_p?": "number",
    "thinking?": "object",
    "output_config?": "object",
  },
  tool: { "name": "string", "description?": "string", "input_schema?": "object" },
  tool_choice: { "type": "string", "name?": "string" },
  text: { "text": "string" },
  image: { "source": "object" },
  document: { "source": "object" },
  thinking: { "thinking": "string" },
  tool_use: { "id": "string", "name": "string", "input": "object" },
  tool_result: { "tool_use_id": "string" },
  tool_reference: { "tool_name": "string" },
};

const ROLES: readonly unknown[] = ["user", "assistant", "system"];

/** Whether `value` is a JSON object, as opposed to an array or a bare value. */
function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(path: string, problem: string): never {
  throw new ApiError("invalid_request_error", `${path}: ${problem}`);
}

const IS_KIND: Record<Kind, (value: unknown) => boolean> = {
  string: (value) => typeof value === "string",
  number: (value) => typeof value === "number",
  boolean: (value) => typeof value === "boolean",
  object: isJsonObject,
  array: Array.isArray,
  strings: (value) => Array.isArray(value) && value.every((entry) => typeof entry === "string"),
};

/** Checks the fields of one object against a row of {@linkcode FIELDS}. */
function checkFields(value: unknown, row: string, path: string): void {
  if (!isJsonObject(value)) return refuse(path, "Input should be an object");
  const prefix = path === "body" ? "" : `${path}.`;
  for (const [field, kind] of Object.entries(FIELDS[row] ?? {})) {
    const name = field.replace("?", "");
    const absent = value[name] === undefined || value[name] === null;
    if (absent && name === field) refuse(prefix + name, "Field required");
    if (!absent && !IS_KIND[kind](value[name])) {
      const wanted = kind === "strings" ? "a list of strings" : `a valid ${kind}`;
      refuse(prefix + name, `Input should be ${wanted}`);
    }
  }
}

function checkContent(content: unknown, path: string): void {
  if (typeof content === "string") return;
  if (!Array.isArray(content)) return refuse(path, "Input should be a string or a list of blocks");
  content.forEach((block, i) => {
    const at = `${path}.${i}`;
    if (!isJsonObject(block) || typeof block.type !== "string") refuse(at, "Block has no type");
    checkFields(block, block.type, at);
    if (block.type === "tool_result" && block.content != null) {
      checkContent(block.content, `${at}.content`);
    }
  });
}

/**
 * Checks the body of `POST /v1/messages` or `/v1/messages/count_tokens`.
 *
 * Only what translation relies on is checked: fields and blocks of other names pass, because Claude
 * Code adds new ones with every release.
 *
 * @param body The parsed JSON.
 * @param needsMaxTokens Whether `max_tokens` must be there; counting does without.
 * @throws {ApiError} `invalid_request_error` naming the path and what was expected there.
 */
export function parseMessagesRequest(body: unknown, needsMaxTokens = true): MessagesRequest {
  checkFields(body, "request", "body");
  const request = body as JsonObject & MessagesRequest;
  if (request.messages.length === 0) refuse("messages", "at least one message is required");
  request.messages.forEach((message: unknown, i: number) => {
    const at = `messages.${i}`;
    if (!isJsonObject(message)) return refuse(at, "Input should be an object");
    if (!ROLES.includes(message.role)) {
      refuse(`${at}.role`, `Input should be 'user', 'assistant' or 'system'`);
    }
    checkContent(message.content, `${at}.content`);
  });
  if (request.system != null) checkContent(request.system, "system");
  request.tools?.forEach((tool: unknown, i: number) => checkFields(tool, "tool", `tools.${i}`));
  if (request.tool_choice) {
    const { type, name } = request.tool_choice;
    checkFields(request.tool_choice, "tool_choice", "tool_choice");
    if (type === "tool" && !request.tools?.some((tool) => tool.name === name)) {
      refuse("tool_choice.name", `Tool '${name}' is not in tools`);
    }
  }
  if (needsMaxTokens || request.max_tokens != null) {
    if (request.max_tokens == null) refuse("max_tokens", "Field required");
    if (!Number.isInteger(request.max_tokens) || request.max_tokens < 1) {
      refuse("max_tokens", "Input should be an integer of at least 1");
    }
  }
  return request;
}

// lib/server/body.ts ------------------------------------------------------------------------

function toTooLarge(maxBytes: number): ApiError {
  const limit = `${Math.floor(maxBytes / 1024 / 1024)} MiB`;
  return new ApiError("request_too_large", `Request exceeds the maximum size of ${limit}`, {
    headers: { connection: "close" },
  });
}

/**
 * Reads a JSON body, measuring it while it comes: `content-length` may be absent or a lie.
 *
 * @throws {ApiError} `request_too_large` beyond `maxBytes`, `invalid_request_error` if it is not JSON.
 */
async function readJson(request: Request, maxBytes: number): Promise<unknown> {
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw toTooLarge(maxBytes);
  const decoder = new TextDecoder();
  const reader = request.body?.getReader();
  let [text, bytes] = ["", 0];
  for (;;) {
    const read = await reader?.read();
    if (!read || read.done) break;
    bytes += read.value.byteLength;
    if (bytes > maxBytes) {
      reader?.cancel().catch(() => {});
      throw toTooLarge(maxBytes);
    }
    text += decoder.decode(read.value, { stream: true });
  }
  text += decoder.decode();
  try {
    return JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? `: ${cause.message}` : "";
    throw new ApiError("invalid_request_error", `The request body is not valid JSON${why}`, { cause });
  }
}

// lib/stream/message.ts ---------------------------------------------------------------------

function parseInput(json: string): JsonObject {
  try {
    const input: unknown = JSON.parse(json || "{}");
    if (isJsonObject(input)) return input;
  } catch {
    // Falls through: what the client does with text that is no object is its own business.
  }
  return { __unparsedToolInput: { raw: json, len: json.length } };
}

/**
 * Folds the events of an answer into the answer as a whole, for clients that do not stream.
 *
 * Arguments that are no JSON object come in the form in which Claude Code itself replays such calls.
 */
export function toMessage(events: Iterable<MessageStreamEvent>, start: Message): Message {
  const message: Message = { ...start, content: [] };
  let block: ContentBlock | undefined;
  let json = "";
  for (const event of events) {
    if (event.type === "content_block_start") {
      block = { ...event.content_block };
      message.content.push(block);
      json = "";
    } else if (event.type === "content_block_delta") {
      const { delta } = event;
      if (delta.type === "input_json_delta") json += delta.partial_json;
      else if (delta.type === "text_delta" && block?.type === "text") block.text += delta.text;
      else if (block?.type !== "thinking") continue;
      else if (delta.type === "thinking_delta") block.thinking += delta.thinking;
      else if (delta.type === "signature_delta") block.signature = delta.signature;
    } else if (event.type === "content_block_stop") {
      if (block?.type === "tool_use") block.input = parseInput(json);
    } else if (event.type === "message_delta") {
      Object.assign(message, event.delta);
      message.usage = { ...message.usage, ...event.usage };
    }
  }
  return message;
}

// lib/dialects/think_tags.ts ----------------------------------------------------------------

/** A piece of an answer's text, told apart. */
interface Segment {
  kind: "text" | "thinking";
  text: string;
}

const OPEN = "<think>";
const CLOSE = "</think>";

/** The longest end of `text` that may be the beginning of `tag`, which must not be sent on yet. */
function toHeldLength(text: string, tag: string): number {
  for (let length = Math.min(text.length, tag.length - 1); length > 0; length--) {
    if (tag.startsWith(text.slice(-length))) return length;
  }
  return 0;
}

/**
 * Tells `<think>…</think>` at the beginning of an answer apart from its text.
 *
 * The tag counts only before the first real text: later it is something the model writes about.
 */
class ThinkTagSplitter {
  /** Where the answer stands: before anything, inside the tag, or past the point where one may come. */
  #state: "start" | "thinking" | "text";
  /** What has been fed and not yet told apart, because a tag may be beginning. */
  #held = "";
  /** Whether line breaks are still to be dropped after a tag. */
  #trim = false;

  constructor(startsInThinking = false) {
    this.#state = startsInThinking ? "thinking" : "start";
    this.#trim = startsInThinking;
  }

  /** Takes the next piece of `content`. */
  feed(piece: string): Segment[] {
    if (this.#state === "text" && !this.#trim) return [{ kind: "text", text: piece }];
    this.#held += piece;
    const segments: Segment[] = [];
    if (this.#state === "start") {
      const text = this.#held.trimStart();
      if (text === "" || (OPEN.startsWith(text) && text !== OPEN)) return [];
      this.#state = text.startsWith(OPEN) ? "thinking" : "text";
      this.#trim = this.#state === "thinking";
      if (this.#trim) this.#held = text.slice(OPEN.length);
    }
    if (this.#state === "thinking") {
      const end = this.#held.indexOf(CLOSE);
      const length = end < 0 ? this.#held.length - toHeldLength(this.#held, CLOSE) : end;
      this.#take("thinking", length, segments);
      if (end < 0) return segments;
      this.#held = this.#held.slice(CLOSE.length);
      this.#state = "text";
      this.#trim = true;
    }
    this.#take("text", this.#held.length, segments);
    return segments;
  }

  /** Gives what was held back; a tool call or the end of the answer also ends thinking. */
  flush(): Segment[] {
    const [text, kind] = [this.#held, this.#state === "thinking" ? "thinking" : "text"] as const;
    this.#held = "";
    this.#state = "text";
    return text === "" ? [] : [{ kind, text }];
  }

  #take(kind: Segment["kind"], length: number, into: Segment[]): void {
    let text = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    if (this.#trim) text = text.trimStart();
    if (text === "") return;
    this.#trim = false;
    into.push({ kind, text });
  }
}

// lib/translate/stop_reason.ts --------------------------------------------------------------

const STOP_REASON_BY_FINISH_REASON: Record<string, StopReason> = {
  stop: "end_turn",
  length: "max_tokens",
  // Whether there are calls is decided by the calls: hosts say `stop` with and `tool_calls` without.
  tool_calls: "end_turn",
  function_call: "end_turn",
  // `refusal` would make Claude Code blame its own safeguards for a host's filter.
  content_filter: "end_turn",
};

/** Maps a `finish_reason`; unknown and absent ones become `end_turn`, which any client can act on. */
function toStopReason(finishReason: string | null | undefined): StopReason {
  const known = Object.hasOwn(STOP_REASON_BY_FINISH_REASON, finishReason ?? "");
  return (known && STOP_REASON_BY_FINISH_REASON[finishReason ?? ""]) || "end_turn";
}

// lib/wire/openai.ts ------------------------------------------------------------------------

/** A part of a user message that holds more than text. */
export type ChatPart =
  | { type: "text"; text: string }
  | { type: "image_url"; image_url: { url: string } };

/** A tool call of an assistant message in the history. */
export interface ChatToolCall {
  id: string;
  type: "function";
  function: { name: string; arguments: string };
}

/** One message of a chat completion request. */
export type ChatMessage =
  | { role: "system"; content: string }
  | { role: "user"; content: string | ChatPart[] }
  | {
    role: "assistant";
    content: string | null;
    reasoning_content?: string;
    tool_calls?: ChatToolCall[];
  }
  | { role: "tool"; tool_call_id: string; content: string };

/** A function the model may call. */
export interface ChatTool {
  type: "function";
  function: { name: string; description?: string; parameters: JsonObject };
}

/** The body of `POST /chat/completions`; a family may add fields of its own. */
export interface ChatRequest extends JsonObject {
  model: string;
  messages: ChatMessage[];
  max_tokens: number;
  stream?: boolean;
  stream_options?: { include_usage: boolean };
  temperature?: number;
  top_p?: number;
  stop?: string[];
  tools?: ChatTool[];
  tool_choice?: "auto" | "none" | "required" | { type: "function"; function: { name: string } };
  parallel_tool_calls?: boolean;
  response_format?: JsonObject;
}

/** A tool call in an answer, or a piece of one: hosts leave out whatever they like. */
export interface ToolCallDelta {
  index?: number | null;
  id?: string | null;
  function?: { name?: string | null; arguments?: unknown } | null;
}

/** The changing part of a chunk, or the `message` of a whole completion. */
export interface ChatDelta {
  content?: string | { type?: string; text?: string }[] | null;
  refusal?: string | null;
  reasoning_content?: string | null;
  reasoning?: string | null;
  reasoning_details?: { text?: string; summary?: string }[] | null;
  tool_calls?: ToolCallDelta[] | null;
  function_call?: { name?: string | null; arguments?: unknown } | null;
}

/** Token counts as OpenAI-compatible hosts report them; the prompt includes what was cached. */
export interface ChatUsage {
  prompt_tokens?: number | null;
  completion_tokens?: number | null;
  prompt_tokens_details?: { cached_tokens?: number | null } | null;
}

/** One chunk of a streamed completion; a whole completion has `message` for `delta`. */
export interface ChatChunk {
  choices?: {
    delta?: ChatDelta | null;
    message?: ChatDelta | null;
    finish_reason?: string | null;
    /** vLLM: the stop string that ended the answer. */
    stop_reason?: unknown;
    /** SGLang: the same. */
    matched_stop?: unknown;
  }[];
  usage?: ChatUsage | null;
  error?: unknown;
}

// lib/translate/usage.ts --------------------------------------------------------------------

/**
 * Translates token counts; Anthropic counts cached input apart, OpenAI as a part of the prompt.
 *
 * @param usage What the upstream reported last; absent when it reported nothing.
 * @param estimate The estimated counts that stand in for what is absent.
 */
function toUsage(usage: ChatUsage | undefined, estimate: { input: number; output: number }): Usage {
  const prompt = usage?.prompt_tokens || estimate.input;
  const cached = Math.min(prompt, usage?.prompt_tokens_details?.cached_tokens ?? 0);
  return {
    input_tokens: prompt - cached,
    output_tokens: usage?.completion_tokens ?? estimate.output,
    cache_read_input_tokens: cached,
    cache_creation_input_tokens: 0,
  };
}

// lib/wire/ids.ts ---------------------------------------------------------------------------

/** Makes an id no other call has made, such as `msg_` followed by 24 letters and digits. */
export type NewId = (prefix: string) => string;

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/**
 * Makes a random id in the form of Anthropic's own.
 *
 * Ids must differ over a whole conversation: Claude Code throws away a tool call whose id it has
 * seen in an earlier turn.
 */
export function randomId(prefix: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return `${prefix}${Array.from(bytes, (byte) => DIGITS[byte % DIGITS.length]).join("")}`;
}

/** A short text that stands for `value`: the same in each run, on each machine (FNV-1a, 53 bits). */
function toDigest(value: string, length: number): string {
  let [a, b] = [0x811c9dc5, 0x01000193];
  for (let i = 0; i < value.length; i++) {
    a = Math.imul(a ^ value.charCodeAt(i), 0x01000193);
    b = Math.imul(b ^ value.charCodeAt(i), 0x85ebca6b) ^ (a >>> 13);
  }
  const number = (a >>> 0) * 2 ** 21 + ((b >>> 0) >>> 11);
  return number.toString(36).padStart(length, "0").slice(-length);
}

// lib/stream/block_sequencer.ts -------------------------------------------------------------

/**
 * What Arbiter signs thinking with. Clients send the signature back and some drop a thinking block
 * without one; nobody verifies it here.
 */
const SIGNATURE = "unsigned";

/** Keeps at most one block open and numbers blocks 0, 1, 2 …, as Anthropic's grammar demands. */
class BlockSequencer {
  #events: MessageStreamEvent[] = [];
  #index = -1;
  #open: ContentBlock["type"] | undefined;

  /** How many blocks have been started. */
  get count(): number {
    return this.#index + 1;
  }

  /** Appends text, in a new block when none of text is open. */
  text(text: string): void {
    if (this.#open !== "text") this.#start({ type: "text", text: "" });
    this.#delta({ type: "text_delta", text });
  }

  /** Appends thinking, in a new block when none of thinking is open. */
  thinking(thinking: string): void {
    if (this.#open !== "thinking") this.#start({ type: "thinking", thinking: "", signature: "" });
    this.#delta({ type: "thinking_delta", thinking });
  }

  /** Starts a tool call; a client may run it as soon as {@linkcode close} was called. */
  startTool(id: string, name: string): void {
    this.#start({ type: "tool_use", id, name, input: {} });
  }

  /** Appends a piece of the arguments of the open tool call. */
  toolInput(partial_json: string): void {
    if (partial_json !== "") this.#delta({ type: "input_json_delta", partial_json });
  }

  /** Closes the open block, if any. */
  close(): void {
    if (this.#open === "thinking") this.#delta({ type: "signature_delta", signature: SIGNATURE });
    if (this.#open) this.#events.push({ type: "content_block_stop", index: this.#index });
    this.#open = undefined;
  }

  /** Adds an event that belongs to no block. */
  push(event: MessageStreamEvent): void {
    this.#events.push(event);
  }

  /** Hands over the events since the last call. */
  take(): MessageStreamEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  #start(content_block: ContentBlock): void {
    this.close();
    this.#open = content_block.type;
    this.#events.push({ type: "content_block_start", index: ++this.#index, content_block });
  }

  /** Adds a delta, or lengthens the one before: what came in one read leaves as one event. */
  #delta(delta: BlockDelta): void {
    const last = this.#events.at(-1);
    if (last?.type === "content_block_delta") {
      const before = last.delta;
      if (before.type === "text_delta" && delta.type === "text_delta") {
        before.text += delta.text;
        return;
      }
      if (before.type === "thinking_delta" && delta.type === "thinking_delta") {
        before.thinking += delta.thinking;
        return;
      }
      if (before.type === "input_json_delta" && delta.type === "input_json_delta") {
        before.partial_json += delta.partial_json;
        return;
      }
    }
    this.#events.push({ type: "content_block_delta", index: this.#index, delta });
  }
}

// lib/dialects/tool_names.ts ----------------------------------------------------------------

/** Steps from what a model wrote to what it meant, each tried only if it leads to a declared name. */
const STEPS: readonly ((name: string) => string)[] = [
  (name) => name,
  (name) => name.trim(),
  (name) => name.split("<|", 1)[0] ?? name,
  (name) => name.replace(/^(?:functions|tools|default_api)\./, ""),
  (name) => name.replace(/:\d+$/, ""),
];

/**
 * Finds the declared tool a model means by `written`, such as `functions.Read:0` for `Read`.
 *
 * @param declared Maps each name sent upstream to the client's own name.
 * @returns The client's name of the tool; `written` itself when none fits, because the client then
 * tells the model which tools there are.
 */
function resolveToolName(written: string, declared: ReadonlyMap<string, string>): string {
  let name = written;
  for (const step of STEPS) {
    name = step(name);
    const own = declared.get(name);
    if (own !== undefined) return own;
  }
  const lower = name.toLowerCase();
  for (const [key, own] of declared) if (key.toLowerCase() === lower) return own;
  return written;
}

// lib/dialects/json_scanner.ts --------------------------------------------------------------

type Expectation = "value" | "key" | "first_key" | "first_item" | "colon" | "comma" | "end";

const LITERAL = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;
const SCALAR_CHAR = /[\w.+-]/;
const SPACE = /[ \t\n\r]/;
const HEX = /[0-9a-fA-F]/;

/**
 * Reads JSON that arrives in pieces and says how far it is certain to be legal.
 *
 * Tool arguments may only be sent on while what has been sent is the beginning of some valid JSON
 * text; a trailing comma, half a literal and half an escape are not certain yet.
 */
class JsonScanner {
  /** How many characters were read, up to and including the end of the value. */
  length = 0;
  /** How many of them may be sent on. */
  safe = 0;
  /** Whether the value is complete. */
  complete = false;
  /** Whether the text cannot be JSON any more; what is fed afterwards is only counted. */
  failed = false;
  /** Whether the value is an object that has at least one key. */
  filled = false;
  /** Brackets opened and not closed. */
  readonly #open: ("{" | "[")[] = [];
  #expect: Expectation = "value";
  /** The literal or number being read, whose end only the next character tells. */
  #scalar = "";
  #inString = false;
  /** Characters of an escape read so far, the backslash included. */
  #escape = "";

  /**
   * Takes the next piece.
   *
   * @returns What followed the end of the value in this piece; `""` while it goes on.
   */
  feed(piece: string): string {
    let i = 0;
    while (i < piece.length && !this.complete && !this.failed) {
      i += this.#inString ? this.#readString(piece, i) : this.#readToken(piece.charAt(i));
      if (!this.failed && this.#certain()) this.safe = this.length + i;
    }
    const end = this.complete ? i : piece.length;
    this.length += end;
    return piece.slice(end);
  }

  /**
   * What makes the text complete if it was only cut short: the first `keep` characters of it,
   * followed by `add`.
   */
  closing(): { keep: number; add: string } | undefined {
    const cut = this.failed || this.#escape !== "" || (this.#inString && this.#isKey()) ||
      (this.#scalar !== "" && !LITERAL.test(this.#scalar));
    const waits = this.#expect === "colon" || (this.#expect === "value" && !this.#afterComma());
    if (cut || (waits && !this.#inString && this.#scalar === "")) return undefined;
    const brackets = this.#open.map((bracket) => bracket === "{" ? "}" : "]").reverse().join("");
    return { keep: this.#afterComma() ? this.safe : this.length, add: (this.#inString ? '"' : "") + brackets };
  }

  #afterComma(): boolean {
    if (this.#inString || this.#scalar !== "") return false;
    return this.#expect === "key" || (this.#expect === "value" && this.#open.at(-1) === "[");
  }

  /** Whether any continuation that is wanted here keeps what has been read as it is. */
  #certain(): boolean {
    return this.#inString ? this.#escape === "" : this.#scalar === "" && !this.#afterComma();
  }

  #isKey(): boolean {
    return this.#expect === "key" || this.#expect === "first_key";
  }

  /** Reads on inside a string; gives how many characters were taken. */
  #readString(piece: string, from: number): number {
    const char = piece.charAt(from);
    if (this.#escape) {
      this.#escape += char;
      if (this.#escape.length === 2) {
        if (char !== "u" && !'"\\/bfnrt'.includes(char)) this.failed = true;
        if (char !== "u") this.#escape = "";
      } else if (!HEX.test(char)) this.failed = true;
      else if (this.#escape.length === 6) this.#escape = "";
      return 1;
    }
    let i = from;
    for (; i < piece.length; i++) {
      const code = piece.charCodeAt(i);
      if (code === 34 || code === 92 || code < 32) break;
    }
    if (i > from) return i - from;
    if (char === "\\") this.#escape = char;
    else if (char === '"') {
      this.#inString = false;
      this.#endValue(this.#isKey() ? "colon" : undefined);
    } else this.failed = true;
    return 1;
  }

  /** Reads one character outside strings; gives how many were taken, 0 to look at it again. */
  #readToken(char: string): number {
    if (this.#scalar) {
      if (SCALAR_CHAR.test(char)) {
        this.#scalar += char;
        return 1;
      }
      if (!LITERAL.test(this.#scalar)) this.failed = true;
      this.#scalar = "";
      this.#endValue();
      return 0;
    }
    if (SPACE.test(char)) return 1;
    const expect = this.#expect;
    const value = expect === "value" || expect === "first_item";
    if (value && SCALAR_CHAR.test(char)) this.#scalar = char;
    else if (char === '"' && (value || this.#isKey())) {
      this.#inString = true;
      if (this.#isKey() && this.#open.length === 1) this.filled = true;
    } else if (value && (char === "{" || char === "[")) {
      this.#open.push(char);
      this.#expect = char === "{" ? "first_key" : "first_item";
    } else if (char === ":" && expect === "colon") this.#expect = "value";
    else if (char === "," && expect === "comma") {
      this.#expect = this.#open.at(-1) === "{" ? "key" : "value";
    } else if (char === "}" && this.#mayClose("{", "first_key")) this.#close();
    else if (char === "]" && this.#mayClose("[", "first_item")) this.#close();
    else this.failed = true;
    return 1;
  }

  #mayClose(bracket: string, empty: Expectation): boolean {
    return this.#open.at(-1) === bracket && (this.#expect === "comma" || this.#expect === empty);
  }

  #close(): void {
    this.#open.pop();
    this.#endValue();
  }

  #endValue(next?: Expectation): void {
    this.#expect = next ?? (this.#open.length > 0 ? "comma" : "end");
    this.complete = this.#expect === "end";
  }
}

// lib/stream/tool_call.ts -------------------------------------------------------------------

/** How often arguments may be wrapped in a further JSON string. */
const MAX_WRAPS = 3;

/** One tool call of an answer, put together from whatever pieces the host sends. */
class ToolCall {
  /** The host's index; several calls may share one. */
  readonly index: number | undefined;
  /** The host's id, which never reaches the client. */
  id: string | undefined;
  /** The name as the host wrote it. */
  name = "";
  #scanner = new JsonScanner();
  /** Everything fed, to recognise hosts that repeat the whole text each time. */
  #fed = "";
  /** The arguments from the first character that was not handed out. */
  #pending = "";
  /** How many characters of the arguments were handed out by {@linkcode take}. */
  #taken = 0;

  constructor(index: number | undefined, id: string | undefined) {
    this.index = index;
    this.id = id;
  }

  /** Whether the arguments are a complete JSON value. */
  get complete(): boolean {
    return this.#scanner.complete;
  }

  /** Whether the arguments are complete and more than the `{}` some hosts send first. */
  get settled(): boolean {
    return this.complete && !this.#isPlaceholder();
  }

  /** Whether `piece` is all of the arguments so far over again, as snapshots and repetitions are. */
  repeats(piece: string): boolean {
    const { length } = this.#fed;
    return length > 1 && piece.length >= length && piece.startsWith(this.#fed);
  }

  /**
   * Takes the next piece of the arguments.
   *
   * @returns What follows after the arguments are complete: another call's arguments, or junk.
   */
  feed(piece: string): string {
    const snapshot = this.repeats(piece) && (this.complete || piece.length > this.#fed.length);
    const fresh = snapshot ? piece.slice(this.#fed.length) : piece;
    this.#fed += fresh;
    let rest = this.#scan(fresh);
    while (this.complete && this.#isPlaceholder() && rest.trim() !== "") {
      this.#scanner = new JsonScanner();
      this.#pending = "";
      rest = this.#scan(rest);
    }
    return rest;
  }

  /** What of the arguments may be sent on now and was not before. */
  take(): string {
    // Only objects are streamed: a string may be wrapped arguments, `{}` a placeholder.
    return this.#scanner.filled ? this.#takeUntil(this.#scanner.safe) : "";
  }

  /**
   * The rest of the arguments when nothing more will come.
   *
   * @param cut Whether the answer was cut short; then they stay as broken as they are, so that the
   * client does not run half a command.
   */
  finish(cut: boolean): string {
    const closing = cut ? undefined : this.#scanner.closing();
    const rest = this.#takeUntil(closing?.keep ?? this.#scanner.length) + (closing?.add ?? "");
    return this.#scanner.filled ? rest : unwrap(rest);
  }

  #scan(piece: string): string {
    if (this.complete) return piece;
    const rest = this.#scanner.feed(piece);
    this.#pending += rest === "" ? piece : piece.slice(0, piece.length - rest.length);
    return rest;
  }

  #takeUntil(end: number): string {
    const piece = this.#pending.slice(0, end - this.#taken);
    this.#pending = this.#pending.slice(piece.length);
    this.#taken += piece.length;
    return piece;
  }

  #isPlaceholder(): boolean {
    return !this.#scanner.filled && /^\s*(?:\{\s*\}|null)\s*$/.test(this.#pending);
  }
}

/** Arguments as an object: absent ones are `{}`, wrapped ones are taken out of their strings. */
function unwrap(text: string): string {
  let value = text.trim();
  for (let i = 0; i < MAX_WRAPS && value.startsWith('"'); i++) {
    try {
      value = String(JSON.parse(value)).trim();
    } catch {
      return text;
    }
  }
  return value === "" || value === "null" ? "{}" : value;
}

// lib/stream/tool_call_assembler.ts ---------------------------------------------------------

function toArgumentText(value: unknown): string {
  if (typeof value === "string") return value;
  return value === null || value === undefined ? "" : JSON.stringify(value);
}

/**
 * Puts tool calls together from deltas of every shape hosts send, and passes them on one at a time.
 *
 * Hosts leave out the index or give each call the same one, repeat ids, names or whole arguments,
 * and mix the pieces of parallel calls. The client runs a call as soon as its block is closed, so a
 * block is closed only when its arguments are complete.
 */
class ToolCallAssembler {
  readonly #blocks: BlockSequencer;
  readonly #names: ReadonlyMap<string, string>;
  readonly #newId: NewId;
  readonly #calls: ToolCall[] = [];
  /** Position in `#calls` of the first call that is not closed; the only one that is sent on. */
  #active = 0;
  #open = false;

  /**
   * @param names Maps each function name sent upstream to the client's own.
   */
  constructor(blocks: BlockSequencer, names: ReadonlyMap<string, string>, newId: NewId) {
    this.#blocks = blocks;
    this.#names = names;
    this.#newId = newId;
  }

  /** How many calls there are. */
  get count(): number {
    return this.#calls.length;
  }

  /** Takes the `tool_calls` of one chunk. */
  feed(deltas: readonly ToolCallDelta[]): void {
    for (const delta of deltas) {
      const text = toArgumentText(delta.function?.arguments);
      const call = this.#find(delta, text);
      if (delta.id) call.id ??= delta.id;
      this.#setName(call, delta.function?.name ?? "");
      this.#feedArguments(call, text);
    }
    this.#advance();
  }

  /** Closes the active call if it is complete, so that something else may follow; tells whether. */
  settle(): boolean {
    const call = this.#calls[this.#active];
    if (call?.settled) this.#close(call, false);
    return this.#active >= this.#calls.length;
  }

  /**
   * Closes all calls.
   *
   * @param cut Whether the answer was cut short by its length.
   * @returns Whether a call was cut with it.
   */
  flush(cut: boolean): boolean {
    let broken = false;
    for (let call = this.#calls[this.#active]; call; call = this.#calls[this.#active]) {
      broken ||= cut && !call.complete;
      if (!this.#open && cut && !call.complete) this.#active++;
      else this.#close(call, cut);
    }
    return broken;
  }

  #find(delta: ToolCallDelta, text: string): ToolCall {
    const { id } = delta;
    const index = delta.index ?? undefined;
    const name = delta.function?.name;
    const last = index === undefined && id
      ? this.#calls.findLast((call) => call.id === id)
      : this.#calls.findLast((call) => index === undefined || call.index === index);
    if (!last) return this.#add(index, id);
    // One index for several calls: another id, or a name after the arguments were complete.
    const another = id && last.id && id !== last.id;
    const again = name && last.complete && !(text !== "" && last.repeats(text)) &&
      !(text === "" && name === last.name);
    return another || again ? this.#add(index, id) : last;
  }

  #add(index: number | undefined, id: string | null | undefined): ToolCall {
    const call = new ToolCall(index, id ?? undefined);
    this.#calls.push(call);
    return call;
  }

  /** Names come whole, late, or again with each piece; rarely in pieces. */
  #setName(call: ToolCall, piece: string): void {
    if (piece === "" || piece === call.name || this.#names.has(call.name)) return;
    const longer = call.name + piece;
    const known = [...this.#names.keys()].some((name) => name.startsWith(longer));
    call.name = call.name === "" || !known ? piece : longer;
  }

  #feedArguments(call: ToolCall, text: string): void {
    const rest = call.feed(text).trimStart();
    if (!rest.startsWith("{")) return;
    const next = this.#add(call.index, undefined);
    next.name = call.name;
    this.#feedArguments(next, rest);
  }

  /** Sends on what is certain; closes each complete call that another one follows. */
  #advance(): void {
    for (let call = this.#calls[this.#active]; call; call = this.#calls[this.#active]) {
      const piece = call.name === "" ? "" : call.take();
      if (piece !== "") {
        this.#start(call);
        this.#blocks.toolInput(piece);
      }
      if (!call.settled || this.#active === this.#calls.length - 1) return;
      this.#close(call, false);
    }
  }

  #start(call: ToolCall): void {
    if (this.#open) return;
    this.#blocks.startTool(this.#newId("toolu_"), resolveToolName(call.name, this.#names));
    this.#open = true;
  }

  #close(call: ToolCall, cut: boolean): void {
    // A call without a name goes on as it is: the client tells the model that it is no tool.
    call.name ||= "unnamed";
    this.#start(call);
    this.#blocks.toolInput(call.finish(cut));
    this.#blocks.close();
    this.#open = false;
    this.#active++;
  }
}

// lib/stream/chunk_translator.ts ------------------------------------------------------------

/** Options of {@linkcode ChunkTranslator}. */
export interface ChunkTranslatorOptions {
  /** Maps each function name sent upstream to the client's own. @default {new Map()} */
  toolNames?: ReadonlyMap<string, string>;
  /** The request's `stop_sequences`. @default {[]} */
  stopSequences?: readonly string[];
  /** Whether answers of this family begin inside `<think>`. @default {false} */
  startsInThinking?: boolean;
  /** Estimated input tokens, for hosts that report no usage. @default {0} */
  inputTokens?: number;
  /** Makes ids of tool calls. @default {randomId} */
  newId?: NewId;
}

/** The first event of an answer, which may leave before the upstream has said anything. */
export function toMessageStart(
  id: string,
  model: string,
  inputTokens: number,
): MessageStreamEvent & { type: "message_start" } {
  const usage = toUsage(undefined, { input: inputTokens, output: 0 });
  const message: Message = {
    id,
    type: "message",
    role: "assistant",
    model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage,
  };
  return { type: "message_start", message };
}

function toReasoning(delta: ChatDelta): string {
  // Hosts may fill several fields with the same text: only one is read.
  return delta.reasoning_content || delta.reasoning ||
    delta.reasoning_details?.map((detail) => detail.text ?? detail.summary ?? "").join("") || "";
}

function toContentText({ content, refusal }: ChatDelta): string {
  if (typeof content === "string" && content !== "") return content;
  return Array.isArray(content) ? content.map((part) => part.text ?? "").join("") : refusal ?? "";
}

/**
 * Translates the chunks of one answer into the events of Anthropic's stream, `message_start`
 * excepted. A whole completion is a stream of one chunk.
 *
 * Each field of a chunk is read for itself: calls may come with the finish reason, usage with or
 * without choices, and text and reasoning in any mixture.
 */
export class ChunkTranslator {
  readonly #blocks = new BlockSequencer();
  readonly #calls: ToolCallAssembler;
  readonly #tags: ThinkTagSplitter;
  readonly #stopSequences: readonly string[];
  readonly #inputTokens: number;
  /** Blank text that is sent only if more text follows: models pad calls and thinking with it. */
  #blank = "";
  /** Text that came while a call was open; it follows after the call. */
  #late = "";
  #usage: ChatUsage | undefined;
  #outputChars = 0;
  #finishReason: string | undefined;
  #stopSequence: string | null = null;

  constructor(options: ChunkTranslatorOptions = {}) {
    const { toolNames = new Map(), newId = randomId } = options;
    this.#calls = new ToolCallAssembler(this.#blocks, toolNames, newId);
    this.#tags = new ThinkTagSplitter(options.startsInThinking);
    this.#stopSequences = options.stopSequences ?? [];
    this.#inputTokens = options.inputTokens ?? 0;
  }

  /** Whether the upstream has said that the answer is complete. */
  get finished(): boolean {
    return this.#finishReason !== undefined;
  }

  /** Takes the chunks of one read; a delta that continues another is merged with it. */
  feed(chunks: readonly ChatChunk[]): MessageStreamEvent[] {
    for (const chunk of chunks) this.#feedChunk(chunk);
    return this.#blocks.take();
  }

  /**
   * Ends the answer.
   *
   * @throws {ApiError} `overloaded_error` if the upstream said nothing at all.
   */
  flush(): MessageStreamEvent[] {
    this.#addSegments(this.#tags.flush());
    const cut = this.#finishReason === "length";
    const broken = this.#calls.flush(cut);
    if (this.#late !== "") this.#blocks.text(this.#late);
    this.#late = "";
    this.#blocks.close();
    if (this.#blocks.count === 0 && !this.finished) {
      throw new ApiError("overloaded_error", "The model's answer was empty");
    }
    const reason = this.#stopSequence === null ? toStopReason(this.#finishReason) : "stop_sequence";
    const stop_reason = this.#calls.count > 0 && !broken ? "tool_use" : reason;
    const output = Math.ceil(this.#outputChars / 4);
    const usage = toUsage(this.#usage, { input: this.#inputTokens, output });
    const delta = { stop_reason, stop_sequence: this.#stopSequence };
    this.#blocks.push({ type: "message_delta", delta, usage });
    this.#blocks.push({ type: "message_stop" });
    return this.#blocks.take();
  }

  #feedChunk(chunk: ChatChunk): void {
    if (chunk.usage) this.#usage = { ...this.#usage, ...chunk.usage };
    const choice = chunk.choices?.[0];
    if (!choice) return;
    const delta = choice.delta ?? choice.message;
    if (delta) this.#feedDelta(delta);
    if (choice.finish_reason) this.#finishReason = choice.finish_reason;
    const stop = choice.stop_reason ?? choice.matched_stop;
    if (typeof stop === "string" && this.#stopSequences.includes(stop)) this.#stopSequence = stop;
  }

  #feedDelta(delta: ChatDelta): void {
    const reasoning = toReasoning(delta);
    if (reasoning !== "") this.#add({ kind: "thinking", text: reasoning });
    const text = toContentText(delta);
    if (text !== "") this.#addSegments(this.#tags.feed(text));
    const calls = delta.tool_calls ?? (delta.function_call && [{ function: delta.function_call }]);
    if (!calls?.length) return;
    this.#addSegments(this.#tags.flush());
    this.#blank = "";
    for (const call of calls) {
      const text = call.function?.arguments;
      if (typeof text === "string") this.#outputChars += text.length;
    }
    this.#calls.feed(calls);
  }

  #addSegments(segments: Segment[]): void {
    for (const segment of segments) this.#add(segment);
  }

  #add({ kind, text }: Segment): void {
    this.#outputChars += text.length;
    const idle = this.#calls.settle();
    if (kind === "thinking") {
      // Thinking in the middle of a call has no place in the grammar; nothing depends on it.
      if (idle) this.#blocks.thinking(text);
      return;
    }
    this.#blank += text;
    if (this.#blank.trim() === "") return;
    if (idle) this.#blocks.text(this.#blank);
    else this.#late += this.#blank;
    this.#blank = "";
  }
}

// lib/upstream/candidate.ts -----------------------------------------------------------------

/** A host that speaks OpenAI's chat completions. */
interface Backend {
  /** Short name for logs and messages. */
  name: string;
  /** Address up to and including `/v1`, without a slash at the end. */
  baseUrl: string;
  /** Sent as a bearer token; nothing is sent when absent. */
  apiKey?: string;
}

/** One model at one host: a place a request may go to. */
interface Candidate {
  backend: Backend;
  /** The host's name of the model. */
  model: string;
  family: Family;
}

/** An answer that has begun: the candidate that gives it, and its events as they come. */
interface Answer {
  candidate: Candidate;
  /**
   * The events of each read of the upstream, `message_start` excepted; ends after `message_stop`.
   * Throws an `ApiError` when the upstream breaks off.
   */
  events: AsyncGenerator<MessageStreamEvent[], void>;
  /** What could not be carried over, one sentence each. */
  warnings: string[];
}

/** What {@linkcode Send} is given beside the request. */
interface SendOptions {
  /** Where the request may go, in order of preference. */
  candidates: readonly Candidate[];
  /** Fires when nobody waits for the answer any more. */
  signal: AbortSignal;
  /** Estimated input tokens of the request. */
  inputTokens: number;
}

/**
 * Sends a request to whichever candidate answers.
 *
 * Resolves with the first content, so that everything that fails before can be tried again
 * elsewhere without the client noticing; rejects with an `ApiError` when no candidate answers.
 */
type Send = (request: MessagesRequest, options: SendOptions) => Promise<Answer>;

// lib/wire/clock.ts -------------------------------------------------------------------------

/** Time as an argument, so that tests never sleep. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `run` once after `ms` milliseconds and gives a way to call it off. */
  after(ms: number, run: () => void): () => void;
}

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

/** Resolves to `value` after `ms` milliseconds; `cancel` lets the timer go. */
function createTimeout<T>(clock: Clock, ms: number, value: T): { promise: Promise<T>; cancel: () => void } {
  let cancel = () => {};
  const promise = new Promise<T>((resolve) => {
    cancel = clock.after(ms, () => resolve(value));
  });
  return { promise, cancel };
}

// lib/stream/event_encoder.ts ---------------------------------------------------------------

const encoder = new TextEncoder();

/** Encodes events as server-sent events, all of one read in one piece. */
export function encodeEvents(events: readonly (MessageStreamEvent | ApiErrorBody)[]): Uint8Array {
  let text = "";
  for (const event of events) text += `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
  return encoder.encode(text);
}

// lib/server/event_stream.ts ----------------------------------------------------------------

/**
 * Claude Code gives up after ten minutes of pings alone; an empty `message_delta` counts as life
 * (observed with 2.1.328: streams of 12 minutes survive one a minute).
 */
const EMPTY_DELTA_INTERVAL = 240_000;

const EMPTY_DELTA: MessageStreamEvent = {
  type: "message_delta",
  delta: { stop_reason: null, stop_sequence: null },
  usage: { output_tokens: 0 },
};

/** Options of {@linkcode toEventStream}. */
interface EventStreamOptions {
  /** The event to begin with. */
  start: MessageStreamEvent;
  /** The answer, which may still be on its way. */
  answer: Promise<Answer>;
  /** Whether to send `start` before the answer is there. */
  early: boolean;
  /**
   * Whether to break the connection when the upstream breaks off after content: Claude Code then
   * sends the request again, where an `error` event would cost a second one without streaming.
   */
  cutsOff: boolean;
  /** Milliseconds of silence after which a `ping` is sent. */
  pingInterval: number;
  clock: Clock;
  /** Called with each batch of events, before it leaves. */
  onEvents: (events: readonly MessageStreamEvent[]) => void;
  /** Called once when all is over, with the reason if it went wrong. */
  onEnd: (error?: ApiError) => void;
  /** Called when the client went away. */
  onCancel: () => void;
}

/** Whether asking again may help, so that Claude Code should be made to do so. */
function isTransient(error: ApiError): boolean {
  return error.status >= 429 && error.headers["x-should-retry"] !== "false";
}

/**
 * The body of a streamed answer: one write for each read of the upstream, pings in its silences.
 *
 * A broken answer never ends like a whole one.
 */
function toEventStream(options: EventStreamOptions): ReadableStream<Uint8Array> {
  const { clock, pingInterval } = options;
  let unsent: MessageStreamEvent[] = [options.start];
  let answer: Answer | undefined;
  let [wrote, content, over] = [false, false, false];
  let lastDelta = clock.now();
  let cancelTick = () => {};

  function end(error?: ApiError): void {
    if (over) return;
    over = true;
    cancelTick();
    options.onEnd(error);
  }

  function write(controller: ReadableStreamDefaultController<Uint8Array>, events: MessageStreamEvent[]): void {
    wrote = true;
    controller.enqueue(encodeEvents([...unsent, ...events]));
    unsent = [];
  }

  function tick(controller: ReadableStreamDefaultController<Uint8Array>): void {
    cancelTick = clock.after(pingInterval, () => {
      if (over) return;
      const stalled = (controller.desiredSize ?? 0) <= 0;
      if (!wrote && !stalled) {
        const late = clock.now() - lastDelta >= EMPTY_DELTA_INTERVAL;
        if (late) lastDelta = clock.now();
        write(controller, [late ? EMPTY_DELTA : { type: "ping" }]);
      }
      wrote = false;
      tick(controller);
    });
  }

  function fail(controller: ReadableStreamDefaultController<Uint8Array>, thrown: unknown): void {
    if (over) return;
    const error = toApiError(thrown);
    end(error);
    if (content && options.cutsOff) return controller.error(error);
    const shown = options.cutsOff && isTransient(error) ? new ApiError("overloaded_error", error.message) : error;
    controller.enqueue(encodeEvents([...unsent, shown.toJSON()]));
    controller.close();
  }

  return new ReadableStream<Uint8Array>({
    start(controller) {
      if (options.early) write(controller, []);
      tick(controller);
    },
    async pull(controller) {
      try {
        answer ??= await options.answer;
        const { value = [], done } = await answer.events.next();
        if (over) return;
        options.onEvents(value);
        if (value.some((event) => event.type === "content_block_start")) content = true;
        lastDelta = clock.now();
        if (value.length > 0) write(controller, value);
        if (!done && value.at(-1)?.type !== "message_stop") return;
        // The response ends here, Claude Code waits for that; the upstream's may take longer.
        answer.events.next().catch(() => {});
        end();
        controller.close();
      } catch (thrown) {
        fail(controller, thrown);
      }
    },
    cancel() {
      options.onCancel();
      end(new ApiError("api_error", "The client went away"));
    },
  });
}

// lib/server/request_log.ts -----------------------------------------------------------------

/** What is known about a request once it is over; never content, never a key. */
export interface RequestLog {
  /** The `request-id` the client was given. */
  id: string;
  method: string;
  path: string;
  /** HTTP status; 499 when the client went away first. */
  status: number;
  /** Milliseconds from the request's arrival to the last byte of the answer. */
  ms: number;
  /** The model the client asked for. */
  asked?: string;
  /** The model that answered. */
  model?: string;
  inputTokens?: number;
  outputTokens?: number;
  /** Why it failed, also when that was after the status had been sent. */
  error?: string;
  /** What could not be carried over, one sentence each. */
  warnings?: string[];
}

/** A request on its way, and the log that fills while it lasts. */
interface Exchange {
  request: Request;
  /** What the route's pattern captured. */
  params: string[];
  log: RequestLog;
  /** Settles when the answer is over, for answers that go on after the response was returned. */
  ended?: Promise<void>;
}

/** One line about a request, for people and for `grep`. */
function formatRequestLog(log: RequestLog): string {
  const { asked, model, inputTokens, outputTokens } = log;
  const models = asked === undefined ? [] : [model ? `${asked} → ${model}` : asked];
  const tokens = outputTokens === undefined ? [] : [`${inputTokens ?? 0}+${outputTokens} tokens`];
  const error = log.error ? [log.error] : [];
  const line = [`${log.method} ${log.path}`, log.status, ...models, `${Math.round(log.ms)} ms`];
  return [...line, ...tokens, log.id, ...error].join(" · ");
}

// lib/server/messages.ts --------------------------------------------------------------------

/** What the messages route works with. */
interface MessagesOptions {
  send: Send;
  /** Where a request may go, in order of preference. */
  toCandidates: (request: MessagesRequest) => Candidate[];
  /** Milliseconds to wait for the upstream before the response begins. */
  hold: number;
  /** Milliseconds of silence in a stream after which a `ping` is sent. */
  pingInterval: number;
  clock: Clock;
  newId: NewId;
  /** Holds a controller for each answer that is on its way. */
  running: Set<AbortController>;
}

async function readAll(answer: Answer): Promise<MessageStreamEvent[]> {
  const events: MessageStreamEvent[] = [];
  for (;;) {
    const { value, done } = await answer.events.next();
    if (done) return events;
    events.push(...value);
    if (events.at(-1)?.type !== "message_stop") continue;
    answer.events.next().catch(() => {});
    return events;
  }
}

function noteEvents(log: Exchange["log"], events: readonly MessageStreamEvent[]): void {
  const last = events.findLast((event) => event.type === "message_delta");
  if (!last) return;
  const { input_tokens = 0, cache_read_input_tokens = 0, output_tokens } = last.usage;
  log.inputTokens = input_tokens + cache_read_input_tokens;
  log.outputTokens = output_tokens;
}

/**
 * Answers `POST /v1/messages`.
 *
 * A failure within the hold is a truthful HTTP status. After it the stream has begun: pings keep the
 * client waiting, and what fails then can only be told inside the stream.
 *
 * @throws {ApiError} If no candidate answers before the response begins.
 */
async function answerMessages(exchange: Exchange, body: unknown, options: MessagesOptions): Promise<Response> {
  const { request: { headers, signal }, log } = exchange;
  const { clock, newId, pingInterval, running } = options;
  const request = parseMessagesRequest(body);
  log.asked = request.model;
  const gone = new AbortController();
  const onAbort = () => gone.abort(signal.reason);
  const release = () => {
    running.delete(gone);
    signal.removeEventListener("abort", onAbort);
    if (gone.signal.aborted) log.status = 499;
  };
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  running.add(gone);
  const inputTokens = estimateRequestTokens(request);
  const candidates = options.toCandidates(request);
  const pending = options.send(request, { candidates, signal: gone.signal, inputTokens })
    .then((answer) => {
      log.model = answer.candidate.model;
      if (answer.warnings.length > 0) log.warnings = answer.warnings;
      return answer;
    });
  pending.catch(() => {}); // It is awaited below or by the stream, perhaps only later.
  const start = toMessageStart(newId("msg_"), request.model, inputTokens);
  if (!request.stream) {
    const events = await pending.then(readAll).finally(release);
    noteEvents(log, events);
    return Response.json(toMessage(events, start.message));
  }

  const hold = createTimeout(clock, options.hold, undefined);
  const early = await Promise.race([pending, hold.promise])
    .finally(hold.cancel)
    .then((answer) => answer === undefined, (thrown) => {
      release();
      throw thrown;
    });
  let settle = () => {};
  exchange.ended = new Promise((resolve) => settle = resolve);
  const stream = toEventStream({
    start,
    answer: pending,
    early,
    cutsOff: headers.get("user-agent")?.startsWith("claude-cli/") ?? false,
    pingInterval,
    clock,
    onEvents: (events) => noteEvents(log, events),
    onEnd(error?: ApiError) {
      release();
      if (error) log.error = error.message;
      settle();
    },
    onCancel: () => gone.abort(),
  });
  return new Response(stream, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      "x-accel-buffering": "no",
    },
  });
}

// lib/server/handler.ts ---------------------------------------------------------------------

/** What the handler works with. */
interface HandlerOptions extends MessagesOptions {
  /** Largest request body, in bytes. */
  maxBodyBytes: number;
  /** Upstream ids of the models to list. */
  models: readonly string[];
  /** The version to tell. */
  version: string;
  /** Called when a request is over. */
  onRequest: (log: RequestLog) => void;
}

type Answerer = (exchange: Exchange, options: HandlerOptions) => Response | Promise<Response>;

interface Route {
  path: RegExp;
  methods: Record<string, Answerer>;
}

function toModel(id: string): object {
  return { type: "model", id, display_name: id, created_at: "1970-01-01T00:00:00Z" };
}

const ROUTES: readonly Route[] = [
  {
    path: /^\/v1\/messages$/,
    methods: {
      POST: async (exchange, options) => {
        const body = await readJson(exchange.request, options.maxBodyBytes);
        return await answerMessages(exchange, body, options);
      },
    },
  },
  {
    path: /^\/v1\/messages\/count_tokens$/,
    methods: {
      POST: async ({ request }, { maxBodyBytes }) => {
        const body = parseMessagesRequest(await readJson(request, maxBodyBytes), false);
        return Response.json({ input_tokens: estimateRequestTokens(body) });
      },
    },
  },
  {
    path: /^\/v1\/models$/,
    methods: {
      GET: (_exchange, { models }) => {
        const ends = { first_id: models[0] ?? null, last_id: models.at(-1) ?? null };
        return Response.json({ data: models.map(toModel), has_more: false, ...ends });
      },
    },
  },
  {
    path: /^\/v1\/models\/(.+)$/,
    methods: {
      GET: ({ params: [id = ""] }, { models }) => {
        if (models.includes(id)) return Response.json(toModel(id));
        throw new ApiError("not_found_error", `No model '${id}': GET /v1/models lists them`);
      },
    },
  },
  {
    path: /^\/(?:api\/hello)?$/,
    methods: {
      GET: (_exchange, { version, models }) =>
        Response.json({ name: "arbiter", version, status: "online", model: models[0] ?? null }),
    },
  },
  {
    path: /^\/(?:health|healthz|readyz)$/,
    methods: { GET: (_exchange, { version }) => Response.json({ status: "ok", version }) },
  },
];

function toPath(url: string): string {
  const { pathname } = new URL(url);
  // A base URL that ends in /v1 makes clients ask for /v1/v1/messages.
  const path = pathname.replace(/^(?:\/v1)+(?=\/)/, "/v1").replace(/(?<=.)\/+$/, "");
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

async function answerRoute(exchange: Exchange, options: HandlerOptions): Promise<Response> {
  const { method, path } = exchange.log;
  const route = ROUTES.find((route) => route.path.test(path));
  if (!route) throw new ApiError("not_found_error", `No route for ${method} ${path}`);
  exchange.params = route.path.exec(path)?.slice(1) ?? [];
  const answer = route.methods[method === "HEAD" ? "GET" : method];
  if (answer) return await answer(exchange, options);
  const allow = Object.keys(route.methods).flatMap((m) => m === "GET" ? ["GET", "HEAD"] : m);
  throw new ApiError("invalid_request_error", `${path} does not take ${method}`, {
    status: 405,
    headers: { allow: allow.join(", ") },
  });
}

function toErrorResponse(error: ApiError, id: string): Response {
  const { status, headers } = error;
  return Response.json({ ...error.toJSON(), request_id: id }, { status, headers });
}

/**
 * Makes the handler of the whole proxy: a pure function from request to response.
 *
 * Paths are matched without the query. Whatever goes wrong is answered in Anthropic's error shape.
 */
function createHandler(options: HandlerOptions): (request: Request) => Promise<Response> {
  const { clock, newId, onRequest } = options;
  return async (request) => {
    const began = clock.now();
    const id = newId("req_");
    const { method } = request;
    const log: RequestLog = { id, method, path: toPath(request.url), status: 200, ms: 0 };
    const exchange: Exchange = { request, params: [], log };
    const finish = () => {
      log.ms = clock.now() - began;
      onRequest(log);
    };
    let response: Response;
    try {
      response = await answerRoute(exchange, options);
      log.status = response.status;
    } catch (thrown) {
      const error = toApiError(thrown);
      response = toErrorResponse(error, id);
      log.error = error.message;
      if (log.status !== 499) log.status = error.status;
    }
    if (exchange.ended) exchange.ended.then(finish);
    else finish();
    response.headers.set("request-id", id);
    if (method !== "HEAD") return response;
    return new Response(null, { status: response.status, headers: response.headers });
  };
}

// lib/stream/sse_decoder.ts -----------------------------------------------------------------

/** Characters one SSE event may have before it is taken for an attack or a broken host. */
const MAX_EVENT_CHARS = 16 * 1024 * 1024;

/**
 * Decodes server-sent events from bytes, cut anywhere, and gives the `data` of each.
 *
 * Only `data` matters here: OpenAI-compatible hosts name no events. Lines end in LF, CRLF or CR; an
 * event ends at a blank line or with the stream, since some hosts leave out the last blank line.
 */
export class SseDecoder {
  readonly #decoder = new TextDecoder();
  /** Pieces of the line that is not complete yet, joined once it is: appending would be quadratic. */
  #pieces: string[] = [];
  #pieceChars = 0;
  /** The data lines of the event that is not complete yet. */
  #data: string[] = [];
  /** Whether the last piece ended in CR, so that an LF to come belongs to it. */
  #afterCr = false;

  /**
   * Takes the next bytes and gives the data of the events that are complete with them.
   *
   * @throws {RangeError} If one event has more than 16 Mi characters.
   */
  feed(bytes: Uint8Array): string[] {
    return this.#feedText(this.#decoder.decode(bytes, { stream: true }));
  }

  /** Gives the event the stream ended in, if any. */
  flush(): string[] {
    return this.#feedText(`${this.#decoder.decode()}\n\n`);
  }

  #feedText(chunk: string): string[] {
    const events: string[] = [];
    let text = chunk;
    if (this.#afterCr && text !== "") {
      if (text.startsWith("\n")) text = text.slice(1);
      this.#afterCr = false;
    }
    if (text.includes("\r")) {
      this.#afterCr = text.endsWith("\r");
      text = text.replace(/\r\n?/g, "\n");
    }
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      let line = text.slice(start, end);
      if (this.#pieces.length > 0) {
        line = this.#pieces.join("") + line;
        this.#pieces = [];
        this.#pieceChars = 0;
      }
      start = end + 1;
      if (line === "") {
        if (this.#data.length > 0) events.push(this.#data.join("\n"));
        this.#data = [];
      } else if (line.startsWith("data:")) {
        this.#data.push(line.charAt(5) === " " ? line.slice(6) : line.slice(5));
      }
    }
    if (start < text.length) {
      this.#pieces.push(start === 0 ? text : text.slice(start));
      this.#pieceChars += text.length - start;
      if (this.#pieceChars > MAX_EVENT_CHARS) {
        throw new RangeError(`Cannot read an event of more than ${MAX_EVENT_CHARS} characters`);
      }
    }
    return events;
  }
}

// lib/translate/content.ts ------------------------------------------------------------------

/** Takes a sentence about something that was lost in translation. */
type Warn = (warning: string) => void;

/** What content translation has to know about the model. */
interface ContentOptions {
  /** Whether the model sees images. */
  vision: boolean;
  warn: Warn;
}

const NO_IMAGE = "[An image stood here. This model cannot see images: ask for a description, or " +
  "inspect the file with a tool.]";

function toImagePart(source: JsonObject, { vision, warn }: ContentOptions): ChatPart {
  const { type, media_type, data, url } = source;
  if (!vision) {
    warn("Cannot show an image to the model: replaced by a note");
    return { type: "text", text: NO_IMAGE };
  }
  if (type === "base64") {
    return { type: "image_url", image_url: { url: `data:${media_type};base64,${data}` } };
  }
  if (typeof url === "string") return { type: "image_url", image_url: { url } };
  warn(`Cannot show an image with a source of type '${type}': replaced by a note`);
  return { type: "text", text: NO_IMAGE };
}

function toDocumentParts(block: ContentBlockParam & { type: "document" }, options: ContentOptions): ChatPart[] {
  const { type, media_type, data, url, content } = block.source;
  const name = block.title ? `The document "${block.title}"` : "A document";
  const context = block.context ? `${block.context}\n` : "";
  const text = (value: string): ChatPart[] => [{ type: "text", text: context + value }];
  if (type === "text" && typeof data === "string") return text(data);
  if (type === "content" && typeof content === "string") return text(content);
  if (type === "content" && Array.isArray(content)) return toParts(content, options);
  options.warn(`Cannot show a document of type '${media_type ?? type}': replaced by a note`);
  const size = typeof data === "string" ? `, ${Math.ceil(data.length * 3 / 4 / 1024)} kB` : "";
  const place = typeof url === "string" ? ` from ${url}` : "";
  return text(
    `[${name}${place} (${media_type ?? "unknown type"}${size}) was attached here. It cannot be ` +
      "shown to this model. To read it, run a tool on the file, for example " +
      "`pdftotext -layout FILE -` or Python's pypdf.]",
  );
}

/** Translates the blocks of a user message or a tool result; tool results are not its concern. */
function toParts(blocks: ContentBlockParam[], options: ContentOptions): ChatPart[] {
  return blocks.flatMap((block): ChatPart[] => {
    switch (block.type) {
      case "text":
        return block.text === "" ? [] : [{ type: "text", text: block.text }];
      case "image":
        return [toImagePart(block.source, options)];
      case "document":
        return toDocumentParts(block, options);
      case "tool_reference":
        return [{ type: "text", text: `The tool ${block.tool_name} is loaded now.` }];
      default: {
        // Blocks of server tools, search results and whatever comes next: better shown than lost.
        const { type, ...fields } = block as object as JsonObject;
        options.warn(`Cannot translate a block of type '${type}': passed as text`);
        const text = typeof fields.text === "string" ? fields.text : JSON.stringify(fields);
        return [{ type: "text", text: `[${type}] ${text}` }];
      }
    }
  });
}

/** Joins the text of parts with blank lines between. */
function toText(parts: ChatPart[]): string {
  return parts.flatMap((part) => part.type === "text" ? [part.text] : []).join("\n\n");
}

/** The shortest form of parts: hosts take a plain string everywhere, a list in few places. */
function toContent(parts: ChatPart[]): string | ChatPart[] {
  return parts.every((part) => part.type === "text") ? toText(parts) : parts;
}

/** The parts of content that may be a plain string. */
function toPartsOf(
  content: string | ContentBlockParam[] | null | undefined,
  options: ContentOptions,
): ChatPart[] {
  if (typeof content === "string") return content === "" ? [] : [{ type: "text", text: content }];
  return Array.isArray(content) ? toParts(content.filter(isJsonObject) as typeof content, options) : [];
}

// lib/translate/system.ts -------------------------------------------------------------------

/** Claude Code's first system block: accounting for Anthropic, different in each conversation. */
const BILLING = "x-anthropic-billing-header:";

/** Joins the system blocks into one text, without the block meant for Anthropic's accounting. */
function toSystemText(system: MessagesRequest["system"], warn: Warn): string {
  const parts = toPartsOf(system, { vision: false, warn });
  return toText(parts.filter((part) => part.type === "text" && !part.text.startsWith(BILLING)));
}

/** Wraps a system message from the middle of a conversation: most templates allow it only in front. */
function toReminder(text: string): string {
  return `<system-reminder>\n${text}\n</system-reminder>`;
}

// lib/translate/tool_ids.ts -----------------------------------------------------------------

type ToCallId = (id: string, name: string, position: number) => string;

/** The id a family wants for a call, from the client's id, the name and the position in the history. */
const CALL_ID_BY_RULE: Record<NonNullable<Family["toolCallIds"]>, ToCallId> = {
  any: (id) => id,
  kimi: (_id, name, position) => `functions.${name}:${position}`,
  mistral: (id) => toDigest(id, 9),
};

/**
 * Gives each call of a conversation the id its family wants, counting calls from the first on, so
 * that the same history always becomes the same text (prompt caches depend on it).
 */
class CallIds {
  readonly #toId: ToCallId;
  #position = 0;

  constructor(rule: Family["toolCallIds"] = "any") {
    this.#toId = CALL_ID_BY_RULE[rule];
  }

  /** The id of the next call. */
  next(id: string, name: string): string {
    return this.#toId(id, name, this.#position++);
  }
}

// lib/translate/schema.ts -------------------------------------------------------------------

/** Where JSON Schema keeps further schemas; all other keywords hold data and are not looked into. */
const SUBSCHEMAS: Record<string, "schema" | "list" | "map"> = {
  additionalProperties: "schema",
  contains: "schema",
  else: "schema",
  if: "schema",
  items: "schema",
  not: "schema",
  propertyNames: "schema",
  then: "schema",
  unevaluatedItems: "schema",
  unevaluatedProperties: "schema",
  allOf: "list",
  anyOf: "list",
  oneOf: "list",
  prefixItems: "list",
  $defs: "map",
  definitions: "map",
  dependentSchemas: "map",
  patternProperties: "map",
  properties: "map",
};

/** Keywords that carry no meaning for a model and that some hosts refuse. */
const NOISE: ReadonlySet<string> = new Set(["$schema", "$id", "$comment"]);

function clean(schema: unknown): unknown {
  // `true` and `false` are legal schemas, but several hosts accept objects only.
  if (!isJsonObject(schema)) return Array.isArray(schema) ? schema.map(clean) : {};
  const result: JsonObject = {};
  for (const [keyword, value] of Object.entries(schema)) {
    if (NOISE.has(keyword)) continue;
    const holds = Object.hasOwn(SUBSCHEMAS, keyword) ? SUBSCHEMAS[keyword] : undefined;
    if (holds === "schema") {
      if (typeof value !== "boolean") result[keyword] = clean(value);
    } else if (holds === "list" && Array.isArray(value)) result[keyword] = value.map(clean);
    else if (holds === "map" && isJsonObject(value)) {
      const entries = Object.entries(value).map(([name, sub]) => [name, clean(sub)]);
      result[keyword] = Object.fromEntries(entries);
    } else result[keyword] = value;
  }
  return result;
}

/**
 * Makes a tool's `input_schema` one that strict hosts accept, without changing what it asks for.
 *
 * Boolean subschemas and `$schema` go, in schema positions only: a property that is *called*
 * `$schema` or a default value that looks like a schema stays.
 */
function toParameters(schema: JsonObject): JsonObject {
  const parameters = clean(schema) as JsonObject;
  if (parameters.type === undefined) parameters.type = "object";
  if (parameters.type === "object" && !isJsonObject(parameters.properties)) {
    parameters.properties = {};
  }
  return parameters;
}

// lib/translate/tools.ts --------------------------------------------------------------------

/** Claude Code's stand-in for tools it has not loaded; nobody may call it. */
const PLACEHOLDER = "DeferredToolPlaceholder";

/**
 * The function name for a tool: at most 64 letters, digits, `_` and `-` (OpenAI's rule).
 *
 * A name that breaks the rule keeps its beginning and gets a digest of the whole.
 */
function toFunctionName(name: string): string {
  if (/^[\w-]{1,64}$/.test(name)) return name;
  return `${name.replace(/[^\w-]/g, "_").slice(0, 54)}_${toDigest(name, 9)}`;
}

/** Translates `tools`; Anthropic's own server tools cannot run here and are left out. */
function toChatTools(tools: MessagesRequest["tools"], warn: Warn): ChatTool[] {
  const result: ChatTool[] = [];
  for (const { name, description, input_schema } of tools ?? []) {
    if (name === PLACEHOLDER) continue;
    if (!input_schema) {
      warn(`Cannot offer the server tool '${name}' to the model: it runs at Anthropic only`);
      continue;
    }
    const parameters = toParameters(input_schema);
    const described = description ? { description } : {};
    result.push({ type: "function", function: { name: toFunctionName(name), ...described, parameters } });
  }
  return result;
}

/** Maps each function name sent upstream to the client's own name. */
function toToolNames(tools: MessagesRequest["tools"]): Map<string, string> {
  return new Map(tools?.map(({ name }) => [toFunctionName(name), name]));
}

/** Translates `tool_choice` with its `disable_parallel_tool_use`. */
function toToolChoice(choice: ToolChoice | undefined): Pick<ChatRequest, "tool_choice" | "parallel_tool_calls"> {
  if (!choice) return {};
  const name = toFunctionName(choice.name ?? "");
  const tool_choice = {
    auto: "auto",
    any: "required",
    none: "none",
    tool: { type: "function", function: { name } },
  } as const;
  const single = choice.disable_parallel_tool_use ? { parallel_tool_calls: false } : {};
  return { tool_choice: tool_choice[choice.type] ?? "auto", ...single };
}

// lib/translate/messages.ts -----------------------------------------------------------------

/** A tool result goes upstream as plain text that must not be empty. */
const NO_OUTPUT = "(no output)";
const NO_RESULT = "(no result: the call was interrupted)";

type AssistantMessage = ChatMessage & { role: "assistant" };

/** Consecutive messages of one side: what an assistant wrote, or what came in return. */
interface Turn {
  side: "assistant" | "client";
  messages: MessageParam[];
}

function toTurns(messages: MessageParam[]): Turn[] {
  const turns: Turn[] = [];
  for (const message of messages) {
    const side = message.role === "assistant" ? "assistant" : "client";
    const last = turns.at(-1);
    if (last?.side === side) last.messages.push(message);
    else turns.push({ side, messages: [message] });
  }
  return turns;
}

function toBlocks(content: MessageParam["content"]): ContentBlockParam[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : content;
}

/** Translates a conversation; one instance serves one request. */
class Conversation {
  readonly #out: ChatMessage[] = [];
  readonly #options: ContentOptions;
  readonly #ids: CallIds;
  /** The calls of the last assistant turn that wait for their results, in order of the calls. */
  #waiting: { clientId: string; name: string; id: string }[] = [];

  constructor(options: ContentOptions, rule: Family["toolCallIds"]) {
    this.#options = options;
    this.#ids = new CallIds(rule);
  }

  /** What an assistant wrote; `replay` says whether its reasoning goes along. */
  addAssistant(messages: MessageParam[], replay: boolean): void {
    const [texts, thoughts, calls]: [ContentBlockParam[], string[], ChatToolCall[]] = [[], [], []];
    for (const block of messages.flatMap((message) => toBlocks(message.content))) {
      if (block.type === "thinking") thoughts.push(block.thinking);
      else if (block.type === "tool_use") calls.push(this.#toCall(block));
      else if ((block.type as string) !== "redacted_thinking") texts.push(block);
    }
    const text = toText(toPartsOf(texts, this.#options));
    if (text === "" && calls.length === 0) return;
    const message: AssistantMessage = { role: "assistant", content: text || null };
    if (replay && thoughts.length > 0) message.reasoning_content = thoughts.join("\n");
    if (calls.length > 0) message.tool_calls = calls;
    this.#out.push(message);
  }

  /** What came in return: first the results in the order of the calls, then everything else. */
  addClient(messages: MessageParam[]): void {
    const results: ToolResultParam[] = [];
    const parts: ChatPart[] = [];
    for (const { role, content } of messages) {
      if (role === "system") {
        const text = toText(toPartsOf(content, this.#options));
        if (text !== "") parts.push({ type: "text", text: toReminder(text) });
        continue;
      }
      const others: ContentBlockParam[] = [];
      for (const block of toBlocks(content)) {
        if (block.type === "tool_result") results.push(block);
        else others.push(block);
      }
      parts.push(...toPartsOf(others, this.#options));
    }
    this.#addUser([...this.#addResults(results), ...parts]);
  }

  /** The finished messages; calls that still wait are answered. */
  finish(): ChatMessage[] {
    this.#addResults([]);
    return this.#out;
  }

  #toCall(block: ContentBlockParam & { type: "tool_use" }): ChatToolCall {
    const name = toFunctionName(block.name);
    const id = this.#ids.next(block.id, name);
    this.#waiting.push({ clientId: block.id, name, id });
    return { id, type: "function", function: { name, arguments: JSON.stringify(block.input) } };
  }

  /** Adds a tool message for each waiting call; gives what tool messages cannot hold. */
  #addResults(results: ToolResultParam[]): ChatPart[] {
    const rest = [...results];
    const extra: ChatPart[] = [];
    for (const { clientId, name, id } of this.#waiting) {
      const at = rest.findIndex((result) => result.tool_use_id === clientId);
      const result = at < 0 ? undefined : rest.splice(at, 1)[0];
      const parts = toPartsOf(result?.content, this.#options);
      const images = parts.filter((part) => part.type !== "text");
      const seen = images.length > 0 ? "(the image follows the tool results)" : NO_OUTPUT;
      let content = toText(parts) || (result ? seen : NO_RESULT);
      if (result?.is_error && !/error/i.test(content.slice(0, 40))) content = `Error: ${content}`;
      if (!result) this.#options.warn(`Cannot find the result of tool call '${clientId}'`);
      this.#out.push({ role: "tool", tool_call_id: id, content });
      if (images.length > 0) extra.push({ type: "text", text: `Result of ${name}:` }, ...images);
    }
    this.#waiting = [];
    for (const result of rest) {
      this.#options.warn(`Cannot find the tool call of result '${result.tool_use_id}'`);
      const parts = toPartsOf(result.content, this.#options);
      extra.push({ type: "text", text: "Result of an earlier tool call:" }, ...parts);
    }
    return extra;
  }

  #addUser(parts: ChatPart[]): void {
    if (parts.length === 0) return;
    const last = this.#out.at(-1);
    if (last?.role !== "user") {
      this.#out.push({ role: "user", content: toContent(parts) });
      return;
    }
    // An assistant turn that came to nothing stood between: many templates want roles to alternate.
    const before: ChatPart[] = typeof last.content === "string" ? [{ type: "text", text: last.content }] : last.content;
    last.content = toContent([...before, ...parts]);
  }
}

/** Whether a turn carries words of the user's, as opposed to tool results and reminders only. */
function isPrompt(turn: Turn): boolean {
  return turn.side === "client" &&
    turn.messages.some(({ role, content }) =>
      role === "user" && toBlocks(content).every((block) => block.type !== "tool_result")
    );
}

/**
 * Translates `messages`, repairing what strict hosts refuse.
 *
 * Results follow their calls directly and in the order of the calls, whatever order they came in;
 * a missing result is filled in, an orphan becomes user text. Text beside results comes after them.
 * System messages from the middle become reminders. Reasoning is sent back only for the running
 * tool loop, and only to families that need it.
 */
function toChatMessages(messages: MessageParam[], family: Family, options: ContentOptions): ChatMessage[] {
  const conversation = new Conversation(options, family.toolCallIds);
  const turns = toTurns(messages);
  const loopStart = turns.findLastIndex(isPrompt);
  turns.forEach((turn, i) => {
    const replay = family.replaysReasoning === true && i > loopStart;
    if (turn.side === "client") conversation.addClient(turn.messages);
    else conversation.addAssistant(turn.messages, replay);
  });
  return conversation.finish();
}

// lib/translate/request.ts ------------------------------------------------------------------

/** Options of {@linkcode toChatRequest}. */
export interface ChatRequestOptions {
  /** The upstream's name of the model. */
  model: string;
  /** What the model's family wants. */
  family: Family;
  /** Most output tokens to ask for; the client's `max_tokens` is lowered to it. */
  maxTokens?: number;
  /** Whether the model may think when the client asks for it. @default {true} */
  thinking?: boolean;
}

/** A translated request and, as sentences, what could not be carried over. */
export interface TranslatedRequest {
  request: ChatRequest;
  warnings: string[];
}

/**
 * Translates a Messages request into a chat completion request.
 *
 * Only fields that strict hosts know are sent, sampling only when the client set it. Everything
 * else Claude Code adds for Anthropic (metadata, cache control, context management, betas) has no
 * counterpart and is left out silently, because nothing the user can see depends on it.
 */
export function toChatRequest(request: MessagesRequest, options: ChatRequestOptions): TranslatedRequest {
  const { model, family, maxTokens = Infinity, thinking = true } = options;
  const warnings = new Set<string>();
  const warn = (warning: string) => void warnings.add(warning);
  const content = { vision: family.vision === true, warn };
  const chat: ChatRequest = {
    model,
    messages: toChatMessages(request.messages, family, content),
    max_tokens: Math.min(request.max_tokens, maxTokens),
  };
  const system = toSystemText(request.system, warn);
  if (system !== "") chat.messages.unshift({ role: "system", content: system });
  if (request.stream) {
    chat.stream = true;
    chat.stream_options = { include_usage: true };
  }
  if (request.temperature != null) chat.temperature = request.temperature;
  if (request.top_p != null) chat.top_p = request.top_p;
  if (request.top_k != null) warn("Cannot pass 'top_k': OpenAI's format has no such field");
  if (request.stop_sequences?.length) chat.stop = request.stop_sequences;
  const tools = toChatTools(request.tools, warn);
  if (tools.length > 0) Object.assign(chat, { tools }, toToolChoice(request.tool_choice));
  const format = request.output_config?.format;
  if (format?.type === "json_schema") {
    const json_schema = { name: "answer", schema: format.schema ?? {}, strict: true };
    chat.response_format = { type: "json_schema", json_schema };
  }
  const asked = request.thinking?.type === "enabled" || request.thinking?.type === "adaptive";
  Object.assign(chat, family.thinking?.(asked && thinking, request.output_config?.effort));
  return { request: chat, warnings: [...warnings] };
}

// lib/upstream/deadline.ts ------------------------------------------------------------------

/**
 * One signal for the two reasons to give up an attempt: nobody waits for it any more, or the
 * upstream has been silent for too long.
 */
class Deadline {
  readonly #controller = new AbortController();
  readonly #clock: Clock;
  readonly #outer: AbortSignal;
  readonly #onOuterAbort: () => void;
  #cancel: () => void = () => {};
  /** When the upstream was last heard of; `undefined` while the limit is on the whole wait. */
  #heard: number | undefined;
  #late: ApiError | undefined;

  /**
   * @param outer The signal of the one who waits.
   * @param limit Milliseconds from now until the signal fires.
   */
  constructor(clock: Clock, outer: AbortSignal, limit: number) {
    this.#clock = clock;
    this.#outer = outer;
    this.#onOuterAbort = () => this.#controller.abort(outer.reason);
    outer.addEventListener("abort", this.#onOuterAbort, { once: true });
    if (outer.aborted) this.#onOuterAbort();
    this.#start(limit);
  }

  /** Fires for either reason. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** From now on allows `idle` milliseconds of silence at a time. */
  extend(idle: number): void {
    if (this.signal.aborted) return;
    this.#heard = this.#clock.now();
    this.#start(idle);
  }

  /** Notes that the upstream has been heard of. */
  touch(): void {
    // The timer looks at this when it fires: a new timer for each read would cost more than the read.
    if (this.#heard !== undefined) this.#heard = this.#clock.now();
  }

  /** Lets go of the timer and of the attempt, whether finished or not. */
  close(): void {
    this.#cancel();
    this.#outer.removeEventListener("abort", this.#onOuterAbort);
    this.#controller.abort();
  }

  /** What an error was really about: runtimes differ in what they throw when a signal fires. */
  explain(thrown: unknown): ApiError {
    if (this.#late) return this.#late;
    if (thrown instanceof ApiError) return thrown;
    const cause = thrown instanceof Error ? thrown : new Error(String(thrown));
    const inner = cause.cause instanceof Error ? `: ${cause.cause.message}` : "";
    const message = `Cannot reach the upstream: ${cause.message}${inner}`;
    return new ApiError("api_error", message, { cause, status: 502 });
  }

  #start(limit: number, wait: number = limit): void {
    this.#cancel();
    this.#cancel = this.#clock.after(wait, () => {
      const left = (this.#heard ?? -Infinity) + limit - this.#clock.now();
      if (left > 0) return this.#start(limit, left);
      const message = `The upstream was silent for ${Math.round(limit / 1000)} seconds`;
      this.#late = new ApiError("timeout_error", message);
      this.#controller.abort(this.#late);
    });
  }
}

// lib/upstream/faults.ts --------------------------------------------------------------------

/** Claude Code does not retry at all when it is told to wait longer than this many seconds. */
const MAX_RETRY_AFTER = 60;

/** What a fault of an upstream is to the client. */
interface Fault {
  /** HTTP status it comes with; any when left out. */
  status?: number;
  /** What its text says; anything when left out. */
  text?: RegExp;
  type: ApiErrorType;
  /** A sentence for the user in place of the upstream's own; `$` stands for the model. */
  says?: string;
  /** Whether asking again is useless until the user has done something. */
  final?: boolean;
}

/**
 * Faults as NVIDIA's hosted API and the servers behind it report them, the first row that fits
 * counting. Statuses and texts were reported by users of earlier tools between 2026-01 and 2026-09.
 */
// deno-fmt-ignore: a table reads best one row a line
const FAULTS: readonly Fault[] = [
  { text: /DEGRADED function/, type: "overloaded_error", says: "The model '$' is degraded at the moment" },
  { text: /ResourceExhausted|request limit reached/, type: "overloaded_error" },
  { status: 400, type: "invalid_request_error" },
  { status: 401, type: "authentication_error", says: "The upstream refused the API key: check NVIDIA_API_KEY", final: true },
  { status: 402, type: "billing_error", final: true },
  { status: 403, type: "permission_error", says: "The upstream refused access to '$': the API key is wrong, expired or has no right to this model", final: true },
  { status: 404, text: /Function .*Not found for account/, type: "not_found_error", says: "The model '$' is not available to this account", final: true },
  { status: 404, type: "not_found_error", says: "The upstream does not know the model '$'", final: true },
  { status: 408, type: "timeout_error" },
  { status: 410, type: "not_found_error", final: true },
  { status: 413, type: "request_too_large" },
  { status: 422, type: "invalid_request_error" },
  { status: 429, type: "rate_limit_error" },
  { status: 502, type: "overloaded_error" },
  { status: 503, type: "overloaded_error" },
  { status: 504, type: "timeout_error" },
  { status: 529, type: "overloaded_error" },
];

/** Finds the sentence in an error body, which may be JSON of several shapes, HTML, text or empty. */
function toFaultText(body: string): string {
  let value: unknown = body;
  try {
    value = JSON.parse(body);
  } catch {
    // Not JSON: the text itself is what there is.
  }
  if (isJsonObject(value)) {
    const error = isJsonObject(value.error) ? value.error.message : value.error;
    const found = [error, value.message, value.detail, value.title].find((text) => text != null);
    value = found ?? body;
  }
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const plain = text.includes("<html") || text.startsWith("<!") ? text.replace(/<[^>]*>/g, " ") : text;
  return plain.replace(/\s+/g, " ").trim().slice(0, 1000);
}

function toRetryAfter(headers: Headers | undefined): Record<string, string> {
  const seconds = Number(headers?.get("retry-after") ?? NaN);
  if (!(seconds >= 0)) return {};
  return { "retry-after": String(Math.min(Math.ceil(seconds), MAX_RETRY_AFTER)) };
}

/**
 * Makes the client's error of an upstream's.
 *
 * @param status HTTP status, or the `code` of an error inside a stream.
 * @param body The error body as text.
 * @param model The upstream model id, for the message.
 */
function toUpstreamError(
  status: number,
  body: string,
  model: string,
  headers?: Headers,
): ApiError {
  const text = toFaultText(body);
  const fault = FAULTS.find((row) =>
    (row.status === undefined || row.status === status) && (row.text?.test(text) ?? true)
  );
  const says = fault?.says?.replace("$", () => model) ?? "";
  const told = [says, text].filter((part) => part !== "").join(" — ");
  const message = told || `The upstream answered with status ${status}`;
  const final: Record<string, string> = fault?.final ? { "x-should-retry": "false" } : {};
  return new ApiError(fault?.type ?? "api_error", message, {
    headers: { ...toRetryAfter(headers), ...final },
  });
}

// lib/upstream/attempt.ts -------------------------------------------------------------------

/** Milliseconds the upstream is given to end its response after `[DONE]`. */
const DRAIN_TIMEOUT = 2_000;

/** What one attempt needs beside the request. */
interface AttemptOptions extends SendOptions {
  fetch: typeof fetch;
  clock: Clock;
  newId: NewId;
  /** Milliseconds until the first content must have come. */
  requestTimeout: number;
  /** Milliseconds of silence allowed once content has come. */
  idleTimeout: number;
  maxTokens: number | undefined;
  thinking: boolean;
  userAgent: string;
}

function toChunk(data: string, model: string): ChatChunk {
  let chunk: unknown;
  try {
    chunk = JSON.parse(data);
  } catch (cause) {
    throw new ApiError("api_error", "Cannot read the upstream's answer: it is not JSON", { cause });
  }
  if (!isJsonObject(chunk)) {
    throw new ApiError("api_error", "Cannot read the upstream's answer: it is no object");
  }
  if (chunk.error) {
    const code = isJsonObject(chunk.error) ? Number(chunk.error.code) : NaN;
    throw toUpstreamError(code >= 400 ? code : 500, data, model);
  }
  return chunk;
}

/** Reads the body of an answer: the data of the events of each read, or a JSON body as one. */
async function* readData(response: Response, deadline: Deadline): AsyncGenerator<string[], void> {
  if (response.headers.get("content-type")?.includes("application/json")) {
    yield [await response.text(), "[DONE]"];
    return;
  }
  const decoder = new SseDecoder();
  const reader = response.body?.getReader();
  for (;;) {
    const read = await reader?.read();
    deadline.touch();
    if (!read || read.done) break;
    yield decoder.feed(read.value);
  }
  yield decoder.flush();
}

/** Translates an answer as it comes; the batches are never empty. */
async function* readEvents(
  response: Response,
  translator: ChunkTranslator,
  model: string,
  deadline: Deadline,
): AsyncGenerator<MessageStreamEvent[], void> {
  let done = false;
  try {
    for await (const data of readData(response, deadline)) {
      if (done) continue; // Reads to the end, so that the connection can be used again.
      const end = data.indexOf("[DONE]");
      const chunks = (end < 0 ? data : data.slice(0, end)).map((text) => toChunk(text, model));
      const events = translator.feed(chunks);
      if (end >= 0) events.push(...translator.flush());
      if (events.length > 0) yield events;
      done = end >= 0;
      if (done) deadline.extend(DRAIN_TIMEOUT);
    }
    if (done) return;
    const events = translator.flush();
    if (!translator.finished) {
      throw new ApiError("overloaded_error", "The upstream broke off in the middle of its answer");
    }
    yield events;
  } catch (thrown) {
    if (!done) throw deadline.explain(thrown);
  } finally {
    deadline.close();
  }
}

async function* prepend<T>(first: T, rest: AsyncGenerator<T, void>): AsyncGenerator<T, void> {
  yield first;
  yield* rest;
}

/**
 * Asks one candidate once.
 *
 * @throws {ApiError} If it refuses, breaks off, is silent for too long or answers nothing.
 */
async function attempt(
  request: MessagesRequest,
  candidate: Candidate,
  options: AttemptOptions,
): Promise<Answer> {
  const { backend, model, family } = candidate;
  const { clock, newId, maxTokens, thinking } = options;
  const translated = toChatRequest(request, { model, family, maxTokens, thinking });
  const deadline = new Deadline(clock, options.signal, options.requestTimeout);
  try {
    const response = await options.fetch(`${backend.baseUrl}/chat/completions`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "accept": request.stream ? "text/event-stream" : "application/json",
        "user-agent": options.userAgent,
        ...(backend.apiKey ? { authorization: `Bearer ${backend.apiKey}` } : {}),
      },
      body: JSON.stringify(translated.request),
      signal: deadline.signal,
    });
    if (!response.ok) {
      const text = await response.text();
      throw toUpstreamError(response.status, text, model, response.headers);
    }
    const translator = new ChunkTranslator({
      toolNames: toToolNames(request.tools),
      stopSequences: request.stop_sequences,
      startsInThinking: family.startsInThinking && thinking,
      inputTokens: options.inputTokens,
      newId,
    });
    const events = readEvents(response, translator, model, deadline);
    const first = await events.next();
    deadline.extend(options.idleTimeout);
    const { warnings } = translated;
    return { candidate, warnings, events: prepend(first.value ?? [], events) };
  } catch (thrown) {
    deadline.close();
    throw deadline.explain(thrown);
  }
}

// lib/upstream/patient_fetch.ts -------------------------------------------------------------

type Fetch = typeof fetch;
type AgentConstructor = new (options: object) => unknown;

let patient: Promise<Fetch> | undefined;

async function create(): Promise<Fetch> {
  // Node gives up on a response after 300 s without headers or without a piece of the body, and a
  // model may think longer. Its dispatcher, which can be told to wait, exists after the first fetch.
  await fetch("data:,").catch(() => {});
  const globals = globalThis as Record<symbol, { constructor: AgentConstructor } | undefined>;
  const symbols = [2, 1].map((n) => Symbol.for(`undici.globalDispatcher.${n}`));
  const Agent = symbols.map((symbol) => globals[symbol]).find((found) => found)?.constructor;
  if (!Agent) return fetch;
  const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 });
  return (input, init) => fetch(input, { ...init, dispatcher } as object);
}

/** The runtime's `fetch` without time limits of its own; deadlines are set by those who call it. */
const patientFetch: Fetch = async (input, init) => {
  patient ??= create();
  return (await patient)(input, init);
};

// lib/upstream/chain.ts ---------------------------------------------------------------------

/** Options of {@linkcode createChain}. */
export interface ChainOptions {
  /** `fetch` for upstream calls. @default {globalThis.fetch, without its own time limits} */
  fetch?: typeof fetch;
  /** Milliseconds until the first content of an answer must have come. @default {600_000} */
  requestTimeout?: number;
  /** Milliseconds of silence allowed in the middle of an answer. @default {180_000} */
  idleTimeout?: number;
  /** Most output tokens to ask any model for. @default {Infinity} */
  maxTokens?: number;
  /** Whether models may think when the client asks for it. @default {true} */
  thinking?: boolean;
  /** Sent upstream as `user-agent`. @default {"arbiter-proxy"} */
  userAgent?: string;
  clock?: Clock;
  newId?: NewId;
}

/** Makes the {@linkcode Send} that asks the first candidate, and so far only that one. */
function createChain(options: ChainOptions = {}): Send {
  const settings = {
    fetch: options.fetch ?? patientFetch,
    clock: options.clock ?? systemClock,
    newId: options.newId ?? randomId,
    requestTimeout: options.requestTimeout ?? 600_000,
    idleTimeout: options.idleTimeout ?? 180_000,
    maxTokens: options.maxTokens,
    thinking: options.thinking ?? true,
    userAgent: options.userAgent ?? "arbiter-proxy",
  };
  return async (request, send) => {
    const [candidate] = send.candidates;
    if (!candidate) throw new ApiError("api_error", "No model is configured");
    return await attempt(request, candidate, { ...settings, ...send });
  };
}

// lib/arbiter.ts ----------------------------------------------------------------------------

/** Where NVIDIA serves its free hosted models. */
const NVIDIA_BASE_URL = "https://integrate.api.nvidia.com/v1";
/** The model used when nobody chooses: large, steady and good with tools. */
const DEFAULT_MODEL = "nvidia/nemotron-3-super-120b-a12b";

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
   * Milliseconds to wait for the upstream in silence, so that an early failure can still be a
   * truthful HTTP status. @default {8_000}
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
    name: new URL(baseUrl).hostname,
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
      const id = resolveModel(request.model, choice);
      return [{ backend, model: id, family: toFamily(id) }];
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

// lib/server/serve.ts -----------------------------------------------------------------------

/** Answers one request. */
export type Handler = (request: Request) => Response | Promise<Response>;

/** Options of {@linkcode serve}. */
export interface ServeOptions {
  /** Address to bind. @default {"127.0.0.1"} */
  hostname?: string;
  /** Port to bind; 0 takes a free one. @default {0} */
  port?: number;
}

/** A listening server. */
export interface Server {
  /** Port it listens on. */
  readonly port: number;
  /** Base address, for example `http://127.0.0.1:4005`. */
  readonly url: string;
  /** Stops at once, open streams included. */
  close(): Promise<void>;
}

/**
 * Milliseconds an idle connection is kept: with Node's 5 seconds a client may send its next request
 * into a connection that is just being closed.
 */
const KEEP_ALIVE_TIMEOUT = 600_000;

/**
 * Serves a web-standard handler over `node:http`, which Deno and Bun have too.
 *
 * `request.signal` fires when the client goes away before the answer is complete.
 *
 * @throws {Error} With the code `EADDRINUSE` if the port is taken.
 */
export async function serve(handler: Handler, options: ServeOptions = {}): Promise<Server> {
  const { hostname = "127.0.0.1", port = 0 } = options;
  const { createServer } = await import("node:http");
  const { Readable } = await import("node:stream");
  const toBody = (incoming: IncomingMessage) => Readable.toWeb(incoming);
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_TIMEOUT }, (incoming, outgoing) => {
    answerIncoming(handler, incoming, outgoing, toBody).catch(() => outgoing.destroy());
  });
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, resolve);
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    port: bound,
    url: `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function toRequest(
  incoming: IncomingMessage,
  signal: AbortSignal,
  toBody: (incoming: IncomingMessage) => unknown,
): Request {
  const method = incoming.method ?? "GET";
  const headers = new Headers();
  for (const [name, values] of Object.entries(incoming.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  const body = method === "GET" || method === "HEAD" ? null : toBody(incoming);
  const url = new URL(incoming.url ?? "/", "http://localhost");
  const request = new Request(url, { method, headers, body, duplex: "half" } as RequestInit);
  // Given in init instead, Node keeps 6 kB a request until the next full collection.
  Object.defineProperty(request, "signal", { value: signal });
  return request;
}

async function answerIncoming(
  handler: Handler,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  toBody: (incoming: IncomingMessage) => unknown,
): Promise<void> {
  const gone = new AbortController();
  outgoing.once("close", () => {
    if (!outgoing.writableFinished) gone.abort();
  });
  const response = await handler(toRequest(incoming, gone.signal, toBody));
  outgoing.writeHead(response.status, [...response.headers].flat());
  if (!response.body || incoming.method === "HEAD") return void outgoing.end();
  outgoing.flushHeaders();
  const reader = response.body.getReader();
  const cancel = () => void reader.cancel(gone.signal.reason).catch(() => {});
  if (gone.signal.aborted) cancel();
  gone.signal.addEventListener("abort", cancel);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (outgoing.write(value) || outgoing.destroyed) continue;
    await new Promise<void>((resolve) => {
      const next = () => {
        outgoing.off("drain", next).off("close", next);
        resolve();
      };
      outgoing.once("drain", next).once("close", next);
    });
  }
  outgoing.end();
}

// lib/stand_in/script.ts --------------------------------------------------------------------

/** A tool call of a script; arguments that are no string are sent as JSON text. */
export type ScriptedCall = { name: string; arguments: unknown; id?: string };

/**
 * One step of an answer.
 *
 * - `text`, `reasoning`: a string is sent in pieces of `size` characters (12), a list as it stands
 * - `calls`: tool calls, each whole in a chunk; `deltas`: calls in any shape a host may choose
 * - `chunk`: any object as a chunk, such as `{ error: … }`
 * - `wait`: milliseconds of silence, `Infinity` until the client goes away
 * - `finish`: the finish reason, when it is not what the steps suggest
 * - `stop`: the connection breaks (`cut`) or the stream ends without `[DONE]` (`end`)
 */
export type Step =
  | { text: string | string[]; size?: number }
  | { reasoning: string | string[]; size?: number }
  | { calls: ScriptedCall[] }
  | { deltas: ToolCallDelta[][] }
  | { chunk: unknown }
  | { wait: number }
  | { finish: string }
  | { stop: "cut" | "end" };

/**
 * What the stand-in does with one request: after `delay` milliseconds either a failure with its
 * `status` and `body` (a string is sent as it stands), or the `steps` of an answer. `usage` replaces
 * the counts it makes up; `null` leaves them out.
 */
export type ScriptedAnswer = {
  delay?: number;
  status?: number;
  body?: unknown;
  headers?: Record<string, string>;
  steps?: Step[];
  usage?: ChatUsage | null;
};

/** Decides about a request; `turn` counts the requests for this model. Nothing: the demo model does. */
export type Script = (request: ChatRequest, turn: number) => ScriptedAnswer | undefined;

// lib/stand_in/demo_model.ts ----------------------------------------------------------------

const INTRODUCTION = "I am Arbiter's demo model: a script, not a language model. I can create a file " +
  '("create a file hello.txt with the content "Hi""), edit one ("replace "Hi" with "Hello" in ' +
  'hello.txt"), read one or run a command ("run `ls`"). To talk to real models, get a free key at ' +
  "https://build.nvidia.com, set NVIDIA_API_KEY and start again without --demo.";

/** One thing the demo model can do: when it is asked to, it makes these calls one after the other. */
interface Skill {
  asks: RegExp;
  toCalls: (match: RegExpExecArray, toPath: (name: string) => string) => ScriptedCall[];
}

const FILE = "[`\"']?([\\w./\\\\:~-]*\\w\\.\\w+)[`\"']?";
const QUOTED = '[`"\'“]([^`"”]+?)[`"\'”]';

const SKILLS: readonly Skill[] = [
  {
    asks: new RegExp(`\\breplace ${QUOTED} (?:with|by) ${QUOTED} in (?:the file )?${FILE}`, "is"),
    toCalls: ([, old_string = "", new_string = "", name = ""], toPath) => [
      { name: "Read", arguments: { file_path: toPath(name) } },
      { name: "Edit", arguments: { file_path: toPath(name), old_string, new_string } },
    ],
  },
  {
    asks: new RegExp(
      `\\b(?:create|write|make|save|add)\\b.*?${FILE}(?:.*?(?:content|contents|text|containing|saying|with)` +
        `\\b[^\`"'“]*${QUOTED})?`,
      "is",
    ),
    toCalls: ([, name = "", content = "Hello from Arbiter's demo model."], toPath) => [
      { name: "Write", arguments: { file_path: toPath(name), content: `${content}\n` } },
    ],
  },
  {
    asks: /\b(?:run|execute)\b[^`]*`([^`]+)`/is,
    toCalls: ([, command = ""]) => [
      { name: "Bash", arguments: { command, description: "Run the command the user gave" } },
    ],
  },
  {
    asks: new RegExp(`\\b(?:read|show|open|print)\\b.*?${FILE}`, "is"),
    toCalls: ([, name = ""], toPath) => [{ name: "Read", arguments: { file_path: toPath(name) } }],
  },
];

function toPlainText({ content }: ChatMessage): string {
  if (typeof content === "string") return content;
  return content?.map((part) => part.type === "text" ? part.text : "").join("\n") ?? "";
}

/** What the user typed, without what Claude Code put around it. */
function toPrompt(message: ChatMessage): string {
  if (message.role !== "user") return "";
  return toPlainText(message).replace(/<system-reminder>.*?<\/system-reminder>/gs, "").trim();
}

/** An object that fits a schema of the simple kind Claude Code asks titles with. */
function fillSchema(schema: unknown, prompt: string): Record<string, unknown> {
  const properties = isJsonObject(schema) && isJsonObject(schema.properties) ? schema.properties : {};
  const words = prompt.replace(/<[^>]*>/g, " ").trim().split(/\s+/).slice(0, 5).join(" ");
  const fill = (property: unknown) => {
    const type = isJsonObject(property) ? property.type : "string";
    if (type === "boolean") return false;
    return type === "number" || type === "integer" ? 0 : words || "Demo";
  };
  return Object.fromEntries(Object.entries(properties).map(([name, p]) => [name, fill(p)]));
}

/**
 * Answers like a very small model: it creates, edits and reads files and runs commands through the
 * client's own tools, and otherwise says what it is.
 */
function answerAsDemoModel(request: ChatRequest): ScriptedAnswer {
  const { messages, tools = [], response_format } = request;
  const asked = messages.findLastIndex((message) => toPrompt(message) !== "");
  const prompt = messages[asked] ? toPrompt(messages[asked]) : "";
  const format = response_format?.json_schema;
  if (isJsonObject(format)) {
    return { steps: [{ text: JSON.stringify(fillSchema(format.schema, prompt)) }] };
  }
  const texts = messages.map(toPlainText).join("\n");
  const [, folder = "."] = /working directory:?\s*([^\s<]+)/i.exec(texts) ?? [];
  const toPath = (name: string) => /^(?:[/~\\]|\w:)/.test(name) ? name : `${folder}/${name}`;
  const done = messages.slice(asked + 1).filter((message) => message.role === "tool");
  const failed = done.map(toPlainText).find((text) => /^\W*(?:error|<tool_use_error)/i.test(text));
  if (failed) return { steps: [{ text: `That did not work. The tool said: ${failed}` }] };
  for (const { asks, toCalls } of SKILLS) {
    const match = asks.exec(prompt);
    const calls = match ? toCalls(match, toPath) : [];
    const offered = calls.every(({ name }) => tools.some((tool) => tool.function.name === name));
    if (calls.length === 0 || !offered) continue;
    const call = calls[done.length];
    if (call) {
      const reasoning = `The user wants something ${call.name} can do.`;
      return { steps: [{ reasoning }, { text: `I will use ${call.name}.` }, { calls: [call] }] };
    }
    const last = done.map(toPlainText).at(-1) ?? "";
    return { steps: [{ text: `Done. The last tool said: ${last}` }] };
  }
  return { steps: [{ text: INTRODUCTION }] };
}

// lib/stand_in/strictness.ts ----------------------------------------------------------------

/** The fields NVIDIA's hosts accept; all others are refused by name. */
const KNOWN_FIELDS =
  "model messages max_tokens stream stream_options temperature top_p stop seed tools tool_choice parallel_tool_calls " +
  "response_format chat_template_kwargs reasoning_effort thinking";

/** Checks what the chat templates of real hosts insist on. */
function findMisplaced(messages: unknown[]): string | undefined {
  let open: unknown[] = [];
  for (const [i, message] of messages.entries()) {
    if (!isJsonObject(message)) return `messages.${i} is not an object`;
    const { role, content, tool_calls, tool_call_id } = message;
    const calls = Array.isArray(tool_calls) ? tool_calls.filter(isJsonObject) : [];
    if (role === "system" && i > 0) return "System message must be at the beginning.";
    if (role === "tool" && !open.includes(tool_call_id)) return `Unexpected tool message '${tool_call_id}'`;
    if (role !== "tool" && open.length > 0) return `Tool calls without results before messages.${i}`;
    if (content === "" || (content == null && calls.length === 0)) {
      return `messages.${i}.content: String should have at least 1 character`;
    }
    if (Array.isArray(content) && role !== "user") return "list content is only supported for user messages";
    open = open.filter((id) => id !== tool_call_id);
    open.push(...calls.map(({ id }) => id));
  }
  return open.length > 0 ? "Tool calls without results at the end" : undefined;
}

function findBadTool(tools: unknown): string | undefined {
  if (!Array.isArray(tools) || tools.length === 0) return "tools: should have at least 1 item";
  for (const [i, tool] of tools.entries()) {
    const { name, parameters } = tool?.function ?? {};
    if (!/^[\w-]{1,64}$/.test(String(name))) return `tools.${i}.function.name is invalid`;
    if (!isJsonObject(parameters)) return `tools.${i}.function.parameters is missing`;
    if (/"additionalProperties":(?:true|false)/.test(JSON.stringify(parameters))) {
      return `tools.${i}: boolean subschemas are not supported`;
    }
  }
  return undefined;
}

/** Why NVIDIA's hosts would refuse a request, in their words; nothing when it is fine. */
function findRefusal(body: Record<string, unknown>): string | undefined {
  const { messages, max_tokens, stream, stream_options, tools } = body;
  const unknown = Object.keys(body).filter((field) => !KNOWN_FIELDS.split(" ").includes(field));
  if (unknown.length > 0) return `Validation: Unsupported parameter(s): ${unknown.map((f) => `\`${f}\``).join(", ")}`;
  if (!Array.isArray(messages) || messages.length === 0) return "messages: Field required";
  if (stream_options && !stream) return "stream_options is only allowed when stream is set";
  if (!(Number(max_tokens) >= 1)) return `max_tokens must be at least 1, got ${max_tokens}`;
  return findMisplaced(messages) ?? (tools === undefined ? undefined : findBadTool(tools));
}

// lib/stand_in/stand_in.ts ------------------------------------------------------------------

/** Id of the model that `--demo` uses. */
const DEMO_MODEL = "arbiter/demo-model";

/** Options of {@linkcode createStandIn}. */
export interface StandInOptions {
  /** What each model does; a model that is not listed does not exist. @default {the demo model alone} */
  models?: Record<string, Script>;
  /** The key that must be sent; any or none will do when left out. */
  apiKey?: string;
  /** The clock that delays and silences run on. @default {systemClock} */
  clock?: Clock;
}

/** A fake of NVIDIA's hosted API: as strict, as talkative and, on request, as broken. */
export interface StandIn {
  /** Answers one request; it stands in for the `fetch` that would go upstream. */
  fetch: typeof fetch;
  /** Every well-formed chat request so far, in order. */
  requests: ChatRequest[];
  /** How many answers are going on. */
  readonly open: number;
}

/** What a step comes to: a delta, or a chunk as it stands. */
type Piece = { delta: ChatDelta } | { chunk: unknown };

function toPieces(text: string | string[], size = 12): string[] {
  return typeof text === "string" ? text.match(new RegExp(`.{1,${size}}`, "gsu")) ?? [] : text;
}

/** The deltas of a step; `calls` is how many calls came before. */
function toDeltas(step: Step, calls: number): ChatDelta[] {
  if ("text" in step) return toPieces(step.text, step.size).map((content) => ({ content }));
  if ("reasoning" in step) return toPieces(step.reasoning, step.size).map((text) => ({ reasoning_content: text }));
  if ("deltas" in step) return step.deltas.map((tool_calls) => ({ tool_calls }));
  if (!("calls" in step)) return [];
  return step.calls.map(({ name, arguments: args, id }, i) => {
    const index = calls + i;
    const call = { name, arguments: typeof args === "string" ? args : JSON.stringify(args) };
    return { tool_calls: [{ index, id: id ?? `chatcmpl-tool-${index}`, type: "function", function: call }] };
  });
}

function wait(ms: number, signal: AbortSignal, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = Number.isFinite(ms) ? clock.after(ms, resolve) : () => {};
    const leave = () => {
      cancel();
      reject(signal.reason);
    };
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
  });
}

/** Plays the steps of an answer; gives the finish reason, or nothing when the stream just ends. */
async function* play(
  steps: Step[] = [],
  signal: AbortSignal,
  clock: Clock,
): AsyncGenerator<Piece, string | undefined> {
  let [finish, calls] = ["", 0];
  for (const step of steps) {
    for (const delta of toDeltas(step, calls)) {
      if (delta.tool_calls) calls++;
      yield { delta };
    }
    if ("chunk" in step) yield step;
    else if ("wait" in step) await wait(step.wait, signal, clock);
    else if ("finish" in step) finish = step.finish;
    else if ("stop" in step && step.stop === "cut") throw new TypeError("terminated");
    else if ("stop" in step) return undefined;
  }
  return finish || (calls > 0 ? "tool_calls" : "stop");
}

function countTokens({ messages, tools = [] }: ChatRequest, written: number): ChatUsage {
  const read = JSON.stringify(messages).length + JSON.stringify(tools).length;
  return { prompt_tokens: Math.ceil(read / 4), completion_tokens: Math.ceil(written / 4) };
}

/** Makes a fake upstream; what it does is the same each time. */
export function createStandIn(options: StandInOptions = {}): StandIn {
  const { models = { [DEMO_MODEL]: answerAsDemoModel }, apiKey, clock = systemClock } = options;
  const requests: ChatRequest[] = [];
  let open = 0;

  function choose(body: ChatRequest): ScriptedAnswer {
    const script = Object.hasOwn(models, body.model) ? models[body.model] : undefined;
    if (!script) return { status: 404, body: "404 page not found" };
    const detail = findRefusal(body);
    if (detail) return { status: 400, body: { status: 400, title: "Bad Request", detail } };
    const turn = requests.filter(({ model }) => model === body.model).length;
    requests.push(body);
    return script(body, turn) ?? answerAsDemoModel(body);
  }

  /** Streams an answer; what is asked for whole is the same chunks put together. */
  function toStream(request: ChatRequest, answer: ScriptedAnswer, signal: AbortSignal): ReadableStream<Uint8Array> {
    const encoder = new TextEncoder();
    const base = { id: "chatcmpl-0", object: "chat.completion.chunk", created: 0, model: request.model };
    return new ReadableStream({
      async start(controller) {
        let written = 0;
        const write = (data: string) => controller.enqueue(encoder.encode(`data: ${data}\n\n`));
        const writeDelta = (delta: ChatDelta, finish_reason: string | null) =>
          write(JSON.stringify({ ...base, choices: [{ index: 0, delta, finish_reason }] }));
        open++;
        try {
          const pieces = play(answer.steps, signal, clock);
          let next = await pieces.next();
          for (; !next.done; next = await pieces.next()) {
            written += JSON.stringify(next.value).length;
            if ("delta" in next.value) writeDelta(next.value.delta, null);
            else write(JSON.stringify(next.value.chunk));
          }
          if (next.value) {
            writeDelta({}, next.value);
            const usage = answer.usage === undefined ? countTokens(request, written) : answer.usage;
            if (usage && request.stream_options?.include_usage) {
              write(JSON.stringify({ ...base, choices: [], usage }));
            }
            write("[DONE]");
          }
          controller.close();
        } catch (thrown) {
          controller.error(thrown);
        } finally {
          open--;
        }
      },
    });
  }

  async function complete(request: ChatRequest, answer: ScriptedAnswer, signal: AbortSignal): Promise<Response> {
    let [content, reasoning_content] = ["", ""];
    const tool_calls: unknown[] = [];
    const pieces = play(answer.steps, signal, clock);
    let next = await pieces.next();
    for (; !next.done; next = await pieces.next()) {
      if ("chunk" in next.value) return Response.json(next.value.chunk);
      const { delta } = next.value;
      content += delta.content ?? "";
      reasoning_content += delta.reasoning_content ?? "";
      tool_calls.push(...delta.tool_calls ?? []);
    }
    const message = {
      role: "assistant",
      content: content || null,
      ...(reasoning_content ? { reasoning_content } : {}),
      ...(tool_calls.length > 0 ? { tool_calls } : {}),
    };
    const usage = answer.usage === undefined ? countTokens(request, JSON.stringify(message).length) : answer.usage;
    return Response.json({ choices: [{ index: 0, message, finish_reason: next.value }], usage });
  }

  async function answerChat(body: ChatRequest, signal: AbortSignal): Promise<Response> {
    const answer = choose(body);
    const { delay = 0, status = 200, headers = {}, body: failure } = answer;
    if (delay > 0) await wait(delay, signal, clock);
    if (status >= 400 && typeof failure === "string") return new Response(failure, { status, headers });
    if (status >= 400) return Response.json(failure, { status, headers });
    if (!body.stream) return await complete(body, answer, signal);
    const type = { "content-type": "text/event-stream" };
    return new Response(toStream(body, answer, signal), { headers: { ...type, ...headers } });
  }

  return {
    requests,
    get open() {
      return open;
    },
    async fetch(input, init) {
      const request = new Request(input, init);
      const { pathname } = new URL(request.url);
      if (pathname === "/v1/models") {
        const data = Object.keys(models).map((id) => ({
          id,
          object: "model",
          created: 735790403,
          owned_by: "arbiter",
        }));
        return Response.json({ object: "list", data });
      }
      if (pathname !== "/v1/chat/completions") return new Response("404 page not found", { status: 404 });
      if (apiKey && request.headers.get("authorization") !== `Bearer ${apiKey}`) {
        return Response.json({ status: 401, title: "Unauthorized", detail: "Authentication failed" }, { status: 401 });
      }
      // A request made from another's parts loses the signal that a server has put on it.
      return await answerChat(
        await request.json(),
        init?.signal ?? (input instanceof Request ? input : request).signal,
      );
    },
  };
}

// lib/cli/proxy.ts --------------------------------------------------------------------------

/** Milliseconds the upstream is given to show that it is there. */
const REACH_TIMEOUT = 5_000;

/** A proxy made from settings, not listening yet. */
interface RunningProxy {
  arbiter: Arbiter;
  /** Upstream id of the main model. */
  model: string;
  /** What it talks to, for people. */
  upstream: string;
}

/** Logs requests as the settings want it, and each kind of loss once. */
function createRequestLogger({ logLevel }: Settings, write: (line: string) => void): (log: RequestLog) => void {
  const warned = new Set<string>();
  return (log) => {
    if (logLevel === "silent" || (logLevel === "error" && log.status < 400 && !log.error)) return;
    write(formatRequestLog(log));
    for (const warning of log.warnings ?? []) {
      if (!warned.has(warning)) write(`warning: ${warning}`);
      warned.add(warning);
    }
  };
}

/**
 * Makes the proxy the settings ask for.
 *
 * @throws {ConfigError} If there is no key for NVIDIA.
 */
function createProxy(settings: Settings, demo: boolean, write: (line: string) => void): RunningProxy {
  const { baseUrl = NVIDIA_BASE_URL, apiKey, model = DEFAULT_MODEL } = settings;
  const onRequest = createRequestLogger(settings, write);
  if (demo) {
    const options = {
      baseUrl: "http://stand-in/v1",
      model: DEMO_MODEL,
      fetch: createStandIn().fetch,
    };
    const arbiter = createArbiter({ ...settings, ...options, tiers: {}, onRequest });
    return { arbiter, model: DEMO_MODEL, upstream: "the built-in demo model" };
  }
  if (!apiKey && baseUrl === NVIDIA_BASE_URL) {
    throw new ConfigError(
      "No API key: get a free one at https://build.nvidia.com and set NVIDIA_API_KEY in the " +
        "environment or in .env. To try without a key, add --demo",
    );
  }
  const arbiter = createArbiter({ ...settings, onRequest });
  return { arbiter, model, upstream: baseUrl };
}

/**
 * Finds out whether an upstream can be reached at all; any answer will do, and slowness is no proof.
 *
 * @returns Why not, as a sentence.
 */
async function findUnreachable(baseUrl: string): Promise<string | undefined> {
  try {
    const signal = AbortSignal.timeout(REACH_TIMEOUT);
    const response = await patientFetch(`${baseUrl.replace(/\/+$/, "")}/models`, { signal });
    await response.body?.cancel();
  } catch (thrown) {
    if (thrown instanceof Error && thrown.name === "TimeoutError") return undefined;
    const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
    const why = cause instanceof Error ? cause.message : String(cause);
    return `Cannot reach ${baseUrl} (${why}): check the network, a proxy, or NVIDIA_BASE_URL`;
  }
  return undefined;
}

function isPortTaken(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === "EADDRINUSE";
}

/**
 * Listens on the port of the settings.
 *
 * @param elsewhere Called with the taken port when a free one is to be used instead; without it a
 * taken port is an error.
 */
async function listen(
  { arbiter }: RunningProxy,
  { port }: Settings,
  elsewhere?: (taken: number) => void,
): Promise<Server> {
  const handler = (request: Request) => arbiter.fetch(request);
  try {
    return await serve(handler, { port: port.number });
  } catch (thrown) {
    if (!isPortTaken(thrown)) throw thrown;
    if (elsewhere) {
      elsewhere(port.number);
      return await serve(handler, { port: 0 });
    }
    throw new Error(
      `Port ${port.number} is taken, perhaps by another Arbiter: choose another with --port`,
      { cause: thrown },
    );
  }
}

// lib/cli/code.ts ---------------------------------------------------------------------------

const CLAUDE_PACKAGE = "@anthropic-ai/claude-code";
/** What a shell returns for a command it cannot find. */
const NOT_FOUND = 127;

async function askYesNo(question: string): Promise<boolean> {
  const { createInterface } = await import("node:readline/promises");
  const { default: process } = await import("node:process");
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return !/^\s*n/i.test(await reader.question(`${question} [Y/n] `));
  } catch {
    return false; // Ctrl-C or Ctrl-D.
  } finally {
    reader.close();
  }
}

/** Finds Claude Code, or a way to run it; nothing when there is none or the user does not want it. */
async function findClaude({ env, platform, interactive, tell }: Io, yes: boolean): Promise<Program | undefined> {
  const claude = await findOnPath("claude", env, platform);
  if (claude) return { command: claude, args: [] };
  const npx = await findOnPath("npx", env, platform);
  if (!npx) {
    tell(`Claude Code is not on PATH, and neither is npx: install Node.js, then ${CLAUDE_PACKAGE}`);
    return undefined;
  }
  tell(`Claude Code is not on PATH. It can be run through npx (${CLAUDE_PACKAGE}, about 370 MB once).`);
  if (interactive && !yes && !await askYesNo("Run it through npx now?")) {
    tell(`To install it yourself: npm install -g ${CLAUDE_PACKAGE}`);
    return undefined;
  }
  return { command: npx, args: ["--yes", CLAUDE_PACKAGE] };
}

/** Runs the proxy and, in front of it, Claude Code; gives Claude Code's exit code. */
async function runCode({ io, settings, flags, rest }: Context): Promise<number> {
  const { tell } = io;
  const log = await openLogFile(io);
  const proxy = createProxy(settings, flags.demo === true, log?.write ?? (() => {}));
  if (!flags.demo && !settings.skipCheck) {
    const problem = await findUnreachable(proxy.upstream);
    if (problem) {
      tell(problem);
      return 1;
    }
  }
  const claude = await findClaude(io, flags.yes === true);
  if (!claude) return NOT_FOUND;
  const server = await listen(proxy, settings, (taken) => {
    tell(`Port ${taken} is taken, perhaps by another Arbiter: using a free one.`);
  });
  try {
    tell(`Arbiter: ${server.url} → ${proxy.upstream}, model ${proxy.model}`);
    if (log) tell(`Log: ${log.path}`);
    const program = { command: claude.command, args: [...claude.args, ...rest] };
    const env = toClaudeEnv(io.env, server.url, proxy.model);
    return await runChild(program, env, settings.targetDir ?? io.cwd);
  } finally {
    proxy.arbiter.close();
    await server.close();
  }
}

// lib/cli/environment.ts --------------------------------------------------------------------

async function readDotenv(path: string): Promise<Record<string, string | undefined>> {
  const { readFile } = await import("node:fs/promises");
  const { parseEnv } = await import("node:util");
  try {
    return { ...parseEnv(await readFile(path, "utf8")) };
  } catch {
    return {}; // Most folders have none, and an unreadable one is as good as none.
  }
}

/**
 * The environment in order of weight: the process, `.env` here, `.env` in the user's config folder.
 *
 * A variable that is really set is never overwritten by a file, as in `load` of `@std/dotenv`.
 */
async function readEnvironment({ env, cwd, platform }: Io): Promise<EnvReader> {
  const folder = toFolder("config", env, platform);
  const files = [`${cwd}/.env`, ...folder ? [`${folder}/.env`] : []];
  return new EnvReader(env, ...await Promise.all(files.map(readDotenv)));
}

// lib/cli/serve_command.ts ------------------------------------------------------------------

/** Runs the proxy until it is told to stop. */
async function runServe({ io, settings, flags }: Context): Promise<number> {
  const { default: process } = await import("node:process");
  const proxy = createProxy(settings, flags.demo === true, io.tell);
  const server = await listen(proxy, settings);
  io.print(`Arbiter is listening on ${server.url} → ${proxy.upstream}, model ${proxy.model}`);
  io.print(`To use it: ANTHROPIC_BASE_URL=${server.url} ANTHROPIC_AUTH_TOKEN=arbiter claude`);
  await new Promise<void>((resolve) => {
    process.once("SIGINT", () => resolve()).once("SIGTERM", () => resolve());
  });
  proxy.arbiter.close();
  await server.close();
  return 0;
}

// lib/cli/main.ts ---------------------------------------------------------------------------

const RUN_BY_COMMAND: Record<Command, (context: Context) => Promise<number>> = { code: runCode, serve: runServe };

async function run(args: readonly string[], io: Io): Promise<number> {
  const line = await parseCommandLine(args);
  if (line.flags.help) io.print(usage());
  else if (line.flags.version) io.print(VERSION);
  else {
    const env = await readEnvironment(io);
    const settings = resolveSettings(line.flags, env);
    for (const warning of env.warnings) io.tell(`arbiter: ${warning}`);
    return await RUN_BY_COMMAND[line.command]({ ...line, io, settings });
  }
  return 0;
}

/**
 * The command line.
 *
 * @param args What was typed after the program's name.
 * @returns The exit code: 0, Claude Code's own, 1 when something could not be done, 2 when the
 * program was started or configured wrongly.
 */
export async function main(args: readonly string[]): Promise<number> {
  const io = await createIo();
  try {
    return await run(args, io);
  } catch (thrown) {
    io.tell(`arbiter: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    if (!(thrown instanceof ConfigError)) return 1;
    io.tell("Run arbiter-proxy --help to see how it is used.");
    return 2;
  }
}

if (import.meta.main) {
  import("node:process").then(async ({ default: process }) => {
    process.exitCode = await main(process.argv.slice(2));
  });
}
