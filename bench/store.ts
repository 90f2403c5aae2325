/**
 * What a place in two windows costs with each store, one question after the other and 16 at once, against a PING of the same
 * Redis over the same package. Redis is started for it; SQLite is left out where the runtime has none.
 *
 *     bun bench/store.ts        (deno run -A, or node from 22.18, do as well)
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "redis";
import { createMemoryStore, createRedisStore, createSqliteStore, createSteadyStore, type Store } from "../mod.ts";
import { findFreePort, RedisServer } from "../tests/support/redis_server.ts";
import { median } from "./measure.ts";

const ROUNDS = 400;
const RUNS = 9;
const AT_ONCE = 16;
const WINDOWS = [{ key: "rate nvidia", limit: 40, ms: 1_000 }, { key: "run nvidia", limit: 8, ms: 1_000 }];

const folder = await mkdtemp(join(tmpdir(), "arbiter-bench-"));
const server = new RedisServer(folder, await findFreePort(), []);
await server.start();
const client = await createClient({ url: server.url, RESP: 2 }).connect();
const redis = await createRedisStore(server);
const steady = createSteadyStore(await createRedisStore(server), { name: "Redis" });
const sqlite = await createSqliteStore(join(folder, "store.sqlite")).catch(() => undefined);

/** Takes a place of its own and gives none back, so that windows are full most of the time, as on a busy day. */
const take = (store: Store) => (i: number) => store.take(String(i), WINDOWS);
const rows: Record<string, (i: number) => Promise<unknown>> = {
  "PING": () => client.ping(),
  "no store": () => Promise.resolve(),
  "memory": take(createMemoryStore()),
  ...(sqlite ? { "SQLite": take(sqlite) } : {}),
  "Redis": take(redis),
  "Redis, steady": take(steady),
};

/** Microseconds that each takes. */
async function time(run: (i: number) => Promise<unknown>, atOnce: number): Promise<number> {
  const began = performance.now();
  for (let i = 0; i < ROUNDS; i += atOnce) await Promise.all(Array.from({ length: atOnce }, (_, j) => run(i + j)));
  return (performance.now() - began) * 1000 / ROUNDS;
}

const times = Object.entries(rows).map(([name, run]) => ({ name, run, single: [] as number[], many: [] as number[] }));
for (let round = -1; round < RUNS; round++) { // In turns, so that a slow moment falls on all; the first one warms up.
  for (const { run, single, many } of times) {
    const [one, other] = [await time(run, 1), await time(run, AT_ONCE)];
    if (round >= 0) single.push(one), many.push(other);
  }
}
const ping = times[0]!;
console.log(`${"".padEnd(14)}${"one by one".padStart(22)}${`${AT_ONCE} at once`.padStart(22)}`);
for (const { name, single, many } of times) {
  const cells = [[single, ping.single], [many, ping.many]].map(([own, base]) => {
    const [microseconds, ratio] = [median(own!), median(own!.map((value, i) => value / base![i]!))];
    return `${microseconds.toFixed(1).padStart(9)} µs ${ratio.toFixed(2).padStart(5)} PING`;
  });
  console.log(name.padEnd(14) + cells.map((cell) => cell.padStart(22)).join(""));
}
await Promise.all([redis, steady, sqlite].map((store) => store?.close()));
client.destroy();
await server.signal("SIGKILL");
await rm(folder, { recursive: true, force: true });
