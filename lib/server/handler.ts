import { findModel, listModels } from "../routing/list_models.ts";
import { toLabel } from "../routing/reference.ts";
import { VERSION } from "../version.ts";
import { ApiError, toApiError } from "../wire/errors.ts";
import { parseMessagesRequest } from "../wire/messages_request.ts";
import { onAbort } from "../wire/signal.ts";
import { withoutEndSlashes } from "../wire/slashes.ts";
import { MESSAGES_FORMAT, toErrorBody } from "./answer_format.ts";
import { checkAccess, InboundLimits, type RouteAccess } from "./auth.ts";
import { readJson } from "./body.ts";
import { answerChat } from "./chat_completions.ts";
import { answerDashboard } from "./dashboard.ts";
import { isClaudeCode } from "./event_stream.ts";
import { answerMessages, STREAM_HEADERS } from "./messages.ts";
import type { HandlerParts } from "./options.ts";
import { PEERS } from "./peers.ts";
import { formatMetrics, METRICS_TYPE } from "./prometheus.ts";
import { CLIENT_GONE, type Exchange, formatRoute, type RequestLog } from "./request_log.ts";
import { toSessionId } from "./sessions.ts";
import { asksForSocket, toSocketAnswer } from "./web_socket.ts";

/** What a route is asked with; `id` is what the path's pattern captured. */
type RouteCall = { parts: HandlerParts; exchange: Exchange; id: string };

/** A route: its path, its methods, what answers, and what it asks of clients beside their key. */
type RouteRow = [path: RegExp, methods: string, answer: (asked: RouteCall) => unknown, access?: RouteAccess];

