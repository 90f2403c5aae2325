import type { Runtime } from "../wire/runtime.ts";

/**
 * The first versions on which all of it works: older ones of Deno and Bun run a session, but do not always notice
 * that a connection breaks or a client goes away.
 */
const OLDEST: Readonly<Record<string, string>> = { Node: "20", Deno: "2.8", Bun: "1.4.3" };

/** Whether a version such as `2.1.154` is older than another. */
export function isOlder(version: string, than: string): boolean {
  return version.localeCompare(than, "en", { numeric: true }) < 0;
}

/** What to do about a runtime that is too old. */
export function toUpgrade({ name, version }: Runtime): string | undefined {
  const oldest = OLDEST[name];
  return oldest !== undefined && isOlder(version, oldest) ? `Install ${oldest} or later.` : undefined;
}
