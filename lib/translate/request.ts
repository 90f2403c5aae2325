import { toFamily } from "../models/families.ts";
import { seesImages } from "../models/vision.ts";
import type { MessagesRequest } from "../wire/anthropic.ts";
import type { ChatRequest } from "../wire/openai.ts";
import { toPartsOf, toText } from "./content.ts";
import { toChatMessages } from "./messages.ts";
import { toChatTools, toToolChoice } from "./tools.ts";

/** Claude Code's first system block: accounting for Anthropic, different in each conversation. */
const BILLING = /^x-anthropic-billing-header:[^\n]*/;

/** The upstream's name of the model, and the most output tokens to ask for: `max_tokens` is lowered to it. */
export type ChatRequestOptions = { model: string; maxTokens?: number };

/** A translated request and, as sentences, what could not be carried over. */
export type TranslatedRequest = { request: ChatRequest; warnings: string[] };

/**
 * Translates a Messages request into a chat completion request.
 *
 * Only fields that strict hosts know are sent, sampling only when the client set it. Everything else Claude Code adds
 * for Anthropic (metadata, cache control, context management, betas) has no counterpart and is left out silently,
 * because nothing the user can see depends on it.
 */
export function toChatRequest(request: MessagesRequest, options: ChatRequestOptions): TranslatedRequest {
  const { model, maxTokens = Infinity } = options;
  const { temperature, top_p, top_k, stop_sequences, output_config } = request;
  const warnings = new Set<string>();
  const content = { vision: seesImages(model), warn: (warning: string) => void warnings.add(warning) };
  const system = toText(toPartsOf(request.system, content)).replace(BILLING, "").trimStart();
  const messages = toChatMessages(request.messages, content, toFamily(model).callIds);
  if (system !== "") messages.unshift({ role: "system", content: system });
  const chat: ChatRequest = { model, messages, max_tokens: Math.min(request.max_tokens, maxTokens) };
  if (request.stream) Object.assign(chat, { stream: true, stream_options: { include_usage: true } });
  if (temperature != null) chat.temperature = temperature;
  if (top_p != null) chat.top_p = top_p;
  if (top_k != null) content.warn("Cannot pass 'top_k': OpenAI's format has no such field");
  if (stop_sequences?.length) chat.stop = stop_sequences;
  const tools = toChatTools(request.tools, content.warn);
  if (tools.length > 0) Object.assign(chat, { tools }, toToolChoice(request.tool_choice));
  if (output_config?.format?.type === "json_schema") {
    const json_schema = { name: "answer", schema: output_config.format.schema ?? {}, strict: true };
    chat.response_format = { type: "json_schema", json_schema };
  }
  return { request: chat, warnings: [...warnings] };
}
