import { isJsonObject } from "../wire/messages_request.ts";
import type { ScriptedAnswer } from "./script.ts";

/** The fields NVIDIA's hosts accept; all others are refused by name. */
const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  "model",
  "messages",
  "max_tokens",
  "stream",
  "stream_options",
  "temperature",
  "top_p",
  "stop",
  "seed",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "response_format",
  "chat_template_kwargs",
  "reasoning_effort",
  "thinking",
]);

function findUnknown(body: Record<string, unknown>): string | undefined {
  const unknown = Object.keys(body).filter((field) => !KNOWN_FIELDS.has(field));
  if (unknown.length === 0) return undefined;
  return `Validation: Unsupported parameter(s): ${unknown.map((f) => `\`${f}\``).join(", ")}`;
}

/** Checks what the chat templates and validators of real hosts insist on. */
function findMisplaced(messages: unknown[]): string | undefined {
  let open: unknown[] = [];
  for (const [i, message] of messages.entries()) {
    if (!isJsonObject(message)) return `messages.${i} is not an object`;
    const { role, content, tool_calls, tool_call_id } = message;
    if (role === "system" && i > 0) return "System message must be at the beginning.";
    if (role === "tool") {
      if (!open.includes(tool_call_id)) return `Unexpected tool message '${tool_call_id}'`;
      open = open.filter((id) => id !== tool_call_id);
    } else if (open.length > 0) return `Tool calls without results before messages.${i}`;
    const calls = Array.isArray(tool_calls) ? tool_calls : [];
    if (content === "" || (content == null && calls.length === 0)) {
      return `messages.${i}.content: String should have at least 1 character`;
    }
    if (Array.isArray(content) && role !== "user") {
      return `messages.${i}: list content is only supported for user messages`;
    }
    for (const call of calls) if (isJsonObject(call)) open.push(call.id);
  }
  return open.length > 0 ? "Tool calls without results at the end" : undefined;
}

function findBadTool(tools: unknown): string | undefined {
  if (tools === undefined) return undefined;
  if (!Array.isArray(tools) || tools.length === 0) return "tools: should have at least 1 item";
  for (const [i, tool] of tools.entries()) {
    const call = isJsonObject(tool) && isJsonObject(tool.function) ? tool.function : undefined;
    if (!/^[\w-]{1,64}$/.test(String(call?.name))) return `tools.${i}.function.name is invalid`;
    if (!isJsonObject(call?.parameters)) return `tools.${i}.function.parameters is missing`;
    if (JSON.stringify(call.parameters).includes('"additionalProperties":false')) {
      return `tools.${i}: boolean subschemas are not supported`;
    }
  }
  return undefined;
}

/** Refuses what NVIDIA's hosts refuse, with their words; nothing when the request is fine. */
export function refuseRequest(body: Record<string, unknown>): ScriptedAnswer | undefined {
  const { messages, max_tokens, stream, stream_options } = body;
  const detail = findUnknown(body) ??
    (Array.isArray(messages) && messages.length > 0 ? findMisplaced(messages) : "messages: Field required") ??
    findBadTool(body.tools) ??
    (stream_options && !stream ? "stream_options is only allowed when stream is set" : undefined) ??
    (Number(max_tokens) >= 1 ? undefined : `max_tokens must be at least 1, got ${max_tokens}`);
  return detail ? { status: 400, body: { status: 400, title: "Bad Request", detail } } : undefined;
}
