import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Live, type LiveRequest } from "../../lib/server/live.ts";
import type { RequestLog } from "../../lib/server/request_log.ts";
import { UpstreamFault } from "../../lib/upstream/faults.ts";
import type { MessageStreamEvent } from "../../lib/wire/anthropic.ts";
import { ApiError } from "../../lib/wire/errors.ts";
import { FakeClock } from "../support/fake_clock.ts";

const backend = { baseUrl: "http://h/v1", name: "nvidia" };
const [x, y] = [{ backend, model: "m/x" }, { backend, model: "m/y" }];
const route = { asked: "a", model: "m/x", kind: "main", task: "coding", tier: "elite", chain: [], why: ["secret"] };
const LOG = { id: "req_1", method: "POST", path: "/v1/messages", status: 200, ms: 0, asked: "a", route } as RequestLog;
const gateway = new UpstreamFault("gateway", "The upstream says: swordfish");

const start = (type: "text" | "tool_use"): MessageStreamEvent => ({
  type: "content_block_start",
  index: 0,
  content_block: type === "text" ? { type, text: "" } : { type, id: "toolu_1", name: "Bash", input: {} },
});
const text = (text: string): MessageStreamEvent => ({
  type: "content_block_delta",
  index: 0,
  delta: { type: "text_delta", text },
});

function createLive(showContent = false) {
  const clock = new FakeClock();
  return { clock, live: new Live(clock, showContent) };
}

const toOnly = (live: Live): LiveRequest => live.requests()[0]!;

test("a request goes from the hold over a fallback into words, tool calls and words again", async () => {
  const { live, clock } = createLive();
  const went = async (run: () => void) => {
    run();
    await clock.advance(10);
  };
  await clock.advance(1000);
  await went(() => live.begin(LOG, 990));
  await went(() => live.tried("req_1", x));
  await went(() => live.tried("req_1", x, gateway));
  await went(() => live.tried("req_1", y));
  await went(() => live.heard("req_1", [start("text"), text("Hello")]));
  await went(() => live.heard("req_1", [text(" you")]));
  await went(() => live.heard("req_1", [start("tool_use")]));
  await went(() => live.heard("req_1", [start("tool_use"), start("text")]));
  await went(() => live.pinged("req_1"));
  const { steps, written, pings, model, kind, task, over, changed } = toOnly(live);
  assert.deepEqual(steps, [
    { at: 10, lane: "hold", model: "m/x" },
    { at: 30, lane: "fallback", left: "m/x", why: "gateway", model: "m/y" },
    { at: 50, lane: "stream" },
    { at: 70, lane: "tools" },
    { at: 80, lane: "stream" },
  ]);
  assert.deepEqual([written, pings, model, kind, task, over], [9, 1, "m/y", "main", "coding", undefined]);
  assert.equal(changed, 1080);
});

test("a request that is over tells how it ended, and what comes late changes nothing", () => {
  const { live } = createLive();
  live.begin(LOG, 0);
  live.tried("req_1", x);
  const counts = { inputTokens: 5, cachedTokens: 1, outputTokens: 2, firstMs: 40 };
  live.end({ ...LOG, ...counts, ms: 70, model: "m/x" });
  const ended = structuredClone(toOnly(live));
  assert.deepEqual(ended.over, { ...counts, ms: 70, status: 200, failed: false });
  live.heard("req_1", [start("text")]);
  live.pinged("req_1");
  live.tried("req_1", y);
  live.end({ ...LOG, status: 500 });
  assert.deepEqual(toOnly(live), ended);
});

test("a request that was refused before it was routed is not shown", () => {
  const { live } = createLive();
  live.end({ ...LOG, status: 401 });
  assert.deepEqual(live.requests(), []);
});

