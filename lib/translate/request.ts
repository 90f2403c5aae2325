import { type Model, toModel } from "../models/roster.ts";
import { type ThinkingSwitch, toEffort, toThinkingFields } from "../models/thinking.ts";
import type { JsonObject, MessagesRequest } from "../wire/anthropic.ts";
import { ApiError } from "../wire/errors.ts";
import type { ChatRequest } from "../wire/openai.ts";
import { toPartsOf, toText } from "./content.ts";
import { mergeBodies } from "./merge.ts";
import { toChatMessages } from "./messages.ts";
import { toChatTools, toToolChoice } from "./tools.ts";

/** Claude Code's first system block: accounting for Anthropic, different in each conversation. */
const BILLING = /^x-anthropic-billing-header:[^\n]*/;

/** What a request is translated for. */
export type ChatRequestOptions = {
  /** The upstream's name of the model. */
  model: string;
  /** The most output tokens to ask for; `max_tokens` is lowered to it and to what the model can. @default {Infinity} */
  maxTokens?: number;
  /** What is known of the model. @default {what its id tells} */
  traits?: Model;
  /** Whether the model may think; if not, it is told not to, whatever the client wants. @default {true} */
  thinking?: boolean;
  /** How the host switches thinking, if it has its own way. @default {as the model's family does} */
  thinkingSwitch?: ThinkingSwitch;
  /** Fields to send as they are, over all others. @default {{}} */
  extraBody?: JsonObject;
};

/** A translated request and, as sentences, what could not be carried over. */
export type TranslatedRequest = { request: ChatRequest; warnings: string[] };

/**
 * Translates a Messages request into a chat completion request.
 *
 * Only fields that strict hosts know are sent, sampling only when the client set it, thinking in the way of the model's
 * family. Everything else Claude Code adds for Anthropic (metadata, cache control, context management, betas) has no
 * counterpart and is left out silently, because nothing the user can see depends on it.
 */
export function toChatRequest(request: MessagesRequest, options: ChatRequestOptions): TranslatedRequest {
  const { model, maxTokens = Infinity, traits = toModel(model), thinking = true, extraBody = {} } = options;
  const { temperature, top_p, top_k, stop_sequences, output_config, output_format } = request;
  const warnings = new Set<string>();
  const content = { vision: traits.vision, warn: (warning: string) => void warnings.add(warning) };
  const effort = thinking ? toEffort(request) : "off";
  const think = toThinkingFields(traits, effort, options.thinkingSwitch);
  const { family } = traits;
  const replaysThinking = traits.reasoning && effort !== "off" && (family.replaysThinking ?? false);
  const messages = toChatMessages(request.messages, content, { ...family, replaysThinking });
  if (messages.length === 0) throw new ApiError("invalid_request_error", "messages: All of them are empty");
  const told = toText(toPartsOf(request.system, content)).replace(BILLING, "").trimStart();
  const system = [told, think.system].filter(Boolean).join("\n\n");
  if (system !== "") messages.unshift({ role: "system", content: system });
  const chat: ChatRequest = { model, messages, max_tokens: Math.min(request.max_tokens, maxTokens, traits.maxOutput) };
  if (request.stream) Object.assign(chat, { stream: true, stream_options: { include_usage: true } });
  if (temperature != null) chat.temperature = temperature;
  if (top_p != null) chat.top_p = top_p;
  if (top_k != null) content.warn("Cannot pass 'top_k': OpenAI's format has no such field");
  const stop = stop_sequences?.filter(Boolean) ?? [];
  if (stop.length > 0) chat.stop = stop;
  const tools = toChatTools(request.tools, content.warn);
  if (tools.length > 0 && !traits.tools) content.warn(`Cannot offer the tools: ${model} is served without tools`);
  else if (tools.length > 0) Object.assign(chat, { tools }, toToolChoice(request.tool_choice, tools));
  const format = output_config?.format ?? output_format;
  if (format?.type === "json_schema") {
    const json_schema = { name: "answer", schema: format.schema ?? {}, strict: true };
    chat.response_format = { type: "json_schema", json_schema };
  }
  // Where it must not think, nothing that a profile says makes it.
  const layers = thinking ? [think.fields ?? {}, extraBody] : [extraBody, think.fields ?? {}];
  const body = layers.reduce<JsonObject>(mergeBodies, chat) as ChatRequest;
  return { request: body, warnings: [...warnings] };
}
