import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseLimits, type StatedLimits } from "../../lib/upstream/limits.ts";

describe("parseLimits() reads", () => {
  const context = "This model's maximum context length is ";
  const rows: [text: string, limits: StatedLimits][] = [
    // The context and the prompt
    [`${context}32768 tokens. However, you requested 40000 tokens (36000 in the messages, 4000 in the completion).`, {
      limit: 32768,
      used: 36000,
    }],
    [`${context}4097 tokens, however you requested 4116 tokens (3860 in your prompt; 256 for the completion).`, {
      limit: 4097,
      used: 3860,
    }],
    [`${context}32768 tokens. However, you requested 40000 tokens.`, { limit: 32768, total: 40000 }],
    [`${context}196608 tokens. However, your messages resulted in 199906 tokens.`, { limit: 196608, used: 199906 }],
    [`${context}196,608 tokens and your request has 199_906 input tokens`, { limit: 196608, used: 199906 }],
    [`${context}8 tokens. However, your prompt contains at least 9 input tokens`, { limit: 8, used: 9 }],
    [
      "You passed 170753 input tokens and requested 32000 output tokens. However, the model's context length is only " +
      "202752 tokens, resulting in a maximum input length of 170752 tokens. (parameter=input_tokens, value=170753)",
      { limit: 202752, used: 170753 },
    ],
    ["Too much. (parameter=input_tokens, value=170753)", { used: 170753 }],
    [
      `'max_tokens' or 'max_completion_tokens' is too large: 32000. ${context}40960 tokens and your request has ` +
      "12000 input tokens (32000 > 40960 - 12000).",
      { limit: 40960, used: 12000 },
    ],
    ["max_tokens=131072 cannot be greater than max_model_len=max_total_tokens=28672. (parameter=max_tokens)", {
      limit: 28672,
    }],
    ["The input (61709 tokens) is longer than the model's context length (40960 tokens).", {
      limit: 40960,
      used: 61709,
    }],
    [
      "Requested token count exceeds the model's maximum context length of 131072 tokens. You requested a total of " +
      "140000 tokens: 108000 tokens from the input messages and 32000 tokens for the completion.",
      { limit: 131072, used: 108000 },
    ],
    [
      "This endpoint's maximum context length is 131072 tokens. However, you requested about 138956 tokens (7884 of text " +
      "input, 131072 in the output).",
      { limit: 131072, total: 138956 },
    ],
    ["request (41533 tokens) exceeds the available context size (32768 tokens), try increasing it", {
      limit: 32768,
      used: 41533,
    }],
    [
      "Trying to keep the first 9000 tokens when context the overflows. However, the model is loaded with context " +
      "length of only 4096 tokens, which is not enough.",
      { limit: 4096, used: 9000 },
    ],
    ["The number of tokens to keep is greater than the context length (n_keep: 4166>= n_ctx: 4096).", {
      limit: 4096,
      used: 4166,
    }],
    ["The sum of prompt length (9351.0), query length (0) should not exceed max_num_tokens (8192)", {
      limit: 8192,
      used: 9351,
    }],
    ["Prompt length (5056) exceeds maximum sequence length (2048)", { limit: 2048, used: 5056 }],
    ["`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and 10 `max_new_tokens`", {
      limit: 4096,
      used: 5000,
    }],
    ["prompt is too long: 200,001 tokens > 200,000 maximum", { limit: 200000, used: 200001 }],
    ["input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000, decrease input length", {
      limit: 200000,
      used: 190000,
    }],
    [
      "Request too large for model `llama-3.3-70b-versatile` in organization `org_1` service tier `on_demand` on tokens " +
      "per minute (TPM): Limit 12000, Requested 14137, please reduce your message size and try again.",
      { limit: 12000, total: 14137 },
    ],
    ["Request too large for gpt-5 in organization org-1 on tokens per min (TPM): Limit 30000, Requested 36741. The", {
      limit: 30000,
      total: 36741,
    }],
    ["The prompt is too long: 150000, model maximum context length: 131071", { limit: 131071 }],
    ["Please reduce the length of the messages or completion. Current length is 42328 while limit is 40000", {
      limit: 40000,
      total: 42328,
    }],
    ["Your request exceeded model token limit: 131072 (requested: 140000)", { limit: 131072, total: 140000 }],
    ["Your request exceeded model token limit: 131072", { limit: 131072 }],
    ["This model's maximum prompt length is 131072 but the request contains 136973 tokens.", {
      limit: 131072,
      used: 136973,
    }],
    ["The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).", {
      limit: 1048576,
      used: 1200293,
    }],
    ["max_tokens must be at least 1, got -9000", {}],
    // The output
    ["max_tokens must be less than or equal to 8192", { cap: 8192 }],
    [
      "`max_tokens` must be less than or equal to `32768`, the maximum value for `max_tokens` is less than the context",
      {
        cap: 32768,
      },
    ],
    ["body.max_completion_tokens: Input should be less than or equal to 4096", { cap: 4096 }],
    ["max_tokens should be <= 16,384", { cap: 16384 }],
    ["max_tokens is too large: 32000. This model supports at most 16384 completion tokens", { cap: 16384 }],
    ["max_completion_tokens must not exceed 8192.", { cap: 8192 }],
    ["max_tokens (32000) cannot exceed 8192", { cap: 8192 }],
    ["The maximum value of max_tokens is 8192", { cap: 8192 }],
    ["max_tokens is 32000 but the maximum for this model is 8192", { cap: 8192 }],
    ["max_tokens 32000 exceeds the maximum of 8_192", { cap: 8192 }],
    ["The maximum number of output tokens for this model is 65536", { cap: 65536 }],
    ["Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", { cap: 8192 }],
    ["max_tokens: 64000 > 8192, which is the maximum allowed number of output tokens", { cap: 8192 }],
    ["temperature must be less than or equal to 2", {}],
    // Fields
    ["Validation: Unsupported parameter(s): `prompt_cache_key`", { fields: ["prompt_cache_key"] }],
    ["Validation: Unsupported parameter(s): `a`, `b`", { fields: ["a", "b"] }],
    ["Validation: Unsupported parameter(s): reasoning_budget, thinking. See the docs", {
      fields: ["reasoning_budget", "thinking"],
    }],
    ["Unsupported parameter: 'top_k' is not supported with this model. Use 'max_completion_tokens' instead.", {
      fields: ["top_k"],
    }],
    ["No endpoints found that support the provided 'tool_choice' value.", { fields: ["tool_choice"] }],
    ["Unrecognized request argument supplied: tool_stream", { fields: ["tool_stream"] }],
    ['json: unknown field "client_metadata"', { fields: ["client_metadata"] }],
    ["body.x: Extra inputs are not permitted; body.y.z: Extra inputs are not permitted", { fields: ["x", "y.z"] }],
    ["1 validation error for Request thinking Extra inputs are not permitted [type=extra_forbidden]", {
      fields: ["thinking"],
    }],
    ["#/stream_options: Extra inputs are not permitted", { fields: ["stream_options"] }],
    ["`top_p` is immutable for this model and must be 0.95, got 1", { fields: ["top_p"] }],
    ["`temperature` is immutable for this model and must be 1.0, got 0.2", { fields: ["temperature"] }],
    ["chat_template is not supported for Mistral tokenizers.", { fields: ["chat_template", "chat_template_kwargs"] }],
    ["stream_options is not supported", { fields: ["stream_options"] }],
    ["property 'chat_template_kwargs' is unsupported, did you mean 'temperature'?", {
      fields: ["chat_template_kwargs"],
    }],
    [
      "'messages.2' : for 'role:assistant' the following must be satisfied[('messages.2' : property 'reasoning_content' " +
      "is unsupported)]",
      { fields: ["reasoning_content"] },
    ],
    ["a.b: property 'a.b' is unsupported c: property 'c' is unsupported", { fields: ["a.b", "c"] }],
    ["Extra inputs are not permitted, field: 'store', value: False", { fields: ["store"] }],
    ["Extra inputs are not permitted, field: 'messages[2].reasoning_content', value: 'Hm'", {
      fields: ["messages", "2", "reasoning_content"],
    }],
    ['Invalid JSON payload received. Unknown name "top_k": Cannot find field. Unknown name "a": Cannot find field.', {
      fields: ["top_k", "a"],
    }],
    [
      "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported.",
      { fields: ["temperature"] },
    ],
    ["Extra parameters ['stream_options'] are not allowed when extra-parameters is not set", {
      fields: ["stream_options"],
    }],
    ["Unsupported tool_choice: type='function' function=Choice(name='a'). Expected 'auto'", {
      fields: ["tool_choice"],
    }],
    ['"llama3" does not support thinking', { fields: ["reasoning_effort"] }],
    ['think value "medium" is not supported for this model', { fields: ["medium", "reasoning_effort"] }],
    ["Reasoning is mandatory for this endpoint and cannot be disabled.", { fields: ["reasoning"] }],
    ["Model grok-4 does not support parameter stop.", { fields: ["stop"] }],
    ["Argument not supported on this model: stop", { fields: ["stop"] }],
    ["invalid thinking: only type=enabled is allowed for this model", { fields: ["thinking"] }],
    ["Image input is not supported by this model", {}],
    ["Unknown field in your request", {}],
    ['Unknown field: ""', {}],
    // Nothing
    ["", {}],
    ["DEGRADED function cannot be invoked", {}],
    ["ResourceExhausted: Worker local total request limit reached (16/16)", {}],
    [`${context}0 tokens`, {}],
    [`${context}${"9".repeat(400)} tokens`, {}],
    [`${"x".repeat(1000)}${context}8 tokens`, {}],
  ];
  for (const [text, limits] of rows) {
    test(text.slice(0, 120) || "nothing", () => assert.deepEqual(parseLimits(text), limits));
  }
});

describe("parseLimits() finds nothing it cannot name in 1 MB of", () => {
  for (const part of ["a", "9", "9,", "_", "`", "max_tokens ", "maximum ", "unknown field: a, ", "a_a ", " "]) {
    test(`'${part}'`, () => {
      const limits = parseLimits(part.repeat(1_000_000 / part.length));
      assert.ok(Object.values(limits).every((value) => value !== undefined));
    });
  }
});
