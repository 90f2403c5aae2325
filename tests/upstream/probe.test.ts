import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Candidate } from "../../lib/routing/candidate.ts";
import { createStandIn } from "../../lib/stand_in/stand_in.ts";
import type { ScriptedAnswer } from "../../lib/stand_in/script.ts";
import { createMemoryStore } from "../../lib/store/memory_store.ts";
import { LearnedFacts } from "../../lib/upstream/learned.ts";
import { hasAnswered, probeModels, type ProbeOptions, type ProbeResult } from "../../lib/upstream/probe.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";

const BACKEND = { baseUrl: "http://host/v1", name: "host", apiKey: "key" };

function toCandidates(ids: readonly string[], backend: Candidate["backend"] = BACKEND): Candidate[] {
  return ids.map((model) => ({ backend, model }));
}

/** An upstream in which each model always does the same. */
function createHost(answers: Record<string, ScriptedAnswer>, clock = new FakeClock()) {
  const models = Object.fromEntries(Object.entries(answers).map(([id, answer]) => [id, () => answer]));
  const standIn = createStandIn({ models, apiKey: "key", clock });
  return { clock, requests: standIn.requests, options: { clock, fetch: standIn.fetch } satisfies ProbeOptions };
}

const YES: ScriptedAnswer = { steps: [{ text: "Yes." }] };

async function probeOne(answer: ScriptedAnswer, model = "owner/model"): Promise<ProbeResult> {
  const { options } = createHost({ [model]: answer });
  const [result] = await probeModels(toCandidates([model]), options);
  return result!;
}

const FAULTS: [name: string, answer: ScriptedAnswer, state: string, reason: string][] = [
  ["answers", YES, "ok", ""],
  [
    "is gone",
    { status: 410, body: { detail: "reached its end of life on 2026-05-14" } },
    "fail",
    "gone since 2026-05-14",
  ],
  ["is gone since nobody knows when", { status: 410, body: "" }, "fail", "gone"],
  ["is not for the account", { status: 404, body: "Not found for account" }, "fail", "not for your account"],
  ["has no such function", { status: 404, body: "404 page not found" }, "fail", "not for your account"],
  ["needs another key", { status: 401, body: "" }, "fail", "wrong key"],
  ["Zen has no more", { status: 401, body: "Model m is not supported" }, "fail", "not for your account"],
  ["is overloaded", { status: 503, body: { detail: "ResourceExhausted" } }, "fail", "overloaded"],
  ["has a full host", { status: 503, body: "" }, "fail", "overloaded"],
  ["is degraded", { status: 400, body: { detail: "DEGRADED function cannot be invoked" } }, "fail", "degraded"],
  ["is asked too often", { status: 429, body: "" }, "fail", "too many calls"],
  ["has an error inside an answer", { steps: [{ chunk: { error: { message: "boom" } } }] }, "fail", "broken answer"],
  ["took too long behind a gateway", { status: 504, body: "" }, "timeout", "no answer in time"],
];

