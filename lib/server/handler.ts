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

type Answerer = (exchange: Exchange, options: HandlerOptions) => Response | Promise<Response>;

interface Route {
  path: RegExp;
  methods: Record<string, Answerer>;
}

function toModel(id: string): object {
  return { type: "model", id, display_name: id, created_at: "1970-01-01T00:00:00Z" };
}

const ROUTES: readonly Route[] = [
  {
    path: /^\/v1\/messages$/,
    methods: {
      POST: async (exchange, options) => {
        const body = await readJson(exchange.request, options.maxBodyBytes);
        return await answerMessages(exchange, body, options);
      },
    },
  },
  {
    path: /^\/v1\/messages\/count_tokens$/,
    methods: {
      POST: async ({ request }, { maxBodyBytes }) => {
        const body = parseMessagesRequest(await readJson(request, maxBodyBytes), false);
        return Response.json({ input_tokens: estimateRequestTokens(body) });
      },
    },
  },
  {
    path: /^\/v1\/models$/,
    methods: {
      GET: (_exchange, { models }) => {
        const ends = { first_id: models[0] ?? null, last_id: models.at(-1) ?? null };
        return Response.json({ data: models.map(toModel), has_more: false, ...ends });
      },
    },
  },
  {
    path: /^\/v1\/models\/(.+)$/,
    methods: {
      GET: ({ params: [id = ""] }, { models }) => {
        if (models.includes(id)) return Response.json(toModel(id));
        throw new ApiError("not_found_error", `No model '${id}': GET /v1/models lists them`);
      },
    },
  },
  {
    path: /^\/(?:api\/hello)?$/,
    methods: {
      GET: (_exchange, { version, models }) =>
        Response.json({ name: "arbiter", version, status: "online", model: models[0] ?? null }),
    },
  },
  {
    path: /^\/(?:health|healthz|readyz)$/,
    methods: { GET: (_exchange, { version }) => Response.json({ status: "ok", version }) },
  },
];

function toPath(url: string): string {
  const { pathname } = new URL(url);
  // A base URL that ends in /v1 makes clients ask for /v1/v1/messages.
  const path = pathname.replace(/^(?:\/v1)+(?=\/)/, "/v1").replace(/(?<=.)\/+$/, "");
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
  exchange.params = route.path.exec(path)?.slice(1) ?? [];
  const answer = route.methods[method === "HEAD" ? "GET" : method];
  if (answer) return await answer(exchange, options);
  const allow = Object.keys(route.methods).flatMap((m) => m === "GET" ? ["GET", "HEAD"] : m);
  throw new ApiError("invalid_request_error", `${path} does not take ${method}`, {
    status: 405,
    headers: { allow: allow.join(", ") },
  });
}

function toErrorResponse(error: ApiError, id: string): Response {
  const { status, headers } = error;
  return Response.json({ ...error.toJSON(), request_id: id }, { status, headers });
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
    const id = newId("req_");
    const { method } = request;
    const log: RequestLog = { id, method, path: toPath(request.url), status: 200, ms: 0 };
    const exchange: Exchange = { request, params: [], log };
    const finish = () => {
      log.ms = clock.now() - began;
      onRequest(log);
    };
    let response: Response;
    try {
      response = await answerRoute(exchange, options);
      log.status = response.status;
    } catch (thrown) {
      const error = toApiError(thrown);
      response = toErrorResponse(error, id);
      log.error = error.message;
      if (log.status !== 499) log.status = error.status;
    }
    if (exchange.ended) exchange.ended.then(finish);
    else finish();
    response.headers.set("request-id", id);
    if (method !== "HEAD") return response;
    return new Response(null, { status: response.status, headers: response.headers });
  };
}
