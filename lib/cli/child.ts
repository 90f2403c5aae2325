import type { ChildProcess } from "node:child_process";
import type { Env } from "../config/settings.ts";
import { onAbort } from "../wire/signal.ts";

/** A program to run, with the arguments that come before the user's. */
export type Program = { command: string; args: readonly string[] };

/** Finds a program on PATH, as a shell would; nothing when it is not there. */
export async function findOnPath(name: string, env: Env, platform: string): Promise<string | undefined> {
  const { access, constants, stat } = await import("node:fs/promises");
  const windows = platform === "win32";
  const [between, slash] = windows ? [";", "\\"] : [":", "/"];
  const endings = windows ? (env.PATHEXT ?? ".COM;.EXE;.BAT;.CMD").split(";") : [""];
  const search = env.PATH ?? env.Path ?? "";
  const folders = (windows ? search.replaceAll('"', "") : search).split(between).filter(Boolean);
  const paths = folders.flatMap((folder) => endings.map((ending) => folder + slash + name + ending));
  for (const path of paths) {
    const found = await access(path, constants.X_OK).then(() => stat(path)).catch(() => undefined);
    if (found?.isFile()) return path;
  }
  return undefined;
}

/**
 * Writes an argument so that it arrives through a .cmd file as it was. The program reads quotes and backslashes; before it
 * cmd reads the line twice, for itself and where the file says `%*`, and takes carets away. A line end would cut the line.
 */
function toCmdWord(word: string): string {
  const quoted = `"${word.replace(/[\r\n]+/g, " ").replace(/(\\*)"/g, '$1$1\\"').replace(/\\*$/, "$&$&")}"`;
  const escape = (text: string) => text.replace(/[()%!^"<>&|]/g, "^$&");
  return escape(escape(quoted));
}

/** What to give to `spawn`: on Windows only a shell can start npm's .cmd files, and takes the arguments as one line. */
export function toSpawned({ command, args }: Program, platform: string): Program & { shell: boolean } {
  const shell = platform === "win32" && !/\.(?:exe|com)$/i.test(command);
  if (!shell) return { command, args, shell };
  return { command: [`"${command}"`, ...args.map(toCmdWord)].join(" "), args: [], shell };
}

/** Starts a program as a shell would find it, with this process's terminal. */
async function start(program: Program, env: Env, cwd: string, stdout: "inherit" | "pipe"): Promise<ChildProcess> {
  const { spawn } = await import("node:child_process");
  const { default: process } = await import("node:process");
  const { command, args, shell } = toSpawned(program, process.platform);
  return spawn(command, args, { stdio: ["inherit", stdout, "inherit"], env, cwd, shell });
}

/** Runs a program and gives the last line it wrote; nothing if it failed, or was not over when `signal` fired. */
export async function readLastLine(program: Program, env: Env, cwd: string, signal?: AbortSignal) {
  const child = await start(program, env, cwd, "pipe");
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text) => output += text);
  const end = () => {
    child.kill();
    child.stdout?.destroy(); // What it has started itself may hold that.
  };
  if (signal) onAbort(signal, end);
  const code = await new Promise((resolve) => child.once("error", resolve).once("close", resolve));
  return code === 0 ? output.trim().split(/\r?\n/).at(-1) : undefined;
}

/**
 * Runs a program in the foreground and gives its exit code, or 128 and the number of the signal that ended it.
 *
 * Ctrl-C reaches it from the terminal, so this process only waits; SIGTERM and SIGHUP are passed on.
 */
export async function runChild(program: Program, env: Env, cwd: string): Promise<number> {
  const { constants } = await import("node:os");
  const { default: process } = await import("node:process");
  const child = await start(program, env, cwd, "inherit");
  const stay = () => {};
  const pass = (signal: NodeJS.Signals) => {
    try {
      process.kill(child.pid!, signal); // With its own kill() Deno takes the signal for how it ended.
    } catch {
      // It has just ended.
    }
  };
  process.on("SIGINT", stay).on("SIGTERM", pass).on("SIGHUP", pass);
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
    });
  } finally {
    process.off("SIGINT", stay).off("SIGTERM", pass).off("SIGHUP", pass);
  }
}
