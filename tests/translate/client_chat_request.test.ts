import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { toModel } from "../../lib/models/roster.ts";
import { toMessagesRequest } from "../../lib/translate/client_chat_request.ts";
import { toChatRequest } from "../../lib/translate/request.ts";
import type { JsonObject } from "../../lib/wire/anthropic.ts";
import { type ClientChatMessage, parseClientChatRequest } from "../../lib/wire/client_chat_request.ts";
import { parseMessagesRequest } from "../../lib/wire/messages_request.ts";

const USER = { role: "user", content: "Hi" };
const text = (text: string) => ({ type: "text", text });

/** The Messages request for a chat request, which must be legal itself. */
function translate(fields: JsonObject = {}) {
  const { request, warnings } = toMessagesRequest(parseClientChatRequest({ model: "m", messages: [USER], ...fields }));
  return { ...parseMessagesRequest(request), warnings };
}

describe("the messages of a chat request:", () => {
  const called = (args: unknown) => ({
    role: "assistant",
    tool_calls: [{ id: "1", function: { name: "f", arguments: args } }],
  });
  const use = (input: object) => ({ role: "assistant", content: [{ type: "tool_use", id: "1", name: "f", input }] });
  const rows: [what: string, messages: object[], expected: object[], system?: object[]][] = [
    [
      "instructions at the head are the system prompt",
      [
        { role: "system", content: "A" },
        { role: "developer", content: [text("B"), text("C")] },
        USER,
      ],
      [{ role: "user", content: [text("Hi")] }],
      [text("A"), text("B"), text("C")],
    ],
    ["instructions further on stay where they are", [USER, { role: "developer", content: "A" }], [
      { role: "user", content: [text("Hi")] },
      { role: "system", content: [text("A")] },
    ]],
    ["instructions alone are said, since something must be", [{ role: "system", content: "A" }], [
      { role: "system", content: [text("A")] },
    ]],
    ["images come as bytes or as an address", [{
      role: "user",
      content: [
        { type: "image_url", image_url: { url: "data:image/png;base64,iVBO", detail: "low" } },
        { type: "image_url", image_url: { url: "https://x/y.png" } },
      ],
    }], [{
      role: "user",
      content: [
        { type: "image", source: { type: "base64", media_type: "image/png", data: "iVBO" } },
        { type: "image", source: { type: "url", url: "https://x/y.png" } },
      ],
    }]],
    ["files are documents", [{
      role: "user",
      content: [{ type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,JVBE" } }],
    }], [{
      role: "user",
      content: [{
        type: "document",
        title: "a.pdf",
        source: { type: "base64", media_type: "application/pdf", data: "JVBE" },
      }],
    }]],
    ["a file that is somewhere else is a document without data", [{
      role: "user",
      content: [{ type: "file", file: { file_id: "file-1", filename: null, file_data: null } }],
    }], [{ role: "user", content: [{ type: "document", title: null, source: { type: "file" } }] }]],
    ["an empty text is left out", [USER, { role: "assistant", content: "" }, USER], [
      { role: "user", content: [text("Hi")] },
      { role: "assistant", content: [] },
      { role: "user", content: [text("Hi")] },
    ]],
    ["reasoning is thinking", [{ role: "assistant", reasoning_content: "Hm", content: "Yes" }], [
      { role: "assistant", content: [{ type: "thinking", thinking: "Hm", signature: "unsigned" }, text("Yes")] },
    ]],
    ["a call has its arguments", [called('{"a":1}')], [use({ a: 1 })]],
    ["a call without arguments has none", [called("")], [use({})]],
    ["arguments may come as an object", [called({ a: 1 })], [use({ a: 1 })]],
    ["arguments that cannot be read are kept as they are", [called('{"a')], [
      use({ __unparsedToolInput: { raw: '{"a', len: 3 } }),
    ]],
    ["the results of one turn are one message, what is said next another", [
      { role: "tool", tool_call_id: "1", content: "A" },
      { role: "tool", tool_call_id: "2", content: [text("B")] },
      USER,
      { role: "tool", tool_call_id: "3" },
    ], [
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "1", content: [text("A")] },
          { type: "tool_result", tool_use_id: "2", content: [text("B")] },
        ],
      },
      { role: "user", content: [text("Hi")] },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "3", content: [] }] },
    ]],
  ];
  for (const [what, messages, expected, system] of rows) {
    test(what, () => {
      const request = translate({ messages });
      assert.deepEqual([request.messages, request.system], [expected, system]);
    });
  }
});

