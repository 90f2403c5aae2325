/** What fuzzing has found: each was a crash, a request that hosts refuse, or an answer that clients cannot read. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createArbiter } from "../../lib/arbiter.ts";
import { ChunkTranslator } from "../../lib/stream/chunk_translator.ts";
import { estimateRequestTokens } from "../../lib/tokens/request_tokens.ts";
import { toMessagesRequest } from "../../lib/translate/client_chat_request.ts";
import { toPassedRequest } from "../../lib/translate/passed_request.ts";
import { toChatRequest } from "../../lib/translate/request.ts";
import { ChatReader, readAnswer } from "../../lib/upstream/answer_reader.ts";
import { parseClientChatRequest } from "../../lib/wire/client_chat_request.ts";
import { toJsonText } from "../../lib/wire/json.ts";
import { parseMessagesRequest } from "../../lib/wire/messages_request.ts";
import type { ChatChunk, ChatRequest } from "../../lib/wire/openai.ts";
import { call, calls, chunk, finish, summarize, translate } from "../support/answers.ts";
import { assertValidUpstreamRequest } from "./upstream_request.ts";

const HI = { role: "user", content: "Hi" };
const USE = { type: "tool_use", id: "t", name: "f", input: {} };
/** An object that cannot become a text. */
const STRANGE = { toString: 1, valueOf: 2 };

function toHost(fields: object): ChatRequest {
  const request = parseMessagesRequest({ model: "m", max_tokens: 9, messages: [HI], ...fields });
  assert.ok(estimateRequestTokens(request) > 0);
  return assertValidUpstreamRequest(toJsonText(toChatRequest(request, { model: "moonshotai/kimi-k2.6" }).request));
}

function chatToHost(fields: object): ChatRequest {
  const { request } = toMessagesRequest(parseClientChatRequest({ model: "m", messages: [HI], ...fields }));
  return assertValidUpstreamRequest(toJsonText(toChatRequest(request, { model: "test/model" }).request));
}

describe("a Messages request is refused in words that tell where it is wrong:", () => {
  const rows: [fields: object, message: string][] = [
    [
      { messages: [{ role: STRANGE, content: "Hi" }] },
      "messages.0.role: Input should be 'user', 'assistant' or 'system'",
    ],
    [{ messages: [{ role: "user", content: "" }] }, "messages: All of them are empty"],
    [
      { messages: [{ role: "user", content: [{ type: "document", source: { type: "content", content: [null] } }] }] },
      "messages.0.content.0.source.content.0: Block has no type",
    ],
    [
      { messages: [{ role: "user", content: [{ type: "image", source: { type: "base64", data: 5 } }] }] },
      "messages.0.content.0.source.data: Input should be a string",
    ],
    [{ output_config: { effort: STRANGE } }, "output_config.effort: Input should be a string"],
    [
      { output_config: { format: { type: "json_schema", schema: [] } } },
      "output_config.format.schema: Input should be an object",
    ],
    [{ max_tokens: 1e308 }, "max_tokens: Input should be a whole number of at least 1"],
    [{ temperature: -1 }, "temperature: Input should be a number from 0 to 2"],
    [{ top_p: 1e9 }, "top_p: Input should be a number from 0 to 1"],
    [{ tool_choice: { type: "tool" } }, "tool_choice.name: Field required"],
  ];
  for (const [fields, message] of rows) {
    test(message, () => assert.throws(() => toHost(fields), { status: 400, message }));
  }
});

describe("a chat completion request is refused in words that tell where it is wrong:", () => {
  const rows: [fields: object, message: string][] = [
    [{ messages: [] }, "messages: at least one message is required"],
    [{ max_tokens: 0 }, "max_tokens: Input should be a whole number of at least 1"],
    [
      { response_format: { type: "json_schema", json_schema: { schema: [] } } },
      "response_format.json_schema.schema: Input should be an object",
    ],
    [{ tool_choice: { function: { name: "f" } } }, "tool_choice.function.name: Tool 'f' is not in tools"],
  ];
  for (const [fields, message] of rows) {
    test(message, () => assert.throws(() => chatToHost(fields), { status: 400, message }));
  }
});

