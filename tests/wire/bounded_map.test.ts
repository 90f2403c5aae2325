import assert from "node:assert/strict";
import { test } from "node:test";
import { BoundedMap } from "../../lib/wire/bounded_map.ts";

test("what was set longest ago goes first, and what is set again is new", () => {
  const map = new BoundedMap<string, number>(2);
  map.set("a", 1).set("b", 2).set("a", 3);
  assert.deepEqual([...map], [["b", 2], ["a", 3]]);
  map.set("c", 4);
  assert.deepEqual([...map], [["a", 3], ["c", 4]]);
});
