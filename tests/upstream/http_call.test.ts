import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { brotliCompressSync, gzipSync } from "node:zlib";
import type { CallAnswer } from "../../lib/upstream/call.ts";
import { httpCall, suitsHttpCall } from "../../lib/upstream/http_call.ts";
import { readLimited } from "../../lib/upstream/read_limited.ts";

/** Starts a host that is gone when the test is over. */
async function withHost(listener: RequestListener, run: (url: string) => Promise<void>): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1?a=b`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function ask(url: string, signal = new AbortController().signal): Promise<CallAnswer> {
  return httpCall(url, { headers: {}, signal });
}

const toText = (answer: CallAnswer) => readLimited(answer, Infinity);

test("what is asked arrives as it is, and the answer with its status and headers", async () => {
  await withHost((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    outgoing.writeHead(418, { "X-Asked": `${method} ${url} ${headers["x-a"]} ${headers["content-length"]}` });
    incoming.pipe(outgoing);
  }, async (url) => {
    const { signal } = new AbortController();
    const answer = await httpCall(url, { method: "POST", headers: { "X-A": "1" }, body: "é", signal });
    assert.equal(answer.status, 418);
    assert.equal(answer.headers.get("x-asked"), "POST /v1?a=b 1 2");
    assert.equal(answer.headers.get("x-other"), null);
    assert.equal(await toText(answer), "é");
    assert.equal(await answer.read(), undefined);
  });
});

test("the chunks of one read of the socket leave as one piece", async () => {
  const chunks = ["a", "bc", "é"].map((text) => `${new TextEncoder().encode(text).length}\r\n${text}\r\n`).join("");
  await withHost((_, outgoing) => {
    const socket = outgoing.socket!;
    socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`);
  }, async (url) => {
    const answer = await ask(url);
    const pieces = [];
    for (let piece = await answer.read(); piece; piece = await answer.read()) {
      pieces.push(new TextDecoder().decode(piece));
    }
    assert.deepEqual(pieces, ["abcé"]);
  });
});

test("a long answer that is read slowly arrives whole", async () => {
  const long = "0123456789".repeat(300_000);
  await withHost((_, outgoing) => void outgoing.end(long), async (url) => {
    const answer = await ask(url);
    let text = "";
    for (let piece = await answer.read(); piece; piece = await answer.read()) {
      text += new TextDecoder().decode(piece);
      await setImmediate();
    }
    assert.equal(text, long);
  });
});

for (const [encoding, pack] of [["gzip", gzipSync], ["br", brotliCompressSync]] as const) {
  test(`an answer that is packed with ${encoding} although nobody asked for that is unpacked`, async () => {
    await withHost(({ headers }, outgoing) => {
      assert.equal(headers["accept-encoding"], "identity");
      outgoing.writeHead(200, { "content-encoding": encoding }).end(pack("packed"));
    }, async (url) => assert.equal(await toText(await ask(url)), "packed"));
  });
}

test("a packed answer that is not what it says breaks off", async () => {
  await withHost((_, outgoing) => {
    outgoing.writeHead(200, { "content-encoding": "gzip" }).end("plain");
  }, async (url) => await assert.rejects(toText(await ask(url))));
});

for (const status of [204, 302]) {
  test(`an answer with the status ${status} is given as it is, without a body`, async () => {
    await withHost((_, outgoing) => void outgoing.writeHead(status, { location: "/" }).end(), async (url) => {
      const answer = await ask(url);
      assert.equal(answer.status, status);
      assert.equal(await toText(answer), "");
    });
  });
}

for (const head of [{ "content-length": "9" }, {}]) {
  test(`an answer that breaks off, ${JSON.stringify(head)}, is no whole one`, async () => {
    await withHost((_, outgoing) => {
      outgoing.writeHead(200, head).write("half", () => outgoing.destroy());
    }, async (url) => {
      await assert.rejects(async () => await toText(await ask(url)));
    });
  });
}

