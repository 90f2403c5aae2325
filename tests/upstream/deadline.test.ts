import assert from "node:assert/strict";
import { test } from "node:test";
import { Deadline } from "../../lib/upstream/deadline.ts";
import { FakeClock } from "../support/fake_clock.ts";

function start(limit: number): { clock: FakeClock; outer: AbortController; deadline: Deadline } {
  const [clock, outer] = [new FakeClock(), new AbortController()];
  return { clock, outer, deadline: new Deadline(clock, outer.signal, limit) };
}

test("a deadline fires after its limit and says so", async () => {
  const { clock, deadline } = start(5000);
  await clock.advance(4999);
  assert.equal(deadline.signal.aborted, false);
  await clock.advance(1);
  assert.equal(deadline.signal.aborted, true);
  const error = deadline.explain(new Error("aborted"));
  assert.deepEqual([error.type, error.message], ["timeout_error", "The upstream was silent for 5 seconds"]);
});

test("being heard of does not lengthen the first wait", async () => {
  const { clock, deadline } = start(5000);
  await clock.advance(4000);
  deadline.heard();
  deadline.listen();
  await clock.advance(1000);
  assert.equal(deadline.signal.aborted, true);
});

test("once extended, only silence while listening counts", async () => {
  const { clock, deadline } = start(5000);
  deadline.extend(1000);
  await clock.advance(60_000);
  assert.equal(deadline.signal.aborted, false, "nobody has listened yet");
  for (let i = 0; i < 20; i++) {
    deadline.listen();
    await clock.advance(900);
    deadline.heard();
    await clock.advance(5000);
  }
  deadline.listen();
  await clock.advance(999);
  assert.equal(deadline.signal.aborted, false);
  await clock.advance(1001);
  assert.equal(deadline.signal.aborted, true);
});

test("it fires at once when the one who waits has gone, before or after the start", () => {
  const { outer, deadline } = start(5000);
  outer.abort();
  assert.equal(deadline.signal.aborted, true);
  const late = new Deadline(new FakeClock(), outer.signal, 5000);
  assert.equal(late.signal.aborted, true);
});

test("closing lets go of the timer and of the attempt", () => {
  const { clock, deadline } = start(5000);
  deadline.close();
  assert.equal(clock.pending, 0);
  assert.equal(deadline.signal.aborted, true);
});

test("an upstream that breaks off after it has begun to answer is not called unreachable", () => {
  const { deadline } = start(5000);
  deadline.listen();
  assert.equal(deadline.explain(new TypeError("terminated")).message, "The upstream broke off: terminated");
});

test("an error of the network is told with its cause", () => {
  const { deadline } = start(5000);
  const error = deadline.explain(new TypeError("fetch failed", { cause: new Error("getaddrinfo ENOTFOUND host") }));
  assert.equal(error.status, 502);
  assert.equal(error.message, "Cannot reach the upstream: getaddrinfo ENOTFOUND host");
});
