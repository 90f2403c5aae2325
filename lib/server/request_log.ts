/** What is known about a request once it is over; never content, never a key. */
export interface RequestLog {
  /** The `request-id` the client was given. */
  id: string;
  /** HTTP method. */
  method: string;
  /** Path without the query. */
  path: string;
  /** HTTP status; 499 when the client went away first. */
  status: number;
  /** Milliseconds from the request's arrival to the last byte of the answer. */
  ms: number;
  /** The model the client asked for. */
  asked?: string;
  /** The model that answered. */
  model?: string;
  /** Input tokens, cached ones included. */
  inputTokens?: number;
  /** Output tokens. */
  outputTokens?: number;
  /** Why it failed, also when that was after the status had been sent. */
  error?: string | undefined;
  /** What could not be carried over, one sentence each. */
  warnings?: string[];
}

/** A request on its way, and the log that fills while it lasts. */
export interface Exchange {
  request: Request;
  log: RequestLog;
  /** Settles when the answer is over, for answers that go on after the response was returned. */
  ended?: Promise<void>;
}

/** One line about a request, for people and for `grep`. */
export function formatRequestLog(log: RequestLog): string {
  const { method, path, status, ms, asked, model, inputTokens, outputTokens, id, error } = log;
  const tokens = outputTokens === undefined ? undefined : `${inputTokens}+${outputTokens} tokens`;
  const models = model ? `${asked} → ${model}` : asked;
  return [`${method} ${path}`, status, models, `${Math.round(ms)} ms`, tokens, id, error].filter(Boolean).join(" · ");
}
