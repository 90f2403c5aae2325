/**
 * What earlier proxies between the same two protocols get wrong, each a case to pass. All of it was seen in one or more
 * of them, with requests and an upstream like these.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type {
  ChatMessage,
  ChatRequest,
  ContentBlock,
  JsonObject,
  Message,
  MessageParam,
  MessagesRequest,
  ScriptedAnswer,
  Step,
  ToolCallDelta,
} from "../../mod.ts";
import { settle } from "../support/fake_clock.ts";
import { FAULTS } from "../support/faults.ts";
import { assertLegalStream, parseEvents, type StreamEvent } from "../support/grammar.ts";
import { CLAUDE_CODE, createRig, type Rig, serveBytes, toChunk, toRequest, toSse, until } from "./harness.ts";

type Fields = Partial<MessagesRequest> & JsonObject;

/** A block without what differs each time. */
type Bare = { text: string } | { thinking: string } | { tool: string; input: unknown };

const TOOLS = ["Read", "Bash", "Grep", "Write"].map((name) => ({
  name,
  input_schema: { type: "object", properties: { value: { type: "string" } } },
}));

function toBare(content: readonly ContentBlock[]): Bare[] {
  return content.map((block) => {
    if (block.type === "text") return { text: block.text };
    return block.type === "thinking" ? { thinking: block.thinking } : { tool: block.name, input: block.input };
  });
}

async function readEvents(rig: Rig, fields: Fields = {}): Promise<StreamEvent[]> {
  const response = await rig.arbiter.fetch(toRequest({ tools: TOOLS, ...fields, stream: true }));
  assert.equal(response.status, 200);
  return parseEvents(await response.text());
}

async function readMessage(rig: Rig, fields: Fields = {}): Promise<Message> {
  const response = await rig.arbiter.fetch(toRequest({ tools: TOOLS, ...fields }));
  assert.equal(response.status, 200);
  assert.match(String(response.headers.get("content-type")), /^application\/json/);
  return await response.json();
}

/** The upstream's answer as the chunks of a stream. */
function toAnswer(chunks: readonly unknown[]): Rig {
  return createRig({}, { fetch: serveBytes([...chunks.map(toSse), toSse("[DONE]")]) });
}

// Usage ------------------------------------------------------------------------------------------

const usage = { prompt_tokens: 1234, completion_tokens: 56, prompt_tokens_details: { cached_tokens: 1000 } };
const TOLD = {
  input_tokens: 234,
  output_tokens: 56,
  cache_read_input_tokens: 1000,
  cache_creation_input_tokens: 0,
};
const text = toChunk({ content: "Hello" });
const stop = toChunk({}, "stop");

/** Chunks of an answer, and the usage they tell. */
const USAGES: Record<string, unknown[]> = {
  "in a last chunk without choices": [text, stop, { choices: [], usage }],
  "in a last chunk without a list of choices": [text, stop, { usage }],
  "in the chunk with the finish reason": [text, { ...stop, usage }],
  "in every chunk, unasked": [
    { ...toChunk({ role: "assistant" }), usage: { prompt_tokens: 1234, completion_tokens: 0 } },
    { ...text, usage: { ...usage, completion_tokens: 30 } },
    { ...stop, usage },
  ],
  "in every chunk, null but in the last": [{ ...text, usage: null }, { ...stop, usage: null }, { choices: [], usage }],
  "in the middle, in a chunk without choices": [text, { choices: [], usage }, toChunk({ content: "!" }), stop],
};

for (const [where, chunks] of Object.entries(USAGES)) {
  test(`usage is exact when it comes ${where}`, async () => {
    const answer = assertLegalStream(await readEvents(toAnswer(chunks)));
    assert.deepEqual(answer.usage, TOLD);
    assert.equal(answer.stop_reason, "end_turn");
    assert.match(toBare(answer.content).map((block) => "text" in block && block.text).join(), /^Hello!?$/);
  });
}

test("usage of an answer that is not streamed is exact", async () => {
  const rig = createRig({ steps: [{ text: "Hello" }], usage });
  assert.deepEqual((await readMessage(rig)).usage, TOLD);
});

test("usage is asked for", async () => {
  const rig = createRig({ steps: [{ text: "Hello" }] });
  await readEvents(rig);
  await readMessage(rig);
  assert.deepEqual(rig.standIn.requests.map(({ stream_options }) => stream_options), [
    { include_usage: true },
    undefined,
  ]);
});

