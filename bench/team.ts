/**
 * What a shared store costs each request: as much as if one place were taken there before it.
 *
 *     bun bench/team.ts        (deno run -A, or node from 22.18, do as well; redis-server must be installed)
 */
import { createArbiter, createMemoryStore, createRedisStore, createStandIn, type Store } from "../mod.ts";
import { startRedis } from "../tests/support/redis_server.ts";

const REQUESTS = 25;
const RUNS = 100;

const PLACES = ["rate", "run", "block"].map((name) => ({ key: `${name} bench`, limit: 100_000, ms: 60_000 }));

const steps: (() => unknown)[] = [];
const redis = await createRedisStore(await startRedis({ after: (step) => void steps.push(step as () => unknown) }));

function toAsk(store: Store): () => Promise<unknown> {
  const { fetch } = createStandIn({ models: { m: () => ({ steps: [{ text: "Hello" }] }) } });
  const arbiter = createArbiter({ baseUrl: "http://h/v1", model: "m", rateLimit: 100_000, fetch, store });
  const body = JSON.stringify({ model: "m", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] });
  const headers = { "x-claude-code-session-id": "bench" };
  return async () => {
    const request = new Request("http://localhost/v1/messages", { method: "POST", headers, body });
    return await (await arbiter.fetch(request)).text();
  };
}

const ask = toAsk(createMemoryStore());
const WAYS: Record<string, () => Promise<unknown>> = {
  "store in memory": ask,
  "store in Redis": toAsk(redis),
  "a place in Redis, then store in memory": async () => {
    await redis.take("bench", PLACES);
    await ask();
  },
};

const times = new Map<string, number[]>(Object.keys(WAYS).map((name) => [name, []]));
for (let round = 0; round < RUNS; round++) {
  for (const [name, run] of Object.entries(WAYS)) {
    const began = performance.now();
    for (let i = 0; i < REQUESTS; i++) await run();
    if (round > 0) times.get(name)!.push((performance.now() - began) * 1000 / REQUESTS);
  }
}
/** The tenth of the runs that went best: the others had to share the machine. */
const best = [...times].map(([name, all]) => [name, all.sort((a, b) => a - b)[RUNS / 10] ?? NaN] as const);
for (const [name, took] of best) console.log(`${name}: ${took.toFixed(0)} µs`);
const [, shared = NaN, expected = NaN] = best.map(([, took]) => took);
console.log(`Redis / (a place, then memory) = ${(shared / expected).toFixed(2)}`);
await redis.close();
for (const step of steps) await step();
