import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createArbiter } from "../../lib/arbiter.ts";
import { toRequestWriter } from "../../lib/cli/proxy.ts";
import { formatRequestLog, type RequestLog } from "../../lib/server/request_log.ts";
import { toSse } from "../support/answers.ts";
import { parseEvents } from "../support/grammar.ts";

const BODY = { model: "m/x", max_tokens: 9, stream: true, messages: [{ role: "user", content: "Hi" }] };
const HI = { choices: [{ delta: { content: "Hi" }, finish_reason: "stop" }] };

function post(body = JSON.stringify(BODY)): Request {
  return new Request("http://localhost/v1/messages", { method: "POST", body });
}

/** An upstream that answers with this text, read by read, and then breaks off or not. */
function answering(text: string | string[], breaks = false): typeof fetch {
  const pieces = [text].flat();
  const body = new ReadableStream({
    pull(controller) {
      const piece = pieces.shift();
      if (piece !== undefined) controller.enqueue(new TextEncoder().encode(piece));
      else if (breaks) controller.error(new TypeError("terminated"));
      else controller.close();
    },
  }, { highWaterMark: 0 });
  return () => Promise.resolve(new Response(body, { headers: { "content-type": "text/event-stream" } }));
}

async function readTypes(fetch: typeof globalThis.fetch): Promise<string[]> {
  const response = await createArbiter({ fetch, apiKey: "k" }).fetch(post());
  return parseEvents(await response.text()).map(({ type }) => String(type));
}

describe("an answer is whole", () => {
  test("when the connection breaks behind its end", async () => {
    assert.equal((await readTypes(answering(toSse([HI], ""), true))).at(-1), "message_stop");
  });

  test("with blank data between its chunks and behind [DONE]", async () => {
    const text = `data:\n\n${toSse([HI], "")}data: \n\ndata: [DONE] \n\n`;
    assert.equal((await readTypes(answering(text))).at(-1), "message_stop");
  });
});

describe("an answer is broken by an error inside it", () => {
  const errors = {
    "SGLang's form": { object: "error", message: "scheduler died", code: 500 },
    "NVIDIA's form": { status: 503, title: "Service Unavailable", detail: "worker is gone" },
    "the form of hosts that say 200 to all": { code: 401, msg: "token expired or incorrect", success: false },
    "OpenAI's form": { error: { message: "worker is gone", code: 503 } },
  };
  for (const [name, error] of Object.entries(errors)) {
    test(`in ${name}`, async () => {
      const begin = { choices: [{ delta: { content: "Hi" } }] };
      const types = await readTypes(answering([toSse([begin], ""), toSse([error as object])]));
      assert.equal(types.at(-1), "error");
      assert.ok(!types.includes("message_stop"));
    });
  }
});

test("a log that fails does not take the answer with it", async () => {
  const onRequest = () => {
    throw new Error("disk full");
  };
  const arbiter = createArbiter({ fetch: answering(toSse([HI])), apiKey: "k", onRequest });
  assert.match(await (await arbiter.fetch(post())).text(), /message_stop/);
  assert.equal((await arbiter.fetch(new Request("http://localhost/health"))).status, 200);
});

test("a log line stays one line, whatever a path or an error says", () => {
  const path = "/\nPOST /v1\u001b[31m";
  const log: RequestLog = { id: "req_1", method: "GET", path, status: 404, ms: 1, error: "a\r\nb" };
  assert.equal(formatRequestLog(log), "GET / POST /v1 [31m · 404 · 1 ms · req_1 · a b");
});

test("a log line has an end, whatever model is asked for", () => {
  const log: RequestLog = { id: "req_1", method: "POST", path: "/v1/messages", status: 200, ms: 1 };
  assert.equal(formatRequestLog({ ...log, asked: "m".repeat(1_000_000) }).length, 4_000);
});

test("a warning is one line with an end, written once, whatever a client calls its tool", () => {
  const lines: string[] = [];
  const write = toRequestWriter("info", (line) => lines.push(line));
  const log: RequestLog = { id: "req_1", method: "POST", path: "/v1/messages", status: 200, ms: 1 };
  const warnings = ["Cannot offer 'x'\nGET / · 200\u001b[2J'", "y".repeat(1_000_000)];
  for (let i = 0; i < 2; i++) write({ ...log, warnings });
  const written = lines.filter((line) => line.startsWith("warning"));
  assert.equal(lines.length, 4);
  assert.equal(written[0], "warning: Cannot offer 'x' GET / · 200 [2J'");
  assert.equal(written[1]!.length, 4_000);
});

test("what a client sent as JSON and is none does not come back in the error", async () => {
  const { error } = await (await createArbiter({ apiKey: "k" }).fetch(post('{"secret": oops'))).json();
  assert.equal(error.message, "The request body is not valid JSON, or nested more than 500 deep");
});

test("a client that goes away while it sends its request is no failure of the proxy", async () => {
  const logs: RequestLog[] = [];
  const body = new ReadableStream({ pull: (controller) => controller.error(new TypeError("aborted")) });
  const request = new Request("http://localhost/v1/messages", { method: "POST", body, duplex: "half" } as RequestInit);
  const response = await createArbiter({ apiKey: "k", onRequest: (log) => void logs.push(log) }).fetch(request);
  assert.deepEqual([response.status, logs[0]?.error], [400, "The request body broke off"]);
});

test("an API key that no header can carry is refused without being told", () => {
  for (const apiKey of ["nvapi-SECRET\n2", "nvapi SECRET", "nvapi-SECRÉT"]) {
    assert.throws(() => createArbiter({ apiKey }), (error: Error) => {
      assert.match(error.message, /^Cannot use the API key/);
      assert.doesNotMatch(error.message, /SECR/);
      return true;
    });
  }
});
