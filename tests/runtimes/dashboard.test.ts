/** What the dashboard is told over real sockets, on each runtime: by WebSocket, by server-sent events, and to nobody else. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { describe, test, type TestContext } from "node:test";
import type { ArbiterOptions, Server } from "../../mod.ts";
import { createRig, MODEL, startRig, toBody, until } from "./harness.ts";

const ANSWER = { steps: [{ text: "Hello" }] };
const clientKeys = [{ key: "Secret-Number-1" }];
const KEY = `arbiter.key.${btoa("Secret-Number-1")}`;
const UPGRADE = [
  "GET /ws/stream-visualization HTTP/1.1",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/** A connection on which everything is written by hand. */
class Line {
  readonly socket: Socket;
  bytes = Buffer.alloc(0);
  closed = false;

  constructor(t: TestContext, server: Server, lines: readonly string[], rest: string | Uint8Array = "") {
    this.socket = connect(server.port, "127.0.0.1");
    this.socket.on("data", (bytes) => void (this.bytes = Buffer.concat([this.bytes, bytes])));
    this.socket.on("error", () => {}); // A reset; "close" follows.
    this.socket.once("close", () => void (this.closed = true));
    this.socket.write(Buffer.concat([Buffer.from([...lines, "", ""].join("\r\n")), Buffer.from(rest)]));
    t.after(() => this.socket.destroy());
  }

  get text(): string {
    return this.bytes.toString("latin1");
  }

  /** The frames so far: opcode and payload. */
  get frames(): [opcode: number, payload: Buffer][] {
    const frames: [number, Buffer][] = [];
    for (let from = this.bytes.indexOf("\r\n\r\n") + 4; from > 3 && from + 4 <= this.bytes.length;) {
      const short = this.bytes[from + 1]!;
      const [start, length] = short === 126 ? [4, this.bytes.readUInt16BE(from + 2)] : [2, short];
      if (from + start + length > this.bytes.length) break;
      frames.push([this.bytes[from]!, this.bytes.subarray(from + start, from += start + length)]);
    }
    return frames;
  }

  async begun(): Promise<void> {
    await until("the first frame", () => this.frames.length > 0);
  }
}

/** A frame as clients send it; the mask does nothing. */
const toClientFrame = (first: number, payload: string) => {
  return Buffer.concat([Buffer.from([first, 0x80 | payload.length, 0, 0, 0, 0]), Buffer.from(payload)]);
};

const ask = (server: Server) => fetch(`${server.url}/v1/messages`, { method: "POST", body: JSON.stringify(toBody()) });

test("a WebSocket is told what happens, answers a ping, and closes when it is asked to", async (t) => {
  const { server } = await startRig(t, ANSWER);
  const line = new Line(t, server, [...UPGRADE, "Host: 127.0.0.1"]);
  await line.begun();
  assert.match(line.text, /^HTTP\/1\.1 101 [^]*sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/i);
  assert.match(line.text, /\r\nrequest-id: req_\w+\r\n/);
  assert.doesNotMatch(line.text, /sec-websocket-protocol/i);
  const [opcode, payload] = line.frames[0]!;
  assert.deepEqual([opcode, JSON.parse(String(payload)).model], [0x81, MODEL]);
  await (await ask(server)).text();
  await until("the request", () => line.frames.some(([, payload]) => String(payload).includes('"over"')));
  line.socket.write(toClientFrame(0x89, "abc"));
  await until("the pong", () => line.frames.some(([opcode, payload]) => opcode === 0x8a && String(payload) === "abc"));
  line.socket.write(toClientFrame(0x88, ""));
  await until("the end", () => line.closed);
  assert.deepEqual(line.frames.at(-1), [0x88, Buffer.from([0x03, 0xe8])]);
});

