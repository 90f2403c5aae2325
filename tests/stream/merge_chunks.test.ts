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

/** All that chunks add to an answer, by its field. */
function toSum(chunks: readonly string[]): Record<string, string> {
  const sum: Record<string, string> = {};
  for (const chunk of chunks) {
    for (const [field, value] of Object.entries(JSON.parse(chunk).choices[0].delta)) {
      sum[field] = (sum[field] ?? "") + (typeof value === "string" ? value : JSON.stringify(value));
    }
  }
  return sum;
}

test("where more than one text adds to the answer nothing of it is lost, also of chunks that are the same", () => {
  const rest = [
    { tool_calls: [{ index: 0, function: { arguments: "0" } }] },
    { function_call: { arguments: "0" } },
    { reasoning_content: "ha" },
    { reasoning: "ha" },
    { reasoning_details: [{ text: "ha" }] },
    { refusal: "no" },
  ];
  for (const more of rest) {
    const [before, behind] = [{ ...more, content: "" }, { content: "", ...more }];
    for (const delta of [before, behind, { ...behind, content: "a" }]) {
      const chunk = JSON.stringify({ choices: [{ delta }] });
      assert.deepEqual(toSum(mergeChunks([chunk, chunk, chunk])), toSum([chunk, chunk, chunk]));
    }
  }
  const empty = (content: string) =>
    JSON.stringify({ choices: [{ delta: { tool_calls: [], refusal: null, content, reasoning: "" } }] });
  assert.deepEqual(mergeChunks([empty("a"), empty("b")]), [empty("ab")]);
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
