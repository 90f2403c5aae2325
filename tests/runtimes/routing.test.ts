/** Where requests go, seen from outside: by the upstream's calls, and by what the answers say of it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Arbiter, MessagesRequest, RequestLog, ScriptedAnswer } from "../../mod.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { BUSY, FAULTS } from "../support/faults.ts";
import { assertLegalStream, parseEvents } from "../support/grammar.ts";
import { createRig, MODEL, type Rig, type RigOptions, toRequest, until } from "./harness.ts";

const HELLO: ScriptedAnswer = { steps: [{ text: "Hello" }] };
const TOOLS = [{ name: "Bash", input_schema: { type: "object" } }];
const [KIMI, GLM] = ["moonshotai/kimi-k2.6", "z-ai/glm-5.2"] as const;

/** Makes a proxy at a host that has some of NVIDIA's models. */
function createHost(options: RigOptions = {}, answer: ScriptedAnswer = HELLO): Rig {
  const models = Object.fromEntries([MODEL, KIMI, GLM].map((id) => [id, () => answer]));
  return createRig(answer, { ...options, standIn: { models, ...options.standIn } });
}

function toRoute(response: Response): Record<string, string> {
  const header = response.headers.get("x-arbiter-route") ?? "";
  return Object.fromEntries(header.split("; ").map((field) => field.split("=", 2) as [string, string]));
}

describe("an answer says where its request was sent:", () => {
  test("a stream, a whole answer and an error", async () => {
    const rig = createHost({ fallbacks: [GLM] });
    const expected = {
      asked: "claude-opus-5-5",
      model: MODEL,
      tier: "elite",
      chain: `${MODEL}, ${GLM}`,
      why: "tier opus",
    };
    for (const stream of [true, false]) {
      const response = await rig.arbiter.fetch(toRequest({ model: "claude-opus-5-5", stream, tools: TOOLS }));
      const { kind, ...route } = toRoute(response);
      assert.deepEqual(route, expected);
      assert.equal(kind, "main");
      await response.body?.cancel();
    }
    const failing = createHost({}, { status: 401, body: {} });
    const failed = await failing.arbiter.fetch(toRequest({ model: "claude-opus-5-5" }));
    assert.equal(failed.status, 401);
    assert.equal(toRoute(failed).model, MODEL);
  });

  test("in one line, whatever the client asked for", async () => {
    const logs: RequestLog[] = [];
    const rig = createHost({ onRequest: (log) => void logs.push(log) });
    const response = await rig.arbiter.fetch(toRequest({ model: "mödel\r\nx-evil: 1; task=fast 你好" }));
    assert.equal(toRoute(response).asked, "m?del?x-evil: 1");
    assert.equal(response.headers.get("x-evil"), null);
    await response.text();
    assert.equal(logs[0]?.route?.model, MODEL);
  });

  test("and says nothing where nothing was sent", async () => {
    const { arbiter } = createHost();
    assert.equal((await arbiter.fetch(new Request("http://localhost/health"))).headers.get("x-arbiter-route"), null);
  });
});

test("a compaction is asked for without calls, and one that the model writes all the same stays text", async () => {
  const written = "Work so far: none.<|tool_calls_section_begin|><|tool_call_begin|>functions.Bash:0" +
    "<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>";
  const rig = createRig({ steps: [{ text: written }] }, { model: KIMI });
  for (const hint of ["", "x-claude-code-compaction"]) {
    const request = toRequest({ tools: TOOLS });
    if (hint) request.headers.set(hint, "reactive");
    const { content, stop_reason } = await (await rig.arbiter.fetch(request)).json();
    const [text, call] = content.map(({ type }: { type: string }) => type);
    assert.deepEqual(
      [text, call, stop_reason],
      hint ? ["text", undefined, "end_turn"] : ["text", "tool_use", "tool_use"],
    );
  }
  assert.deepEqual(rig.calls.map(({ body }) => body.tool_choice), [undefined, "none"]);
});

