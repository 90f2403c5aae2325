import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MessageReader } from "../../lib/upstream/message_reader.ts";

const START = {
  type: "message_start",
  message: { usage: { input_tokens: 7, cache_read_input_tokens: 3, output_tokens: 1 } },
};
const BLOCK = { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } };
const DELTA = { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 9 } };
const CLOSE = { type: "content_block_stop", index: 0 };
const STOP = { type: "message_stop" };
const CANDIDATE = { backend: { baseUrl: "http://host" }, model: "m" };

function read(...events: unknown[]): unknown[] {
  const reader = new MessageReader(CANDIDATE);
  return events.flatMap((event) => reader.feed([typeof event === "string" ? event : JSON.stringify(event)]));
}

test("events are passed on as they are, but for the start and pings", () => {
  const odd = { type: "content_block_delta", index: 0, delta: { type: "citations_delta", citation: { a: 1 } } };
  assert.deepEqual(read(START, { type: "ping" }, BLOCK, odd, { type: "unheard_of" }, CLOSE), [
    BLOCK,
    odd,
    { type: "unheard_of" },
    CLOSE,
  ]);
});

test("the counts of the start come with the end, which goes before them", () => {
  const [, , delta] = read(START, BLOCK, CLOSE, { ...DELTA, usage: { output_tokens: 9, input_tokens: null } });
  assert.deepEqual(delta, { ...DELTA, usage: { input_tokens: 7, cache_read_input_tokens: 3, output_tokens: 9 } });
  const [, , later] = read(START, BLOCK, CLOSE, { ...DELTA, usage: { output_tokens: 9, input_tokens: 8 } });
  assert.deepEqual(later, { ...DELTA, usage: { input_tokens: 8, cache_read_input_tokens: 3, output_tokens: 9 } });
});

test("an end without counts is an end", () => {
  assert.deepEqual(read({ type: "message_delta", delta: {} }), [
    { type: "message_delta", delta: {}, usage: { input_tokens: 0, output_tokens: 0 } },
  ]);
});

test("the answer is complete with its stop", () => {
  const reader = new MessageReader(CANDIDATE);
  reader.feed([JSON.stringify(START), JSON.stringify(BLOCK), JSON.stringify(DELTA)]);
  assert.equal(reader.finished || reader.ended, false);
  reader.feed([JSON.stringify(STOP)]);
  assert.equal(reader.finished && reader.ended, true);
  assert.deepEqual(reader.flush(), []);
});

test("what follows the answer is no part of it, whatever it is", () => {
  for (const rest of ["[DONE]", "<html>", JSON.stringify(BLOCK), '{"type":"error","error":{"type":"api_error"}}']) {
    const reader = new MessageReader(CANDIDATE);
    const data = [...[START, BLOCK, CLOSE, DELTA, STOP].map((event) => JSON.stringify(event)), rest];
    assert.deepEqual(reader.feed(data).map(({ type }) => type), [BLOCK.type, CLOSE.type, DELTA.type, STOP.type]);
    assert.equal(reader.finished && reader.ended, true);
  }
});

test("a mark of the end is no end", () => {
  const reader = new MessageReader(CANDIDATE);
  reader.feed([JSON.stringify(BLOCK), "[DONE]"]);
  assert.equal(reader.finished || reader.ended, false);
});

test("an answer that comes whole is read like one that is streamed", () => {
  const reader = new MessageReader(CANDIDATE);
  const usage = { input_tokens: 7, output_tokens: 9 };
  const content = [{ type: "text", text: "Hello" }];
  const message = { type: "message", content, stop_reason: "end_turn", stop_sequence: null, usage };
  assert.deepEqual(reader.feed([JSON.stringify(message, null, 2), "[DONE]"]), [
    BLOCK,
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hello" } },
    { type: "content_block_stop", index: 0 },
    { type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage },
    STOP,
  ]);
  assert.equal(reader.finished && reader.ended, true);
});

describe("an answer with nothing in it is", () => {
  const toEnd = (stop_reason: unknown) => ({ ...DELTA, delta: { stop_reason } });
  for (const reason of ["refusal", "max_tokens", "pause_turn", "stop_sequence", "model_context_window_exceeded"]) {
    test(`an answer when it says ${reason}`, () => {
      assert.equal(read(START, toEnd(reason), STOP).length, 2);
      assert.equal(read({ type: "message", content: [], stop_reason: reason }).length, 2);
    });
  }
  for (const reason of ["end_turn", "tool_use", "", null, undefined]) {
    test(`a fault when it says ${reason}, as soon as it is over`, () => {
      assert.throws(() => read(START, toEnd(reason), STOP), { kind: "empty" });
      assert.throws(() => read({ type: "message", content: [], stop_reason: reason }), { kind: "empty" });
      if (reason) assert.throws(() => read(START, toEnd(reason)), { kind: "empty" });
    });
  }
});

