import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { findRefusal } from "../../lib/stand_in/strictness.ts";
import { toChatRequest } from "../../lib/translate/request.ts";
import type { MessagesRequest } from "../../lib/wire/anthropic.ts";
import type { ChatRequest } from "../../lib/wire/openai.ts";

const BASE: MessagesRequest = { model: "claude-x", max_tokens: 1000, messages: [{ role: "user", content: "Hi" }] };
const TOOL = { name: "Read", description: "Reads", input_schema: { type: "object", properties: {} } };

function translate(extra: object, maxTokens?: number): { request: ChatRequest; warnings: string[] } {
  const options = { model: "nvidia/m", ...(maxTokens ? { maxTokens } : {}) };
  const translated = toChatRequest({ ...BASE, ...extra } as MessagesRequest, options);
  assert.equal(findRefusal(translated.request), undefined, "strict hosts accept it");
  return translated;
}

test("the smallest request has nothing that was not asked for", () => {
  assert.deepEqual(translate({}), {
    request: { model: "nvidia/m", messages: [{ role: "user", content: "Hi" }], max_tokens: 1000 },
    warnings: [],
  });
});

test("system text is one leading message, without the billing block", () => {
  const system = [
    { type: "text", text: "x-anthropic-billing-header: cc_version=2.1.328.abc; cc_entrypoint=cli;" },
    { type: "text", text: "You are Claude Code.", cache_control: { type: "ephemeral" } },
    { type: "text", text: "Be brief." },
  ];
  const expected = { role: "system", content: "You are Claude Code.\n\nBe brief." };
  assert.deepEqual(translate({ system }).request.messages[0], expected);
  assert.deepEqual(translate({ system: "Be brief." }).request.messages[0], { role: "system", content: "Be brief." });
  assert.equal(translate({ system: "" }).request.messages.length, 1);
  assert.equal(translate({ system: system.slice(0, 1) }).request.messages.length, 1);
});

test("a system text that begins with the billing line loses only that line", () => {
  const { messages } = translate({ system: "x-anthropic-billing-header: cc_version=2;\nBe brief." }).request;
  assert.deepEqual(messages[0], { role: "system", content: "Be brief." });
});

test("streaming asks for usage, and only then", () => {
  const { stream, stream_options } = translate({ stream: true }).request;
  assert.deepEqual({ stream, stream_options }, { stream: true, stream_options: { include_usage: true } });
  assert.ok(!("stream" in translate({ stream: false }).request));
});

test("max_tokens is always sent, and lowered to the limit", () => {
  assert.equal(translate({ max_tokens: 32_000 }, 8192).request.max_tokens, 8192);
  assert.equal(translate({ max_tokens: 100 }, 8192).request.max_tokens, 100);
});

test("sampling is passed only when the client set it", () => {
  assert.equal(translate({ temperature: 0 }).request.temperature, 0);
  assert.equal(translate({ top_p: 0.5 }).request.top_p, 0.5);
  const { request, warnings } = translate({ top_k: 40 });
  assert.ok(!("top_k" in request));
  assert.equal(warnings.length, 1);
});

test("stop sequences become stop", () => {
  assert.deepEqual(translate({ stop_sequences: ["</block>"] }).request.stop, ["</block>"]);
  assert.ok(!("stop" in translate({ stop_sequences: [] }).request));
});

describe("tool_choice", () => {
  const rows: [object, unknown][] = [
    [{ type: "auto" }, "auto"],
    [{ type: "any" }, "required"],
    [{ type: "none" }, "none"],
    [{ type: "tool", name: "Read" }, { type: "function", function: { name: "Read" } }],
    [{ type: "brand_new" }, "auto"],
  ];
  for (const [tool_choice, expected] of rows) {
    test(JSON.stringify(tool_choice), () => {
      assert.deepEqual(translate({ tools: [TOOL], tool_choice }).request.tool_choice, expected);
    });
  }

  test("disable_parallel_tool_use becomes parallel_tool_calls", () => {
    const tool_choice = { type: "auto", disable_parallel_tool_use: true };
    assert.equal(translate({ tools: [TOOL], tool_choice }).request.parallel_tool_calls, false);
  });

  test("is left out when there are no tools, which strict hosts refuse empty", () => {
    for (const tools of [[], undefined, [{ name: "DeferredToolPlaceholder", input_schema: {} }]]) {
      const { request } = translate({ tools, tool_choice: { type: "auto" } });
      assert.ok(!("tools" in request) && !("tool_choice" in request));
    }
  });
});

test("a JSON schema for the answer becomes response_format", () => {
  const schema = { type: "object", properties: { title: { type: "string" } }, required: ["title"] };
  const { request } = translate({ output_config: { effort: "low", format: { type: "json_schema", schema } } });
  assert.deepEqual(request.response_format, {
    type: "json_schema",
    json_schema: { name: "answer", schema, strict: true },
  });
});

test("what only Anthropic understands is left out silently", () => {
  const { request, warnings } = translate({
    metadata: { user_id: "{}" },
    thinking: { type: "adaptive", display: "updates" },
    context_management: { edits: [{ type: "clear_thinking_20251015", keep: "all" }] },
    safeguards: [{ type: "dangerous_tool_use" }],
    output_config: { effort: "high" },
    betas: ["x"],
    service_tier: "auto",
    container: null,
    mcp_servers: [],
  });
  assert.deepEqual(Object.keys(request), ["model", "messages", "max_tokens"]);
  assert.deepEqual(warnings, []);
});

test("a loss that occurs several times is told once", () => {
  const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "AA" } };
  assert.equal(translate({ messages: [{ role: "user", content: [image, image, image] }] }).warnings.length, 1);
});

test("tools that are loaded on demand are ordinary functions", () => {
  const { request } = translate({ tools: [{ ...TOOL, defer_loading: true, eager_input_streaming: true }] });
  const { name, description, input_schema: parameters } = TOOL;
  assert.deepEqual(request.tools, [{ type: "function", function: { name, description, parameters } }]);
});

test("Anthropic's server tools cannot be offered, which is told", () => {
  const { request, warnings } = translate({ tools: [TOOL, { type: "web_search_20250305", name: "web_search" }] });
  assert.equal(request.tools?.length, 1);
  assert.match(warnings[0] ?? "", /web_search/);
});
