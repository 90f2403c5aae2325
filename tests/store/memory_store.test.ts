import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryStore } from "../../lib/store/memory_store.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { testStore } from "./contract.ts";

testStore("memory", () => {
  const clock = new FakeClock();
  const store = createMemoryStore([], clock);
  return Promise.resolve({ store, pass: (ms) => clock.advance(ms) });
});

test("what is over is thrown away although nobody asks for it", async () => {
  const clock = new FakeClock();
  const store = createMemoryStore([["a 0", 0]], clock);
  for (let i = 0; i < 999; i++) await store.set(`a ${i}`, i, 10);
  await clock.advance(10);
  await store.set("a last", 1);
  assert.deepEqual(await store.list("a "), [["a last", 1]]);
});
