import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createArbiter } from "../../lib/arbiter.ts";
import { checkAccess, InboundLimits } from "../../lib/server/auth.ts";
import { formatRequestLog, type RequestLog } from "../../lib/server/request_log.ts";
import { createStandIn } from "../../lib/stand_in/stand_in.ts";
import { ApiError } from "../../lib/wire/errors.ts";
import { FakeClock } from "../support/fake_clock.ts";

const KEYS = [{ name: "me", key: "Secret-Number-1" }, { name: "ci", key: "Secret-Number-2", rpm: 2 }];

/** What a request is refused with; otherwise the name of its key, or "served" without any. */
function judge(headers: HeadersInit, clientKeys = KEYS, more: { peer?: string; open?: boolean } = {}): string {
  const found = checkAccess({ headers: new Headers(headers), peer: more.peer }, {
    clientKeys,
    open: more.open ?? false,
  });
  return found instanceof ApiError ? `${found.status} ${found.type}` : found?.name ?? "served";
}

const LOCKED = "401 authentication_error";
const FOREIGN = "403 permission_error";

describe("where there are keys, a request is", () => {
  const key = "Secret-Number-1";
  const rows: [verdict: string, headers: [string, string][]][] = [
    ["me", [["x-api-key", key]]],
    ["me", [["X-API-KEY", ` ${key} `]]],
    ["me", [["authorization", `Bearer ${key}`]]],
    ["me", [["authorization", `bearer  ${key}`]]],
    ["ci", [["authorization", "Bearer Secret-Number-2"]]],
    ["me", [["x-api-key", `${key}:z-ai/glm-5.2`]]],
    ["me", [["authorization", `Bearer ${key}:haiku:x`]]],
    ["me", [["x-api-key", "sk-ant-another"], ["authorization", `Bearer ${key}`]]],
    ["me", [["x-api-key", key], ["host", "proxy.example"], ["origin", "https://proxy.example"]]],
    [LOCKED, []],
    [LOCKED, [["host", "127.0.0.1:4005"]]],
    [LOCKED, [["x-api-key", ""]]],
    [LOCKED, [["x-api-key", ":"]]],
    [LOCKED, [["x-api-key", `:${key}`]]],
    [LOCKED, [["x-api-key", "secret-number-1"]]],
    [LOCKED, [["x-api-key", "Secret-Number-"]]],
    [LOCKED, [["x-api-key", "Secret-Number-11"]]],
    [LOCKED, [["x-api-key", `${key}\t`.repeat(2)]]],
    [LOCKED, [["x-api-key", "me"]]],
    [LOCKED, [["x-api-key", `me=${key}`]]],
    [LOCKED, [["x-api-key", `Bearer ${key}`]]],
    [LOCKED, [["x-api-key", encodeURIComponent("Secret-Number-1").replace("S", "%53")]]],
    [LOCKED, [["x-api-key", "wrong-key"], ["x-api-key", key]]],
    [LOCKED, [["x-api-key", key], ["x-api-key", "wrong-key"]]],
    [LOCKED, [["authorization", "Bearer wrong-key"], ["authorization", `Bearer ${key}`]]],
    [LOCKED, [["authorization", `Bearer ${key}`], ["authorization", "Bearer wrong-key"]]],
    [LOCKED, [["authorization", key]]],
    [LOCKED, [["authorization", `Bearer${key}`]]],
    [LOCKED, [["authorization", "Bearer"]]],
    [LOCKED, [["authorization", `Basic ${btoa(`me:${key}`)}`]]],
    [LOCKED, [["proxy-authorization", `Bearer ${key}`]]],
    [LOCKED, [["x_api_key", key]]],
    [LOCKED, [["api-key", key]]],
    [LOCKED, [["cookie", `x-api-key=${key}`]]],
    ["me", [["sec-websocket-protocol", `arbiter, arbiter.key.${btoa(key)}`]]],
    ["me", [["sec-websocket-protocol", `arbiter.key.${btoa(`${key}:haiku`)}`]]],
    [LOCKED, [["sec-websocket-protocol", `arbiter, arbiter.key.${btoa("wrong-key")}`]]],
    [LOCKED, [["sec-websocket-protocol", `arbiter, arbiter.key.${key}`]]],
    [LOCKED, [["sec-websocket-protocol", `arbiter, xarbiter.key.${btoa(key)}`]]],
    [LOCKED, [["sec-websocket-protocol", "arbiter, arbiter.key."]]],
    [LOCKED, [["sec-websocket-protocol", "arbiter.key.A"]]],
    [LOCKED, [["sec-websocket-protocol", key]]],
  ];
  for (const [verdict, headers] of rows) {
    test(`${verdict} with ${JSON.stringify(headers)}`, () => assert.equal(judge(headers), verdict));
  }
});

