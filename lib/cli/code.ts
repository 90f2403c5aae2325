import { findOnPath, type Program, runChild } from "./child.ts";
import { toClaudeEnv } from "./claude_env.ts";
import type { Context, Io } from "./io.ts";
import { createProxy, findUnreachable, listen } from "./proxy.ts";

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
async function findClaude({ env, platform, interactive, tell }: Io, yes = false): Promise<Program | undefined> {
  const claude = await findOnPath("claude", env, platform);
  if (claude) return { command: claude, args: [] };
  const npx = await findOnPath("npx", env, platform);
  if (npx) tell(`Claude Code is not on PATH: running it through npx (${CLAUDE_PACKAGE}, a large download once).`);
  else tell(`Claude Code is not on PATH, nor is npx to fetch it: install Node.js, then ${CLAUDE_PACKAGE}.`);
  if (npx && (yes || !interactive || await askYesNo("Go on?"))) {
    return { command: npx, args: ["--yes", CLAUDE_PACKAGE] };
  }
  tell(`To install it: npm install -g ${CLAUDE_PACKAGE}`);
  return undefined;
}

/** Runs the proxy and, in front of it, Claude Code; gives Claude Code's exit code. */
export async function runCode(context: Context): Promise<number> {
  const { io, settings, flags, rest } = context;
  const proxy = createProxy(context, () => {}); // The terminal is Claude Code's.
  const problem = flags.demo || settings.skipCheck ? undefined : await findUnreachable(proxy.upstream);
  if (problem) throw new Error(problem);
  const claude = await findClaude(io, flags.yes);
  if (!claude) return NOT_FOUND;
  const server = await listen(proxy, context, (taken) => {
    io.tell(`Port ${taken} is taken, perhaps by another Arbiter: using a free one.`);
  });
  try {
    io.tell(`Arbiter: ${server.url} → ${proxy.upstream}, model ${proxy.model}`);
    const program = { command: claude.command, args: [...claude.args, ...rest] };
    const env = toClaudeEnv(io.env, server.url, proxy.model);
    return await runChild(program, env, settings.targetDir ?? io.cwd);
  } finally {
    proxy.arbiter.close();
    await server.close();
  }
}
