/** Anthropic's own client library talks to a running proxy. */
import Anthropic from "@anthropic-ai/sdk";
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Script, ScriptedAnswer, ToolCallDelta } from "../../mod.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FAULTS } from "../support/faults.ts";
import { assertLegalStream, type StreamEvent } from "../support/grammar.ts";
import { MODEL, type Rig, type RigOptions, startRig, toChunk, until } from "./harness.ts";

type Params = Anthropic.MessageCreateParamsNonStreaming;

const VISION_MODEL = "moonshotai/kimi-k2.6";
const USAGE = { prompt_tokens: 1200, completion_tokens: 34, prompt_tokens_details: { cached_tokens: 1000 } };
const JSON_TYPE = { headers: { "content-type": "application/json" } };
const TOOLS: Anthropic.Tool[] = [
  {
    name: "Read",
    description: "Reads a file",
    input_schema: { type: "object", properties: { file_path: { type: "string" } }, required: ["file_path"] },
  },
  { name: "Bash", input_schema: { type: "object", properties: { command: { type: "string" } } } },
];

async function start(
  t: TestContext,
  script: Script | ScriptedAnswer,
  options: RigOptions & { maxRetries?: number } = {},
): Promise<Rig & { client: Anthropic }> {
  const { maxRetries = 0, ...rest } = options;
  const { server, ...rig } = await startRig(t, script, rest);
  const client = new Anthropic({ apiKey: "any", baseURL: server.url, maxRetries });
  return { ...rig, client };
}

function toParams(fields: Partial<Params> = {}): Params {
  return { model: "claude-sonnet-5", max_tokens: 1000, messages: [{ role: "user", content: "Hello" }], ...fields };
}

/** Streams an answer and checks that the library's reading of it is that of its events. */
async function stream(client: Anthropic, params: Params): Promise<Anthropic.Message> {
  const events: StreamEvent[] = [];
  const stream = client.messages.stream(params);
  stream.on("streamEvent", (event) => void events.push(structuredClone(event) as StreamEvent));
  const message = await stream.finalMessage();
  const { content, stop_reason, stop_sequence } = assertLegalStream(events);
  assert.deepEqual(toPlain(message.content), content);
  assert.deepEqual([message.stop_reason, message.stop_sequence], [stop_reason, stop_sequence]);
  return message;
}

/** Content without what the library adds. */
function toPlain(content: readonly object[]): object[] {
  return content.map((block) => Object.fromEntries(Object.entries(block).filter(([name]) => name !== "parsed")));
}

/** Content without what differs each time. */
function toBare(content: Anthropic.Message["content"]): object[] {
  return content.map((block) => {
    if (block.type === "text") return { text: block.text };
    if (block.type === "thinking") return { thinking: block.thinking };
    return block.type === "tool_use" ? { tool: block.name, input: block.input } : block;
  });
}

const ANSWERS = [
  ["streamed", stream],
  ["whole", (client: Anthropic, params: Params) => client.messages.create(params)],
] as const;

async function toThrown(promise: PromiseLike<unknown>): Promise<InstanceType<typeof Anthropic.APIError>> {
  const thrown = await promise.then(() => undefined, (error: unknown) => error);
  assert.ok(thrown instanceof Anthropic.APIError, `not an error of the API: ${thrown}`);
  return thrown;
}