describe("a host gets a valid request", () => {
  const tools = [{ name: "f", input_schema: {} }, { name: "web", type: "web_search_20250305" }];
  const offered = [{ function: { name: "f" } }];

  test("where fields are null", () => {
    const { tools, messages } = toHost({ tools: null, system: null, tool_choice: null, stop_sequences: null });
    assert.deepEqual([tools, messages], [undefined, [HI]]);
  });

  test("where a tool must be called that cannot be offered", () => {
    assert.equal(toHost({ tools, tool_choice: { type: "tool", name: "web" } }).tool_choice, "auto");
  });

  test("where a choice is called like a property that every object has", () => {
    assert.equal(toHost({ tools, tool_choice: { type: "constructor" } }).tool_choice, "auto");
    assert.equal(chatToHost({ tools: offered, tool_choice: "constructor" }).tool_choice, "auto");
  });

  test("where a stop sequence is empty", () => {
    assert.deepEqual(toHost({ stop_sequences: ["", "x"] }).stop, ["x"]);
    assert.equal(chatToHost({ stop: "" }).stop, undefined);
  });

  test("where a turn of the client's is empty", () => {
    const messages = [HI, { role: "assistant", content: "a" }, { role: "user", content: "" }, {
      role: "assistant",
      content: "b",
    }];
    assert.deepEqual(toHost({ messages }).messages.slice(1), [{ role: "assistant", content: "a\n\nb" }]);
  });

  test("where calls of one turn have the same id, or none", () => {
    const { messages } = toChatRequest(
      parseMessagesRequest({
        model: "m",
        max_tokens: 9,
        messages: [{ role: "assistant", content: [USE, USE, { ...USE, id: "" }] }, HI],
      }),
      { model: "test/model" },
    ).request;
    const ids = messages.flatMap((message) =>
      message.role === "assistant" ? message.tool_calls?.map(({ id }) => id) : []
    );
    assert.deepEqual(ids, ["t", "t_2", "call"]);
  });

  test("where arguments of a call are no text", () => {
    const messages = [HI, {
      role: "assistant",
      tool_calls: [{ id: "c", function: { name: "f", arguments: [STRANGE] } }],
    }];
    const [, message] = chatToHost({ messages }).messages;
    assert.ok(message?.role === "assistant" && message.tool_calls);
    assert.match(message.tool_calls[0]!.function.arguments, /toString/);
  });

  test("where an image has no data", () => {
    const { messages } = toHost({
      messages: [{ role: "user", content: [{ type: "image", source: { type: "base64" } }] }],
    });
    assert.match(String(messages[0]?.content), /An image stood here/);
  });

  test("where thinking of an unknown kind has something else in it", () => {
    const content = [{ type: "redacted_thinking", thinking: 5 }, { type: "text", text: "a" }];
    assert.equal(toHost({ messages: [{ role: "assistant", content }, HI] }).messages[0]?.content, "a");
  });

  test("where a budget for thinking is no number, which a host of Anthropic's format refuses itself", () => {
    const thinking = { type: "enabled", budget_tokens: STRANGE };
    const request = parseMessagesRequest({ model: "m", max_tokens: 9, messages: [HI], thinking });
    assert.equal(toPassedRequest(request, { model: "m" }).request.thinking, thinking);
  });

  test("where a character is cut in half, which strict parsers refuse", () => {
    const [message] = toHost({ messages: [{ role: "user", content: "a\ud83d \\ud83d \ude00 😀" }] }).messages;
    assert.equal(message?.content, "a\ufffd \\ud83d \ufffd 😀");
  });

  test("where it is cut in half in what a call was given", () => {
    const content = [{ type: "tool_use", id: "t", name: "Read", input: { path: "a\ud83d" } }];
    const [, message] = toHost({ messages: [HI, { role: "assistant", content }] }).messages;
    assert.equal(message?.role === "assistant" && message.tool_calls?.[0]?.function.arguments, '{"path":"a\\ufffd"}');
  });
});

