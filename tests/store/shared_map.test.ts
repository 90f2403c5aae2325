import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryStore } from "../../lib/store/memory_store.ts";
import { SharedMap } from "../../lib/store/shared_map.ts";
import type { Store } from "../../lib/store/store.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";

const NUMBERS = {
  parse: (stored: unknown) => typeof stored === "number" ? stored : undefined,
  format: (value: number) => value,
  toLife: () => 60_000,
};
const add = (more: number) => (before = 0) => before + more;

function start(clock = new FakeClock()): { store: Store; clock: FakeClock; maps: SharedMap<number>[] } {
  const store = { ...createMemoryStore([], clock), shared: true };
  return { store, clock, maps: [1, 2].map(() => new SharedMap(store, "a ", NUMBERS)) };
}

test("what one process changes the other has after it has looked, and is told that it is new", async () => {
  const { maps: [one, other] } = start();
  one!.change("x", add(1));
  assert.equal(one!.values.get("x"), 1);
  await settle();
  assert.equal(other!.values.get("x"), undefined);
  assert.deepEqual(await other!.sync(), [["x", 1]]);
  assert.equal(other!.values.get("x"), 1);
  assert.deepEqual([await other!.sync(), await one!.sync()], [[], []]);
});

test("of changes that come together none is lost", async () => {
  const { store, maps: [one, other] } = start();
  for (let i = 0; i < 10; i++) [one!, other!].forEach((map) => map.change("x", add(1)));
  await settle(100);
  assert.equal(await store.get("a x"), 20);
  assert.deepEqual([await one!.sync(), one!.values.get("x")], [[["x", 20]], 20]);
});

test("what is forgotten is forgotten everywhere, also where it was remembered longer", async () => {
  const { store, maps: [one, other] } = start();
  for (const key of ["x", "y", "z"]) one!.change(key, add(1));
  await settle();
  await other!.sync();
  other!.change("x", () => undefined);
  await settle();
  await one!.sync();
  assert.deepEqual([...one!.values.keys()], ["y", "z"]);
  one!.change("y", add(1));
  await settle();
  await one!.forget();
  await other!.sync();
  assert.deepEqual([...one!.values, ...other!.values], []);
  other!.change("z", add(5));
  await settle();
  assert.equal(await store.get("a z"), 5);
});

test("what a store has lost, or does not tell in time, is known on", async () => {
  const { clock, maps: [one] } = start();
  one!.change("x", add(1));
  await clock.advance(60_000);
  await one!.sync();
  assert.equal(one!.values.get("x"), 1);
});

test("a change that is on its way is not undone by what was read before", async () => {
  const { store } = start();
  let answer = () => {};
  const slow: Store = {
    ...store,
    async list(prefix) {
      const found = await store.list(prefix);
      await new Promise<void>((resolve) => answer = resolve);
      return found;
    },
  };
  const map = new SharedMap(slow, "a ", NUMBERS);
  await store.set("a x", 1);
  const synced = map.sync();
  await settle();
  map.change("x", () => 7);
  answer();
  assert.deepEqual(await synced, []);
  assert.equal(map.values.get("x"), 7);
  await settle();
  assert.equal(await store.get("a x"), 7);
});

test("where the store fails, only the process knows", async () => {
  const fails = () => Promise.reject(new Error("no store"));
  const map = new SharedMap({ ...createMemoryStore(), shared: true, get: fails, list: fails }, "a ", NUMBERS);
  map.change("x", add(1));
  await assert.rejects(map.sync(), /no store/);
  map.change("x", add(1));
  await settle();
  assert.equal(map.values.get("x"), 2);
});

test("who waits until everything is saved may close the store", async () => {
  const { store, maps: [one] } = start();
  one!.change("x", add(1));
  one!.change("x", add(1));
  await one!.saved();
  assert.equal(await store.get("a x"), 2);
});

test("who is always overtaken gives up", async () => {
  let tries = 0;
  const swap = () => Promise.resolve(++tries < 0);
  const map = new SharedMap({ ...createMemoryStore(), shared: true, swap }, "a ", NUMBERS);
  map.change("x", add(1));
  await settle(100);
  assert.equal(tries, 10);
});

test("a store that is not shared is written at once, and has nothing of what is forgotten", async () => {
  const store = createMemoryStore();
  const map = new SharedMap(store, "a ", NUMBERS);
  map.change("x", add(1));
  map.change("y", add(1));
  assert.deepEqual(await store.list(""), [["a x", 1], ["a y", 1]]);
  map.change("x", () => undefined);
  assert.deepEqual(await store.list(""), [["a y", 1]]);
  await map.forget();
  assert.deepEqual(await store.list(""), []);
});
