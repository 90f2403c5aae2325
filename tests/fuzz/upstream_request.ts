/** What a strict host takes, told independently of the code: a JSON Schema, and rules about the order of messages. */
import assert from "node:assert/strict";
import type { ChatMessage, ChatRequest } from "../../lib/wire/openai.ts";

/** Ajv has types for CommonJS that not every runtime's checker finds. */
type Validate = ((value: unknown) => boolean) & { errors?: unknown };
const AJV: string = "ajv/dist/2020.js";
type AjvModule = { default: (new (options: object) => { compile(schema: object): Validate }) & { default?: never } };
const { default: Module }: AjvModule = await import(AJV);
/** The validator. */
export const Ajv = Module.default ?? Module;

const text = { type: "string", minLength: 1 };
const named = {
  type: "object",
  required: ["type", "function"],
  additionalProperties: false,
  properties: {
    type: { const: "function" },
    function: {
      type: "object",
      required: ["name"],
      additionalProperties: false,
      properties: { name: { type: "string", pattern: "^[A-Za-z0-9_-]{1,64}$" } },
    },
  },
};
const part = {
  oneOf: [
    {
      type: "object",
      required: ["type", "text"],
      additionalProperties: false,
      properties: { type: { const: "text" }, text },
    },
    {
      type: "object",
      required: ["type", "image_url"],
      additionalProperties: false,
      properties: {
        type: { const: "image_url" },
        image_url: {
          type: "object",
          required: ["url"],
          additionalProperties: false,
          properties: { url: { type: "string", pattern: "^(data:image/[\\w.+-]+;base64,[\\w+/]|https?://\\S)" } },
        },
      },
    },
  ],
};
const call = {
  type: "object",
  required: ["id", "type", "function"],
  additionalProperties: false,
  properties: {
    id: text,
    type: { const: "function" },
    function: {
      type: "object",
      required: ["name", "arguments"],
      additionalProperties: false,
      properties: { name: named.properties.function.properties.name, arguments: { type: "string" } },
    },
  },
};

/** A message of a role, with exactly these fields. */
function message(role: string, properties: object, ...required: string[]): object {
  const all = { role: { const: role }, ...properties };
  return { type: "object", required: ["role", ...required], additionalProperties: false, properties: all };
}

const SCHEMA = {
  type: "object",
  required: ["model", "messages", "max_tokens"],
  additionalProperties: false,
  properties: {
    model: text,
    messages: {
      type: "array",
      minItems: 1,
      items: {
        oneOf: [
          message("system", { content: text }, "content"),
          message("user", { content: { oneOf: [text, { type: "array", minItems: 1, items: part }] } }, "content"),
          message("assistant", {
            content: { oneOf: [text, { type: "null" }] },
            reasoning_content: text,
            tool_calls: { type: "array", minItems: 1, items: call },
          }, "content"),
          message("tool", { tool_call_id: text, content: text }, "tool_call_id", "content"),
        ],
      },
    },
    max_tokens: { type: "integer", minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
    stream: { type: "boolean" },
    stream_options: { type: "object", additionalProperties: false, properties: { include_usage: { const: true } } },
    temperature: { type: "number", minimum: 0, maximum: 2 },
    top_p: { type: "number", minimum: 0, maximum: 1 },
    stop: { type: "array", minItems: 1, items: text },
    tools: {
      type: "array",
      minItems: 1,
      items: {
        type: "object",
        required: ["type", "function"],
        additionalProperties: false,
        properties: {
          type: { const: "function" },
          function: {
            type: "object",
            required: ["name", "parameters"],
            additionalProperties: false,
            properties: {
              name: named.properties.function.properties.name,
              description: text,
              parameters: { type: "object" },
            },
          },
        },
      },
    },
    tool_choice: { oneOf: [{ enum: ["auto", "none", "required"] }, named] },
    parallel_tool_calls: { const: false },
    response_format: {
      type: "object",
      required: ["type", "json_schema"],
      additionalProperties: false,
      properties: {
        type: { const: "json_schema" },
        json_schema: {
          type: "object",
          required: ["name", "schema", "strict"],
          additionalProperties: false,
          properties: { name: text, schema: { type: "object" }, strict: { const: true } },
        },
      },
    },
    chat_template_kwargs: { type: "object" },
    reasoning_effort: { enum: ["none", "low", "medium", "high", "max"] },
    thinking: { type: "object", properties: { type: { enum: ["enabled", "disabled"] } } },
  },
  dependentRequired: { stream_options: ["stream"], tool_choice: ["tools"], parallel_tool_calls: ["tools"] },
};

const validate = new Ajv({ strict: false }).compile(SCHEMA);

const toCalls = (message: ChatMessage | undefined) => message?.role === "assistant" ? message.tool_calls ?? [] : [];

/** Strict parsers refuse half of a character that takes two. */
function assertWholeCharacters(json: string): void {
  assert.doesNotMatch(json.replace(/\\\\/g, ""), /\\ud[89a-f]/i, "half a character");
}

/** Checks the order: a system message in front only, results behind their calls and in their order, sides in turn. */
function checkOrder({ model, messages }: ChatRequest): void {
  let waiting: string[] = [];
  let side = "";
  for (const [i, message] of messages.entries()) {
    const { role } = message;
    if (role === "system") assert.equal(i, 0, "a system message further on");
    if (role === "tool") assert.equal(message.tool_call_id, waiting.shift(), `messages.${i} is not the next result`);
    else assert.deepEqual(waiting, [], `calls without results before messages.${i}`);
    if (role !== "tool") assert.notEqual(role, side, `messages.${i}: ${role} twice in a row`);
    // As Mistral's tokenizers say, and Llama's template below.
    if (role === "user" && /mistral/.test(model)) assert.notEqual(side, "tool", `messages.${i}: user after tool`);
    side = role;
    const calls = toCalls(message);
    if (/llama/.test(model)) assert.ok(calls.length <= 1, `messages.${i}: more than one call at once`);
    waiting = calls.length > 0 ? calls.map(({ id }) => id) : waiting;
    assert.equal(new Set(waiting).size, waiting.length, `messages.${i}: two calls have one id`);
    if (role === "assistant") assert.ok(message.content !== null || calls.length > 0, `messages.${i} says nothing`);
    for (const { function: { arguments: json } } of calls) {
      assertWholeCharacters(json);
      const input = JSON.parse(json);
      assert.ok(typeof input === "object" && input && !Array.isArray(input), `arguments are no object: ${json}`);
    }
  }
  assert.deepEqual(waiting, [], "calls without results at the end");
  assert.ok(messages.some(({ role }) => role !== "system"), "nothing but a system message");
}

/** Checks the body of a request to a host, as the text that is sent. */
export function assertValidUpstreamRequest(json: string): ChatRequest {
  assertWholeCharacters(json);
  assert.ok(validate(JSON.parse(json)), JSON.stringify(validate.errors)?.slice(0, 600));
  const request: ChatRequest = JSON.parse(json);
  checkOrder(request);
  const names = request.tools?.map((tool) => tool.function.name);
  const { tool_choice: choice } = request;
  if (typeof choice === "object") {
    assert.ok(names?.includes(choice.function.name), "the tool that must be called is not there");
  }
  return request;
}
