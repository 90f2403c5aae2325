import type { Env, Settings } from "../config/settings.ts";
import type { CommandLine } from "./flags.ts";
import { toPrintable } from "../wire/printable.ts";
import { wrapLines } from "./rows.ts";

/**
 * What a command sees of the world. `platform` is Node's name of it, `interactive` tells whether a person may be asked,
 * `columns` is the width of the terminal that results go to, if it is one, `print` writes a line of result, behind
 * `before` for the terminal itself, `tell` one about what is going on, or wrong.
 */
export type Io = {
  env: Env;
  readonly cwd: string;
  platform: string;
  interactive: boolean;
  readonly columns?: number | undefined;
  print: (line: string, before?: string) => void;
  tell: (line: string) => void;
};

/**
 * What a command works with: beside the settings the layers of the environment that they came from, and which of them
 * is the current folder's `.env`.
 */
export type Context = CommandLine & { io: Io; settings: Settings; layers: readonly Env[]; folder?: Env };

/** Prints lines or, with `--json`, a value. */
export function report({ io, flags }: Context, value: unknown, lines: readonly string[]): void {
  for (const line of flags.json ? [JSON.stringify(value, null, 2)] : lines) io.print(line);
}

/** The world of this process. */
export async function createIo(): Promise<Io> {
  const { default: process } = await import("node:process");
  // Who reads no further, as `head` does, has what they wanted; a terminal that was closed is of no use any more.
  for (const stream of [process.stdin, process.stdout, process.stderr]) stream.on("error", () => {});
  return {
    env: process.env,
    get cwd() {
      try {
        return process.cwd();
      } catch (cause) {
        throw new Error("The current folder is not there any more: change to another", { cause });
      }
    },
    platform: process.platform,
    interactive: Boolean(process.stdin.isTTY && process.stderr.isTTY),
    get columns() {
      return process.stdout.isTTY && process.stdout.columns || undefined; // Some terminals say 0.
    },
    print: (line, before = "") => void process.stdout.write(`${before}${toPrintable(line)}\n`),
    tell: (line) => {
      const { isTTY, columns } = process.stderr;
      const text = toPrintable(line);
      process.stderr.write(`${isTTY ? wrapLines(text, columns || undefined) : text}\n`);
    },
  };
}