/** A list that is whole, as Anthropic's API writes lists. */
function toList(data: readonly { id: string }[]): object {
  return { object: "list", data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
}

const ROUTES: readonly RouteRow[] = [
  [/^\/v1\/messages$/, "POST", ({ exchange, parts }) => answerMessages(exchange, exchange.body, parts), "rated"],
  [/^\/v1\/chat\/completions$/, "POST", ({ exchange, parts }) => answerChat(exchange, parts), "rated"],
  [/^\/v1\/messages\/count_tokens$/, "POST", async ({ exchange, parts: { router, ledger, load } }) => {
    const session = exchange.request.headers.get("x-claude-code-session-id") ?? "";
    const request = parseMessagesRequest(exchange.body, false);
    await load();
    return { input_tokens: Math.max(1, ledger.countPart(request, session, router().find(request.model))) };
  }],
  [/^\/v1\/models$/, "GET, HEAD", ({ exchange: { request: { headers } }, parts: { router } }) => {
    return toList(listModels(router().catalog, headers.has("anthropic-version")));
  }],
  [/^\/v1\/models\/(.+)$/, "GET, HEAD", ({ id, parts: { router } }) => {
    const model = findModel(id, router().catalog);
    if (model) return model;
    throw new ApiError("not_found_error", `No model '${id}': GET /v1/models lists them`);
  }],
  [/^\/(?:api\/hello|health|healthz|readyz)?$/, "GET, HEAD", ({ parts: { router } }) => {
    const { catalog } = router();
    return { name: "arbiter", status: "ok", version: VERSION, model: toLabel(catalog.elite, catalog) };
  }, "keyless"],
  [/^\/dashboard(?:\/stream)?$/, "GET, HEAD", answerDashboard, "keyless"],
  [/^\/v1\/stream\/visualization$/, "GET, HEAD", ({ parts }) => parts.state()],
  [/^\/v1\/stream\/events$/, "GET", ({ exchange, parts: { feed } }) => {
    const body = feed.open(exchange, (json) => `data: ${json}\n\n`);
    return new Response(body, { headers: STREAM_HEADERS });
  }],
  [/^\/ws\/stream-visualization$/, "GET", ({ exchange, parts: { feed } }) => {
    if (asksForSocket(exchange.request.headers)) return toSocketAnswer(feed.open(exchange, (json) => json));
    const headers = { "upgrade": "websocket", "sec-websocket-version": "13" };
    throw new ApiError("invalid_request_error", "Here a WebSocket is spoken", { status: 426, headers });
  }, "own_page"],
  [/^\/v1\/sessions$/, "GET, HEAD", async ({ parts: { sessions } }) => toList(await sessions.list())],
  [/^\/v1\/sessions\/(.+)$/, "GET, HEAD", async ({ id, parts: { sessions } }) => {
    const session = await sessions.find(id);
    if (session) return session;
    throw new ApiError("not_found_error", `No session '${id}': GET /v1/sessions lists them`);
  }],
  [/^\/metrics$/, "GET, HEAD", ({ parts: { status, metrics, sessions } }) => {
    const text = formatMetrics(metrics.families(status(), sessions.size));
    return new Response(text, { headers: { "content-type": METRICS_TYPE } });
  }],
];

function toPath(url: string): string {
  // A base URL that ends in /v1 makes clients ask for /v1/v1/messages.
  const path = withoutEndSlashes(new URL(url).pathname.replace(/^(?:\/v1)+(?=\/)/, "/v1")) || "/";
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

async function answerRoute(exchange: Exchange, parts: HandlerParts, limits: InboundLimits): Promise<Response> {
  const { request, log: { method, path } } = exchange;
  const [pattern, methods = "", toAnswer, access] = ROUTES.find(([pattern]) => pattern.test(path)) ?? [];
  const client = checkAccess({ headers: request.headers, peer: PEERS.get(request), access }, parts);
  if (client instanceof ApiError) throw client;
  exchange.client = client;
  exchange.log.client = client?.name;
  if (!toAnswer) throw new ApiError("not_found_error", `No route for ${method} ${path}`);
  if (!methods.split(", ").includes(method)) {
    const error = { status: 405, headers: { allow: methods } };
    throw new ApiError("invalid_request_error", `${path} does not take ${method}`, error);
  }
  const refused = access === "rated" ? limits.count(client) : undefined;
  if (refused) throw refused;
  if (method === "POST") Object.assign(exchange, await readJson(request, parts.maxBodyBytes));
  const answer = await toAnswer({ parts, exchange, id: pattern?.exec(path)?.[1] ?? "" });
  return answer instanceof Response ? answer : Response.json(answer);
}

/**
 * Makes the handler of the whole proxy, and what breaks off every answer that is still on its way.
 *
 * Paths are matched without the query. Whatever goes wrong is answered in the error shape of the path's protocol.
 */
export function createHandler(parts: HandlerParts): { fetch(request: Request): Promise<Response>; close(): void } {
  const { clock, newId, onRequest } = parts;
  const running = new Set<AbortController>();
  const limits = new InboundLimits(parts.inboundRpm, clock);
  return {
    async fetch(request) {
      const began = clock.now();
      const { method, url, headers } = request;
      const session = toSessionId(headers);
      const log: RequestLog = { id: newId("req_"), method, path: toPath(url), status: 200, ms: 0, session };
      const stop = new AbortController();
      const release = onAbort(request.signal, () => stop.abort(new ApiError("api_error", CLIENT_GONE)));
      running.add(stop);
      const end = () => {
        release();
        running.delete(stop);
        try {
          onRequest({ ...log, ms: clock.now() - began });
        } catch {
          // A log that fails must not take the answer with it.
        }
      };
      const fresh = { body: undefined, size: 0, format: MESSAGES_FORMAT, streams: false };
      const exchange: Exchange = { request, log, began, stop, end, ...fresh };
      let response: Response;
      try {
        response = await answerRoute(exchange, parts, limits);
      } catch (thrown) {
        const error = toApiError(thrown);
        log.error = request.signal.aborted ? CLIENT_GONE : error.message;
        // Of a model that is not there Claude Code hides what a 404 says, and asks once more, without a stream.
        const status = error.status === 404 && log.route && isClaudeCode(headers) ? 410 : error.status;
        log.status = request.signal.aborted ? 499 : status;
        const body = toErrorBody(log.path, { ...error.toJSON(), request_id: log.id });
        response = Response.json(body, { status, headers: error.headers });
      }
      if (!exchange.streams) end();
      for (const name of ["request-id", "x-request-id"]) response.headers.set(name, log.id);
      if (log.route) response.headers.set("x-arbiter-route", formatRoute(log.route));
      if (log.replayed) response.headers.set("x-arbiter-replayed", "true");
      return method === "HEAD" ? new Response(null, response) : response;
    },
    close() {
      const reason = new ApiError("overloaded_error", "Arbiter is closing");
      for (const stop of running) stop.abort(reason);
      parts.shared.close(reason);
    },
  };
}
