import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { answerAsDemoModel } from "../../lib/stand_in/demo_model.ts";
import type { ScriptedCall } from "../../lib/stand_in/script.ts";
import type { ChatMessage, ChatRequest } from "../../lib/wire/openai.ts";

const TOOLS = ["Write", "Edit", "Read", "Bash"].map((name) => ({
  type: "function" as const,
  function: { name, parameters: {} },
}));
const ENVIRONMENT = "<system-reminder>\nPrimary working directory: /home/me/project\n</system-reminder>";

function ask(prompt: string, after: ChatMessage[] = [], extra: Partial<ChatRequest> = {}): ChatRequest {
  const messages: ChatMessage[] = [{ role: "user", content: `${prompt}\n\n${ENVIRONMENT}` }, ...after];
  return { model: "m", max_tokens: 9, messages, tools: TOOLS, ...extra };
}

function answer(request: ChatRequest): { calls: ScriptedCall[]; text: string } {
  const { steps = [] } = answerAsDemoModel(request);
  const calls = steps.flatMap((step) => "calls" in step ? step.calls : []);
  return { calls, text: steps.map((step) => "text" in step ? step.text : "").join("") };
}

describe("the demo model, asked to", () => {
  const write = (file_path: string, content: string) => [{ name: "Write", arguments: { file_path, content } }];
  const rows: [prompt: string, calls: ScriptedCall[]][] = [
    ['create a file hello.txt with the content "Hi there"', write("/home/me/project/hello.txt", "Hi there\n")],
    ["Please write `src/a.ts` containing 'let x = 1;'", write("/home/me/project/src/a.ts", "let x = 1;\n")],
    ["make a new file called /tmp/x.md", write("/tmp/x.md", "Hello from Arbiter's demo model.\n")],
    ["run `ls -la`", [{
      name: "Bash",
      arguments: { command: "ls -la", description: "Run the command the user gave" },
    }]],
    ["read the file notes.txt", [{ name: "Read", arguments: { file_path: "/home/me/project/notes.txt" } }]],
    ['replace "a" with "b" in x.txt', [{ name: "Read", arguments: { file_path: "/home/me/project/x.txt" } }]],
  ];
  for (const [prompt, calls] of rows) {
    test(prompt, () => assert.deepEqual(answer(ask(prompt)).calls, calls));
  }
});

test("the demo model edits a file after it has read it, and then says so", () => {
  const prompt = 'replace "a" with "b" in x.txt';
  const done = (content: string): ChatMessage => ({ role: "tool", tool_call_id: "t", content });
  const { calls } = answer(ask(prompt, [done("1 a")]));
  const edit = { file_path: "/home/me/project/x.txt", old_string: "a", new_string: "b" };
  assert.deepEqual(calls, [{ name: "Edit", arguments: edit }]);
  assert.match(answer(ask(prompt, [done("1 a"), done("updated")])).text, /^Done\. .*updated/);
});

test("the demo model reports a tool that failed", () => {
  const failed: ChatMessage = { role: "tool", tool_call_id: "t", content: "Error: no permission" };
  assert.match(answer(ask("create a file a.txt", [failed])).text, /did not work.*no permission/);
});

test("the demo model does not call a tool it was not offered", () => {
  assert.deepEqual(answer(ask("create a file a.txt", [], { tools: [] })).calls, []);
});

test("asked anything else, the demo model says what it is and what to set", () => {
  assert.match(answer(ask("What is the meaning of life?")).text, /demo model.*NVIDIA_API_KEY/s);
});

test("asked for JSON, the demo model gives JSON", () => {
  const json_schema = { schema: { type: "object", properties: { title: { type: "string" } } } };
  const { text } = answer(ask("<session>\ncreate a file\n</session>", [], { response_format: { json_schema } }));
  assert.deepEqual(JSON.parse(text), { title: "create a file" });
});
