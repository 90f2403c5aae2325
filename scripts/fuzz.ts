/** Runs the fuzz tests for longer, or again: `npm run fuzz -- --cases 1000000 --seed 1 --runtime bun`. */
import process from "node:process";
import { parseArgs } from "node:util";
import { runSteps } from "./run.ts";

const { values: { cases, seed, runtime } } = parseArgs({
  options: {
    cases: { type: "string", default: "1000000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
    runtime: { type: "string", default: "bun" },
  },
});

const COMMANDS: Record<string, Record<string, string>> = {
  bun: { "Bun": "bun test --timeout 86400000 ./tests/fuzz" },
  deno: { "Deno": "deno test -A --no-check tests/fuzz" },
  node: { "Build": "bun scripts/build.ts", "Node": "node --test dist/tests/fuzz/*.test.js" },
};

Object.assign(process.env, { FUZZ_CASES: cases, FUZZ_SEED: seed });
console.log(`# ${cases} cases, seed ${seed}`);
runSteps(COMMANDS[runtime] ?? COMMANDS.bun!);
