/**
 * What a shared store costs each request, against one place taken there.
 *
 *     bun bench/team.ts        (deno run -A, or node from 22.18, do as well; redis-server must be installed)
 */
import { createArbiter, createMemoryStore, createRedisStore, createStandIn, type Store } from "../mod.ts";
import { startRedis } from "../tests/support/redis_server.ts";

const REQUESTS = 200;
const RUNS = 15;

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

const WAYS: Record<string, () => Promise<unknown>> = {
  "a request, store in memory": toAsk(createMemoryStore()),
  "a request, store in Redis": toAsk(redis),
  "a place in Redis": () => redis.take("bench", PLACES),
};

const times = new Map<string, number[]>(Object.keys(WAYS).map((name) => [name, []]));
for (let run = 0; run < RUNS; run++) {
  for (const [name, ask] of Object.entries(WAYS)) {
    const began = performance.now();
    for (let i = 0; i < REQUESTS; i++) await ask();
    if (run > 0) times.get(name)!.push((performance.now() - began) * 1000 / REQUESTS);
  }
}
const medians = [...times].map(([name, all]) => [name, all.sort((a, b) => a - b)[all.length >> 1] ?? 0] as const);
for (const [name, median] of medians) console.log(`${name}: ${median.toFixed(0)} µs`);
const [memory, shared, place] = medians.map(([, median]) => median) as [number, number, number];
console.log(`(Redis - memory) / place = ${((shared - memory) / place).toFixed(2)}`);
await redis.close();
for (const step of steps) await step();
