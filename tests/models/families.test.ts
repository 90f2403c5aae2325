import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FAMILIES, toFamily } from "../../lib/models/families.ts";
import { createSanitiser } from "../../lib/models/sanitiser.ts";

describe("toFamily() puts", () => {
  const rows: [model: string, family: string][] = [
    ["moonshotai/kimi-k3", "Kimi K3"],
    ["moonshotai/kimi-k2.6", "Kimi K2.5"],
    ["moonshotai/kimi-k2-instruct-0905", "Kimi K2"],
    ["MoonshotAI/Kimi-K2-Thinking", "Kimi K2 Thinking"],
    ["deepseek-ai/deepseek-v4-flash-0731", "DeepSeek V4"],
    ["deepseek-ai/deepseek-v3.2", "DeepSeek V3.2"],
    ["deepseek-ai/deepseek-v3.1-terminus", "DeepSeek V3.1"],
    ["deepseek-ai/deepseek-r1-distill-qwen-32b", "DeepSeek R1"],
    ["deepseek-ai/deepseek-v3", "DeepSeek"],
    ["z-ai/glm-5.2", "GLM 4.7, 5"],
    ["z-ai/glm4.7", "GLM 4.7, 5"],
    ["z-ai/glm-4.5-air", "GLM 4.5"],
    ["thudm/chatglm3-6b", "GLM"],
    ["poolside/laguna-xs-2.1", "Laguna"],
    ["minimaxai/minimax-m3", "MiniMax M3"],
    ["minimaxai/minimax-m2.7", "MiniMax M2"],
    ["nvidia/nemotron-3-super-120b-a12b", "Nemotron 3 Super"],
    ["nvidia/nemotron-3-ultra-550b-a55b", "Nemotron 3 Ultra"],
    ["nvidia/nemotron-nano-3-30b-a3b", "Nemotron 3"],
    ["nvidia/nemotron-3.5-lightning-30b-a3b", "Nemotron 3"],
    ["nvidia/nvidia-nemotron-nano-9b-v2", "Nemotron Nano 2"],
    ["nvidia/nemotron-nano-12b-v2-vl", "Nemotron Nano 2"],
    ["nvidia/llama-3.3-nemotron-super-49b-v1.5", "Llama-Nemotron 1.5"],
    ["nvidia/llama-3.1-nemotron-ultra-253b-v1", "Llama-Nemotron"],
    ["nvidia/llama-3.1-nemotron-70b-instruct", "Nemotron"],
    ["nvidia/nemotron-mini-4b-instruct", "Nemotron"],
    ["mistralai/mistral-nemotron", "Mistral"],
    ["openai/gpt-oss-120b", "gpt-oss"],
    ["google/gemma-4-31b-it", "Gemma 4"],
    ["mistralai/mistral-small-4-119b-2603", "Mistral Small 4"],
    ["mistralai/devstral-2-123b-instruct-2512", "Mistral"],
    ["qwen/qwen3-coder-480b-a35b-instruct", "Qwen3-Coder"],
    ["qwen/qwen3.5-122b-a10b", "Qwen3.5"],
    ["stepfun-ai/step-3.7-flash", "Step"],
    ["qwen/qwen3-next-80b-a3b-instruct", "Qwen"],
    ["qwen/qwen3-next-80b-a3b-thinking", "Qwen Thinking"],
    ["qwen/qwen3-235b-a22b", "Qwen3"],
    ["qwen/qwq-32b", "Qwen Thinking"],
    ["nousresearch/hermes-4-70b", "Hermes"],
    ["google/gemma-3-27b-it", "Gemma"],
    ["bytedance/seed-oss-36b-instruct", "Seed-OSS"],
    ["meta/llama-3.1-8b-instruct", "Llama"],
    ["meta/llama-4-maverick-17b-128e-instruct", "Llama"],
    ["microsoft/phi-4-mini-instruct", "Phi, Granite"],
    ["ibm/granite-3.3-8b-instruct", "Phi, Granite"],
    ["meta/muse-glimmer-30b", "Muse"],
    ["thinkingmachines/inkling", "Inkling"],
    ["gemini-3.1-pro-preview", "Gemini 3"],
    ["google/gemini-3-flash-preview", "Gemini 3"],
    ["gemini-flash-latest", "Gemini 3"],
    ["gemini-2.5-flash", "unknown"],
    ["somebody/unheard-of", "unknown"],
    // As other hosts spell them.
    ["kimi-k2.5", "Kimi K2.5"],
    ["qwen/qwen3-coder:free", "Qwen3-Coder"],
    ["gpt-oss:20b", "gpt-oss"],
    ["qwen3:8b", "Qwen3"],
    ["glm-4.7", "GLM 4.7, 5"],
    ["zai-org/GLM-4.6", "GLM 4.5"],
    ["deepseek-v3.1:671b", "DeepSeek V3.1"],
    ["deepseek/deepseek-chat-v3.1:free", "DeepSeek V3.1"],
    ["llama3.2-vision:11b", "Llama"],
    ["phi4-mini", "Phi, Granite"],
    ["gemma4:31b", "Gemma 4"],
    ["nemotron-3-super-free", "Nemotron 3 Super"],
    ["accounts/fireworks/models/kimi-k2-instruct", "Kimi K2"],
  ];
  for (const [model, family] of rows) test(`${model} with ${family}`, () => assert.equal(toFamily(model).name, family));
});

test("names of families are unique", () => {
  assert.equal(new Set(FAMILIES.map(({ name }) => name)).size, FAMILIES.length);
});

describe("digits stand in a token", () => {
  const rows: [digits: string | undefined, models: string][] = [
    [
      "triple",
      "moonshotai/kimi-k3 z-ai/glm-5.2 deepseek-ai/deepseek-v4-pro openai/gpt-oss-20b meta/llama-3.1-8b-instruct",
    ],
    [
      "single",
      "qwen/qwen3.5-122b-a10b mistralai/mistral-nemotron nvidia/nemotron-3-super-120b-a12b google/gemma-4-31b-it",
    ],
    [undefined, "minimaxai/minimax-m3 stepfun-ai/step-3.7-flash somebody/unheard-of"],
  ];
  for (const [digits, models] of rows) {
    for (const model of models.split(" ")) {
      test(`${digits ?? "nobody knows how"}: ${model}`, () => assert.equal(toFamily(model).digits, digits));
    }
  }
});

test("what a model that always thinks writes before its closing tag is thinking, opened or not", () => {
  for (const opener of ["", "<think>"]) {
    const sanitiser = createSanitiser("deepseek-ai/deepseek-r1");
    const found = [
      ...sanitiser.feed(`${opener}Hm, hard.</think>\n\nIt is`),
      ...sanitiser.feed(" 42."),
      ...sanitiser.flush(),
    ];
    assert.equal(
      found.map(({ kind, ...rest }) => `${kind}:${"text" in rest ? rest.text : ""}`).join("|"),
      "thinking:Hm, hard.|text:It is|text: 42.",
    );
  }
});

test("a sanitiser works alone", () => {
  const sanitiser = createSanitiser("moonshotai/kimi-k2.6", new Map([["Read", { name: "Read" }]]));
  const begin = "Let me look.<|tool_call_be";
  const rest = 'gin|>functions.Read:0<|tool_call_argument_begin|>{"path": "a"}<|tool_call_end|>';
  assert.deepEqual(sanitiser.feed(begin), [{ kind: "text", text: "Let me look." }]);
  assert.deepEqual([...sanitiser.feed(rest), ...sanitiser.flush()], [
    { kind: "call", name: "Read", arguments: '{"path":"a"}' },
  ]);
});
