/**
 * Arbiter as a Cloudflare Worker. In this folder:
 *
 *     npx wrangler secret put NVIDIA_API_KEY
 *     npx wrangler secret put ARBITER_API_KEY     # the key of your clients, one or more as in the README
 *     npx wrangler deploy
 *
 * `npx wrangler dev` runs it on this machine, with both in a file `.dev.vars`.
 *
 * @module
 */
import { type Arbiter, createArbiter, parseClientKeys } from "../mod.ts";

/** Secrets and variables of the Worker. */
type Env = Partial<Record<"NVIDIA_API_KEY" | "NVIDIA_BASE_URL" | "ARBITER_API_KEY" | "ARBITER_MODEL", string>>;

/** One for all requests that a Worker gets in a place: its limits and what it learns are theirs together. */
let arbiter: Arbiter | undefined;

/** Makes it with the first request, for only requests are told secrets. */
function create(env: Env): Arbiter {
  return createArbiter({
    apiKey: env.NVIDIA_API_KEY,
    baseUrl: env.NVIDIA_BASE_URL,
    model: env.ARBITER_MODEL,
    clientKeys: parseClientKeys(env.ARBITER_API_KEY ?? ""),
    onRequest: ({ path, status, ms, model, error }) => console.log(path, status, `${ms} ms`, model, error),
  });
}

export default {
  fetch(request: Request, env: Env, context: { waitUntil(promise: Promise<unknown>): void }): Promise<Response> {
    try {
      arbiter ??= create(env);
    } catch (thrown) {
      // Anybody can reach a Worker: without a key for clients it serves nobody.
      const why = `Set ARBITER_API_KEY: ${(thrown as Error).message}\n`;
      return Promise.resolve(new Response(why, { status: 503 }));
    }
    const answer = arbiter.fetch(request);
    // What one request has begun to read for all must not end when its client goes away.
    context.waitUntil(answer);
    return answer;
  },
};
