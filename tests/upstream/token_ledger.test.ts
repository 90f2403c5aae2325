import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Candidate } from "../../lib/routing/candidate.ts";
import { TokenLedger, toSession } from "../../lib/upstream/token_ledger.ts";
import type { MessagesRequest } from "../../lib/wire/anthropic.ts";

const HOST: Candidate["backend"] = { baseUrl: "http://host/v1" };
const ONE: Candidate = { backend: HOST, model: "test/one" };
const OTHER: Candidate = { backend: HOST, model: "test/other" };

function toRequest(words: number, fields: Partial<MessagesRequest> = {}): MessagesRequest {
  return { model: "m", max_tokens: 1, messages: [{ role: "user", content: "word ".repeat(words) }], ...fields };
}

test("a model counts as it has reported, others as if nothing were known of them", () => {
  const ledger = new TokenLedger();
  const first = ledger.open(toRequest(10_000), "a", 50_000);
  const estimate = first.count(ONE);
  first.report(ONE, Math.round(estimate * 1.5));
  const next = ledger.open(toRequest(20_000), "b", 100_000);
  assert.ok(Math.abs(next.count(ONE) / next.estimate(ONE) - 1.5) < 0.01);
  assert.equal(next.count(OTHER), next.estimate(OTHER));
});

test("a conversation goes on from what its last request really had", () => {
  const ledger = new TokenLedger();
  const first = ledger.open(toRequest(10_000), "a", 50_000);
  const actual = first.estimate(ONE) + 700;
  first.report(ONE, actual);
  assert.equal(ledger.open(toRequest(10_000), "a", 50_000).count(ONE), actual);
});

test("what a request with pictures costs says nothing about words", () => {
  const ledger = new TokenLedger();
  const image = { type: "image" as const, source: { type: "url", url: "https://host/i.png" } };
  const messages: MessagesRequest["messages"] = [{
    role: "user",
    content: [{ type: "text", text: "word ".repeat(5_000) }, image],
  }];
  ledger.open(toRequest(0, { messages }), "a", 25_000).report(ONE, 9_000);
  assert.equal(ledger.ratioOf(ONE), undefined);
});

test("thinking counts where the model gets it back", () => {
  const messages: MessagesRequest["messages"] = [
    { role: "user", content: "Hi" },
    {
      role: "assistant",
      content: [{ type: "thinking", thinking: "hm ".repeat(1_000) }, {
        type: "tool_use",
        id: "t",
        name: "Bash",
        input: {},
      }],
    },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "t", content: "done" }] },
  ];
  const thinking = { messages, thinking: { type: "adaptive" } };
  const count = (fields: Partial<MessagesRequest>, candidate: Candidate) =>
    new TokenLedger().open(toRequest(0, fields), "a", 10_000).count(candidate);
  const kimi: Candidate = { backend: HOST, model: "moonshotai/kimi-k2.6" };
  assert.ok(count(thinking, kimi) > 1_000);
  assert.ok(count({ messages }, kimi) < 100, "thinking is off");
  assert.ok(count(thinking, { ...kimi, thinking: false }) < 100, "thinking is not allowed");
  assert.ok(count(thinking, ONE) < 100, "the family does not want it");
  assert.ok(count(thinking, { ...ONE, backend: { ...HOST, format: "anthropic" } }) > 1_000, "it is passed on");
});

describe("parts of a request", () => {
  const tools = [1, 2, 3].map((i) => ({ name: `Tool${i}`, description: "word ".repeat(i * 50), input_schema: {} }));
  const count = (ledger: TokenLedger, session: string, tools: MessagesRequest["tools"] = []) =>
    ledger.countPart(toRequest(1, { tools }), session, ONE);

  test("add up, to a token each", () => {
    const ledger = new TokenLedger();
    ledger.restore(new Map([["http://host/v1 test/one", 1.2345]]));
    const none = count(ledger, "s");
    const overhead = count(ledger, "s", [{ name: "T", input_schema: {} }]) - count(ledger, "s", []);
    const each = tools.map((tool) => count(ledger, "s", [tool]) - none - overhead);
    const all = count(ledger, "s", tools) - none - overhead;
    const single = count(ledger, "s", [{ name: "T", input_schema: {} }, { name: "T", input_schema: {} }]) - none -
      overhead;
    assert.ok(
      Math.abs(each.reduce((sum, cost) => sum + cost + single, -single) - all) <= tools.length + 1,
      `${each} ${all}`,
    );
  });

  test("cost the same in a session whatever is learned meanwhile, and what is known by then in the next", () => {
    const ledger = new TokenLedger();
    ledger.restore(new Map([["http://host/v1 test/one", 1]]));
    const before = count(ledger, "s", tools);
    ledger.restore(new Map([["http://host/v1 test/one", 2]]));
    assert.equal(count(ledger, "s", tools), before);
    assert.ok(count(ledger, "t", tools) > before * 1.4);
  });
});

describe("a session is", () => {
  const headers = (fields: Record<string, string>) => new Headers(fields);
  const id = { "x-claude-code-session-id": "a" };
  test("what the client says, a subagent and a side request apart", () => {
    const sessions = [
      toSession(headers(id), toRequest(1), "main"),
      toSession(headers(id), toRequest(1), "title"),
      toSession(headers({ ...id, "x-claude-code-agent-id": "b" }), toRequest(1), "main"),
      toSession(headers({ "x-session-id": "c" }), toRequest(1), "main"),
    ];
    assert.equal(new Set(sessions).size, sessions.length);
    assert.equal(toSession(headers(id), toRequest(9), "main"), sessions[0]);
  });

  test("told by how it began where the client says nothing", () => {
    const session = (content: string) =>
      toSession(new Headers(), toRequest(0, { messages: [{ role: "user", content }] }), "main");
    assert.equal(session("Hello"), session("Hello"));
    assert.notEqual(session("Hello"), session("Good day"));
  });
});

test("what cannot even be read is guessed: nobody awaits a count, and a throw there would end the process", () => {
  const odd = { type: "document", source: { type: "content", content: [null] } } as never;
  const messages: MessagesRequest["messages"] = [{ role: "user", content: [odd] }];
  assert.equal(new TokenLedger().open(toRequest(0, { messages }), "a", 500).count(ONE), 500);
});

test("the cost of having tools is always the same, however a model counts", () => {
  const tools = [{ name: "T", input_schema: {} }];
  const count = (ratio: number, tools: MessagesRequest["tools"]) => {
    const ledger = new TokenLedger();
    ledger.restore(new Map([["http://host/v1 test/one", ratio]]));
    return ledger.countPart(toRequest(1, { tools: tools ?? [] }), "s", ONE);
  };
  const [one, other] = [1, 2].map((ratio) => count(ratio, tools) - count(ratio, []) - 500);
  assert.ok(one! > 0 && Math.abs(other! / one! - 2) < 0.2, `${one} ${other}`);
});
