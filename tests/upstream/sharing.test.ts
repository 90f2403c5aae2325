/** What several proxies with one store know of each other, seen from outside. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Arbiter, type ArbiterOptions, createArbiter } from "../../lib/arbiter.ts";
import type { Script } from "../../lib/stand_in/script.ts";
import { createStandIn } from "../../lib/stand_in/stand_in.ts";
import { createMemoryStore } from "../../lib/store/memory_store.ts";
import type { Store } from "../../lib/store/store.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { FAULTS } from "../support/faults.ts";

const HELLO = { steps: [{ text: "Hello" }] };

/** Two proxies in front of one upstream. */
class Team {
  readonly clock = new FakeClock();
  /** The models that were asked, by all. */
  readonly asked: string[] = [];
  readonly store: Store;
  readonly proxies: Arbiter[];

  constructor(
    models: Record<string, Script>,
    options: ArbiterOptions = {},
    change: (store: Store) => Store = (s) => s,
  ) {
    this.store = change({ ...createMemoryStore([], this.clock), shared: true });
    const [model = "", ...fallbacks] = Object.keys(models);
    const { clock, store } = this;
    const standIn = createStandIn({ models, clock });
    const fetch: typeof globalThis.fetch = (input, init) => {
      this.asked.push(JSON.parse(String(init?.body)).model);
      return standIn.fetch(input, init);
    };
    const settings = { baseUrl: "http://h/v1", model, fallbacks, clock, store, fetch, random: () => 0, ...options };
    this.proxies = [1, 2].map(() => createArbiter(settings));
  }

  async ask(proxy: number, fields: object = {}): Promise<string> {
    const messages = [{ role: "user", content: "Write a test" }];
    const tools = [{ name: "Bash", input_schema: { type: "object" } }];
    const body = JSON.stringify({ model: "claude-sonnet-5", max_tokens: 9, messages, tools, stream: true, ...fields });
    const request = new Request("http://localhost/v1/messages", { method: "POST", body });
    const answer = this.proxies[proxy]!.fetch(request).then((response) => response.text());
    await this.clock.advance(2_000);
    return await answer;
  }
}

test("a model that is degraded for one proxy is passed over by the other", async () => {
  let degraded = false;
  const team = new Team({ "m/first": () => degraded ? FAULTS.degraded : HELLO, "m/second": () => HELLO });
  for (const proxy of [0, 1]) await team.ask(proxy);
  degraded = true;
  await team.ask(0);
  await team.ask(1, { model: "m/second" }); // The other one looks behind the back of this one.
  team.asked.length = 0;
  await team.ask(1);
  assert.deepEqual(team.asked, ["m/second"]);
});

test("a field that one proxy was refused the other leaves out, too", async () => {
  const refusing: Script = (request) =>
    "stop" in request ? { status: 400, body: { detail: "Unsupported parameter(s): `stop`" } } : HELLO;
  const team = new Team({ "m/x": refusing });
  await team.ask(1);
  await team.ask(0, { stop_sequences: ["x"] });
  assert.equal(team.asked.length, 3);
  await team.ask(1);
  team.asked.length = 0;
  await team.ask(1, { stop_sequences: ["x"] });
  assert.equal(team.asked.length, 1);
});

test("the quota is that of the account, as it was seen last", async () => {
  const team = new Team({ "m/x": () => HELLO }, { rateLimit: 10 });
  for (const proxy of [0, 0, 0, 1]) await team.ask(proxy);
  assert.equal(team.proxies[1]!.status().quota?.left, 6);
});

test("the store is read at the first request and then at most once a second, never on the way of a request", async () => {
  let [lists, fast] = [0, true];
  const team = new Team({ "m/x": () => HELLO }, {}, (store) => ({
    ...store,
    list(prefix) {
      lists++;
      return fast ? store.list(prefix) : new Promise(() => {});
    },
  }));
  for (let i = 0; i < 5; i++) {
    const body = JSON.stringify({ model: "m/x", max_tokens: 9, messages: [{ role: "user", content: "Hello" }] });
    await team.proxies[0]!.fetch(new Request("http://localhost/v1/messages", { method: "POST", body }));
    await settle();
  }
  assert.equal(lists, 3);
  fast = false;
  for (let i = 0; i < 3; i++) assert.match(await team.ask(0), /Hello/);
  assert.equal(lists, 6);
});

test("a request takes as long as one question to the store longer, and its end none", async () => {
  const slow = <A extends unknown[], R>(run: (...args: A) => Promise<R>) => async (...args: A): Promise<R> => {
    await new Promise<void>((resolve) => team.clock.after(10, resolve));
    return await run(...args);
  };
  const times: number[] = [];
  const models = { "m/x": () => HELLO };
  const team: Team = new Team(models, { onRequest: ({ ms }) => void times.push(ms) }, (store) => {
    const { get, list, set, swap, take, free } = store;
    const ways = {
      get: slow(get),
      list: slow(list),
      set: slow(set),
      swap: slow(swap),
      take: slow(take),
      free: slow(free),
    };
    return { ...store, ...ways };
  });
  for (let i = 0; i < 3; i++) await team.ask(0);
  assert.deepEqual(times, [20, 10, 10], "the first one reads what is there already");
});

test("a store that fails at everything costs no answer and no time", async () => {
  const fails = () => Promise.reject(new Error("no store"));
  const broken: Store = { ...createMemoryStore(), shared: true, get: fails, list: fails, set: fails, swap: fails };
  const models = { "m/first": () => FAULTS.degraded, "m/second": () => HELLO };
  const team = new Team(models, { rateLimit: 40, maxConcurrency: 2 }, () => ({ ...broken, take: fails, free: fails }));
  for (const proxy of [0, 1, 0, 1]) assert.match(await team.ask(proxy), /Hello/);
  assert.deepEqual(team.asked, ["m/first", "m/second", "m/first", "m/second", "m/second", "m/second"]);
});

test("a store that is not shared is asked for no place and told of no health or session", async () => {
  const never = () => assert.fail("asked");
  const own = createMemoryStore();
  const models = { "m/first": () => FAULTS.degraded, "m/second": () => HELLO };
  const team = new Team(models, { rateLimit: 40 }, () => ({ ...own, take: never, free: never, swap: never }));
  await team.ask(0);
  await team.ask(0);
  assert.deepEqual(await own.list(""), []);
});
