import type { JsonObject, MessagesRequest } from "./anthropic.ts";
import { ApiError } from "./errors.ts";
import { checkFields, refuse } from "./fields.ts";
import { isJsonObject } from "./json.ts";

const REQUEST_FIELDS = "model:string messages:list max_tokens?:count stream?:boolean tools?:list tool_choice?:object " +
  "stop_sequences?:strings temperature?:upTo2 top_p?:upTo1 output_config?:object output_format?:object";
const TOOL_FIELDS = "name:string type?:string description?:string input_schema?:object";

/** The fields of each type of block, as {@linkcode checkFields} takes them. */
const BLOCK_FIELDS = new Map([
  ["text", "text:string"],
  ["image", "source:object"],
  ["document", "source:object title?:string context?:string"],
  ["thinking", "thinking:string"],
  ["tool_use", "id:string name:string input:object"],
  ["tool_result", "tool_use_id:string"],
  ["tool_reference", "tool_name:string"],
]);

const SOURCE_FIELDS = "type:string media_type?:string data?:string url?:string";

function checkContent(content: unknown, path: string): void {
  if (typeof content === "string") return;
  if (!Array.isArray(content)) return refuse(path, "Input should be a string or a list of blocks");
  content.forEach((block, i) => {
    const at = `${path}.${i}`;
    if (!isJsonObject(block) || typeof block.type !== "string") return refuse(at, "Block has no type");
    checkFields(block, BLOCK_FIELDS.get(block.type) ?? "type:string", at);
    if (block.type === "tool_result" && block.content != null) checkContent(block.content, `${at}.content`);
    if (block.type !== "image" && block.type !== "document") return;
    checkFields(block.source, SOURCE_FIELDS, `${at}.source`);
    const { content: within } = block.source as JsonObject;
    if (within != null) checkContent(within, `${at}.source.content`);
  });
}

/**
 * Checks the body of `POST /v1/messages` or `/v1/messages/count_tokens`.
 *
 * Only what translation relies on is checked: fields and blocks of other names pass, because Claude Code adds new ones
 * with every release.
 *
 * @param needsMaxTokens Whether `max_tokens` must be there; counting does without.
 * @throws {ApiError} `invalid_request_error` naming the path and what was expected there.
 */
export function parseMessagesRequest(body: unknown, needsMaxTokens = true): MessagesRequest {
  checkFields(body, REQUEST_FIELDS, "");
  // What is null is as good as absent.
  const given = Object.fromEntries(Object.entries(body as JsonObject).filter(([, value]) => value !== null));
  if (given.thread !== undefined) {
    // Only what is new would come. Anthropic's libraries, whose tool runners begin threads, send all when told like this.
    const details = { error_code: "thread_unsupported_request", unsupported: ["thread"] };
    const message = "thread: Arbiter holds no conversations: send all messages";
    throw new ApiError("invalid_request_error", message, { details });
  }
  const request = given as MessagesRequest;
  if (request.messages.length === 0) refuse("messages", "at least one message is required");
  request.messages.forEach((message, i) => {
    checkFields(message, "role:role", `messages.${i}`);
    checkContent(message.content, `messages.${i}.content`);
  });
  if (request.system != null) checkContent(request.system, "system");
  request.tools?.forEach((tool, i) => checkFields(tool, TOOL_FIELDS, `tools.${i}`));
  const { tool_choice: choice, max_tokens: most, output_config, output_format } = request;
  if (output_config) checkFields(output_config, "effort?:string format?:object", "output_config");
  if (output_config?.format) checkFields(output_config.format, "type:string schema?:object", "output_config.format");
  if (output_format) checkFields(output_format, "type:string schema?:object", "output_format");
  if (choice) checkFields(choice, `type:string ${choice.type === "tool" ? "name" : "name?"}:string`, "tool_choice");
  if (choice?.type === "tool" && !request.tools?.some(({ name }) => name === choice.name)) {
    refuse("tool_choice.name", `Tool '${choice.name}' is not in tools`);
  }
  if (needsMaxTokens && most == null) refuse("max_tokens", "Field required");
  return request;
}
