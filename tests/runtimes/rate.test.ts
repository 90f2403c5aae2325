/** What becomes of requests beyond the rate of an upstream account: they wait, and nobody sees more than pings. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject, ScriptedAnswer } from "../../mod.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { FAULTS } from "../support/faults.ts";
import { assertLegalStream, parseEvents } from "../support/grammar.ts";
import { createRig, type Rig, type RigOptions, toRequest } from "./harness.ts";

const HELLO: ScriptedAnswer = { steps: [{ text: "Hello" }] };
const TOOLS = { tools: [{ name: "Bash", input_schema: { type: "object" } }] };

function createLimited(answer: ScriptedAnswer, options: RigOptions): Rig & { clock: FakeClock } {
  const clock = new FakeClock();
  return { clock, ...createRig(answer, { clock, random: () => 0, ...options }) };
}

/** Sends a request and collects what comes of it. */
async function ask({ arbiter }: Rig, fields: JsonObject, headers: Record<string, string> = {}): Promise<string> {
  const request = toRequest({ stream: true, ...fields });
  for (const [name, value] of Object.entries(headers)) request.headers.set(name, value);
  return await (await arbiter.fetch(request)).text();
}

test("of sixty requests at once at forty a minute none is lost, none fails, and the urgent go first", async () => {
  const rig = createLimited(HELLO, { rateLimit: 40 });
  const kinds: [who: string, fields: JsonObject, headers: Record<string, string>][] = [
    ["background", {}, {}],
    ["subagent", TOOLS, { "x-claude-code-agent-id": "0123456789abcdef0" }],
    ["main", TOOLS, {}],
  ];
  const answers = Array.from({ length: 60 }, (_, i) => {
    const [who, fields, headers] = kinds[i % 3]!;
    return ask(rig, { ...fields, messages: [{ role: "user", content: who }] }, headers);
  });
  await rig.clock.advance(59_999);
  assert.equal(rig.calls.length, 40);
  await rig.clock.advance(1);
  const late = rig.calls.slice(40).map(({ body }) => String(body.messages.at(-1)?.content));
  const urgent = kinds.map(([who]) => who).toReversed();
  assert.deepEqual(late, urgent.flatMap((kind) => late.filter((who) => who === kind)));
  assert.equal(late.length, 20);
  for (const answer of await Promise.all(answers)) {
    const events = parseEvents(answer);
    const { content } = assertLegalStream(events);
    assert.deepEqual(content, [{ type: "text", text: "Hello" }]);
  }
  await settle();
  assert.equal(rig.clock.pending, 0);
});

test("who waits for a place is kept waiting with pings", async () => {
  const rig = createLimited(HELLO, { rateLimit: 1 });
  await ask(rig, TOOLS);
  const answer = ask(rig, TOOLS);
  await rig.clock.advance(60_000);
  const pings = parseEvents(await answer).filter(({ type }) => type === "ping");
  assert.ok(pings.length >= 5, `${pings.length}`);
});

test("a place is free again when an answer is over, broken off, refused or given up, also before it was read", async () => {
  for (const steps of [HELLO.steps, [{ text: "Half" }, { stop: "cut" }]] as ScriptedAnswer["steps"][]) {
    const rig = createLimited({ steps: steps ?? [] }, { maxConcurrency: 1 });
    for (let i = 0; i < 3; i++) await ask(rig, TOOLS);
    assert.equal(rig.calls.length, 3);
  }
  const refusing = createLimited(FAULTS.busy, { maxConcurrency: 1 });
  for (let i = 0; i < 3; i++) await ask(refusing, TOOLS);
  assert.equal(refusing.calls.length, 3);
  const left = createLimited(HELLO, { maxConcurrency: 1 });
  for (let i = 0; i < 3; i++) {
    const gone = new AbortController();
    const response = await left.arbiter.fetch(toRequest({ stream: true }, { signal: gone.signal }));
    assert.equal(response.status, 200);
    gone.abort();
    await response.text().catch(() => {});
  }
  assert.equal(left.calls.length, 3);
});

test("who gives up while waiting leaves the queue, and no call is made", async () => {
  const rig = createLimited(HELLO, { rateLimit: 1 });
  await ask(rig, TOOLS);
  const gone = new AbortController();
  const response = rig.arbiter.fetch(toRequest({ stream: true, ...TOOLS }, { signal: gone.signal }));
  await settle();
  gone.abort();
  await response.catch(() => {});
  await rig.clock.advance(120_000);
  assert.equal(rig.calls.length, 1);
  assert.equal(rig.clock.pending, 0);
});

test("who has waited for a place as long as for an answer is told so, and no call is made", async () => {
  const rig = createLimited(HELLO, { rateLimit: 1, requestTimeout: 30_000 });
  await ask(rig, TOOLS);
  const answer = ask(rig, TOOLS);
  await rig.clock.advance(30_000);
  assert.match(await answer, /"rate_limit_error","message":"Too many requests wait for 'nvidia'.* 30 seconds"/);
  await rig.clock.advance(60_000);
  assert.equal(rig.calls.length, 1);
  assert.equal(rig.clock.pending, 0);
});

test("no more calls are on their way at once than may be", async () => {
  const rig = createLimited({ steps: [{ wait: 1_000 }, { text: "Hello" }] }, { maxConcurrency: 2 });
  const answers = [1, 2, 3, 4, 5].map(() => ask(rig, TOOLS));
  const open: number[] = [];
  for (let i = 0; i < 4; i++) {
    await rig.clock.advance(500);
    open.push(rig.standIn.open);
    await rig.clock.advance(500);
  }
  assert.deepEqual(open, [2, 2, 1, 0]);
  await Promise.all(answers);
});

test("a blocked account is passed over for another, in the middle of a request and from the next one on", async () => {
  const clock = new FakeClock();
  const limited = () => Promise.resolve(new Response("", { status: 429, headers: { "retry-after": "50" } }));
  const rig: Rig = createRig(HELLO, {
    model: "here/one",
    fallbacks: ["here/two", "here/three", "there/four"],
    backends: { here: { baseUrl: "http://here/v1" }, there: { baseUrl: "http://there/v1" } },
    clock,
    random: () => 0,
    standIn: { models: { four: () => HELLO } },
    fetch: (input, init) => String(input).startsWith("http://here/") ? limited() : rig.standIn.fetch(input, init),
  });
  for (let i = 0; i < 2; i++) {
    const answer = ask(rig, TOOLS);
    await clock.advance(2_000);
    assert.match(await answer, /Hello/);
  }
  assert.deepEqual(rig.calls.map(({ body }) => body.model), ["one", "two", "four", "four"]);
});

test("when two models say 429 the account waits, and the third request comes through", async () => {
  const [first, second] = ["test/first", "test/second"];
  const clock = new FakeClock();
  let limited = true;
  const script = (): ScriptedAnswer => limited ? FAULTS.rateLimited : HELLO;
  const options = {
    model: first,
    fallbacks: [second],
    clock,
    random: () => 0,
    standIn: { models: { [first]: script, [second]: script } },
  };
  const rig = createRig({}, options);
  const failed = ask(rig, TOOLS);
  await clock.advance(1_000);
  assert.match(await failed, /rate_limit_error/);
  assert.equal(rig.calls.length, 2);
  limited = false;
  const answer = ask(rig, TOOLS);
  await clock.advance(4_000);
  assert.equal(rig.calls.length, 2, "the account was not left alone");
  await clock.advance(2_000);
  assert.match(await answer, /Hello/);
  assert.equal(rig.calls.length, 3);
});