test("usage that nobody tells is estimated from the text, not invented", async () => {
  const sizes: { input_tokens: number; output_tokens: number }[] = [];
  for (const [system, length] of [["short", 40], ["word ".repeat(5_000), 40], ["short", 4_000]] as const) {
    const text = Array.from({ length: length / 8 }, (_, i) => `word${1000 + i}`).join("");
    const rig = createRig({ steps: [{ text }], usage: null });
    sizes.push(assertLegalStream(await readEvents(rig, { system, tools: [] })).usage);
  }
  const [small, longInput, longOutput] = sizes;
  assert.ok(small && longInput && longOutput);
  assert.ok(small.input_tokens > 0 && small.input_tokens < 100, JSON.stringify(sizes));
  assert.ok(longInput.input_tokens > 4_000 && longInput.input_tokens < 10_000, JSON.stringify(sizes));
  assert.ok(small.output_tokens > 2 && small.output_tokens < 40, JSON.stringify(sizes));
  assert.ok(longOutput.output_tokens > 400 && longOutput.output_tokens < 2_000, JSON.stringify(sizes));
});

// Tool calls -------------------------------------------------------------------------------------

const VALUES = ['say "hi" \\ \n', "漢字 🙂 é", "{not json}", "a".repeat(300)];
const CALLS = VALUES.map((value, i) => ({ name: TOOLS[i]?.name ?? "", text: JSON.stringify({ value }) }));
const CALLED: Bare[] = CALLS.map(({ name }, i) => ({ tool: name, input: { value: VALUES[i] } }));

function toHead(i: number, fields: object, args = ""): ToolCallDelta {
  return { ...fields, function: { name: CALLS[i]?.name, arguments: args } };
}

function toPieces(text: string, size: number): string[] {
  return text.match(new RegExp(`[^]{1,${size}}`, "g")) ?? [];
}

const heads = CALLS.map((_, index) => toHead(index, { index, id: `call_${index}`, type: "function" }));

/** The pieces of all calls, a round of one each at a time. */
function toRounds(size: number): ToolCallDelta[][] {
  const pieces = CALLS.map((call) => toPieces(call.text, size));
  const rounds = Math.max(...pieces.map(({ length }) => length));
  return Array.from({ length: rounds }, (_, round) =>
    pieces.flatMap((list, index) => {
      const piece = list[round];
      return piece === undefined ? [] : [{ index, function: { arguments: piece } }];
    }));
}

/** Four calls, in the shapes in which hosts send them. */
const SHAPES: Record<string, ToolCallDelta[][]> = {
  "whole, with an index": CALLS.map(({ text }, index) => [toHead(index, { index, id: `call_${index}` }, text)]),
  "whole, without an index": CALLS.map(({ text }, i) => [toHead(i, { id: `call_${i}` }, text)]),
  "whole, without an index, in one chunk": [CALLS.map(({ text }, i) => toHead(i, { id: `call_${i}` }, text))],
  "whole, without an index or an id": CALLS.map(({ text }, i) => [toHead(i, {}, text)]),
  "whole, each with index 0": CALLS.map(({ text }, i) => [toHead(i, { index: 0, id: `call_${i}` }, text)]),
  "whole, with an index of null": CALLS.map(({ text }, i) => [toHead(i, { index: null, id: `call_${i}` }, text)]),
  "in fragments of one character": CALLS.flatMap(({ text }, index) => [
    heads.slice(index, index + 1),
    ...toPieces(text, 1).map((piece) => [{ index, function: { arguments: piece } }]),
  ]),
  "in fragments that repeat id and name": CALLS.flatMap(({ text }, index) =>
    toPieces(text, 7).map((piece) => [toHead(index, { index, id: `call_${index}` }, piece)])
  ),
  "in fragments without an index": CALLS.flatMap(({ text }, i) => [
    [toHead(i, { id: `call_${i}` })],
    ...toPieces(text, 9).map((piece) => [{ function: { arguments: piece } }]),
  ]),
  "in fragments, interleaved": [heads, ...toRounds(3).flatMap((round) => round.map((delta) => [delta]))],
  "in fragments, interleaved, last call first": [
    [...heads].reverse(),
    ...toRounds(4).flatMap((round) => round.reverse().map((delta) => [delta])),
  ],
  "in fragments, interleaved, a round in each chunk": [heads, ...toRounds(5)],
  "in fragments, interleaved, told apart by id": [
    CALLS.map((_, i) => toHead(i, { id: `call_${i}` })),
    ...toRounds(6).map((round) => round.map(({ index, ...rest }) => ({ id: `call_${index}`, ...rest }))),
  ],
};

