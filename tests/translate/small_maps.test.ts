import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toStopReason } from "../../lib/translate/stop_reason.ts";
import { toUsage } from "../../lib/translate/usage.ts";

describe("toStopReason() maps", () => {
  const rows = [
    ["stop", "end_turn"],
    ["length", "max_tokens"],
    ["model_length", "max_tokens"],
    ["MAX_TOKENS", "max_tokens"],
    ["tool_calls", "end_turn"],
    ["function_call", "end_turn"],
    ["content_filter", "end_turn"],
    ["eos", "end_turn"],
    ["constructor", "end_turn"],
    ["", "end_turn"],
    [null, "end_turn"],
    [undefined, "end_turn"],
  ] as const;
  for (const [finishReason, expected] of rows) {
    test(`${finishReason} to ${expected}`, () => assert.equal(toStopReason(finishReason), expected));
  }
});

describe("toUsage()", () => {
  const estimate = { input: 11, output: 22 };
  const rows = [
    [undefined, [11, 22, 0]],
    [{}, [11, 22, 0]],
    [{ prompt_tokens: 100, completion_tokens: 5 }, [100, 5, 0]],
    [{ prompt_tokens: 100, completion_tokens: 0 }, [100, 22, 0]],
    [{ prompt_tokens: 100, completion_tokens: 5, completion_tokens_details: { reasoning_tokens: 3 } }, [100, 5, 0]],
    [{ prompt_tokens: 100, completion_tokens: 5, completion_tokens_details: { reasoning_tokens: 50 } }, [100, 55, 0]],
    [{ prompt_tokens: 0, completion_tokens: 5 }, [11, 5, 0]],
    [{ prompt_tokens: "3000", completion_tokens: -5, prompt_tokens_details: { cached_tokens: -5 } } as never, [
      11,
      22,
      0,
    ]],
    [{ prompt_tokens: Infinity, completion_tokens: NaN } as never, [11, 22, 0]],
    [{ prompt_tokens: 2 ** 32 - 1, completion_tokens: 2 ** 32 }, [11, 22, 0]],
    [{ prompt_tokens: null, completion_tokens: null, prompt_tokens_details: null }, [11, 22, 0]],
    [{ prompt_tokens: 100, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 30 } }, [70, 5, 30]],
    [{ prompt_tokens: 100, completion_tokens: 5, prompt_tokens_details: { cached_tokens: null } }, [100, 5, 0]],
    [{ prompt_tokens: 100, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 300 } }, [0, 5, 100]],
  ] as const;
  for (const [usage, [input_tokens, output_tokens, cache_read_input_tokens]] of rows) {
    test(`reads ${JSON.stringify(usage)}`, () => {
      assert.deepEqual(toUsage(usage, estimate), {
        input_tokens,
        output_tokens,
        cache_read_input_tokens,
        cache_creation_input_tokens: 0,
      });
    });
  }
});
