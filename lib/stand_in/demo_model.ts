import { toProperties } from "../dialects/arguments.ts";
import { isJsonObject } from "../wire/json.ts";
import type { ChatMessage, ChatRequest } from "../wire/openai.ts";
import type { ScriptedAnswer, ScriptedCall, Step } from "./script.ts";

const INTRODUCTION = "I am Arbiter's demo model: a script, not a language model. I can create a file " +
  '("create a file hello.txt with the content "Hi""), edit one ("replace "Hi" with "Hello" in ' +
  'hello.txt"), read one or run a command ("run `ls`"). To talk to real models, get a free key at ' +
  "https://build.nvidia.com, set NVIDIA_API_KEY and start again without --demo.";

const FILE = "[`\"']?([\\w./\\\\:~-]*\\w\\.\\w+)[`\"']?";
const QUOTED = '[`"\'“]([^`"”]+?)[`"\'”]';
const CONTENT = `(?:.*?(?:content|contents|text|containing|saying|with)\\b[^\`"'“]*${QUOTED})?`;

/** What the demo model can do: how it is asked to, and the calls it then makes one after the other. */
type Skill = [asks: RegExp, toCalls: (match: RegExpExecArray, toPath: (name: string) => string) => ScriptedCall[]];

const SKILLS: readonly Skill[] = [
  [
    new RegExp(`\\breplace ${QUOTED} (?:with|by) ${QUOTED} in (?:the file )?${FILE}`, "is"),
    ([, old_string = "", new_string = "", name = ""], toPath) => [
      { name: "Read", arguments: { file_path: toPath(name) } },
      { name: "Edit", arguments: { file_path: toPath(name), old_string, new_string } },
    ],
  ],
  [
    new RegExp(`\\b(?:create|write|make|save|add)\\b.*?${FILE}${CONTENT}`, "is"),
    ([, name = "", content = "Hello from Arbiter's demo model."], toPath) => [
      { name: "Write", arguments: { file_path: toPath(name), content: `${content}\n` } },
    ],
  ],
  [
    /\b(?:run|execute)\b[^`]*`([^`]+)`/is,
    ([, command]) => [{ name: "Bash", arguments: { command, description: "Run the command the user gave" } }],
  ],
  [
    new RegExp(`\\b(?:read|show|open|print)\\b.*?${FILE}`, "is"),
    ([, name = ""], toPath) => [{ name: "Read", arguments: { file_path: toPath(name) } }],
  ],
];

function toPlainText({ content }: ChatMessage): string {
  if (typeof content === "string") return content;
  return content?.map((part) => part.type === "text" ? part.text : "").join("\n") ?? "";
}

/** What the user typed, without what Claude Code put around it. */
function toPrompt(message: ChatMessage): string {
  if (message.role !== "user") return "";
  return toPlainText(message).replace(/<system-reminder>.*?<\/system-reminder>/gs, "").trim();
}

/** What Claude Code wants when it asks for JSON: a title, or whatever other texts the schema names. */
function fillSchema(schema: unknown, prompt: string): string {
  const words = prompt.replace(/<[^>]*>/g, " ").trim().split(/\s+/).slice(0, 5).join(" ");
  return JSON.stringify(Object.fromEntries(Object.keys(toProperties(schema)).map((name) => [name, words || "Demo"])));
}

function toSteps({ messages, tools = [], response_format }: ChatRequest): Step[] {
  const asked = messages.findLastIndex((message) => toPrompt(message) !== "");
  const prompt = messages[asked] ? toPrompt(messages[asked]) : "";
  const format = response_format?.json_schema;
  if (isJsonObject(format)) return [{ text: fillSchema(format.schema, prompt) }];
  const [, folder = "."] = /working directory:?\s*([^\s<]+)/i.exec(messages.map(toPlainText).join("\n")) ?? [];
  const toPath = (name: string) => /^(?:[/~\\]|\w:)/.test(name) ? name : `${folder}/${name}`;
  const results = messages.slice(asked + 1).filter(({ role }) => role === "tool").map(toPlainText);
  const failure = results.find((text) => /^\W*(?:error|<tool_use_error)/i.test(text));
  if (failure) return [{ text: `That did not work. The tool said: ${failure}` }];
  for (const [asks, toCalls] of SKILLS) {
    const match = asks.exec(prompt);
    const calls = match ? toCalls(match, toPath) : [];
    const offered = calls.every(({ name }) => tools.some((tool) => tool.function.name === name));
    if (calls.length === 0 || !offered) continue;
    const call = calls[results.length];
    if (!call) return [{ text: `Done. The last tool said: ${results.at(-1) ?? ""}` }];
    const reasoning = `The user wants something ${call.name} can do.`;
    return [{ reasoning }, { text: `I will use ${call.name}.` }, { calls: [call] }];
  }
  return [{ text: INTRODUCTION }];
}

/**
 * Answers like a very small model: it creates, edits and reads files and runs commands through the client's own tools,
 * and otherwise says what it is.
 */
export function answerAsDemoModel(request: ChatRequest): ScriptedAnswer {
  return { steps: toSteps(request) };
}
