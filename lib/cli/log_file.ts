import { toFolder } from "../config/folders.ts";
import type { Io } from "./io.ts";

/** Bytes after which a log becomes `arbiter.log.old`, so that the two stay under twice this. */
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * Opens the log in the user's state folder: while Claude Code runs, the terminal is its own.
 *
 * @returns The path and a function that appends a line; nothing if the folder cannot be written.
 */
export async function openLogFile(io: Io): Promise<{ path: string; write: (line: string) => void } | undefined> {
  const folder = toFolder("state", io.env, io.platform);
  if (!folder) return undefined;
  const { appendFileSync, mkdirSync, renameSync, statSync } = await import("node:fs");
  const path = `${folder}/arbiter.log`;
  const write = (line: string) => {
    try {
      appendFileSync(path, `${new Date().toISOString()} ${line}\n`, { mode: 0o600 });
    } catch {
      // A full disk must not end the session; the line is lost.
    }
  };
  try {
    mkdirSync(folder, { recursive: true });
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    if (size > MAX_BYTES) renameSync(path, `${path}.old`);
    appendFileSync(path, "");
    return { path, write };
  } catch {
    return undefined;
  }
}
