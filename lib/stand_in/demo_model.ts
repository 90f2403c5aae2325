import { isJsonObject } from "../wire/json.ts";
import type { ChatMessage, ChatRequest } from "../wire/openai.ts";
import type { ScriptedAnswer, ScriptedCall } from "./script.ts";

const INTRODUCTION = "I am Arbiter's demo model: a script, not a language model. I can create a file " +
  '("create a file hello.txt with the content "Hi""), edit one ("replace "Hi" with "Hello" in ' +
  'hello.txt"), read one or run a command ("run `ls`"). To talk to real models, get a free key at ' +
  "https://build.nvidia.com, set NVIDIA_API_KEY and start again without --demo.";

/** One thing the demo model can do: when it is asked to, it makes these calls one after the other. */
interface Skill {
  asks: RegExp;
  toCalls: (match: RegExpExecArray, toPath: (name: string) => string) => ScriptedCall[];
}

const FILE = "[`\"']?([\\w./\\\\:~-]*\\w\\.\\w+)[`\"']?";
const QUOTED = '[`"\'“]([^`"”]+?)[`"\'”]';

const SKILLS: readonly Skill[] = [
  {
    asks: new RegExp(`\\breplace ${QUOTED} (?:with|by) ${QUOTED} in (?:the file )?${FILE}`, "is"),
    toCalls: ([, old_string = "", new_string = "", name = ""], toPath) => [
      { name: "Read", arguments: { file_path: toPath(name) } },
      { name: "Edit", arguments: { file_path: toPath(name), old_string, new_string } },
    ],
  },
  {
    asks: new RegExp(
      `\\b(?:create|write|make|save|add)\\b.*?${FILE}(?:.*?(?:content|contents|text|containing|saying|with)` +
        `\\b[^\`"'“]*${QUOTED})?`,
      "is",
    ),
    toCalls: ([, name = "", content = "Hello from Arbiter's demo model."], toPath) => [
      { name: "Write", arguments: { file_path: toPath(name), content: `${content}\n` } },
    ],
  },
  {
    asks: /\b(?:run|execute)\b[^`]*`([^`]+)`/is,
    toCalls: ([, command = ""]) => [
      { name: "Bash", arguments: { command, description: "Run the command the user gave" } },
    ],
  },
  {
    asks: new RegExp(`\\b(?:read|show|open|print)\\b.*?${FILE}`, "is"),
    toCalls: ([, name = ""], toPath) => [{ name: "Read", arguments: { file_path: toPath(name) } }],
  },
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
function fillSchema(schema: unknown, prompt: string): Record<string, unknown> {
  const properties = isJsonObject(schema) && isJsonObject(schema.properties) ? Object.keys(schema.properties) : [];
  const words = prompt.replace(/<[^>]*>/g, " ").trim().split(/\s+/).slice(0, 5).join(" ");
  return Object.fromEntries(properties.map((name) => [name, words || "Demo"]));
}

/**
 * Answers like a very small model: it creates, edits and reads files and runs commands through the client's own tools,
 * and otherwise says what it is.
 */
export function answerAsDemoModel(request: ChatRequest): ScriptedAnswer {
  const { messages, tools = [], response_format } = request;
  const asked = messages.findLastIndex((message) => toPrompt(message) !== "");
  const prompt = messages[asked] ? toPrompt(messages[asked]) : "";
  const format = response_format?.json_schema;
  if (isJsonObject(format)) {
    return { steps: [{ text: JSON.stringify(fillSchema(format.schema, prompt)) }] };
  }
  const texts = messages.map(toPlainText).join("\n");
  const [, folder = "."] = /working directory:?\s*([^\s<]+)/i.exec(texts) ?? [];
  const toPath = (name: string) => /^(?:[/~\\]|\w:)/.test(name) ? name : `${folder}/${name}`;
  const done = messages.slice(asked + 1).filter((message) => message.role === "tool");
  const failed = done.map(toPlainText).find((text) => /^\W*(?:error|<tool_use_error)/i.test(text));
  if (failed) return { steps: [{ text: `That did not work. The tool said: ${failed}` }] };
  for (const { asks, toCalls } of SKILLS) {
    const match = asks.exec(prompt);
    const calls = match ? toCalls(match, toPath) : [];
    const offered = calls.every(({ name }) => tools.some((tool) => tool.function.name === name));
    if (calls.length === 0 || !offered) continue;
    const call = calls[done.length];
    if (call) {
      const reasoning = `The user wants something ${call.name} can do.`;
      return { steps: [{ reasoning }, { text: `I will use ${call.name}.` }, { calls: [call] }] };
    }
    const last = done.map(toPlainText).at(-1) ?? "";
    return { steps: [{ text: `Done. The last tool said: ${last}` }] };
  }
  return { steps: [{ text: INTRODUCTION }] };
}
