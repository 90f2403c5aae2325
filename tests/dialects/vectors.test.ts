import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DIALECTS } from "../../lib/models/dialect_tables.ts";
import { FAMILIES, toFamily } from "../../lib/models/families.ts";
import { Scanner } from "../../lib/dialects/scanner.ts";
import { ALL } from "./vectors/mod.ts";
import { scan, TOOLS, toShort, type Vector } from "./vectors/vector.ts";

/** The longest vector that is cut at every position; longer ones are cut at some. */
const MAX_CUTS = 2000;

/** The ways a text may arrive in, each with its name. */
function* toArrivals(text: string): Generator<[how: string, pieces: string[]]> {
  yield ["whole", [text]];
  const step = Math.ceil(text.length / MAX_CUTS);
  for (let cut = 1; cut < text.length; cut += step) yield [`cut at ${cut}`, [text.slice(0, cut), text.slice(cut)]];
  yield ["character by character", text.split("")];
  if (!/[^\0-\x7f]/.test(text)) return;
  const bytes = new TextEncoder().encode(text);
  for (let cut = 1; cut < bytes.length; cut += step) {
    const decoder = new TextDecoder();
    const first = decoder.decode(bytes.subarray(0, cut), { stream: true });
    yield [`cut at byte ${cut}`, [first, decoder.decode(bytes.subarray(cut))]];
  }
}

function check(model: string, { text, expected, ...rest }: Vector, kind: "text" | "thinking"): void {
  const wanted = kind === "text" ? expected : expected.map((one) => one.replace(/^text:/, "thinking:"));
  for (const [how, pieces] of toArrivals(text)) {
    assert.deepEqual(toShort(scan(model, pieces, { kind, ...rest })), wanted, how);
  }
}

for (const { family, models, vectors } of ALL) {
  const model = models[0] ?? "";
  describe(`${family} may write`, () => {
    for (const vector of vectors) {
      test(vector.name, () => check(model, vector, "text"));
      if (vector.reasoning) test(`${vector.name}, in reasoning`, () => check(model, vector, "thinking"));
    }
  });
}

/** Tokens that end the turn; nothing follows them. */
const TURN_ENDS = /^<(?:\|(?:im_end|eom_id|eot_id|end_of_msg)\||｜end▁of▁sentence｜)>$/;
const PROSE =
  " is only a word that one may speak of at some length, and people who read along while it is written do " +
  "not like to wait for the end of an answer that is long already.\n\nA second { part } [follows] too.";

test("prose that speaks of markers does not wait", () => {
  for (const { models: [model = ""], vectors } of ALL) {
    const markers = vectors.flatMap(({ text }) =>
      text.match(/<[^<>\s]{2,40}>|\[[A-Z_]+\]|\]<\]minimax\[>\[|\w+\[/g) ?? []
    );
    for (const marker of new Set(markers.filter((marker) => !TURN_ENDS.test(marker)))) {
      const scanner = new Scanner({ triggers: toFamily(model).dialect, tools: TOOLS });
      const text = marker + PROSE;
      let given = 0;
      for (let i = 0; i < text.length; i++) {
        for (const one of scanner.feed(text.charAt(i))) given += one.kind === "call" ? 0 : one.text.length;
        assert.ok(i - given < marker.length + 40, `${model}: ${text.slice(0, i)}`);
      }
    }
  }
});

test("in reasoning, only a closing tag on a line of its own ends thinking", () => {
  const model = "moonshotai/kimi-k2.6";
  const rows: [text: string, ...expected: string[]][] = [
    ["Strip </think> tags. Secret.", "thinking:Strip </think> tags. Secret."],
    ["Strip\n</think> tags. Secret.", "thinking:Strip\n</think> tags. Secret."],
    ["Strip </think>\ntags. Secret.", "thinking:Strip </think>\ntags. Secret."],
    ["Plan.\n</think>\n\nYes.", "thinking:Plan.\n", "text:Yes."],
    ["Plan.\n</think> ", "thinking:Plan.\n"],
    ["<think>Plan.</think>Yes.", "thinking:Plan.", "text:Yes."],
  ];
  for (const [text, ...expected] of rows) {
    for (const [how, pieces] of toArrivals(text)) {
      assert.deepEqual(toShort(scan(model, pieces, { kind: "thinking" })), expected, how);
    }
  }
});

test("an open fence is forgotten when something else comes between", () => {
  const scanner = new Scanner({ triggers: toFamily("qwen/qwen3").dialect, tools: TOOLS });
  const found = [...scanner.feed("```js\nlet x"), ...scanner.flush()];
  found.push(...scanner.feed('<tool_call>{"name":"list_all","arguments":{}}</tool_call>'), ...scanner.flush());
  assert.deepEqual(toShort(found), ["text:```js\nlet x", "list_all{}"]);
});

test("Kimi's ids keep what belongs to the name of a tool", () => {
  for (const name of ["step2", "functions_list"]) {
    const tools = new Map([[name, { name }], ["step", { name: "step" }]]);
    for (const id of [name, `${name}:0`, `functions.${name}`, `functions.${name}:1`]) {
      const text = `<|tool_call_begin|>${id}<|tool_call_argument_begin|>{}<|tool_call_end|>`;
      assert.deepEqual(toShort(scan("moonshotai/kimi-k2.5", [text], { tools })), [`${name}{}`], id);
    }
  }
});

const dialectOf = (model: string) => toFamily(model).dialect;

test("all models of the vectors speak their dialect", () => {
  for (const { models } of ALL) {
    for (const model of models) assert.equal(dialectOf(model), dialectOf(models[0] ?? ""), model);
  }
});

test("the dialect of every family that leaks has vectors, and no name of one stands twice", () => {
  for (const { name, dialect } of FAMILIES) {
    if (dialect === DIALECTS.plain) continue;
    const sets = ALL.filter(({ models: [model = ""] }) => dialectOf(model) === dialect).map(({ vectors }) => vectors);
    const most = Math.max(0, ...sets.map(({ length }) => length));
    assert.ok(most >= (name === "Kimi K2" ? 15 : 6), `${name} has ${most}`);
    for (const vectors of sets) assert.equal(new Set(vectors.map((vector) => vector.name)).size, vectors.length, name);
  }
});
