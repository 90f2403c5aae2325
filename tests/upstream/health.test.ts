import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryStore } from "../../lib/store/memory_store.ts";
import { Health } from "../../lib/upstream/health.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";

const [ANOTHER, MODEL] = ["host another", "host model"];

function start(): { clock: FakeClock; health: Health; fail: () => void } {
  const clock = new FakeClock();
  const health = new Health(clock);
  return { clock, health, fail: () => health.begin(MODEL)(false) };
}

test("three faults within thirty seconds: the model is avoided for thirty seconds, and no other", async () => {
  const { clock, health, fail } = start();
  fail();
  await clock.advance(14_999);
  fail();
  assert.equal(health.isWell(MODEL), true);
  await clock.advance(15_000);
  fail();
  assert.equal(health.isWell(MODEL), false);
  assert.equal(health.isWell(ANOTHER), true);
  await clock.advance(29_999);
  assert.equal(health.isWell(MODEL), false);
  await clock.advance(1);
  assert.equal(health.isWell(MODEL), true);
});

test("faults that are thirty seconds apart do not add up", async () => {
  const { clock, health, fail } = start();
  for (let i = 0; i < 10; i++) {
    fail();
    assert.equal(health.isWell(MODEL), true);
    await clock.advance(15_000);
  }
});

test("an answer makes up for the faults before it", () => {
  const { health, fail } = start();
  fail();
  fail();
  health.begin(MODEL)(true);
  fail();
  assert.equal(health.isWell(MODEL), true);
});

test("what says nothing about the model does not count", () => {
  const { health, fail } = start();
  fail();
  fail();
  health.begin(MODEL)(undefined);
  assert.equal(health.isWell(MODEL), true);
  fail();
  assert.equal(health.isWell(MODEL), false);
});

for (const [how, outcome, well, later] of [["an answer", true, true, true], ["a fault", false, false, true]] as const) {
  test(`one request at a time tries an avoided model again; ${how} decides`, async () => {
    const { clock, health } = start();
    health.avoid(MODEL, 180_000);
    await clock.advance(180_000);
    assert.equal(health.isWell(MODEL), true);
    const end = health.begin(MODEL);
    assert.equal(health.isWell(MODEL), false, "a second one");
    end(outcome);
    assert.equal(health.isWell(MODEL), well);
    await clock.advance(30_000);
    assert.equal(health.isWell(MODEL), later);
  });
}

test("a request that tried an avoided model and was given up leaves it to the next", async () => {
  const { clock, health } = start();
  health.avoid(MODEL, 1_000);
  await clock.advance(1_000);
  health.begin(MODEL)(undefined);
  assert.equal(health.isWell(MODEL), true);
  const end = health.begin(MODEL);
  assert.equal(health.isWell(MODEL), false);
  end(true);
});

test("the longer of two times to avoid a model counts", async () => {
  const { clock, health } = start();
  health.avoid(MODEL, 60_000);
  health.avoid(MODEL, 1_000);
  await clock.advance(59_999);
  assert.equal(health.isWell(MODEL), false);
});

test("an answer that began before a model was avoided does not speak for it", () => {
  const { health } = start();
  const end = health.begin(MODEL);
  health.avoid(MODEL, 180_000);
  end(true);
  assert.equal(health.isWell(MODEL), false);
});

test("of two that try an avoided model at once, the end of the second is not the end of the first", async () => {
  const { clock, health } = start();
  health.avoid(MODEL, 1_000);
  await clock.advance(1_000);
  const first = health.begin(MODEL);
  health.begin(MODEL)(undefined);
  assert.equal(health.isWell(MODEL), false);
  first(true);
  assert.equal(health.isWell(MODEL), true);
});

test("how a request went is told once", () => {
  const { health, fail } = start();
  fail();
  fail();
  const end = health.begin(MODEL);
  end(undefined);
  end(false);
  assert.equal(health.isWell(MODEL), true);
});

/** Two processes with one store; `look` lets both see what the other has written. */
function startTwo(): { clock: FakeClock; one: Health; other: Health; look: () => Promise<void> } {
  const clock = new FakeClock();
  const store = { ...createMemoryStore([], clock), shared: true };
  const [one, other] = [new Health(clock, store), new Health(clock, store)];
  const look = async () => {
    await settle();
    for (const health of [one, other]) await health.sync();
  };
  return { clock, one, other, look };
}

test("a model that one process avoids all avoid, and the longer time counts", async () => {
  const { clock, one, other, look } = startTwo();
  one.avoid(MODEL, 180_000);
  other.avoid(MODEL, 60_000);
  await look();
  for (const health of [one, other]) assert.deepEqual([health.isWell(MODEL), health.isWell(ANOTHER)], [false, true]);
  await clock.advance(179_999);
  await look();
  assert.equal(other.isWell(MODEL), false);
  await clock.advance(1);
  for (const health of [one, other]) assert.equal(health.isWell(MODEL), true);
});

test("who tries an avoided model again speaks for all, and in each process only one tries", async () => {
  const { clock, one, other, look } = startTwo();
  one.avoid(MODEL, 30_000);
  await look();
  await clock.advance(30_000);
  await look();
  const end = other.begin(MODEL);
  assert.deepEqual([other.isWell(MODEL), one.isWell(MODEL)], [false, true]);
  end(false);
  await look();
  assert.equal(one.isWell(MODEL), false);
  await clock.advance(30_000);
  other.begin(MODEL)(true);
  await look();
  one.begin(MODEL);
  assert.equal(one.isWell(MODEL), true, "nobody has to try any more");
});

test("an answer that one process gets does not undo what another has seen since", async () => {
  const { one, other, look } = startTwo();
  one.avoid(MODEL, 10_000);
  await look();
  const end = other.begin(MODEL);
  one.avoid(MODEL, 180_000);
  await settle();
  end(true);
  await look();
  for (const health of [one, other]) assert.equal(health.isWell(MODEL), false);
});

test("a store that is not shared is told nothing", async () => {
  const store = createMemoryStore();
  const health = new Health(new FakeClock(), store);
  health.avoid(MODEL, 1_000);
  await health.sync();
  assert.deepEqual([await store.list(""), health.isWell(MODEL)], [[], false]);
});

test("what is forgotten is forgotten by all", async () => {
  const { one, other, look } = startTwo();
  one.avoid(MODEL, 180_000);
  await look();
  await other.forget();
  await look();
  for (const health of [one, other]) assert.equal(health.isWell(MODEL), true);
});
