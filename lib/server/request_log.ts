import type { ClientKey } from "../config/client_keys.ts";
import type { RouteTrace } from "../routing/router.ts";
import type { MessageStreamEvent } from "../wire/anthropic.ts";
import type { AnswerFormat } from "./answer_format.ts";

/** What the log says has answered where no model did. */
export const LOCAL_MODEL = "(local)";
/** What the log says of a request that nobody waits for any more. */
export const CLIENT_GONE = "The client went away";
/** Servers and clients limit all headers together to 8 to 16 kB. */
const MAX_ROUTE_CHARS = 2_000;
const MAX_LOG_CHARS = 4_000;

/**
 * What is known about a request once it is over; never content, never a key.
 *
 * `id` is the `request-id` the client was given, `status` 499 when the client went away first, `ms` the time until the
 * last byte, `client` the name of its key, `asked` its model, `route` where it was sent and why, `model` the one that
 * answered, `replayed` whether another request had asked for that answer before, `fellBack` whether it was not the
 * first to be asked, `session` what the client calls the session, `firstMs` the time until the first content left of a
 * stream that a model was asked for, `cachedTokens` how many of `inputTokens` a host had in its cache. `error` may
 * also stand beside a status 200; `warnings` tell what could not be carried over.
 */
export type RequestLog = {
  id: string;
  method: string;
  path: string;
  status: number;
  ms: number;
  session?: string | undefined;
  client?: string | undefined;
  asked?: string;
  route?: RouteTrace;
  model?: string;
  replayed?: boolean;
  fellBack?: boolean;
  firstMs?: number | undefined;
  inputTokens?: number | undefined;
  cachedTokens?: number | undefined;
  outputTokens?: number | undefined;
  error?: string | undefined;
  warnings?: string[];
};

/** A request on its way, and the log that fills while it lasts. */
export type Exchange = {
  request: Request;
  log: RequestLog;
  /** When it came, in milliseconds since 1970. */
  began: number;
  /** Whose key it has shown, where one is needed. */
  client?: ClientKey | undefined;
  /** Its body, if it is a POST, and how many bytes that has. */
  body: unknown;
  size: number;
  /** Ends the answer early: the client went away, or the proxy closes. */
  stop: AbortController;
  /** How its answer is put on the wire. */
  format: AnswerFormat;
  /** Whether the answer goes on after the response was returned; then `end` tells when it is over. */
  streams: boolean;
  end: () => void;
};

/** Token counts that a log has already: an answer that several requests read is counted once. */
const NOTED = new WeakSet<MessageStreamEvent>();

/** Notes the token counts of an answer, which its last `message_delta` tells. */
export function noteUsage(log: Partial<RequestLog>, events: readonly MessageStreamEvent[]): void {
  const last = events.findLast((event) => event.type === "message_delta");
  if (!last || NOTED.has(last)) return;
  NOTED.add(last);
  const { input_tokens = 0, cache_creation_input_tokens = 0, output_tokens: outputTokens } = last.usage;
  const { cache_read_input_tokens: cachedTokens = 0 } = last.usage;
  Object.assign(log, {
    inputTokens: input_tokens + cache_creation_input_tokens + cachedTokens,
    cachedTokens,
    outputTokens,
  });
}

/** A route as the value of a header: `asked=…; model=…; kind=…; task=…; tier=…; chain=…, …; why=…, …`. */
export function formatRoute({ chain, why, ...trace }: RouteTrace): string {
  const fields = Object.entries({ ...trace, chain: chain.join(", "), why: why.join(", ") });
  const text = fields.filter(([, value]) => value).map(([name, value]) => `${name}=${value}`).join("; ");
  return text.replace(/[^\x20-\x7e]+/g, "?").slice(0, MAX_ROUTE_CHARS);
}

/** A text as one line of a log: what others sent must not write lines, nor fill the disk. */
export function toLogLine(text: string): string {
  return text.slice(0, MAX_LOG_CHARS).replace(/[\p{Cc}\p{Bidi_Control}]+/gu, " ");
}

/** One line about a request, for people and for `grep`. */
export function formatRequestLog(log: RequestLog): string {
  const { method, path, status, ms, client, asked, route, model, replayed, inputTokens, outputTokens, id, error } = log;
  const tokens = outputTokens === undefined ? undefined : `${inputTokens}+${outputTokens} tokens`;
  const models = model ? `${asked} → ${model}` : asked;
  const found = route && [route.kind, route.task, route.tier].filter(Boolean).join(" ");
  const parts = [
    `${method} ${path}`,
    status,
    models,
    found,
    replayed && "replayed",
    `${Math.round(ms)} ms`,
    tokens,
    client,
    id,
    error,
  ];
  return toLogLine(parts.filter(Boolean).join(" · "));
}
