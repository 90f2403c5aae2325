/**
 * Runs the suite from one source under Deno, Bun and Node: `npm test`.
 *
 * Node 20 cannot run TypeScript, so it runs what npm users get: the compiled mod.js. `npm test -- Deno` runs one of them.
 */
import { readdirSync } from "node:fs";
import process from "node:process";
import { runSteps } from "./run.ts";

// Neither Node 20 nor the shell of Windows knows what a star means.
const paths = readdirSync("tests", { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".test.ts"));
const compiled = paths.map((path) => `dist/tests/${path.replace(/ts$/, "js")}`).sort().join(" ");

const [only] = process.argv.slice(2);
const runtimes = {
  "Deno": "deno test -A --no-check --reporter=dot tests",
  "Bun": "bun test --dots --timeout 30000 ./tests",
  "Node": `node --test --test-reporter=spec ${compiled}`,
};
const chosen = Object.entries(runtimes).filter(([name]) => only === undefined || name === only);
if (chosen.length === 0) throw new Error(`No runtime '${only}': choose ${Object.keys(runtimes).join(", ")}`);
runSteps({ "Build": "bun scripts/build.ts", ...Object.fromEntries(chosen) });
