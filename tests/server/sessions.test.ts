import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createArbiter } from "../../lib/arbiter.ts";
import type { RouteTrace } from "../../lib/routing/router.ts";
import type { RequestLog } from "../../lib/server/request_log.ts";
import { Sessions, toSessionId } from "../../lib/server/sessions.ts";
import { createMemoryStore } from "../../lib/store/memory_store.ts";
import { createStandIn } from "../../lib/stand_in/stand_in.ts";
import { FakeClock } from "../support/fake_clock.ts";

const ROUTE: RouteTrace = { asked: "a", model: "m/x", kind: "main", tier: "elite", chain: ["m/x"], why: [] };
const LOG: RequestLog = { id: "req_1", method: "POST", path: "/v1/messages", status: 200, ms: 5, route: ROUTE };

describe("toSessionId() reads", () => {
  const rows: [name: string, headers: Record<string, string>, id: string | undefined][] = [
    ["Claude Code's header", { "x-claude-code-session-id": "a", "x-session-id": "b" }, "a"],
    ["the header of other clients", { "x-session-id": "b" }, "b"],
    ["no session where nobody names one", {}, undefined],
    ["no session from an empty header", { "x-session-id": "" }, undefined],
    ["no more than 200 characters", { "x-session-id": "x".repeat(9000) }, "x".repeat(200)],
  ];
  for (const [name, headers, id] of rows) test(name, () => assert.equal(toSessionId(new Headers(headers)), id));
});

describe("sessions", () => {
  test("are counted apart, and come newest first", async () => {
    const clock = new FakeClock();
    const sessions = new Sessions(clock);
    for (const log of [{ session: "a", outputTokens: 3 }, { session: "b", status: 529 }, { session: "a" }]) {
      await clock.advance(100);
      sessions.add({ ...LOG, outputTokens: 4, ...log });
    }
    const seen = (await sessions.list()).map(({ id, since, last, requests, errors, outputTokens }) => {
      return [id, since, last, requests, errors, outputTokens];
    });
    assert.deepEqual(seen, [["a", 95, 300, 2, 0, 7], ["b", 195, 200, 1, 1, 4]]);
  });

  test("begin with a request for a message that names them", async () => {
    const sessions = new Sessions(new FakeClock());
    sessions.add({ ...LOG, session: "a", path: "/v1/messages/count_tokens" });
    sessions.add(LOG);
    assert.deepEqual(await sessions.list(), []);
  });

  test("do not begin with what is refused at the door, but count it", async () => {
    const sessions = new Sessions(new FakeClock());
    const { route: _, ...refused }: RequestLog = { ...LOG, session: "a", status: 401, error: "no key" };
    sessions.add(refused);
    assert.equal(await sessions.find("a"), undefined);
    sessions.add({ ...LOG, session: "a" });
    sessions.add(refused);
    const { requests, errors } = (await sessions.find("a"))!;
    assert.deepEqual([requests, errors], [2, 1]);
  });

  test("are forgotten beyond 200, the one that was silent longest first", async () => {
    const sessions = new Sessions(new FakeClock());
    for (let i = 0; i < 200; i++) sessions.add({ ...LOG, session: `${i}` });
    sessions.add({ ...LOG, session: "0" });
    sessions.add({ ...LOG, session: "new" });
    assert.deepEqual([sessions.size, (await sessions.list()).length], [200, 200]);
    assert.deepEqual([await sessions.find("1"), (await sessions.find("0"))?.requests], [undefined, 2]);
  });
});

