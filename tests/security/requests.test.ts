/** What a client, or a page in a browser, can do to the proxy. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { createArbiter } from "../../lib/arbiter.ts";
import { checkAccess } from "../../lib/server/auth.ts";
import { formatMetrics } from "../../lib/server/prometheus.ts";
import { formatRoute } from "../../lib/server/request_log.ts";
import { serve } from "../../lib/server/serve.ts";
import { addRequest, createStats } from "../../lib/server/stats.ts";
import { createMemoryStore } from "../../lib/store/memory_store.ts";
import { Health } from "../../lib/upstream/health.ts";
import { LearnedFacts } from "../../lib/upstream/learned.ts";
import { toMessage } from "../../lib/stream/message.ts";
import type { Message, MessageStreamEvent } from "../../lib/wire/anthropic.ts";
import { systemClock } from "../../lib/wire/clock.ts";
import { ApiError } from "../../lib/wire/errors.ts";
import { parseJson } from "../../lib/wire/json.ts";

const HI = 'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n';
const BODY = { model: "m/x", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] };

/** A proxy in front of a host that says hello, and what the host was asked. */
function createRig(answer = HI) {
  const asked: { url: string; body: string; headers: Headers }[] = [];
  const fetch = (url: unknown, init?: RequestInit) => {
    asked.push({ url: String(url), body: String(init?.body), headers: new Headers(init?.headers) });
    return Promise.resolve(new Response(answer));
  };
  const arbiter = createArbiter({ fetch: fetch as typeof globalThis.fetch, baseUrl: "http://host/v1", model: "m/x" });
  return { arbiter, asked };
}

function post(body: BodyInit, path = "/v1/messages", headers: Record<string, string> = {}): Request {
  return new Request(`http://localhost${path}`, { method: "POST", body, headers });
}

describe("JSON nested deeper than anybody means", () => {
  const DEEP = 100_000;
  const wrap = (open: string, close: string) => `${open.repeat(DEEP)}1${close.repeat(DEEP)}`;
  const message = (content: string) =>
    `{"model":"m/x","max_tokens":9,"messages":[{"role":"user","content":${content}}]}`;
  const bodies = {
    lists: message(wrap("[", "]")),
    "an unknown block": message(`[{"type":"x","y":${wrap("[", "]")}}]`),
    "tool results": message(
      `${'[{"type":"tool_result","tool_use_id":"x","content":'.repeat(DEEP)}"x"${"}]".repeat(DEEP)}`,
    ),
    "a schema": `{"model":"m/x","max_tokens":9,"messages":[{"role":"user","content":"x"}],` +
      `"tools":[{"name":"x","input_schema":${wrap('{"items":', "}")}}]}`,
    "what nobody reads": `{"model":"m/x","max_tokens":9,"messages":[{"role":"user","content":"x"}],"z":${
      wrap('{"a":', "}")
    }}`,
  };
  for (const [what, body] of Object.entries(bodies)) {
    for (const path of ["/v1/messages", "/v1/messages/count_tokens", "/v1/chat/completions"]) {
      test(`is refused before anybody is asked: ${what}, ${path}`, async () => {
        const { arbiter, asked } = createRig();
        const response = await arbiter.fetch(post(body, path));
        assert.equal(response.status, 400);
        assert.match(await response.text(), /is not valid JSON/);
        assert.equal(asked.length, 0);
      });
    }
  }

  test("is none from 501 levels on", () => {
    assert.notEqual(parseJson(`${"[".repeat(500)}${"]".repeat(500)}`), undefined);
    assert.equal(parseJson(`${"[".repeat(502)}${"]".repeat(502)}`), undefined);
  });

  for (const piece of ["arguments as text", "arguments as they are"]) {
    test(`in an answer harms nobody: ${piece}`, async () => {
      const deep = wrap('{"a":', "}");
      const value = piece.endsWith("text") ? JSON.stringify(deep) : deep;
      const call = `{"index":0,"id":"c","function":{"name":"Bash","arguments":${value}}}`;
      const { arbiter } = createRig(
        `data: {"choices":[{"delta":{"tool_calls":[${call}]},"finish_reason":"stop"}]}\n\n`,
      );
      const response = await arbiter.fetch(post(JSON.stringify(BODY)));
      assert.doesNotMatch(await response.text(), /call stack|RangeError/);
    });
  }
});

test("a packed body is not unpacked: it is no JSON", async () => {
  const { arbiter, asked } = createRig();
  const bomb = gzipSync(new Uint8Array(50 * 2 ** 20));
  const response = await arbiter.fetch(post(bomb, "/v1/messages", { "content-encoding": "gzip" }));
  assert.equal(response.status, 400);
  assert.equal(asked.length, 0);
});

