import assert from "node:assert/strict";
import { test } from "node:test";
import { Claims } from "../../lib/server/claims.ts";
import type { RequestLog } from "../../lib/server/request_log.ts";
import { noteUsage } from "../../lib/server/request_log.ts";
import { type Question, toBatches } from "../../lib/server/shared_answer.ts";
import { createMemoryStore } from "../../lib/store/memory_store.ts";
import type { Store } from "../../lib/store/store.ts";
import { toMessageStart } from "../../lib/stream/chunk_translator.ts";
import { toTextEvents } from "../../lib/stream/text_events.ts";
import type { MessageStreamEvent } from "../../lib/wire/anthropic.ts";
import { sleep } from "../../lib/wire/clock.ts";
import { countingIds } from "../support/answers.ts";
import { advanceAll, FakeClock, settle } from "../support/fake_clock.ts";

const KEY = "answer 1";
const MINUTE = 60_000;

type Outcome = { model: string; events: MessageStreamEvent[]; log: Partial<RequestLog> };

/** A process that shares a store with others; it can stop in the middle of whatever it does. */
class Process {
  readonly clock = new FakeClock();
  readonly stop = new AbortController();
  readonly claims: Claims;
  asked = 0;

  readonly name: string;

  constructor(name: string, store: Store) {
    this.name = name;
    const ids = countingIds();
    const newId = (prefix: string) => ids(`${name}_${prefix}`);
    this.claims = new Claims({ store, clock: this.clock, newId });
  }

  /** A question that takes a while, and says in its answer who was asked. */
  toQuestion(takes: number, fault?: Error, text = `from ${this.name}`): Question {
    return {
      created: this.clock.now(),
      toStart: () => toMessageStart(`msg_${this.name}`, "a", 1),
      ask: async (signal) => {
        this.asked++;
        await sleep(this.clock, takes, signal);
        if (fault) throw fault;
        const events = toBatches(...toTextEvents(text).map((event) => [event]));
        return { model: "m", fellBack: true, warnings: ["w"], events };
      },
    };
  }

  /** Asks, and reads the answer to its end. */
  async ask(question: Question, body = "body"): Promise<Outcome & { found: boolean; id: string; created: number }> {
    const { found, question: { created, toStart, ask } } = await this.claims.claim(KEY, body, question, (other) => {
      if (other !== body) throw new Error("another body");
    });
    const { model, events } = await ask(this.stop.signal);
    const outcome: Outcome = { model, events: [], log: {} };
    for await (const batch of events) {
      noteUsage(outcome.log, batch);
      outcome.events.push(...batch);
    }
    return { ...outcome, found, id: toStart().message.id, created };
  }
}

/** Some processes, the store between them, and what lets time go by for those that are alive. */
function start(...names: string[]): { store: Store; processes: Process[]; pass: typeof pass; clock: FakeClock } {
  const clock = new FakeClock();
  const memory = createMemoryStore([], clock);
  const get: Store["get"] = async (key) => structuredClone(await memory.get(key));
  const store: Store = { ...memory, get, shared: true };
  const processes = names.map((name) => new Process(name, store));
  function pass(ms: number, ...alive: Process[]): Promise<void> {
    return advanceAll([clock, ...alive.map(({ clock }) => clock)], ms);
  }
  return { store, processes, pass, clock };
}

/** What a promise has come to so far. */
function watch<T>(promise: Promise<T>): { value?: T; error?: string } {
  const seen: { value?: T; error?: string } = {};
  promise.then((value) => seen.value = value, (error: Error) => seen.error = error.message);
  return seen;
}

function toText(events: readonly MessageStreamEvent[]): string {
  return events.map((event) => event.type === "content_block_delta" ? Object.values(event.delta)[1] : "").join("");
}

