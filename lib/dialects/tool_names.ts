/** Steps from what a model wrote to what it meant, each tried only if it leads to a declared name. */
const STEPS: readonly ((name: string) => string)[] = [
  (name) => name,
  (name) => name.trim(),
  (name) => name.split("<|", 1)[0] ?? name,
  (name) => name.replace(/^(?:functions|tools|default_api)\./, ""),
  (name) => name.replace(/:\d+$/, ""),
];

/**
 * Finds the declared tool a model means by `written`, such as `functions.Read:0` for `Read`.
 *
 * @param declared Maps each name sent upstream to the client's own name.
 * @returns The client's name of the tool; `written` itself when none fits, because the client then
 * tells the model which tools there are.
 */
export function resolveToolName(written: string, declared: ReadonlyMap<string, string>): string {
  let name = written;
  for (const step of STEPS) {
    name = step(name);
    const own = declared.get(name);
    if (own !== undefined) return own;
  }
  const lower = name.toLowerCase();
  for (const [key, own] of declared) if (key.toLowerCase() === lower) return own;
  return written;
}