describe("without a key, a request is", () => {
  const rows: [verdict: string, headers: Record<string, string>, peer?: string][] = [
    ["served", {}],
    ["served", { host: "127.0.0.1:4005" }, "127.0.0.1"],
    ["served", { host: "127.0.0.1" }, "::1"],
    ["served", { host: "127.0.0.2:1" }, "::ffff:127.0.0.1"],
    ["served", { host: "LocalHost:4005" }],
    ["served", { host: "[::1]:4005" }],
    ["served", { host: "127.0.0.1:4005", origin: "http://localhost:3000" }],
    ["served", { host: "127.0.0.1:4005", origin: "http://127.0.0.1:4005" }],
    [FOREIGN, { host: "127.0.0.1.evil.com" }],
    [FOREIGN, { host: "127.0.0.1.evil.com:4005" }],
    [FOREIGN, { host: "localhost.evil.com" }],
    [FOREIGN, { host: "evil.com" }],
    [FOREIGN, { host: "evil.com:127.0.0.1" }],
    [FOREIGN, { host: "127.0.0.1@evil.com" }],
    [FOREIGN, { host: "127.0.0.1:4005@evil.com" }],
    [FOREIGN, { host: "127.0.0.1:4005, evil.com" }],
    [FOREIGN, { host: "evil.com, 127.0.0.1:4005" }],
    [FOREIGN, { host: "127.0.0.1:x" }],
    [FOREIGN, { host: "127.0.0.1/evil.com" }],
    [FOREIGN, { host: "127.0.0.1#.evil.com" }],
    [FOREIGN, { host: "evil-127.0.0.1" }],
    [FOREIGN, { host: "notlocalhost" }],
    [FOREIGN, { host: "0.0.0.0:4005" }],
    [FOREIGN, { host: "192.168.1.5" }],
    [FOREIGN, { host: "[::2]" }],
    [FOREIGN, { host: "" }],
    [FOREIGN, { host: "127.0.0.1:4005", origin: "https://evil.com" }],
    [FOREIGN, { host: "127.0.0.1:4005", origin: "http://127.0.0.1.evil.com" }],
    [FOREIGN, { host: "127.0.0.1:4005", origin: "http://localhost@evil.com" }],
    [FOREIGN, { host: "127.0.0.1:4005", origin: "null" }],
    [FOREIGN, { host: "127.0.0.1:4005", origin: "file://" }],
    [FOREIGN, { host: "127.0.0.1:4005", origin: "chrome-extension://localhost" }],
    [FOREIGN, { host: "127.0.0.1:4005", origin: "" }],
    [FOREIGN, { host: "127.0.0.1:4005" }, "192.168.1.7"],
    [FOREIGN, { host: "127.0.0.1:4005" }, "::ffff:10.0.0.1"],
    [FOREIGN, { host: "127.0.0.1:4005" }, "fe80::127.0.0.1"],
    [FOREIGN, { "host": "evil.com", "x-forwarded-host": "127.0.0.1", "x-forwarded-for": "127.0.0.1" }],
  ];
  for (const [verdict, headers, peer] of rows) {
    test(`${verdict} with ${JSON.stringify(headers)} from ${peer ?? "anywhere"}`, () => {
      assert.equal(judge(headers, [], peer === undefined ? {} : { peer }), verdict);
    });
  }
});

