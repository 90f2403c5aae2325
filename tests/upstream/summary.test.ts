import assert from "node:assert/strict";
import { test } from "node:test";
import { FAULT_KINDS, type FaultFacts, type FaultKind, UpstreamFault } from "../../lib/upstream/faults.ts";
import { summarizeFaults } from "../../lib/upstream/summary.ts";
import { ApiError } from "../../lib/wire/errors.ts";

const KINDS = Object.keys(FAULT_KINDS) as FaultKind[];

/** What is told when each of the models `m1`, `m2` … has failed, in this order, at a prompt of 35,000 tokens or so. */
function summarize(...faults: (ApiError | FaultKind | [FaultKind, FaultFacts])[]): ApiError {
  const tried = new Map(faults.map((fault, i) => {
    const [kind, facts] = Array.isArray(fault) ? fault : [fault, {}];
    const error = kind instanceof ApiError ? kind : new UpstreamFault(kind, kind, facts);
    return [{ backend: { baseUrl: "http://host/v1" }, model: `m${i + 1}` }, error];
  }));
  return summarizeFaults(tried, { count: () => 35_000 });
}

test("one fault is told as it is", () => {
  for (const kind of KINDS) {
    const fault = new UpstreamFault(kind, kind);
    assert.equal(summarize(fault), fault);
  }
});

test("what will pass is told before what will not, whatever its place, and all are named", () => {
  const limited: [FaultKind, FaultFacts] = ["rate_limited", { retryAfter: 7_000 }];
  const { type, status, headers, message } = summarize("gone", limited, "degraded");
  assert.deepEqual([type, status, headers], ["rate_limit_error", 429, { "retry-after": "7" }]);
  assert.equal(message, "rate_limited (m2); also tried: degraded (m3); also tried: gone (m1)");
});

test("a key that is refused is told before what is wrong with the request, but after what will pass", () => {
  assert.equal(summarize("bad_key", "pool_full").status, 529);
  for (const kind of ["bad_request", "gone", "context_overflow"] as const) {
    assert.equal(summarize("bad_key", kind).status, 401, kind);
  }
});

test("what the model that was wanted finds wrong with the request counts most, what a fallback does least", () => {
  for (const kind of ["context_overflow", "bad_request", "rejected_field", "output_cap"] as const) {
    assert.equal(summarize(kind, "rate_limited").status, 400, kind);
    assert.equal(summarize("rate_limited", kind).status, 429, kind);
    assert.equal(summarize("gone", kind).status, 400, kind);
  }
});

test("of overflows the widest window is told, in the words on which Claude Code compacts", () => {
  const [narrow, wide] = [{ used: 40_000, limit: 8_192 }, { used: 41_000, limit: 32_768 }];
  const { status, message } = summarize(["context_overflow", narrow], ["context_overflow", wide]);
  assert.deepEqual([status, message], [400, "prompt is too long: 41000 tokens > 32768 maximum"]);
});

test("an overflow that no host has counted, or only in part, is told as it was estimated", () => {
  for (const counted of [{}, { used: 32_768 }, { total: 30_000 }]) {
    const { message } = summarize(["context_overflow", { ...counted, limit: 32_768 }]);
    assert.equal(message, "prompt is too long: 35000 tokens > 32768 maximum");
  }
});

test("a failure of our own is told when nothing else is", () => {
  const own = new ApiError("api_error", "Arbiter failed");
  assert.equal(summarize(own), own);
  assert.equal(summarize(own, "gone").status, 404);
});

test("no candidate is an error, too", () => assert.match(summarize().message, /No model is configured/));
