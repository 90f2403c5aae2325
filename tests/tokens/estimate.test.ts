import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { estimateRequestTokens, estimateTokens } from "../../lib/tokens/estimate.ts";

describe("estimateTokens() is within a fifth of what real vocabularies count for", () => {
  // Counts of o200k and Qwen3's vocabularies, averaged.
  const rows: [name: string, text: string, tokens: number][] = [
    ["English", "The quick brown fox jumps over the lazy dog. It was not amused, and said so at length.", 20],
    ["code", "export function add(a: number, b: number): number {\n  return a + b;\n}\n", 22],
    ["digits", "2026-11-20 12345", 13],
    ["Chinese", "今天天气很好，我们去公园散步吧。", 12],
  ];
  for (const [name, text, tokens] of rows) {
    test(name, () => {
      const ratio = estimateTokens(text) / tokens;
      assert.ok(ratio > 0.7 && ratio < 1.45, `${name}: ${ratio}`);
    });
  }
});

const message = (content: string) => ({ role: "user" as const, content });

test("estimateRequestTokens() adds up: a tool costs the same alone as in a list", () => {
  const count = (tools: object[]) =>
    estimateRequestTokens({ model: "m", max_tokens: 1, messages: [message("foo")], tools: tools as never });
  const [a, b] = [{ name: "Read", input_schema: { type: "object" } }, { name: "List", description: "Lists files" }];
  assert.ok(Math.abs(count([a, b]) - count([a]) - count([b]) + count([])) <= 1);
  assert.ok(count([a]) > count([]));
});

test("estimateRequestTokens() grows with everything that is sent upstream", () => {
  const base = { model: "m", max_tokens: 1, messages: [message("foo")] };
  const image = { type: "image" as const, source: {} };
  const result = { type: "tool_result" as const, tool_use_id: "t", content: "much output" };
  const use = { type: "tool_use" as const, id: "t", name: "Read", input: { path: "a" } };
  const rows = [
    { ...base, system: "Be brief." },
    { ...base, system: [{ type: "text" as const, text: "Be brief." }] },
    { ...base, messages: [...base.messages, message("bar")] },
    ...[image, result, use].map((block) => ({
      ...base,
      messages: [...base.messages, { role: "user" as const, content: [block] }],
    })),
  ];
  for (const row of rows) assert.ok(estimateRequestTokens(row) > estimateRequestTokens(base), JSON.stringify(row));
});
