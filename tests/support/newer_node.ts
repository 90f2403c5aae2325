import { readdirSync } from "node:fs";
import { join } from "node:path";

/** Finds the Node that is for this machine among packages: of several that could be, npm 10 makes no command of any. */
export function findNewerNode(packages: string): string {
  const name = readdirSync(packages).find((name) => /^node-(?:bin-)?(?:linux|darwin|win)-/.test(name));
  if (name === undefined) throw new Error(`There is no Node for this machine in ${packages}`);
  return join(packages, name, "bin", name.includes("-win-") ? "node.exe" : "node");
}
