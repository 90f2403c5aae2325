import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FAMILIES, toFamily } from "../../lib/models/families.ts";
import { ALL } from "./vectors/mod.ts";
import { scan, toShort, type Vector } from "./vectors/vector.ts";

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

test("every model of the vectors belongs to its family", () => {
  for (const { family, models } of ALL) {
    for (const model of models) assert.equal(toFamily(model).name, family, model);
  }
});

test("every family has vectors, and no name of one stands twice", () => {
  for (const { name } of FAMILIES) {
    const vectors = ALL.filter(({ family }) => family === name).flatMap(({ vectors }) => vectors);
    assert.ok(vectors.length >= (name === "Kimi K2" ? 15 : 6), `${name} has ${vectors.length}`);
    assert.equal(new Set(vectors.map((vector) => vector.name)).size, vectors.length, name);
  }
});