describe("a proxy that is open to all, and without a key,", () => {
  const rows: [verdict: string, headers: Record<string, string>][] = [
    ["served", { host: "192.168.1.5:4005" }],
    ["served", { host: "box.lan:4005", origin: "http://box.lan:4005" }],
    [FOREIGN, { host: "box.lan:4005", origin: "http://evil.com" }],
    [FOREIGN, { host: "box.lan:4005", origin: "http://box.lan:4006" }],
  ];
  for (const [verdict, headers] of rows) {
    test(`says ${verdict} to ${JSON.stringify(headers)}`, () => {
      assert.equal(judge(headers, [], { peer: "192.168.1.7", open: true }), verdict);
    });
  }
});

const KEY = { "x-api-key": "Secret-Number-1" };

function createRig(options: { inboundRpm?: number; clientKeys?: typeof KEYS } = {}) {
  const clock = new FakeClock();
  const logs: RequestLog[] = [];
  const arbiter = createArbiter({
    fetch: createStandIn({ clock }).fetch,
    clock,
    apiKey: "upstream-secret",
    clientKeys: KEYS,
    onRequest: (log) => void logs.push(log),
    ...options,
  });
  const ask = (path: string, init: RequestInit = {}) => arbiter.fetch(new Request(`http://localhost${path}`, init));
  return { arbiter, ask, logs, clock };
}

describe("every route but health wants the key, however it is written:", () => {
  const rows: [method: string, path: string, status: number][] = [
    ["GET", "/health", 200],
    ["HEAD", "/", 200],
    ["GET", "/%68ealth", 200],
    ["GET", "/healthz/", 200],
    ["GET", "/v1/models", 401],
    ["GET", "/v1/models/health", 401],
    ["GET", "/V1/MODELS", 401],
    ["GET", "/HEALTH", 401],
    ["GET", "//health", 401],
    ["GET", "/v1/health", 401],
    ["GET", "/health%2f..%2fv1%2fmodels", 401],
    ["GET", "/health/../v1/models", 401],
    ["GET", "/health/%2e%2e/v1/models", 401],
    ["GET", "/health;/v1/models", 401],
    ["GET", "/health%00", 401],
    ["GET", "/health%0a", 401],
    ["GET", "/v1/%6dodels", 401],
    ["GET", "/v1/v1/models", 401],
    ["GET", "/%76%31/models?/health", 401],
    ["GET", "/v1/models#/health", 401],
    ["GET", "/v1/models?x-api-key=Secret-Number-1", 401],
    ["GET", "/http://localhost/health", 401],
    ["GET", "/v1/stream/visualization", 401],
    ["GET", "/dashboard", 200],
    ["GET", "/dashboard/stream/", 200],
    ["GET", "/dashboard/x", 401],
    ["GET", "/dashboard/stream/../../v1/models", 401],
    ["POST", "/dashboard", 405],
    ["GET", "/v1/stream/events", 401],
    ["GET", "/ws/stream-visualization", 401],
    ["GET", "/v1/sessions", 401],
    ["GET", "/metrics", 401],
    ["POST", "/v1/messages/count_tokens", 401],
    ["POST", "/v1/messages", 401],
    ["POST", "/v1/v1/messages", 401],
    ["OPTIONS", "/v1/messages", 401],
    ["DELETE", "/v1/messages", 401],
    ["GET", "/nothing", 401],
    ["GET", "/%zz", 401],
  ];
  for (const [method, path, status] of rows) {
    test(`${method} ${path} is ${status}`, async () => {
      const { ask, logs } = createRig();
      const response = await ask(path, { method });
      const text = await response.text();
      assert.equal(response.status, status);
      if (status === 401) {
        assert.equal(JSON.parse(text).error.type, "authentication_error");
        assert.equal(response.headers.get("www-authenticate"), "Bearer");
      }
      assert.ok(![...response.headers.keys()].some((name) => name.startsWith("access-control")));
      assert.doesNotMatch(JSON.stringify([text, logs, logs.map(formatRequestLog)]), /secret/i);
    });
  }
});

