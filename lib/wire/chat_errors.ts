import type { ApiErrorBody, ApiErrorType } from "./errors.ts";

/** The body of an error of chat completions. */
export type ChatErrorBody = { error: { message: string; type: string; code: string | null; param: string | null } };

/** How OpenAI names each of Anthropic's errors. */
const CHAT_ERRORS: Record<ApiErrorType, [type: string, code: string | null]> = {
  invalid_request_error: ["invalid_request_error", null],
  authentication_error: ["authentication_error", "invalid_api_key"],
  billing_error: ["insufficient_quota", "insufficient_quota"],
  permission_error: ["permission_error", null],
  not_found_error: ["invalid_request_error", "not_found"],
  request_too_large: ["invalid_request_error", "request_too_large"],
  rate_limit_error: ["rate_limit_error", "rate_limit_exceeded"],
  api_error: ["server_error", null],
  timeout_error: ["server_error", "timeout"],
  overloaded_error: ["server_error", "overloaded"],
};

/** What says that a prompt is too long, in Anthropic's words or, where it has no numbers, in a host's. */
const TOO_LONG_PROMPT = /^prompt is too long(?:: (\d+) tokens > (\d+) maximum)?/;

/**
 * The error in OpenAI's shape.
 *
 * Clients shorten a conversation that is too long by OpenAI's words and code only.
 */
export function toChatError({ error: { type, message } }: ApiErrorBody): ChatErrorBody {
  const [tooLong, used, limit] = TOO_LONG_PROMPT.exec(message) ?? [];
  const [kind, code] = CHAT_ERRORS[type];
  if (tooLong === undefined) return { error: { message, type: kind, code, param: null } };
  const told = limit === undefined
    ? message
    : `This model's maximum context length is ${limit} tokens. However, your messages resulted in ${used} tokens.`;
  return { error: { message: told, type: kind, code: "context_length_exceeded", param: "messages" } };
}
