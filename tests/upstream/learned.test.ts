import assert from "node:assert/strict";
import { test } from "node:test";
import { LearnedFacts } from "../../lib/upstream/learned.ts";

const toCandidate = (baseUrl: string) => ({ backend: { baseUrl }, model: "m" });
const [ONE, SAME_ELSEWHERE] = [toCandidate("http://a/v1"), toCandidate("http://b/v1")];
const NOTHING = { refused: [], context: Infinity, maxOutput: Infinity, scale: 1, noTools: false };

test("nothing is known about a model that has taught nothing", () => {
  assert.deepEqual(new LearnedFacts().of(ONE), NOTHING);
});

test("what a model teaches adds up", () => {
  const learned = new LearnedFacts();
  learned.learn(ONE, { refused: ["stop"] });
  learned.learn(ONE, { refused: ["top_p", "stop"], context: 32_768, maxOutput: 4_096 });
  learned.learn(ONE, { noTools: true, scale: 1.2 });
  learned.learn(ONE, {});
  const facts = { refused: ["stop", "top_p"], context: 32_768, maxOutput: 4_096, scale: 1.2, noTools: true };
  assert.deepEqual(learned.of(ONE), facts);
});

test("a smaller limit and a larger scale count more, whichever comes first", () => {
  const learned = new LearnedFacts();
  for (const [context, scale] of [[131_072, 1.1], [32_768, 1.3], [65_536, 0.5]] as const) {
    learned.learn(ONE, { context, scale });
  }
  assert.deepEqual(learned.of(ONE), { ...NOTHING, context: 32_768, scale: 1.3 });
});

test("what a model teaches at one host is not held against it at another", () => {
  const learned = new LearnedFacts();
  learned.learn(ONE, { noTools: true });
  assert.deepEqual(learned.of(SAME_ELSEWHERE), NOTHING);
});
