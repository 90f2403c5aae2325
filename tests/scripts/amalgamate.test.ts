import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

/** The repository's root, which is one folder further up for compiled tests. */
const here = fileURLToPath(new URL("../..", import.meta.url));
const root = /[\\/]dist[\\/]?$/.test(here) ? `${here}/..` : here;
const read = (path: string) => readFileSync(`${root}/${path}`, "utf8");

test("the version of package.json is everywhere", () => {
  const { version } = JSON.parse(read("package.json"));
  assert.equal(JSON.parse(read("jsr.json")).version, version);
  assert.ok(read("lib/version.ts").includes(`"${version}"`));
  assert.ok(read("mod.ts").includes(`const VERSION = "${version}"`));
});

test("mod.ts imports types only, so that it runs anywhere", () => {
  const imports = read("mod.ts").split("\n").filter((line) => /^import\b/.test(line) && !line.startsWith("import("));
  assert.ok(imports.length > 0);
  for (const line of imports) assert.match(line, /^import type \{/);
});

test("mod.ts and lib/mod.ts export the same names", async () => {
  const [joined, source] = await Promise.all([import("../../mod.ts"), import("../../lib/mod.ts")]);
  assert.deepEqual(Object.keys(joined).sort(), Object.keys(source).sort());
});
