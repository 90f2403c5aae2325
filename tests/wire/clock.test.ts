import assert from "node:assert/strict";
import { test } from "node:test";
import { toRising } from "../../lib/wire/clock.ts";

test("a clock that is set back goes on from where it was, each time, and one that is set forward goes along", () => {
  const rows: [machine: number, told: number][] = [
    [1_000, 1_000],
    [1_000, 1_000],
    [1_010, 1_010],
    [10, 1_010], // An hour back, say.
    [15, 1_015],
    [14, 1_015],
    [20, 1_021],
    [0, 1_021],
    [5_000, 6_021],
    [5_001, 6_022],
  ];
  let at = 0;
  const now = toRising(() => rows[at]![0]);
  for (; at < rows.length; at++) assert.equal(now(), rows[at]![1], `reading ${at}`);
});
