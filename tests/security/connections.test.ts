import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { createArbiter } from "../../lib/arbiter.ts";
import { serve } from "../../lib/server/serve.ts";

const HEAD = "POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n";

/** Says something, and tells what came until the connection was closed. */
function say(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    let heard = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    socket.on("data", (bytes) => heard += bytes).on("error", () => {}).on("close", () => resolve(heard));
  });
}

test("a request whose body does not come is hung up on", async (t) => {
  const server = await serve(createArbiter({ apiKey: "k" }).fetch, { bodyTimeout: 50 });
  t.after(() => server.close());
  for (const more of ["", "Connection: Upgrade\r\nUpgrade: websocket\r\n"]) {
    assert.doesNotMatch(await say(server.port, `${HEAD}${more}\r\n{`), /"type"/);
  }
});

test("an answer may take longer than a request, with a body or without", async (t) => {
  for (const init of [{ method: "POST", body: "{}" }, {}]) {
    let respond = (_response: Response) => {};
    let came = () => {};
    const coming = new Promise<void>((resolve) => came = resolve);
    const server = await serve(async (request) => {
      await request.text();
      came();
      return await new Promise((resolve) => respond = resolve);
    }, { bodyTimeout: 250 });
    t.after(() => server.close());
    const answer = fetch(server.url, init);
    await coming;
    const late = await serve(createArbiter({ apiKey: "k" }).fetch, { bodyTimeout: 500 });
    await say(late.port, `${HEAD}\r\n{`); // Takes longer than the other may.
    await late.close();
    respond(new Response("late"));
    assert.equal(await (await answer).text(), "late");
  }
});

test("a request without the key is refused before its body comes", async (t) => {
  const clientKeys = [{ key: "Secret-Number-1" }];
  const server = await serve(createArbiter({ apiKey: "k", clientKeys }).fetch);
  t.after(() => server.close());
  const heard = await new Promise<string>((resolve) => {
    const socket = connect(server.port, "127.0.0.1", () => socket.write(`${HEAD}\r\n{`));
    socket.on("data", (bytes) => {
      resolve(String(bytes));
      socket.destroy();
    });
  });
  assert.match(heard, /^HTTP\/1\.1 401 /);
});

test("one client's broken requests leave the others alone", async (t) => {
  const server = await serve(createArbiter({ apiKey: "k" }).fetch);
  t.after(() => server.close());
  const broken = [
    "\0\0\0\0\r\n\r\n",
    "GET\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    `GET / HTTP/1.1\r\n${"a".repeat(100_000)}: b\r\n\r\n`,
  ];
  for (const text of broken) await say(server.port, text);
  const { status } = await fetch(`${server.url}/health`);
  assert.equal(status, 200);
});
