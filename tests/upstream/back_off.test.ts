import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { mayPass, toBackOff } from "../../lib/upstream/back_off.ts";
import { UpstreamFault } from "../../lib/upstream/faults.ts";

const [PASSING, LASTING] = [new UpstreamFault("pool_full", "busy"), new UpstreamFault("gone", "gone")];

describe("before a call it is waited for", () => {
  const rows: [what: string, faults: UpstreamFault[], asked: number, own: number | undefined, wait: number][] = [
    ["no time when nothing has failed", [], 0, undefined, 0],
    ["no time when nothing that failed will pass", [LASTING, LASTING], 0, undefined, 0],
    ["half a second after one fault that may pass", [PASSING, LASTING], 0, undefined, 500],
    ["twice as long after two", [PASSING, PASSING], 0, undefined, 1_000],
    ["four seconds at most", [...Array(9)].map(() => PASSING), 0, undefined, 4_000],
    ["no longer because of what another profile says", [PASSING], 0, 20_000, 500],
    [
      "half a second by one that is asked again, whatever others failed",
      [PASSING, PASSING, PASSING],
      1,
      undefined,
      500,
    ],
    ["its own delay by one that has one", [PASSING, PASSING], 1, 3_000, 3_000],
    ["twice that when it is asked for the third time", [PASSING, PASSING], 2, 3_000, 6_000],
    ["a minute at most", [PASSING], 9, 3_000, 60_000],
    ["no time by one that wants none", [PASSING], 2, 0, 0],
  ];
  for (const [what, faults, asked, own, wait] of rows) {
    test(what, () => {
      assert.equal(toBackOff({ faults, asked, last: undefined, own, random: 1 }), wait);
      assert.equal(toBackOff({ faults, asked, last: undefined, own, random: 0 }), wait / 2);
    });
  }
});

test("one that is asked again waits at least as long as its host has told, others do not", () => {
  const last = new UpstreamFault("rate_limited", "busy", { retryAfter: 20_000 });
  const rows: [asked: number, own: number | undefined, wait: number][] = [
    [0, undefined, 500],
    [1, undefined, 20_000],
    [1, 3_000, 20_000],
    [5, 3_000, 48_000],
  ];
  for (const [asked, own, wait] of rows) {
    assert.equal(toBackOff({ faults: [last], asked, last, own, random: 1 }), wait, `${asked}`);
  }
});

test("what is told to pass in a minute may pass, what takes longer does not", () => {
  for (const [retryAfter, passes] of [[60_000, true], [60_001, false]] as const) {
    assert.equal(mayPass(new UpstreamFault("rate_limited", "busy", { retryAfter })), passes);
  }
});
