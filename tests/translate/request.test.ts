import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { findRefusal } from "../../lib/stand_in/strictness.ts";
import { toModel } from "../../lib/models/roster.ts";
import { type ChatRequestOptions, toChatRequest } from "../../lib/translate/request.ts";
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

test("a JSON schema for the answer becomes response_format, also from where older clients have it", () => {
  const schema = { type: "object", properties: { title: { type: "string" } }, required: ["title"] };
  const format = { type: "json_schema", schema };
  for (const fields of [{ output_config: { effort: "low", format } }, { output_format: format }]) {
    assert.deepEqual(translate(fields).request.response_format, {
      type: "json_schema",
      json_schema: { name: "answer", schema, strict: true },
    });
  }
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

describe("for a model it knows", () => {
  const ADAPTIVE = { thinking: { type: "adaptive" }, output_config: { effort: "high" } };
  const ask = (extra: object, options: ChatRequestOptions) => {
    return toChatRequest({ ...BASE, ...extra } as MessagesRequest, options);
  };
  const fieldsOf = (request: ChatRequest) => {
    const { model: _model, messages: _messages, max_tokens: _max, ...fields } = request;
    return fields;
  };

  test("max_tokens is lowered to what the model can, and to what is allowed", () => {
    const model = "mistralai/mistral-nemotron";
    assert.equal(ask({ max_tokens: 32_000 }, { model }).request.max_tokens, 8192);
    assert.equal(ask({ max_tokens: 32_000 }, { model, maxTokens: 100 }).request.max_tokens, 100);
  });

  test("thinking is switched as its family does, on and off", () => {
    const model = "qwen/qwen3.5-122b-a10b";
    assert.deepEqual(fieldsOf(ask(ADAPTIVE, { model }).request), { chat_template_kwargs: { enable_thinking: true } });
    assert.deepEqual(fieldsOf(ask({}, { model }).request), { chat_template_kwargs: { enable_thinking: false } });
    const off = ask(ADAPTIVE, { model, thinking: false }).request;
    assert.deepEqual(fieldsOf(off), { chat_template_kwargs: { enable_thinking: false } });
  });

  test("thinking is switched as its host does, if that has its own way", () => {
    const options: ChatRequestOptions = { model: "qwen/qwen3:free", thinkingSwitch: "openrouter" };
    assert.deepEqual(fieldsOf(ask(ADAPTIVE, options).request), { reasoning: { effort: "high" } });
  });

  test("a switch that is text stands at the end of the one system message", () => {
    const model = "nvidia/nvidia-nemotron-nano-9b-v2";
    const systemOf = (extra: object) => ask(extra, { model }).request.messages.filter(({ role }) => role === "system");
    assert.deepEqual(systemOf({ ...ADAPTIVE, system: "Be brief." }), [{
      role: "system",
      content: "Be brief.\n\n/think",
    }]);
    assert.deepEqual(systemOf({}), [{ role: "system", content: "/no_think" }]);
  });

  test("strict hosts accept how thinking is switched", () => {
    for (const model of ["deepseek-ai/deepseek-v4-flash-0731", "minimaxai/minimax-m3", "moonshotai/kimi-k3"]) {
      assert.equal(findRefusal(ask(ADAPTIVE, { model }).request), undefined);
    }
  });

  test("DeepSeek V4 gets the thinking of all work back, Kimi a blank: without any, hosts refuse the conversation", () => {
    const call = { type: "tool_use", id: "t", name: "Read", input: {} };
    const messages = [
      { role: "user", content: "Go" },
      { role: "assistant", content: [{ type: "thinking", thinking: "Hm." }, call] },
      {
        role: "user",
        content: [{ type: "tool_result", tool_use_id: "t", content: "ok" }, { type: "text", text: "More" }],
      },
    ];
    const thoughtOf = (model: string, extra: object) => {
      const turn = ask({ messages, ...extra }, { model }).request.messages[1];
      return turn?.role === "assistant" && turn.reasoning_content;
    };
    assert.equal(thoughtOf("deepseek/deepseek-v4-flash", ADAPTIVE), "Hm.");
    assert.equal(thoughtOf("deepseek/deepseek-v4-flash", {}), undefined);
    for (const model of ["moonshotai/kimi-k2.6", "moonshotai/kimi-k3"]) assert.equal(thoughtOf(model, ADAPTIVE), " ");
    assert.equal(thoughtOf("z-ai/glm-5.2", ADAPTIVE), undefined);
  });

  test("its thinking goes back to it only while it thinks and its family wants that", () => {
    const messages = [
      { role: "user", content: "Go" },
      {
        role: "assistant",
        content: [{ type: "thinking", thinking: "Hm." }, { type: "tool_use", id: "t", name: "Read", input: {} }],
      },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "t", content: "ok" }] },
    ];
    const rows: [model: string, extra: object, options: object, replayed: boolean][] = [
      ["moonshotai/kimi-k2-thinking", ADAPTIVE, {}, true],
      ["moonshotai/kimi-k2.6", ADAPTIVE, {}, true],
      ["moonshotai/kimi-k3", ADAPTIVE, {}, true],
      ["deepseek-ai/deepseek-v3.2", ADAPTIVE, {}, true],
      ["deepseek-ai/deepseek-v4-pro-0813", ADAPTIVE, {}, true],
      ["z-ai/glm4.7", ADAPTIVE, {}, true],
      ["z-ai/glm-5.2", ADAPTIVE, {}, true],
      ["minimaxai/minimax-m2.7", ADAPTIVE, {}, true],
      ["moonshotai/kimi-k3", {}, {}, false],
      ["moonshotai/kimi-k3", ADAPTIVE, { thinking: false }, false],
      ["moonshotai/kimi-k3", ADAPTIVE, { traits: { ...toModel("moonshotai/kimi-k3"), reasoning: false } }, false],
      ["moonshotai/kimi-k2-instruct", ADAPTIVE, {}, false],
      ["z-ai/glm-4.5", ADAPTIVE, {}, false],
      ["nvidia/nemotron-3-super-120b-a12b", ADAPTIVE, {}, false],
      ["somebody/unheard-of", ADAPTIVE, {}, false],
    ];
    for (const [model, extra, options, replayed] of rows) {
      const { request } = ask({ messages, ...extra }, { model, ...options });
      const turn = request.messages.find(({ role }) => role === "assistant");
      assert.equal(turn && "reasoning_content" in turn, replayed, `${model} ${JSON.stringify(options)}`);
    }
  });

  test("tools are left out where it is served without, which is told", () => {
    const { request, warnings } = ask({ tools: [TOOL], tool_choice: { type: "auto" } }, {
      model: "deepseek-ai/deepseek-r1",
    });
    assert.deepEqual(fieldsOf(request), {});
    assert.deepEqual(warnings, ["Cannot offer the tools: deepseek-ai/deepseek-r1 is served without tools"]);
    assert.deepEqual(ask({}, { model: "deepseek-ai/deepseek-r1" }).warnings, []);
  });

  test("what the caller knows of it comes before what its id tells", () => {
    const traits = toModel("somebody/unheard-of", [{ id: "somebody/unheard-of", maxOutput: 10, family: "gpt-oss" }]);
    const { request } = ask(ADAPTIVE, { model: "somebody/unheard-of", traits });
    assert.deepEqual(fieldsOf(request), { reasoning_effort: "high" });
    assert.equal(request.max_tokens, 10);
  });

  test("fields of the caller's own are merged over all others", () => {
    const extraBody = {
      chat_template_kwargs: { clear_thinking: true, x: { y: 1 } },
      temperature: 0.2,
      stop: ["a"],
      z: null,
    };
    const { request } = ask({ ...ADAPTIVE, temperature: 1, stop_sequences: ["b"] }, {
      model: "z-ai/glm-5.2",
      extraBody,
    });
    assert.deepEqual(fieldsOf(request), {
      chat_template_kwargs: { enable_thinking: true, clear_thinking: true, x: { y: 1 } },
      temperature: 0.2,
      stop: ["a"],
      z: null,
    });
    assert.equal(extraBody.chat_template_kwargs.clear_thinking, true, "and are left alone");
  });
});

test("of a model nobody knows nothing is asked that the client did not ask", () => {
  const { request } = translate({ thinking: { type: "enabled", budget_tokens: 31_999 } });
  assert.deepEqual(Object.keys(request), ["model", "messages", "max_tokens"]);
});