for (const [how, ask] of ANSWERS) {
  test(`a ${how} answer holds thinking, text, a tool call and the usage`, async (t) => {
    const { client, standIn } = await start(t, {
      steps: [
        { reasoning: "The user wants a file read: naïve 🙂." },
        { text: "I will read it — now." },
        { calls: [{ name: "Read", arguments: { file_path: "/tmp/ä b.txt" } }] },
      ],
      usage: USAGE,
    });
    const message = await ask(client, toParams({ tools: TOOLS }));
    assert.deepEqual(toBare(message.content), [
      { thinking: "The user wants a file read: naïve 🙂." },
      { text: "I will read it — now." },
      { tool: "Read", input: { file_path: "/tmp/ä b.txt" } },
    ]);
    assert.equal(message.stop_reason, "tool_use");
    assert.equal(message.stop_sequence, null);
    assert.equal(message.role, "assistant");
    assert.equal(message.type, "message");
    assert.equal(message.model, "claude-sonnet-5");
    assert.match(message.id, /^msg_/);
    const { input_tokens, output_tokens, cache_read_input_tokens } = message.usage;
    assert.deepEqual({ input_tokens, output_tokens, cache_read_input_tokens }, {
      input_tokens: 200,
      output_tokens: 34,
      cache_read_input_tokens: 1000,
    });
    assert.equal(standIn.requests.length, 1);
  });

  test(`a ${how} answer that a stop sequence ended names it`, async (t) => {
    const end = { index: 0, finish_reason: "stop", stop_reason: "END" };
    const content = { role: "assistant", content: "Up to here" };
    const { client, calls } = await start(t, { steps: [{ chunk: { choices: [{ ...end, delta: content }] } }] }, {
      ...(how === "whole"
        ? { fetch: () => Promise.resolve(Response.json({ choices: [{ ...end, message: content }], usage: USAGE })) }
        : {}),
    });
    const message = await ask(client, toParams({ stop_sequences: ["STOP", "END"] }));
    assert.deepEqual(toBare(message.content), [{ text: "Up to here" }]);
    assert.deepEqual([message.stop_reason, message.stop_sequence], ["stop_sequence", "END"]);
    assert.deepEqual(calls[0]?.body.stop, ["STOP", "END"]);
  });

  test(`a ${how} answer carries a request-id`, async (t) => {
    const { client } = await start(t, { steps: [{ text: "Hi" }] });
    const { request_id } = how === "whole"
      ? await client.messages.create(toParams()).withResponse()
      : await client.messages.stream(toParams()).withResponse();
    assert.match(String(request_id), /^req_/);
  });

  test(`an answer ${how} as one word of text and nothing else is an end of turn`, async (t) => {
    const { client } = await start(t, { steps: [{ text: "Yes" }] });
    const message = await ask(client, toParams());
    assert.deepEqual(toBare(message.content), [{ text: "Yes" }]);
    assert.equal(message.stop_reason, "end_turn");
  });
}

const PATHS = ["/a/1.txt", "/b/2.txt", "/c/3.txt", "/d/4.txt"];
const ARGUMENTS = PATHS.map((file_path) => JSON.stringify({ file_path }));

function toPieces(text: string): string[] {
  return text.match(/.{1,5}/gs) ?? [];
}

function toHead(index: number | undefined, text: string): ToolCallDelta {
  const call = { id: `call_${text}`, type: "function", function: { name: "Read", arguments: text } };
  return index === undefined ? call : { index, ...call };
}

function toTail(index: number, text: string): ToolCallDelta {
  return { index, function: { arguments: text } };
}

const interleaved = Array.from(
  { length: 6 },
  (_, round) => ARGUMENTS.map((text, i) => toTail(i, toPieces(text)[round] ?? "")),
);

/** Four calls as hosts send them. */
const CALL_SHAPES: Record<string, ToolCallDelta[][]> = {
  "each whole in a chunk": ARGUMENTS.map((text, i) => [toHead(i, text)]),
  "all whole in one chunk": [ARGUMENTS.map((text, i) => toHead(i, text))],
  "in fragments, one call after the other": ARGUMENTS.flatMap((text, i) => [
    [{ ...toHead(i, ""), id: `call_${i}` }],
    ...toPieces(text).map((piece) => [toTail(i, piece)]),
  ]),
  "in fragments, all calls mixed": [
    ...ARGUMENTS.map((_, i) => [{ ...toHead(i, ""), id: `call_${i}` }]),
    ...interleaved.flatMap((deltas) => deltas.map((delta) => [delta])),
  ],
  "in fragments of all calls at a time": [
    ARGUMENTS.map((_, i) => ({ ...toHead(i, ""), id: `call_${i}` })),
    ...interleaved,
  ],
  "in fragments, one call after the other, each with index 0": ARGUMENTS.flatMap((text, i) => [
    [{ ...toHead(0, ""), id: `call_${i}` }],
    ...toPieces(text).map((piece) => [toTail(0, piece)]),
  ]),
  "without an index": ARGUMENTS.map((text) => [toHead(undefined, text)]),
};

