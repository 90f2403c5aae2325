/**
 * What a byte of an answer costs to scan, compared with plain text: `bun bench/dialects.ts`.
 *
 * Each text is scanned at two lengths, so that anything quadratic shows: the cost of a byte must not grow with the
 * length.
 */
import { Scanner } from "../lib/dialects/scanner.ts";
import { toFamily } from "../lib/models/families.ts";
import { toFastest } from "./measure.ts";

const LENGTHS = [250_000, 1_000_000];
const ROUNDS = 5;

const TOOLS = new Map([["Write", { name: "Write" }]]);
const KIMI = "moonshotai/kimi-k2.6";
const HEADER = "<|tool_call_begin|>functions.Write:0<|tool_call_argument_begin|>";
const CALL = `${HEADER}{"path":"a"}<|tool_call_end|>`;
const CODE = '  if (a < b) { call("x", `y`); } // it\'s 100 % [done]\\n'.replaceAll('"', '\\"');

/** What is scanned: for which model, what is repeated, in what, in pieces of which size. */
const ROWS: [name: string, model: string, unit: string, around: [string, string], size: number][] = [
  ["plain text", KIMI, "The quick brown fox jumps over the lazy dog. ", ["", ""], 20],
  ["plain text, whole", KIMI, "The quick brown fox jumps over the lazy dog. ", ["", ""], Infinity],
  ["code", KIMI, CODE, ["", ""], 20],
  ["<", KIMI, "<", ["", ""], 20],
  ["<, whole", KIMI, "<", ["", ""], Infinity],
  ["backticks", KIMI, "`", ["", ""], 20],
  ["backticks, whole", KIMI, "`", ["", ""], Infinity],
  ["brackets, whole", KIMI, "[", ["", ""], Infinity],
  ["markers in a fence", KIMI, "<|tool_call_begin|> ", ["```\n", ""], 20],
  ["JSON in a call of Kimi's", KIMI, CODE, [`${HEADER}{"content":"`, '"}<|tool_call_end|>'], 20],
  ["the same, whole", KIMI, CODE, [`${HEADER}{"content":"`, '"}<|tool_call_end|>'], Infinity],
  ["many calls of Kimi's", KIMI, CALL, ["", ""], 20],
  ["the same, whole", KIMI, CALL, ["", ""], Infinity],
  ["<tool_call>, Hermes", "qwen/qwen3-next-80b", "<tool_call>", ["", ""], 20],
  ["the same, whole", "qwen/qwen3-next-80b", "<tool_call>", ["", ""], Infinity],
  ["<tool_call>, GLM", "z-ai/glm-5.2", "<tool_call>", ["", ""], 20],
  [
    "a value of Qwen3-Coder's",
    "qwen/qwen3-coder",
    CODE,
    ["<function=Write><parameter=a>", "</parameter></function>"],
    20,
  ],
  ["ends in such a value", "qwen/qwen3-coder", "</parameter> ", ["<function=Write><parameter=a>", ""], 20],
  ["text as Python prints it", KIMI, "don't ", ["[{'type': 'text', 'text': '", "'}]"], 20],
  ["the same, whole", KIMI, "don't ", ["[{'type': 'text', 'text': '", "'}]"], Infinity],
  ["a call as Python prints it", KIMI, "'a', ", ["[{'type': 'tool_use', 'name': 'Write', 'input': [", "]}]"], Infinity],
  ["arguments in Python's style", "meta/llama-4", "'a)', ", ["[Write(path=[", "])]"], 20],
];

/** Nanoseconds a character. */
function measure(model: string, text: string, size: number): number {
  const { dialect: triggers } = toFamily(model);
  const pieces: string[] = [];
  for (let at = 0; at < text.length; at += size) pieces.push(text.slice(at, at + size));
  const best = toFastest(ROUNDS, () => {
    const scanner = new Scanner({ triggers, tools: TOOLS });
    for (const piece of pieces) scanner.feed(piece);
    scanner.flush();
  });
  return best * 1e6 / text.length;
}

let plain = NaN;
console.log("                                  ns/byte   ns/byte  grows  / plain");
console.log("                                   250 kB      1 MB    by     text");
for (const [name, model, unit, [before, after], size] of ROWS) {
  const [short = NaN, long = NaN] = LENGTHS.map((length) => {
    return measure(model, before + unit.repeat(Math.ceil(length / unit.length)) + after, size);
  });
  if (Number.isNaN(plain)) plain = long;
  const columns = [short.toFixed(1).padStart(10), long.toFixed(1).padStart(10)];
  columns.push((long / short).toFixed(2).padStart(6), (long / plain).toFixed(1).padStart(8));
  console.log(`${name.padEnd(30)} ${columns.join("")}`);
}