describe("names that every object has", () => {
  const NAMES = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"];
  for (const name of NAMES) {
    test(`are ordinary ones: '${name}' as model, tool, argument, session and id`, async () => {
      const call = JSON.stringify({ index: 0, id: name, function: { name, arguments: `{"${name}":{"polluted":1}}` } });
      const { arbiter } = createRig(
        `data: {"choices":[{"delta":{"tool_calls":[${call}]},"finish_reason":"tool_calls"}]}\n\ndata: [DONE]\n\n`,
      );
      const schema = `{"type":"object","properties":{"${name}":{"type":"object"}}}`;
      const body = `{"model":"${name}","max_tokens":9,"${name}":{"polluted":1},` +
        `"tools":[{"name":"${name}","input_schema":${schema}}],"tool_choice":{"type":"${name}"},` +
        `"messages":[{"role":"user","content":[{"type":"${name}"},{"type":"text","text":"x"}]}]}`;
      const response = await arbiter.fetch(
        post(body, "/v1/messages", { "x-claude-code-session-id": name, "x-claude-code-request-class": name }),
      );
      const { content } = await response.json();
      assert.equal(content[0].name, name);
      assert.deepEqual(Object.keys(content[0].input), [name]);
      for (const path of [`/v1/models/${name}`, `/v1/sessions/${name}`, `/${name}`, "/v1/stream/visualization"]) {
        const { status } = await arbiter.fetch(new Request(`http://localhost${path}`));
        assert.ok(status === 200 || status === 404, `${path}: ${status}`);
      }
      assert.equal(({} as Record<string, unknown>).polluted, undefined);
      assert.equal(Object.getPrototypeOf(arbiter.status().models), Object.prototype);
    });

    test(`are ordinary ones: '${name}' as a host, a profile, a map and a task of a configuration`, async () => {
      const own = (value: unknown) => Object.fromEntries([[name, value]]);
      const backends = own({ baseUrl: "http://host/v1", defaultModel: "m" }) as never;
      const modelProfiles = own({ backend: name, providerModel: "m", extraBody: JSON.parse(`{"${name}":{"x":1}}`) });
      const fetch = () => Promise.resolve(new Response(HI));
      const arbiter = createArbiter({ fetch, backends, defaultBackend: name, modelProfiles: modelProfiles as never });
      assert.equal((await arbiter.fetch(post(JSON.stringify({ ...BODY, model: name })))).status, 200);
      assert.equal(({} as Record<string, unknown>).x, undefined);
    });
  }

  test("change no other object where a host sends them in pieces", () => {
    const start = { id: "a", type: "message", role: "assistant", model: "m", content: [] } as unknown as Message;
    const events = [
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      ...NAMES.map((name) => JSON.parse(`{"type":"content_block_delta","delta":{"${name}":{"polluted":1}}}`)),
      { type: "content_block_stop", index: 0 },
    ] as MessageStreamEvent[];
    const [block] = toMessage(events, start).content;
    assert.equal(Object.getPrototypeOf(block), Object.prototype);
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
  });

  test("are counted as others are", () => {
    let stats = createStats(0);
    for (const model of NAMES) {
      stats = addRequest(stats, { id: "", method: "POST", path: "/v1/messages", status: 200, ms: 1, model });
    }
    assert.deepEqual(Object.entries(stats.models), NAMES.map((name) => [name, 1]));
  });
});

describe("nothing a client names becomes a header of its own", () => {
  test("in the answer", () => {
    const trace = {
      asked: "m\r\nset-cookie: a=b\u2028",
      model: "m",
      kind: "main",
      task: undefined,
      tier: "elite",
      chain: ["é\u0000"],
      why: ["x".repeat(5_000)],
    } as const;
    const value = formatRoute(trace as never);
    assert.match(value, /^[\x20-\x7e]{1,2000}$/);
    assert.doesNotThrow(() => new Headers({ "x-arbiter-route": value }));
  });

  test("in the question", async () => {
    const { arbiter, asked } = createRig();
    const headers = {
      "x-evil": "1",
      "cookie": "a=b",
      "authorization": "Bearer theirs",
      "x-api-key": "theirs",
      "anthropic-beta": "x",
      "x-forwarded-host": "y",
    };
    const request = new Request("http://localhost/v1/messages", {
      method: "POST",
      body: JSON.stringify(BODY),
      headers,
    });
    assert.equal((await arbiter.fetch(request)).status, 200);
    assert.deepEqual([...asked[0]!.headers.keys()], ["accept", "content-type", "user-agent"]);
  });

  test("in metrics", () => {
    const samples = [[{ model: 'm"} 1\nevil{x="\\' }, 1] as const];
    const text = formatMetrics([{ name: "n", type: "counter", help: "h\nevil 1", samples }]);
    assert.equal(text, '# HELP n h\\nevil 1\n# TYPE n counter\nn{model="m\\"} 1\\nevil{x=\\"\\\\"} 1\n');
  });
});

