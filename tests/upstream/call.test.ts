import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { toCall } from "../../lib/upstream/call.ts";

const { signal } = new AbortController();

async function readAll(read: () => Promise<Uint8Array | undefined>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for (let piece = await read(); piece; piece = await read()) text += decoder.decode(piece, { stream: true });
  return text;
}

/** What a host sends as its body, and what it is. */
const BODIES: [what: string, send: RequestListener, expected: string][] = [
  ["with its length", (_, outgoing) => void outgoing.end("whole"), "whole"],
  ["in chunks", (_, outgoing) => void outgoing.write("in ", () => outgoing.end("chunks")), "in chunks"],
  ["longer than what is read at once", (_, outgoing) => void outgoing.end("é".repeat(100_000)), "é".repeat(100_000)],
  ["that is empty", (_, outgoing) => void outgoing.end(), ""],
  ["that must be empty", (_, outgoing) => void outgoing.writeHead(204).end(), ""],
];

describe("toCall() reads an answer of the runtime's fetch to its end and no further", () => {
  for (const [what, send, expected] of BODIES) {
    test(what, async () => {
      const server = createServer(send);
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      try {
        const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
        const answer = await toCall(fetch)(url, { headers: {}, signal });
        assert.equal(await readAll(answer.read), expected);
        assert.equal(await answer.read(), undefined);
      } finally {
        server.closeAllConnections();
        server.close();
      }
    });
  }
});

test("toCall() reads a stream that a program has made, and tells what was asked", async () => {
  const asked: unknown[] = [];
  const call = toCall((input, init) => {
    asked.push(input, init);
    return Promise.resolve(new Response("made", { status: 201, headers: { "x-a": "1" } }));
  });
  const answer = await call("http://host/", { method: "POST", headers: { a: "b" }, body: "{}", signal });
  assert.deepEqual(asked, ["http://host/", {
    method: "POST",
    headers: { a: "b" },
    body: "{}",
    signal,
    redirect: "manual",
  }]);
  assert.equal(answer.status, 201);
  assert.equal(answer.headers.get("x-a"), "1");
  assert.equal(await readAll(answer.read), "made");
});

test("toCall() lets go of what has not been read", async () => {
  let cancelled = false;
  const body = new ReadableStream({ cancel: () => void (cancelled = true) });
  (await toCall(() => Promise.resolve(new Response(body)))("http://host/", { headers: {}, signal })).cancel();
  assert.ok(cancelled);
});
