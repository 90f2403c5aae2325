import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { createArbiter } from "../../lib/arbiter.ts";
import type { LiveState } from "../../lib/server/live_feed.ts";
import type { HandlerOptions } from "../../lib/server/options.ts";
import { createStandIn } from "../../lib/stand_in/stand_in.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";

const MAX_PAGE_BYTES = 40_000;

function createRig(options: HandlerOptions = {}) {
  const clock = new FakeClock();
  const models = {
    "m/x": () => ({ status: 503, body: { detail: "swordfish" } }),
    "m/y": () => ({
      steps: [{ text: "swordfish" }, { calls: [{ name: "Bash", arguments: { command: "swordfish" } }] }],
    }),
  };
  const { fetch } = createStandIn({ models, clock });
  const host = { baseUrl: "http://h/v1", apiKey: "secret-key", model: "m/x", fallbacks: ["m/y"], rateLimit: 9 };
  const arbiter = createArbiter({ ...host, fetch, clock, random: () => 0, ...options });
  const get = (path: string, headers = {}) => arbiter.fetch(new Request(`http://h${path}`, { headers }));
  const ask = async (path = "/v1/messages") => {
    const tools = [{ name: "Bash", input_schema: { type: "object" } }];
    const messages = [{ role: "user", content: "swordfish" }];
    const body = JSON.stringify({ model: "claude-x", max_tokens: 9, stream: true, messages, tools });
    const headers = { "x-claude-code-session-id": "s-1" };
    const asked = arbiter.fetch(new Request(`http://h${path}`, { method: "POST", body, headers }));
    await clock.advance(5_000); // Before another model is asked there is a pause.
    return await (await asked).text();
  };
  return { arbiter, clock, get, ask };
}

