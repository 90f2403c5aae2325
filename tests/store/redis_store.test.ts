import assert from "node:assert/strict";
import { createRedisStore } from "../../lib/store/redis_store.ts";
import { startRedisHttp } from "../support/redis_http.ts";
import { startRedis, testRedis } from "../support/redis_server.ts";
import { testStore } from "./contract.ts";

testStore("Redis", async (t) => {
  const server = await startRedis(t);
  const [store, other] = [await createRedisStore(server), await createRedisStore(server)];
  t.after(() => Promise.all([store.close(), other.close()]));
  return { store, other, pass: (ms) => server.pass(ms) };
}, testRedis);

testStore("Redis over HTTP", async (t) => {
  const server = await startRedis(t);
  const http = await startRedisHttp(t, server.url);
  const [store, other] = [await createRedisStore(http), await createRedisStore(http)];
  t.after(() => Promise.all([store.close(), other.close()]));
  return { store, other, pass: (ms) => server.pass(ms) };
}, testRedis);

testRedis("Redis over HTTP: what it refuses is told in its own words", async (t) => {
  const { url } = await startRedisHttp(t, (await startRedis(t)).url);
  const store = await createRedisStore({ url, password: "another" });
  await assert.rejects(store.get("a 1"), { message: "WRONGPASS invalid token" });
  await store.close();
  await assert.rejects(store.get("a 1"), { message: "The store is closed" });
});