test("one of two processes asks, the other gets the same answer", async () => {
  const { processes: [a, b], pass } = start("a", "b");
  await a!.clock.advance(7);
  const first = watch(a!.ask(a!.toQuestion(1_000)));
  await settle();
  const second = watch(b!.ask(b!.toQuestion(1_000)));
  await pass(1_000, a!, b!);
  assert.equal(first.value?.found, false);
  await pass(250, a!, b!);
  assert.deepEqual([a!.asked, b!.asked], [1, 0]);
  const { found, log, ...answer } = second.value!;
  assert.equal(found, true);
  assert.deepEqual(answer, { model: "m", events: first.value!.events, id: "msg_a", created: 7 });
  assert.ok(first.value!.log.outputTokens! > 0);
  assert.deepEqual(log, {}, "its tokens are counted twice");
  assert.deepEqual([a!.clock.pending, b!.clock.pending], [0, 0]);
});

test("an answer is there for ten minutes after its end", async () => {
  for (const [later, asks] of [[10 * MINUTE - 1, 0], [10 * MINUTE, 1]] as const) {
    const { processes: [a, b], pass, clock } = start("a", "b");
    watch(a!.ask(a!.toQuestion(0)));
    await pass(50, a!);
    await clock.advance(later);
    watch(b!.ask(b!.toQuestion(0)));
    await settle();
    assert.equal(b!.asked, asks);
  }
});

test("a claim lasts as long as the answer takes", async () => {
  const { processes: [a, b], pass } = start("a", "b");
  watch(a!.ask(a!.toQuestion(2 * MINUTE)));
  await settle();
  const second = watch(b!.ask(b!.toQuestion(0)));
  await pass(2 * MINUTE + 250, a!, b!);
  assert.equal(toText(second.value?.events ?? []), "from a");
  assert.equal(b!.asked, 0);
});

test("the claim of a process that is gone is taken over, and the answer keeps its id", async () => {
  const { processes: [a, b, c], pass } = start("a", "b", "c");
  watch(a!.ask(a!.toQuestion(MINUTE)));
  await settle();
  const others = [watch(b!.ask(b!.toQuestion(MINUTE))), watch(c!.ask(c!.toQuestion(MINUTE)))];
  await pass(29_900, b!, c!);
  assert.deepEqual([b!.asked, c!.asked], [0, 0]);
  await pass(400, b!, c!);
  assert.equal(b!.asked + c!.asked, 1, "one of them");
  await pass(MINUTE + 500, b!, c!);
  assert.equal(b!.asked + c!.asked, 1);
  const [left, right] = others.map(({ value }) => value!);
  assert.deepEqual(left!.events, right!.events);
  assert.deepEqual([left!.id, right!.id], ["msg_a", "msg_a"]);
  // Who comes back from the dead changes nothing.
  await a!.clock.advance(2 * MINUTE);
  const { value } = watch(c!.ask(c!.toQuestion(0)));
  await settle();
  assert.equal(value, undefined);
  assert.equal(b!.asked + c!.asked, 1);
});

test("what has failed, or was broken off, is free to be asked again", async () => {
  for (const fails of ["at once", "by being broken off"]) {
    const { store, processes: [a, b], pass } = start("a", "b");
    const first = watch(a!.ask(a!.toQuestion(1_000, new Error("no"))));
    await settle();
    const second = watch(b!.ask(b!.toQuestion(1_000)));
    if (fails === "at once") await pass(1_000, a!, b!);
    else a!.stop.abort(new Error("no"));
    await pass(1_500, a!, b!);
    assert.equal(first.error, "no", fails);
    assert.equal(toText(second.value?.events ?? []), "from b", fails);
    assert.equal((await store.list("answer ")).length, 1);
    assert.deepEqual([a!.clock.pending, b!.clock.pending], [0, 0]);
  }
});

test("an answer that breaks off in the middle is not kept", async () => {
  const { store, processes: [a] } = start("a");
  const question = a!.toQuestion(0);
  const ask: Question["ask"] = async (signal) => {
    const { events, ...given } = await question.ask(signal);
    async function* cut(): AsyncGenerator<MessageStreamEvent[], undefined> {
      yield (await events.next()).value!;
      throw new Error("cut");
    }
    return { ...given, events: cut() };
  };
  const first = watch(a!.ask({ ...question, ask }));
  await a!.clock.advance(0);
  assert.equal(first.error, "cut");
  assert.deepEqual(await store.list("answer "), []);
});

