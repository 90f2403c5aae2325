import { estimateRequestTokens } from "../tokens/estimate.ts";
import { ApiError, toApiError } from "../wire/errors.ts";
import { parseMessagesRequest } from "../wire/messages_request.ts";
import { readJson } from "./body.ts";
import { answerMessages, type MessagesOptions } from "./messages.ts";
import type { Exchange, RequestLog } from "./request_log.ts";

/** What the handler works with. */
export interface HandlerOptions extends MessagesOptions {
  /** Largest request body, in bytes. */
  maxBodyBytes: number;
  /** Upstream ids of the models to list. */
  models: readonly string[];
  /** The version to tell. */
  version: string;
  /** Called when a request is over. */
  onRequest: (log: RequestLog) => void;
}

/** A route: its methods, and what answers with the id that the path's pattern captured. */
interface Route {
  path: RegExp;
  methods: string;
  answer: (exchange: Exchange, options: HandlerOptions, id: string) => unknown;
}

const toModel = (id: string) => ({ type: "model", id, display_name: id, created_at: "1970-01-01T00:00:00Z" });

const ROUTES: readonly Route[] = [
  {
    path: /^\/v1\/messages$/,
    methods: "POST",
    async answer(exchange, options) {
      return await answerMessages(exchange, await readJson(exchange.request, options.maxBodyBytes), options);
    },
  },
  {
    path: /^\/v1\/messages\/count_tokens$/,
    methods: "POST",
    async answer({ request }, { maxBodyBytes }) {
      const body = parseMessagesRequest(await readJson(request, maxBodyBytes), false);
      return { input_tokens: estimateRequestTokens(body) };
    },
  },
  {
    path: /^\/v1\/models$/,
    methods: "GET, HEAD",
    answer(_exchange, { models }) {
      const ends = { first_id: models[0] ?? null, last_id: models.at(-1) ?? null };
      return { data: models.map(toModel), has_more: false, ...ends };
    },
  },
  {
    path: /^\/v1\/models\/(.+)$/,
    methods: "GET, HEAD",
    answer(_exchange, { models }, id) {
      if (models.includes(id)) return toModel(id);
      throw new ApiError("not_found_error", `No model '${id}': GET /v1/models lists them`);
    },
  },
  {
    path: /^\/(?:api\/hello|health|healthz|readyz)?$/,
    methods: "GET, HEAD",
    answer: (_exchange, { version, models }) => ({ name: "arbiter", status: "ok", version, model: models[0] ?? null }),
  },
];

function toPath(url: string): string {
  // A base URL that ends in /v1 makes clients ask for /v1/v1/messages.
  const path = new URL(url).pathname.replace(/^(?:\/v1)+(?=\/)/, "/v1").replace(/(?<=.)\/+$/, "");
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

async function answerRoute(exchange: Exchange, options: HandlerOptions): Promise<Response> {
  const { method, path } = exchange.log;
  const route = ROUTES.find((route) => route.path.test(path));
  if (!route) throw new ApiError("not_found_error", `No route for ${method} ${path}`);
  if (!route.methods.split(", ").includes(method)) {
    const error = { status: 405, headers: { allow: route.methods } };
    throw new ApiError("invalid_request_error", `${path} does not take ${method}`, error);
  }
  const answer = await route.answer(exchange, options, route.path.exec(path)?.[1] ?? "");
  return answer instanceof Response ? answer : Response.json(answer);
}

/**
 * Makes the handler of the whole proxy: a pure function from request to response.
 *
 * Paths are matched without the query. Whatever goes wrong is answered in Anthropic's error shape.
 */
export function createHandler(options: HandlerOptions): (request: Request) => Promise<Response> {
  const { clock, newId, onRequest } = options;
  return async (request) => {
    const began = clock.now();
    const { method, url } = request;
    const log: RequestLog = { id: newId("req_"), method, path: toPath(url), status: 200, ms: 0 };
    const exchange: Exchange = { request, log };
    let response: Response;
    try {
      response = await answerRoute(exchange, options);
    } catch (thrown) {
      const error = toApiError(thrown);
      log.error = error.message;
      if (log.status === 200) log.status = error.status;
      response = Response.json({ ...error.toJSON(), request_id: log.id }, error);
    }
    const finish = () => onRequest({ ...log, ms: clock.now() - began });
    if (exchange.ended) exchange.ended.then(finish);
    else finish();
    response.headers.set("request-id", log.id);
    return method === "HEAD" ? new Response(null, response) : response;
  };
}
