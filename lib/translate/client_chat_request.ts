import {
  type ContentBlockParam,
  type JsonObject,
  type MessageParam,
  type MessagesRequest,
  type ToolChoice,
  UNSIGNED,
} from "../wire/anthropic.ts";
import type {
  ClientChatContent,
  ClientChatMessage,
  ClientChatPart,
  ClientChatRequest,
} from "../wire/client_chat_request.ts";
import { isJsonObject } from "../wire/json.ts";
import { parseInput } from "./tool_input.ts";

/** Output tokens for clients that ask for no number; as always, no more than the model can and its window has room for. */
const USUAL_MAX_TOKENS = 32_000;
/** Fields that change answers and that have no counterpart. */
const LOST_FIELDS = ["frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "seed", "prediction", "audio"];
/** `tool_choice` in words. */
const CHOICE_WORDS = new Map<unknown, ToolChoice["type"]>([["none", "none"], ["required", "any"]]);

/** A data URL becomes its bytes, every other address stays one. */
function toSource(url: string): JsonObject {
  const comma = url.indexOf(",");
  const head = url.slice(0, comma);
  if (!head.startsWith("data:") || !head.endsWith(";base64")) return { type: "url", url };
  return { type: "base64", media_type: head.slice(5).split(";", 1)[0], data: url.slice(comma + 1) };
}

function toBlock(part: ClientChatPart): ContentBlockParam {
  if (part.type === "image_url") return { type: "image", source: toSource(part.image_url.url) };
  if (part.type === "text") return { type: "text", text: part.text };
  if (part.type === "refusal") return { type: "text", text: part.refusal };
  const { file_data, filename } = part.file;
  return {
    type: "document",
    source: file_data ? toSource(file_data) : { type: "file" },
    title: filename ?? null,
  };
}

function toContentBlocks(content: ClientChatContent | undefined): ContentBlockParam[] {
  const blocks = typeof content === "string" ? [{ type: "text" as const, text: content }] : content?.map(toBlock) ?? [];
  return blocks.filter((block) => block.type !== "text" || block.text !== "");
}

/** Arguments are JSON in a string, but some clients replay the object, and nothing for no arguments. */
function toInput(args: unknown): JsonObject {
  return isJsonObject(args) ? args : parseInput(typeof args === "string" ? args || "{}" : JSON.stringify(args ?? {}));
}

function toBlocksOf(message: ClientChatMessage): ContentBlockParam[] {
  const content = toContentBlocks(message.content);
  if (message.role === "tool") return [{ type: "tool_result", tool_use_id: message.tool_call_id, content }];
  if (message.role !== "assistant") return content;
  const { reasoning_content: thinking, tool_calls } = message;
  const calls = tool_calls?.map(({ id, function: { name, arguments: args } }) => {
    return { type: "tool_use" as const, id, name, input: toInput(args) };
  });
  const thought = typeof thinking === "string" && thinking !== "";
  return [...thought ? [{ type: "thinking" as const, thinking, signature: UNSIGNED }] : [], ...content, ...calls ?? []];
}

/** Translates a message; the results of parallel calls come one by one and belong into one message. */
function addMessage(messages: MessageParam[], message: ClientChatMessage): MessageParam[] {
  const { role } = message;
  const content = toBlocksOf(message);
  const last = messages.at(-1)?.content;
  if (role === "tool" && Array.isArray(last) && last[0]?.type === "tool_result") last.push(...content);
  else messages.push({ role: role === "tool" ? "user" : role === "developer" ? "system" : role, content });
  return messages;
}

function toChosenTool(
  { tool_choice: choice, parallel_tool_calls: parallel }: ClientChatRequest,
): ToolChoice | undefined {
  const type = CHOICE_WORDS.get(choice) ?? "auto";
  const chosen: ToolChoice = isJsonObject(choice) ? { type: "tool", name: choice.function.name } : { type };
  if (parallel === false) return { ...chosen, disable_parallel_tool_use: true };
  return choice == null ? undefined : chosen;
}

/** The schema an answer must satisfy; without one, any object. */
function toSchema(format: ClientChatRequest["response_format"]): JsonObject | undefined {
  if (format?.type === "json_object") return { type: "object" };
  return format?.type === "json_schema" ? format.json_schema?.schema : undefined;
}

/**
 * Translates the chat completion request of a client into a Messages request, which everything else works with.
 *
 * System messages at the head are the system prompt, those further on stay where they are. No `reasoning_effort` means no
 * thinking, as no `thinking` does at Anthropic.
 */
export function toMessagesRequest(chat: ClientChatRequest): { request: MessagesRequest; warnings: string[] } {
  const { model, messages, tools, temperature, top_p, stop, reasoning_effort: effort } = chat;
  const isInstruction = ({ role }: ClientChatMessage) => role === "system" || role === "developer";
  const begin = messages.findIndex((message) => !isInstruction(message));
  const [told, said] = begin < 0 ? [[], messages] : [messages.slice(0, begin), messages.slice(begin)];
  const request: MessagesRequest = {
    model,
    messages: said.reduce<MessageParam[]>(addMessage, []),
    max_tokens: chat.max_completion_tokens ?? chat.max_tokens ?? USUAL_MAX_TOKENS,
    stream: chat.stream ?? false,
  };
  const choice = toChosenTool(chat);
  const schema = toSchema(chat.response_format);
  if (told.length > 0) request.system = told.flatMap(toBlocksOf);
  if (temperature != null) request.temperature = temperature;
  if (top_p != null) request.top_p = top_p;
  if (stop != null) request.stop_sequences = [stop].flat();
  if (tools?.length) {
    request.tools = tools.map(({ function: { name, description, parameters } }) => ({
      name,
      ...(description ? { description } : {}),
      input_schema: parameters ?? { type: "object", properties: {} },
    }));
    if (choice) request.tool_choice = choice;
  }
  if (effort != null && effort !== "none") {
    request.thinking = { type: "adaptive" };
    request.output_config = { effort: effort === "minimal" ? "low" : effort };
  }
  if (schema) request.output_config = { ...request.output_config, format: { type: "json_schema", schema } };
  const lost = LOST_FIELDS.filter((field) => (chat as JsonObject)[field]);
  return { request, warnings: lost.map((field) => `Cannot pass '${field}': Anthropic's format has no such field`) };
}
