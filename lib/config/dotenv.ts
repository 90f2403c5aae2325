import type { Env } from "./settings.ts";

/** A variable, in quotes of one of three kinds, which may hold several lines, or up to a comment. */
const VARIABLE = /^[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*=[ \t]*(?:"([^"]*)"|'([^']*)'|`([^`]*)`|([^\n#]*))/gm;

/**
 * Parses a `.env` as `parse` of `@std/dotenv` does, but for `$NAME`; only double quotes make `\n` a line end, and what is no variable is
 * left out. Node's `util.parseEnv` takes the next line for the value of `A= `, and differs from version to version.
 */
export function parseDotenv(text: string): Env {
  const variables = text.replaceAll("\r", "").matchAll(VARIABLE);
  return Object.fromEntries([...variables].map(([, name, double, single, tick, plain = ""]) => {
    return [name, double?.replaceAll("\\n", "\n") ?? single ?? tick ?? plain.trim()];
  }));
}