describe("an error in the stream is a fault:", () => {
  const rows = [
    ["overloaded_error", 529],
    ["rate_limit_error", 429],
    ["api_error", 500],
    ["unheard_of", 500],
    ["__proto__", 500],
  ] as const;
  for (const [type, status] of rows) {
    test(type, () => {
      assert.throws(() => read(START, `{"type":"error","error":{"type":"${type}","message":"no"}}`), { status });
    });
  }
});

test("what is no event is a fault", () => {
  for (const data of ["<html>", "[]", "null", "{}", '{"type":1}']) assert.throws(() => read(data), { kind: "broken" });
});

test("an error without a type is one all the same", () => {
  const error = '{"error":{"type":"overloaded_error","message":"no"}}';
  assert.throws(() => read(START, error), { status: 529 });
  assert.throws(() => read(START, '{"error":"busy"}'), { kind: "broken", message: "busy (m, status 500)" });
});

test("a refusal that a host calls a success is one", () => {
  const refusal = '{"code":401,"msg":"token expired or incorrect","success":false}';
  assert.throws(() => read(refusal), { kind: "bad_key", message: /token expired or incorrect \(m, status 401\)$/ });
});

test("a host that counts nothing gets estimates, never zeros", () => {
  for (const usage of [{}, { input_tokens: 0, output_tokens: 0 }, { input_tokens: null, output_tokens: "x" }]) {
    const reader = new MessageReader({ backend: { baseUrl: "http://h" }, model: "m" }, 70);
    const text = { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "x".repeat(40) } };
    const end = { type: "message_delta", delta: { stop_reason: "end_turn" }, usage };
    const events = [BLOCK, text, end].flatMap((event) => reader.feed([JSON.stringify(event)]));
    const last = events.at(-1) as unknown as { usage: Record<string, unknown> };
    const { input_tokens, output_tokens } = last.usage;
    assert.equal(input_tokens, 70);
    assert.ok(Number(output_tokens) >= 10);
  }
});

test("counts that are none do not reach the client", () => {
  const counted = { input_tokens: 7, cache_read_input_tokens: "5", cache_creation_input_tokens: -1, service_tier: "a" };
  const start = { ...START, message: { usage: { ...counted, cache_creation: null } } };
  const [, , delta] = read(start, BLOCK, CLOSE, DELTA);
  const usage = { ...counted, cache_read_input_tokens: 0, cache_creation_input_tokens: 0, output_tokens: 9 };
  assert.deepEqual(delta, { ...DELTA, usage });
});

test("a piece that should bring text and brings none makes the answer a broken one", () => {
  const pieces = [{ type: "text_delta", text: null }, { type: "text_delta" }, { type: "thinking_delta", thinking: 5 }];
  const others = [{ type: "signature_delta", signature: {} }, { type: "input_json_delta", partial_json: [] }];
  for (const delta of [...pieces, ...others]) {
    const event = { type: "content_block_delta", index: 0, delta };
    assert.throws(() => read(START, BLOCK, event), { kind: "broken", message: /a piece of it has no text/ });
  }
});

test("blocks are numbered from 0 and closed, whatever the host does", () => {
  const odd = { type: "content_block_delta", index: 3, delta: { type: "text_delta", text: "a" } };
  const begins = [1, 3].map((index) => ({ ...BLOCK, index }));
  assert.deepEqual(read(START, ...begins, odd, DELTA).slice(0, -1), [
    BLOCK,
    CLOSE,
    { ...BLOCK, index: 1 },
    { ...odd, index: 1 },
    { ...CLOSE, index: 1 },
  ]);
});

test("a piece of a block that is not open makes the answer a broken one", () => {
  const piece = { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "a" } };
  for (const before of [[START], [START, BLOCK, CLOSE], [START, BLOCK, { ...BLOCK, index: 1 }]]) {
    for (const odd of [piece, { ...piece, index: undefined }]) {
      assert.throws(() => read(...before, odd), { kind: "broken", message: /blocks are not in order/ });
    }
  }
});

test("a block without a number makes the answer a broken one", () => {
  assert.throws(() => read(START, { ...BLOCK, index: undefined }), { kind: "broken" });
});

test("an end that says nothing makes the answer a broken one", () => {
  assert.throws(() => read(START, BLOCK, CLOSE, { type: "message_delta" }), { kind: "broken" });
});

test("an answer that stops without a reason has broken off", () => {
  assert.throws(() => read(START, BLOCK, CLOSE, STOP), { kind: "cut" });
});
