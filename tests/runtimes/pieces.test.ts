/** The pieces by themselves, as a program may use them without the proxy. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as arbiter from "../../mod.ts";

const LONG = `mcp__${"server_".repeat(10)}_look`;
const ASKED: arbiter.MessagesRequest = {
  model: "any",
  max_tokens: 100,
  stream: true,
  messages: [{ role: "user", content: "Look." }],
  tools: [{ name: LONG, input_schema: { type: "object", properties: { lines: { type: "number" } } } }],
};

test("a request and its stream are translated, and tools have their own names and types again", async () => {
  const model = "moonshotai/kimi-k2.6";
  const { request, warnings } = arbiter.toChatRequest(ASKED, { model });
  const [name = ""] = request.tools?.map((tool) => tool.function.name) ?? [];
  assert.ok(name.length <= 64);
  assert.deepEqual(warnings, []);
  const calls = [{ name, arguments: '{"lines": "3"}' }];
  const standIn = arbiter.createStandIn({ models: { [model]: () => ({ steps: [{ text: "So." }, { calls }] }) } });
  const init = { method: "POST", body: JSON.stringify(request) };
  const { body } = await standIn.fetch("http://stand-in/v1/chat/completions", init);
  assert.ok(body);
  const decoder = new arbiter.SseDecoder();
  const tools = arbiter.toDeclaredTools(ASKED.tools);
  const translator = new arbiter.ChunkTranslator({ model, tools });
  const events: arbiter.MessageStreamEvent[] = [];
  const feed = (found: string[]) => {
    const chunks = found.filter((data) => data !== "[DONE]").map((data) => JSON.parse(data));
    events.push(...translator.feed(chunks));
  };
  for await (const bytes of body) feed(decoder.feed(bytes));
  feed(decoder.flush());
  events.push(...translator.flush());
  const { message } = arbiter.toMessageStart(arbiter.randomId("msg_"), "any", arbiter.estimateRequestTokens(ASKED));
  const { content, stop_reason } = arbiter.toMessage(events, message);
  const [text, call] = content;
  assert.deepEqual(text, { type: "text", text: "So." });
  assert.deepEqual(call && { ...call, id: "" }, { type: "tool_use", id: "", name: LONG, input: { lines: 3 } });
  assert.equal(stop_reason, "tool_use");
});

test("what a model leaks is told apart as it comes", () => {
  const tools = arbiter.toDeclaredTools([{ name: "Read" }]);
  const sanitiser = arbiter.createSanitiser("moonshotai/kimi-k2.6", tools);
  const leaked = "<|tool_calls_section_begin|><|tool_call_begin|>functions.Read:0<|tool_call_argument_begin|>" +
    '{"file_path":"a"}<|tool_call_end|><|tool_calls_section_end|>';
  const found = [...`Let me look.${leaked}`].flatMap((char) => sanitiser.feed(char)).concat(sanitiser.flush());
  assert.equal(found.map((one) => one.kind === "call" ? "" : one.text).join(""), "Let me look.");
  const [call] = found.filter(({ kind }) => kind === "call");
  assert.deepEqual(call, { kind: "call", name: "Read", arguments: '{"file_path":"a"}' });
});

test("a task and a number of tokens are told of a text alone", () => {
  const verdict = arbiter.classifyTask({ messages: [{ role: "user", content: "what is a monad?" }] });
  assert.deepEqual([verdict.task, verdict.tier], ["fast", "speed"]);
  assert.equal(arbiter.estimateTokens("hello world"), 2);
});
