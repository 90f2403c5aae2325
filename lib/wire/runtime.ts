/** A runtime's name as people write it, and its version. */
export type Runtime = { name: string; version: string };

/** By the names they give themselves; the first two claim to be Node, too. */
const NAMES = { deno: "Deno", bun: "Bun", node: "Node" };

/** Finds out on what this runs. */
export async function readRuntime(): Promise<Runtime> {
  const { default: { versions } } = await import("node:process");
  const [key = "node", name = ""] = Object.entries(NAMES).find(([key]) => versions[key]) ?? [];
  return { name, version: versions[key] ?? "" };
}
