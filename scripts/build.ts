/** Joins lib/ into mod.ts and compiles it to dist/, where nothing stays of what is no longer there: `npm run build`. */
import { rmSync } from "node:fs";
import { runSteps } from "./run.ts";

rmSync(new URL("../dist", import.meta.url), { recursive: true, force: true });
runSteps({ "mod.ts": "bun scripts/amalgamate.ts", "dist": "tsc" });