for (const [shape, deltas] of Object.entries(SHAPES)) {
  test(`four parallel calls come out whole and apart: ${shape}`, async () => {
    const rig = createRig({ steps: [{ text: "Now four." }, { deltas }] });
    const events = await readEvents(rig);
    const { content, stop_reason } = assertLegalStream(events);
    const [said, ...calls] = toBare(content);
    assert.deepEqual(said, { text: "Now four." });
    const byName = (a: Bare, b: Bare) => JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
    if (shape.includes("last call first")) assert.deepEqual(calls.sort(byName), [...CALLED].sort(byName));
    else assert.deepEqual(calls, CALLED);
    assert.equal(stop_reason, "tool_use");
  });
}

for (const finish of ["stop", "tool_calls", "function_call", "end_of_sequence"]) {
  test(`a call with the finish reason "${finish}" is a tool_use`, async () => {
    const steps: Step[] = [{ calls: [{ name: "Read", arguments: { value: "x" } }] }, { finish }];
    assert.equal(assertLegalStream(await readEvents(createRig({ steps }))).stop_reason, "tool_use");
    assert.equal((await readMessage(createRig({ steps }))).stop_reason, "tool_use");
  });
}

test('the finish reason "tool_calls" without a call is no tool_use', async () => {
  const steps: Step[] = [{ text: "Hello" }, { finish: "tool_calls" }];
  assert.equal(assertLegalStream(await readEvents(createRig({ steps }))).stop_reason, "end_turn");
});

test("a call without arguments has an empty object", async () => {
  for (const args of ["", "{}", "null"]) {
    const deltas = [[{ index: 0, id: "a", function: { name: "Read", arguments: args } }]];
    const { content } = assertLegalStream(await readEvents(createRig({ steps: [{ deltas }] })));
    assert.deepEqual(toBare(content), [{ tool: "Read", input: {} }]);
  }
});

test("an answer that is too long is max_tokens, also within a call", async () => {
  const said: Step[] = [{ text: "And then and then" }, { finish: "length" }];
  assert.equal(assertLegalStream(await readEvents(createRig({ steps: said }))).stop_reason, "max_tokens");
  assert.equal((await readMessage(createRig({ steps: said }))).stop_reason, "max_tokens");
  const called: Step[] = [
    { deltas: [[{ index: 0, id: "a", function: { name: "Bash", arguments: '{"command":"rm -rf /tmp/o' } }]] },
    { finish: "length" },
  ];
  const events = await readEvents(createRig({ steps: called }));
  assert.equal(assertLegalStream(events).stop_reason, "max_tokens");
  const json = events.map((event) =>
    event.type === "content_block_delta" && "partial_json" in event.delta &&
      event.delta.partial_json || ""
  ).join("");
  assert.throws(() => JSON.parse(json), "half a command was made whole");
});

test("the names of tools and the ids of calls are safe to send back", async () => {
  const long = `mcp__${"server".repeat(12)}__tool`;
  const tools = [...TOOLS, { name: long, input_schema: { type: "object" } }];
  const rig = createRig(({ tools: offered = [] }): ScriptedAnswer => {
    const name = offered.at(-1)?.function.name ?? "";
    assert.ok(name.length <= 64);
    return {
      steps: [{ calls: [{ name, arguments: {}, id: "same" }, { name: "Read", arguments: {}, id: "same-too" }] }],
    };
  });
  const ids = new Set<string>();
  for (let turn = 0; turn < 3; turn++) {
    const { content } = assertLegalStream(await readEvents(rig, { tools }));
    assert.deepEqual(toBare(content), [{ tool: long, input: {} }, { tool: "Read", input: {} }]);
    for (const block of content) if (block.type === "tool_use") ids.add(block.id);
  }
  assert.equal(ids.size, 6, "ids come back in a later turn");
});

// Blocks -----------------------------------------------------------------------------------------