describe("an answer is one error and not nonsense", () => {
  const READ = (args: string, index = 0) => calls(call(index, `c${index}`, "Read", args));

  test("where a call follows one that broke off", () => {
    const chunks = [READ('{"path":"a'), READ('{"path":"b"}', 1), finish("tool_calls")];
    assert.throws(() => translate(chunks), { kind: "cut" });
  });

  test("where text follows a call that broke off", () => {
    assert.throws(() => translate([READ('{"path":"a'), chunk({ content: "So." }), finish()]), { kind: "cut" });
  });

  test("where arguments are lost after a part of them has left", () => {
    assert.throws(() => translate([READ('{"path":"a}{"dir":"b","deep":true}'), finish("tool_calls")]), {
      kind: "degenerate",
    });
  });

  test("where its chunks have an unknown form", () => {
    const reader = new ChatReader(new ChunkTranslator(), { model: "m", backend: { baseUrl: "http://b/v1" } });
    const odd = JSON.stringify(calls(call(0, "c", STRANGE as never, "{}")));
    assert.throws(() => readAnswer(() => reader.feed([odd])), { kind: "broken", message: /unknown form/ });
  });
});

describe("an answer is read", () => {
  test("where arguments are a list with objects in it", () => {
    const [made] = summarize(
      translate([calls(call(0, "c", "Read", '[{"path":')), calls(call(0, null, null, '"a"}] x')), finish()]),
    );
    assert.ok(JSON.parse(made!.slice("Read".length)));
  });

  test("where fields for text have something else in them", () => {
    const chunks = [{ reasoning_content: STRANGE, reasoning: "Hm." }, { content: 5, refusal: 6 }, {
      content: [{ text: 7 }],
    }];
    const all = [
      ...chunks.map((delta) => ({ choices: [{ delta }] }) as unknown as ChatChunk),
      chunk({ content: "Hi" }),
      finish(),
    ];
    assert.deepEqual(summarize(translate(all)), ["thinking:Hm.", "text:Hi", "(end_turn)"]);
  });
});

test("an answer is the same whether blanks behind a text came with it or by themselves", () => {
  for (const texts of [["Yes.\n"], ["Yes.", "\n"]]) {
    const chunks = texts.map((content) => chunk({ content }));
    const events = translate([...chunks, chunk({ reasoning_content: "Hm." }), finish()]);
    assert.deepEqual(summarize(events), ["text:Yes.\n", "thinking:Hm.", "(end_turn)"]);
  }
});

/** Requests that nest 30,000 levels deep, by where they do. */
const DEEP: Record<string, string> = {
  content: `[${'{"type":"tool_result","tool_use_id":"a","content":['.repeat(30_000)}${"]}".repeat(30_000)}]`,
  tools: `"Hi"}],"tools":[{"name":"f","input_schema":${'{"properties":'.repeat(30_000)}{}${"}".repeat(30_000)}`,
};

for (const [where, content] of Object.entries(DEEP)) {
  for (const path of ["messages", "messages/count_tokens"]) {
    test(`a request that nests too deeply in its ${where} is the client's fault, not the host's: ${path}`, async () => {
      let asked = 0;
      const fetch = () => Promise.reject(new TypeError(`${++asked}`));
      const arbiter = createArbiter({ apiKey: "k", fetch, baseUrl: "http://host/v1" });
      const body = `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":${content}}]}`;
      const response = await arbiter.fetch(new Request(`http://localhost/v1/${path}`, { method: "POST", body }));
      const { error } = await response.json();
      assert.equal(response.status, 400);
      assert.match(error.message, /nested more than 500 deep/);
      assert.equal(asked, 0);
    });
  }
}
