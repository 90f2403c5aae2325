import {
  type ContentBlockParam,
  type JsonObject,
  type MessageParam,
  type MessagesRequest,
  UNSIGNED,
} from "../wire/anthropic.ts";
import type { Family } from "../models/families.ts";
import { toModel } from "../models/roster.ts";
import { mergeBodies } from "./merge.ts";
import { toBlocks, toReminder } from "./messages.ts";
import type { ChatRequestOptions } from "./request.ts";

/**
 * A message without the thinking of models that sign nothing: who verifies signatures would refuse it. A family that wants
 * thinking back gets it as it is; a blank for calls that must have some.
 */
function toPassedMessages(message: MessageParam, replays: Family["replaysThinking"]): MessageParam[] {
  const { content } = message;
  if (message.role !== "assistant" || typeof content === "string") return [message];
  if (replays) {
    const has = (type: string) => content.some((block) => block.type.endsWith(type));
    if (replays === true || !has("tool_use") || has("thinking")) return [message];
    return [{ ...message, content: [{ type: "thinking", thinking: " ", signature: UNSIGNED }, ...content] }];
  }
  const signed = content.filter((block) => block.type !== "thinking" || block.signature !== UNSIGNED);
  return signed.length > 0 ? [{ ...message, content: signed }] : [];
}

/** Messages without the system's in the middle of them, which few hosts take: it reminds the client's side. */
function withReminders(messages: readonly MessageParam[]): MessageParam[] {
  const all: MessageParam[] = [];
  let reminded: ContentBlockParam[] | undefined;
  for (const message of messages) {
    if (message.role !== "system") {
      all.push(message);
      reminded = undefined;
      continue;
    }
    if (!reminded) {
      reminded = all.at(-1)?.role === "user" ? [...toBlocks(all.pop()?.content ?? [])] : [];
      all.push({ role: "user", content: reminded });
    }
    for (const block of toBlocks(message.content)) {
      reminded.push(block.type === "text" ? { ...block, text: toReminder(block.text) } : block);
    }
  }
  return all;
}

/** Anthropic takes no smaller `budget_tokens`, and none that is not below `max_tokens`. */
const MIN_BUDGET = 1024;

/**
 * Makes the request for a host that speaks Anthropic's format: the client's own, with another model.
 *
 * The answer is always streamed. Thinking is fitted into the output tokens that are left; where the model must not think,
 * or cannot in so few, what speaks of thinking goes, too.
 */
export function toPassedRequest(
  request: MessagesRequest,
  { model, maxTokens = Infinity, traits = toModel(model), thinking = true, extraBody = {} }: ChatRequestOptions,
): { request: JsonObject & { max_tokens: number }; warnings: string[] } {
  const max_tokens = Math.min(request.max_tokens, maxTokens, traits.maxOutput);
  const budget = request.thinking?.budget_tokens;
  const exceeds = typeof budget === "number" && budget >= max_tokens;
  const fits = !exceeds || max_tokens > MIN_BUDGET;
  const { replaysThinking } = traits.family;
  const messages = withReminders(request.messages.flatMap((message) => toPassedMessages(message, replaysThinking)));
  const body: JsonObject = { ...request, model, messages, max_tokens, stream: true };
  if (exceeds) body.thinking = { ...request.thinking, budget_tokens: max_tokens - 1 };
  if (!(thinking && fits)) {
    if (body.thinking) body.thinking = { type: "disabled" };
    delete body.context_management;
  }
  const warnings = thinking && !fits ? [`Cannot let ${model} think: it has only ${max_tokens} output tokens`] : [];
  return { request: { max_tokens, ...mergeBodies(body, extraBody) }, warnings };
}