for (const [shape, deltas] of Object.entries(CALL_SHAPES)) {
  test(`four parallel calls arrive ${shape}`, async (t) => {
    const { client } = await start(t, { steps: [{ text: "Four files." }, { deltas }] });
    const message = await stream(client, toParams({ tools: TOOLS }));
    assert.deepEqual(toBare(message.content), [
      { text: "Four files." },
      ...PATHS.map((file_path) => ({ tool: "Read", input: { file_path } })),
    ]);
    assert.equal(message.stop_reason, "tool_use");
  });
}

test("a whole answer holds parallel calls", async (t) => {
  const calls = PATHS.map((file_path) => ({ name: "Read", arguments: { file_path } }));
  const { client } = await start(t, { steps: [{ calls }] });
  const message = await client.messages.create(toParams({ tools: TOOLS }));
  assert.deepEqual(toBare(message.content), PATHS.map((file_path) => ({ tool: "Read", input: { file_path } })));
  assert.equal(message.stop_reason, "tool_use");
});

test("a tool loop goes on with the results of its calls", async (t) => {
  const { client, standIn } = await start(t, (_request, turn): ScriptedAnswer => ({
    steps: turn === 0
      ? [{ calls: PATHS.map((file_path) => ({ name: "Read", arguments: { file_path } })) }]
      : [{ text: "All read." }],
  }));
  const question: Anthropic.MessageParam = { role: "user", content: "Read the files" };
  const first = await stream(client, toParams({ tools: TOOLS, messages: [question] }));
  const results = first.content.flatMap((block): Anthropic.ToolResultBlockParam[] =>
    block.type === "tool_use"
      ? [{ type: "tool_result", tool_use_id: block.id, content: JSON.stringify(block.input) }]
      : []
  );
  const second = await stream(
    client,
    toParams({
      tools: TOOLS,
      messages: [question, { role: "assistant", content: first.content }, { role: "user", content: results.reverse() }],
    }),
  );
  assert.deepEqual(toBare(second.content), [{ text: "All read." }]);
  const [user, assistant, ...tools] = standIn.requests[1]?.messages ?? [];
  assert.equal(user?.content, "Read the files");
  const ids = assistant?.role === "assistant" ? assistant.tool_calls?.map(({ id }) => id) : [];
  assert.deepEqual(tools, ids?.map((tool_call_id, i) => ({ role: "tool", tool_call_id, content: ARGUMENTS[i] })));
  assert.equal(tools.length, 4);
});

const IMAGE: Anthropic.MessageParam = {
  role: "user",
  content: [
    { type: "text", text: "What is this?" },
    { type: "image", source: { type: "base64", media_type: "image/png", data: "iVBORw0KGgo=" } },
  ],
};

test("an image reaches a model that sees as a data URL", async (t) => {
  const { client, standIn } = await start(t, { steps: [{ text: "A cat" }] }, { model: VISION_MODEL });
  await stream(client, toParams({ messages: [IMAGE] }));
  assert.deepEqual(standIn.requests[0]?.messages, [{
    role: "user",
    content: [
      { type: "text", text: "What is this?" },
      { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } },
    ],
  }]);
});

test("a model that does not see is told of the image", async (t) => {
  const { client, standIn } = await start(t, { steps: [{ text: "I cannot see it" }] });
  await client.messages.create(toParams({ messages: [IMAGE] }));
  const content = String(standIn.requests[0]?.messages[0]?.content);
  assert.match(content, /^What is this\?\n\n.*image.*cannot see/s);
  assert.ok(!content.includes("iVBOR"));
});

test("a system prompt in blocks is one system message in front, without the billing header", async (t) => {
  const { client, standIn } = await start(t, { steps: [{ text: "Hi" }] });
  await stream(
    client,
    toParams({
      system: [
        { type: "text", text: "x-anthropic-billing-header: cc_version=2.1.328; cch=00000;" },
        { type: "text", text: "You are terse.", cache_control: { type: "ephemeral" } },
        { type: "text", text: "Answer in English." },
      ],
    }),
  );
  assert.deepEqual(standIn.requests[0]?.messages, [
    { role: "system", content: "You are terse.\n\nAnswer in English." },
    { role: "user", content: "Hello" },
  ]);
});

