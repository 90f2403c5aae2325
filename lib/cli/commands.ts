/**
 * A flag: its type for `parseArgs`, its letter, what the help calls its value, the words its value may be, whether it is
 * a file, and what it does.
 */
export type FlagRow = {
  type: "string" | "boolean";
  short?: string;
  value?: string;
  values?: readonly string[];
  file?: true;
  help: string;
};

/** Every flag; help, parsing and completion come from here. */
export const FLAGS = {
  port: { type: "string", short: "p", value: "N", help: "port of the proxy (4005; 0 takes any free one)" },
  host: {
    type: "string",
    value: "ADDRESS",
    help: "address of the proxy (127.0.0.1); one that others reach needs ARBITER_API_KEY",
  },
  model: { type: "string", short: "m", value: "ID", help: "upstream model; more, with commas between, step in for it" },
  "max-tokens": { type: "string", short: "t", value: "N", help: "most output tokens to ask a model for" },
  config: { type: "string", value: "FILE", file: true, help: "the config file, instead of arbiter.json" },
  "api-key-file": { type: "string", value: "FILE", file: true, help: "a file with the API key and nothing else" },
  "log-level": {
    type: "string",
    value: "LEVEL",
    values: ["info", "error", "silent"],
    help: "what is logged: info (each request), error or silent",
  },
  demo: { type: "boolean", short: "d", help: "use the built-in demo model: no key, no network" },
  yes: { type: "boolean", short: "y", help: "ask nothing" },
  json: { type: "boolean", help: "print JSON, for scripts" },
  shell: {
    type: "string",
    value: "NAME",
    values: ["sh", "fish", "powershell", "cmd"],
    help: "sh (also bash and zsh), fish, powershell or cmd; yours, if not said",
  },
  watch: { type: "boolean", short: "w", help: "go on and show what changes" },
  all: { type: "boolean", short: "a", help: "ask every model the host lists, not only the roster" },
  "base-url": { type: "string", value: "URL", help: "address of the proxy, if it is not Arbiter" },
  help: { type: "boolean", short: "h", help: "show how a command is used" },
  version: { type: "boolean", short: "v", help: "show the version" },
} as const satisfies Record<string, FlagRow>;

/** A flag's long name. */
export type FlagName = keyof typeof FLAGS;

/** Flags that only those commands take that name them; all others are accepted everywhere. */
export const OWN_FLAGS: readonly FlagName[] = ["shell", "watch", "all", "base-url"];

/** A command: other names, its arguments for the help, how many and of which words, the flags that matter to it. */
export type CommandRow = {
  aliases?: readonly string[];
  args?: string;
  /** Least and most arguments. @default {[0, 0]} */
  count?: readonly [least: number, most: number];
  /** What the first argument may be. */
  words?: readonly string[];
  help: string;
  /** Sentences for its own help. */
  more?: string;
  flags?: readonly FlagName[];
  /** Arguments of examples, short enough for 40 columns. */
  examples?: readonly string[];
  /** Exit codes that mean something else than {@linkcode EXITS}. */
  exits?: Readonly<Record<string, string>>;
};

/** What exit codes mean. */
export const EXITS: Readonly<Record<string, string>> = {
  0: "done",
  1: "something could not be done",
  2: "Arbiter was started or configured wrongly",
};

const LEFT_EXIT = { 130: "a question was left" } as const;
const UPSTREAM = ["model", "config", "api-key-file", "demo"] as const;
const PROXY = ["port", "host", ...UPSTREAM, "max-tokens", "log-level"] as const;
const RUNNING = ["port", "host"] as const;

