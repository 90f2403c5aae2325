import { toStatePath } from "../config/folders.ts";
import { replaceFile } from "../store/replace_file.ts";
import { VERSION } from "../version.ts";
import { isJsonObject, parseJson } from "../wire/json.ts";
import type { Settings } from "../config/settings.ts";
import { toToken } from "./claude_env.ts";
import type { Io } from "./io.ts";

/** What a proxy notes of itself while it listens; `started`, in milliseconds since 1970, is what it tells as `since`. */
export type RunFile = { pid: number; port: number; started: number; version: string };

const toRunPath = (io: Io, ...names: string[]) => toStatePath(io, "run", ...names);

/** Notes who listens on a port; without it only `stop` does not work. */
export async function keepRunFile(io: Io, port: number, started: number): Promise<void> {
  const path = toRunPath(io, `${port}.json`);
  const { pid } = (await import("node:process")).default;
  const file: RunFile = { pid, port, started, version: VERSION };
  if (path) await replaceFile(path, `${JSON.stringify(file)}\n`).catch(() => {});
}

/** Removes the note about a port, if there is one. */
export async function removeRunFile(io: Io, port: number): Promise<void> {
  const { rm } = await import("node:fs/promises");
  const path = toRunPath(io, `${port}.json`);
  if (path) await rm(path, { force: true }).catch(() => {});
}

/** Reads all notes, also those of proxies that were killed: only who tells the same start is who is meant. */
export async function readRunFiles(io: Io): Promise<RunFile[]> {
  const { readdir, readFile } = await import("node:fs/promises");
  const names = await readdir(toRunPath(io) ?? "").catch(() => []);
  const texts = await Promise.all(names.map((name) => readFile(toRunPath(io, name)!, "utf8").catch(() => "")));
  return texts.map(parseJson).filter((file): file is RunFile =>
    isJsonObject(file) && ["pid", "port", "started"].every((key) => Number.isInteger(file[key])) &&
    Number(file.port) > 0 && Number(file.port) <= 65_535 && Number(file.pid) > 0 // Others are groups of processes.
  );
}

/**
 * The key for who listens on a port of this machine: only a proxy that has left a note, and whose process is there, is
 * shown it. Anybody could listen there instead.
 */
export async function readOwnToken(io: Io, settings: Settings, port: number): Promise<string> {
  const { default: process } = await import("node:process");
  const isThere = ({ pid }: RunFile): boolean => {
    try {
      return process.kill(pid, 0); // Asks only whether the process is there, and the user's.
    } catch {
      return false;
    }
  };
  const own = (await readRunFiles(io)).some((file) => file.port === port && isThere(file));
  return toToken(own ? settings : {});
}
