import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toModel } from "../../lib/models/roster.ts";
import { toPassedRequest } from "../../lib/translate/passed_request.ts";
import type { JsonObject, MessagesRequest } from "../../lib/wire/anthropic.ts";

function toAsked(fields: JsonObject): MessagesRequest {
  return { model: "claude-x", max_tokens: 32_000, messages: [{ role: "user", content: "Hi" }], ...fields };
}

describe("no more output is asked for than", () => {
  const rows: [what: string, maxTokens: number | undefined, maxOutput: number, expected: number][] = [
    ["the client wants", undefined, Infinity, 32_000],
    ["there is room for", 5_000, 6_000, 5_000],
    ["the model can", 6_000, 5_000, 5_000],
  ];
  for (const [what, maxTokens, maxOutput, expected] of rows) {
    test(what, () => {
      const options = {
        model: "m",
        traits: toModel("m", [{ id: "m", maxOutput }]),
        ...(maxTokens ? { maxTokens } : {}),
      };
      const { request } = toPassedRequest(toAsked({}), options);
      assert.equal(request.max_tokens, expected);
    });
  }

  test("what is known of the model's id", () => {
    assert.equal(toPassedRequest(toAsked({}), { model: "openai/gpt-oss-120b" }).request.max_tokens, 8192);
  });
});

describe("thinking is left with what is below the output tokens, and at least 1024:", () => {
  const rows: [what: string, maxTokens: number, thinking: JsonObject, expected: JsonObject][] = [
    ["a budget that fits", 32_000, { type: "enabled", budget_tokens: 31_999 }, {
      type: "enabled",
      budget_tokens: 31_999,
    }],
    ["one that is as much as the output", 16_000, { type: "enabled", budget_tokens: 16_000, display: "omitted" }, {
      type: "enabled",
      budget_tokens: 15_999,
      display: "omitted",
    }],
    ["one that is more", 8_192, { type: "enabled", budget_tokens: 31_999 }, { type: "enabled", budget_tokens: 8_191 }],
    ["just enough", 1_025, { type: "enabled", budget_tokens: 31_999 }, { type: "enabled", budget_tokens: 1_024 }],
    ["too little", 1_024, { type: "enabled", budget_tokens: 31_999 }, { type: "disabled" }],
    ["no budget at all", 500, { type: "adaptive" }, { type: "adaptive" }],
  ];
  for (const [what, maxTokens, thinking, expected] of rows) {
    test(what, () => {
      const edits = { context_management: { edits: [] } };
      const { request, warnings } = toPassedRequest(toAsked({ thinking, ...edits }), { model: "m", maxTokens });
      assert.deepEqual(request.thinking, expected);
      const off = expected.type === "disabled";
      assert.equal("context_management" in request, !off);
      assert.deepEqual(warnings, off ? ["Cannot let m think: it has only 1024 output tokens"] : []);
    });
  }

  test("a model that must not think does not, and that is no news", () => {
    const asked = toAsked({ thinking: { type: "enabled", budget_tokens: 31_999 } });
    const { request, warnings } = toPassedRequest(asked, { model: "m", maxTokens: 1_024, thinking: false });
    assert.deepEqual([request.thinking, warnings], [{ type: "disabled" }, []]);
  });
});

describe("thinking that nobody has signed", () => {
  const call = { type: "tool_use", id: "toolu_1", name: "Bash", input: {} };
  const thinking = { type: "thinking", thinking: "Hm", signature: "unsigned" };
  const blank = { ...thinking, thinking: " " };
  const rows: [what: string, model: string, content: JsonObject[], expected: JsonObject[]][] = [
    ["stays behind", "claude-opus-4-8", [thinking, call], [call]],
    ["goes to a family that wants its thinking back", "glm-5.2", [thinking, call], [thinking, call]],
    ["goes to one that insists on it", "deepseek-v4-pro", [thinking, call], [thinking, call]],
    ["is a blank for calls of one that insists on it", "deepseek-v4-pro", [call], [blank, call]],
    ["is nothing for others", "glm-5.2", [call], [call]],
    ["is nothing for text", "deepseek-v4-pro", [{ type: "text", text: "A" }], [{ type: "text", text: "A" }]],
  ];
  for (const [what, model, content, expected] of rows) {
    test(`${what}: ${model}`, () => {
      const { request } = toPassedRequest(toAsked({ messages: [{ role: "assistant", content }] }), { model });
      assert.deepEqual(request.messages, [{ role: "assistant", content: expected }]);
    });
  }
});

test("what the system says in the middle is said by the client, in its place, since few hosts take that role there", () => {
  const cache_control = { type: "ephemeral" };
  const result = { type: "tool_result", tool_use_id: "toolu_1", content: "done" };
  const reminder = (text: string) => `<system-reminder>\n${text}\n</system-reminder>`;
  const asked = toAsked({
    messages: [
      { role: "user", content: "Hi" },
      { role: "system", content: [{ type: "text", text: "Be kind.", cache_control }] },
      { role: "system", content: "Be brief." },
      { role: "assistant", content: "Hello" },
      { role: "system", content: "Mind." },
      { role: "user", content: [result] },
    ],
  });
  const before = structuredClone(asked);
  assert.deepEqual(toPassedRequest(asked, { model: "m" }).request.messages, [
    {
      role: "user",
      content: [
        { type: "text", text: "Hi" },
        { type: "text", text: reminder("Be kind."), cache_control },
        { type: "text", text: reminder("Be brief.") },
      ],
    },
    { role: "assistant", content: "Hello" },
    { role: "user", content: [{ type: "text", text: reminder("Mind.") }] },
    { role: "user", content: [result] },
  ]);
  assert.deepEqual(asked, before, "the request itself is left alone");
});