describe("no address that a client names is visited, nor does a name lead elsewhere:", () => {
  const PRIVATE = [
    "http://169.254.169.254/latest/meta-data",
    "file:///etc/passwd",
    "http://127.0.0.1:1/",
    "gopher://x",
  ];
  for (const url of PRIVATE) {
    test(url, async () => {
      const { arbiter, asked } = createRig();
      const content = [
        { type: "image", source: { type: "url", url } },
        { type: "document", source: { type: "url", url } },
        { type: "text", text: url },
      ];
      const body = { ...BODY, messages: [{ role: "user", content }] };
      assert.equal((await arbiter.fetch(post(JSON.stringify(body)))).status, 200);
      assert.deepEqual(asked.map(({ url }) => url), ["http://host/v1/chat/completions"]);
    });
  }
  for (
    const model of ["../../admin", "x/../../y", "http://theirs.example/v1", "theirs.example/m", "a\r\nb: c", "m?x#y"]
  ) {
    test(`the model '${JSON.stringify(model)}'`, async () => {
      const { arbiter, asked } = createRig();
      await (await arbiter.fetch(post(JSON.stringify({ ...BODY, model })))).text();
      assert.deepEqual([...new Set(asked.map(({ url }) => url))], ["http://host/v1/chat/completions"]);
      const { status } = await arbiter.fetch(new Request(`http://localhost/v1/models/${encodeURIComponent(model)}`));
      assert.ok(status === 200 || status === 404);
      assert.equal(asked.filter(({ url }) => !url.startsWith("http://host/v1/")).length, 0);
    });
  }
});

describe("without a key, what comes through another proxy is refused:", () => {
  for (const header of ["x-forwarded-for", "forwarded", "x-real-ip"]) {
    test(header, () => {
      const asked = { headers: new Headers({ [header]: "1.2.3.4", host: "127.0.0.1:4005" }), peer: "127.0.0.1" };
      const refused = checkAccess(asked, { clientKeys: [], open: false });
      assert.ok(refused instanceof ApiError && refused.status === 403);
      assert.equal(checkAccess(asked, { clientKeys: [], open: true }), undefined);
    });
  }
});

describe("what clients ask for is not remembered for ever:", () => {
  test("models that fail", () => {
    const health = new Health(systemClock);
    const fail = (model: string) => health.begin(model)(false);
    health.avoid("first", 1_000_000);
    for (const model of ["second", "second"]) fail(model);
    for (let i = 0; i < 1_000; i++) {
      health.avoid(`m${i}`, 1_000_000);
      fail(`m${i}`);
    }
    fail("second");
    assert.deepEqual([health.isWell("first"), health.isWell("second")], [true, true]);
    assert.equal(health.isWell("m999"), false);
  });

  test("models that teach nothing", () => {
    const learned = new LearnedFacts(createMemoryStore(), systemClock);
    for (let i = 0; i < 10; i++) learned.learn({ backend: { baseUrl: "x" }, model: `m${i}` }, { noTools: false });
    assert.equal(learned.all().length, 0);
  });
});

describe("a connection that says two things", () => {
  const rows: [what: string, head: string, body: string][] = [
    ["two lengths", "Content-Length: 5\r\nContent-Length: 60\r\n", "hello"],
    ["a length and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"],
    ["a length that is none", "Content-Length: +5\r\n", "hello"],
    ["a folded header", "X-A: 1\r\n Content-Length: 5\r\n", "hello"],
  ];
  for (const [what, head, body] of rows) {
    test(`smuggles no request behind another: ${what}`, async (t) => {
      const seen: string[] = [];
      const server = await serve(async (request) => {
        seen.push(new URL(request.url).pathname);
        await request.text().catch(() => {});
        return new Response("ok");
      });
      t.after(() => server.close());
      const raw =
        `POST /first HTTP/1.1\r\nHost: 127.0.0.1\r\n${head}\r\n${body}GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n`;
      await new Promise<void>((resolve) => {
        const socket = connect(server.port, "127.0.0.1", () => socket.write(raw));
        socket.on("data", () => socket.end()).on("error", () => {}).on("close", () => resolve());
      });
      assert.ok(!seen.includes("/smuggled"), seen.join());
    });
  }
});
