import assert from "node:assert/strict";
import { test } from "node:test";
import type { Priority } from "../../lib/routing/priority.ts";
import type { RateLimits } from "../../lib/routing/rate_limits.ts";
import { createMemoryStore } from "../../lib/store/memory_store.ts";
import type { Store } from "../../lib/store/store.ts";
import { Accounts } from "../../lib/upstream/accounts.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";

interface Guest {
  name: string;
  entered?: number;
  rejected?: unknown;
  leave: () => void;
  abort: () => void;
}

/** Processes with accounts of their own at one host, and a store between them. */
class Team {
  readonly clock = new FakeClock();
  readonly store: Store;
  readonly entered: Guest[] = [];
  readonly limits: RateLimits;
  readonly #processes: Accounts[];

  constructor(limits: Partial<RateLimits>, change: (store: Store) => Partial<Store> = () => ({}), size = 2) {
    this.limits = { limit: 0, window: 1_000, concurrency: 0, ...limits };
    const store = { ...createMemoryStore([], this.clock), shared: true };
    this.store = { ...store, ...change(store) };
    this.#processes = Array.from({ length: size }, () => new Accounts(this.clock, this.store));
  }

  window(process: number) {
    return this.#processes[process]!.windowOf({ baseUrl: "http://host/v1", apiKey: "secret", limits: this.limits });
  }

  refuse(process: number, model: string, told?: number): void {
    const backend = { baseUrl: "http://host/v1", apiKey: "secret", limits: this.limits };
    this.#processes[process]!.refuse({ backend, model }, told);
  }

  async ask(process: number, priority: Priority = "main"): Promise<Guest> {
    const controller = new AbortController();
    const guest: Guest = { name: `${process} ${priority}`, leave: () => {}, abort: () => controller.abort("gone") };
    this.window(process).enter(priority, controller.signal).then((leave) => {
      this.entered.push(Object.assign(guest, { entered: this.clock.now(), leave }));
    }, (reason) => guest.rejected = reason);
    await settle();
    return guest;
  }

  get starts(): number[] {
    return this.entered.map(({ entered }) => entered!);
  }
}

test("a place that was given back is not renewed, not even where a timer cannot be called off", async () => {
  const clock = new FakeClock();
  const store = { ...createMemoryStore([], clock), shared: true };
  const stubborn = { now: () => clock.now(), after: (ms: number, run: () => void) => (clock.after(ms, run), () => {}) };
  const backend = { baseUrl: "http://host/v1", limits: { limit: 0, window: 1_000, concurrency: 1 } };
  const leave = await new Accounts(stubborn, store).windowOf(backend).enter("main", new AbortController().signal);
  leave();
  await clock.advance(60_000);
  assert.equal(clock.pending, 0);
});

test("two processes together start no more than one account may, and nobody waits for longer than needed", async () => {
  const team = new Team({ limit: 3 });
  for (const process of [0, 1, 0, 1, 0, 1]) await team.ask(process);
  assert.deepEqual(team.starts, [0, 0, 0]);
  assert.equal(team.window(1).left, 0);
  await team.clock.advance(999);
  assert.equal(team.entered.length, 3);
  await team.clock.advance(1);
  assert.deepEqual(team.starts, [0, 0, 0, 1_000, 1_000, 1_000]);
  assert.equal(team.clock.pending, 0);
});

test("at random times the sum of all processes never exceeds the sliding window, and everybody comes in", async () => {
  const team = new Team({ limit: 5, concurrency: 4 }, undefined, 3);
  const guests: Guest[] = [];
  let seed = 1;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor(seed / 2 ** 32 * below);
  };
  for (let step = 0; step < 400 && (step < 60 || team.entered.length < guests.length); step++) {
    if (step < 60) guests.push(await team.ask(random(3)));
    await team.clock.advance(random(120));
    const inside = team.entered.filter(({ name }) => name !== "left");
    assert.ok(inside.length <= 4, `${inside.length} inside at once`);
    for (const guest of inside.filter(() => random(3) === 0)) Object.assign(guest, { name: "left" }).leave();
  }
  assert.equal(team.entered.length, guests.length);
  team.starts.forEach((start, i) => assert.ok((team.starts[i + 5] ?? Infinity) - start >= 1_000, `from ${start} on`));
});

