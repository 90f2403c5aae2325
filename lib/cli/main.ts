import { ConfigError } from "../config/errors.ts";
import { resolveSettings } from "../config/settings.ts";
import { VERSION } from "../version.ts";
import { runCode } from "./code.ts";
import type { Context } from "./context.ts";
import { readEnvironment } from "./environment.ts";
import { type Command, parseCommandLine, usage } from "./flags.ts";
import { createIo, type Io } from "./io.ts";
import { runServe } from "./serve_command.ts";

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