/** Answers of one delta after the other, and the blocks they are. */
const BLOCKS: Record<string, [Step[], Bare[]]> = {
  "a call alone": [[{ calls: [{ name: "Read", arguments: {} }] }], [{ tool: "Read", input: {} }]],
  "reasoning in reasoning_content": [
    [{ reasoning: "Let me think." }, { text: "Done." }],
    [{ thinking: "Let me think." }, { text: "Done." }],
  ],
  "reasoning in reasoning": [
    [{ chunk: toChunk({ reasoning: "Let me " }) }, { chunk: toChunk({ reasoning: "think." }) }, { text: "Done." }],
    [{ thinking: "Let me think." }, { text: "Done." }],
  ],
  "reasoning told twice in each chunk": [
    [{ chunk: toChunk({ reasoning: "Let me think.", reasoning_content: "Let me think." }) }, { text: "Done." }],
    [{ thinking: "Let me think." }, { text: "Done." }],
  ],
  "reasoning between tags": [
    [{ text: "<think>\nLet me think.</think>\n\nDone.", size: 3 }],
    [{ thinking: "Let me think." }, { text: "Done." }],
  ],
  "tags that are a subject, not a tag": [
    [{ text: "Write <think> and </think> around it.", size: 3 }],
    [{ text: "Write <think> and </think> around it." }],
  ],
  "reasoning, text, call, text, reasoning": [
    [
      { reasoning: "First." },
      { text: "I look." },
      { calls: [{ name: "Read", arguments: { value: "x" } }] },
      { text: "And then." },
      { reasoning: "Last." },
    ],
    [
      { thinking: "First." },
      { text: "I look." },
      { tool: "Read", input: { value: "x" } },
      { text: "And then." },
      { thinking: "Last." },
    ],
  ],
  "text in the middle of a call": [
    [
      { deltas: [[{ index: 0, id: "a", function: { name: "Read", arguments: '{"value":' } }]] },
      { text: "meanwhile" },
      { deltas: [[{ index: 0, function: { arguments: '"x"}' } }]] },
    ],
    [{ tool: "Read", input: { value: "x" } }, { text: "meanwhile" }],
  ],
  "blank text around a call": [
    [{ text: "\n\n" }, { calls: [{ name: "Read", arguments: {} }] }, { text: "\n" }],
    [{ tool: "Read", input: {} }],
  ],
};

for (const [what, [steps, blocks]] of Object.entries(BLOCKS)) {
  test(`blocks begin at 0 and never overlap: ${what}`, async () => {
    const events = await readEvents(createRig({ steps }));
    assert.deepEqual(toBare(assertLegalStream(events).content), blocks);
    const starts = events.flatMap((event) => event.type === "content_block_start" ? [event.index] : []);
    assert.deepEqual(starts, blocks.map((_, index) => index));
  });
}

// Bytes ------------------------------------------------------------------------------------------

const CUT_TEXT = 'Größe: 漢字 👩‍👩‍👧 \u2028 " \\ ende';
const CUT_ANSWER = [
  toChunk({ reasoning_content: "naïve 🤔" }),
  toChunk({ content: CUT_TEXT }),
  toChunk({ tool_calls: [{ index: 0, id: "a", function: { name: "Read", arguments: '{"value":"ü' } }] }),
  toChunk({ tool_calls: [{ index: 0, function: { arguments: '🙂"}' } }] }),
  stop,
  { choices: [], usage },
];
const CUT_BARE: Bare[] = [{ thinking: "naïve 🤔" }, { text: CUT_TEXT }, { tool: "Read", input: { value: "ü🙂" } }];

/** The bytes of {@linkcode CUT_ANSWER} with one end of line or the other. */
function toBytes(newline: string): Uint8Array {
  const all = [...CUT_ANSWER.map(toSse), toSse("[DONE]")].join("");
  return new TextEncoder().encode(all.replaceAll("\n", newline));
}

for (const [name, newline] of [["LF", "\n"], ["CRLF", "\r\n"]] as const) {
  test(`an answer may be cut between reads at every byte (${name})`, async () => {
    const bytes = toBytes(newline);
    for (let cut = 1; cut < bytes.length; cut++) {
      const rig = createRig({}, { fetch: serveBytes([bytes.subarray(0, cut), bytes.subarray(cut)]) });
      const answer = assertLegalStream(await readEvents(rig));
      assert.deepEqual(toBare(answer.content), CUT_BARE, `cut at ${cut}`);
      assert.deepEqual(answer.usage, TOLD, `cut at ${cut}`);
    }
  });

  test(`an answer may come byte by byte (${name})`, async () => {
    const bytes = toBytes(newline);
    const rig = createRig({}, { fetch: serveBytes([...bytes].map((byte) => Uint8Array.of(byte))) });
    assert.deepEqual(toBare(assertLegalStream(await readEvents(rig)).content), CUT_BARE);
  });
}