describe("a model that", () => {
  for (const [name, answer, state, reason] of FAULTS) {
    test(`${name} is found so`, async () => {
      const result = await probeOne(answer);
      assert.deepEqual([result.state, result.reason], [state, reason]);
    });
  }

  test("is silent for eight seconds is given up", async () => {
    const { options, clock } = createHost({ slow: { delay: Infinity }, fast: { ...YES, delay: 300 } });
    const results: ProbeResult[] = [];
    const all = probeModels(toCandidates(["slow", "fast"]), { ...options, onResult: (one) => void results.push(one) });
    await clock.advance(7_999);
    assert.deepEqual(results.map(({ candidate: { model }, state, ms }) => [model, state, ms]), [["fast", "ok", 300]]);
    await clock.advance(1);
    assert.deepEqual((await all).map(({ state, ms }) => [state, ms]), [["timeout", 8_000], ["ok", 300]]);
    assert.equal(clock.pending, 0);
  });

  test("cannot be reached is told apart from one that is overloaded", async () => {
    const fetch = () => Promise.reject(new TypeError("fetch failed", { cause: new Error("ECONNREFUSED") }));
    const [result] = await probeModels(toCandidates(["a"]), { fetch, clock: new FakeClock() });
    assert.deepEqual([result?.state, result?.reason], ["fail", "cannot be reached"]);
  });

  test("is behind a page of a hotel's does not answer", async () => {
    const fetch = () => Promise.resolve(new Response("<html>Sign in</html>"));
    const [result] = await probeModels(toCandidates(["a"]), { fetch, clock: new FakeClock() });
    assert.equal(result?.state, "fail");
  });

  test("has no key is not asked", async () => {
    const { options, requests } = createHost({ a: YES });
    const [result] = await probeModels(toCandidates(["a"], { ...BACKEND, lacks: "HOST_KEY" }), options);
    assert.deepEqual([result?.state, result?.reason], ["unknown", "no key: set HOST_KEY"]);
    assert.equal(requests.length, 0);
  });

  test("is to be skipped is not asked, with a key or without", async () => {
    const { options, requests } = createHost({ a: YES });
    const candidates = [...toCandidates(["a"]), ...toCandidates(["a"], { ...BACKEND, lacks: "HOST_KEY" })];
    const results = await probeModels(candidates, { ...options, skip: true });
    assert.deepEqual([results.map(({ state }) => state), requests], [["skipped", "skipped"], []]);
  });

  test("fails names the one that took its place and is still there; an account's fault names none", async () => {
    const id = "moonshotai/kimi-k2.5";
    assert.equal((await probeOne({ status: 410, body: "" }, id)).successor, "moonshotai/kimi-k3");
    assert.equal((await probeOne({ status: 401, body: "" }, id)).successor, undefined);
    assert.equal((await probeOne(YES, id)).successor, undefined);
  });
});

test("one token is asked for, without a stream, and with what the profile adds", async () => {
  const { options, requests } = createHost({ a: YES });
  const profile = { providerModel: "a", extraBody: { seed: 1 } };
  await probeModels([{ backend: BACKEND, model: "a", profile }], options);
  const messages = [{ role: "user", content: "Hi" }];
  assert.deepEqual(requests, [{ seed: 1, model: "a", messages, max_tokens: 1, stream: false }]);
});

test("what is found out is a lesson for later requests", async () => {
  const { options, clock } = createHost({ a: { status: 410, body: "end of life on 2026-05-14" }, b: YES });
  const store = createMemoryStore();
  const [a, b] = toCandidates(["a", "b"]);
  await probeModels([a!, b!], { ...options, store });
  const learned = new LearnedFacts(store, clock);
  await learned.sync();
  assert.ok(learned.of(a!).goneSince < Infinity);
  assert.equal(learned.of(b!).goneSince, Infinity);
});

test("a model that came back is no longer remembered as gone", async () => {
  const { options, clock } = createHost({ a: YES });
  const store = createMemoryStore();
  const [a] = toCandidates(["a"]);
  new LearnedFacts(store, clock).learn(a!, { goneSince: 0 });
  await probeModels([a!], { ...options, store });
  const learned = new LearnedFacts(store, clock);
  await learned.sync();
  assert.equal(learned.of(a!).goneSince, Infinity);
});

