import type { Env } from "./settings.ts";

/** A variable, in quotes of one of three kinds, which may hold several lines, or up to a comment. */
const VARIABLE = /^[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*=[ \t]*(?:"([^"]*)"|'([^']*)'|`([^`]*)`|([^\n#]*))/gm;

/**
 * Parses a `.env` much as `parse` of `@std/dotenv` does; `$NAME` stays as it is, backticks are quotes, too, and only double
 * ones make `\n` a line end. What is no variable is left out. `util.parseEnv` is not everywhere, and takes the next line for
 * the value of `A= ` from Node 22 on.
 */
export function parseDotenv(text: string): Env {
  const variables = text.replaceAll("\r", "").matchAll(VARIABLE);
  return Object.fromEntries([...variables].map(([, name, double, single, tick, plain = ""]) => {
    return [name, double?.replaceAll("\\n", "\n") ?? single ?? tick ?? plain.trim()];
  }));
}