test("an answer of 5,000 chunks is exact to the byte", async () => {
  const words = Array.from({ length: 5_000 }, (_, i) => `${i}:${'äb漢🙂\n"\\'[i % 6]}${"x".repeat(i % 17)} `);
  const { content } = assertLegalStream(await readEvents(createRig({ steps: [{ text: words }] })));
  assert.equal(content.length, 1);
  assert.ok(content[0]?.type === "text" && content[0].text === words.join(""), "the text differs");
  const value = words.join("");
  const pieces = toPieces(JSON.stringify({ value }), 11);
  const deltas = pieces.map((
    piece,
    i,
  ) => [{ index: 0, function: { arguments: piece, ...(i ? {} : { name: "Write" }) } }]);
  assert.ok(deltas.length > 5_000);
  const call = assertLegalStream(await readEvents(createRig({ steps: [{ deltas }] })));
  assert.deepEqual(toBare(call.content), [{ tool: "Write", input: { value } }]);
});

test("nothing of the upstream's own protocol reaches the client", async () => {
  const rig = createRig({}, {
    fetch: serveBytes([
      ": comment\n\n",
      "event: x\nid: 1\nretry: 5\n",
      toSse(text),
      toSse(stop),
      toSse("[DONE]").repeat(2),
    ]),
  });
  const response = await rig.arbiter.fetch(toRequest({ stream: true }));
  const body = await response.text();
  assert.doesNotMatch(body, /DONE|chatcmpl|comment|retry/);
  assert.deepEqual(toBare(assertLegalStream(parseEvents(body)).content), [{ text: "Hello" }]);
});

// Requests ---------------------------------------------------------------------------------------

function toText({ content }: ChatMessage): string {
  return typeof content === "string" ? content : JSON.stringify(content);
}

/** A conversation of `turns` calls: 2 messages each, one before them and one after. */
function toConversation(turns: number): MessageParam[] {
  const messages: MessageParam[] = [{ role: "user", content: "prompt 0" }];
  for (let i = 0; i < turns; i++) {
    const [id, last] = [`toolu_${i}`, i === turns - 1];
    const ids = last ? [id, `${id}b`] : [id];
    messages.push({
      role: "assistant",
      content: [
        { type: "text", text: `said ${i}` },
        ...ids.map((id) => ({ type: "tool_use" as const, id, name: "Read", input: { value: id } })),
      ],
    });
    messages.push({
      role: "user",
      content: [
        ...ids.map((tool_use_id) => ({ type: "tool_result" as const, tool_use_id, content: `result ${tool_use_id}` })),
        { type: "text", text: `beside ${i}` },
      ],
    });
  }
  return [...messages, { role: "assistant", content: "ready" }, { role: "user", content: "prompt last" }];
}

async function ask(fields: Fields): Promise<ChatRequest> {
  const rig = createRig({ steps: [{ text: "Hello" }] });
  await readMessage(rig, fields);
  const [request] = rig.standIn.requests;
  assert.ok(request);
  return request;
}

test("every message of a long conversation arrives, in order", async () => {
  const { messages } = await ask({ messages: toConversation(18), system: "You are terse." });
  const expected = ["system: You are terse.", "user: prompt 0"];
  for (let i = 0; i < 18; i++) {
    const ids = i === 17 ? [`toolu_${i}`, `toolu_${i}b`] : [`toolu_${i}`];
    expected.push(
      `assistant: said ${i} ${ids}`,
      ...ids.map((id) => `tool: result ${id} for ${id}`),
      `user: beside ${i}`,
    );
  }
  expected.push("assistant: ready", "user: prompt last");
  const arrived = messages.map((message) => {
    const calls = message.role === "assistant" && message.tool_calls
      ? ` ${message.tool_calls.map(({ id }) => id)}`
      : "";
    const result = message.role === "tool" ? ` for ${message.tool_call_id}` : "";
    return `${message.role}: ${toText(message)}${calls}${result}`;
  });
  assert.deepEqual(arrived, expected);
  assert.ok(arrived.length > 40);
});