const CHOICES: [Anthropic.ToolChoice, unknown, boolean | undefined][] = [
  [{ type: "auto" }, "auto", undefined],
  [{ type: "auto", disable_parallel_tool_use: true }, "auto", false],
  [{ type: "any" }, "required", undefined],
  [{ type: "any", disable_parallel_tool_use: true }, "required", false],
  [{ type: "none" }, "none", undefined],
  [{ type: "tool", name: "Bash" }, { type: "function", function: { name: "Bash" } }, undefined],
];

test("every form of tool_choice has its counterpart upstream", async (t) => {
  const { client, standIn } = await start(t, { steps: [{ text: "Hi" }] });
  for (const [tool_choice] of CHOICES) await client.messages.create(toParams({ tools: TOOLS, tool_choice }));
  const sent = standIn.requests.map(({ tool_choice, parallel_tool_calls }) => [tool_choice, parallel_tool_calls]);
  assert.deepEqual(sent, CHOICES.map(([_, choice, parallel]) => [choice, parallel]));
});

test("tokens are counted without the upstream, and more text costs more", async (t) => {
  const { client, calls } = await start(t, { steps: [] });
  const { model, messages } = toParams();
  const few = await client.messages.countTokens({ model, messages });
  const many = await client.messages.countTokens({ model, messages, system: "word ".repeat(1000), tools: TOOLS });
  assert.ok(few.input_tokens > 0 && few.input_tokens < 50, `${few.input_tokens}`);
  assert.ok(many.input_tokens > 900 && many.input_tokens < 2000, `${many.input_tokens}`);
  assert.equal(calls.length, 0);
});

test("the models are listed and each can be retrieved", async (t) => {
  const { client } = await start(t, { steps: [] }, { tiers: { haiku: "test/small" } });
  const ids: string[] = [];
  for await (const { id, type } of client.models.list()) {
    assert.equal(type, "model");
    ids.push(id);
  }
  assert.deepEqual(ids, [`anthropic/${MODEL}`, "anthropic/test/small"]);
  for (const id of ids) assert.equal((await client.models.retrieve(id)).id, id);
  const error = await toThrown(client.models.retrieve("test/absent"));
  assert.ok(error instanceof Anthropic.NotFoundError);
  assert.match(error.message, /test\/absent/);
});

test("a tier's model is asked for the names of that tier", async (t) => {
  const answer = () => ({ steps: [{ text: "Hi" }] });
  const { client, standIn } = await start(t, answer, {
    tiers: { haiku: "test/small" },
    standIn: { models: { [MODEL]: answer, "test/small": answer } },
  });
  for (const model of ["claude-haiku-4-5", "claude-sonnet-5", "haiku"]) {
    assert.equal((await stream(client, toParams({ model }))).model, model);
  }
  assert.deepEqual(standIn.requests.map(({ model }) => model), ["test/small", MODEL, "test/small"]);
});

test("a request that is wrong is refused with the path of what is wrong", async (t) => {
  const { client, calls } = await start(t, { steps: [] });
  const wrong: [object, RegExp][] = [
    [{ messages: [] }, /messages: at least one/],
    [{ messages: [{ role: "robot", content: "Hi" }] }, /messages\.0\.role/],
    [{ messages: [{ role: "user", content: [{ type: "text" }] }] }, /messages\.0\.content\.0\.text: Field required/],
    [{ max_tokens: 0 }, /max_tokens/],
    [{ max_tokens: "many" }, /max_tokens/],
    [{ model: undefined }, /model: Field required/],
    [{ tools: [{ description: "nameless" }] }, /tools\.0\.name/],
    [{ tool_choice: { type: "tool", name: "Absent" } }, /tool_choice\.name.*Absent/],
    [{ stop_sequences: "END" }, /stop_sequences/],
    [{ system: [{ type: "text", text: 7 }] }, /system\.0\.text/],
  ];
  for (const [fields, message] of wrong) {
    const error = await toThrown(client.messages.create({ ...toParams(), ...fields } as Params));
    assert.ok(error instanceof Anthropic.BadRequestError, `${error.message}`);
    assert.equal(error.type, "invalid_request_error");
    assert.match(String(error.apiMessage), message);
    assert.match(String(error.requestID), /^req_/);
  }
  assert.equal(calls.length, 0);
});

