import type { Env } from "../config/env.ts";

/** A program to run, with the arguments that come before the user's. */
export interface Program {
  command: string;
  args: readonly string[];
}

/** Finds a program on PATH, as a shell would; nothing when it is not there. */
export async function findOnPath(name: string, env: Env, platform: string): Promise<string | undefined> {
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
export async function runChild(program: Program, env: Env, cwd: string): Promise<number> {
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
