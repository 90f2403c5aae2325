import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { patientFetch } from "../../lib/upstream/patient_fetch.ts";

const onNode = !("Deno" in globalThis) && !("Bun" in globalThis);

test("patientFetch() is the runtime's fetch, with Node's time limits lifted", async () => {
  const real = globalThis.fetch;
  const inits: (RequestInit & { dispatcher?: { close?: unknown } })[] = [];
  globalThis.fetch = (input, init) => {
    inits.push(init ?? {});
    return real(input, init);
  };
  try {
    const response = await patientFetch("data:text/plain,hello", { headers: { a: "b" } });
    assert.equal(await response.text(), "hello");
  } finally {
    globalThis.fetch = real;
  }
  const { dispatcher, headers } = inits.at(-1) ?? {};
  if (onNode) {
    assert.ok(process.versions.node);
    assert.equal(typeof dispatcher?.close, "function");
    assert.deepEqual(headers, { a: "b" });
  } else assert.equal(dispatcher, undefined);
});