for (const streams of [true, false]) {
  const mode = streams ? "streamed" : "whole";
  const ask = (client: Anthropic) =>
    streams ? client.messages.stream(toParams()).finalMessage() : client.messages.create(toParams());

  test(`a wrong key is told, and tried once only (${mode})`, async (t) => {
    const { client, calls } = await start(t, { steps: [] }, {
      apiKey: "wrong",
      standIn: { apiKey: "right" },
      maxRetries: 2,
    });
    const error = await toThrown(ask(client));
    assert.ok(error instanceof Anthropic.AuthenticationError);
    assert.equal(error.type, "authentication_error");
    assert.match(error.message, /refused the API key, check /);
    assert.equal(error.headers?.get("x-should-retry"), "false");
    assert.equal(calls.length, 1);
    assert.equal(calls[0]?.headers.get("authorization"), "Bearer wrong");
  });

  test(`a model the upstream does not know is not found (${mode})`, async (t) => {
    const { client } = await start(t, FAULTS.unknown);
    const error = await toThrown(ask(client));
    assert.ok(error instanceof Anthropic.NotFoundError);
    assert.equal(error.type, "not_found_error");
    assert.ok(error.message.includes(MODEL));
  });

  for (const [told, wanted] of [["7", "7"], ["60", "60"], ["3600", "60"], ["0.5", "1"]] as const) {
    test(`a rate limit of ${told} s is passed on as ${wanted} s (${mode})`, async (t) => {
      const { client, calls } = await start(t, { ...FAULTS.rateLimited, headers: { "retry-after": told } });
      const error = await toThrown(ask(client));
      assert.ok(error instanceof Anthropic.RateLimitError);
      assert.equal(error.type, "rate_limit_error");
      assert.equal(error.headers?.get("retry-after"), wanted);
      assert.equal(calls.length, 1);
    });
  }

  test(`a full or degraded upstream is overloaded (${mode})`, async (t) => {
    for (const fault of [FAULTS.busy, FAULTS.degraded, FAULTS.gateway]) {
      const { client } = await start(t, fault);
      const error = await toThrown(ask(client));
      assert.equal(error.status, 529);
      assert.equal(error.type, "overloaded_error");
      assert.ok(!/<html|<\/?\w+>/.test(error.message), error.message);
    }
  });

  test(`a retry gets the answer after a failure that passes (${mode})`, async (t) => {
    const { client, calls } = await start(t, (_request, turn): ScriptedAnswer => {
      if (turn === 0) return { ...FAULTS.busy, headers: { "retry-after": "0" } };
      return { steps: [{ text: "Here I am" }] };
    }, { maxRetries: 1 });
    assert.deepEqual(toBare((await ask(client)).content), [{ text: "Here I am" }]);
    assert.equal(calls.length, 2);
  });

  test(`an aborted request ends its upstream call before the first byte (${mode})`, async (t) => {
    const { client, calls, standIn } = await start(t, { steps: [{ wait: Infinity }] }, { linger: 0 });
    const controller = new AbortController();
    const { signal } = controller;
    const answer = streams
      ? client.messages.stream(toParams(), { signal }).finalMessage()
      : client.messages.create(toParams(), { signal });
    const error = toThrown(answer);
    await until("the call", () => calls.length === 1);
    assert.equal(calls[0]?.signal.aborted, false);
    controller.abort();
    assert.ok(await error instanceof Anthropic.APIUserAbortError);
    await until("the end of the call", () => calls[0]?.signal.aborted === true && standIn.open === 0);
  });
}

test("a model that is throttled, degraded, gone or cuts before its first content is not noticed", async (t) => {
  const cut: ScriptedAnswer = { steps: [{ stop: "cut" }] };
  for (const fault of [FAULTS.rateLimited, FAULTS.degraded, FAULTS.gone, cut]) {
    const [first, second] = ["test/first", "test/second"];
    const models = { [first]: () => fault, [second]: (): ScriptedAnswer => ({ steps: [{ text: "Hello" }] }) };
    const options = { model: first, fallbacks: [second], random: () => 0, standIn: { models } };
    const { client, calls } = await start(t, {}, options);
    for (const message of [await stream(client, toParams()), await client.messages.create(toParams())]) {
      assert.deepEqual(toBare(message.content), [{ text: "Hello" }]);
    }
    assert.deepEqual(calls.slice(0, 2).map(({ body }) => body.model), [first, second]);
  }
});

