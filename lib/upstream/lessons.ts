import type { UpstreamFault } from "./faults.ts";
import type { ModelFacts } from "./learned.ts";

/** Smaller limits than these are misread, whatever a fault seems to state. */
const MIN_CONTEXT = 2048;
const MIN_CAP = 256;
/** What a prompt is taken for, times the tokens at which its host stopped counting, where that is more than was thought. */
const UNCOUNTED = 1.2;
const REASONING = "reasoning_content";
/** Fields that a request can do without; what a host refuses beside them is in the messages or the tools. */
const SPARE_FIELDS: readonly string[] = [
  ...["temperature", "top_p", "stop", "stream_options"],
  ...["tool_choice", "parallel_tool_calls", "response_format"],
  ...["chat_template_kwargs", "reasoning_effort", "reasoning", "thinking", REASONING],
  ...["context_management", "output_config", "metadata"],
  "max_tokens", // It has a newer name.
];

/** Tells what a fault teaches about the model that was asked for so many tokens. */
export function toLessons({ kind, facts }: UpstreamFault, maxTokens: number): Partial<ModelFacts> {
  const { cap = 0, limit = 0, fields = [] } = facts;
  // Reasoning is refused inside messages, everything else that can be left out at the top.
  const names = fields.map((path) => path.endsWith(REASONING) ? REASONING : path.split(".")[0] ?? "");
  return {
    noTools: kind === "no_tools",
    ...(kind === "gone" ? { goneSince: facts.until ?? 0 } : {}),
    refused: names.filter((name) => SPARE_FIELDS.includes(name)),
    ...(cap >= MIN_CAP && cap < maxTokens ? { maxOutput: cap } : {}),
    ...(limit >= MIN_CONTEXT ? { context: limit } : {}),
  };
}

/** The tokens of a prompt as a fault tells them; vLLM counts no further than to where there is no room any more. */
export function toCounted({ facts }: UpstreamFault, maxTokens: number, estimate: number): number {
  const { limit = 0, used = 0 } = facts;
  const stopped = used + maxTokens === limit + 1;
  if (!stopped) return used;
  return used > estimate ? used * UNCOUNTED : 0;
}
