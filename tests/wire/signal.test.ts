import assert from "node:assert/strict";
import { test } from "node:test";
import { onAbort } from "../../lib/wire/signal.ts";

test("what waits for a signal is done once, in its order, and at once where it has fired", () => {
  const controller = new AbortController();
  const done: string[] = [];
  for (const name of ["a", "b"]) onAbort(controller.signal, () => void done.push(name));
  assert.equal(done.length, 0);
  controller.abort();
  controller.abort();
  onAbort(controller.signal, () => {
    done.push("late");
  });
  assert.deepEqual(done, ["a", "b", "late"]);
});

test("what was called off is not done, also while others are, and a function added twice is called off once each", () => {
  const controller = new AbortController();
  const done: string[] = [];
  const run = () => void done.push("twice");
  const [first] = [onAbort(controller.signal, run), onAbort(controller.signal, run)];
  first();
  first();
  onAbort(controller.signal, () => last());
  const last = onAbort(controller.signal, () => void done.push("last"));
  controller.abort();
  assert.deepEqual(done, ["twice"]);
});

test("a signal that many wait for has one listener", () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  signal.addEventListener = ((...args: Parameters<typeof add>) => {
    listeners++;
    add(...args);
  }) as typeof add;
  for (let i = 0; i < 100; i++) onAbort(signal, () => {});
  assert.equal(listeners, 1);
});