test("a claim is given up with an answer that is broken off, although nobody reads it", async () => {
  const { store, processes: [a] } = start("a");
  const { question } = await a!.claims.claim(KEY, "body", a!.toQuestion(0), () => {});
  const given = question.ask(a!.stop.signal);
  await a!.clock.advance(0);
  await (await given).events.next();
  assert.equal((await store.list("answer ")).length, 1);
  a!.stop.abort();
  await settle();
  assert.deepEqual([await store.list("answer "), a!.clock.pending], [[], 0]);
});

test("a claim that ends while it is being renewed is not renewed any more", async () => {
  const { store } = start();
  let go = () => {};
  const swap: Store["swap"] = async (key, before, after, ms) => {
    const held = await store.swap(key, before, after, ms);
    if (before !== undefined && after === before) await new Promise<void>((resolve) => go = resolve);
    return held;
  };
  const a = new Process("a", { ...store, swap });
  watch(a.ask(a.toQuestion(10_001)));
  await a.clock.advance(10_001);
  go();
  await settle();
  assert.equal(a.clock.pending, 0);
});

test("an answer that is too long is not kept, and who waits asks", async () => {
  const { processes: [a, b], pass } = start("a", "b");
  const first = watch(a!.ask(a!.toQuestion(1_000, undefined, "x".repeat(520_000))));
  await settle();
  const second = watch(b!.ask(b!.toQuestion(1_000)));
  await pass(2_500, a!, b!);
  assert.equal(toText(first.value?.events ?? []).length, 520_000);
  assert.equal(toText(second.value?.events ?? []), "from b");
});

test("a key that stands for another body is refused, also when it is found late", async () => {
  const { processes: [a, b, c], pass } = start("a", "b", "c");
  const first = watch(a!.ask(a!.toQuestion(10_000)));
  await settle();
  const second = watch(b!.ask(b!.toQuestion(0), "other"));
  const waiting = watch(b!.ask(b!.toQuestion(0)));
  await settle();
  assert.equal(second.error, "another body");
  a!.stop.abort(new Error("gone"));
  await settle();
  watch(c!.ask(c!.toQuestion(10_000), "other"));
  await pass(250, b!);
  assert.deepEqual([first.error, waiting.error], ["gone", "another body"]);
});

test("whoever waits can go away", async () => {
  const { processes: [a, b], pass } = start("a", "b");
  watch(a!.ask(a!.toQuestion(10_000)));
  await settle();
  const second = watch(b!.ask(b!.toQuestion(0)));
  await pass(500, b!);
  b!.stop.abort(new Error("gone"));
  await settle();
  assert.equal(second.error, "gone");
  assert.deepEqual([b!.clock.pending, b!.asked], [0, 0]);
});

test("without the store each asks for itself", async () => {
  const fail = () => Promise.reject(new Error("no store"));
  const { store, pass } = start();
  let fails = true;
  const broken: Store = {
    ...store,
    get: (key) => fails ? fail() : store.get(key),
    swap: (...args) => fails ? fail() : store.swap(...args),
  };
  const [a, b] = [new Process("a", broken), new Process("b", broken)];
  const first = watch(a.ask(a.toQuestion(MINUTE)));
  await pass(MINUTE, a);
  assert.equal(toText(first.value?.events ?? []), "from a");
  // The store comes back, one claims, and it is gone again while the other waits.
  fails = false;
  watch(a.ask(a.toQuestion(MINUTE)));
  await settle();
  const second = watch(b.ask(b.toQuestion(0)));
  await pass(500, a, b);
  assert.equal(b.asked, 0);
  fails = true;
  await pass(300, a, b);
  assert.equal(toText(second.value?.events ?? []), "from b");
});
