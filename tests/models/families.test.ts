import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toFamily } from "../../lib/models/families.ts";
import { createSanitiser } from "../../lib/models/sanitiser.ts";

describe("toFamily() puts", () => {
  const rows: [model: string, family: string][] = [
    ["moonshotai/kimi-k3", "Kimi K3"],
    ["moonshotai/kimi-k2.6", "Kimi K2"],
    ["moonshotai/kimi-k2-instruct-0905", "Kimi K2"],
    ["MoonshotAI/Kimi-K2-Thinking", "Kimi K2"],
    ["deepseek-ai/deepseek-v4-flash-0731", "DeepSeek V3.2, V4"],
    ["deepseek-ai/deepseek-v3.2", "DeepSeek V3.2, V4"],
    ["deepseek-ai/deepseek-v3.1-terminus", "DeepSeek"],
    ["deepseek-ai/deepseek-r1-distill-qwen-32b", "DeepSeek"],
    ["z-ai/glm-5.2", "GLM"],
    ["z-ai/glm4.7", "GLM"],
    ["poolside/laguna-xs-2.1", "GLM"],
    ["minimaxai/minimax-m3", "MiniMax M3"],
    ["minimaxai/minimax-m2.7", "MiniMax M2"],
    ["nvidia/nemotron-3-super-120b-a12b", "Nemotron 3"],
    ["nvidia/nemotron-nano-3-30b-a3b", "Nemotron 3"],
    ["nvidia/nemotron-3.5-lightning-30b-a3b", "Nemotron 3"],
    ["nvidia/nvidia-nemotron-nano-9b-v2", "Nemotron"],
    ["nvidia/llama-3.3-nemotron-super-49b-v1.5", "Nemotron"],
    ["openai/gpt-oss-120b", "gpt-oss"],
    ["google/gemma-4-31b-it", "Gemma 4"],
    ["mistralai/mistral-small-4-119b-2603", "Mistral"],
    ["mistralai/devstral-2-123b-instruct-2512", "Mistral"],
    ["qwen/qwen3-coder-480b-a35b-instruct", "Qwen3-Coder"],
    ["qwen/qwen3.5-122b-a10b", "Qwen3-Coder"],
    ["stepfun-ai/step-3.7-flash", "Qwen3-Coder"],
    ["qwen/qwen3-next-80b-a3b-instruct", "Qwen"],
    ["qwen/qwq-32b", "Qwen"],
    ["bytedance/seed-oss-36b-instruct", "Seed-OSS"],
    ["meta/llama-3.1-8b-instruct", "Llama"],
    ["meta/llama-4-maverick-17b-128e-instruct", "Llama"],
    ["microsoft/phi-4-mini-instruct", "Phi, Granite"],
    ["ibm/granite-3.3-8b-instruct", "Phi, Granite"],
    ["meta/muse-glimmer-30b", "Muse"],
    ["thinkingmachines/inkling", "Inkling"],
    ["somebody/unheard-of", "unknown"],
  ];
  for (const [model, family] of rows) test(`${model} with ${family}`, () => assert.equal(toFamily(model).name, family));
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
