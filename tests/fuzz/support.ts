/** What all fuzz tests share: how many cases there are, from which seed, and what is done to samples. */
import { test } from "node:test";
import process from "node:process";
import fc from "fast-check";
import type { JsonObject } from "../../lib/wire/anthropic.ts";

/** Each runtime has cases of its own, the same in every run. */
const RUNTIME = "Deno" in globalThis ? 1 : "Bun" in globalThis ? 2 : 3;
const SEED = Number(process.env.FUZZ_SEED ?? 20_261_120 + RUNTIME);
/** Cases of all fuzz tests together; three runtimes make more than 200,000. */
const CASES = Number(process.env.FUZZ_CASES ?? 68_000);

/**
 * A test of many cases. When one fails, the message has the seed and the path that `npm run fuzz -- --seed S` repeats.
 *
 * @param share How many of a hundred cases it gets.
 */
export function fuzz<T>(
  name: string,
  share: number,
  arbitrary: fc.Arbitrary<T>,
  predicate: (value: T) => void | Promise<void>,
): void {
  const runs = { seed: SEED, numRuns: Math.ceil(CASES * share / 100) };
  // Whether a predicate is asynchronous shows in its first answer only; synchronous ones are much faster.
  const isAsync = predicate.constructor.name === "AsyncFunction";
  test(name, () => {
    if (isAsync) return fc.assert(fc.asyncProperty(arbitrary, async (value) => await predicate(value)), runs);
    return fc.assert(fc.property(arbitrary, (value) => void predicate(value)), runs);
  });
}

/** Texts that programs stumble over. */
// deno-fmt-ignore: a list of small things
export const HOSTILE_TEXTS: readonly string[] = [
  "", " ", "\n", "\u0000", "\ud800", "\udc00x", "a\ud83d", "😀", "é", "\u2028", "\ufeff", "\r\n\r\n", "\\", '"', "\\ud800",
  "__proto__", "constructor", "toString", "hasOwnProperty", "null", "NaN", "-1", "1e999", "[DONE]", "data: x",
  "<think>", "</think>", "<tool_call>", "<|tool_calls_section_begin|>", "<|im_end|>", "{", "[", '{"a":', "%00", "../..",
  "<system-reminder>x</system-reminder>", "user", "assistant", "system", "tool", "any", "auto", "none", "text", "x".repeat(3000),
];

/** What JSON can hold that nobody expects, each made anew; `__proto__` is a key like others there. */
const HOSTILE_JSON: readonly string[] = [
  ...["null", "true", "false", "0", "-0", "-1", "0.5", "1e308", "-1e308", "9007199254740993", "1e21", "4294967296"],
  ...[
    "[]",
    "{}",
    "[null]",
    "[[]]",
    "[{}]",
    '{"type":"text"}',
    '{"type":"text","text":""}',
    '{"type":"text","text":"x"}',
  ],
  ...['{"__proto__":{"a":1}}', '{"constructor":{"prototype":{}}}', '{"toString":1,"valueOf":2}', '{"length":3}'],
  ...['{"type":"tool_use","id":"t","name":"Bash","input":{}}', '{"type":"tool_result","tool_use_id":"t"}'],
  ...['{"type":"image","source":{}}', '{"type":"document","source":{"type":"content","content":[null]}}'],
  ...['{"role":"user","content":[]}', '{"role":"assistant","content":""}', '{"role":"system","content":"s"}'],
  `${"[".repeat(60)}${"]".repeat(60)}`,
  `${'{"a":'.repeat(60)}1${"}".repeat(60)}`,
];

type Place = { parent: JsonObject; key: string };

/** All places in a JSON value, in the order of its text. */
function toPlaces(value: unknown, places: Place[] = []): Place[] {
  if (typeof value !== "object" || value === null) return places;
  const parent = value as JsonObject;
  for (const key of Object.keys(parent)) {
    places.push({ parent, key });
    toPlaces(parent[key], places);
  }
  return places;
}

