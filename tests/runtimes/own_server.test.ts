/** The proxy behind the runtime's own server, as a program may embed it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createArbiter, serve } from "../../mod.ts";

type Handler = (request: Request) => Promise<Response>;
type Served = { port: number; close: () => Promise<unknown> };

const { Deno, Bun } = globalThis as unknown as {
  Deno?: { serve(options: object, handler: Handler): { addr: { port: number }; shutdown(): Promise<void> } };
  Bun?: { serve(options: object): { port: number; stop(hard: boolean): Promise<void> } };
};

async function start(fetch: Handler): Promise<Served> {
  const options = { port: 0, hostname: "127.0.0.1", onListen: () => {} };
  if (Deno) {
    const server = Deno.serve(options, fetch);
    return { port: server.addr.port, close: () => server.shutdown() };
  }
  if (!Bun) return await serve(fetch);
  const server = Bun.serve({ ...options, fetch });
  return { port: server.port, close: () => server.stop(true) };
}

test("the runtime's own server outlives clients that leave in the middle of an answer", async () => {
  const chunk = `data: ${JSON.stringify({ choices: [{ delta: { content: "Hello " } }] })}\n\n`;
  const logged: number[] = [];
  let wake = () => {};
  const arbiter = createArbiter({
    apiKey: "k",
    model: "m",
    linger: 0,
    onRequest: ({ status }) => void (logged.push(status), wake()),
    fetch: () => {
      const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode(chunk)) });
      return Promise.resolve(new Response(body, { headers: { "content-type": "text/event-stream" } }));
    },
  });
  const server = await start((request) => arbiter.fetch(request));
  for (const text of ["one", "two", "three"]) {
    const leave = new AbortController();
    const over = new Promise<void>((resolve) => wake = resolve);
    const body = JSON.stringify({
      model: "m",
      max_tokens: 9,
      stream: true,
      messages: [{ role: "user", content: text }],
    });
    const url = `http://127.0.0.1:${server.port}/v1/messages`;
    const response = await fetch(url, { method: "POST", body, signal: leave.signal });
    await response.body?.getReader().read();
    leave.abort();
    await over;
  }
  await server.close();
  assert.deepEqual(logged, [499, 499, 499]);
});
