import assert from "node:assert/strict";
import { test } from "node:test";
import { toHeldUntil, toNeeded } from "../../lib/upstream/use.ts";
import type { MessageStreamEvent, StopReason } from "../../lib/wire/anthropic.ts";

const usage = { input_tokens: 1, output_tokens: 1 };
const text = (text: string): MessageStreamEvent => {
  return { type: "content_block_delta", index: 0, delta: { type: "text_delta", text } };
};
const ended = (stop_reason: StopReason | null): MessageStreamEvent => {
  return { type: "message_delta", delta: { stop_reason, stop_sequence: null }, usage };
};
const begun = (content_block: object): MessageStreamEvent => {
  return { type: "content_block_start", index: 0, content_block } as MessageStreamEvent;
};

const EVENTS: [what: string, event: MessageStreamEvent, of: string][] = [
  ["thinking", begun({ type: "thinking", thinking: "", signature: "" }), ""],
  ["hidden thinking", begun({ type: "redacted_thinking", data: "x" }), ""],
  ["a text", begun({ type: "text", text: "" }), "turn"],
  ["a call", begun({ type: "tool_use", id: "toolu_1", name: "Bash", input: {} }), "turn"],
  ["words", text("I think so"), ""],
  ["a verdict", text("<block>no</block>"), "check"],
  ["an end without a reason", ended(null), ""],
  ["an end like any", ended("end_turn"), ""],
  ["an end for want of room", ended("max_tokens"), "turn"],
  ["the end", { type: "message_stop" }, "summary"],
];

for (const [what, event, of] of EVENTS) {
  test(`${what} is of use to ${of ? `a ${of}` : "nobody"}`, () => {
    assert.equal(toNeeded("main")(event), of === "turn");
    assert.equal(toNeeded("safety")(event), of === "check");
    assert.equal(toHeldUntil("main", true)?.(event), of === "turn");
    assert.equal(toHeldUntil("compaction", false)?.(event), of === "summary");
  });
}

test("nothing is held back of what is asked for the first time", () => {
  assert.equal(toHeldUntil("main", false), undefined);
});
