/**
 * Arbiter on Deno Deploy: make this file the entry point of an app, with NVIDIA_API_KEY and ARBITER_API_KEY (the key of
 * your clients, one or more as in the README) in its environment. On this machine, with both in `.env`:
 *
 *     deno serve -A --env-file examples/deno_deploy.ts
 *
 * @module
 */
import { createArbiter, parseClientKeys } from "../mod.ts";

const { env } = Deno;
const keys = env.get("ARBITER_API_KEY");
if (!keys) throw new Error("Set ARBITER_API_KEY: anybody can reach this proxy, and without a key it serves nobody");

const arbiter = createArbiter({
  apiKey: env.get("NVIDIA_API_KEY"),
  baseUrl: env.get("NVIDIA_BASE_URL"),
  model: env.get("ARBITER_MODEL"),
  clientKeys: parseClientKeys(keys),
  onRequest: ({ path, status, ms, model, error }) => console.log(path, status, `${ms} ms`, model, error),
});

export default { fetch: (request: Request): Promise<Response> => arbiter.fetch(request) };
