import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryStore } from "../../lib/store/memory_store.ts";
import type { Store } from "../../lib/store/store.ts";
import { LearnedFacts } from "../../lib/upstream/learned.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";

const toCandidate = (baseUrl: string) => ({ backend: { baseUrl }, model: "m" });
const [ONE, SAME_ELSEWHERE] = [toCandidate("http://a/v1"), toCandidate("http://b/v1")];
const NOTHING = { refused: [], context: Infinity, maxOutput: Infinity, noTools: false, goneSince: Infinity };

const start = (store: Store = createMemoryStore(), clock = new FakeClock()) => new LearnedFacts(store, clock);

test("nothing is known about a model that has taught nothing", () => {
  assert.deepEqual(start().of(ONE), NOTHING);
});

test("what a model teaches adds up", () => {
  const learned = start();
  learned.learn(ONE, { refused: ["stop"] });
  learned.learn(ONE, { refused: ["top_p", "stop"], context: 32_768, maxOutput: 4_096 });
  learned.learn(ONE, { noTools: true });
  learned.learn(ONE, {});
  const facts = {
    refused: ["stop", "top_p"],
    context: 32_768,
    maxOutput: 4_096,
    noTools: true,
    goneSince: Infinity,
  };
  assert.deepEqual(learned.of(ONE), facts);
});

test("a smaller limit counts more, whichever comes first", () => {
  const learned = start();
  for (const context of [131_072, 32_768, 65_536]) learned.learn(ONE, { context });
  assert.deepEqual(learned.of(ONE), { ...NOTHING, context: 32_768 });
});

test("what a model teaches at one host is not held against it at another", () => {
  const learned = start();
  learned.learn(ONE, { noTools: true });
  assert.deepEqual(learned.of(SAME_ELSEWHERE), NOTHING);
});

test("what a model teaches is known after a restart, for a week", async () => {
  const [store, clock] = [createMemoryStore(), new FakeClock()];
  const lesson = { ...NOTHING, refused: ["stop"], context: 32_768, noTools: true };
  start(store, clock).learn(ONE, lesson);
  // As a file does.
  const [[key, value] = ["", undefined]] = await store.list("");
  await store.set(key, JSON.parse(JSON.stringify(value)));
  for (const [ms, expected] of [[0, lesson], [7 * 86_400_000 - 1, lesson], [1, NOTHING]] as const) {
    await clock.advance(ms);
    const learned = start(store, clock);
    await learned.sync();
    assert.deepEqual(learned.of(ONE), expected);
  }
});

test("what a model has taught is forgotten after a week, also by a process that runs for longer", async () => {
  const clock = new FakeClock();
  const learned = start(createMemoryStore(), clock);
  learned.learn(ONE, { noTools: true });
  await clock.advance(7 * 86_400_000 - 1);
  learned.learn(ONE, { noTools: true });
  assert.equal(learned.of(ONE).noTools, true);
  await clock.advance(1);
  assert.deepEqual([learned.of(ONE), learned.all()], [NOTHING, []]);
  learned.learn(ONE, { refused: ["stop"] });
  assert.deepEqual(learned.of(ONE), { ...NOTHING, refused: ["stop"] });
});

test("what is stored and makes no sense is passed over", async () => {
  const key = "model http://a/v1 m";
  for (
    const value of [null, 1, "x", [], {}, {
      at: 0,
      refused: "stop",
      context: "1",
      maxOutput: null,
      ratio: [],
      noTools: 1,
      goneSince: 1e300,
    }]
  ) {
    const learned = start(createMemoryStore([[key, value]]));
    await learned.sync();
    assert.deepEqual(learned.of(ONE), NOTHING);
  }
  const fails = () => Promise.reject(new Error("no store"));
  const broken = start({ ...createMemoryStore(), list: fails, set: fails });
  await broken.sync();
  broken.learn(ONE, { noTools: true });
  assert.equal(broken.of(ONE).noTools, true);
});

