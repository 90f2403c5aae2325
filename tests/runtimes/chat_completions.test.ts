/** OpenAI's own client library talks to a running proxy. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import OpenAI from "openai";
import type { JsonObject, Script, ScriptedAnswer } from "../../mod.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FAULTS } from "../support/faults.ts";
import { createRig, MODEL, type Rig, type RigOptions, serveBytes, startRig } from "./harness.ts";

type Params = OpenAI.ChatCompletionCreateParamsNonStreaming;
type Completion = OpenAI.ChatCompletion;

const USAGE = { prompt_tokens: 1200, completion_tokens: 34, prompt_tokens_details: { cached_tokens: 1000 } };
const TOOLS: OpenAI.ChatCompletionTool[] = [
  {
    type: "function",
    function: {
      name: "read",
      description: "Reads a file",
      parameters: { type: "object", properties: { path: { type: "string" } }, required: ["path"] },
    },
  },
  { type: "function", function: { name: "now" } },
];

async function start(
  t: TestContext,
  script: Script | ScriptedAnswer,
  options: RigOptions = {},
): Promise<Rig & { client: OpenAI }> {
  const { server, ...rig } = await startRig(t, script, options);
  return { ...rig, client: new OpenAI({ apiKey: "any", baseURL: `${server.url}/v1`, maxRetries: 0 }) };
}

function toParams(fields: Partial<Params> = {}): Params {
  return { model: "gpt-4o", messages: [{ role: "user", content: "Hello" }], ...fields };
}

const ANSWERS: readonly [how: string, ask: (client: OpenAI, params: Params) => Promise<Completion>][] = [
  ["whole", async (client, params) => await client.chat.completions.create(params)],
  ["streamed", (client, params) => {
    const options = { include_usage: true };
    return client.chat.completions.stream({ ...params, stream: true, stream_options: options }).finalChatCompletion();
  }],
];

/** What a client sees of an answer, without what differs each time. */
function toBare({ choices: [choice], usage }: Completion): object {
  const { content, tool_calls } = choice?.message ?? {};
  const calls = tool_calls?.map((call) =>
    call.type === "function" ? [call.function.name, call.function.arguments] : []
  );
  return { content, calls, finish: choice?.finish_reason, usage };
}

const TOKENS = {
  prompt_tokens: 1200,
  completion_tokens: 34,
  total_tokens: 1234,
  prompt_tokens_details: { cached_tokens: 1000 },
};

async function toThrown(promise: PromiseLike<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  const thrown = await promise.then(() => undefined, (error: unknown) => error);
  assert.ok(thrown instanceof OpenAI.APIError, `not an error of the API: ${thrown}`);
  return thrown;
}

/** A request to the proxy without any library. */
function toRequest(fields: JsonObject = {}, path = "/v1/chat/completions"): Request {
  return new Request(`http://localhost${path}`, { method: "POST", body: JSON.stringify({ ...toParams(), ...fields }) });
}

