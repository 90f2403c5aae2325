import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, toApiError } from "../../lib/wire/errors.ts";
import { randomId, toDigest } from "../../lib/wire/ids.ts";

test("an ApiError has the status of its type, unless it is given another", () => {
  assert.equal(new ApiError("overloaded_error", "x").status, 529);
  assert.equal(new ApiError("invalid_request_error", "x", { status: 405 }).status, 405);
});

test("an ApiError becomes the body that Anthropic's clients read", () => {
  const body = { type: "error", error: { type: "rate_limit_error", message: "Slow down" } };
  assert.deepEqual(JSON.parse(JSON.stringify(new ApiError("rate_limit_error", "Slow down"))), body);
});

test("toApiError() keeps an ApiError and explains everything else", () => {
  const error = new ApiError("not_found_error", "x");
  assert.equal(toApiError(error), error);
  const cause = new RangeError("too far");
  assert.deepEqual([toApiError(cause).message, toApiError(cause).cause], ["Arbiter failed: too far", cause]);
  assert.equal(toApiError("text").message, "Arbiter failed: text");
});

test("random ids have Anthropic's form and do not repeat", () => {
  const ids = Array.from({ length: 1000 }, () => randomId("toolu_"));
  assert.ok(ids.every((id) => /^toolu_[0-9A-Za-z]{24}$/.test(id)));
  assert.equal(new Set(ids).size, 1000);
});

test("a digest is the same each time, has the length asked for and tells inputs apart", () => {
  const digests = Array.from({ length: 20_000 }, (_, i) => toDigest(`call_${i}`, 9));
  assert.equal(toDigest("call_7", 9), digests[7]);
  assert.ok(digests.every((digest) => /^[0-9a-z]{9}$/.test(digest)));
  assert.equal(new Set(digests).size, digests.length);
});
