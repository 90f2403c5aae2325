import assert from "node:assert/strict";
import { test } from "node:test";
import { ChunkTemplate } from "../../lib/stream/chunk_template.ts";

function toChunk(delta: object, rest: object = {}): string {
  return JSON.stringify({ id: "c", choices: [{ index: 0, delta, finish_reason: null }], ...rest });
}

/** What a template makes of chunks must be what JSON says. */
function assertReads(chunks: readonly string[]): void {
  const template = new ChunkTemplate();
  for (const chunk of chunks) assert.deepEqual(template.parse(chunk), JSON.parse(chunk), chunk);
}

const TEXTS = [
  "a",
  "b",
  "",
  "@",
  'with "quotes"',
  "back\\slash",
  "line\nbreak",
  "日本",
  "\u0001",
  " ",
  "</think>",
  "z",
];

for (const field of ["content", "reasoning_content", "reasoning"]) {
  test(`texts in ${field} are read as JSON has them`, () => {
    assertReads(TEXTS.map((text) => toChunk({ [field]: text })));
  });
}

test("fields that take turns, and chunks that differ elsewhere, are read as JSON has them", () => {
  assertReads(TEXTS.flatMap((text, i) => [
    toChunk({ content: text }),
    toChunk({ reasoning_content: text, content: null }),
    toChunk({ content: text }, { created: i }),
    toChunk({ content: text }, { usage: { prompt_tokens: i } }),
    toChunk({ tool_calls: [{ index: 0, function: { arguments: JSON.stringify({ content: text }) } }] }),
  ]));
});

test("a field that only looks like the text of a chunk is none", () => {
  assertReads(TEXTS.flatMap((content) => [
    JSON.stringify({ logprobs: { content }, choices: [{ delta: { content: "same" } }] }),
    JSON.stringify({ choices: [{ delta: { parts: [{ content }] } }] }),
    JSON.stringify({ choices: [{}, { delta: { content } }] }),
    `{"choices":[{"delta":{"content":${JSON.stringify(content)},"content":"last"}}]}`,
  ]));
});

test("what is no JSON is nothing, also where a template fits", () => {
  const template = new ChunkTemplate();
  template.parse(toChunk({ content: "a" }));
  for (const text of ['raw " quote', "\n", "\\x"]) {
    assert.equal(template.parse(toChunk({ content: "@" }).replace("@", () => text)), undefined, text);
  }
  assert.equal(template.parse('{"content":"a'), undefined);
});