test("a body that is too large is refused", async (t) => {
  const { client, calls } = await start(t, { steps: [] }, { maxBodyBytes: 10_000 });
  const error = await toThrown(
    client.messages.create(toParams({ messages: [{ role: "user", content: "x".repeat(20_000) }] })),
  );
  assert.equal(error.status, 413);
  assert.equal(error.type, "request_too_large");
  assert.equal(calls.length, 0);
});

test("a route that does not exist is not found", async (t) => {
  const { client } = await start(t, { steps: [] });
  const error = await toThrown(client.post("/v1/absent", { body: {} }));
  assert.ok(error instanceof Anthropic.NotFoundError);
  assert.equal(error.type, "not_found_error");
});

test("an abort in the middle of a stream ends the upstream call", async (t) => {
  const script: ScriptedAnswer = { steps: [{ text: "Once upon a time" }, { wait: Infinity }] };
  const { client, standIn, calls } = await start(t, script, { linger: 0 });
  const answer = client.messages.stream(toParams());
  const text = new Promise((resolve) => answer.once("text", resolve));
  const error = toThrown(answer.finalMessage());
  await text;
  assert.equal(standIn.open, 1);
  answer.abort();
  assert.ok(await error instanceof Anthropic.APIUserAbortError);
  await until("the end of the call", () => standIn.open === 0);
  assert.equal(calls[0]?.signal.aborted, true);
});

/** What may go wrong after the first half of an answer. */
const BREAKS: Record<string, ScriptedAnswer["steps"]> = {
  "breaks off": [{ stop: "cut" }],
  "ends too early": [{ stop: "end" }],
  "reports an error": [{ chunk: FAULTS.busy.body }],
  "sends what is no JSON": [{ chunk: undefined }],
};

for (const [what, steps = []] of Object.entries(BREAKS)) {
  test(`an answer whose upstream ${what} in the middle is an error, not an end`, async (t) => {
    const clock = new FakeClock();
    const { client } = await start(t, { steps: [{ text: "Half of " }, { wait: 1 }, ...steps] }, {
      standIn: { clock },
    });
    const events: StreamEvent[] = [];
    const answer = client.messages.stream(toParams());
    answer.on("streamEvent", (event) => void events.push(structuredClone(event) as StreamEvent));
    const error = toThrown(answer.finalMessage());
    await new Promise((resolve) => answer.once("text", resolve));
    await clock.advance(1);
    assert.match(String((await error).type), /^(?:overloaded|api)_error$/);
    assert.equal(answer.errored, true);
    assert.equal(assertLegalStream(events, "cut").content.length, 1);
  });
}

/** What may come in place of a whole answer. */
const BROKEN_BODIES: Record<string, () => Response> = {
  "breaks off": () => new Response('{"choices":[{"message":{"content":"Half of ', JSON_TYPE),
  "is HTML": () => new Response("<html><body>It works!</body></html>", { headers: { "content-type": "text/html" } }),
  "is an error": () => Response.json(FAULTS.busy.body),
  "is empty": () => new Response("", JSON_TYPE),
  "has no choices": () => Response.json({ choices: [], usage: USAGE }),
};

for (const [what, toResponse] of Object.entries(BROKEN_BODIES)) {
  test(`a whole answer that ${what} is an error`, async (t) => {
    const { client } = await start(t, { steps: [] }, { fetch: () => Promise.resolve(toResponse()) });
    const error = await toThrown(client.messages.create(toParams()));
    assert.ok(Number(error.status) >= 500, error.message);
    assert.match(String(error.type), /^(?:overloaded|api)_error$/);
  });
}

test("an answer with nothing in it is an error", async (t) => {
  const { client } = await start(t, { steps: [{ stop: "end" }] });
  const error = await toThrown(client.messages.stream(toParams()).finalMessage());
  assert.equal(error.type, "overloaded_error");
});

test("an answer that is too long says so", async (t) => {
  const { client } = await start(t, {
    steps: [{ text: "And so on and" }, { chunk: toChunk({}, "length") }, { finish: "length" }],
  });
  assert.equal((await stream(client, toParams())).stop_reason, "max_tokens");
});
