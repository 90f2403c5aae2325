import { toPrintable } from "./printable.ts";

/** The HTTP status that Anthropic sends each `error.type` with. */
export const STATUS_BY_ERROR_TYPE = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
} as const;

/** An `error.type` of Anthropic's API. */
export type ApiErrorType = keyof typeof STATUS_BY_ERROR_TYPE;

/**
 * Options of {@linkcode ApiError}: a status unlike the type's, further response headers such as `retry-after`, and what
 * programs can read of it.
 */
export type ApiErrorOptions = ErrorOptions & {
  status?: number;
  headers?: Record<string, string>;
  details?: Record<string, unknown>;
};

/** The body of an error response and of an SSE `error` event. */
export type ApiErrorBody = {
  type: "error";
  error: { type: ApiErrorType; message: string; details?: Record<string, unknown> };
  request_id?: string;
};

/** A failure that has a shape on the Anthropic wire. */
export class ApiError extends Error {
  /** Always `ApiError`. */
  override readonly name = "ApiError";
  /** The `error.type` sent to the client. */
  readonly type: ApiErrorType;
  /** The HTTP status sent when no byte of the response has left yet. */
  readonly status: number;
  /** Headers of the error response. */
  readonly headers: Record<string, string>;
  /** What programs can read of it. */
  readonly details: Record<string, unknown> | undefined;

  /** Makes an error that is sent as `type` with `message`, which clients show in terminals. */
  constructor(type: ApiErrorType, message: string, options: ApiErrorOptions = {}) {
    super(toPrintable(message), options);
    this.type = type;
    this.status = options.status ?? STATUS_BY_ERROR_TYPE[type];
    this.headers = options.headers ?? {};
    this.details = options.details;
  }

  /** The body for an HTTP response and for an SSE `error` event. */
  toJSON(): ApiErrorBody {
    const { type, message, details } = this;
    return { type: "error", error: { type, message, ...(details ? { details } : {}) } };
  }
}

/** Makes an {@linkcode ApiError} of anything thrown; what was unforeseen becomes an `api_error`. */
export function toApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new ApiError("api_error", `Arbiter failed: ${message}`, { cause: thrown });
}
