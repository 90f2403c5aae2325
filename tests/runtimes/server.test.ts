/** The proxy behind a real socket, as clients of every kind see it. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import { type ScriptedAnswer, serve, type Server } from "../../mod.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { FAULTS } from "../support/faults.ts";
import { assertLegalStream, parseEvents } from "../support/grammar.ts";
import { CLAUDE_CODE, MODEL, serveBytes, startRig, toBody, toChunk, toSse, until } from "./harness.ts";

const HELLO: ScriptedAnswer = { steps: [{ text: "Hello, world" }] };

async function ask(server: Server, path = "/v1/messages", init: RequestInit = {}): Promise<Response> {
  return await fetch(`${server.url}${path}`, init);
}

async function post(server: Server, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return await ask(server, "/v1/messages", { method: "POST", body: text, headers });
}

/** Opens a request whose body is to be written; there is no telling how long it will be. */
function open(server: Server, headers: Record<string, string> = {}): ClientRequest {
  return httpRequest(`${server.url}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json", "transfer-encoding": "chunked", ...headers },
  });
}

async function toResponse(request: ClientRequest): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => request.once("response", resolve).once("error", reject));
}

async function checkError(response: Response, status: number, type: string): Promise<string> {
  const body = await response.json();
  assert.equal(response.status, status, JSON.stringify(body));
  assert.deepEqual(Object.keys(body).sort(), ["error", "request_id", "type"]);
  assert.deepEqual(Object.keys(body.error).sort(), ["message", "type"]);
  assert.equal(body.type, "error");
  assert.equal(body.error.type, type);
  assert.match(body.request_id, /^req_\w+$/);
  assert.equal(response.headers.get("request-id"), body.request_id);
  assert.match(String(response.headers.get("content-type")), /^application\/json/);
  assert.ok(!/^\s*at .*\d+:\d+/m.test(body.error.message), "a stack trace");
  return body.error.message;
}

/** Speaks HTTP by hand: gives every byte of the connection until it is closed. */
async function speak(server: Server, text: string, onText: (all: string) => void): Promise<string> {
  const socket = connect(server.port, "127.0.0.1");
  let all = "";
  return await new Promise((resolve) => {
    socket.on("data", (bytes) => onText(all += bytes.toString("latin1")));
    socket.on("error", () => {}); // A reset; "close" follows.
    socket.once("close", () => resolve(all));
    socket.setTimeout(4_000, () => socket.destroy());
    socket.write(text);
  });
}

function toHttp(body: unknown, headers: Record<string, string> = {}): string {
  const text = JSON.stringify(body);
  const lines = Object.entries({
    host: "localhost",
    "content-length": `${text.length}`,
    connection: "close",
    ...headers,
  });
  return `POST /v1/messages HTTP/1.1\r\n${lines.map(([k, v]) => `${k}: ${v}\r\n`).join("")}\r\n${text}`;
}

test("GET / and HEAD / tell that the proxy is there", async (t) => {
  const { server, arbiter } = await startRig(t, HELLO);
  for (const path of ["/", "/api/hello"]) {
    const got = await ask(server, path);
    const { name, version, model } = await got.json();
    assert.deepEqual([got.status, name, model], [200, "arbiter", MODEL]);
    assert.match(version, /^\d+\.\d+\.\d+/);
    const head = await ask(server, path, { method: "HEAD" });
    assert.equal(head.status, 200);
    assert.match(String(head.headers.get("request-id")), /^req_/);
    assert.equal(await head.text(), "");
    const bare = await arbiter.fetch(new Request(`http://localhost${path}`, { method: "HEAD" }));
    assert.deepEqual([bare.status, bare.body], [200, null]);
  }
});

test("three addresses tell its health", async (t) => {
  const { server } = await startRig(t, HELLO);
  for (const path of ["/health", "/healthz", "/readyz"]) {
    const response = await ask(server, path);
    assert.equal(response.status, 200);
    assert.equal((await response.json()).status, "ok");
  }
});

/** Each spelling of an address, and the one it stands for. */
const SPELLINGS = [
  "/v1/messages",
  "/v1/messages?beta=true",
  "/v1/messages/",
  "/v1/v1/messages",
  "/v1/v1/messages?beta=true&x=%2F",
];

