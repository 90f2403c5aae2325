import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ApiError } from "../../lib/wire/errors.ts";
import { parseMessagesRequest } from "../../lib/wire/messages_request.ts";

const GOOD = { model: "claude-x", max_tokens: 10, messages: [{ role: "user", content: "Hi" }] };
const user = (content: unknown) => ({ ...GOOD, messages: [{ role: "user", content }] });

describe("parseMessagesRequest() accepts", () => {
  const rows: [string, object][] = [
    ["the smallest request", GOOD],
    ["system messages anywhere, also last", {
      ...GOOD,
      messages: [...GOOD.messages, { role: "system", content: "x" }],
    }],
    ["fields and blocks it has never heard of", {
      ...user([{ type: "hologram", beam: 1 }]),
      safeguards: [],
      speed: {},
    }],
    ["a tool whose type is null", { ...GOOD, tools: [{ name: "a", type: null }] }],
    ["empty tools and a tool_choice", { ...GOOD, tools: [], tool_choice: { type: "auto" } }],
    ["a block type that is the name of an object's property", user([{ type: "constructor" }])],
  ];
  for (const [name, body] of rows) test(name, () => assert.deepEqual(parseMessagesRequest(body), body));

  test("null where a field may be absent, and takes it out", () => {
    const nulls = { system: null, tools: null, stream: null, temperature: null };
    assert.deepEqual(parseMessagesRequest({ ...GOOD, ...nulls }), GOOD);
  });

  test("counting without max_tokens", () => {
    assert.doesNotThrow(() => parseMessagesRequest({ ...GOOD, max_tokens: undefined }, false));
  });
});

describe("parseMessagesRequest() refuses", () => {
  for (const thread of [{ type: "create" }, { type: "continue", previous_message_id: "msg_1" }]) {
    test(`to ${thread.type} a thread, in the words on which Anthropic's libraries send all messages`, () => {
      const details = { error_code: "thread_unsupported_request", unsupported: ["thread"] };
      const message = "thread: Arbiter holds no conversations: send all messages";
      assert.throws(() => parseMessagesRequest({ ...GOOD, messages: [], thread }), (thrown: ApiError) => {
        assert.deepEqual(thrown.toJSON().error, { type: "invalid_request_error", message, details });
        return true;
      });
    });
  }

  const rows: [body: unknown, message: string][] = [
    [undefined, "body: Input should be an object"],
    [[], "body: Input should be an object"],
    ["x", "body: Input should be an object"],
    [{}, "model: Field required"],
    [{ ...GOOD, model: 5 }, "model: Input should be a string"],
    [{ ...GOOD, messages: undefined }, "messages: Field required"],
    [{ ...GOOD, messages: "Hi" }, "messages: Input should be a list"],
    [{ ...GOOD, messages: [] }, "messages: at least one message is required"],
    [{ ...GOOD, messages: [null] }, "messages.0: Input should be an object"],
    [
      { ...GOOD, messages: [{ role: "robot", content: "" }] },
      "messages.0.role: Input should be 'user', 'assistant' or 'system'",
    ],
    [user(5), "messages.0.content: Input should be a string or a list of blocks"],
    [user(undefined), "messages.0.content: Input should be a string or a list of blocks"],
    [user([5]), "messages.0.content.0: Block has no type"],
    [user([{ text: "x" }]), "messages.0.content.0: Block has no type"],
    [user([{ type: "text" }]), "messages.0.content.0.text: Field required"],
    [user([{ type: "text", text: {} }]), "messages.0.content.0.text: Input should be a string"],
    [user([{ type: "image" }]), "messages.0.content.0.source: Field required"],
    [
      user([{ type: "tool_use", id: "t", name: "Read", input: [] }]),
      "messages.0.content.0.input: Input should be an object",
    ],
    [user([{ type: "tool_result" }]), "messages.0.content.0.tool_use_id: Field required"],
    [
      user([{ type: "tool_result", tool_use_id: "t", content: [{ type: "text" }] }]),
      "messages.0.content.0.content.0.text: Field required",
    ],
    [{ ...GOOD, system: 5 }, "system: Input should be a string or a list of blocks"],
    [{ ...GOOD, tools: {} }, "tools: Input should be a list"],
    [{ ...GOOD, tools: [5] }, "tools.0: Input should be an object"],
    [{ ...GOOD, tools: [{ input_schema: {} }] }, "tools.0.name: Field required"],
    [{ ...GOOD, tools: [{ name: "a", type: 5 }] }, "tools.0.type: Input should be a string"],
    [{ ...GOOD, tools: [{ name: "a", input_schema: true }] }, "tools.0.input_schema: Input should be an object"],
    [{ ...GOOD, tool_choice: "auto" }, "tool_choice: Input should be an object"],
    [{ ...GOOD, tool_choice: {} }, "tool_choice.type: Field required"],
    [{ ...GOOD, tool_choice: { type: "tool", name: "Fly" } }, "tool_choice.name: Tool 'Fly' is not in tools"],
    [{ ...GOOD, output_format: { type: "json_schema", schema: 5 } }, "output_format.schema: Input should be an object"],
    [{ ...GOOD, stop_sequences: [1] }, "stop_sequences: Input should be a list of strings"],
    [{ ...GOOD, stream: "yes" }, "stream: Input should be true or false"],
    [{ ...GOOD, max_tokens: undefined }, "max_tokens: Field required"],
    [{ ...GOOD, max_tokens: 0 }, "max_tokens: Input should be a whole number of at least 1"],
    [{ ...GOOD, max_tokens: 1.5 }, "max_tokens: Input should be a whole number of at least 1"],
    [{ ...GOOD, max_tokens: "10" }, "max_tokens: Input should be a whole number of at least 1"],
  ];
  for (const [body, message] of rows) {
    test(message, () => {
      const error = { name: "ApiError", type: "invalid_request_error", status: 400, message };
      assert.throws(() => parseMessagesRequest(body), error);
    });
  }
});
