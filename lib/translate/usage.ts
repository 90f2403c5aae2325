import type { Usage } from "../wire/anthropic.ts";
import type { ChatUsage } from "../wire/openai.ts";

/** No window is wider: more is a number below zero without its sign, or made up. */
const MOST_TOKENS = 10_000_000;

/** A count as a host reports it; 0 for whatever is none. */
export function toTokenCount(value: unknown): number {
  return typeof value === "number" && value > 0 && value <= MOST_TOKENS ? Math.round(value) : 0;
}

/**
 * Translates token counts, or estimates them; none is zero, because clients take that for "not counted".
 *
 * Anthropic counts cached input apart, OpenAI as a part of the prompt; thinking is output with both, but a few hosts count
 * it apart.
 */
export function toUsage(usage: ChatUsage | undefined, estimate: { input: number; output: number }): Usage {
  const prompt = toTokenCount(usage?.prompt_tokens) || estimate.input;
  const cached = Math.min(prompt, toTokenCount(usage?.prompt_tokens_details?.cached_tokens));
  const written = toTokenCount(usage?.completion_tokens);
  const thought = toTokenCount(usage?.completion_tokens_details?.reasoning_tokens);
  return {
    input_tokens: prompt - cached,
    output_tokens: written + (thought > written ? thought : 0) || estimate.output,
    cache_read_input_tokens: cached,
    cache_creation_input_tokens: 0,
  };
}
