import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { nodeFetch } from "../../lib/upstream/node_fetch.ts";

const INIT = { redirect: "manual" } as const;

async function withHost(listener: RequestListener, run: (url: string) => Promise<void>): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test("what is asked arrives as it is, and the answer with its status and headers", async () => {
  await withHost((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    outgoing.writeHead(418, { "x-asked": `${method} ${url} ${headers["x-a"]} ${headers["content-length"]}` });
    incoming.pipe(outgoing);
  }, async (url) => {
    const response = await nodeFetch(url, { ...INIT, method: "POST", headers: { "X-A": "1" }, body: "é" });
    assert.equal(response.status, 418);
    assert.equal(response.headers.get("x-asked"), "POST /v1 1 2");
    assert.equal(await response.text(), "é");
  });
});

for (const [encoding, pack] of [["gzip", gzipSync], ["br", brotliCompressSync]] as const) {
  test(`an answer that is packed with ${encoding} although nobody asked for that is unpacked`, async () => {
    await withHost((_, outgoing) => {
      outgoing.writeHead(200, { "content-encoding": encoding }).end(pack("packed"));
    }, async (url) => assert.equal(await (await nodeFetch(url, INIT)).text(), "packed"));
  });
}

test("a redirect is not followed, and no content is none", async () => {
  for (const status of [204, 302]) {
    await withHost((_, outgoing) => void outgoing.writeHead(status, { location: "/" }).end(), async (url) => {
      const response = await nodeFetch(url, INIT);
      assert.equal(response.status, status);
      assert.equal(await response.text(), "");
    });
  }
});

test("an answer that breaks off is no whole one", async () => {
  await withHost((_, outgoing) => void outgoing.write("half", () => outgoing.destroy()), async (url) => {
    await assert.rejects(async () => await (await nodeFetch(url, INIT)).text());
  });
});

test("a signal ends the call before the answer and in the middle of it, and so does who stops reading", async () => {
  for (const how of ["before", "signal", "cancel"]) {
    let left = () => {};
    const gone = new Promise<void>((resolve) => left = resolve);
    const stop = new AbortController();
    await withHost((_, outgoing) => {
      outgoing.once("close", left);
      if (how === "before") stop.abort();
      else outgoing.write("first");
    }, async (url) => {
      const asked = nodeFetch(url, { ...INIT, signal: stop.signal });
      if (how === "before") await assert.rejects(asked);
      else {
        const reader = (await asked).body!.getReader();
        assert.equal(new TextDecoder().decode((await reader.read()).value), "first");
        if (how === "signal") stop.abort();
        if (how === "signal") await assert.rejects(reader.read());
        else await reader.cancel();
      }
      await gone;
    });
  }
});

test("a host that cannot be reached is an error that says why", async () => {
  await assert.rejects(nodeFetch("http://127.0.0.1:1/v1", INIT), /ECONNREFUSED/);
});
