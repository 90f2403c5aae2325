import { toChatRequest, type TranslatedRequest } from "../translate/request.ts";
import type { MessagesRequest } from "../wire/anthropic.ts";
import type { ModelFacts } from "./learned.ts";

/** An answer with fewer tokens is no use to anybody: the prompt is too long then. */
export const MIN_OUTPUT_TOKENS = 1024;
/** Tokens left free when an answer is fitted into a window: estimates are off by a little. */
const HEADROOM = 512;

/** Estimated tokens of a request as this model counts them. */
export function toModelTokens(inputTokens: number, { scale }: ModelFacts): number {
  return Math.ceil(inputTokens * scale);
}

/** Translates a request for a model as far as is known what it takes: no refused fields, an output that has room. */
export function toFittingRequest(
  request: MessagesRequest,
  options: { model: string; maxTokens: number; inputTokens: number; facts: ModelFacts },
): TranslatedRequest {
  const { model, maxTokens, inputTokens, facts } = options;
  const room = facts.context - toModelTokens(inputTokens, facts) - HEADROOM;
  const fitting = Math.max(room, MIN_OUTPUT_TOKENS);
  const { request: body, warnings } = toChatRequest(request, {
    model,
    maxTokens: Math.min(maxTokens, facts.maxOutput, fitting),
  });
  for (const field of facts.refused) {
    if (!(field in body)) continue;
    delete body[field];
    warnings.push(`Left out '${field}': ${model} refuses it`);
  }
  return { request: body, warnings };
}