test("the messages route has several spellings, and no query matters", async (t) => {
  const { server, standIn } = await startRig(t, HELLO);
  for (const path of SPELLINGS) {
    const response = await ask(server, path, { method: "POST", body: JSON.stringify(toBody()) });
    assert.equal(response.status, 200, path);
    assert.equal((await response.json()).content[0].text, "Hello, world");
  }
  assert.equal(standIn.requests.length, SPELLINGS.length);
});

test("the other routes have them as well", async (t) => {
  const { server, calls } = await startRig(t, HELLO);
  for (const prefix of ["/v1", "/v1/v1"]) {
    const body = JSON.stringify(toBody());
    const count = await ask(server, `${prefix}/messages/count_tokens?beta=true`, { method: "POST", body });
    assert.ok((await count.json()).input_tokens > 0);
    const list = await ask(server, `${prefix}/models?limit=1000`);
    assert.deepEqual((await list.json()).data.map(({ id }: { id: string }) => id), [MODEL]);
    for (const id of [MODEL, encodeURIComponent(MODEL)]) {
      const model = await ask(server, `${prefix}/models/${id}?x=y`);
      assert.equal((await model.json()).id, MODEL);
    }
  }
  assert.equal(calls.length, 0);
});

test("tokens can be counted without max_tokens, but not of what is no request", async (t) => {
  const { server } = await startRig(t, HELLO);
  const count = (body: unknown) =>
    ask(server, "/v1/messages/count_tokens", { method: "POST", body: JSON.stringify(body) });
  const { model, messages } = toBody();
  assert.equal((await count({ model, messages })).status, 200);
  const message = await checkError(await count({ model }), 400, "invalid_request_error");
  assert.match(message, /messages: Field required/);
});

test("an address that is none is not found, whatever it looks like", async (t) => {
  const { server } = await startRig(t, HELLO);
  for (
    const path of ["/v1/absent", "/v1", "/v1/complete", "/v2/messages", "/v1/messages/batches", "/%E0%A4%A"]
  ) {
    const message = await checkError(await ask(server, path), 404, "not_found_error");
    assert.ok(message.includes("GET /"), message);
  }
});

test("an address that begins with two slashes is an address, not a host", async (t) => {
  const { server } = await startRig(t, HELLO);
  const all = await speak(server, "GET //absent HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", () => {});
  assert.match(all, /^HTTP\/1\.1 404 /);
});

test("a method that a route does not take is answered with those it takes", async (t) => {
  const { server } = await startRig(t, HELLO);
  const wrong = [
    ["GET", "/v1/messages", "POST"],
    ["PUT", "/v1/messages", "POST"],
    ["DELETE", "/v1/messages/count_tokens", "POST"],
    ["POST", "/v1/models", "GET, HEAD"],
    ["POST", "/", "GET, HEAD"],
    ["PATCH", "/health", "GET, HEAD"],
  ] as const;
  for (const [method, path, allow] of wrong) {
    const response = await ask(server, path, { method, ...(method === "GET" ? {} : { body: "{}" }) });
    assert.equal(response.headers.get("allow"), allow, `${method} ${path}`);
    await checkError(response, 405, "invalid_request_error");
  }
  const head = await ask(server, "/v1/messages", { method: "HEAD" });
  assert.equal(head.status, 405);
  assert.equal(await head.text(), "");
});

test("a body that is no request is refused", async (t) => {
  const { server, calls } = await startRig(t, HELLO);
  for (const body of ["", "{", '{"model":', "not JSON", "\u0000", '{"model":"m"}}']) {
    const message = await checkError(await post(server, body), 400, "invalid_request_error");
    assert.match(message, /not valid JSON/);
  }
  for (const body of ["null", "[]", "7", '"text"']) {
    const message = await checkError(await post(server, body), 400, "invalid_request_error");
    assert.match(message, /body: Input should be an object/);
  }
  assert.equal(calls.length, 0);
});