test("a model that answers again is no longer gone, and has taught everything else all the same", async () => {
  const [store, clock] = [createMemoryStore(), new FakeClock()];
  const learned = start(store, clock);
  learned.learn(ONE, { goneSince: 0, refused: ["stop"] });
  learned.learn(SAME_ELSEWHERE, { goneSince: 5 });
  for (const model of [ONE, SAME_ELSEWHERE]) learned.learnBack(model);
  const later = start(store, clock);
  await later.sync();
  for (const facts of [learned, later]) {
    assert.deepEqual(facts.all(), [["http://a/v1 m", { ...NOTHING, refused: ["stop"] }]]);
  }
});

test("what is known can be listed and forgotten", async () => {
  const store = createMemoryStore([["other", 1]]);
  const learned = start(store);
  learned.learn(SAME_ELSEWHERE, { noTools: true });
  learned.learn(ONE, { noTools: true });
  assert.deepEqual(learned.all().map(([key]) => key), ["http://a/v1 m", "http://b/v1 m"]);
  await learned.forget();
  assert.deepEqual([learned.all(), await store.list("")], [[], [["other", 1]]]);
});

test("ratios of tokens outlive a process, and do not keep lessons from being forgotten", async () => {
  const [store, clock] = [createMemoryStore(), new FakeClock()];
  const learned = start(store, clock);
  learned.learn(ONE, { context: 8_192 });
  for (let day = 1; day <= 8; day++) {
    await clock.advance(86_400_000);
    learned.learnRatio(ONE, 1 + day / 10);
  }
  const later = start(store, clock);
  await later.sync();
  assert.deepEqual(later.of(ONE), NOTHING);
  assert.deepEqual([...later.ratios.values()], [1.8]);
  await later.forget();
  assert.deepEqual([later.ratios.size, await store.list("")], [0, []]);
});

test("a ratio that has hardly changed is not written", async () => {
  const store = createMemoryStore();
  const learned = start(store);
  learned.learnRatio(ONE, 1.01);
  assert.deepEqual(await store.list(""), []);
});

/** Two processes with one store; `look` lets both see what the other has written. */
function startTwo(): { store: Store; one: LearnedFacts; other: LearnedFacts; look: () => Promise<unknown[]> } {
  const clock = new FakeClock();
  const store = { ...createMemoryStore([], clock), shared: true };
  const [one, other] = [start(store, clock), start(store, clock)];
  const look = async () => {
    await settle();
    return [await one.sync(), await other.sync()];
  };
  return { store, one, other, look };
}

test("two processes that learn of one model at once both keep what the other has learned", async () => {
  const { one, other, look } = startTwo();
  one.learn(ONE, { refused: ["stop"], context: 8_192 });
  other.learn(ONE, { refused: ["top_p"], noTools: true });
  one.learn(ONE, { maxOutput: 4_096 });
  await look();
  const { refused, ...facts } = one.of(ONE);
  assert.deepEqual([...refused].sort(), ["stop", "top_p"]);
  assert.deepEqual(facts, { context: 8_192, maxOutput: 4_096, noTools: true, goneSince: Infinity });
  assert.deepEqual(other.of(ONE), one.of(ONE));
});

test("what one process forgets no other brings back, whatever it learns next", async () => {
  const { store, one, other, look } = startTwo();
  one.learn(ONE, { goneSince: 0, refused: ["stop"] });
  one.learn(SAME_ELSEWHERE, { noTools: true });
  await look();
  one.learnBack(ONE);
  other.learn(ONE, { noTools: true });
  await look();
  for (const learned of [one, other]) {
    assert.deepEqual(learned.of(ONE), { ...NOTHING, refused: ["stop"], noTools: true });
  }
  await one.forget();
  other.learn(ONE, { context: 8_192 });
  await look();
  for (const learned of [one, other]) {
    assert.deepEqual(learned.all(), [["http://a/v1 m", { ...NOTHING, context: 8_192 }]]);
  }
  const later = start(store);
  await later.sync();
  assert.deepEqual(later.all(), one.all());
});

test("how tokens are counted is told to others, and not to who has told it", async () => {
  const { one, other, look } = startTwo();
  one.learnRatio(ONE, 1.2);
  assert.deepEqual(await look(), [[], [["http://a/v1 m", 1.2]]]);
  other.learnRatio(ONE, 1.21);
  other.learnRatio(SAME_ELSEWHERE, 0.8);
  assert.deepEqual(await look(), [[["http://b/v1 m", 0.8]], []]);
});
