import { ConfigError } from "../config/errors.ts";

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
export type Command = keyof typeof COMMANDS;

/** A parsed command line. */
export interface CommandLine {
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
export function usage(): string {
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
export async function parseCommandLine(args: readonly string[]): Promise<CommandLine> {
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
