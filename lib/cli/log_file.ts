import { toStatePath } from "../config/folders.ts";
import type { ArbiterStatus } from "../server/stats.ts";
import { toPrintable } from "../wire/printable.ts";
import type { Io } from "./io.ts";
import { toAmount } from "./rows.ts";

/** Bytes after which the log is moved aside, in place of the one that was moved before. */
const MAX_LOG_BYTES = 1_000_000;

/**
 * Makes a log in the state folder, for the time in which the terminal belongs to Claude Code; nothing is opened before the
 * first line. `close` tells, as a sentence, where it is or why it is not.
 */
export function createLogFile(io: Io, now: () => number = Date.now) {
  const path = toStatePath(io, "arbiter.log");
  let [told, writing] = ["", Promise.resolve()];

  async function append(path: string, line: string): Promise<void> {
    const { appendFile, mkdir, rename, stat } = await import("node:fs/promises");
    const { dirname } = await import("node:path");
    const size = await stat(path).then(({ size }) => size, () => 0);
    if (size === 0) await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    if (size + line.length > MAX_LOG_BYTES) await rename(path, `${path}.1`);
    await appendFile(path, line, { mode: 0o600 });
    told ||= `Log: ${path}`;
  }

  return {
    write(line: string) {
      if (!path) return;
      const text = `${new Date(now()).toISOString()} ${toPrintable(line)}\n`;
      writing = writing.then(() => append(path, text)).catch(({ message }: Error) => {
        told = `The log could not be written: ${message}`;
      });
    },
    close: () => writing.then(() => told),
  };
}

/** What a session came to, in one line; nothing where nothing was asked. */
export function toSummary(status: ArbiterStatus): string {
  const { requests, models, local, fallbacks, errors } = status;
  if (requests === 0) return "";
  const answers = Object.entries(models).sort(([, a], [, b]) => b - a).map(([name, count]) => `${count} by ${name}`);
  return [
    `Arbiter: ${toAmount(requests, "request")}`,
    ...(answers.length > 0 ? [`answered ${answers.join(", ")}`] : []),
    ...(local > 0 ? [`${local} without a model`] : []),
    ...(fallbacks > 0 ? [`${toAmount(fallbacks, "turn")} saved by a fallback`] : []),
    ...(errors > 0 ? [`${errors} failed`] : []),
  ].join("; ");
}