describe("the fields of a chat request:", () => {
  const tools = [{ type: "function", function: { name: "f", strict: true } }];
  const schema = { type: "object", properties: { a: { type: "string" } } };
  const rows: [what: string, given: JsonObject, expected: JsonObject][] = [
    ["output tokens, if nothing is said", {}, { max_tokens: 32_000, stream: false }],
    ["max_tokens", { max_tokens: 9 }, { max_tokens: 9 }],
    ["max_completion_tokens goes first", { max_tokens: 9, max_completion_tokens: 8 }, { max_tokens: 8 }],
    ["sampling", { temperature: 0, top_p: 0.5 }, { temperature: 0, top_p: 0.5 }],
    ["one stop", { stop: "END" }, { stop_sequences: ["END"] }],
    ["several stops", { stop: ["A", "B"] }, { stop_sequences: ["A", "B"] }],
    ["stream", { stream: true }, { stream: true }],
    ["a tool without parameters", { tools }, {
      tools: [{ name: "f", input_schema: { type: "object", properties: {} } }],
      tool_choice: undefined,
    }],
    ["a described tool", { tools: [{ function: { name: "f", description: "F", parameters: schema } }] }, {
      tools: [{ name: "f", description: "F", input_schema: schema }],
    }],
    ["tool_choice auto", { tools, tool_choice: "auto" }, { tool_choice: { type: "auto" } }],
    ["tool_choice none", { tools, tool_choice: "none" }, { tool_choice: { type: "none" } }],
    ["tool_choice required", { tools, tool_choice: "required" }, { tool_choice: { type: "any" } }],
    ["tool_choice by name", { tools, tool_choice: { type: "function", function: { name: "f" } } }, {
      tool_choice: { type: "tool", name: "f" },
    }],
    ["one call at a time", { tools, parallel_tool_calls: false }, {
      tool_choice: { type: "auto", disable_parallel_tool_use: true },
    }],
    ["a choice without tools", { tool_choice: "auto", parallel_tool_calls: true }, { tool_choice: undefined }],
    ["no effort", {}, { thinking: undefined, output_config: undefined }],
    ["the effort none", { reasoning_effort: "none" }, { thinking: undefined, output_config: undefined }],
    ["the effort minimal", { reasoning_effort: "minimal" }, {
      thinking: { type: "adaptive" },
      output_config: { effort: "low" },
    }],
    ["the effort high", { reasoning_effort: "high" }, {
      thinking: { type: "adaptive" },
      output_config: { effort: "high" },
    }],
    ["a schema", { response_format: { type: "json_schema", json_schema: { name: "x", schema, strict: true } } }, {
      output_config: { format: { type: "json_schema", schema } },
    }],
    ["a schema and an effort", {
      reasoning_effort: "low",
      response_format: { type: "json_schema", json_schema: { name: "x", schema } },
    }, { output_config: { effort: "low", format: { type: "json_schema", schema } } }],
    ["any object", { response_format: { type: "json_object" } }, {
      output_config: { format: { type: "json_schema", schema: { type: "object" } } },
    }],
    ["text", { response_format: { type: "text" } }, { output_config: undefined }],
    ["what is lost", { seed: 5, frequency_penalty: 0, logprobs: true }, {
      warnings: ["logprobs", "seed"].map((name) => `Cannot pass '${name}': Anthropic's format has no such field`),
    }],
  ];
  for (const [what, given, expected] of rows) {
    test(what, () => {
      const request = translate(given) as JsonObject;
      const told = Object.fromEntries(Object.keys(expected).map((name) => [name, request[name]]));
      assert.deepEqual(told, expected);
    });
  }
});

const WORD = fc.string({ minLength: 1, maxLength: 12, unit: "binary" }).filter((word) => word.trim() === word);
const NAME = fc.stringMatching(/^[\w-]{1,64}$/);
const CALL = fc.record({
  type: fc.constant("function" as const),
  id: fc.uuid(),
  function: fc.record({
    name: NAME,
    arguments: fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.stringify(value)),
  }),
});

/** A turn: what is asked, some rounds of calls with their results, and an answer. */
const TURN = fc.record({
  asked: WORD,
  rounds: fc.array(
    fc.record({ content: fc.option(WORD), calls: fc.array(CALL, { minLength: 1, maxLength: 3 }), result: WORD }),
  ),
  answer: WORD,
}).map(({ asked, rounds, answer }): ClientChatMessage[] => [
  { role: "user", content: asked },
  ...rounds.flatMap(({ content, calls, result }): ClientChatMessage[] => [
    { role: "assistant", content, tool_calls: calls },
    ...calls.map(({ id }) => ({ role: "tool" as const, tool_call_id: id, content: result })),
  ]),
  { role: "assistant", content: answer },
]);

test("a conversation goes to a model as the client wrote it: texts, and names, ids and arguments of calls", () => {
  const options = { model: "test/model", traits: toModel("test/model") };
  const property = fc.property(WORD, fc.array(TURN, { minLength: 1, maxLength: 3 }), NAME, (told, turns, name) => {
    const messages: ClientChatMessage[] = [{ role: "system", content: told }, ...turns.flat()];
    const tools = [{ type: "function", function: { name, parameters: { type: "object", properties: {} } } }];
    const asked = {
      model: "gpt-4o",
      messages,
      tools,
      tool_choice: "required",
      max_tokens: 9,
      stop: ["END"],
      top_p: 0.5,
    };
    const { request } = toMessagesRequest(parseClientChatRequest(asked));
    const { request: sent, warnings } = toChatRequest(parseMessagesRequest(request), options);
    assert.deepEqual([sent, warnings], [structuredClone({ ...asked, model: "test/model" }), []]);
  });
  fc.assert(property, { seed: 20_261_120, numRuns: 200 });
});
