/** What is known about a request once it is over; never content, never a key. */
export interface RequestLog {
  /** The `request-id` the client was given. */
  id: string;
  method: string;
  path: string;
  /** HTTP status; 499 when the client went away first. */
  status: number;
  /** Milliseconds from the request's arrival to the last byte of the answer. */
  ms: number;
  /** The model the client asked for. */
  asked?: string;
  /** The model that answered. */
  model?: string;
  inputTokens?: number;
  outputTokens?: number;
  /** Why it failed, also when that was after the status had been sent. */
  error?: string;
  /** What could not be carried over, one sentence each. */
  warnings?: string[];
}

/** A request on its way, and the log that fills while it lasts. */
export interface Exchange {
  request: Request;
  /** What the route's pattern captured. */
  params: string[];
  log: RequestLog;
  /** Settles when the answer is over, for answers that go on after the response was returned. */
  ended?: Promise<void>;
}

/** One line about a request, for people and for `grep`. */
export function formatRequestLog(log: RequestLog): string {
  const { asked, model, inputTokens, outputTokens } = log;
  const models = asked === undefined ? [] : [model ? `${asked} → ${model}` : asked];
  const tokens = outputTokens === undefined ? [] : [`${inputTokens ?? 0}+${outputTokens} tokens`];
  const error = log.error ? [log.error] : [];
  const line = [`${log.method} ${log.path}`, log.status, ...models, `${Math.round(log.ms)} ms`];
  return [...line, ...tokens, log.id, ...error].join(" · ");
}
