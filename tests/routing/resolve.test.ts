import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seesImages } from "../../lib/models/vision.ts";
import { resolveModel, toModelIds } from "../../lib/routing/resolve.ts";

const choice = { elite: "nvidia/elite", tiers: { haiku: "nvidia/small" } };

describe("resolveModel() sends", () => {
  const rows = [
    ["claude-opus-5-5", "nvidia/elite"],
    ["claude-sonnet-5", "nvidia/elite"],
    ["claude-haiku-4-5-20251001", "nvidia/small"],
    ["anthropic/claude-haiku-4-5", "nvidia/small"],
    ["haiku", "nvidia/small"],
    ["default", "nvidia/elite"],
    ["gpt-4", "nvidia/elite"],
    ["", "nvidia/elite"],
    ["moonshotai/kimi-k2.6", "moonshotai/kimi-k2.6"],
    ["owner/haiku-7b", "owner/haiku-7b"],
  ] as const;
  for (const [asked, expected] of rows) {
    test(`'${asked}' to ${expected}`, () => assert.equal(resolveModel(asked, choice), expected));
  }
});

test("toModelIds() lists each model once", () => {
  assert.deepEqual(toModelIds({ elite: "a", tiers: { opus: "a", haiku: "b", sonnet: undefined } }), ["a", "b"]);
});

describe("seesImages() knows of", () => {
  const rows = [
    ["moonshotai/kimi-k2.6", true],
    ["moonshotai/kimi-k3", true],
    ["moonshotai/kimi-k2-instruct-0905", false],
    ["minimaxai/minimax-m3", true],
    ["minimaxai/minimax-m2.7", false],
    ["google/gemma-4-31b-it", true],
    ["qwen/qwen3.5-122b-a10b", true],
    ["qwen/qwen3-coder-480b-a35b-instruct", false],
    ["mistralai/mistral-small-4-119b-2603", true],
    ["stepfun-ai/step-3.7-flash", true],
    ["meta/llama-3.2-90b-vision-instruct", true],
    ["nvidia/nemotron-nano-12b-v2-vl", true],
    ["nvidia/nemotron-3-nano-omni-30b-a3b-reasoning", true],
    ["nvidia/nemotron-3-super-120b-a12b", false],
    ["openai/gpt-oss-120b", false],
    ["somebody/unheard-of", false],
  ] as const;
  for (const [model, expected] of rows) test(model, () => assert.equal(seesImages(model), expected));
});