for (const [how, ask] of ANSWERS) {
  describe(`a ${how} completion`, () => {
    test("has text, the client's name of the model, and the usage", async (t) => {
      const { client, calls } = await start(t, { steps: [{ text: "naïve " }, { text: "🙂" }], usage: USAGE });
      const answer = await ask(client, toParams());
      assert.deepEqual(toBare(answer), { content: "naïve 🙂", calls: undefined, finish: "stop", usage: TOKENS });
      assert.equal(answer.model, "gpt-4o");
      assert.equal(answer.object, "chat.completion");
      assert.match(answer.id, /^chatcmpl-/);
      assert.ok(answer.created > 1e9 && answer.created < 1e10);
      assert.equal(calls[0]?.body.model, MODEL);
    });

    test("has tool calls, whose results are taken", async (t) => {
      const script: Script = ({ messages }) =>
        messages.at(-1)?.role === "tool"
          ? { steps: [{ text: "Done" }] }
          : { steps: [{ calls: [{ name: "read", arguments: { path: "/ä b" } }, { name: "now", arguments: {} }] }] };
      const { client, calls } = await start(t, script);
      const params = toParams({ tools: TOOLS });
      const first = await ask(client, params);
      const message = first.choices[0]?.message;
      assert.ok(message);
      const made = message.tool_calls ?? [];
      assert.deepEqual(toBare({ ...first, usage: undefined } as never), {
        content: null,
        calls: [["read", '{"path":"/ä b"}'], ["now", "{}"]],
        finish: "tool_calls",
        usage: undefined,
      });
      const results = made.map(({ id }, i) => ({ role: "tool" as const, tool_call_id: id, content: `result ${i}` }));
      const second = await ask(client, { ...params, messages: [...params.messages, message, ...results] });
      assert.equal(second.choices[0]?.message.content, "Done");
      assert.deepEqual(calls[1]?.body.messages.slice(1), [
        {
          role: "assistant",
          content: null,
          tool_calls: made.map(({ id, ...call }) => ({
            id,
            type: "function",
            function: "function" in call && call.function,
          })),
        },
        ...results,
      ]);
    });

    test("has reasoning beside its text, if an effort was asked for", async (t) => {
      const { client, calls } = await start(t, { steps: [{ reasoning: "Hm" }, { text: "Yes" }] }, {
        model: "openai/gpt-oss-120b",
      });
      const answer = await ask(client, toParams({ reasoning_effort: "high" }));
      const { content, reasoning_content } = answer.choices[0]?.message as {
        content?: string;
        reasoning_content?: string;
      };
      assert.equal(content, "Yes");
      if (how === "whole") assert.equal(reasoning_content, "Hm"); // The library puts no such field together.
      assert.equal(calls[0]?.body.reasoning_effort, "high");
    });

    test("has a call that the model wrote as text, repaired", async (t) => {
      const leak = '<tool_call>\n{"name": "read", "arguments": {"path": "/a",}}\n</tool_call>';
      const { client } = await start(t, { steps: [{ text: leak }] }, { model: "qwen/qwen3-next-80b-a3b-instruct" });
      const answer = await ask(client, toParams({ tools: TOOLS }));
      const calls = answer.choices[0]?.message.tool_calls?.map((call) => "function" in call && call.function);
      assert.deepEqual(calls, [{ name: "read", arguments: '{"path":"/a"}' }]);
    });

    test("comes from the next model when the first one fails", async (t) => {
      const models = { [MODEL]: () => FAULTS.gone, "test/second": () => ({ steps: [{ text: "Hi" }] }) };
      const { client, calls } = await start(t, {}, { fallbacks: ["test/second"], standIn: { models } });
      assert.equal((await ask(client, toParams())).choices[0]?.message.content, "Hi");
      assert.deepEqual(calls.map(({ body }) => body.model), [MODEL, "test/second"]);
    });

    test("that was cut for its length says so", async (t) => {
      const { client } = await start(t, { steps: [{ text: "Once upon" }, { finish: "length" }] });
      const thrown = ask(client, toParams()).then(({ choices: [choice] }) => choice?.finish_reason, String);
      assert.match(String(await thrown), /length/i); // The library's reader of streams makes an error of it.
    });

    test("of a refused request is an error with the same status, code and message", async (t) => {
      const { client } = await start(t, FAULTS.unauthorized);
      const { status, code, type, requestID } = await toThrown(ask(client, toParams()));
      assert.deepEqual([status, code, type], [401, "invalid_api_key", "authentication_error"]);
      assert.match(String(requestID), /^req_/);
    });
  });
}

test("a request goes where a Messages request of that name goes", async () => {
  const rows: [asked: string, sent: string][] = [
    ["gpt-4o", MODEL],
    ["openai/gpt-oss-20b", "openai/gpt-oss-20b"],
    ["claude-sonnet-5", MODEL],
  ];
  for (const [model, sent] of rows) {
    const models = { [sent]: () => ({ steps: [{ text: "Hi" }] }) };
    const { arbiter, calls } = createRig({ steps: [{ text: "Hi" }] }, { standIn: { models } });
    const response = await arbiter.fetch(toRequest({ model, tools: TOOLS }));
    assert.equal((await response.json()).model, model);
    assert.equal(calls[0]?.body.model, sent);
    assert.match(response.headers.get("x-arbiter-route") ?? "", new RegExp(`model=${sent}`));
  }
});

test("a request has room for an answer, instructions in front and no thinking unless they say otherwise", async () => {
  const { arbiter, calls } = createRig({ steps: [{ text: "{}" }] }, { model: "openai/gpt-oss-120b" });
  const image = { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } };
  await arbiter.fetch(toRequest({
    messages: [{ role: "developer", content: "Be brief" }, {
      role: "user",
      content: [{ type: "text", text: "Hi" }, image],
    }],
    response_format: { type: "json_object" },
    seed: 7,
  }));
  assert.ok(calls[0]);
  const { messages, max_tokens, reasoning_effort, response_format } = calls[0].body;
  assert.deepEqual(messages[0], { role: "system", content: "Be brief" });
  assert.deepEqual([max_tokens, reasoning_effort], [8192, "low"]);
  assert.equal(response_format?.type, "json_schema");
});

test("what is lost of a request is a warning in the log", async () => {
  const logs: unknown[] = [];
  const { arbiter } = createRig({ steps: [{ text: "Hi" }] }, { onRequest: ({ warnings }) => void logs.push(warnings) });
  await arbiter.fetch(toRequest({ seed: 7 }));
  assert.deepEqual(logs, [["Cannot pass 'seed': Anthropic's format has no such field"]]);
});

