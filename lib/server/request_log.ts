/**
 * What is known about a request once it is over; never content, never a key.
 *
 * `id` is the `request-id` the client was given, `status` 499 when the client went away first, `ms` the time until the
 * last byte, `asked` the client's model and `model` the one that answered. `error` may also stand beside a status 200;
 * `warnings` tell what could not be carried over.
 */
export type RequestLog = {
  id: string;
  method: string;
  path: string;
  status: number;
  ms: number;
  asked?: string;
  model?: string;
  inputTokens?: number;
  outputTokens?: number;
  error?: string | undefined;
  warnings?: string[];
};

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