for (const how of ["before it has begun", "in the middle"]) {
  test(`a signal ends a call ${how}`, async () => {
    const stop = new AbortController();
    let left = () => {};
    const gone = new Promise<void>((resolve) => left = resolve);
    await withHost((_, outgoing) => {
      outgoing.once("close", left);
      if (how === "in the middle") outgoing.write("first");
      else stop.abort(new Error("enough"));
    }, async (url) => {
      const asked = ask(url, stop.signal);
      if (how === "in the middle") {
        const answer = await asked;
        assert.equal(new TextDecoder().decode(await answer.read()), "first");
        const reading = answer.read();
        stop.abort();
        await assert.rejects(reading);
      } else await assert.rejects(asked, /enough/);
      await gone;
    });
  });
}

test("a call with a signal that has fired asks nobody", async () => {
  await withHost(() => assert.fail("was asked"), async (url) => {
    await assert.rejects(ask(url, AbortSignal.abort(new Error("enough"))), /enough/);
  });
});

test("who lets an answer go ends it", async () => {
  let left = () => {};
  const gone = new Promise<void>((resolve) => left = resolve);
  await withHost((_, outgoing) => {
    outgoing.once("close", left);
    outgoing.write("first");
  }, async (url) => {
    (await ask(url)).cancel();
    await gone;
  });
});

test("a connection serves one call after the other", async () => {
  const sockets = new Set<Socket>();
  await withHost((incoming, outgoing) => {
    sockets.add(incoming.socket);
    outgoing.end("whole");
  }, async (url) => {
    for (let i = 0; i < 3; i++) {
      assert.equal(await toText(await ask(url)), "whole");
      await setImmediate();
    }
    assert.equal(sockets.size, 1);
  });
});

test("a connection that the host closes when it is used again is no failure", async () => {
  let calls = 0;
  await withHost((incoming, outgoing) => {
    calls++;
    if (calls === 2) incoming.socket.destroy();
    else outgoing.end(`answer ${calls}`);
  }, async (url) => {
    assert.equal(await toText(await ask(url)), "answer 1");
    await setImmediate();
    assert.equal(await toText(await ask(url)), "answer 3");
  });
});

test("a kept connection that breaks in the middle of an answer is a failure, and nobody is asked again", async () => {
  let calls = 0;
  let cut = () => {};
  await withHost(({ socket }, outgoing) => {
    calls++;
    cut = () => socket.resetAndDestroy();
    if (calls === 2) outgoing.write("half");
    else outgoing.end("whole");
  }, async (url) => {
    assert.equal(await toText(await ask(url)), "whole");
    await setImmediate();
    const answer = await ask(url);
    assert.equal(new TextDecoder().decode(await answer.read()), "half");
    cut();
    await assert.rejects(answer.read());
    assert.equal(await toText(await ask(url)), "whole");
    assert.equal(calls, 3);
  });
});

test("a signal ends a call on a kept connection, and nobody is asked again", async () => {
  const stop = new AbortController();
  let calls = 0;
  await withHost((_, outgoing) => {
    calls++;
    if (calls === 2) stop.abort(new Error("enough"));
    else outgoing.end("whole");
  }, async (url) => {
    assert.equal(await toText(await ask(url)), "whole");
    await setImmediate();
    await assert.rejects(ask(url, stop.signal), /enough/);
    assert.equal(await toText(await ask(url)), "whole");
    assert.equal(calls, 3);
  });
});

test("a host that wants to speak another protocol is a failure", async () => {
  await withHost(({ socket }) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
  }, async (url) => await assert.rejects(ask(url)));
});

test("a new connection that breaks is a failure", async () => {
  await withHost(({ socket }) => void socket.destroy(), async (url) => await assert.rejects(ask(url)));
});

test("a host that cannot be reached is an error that says why", async () => {
  await assert.rejects(ask("http://127.0.0.1:1/v1"), /ECONNREFUSED/);
});

test("where something is set that only fetch heeds, and on Bun, nothing is called past it", () => {
  assert.equal(suitsHttpCall({ PATH: "/bin" }), !("Bun" in globalThis));
  for (const name of ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "DENO_CERT"]) {
    assert.equal(suitsHttpCall({ [name]: "set" }), false, name);
  }
});
