import assert from "node:assert/strict";
import process from "node:process";
import { describe, test } from "node:test";
import { patientFetch, toCallFailure } from "../../lib/upstream/patient_fetch.ts";

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

describe("toCallFailure() says why", () => {
  const dns = "dns error: failed to lookup address information: Name or service not known";
  const rows: [runtime: string, thrown: unknown, why: string][] = [
    ["Node", new TypeError("fetch failed", { cause: new Error("getaddrinfo ENOTFOUND x") }), "getaddrinfo ENOTFOUND x"],
    ["Deno", new TypeError(`error sending request for url (https://x/v1): client error (Connect): ${dns}`), dns],
    [
      "Bun",
      new Error("Unable to connect. Is the computer able to access the url?"),
      "Unable to connect. Is the computer able to access the url?",
    ],
    [
      "Node, where a name has several addresses",
      new AggregateError([new Error("connect ECONNREFUSED ::1:1")]),
      "connect ECONNREFUSED ::1:1",
    ],
    [
      "Node, of those in a cause",
      new TypeError("fetch failed", { cause: new AggregateError([new Error("connect ECONNREFUSED ::1:1")]) }),
      "connect ECONNREFUSED ::1:1",
    ],
    ["whoever says nothing more", new TypeError("fetch failed", { cause: new Error("") }), "fetch failed"],
    ["whoever throws a word", "no", "no"],
  ];
  for (const [runtime, thrown, why] of rows) test(`on ${runtime}`, () => assert.equal(toCallFailure(thrown), why));
});
