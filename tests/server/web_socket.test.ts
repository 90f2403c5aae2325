import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { describe, test } from "node:test";
import {
  answerUpgrade,
  asksForSocket,
  ClientFrames,
  toCloseFrame,
  toFrame,
  toSocketAnswer,
} from "../../lib/server/web_socket.ts";

/** A frame as clients send it. */
function toClientFrame(first: number, payload: number[] = [], mask = [1, 2, 3, 4]): number[] {
  return [first, 0x80 | payload.length, ...mask, ...payload.map((byte, i) => byte ^ mask[i % 4]!)];
}

const [PING, PONG, CLOSE] = [0x89, 0x8a, 0x88];
const long = Array.from({ length: 125 }, (_, i) => i);

describe("the frames of a client, cut anywhere, are answered alike:", () => {
  const rows: [name: string, bytes: number[], answers: Uint8Array[], over: boolean][] = [
    ["a ping", toClientFrame(PING, [1, 2, 3, 4, 5]), [toFrame(10, Uint8Array.of(1, 2, 3, 4, 5))], false],
    ["an empty ping", toClientFrame(PING), [toFrame(10, Uint8Array.of())], false],
    ["the longest ping", toClientFrame(PING, long), [toFrame(10, Uint8Array.from(long))], false],
    ["a pong", toClientFrame(PONG, [1]), [], false],
    ["two pings", [...toClientFrame(PING, [7]), ...toClientFrame(PING, [8])], [
      toFrame(10, Uint8Array.of(7)),
      toFrame(10, Uint8Array.of(8)),
    ], false],
    ["a close, and what follows it", [...toClientFrame(CLOSE, [3, 232]), ...toClientFrame(PING)], [
      toCloseFrame(1000),
    ], true],
    ["a text", toClientFrame(0x81, [65]), [toCloseFrame(1003)], true],
    ["bytes", toClientFrame(0x82, [65]), [toCloseFrame(1003)], true],
    ["the beginning of a text", toClientFrame(0x01, [65]), [toCloseFrame(1003)], true],
    ["a text of 2 GB", [0x81, 0xff, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff], [toCloseFrame(1003)], true],
    ["a ping without a mask", [PING, 1, 65], [toCloseFrame(1002)], true],
    ["a ping that goes on", toClientFrame(0x09), [toCloseFrame(1002)], true],
    ["a ping that is too long", [PING, 0xfe, 0, 126], [toCloseFrame(1002)], true],
    ["a ping with a reserved bit", toClientFrame(0xc9), [toCloseFrame(1002)], true],
    ["an unknown opcode", toClientFrame(0x8b), [toCloseFrame(1002)], true],
    ["an unknown opcode for data", toClientFrame(0x83), [toCloseFrame(1002)], true],
  ];
  for (const [name, bytes, answers, over] of rows) {
    test(name, () => {
      for (let cut = 0; cut <= bytes.length; cut++) {
        const frames = new ClientFrames();
        const parts = [bytes.slice(0, cut), bytes.slice(cut)];
        assert.deepEqual(parts.flatMap((part) => frames.feed(Uint8Array.from(part))), answers, `cut at ${cut}`);
        assert.equal(frames.over, over);
      }
      const frames = new ClientFrames();
      assert.deepEqual(bytes.flatMap((byte) => frames.feed(Uint8Array.of(byte))), answers, "byte by byte");
    });
  }
});

test("of the pongs for a client that pings and does not read no more are kept than fit", async () => {
  const socket = new Duplex({ read() {}, write() {} }); // No write of it is ever over.
  const pings = Uint8Array.from(Array.from({ length: 10_000 }, () => toClientFrame(PING, long)).flat());
  const gone = new AbortController();
  const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.close() });
  await answerUpgrade(() => toSocketAnswer(body), new Request("http://localhost/"), { socket, head: pings, gone });
  assert.ok(socket.writableLength < 2 * socket.writableHighWaterMark, `${socket.writableLength} bytes wait`);
});

describe("a frame of the server says its length", () => {
  const rows: [length: number, head: number[]][] = [
    [0, [0x81, 0]],
    [125, [0x81, 125]],
    [126, [0x81, 126, 0, 126]],
    [65_535, [0x81, 126, 255, 255]],
    [65_536, [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]],
    [20_000_000, [0x81, 127, 0, 0, 0, 0, 0x01, 0x31, 0x2d, 0x00]],
  ];
  for (const [length, head] of rows) {
    test(`of ${length} bytes`, () => {
      const frame = toFrame(1, new Uint8Array(length).fill(7));
      assert.deepEqual([...frame.slice(0, head.length)], head);
      assert.equal(frame.length, head.length + length);
      if (length > 0) assert.deepEqual([frame[head.length], frame.at(-1)], [7, 7]);
    });
  }
});

describe("a WebSocket is asked for", () => {
  const whole = {
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  };
  const rows: [name: string, headers: Record<string, string>, asks: boolean][] = [
    ["with all it needs", {}, true],
    ["in any case", { upgrade: "WebSocket" }, true],
    ["not for another protocol", { upgrade: "h2c" }, false],
    ["not in another version", { "sec-websocket-version": "8" }, false],
    ["not with a key of another length", { "sec-websocket-key": "dGhl" }, false],
    ["not without a key", { "sec-websocket-key": "" }, false],
  ];
  for (const [name, headers, asks] of rows) {
    test(name, () => assert.equal(asksForSocket(new Headers({ ...whole, ...headers })), asks));
  }
});
