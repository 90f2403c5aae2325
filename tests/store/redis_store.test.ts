import { createRedisStore } from "../../lib/store/redis_store.ts";
import { startRedis, testRedis } from "../support/redis_server.ts";
import { testStore } from "./contract.ts";

testStore("Redis", async (t) => {
  const server = await startRedis(t);
  const [store, other] = [await createRedisStore(server), await createRedisStore(server)];
  t.after(() => Promise.all([store.close(), other.close()]));
  return { store, other, pass: (ms) => server.pass(ms) };
}, testRedis);
