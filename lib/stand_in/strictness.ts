import { isJsonObject } from "../wire/json.ts";

/** The fields NVIDIA's hosts accept; all others are refused by name. */
const KNOWN_FIELDS =
  "model messages max_tokens stream stream_options temperature top_p stop seed tools tool_choice parallel_tool_calls " +
  "response_format chat_template_kwargs reasoning_effort thinking";

/** Checks what the chat templates of real hosts insist on. */
function findMisplaced(messages: unknown[]): string | undefined {
  const open: unknown[] = [];
  for (const [i, message] of messages.entries()) {
    if (!isJsonObject(message)) return `messages.${i} is not an object`;
    const { role, content, tool_calls, tool_call_id } = message;
    const calls = Array.isArray(tool_calls) ? tool_calls.filter(isJsonObject) : [];
    if (role === "system" && i > 0) return "System message must be at the beginning.";
    if (role === "tool" && !open.includes(tool_call_id)) return `Unexpected tool message '${tool_call_id}'`;
    if (role !== "tool" && open.length > 0) return `Tool calls without results before messages.${i}`;
    const empty = content === "" || (content == null && calls.length === 0);
    if (empty) return `messages.${i}.content: String should have at least 1 character`;
    if (Array.isArray(content) && role !== "user") return "list content is only supported for user messages";
    if (role === "tool") open.splice(open.indexOf(tool_call_id), 1);
    open.push(...calls.map(({ id }) => id));
  }
  return open.length > 0 ? "Tool calls without results at the end" : undefined;
}

function findBadTool(tools: unknown): string | undefined {
  if (!Array.isArray(tools) || tools.length === 0) return "tools: should have at least 1 item";
  for (const [i, tool] of tools.entries()) {
    const { name, parameters } = tool?.function ?? {};
    if (!/^[\w-]{1,64}$/.test(String(name))) return `tools.${i}.function.name is invalid`;
    if (!isJsonObject(parameters)) return `tools.${i}.function.parameters is missing`;
    const loose = /"additionalProperties":(?:true|false)/.test(JSON.stringify(parameters));
    if (loose) return `tools.${i}: boolean subschemas are not supported`;
  }
  return undefined;
}

/** Why NVIDIA's hosts would refuse a request, in their words; nothing when it is fine. */
export function findRefusal(body: Record<string, unknown>): string | undefined {
  const { messages, max_tokens, stream, stream_options, tools } = body;
  const unknown = Object.keys(body).filter((field) => !KNOWN_FIELDS.split(" ").includes(field));
  if (unknown.length > 0) return `Validation: Unsupported parameter(s): ${unknown.map((f) => `\`${f}\``).join(", ")}`;
  if (!Array.isArray(messages) || messages.length === 0) return "messages: Field required";
  if (stream_options && !stream) return "stream_options is only allowed when stream is set";
  if (!(Number(max_tokens) >= 1)) return `max_tokens must be at least 1, got ${max_tokens}`;
  return findMisplaced(messages) ?? (tools === undefined ? undefined : findBadTool(tools));
}
