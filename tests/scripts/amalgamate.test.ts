import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (path: string) => readFileSync(path, "utf8");

test("the version of package.json is everywhere", () => {
  const { version } = JSON.parse(read("package.json"));
  assert.equal(JSON.parse(read("jsr.json")).version, version);
  assert.ok(read("lib/version.ts").includes(`"${version}"`));
  assert.ok(read("mod.ts").includes(`const VERSION = "${version}"`));
});

test("mod.ts and lib/mod.ts export the same names", async () => {
  const [joined, source] = await Promise.all([import("../../mod.ts"), import("../../lib/mod.ts")]);
  assert.deepEqual(Object.keys(joined).sort(), Object.keys(source).sort());
});