test("what is refused is refused before its body is read", async () => {
  let read = false;
  const body = new ReadableStream({ pull: () => void (read = true) }, { highWaterMark: 0 });
  const init = { method: "POST", body, duplex: "half" } as RequestInit;
  assert.equal((await createRig().ask("/v1/messages", init)).status, 401);
  assert.equal(read, false);
});

test("the log names the key, and holds none", async () => {
  const { ask, logs, arbiter } = createRig();
  await ask("/v1/models", { headers: KEY });
  assert.match(formatRequestLog(logs[0]!), /^GET \/v1\/models · 200 · .* · me · req_/);
  assert.doesNotMatch(JSON.stringify([logs, arbiter.status()]), /secret/i);
});

test("a request without Host header is an embedding program's own; one with a foreign Host is refused everywhere", async () => {
  const { ask } = createRig({ clientKeys: [] });
  assert.equal((await ask("/v1/models")).status, 200);
  for (const path of ["/v1/models", "/health", "/nothing"]) {
    const response = await ask(path, { headers: { host: "evil.com" } });
    assert.equal(response.status, 403);
    assert.equal((await response.json()).error.type, "permission_error");
  }
});

test("keys that are of no use make no proxy", () => {
  for (const key of ["short", "with blank in it", "with:colon-in-it"]) {
    assert.throws(() => createArbiter({ clientKeys: [{ key }] }), (error: Error) => {
      return error instanceof TypeError && !error.message.includes(key);
    });
  }
});

describe("the inbound limit", () => {
  const post = (key: string) => ({ method: "POST", headers: { "x-api-key": key }, body: "{}" });

  test("is each key's own, is told with retry-after, and passes with time", async () => {
    const { ask, clock } = createRig({ inboundRpm: 1 });
    const statuses = async (key: string, times: number) => {
      const found: number[] = [];
      for (let i = 0; i < times; i++) found.push((await ask("/v1/messages", post(key))).status);
      return found;
    };
    assert.deepEqual(await statuses("Secret-Number-1", 2), [400, 429]);
    assert.deepEqual(await statuses("Secret-Number-2:haiku", 3), [400, 400, 429]);
    const response = await ask("/v1/messages", post("Secret-Number-1"));
    assert.equal((await response.json()).error.type, "rate_limit_error");
    assert.equal(response.headers.get("retry-after"), "60");
    assert.equal((await ask("/v1/models", { headers: KEY })).status, 200);
    await clock.advance(60_000);
    assert.deepEqual(await statuses("Secret-Number-1", 2), [400, 429]);
  });

  test("is not spent by those whose key is wrong", async () => {
    const { ask } = createRig({ inboundRpm: 1 });
    for (let i = 0; i < 3; i++) assert.equal((await ask("/v1/messages", post("wrong-key"))).status, 401);
    assert.equal((await ask("/v1/messages", post("Secret-Number-1"))).status, 400);
  });

  test("0 is none", () => {
    const limits = new InboundLimits(0, new FakeClock());
    for (let i = 0; i < 1000; i++) assert.equal(limits.count(undefined), undefined);
    const own = new InboundLimits(1, new FakeClock());
    for (let i = 0; i < 9; i++) assert.equal(own.count(NO_LIMIT), undefined);
  });
});

const NO_LIMIT = { key: "Secret-Number-3", rpm: 0 };
