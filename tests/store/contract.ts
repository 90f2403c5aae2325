import assert from "node:assert/strict";
import { test as runTest, type TestContext } from "node:test";
import type { Store } from "../../lib/store/store.ts";

/** A store under test: itself, a second one on the same state if it can be shared, and what lets time pass. */
export interface Opened {
  store: Store;
  other?: Store;
  /** Lets so many milliseconds pass, by the store's own clock. */
  pass: (ms: number) => Promise<void>;
}

/** What runs a test, where what it needs is there. */
export type RunTest = (name: string, run: (t: TestContext) => Promise<void>) => void;

/** What every store keeps to; `open` makes an empty one that is gone when the test is over. */
export function testStore(name: string, open: (t: TestContext) => Promise<Opened>, test: RunTest = runTest): void {
  test(`${name}: what was set can be got and listed by its first word, and forgotten`, async (t) => {
    const { store, other = store } = await open(t);
    const value = { deep: [1, "two", null, { three: true }], text: "ü\u0000€" };
    await store.set("a 1", value);
    await store.set("a 2", 2);
    await store.set("ab 3", 3);
    assert.deepEqual(await other.get("a 1"), value);
    assert.deepEqual((await other.list("a ")).sort(), [["a 1", value], ["a 2", 2]]);
    await other.set("a 1", undefined);
    assert.equal(await store.get("a 1"), undefined);
    assert.deepEqual(await store.list("a "), [["a 2", 2]]);
    assert.deepEqual(await store.list("none "), []);
    assert.equal(await store.get("none 1"), undefined);
  });

  test(`${name}: a value is there until its time is over`, async (t) => {
    const { store, other = store, pass } = await open(t);
    await store.set("a short", 1, 20_000);
    await store.set("a long", 2, 60_000);
    assert.equal(await other.get("a short"), 1);
    await pass(20_000);
    assert.equal(await other.get("a short"), undefined);
    assert.deepEqual(await other.list("a "), [["a long", 2]]);
    await store.set("a long", 3);
    await pass(60_000);
    assert.equal(await other.get("a long"), 3);
  });

  test(`${name}: a value is swapped only for what is there`, async (t) => {
    const { store, other = store, pass } = await open(t);
    assert.equal(await store.swap("a 1", { n: 0 }, { n: 1 }), false);
    assert.equal(await store.swap("a 1", undefined, { n: 1 }, 20_000), true);
    assert.equal(await other.swap("a 1", undefined, { n: 2 }), false);
    assert.equal(await other.swap("a 1", { n: 1 }, { n: 2 }, 20_000), true);
    assert.deepEqual(await store.get("a 1"), { n: 2 });
    await pass(20_000);
    assert.equal(await store.swap("a 1", undefined, 3), true);
    assert.equal(await other.swap("a 1", 3, undefined), true);
    assert.deepEqual(await store.list("a "), []);
  });

  test(`${name}: of many who swap at once each one's change is kept`, async (t) => {
    const { store, other = store } = await open(t);
    const add = async (to: Store) => {
      for (;;) {
        const before = await to.get("a sum");
        if (await to.swap("a sum", before, Number(before ?? 0) + 1)) return;
      }
    };
    await Promise.all(Array.from({ length: 20 }, (_, i) => add(i % 2 ? store : other)));
    assert.equal(await store.get("a sum"), 20);
  });

  test(`${name}: a window admits as many as it may, and each for its time`, async (t) => {
    const { store, other = store, pass } = await open(t);
    const windows = [{ key: "rate a", limit: 2, ms: 60_000 }];
    assert.deepEqual(await store.take("1", windows), { wait: 0, left: 1 });
    await pass(20_000);
    assert.deepEqual(await other.take("2", windows), { wait: 0, left: 0 });
    const { wait, left } = await store.take("3", windows);
    assert.ok(wait > 30_000 && wait <= 40_000, `waits ${wait} ms`);
    assert.equal(left, 0);
    await pass(40_000);
    assert.deepEqual(await store.take("3", windows), { wait: 0, left: 0 });
    const smaller = await store.take("4", [{ key: "rate a", limit: 1, ms: 60_000 }]);
    assert.ok(smaller.wait > 50_000 && smaller.wait <= 60_000, `waits ${smaller.wait} ms for both to be gone`);
  });

  test(`${name}: a place is taken in all windows or in none, given back, and renewed by who has it`, async (t) => {
    const { store, other = store, pass } = await open(t);
    const rate = { key: "rate a", limit: 9, ms: 60_000 };
    const run = { key: "run a", limit: 1, ms: 30_000 };
    assert.deepEqual(await store.take("1", [rate, run]), { wait: 0, left: 8 });
    assert.ok((await other.take("2", [rate, run])).wait > 20_000);
    await pass(20_000);
    assert.equal((await store.take("1", [run])).wait, 0);
    await pass(20_000);
    assert.ok((await other.take("2", [rate, run])).wait > 5_000);
    await store.free("1", "run a");
    assert.deepEqual(await other.take("2", [rate, run]), { wait: 0, left: 7 });
    await store.free("none", "run a");
    assert.ok((await store.take("3", [run])).wait > 0);
  });

  test(`${name}: of many who want a place at once no more get one than there are`, async (t) => {
    const { store, other = store } = await open(t);
    const windows = [{ key: "rate a", limit: 7, ms: 60_000 }];
    const taken = await Promise.all(
      Array.from({ length: 30 }, (_, i) => (i % 2 ? store : other).take(String(i), windows)),
    );
    assert.equal(taken.filter(({ wait }) => wait === 0).length, 7);
  });

  test(`${name}: whoever takes a place for no time only looks whether there is one`, async (t) => {
    const { store, other = store, pass } = await open(t);
    const look = [{ key: "block a", limit: 1, ms: 0 }];
    const looks = await Promise.all(["1", "2", "3", "4"].map((id) => other.take(id, look)));
    for (const taken of looks) assert.deepEqual(taken, { wait: 0, left: 0 });
    for (const [id, ms] of [["long", 5_000], ["short", 1_000]] as const) {
      assert.equal((await store.take(id, [{ key: "block a", limit: 1_000_000, ms }])).wait, 0);
    }
    await other.take("long", [{ key: "block a", limit: 3, ms: 0 }]); // Who has a place keeps it.
    const { wait } = await other.take("3", look);
    assert.ok(wait > 4_000 && wait <= 5_000, `waits ${wait} ms`);
    await pass(5_000);
    assert.equal((await other.take("3", look)).wait, 0);
  });
}
