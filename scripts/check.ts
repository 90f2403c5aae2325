/** Everything but the tests that must be in order before a change lands: `npm run check`. */
import { runSteps } from "./run.ts";

runSteps({
  "Format": "deno fmt --check",
  "Lint": "deno lint",
  "mod.ts": "bun scripts/amalgamate.ts --check",
  "Types (TypeScript)": "bun scripts/build.ts",
  "Types (Deno)": "deno check -q mod.ts cli.ts scripts/*.ts examples/*.ts",
  "Patterns": "bun scripts/check_regexes.ts",
  "Docs": "deno doc -q --lint mod.ts cli.ts",
  "JSR": "deno publish --config jsr.json --dry-run --allow-dirty",
  "npm": "npm pack -s --ignore-scripts --pack-destination dist",
  "npm's rules": "publint run --strict dist/arbiter-proxy-*.tgz",
  "npm's types": "attw --profile esm-only --no-color --quiet dist/arbiter-proxy-*.tgz",
});
