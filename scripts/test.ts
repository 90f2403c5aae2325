/**
 * Runs the suite from one source under Deno, Bun and Node: `npm test`.
 *
 * Node 20 cannot run TypeScript, so it runs what npm users get: the compiled mod.js.
 */
import { runSteps } from "./run.ts";

runSteps({
  "Build": "bun scripts/build.ts",
  "Deno": "deno test -A --no-check --reporter=dot tests",
  "Bun": "bun test --dots --timeout 30000 ./tests",
  "Node": "node --test --test-reporter=spec dist/tests/*/*.test.js",
});