describe("of models it tells", () => {
  const ends: [name: string, log: Partial<RequestLog>, told: object][] = [
    ["who answered, and how soon", { model: "m/x", firstMs: 8 }, { answers: 1, faults: 0, firstMs: 8 }],
    ["who broke off", { model: "m/x", error: "cut" }, { answers: 0, faults: 1, why: "cut", failedAt: 5 }],
    ["nothing when the client went away", { model: "m/x", error: "gone", status: 499 }, { answers: 0, faults: 0 }],
    ["nothing twice when nobody answered", { status: 529, error: "all failed" }, { answers: 0, faults: 0 }],
  ];
  for (const [name, log, told] of ends) {
    test(name, async () => {
      const { live, clock } = createLive();
      await clock.advance(5);
      live.begin(LOG, 5);
      live.tried("req_1", x);
      live.end({ ...LOG, ...log });
      assert.deepEqual(live.models([], () => 0), [{ model: "m/x", backend: "nvidia", ...told }]);
    });
  }

  test("why they failed, until when they are avoided, and which others there are", () => {
    const { live } = createLive();
    live.begin(LOG, 0);
    live.tried("req_1", x);
    live.tried("req_1", x, new ApiError("api_error", "swordfish"));
    assert.deepEqual(live.models([y], ({ model }) => model === "m/x" ? 9 : 0), [
      { model: "m/x", backend: "nvidia", answers: 0, faults: 1, why: "api_error", failedAt: 0, avoidedUntil: 9 },
      { model: "m/y", backend: "nvidia", answers: 0, faults: 0 },
    ]);
  });
});

test("a host that is configured anew is one host, and the new one", () => {
  const { live } = createLive();
  live.models([x, y], () => 0);
  const changed = { ...backend, limits: { limit: 9, window: 1, concurrency: 0 } };
  live.models([x, y].map((candidate) => ({ ...candidate, backend: changed })), () => 0);
  assert.deepEqual(live.backends(), [changed]);
});

test("only what has changed since a time is told, those on their way first", async () => {
  const { live, clock } = createLive();
  for (const id of ["a", "b", "c"]) live.begin({ ...LOG, id }, 0);
  await clock.advance(10);
  live.end({ ...LOG, id: "b" });
  live.pinged("c");
  assert.deepEqual(live.requests(10).map(({ id }) => id), ["c", "b"]);
  assert.deepEqual(live.requests(11), []);
  assert.equal(live.requests().length, 3);
});

test("what others name and repeat is bounded", () => {
  const { live } = createLive();
  for (let i = 0; i < 300; i++) {
    live.begin({ ...LOG, id: `${i}`, asked: "x".repeat(9_999) }, 0);
    for (let n = 0; n < 100; n++) live.heard(`${i}`, [start(n % 2 ? "text" : "tool_use")]);
    live.tried(`${i}`, { backend, model: `m/${i}` });
    if (i > 0) live.end({ ...LOG, id: `${i}` });
  }
  const all = live.requests();
  assert.deepEqual([all.length, all[0]!.id, all[1]!.id], [101, "0", "200"]);
  assert.deepEqual([all[0]!.asked!.length, all[0]!.steps.length, all[0]!.steps[0]!.lane], [200, 60, "hold"]);
  assert.equal(live.models([], () => 0).length, 100);
});

describe("content", () => {
  const run = (live: Live) => {
    live.begin(LOG, 0);
    live.tried("req_1", x);
    live.tried("req_1", x, gateway);
    live.heard("req_1", [start("text"), text("a".repeat(900)), text("swordfish")]);
    return JSON.stringify([live.requests(), live.models([], () => 0), live.tell("req_1")]);
  };

  test("is never told, nor what faults or routes say", () => {
    assert.doesNotMatch(run(createLive().live), /swordfish|aaa|secret/);
  });

  test("is told where the user wants that, the end of it", () => {
    const { live } = createLive(true);
    assert.doesNotMatch(run(live), /says|secret/);
    const { text = "" } = toOnly(live);
    assert.deepEqual([text.length, text.endsWith("aswordfish")], [600, true]);
  });
});

test("each step is told once inside the stream", () => {
  const { live } = createLive();
  assert.deepEqual(live.tell("req_1"), []);
  live.begin(LOG, 0);
  live.tried("req_1", x);
  const told = () => live.tell("req_1").map(({ type, request_id, lane }) => [type, request_id, lane].join(" "));
  assert.deepEqual(told(), ["ncp_visualization req_1 hold"]);
  live.tried("req_1", x, gateway);
  live.heard("req_1", [start("text")]);
  assert.deepEqual(told(), ["ncp_visualization req_1 fallback", "ncp_visualization req_1 stream"]);
  assert.deepEqual(told(), []);
});
