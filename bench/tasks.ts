/**
 * How often the classifier is right, by task, and what it costs next to parsing the body it reads: `bun bench/tasks.ts`.
 */
import { classifyTask } from "../lib/routing/classify_task.ts";
import { TASKS } from "../lib/routing/tasks.ts";
import type { MessagesRequest } from "../lib/wire/anthropic.ts";
import { FIRST_HALF, HARDER, type Labelled, SECOND_HALF } from "../tests/routing/labelled_prompts.ts";
import { toFastest } from "./measure.ts";

const ROUNDS = 400;

/** A table of right tasks and tiers, by task. */
export function toReport(set: readonly Labelled[]): string {
  const share = (right: number, all: number) =>
    `${right}/${all}`.padStart(9) + `${(100 * right / all).toFixed(1)} %`.padStart(9);
  const rows = [...TASKS, undefined, "all"].map((task) => {
    const prompts = set.filter((prompt) => task === "all" || prompt.task === task);
    const verdicts = prompts.map((prompt) => [classifyTask(prompt), prompt] as const);
    const tasks = verdicts.filter(([found, prompt]) => found.task === prompt.task).length;
    const tiers = verdicts.filter(([found, prompt]) => found.tier === prompt.tier).length;
    return `${(task ?? "none").padEnd(12)}${share(tasks, prompts.length)}${share(tiers, prompts.length)}`;
  });
  return ["task             right task       right tier", ...rows].join("\n");
}

/** Microseconds a call. */
function measure(call: () => void): number {
  const run = () => {
    for (let i = 0; i < ROUNDS; i++) call();
  };
  return toFastest(5, run) * 1000 / ROUNDS;
}

/** A session of Claude Code's with a history of tools, 200 kB in all. */
function toSession(prompt: string): MessagesRequest {
  const reminder = `<system-reminder>${"Rules of the project. ".repeat(400)}</system-reminder>`;
  const messages: MessagesRequest["messages"] = [];
  for (let i = 0; i < 90; i++) {
    messages.push({
      role: "assistant",
      content: [{ type: "tool_use", id: `${i}`, name: "Read", input: { path: "a.ts" } }],
    });
    messages.push({
      role: "user",
      content: [{ type: "tool_result", tool_use_id: `${i}`, content: "const line = 1;\n".repeat(130) }],
    });
  }
  const first = {
    role: "user" as const,
    content: [{ type: "text" as const, text: reminder }, { type: "text" as const, text: prompt }],
  };
  return { model: "m", max_tokens: 10, messages: [first, ...messages] };
}

for (const [name, set] of Object.entries({ "first half": FIRST_HALF, "second half": SECOND_HALF, harder: HARDER })) {
  console.log(`${name}\n${toReport(set)}\n`);
}
const PROMPT = "Please refactor the parser in src/parser.ts so that it streams tokens, and add tests for the errors";
const rows: [string, MessagesRequest][] = [
  ["amid a session", toSession(PROMPT)],
  ["200 kB pasted", {
    model: "m",
    max_tokens: 10,
    messages: [{ role: "user", content: `${"log line <b>\n".repeat(16_000)}why?` }],
  }],
];
for (const [name, request] of rows) {
  const body = JSON.stringify(request);
  const [cost, parsing] = [measure(() => classifyTask(request)), measure(() => JSON.parse(body))];
  const size = `${(body.length / 1000).toFixed(1)} kB`.padStart(10);
  console.log(
    `${name.padEnd(16)}${size}${cost.toFixed(1).padStart(8)} µs  ${(cost / parsing).toFixed(3)} of JSON.parse`,
  );
}
