import { findNearest } from "../config/nearest.ts";
import { ConfigError } from "../config/settings.ts";
import {
  type Command,
  COMMAND_BY_NAME,
  type CommandRow,
  COMMANDS,
  type FlagName,
  FLAGS,
  OWN_FLAGS,
} from "./commands.ts";

/** Flags that were typed, under their long names. */
export type Flags = { [K in FlagName]?: (typeof FLAGS)[K]["type"] extends "string" ? string : boolean };

/** A parsed command line: flags, the command's own arguments, what stands after `--` for Claude. */
export type CommandLine = { command: Command; flags: Flags; args: string[]; rest: string[] };

/** What is added to a complaint about a word: the one that may have been meant, or else what helps. */
function toHint(word: string, known: Iterable<string>, otherwise = "", before = ""): string {
  const nearest = findNearest(word, [...known]);
  return nearest === undefined ? otherwise : `: did you mean '${before}${nearest}'?`;
}

/** What is wrong with a flag, from what `parseArgs` says; it has sentences of advice that do not fit here. */
function toFlagProblem({ message, code }: Error & { code?: string }, args: readonly string[]): string {
  const [problem = ""] = message.replace("argument is ambiguous", "needs a value").split(/\.\s|\n/);
  if (code !== "ERR_PARSE_ARGS_UNKNOWN_OPTION") return problem;
  const [, flag = ""] = /--?([^'\s]+)/.exec(problem) ?? [];
  const command = COMMAND_BY_NAME.get(args.find((arg) => COMMAND_BY_NAME.has(arg)) ?? "code");
  return problem + toHint(flag, Object.keys(FLAGS), command === "code" ? ": claude's own follow after --" : "", "--");
}

function toCommand(name: string): Command {
  const command = COMMAND_BY_NAME.get(name);
  if (!command) throw new ConfigError(`Unknown command '${name}'${toHint(name, COMMAND_BY_NAME.keys())}`);
  return command;
}

function checkArgs(command: Command, args: readonly string[]): void {
  const { count: [least, most] = [0, 0], words, args: usage }: CommandRow = COMMANDS[command];
  const [first] = args;
  const extra = args[most];
  if (first !== undefined && words && !words.includes(first)) {
    throw new ConfigError(`Unexpected argument '${first}'${toHint(first, words, `: expected ${words.join(", ")}`)}`);
  }
  if (args.length < least) throw new ConfigError(`'${command}' needs an argument: ${usage}`);
  if (extra === undefined) return;
  throw new ConfigError(`Unexpected argument '${extra}'${command === "code" ? ": claude's own follow after --" : ""}`);
}

/**
 * Parses the arguments in the manner of `parseArgs` of `@std/cli`; what nobody knows is a {@linkcode ConfigError}.
 *
 * `--help` with a command is the command `help` with that as its argument.
 */
export async function parseCommandLine(args: readonly string[]): Promise<CommandLine> {
  const { parseArgs } = await import("node:util");
  const cut = args.includes("--") ? args.indexOf("--") : args.length;
  const toParsed = () => parseArgs({ args: args.slice(0, cut), options: FLAGS, allowPositionals: true });
  let parsed: ReturnType<typeof toParsed>;
  try {
    parsed = toParsed();
  } catch (cause) {
    throw new ConfigError(toFlagProblem(cause as Error, args), { cause });
  }
  const [name = "code", ...own] = parsed.positionals;
  const command = toCommand(name);
  const { help, ...flags }: Flags = { ...parsed.values };
  const rest = args.slice(cut + 1);
  if (help) return { command: "help", flags, args: command === "help" ? own : parsed.positionals.slice(0, 1), rest };
  checkArgs(command, own);
  if (command === "help") own.forEach(toCommand);
  const { flags: taken = [] }: CommandRow = COMMANDS[command];
  const wrong = OWN_FLAGS.find((flag) => flag in flags && !taken.includes(flag));
  if (wrong) throw new ConfigError(`'${command}' has no flag --${wrong}`);
  const [empty] = Object.entries(flags).find(([, value]) => value === "") ?? [];
  if (empty) throw new ConfigError(`Option '--${empty}' is empty`);
  // Claude Code's own -p takes a prompt.
  if (command === "code" && /\s/.test(flags.port ?? "")) {
    throw new ConfigError(`'${flags.port}' is no port: claude's own -p follows after --`);
  }
  if (rest.length > 0 && command !== "code") throw new ConfigError(`'${command}' takes nothing after --`);
  return { command, flags, args: own, rest };
}