test("no more run at once than may, and who waits elsewhere looks four times a second", async () => {
  const team = new Team({ concurrency: 2 });
  const guests = [await team.ask(0), await team.ask(1), await team.ask(0), await team.ask(1)];
  await team.clock.advance(10_000);
  assert.deepEqual(team.entered, guests.slice(0, 2));
  guests[0]!.leave();
  await settle();
  assert.deepEqual(team.entered, guests.slice(0, 3), "it is given to who waits here, at once");
  guests[2]!.leave();
  await team.clock.advance(250);
  assert.deepEqual(team.entered, guests);
});

test("a place is kept while its process lives, and is free fifteen seconds after it was renewed last", async () => {
  let killed = false;
  const team = new Team({ concurrency: 1 }, (store) => ({
    take: (id, windows) =>
      killed && windows.length === 1 ? Promise.reject(new Error("killed")) : store.take(id, windows),
  }));
  const [dead, other] = [await team.ask(0), await team.ask(1)];
  await team.clock.advance(60_000);
  assert.deepEqual(team.entered, [dead]);
  killed = true; // The renewals end.
  await team.clock.advance(14_999);
  assert.equal(other.entered, undefined);
  await team.clock.advance(250);
  assert.ok(other.entered! >= 75_000);
});

test("when all have left nothing is left behind, in no process and not in the store", async () => {
  const team = new Team({ limit: 5, concurrency: 2 });
  const guests = [await team.ask(0), await team.ask(1)];
  guests.forEach(({ leave }) => leave());
  guests.forEach(({ leave }) => leave());
  await settle();
  assert.equal(team.clock.pending, 0);
  for (const process of [0, 1]) await team.ask(process);
  assert.equal(team.entered.length, 4);
});

test("in each process the urgent go first, also while another has all the places", async () => {
  const team = new Team({ limit: 1 });
  await team.ask(0);
  for (const priority of ["background", "subagent", "main", "main"] as const) await team.ask(1, priority);
  await team.clock.advance(10_000);
  assert.deepEqual(team.entered.slice(1).map(({ name }) => name), ["1 main", "1 main", "1 subagent", "1 background"]);
  assert.deepEqual(team.starts, [0, 1_000, 2_000, 3_000, 4_000]);
});

test("who gives up while waiting costs nobody anything", async () => {
  const team = new Team({ limit: 1 });
  await team.ask(0);
  const [gone, other] = [await team.ask(1), await team.ask(0)];
  gone.abort();
  await team.clock.advance(1_000);
  assert.deepEqual([gone.rejected, other.entered, team.clock.pending], ["gone", 1_000, 0]);
});

test("who gives up while the store is asked gives everything back", async () => {
  let answer = () => {};
  let slow = true;
  const team = new Team({ limit: 1, concurrency: 1 }, (store) => ({
    async take(id, windows) {
      const taken = await store.take(id, windows);
      if (slow) await new Promise<void>((resolve) => answer = resolve);
      return taken;
    },
  }));
  const gone = await team.ask(0);
  gone.abort();
  slow = false;
  const other = await team.ask(1);
  answer();
  await team.clock.advance(250);
  assert.deepEqual([gone.entered, gone.rejected, other.entered], [undefined, "gone", 250]);
  other.leave();
  await settle();
  assert.equal(team.clock.pending, 0);
});

test("who is being asked for when the account is blocked waits like the others", async () => {
  const answers: (() => void)[] = [];
  const team = new Team({ limit: 1 }, (store) => ({
    async take(id, windows) {
      const taken = await store.take(id, windows);
      if (windows.length > 1) await new Promise<void>((resolve) => answers.push(resolve));
      return taken;
    },
  }));
  const guest = await team.ask(0);
  team.window(0).block(500);
  answers.shift()!();
  await team.clock.advance(500);
  assert.equal(guest.entered, undefined);
  answers.shift()!();
  await settle();
  assert.equal(guest.entered, 500);
});

