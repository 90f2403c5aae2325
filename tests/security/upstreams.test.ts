/** What a host, or who took its place, can do to the proxy. */
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test, type TestContext } from "node:test";
import { createGzip } from "node:zlib";
import { createArbiter } from "../../lib/arbiter.ts";
import type { RequestLog } from "../../lib/server/request_log.ts";
import { toUpstreamFault } from "../../lib/upstream/faults.ts";
import { probeModels } from "../../lib/upstream/probe.ts";

async function listen(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const BODY = { model: "m/x", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] };

async function ask(
  backend: { baseUrl: string; format?: "openai" | "anthropic"; headers?: Record<string, string> },
  fetch?: typeof globalThis.fetch,
): Promise<{ status: number; message: string; log: RequestLog; headers: Headers }> {
  let log: RequestLog | undefined;
  const arbiter = createArbiter({
    backends: { x: { apiKey: "secret-key", ...backend } },
    defaultBackend: "x",
    model: "m/x",
    fallbacks: [],
    onRequest: (over) => void (log = over),
    ...(fetch ? { fetch } : {}),
  });
  const request = new Request("http://localhost/v1/messages", { method: "POST", body: JSON.stringify(BODY) });
  const response = await arbiter.fetch(request);
  const { error } = await response.json();
  return { status: response.status, message: error?.message ?? "", log: log!, headers: response.headers };
}

/** An answer without an end, which gives the bytes over and over, and how many of them were taken. */
function endless(piece: string, type: string, status = 200): { fetch: typeof fetch; taken: () => number } {
  let taken = 0;
  const bytes = new TextEncoder().encode(piece.repeat(Math.ceil(2 ** 20 / piece.length)));
  const fetch = () => {
    const body = new ReadableStream({
      pull(controller) {
        taken += bytes.length;
        controller.enqueue(bytes);
      },
    }, { highWaterMark: 0 });
    return Promise.resolve(new Response(body, { status, headers: { "content-type": type } }));
  };
  return { fetch, taken: () => taken };
}

describe("a host that sends to another address", () => {
  for (const format of ["openai", "anthropic"] as const) {
    for (const status of [301, 302, 303, 307, 308]) {
      test(`with ${status} (${format}) takes neither the key nor the conversation there`, async (t) => {
        let visits = 0;
        const other = await listen(t, (_request, response) => {
          visits++;
          response.end();
        });
        const host = await listen(t, (request, response) => {
          request.resume();
          response.writeHead(status, { location: `${other}/v1/chat/completions` }).end();
        });
        const { message, status: told } = await ask({ baseUrl: `${host}/v1`, format, headers: { "x-secret": "s" } });
        assert.equal(told, 404, "so that no client tries again and again");
        assert.match(message, /sends to another address, which is not followed/);
        const candidate = { backend: { baseUrl: `${host}/v1`, apiKey: "secret-key", format }, model: "m/x" };
        const [probed] = await probeModels([candidate]);
        assert.equal(probed?.state, "fail");
        assert.equal(visits, 0);
      });
    }
  }

  test("while an answer is queued does not, either", async (t) => {
    let visits = 0;
    const other = await listen(t, (_request, response) => {
      visits++;
      response.end();
    });
    const host = await listen(t, ({ url = "" }, response) => {
      if (url.includes("/status/")) response.writeHead(302, { location: other }).end();
      else response.writeHead(202, { "nvcf-reqid": "../../@theirs.example/" }).end();
    });
    assert.match((await ask({ baseUrl: `${host}/v1` })).message, /not followed/);
    assert.equal(visits, 0);
  });
});

