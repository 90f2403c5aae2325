/**
 * Arbiter on Deno Deploy: make this file the entry point of an app, with NVIDIA_API_KEY and ARBITER_API_KEY (the key of
 * your clients, one or more as in docs/team.md) in its environment. On this machine, with both in `.env`:
 *
 *     deno serve -A --env-file examples/deno_deploy.ts
 *
 * An app may run in several places at once. To keep to one limit and learn together they need a Redis: REDIS_URL is its
 * address, `https://…` with REDIS_PASSWORD as the token where it answers over HTTP, such as Upstash.
 *
 * @module
 */
import { createArbiter, createRedisStore, createSteadyStore, parseClientKeys } from "../mod.ts";

const { env } = Deno;
const keys = env.get("ARBITER_API_KEY");
if (!keys) throw new Error("Set ARBITER_API_KEY: anybody can reach this proxy, and without a key it serves nobody");

const [url, password] = [env.get("REDIS_URL"), env.get("REDIS_PASSWORD")];
const [limit, most] = [env.get("ARBITER_RATE_LIMIT"), env.get("ARBITER_MAX_CONCURRENCY")];
const redis = url ? await createRedisStore({ url, password, timeout: 2_000 }) : undefined;
const arbiter = createArbiter({
  apiKey: env.get("NVIDIA_API_KEY"),
  baseUrl: env.get("NVIDIA_BASE_URL"),
  model: env.get("ARBITER_MODEL"),
  rateLimit: limit ? Number(limit) : undefined,
  maxConcurrency: most ? Number(most) : undefined,
  clientKeys: parseClientKeys(keys),
  store: redis && createSteadyStore(redis, { name: "Redis", warn: console.warn }),
  onRequest: ({ path, status, ms, model, error }) => console.log(path, status, `${ms} ms`, model, error),
});

export default { fetch: (request: Request): Promise<Response> => arbiter.fetch(request) };
