import type { DeclaredTools } from "./grammar.ts";

/** Longer names are none: no host takes more than 64 characters, and models put little around them. */
const LONGEST_TOOL_NAME = 300;

/** Steps from what a model wrote to what it meant, each tried only if it leads to a declared name. */
const STEPS: readonly ((name: string) => string)[] = [
  (name) => name,
  (name) => name.split("<", 1)[0] ?? name,
  (name) => name.replace(/^[\s"'●]+|[\s"']+$/g, ""),
  (name) => name.replace(/^(?:functions|tools|default_api|namespace|ns)[.:/]/, ""),
  (name) => name.replace(/:\d+$/, ""),
];

/**
 * Finds the declared tool a model means by `written`, such as `functions.Read:0` for `Read`.
 *
 * @returns The tool's name upstream; nothing when none fits.
 */
export function resolveToolName(written: string, tools: DeclaredTools): string | undefined {
  if (written.length > LONGEST_TOOL_NAME) return undefined;
  let name = written;
  for (const step of STEPS) {
    name = step(name);
    if (tools.has(name)) return name;
  }
  const names = [...tools.keys()];
  const lower = name.toLowerCase();
  return names.find((key) => key.toLowerCase() === lower) ?? names.find((key) => key === name.split(".").at(-1));
}
