/** A host that speaks Anthropic's format itself: here it is another Arbiter, in front of the stand-in. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { BackendOptions, MessagesRequest, RequestLog, ScriptedAnswer } from "../../mod.ts";
import { FAULTS } from "../support/faults.ts";
import { assertLegalStream, parseEvents } from "../support/grammar.ts";
import { createRig, MODEL, type Rig, type RigOptions, serveBytes, toRequest, until } from "./harness.ts";

const HELLO: ScriptedAnswer = { steps: [{ text: "Hello" }] };

interface PassedRig extends Rig {
  /** What stands behind. */
  host: Rig;
}

/** Makes a proxy in front of a host of Anthropic's format, whose models answer as given. */
function createPassedRig(answer: ScriptedAnswer, own: BackendOptions = {}, options: RigOptions = {}): PassedRig {
  const host = createRig(answer);
  const fetch: typeof globalThis.fetch = (input, init) => host.arbiter.fetch(new Request(input, init));
  const rig = createRig({}, {
    baseUrl: "http://elsewhere/v1",
    model: `kimi/${MODEL}`,
    backends: { kimi: { baseUrl: "http://host/anthropic", apiKey: "key", format: "anthropic", ...own } },
    fetch: (input, init) => String(input).startsWith("http://host/") ? fetch(withoutPrefix(input), init) : fetch(input),
    ...options,
  });
  return { ...rig, host };
}

const withoutPrefix = (input: string | URL | Request): string => String(input).replace("/anthropic", "");

async function read(response: Response): Promise<unknown> {
  assert.equal(response.status, 200, await response.clone().text());
  return assertLegalStream(parseEvents(await response.text())).content;
}

test("a request is passed on as it came, with the model's name and a stream", async () => {
  const rig = createPassedRig(HELLO);
  const fields = { metadata: { user_id: "u" }, thinking: { type: "adaptive" }, unheard_of: [1], max_tokens: 5 };
  assert.deepEqual(await read(await rig.arbiter.fetch(toRequest({ ...fields, stream: true }))), [
    { type: "text", text: "Hello" },
  ]);
  const [{ url, body } = { url: "", body: {} }] = rig.calls;
  assert.equal(url, "http://host/anthropic/v1/messages");
  assert.deepEqual(body, { model: MODEL, messages: [{ role: "user", content: "Hello" }], stream: true, ...fields });
});

test("a search of the web goes to a host that may know how, and to no other", async () => {
  const search = {
    stream: true,
    messages: [{ role: "user" as const, content: "Perform a web search for the query: deno" }],
    tools: [{ type: "web_search_20250305", name: "web_search" }],
  };
  const passed = createPassedRig(HELLO);
  await read(await passed.arbiter.fetch(toRequest(search)));
  assert.deepEqual(passed.calls[0]?.body.tools, search.tools);
  const other = createRig(HELLO);
  const [told] = await read(await other.arbiter.fetch(toRequest(search))) as { text: string }[];
  assert.match(told?.text ?? "", /^Nothing was searched/);
  assert.equal(other.calls.length, 0);
  const online = createRig(HELLO, { model: "test/model:online" });
  assert.deepEqual(await read(await online.arbiter.fetch(toRequest(search))), [{ type: "text", text: "Hello" }]);
});

test("a request that a host has refused for a beta of the client's is passed on again without it", async () => {
  const fetch: typeof globalThis.fetch = async (_input, init) => {
    const message = "Unexpected value(s) `new-2026-08-18` for the `anthropic-beta` header";
    const refused = new Headers(init?.headers).has("anthropic-beta");
    return refused
      ? Response.json({ type: "error", error: { type: "invalid_request_error", message } }, { status: 400 })
      : await serveBytes(['{"type":"message","content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn"}'])(
        "",
      );
  };
  const rig = createPassedRig(HELLO, {}, { fetch });
  const statuses: number[] = [];
  for (const beta of ["new-2026-08-18", ""]) {
    const request = toRequest({ stream: true });
    if (beta) request.headers.set("anthropic-beta", beta);
    const response = await rig.arbiter.fetch(request);
    statuses.push(response.status);
    await response.text();
  }
  assert.deepEqual(statuses, [400, 200]);
});

