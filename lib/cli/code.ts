import { findOnPath, type Program, runChild } from "./child.ts";
import { toClaudeEnv } from "./claude_env.ts";
import type { Context } from "./context.ts";
import { openLogFile } from "./log_file.ts";
import { createProxy, findUnreachable, listen } from "./proxy.ts";
import type { Io } from "./io.ts";

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
export async function runCode({ io, settings, flags, rest }: Context): Promise<number> {
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
