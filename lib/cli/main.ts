import { readKeyFile, toWhy } from "../config/config_file.ts";
import { parseDotenv } from "../config/dotenv.ts";
import { toConfigPath, toEarlierFiles } from "../config/folders.ts";
import { readTextFile } from "../config/read_text_file.ts";
import { ConfigError, type Env, resolveSettings } from "../config/settings.ts";
import { VERSION } from "../version.ts";
import { runCode } from "./code.ts";
import type { Command } from "./commands.ts";
import { toCompletions } from "./completions.ts";
import { runDoctor } from "./doctor_command.ts";
import { runEnv } from "./env_command.ts";
import { parseCommandLine } from "./flags.ts";
import { withoutOpening } from "./folder_files.ts";
import { toHelp } from "./help.ts";
import { runInit } from "./first_run.ts";
import { type Context, createIo, type Io } from "./io.ts";
import { runModels, runReset } from "./models_command.ts";
import { runProbe } from "./probe_command.ts";
import { runServe } from "./serve_command.ts";
import { runDashboard, runStatus, runStop } from "./status_command.ts";
import { runTest } from "./test_command.ts";

const RUN_BY_COMMAND: Record<Exclude<Command, "help" | "completions">, (context: Context) => Promise<number>> = {
  code: runCode,
  serve: runServe,
  models: runModels,
  probe: runProbe,
  env: runEnv,
  init: runInit,
  reset: runReset,
  doctor: runDoctor,
  status: runStatus,
  dashboard: runDashboard,
  stop: runStop,
  test: runTest,
};

/** What is not there, or is a folder, is no file. */
const NO_FILE = ["ENOENT", "ENOTDIR", "EISDIR"];

/** Reads a `.env`, which most folders have not. */
async function readDotenv(path: string, warn: (warning: string) => void): Promise<Env> {
  const text = await readTextFile(path).catch((thrown) => {
    if (!NO_FILE.includes(thrown.code)) warn(`Cannot read ${path}: ${toWhy(thrown)}`);
    return "";
  });
  return parseDotenv(text);
}

/** The environment in order of weight: a variable that is set is never overwritten by a file, as in `@std/dotenv`. */
function readEnvironment(io: Io, warn: (warning: string) => void): Promise<Env[]> {
  const files = [`${io.cwd}/.env`, toConfigPath(io, ".env") ?? "", ...toEarlierFiles(io.env)];
  return Promise.all([io.env, ...files.map((file) => readDotenv(file, warn))]);
}

async function run(typed: readonly string[], io: Io): Promise<number> {
  const line = await parseCommandLine(typed);
  const { flags, command, args } = line;
  const say = (text: string) => {
    io.print(text);
    return 0;
  };
  // Whatever is set, or set wrongly.
  if (flags.version) return say(VERSION);
  if (command === "help") return say(toHelp(args[0], io.columns));
  if (command === "completions") return say(toCompletions(args[0]!));
  const warn = (warning: string) => io.tell(`arbiter: ${warning}`);
  const [given = {}, here = {}, ...files] = await readEnvironment(io, warn);
  const folder = io.cwd === toConfigPath(io) ? here : withoutOpening(here, warn);
  const layers = [{ ARBITER_CONFIG: flags.config }, given, folder, ...files];
  const { "api-key-file": keyFile } = flags;
  const settings = resolveSettings(flags, layers, warn);
  if (keyFile !== undefined) settings.apiKey = await readKeyFile(keyFile);
  return await RUN_BY_COMMAND[command]({ ...line, io, settings, layers, folder });
}

/**
 * The command line.
 *
 * @param args What was typed after the program's name.
 * @returns The exit code: 0, Claude Code's own, 1 when something could not be done, 2 when the program was started or
 * configured wrongly.
 */
export async function main(args: readonly string[]): Promise<number> {
  const io = await createIo();
  // Node ends at once where all that is left is a call that hangs: its deadline alone does not keep it.
  const awake = setInterval(() => {}, 60_000);
  try {
    return await run(args, io);
  } catch (thrown) {
    io.tell(`arbiter: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    if (!(thrown instanceof ConfigError)) return 1;
    io.tell("Run arbiter-proxy --help to see how it is used.");
    return 2;
  } finally {
    clearInterval(awake);
  }
}
