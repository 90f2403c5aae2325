import type { Env } from "./settings.ts";

/** A variable, in quotes of one of three kinds, which may hold several lines, or up to a comment. */
const VARIABLE = /^[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*=[ \t]*(?:"([^"]*)"|'([^']*)'|`([^`]*)`|([^\n#]*))/gm;

/**
 * Parses a `.env` as `parse` of `@std/dotenv` and Node's `util.parseEnv` do, which Deno before 2.8 and Bun before 1.2.5 do
 * not have; only double quotes make `\n` a line end. What is no variable is left out.
 */
export function parseDotenv(text: string): Env {
  const variables = text.replaceAll("\r", "").matchAll(VARIABLE);
  return Object.fromEntries([...variables].map(([, name, double, single, tick, plain = ""]) => {
    return [name, double?.replaceAll("\\n", "\n") ?? single ?? tick ?? plain.trim()];
  }));
}