/** Every command; the first is the default. */
export const COMMANDS = {
  code: {
    args: "[-- ARGUMENTS]",
    help: "start the proxy and Claude Code in this folder (the default)",
    more: "What follows after -- goes to Claude Code. TARGET_DIR names another folder.",
    flags: [...PROXY, "yes"],
    examples: ["--demo", 'code -- -p "explain it"', "code -- --continue", "code -m z-ai/glm-5.2"],
    exits: { 0: "Claude Code's own, like all others", 127: "there is no Claude Code to run", ...LEFT_EXIT },
  },
  serve: {
    aliases: ["proxy", "run", "r2"],
    help: "start the proxy alone, in the foreground",
    more: "It runs until Ctrl-C, and logs a line a request.",
    flags: PROXY,
    examples: ["serve", "serve --port 4010"],
  },
  probe: {
    help: "ask every model of the roster whether it answers",
    more:
      "One token each, within 8 seconds: OK, FAIL, TIME, ???? (unclear) or SKIP, and why. The models in use come first. " +
      "Half of the host's quota is left for work, and what others said in the last 6 hours is believed.",
    flags: ["all", ...UPSTREAM, "json"],
    examples: ["probe", "probe --all", "probe --json"],
    exits: { 0: "at least one model answers" },
  },
  models: {
    args: "[list | show [ID [PROMPT]] | refresh]",
    count: [0, 3],
    words: ["list", "show", "refresh"],
    help: "list the models; show where a request goes, and why",
    more:
      "list: models and their limits. show ID: where a request for that name goes, with the words of PROMPT in it, " +
      "and why; without ID what models have taught. refresh: compares with what the host says it serves.",
    flags: [...UPSTREAM, "json"],
    examples: ["models", "models show kimi-k3", "models refresh"],
  },
  env: {
    help: "print what points any Claude Code at a proxy that runs",
    more:
      "Your own variables win. In fish: arbiter-proxy env | source. In PowerShell: arbiter-proxy env | Out-String | " +
      "Invoke-Expression. In cmd: arbiter-proxy env > env.bat, then env.bat. --json prints what belongs into " +
      ".claude/settings.json.",
    flags: ["shell", ...RUNNING, "model", "max-tokens", "config", "demo", "json"],
    examples: ['eval "$(arbiter-proxy env)"', "env --shell fish", "env --json"],
  },
  init: {
    help: "choose key and model again, as at the first run",
    flags: ["config", "api-key-file"],
    exits: LEFT_EXIT,
  },
  reset: {
    help: "forget the choice, and what models have taught",
  },
  doctor: {
    help: "check key, Claude Code, port and network, each with its fix",
    flags: [...RUNNING, "config", "api-key-file", "json"],
    exits: { 1: "something is wrong" },
  },
  status: {
    help: "show what a running proxy does",
    flags: ["watch", ...RUNNING, "json"],
    examples: ["status", "status --watch"],
    exits: { 1: "no proxy runs there" },
  },
  dashboard: {
    help: "tell where to see what a running proxy does",
    more: "It is a page for a browser, which shows requests while they are on their way, models and sessions.",
    flags: RUNNING,
    exits: { 1: "no proxy runs there" },
  },
  stop: {
    help: "stop a running proxy",
    flags: RUNNING,
    exits: { 1: "no proxy runs there" },
  },
  test: {
    help: "check that a running proxy answers as Claude Code expects",
    flags: ["base-url", ...RUNNING, "model", "json"],
    examples: ["test", "test --port 8082"],
    exits: { 1: "a check failed" },
  },
  completions: {
    args: "bash | zsh | fish | powershell",
    count: [1, 1],
    words: ["bash", "zsh", "fish", "powershell"],
    help: "print a script by which a shell completes commands",
    more: "Its first line says how it is put to use.",
    examples: ["completions bash"],
  },
  help: {
    args: "[COMMAND]",
    count: [0, 1],
    help: "show how a command is used",
    examples: ["help env"],
  },
} as const satisfies Record<string, CommandRow>;

/** A command's name. */
export type Command = keyof typeof COMMANDS;

/** Commands and their rows; the table itself knows them too exactly to ask for what a row may lack. */
export const COMMAND_ROWS: readonly (readonly [Command, CommandRow])[] = Object.entries(COMMANDS) as [
  Command,
  CommandRow,
][];

/** Each command under its own name and those that earlier tools gave it. */
export const COMMAND_BY_NAME: ReadonlyMap<string, Command> = new Map(
  COMMAND_ROWS.flatMap(([name, { aliases = [] }]) => [name, ...aliases].map((alias) => [alias, name] as const)),
);
