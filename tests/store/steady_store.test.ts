import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryStore } from "../../lib/store/memory_store.ts";
import { createSteadyStore } from "../../lib/store/steady_store.ts";
import type { Store } from "../../lib/store/store.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { testStore } from "./contract.ts";

const AWAY = "Remote is away (gone): limits count for this process alone until it is back";
const BACK = "Remote is back";

/** A store that others share, with a switch: what `fails` tells of, fails; and a steady one over it. */
function open() {
  const clock = new FakeClock();
  const remote = createMemoryStore([], clock);
  const asked: string[] = [];
  const warnings: string[] = [];
  const world = { clock, remote, asked, warnings, fails: (_: string) => false };
  const gate = new Proxy(remote, {
    get: (of, name: keyof Store) => (...args: never[]) => {
      asked.push(name);
      if (world.fails(name)) return Promise.reject(new Error("gone"));
      return (of[name] as (...args: never[]) => Promise<unknown>)(...args);
    },
  });
  const steady = () => createSteadyStore(gate, { name: "Remote", warn: (line) => void warnings.push(line), clock });
  const [store, other] = [steady(), steady()];
  const pass = (ms: number) => clock.advance(ms);
  /** Lets the store come back, which the next question sets off. */
  async function comeBack(): Promise<void> {
    world.fails = () => false;
    await pass(1_000);
    await store.get("any 1");
    await settle();
  }
  return Object.assign(world, { store, other, pass, comeBack });
}

testStore("steady, over one that is there", () => Promise.resolve(open()));

testStore("steady, over one that is away", () => {
  const world = open();
  world.fails = () => true;
  return Promise.resolve({ store: world.store, pass: world.pass });
});

test("that a store is away is told once, as is that it is back, and it is asked once a second meanwhile", async () => {
  const world = open();
  world.fails = () => true;
  for (let i = 0; i < 5; i++) await world.store.set(`a ${i}`, i);
  assert.deepEqual(world.asked, ["set"]);
  await world.pass(999);
  assert.equal(await world.store.get("a 4"), 4);
  assert.deepEqual(world.asked, ["set"]);
  await world.pass(1);
  for (let i = 0; i < 5; i++) assert.equal(await world.store.get(`a ${i}`), i);
  assert.equal(world.asked.length, 2);
  assert.deepEqual(world.warnings, [AWAY]);
  await world.comeBack();
  assert.deepEqual(world.warnings, [AWAY, BACK]);
  assert.equal(await world.store.get("a 4"), 4);
  assert.equal(world.asked.at(-1), "get");
});

test("nobody waits for a store that is asked whether it is back", async () => {
  const { clock, remote } = open();
  let answer = (): Promise<void> => Promise.reject(new Error("gone"));
  const store = createSteadyStore({ ...remote, set: () => answer() }, { name: "Remote", clock });
  await store.set("a 1", 1);
  await clock.advance(1_000);
  answer = () => new Promise(() => {});
  await store.set("a 1", 2);
  assert.equal(await store.get("a 1"), 2);
});

test("what is set, swapped and taken meanwhile is there for others when the store is back", async () => {
  const world = open();
  const { store, remote } = world;
  const windows = [{ key: "rate a", limit: 2, ms: 60_000 }];
  await store.set("a gone", 1);
  await store.set("a swapped", 1);
  await store.take("freed", [{ key: "run a", limit: 1, ms: 60_000 }]);
  world.fails = () => true;
  await store.set("a set", 1, 60_000);
  await store.set("a gone", undefined);
  assert.equal(await store.swap("a swapped", 1, 2), true);
  assert.equal(await store.swap("a swapped", 2, 3), true);
  assert.equal(await store.swap("a swapped", 2, 4), false);
  await store.set("a over", 1, 10);
  await store.take("1", windows);
  await store.free("freed", "run a");
  assert.deepEqual(await remote.list("a "), [["a gone", 1], ["a swapped", 1]]);
  await world.comeBack();
  assert.deepEqual((await remote.list("a ")).sort(), [["a set", 1], ["a swapped", 3]]);
  assert.deepEqual(await remote.take("2", windows), { wait: 0, left: 0 });
  assert.equal((await remote.take("3", windows)).wait, 59_000);
  assert.equal((await remote.take("2", [{ key: "run a", limit: 1, ms: 1 }])).wait, 0);
  await world.pass(59_000);
  assert.deepEqual(await remote.list("a "), [["a swapped", 3]]);
});

test("what others have swapped while a store was away for one stays, and what the store has lost is there again", async () => {
  const world = open();
  const { store, remote } = world;
  await store.set("a theirs", 1);
  await store.set("a lost", 1);
  world.fails = () => true;
  await store.swap("a theirs", 1, 2);
  await store.swap("a lost", 1, 2);
  await remote.set("a theirs", "another");
  await remote.set("a lost", undefined);
  await world.comeBack();
  assert.deepEqual((await remote.list("a ")).sort(), [["a lost", 2], ["a theirs", "another"]]);
});

test("who has places keeps them when the store goes away", async () => {
  const world = open();
  const windows = [{ key: "rate a", limit: 2, ms: 60_000 }];
  await world.store.take("1", windows);
  await world.pass(10_000);
  world.fails = () => true;
  assert.deepEqual(await world.store.take("2", windows), { wait: 0, left: 0 });
  assert.deepEqual(await world.store.take("3", windows), { wait: 50_000, left: 0 });
  await world.store.free("1", "rate a");
  assert.deepEqual(await world.store.take("3", windows), { wait: 0, left: 0 });
});

test("a store that can be read and not written is not back", async () => {
  const world = open();
  world.fails = (name) => name !== "get";
  await world.store.set("a 1", 1);
  for (let i = 0; i < 3; i++) {
    await world.pass(1_000);
    assert.equal(await world.store.get("a 1"), 1);
    await settle();
  }
  assert.deepEqual(world.warnings, [AWAY]);
  await world.comeBack();
  assert.equal(await world.remote.get("a 1"), 1);
});

test("a store that goes away again while it takes what it missed takes the rest the next time", async () => {
  const world = open();
  world.fails = () => true;
  for (let i = 0; i < 4; i++) await world.store.set(`a ${i}`, i);
  let sets = 0;
  world.fails = (name) => name === "set" && ++sets > 3;
  await world.pass(1_000);
  await world.store.set("a late", 1);
  await settle();
  assert.deepEqual(await world.remote.list("a "), [["a 0", 0], ["a 1", 1]]);
  await world.comeBack();
  assert.equal((await world.remote.list("a ")).length, 5);
  assert.deepEqual(world.warnings, [AWAY, BACK]);
});

test("what is asked of a closed store rejects", async () => {
  const world = open();
  await world.store.close();
  await assert.rejects(world.store.get("a 1"), /closed/);
  assert.deepEqual(world.warnings, []);
});
