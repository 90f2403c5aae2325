import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toChatError } from "../../lib/wire/chat_errors.ts";
import { ApiError, type ApiErrorType, STATUS_BY_ERROR_TYPE } from "../../lib/wire/errors.ts";

describe("an error in OpenAI's shape says what Anthropic's says:", () => {
  for (const type of Object.keys(STATUS_BY_ERROR_TYPE) as ApiErrorType[]) {
    test(type, () => {
      const { error } = toChatError(new ApiError(type, "Something is wrong").toJSON());
      assert.deepEqual(Object.keys(error).sort(), ["code", "message", "param", "type"]);
      assert.equal(error.message, "Something is wrong");
      assert.ok(error.type);
    });
  }
});

test("a prompt that is too long for a host that gives no numbers is told in its words, with the code", () => {
  const told = new ApiError("invalid_request_error", "prompt is too long: Your input exceeds the context window");
  const { error: { message, code, param } } = toChatError(told.toJSON());
  assert.deepEqual([message, code, param], [told.message, "context_length_exceeded", "messages"]);
});

test("a prompt that is too long is told in OpenAI's words and code", () => {
  const told = new ApiError("invalid_request_error", "prompt is too long: 199906 tokens > 32768 maximum").toJSON();
  assert.deepEqual(toChatError(told), {
    error: {
      message: "This model's maximum context length is 32768 tokens. However, your messages resulted in 199906 tokens.",
      type: "invalid_request_error",
      code: "context_length_exceeded",
      param: "messages",
    },
  });
});