describe("of many models", () => {
  const ids = Array.from({ length: 30 }, (_, i) => `owner/m${i}`);

  test("eight are asked at once, and a quarter of the quota in half of its time", async () => {
    const answers = Object.fromEntries(ids.map((id) => [id, { ...YES, delay: 1_000 }]));
    const { options, clock, requests } = createHost(answers);
    const limits = { limit: 40, window: 60_000, concurrency: 20 };
    const all = probeModels(toCandidates(ids, { ...BACKEND, limits }), options);
    const counts: number[] = [];
    for (const ms of [0, 1_000, 28_999, 1, 1_000, 28_999, 1]) {
      await clock.advance(ms);
      counts.push(requests.length);
    }
    assert.deepEqual(counts, [8, 10, 10, 18, 20, 20, 28]);
    await clock.advance(10_000);
    assert.equal((await all).filter(({ state }) => state === "ok").length, 30);
  });

  test("none is asked any more when the key is refused", async () => {
    const { options, requests } = createHost(Object.fromEntries(ids.map((id) => [id, YES])));
    let calls = 0;
    const counted: typeof fetch = (...args) => {
      calls++;
      return options.fetch(...args);
    };
    const candidates = toCandidates(ids, { ...BACKEND, apiKey: "other" });
    const results = await probeModels(candidates, { ...options, fetch: counted });
    assert.ok(results.every(({ reason }) => reason === "wrong key"));
    assert.deepEqual([requests.length, calls], [0, 8]);
  });

  test("those of one account wait after a refusal of two, and are asked then", async () => {
    const clock = new FakeClock();
    const refusal = { status: 429, body: "" };
    const two = { "owner/m0": refusal, "owner/m1": refusal };
    const { options, requests } = createHost({ ...Object.fromEntries(ids.map((id) => [id, YES])), ...two }, clock);
    const all = probeModels(toCandidates(ids), options);
    await settle();
    const early = requests.length;
    await clock.advance(60_000);
    await all;
    assert.ok(early < 30 && requests.length === 30);
  });

  test("no more are asked when nobody waits", async () => {
    const { options, clock } = createHost(Object.fromEntries(ids.map((id) => [id, { delay: Infinity }])));
    const controller = new AbortController();
    const all = probeModels(toCandidates(ids), { ...options, signal: controller.signal });
    await settle();
    controller.abort(new Error("enough"));
    await assert.rejects(all, /enough/);
    await settle();
    assert.equal(clock.pending, 0);
  });
});

describe("an earlier result", () => {
  const HOUR = 3_600_000;

  test("does for as long as is allowed, unless it was a passing trouble", async () => {
    const answers = { ok: YES, gone: { status: 410, body: "" }, busy: { status: 503, body: "" } };
    const { options, clock } = createHost(answers);
    const asked: string[] = [];
    const store = createMemoryStore();
    const counted: typeof fetch = (input, init) => {
      asked.push(JSON.parse(String(init?.body)).model);
      return options.fetch(input, init);
    };
    const probe = (maxAge: number) =>
      probeModels(toCandidates(["ok", "gone", "busy"]), { ...options, fetch: counted, store, maxAge });
    const first = await probe(HOUR);
    await clock.advance(HOUR - 1);
    asked.length = 0;
    const second = await probe(HOUR);
    assert.deepEqual(asked, ["busy"]);
    assert.deepEqual(second.map(({ state, reason }) => [state, reason]), first.map((one) => [one.state, one.reason]));
    await clock.advance(1);
    await probe(HOUR);
    assert.deepEqual(asked, ["busy", "ok", "gone", "busy"]);
    asked.length = 0;
    await probe(0);
    assert.equal(asked.length, 3);
  });

  test("tells whether a model has answered lately", async () => {
    const { options, clock } = createHost({ ok: YES, gone: { status: 410, body: "" } });
    const store = createMemoryStore();
    const [ok, gone, never] = toCandidates(["ok", "gone", "never"]) as [Candidate, Candidate, Candidate];
    await probeModels([ok, gone], { ...options, store });
    const now = clock.now() + HOUR;
    const ask = (candidate: Candidate, maxAge: number) => hasAnswered(candidate, { store, maxAge, now });
    assert.deepEqual(await Promise.all([ok, gone, never].map((one) => ask(one, HOUR + 1))), [true, false, false]);
    assert.equal(await ask(ok, HOUR), false);
  });

  test("that is spoilt is none", async () => {
    for (const value of [null, 1, {}, { at: 0 }, { at: "x", state: "ok" }, { at: 0, state: "skipped" }]) {
      const { options, requests } = createHost({ a: YES });
      const store = createMemoryStore([["probe http://host/v1 a", value]]);
      const [result] = await probeModels(toCandidates(["a"]), { ...options, store, maxAge: HOUR });
      assert.deepEqual([result?.state, requests.length], ["ok", 1]);
    }
  });
});
