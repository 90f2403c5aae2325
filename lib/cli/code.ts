import { ConfigError, type Env } from "../config/settings.ts";
import { findOnPath, readLastLine, runChild } from "./child.ts";
import { toClaudeEnv, toToken } from "./claude_env.ts";
import { askUnset, LEFT_CODE } from "./first_run.ts";
import type { Context, Io } from "./io.ts";
import { LEFT } from "./line_state.ts";
import { createLogFile, toSummary } from "./log_file.ts";
import { createPrompts } from "./prompts.ts";
import { createProxy, listen } from "./proxy.ts";
import { findUnreachable } from "./reach.ts";

const CLAUDE_PACKAGE = "@anthropic-ai/claude-code";
/** What a shell returns for a command it cannot find. */
const NOT_FOUND = 127;

/** Asks a question, to which Enter means yes. */
async function askYesNo(question: string, env: Env): Promise<boolean | typeof LEFT> {
  const { askLine, close } = createPrompts(env);
  const answer = await askLine(`${question} [Y/n]`).finally(close);
  return answer === LEFT ? LEFT : !/^\s*n/i.test(answer);
}

/** Finds Claude Code, installed or through npx; an exit code when there is none or the user does not want it. */
async function findClaude({ env, platform, interactive, tell }: Io, yes = false): Promise<string | number> {
  const claude = await findOnPath("claude", env, platform);
  if (claude) return claude;
  const npx = await findOnPath("npx", env, platform);
  if (npx) tell(`Claude Code is not on PATH: running it through npx (${CLAUDE_PACKAGE}, a large download once).`);
  else tell(`Claude Code is not on PATH, nor is npx to fetch it: install Node.js, then ${CLAUDE_PACKAGE}.`);
  const wanted = npx && (yes || !interactive || await askYesNo("Go on?", env));
  if (wanted === LEFT) return LEFT_CODE;
  if (npx && wanted) {
    // Asked only where the program is: npx would stand in the way of signals and exit codes.
    const where = platform === "win32" ? "where claude" : "command -v claude";
    const program = { command: npx, args: ["--yes", "-p", CLAUDE_PACKAGE, "-c", where] };
    const { homedir } = await import("node:os"); // In the current folder its .npmrc or node_modules would choose the program.
    const found = await readLastLine(program, env, homedir());
    if (found) return found;
  }
  tell(`To install it: npm install -g ${CLAUDE_PACKAGE}`);
  return NOT_FOUND;
}

/** Tokens a session needs at the least (measured with 2.1.328): in less it cannot go on after a compaction or two. */
const LEAST_WINDOW = 32_000;

/** The folder that Claude Code starts in. */
async function findTarget({ io: { cwd }, settings: { targetDir } }: Context): Promise<string> {
  if (targetDir === undefined) return cwd;
  const { stat } = await import("node:fs/promises");
  const isFolder = await stat(targetDir).then((found) => found.isDirectory(), () => false);
  if (!isFolder) throw new ConfigError(`Cannot use TARGET_DIR='${targetDir}': expected a folder`);
  return targetDir;
}

/** Runs the proxy and, in front of it, Claude Code; gives Claude Code's exit code. */
export async function runCode(given: Context): Promise<number> {
  const folder = await findTarget(given);
  const context = await askUnset(given);
  if (!context) return LEFT_CODE;
  const { io, settings, flags, rest } = context;
  const log = createLogFile(io); // The terminal is Claude Code's.
  const proxy = await createProxy(context, log.write);
  // Whether the upstream is there takes a while to find out: Arbiter begins to listen meanwhile.
  const checking = flags.demo || settings.skipCheck ? undefined : findUnreachable(proxy);
  const server = await listen(proxy, io, (taken) => {
    io.tell(`Port ${taken} is taken, perhaps by another Arbiter: using a free one.`);
  });
  try {
    const problem = await checking;
    if (problem) throw new Error(problem);
    const claude = await findClaude(io, flags.yes);
    if (typeof claude === "number") return claude;
    io.tell(`Arbiter: ${server.url} → ${proxy.upstream}, model ${proxy.models.elite}`);
    const { contextTokens = Infinity } = proxy.models;
    if (contextTokens < LEAST_WINDOW) {
      io.tell(
        `Its window of ${contextTokens} tokens is too small: Claude Code's own words take some 12,000. Choose another.`,
      );
    }
    const env = toClaudeEnv(io.env, server.url, proxy.models, toToken(settings));
    return await runChild({ command: claude, args: rest }, env, folder);
  } finally {
    await server.close();
    const where = await log.close();
    const summary = toSummary(proxy.arbiter.status());
    if (summary && settings.logLevel !== "silent") io.tell([summary, where].filter(Boolean).join(". "));
  }
}
