import assert from "node:assert/strict";
import { test } from "node:test";
import type { Candidate } from "../../lib/routing/candidate.ts";
import { orderCandidates, type Standing } from "../../lib/upstream/order.ts";
import type { ContentBlockParam, MessagesRequest, ToolParam } from "../../lib/wire/anthropic.ts";

const TOOL: ToolParam = { name: "Bash", input_schema: { type: "object" } };
const IMAGE: ContentBlockParam = { type: "image", source: { type: "url", url: "https://host/image.png" } };
const FACTS: Standing["facts"] = {
  refused: [],
  context: Infinity,
  maxOutput: Infinity,
  noTools: false,
  goneSince: Infinity,
};
const FINE: Standing = { facts: FACTS, well: true, back: 0, cut: false, blocked: false };

/** The order of models, each with what is known about it. */
function toOrder(
  standings: Record<string, Partial<Standing>>,
  fields: Partial<MessagesRequest> = {},
  inputTokens = 1_000,
  ratios: Record<string, number> = {},
): string {
  const request: MessagesRequest = { model: "m", max_tokens: 10, messages: [], ...fields };
  const candidates = Object.keys(standings).map((model) => ({ backend: { baseUrl: "http://host/v1" }, model }));
  const tokens = { roughly: inputTokens, count: ({ model }: Candidate) => inputTokens * (ratios[model] ?? 1) };
  const order = orderCandidates(request, candidates, tokens, ({ model }) => ({ ...FINE, ...standings[model] }));
  return order.map(({ model }) => model).join(" ");
}

test("candidates keep the order they were given in", () => assert.equal(toOrder({ c: {}, a: {}, b: {} }), "c a b"));

test("those that are not well come after those that are, and only the first of them is left", () => {
  assert.equal(toOrder({ a: { well: false }, b: {}, c: { well: false }, d: {} }), "b d a");
  assert.equal(toOrder({ a: { well: false }, b: { well: false } }), "a");
});

test("of those that are not well the one that is soonest back is left, not one that is gone", () => {
  const gone = { well: false, back: Infinity };
  assert.equal(toOrder({ a: gone, b: { well: false, back: 9_000 }, c: { well: false, back: 5_000 } }), "c");
  assert.equal(toOrder({ a: gone, b: gone }), "a");
  assert.equal(
    toOrder({ a: { well: false, back: 1, facts: { ...FACTS, noTools: true } }, b: gone }, { tools: [TOOL] }),
    "b",
  );
});

test("one whose account is blocked comes after those that can be asked at once, and before those that are not well", () => {
  assert.equal(toOrder({ a: { blocked: true }, b: { well: false }, c: {}, d: { blocked: true } }), "c a d b");
  assert.equal(toOrder({ a: { blocked: true }, b: { facts: { ...FACTS, noTools: true } } }, { tools: [TOOL] }), "a b");
});

test("where this request broke off is worse than not being well", () => {
  assert.equal(toOrder({ a: { cut: true }, b: { well: false }, c: {} }), "c b a");
});

test("one without tools comes last where the request has tools", () => {
  const standings = { a: { facts: { ...FACTS, noTools: true } }, b: { cut: true } };
  assert.equal(toOrder(standings, { tools: [TOOL] }), "b a");
  assert.equal(toOrder(standings, { tools: [] }), "a b");
});

test("one that sees no images comes last where the request has images, also in a tool's result", () => {
  const standings = { "openai/gpt-oss-120b": {}, "moonshotai/kimi-k2.6": {} };
  const result: ContentBlockParam = { type: "tool_result", tool_use_id: "toolu_1", content: [IMAGE] };
  for (const block of [IMAGE, result]) {
    const order = toOrder(standings, { messages: [{ role: "user", content: [block] }] });
    assert.equal(order, "moonshotai/kimi-k2.6 openai/gpt-oss-120b");
  }
});

test("what only speaks of images is none", () => {
  const standings = { "openai/gpt-oss-120b": {}, "moonshotai/kimi-k2.6": {} };
  const call: ContentBlockParam = {
    type: "tool_use",
    id: "toolu_1",
    name: "Run",
    input: { type: "image", image: "nginx" },
  };
  for (const content of ['the word "image"', [call], [{ type: "text" as const, text: '"image"' }]]) {
    assert.equal(toOrder(standings, { messages: [{ role: "user", content }] }), Object.keys(standings).join(" "));
  }
});

test("sight counts less than health: a picture can be told of in words", () => {
  const standings = { "openai/gpt-oss-120b": {}, "moonshotai/kimi-k2.6": { cut: true } };
  const order = toOrder(standings, { messages: [{ role: "user", content: [IMAGE] }] });
  assert.equal(order, "openai/gpt-oss-120b moonshotai/kimi-k2.6");
});

test("one that cannot hold the prompt and a short answer comes last of all", () => {
  const standings = {
    a: { facts: { ...FACTS, context: 32_768 } },
    b: { facts: { ...FACTS, noTools: true }, cut: true },
  };
  assert.equal(toOrder(standings, { tools: [TOOL] }, 32_768 - 1024), "a b");
  assert.equal(toOrder(standings, { tools: [TOOL] }, 32_768 - 1023), "b a");
});

test("a prompt counts as the model counts it, once it comes near the window", () => {
  const standings = { a: { facts: { ...FACTS, context: 32_768 } }, b: {} };
  assert.equal(toOrder(standings, {}, 33_000, { a: 0.5 }), "a b");
  assert.equal(toOrder(standings, {}, 33_000, { a: 1.5 }), "b a");
  assert.equal(toOrder(standings, {}, 22_000, { a: 9 }), "a b", "nothing is counted that fits in any case");
});

test("a window that the roster knows counts until the model has stated its own", () => {
  const small = "meta/llama-3.1-8b-instruct"; // 16,000 tokens, as the roster has it.
  assert.equal(toOrder({ [small]: {}, b: {} }, {}, 15_000), `b ${small}`);
  assert.equal(toOrder({ [small]: { facts: { ...FACTS, context: 131_072 } }, b: {} }, {}, 15_000), `${small} b`);
});
