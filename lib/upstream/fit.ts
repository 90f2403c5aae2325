import { toModel } from "../models/roster.ts";
import type { Candidate } from "../routing/candidate.ts";
import { toPassedRequest } from "../translate/passed_request.ts";
import { toChatRequest } from "../translate/request.ts";
import type { JsonObject, MessagesRequest } from "../wire/anthropic.ts";
import type { UpstreamFault } from "./faults.ts";
import type { ModelFacts } from "./learned.ts";
import type { PromptTokens } from "./token_ledger.ts";

/** An answer with fewer tokens is no use to anybody: the prompt is too long then. */
export const MIN_OUTPUT_TOKENS = 1024;
/** Tokens left free when an answer is fitted into a window: counts are off by a little. */
const HEADROOM = 512;

/** The context window of a candidate, in tokens: what it has stated itself goes before what the roster says. */
export function toWindow({ model, traits = toModel(model) }: Candidate, { context }: ModelFacts): number {
  return context < Infinity ? context : traits.context;
}

/** Whether a prompt can be within the window that a fault states, so that only the output was too much. */
export function mayFit({ facts }: UpstreamFault, estimate: number): boolean {
  const { total = Infinity, used = total, limit = Infinity } = facts;
  return Math.min(used, estimate) + MIN_OUTPUT_TOKENS <= limit;
}

/** The body of a request for a host, the most output tokens it asks for, and, as sentences, what could not be carried over. */
export type FittingRequest = { body: JsonObject; maxTokens: number; warnings: string[] };

/** Translates a request for a model as far as is known what it takes: no refused fields, an output that has room. */
export function toFittingRequest(
  request: MessagesRequest,
  options: { candidate: Candidate; maxTokens: number; tokens: PromptTokens; facts: ModelFacts },
): FittingRequest {
  const { candidate, maxTokens, tokens, facts } = options;
  const { model, backend: { format, thinkingSwitch }, traits = toModel(model), thinking = true, profile } = candidate;
  const replay = facts.refused.includes("reasoning_content") ? { replaysThinking: false } : {};
  const room = toWindow(candidate, facts) - HEADROOM;
  // Nothing is counted before its time unless it comes near the window.
  const isShort = tokens.roughly + request.max_tokens <= room;
  const fitting = isShort ? Infinity : Math.max(room - tokens.count(candidate), MIN_OUTPUT_TOKENS);
  const toRequest = format === "anthropic" ? toPassedRequest : toChatRequest;
  const { request: fitted, warnings } = toRequest(request, {
    model,
    traits: { ...traits, family: { ...traits.family, ...replay } },
    thinking,
    extraBody: profile?.extraBody ?? {},
    maxTokens: Math.min(maxTokens, facts.maxOutput, fitting),
    ...(thinkingSwitch ? { thinkingSwitch } : {}),
  });
  const body: JsonObject = fitted;
  const { max_tokens } = fitted;
  for (const field of facts.refused) {
    if (!(field in body)) continue;
    delete body[field];
    if (field === "max_tokens") body.max_completion_tokens = max_tokens; // OpenAI's own models
    else warnings.push(`Left out '${field}': ${model} refuses it`);
  }
  return { body, maxTokens: max_tokens, warnings };
}
