import type { Env, Settings } from "../config/settings.ts";
import type { CommandLine } from "./flags.ts";

/** What a command sees of the world. */
export interface Io {
  env: Env;
  /** The current folder. */
  cwd: string;
  /** Node's name of the platform, such as `win32`. */
  platform: string;
  /** Whether a person sits at the terminal, so that questions may be asked. */
  interactive: boolean;
  /** Writes a line of result. */
  print: (line: string) => void;
  /** Writes a line about what is going on, or wrong. */
  tell: (line: string) => void;
}

/** What a command works with. */
export interface Context extends CommandLine {
  io: Io;
  settings: Settings;
}

/** The world of this process. */
export async function createIo(): Promise<Io> {
  const { default: process } = await import("node:process");
  return {
    env: process.env,
    cwd: process.cwd(),
    platform: process.platform,
    interactive: Boolean(process.stdin.isTTY && process.stderr.isTTY),
    print: (line) => void process.stdout.write(`${line}\n`),
    tell: (line) => void process.stderr.write(`${line}\n`),
  };
}
