import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Step } from "../../lib/stand_in/script.ts";
import { createStandIn, DEMO_MODEL } from "../../lib/stand_in/stand_in.ts";
import { findRefusal } from "../../lib/stand_in/strictness.ts";

const BODY = { model: "m", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] };

function post(body: object, headers: Record<string, string> = {}): Request {
  return new Request("http://stand-in/v1/chat/completions", { method: "POST", headers, body: JSON.stringify(body) });
}

function withSteps(...steps: Step[]) {
  return createStandIn({ models: { m: () => ({ steps }) } });
}

async function stream(...steps: Step[]): Promise<string[]> {
  const body = { ...BODY, stream: true, stream_options: { include_usage: true } };
  const text = await (await withSteps(...steps).fetch(post(body))).text();
  return text.split("\n\n").filter(Boolean).map((line) => line.slice(6));
}

describe("the stand-in refuses what NVIDIA's hosts refuse:", () => {
  const call = { id: "t", type: "function", function: { name: "a", arguments: "{}" } };
  const tool = (fn: object) => ({ ...BODY, tools: [{ type: "function", function: fn }] });
  const chat = (...messages: object[]) => ({ ...BODY, messages });
  const rows: [body: object, says: RegExp][] = [
    [{ ...BODY, top_k: 1, metadata: {} }, /Unsupported parameter\(s\): `top_k`, `metadata`/],
    [{ ...BODY, messages: [] }, /messages: Field required/],
    [{ ...BODY, max_tokens: undefined }, /max_tokens must be at least 1/],
    [{ ...BODY, stream_options: {} }, /only allowed when stream is set/],
    [{ ...BODY, tools: [] }, /at least 1 item/],
    [tool({ name: "a.b", parameters: {} }), /name is invalid/],
    [tool({ name: "a" }), /parameters is missing/],
    [tool({ name: "a", parameters: { additionalProperties: false } }), /boolean subschemas/],
    [chat({ role: "user", content: "" }), /at least 1 character/],
    [chat({ role: "user", content: "a" }, { role: "system", content: "b" }), /at the beginning/],
    [chat({ role: "assistant", content: [{ type: "text", text: "a" }] }), /only supported for user/],
    [chat({ role: "tool", tool_call_id: "t", content: "x" }), /Unexpected tool message/],
    [chat({ role: "assistant", content: null, tool_calls: [call] }), /without results at the end/],
    [
      chat({ role: "assistant", content: null, tool_calls: [call] }, { role: "user", content: "x" }),
      /without results before/,
    ],
  ];
  for (const [body, says] of rows) {
    test(String(says), async () => {
      const response = await withSteps().fetch(post(body));
      assert.equal(response.status, 400);
      assert.match((await response.json()).detail, says);
    });
  }

  test("and nothing else", () => assert.equal(findRefusal(BODY), undefined));
});

test("the stand-in knows its models and its key", async () => {
  const standIn = createStandIn({ apiKey: "k" });
  const list = await (await standIn.fetch("http://stand-in/v1/models")).json();
  assert.deepEqual(list.data.map(({ id }: { id: string }) => id), [DEMO_MODEL]);
  assert.equal((await standIn.fetch(post(BODY))).status, 401);
  assert.equal((await standIn.fetch(post(BODY, { authorization: "Bearer k" }))).status, 404);
  const known = post({ ...BODY, model: DEMO_MODEL }, { authorization: "Bearer k" });
  assert.equal((await standIn.fetch(known)).status, 200);
  assert.equal((await standIn.fetch("http://stand-in/v1/responses")).status, 404);
});

test("the stand-in streams steps in order, usage and [DONE] last", async () => {
  const events = await stream({ reasoning: "Hm." }, { text: "12345", size: 2 }, {
    calls: [{ name: "a", arguments: {} }],
  });
  const chunks = events.slice(0, -1).map((event) => JSON.parse(event));
  const deltas = chunks.slice(0, 5).map((chunk) => chunk.choices[0].delta);
  assert.deepEqual(deltas.slice(0, 4), [
    { reasoning_content: "Hm." },
    { content: "12" },
    { content: "34" },
    { content: "5" },
  ]);
  assert.equal(deltas[4].tool_calls[0].function.arguments, "{}");
  assert.equal(chunks[5].choices[0].finish_reason, "tool_calls");
  assert.ok(chunks[6].usage.prompt_tokens > 0);
  assert.equal(events.at(-1), "[DONE]");
});

test("the stand-in can break, end early and answer whole", async () => {
  await assert.rejects(stream({ text: "a" }, { stop: "cut" }));
  assert.ok(!(await stream({ text: "a" }, { stop: "end" })).includes("[DONE]"));
  const whole = await (await withSteps({ text: "a" }, { text: "b" }, { finish: "length" }).fetch(post(BODY))).json();
  assert.equal(whole.choices[0].message.content, "ab");
  assert.equal(whole.choices[0].finish_reason, "length");
});

test("the stand-in stops when the client goes away", async () => {
  const standIn = withSteps({ text: "a" }, { wait: Infinity });
  const gone = new AbortController();
  const response = await standIn.fetch(post({ ...BODY, stream: true }), { signal: gone.signal });
  assert.equal(standIn.open, 1);
  gone.abort();
  await assert.rejects(response.text());
  assert.equal(standIn.open, 0);
});

test("a script sees the request and how many there were before", async () => {
  const turns: number[] = [];
  const standIn = createStandIn({ models: { m: (_request, turn) => void turns.push(turn) } });
  await standIn.fetch(post(BODY));
  await standIn.fetch(post(BODY));
  assert.deepEqual(turns, [0, 1]);
  assert.equal(standIn.requests.length, 2);
});

test("only the latest requests are kept where not all are wanted", async () => {
  const turns: number[] = [];
  const standIn = createStandIn({ models: { m: (_request, turn) => void turns.push(turn) }, keep: 1 });
  for (const max_tokens of [1, 2, 3]) await standIn.fetch(post({ ...BODY, max_tokens }));
  assert.deepEqual([standIn.requests.map(({ max_tokens }) => max_tokens), turns], [[3], [0, 1, 2]]);
});