test("the page is small, names its only script and style, and nothing of elsewhere", async () => {
  const { get } = createRig();
  const response = await get("/dashboard");
  const page = await response.text();
  assert.ok(new TextEncoder().encode(page).length <= MAX_PAGE_BYTES, `${page.length} characters`);
  const policy = response.headers.get("content-security-policy") ?? "";
  for (const name of ["script", "style"]) {
    const all = [...page.matchAll(new RegExp(`<${name}[^>]*>([^]*?)</${name}>`, "g"))];
    assert.equal(all.length, 1);
    const hash = createHash("sha256").update(all[0]![1]!).digest("base64");
    assert.ok(policy.includes(`${name}-src 'sha256-${hash}'`), policy);
  }
  assert.match(policy, /^default-src 'none'; .*connect-src 'self'; .*frame-ancestors 'none'$/);
  assert.doesNotMatch(policy, /unsafe|\*/);
  assert.doesNotMatch(page, /https?:\/\/(?!www\.w3\.org\/2000\/svg")|\bsrc=|@import|url\(| style=| on\w+=|innerHTML/);
});

test("the page is the same under its other name, for a client without a key, and in no frame", async () => {
  const { get } = createRig({ clientKeys: [{ key: "Secret-Number-1" }] });
  const [first, other] = await Promise.all([get("/dashboard"), get("/dashboard/stream")]);
  assert.deepEqual([first.status, other.status], [200, 200]);
  assert.equal(await first.text(), await other.text());
  const { headers } = first;
  assert.equal(headers.get("content-type"), "text/html; charset=utf-8");
  assert.equal(headers.get("x-content-type-options"), "nosniff");
  assert.equal(headers.get("x-frame-options"), "DENY");
  assert.equal(headers.get("referrer-policy"), "no-referrer");
});

test("the state tells requests, models and sessions, but neither content nor keys", async () => {
  const { get, ask } = createRig();
  assert.match(await ask(), /swordfish/);
  const text = await (await get("/v1/stream/visualization")).text();
  const { requests, quota, live }: LiveState = JSON.parse(text);
  assert.deepEqual([requests, quota?.left], [1, 7]);
  assert.deepEqual([live.whole, live.showsContent, live.at], [true, false, 5_000]);
  assert.deepEqual(live.requests[0]!.steps.map(({ lane, why, model }) => [lane, why, model]), [
    ["hold", undefined, "m/x"],
    ["fallback", "gateway", "m/y"],
    ["stream", undefined, undefined],
    ["tools", undefined, undefined],
  ]);
  assert.deepEqual(live.models.slice(0, 2).map(({ model, answers, faults }) => [model, answers, faults]), [
    ["m/x", 0, 1],
    ["m/y", 1, 0],
  ]);
  assert.deepEqual(live.quotas, [{ backend: "nvidia", left: 7, limit: 9, window: 60_000 }]);
  assert.deepEqual(live.sessions.map(({ id, requests }) => [id, requests]), [["s-1", 1]]);
  assert.doesNotMatch(text, /swordfish|secret/);
});

test("a model that says it is degraded is told to be avoided, and until when", async () => {
  const clock = new FakeClock();
  const { fetch } = createStandIn({
    models: { "m/x": () => ({ status: 400, body: { detail: "DEGRADED function cannot be invoked" } }) },
    clock,
  });
  const arbiter = createArbiter({ baseUrl: "http://h/v1", model: "m/x", fallbacks: [], fetch, clock });
  const body = JSON.stringify({ model: "x", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] });
  const asked = arbiter.fetch(new Request("http://h/v1/messages", { method: "POST", body }));
  await clock.advance(1_000);
  assert.equal((await asked).status, 529);
  const { live }: LiveState = await (await arbiter.fetch(new Request("http://h/v1/stream/visualization"))).json();
  const { why, avoidedUntil = 0 } = live.models[0]!;
  assert.equal(why, "degraded");
  assert.ok(avoidedUntil >= 180_000, String(avoidedUntil));
});

test("content is in the state where the user wants that", async () => {
  const { get, ask } = createRig({ showContent: true });
  await ask();
  const { live }: LiveState = await (await get("/v1/stream/visualization")).json();
  assert.equal(live.showsContent, true);
  assert.equal(live.requests[0]!.text, 'swordfish{"command":"swordfish"}');
});

test("server-sent events tell the state at once, and later what has changed", async () => {
  const { get, ask, clock } = createRig();
  const response = await get("/v1/stream/events");
  assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
  const reader = response.body!.getReader();
  const next = async (): Promise<LiveState> => {
    const text = new TextDecoder().decode((await reader.read()).value);
    return JSON.parse(/^data: (.*)\n\n$/.exec(text)![1]!);
  };
  assert.deepEqual((await next()).live.requests, []);
  await ask();
  const lanes = (await next()).live.requests[0]!.steps.map(({ lane }) => lane);
  assert.deepEqual(lanes, ["hold", "fallback"]);
  await clock.advance(200);
  const { live, requests } = await next();
  assert.deepEqual([requests, live.requests[0]!.over?.failed], [1, false]);
  await reader.cancel();
  await settle();
  assert.equal(clock.pending, 0);
});

test("who watches is told everything again where more has ended than is remembered, so that nothing stays on its way", async () => {
  const { arbiter, get, clock } = createRig();
  const reader = (await get("/v1/stream/events")).body!.getReader();
  const next = async (): Promise<LiveState["live"]> =>
    JSON.parse(new TextDecoder().decode((await reader.read()).value).slice("data: ".length)).live;
  const body = JSON.stringify({ model: "claude-x", max_tokens: 1, messages: [{ role: "user", content: "quota" }] });
  const ask = () => arbiter.fetch(new Request("http://h/v1/messages", { method: "POST", body }));
  assert.equal((await next()).whole, true);
  for (const [ended, whole] of [[99, false], [99, false], [101, true]] as const) {
    await clock.advance(1_000);
    await ask(); // Told at once; what comes within 200 ms after it is told together.
    await clock.advance(1);
    await next();
    await Promise.all(Array.from({ length: ended }, ask));
    await clock.advance(200);
    const told = await next();
    assert.deepEqual([told.whole, told.requests.length], [whole, 100]);
  }
  await reader.cancel();
});

describe("streams tell of their lanes", () => {
  const toVisualized = (text: string) =>
    [...text.matchAll(/^event: ncp_visualization\ndata: (.*)$/gm)].map(([, json]) => {
      const { lane, request_id, type } = JSON.parse(json!);
      return [type, lane, request_id.slice(0, 4)].join(" ");
    });

  test("only where the user wants that", async () => {
    assert.deepEqual(toVisualized(await createRig().ask()), []);
  });

  test("between the first event and the last", async () => {
    const text = await createRig({ visualizes: true }).ask();
    assert.deepEqual(
      toVisualized(text),
      ["hold", "fallback", "stream", "tools"].map((lane) => {
        return `ncp_visualization ${lane} req_`;
      }),
    );
    assert.match(text, /^event: message_start\n/);
    assert.match(text, /event: message_stop\ndata: .*\n\n$/);
    assert.doesNotMatch(text.replace(/^event: content_block_delta\n.*$/gm, ""), /ncp.*swordfish/);
  });

  test("but never those of chat completions", async () => {
    assert.doesNotMatch(await createRig({ visualizes: true }).ask("/v1/chat/completions"), /ncp_/);
  });
});

test("the route of the WebSocket says so where none is asked for", async () => {
  const response = await createRig().get("/ws/stream-visualization");
  assert.equal(response.status, 426);
  assert.equal(response.headers.get("upgrade"), "websocket");
  assert.match((await response.json()).error.message, /WebSocket/);
});
