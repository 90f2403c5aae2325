/** A short soak: see bench/soak.ts, which `npm run soak` runs for longer and on all runtimes. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { ROOT } from "./support.ts";

test("twenty sessions get whole and right answers from a host that fails at random", { timeout: 240_000 }, async () => {
  const args = ["--minutes", "0.3", "--sessions", "20", "--seed", "1", "--runtime", "node"];
  const child = spawn(process.execPath, [join(ROOT, "dist/bench/soak.js"), ...args], { cwd: ROOT });
  let told = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece) => told += piece);
  const [code] = await once(child, "exit");
  assert.equal(code, 0, told);
});
