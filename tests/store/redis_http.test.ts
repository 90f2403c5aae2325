import assert from "node:assert/strict";
import { test } from "node:test";
import { createRedisStore } from "../../lib/store/redis_store.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { startRedisHttp } from "../support/redis_http.ts";
import { startRedis, testRedis } from "../support/redis_server.ts";
import { testStore } from "./contract.ts";

testStore("Redis over HTTP", async (t) => {
  const server = await startRedis(t);
  const http = await startRedisHttp(t, server.url);
  const [store, other] = [await createRedisStore(http), await createRedisStore(http)];
  t.after(() => Promise.all([store.close(), other.close()]));
  return { store, other, pass: (ms) => server.pass(ms) };
}, testRedis);

testRedis("over HTTP a refusal is told in Redis' own words, and a closed store rejects", async (t) => {
  const { url } = await startRedisHttp(t, (await startRedis(t)).url);
  const store = await createRedisStore({ url, password: "another" });
  await assert.rejects(store.get("a 1"), { message: "WRONGPASS invalid token" });
  await store.close();
  await assert.rejects(store.get("a 1"), { message: "The store is closed" });
});

testRedis("over HTTP, too, a Redis that stands still is not waited for", async (t) => {
  const server = await startRedis(t);
  const clock = new FakeClock();
  const store = await createRedisStore({ ...await startRedisHttp(t, server.url), clock });
  await server.signal("SIGSTOP");
  const asked = assert.rejects(store.get("a 1"), { message: "no answer within 500 ms" });
  await clock.advance(500);
  await asked;
  await server.signal("SIGCONT");
  assert.equal(await store.get("a 1"), undefined);
});

test("over HTTP nothing is sent on to where an answer points", async () => {
  const asked: string[] = [];
  const follow: typeof fetch = (input, init) => {
    asked.push(String(input));
    const answer = new Response(null, { status: 307, headers: { location: "https://theirs.example" } });
    return init?.redirect === "manual" ? Promise.resolve(answer) : follow("https://theirs.example", init);
  };
  const store = await createRedisStore({ url: "https://redis.example", password: "x", fetch: follow });
  await assert.rejects(store.get("a 1"), { message: "status 307" });
  assert.deepEqual(asked, ["https://redis.example"]);
  await store.close();
});