describe("an answer without an end is given up", () => {
  const rows: [what: string, piece: string, type: string, most: number][] = [
    ["of lines", ": ping\n", "text/event-stream", 130],
    ["of one line", "data: ", "text/event-stream", 18],
    ["of one event", "data: x\n", "text/event-stream", 130],
    ["of JSON", "{", "application/json", 17],
    ["of blanks", " ", "application/json", 17],
    ["of thinking", 'data: {"choices":[{"delta":{"reasoning_content":"hm, so let me see 1 2 3 "}}]}\n\n', "x", 130],
  ];
  for (const [what, piece, type, most] of rows) {
    test(what, async () => {
      const { fetch, taken } = endless(piece, type);
      const { status } = await ask({ baseUrl: "http://host/v1" }, fetch);
      assert.ok(status >= 500);
      assert.ok(taken() <= most * 2 ** 20, `${taken()} bytes were taken`);
    });
  }

  test("of a refusal: its beginning is told", async () => {
    const { fetch, taken } = endless("No such thing. ", "text/plain", 400);
    const { message } = await ask({ baseUrl: "http://host/v1" }, fetch);
    assert.match(message, /^No such thing\. No/);
    assert.ok(message.length < 1_200);
    assert.ok(taken() <= 3 * 2 ** 20);
  });

  test("of a few packed bytes", async (t) => {
    const host = await listen(t, (_request, response) => {
      response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" });
      const gzip = createGzip();
      gzip.pipe(response);
      gzip.write("{");
      const zeros = new Uint8Array(2 ** 20);
      let left = 4_096;
      const write = () => {
        while (left-- > 0 && !response.destroyed) if (!gzip.write(zeros)) return void gzip.once("drain", write);
        gzip.end();
      };
      response.once("close", () => gzip.destroy());
      write();
    });
    assert.match((await ask({ baseUrl: `${host}/v1` })).message, /^Cannot read the upstream's answer/);
  });

  test("of calls", async () => {
    const calls = Array.from({ length: 5_000 }, (_, index) => {
      return { index, id: `c${index}`, function: { name: "Bash", arguments: `{"a":${index}}` } };
    });
    const text = `data: ${JSON.stringify({ choices: [{ delta: { tool_calls: calls } }] })}\n\n`;
    const { message } = await ask({ baseUrl: "http://host/v1" }, () => Promise.resolve(new Response(text)));
    assert.match(message, /has become nothing but tool calls/);
  });

  test("of objects in the arguments of one call", async () => {
    const called = { name: "Bash", arguments: '{"a":1}'.repeat(5_000) };
    const text = `data: ${
      JSON.stringify({ choices: [{ delta: { tool_calls: [{ index: 0, function: called }] } }] })
    }\n\n`;
    const { message } = await ask({ baseUrl: "http://host/v1" }, () => Promise.resolve(new Response(text)));
    assert.match(message, /has become nothing but tool calls/);
  });
});

describe("what a refusal says", () => {
  const refuse = (text: string, headers: Record<string, string> = {}, status = 429) => {
    return ask({ baseUrl: "http://host/v1" }, () => Promise.resolve(new Response(text, { status, headers })));
  };

  test("does not show the key it was asked with", async () => {
    const { message, log } = await refuse("Bad key secret-key", {}, 401);
    assert.doesNotMatch(message, /secret-key/);
    assert.doesNotMatch(JSON.stringify(log), /secret-key/);
  });

  for (
    const words of ["does not support tools", "reached its end of life", "context length is 2048", "--tool-call-parser"]
  ) {
    test(`teaches nothing of the model where it quotes a client ('${words}')`, () => {
      const message = `Invalid schema for function 'Bash': '${words}' is not valid under any of the given schemas.`;
      const fault = toUpstreamFault(400, JSON.stringify({ error: { message } }), {
        backend: { baseUrl: "" },
        model: "m",
      });
      assert.deepEqual([fault.kind, fault.facts], ["bad_request", {}]);
    });
  }

  for (const value of ["1e9", "-1", "99999999999", "0x10", "soon", "Thu, 01 Jan 2099 00:00:00 GMT", "NaN", "1; x=y"]) {
    test(`becomes no header but a number of at most 60 (${value})`, async () => {
      const { headers } = await refuse("wait", { "retry-after": value, "x-theirs": "1", "set-cookie": "a=b" });
      const wait = headers.get("retry-after");
      assert.ok(wait === null || (/^\d+$/.test(wait) && Number(wait) <= 60), String(wait));
      for (const name of ["x-theirs", "set-cookie"]) assert.equal(headers.get(name), null);
    });
  }
});
