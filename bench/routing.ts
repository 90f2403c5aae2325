/**
 * What routing costs: a request of 200 kB late in a session of Claude Code, against reading its JSON.
 *
 *     bun bench/routing.ts        (deno run -A, or node from 22.18, do as well)
 */
import { createRouter, type MessagesRequest } from "../mod.ts";
import { median } from "./measure.ts";

const ROUNDS = 2_000;
const RUNS = 9;

const text = (text: string) => ({ type: "text" as const, text });
const history = Array.from({ length: 60 }, (_, i): MessagesRequest["messages"] => [
  {
    role: "assistant",
    content: [{ type: "tool_use", id: `toolu_${i}`, name: "Read", input: { file_path: `/src/${i}.ts` } }],
  },
  {
    role: "user",
    content: [{ type: "tool_result", tool_use_id: `toolu_${i}`, content: "const x = 1;\n".repeat(240) }],
  },
]).flat();
const reminder = `<system-reminder>\n${
  "Translate the entire codebase. What is a button? ".repeat(60)
}\n</system-reminder>`;
const request: MessagesRequest = {
  model: "nvidia/nemotron-3-super-120b-a12b",
  max_tokens: 32_000,
  system: [text("x-anthropic-billing-header: cc_version=2.1.328.abc;"), text("You are Claude Code. ".repeat(300))],
  tools: Array.from({ length: 13 }, (_, i) => ({ name: `Tool${i}`, input_schema: { type: "object", properties: {} } })),
  messages: [
    { role: "user", content: [text(reminder), text("Add a retry to the upload in src/upload.ts and test it")] },
    ...history,
    { role: "user", content: [text(reminder), text("Now explain why the second attempt waits for longer")] },
  ],
};
const json = JSON.stringify(request);
const headers = new Headers({ "x-claude-code-request-class": "main", "authorization": "Bearer arbiter" });
const router = createRouter({ apiKey: "key" });

/** Microseconds that one call takes. */
function time(run: () => unknown): number {
  const began = performance.now();
  for (let i = 0; i < ROUNDS; i++) run();
  return (performance.now() - began) * 1000 / ROUNDS;
}

const routes = () => router.route({ request, headers, inputTokens: () => 50_000 });
const parses = () => JSON.parse(json);
time(routes);
const rows = Array.from({ length: RUNS }, () => [time(routes), time(parses)] as const);
const [route, parse] = [median(rows.map(([us]) => us)), median(rows.map(([, us]) => us))];
console.log(`${(json.length / 1000).toFixed(0)} kB: routing ${route.toFixed(1)} µs, JSON.parse ${parse.toFixed(1)} µs`);
console.log(`routing / JSON.parse = ${(route / parse).toFixed(3)}`);
