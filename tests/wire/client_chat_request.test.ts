import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseClientChatRequest } from "../../lib/wire/client_chat_request.ts";

const GOOD = { model: "gpt-4o", messages: [{ role: "user", content: "Hi" }] };
const says = (message: unknown) => ({ ...GOOD, messages: [message] });
const user = (content: unknown) => says({ role: "user", content });
const call = (fields: object) => says({ role: "assistant", tool_calls: [fields] });

describe("parseClientChatRequest() accepts", () => {
  const rows: [string, object][] = [
    ["the smallest request", GOOD],
    ["fields it has never heard of", {
      ...GOOD,
      store: false,
      user: "me",
      messages: [{ ...GOOD.messages[0], name: "x" }],
    }],
    ["null where a field may be absent", { ...GOOD, max_tokens: null, stop: null, tools: null, stream: null, n: null }],
    ["each role", {
      ...GOOD,
      messages: [
        { role: "system", content: "a" },
        { role: "developer", content: [{ type: "text", text: "b" }] },
        { role: "user", content: "c" },
        { role: "assistant", content: null, tool_calls: [{ id: "1", function: { name: "f", arguments: "{}" } }] },
        { role: "tool", tool_call_id: "1", content: "d" },
      ],
    }],
    ["an assistant's message without anything", says({ role: "assistant" })],
    ["a tool that takes nothing", { ...GOOD, tools: [{ type: "function", function: { name: "now" } }] }],
  ];
  for (const [name, body] of rows) test(name, () => assert.equal(parseClientChatRequest(body), body));
});

describe("parseClientChatRequest() refuses", () => {
  const rows: [body: unknown, message: string][] = [
    [undefined, "body: Input should be an object"],
    [{}, "model: Field required"],
    [{ ...GOOD, messages: "Hi" }, "messages: Input should be a list"],
    [{ ...GOOD, stop: [5] }, "stop: Input should be a string or a list of strings"],
    [{ ...GOOD, max_completion_tokens: "9" }, "max_completion_tokens: Input should be a whole number of at least 1"],
    [{ ...GOOD, n: 2 }, "n: Input should be 1"],
    [{ ...GOOD, functions: [] }, "functions: Use tools instead"],
    [{ ...GOOD, tools: [{ type: "custom", custom: {} }] }, "tools.0.function: Field required"],
    [{ ...GOOD, tools: [{ type: "function", function: {} }] }, "tools.0.function.name: Field required"],
    [
      { ...GOOD, tools: [{ type: "function", function: { name: "f", parameters: "{}" } }] },
      "tools.0.function.parameters: Input should be an object",
    ],
    [{ ...GOOD, tool_choice: { type: "function" } }, "tool_choice.function: Field required"],
    [says(null), "messages.0: Input should be an object"],
    [says({ content: "Hi" }), "messages.0.role: Field required"],
    [
      says({ role: "function", content: "Hi" }),
      "messages.0.role: Input should be one of system, developer, user, assistant, tool",
    ],
    [user(undefined), "messages.0.content: Field required"],
    [user(5), "messages.0.content: Input should be a string or a list of parts"],
    [user([5]), "messages.0.content.0: Input should be an object"],
    [user([{ text: "x" }]), "messages.0.content.0.type: Field required"],
    [user([{ type: "text" }]), "messages.0.content.0.text: Field required"],
    [
      user([{ type: "input_audio", input_audio: {} }]),
      "messages.0.content.0.type: Input should be one of text, refusal, image_url, file",
    ],
    [user([{ type: "image_url", image_url: "http://x" }]), "messages.0.content.0.image_url: Input should be an object"],
    [user([{ type: "image_url", image_url: {} }]), "messages.0.content.0.image_url.url: Field required"],
    [call({ function: { name: "f" } }), "messages.0.tool_calls.0.id: Field required"],
    [call({ id: "1", function: {} }), "messages.0.tool_calls.0.function.name: Field required"],
    [says({ role: "tool", content: "" }), "messages.0.tool_call_id: Field required"],
  ];
  for (const [body, message] of rows) {
    test(message, () => {
      assert.throws(() => parseClientChatRequest(body), { type: "invalid_request_error", status: 400, message });
    });
  }
});