test("user text beside tool results is kept, after the results", async () => {
  const { messages } = await ask({
    messages: [
      { role: "user", content: "go" },
      { role: "assistant", content: [{ type: "tool_use", id: "toolu_1", name: "Read", input: {} }] },
      {
        role: "user",
        content: [
          { type: "text", text: "I was faster" },
          { type: "tool_result", tool_use_id: "toolu_1", content: [{ type: "text", text: "in a list" }] },
          { type: "text", text: "and slower" },
        ],
      },
    ],
  });
  assert.deepEqual(messages.slice(2), [
    { role: "tool", tool_call_id: "toolu_1", content: "in a list" },
    { role: "user", content: "I was faster\n\nand slower" },
  ]);
});

test("tools, system prompt and settings arrive as they are, and nothing is added", async () => {
  const description = `Reads. ${"Long description. ".repeat(500)}`;
  const parameters = {
    type: "object",
    properties: { value: { type: "string", enum: ["a", "b"] } },
    required: ["value"],
  };
  const system = "You are Claude Code, Anthropic's official CLI for Claude.\nBe brief.";
  const sent = await ask({
    system,
    max_tokens: 64_000,
    temperature: 0.25,
    top_p: 0.5,
    metadata: { user_id: "u" },
    tools: [{ name: "Read", description, input_schema: parameters }],
  });
  assert.deepEqual(sent, {
    model: sent.model,
    messages: [{ role: "system", content: system }, { role: "user", content: "Hello" }],
    max_tokens: 64_000,
    temperature: 0.25,
    top_p: 0.5,
    tools: [{ type: "function", function: { name: "Read", description, parameters } }],
  });
});

test("a request without settings goes up without any", async () => {
  const { model, ...rest } = await ask({ tools: undefined as never });
  assert.ok(model);
  assert.deepEqual(rest, { messages: [{ role: "user", content: "Hello" }], max_tokens: 1000 });
});

test("a request of 300 kB arrives whole", async () => {
  const result = Array.from({ length: 9_000 }, (_, i) => `line ${i} of a file with ü and 🙂`).join("\n");
  assert.ok(new TextEncoder().encode(result).length > 300_000);
  const { messages } = await ask({
    messages: [
      { role: "user", content: "go" },
      { role: "assistant", content: [{ type: "tool_use", id: "toolu_1", name: "Read", input: {} }] },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_1", content: result }] },
    ],
  });
  assert.ok(messages[2]?.content === result, "the result differs");
});

// Failures ---------------------------------------------------------------------------------------

/** What may go wrong in the middle of an answer. */
const BREAKS: Record<string, (string | Uint8Array)[]> = {
  "an error chunk": [toSse(FAULTS.busy.body), toSse("[DONE]")],
  "an error chunk with the code as text": [toSse({ error: { message: "Internal error", code: "500" } })],
  "an error chunk that is a sentence": [toSse({ error: "Inference connection error" })],
  "an end without a finish reason": [],
  "half a chunk": ['data: {"choices":[{"delta":{"content":"lo'],
  "what is no JSON": [toSse("Internal Server Error")],
  "HTML": ["<html><body>502 Bad Gateway</body></html>"],
};

/** How an answer may have begun. */
const BEGINNINGS: Record<string, JsonObject> = {
  text: { content: "Hel" },
  thinking: { reasoning_content: "Let me" },
  "a call": { tool_calls: [{ index: 0, id: "a", function: { name: "Bash", arguments: '{"command":"rm ' } }] },
};

for (const [what, pieces] of Object.entries(BREAKS)) {
  for (const [where, delta] of Object.entries(BEGINNINGS)) {
    test(`${what} in the middle of ${where} is never an end`, async () => {
      const fetch = serveBytes([toSse(toChunk(delta)), ...pieces]);
      const told = assertLegalStream(await readEvents(createRig({}, { fetch })), "error");
      assert.equal(told.content.length, 1);
      const response = await createRig({}, { fetch }).arbiter.fetch(
        toRequest({ stream: true }, { userAgent: CLAUDE_CODE }),
      );
      let text = "";
      await assert.rejects(async () => {
        for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) text += piece;
      });
      assertLegalStream(parseEvents(text), "cut");
      const whole = await createRig({}, { fetch }).arbiter.fetch(toRequest());
      assert.ok(whole.status >= 500, `${whole.status}`);
      assert.equal((await whole.json()).type, "error");
    });
  }
}