describe("a side request that needs no model gets none:", () => {
  const schema = { type: "object", properties: { title: { type: "string" } }, required: ["title"] };
  const title: Partial<MessagesRequest> = {
    tools: [],
    messages: [{ role: "user", content: [{ type: "text", text: "<session>\nfix the login form\n</session>" }] }],
    output_config: { format: { type: "json_schema", schema } },
  };
  const quota: Partial<MessagesRequest> = { max_tokens: 1, messages: [{ role: "user", content: "quota" }] };
  const rows: [what: string, fields: Partial<MessagesRequest>, text: string][] = [
    ["a title", title, '{"title":"Fix the login form"}'],
    ["a check of the quota", quota, "OK"],
  ];
  for (const [what, fields, text] of rows) {
    test(`${what}, streamed or not`, async () => {
      const rig = createHost();
      const streamed = await rig.arbiter.fetch(toRequest({ ...fields, stream: true }));
      assert.match(streamed.headers.get("content-type") ?? "", /^text\/event-stream/);
      const { content, usage } = assertLegalStream(parseEvents(await streamed.text()));
      assert.deepEqual(content, [{ type: "text", text }]);
      assert.ok(Number(usage.output_tokens) > 0);
      for (const stream of [false, undefined]) {
        const whole = await (await rig.arbiter.fetch(toRequest({ ...fields, ...(stream === false ? { stream } : {}) })))
          .json();
        assert.deepEqual([whole.content, whole.stop_reason], [[{ type: "text", text }], "end_turn"]);
        assert.ok(whole.usage.input_tokens > 0 && whole.usage.output_tokens > 0);
      }
      assert.equal(rig.calls.length, 0);
    });

    test(`${what} goes to a model when that is switched off`, async () => {
      const rig = createHost({ localAnswers: [] });
      await (await rig.arbiter.fetch(toRequest(fields))).text();
      assert.equal(rig.calls.length, 1);
    });
  }
});

