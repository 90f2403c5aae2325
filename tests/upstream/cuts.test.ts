import assert from "node:assert/strict";
import { test } from "node:test";
import { Cuts } from "../../lib/upstream/cuts.ts";
import type { MessagesRequest } from "../../lib/wire/anthropic.ts";
import { FakeClock } from "../support/fake_clock.ts";

function toRequest(content: string, fields: Partial<MessagesRequest> = {}): MessagesRequest {
  return { model: "m", max_tokens: 10, messages: [{ role: "user", content }], ...fields };
}

test("the same request is known again, whatever a retry changes beside its messages", () => {
  const cuts = new Cuts(new FakeClock());
  cuts.note(toRequest("one"), "a");
  cuts.note(toRequest("one"), "b");
  assert.deepEqual([...cuts.of(toRequest("one", { max_tokens: 20, stream: true }))], ["a", "b"]);
  assert.deepEqual([...cuts.of(toRequest("two"))], []);
});

test("a request to go on is known by what it goes on from, and what follows is another", () => {
  const cuts = new Cuts(new FakeClock());
  const [asked] = toRequest("one").messages;
  const [half, goOn] = [{ role: "assistant" as const, content: "Half" }, { role: "user" as const, content: "Go on" }];
  cuts.note(toRequest("one"), "a");
  assert.equal(cuts.of(toRequest("", { messages: [asked!, half, goOn] })).size, 1);
  assert.equal(cuts.of(toRequest("", { messages: [asked!, half, goOn, half, goOn] })).size, 0);
  assert.equal(cuts.of(toRequest("", { messages: [] })).size, 0);
});

test("marks for a cache make no other request", () => {
  const cuts = new Cuts(new FakeClock());
  const block = { type: "text" as const, text: "one" };
  const marked = { ...block, cache_control: { type: "ephemeral" } };
  cuts.note(toRequest("", { messages: [{ role: "user", content: [block] }] }), "a");
  assert.equal(cuts.of(toRequest("", { messages: [{ role: "user", content: [marked] }] })).size, 1);
  assert.equal(cuts.of(toRequest("one")).size, 1);
});

test("after five minutes it is forgotten", async () => {
  const clock = new FakeClock();
  const cuts = new Cuts(clock);
  cuts.note(toRequest("one"), "a");
  await clock.advance(300_000);
  assert.equal(cuts.of(toRequest("one")).size, 1);
  await clock.advance(1);
  assert.equal(cuts.of(toRequest("one")).size, 0);
});