test("a blocked account is left alone by all, from the next request on, and the longer block counts", async () => {
  const team = new Team({ limit: 10 });
  for (const model of ["a", "b"]) team.refuse(0, model, 5_000);
  for (const model of ["a", "b"]) team.refuse(1, model, 2_000);
  const guests = [await team.ask(0), await team.ask(1)];
  await team.clock.advance(4_999);
  assert.equal(team.entered.length, 0);
  await team.clock.advance(1);
  assert.deepEqual(team.entered.length, guests.length);
});

test("a block without any other limit is shared, too", async () => {
  const team = new Team({});
  for (const model of ["a", "b"]) team.refuse(0, model, 5_000);
  const guest = await team.ask(1);
  await team.clock.advance(5_000);
  assert.equal(guest.entered, 5_000);
  assert.equal(team.window(1).left, Infinity);
});

test("a block below the limit lowers it to what all together had reached", async () => {
  const team = new Team({ limit: 10 });
  for (const process of [0, 0, 0, 0, 1]) await team.ask(process);
  assert.equal(team.window(1).left, 5);
  team.window(1).block(1_000);
  await team.clock.advance(1_000);
  for (let i = 0; i < 9; i++) await team.ask(1);
  assert.equal(team.entered.length, 10);
});

test("what is left is what all have left, as it was seen last", async () => {
  const team = new Team({ limit: 10 });
  for (const process of [0, 0, 0, 1]) await team.ask(process);
  assert.deepEqual([team.window(0).left, team.window(1).left], [7, 6]);
  await team.clock.advance(1_000);
  assert.deepEqual([team.window(0).left, team.window(1).left], [10, 10]);
});

test("the store is asked once for each request, and while nothing is free by one who waits in each process", async () => {
  let asked = 0;
  const team = new Team({ limit: 5, concurrency: 100 }, (store) => ({
    take(id, windows) {
      asked++;
      return store.take(id, windows);
    },
  }));
  for (let i = 0; i < 5; i++) await team.ask(0);
  assert.equal(asked, 5);
  for (let i = 0; i < 20; i++) await team.ask(1);
  assert.equal(asked, 6);
});

test("where the store fails, each process keeps to the limits alone", async () => {
  const fails = () => Promise.reject(new Error("no store"));
  const team = new Team({ limit: 2, concurrency: 2 }, () => ({ take: fails, free: fails }));
  for (const process of [0, 0, 0, 1]) await team.ask(process);
  assert.deepEqual(team.entered.map(({ name }) => name), ["0 main", "0 main", "1 main"]);
  team.window(1).block(1_000);
  for (const { leave } of team.entered) leave();
  await team.clock.advance(1_000);
  assert.deepEqual([team.entered.length, team.clock.pending], [4, 0]);
});

test("nobody finds the key of an account in the store", async () => {
  const keys: string[] = [];
  const team = new Team({ limit: 2, concurrency: 2 }, (store) => ({
    take(id, windows) {
      keys.push(...windows.map(({ key }) => key));
      return store.take(id, windows);
    },
  }));
  await team.ask(0);
  await team.ask(1);
  assert.deepEqual(keys.map((key) => key.replace(/ [0-9a-z]{11}$/, " DIGEST")).slice(0, 3), [
    "rate DIGEST",
    "run DIGEST",
    "block DIGEST",
  ]);
  assert.equal(new Set(keys).size, 3);
});

test("a store that is not shared is never asked", async () => {
  const never = () => assert.fail("asked");
  const team = new Team({ limit: 1 }, () => ({ shared: false, take: never, free: never }));
  const guests = [await team.ask(0), await team.ask(1)];
  assert.deepEqual(team.entered, guests);
});
