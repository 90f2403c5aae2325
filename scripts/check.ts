/** Everything but the tests that must be in order before a change lands: `npm run check`. */
import { runSteps } from "./run.ts";

runSteps({
  "Format": "deno fmt --check",
  "Lint": "deno lint",
  "mod.ts": "bun scripts/amalgamate.ts --check",
  "Types (TypeScript)": "tsc --noEmit",
  "Types (Deno)": "deno check -q mod.ts cli.ts scripts/*.ts examples/*.ts",
  "Docs": "deno doc -q --lint mod.ts cli.ts",
  "JSR": "deno publish --config jsr.json --dry-run --allow-dirty",
  "npm": "npm pack --dry-run --ignore-scripts",
});