test("a broken call is not closed, so that nobody runs it", async () => {
  const delta = BEGINNINGS["a call"] ?? {};
  const events = await readEvents(
    createRig({}, { fetch: serveBytes([toSse(toChunk(delta)), toSse(FAULTS.busy.body)]) }),
  );
  assert.ok(!events.some((event) => event.type === "content_block_stop"));
});

test("an upstream's refusal is an error with its status, at once and in Anthropic's shape", async () => {
  for (
    const [fault, status, type] of [
      [FAULTS.unsupported, 400, "invalid_request_error"],
      [FAULTS.unauthorized, 401, "authentication_error"],
      [FAULTS.forbidden, 403, "permission_error"],
      [FAULTS.unknown, 404, "not_found_error"],
      [FAULTS.unavailable, 404, "not_found_error"],
      [FAULTS.gone, 404, "not_found_error"],
      [FAULTS.rateLimited, 429, "rate_limit_error"],
      [FAULTS.broken, 500, "api_error"],
      [FAULTS.degraded, 529, "overloaded_error"],
      [FAULTS.gateway, 529, "overloaded_error"],
      [FAULTS.busy, 529, "overloaded_error"],
      [FAULTS.slow, 504, "timeout_error"],
    ] as const
  ) {
    for (const stream of [true, false]) {
      const rig = createRig({ ...fault, headers: { "retry-after": "9" } });
      const response = await rig.arbiter.fetch(toRequest({ stream }));
      const { error, ...rest } = await response.json();
      assert.deepEqual([response.status, error.type], [status, type]);
      assert.deepEqual(Object.keys(rest).sort(), ["request_id", "type"]);
      assert.doesNotMatch(error.message, /<html|\n +at |[{}]/);
      assert.equal(response.headers.get("retry-after"), "9");
      assert.equal(rig.calls.length, 1, "tried again without need");
    }
  }
});

test("a rate limit does not hold up what comes after it", async () => {
  const rig = createRig((_request, turn): ScriptedAnswer =>
    turn === 0 ? { ...FAULTS.rateLimited, headers: { "retry-after": "30" } } : { steps: [{ text: "Hello" }] }
  );
  assert.equal((await rig.arbiter.fetch(toRequest({ stream: true }))).status, 429);
  assert.deepEqual(toBare(assertLegalStream(await readEvents(rig)).content), [{ text: "Hello" }]);
});

test("a request that is wrong in itself does not reach the upstream", async () => {
  const rig = createRig({ steps: [{ text: "Hello" }] });
  for (const fields of [{ messages: [] }, { max_tokens: -1 }, { tools: "all" }] as unknown as Fields[]) {
    const response = await rig.arbiter.fetch(toRequest(fields));
    assert.equal(response.status, 400);
    await response.body?.cancel();
  }
  assert.equal(rig.calls.length, 0);
});

for (const stage of ["before the first byte", "in the middle"]) {
  test(`the upstream call ends when the client leaves ${stage}`, async () => {
    const steps: Step[] = stage === "in the middle" ? [{ text: "Once" }, { wait: Infinity }] : [{ wait: Infinity }];
    const rig = createRig({ steps }, { hold: 0 });
    const gone = new AbortController();
    const response = await rig.arbiter.fetch(toRequest({ stream: true }, { signal: gone.signal }));
    const reader = response.body?.getReader();
    await reader?.read();
    await until("the call", () => rig.standIn.open === 1);
    gone.abort();
    await until("its end", () => rig.standIn.open === 0);
    assert.equal(rig.calls[0]?.signal.aborted, true);
    await reader?.cancel().catch(() => {});
  });
}

test("of 128 streams at the same time none is empty", async () => {
  const rig = createRig(({ messages }): ScriptedAnswer => ({
    steps: [{ text: `to ${messages[0]?.content}`, size: 2 }],
  }));
  const answers = await Promise.all(Array.from({ length: 128 }, async (_, i) => {
    await settle(i % 5);
    return assertLegalStream(await readEvents(rig, { messages: [{ role: "user", content: `question ${i}` }] }));
  }));
  answers.forEach(({ content }, i) => assert.deepEqual(toBare(content), [{ text: `to question ${i}` }]));
});
