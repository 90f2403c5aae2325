/**
 * Arbiter as a Cloudflare Worker. In this folder:
 *
 *     npx wrangler secret put NVIDIA_API_KEY
 *     npx wrangler secret put ARBITER_API_KEY     # the key of your clients, one or more as in docs/team.md
 *     npx wrangler deploy
 *
 * `npx wrangler dev` runs it on this machine, with both in a file `.dev.vars`.
 *
 * Workers run in many places at once. To keep to one limit and learn together they need a Redis that answers over HTTP,
 * such as Upstash: REDIS_URL is its address (`https://…`), the secret REDIS_PASSWORD its token.
 *
 * @module
 */
// @ts-ignore: types of what only Workers have would be one more package.
import { waitUntil } from "cloudflare:workers";
import { type Arbiter, createArbiter, createRedisStore, createSteadyStore, parseClientKeys } from "../mod.ts";

/** Secrets and variables of the Worker. */
type Env = Partial<
  Record<
    | ("NVIDIA_API_KEY" | "NVIDIA_BASE_URL" | "ARBITER_API_KEY" | "ARBITER_MODEL")
    | ("ARBITER_RATE_LIMIT" | "ARBITER_MAX_CONCURRENCY" | "REDIS_URL" | "REDIS_PASSWORD"),
    string
  >
>;

/** One for all requests that a Worker gets in a place. */
let arbiter: Promise<Arbiter> | undefined;

/** Asks Redis; a Worker would else forget what is told at the end of an answer, such as that a place is free. */
function askRedis(...asked: Parameters<typeof fetch>): Promise<Response> {
  const answered = fetch(...asked);
  waitUntil(answered);
  return answered;
}

/** Makes it with the first request, for only requests are told secrets. */
async function create(env: Env): Promise<Arbiter> {
  const { REDIS_URL: url, REDIS_PASSWORD: password, ARBITER_RATE_LIMIT: limit, ARBITER_MAX_CONCURRENCY: most } = env;
  const redis = url ? await createRedisStore({ url, password, timeout: 2_000, fetch: askRedis }) : undefined;
  return createArbiter({
    apiKey: env.NVIDIA_API_KEY,
    baseUrl: env.NVIDIA_BASE_URL,
    model: env.ARBITER_MODEL,
    rateLimit: limit ? Number(limit) : undefined,
    maxConcurrency: most ? Number(most) : undefined,
    clientKeys: parseClientKeys(env.ARBITER_API_KEY ?? ""),
    store: redis && createSteadyStore(redis, { name: "Redis", warn: console.warn }),
    onRequest: ({ path, status, ms, model, error }) => console.log(path, status, `${ms} ms`, model, error),
  });
}

async function answer(request: Request, env: Env): Promise<Response> {
  try {
    return await (await (arbiter ??= create(env))).fetch(request);
  } catch (thrown) {
    // Anybody can reach a Worker: without a key for clients it serves nobody.
    return new Response(`Set ARBITER_API_KEY: ${(thrown as Error).message}\n`, { status: 503 });
  }
}

export default {
  fetch(request: Request, env: Env): Promise<Response> {
    const answered = answer(request, env);
    // What one request has begun to read for all must not end when its client goes away.
    waitUntil(answered);
    return answered;
  },
};
