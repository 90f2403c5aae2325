import type { JsonObject, MessagesRequest } from "./anthropic.ts";
import { ApiError } from "./errors.ts";

type Kind = "string" | "number" | "boolean" | "object" | "array" | "strings";

/** Fields that must have a type, per kind of object; a trailing `?` marks those that may be absent. */
const FIELDS: Record<string, Record<string, Kind>> = {
  request: {
    "model": "string",
    "messages": "array",
    "stream?": "boolean",
    "tools?": "array",
    "tool_choice?": "object",
    "stop_sequences?": "strings",
    "temperature?": "number",
    "top_p?": "number",
    "thinking?": "object",
    "output_config?": "object",
  },
  tool: { "name": "string", "description?": "string", "input_schema?": "object" },
  tool_choice: { "type": "string", "name?": "string" },
  text: { "text": "string" },
  image: { "source": "object" },
  document: { "source": "object" },
  thinking: { "thinking": "string" },
  tool_use: { "id": "string", "name": "string", "input": "object" },
  tool_result: { "tool_use_id": "string" },
  tool_reference: { "tool_name": "string" },
};

const ROLES: readonly unknown[] = ["user", "assistant", "system"];

/** Whether `value` is a JSON object, as opposed to an array or a bare value. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(path: string, problem: string): never {
  throw new ApiError("invalid_request_error", `${path}: ${problem}`);
}

const IS_KIND: Record<Kind, (value: unknown) => boolean> = {
  string: (value) => typeof value === "string",
  number: (value) => typeof value === "number",
  boolean: (value) => typeof value === "boolean",
  object: isJsonObject,
  array: Array.isArray,
  strings: (value) => Array.isArray(value) && value.every((entry) => typeof entry === "string"),
};

/** Checks the fields of one object against a row of {@linkcode FIELDS}. */
function checkFields(value: unknown, row: string, path: string): void {
  if (!isJsonObject(value)) return refuse(path, "Input should be an object");
  const prefix = path === "body" ? "" : `${path}.`;
  for (const [field, kind] of Object.entries(FIELDS[row] ?? {})) {
    const name = field.replace("?", "");
    const absent = value[name] === undefined || value[name] === null;
    if (absent && name === field) refuse(prefix + name, "Field required");
    if (!absent && !IS_KIND[kind](value[name])) {
      const wanted = kind === "strings" ? "a list of strings" : `a valid ${kind}`;
      refuse(prefix + name, `Input should be ${wanted}`);
    }
  }
}

function checkContent(content: unknown, path: string): void {
  if (typeof content === "string") return;
  if (!Array.isArray(content)) return refuse(path, "Input should be a string or a list of blocks");
  content.forEach((block, i) => {
    const at = `${path}.${i}`;
    if (!isJsonObject(block) || typeof block.type !== "string") refuse(at, "Block has no type");
    checkFields(block, block.type, at);
    if (block.type === "tool_result" && block.content != null) {
      checkContent(block.content, `${at}.content`);
    }
  });
}

/**
 * Checks the body of `POST /v1/messages` or `/v1/messages/count_tokens`.
 *
 * Only what translation relies on is checked: fields and blocks of other names pass, because Claude
 * Code adds new ones with every release.
 *
 * @param body The parsed JSON.
 * @param needsMaxTokens Whether `max_tokens` must be there; counting does without.
 * @throws {ApiError} `invalid_request_error` naming the path and what was expected there.
 */
export function parseMessagesRequest(body: unknown, needsMaxTokens = true): MessagesRequest {
  checkFields(body, "request", "body");
  const request = body as JsonObject & MessagesRequest;
  if (request.messages.length === 0) refuse("messages", "at least one message is required");
  request.messages.forEach((message: unknown, i: number) => {
    const at = `messages.${i}`;
    if (!isJsonObject(message)) return refuse(at, "Input should be an object");
    if (!ROLES.includes(message.role)) {
      refuse(`${at}.role`, `Input should be 'user', 'assistant' or 'system'`);
    }
    checkContent(message.content, `${at}.content`);
  });
  if (request.system != null) checkContent(request.system, "system");
  request.tools?.forEach((tool: unknown, i: number) => checkFields(tool, "tool", `tools.${i}`));
  if (request.tool_choice) {
    const { type, name } = request.tool_choice;
    checkFields(request.tool_choice, "tool_choice", "tool_choice");
    if (type === "tool" && !request.tools?.some((tool) => tool.name === name)) {
      refuse("tool_choice.name", `Tool '${name}' is not in tools`);
    }
  }
  if (needsMaxTokens || request.max_tokens != null) {
    if (request.max_tokens == null) refuse("max_tokens", "Field required");
    if (!Number.isInteger(request.max_tokens) || request.max_tokens < 1) {
      refuse("max_tokens", "Input should be an integer of at least 1");
    }
  }
  return request;
}