describe("sessions of several processes", () => {
  test("add up, from a second after a request", async () => {
    const clock = new FakeClock();
    const store = { ...createMemoryStore([], clock), shared: true };
    const [one, other] = [new Sessions(clock, store), new Sessions(clock, store)];
    one.add({ ...LOG, session: "a", model: "m/x", firstMs: 5, outputTokens: 1 });
    await clock.advance(500);
    one.add({ ...LOG, session: "a", model: "constructor", firstMs: 7, outputTokens: 10 });
    other.add({ ...LOG, session: "a", model: "m/x", firstMs: 6, outputTokens: 100 });
    assert.equal((await other.find("a"))?.requests, 1);
    await clock.advance(1_000);
    other.add({ ...LOG, session: "b" });
    const list = await other.list();
    assert.deepEqual(list.map(({ id }) => id), ["b", "a"]);
    assert.deepEqual(await one.find("a"), list[1]);
    const { requests, models, kinds, outputTokens, firstToken, since, last } = list[1]!;
    assert.deepEqual([requests, kinds], [3, { main: 3 }]);
    assert.deepEqual(Object.entries(models), [["m/x", 2], ["constructor", 1]]);
    assert.deepEqual([outputTokens, firstToken], [111, { count: 3, ms: 18, slowest: 7 }]);
    assert.deepEqual([since, last, one.size], [-5, 500, 1]);
  });

  test("are there for a day when a process has ended, and what makes no sense is passed over", async () => {
    const clock = new FakeClock();
    const store = { ...createMemoryStore([["session x 1", { id: "x" }], ["session y 2", 3]], clock), shared: true };
    new Sessions(clock, store).add({ ...LOG, session: "a" });
    await clock.advance(1_000);
    const later = new Sessions(clock, store);
    assert.deepEqual((await later.list()).map(({ id }) => id), ["a"]);
    await clock.advance(86_400_000);
    assert.deepEqual(await later.list(), []);
  });

  test("are written once a second at most", async () => {
    const clock = new FakeClock();
    let writes = 0;
    const store = { ...createMemoryStore(), shared: true, set: () => Promise.resolve(void writes++) };
    const sessions = new Sessions(clock, store);
    for (let i = 0; i < 100; i++) {
      sessions.add({ ...LOG, session: "a" });
      await clock.advance(50);
    }
    assert.deepEqual([writes, clock.pending], [5, 0]);
  });

  test("are written at once when a process ends", async () => {
    const clock = new FakeClock();
    const store = { ...createMemoryStore([], clock), shared: true };
    const sessions = new Sessions(clock, store);
    sessions.add({ ...LOG, session: "a" });
    sessions.flush();
    assert.deepEqual([(await new Sessions(clock, store).list()).length, clock.pending], [1, 0]);
  });

  test("are those of this process where the store fails, or is not shared", async () => {
    const clock = new FakeClock();
    const fails = () => Promise.reject(new Error("no store"));
    const broken = { ...createMemoryStore(), shared: true, list: fails, set: fails };
    const own = createMemoryStore();
    for (const store of [broken, own]) {
      const sessions = new Sessions(clock, store);
      sessions.add({ ...LOG, session: "a" });
      await clock.advance(1_000);
      assert.equal((await sessions.list()).length, 1);
    }
    assert.deepEqual(await own.list(""), []);
  });
});

describe("the session routes", () => {
  const clock = new FakeClock();
  let delay = 700;
  const { fetch } = createStandIn({
    clock,
    models: { "m/x": () => ({ delay, steps: [{ text: "swordfish it is" }] }) },
  });
  const arbiter = createArbiter({ baseUrl: "http://h/v1", apiKey: "secret-key", model: "m/x", fetch, clock });

  async function post(session: string, stream: boolean): Promise<void> {
    const messages = [{ role: "user", content: "The word is swordfish" }];
    const body = JSON.stringify({ model: "claude-sonnet-5", max_tokens: 9, messages, stream });
    const headers = { "x-claude-code-session-id": session };
    const answer = arbiter.fetch(new Request("http://h/v1/messages", { method: "POST", body, headers }));
    await clock.advance(delay);
    await (await answer).text();
  }
  const get = (path: string) => arbiter.fetch(new Request(`http://h${path}`));

  test("tell of no session before there is one", async () => {
    const list = { object: "list", data: [], has_more: false, first_id: null, last_id: null };
    assert.deepEqual(await (await get("/v1/sessions")).json(), list);
  });

  test("tell what each came to, but no content and no key", async () => {
    await post("one", true);
    await post("two/2", false);
    const text = await (await get("/v1/sessions")).text();
    assert.doesNotMatch(text, /swordfish|secret/);
    const { data, first_id, last_id } = JSON.parse(text);
    assert.deepEqual([first_id, last_id, data.length], ["two/2", "one", 2]);
    const one = await (await get("/v1/sessions/one")).json();
    assert.deepEqual(one, data[1]);
    const { type, id, requests, models, kinds, since, last, firstToken } = one;
    assert.deepEqual([type, id, requests, models, kinds], ["session", "one", 1, { "m/x": 1 }, { auxiliary: 1 }]);
    assert.deepEqual([since, last, firstToken], [0, 700, { count: 1, ms: 700, slowest: 700 }]);
    assert.ok(one.anthropicCost > 0);
  });

  test("have no first token of an answer that came as a whole", async () => {
    const two = await (await get("/v1/sessions/two%2F2")).json();
    assert.deepEqual(two.firstToken, { count: 0, ms: 0, slowest: 0 });
  });

  test("take no ping for the first token", async () => {
    delay = 45_000;
    await post("slow", true);
    const slow = await (await get("/v1/sessions/slow")).json();
    assert.deepEqual(slow.firstToken, { count: 1, ms: 45_000, slowest: 45_000 });
  });

  test("answer 404 in Anthropic's shape for a session that is not known", async () => {
    const response = await get("/v1/sessions/three");
    const { type, error } = await response.json();
    assert.deepEqual([response.status, type, error.type], [404, "error", "not_found_error"]);
  });
});
