import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeChunks } from "../../lib/stream/merge_chunks.ts";

const text = (content: string, rest: object = {}) =>
  JSON.stringify({ id: "a", choices: [{ index: 0, delta: { content }, finish_reason: null, ...rest }], ...rest });
const thought = (reasoning_content: string) => JSON.stringify({ choices: [{ delta: { reasoning_content } }] });

test("chunks that differ in their text only become one", () => {
  assert.deepEqual(mergeChunks([text("a"), text("b"), text("c")]), [text("abc")]);
  assert.deepEqual(mergeChunks([thought("a"), thought("b"), text("c"), text("d")]), [thought("ab"), text("cd")]);
  const spaced = (content: string) => `{"choices": [{"delta": {"content": "${content}"}}]}`;
  assert.deepEqual(mergeChunks([spaced("a"), spaced("b")]), [spaced("ab")]);
});

test("whatever a text holds, the merged chunk has the texts of all", () => {
  const texts = ["", '"', "\\", '\\"', "\n", '"content":"', '"}}]}', "é日\u{1f600}", "\ud83d", "\ude00", "a", "a"];
  for (const one of texts) {
    for (const other of texts) {
      const merged = mergeChunks([text("x"), text(one), text(other), text("")]);
      assert.deepEqual(merged.map((chunk) => JSON.parse(chunk)), [JSON.parse(text(`x${one}${other}`))]);
    }
  }
});

test("chunks that differ in anything else stay as they are", () => {
  const rows = [
    [text("a"), text("b", { finish_reason: "stop" })],
    [text("a"), text("b", { usage: { completion_tokens: 2 } })],
    [text("a", { usage: 1 }), text("b", { usage: 2 })],
    [text("a"), thought("b")],
    ['{"choices":[]}', '{"choices":[]}'],
    [
      '{"delta":{"tool_calls":[{"function":{"arguments":"{"}}]}}',
      '{"delta":{"tool_calls":[{"function":{"arguments":"}"}}]}}',
    ],
    [text("a"), "[DONE]"],
    ['{"content":"a', '{"content":"a'],
    ['{"content":"', '{"content":"'],
    ['{"content":"a"}', '{"content":"a"b"}'],
    ['{"content":"a\\"}', '{"content":"b\\"}'],
    [text("a")],
    [],
  ];
  for (const row of rows) assert.deepEqual(mergeChunks(row), row);
});