test("a body of no known length is measured while it comes", async (t) => {
  const { server, calls } = await startRig(t, HELLO, { maxBodyBytes: 10_000 });
  const request = open(server);
  const answer = toResponse(request);
  request.write(`{"model":"m","padding":"${"x".repeat(6_000)}`);
  request.write("y".repeat(6_000));
  const response = await answer; // The request has not ended.
  assert.equal(response.statusCode, 413);
  let text = "";
  for await (const bytes of response) text += bytes;
  assert.equal(JSON.parse(text).error.type, "request_too_large");
  request.on("error", () => {}).destroy();
  assert.equal(calls.length, 0);
});

test("a body that is too long is not read to its end, and neither is the connection", async (t) => {
  const { server } = await startRig(t, HELLO, { maxBodyBytes: 10_000 });
  const head = "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n";
  const began = Date.now();
  const all = await speak(server, head + "x".repeat(10_001), () => {});
  assert.match(all, /^HTTP\/1\.1 413 /);
  assert.match(all, /"request_too_large"/);
  assert.match(all, /\r\nconnection: close\r\n/i);
  assert.ok(Date.now() - began < 3_000, "the connection stays open");
});

test("a body of exactly the limit is read, one byte more is not", async (t) => {
  const text = JSON.stringify(toBody({ system: "ü".repeat(100) }));
  const { length } = new TextEncoder().encode(text);
  for (const [maxBodyBytes, status] of [[length, 200], [length - 1, 413]] as const) {
    const { server } = await startRig(t, HELLO, { maxBodyBytes });
    assert.equal((await post(server, text)).status, status);
  }
});

test("the message about a body that is too long names the limit", async (t) => {
  const { server } = await startRig(t, HELLO, { maxBodyBytes: 3 * 1024 * 1024 });
  const response = await post(server, "x".repeat(3 * 1024 * 1024 + 1));
  assert.match(await checkError(response, 413, "request_too_large"), /3 MiB/);
});

test("a limit below one MiB is not called 0 MiB", async (t) => {
  const { server } = await startRig(t, HELLO, { maxBodyBytes: 10_000 });
  const response = await post(server, "x".repeat(10_001));
  assert.doesNotMatch(await checkError(response, 413, "request_too_large"), /\b0 MiB/);
});

test("a body in pieces cut within a character arrives whole", async (t) => {
  const { server, standIn } = await startRig(t, HELLO);
  const content = "naïve 漢字 🙂";
  const request = open(server);
  const answer = toResponse(request);
  const bytes = Buffer.from(JSON.stringify(toBody({ messages: [{ role: "user", content }] })));
  for (const byte of bytes) {
    request.write(Uint8Array.of(byte));
    await settle(1);
  }
  request.end();
  const response = await answer;
  assert.equal(response.statusCode, 200);
  response.resume();
  assert.equal(standIn.requests[0]?.messages[0]?.content, content);
});

test("a streamed answer has the headers of one", async (t) => {
  const { server } = await startRig(t, HELLO);
  const response = await post(server, toBody({ stream: true }));
  assert.equal(response.status, 200);
  assert.match(String(response.headers.get("content-type")), /^text\/event-stream/);
  assert.match(String(response.headers.get("cache-control")), /no-cache/);
  assert.match(String(response.headers.get("request-id")), /^req_/);
  const { content } = assertLegalStream(parseEvents(await response.text()));
  assert.deepEqual(content, [{ type: "text", text: "Hello, world" }]);
});

test("the headers and the first words do not wait for the rest", async (t) => {
  const { server } = await startRig(t, { steps: [{ text: "First" }, { wait: Infinity }] });
  const response = await post(server, toBody({ stream: true }));
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (!text.includes("First")) {
    const read = await reader?.read();
    assert.ok(read && !read.done);
    text += decoder.decode(read.value);
  }
  assert.ok(!text.includes("content_block_stop"));
  await reader?.cancel();
});

test("the response ends after message_stop although the upstream stays open", async (t) => {
  const clock = new FakeClock(); // It never goes on: nothing here may wait for a deadline.
  const pieces = [toSse(toChunk({ content: "All" })), toSse(toChunk({}, "stop")), toSse("[DONE]")];
  const { server, calls } = await startRig(t, HELLO, { clock, fetch: serveBytes(pieces, true) });
  for (const stream of [true, false]) {
    const response = await post(server, toBody({ stream }));
    const text = await response.text();
    if (stream) assert.equal(assertLegalStream(parseEvents(text)).stop_reason, "end_turn");
    else assert.equal(JSON.parse(text).content[0].text, "All");
  }
  assert.equal(calls.length, 2);
});

