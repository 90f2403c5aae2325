import { ApiError, type ApiErrorType } from "../wire/errors.ts";
import { isJsonObject, parseJson } from "../wire/json.ts";

/** Claude Code does not retry at all when it is told to wait longer than this many seconds. */
const MAX_RETRY_AFTER = 60;

/** A fault of an upstream: its statuses (none: any), its text, the error it is to the client, words for the user. */
type Fault = [statuses: number[], text: RegExp, type: ApiErrorType, says?: string];

/** Faults as NVIDIA's API and the servers behind it reported them from 2026-01 to 2026-09; the first row that fits. */
const FAULTS: readonly Fault[] = [
  [[], /DEGRADED function|ResourceExhausted|request limit reached/, "overloaded_error"],
  [[401], /(?:)/, "authentication_error", "The upstream refused the API key, check NVIDIA_API_KEY"],
  [[402], /(?:)/, "billing_error"],
  [[403], /(?:)/, "permission_error", "The API key is wrong or has no right to this model, check NVIDIA_API_KEY"],
  [[404], /Not found for account/, "not_found_error", "The model is not available to this account"],
  [[404], /(?:)/, "not_found_error", "The upstream does not know this model"],
  [[410], /(?:)/, "not_found_error", "The model is gone"],
  [[413], /(?:)/, "request_too_large"],
  [[429], /(?:)/, "rate_limit_error"],
  [[408, 504], /(?:)/, "timeout_error"],
  [[502, 503, 529], /(?:)/, "overloaded_error"],
  [[400, 422], /(?:)/, "invalid_request_error"],
];

/** Errors that asking again cannot mend; Claude Code would repeat a 401 for minutes. */
const FINAL: readonly ApiErrorType[] = ["authentication_error", "billing_error", "permission_error", "not_found_error"];

/** Finds the sentence in an error body, which may be JSON of several shapes, HTML, text or empty. */
export function toFaultText(body: string): string {
  let value = parseJson(body) ?? body;
  if (isJsonObject(value)) {
    const error = isJsonObject(value.error) ? value.error.message : value.error;
    value = error ?? value.message ?? value.detail ?? value.title ?? body;
  }
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const plain = /^\s*<(?:!|html)/i.test(text) ? text.replace(/<[^>]*>/g, " ") : text;
  return plain.replace(/\s+/g, " ").trim().slice(0, 1000);
}

/** Makes the client's error of an upstream's; `status` may also be the `code` of an error inside a stream. */
export function toUpstreamError(status: number, body: string, model: string, headers?: Headers): ApiError {
  const said = toFaultText(body);
  const fits = ([statuses, text]: Fault) => (statuses.length === 0 || statuses.includes(status)) && text.test(said);
  const [, , type = "api_error", says = ""] = FAULTS.find(fits) ?? [];
  const message = `${[says, said].filter(Boolean).join(": ") || "The upstream failed"} (${model}, status ${status})`;
  const wait = Number(headers?.get("retry-after") ?? NaN);
  const retryAfter = wait >= 0 ? { "retry-after": String(Math.min(Math.ceil(wait), MAX_RETRY_AFTER)) } : {};
  const shouldRetry = FINAL.includes(type) ? { "x-should-retry": "false" } : {};
  return new ApiError(type, message, { headers: { ...retryAfter, ...shouldRetry } as Record<string, string> });
}
