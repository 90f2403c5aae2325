import type { Clock } from "../wire/clock.ts";
import type { Fetch } from "../wire/fetch.ts";
import { isJsonObject, parseJson } from "../wire/json.ts";
import type { RedisConnection } from "./redis_client.ts";

/** Where Redis answers over HTTP, the token it wants, milliseconds to wait for it, what asks, and time. */
type RedisHttpOptions = { url: string; token: string; timeout: number; fetch: Fetch; clock: Clock };

/**
 * Asks Redis over HTTP, as Upstash and its likes offer it: each command is a list in JSON.
 *
 * Where a connection belongs to the request that made it, as in a Cloudflare Worker, nothing else can be shared.
 */
export function createRedisHttp({ url, token, timeout, fetch, clock }: RedisHttpOptions): RedisConnection {
  const running = new Set<Promise<unknown>>();
  let closed = false;

  async function send(command: readonly string[]): Promise<unknown> {
    const stop = new AbortController();
    const cancel = clock.after(timeout, () => stop.abort(new Error(`no answer within ${timeout} ms`)));
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify(command),
        signal: stop.signal,
        redirect: "manual",
      });
      const answer = parseJson(await response.text());
      if (isJsonObject(answer) && "result" in answer) return answer.result;
      throw new Error(isJsonObject(answer) && answer.error ? String(answer.error) : `status ${response.status}`);
    } finally {
      cancel();
    }
  }

  return {
    async ask(...command) {
      if (closed) throw new Error("The store is closed");
      const answer = send(command);
      running.add(answer);
      return await answer.finally(() => running.delete(answer));
    },
    async close() {
      closed = true;
      await Promise.allSettled(running);
    },
  };
}