test("a client that wants no stream gets none", async () => {
  const rig = createPassedRig(HELLO);
  const message = await (await rig.arbiter.fetch(toRequest({}))).json();
  assert.deepEqual(message.content, [{ type: "text", text: "Hello" }]);
  assert.equal(message.model, "claude-sonnet-5");
  assert.equal(rig.calls[0]?.body.stream, true);
});

test("the version and the betas of the client go along, its key does not", async () => {
  const rig = createPassedRig(HELLO, { headers: { "X-Own": "1" } });
  const request = toRequest({ stream: true });
  const given = { "anthropic-version": "2024-01-01", "anthropic-beta": "a,b", "x-api-key": "client", "x-other": "2" };
  for (const [name, value] of Object.entries(given)) request.headers.set(name, value);
  await read(await rig.arbiter.fetch(request));
  const names = ["anthropic-version", "anthropic-beta", "x-api-key", "authorization", "x-own", "x-other"];
  assert.deepEqual(names.map((name) => rig.calls[0]?.headers.get(name)), [
    "2024-01-01",
    "a,b",
    "key",
    "Bearer key",
    "1",
    null,
  ]);
});

test("an empty header in the configuration takes one away", async () => {
  const rig = createPassedRig(HELLO, { headers: { Authorization: "" } });
  await read(await rig.arbiter.fetch(toRequest({ stream: true })));
  const headers = rig.calls[0]?.headers;
  assert.deepEqual([headers?.get("authorization"), headers?.get("x-api-key")], [null, "key"]);
  assert.equal(headers?.get("anthropic-version"), "2023-06-01");
});

test("calls and their results survive the way there and back", async () => {
  const input = { command: "ls" };
  const rig = createPassedRig({ steps: [{ calls: [{ name: "Bash", arguments: input }] }] });
  const tools = [{ name: "Bash", input_schema: { type: "object", properties: { command: { type: "string" } } } }];
  const content = await read(await rig.arbiter.fetch(toRequest({ stream: true, tools }))) as { input: unknown }[];
  assert.deepEqual(content[0]?.input, input);
});

test("a fault of the host is not seen while another model answers, in whatever format", async () => {
  for (const fault of [FAULTS.degraded, FAULTS.busy, FAULTS.gone, { steps: [{ stop: "cut" as const }] }]) {
    const rig = createPassedRig(fault, {}, { fallbacks: ["nvidia/test/second"] });
    const response = await rig.arbiter.fetch(toRequest({ stream: true }));
    assert.deepEqual(rig.calls.map(({ body }) => body.model).slice(0, 1), [MODEL]);
    assert.equal(response.headers.get("x-arbiter-route")?.includes("test/second"), true);
    await response.body?.cancel();
  }
});

test("a host that says more than the answer loses nothing of it", async () => {
  for (const rest of ["data: [DONE]\n\n", "data: <html>\n\n"]) {
    const text = await (await createRig(HELLO).arbiter.fetch(toRequest({ stream: true }))).text();
    const rig = createPassedRig(HELLO, {}, { fetch: serveBytes([text + rest]) });
    assert.deepEqual(await read(await rig.arbiter.fetch(toRequest({ stream: true }))), [{
      type: "text",
      text: "Hello",
    }]);
  }
});

test("a host that answers whole where a stream was asked for is understood", async () => {
  const tools = [{ name: "Bash", input_schema: { type: "object" } }];
  const answer: ScriptedAnswer = {
    steps: [{ reasoning: "Hm" }, { text: "Hello" }, { calls: [{ name: "Bash", arguments: { command: "ls" } }] }],
  };
  const whole = await (await createRig(answer).arbiter.fetch(toRequest({ tools }))).json();
  assert.equal(whole.content.length, 3);
  const rig = createPassedRig(HELLO, {}, { fetch: () => Promise.resolve(Response.json(whole)) });
  const streamed = await rig.arbiter.fetch(toRequest({ stream: true, tools }));
  const { content, stop_reason, usage } = assertLegalStream(parseEvents(await streamed.text()));
  assert.deepEqual([content, stop_reason, usage], [whole.content, "tool_use", whole.usage]);
  const again = await (await rig.arbiter.fetch(toRequest({ tools }))).json();
  assert.deepEqual({ ...again, id: "" }, { ...whole, id: "" });
});

