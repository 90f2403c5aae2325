import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { clearInterval, setInterval } from "node:timers";
import { loadRedis } from "../../lib/store/redis_client.ts";
import { createRedisStore, type RedisStoreOptions } from "../../lib/store/redis_store.ts";
import { createSteadyStore } from "../../lib/store/steady_store.ts";
import type { Store } from "../../lib/store/store.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { findFreePort, startRedis, testRedis } from "../support/redis_server.ts";
import { testStore } from "./contract.ts";

const WINDOWS = [{ key: "rate a", limit: 2, ms: 60_000 }, { key: "run a", limit: 2, ms: 30_000 }];

/** A store that is closed when the test is over. It waits for answers as long as its clock is told to. */
async function open(t: TestContext, options: RedisStoreOptions, clock = new FakeClock()): Promise<Store> {
  const store = await createRedisStore({ clock, ...options });
  const hold = setInterval(() => {}, 60_000); // A question holds the process open by its timer, which is no real one here.
  t.after(() => Promise.all([store.close(), clock.advance(1_000)]).finally(() => clearInterval(hold)));
  return store;
}

testStore("Redis", async (t) => {
  const server = await startRedis(t);
  return {
    store: await open(t, { url: server.url }),
    other: await open(t, { url: server.url }),
    pass: (ms) => server.pass(ms),
  };
}, testRedis);

testRedis("each question is one command", async (t) => {
  const server = await startRedis(t);
  const store = await open(t, { url: server.url });
  const seen = await server.watch(async () => {
    await store.set("a 1", 1, 1_000);
    await store.get("a 1");
    await store.list("a ");
    await store.swap("a 1", 1, 2);
    await store.take("1", WINDOWS);
    await store.free("1", "run a");
  });
  assert.deepEqual(seen, ["EVAL", "MGET", "EVAL", "EVAL", "EVAL", "ZREM"]);
});

testRedis("what belongs to others in the same database stays, also under another prefix", async (t) => {
  const server = await startRedis(t);
  await server.ask("SET", "model a", "theirs");
  await server.ask("SET", "value:a 1", "theirs");
  const [store, other] = [await open(t, { url: server.url }), await open(t, { url: server.url, prefix: "other:" })];
  for (const one of [store, other]) {
    await one.set("a 1", one === store ? 1 : 2);
    assert.equal((await one.take("1", [{ key: "rate a", limit: 1, ms: 60_000 }])).wait, 0);
  }
  await store.set("a 1", undefined);
  assert.deepEqual(await store.list("a "), []);
  assert.deepEqual(await other.list("a "), [["a 1", 2]]);
  const keys = (await server.ask("KEYS", "*") as string[]).sort();
  const own = ["arbiter:places:rate a", "other:index:a", "other:places:rate a", "other:value:a 1"];
  assert.deepEqual(keys, [...own.slice(0, 1), "model a", ...own.slice(1), "value:a 1"]);
  assert.equal(await server.ask("GET", "model a"), "theirs");
});

testRedis("nothing stays of what is over", async (t) => {
  const server = await startRedis(t);
  const store = await open(t, { url: server.url });
  await store.set("a 1", 1, 1_000);
  await store.take("1", WINDOWS);
  await server.pass(60_000);
  assert.deepEqual(await store.list("a "), []);
  assert.deepEqual(await server.ask("KEYS", "*"), []);
});

testRedis("a place that lasts longer than the window's other ones keeps the window", async (t) => {
  const server = await startRedis(t);
  const store = await open(t, { url: server.url });
  await store.take("1", [{ key: "run a", limit: 2, ms: 90_000 }]);
  await store.take("2", [{ key: "run a", limit: 2, ms: 10_000 }]);
  await server.pass(20_000);
  assert.deepEqual(await store.take("3", [{ key: "run a", limit: 2, ms: 10_000 }]), { wait: 0, left: 0 });
  const { wait } = await store.take("4", [{ key: "run a", limit: 0, ms: 10_000 }]);
  assert.equal(wait, Infinity);
});

testRedis("what is of another type where values and places belong is in nobody's way", async (t) => {
  const server = await startRedis(t);
  const store = await open(t, { url: server.url });
  for (const key of ["value:a 1", "index:a", "places:rate a"]) await server.ask("HSET", `arbiter:${key}`, "x", "1");
  await server.ask("SET", "arbiter:value:a 2", "no JSON");
  assert.equal(await store.get("a 1"), undefined);
  assert.equal(await store.get("a 2"), undefined);
  assert.deepEqual(await store.list("a "), []);
  assert.equal((await store.take("1", WINDOWS)).wait, 0);
  assert.equal(await store.swap("a 1", undefined, 1), true);
  assert.deepEqual(await store.list("a "), [["a 1", 1]]);
});

testRedis("a password is needed where there is one, and is in no message", async (t) => {
  const server = await startRedis(t, ["--requirepass", "p@ss/word"]);
  const right = server.url.replace("//", `//:${encodeURIComponent("p@ss/word")}@`);
  for (const options of [{ url: right }, { url: server.url, password: "p@ss/word" }]) {
    const store = await open(t, options);
    await store.set("a 1", 1);
    assert.equal(await store.get("a 1"), 1);
  }
  const wrong = server.url.replace("//", "//:wr0ng@");
  for (const [options, says] of [[{ url: wrong }, /WRONGPASS/], [{ url: server.url }, /NOAUTH/]] as const) {
    const store = await open(t, options);
    for (let i = 0; i < 2; i++) {
      await assert.rejects(
        store.get("a 1"),
        (error: Error) => says.test(error.message) && !/wr0ng/.test(error.message),
      );
    }
  }
});