describe("OpenAI's shape has the error for", () => {
  const rows: [what: string, request: Request, status: number, error: object][] = [
    [
      "a request that is not JSON",
      new Request("http://localhost/v1/chat/completions", { method: "POST", body: "{" }),
      400,
      {
        message: "The request body is not valid JSON, or nested more than 500 deep",
        type: "invalid_request_error",
        code: null,
        param: null,
      },
    ],
    ["another method", new Request("http://localhost/v1/chat/completions"), 405, {
      message: "/v1/chat/completions does not take GET",
      type: "invalid_request_error",
      code: null,
      param: null,
    }],
    ["what a request lacks", toRequest({ messages: [{ role: "user" }] }), 400, {
      message: "messages.0.content: Field required",
      type: "invalid_request_error",
      code: null,
      param: null,
    }],
    ["no messages", toRequest({ messages: [] }), 400, {
      message: "messages: at least one message is required",
      type: "invalid_request_error",
      code: null,
      param: null,
    }],
  ];
  for (const [what, request, status, error] of rows) {
    test(what, async () => {
      const response = await createRig({}).arbiter.fetch(request);
      assert.equal(response.status, status);
      assert.deepEqual(await response.json(), { error });
    });
  }

  test("a prompt that is too long", async () => {
    const { arbiter } = createRig({
      status: 400,
      body: "maximum context length is 32768 tokens. However, your messages resulted in 199906 tokens",
    });
    const { error } = await (await arbiter.fetch(toRequest())).json();
    assert.equal(error.code, "context_length_exceeded");
    assert.match(error.message, /^This model's maximum context length is 32768 tokens/);
  });
});

test("other paths keep Anthropic's shape", async () => {
  const response = await createRig({}).arbiter.fetch(toRequest({ messages: [] }, "/v1/messages"));
  assert.equal((await response.json()).type, "error");
});

describe("a streamed completion that breaks", () => {
  test("after its content has begun is cut, and has no end", async () => {
    const { arbiter } = createRig({ steps: [{ text: "Half of" }, { stop: "cut" }] });
    const response = await arbiter.fetch(toRequest({ stream: true }));
    const seen: string[] = [];
    const decoder = new TextDecoder();
    await assert.rejects(async () => {
      for await (const bytes of response.body ?? []) seen.push(decoder.decode(bytes, { stream: true }));
    });
    assert.match(seen.join(""), /Half of/);
    assert.doesNotMatch(seen.join(""), /DONE|"finish_reason":"/);
  });

  test("is an error to the library as well", async (t) => {
    const { client } = await start(t, { steps: [{ text: "Half of" }, { stop: "cut" }] });
    let text = "";
    await assert.rejects(async () => {
      for await (const { choices } of await client.chat.completions.create({ ...toParams(), stream: true })) {
        text += choices[0]?.delta.content ?? "";
      }
    });
    assert.ok("Half of".startsWith(text)); // Bun's fetch may lose what came right before the cut.
  });

  test("before its content, when the client already waits, tells the error and has no end", async () => {
    const clock = new FakeClock();
    const { arbiter } = createRig({ delay: 20_000, ...FAULTS.unauthorized }, {
      clock,
      hold: 8_000,
      pingInterval: 5_000,
    });
    const asked = arbiter.fetch(toRequest({ stream: true }));
    await clock.advance(8_000);
    const response = await asked;
    const text = response.text();
    await clock.advance(20_000);
    assert.match(
      await text,
      /^data: \{.*"role":"assistant".*\n\n(?:: ping\n\n)+data: \{"error":\{"message":"[^\n]*\n\n$/,
    );
    const fetch = async () => new Response(await text, { headers: { "content-type": "text/event-stream" } });
    const client = new OpenAI({ apiKey: "any", baseURL: "http://localhost/v1", maxRetries: 0, fetch });
    await toThrown(client.chat.completions.stream({ ...toParams(), stream: true }).finalChatCompletion());
  });
});

test("a client that goes away ends the call upstream", async () => {
  const gone = new AbortController();
  const { arbiter, calls } = createRig({ steps: [{ text: "Hi" }, { wait: Infinity }] });
  const { signal } = gone;
  const response = await arbiter.fetch(new Request(toRequest({ stream: true }), { signal }));
  await response.body?.cancel();
  gone.abort();
  assert.equal(calls[0]?.signal.aborted, true);
});

test("the library reads a stream that is cut between reads at every byte", async () => {
  const script: ScriptedAnswer = {
    steps: [{ text: "ä🙂" }, { calls: [{ name: "read", arguments: { path: "/ü" } }, { name: "now", arguments: {} }] }],
    usage: USAGE,
  };
  const { arbiter } = createRig(script);
  const response = await arbiter.fetch(
    toRequest({ tools: TOOLS, stream: true, stream_options: { include_usage: true } }),
  );
  assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  const bytes = new Uint8Array(await response.arrayBuffer());
  const fetch = serveBytes([...bytes].map((byte) => Uint8Array.of(byte)));
  const client = new OpenAI({ apiKey: "any", baseURL: "http://localhost/v1", maxRetries: 0, fetch });
  const params = { ...toParams(), tools: TOOLS, stream: true as const };
  assert.deepEqual(toBare(await client.chat.completions.stream(params).finalChatCompletion()), {
    content: "ä🙂",
    calls: [["read", '{"path":"/ü"}'], ["now", "{}"]],
    finish: "tool_calls",
    usage: TOKENS,
  });
});