test("the log has the counts of the host, and the answer says where it came from", async () => {
  const logs: RequestLog[] = [];
  const usage = { prompt_tokens: 70, completion_tokens: 9, prompt_tokens_details: { cached_tokens: 30 } };
  const rig = createPassedRig({ ...HELLO, usage }, {}, { onRequest: (log) => void logs.push(log) });
  for (const stream of [true, false]) {
    const response = await rig.arbiter.fetch(toRequest({ stream }));
    assert.match(response.headers.get("x-arbiter-route") ?? "", /; model=kimi\/test\/model;/);
    await response.text();
  }
  assert.deepEqual(logs.map(({ model, inputTokens, outputTokens }) => [model, inputTokens, outputTokens]), [
    [MODEL, 70, 9],
    [MODEL, 70, 9],
  ]);
});

for (const how of ["stops reading", "goes away"]) {
  test(`a client that ${how} in the middle ends the call of the host at once, and nothing is made up`, async () => {
    const logs: RequestLog[] = [];
    const answer: ScriptedAnswer = { steps: [{ text: "Hello" }, { wait: Infinity }] };
    const rig = createPassedRig(answer, {}, { onRequest: (log) => void logs.push(log) });
    const gone = new AbortController();
    const response = await rig.arbiter.fetch(toRequest({ stream: true }, { signal: gone.signal }));
    assert.match(response.headers.get("x-arbiter-route") ?? "", /; model=kimi\/test\/model;/);
    const reader = response.body!.getReader();
    await reader.read();
    assert.deepEqual([rig.calls[0]?.signal.aborted, rig.host.standIn.open], [false, 1]);
    if (how === "goes away") gone.abort();
    await reader.cancel().catch(() => {});
    assert.equal(rig.calls[0]?.signal.aborted, true);
    await until("the host has noticed", () => rig.host.standIn.open === 0);
    const [{ status, model, outputTokens, route } = { status: 0 }] = logs;
    assert.deepEqual([status, model, outputTokens, route?.model], [499, MODEL, undefined, `kimi/${MODEL}`]);
  });
}

test("a model that must not think is told so", async () => {
  const rig = createPassedRig(HELLO, {}, { thinking: false });
  const fields = { thinking: { type: "adaptive" }, context_management: { edits: [] } };
  await read(await rig.arbiter.fetch(toRequest({ stream: true, ...fields })));
  assert.deepEqual(rig.calls[0]?.body.thinking, { type: "disabled" });
  assert.equal("context_management" in (rig.calls[0]?.body ?? {}), false);
});

test("thinking of other models stays behind, that of the host does not", async () => {
  const rig = createPassedRig(HELLO);
  const messages: MessagesRequest["messages"] = [
    { role: "user", content: "Hi" },
    { role: "assistant", content: [{ type: "thinking", thinking: "other", signature: "unsigned" }] },
    {
      role: "assistant",
      content: [
        { type: "thinking", thinking: "other", signature: "unsigned" },
        { type: "thinking", thinking: "own", signature: "sig" },
        { type: "text", text: "Hello" },
      ],
    },
    { role: "user", content: "Go on" },
  ];
  await read(await rig.arbiter.fetch(toRequest({ stream: true, messages })));
  const sent = rig.calls[0]?.body.messages as unknown as MessagesRequest["messages"];
  assert.deepEqual(sent.map(({ role }) => role), ["user", "assistant", "user"]);
  assert.deepEqual(sent[1]?.content, (messages[2]?.content as unknown[]).slice(1));
});
