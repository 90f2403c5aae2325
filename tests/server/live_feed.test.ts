import assert from "node:assert/strict";
import { test } from "node:test";
import { LiveFeed, type LiveState } from "../../lib/server/live_feed.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";

function createRig() {
  const clock = new FakeClock();
  const asked: number[] = [];
  const feed = new LiveFeed(clock, (since) => {
    asked.push(since);
    return { since } as LiveState;
  });
  return { clock, asked, feed };
}

/** A watcher: what it has been told, and how it leaves. */
function watch(feed: LiveFeed, reads = true) {
  let ended = 0;
  const stop = new AbortController();
  const exchange = { stop, streams: false, end: () => void ended++ };
  const told: string[] = [];
  const reader = feed.open(exchange, (json) => json).getReader();
  const read = async () => {
    for (let one = await reader.read(); !one.done; one = await reader.read()) {
      told.push(new TextDecoder().decode(one.value));
    }
    told.push("(end)");
  };
  if (reads) void read();
  return { told, read, stop, exchange, leave: () => reader.cancel(), ended: () => ended };
}

const toStates = (...since: number[]) => since.map((since) => JSON.stringify({ since }));

test("while nobody watches nothing is computed, and no timer runs", async () => {
  const { clock, asked, feed } = createRig();
  feed.change();
  await clock.advance(60_000);
  assert.deepEqual([asked, clock.pending], [[], 0]);
});

test("a watcher is told everything, then what changes five times a second at most, then a beat", async () => {
  const { clock, feed } = createRig();
  await clock.advance(1_000);
  const { told, exchange } = watch(feed);
  await settle();
  assert.deepEqual(told, toStates(0));
  assert.equal(exchange.streams, true);
  for (let i = 0; i < 10; i++) {
    feed.change();
    await clock.advance(50);
  }
  assert.deepEqual(told, toStates(0, 0, 1000, 1200));
  await clock.advance(10_200);
  assert.deepEqual(told.length, 7);
});

test("there is one state for all watchers", async () => {
  const { clock, asked, feed } = createRig();
  await clock.advance(1_000);
  const watchers = [watch(feed), watch(feed), watch(feed)];
  await settle();
  asked.length = 0;
  feed.change();
  await clock.advance(200);
  assert.deepEqual(asked, [0]);
  for (const { told } of watchers) assert.deepEqual(told, toStates(0, 0));
});

test("who was too slow for a change is told everything again", async () => {
  const { clock, feed } = createRig();
  await clock.advance(1_000);
  const { told, read } = watch(feed, false);
  for (let i = 0; i < 5; i++) {
    feed.change();
    await clock.advance(1_000);
  }
  void read();
  await settle();
  assert.deepEqual(told, toStates(0, 0));
  feed.change();
  await clock.advance(200);
  assert.deepEqual(told, toStates(0, 0, 5_000));
});

test("who leaves is over once, and the last one takes the timer along", async () => {
  const { clock, feed } = createRig();
  const [first, second] = [watch(feed), watch(feed)];
  await settle();
  feed.change();
  await first.leave();
  assert.equal(clock.pending, 1);
  await second.leave();
  second.stop.abort();
  assert.deepEqual([first.ended(), second.ended(), clock.pending], [1, 1, 0]);
  const third = watch(feed);
  feed.change();
  await clock.advance(200);
  assert.equal(third.told.length, 2);
});

test("who had gone before it began is over at once", async () => {
  const { clock, asked, feed } = createRig();
  const stop = new AbortController();
  stop.abort();
  let ended = 0;
  const body = feed.open({ stop, streams: false, end: () => void ended++ }, (json) => json);
  assert.deepEqual(await body.getReader().read(), { value: undefined, done: true });
  assert.deepEqual([ended, asked, clock.pending], [1, [], 0]);
});

test("a proxy that closes ends all of them", async () => {
  const { clock, feed } = createRig();
  const { told, stop, ended } = watch(feed);
  await settle();
  stop.abort();
  await settle();
  assert.deepEqual([told.at(-1), ended(), clock.pending], ["(end)", 1, 0]);
});
