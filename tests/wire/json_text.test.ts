import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toJsonText } from "../../lib/wire/json.ts";

describe("toJsonText() writes what every parser takes", () => {
  const rows: [what: string, value: unknown, expected: unknown][] = [
    ["text with both halves of a character", "a 😀 b", "a 😀 b"],
    ["the first half alone", "a \ud83d b", "a \ufffd b"],
    ["the second half alone", ["\ude00"], ["\ufffd"]],
    ["halves in the wrong order", { a: { b: "\ude00\ud83d" } }, { a: { b: "\ufffd\ufffd" } }],
    ["half of one beside a whole one", [1, null, "😀\ud83d😀"], [1, null, "😀\ufffd😀"]],
    ["half of one in a name", { "\ud83d": 1 }, { "\ufffd": 1 }],
    ["text that only tells of one, beside half of one", ["\\ud83d", "\ud83d"], ["\\ud83d", "\ufffd"]],
  ];
  for (const [what, value, expected] of rows) {
    test(what, () => assert.deepEqual(JSON.parse(toJsonText(value)), expected));
  }

  test("what is written has no half in any form", () => {
    assert.equal(toJsonText({ a: "\ud83d", b: "\\ud83d" }), String.raw`{"a":"\ufffd","b":"\\ud83d"}`);
  });

  test("a member without a value is left out", () => assert.equal(toJsonText({ a: undefined, b: 1 }), '{"b":1}'));
});
