import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toUpgrade } from "../../lib/cli/oldest.ts";
import { readRuntime } from "../../lib/wire/runtime.ts";

describe("an older runtime than all of it works on is told of:", () => {
  const rows: [name: string, version: string, upgrade: string | undefined][] = [
    ["Node", "18.20.8", "Install 20 or later."],
    ["Node", "20.0.0", undefined],
    ["Node", "26.10.0", undefined],
    ["Deno", "2.7.14", "Install 2.8 or later."],
    ["Deno", "2.8.0", undefined],
    ["Deno", "2.10.0", undefined],
    ["Bun", "1.4.2", "Install 1.4.3 or later."],
    ["Bun", "1.4.3", undefined],
    ["Other", "0.1", undefined],
    ["", "", undefined],
  ];
  for (const [name, version, upgrade] of rows) {
    test(`${name} ${version}`, () => assert.equal(toUpgrade({ name, version }), upgrade));
  }

  test("none of those that the tests run on", async () => {
    const runtime = await readRuntime();
    assert.match(`${runtime.name} ${runtime.version}`, /^(?:Node|Deno|Bun) \d+\.\d+\.\d+/);
    assert.equal(toUpgrade(runtime), undefined);
  });
});