test("an address of no use is refused without being shown", async () => {
  const hosts = ["localhost:6379", "http://:s3cret@host", "redis://:s3cret@host:port", "//:s3cret@host"];
  for (const url of ["", ...hosts, "redis://:s3cret@host/name"]) {
    await assert.rejects(createRedisStore({ url }), (error: Error) => {
      return error instanceof TypeError && /REDIS_URL/.test(error.message) && !/s3cret/.test(error.message);
    });
  }
});

test("where nobody listens each question says so, without the password", async (t) => {
  const port = await findFreePort();
  const store = await open(t, { url: `redis://:s3cret@127.0.0.1:${port}` });
  for (let i = 0; i < 2; i++) {
    await assert.rejects(store.set("a 1", 1), (error: Error) => {
      return error.message.includes("ECONNREFUSED") && !error.message.includes("s3cret");
    });
  }
});

testRedis("a store goes on when Redis was killed and is there again, and when the connection was cut", async (t) => {
  const server = await startRedis(t);
  const store = await open(t, { url: server.url });
  await store.set("a 1", 1);
  await server.ask("CLIENT", "KILL", "TYPE", "normal");
  await server.until(() => store.set("a 1", 1));
  await server.signal("SIGKILL");
  await assert.rejects(store.get("a 1"));
  await assert.rejects(store.get("a 1"), /ECONNREFUSED/);
  await server.start();
  assert.equal(await store.get("a 1"), undefined);
  await store.set("a 1", 2);
  assert.equal(await store.get("a 1"), 2);
});

testRedis("what waits for an answer when the connection breaks is told that", async (t) => {
  const server = await startRedis(t);
  const store = await open(t, { url: server.url });
  await store.set("a 1", 1);
  await server.signal("SIGSTOP");
  const asked = ["a 1", "a 2"].map((key) => assert.rejects(store.get(key), /ECONNRESET|Socket closed/));
  await settle();
  await server.signal("SIGKILL");
  await Promise.all(asked);
});

testRedis("a Redis that stands still is not waited for", async (t) => {
  const server = await startRedis(t);
  const clock = new FakeClock();
  const store = await open(t, { url: server.url }, clock);
  await store.set("a 1", 1);
  await server.signal("SIGSTOP");
  for (const _ of ["on the connection that was open", "on one that is opened"]) {
    const first = assert.rejects(store.get("a 1"), /no answer within 500 ms/);
    await clock.advance(1);
    const second = assert.rejects(store.get("a 2"), /no answer within 500 ms/);
    await clock.advance(499);
    await first;
    await clock.advance(1);
    await second;
  }
  await server.signal("SIGCONT");
  assert.equal(await store.get("a 1"), 1);
});

testRedis("a process that was held up reads what has come before it takes Redis for away", async (t) => {
  const server = await startRedis(t);
  const clock = new FakeClock();
  const timers: (() => void)[] = [];
  const after = clock.after.bind(clock);
  clock.after = (ms, run) => {
    timers.push(run);
    return after(ms, run);
  };
  const store = await open(t, { url: server.url }, clock);
  await store.set("a 1", 1);
  const asked = store.get("a 1");
  timers.at(-1)!(); // It is late, and fires before anything is read.
  assert.equal(await asked, 1);
});

testRedis("a closed store has written what it was given, and rejects what it is asked", async (t) => {
  const server = await startRedis(t);
  const store = await createRedisStore({ url: server.url });
  const written = store.set("a 1", 1);
  await store.close();
  await written;
  assert.equal(await server.ask("GET", "arbiter:value:a 1"), "1");
  await assert.rejects(store.get("a 1"), /closed/);
  await store.close();
});

testRedis("a steady store loses nothing while Redis is killed, away and there again", async (t) => {
  const server = await startRedis(t);
  const clock = new FakeClock();
  const warnings: string[] = [];
  const remote = await open(t, { url: server.url });
  const store = createSteadyStore(remote, { name: "Redis", warn: (line) => void warnings.push(line), clock });
  const windows = [{ key: "rate a", limit: 25, ms: 60_000 }];
  const take = (from: number, count: number) =>
    Promise.all(Array.from({ length: count }, (_, i) => store.take(String(from + i), windows)));
  const before = take(0, 10);
  await server.signal("SIGKILL");
  const taken = [...await before, ...await take(10, 20)];
  await store.set("a 1", "meanwhile");
  assert.equal(taken.filter(({ wait }) => wait === 0).length, 25);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]!, /^Redis is away \(.+\): limits count for this process alone until it is back$/);
  await server.start();
  await clock.advance(1_000);
  await server.until(async () => {
    assert.equal(await store.get("a 1"), "meanwhile");
    assert.equal(warnings[1], "Redis is back");
  });
  assert.equal(await remote.get("a 1"), "meanwhile");
  const limit = taken.slice(10).filter(({ wait }) => wait === 0).length; // The others may have been lost with Redis.
  assert.ok((await remote.take("last", [{ ...windows[0]!, limit }])).wait > 0);
});

test("the package is taken from the first place that has it, and where none has, the message says what to do", async () => {
  const redis = { createClient: () => assert.fail() };
  const missing = () => Promise.reject(new Error("Cannot find package"));
  assert.equal(await loadRedis([missing, () => redis, () => assert.fail()]), redis);
  assert.equal(await loadRedis([() => Promise.resolve({ default: redis })]), redis);
  const name = "MissingEngineError";
  await assert.rejects(loadRedis([missing, () => require()]), { name, message: /: run npm install redis$/ });
  const message = /: run npm install --prefix "\/home\/.config\/arbiter" redis$/;
  await assert.rejects(loadRedis([missing], "/home/.config/arbiter"), { name, message });
  function require(): never {
    throw new Error("Cannot find module");
  }
});
