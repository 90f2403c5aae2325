import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ThinkTagSplitter } from "../../lib/dialects/think_tags.ts";

function split(pieces: readonly string[]): Record<"thinking" | "text", string> {
  const splitter = new ThinkTagSplitter();
  const result = { thinking: "", text: "" };
  for (const { kind, text } of [...pieces.flatMap((piece) => splitter.feed(piece)), ...splitter.flush()]) {
    result[kind] += text;
  }
  return result;
}

const ROWS: [text: string, thinking: string, rest: string][] = [
  ["<think>a</think>b", "a", "b"],
  ["\n <think>\na\n</think>\n\nb\n", "a\n", "b\n"],
  ["<think></think>b", "", "b"],
  ["<think>a", "a", ""],
  ["<think>a <b> </thin> c</think>d", "a <b> </thin> c", "d"],
  ["a <think>b</think>", "", "a <think>b</think>"],
  ["`<think>` is a tag", "", "`<think>` is a tag"],
  ["<thinking about it", "", "<thinking about it"],
  ["<", "", "<"],
  ["<think", "", "<think"],
  ["<think>a</think><think>b</think>", "a", "<think>b</think>"],
  ["plain", "", "plain"],
  ["  indented", "", "  indented"],
];

describe("ThinkTagSplitter tells apart", () => {
  for (const [text, thinking, rest] of ROWS) {
    test(`${JSON.stringify(text)}, cut anywhere`, () => {
      for (let cut = 0; cut <= text.length; cut++) {
        assert.deepEqual(split([text.slice(0, cut), text.slice(cut)]), { thinking, text: rest }, `cut at ${cut}`);
      }
      assert.deepEqual(split([...text]), { thinking, text: rest });
    });
  }
});

test("ThinkTagSplitter holds nothing back once it knows", () => {
  const splitter = new ThinkTagSplitter();
  assert.deepEqual(splitter.feed("<think>abc<"), [{ kind: "thinking", text: "abc" }]);
  assert.deepEqual(splitter.feed("b"), [{ kind: "thinking", text: "<b" }]);
  assert.deepEqual(splitter.feed("</think>x<"), [{ kind: "text", text: "x<" }]);
});
