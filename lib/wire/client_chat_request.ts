import type { JsonObject } from "./anthropic.ts";
import { checkFields, refuse } from "./fields.ts";
import { isJsonObject } from "./json.ts";

/** A part of a message of a client. */
export type ClientChatPart =
  | { type: "text"; text: string }
  | { type: "refusal"; refusal: string }
  | { type: "image_url"; image_url: { url: string } }
  | { type: "file"; file: { file_data?: string | null; filename?: string | null } };

/** What a message of a client says. */
export type ClientChatContent = string | ClientChatPart[] | null;

/** One message of a client's request; `arguments` may be anything. */
export type ClientChatMessage =
  | { role: "system" | "developer" | "user"; content: ClientChatContent }
  | {
    role: "assistant";
    content?: ClientChatContent;
    reasoning_content?: unknown;
    tool_calls?: { id: string; function: { name: string; arguments?: unknown } }[] | null;
  }
  | { role: "tool"; tool_call_id: string; content?: ClientChatContent };

/** The body of `POST /v1/chat/completions`, with the fields this proxy reads. */
export type ClientChatRequest = {
  model: string;
  messages: ClientChatMessage[];
  max_completion_tokens?: number | null;
  max_tokens?: number | null;
  stream?: boolean | null;
  stream_options?: { include_usage?: boolean } | null;
  temperature?: number | null;
  top_p?: number | null;
  stop?: string | string[] | null;
  tools?: { function: { name: string; description?: string; parameters?: JsonObject } }[] | null;
  tool_choice?: string | { type: string; function: { name: string } } | null;
  parallel_tool_calls?: boolean | null;
  response_format?: { type: string; json_schema?: { schema?: JsonObject } } | null;
  reasoning_effort?: string | null;
};

const REQUEST_FIELDS_OF_CHAT = "model:string messages:list stream?:boolean stream_options?:object max_tokens?:count " +
  "max_completion_tokens?:count temperature?:upTo2 top_p?:upTo1 stop?:stop tools?:list " +
  "parallel_tool_calls?:boolean response_format?:object reasoning_effort?:string";

/** The fields of each role's messages. */
const ROLE_FIELDS = new Map<unknown, string>([
  ["system", "content:content"],
  ["developer", "content:content"],
  ["user", "content:content"],
  ["assistant", "content?:content tool_calls?:list"],
  ["tool", "content?:content tool_call_id:string"],
]);

/** The fields of each type of part, and of what is in it. */
const PART_FIELDS = new Map<unknown, [outer: string, inner?: string]>([
  ["text", ["text:string"]],
  ["refusal", ["refusal:string"]],
  ["image_url", ["image_url:object", "url:string"]],
  ["file", ["file:object", "file_data?:string filename?:string"]],
]);

const toOneOf = (names: Iterable<unknown>): string => `Input should be one of ${[...names].join(", ")}`;

function checkPart(part: unknown, path: string): void {
  checkFields(part, "type:string", path);
  const { type, ...fields } = part as JsonObject;
  const [outer, inner] = PART_FIELDS.get(type) ?? refuse(`${path}.type`, toOneOf(PART_FIELDS.keys()));
  checkFields(part, outer, path);
  if (inner) checkFields(fields[String(type)], inner, `${path}.${type}`);
}

function checkMessage(message: unknown, path: string): void {
  checkFields(message, "role:string", path);
  const { role, content, tool_calls: calls } = message as JsonObject;
  checkFields(message, ROLE_FIELDS.get(role) ?? refuse(`${path}.role`, toOneOf(ROLE_FIELDS.keys())), path);
  if (Array.isArray(content)) content.forEach((part, i) => checkPart(part, `${path}.content.${i}`));
  if (Array.isArray(calls)) calls.forEach((call, i) => checkCalled(call, "id:string", `${path}.tool_calls.${i}`));
}

/** Checks what names a function: a call, a tool, a choice. */
function checkCalled(value: unknown, fields: string, path: string): void {
  checkFields(value, `${fields} function:object`, path);
  checkFields((value as JsonObject).function, "name:string description?:string parameters?:object", `${path}.function`);
}

/**
 * Checks the body of `POST /v1/chat/completions`.
 *
 * Only what translation relies on is checked, and what cannot be done is refused: more than one answer, tools that are no
 * functions.
 *
 * @throws {ApiError} `invalid_request_error` naming the path and what was expected there.
 */
export function parseClientChatRequest(body: unknown): ClientChatRequest {
  checkFields(body, REQUEST_FIELDS_OF_CHAT, "");
  const { messages, tools, tool_choice: choice, response_format: format, n, functions } = body as
    & JsonObject
    & ClientChatRequest;
  if (messages.length === 0) refuse("messages", "at least one message is required");
  messages.forEach((message, i) => checkMessage(message, `messages.${i}`));
  tools?.forEach((tool, i) => checkCalled(tool, "type?:string", `tools.${i}`));
  if (isJsonObject(choice)) {
    checkCalled(choice, "type?:string", "tool_choice");
    const { name } = choice.function;
    const offered = tools?.some((tool) => tool.function.name === name);
    if (!offered) refuse("tool_choice.function.name", `Tool '${name}' is not in tools`);
  }
  if (format) checkFields(format, "type:string json_schema?:object", "response_format");
  if (format?.json_schema) checkFields(format.json_schema, "schema?:object", "response_format.json_schema");
  if (typeof n === "number" && n > 1) refuse("n", "Input should be 1");
  if (functions) refuse("functions", "Use tools instead");
  return body as ClientChatRequest;
}
