/**
 * What counting the tokens of a request takes, as a ratio to `JSON.parse` of its body: `bun bench/tokens.ts`.
 *
 * Each body is counted three times: by itself, for the first time with a counter that remembers, and one turn later.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { estimateRequestTokens } from "../lib/tokens/request_tokens.ts";
import { TokenCounter } from "../lib/tokens/token_counter.ts";
import { toFastest } from "./measure.ts";

const ROUNDS = 40;
const SIZES = [50_000, 300_000, 1_000_000, 5_000_000];

const lib = fileURLToPath(new URL("../lib", import.meta.url));
const files = readdirSync(lib, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts")).sort();
const code = files.map((name) => readFileSync(join(lib, name), "utf8"));

/** A tool as Claude Code's are: a long description, a schema. */
const toTool = (i: number) => ({
  name: `Tool${i}`,
  description: (code[i] ?? "").slice(0, 2000),
  input_schema: {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    properties: Object.fromEntries(["path", "pattern", "limit", "content"].map((name) => {
      return [name, { type: "string", description: `What ${name} is: an absolute one, not a relative one` }];
    })),
    required: ["path"],
    additionalProperties: false,
  },
});

/** A conversation that reads files and writes some of them, as long as it must be. */
function toRequest(size: number) {
  const system = [{ type: "text", text: (code[0] ?? "").slice(0, 300) }, {
    type: "text",
    text: code.join("").slice(0, 6000),
  }];
  const messages: object[] = [{ role: "user", content: [{ type: "text", text: "Read it all." }] }];
  for (let i = 0, written = 30_000; written < size; i++) {
    const text = (code[i % code.length] ?? "").slice(i % 97, 8000);
    const input = i % 5 === 0 ? { file_path: `/lib/${i}.ts`, content: text } : { file_path: `/lib/${i}.ts` };
    const call = { type: "tool_use", id: `call_${i}`, name: i % 5 === 0 ? "Write" : "Read", input };
    const content = i % 5 === 0 ? "File written." : text.replace(/^/gm, "     1→");
    messages.push({ role: "assistant", content: [{ type: "text", text: `Next is file ${i}.` }, call] });
    messages.push({ role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content }] });
    written += text.length + 300;
  }
  return { model: "m", max_tokens: 1, system, messages, tools: Array.from({ length: 12 }, (_, i) => toTool(i)) };
}

console.log("   body  JSON.parse          µs per 10 kB       ratio to JSON.parse");
console.log("     kB          ms    alone   first    next    alone   first    next");
for (const size of SIZES) {
  const request = toRequest(size);
  const body = JSON.stringify(request);
  const parse = toFastest(ROUNDS, () => void JSON.parse(body));
  let parsed = JSON.parse(body);
  const reparse = () => void (parsed = JSON.parse(body));
  const alone = toFastest(ROUNDS, () => void estimateRequestTokens(parsed), reparse);
  let counter = new TokenCounter();
  const first = toFastest(ROUNDS, () => void estimateRequestTokens(parsed, {}, counter.weigh), () => {
    reparse();
    counter = new TokenCounter();
  });
  const turn = { role: "user", content: "" };
  const next = toFastest(ROUNDS, () => void estimateRequestTokens(parsed, {}, counter.weigh), () => {
    reparse();
    turn.content = (code[Math.floor(Math.random() * code.length)] ?? "").slice(Math.floor(Math.random() * 1000), 4000);
    parsed.messages.push(turn);
  });
  const costs = [alone, first, next];
  const cells = costs.map((ms) => (ms * 1e7 / body.length).toFixed(1).padStart(8));
  cells.push(...costs.map((ms) => (ms / parse).toFixed(2).padStart(8)));
  console.log(
    `${String(Math.round(body.length / 1000)).padStart(7)}${parse.toFixed(2).padStart(12)} ${cells.join("")}`,
  );
}