test("a client that leaves before the first byte ends the upstream call", async (t) => {
  for (const stream of [true, false]) {
    const { server, calls, standIn } = await startRig(t, { steps: [{ wait: Infinity }] });
    const request = open(server);
    request.on("error", () => {});
    request.end(JSON.stringify(toBody({ stream })));
    await until("the call", () => calls.length === 1);
    assert.equal(calls[0]?.signal.aborted, false);
    request.destroy();
    await until("the end of the call", () => calls[0]?.signal.aborted === true && standIn.open === 0);
  }
});

test("a client that leaves in the middle ends the upstream call", async (t) => {
  const { server, calls, standIn } = await startRig(t, { steps: [{ text: "Once" }, { wait: Infinity }] });
  const request = open(server);
  const answer = toResponse(request);
  request.end(JSON.stringify(toBody({ stream: true })));
  const response = await answer;
  response.on("error", () => {});
  request.on("error", () => {});
  await new Promise((resolve) => response.once("data", resolve));
  await until("the stream", () => standIn.open === 1);
  assert.equal(calls[0]?.signal.aborted, false);
  request.destroy();
  await until("the end of the call", () => calls[0]?.signal.aborted === true && standIn.open === 0);
});

test("a client that closes its connection after the answer has not left it", async (t) => {
  const statuses: number[] = [];
  const { server } = await startRig(t, HELLO, { onRequest: ({ status }) => void statuses.push(status) });
  for (const stream of [true, false]) await speak(server, toHttp(toBody({ stream })), () => {});
  await until("the log", () => statuses.length === 2);
  assert.deepEqual(statuses, [200, 200]);
});

/** How an upstream may fail after it has begun to answer. */
const BREAKS: Record<string, ScriptedAnswer["steps"]> = {
  "breaks off": [{ stop: "cut" }],
  "ends without a finish reason": [{ stop: "end" }],
  "reports an error": [{ chunk: FAULTS.busy.body }],
};

