import type { Usage } from "../wire/anthropic.ts";
import type { ChatUsage } from "../wire/openai.ts";

/** Translates token counts, or estimates them: Anthropic counts cached input apart, OpenAI as a part of the prompt. */
export function toUsage(usage: ChatUsage | undefined, estimate: { input: number; output: number }): Usage {
  const prompt = usage?.prompt_tokens || estimate.input;
  const cached = Math.min(prompt, usage?.prompt_tokens_details?.cached_tokens ?? 0);
  return {
    input_tokens: prompt - cached,
    output_tokens: usage?.completion_tokens ?? estimate.output,
    cache_read_input_tokens: cached,
    cache_creation_input_tokens: 0,
  };
}