test("a WebSocket of the runtime is told what happens", {
  skip: typeof WebSocket === "undefined" ? "Node 20 has none" : false,
}, async (t) => {
  const { server } = await startRig(t, ANSWER, { clientKeys });
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/ws/stream-visualization`, ["arbiter", KEY]);
  const data = await new Promise((resolve, reject) => {
    socket.onmessage = ({ data }) => resolve(data);
    socket.onerror = reject;
  });
  assert.deepEqual([JSON.parse(String(data)).model, socket.protocol], [MODEL, "arbiter"]);
  socket.close();
});

test("a client that sends data over its WebSocket is told that nobody reads it", async (t) => {
  const { server } = await startRig(t, ANSWER);
  const line = new Line(t, server, [...UPGRADE, "Host: 127.0.0.1"]);
  await line.begun();
  line.socket.write(toClientFrame(0x81, "hello"));
  await until("the end", () => line.closed);
  assert.deepEqual(line.frames.at(-1), [0x88, Buffer.from([0x03, 0xeb])]);
});

test("a proxy that closes says so on every WebSocket, and its server waits for none", async (t) => {
  const { server, arbiter } = await startRig(t, ANSWER);
  const [line, other] = [1, 2].map(() => new Line(t, server, [...UPGRADE, "Host: 127.0.0.1"]));
  await line!.begun();
  await other!.begun();
  arbiter.close();
  await until("the end", () => line!.closed && other!.closed);
  assert.deepEqual(line!.frames.at(-1), [0x88, Buffer.from([0x03, 0xe9])]);
  const last = new Line(t, server, [...UPGRADE, "Host: 127.0.0.1"]);
  await last.begun();
  await server.close();
  await until("the end", () => last.closed);
});

test("who leaves is forgotten, by either way", async (t) => {
  const logs: string[] = [];
  const { server } = await startRig(t, ANSWER, {
    onRequest: ({ path, status }) => void logs.push(`${path} ${status}`),
  });
  const socket = new Line(t, server, [...UPGRADE, "Host: 127.0.0.1"]);
  const events = new Line(t, server, ["GET /v1/stream/events HTTP/1.1", "Host: 127.0.0.1"]);
  await socket.begun();
  await until("an event", () => events.text.includes("data: {"));
  assert.match(events.text, /^HTTP\/1\.1 200 [^]*content-type: text\/event-stream/i);
  socket.socket.destroy();
  events.socket.destroy();
  await until("both are over", () => logs.length === 2);
  assert.deepEqual(logs.sort(), ["/v1/stream/events 200", "/ws/stream-visualization 200"]);
});

describe("no WebSocket is opened", () => {
  const HOST = "Host: 127.0.0.1:4005";
  const open = "Host: box.lan";
  const rows: [name: string, options: ArbiterOptions, lines: string[], status: number][] = [
    ["for a page of another site", {}, [...UPGRADE, HOST, "Origin: https://evil.com"], 403],
    ["for a page of nowhere", {}, [...UPGRADE, HOST, "Origin: null"], 403],
    ["for a page of another server of this machine", {}, [...UPGRADE, HOST, "Origin: http://127.0.0.1:3000"], 403],
    ["under a name that leads here", {}, [...UPGRADE, "Host: evil.com", "Origin: http://evil.com"], 403],
    ["under a name that begins like here", {}, [...UPGRADE, "Host: 127.0.0.1.evil.com"], 403],
    [
      "for a page of another site, though it is open",
      { open: true },
      [...UPGRADE, open, "Origin: http://evil.com"],
      403,
    ],
    ["without the key", { clientKeys }, [...UPGRADE, HOST], 401],
    [
      "with a wrong key",
      { clientKeys },
      [...UPGRADE, HOST, `Sec-WebSocket-Protocol: arbiter.key.${btoa("wrong")}`],
      401,
    ],
    ["with the key in the address", { clientKeys }, [
      UPGRADE[0]!.replace(" HTTP", "?key=Secret-Number-1&x-api-key=Secret-Number-1 HTTP"),
      ...UPGRADE.slice(1),
      HOST,
    ], 401],
    ["with the key, for a page of another site", { clientKeys }, [
      ...UPGRADE,
      HOST,
      "Origin: https://evil.com",
      `Sec-WebSocket-Protocol: arbiter, ${KEY}`,
    ], 403],
    ["in another version", {}, [...UPGRADE.map((line) => line.replace("13", "8")), HOST], 426],
    ["without a key to hash", {}, [...UPGRADE.slice(0, 4), HOST], 426],
    ["elsewhere", {}, [...UPGRADE.map((line) => line.replace("/ws/stream-visualization", "/ws")), HOST], 404],
  ];
  for (const [name, options, lines, status] of rows) {
    test(name, async (t) => {
      const { server } = await startRig(t, ANSWER, options);
      const line = new Line(t, server, lines);
      await until("the end", () => line.closed);
      assert.match(line.text, new RegExp(`^HTTP/1\\.1 ${status} [^]*"type":"error"`));
      assert.doesNotMatch(line.text, /Secret|test\/model/);
    });
  }
});

describe("a WebSocket is opened", () => {
  const rows: [name: string, options: ArbiterOptions, lines: string[]][] = [
    ["for a page of this very server", {}, ["Host: 127.0.0.1:4005", "Origin: http://127.0.0.1:4005"]],
    ["with the key", { clientKeys }, [
      "Host: box.lan",
      "Origin: https://box.lan",
      `Sec-WebSocket-Protocol: arbiter, ${KEY}`,
    ]],
    ["with the key in a header", { clientKeys }, ["Host: box.lan", "X-Api-Key: Secret-Number-1"]],
  ];
  for (const [name, options, lines] of rows) {
    test(name, async (t) => {
      const { server } = await startRig(t, ANSWER, options);
      const line = new Line(t, server, [...UPGRADE, ...lines]);
      await line.begun();
      assert.match(line.text, /^HTTP\/1\.1 101 /);
      assert.doesNotMatch(line.text, /Secret|key\./);
    });
  }
});

test("the page comes over a socket with its policy, also under a key, but not under a foreign name", async (t) => {
  const { server } = await startRig(t, ANSWER, { clientKeys });
  const { status, headers } = await fetch(`${server.url}/dashboard`);
  assert.equal(status, 200);
  assert.match(headers.get("content-security-policy") ?? "", /^default-src 'none'; script-src 'sha256-/);
  const open = await startRig(t, ANSWER);
  const line = new Line(t, open.server, ["GET /dashboard HTTP/1.1", "Host: evil.com", "Connection: close"]);
  await until("the end", () => line.closed);
  assert.match(line.text, /^HTTP\/1\.1 403 /);
});

describe("a client that offers HTTP/2, as Java's does, is answered as if it had not:", () => {
  const offer = [
    "Host: 127.0.0.1",
    "Connection: Upgrade, HTTP2-Settings, close",
    "Upgrade: h2c",
    "HTTP2-Settings: AAEAAA",
  ];
  const body = JSON.stringify(toBody());
  test("a request with a body that comes at once", async (t) => {
    const { server } = await startRig(t, ANSWER);
    const lines = ["POST /v1/messages HTTP/1.1", ...offer, `Content-Length: ${body.length}`];
    const line = new Line(t, server, lines, body);
    await until("the end", () => line.closed);
    assert.match(line.text, /^HTTP\/1\.1 200 [^]*"Hello"/);
  });

  test("a request with a body that comes later, in two pieces", async (t) => {
    const { server } = await startRig(t, ANSWER);
    const line = new Line(
      t,
      server,
      ["POST /v1/messages HTTP/1.1", ...offer, `Content-Length: ${body.length}`],
      body.slice(0, 9),
    );
    await new Promise((resolve) => line.socket.once("ready", resolve));
    line.socket.write(body.slice(9));
    await until("the end", () => line.closed);
    assert.match(line.text, /^HTTP\/1\.1 200 [^]*"Hello"/);
  });

  test("a request without a body", async (t) => {
    const { server } = await startRig(t, ANSWER);
    const line = new Line(t, server, ["GET /v1/models HTTP/1.1", ...offer]);
    await until("the end", () => line.closed);
    assert.match(line.text, /^HTTP\/1\.1 200 [^]*test\/model/);
  });
});

test("an embedding program without a server is told by server-sent events", async () => {
  const { arbiter } = createRig(ANSWER);
  const reader = (await arbiter.fetch(new Request("http://localhost/v1/stream/events"))).body!.getReader();
  assert.match(new TextDecoder().decode((await reader.read()).value), /^data: \{"name":"arbiter"/);
  arbiter.close();
  while (!(await reader.read()).done);
});
