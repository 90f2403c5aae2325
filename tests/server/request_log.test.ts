import assert from "node:assert/strict";
import { test } from "node:test";
import { noteUsage, type RequestLog } from "../../lib/server/request_log.ts";

test("input tokens are all of them: new ones, those a host has put into its cache, those it had there", () => {
  const log: Partial<RequestLog> = {};
  const usage = {
    input_tokens: 7,
    cache_creation_input_tokens: 100,
    cache_read_input_tokens: 30,
    output_tokens: 9,
  };
  noteUsage(log, [{ type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage }]);
  assert.deepEqual(log, { inputTokens: 137, cachedTokens: 30, outputTokens: 9 });
});
