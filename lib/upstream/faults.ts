import { ApiError, type ApiErrorType } from "../wire/errors.ts";
import { isJsonObject } from "../wire/messages_request.ts";

/** Claude Code does not retry at all when it is told to wait longer than this many seconds. */
const MAX_RETRY_AFTER = 60;

/** What a fault of an upstream is to the client. */
interface Fault {
  /** HTTP status it comes with; any when left out. */
  status?: number;
  /** What its text says; anything when left out. */
  text?: RegExp;
  type: ApiErrorType;
  /** A sentence for the user in place of the upstream's own; `$` stands for the model. */
  says?: string;
  /** Whether asking again is useless until the user has done something. */
  final?: boolean;
}

/**
 * Faults as NVIDIA's hosted API and the servers behind it report them, the first row that fits
 * counting. Statuses and texts were reported by users of earlier tools between 2026-01 and 2026-09.
 */
// deno-fmt-ignore: a table reads best one row a line
const FAULTS: readonly Fault[] = [
  { text: /DEGRADED function/, type: "overloaded_error", says: "The model '$' is degraded at the moment" },
  { text: /ResourceExhausted|request limit reached/, type: "overloaded_error" },
  { status: 400, type: "invalid_request_error" },
  { status: 401, type: "authentication_error", says: "The upstream refused the API key: check NVIDIA_API_KEY", final: true },
  { status: 402, type: "billing_error", final: true },
  { status: 403, type: "permission_error", says: "The upstream refused access to '$': the API key is wrong, expired or has no right to this model", final: true },
  { status: 404, text: /Function .*Not found for account/, type: "not_found_error", says: "The model '$' is not available to this account", final: true },
  { status: 404, type: "not_found_error", says: "The upstream does not know the model '$'", final: true },
  { status: 408, type: "timeout_error" },
  { status: 410, type: "not_found_error", final: true },
  { status: 413, type: "request_too_large" },
  { status: 422, type: "invalid_request_error" },
  { status: 429, type: "rate_limit_error" },
  { status: 502, type: "overloaded_error" },
  { status: 503, type: "overloaded_error" },
  { status: 504, type: "timeout_error" },
  { status: 529, type: "overloaded_error" },
];

/** Finds the sentence in an error body, which may be JSON of several shapes, HTML, text or empty. */
export function toFaultText(body: string): string {
  let value: unknown = body;
  try {
    value = JSON.parse(body);
  } catch {
    // Not JSON: the text itself is what there is.
  }
  if (isJsonObject(value)) {
    const error = isJsonObject(value.error) ? value.error.message : value.error;
    const found = [error, value.message, value.detail, value.title].find((text) => text != null);
    value = found ?? body;
  }
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const plain = text.includes("<html") || text.startsWith("<!") ? text.replace(/<[^>]*>/g, " ") : text;
  return plain.replace(/\s+/g, " ").trim().slice(0, 1000);
}

function toRetryAfter(headers: Headers | undefined): Record<string, string> {
  const seconds = Number(headers?.get("retry-after") ?? NaN);
  if (!(seconds >= 0)) return {};
  return { "retry-after": String(Math.min(Math.ceil(seconds), MAX_RETRY_AFTER)) };
}

/**
 * Makes the client's error of an upstream's.
 *
 * @param status HTTP status, or the `code` of an error inside a stream.
 * @param body The error body as text.
 * @param model The upstream model id, for the message.
 */
export function toUpstreamError(
  status: number,
  body: string,
  model: string,
  headers?: Headers,
): ApiError {
  const text = toFaultText(body);
  const fault = FAULTS.find((row) =>
    (row.status === undefined || row.status === status) && (row.text?.test(text) ?? true)
  );
  const says = fault?.says?.replace("$", () => model) ?? "";
  const told = [says, text].filter((part) => part !== "").join(" — ");
  const message = told || `The upstream answered with status ${status}`;
  const final: Record<string, string> = fault?.final ? { "x-should-retry": "false" } : {};
  return new ApiError(fault?.type ?? "api_error", message, {
    headers: { ...toRetryAfter(headers), ...final },
  });
}
