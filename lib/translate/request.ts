import type { Family } from "../models/families.ts";
import type { MessagesRequest } from "../wire/anthropic.ts";
import type { ChatRequest } from "../wire/openai.ts";
import { toChatMessages } from "./messages.ts";
import { toSystemText } from "./system.ts";
import { toChatTools, toToolChoice } from "./tools.ts";

/** Options of {@linkcode toChatRequest}. */
export interface ChatRequestOptions {
  /** The upstream's name of the model. */
  model: string;
  /** What the model's family wants. */
  family: Family;
  /** Most output tokens to ask for; the client's `max_tokens` is lowered to it. */
  maxTokens?: number;
  /** Whether the model may think when the client asks for it. @default {true} */
  thinking?: boolean;
}

/** A translated request and, as sentences, what could not be carried over. */
export interface TranslatedRequest {
  request: ChatRequest;
  warnings: string[];
}

/**
 * Translates a Messages request into a chat completion request.
 *
 * Only fields that strict hosts know are sent, sampling only when the client set it. Everything
 * else Claude Code adds for Anthropic (metadata, cache control, context management, betas) has no
 * counterpart and is left out silently, because nothing the user can see depends on it.
 */
export function toChatRequest(request: MessagesRequest, options: ChatRequestOptions): TranslatedRequest {
  const { model, family, maxTokens = Infinity, thinking = true } = options;
  const warnings = new Set<string>();
  const warn = (warning: string) => void warnings.add(warning);
  const content = { vision: family.vision === true, warn };
  const chat: ChatRequest = {
    model,
    messages: toChatMessages(request.messages, family, content),
    max_tokens: Math.min(request.max_tokens, maxTokens),
  };
  const system = toSystemText(request.system, warn);
  if (system !== "") chat.messages.unshift({ role: "system", content: system });
  if (request.stream) {
    chat.stream = true;
    chat.stream_options = { include_usage: true };
  }
  if (request.temperature != null) chat.temperature = request.temperature;
  if (request.top_p != null) chat.top_p = request.top_p;
  if (request.top_k != null) warn("Cannot pass 'top_k': OpenAI's format has no such field");
  if (request.stop_sequences?.length) chat.stop = request.stop_sequences;
  const tools = toChatTools(request.tools, warn);
  if (tools.length > 0) Object.assign(chat, { tools }, toToolChoice(request.tool_choice));
  const format = request.output_config?.format;
  if (format?.type === "json_schema") {
    const json_schema = { name: "answer", schema: format.schema ?? {}, strict: true };
    chat.response_format = { type: "json_schema", json_schema };
  }
  const asked = request.thinking?.type === "enabled" || request.thinking?.type === "adaptive";
  Object.assign(chat, family.thinking?.(asked && thinking, request.output_config?.effort));
  return { request: chat, warnings: [...warnings] };
}