describe("GET /v1/models lists", () => {
  const list = async (arbiter: Arbiter, headers: Record<string, string>) =>
    (await (await arbiter.fetch(new Request("http://localhost/v1/models?limit=1000", { headers }))).json()).data;
  const options: RigOptions = {
    model: GLM,
    fallbacks: [KIMI, "zen/big-pickle"],
    modelProfiles: { mine: { providerModel: MODEL } },
  };

  test("ids that Claude Code's picker shows, with a twin of what can do without thinking", async () => {
    const { arbiter } = createRig(HELLO, options);
    const rows = await list(arbiter, { "anthropic-version": "2023-06-01" });
    assert.deepEqual(rows.map(({ id, display_name }: Record<string, string>) => `${id} · ${display_name}`), [
      "anthropic/z-ai/glm-5.2 · z-ai/glm-5.2",
      "anthropic-no-thinking/z-ai/glm-5.2 · z-ai/glm-5.2 (no thinking)",
      "anthropic/moonshotai/kimi-k2.6 · moonshotai/kimi-k2.6",
      "anthropic-no-thinking/moonshotai/kimi-k2.6 · moonshotai/kimi-k2.6 (no thinking)",
      "anthropic/zen/big-pickle · zen/big-pickle",
      "anthropic/mine · mine",
    ]);
    const [first] = rows;
    assert.deepEqual([first.type, first.max_input_tokens, first.max_tokens], ["model", 131_072, 131_072]);
    assert.equal(rows.at(-1).max_tokens, null);
  });

  test("plain names for clients of OpenAI's format", async () => {
    const { arbiter } = createRig(HELLO, options);
    const rows = await list(arbiter, {});
    assert.deepEqual(rows.map(({ id }: { id: string }) => id), [GLM, KIMI, "zen/big-pickle", "mine"]);
    const { object, created, owned_by } = rows[2];
    assert.deepEqual({ object, created, owned_by }, { object: "model", created: 0, owned_by: "zen" });
  });

  test("no twin of a model that cannot do without thinking", async () => {
    const { arbiter } = createRig(HELLO, { model: "openai/gpt-oss-120b" });
    const rows = await list(arbiter, { "anthropic-version": "2023-06-01" });
    assert.deepEqual(rows.map(({ id }: { id: string }) => id), ["anthropic/openai/gpt-oss-120b"]);
  });

  test("a model without a host in its name so that it can be asked for", async () => {
    const { arbiter } = createRig(HELLO, { defaultBackend: "ollama", model: "qwen3:8b" });
    const [row] = await list(arbiter, { "anthropic-version": "2023-06-01" });
    assert.equal(row.id, "anthropic/qwen3:8b");
    const one = await arbiter.fetch(new Request(`http://localhost/v1/models/${row.id}`));
    assert.equal((await one.json()).id, row.id);
  });

  test("nothing that leads elsewhere when it is asked for", async () => {
    const rig = createRig(HELLO, options);
    for (const headers of [{ "anthropic-version": "2023-06-01" }, {}]) {
      for (const { id } of await list(rig.arbiter, headers as Record<string, string>)) {
        const { model } = rig.arbiter.router.route({
          request: { model: id, max_tokens: 1, messages: [{ role: "user", content: "Hi" }] },
          headers: new Headers(),
          inputTokens: () => 1,
        }).trace;
        assert.equal(model, id.replace(/^anthropic(?:-no-thinking)?\//, ""));
      }
    }
  });
});

describe("thinking is asked for as the model wants it:", () => {
  const adaptive = { thinking: { type: "adaptive" }, output_config: { effort: "high" } };
  const rows: [model: string, fields: Partial<MessagesRequest>, expected: unknown][] = [
    [KIMI, adaptive, { thinking: true }],
    [KIMI, {}, { thinking: false }],
    [`anthropic-no-thinking/${KIMI}`, adaptive, { thinking: false }],
    [GLM, adaptive, { enable_thinking: true, clear_thinking: false }],
    [MODEL, adaptive, undefined],
  ];
  for (const [model, fields, expected] of rows) {
    test(`${model} ${fields.thinking ? "with" : "without"} thinking`, async () => {
      const rig = createHost();
      await (await rig.arbiter.fetch(toRequest({ model, ...fields }))).text();
      assert.deepEqual(rig.calls[0]?.body.chat_template_kwargs, expected);
    });
  }

  test("a host that refuses the switch is asked without it, now and later", async () => {
    const rig = createHost({
      fetch: (_input, init) => {
        const { chat_template_kwargs: refused } = JSON.parse(String(init?.body));
        const detail = "Validation: Unsupported parameter(s): `chat_template_kwargs`";
        if (refused) {
          return Promise.resolve(Response.json({ status: 400, title: "Bad Request", detail }, { status: 400 }));
        }
        const message = { role: "assistant", content: "Hello" };
        return Promise.resolve(Response.json({ choices: [{ message, finish_reason: "stop" }] }));
      },
    });
    for (const calls of [2, 3]) {
      assert.equal((await rig.arbiter.fetch(toRequest({ model: KIMI }))).status, 200);
      assert.equal(rig.calls.length, calls);
    }
  });
});

test("a host that has only the newer name of max_tokens is asked with that, now and later", async () => {
  const message =
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
  const rig = createHost({
    fetch: (_input, init) => {
      if ("max_tokens" in JSON.parse(String(init?.body))) {
        return Promise.resolve(Response.json({ error: { message, param: "max_tokens" } }, { status: 400 }));
      }
      const answer = { role: "assistant", content: "Hello" };
      return Promise.resolve(Response.json({ choices: [{ message: answer, finish_reason: "stop" }] }));
    },
  });
  for (const _ of [1, 2]) assert.equal((await rig.arbiter.fetch(toRequest({ max_tokens: 1_000 }))).status, 200);
  assert.deepEqual(rig.calls.map(({ body }) => [body.max_tokens, body.max_completion_tokens]), [
    [1_000, undefined],
    [undefined, 1_000],
    [undefined, 1_000],
  ]);
});

test("a host that refuses thinking in the history is asked without it, now and later", async () => {
  const history: MessagesRequest["messages"] = [
    { role: "user", content: "Hi" },
    {
      role: "assistant",
      content: [{ type: "thinking", thinking: "Hm" }, { type: "tool_use", id: "toolu_1", name: "Bash", input: {} }],
    },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_1", content: "done" }] },
  ];
  const replays: boolean[] = [];
  const rig = createHost({
    fetch: (_input, init) => {
      const refused = String(init?.body).includes("reasoning_content");
      replays.push(refused);
      const detail = "messages.1.assistant.reasoning_content: Extra inputs are not permitted";
      if (refused) {
        return Promise.resolve(Response.json({ status: 400, title: "Bad Request", detail }, { status: 400 }));
      }
      const message = { role: "assistant", content: "Hello" };
      return Promise.resolve(Response.json({ choices: [{ message, finish_reason: "stop" }] }));
    },
  });
  const fields = { model: KIMI, thinking: { type: "adaptive" }, tools: TOOLS, messages: history };
  for (const _ of [1, 2]) assert.equal((await rig.arbiter.fetch(toRequest(fields))).status, 200);
  assert.deepEqual(replays, [true, false, false]);
});

test("a profile's fields go along, over those of the model", async () => {
  const extraBody = { seed: 1, chat_template_kwargs: { thinking: true } };
  const rig = createHost({ modelProfiles: { mine: { providerModel: KIMI, extraBody } } });
  await (await rig.arbiter.fetch(toRequest({ model: "mine" }))).text();
  const body = rig.calls[0]?.body;
  assert.deepEqual({ seed: body?.seed, chat_template_kwargs: body?.chat_template_kwargs }, extraBody);
});

test("a profile's fields make no model think that must not", async () => {
  const extraBody = { seed: 1, chat_template_kwargs: { thinking: true } };
  const rig = createHost({ modelProfiles: { mine: { providerModel: KIMI, extraBody } } });
  await (await rig.arbiter.fetch(toRequest({ model: "anthropic-no-thinking/mine" }))).text();
  const body = rig.calls[0]?.body;
  assert.deepEqual([body?.seed, body?.chat_template_kwargs], [1, { thinking: false }]);
});

test("a profile's model is asked as often as it says, with its delays, others in between", async () => {
  const clock = new FakeClock();
  const times: number[] = [];
  const answer = (): ScriptedAnswer => {
    times.push(clock.now());
    return { status: 503, body: BUSY };
  };
  const profile = { providerModel: GLM, retryAttempts: 4, retryBaseDelayMs: 20_000, fallbacks: [MODEL] };
  const standIn = { models: { [GLM]: answer, [MODEL]: answer } };
  const rig = createHost({ clock, random: () => 1, modelProfiles: { mine: profile }, standIn });
  const response = rig.arbiter.fetch(toRequest({ model: "mine" }));
  await clock.advance(200_000);
  assert.equal((await response).status, 529);
  assert.deepEqual(rig.calls.map(({ body }) => body.model), [GLM, MODEL, GLM, GLM, GLM]);
  assert.deepEqual(times, [0, 500, 20_500, 60_500, 120_500]);
});

test("a profile's model is not asked again before its host wants it, and not at all where that takes too long", async () => {
  for (const [told, expected] of [[20, [0, 20_500, 40_500]], [61, [0]]] as const) {
    const clock = new FakeClock();
    const times: number[] = [];
    const answer = (): ScriptedAnswer => {
      times.push(clock.now());
      return { status: 429, headers: { "retry-after": `${told}` }, body: "" };
    };
    const profile = { providerModel: GLM, retryAttempts: 3, fallbacks: [] };
    const models = { [GLM]: answer, [MODEL]: () => FAULTS.gone };
    const rig = createHost({ clock, random: () => 1, modelProfiles: { mine: profile }, standIn: { models } });
    const response = rig.arbiter.fetch(toRequest({ model: "mine" }));
    await clock.advance(100_000);
    assert.equal((await response).status, 429);
    assert.deepEqual(times, expected);
  }
});

for (const [what, fault] of [["is gone", FAULTS.gone], ["refuses what it is asked", FAULTS.unsupported]] as const) {
  test(`a profile's model that ${what} is asked once, however often it may be`, async () => {
    const clock = new FakeClock();
    const profile = { providerModel: GLM, retryAttempts: 3, fallbacks: [MODEL] };
    const models = { [GLM]: () => fault, [MODEL]: () => FAULTS.gone };
    const rig = createHost({ clock, modelProfiles: { mine: profile }, standIn: { models } });
    const response = rig.arbiter.fetch(toRequest({ model: "mine" }));
    await clock.advance(10_000);
    assert.ok((await response).status >= 400);
    assert.deepEqual(rig.calls.map(({ body }) => body.model), [GLM, MODEL]);
  });
}

test("no key for any host is an error at once, which says what to set", async () => {
  const rig = createRig(HELLO, { baseUrl: "https://integrate.api.nvidia.com/v1" });
  const response = await rig.arbiter.fetch(toRequest());
  assert.deepEqual([response.status, response.headers.get("x-should-retry")], [401, "false"]);
  assert.match((await response.json()).error.message, /set NVIDIA_API_KEY/);
  assert.equal(rig.calls.length, 0);
});

test("a new configuration counts from the next request on; an answer on its way goes on", async () => {
  let go = () => {};
  const wait = new Promise<void>((resolve) => go = resolve);
  const rig = createRig({}, {
    fetch: async (_input, init) => {
      const { model } = JSON.parse(String(init?.body));
      const chunk = (content: string) =>
        new TextEncoder().encode(`data: {"choices":[{"delta":{"content":"${content}"}}]}\n\n`);
      const body = new ReadableStream<Uint8Array>({
        async start(controller) {
          controller.enqueue(chunk(`Hello from ${model}`));
          if (model === MODEL) await wait;
          controller.enqueue(chunk("."));
          controller.enqueue(
            new TextEncoder().encode('data: {"choices":[{"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'),
          );
          controller.close();
        },
      });
      return await Promise.resolve(new Response(body, { headers: { "content-type": "text/event-stream" } }));
    },
  });
  const before = await rig.arbiter.fetch(toRequest({ stream: true }));
  await until("the first answer has begun", () => rig.calls.length === 1);
  assert.throws(() => rig.arbiter.configure({ apiKey: "a b" }), TypeError);
  rig.arbiter.configure({ baseUrl: "http://stand-in/v1", model: "other/model" });
  const after = await rig.arbiter.fetch(toRequest({ stream: true }));
  assert.match(await after.text(), /Hello from other\/model/);
  go();
  const text = await before.text();
  assert.match(text, /Hello from test\/model/);
  assert.match(text, /message_stop/);
});

describe("where a host refuses the key", () => {
  const backends = { other: { baseUrl: "http://other/v1", apiKey: "other" } };
  const refusing = (status: number) => () => ({ status, body: {} });
  const asked = (rig: Rig) => rig.calls.map(({ url, body }) => `${new URL(url).host} ${body.model}`);

  for (const status of [401, 402]) {
    test(`with ${status} another is asked, and no other model of the same`, async () => {
      const standIn = { models: { [MODEL]: refusing(status), [KIMI]: refusing(status), [GLM]: () => HELLO } };
      const rig = createHost({ backends, fallbacks: [KIMI, `other/${GLM}`], standIn });
      const response = await rig.arbiter.fetch(toRequest());
      assert.equal(response.status, 200);
      assert.deepEqual(asked(rig), [`stand-in ${MODEL}`, `other ${GLM}`]);
    });
  }

  test("and all others do as well, that is told at once and to be asked no more", async () => {
    const standIn = { models: { [MODEL]: refusing(401), [KIMI]: refusing(401), [GLM]: refusing(401) } };
    const rig = createHost({ backends, fallbacks: [`other/${GLM}`, KIMI, `other/${KIMI}`], standIn });
    const response = await rig.arbiter.fetch(toRequest());
    assert.deepEqual([response.status, response.headers.get("x-should-retry")], [401, "false"]);
    assert.deepEqual(asked(rig), [`stand-in ${MODEL}`, `other ${GLM}`]);
  });

  test("the same host is asked with another key", async () => {
    const same = { same: { baseUrl: "http://stand-in/v1", apiKey: "another" } };
    const rig = createHost({
      backends: same,
      fallbacks: [`same/${GLM}`],
      standIn: { models: { [MODEL]: refusing(401), [GLM]: () => HELLO } },
    });
    assert.equal((await rig.arbiter.fetch(toRequest())).status, 200);
    assert.deepEqual(rig.calls.map(({ headers }) => headers.get("authorization")), [null, "Bearer another"]);
  });
});
