import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SseDecoder } from "../../lib/stream/sse_decoder.ts";

const encoder = new TextEncoder();

function decode(reads: Iterable<Uint8Array>): string[] {
  const decoder = new SseDecoder();
  const events: string[] = [];
  for (const read of reads) events.push(...decoder.feed(read));
  return [...events, ...decoder.flush()];
}

const ROWS: [name: string, text: string, expected: string[]][] = [
  ["LF", "data: a\n\ndata: b\n\n", ["a", "b"]],
  ["CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]],
  ["CR", "data: a\r\rdata: b\r\r", ["a", "b"]],
  ["a mixture of line ends", "data: a\r\n\ndata: b\r\rdata: c\n\r\n", ["a", "b", "c"]],
  ["no space after the colon", "data:a\n\n", ["a"]],
  ["two spaces, of which one belongs to the data", "data:  a\n\n", [" a"]],
  ["several data lines", "data: a\ndata: b\n\n", ["a\nb"]],
  ["several data lines that end in CRLF", "data: a\r\ndata: b\r\n\r\n", ["a\nb"]],
  ["event names, ids, retry and comments", ": hi\nevent: x\nid: 1\nretry: 5\ndata: a\n\n: bye\n\n", ["a"]],
  ["a byte order mark", "\uFEFFdata: a\n\n", ["a"]],
  ["no blank line at the end", "data: a\n\ndata: b", ["a", "b"]],
  ["a byte order mark in the middle", "data: a\uFEFFb\n\n\uFEFFdata: c\n\n", ["a\uFEFFb"]],
  ["empty data", "data\n\ndata:\n\n", [""]],
  ["characters of two, three and four bytes", "data: é｜▁👋\n\n", ["é｜▁👋"]],
  ["nothing", "", []],
];

describe("SseDecoder reads", () => {
  for (const [name, text, expected] of ROWS) {
    test(`${name}, cut anywhere`, () => {
      const bytes = encoder.encode(text);
      assert.deepEqual(decode([bytes]), expected);
      for (let cut = 0; cut <= bytes.length; cut++) {
        assert.deepEqual(decode([bytes.subarray(0, cut), bytes.subarray(cut)]), expected, `cut at ${cut}`);
      }
      assert.deepEqual(decode([...bytes].map((byte) => Uint8Array.of(byte))), expected);
    });
  }
});

test("SseDecoder gives an event as soon as its blank line has come", () => {
  const decoder = new SseDecoder();
  assert.deepEqual(decoder.feed(encoder.encode("data: a\n")), []);
  assert.deepEqual(decoder.feed(encoder.encode("\nda")), ["a"]);
});

test("SseDecoder refuses a line without end before memory runs out", () => {
  const decoder = new SseDecoder();
  const megabyte = encoder.encode("x".repeat(1024 * 1024));
  assert.throws(() => {
    for (let i = 0; i < 20; i++) decoder.feed(megabyte);
  }, RangeError);
});