for (const [what, steps = []] of Object.entries(BREAKS)) {
  test(`Claude Code's connection is cut when the upstream ${what} after content`, async (t) => {
    const clock = new FakeClock();
    const { server } = await startRig(t, { steps: [{ text: "Half of" }, { wait: 1 }, ...steps] }, {
      standIn: { clock },
    });
    const all = await speak(
      server,
      toHttp(toBody({ stream: true }), { "user-agent": CLAUDE_CODE }),
      (text) => text.includes("Half of") && clock.pending > 0 && clock.advance(1),
    );
    assert.match(all, /^HTTP\/1\.1 200 /);
    assert.match(all, /Half of/);
    assert.doesNotMatch(all, /message_stop|stop_reason":"|event: error/);
    assert.ok(!all.endsWith("0\r\n\r\n"), "the body ends like a whole one");
  });

  test(`other clients are told when the upstream ${what} after content`, async (t) => {
    const clock = new FakeClock();
    const { server } = await startRig(t, { steps: [{ text: "Half of" }, { wait: 1 }, ...steps] }, {
      standIn: { clock },
    });
    const all = await speak(
      server,
      toHttp(toBody({ stream: true })),
      (text) => text.includes("Half of") && clock.pending > 0 && clock.advance(1),
    );
    assert.ok(all.endsWith("0\r\n\r\n"), "the body does not end");
    assert.match(all, /event: error\ndata: {"type":"error"/);
    assert.doesNotMatch(all, /message_stop|stop_reason":"/);
  });
}

test("fetch fails on a connection that is cut", async (t) => {
  const clock = new FakeClock();
  const { server } = await startRig(t, { steps: [{ text: "Half of" }, { wait: 1 }, { stop: "cut" }] }, {
    standIn: { clock },
  });
  const response = await post(server, toBody({ stream: true }), { "user-agent": CLAUDE_CODE });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  await assert.rejects(async () => {
    for (;;) {
      const read = await reader?.read();
      if (!read || read.done) return;
      text += read.value;
      if (text.includes("Half of") && clock.pending > 0) await clock.advance(1);
    }
  });
  assertLegalStream(parseEvents(text, false), "cut");
});

for (const when of ["at once", "behind a turn of the event loop"]) {
  test(`what an answer has before it breaks off ${when} leaves before the connection is cut`, async (t) => {
    const server = await serve(() => {
      const body = new ReadableStream({
        start: (controller) => controller.enqueue(new TextEncoder().encode("half of it")),
        async pull(controller) {
          if (when !== "at once") await new Promise((resolve) => setTimeout(resolve, 0));
          controller.error(new Error("broken off"));
        },
      }, { highWaterMark: 0 });
      return new Response(body, { headers: { "x-a": "b" } });
    });
    t.after(() => server.close());
    const all = await speak(server, "GET / HTTP/1.1\r\nhost: x\r\n\r\n", () => {});
    assert.match(all, /^HTTP\/1\.1 200 OK\r\n[^]*x-a: b\r\n[^]*half of it/i);
    assert.doesNotMatch(all, /\r\n0\r\n\r\n$/);
  });
}

test("200 requests at the same time each get their own answer", async (t) => {
  const { server, calls } = await startRig(t, ({ messages }): ScriptedAnswer => {
    const text = `answer to ${messages[0]?.content}`;
    return {
      steps: [{ reasoning: text }, { text: [text, " ", text.toUpperCase()] }, {
        calls: [{ name: "Echo", arguments: { text } }],
      }],
    };
  });
  const tools = [{ name: "Echo", input_schema: { type: "object", properties: { text: { type: "string" } } } }];
  const answers = await Promise.all(Array.from({ length: 200 }, async (_, i) => {
    const body = toBody({ stream: i % 4 !== 0, tools, messages: [{ role: "user", content: `question ${i}` }] });
    const response = await post(server, body);
    assert.equal(response.status, 200);
    return body.stream ? assertLegalStream(parseEvents(await response.text())) : await response.json();
  }));
  for (const [i, { content, stop_reason }] of answers.entries()) {
    const text = `answer to question ${i}`;
    assert.equal(content[0].thinking, text);
    assert.equal(content[1].text, `${text} ${text.toUpperCase()}`);
    assert.deepEqual(content[2].input, { text });
    assert.equal(stop_reason, "tool_use");
  }
  const ids = answers.map(({ content }) => content[2].id);
  assert.equal(new Set(ids).size, 200);
  assert.equal(calls.length, 200);
});

test("a reader that is slow loses nothing", async (t) => {
  const lines = Array.from({ length: 2_000 }, (_, i) => `${i} ${"ä🙂x".repeat(200)}\n`);
  const { server } = await startRig(t, { steps: [{ text: lines }] });
  const request = open(server);
  const answer = toResponse(request);
  request.end(JSON.stringify(toBody({ stream: true })));
  const response = await answer;
  response.pause();
  await settle(200); // All buffers on the way fill meanwhile.
  const decoder = new TextDecoder();
  let [text, reads] = ["", 0];
  for await (const bytes of response) {
    text += decoder.decode(bytes, { stream: true });
    if (reads++ % 4 === 0) await settle(2);
  }
  const { content: [block] } = assertLegalStream(parseEvents(text));
  assert.ok(block?.type === "text");
  assert.equal(block.text.length, lines.join("").length);
  assert.ok(block.text === lines.join(""), "the text differs");
});

test("a connection serves one request after the other, failures included", async (t) => {
  const { server } = await startRig(t, HELLO);
  const requests = [toBody(), { wrong: true }, toBody({ stream: true }), toBody()];
  for (const body of requests) {
    const response = await post(server, body);
    const text = await response.text();
    assert.equal(response.status, "wrong" in body ? 400 : 200, text);
  }
  const [first, second] = [toHttp(toBody(), { connection: "keep-alive" }), toHttp({ wrong: true })];
  const all = await speak(server, first + second, () => {});
  assert.deepEqual(all.match(/HTTP\/1\.1 \d+/g), ["HTTP/1.1 200", "HTTP/1.1 400"]);
});

test("closing the server breaks off open streams and frees the port", async (t) => {
  const { server, standIn, arbiter } = await startRig(t, { steps: [{ text: "Once" }, { wait: Infinity }] });
  const response = await post(server, toBody({ stream: true }));
  const text = response.text().then((text) => text, () => "cut");
  await until("the stream", () => standIn.open === 1);
  await server.close();
  assert.doesNotMatch(await text, /message_stop/);
  await until("the end of the call", () => standIn.open === 0);
  await assert.rejects(fetch(server.url));
  const again = await serve(arbiter.fetch, { port: server.port });
  assert.equal(again.port, server.port);
  assert.equal((await ask(again, "/health")).status, 200);
  await again.close();
});

test("closing the proxy breaks off what is on its way and nothing else", async (t) => {
  const { server, standIn, arbiter } = await startRig(t, { steps: [{ text: "Once" }, { wait: Infinity }] });
  const response = await post(server, toBody({ stream: true }));
  await until("the stream", () => standIn.open === 1);
  arbiter.close();
  assert.doesNotMatch(await response.text().catch(() => "cut"), /message_stop/);
  await until("the end of the call", () => standIn.open === 0);
  assert.equal((await ask(server, "/health")).status, 200);
});

test("a port that is taken is an error with a code", async (t) => {
  const { server, arbiter } = await startRig(t, HELLO);
  await assert.rejects(serve(arbiter.fetch, { port: server.port }), { code: "EADDRINUSE" });
});

test("a handler that fails does not take the server along", async (t) => {
  const server = await serve(({ url }) => {
    if (url.endsWith("/throw")) throw new Error("on purpose");
    return new Response("fine");
  });
  t.after(() => server.close());
  await assert.rejects(ask(server, "/throw"));
  assert.equal(await (await ask(server, "/")).text(), "fine");
});

test("the head of a response does not wait for a body that takes its time", async (t) => {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({ start: (given) => void (controller = given) });
  const server = await serve(() => new Response(body, { status: 201 }));
  t.after(() => server.close());
  const response = await ask(server);
  assert.equal(response.status, 201);
  controller?.enqueue(new TextEncoder().encode("late"));
  controller?.close();
  assert.equal(await response.text(), "late");
});

test("a body that nobody takes any more is cancelled", async (t) => {
  let cancelled = false;
  const server = await serve(() => {
    const start = (controller: ReadableStreamDefaultController<Uint8Array>) => controller.enqueue(Uint8Array.of(65));
    return new Response(new ReadableStream({ start, cancel: () => void (cancelled = true) }));
  });
  t.after(() => server.close());
  const gone = new AbortController();
  const response = await ask(server, "/", { signal: gone.signal });
  await response.body?.getReader().read();
  assert.equal(cancelled, false);
  gone.abort();
  await until("the cancellation", () => cancelled);
});

for (const when of ["while its request is read", "before its request is read"]) {
  test(`reading ends when a client leaves ${when}`, async (t) => {
    let read: Promise<string> | undefined;
    const server = await serve(async (request) => {
      const gone = new Promise((resolve) => request.signal.addEventListener("abort", resolve));
      socket.destroy();
      if (when.startsWith("before")) await gone;
      read = request.text();
      await read.catch(() => {});
      return new Response();
    });
    t.after(() => server.close());
    const socket = connect(server.port, "127.0.0.1");
    socket.write("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nhalf");
    await until("the reading", () => read !== undefined);
    await assert.rejects(read!);
  });
}

test("each request is logged once, with what it came to", async (t) => {
  const logs: string[] = [];
  const { server } = await startRig(t, { steps: [{ text: "Hi" }], usage: { prompt_tokens: 7, completion_tokens: 2 } }, {
    onRequest({ method, path, status, model, inputTokens, outputTokens, error }) {
      logs.push(JSON.stringify([method, path, status, model, inputTokens, outputTokens, error !== undefined]));
    },
  });
  await (await post(server, toBody({ stream: true }))).text();
  await (await post(server, toBody())).text();
  await (await post(server, {})).text();
  await (await ask(server, "/v1/models?limit=5")).text();
  await until("the logs", () => logs.length === 4);
  assert.deepEqual(logs.map((line) => JSON.parse(line)), [
    ["POST", "/v1/messages", 200, MODEL, 7, 2, false],
    ["POST", "/v1/messages", 200, MODEL, 7, 2, false],
    ["POST", "/v1/messages", 400, null, null, null, true],
    ["GET", "/v1/models", 200, null, null, null, false],
  ]);
});