/** Sets what is at a key, `__proto__` as well. */
function put(parent: JsonObject, key: string, value: unknown): void {
  if (key in parent && Array.isArray(parent)) parent[key] = value;
  else Object.defineProperty(parent, key, { value, enumerable: true, configurable: true, writable: true });
}

function remove({ parent, key }: Place): void {
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
}

/** One change: where, which, and numbers that choose what is put there. */
type Change = { at: number; how: number; what: number };

/** Each does something to a place; `from` are places of a whole sample, of which parts may be taken. */
const CHANGES: readonly ((place: Place, what: number, from: readonly Place[]) => void)[] = [
  ({ parent, key }, what) => put(parent, key, JSON.parse(HOSTILE_JSON[what % HOSTILE_JSON.length]!)),
  ({ parent, key }, what) => put(parent, key, HOSTILE_TEXTS[what % HOSTILE_TEXTS.length]),
  (place) => remove(place),
  ({ parent, key }, what, from) => {
    const { parent: other, key: name } = from[what % from.length]!;
    put(parent, key, structuredClone(other[name]));
  },
  ({ parent, key }) => {
    if (Array.isArray(parent)) parent.push(structuredClone(parent[Number(key)]));
    else put(parent, `${key}2`, parent[key]);
  },
  ({ parent, key }, what) => {
    if (Array.isArray(parent)) parent.reverse();
    else {
      const value = parent[key];
      delete parent[key];
      put(parent, HOSTILE_TEXTS[what % HOSTILE_TEXTS.length]!, value);
    }
  },
  ({ parent, key }) => put(parent, key, [parent[key]]),
  ({ parent, key }) => put(parent, key, { [key]: parent[key] }),
  ({ parent, key }, what) => {
    const text = HOSTILE_TEXTS[what % HOSTILE_TEXTS.length];
    if (typeof parent[key] === "string") put(parent, key, what % 2 ? parent[key] + text : text + parent[key]);
    else if (typeof parent[key] === "number") put(parent, key, parent[key] * (what % 2 ? -1 : 1e9));
  },
];

const CHANGE = fc.record({ at: fc.nat(100_000), how: fc.nat(CHANGES.length - 1), what: fc.nat(100_000) });

/** One of the samples after a few changes, as text: cut, doubled and renamed parts, parts of other samples, nonsense. */
export function mutated(samples: readonly unknown[], maxLength = 5): fc.Arbitrary<string> {
  const texts = samples.map((sample) => JSON.stringify(sample));
  const places = toPlaces(samples);
  const changes: fc.Arbitrary<Change[]> = fc.array(CHANGE, { maxLength });
  return fc.tuple(fc.nat(texts.length - 1), changes).map(([sample, list]) => {
    const root: JsonObject = { value: JSON.parse(texts[sample]!) };
    for (const { at, how, what } of list) {
      const all = toPlaces(root);
      CHANGES[how]!(all[at % all.length] ?? { parent: root, key: "value" }, what, places);
    }
    return JSON.stringify(root.value ?? null);
  });
}

/** Places at which bytes are cut into reads, and changes to the bytes themselves. */
export type Damage = { cuts: number[]; bytes: { at: number; how: number; byte: number }[] };

export const DAMAGE: fc.Arbitrary<Damage> = fc.record({
  cuts: fc.array(fc.nat(1_000_000), { maxLength: 8 }),
  bytes: fc.array(fc.record({ at: fc.nat(1_000_000), how: fc.nat(3), byte: fc.nat(255) }), { maxLength: 3 }),
});

/** Bytes with some changed, put in, taken out or cut off. */
export function damage(bytes: Uint8Array, { bytes: changes }: Damage): Uint8Array {
  const list = [...bytes];
  for (const { at, how, byte } of changes) {
    const index = at % (list.length + 1);
    if (how === 0) list[index] = byte;
    else if (how === 1) list.splice(index, 0, byte);
    else if (how === 2) list.splice(index, byte % 20);
    else list.length = Math.min(list.length, index);
  }
  return Uint8Array.from(list);
}

/** Bytes in pieces as reads give them. */
export function cut(bytes: Uint8Array, { cuts }: Damage): Uint8Array[] {
  const places = [...new Set(cuts.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length));
}
