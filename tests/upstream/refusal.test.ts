import assert from "node:assert/strict";
import { test } from "node:test";
import { UpstreamFault } from "../../lib/upstream/faults.ts";
import { LastRefusal } from "../../lib/upstream/refusal.ts";
import { FakeClock } from "../support/fake_clock.ts";

const FIRST = { backend: { baseUrl: "http://host/v1" }, model: "m/1" };
const SECOND = { ...FIRST, model: "m/2" };

test("a refusal is said again for five seconds to the same body for the same candidate, and to nothing else", async () => {
  const clock = new FakeClock();
  const refusal = new LastRefusal(clock);
  const fault = new UpstreamFault("bad_request", "The host refuses this");
  assert.equal(refusal.of(FIRST, { n: 1 }), undefined);
  refusal.note(FIRST, { n: 1 }, fault);
  await clock.advance(4_999);
  assert.equal(refusal.of(FIRST, { n: 1 }), fault);
  assert.equal(refusal.of(FIRST, { n: 2 }), undefined);
  assert.equal(refusal.of(SECOND, { n: 1 }), undefined);
  refusal.note(FIRST, { n: 1 }, fault);
  await clock.advance(1);
  assert.equal(refusal.of(FIRST, { n: 1 }), undefined, "to say it again does not make it last");
});

test("only the last refusal is kept", () => {
  const refusal = new LastRefusal(new FakeClock());
  const [first, second] = ["1", "2"].map((text) => new UpstreamFault("bad_request", text));
  refusal.note(FIRST, 1, first!);
  refusal.note(FIRST, 2, second!);
  assert.equal(refusal.of(FIRST, 1), undefined);
  assert.equal(refusal.of(FIRST, 2), second);
});
