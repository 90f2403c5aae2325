import { FAMILIES, type Family, toFamily } from "./families.ts";

/** What is known of one model, beyond what its family says; whatever is absent is the family's or unknown. */
export interface ModelRow {
  /** Its id at the upstream, as that spells it. */
  id: string;
  /** Most tokens of prompt and answer together; where sources differ, the smaller number. */
  context?: number;
  /** Most tokens of an answer; where sources differ, the smaller number. */
  maxOutput?: number;
  /** Whether it is served with tools. @default {true} */
  tools?: boolean;
  /** Whether it sees images. @default {as its family} */
  vision?: boolean;
  /** Whether it can think. @default {as its family} */
  reasoning?: boolean;
  /** Id of the model to ask instead when it is gone or does not answer. */
  successor?: string;
  /** When it ended, an ISO day or month: the first at which it was seen to be gone. Of a wrong spelling, when the right one did. */
  gone?: string;
  /** Whether it is asked for whole answers, because its streams lose something. @default {false} */
  wholeAnswers?: boolean;
  /** Name of its family, for an id that does not tell. */
  family?: string;
  /** The host that serves it, if that is not NVIDIA. */
  host?: string;
}

/** What is known of a model, completed by its family; numbers nobody knows are `Infinity`. */
export type Model =
  & Required<Omit<ModelRow, "family" | "successor" | "gone" | "host">>
  & Pick<ModelRow, "successor" | "gone" | "host">
  & { family: Family };

/** The models people use through NVIDIA or used through earlier tools, as of 2026-09; what they teach overrides it. */
// deno-fmt-ignore: a table reads best with one model a row
export const ROSTER: readonly ModelRow[] = [
  { id: "nvidia/nemotron-3-super-120b-a12b", context: 262_144, maxOutput: 262_144 },
  { id: "nvidia/nemotron-3-ultra-550b-a55b", context: 1_000_000, maxOutput: 65_536 },
  { id: "nvidia/nemotron-3-nano-30b-a3b", context: 131_072, maxOutput: 131_072 },
  { id: "nvidia/nemotron-nano-3-30b-a3b", context: 131_072, maxOutput: 131_072, successor: "nvidia/nemotron-3-nano-30b-a3b" },
  { id: "nvidia/nemotron-3-nano-omni-30b-a3b-reasoning", context: 256_000, maxOutput: 65_536 },
  { id: "nvidia/nemotron-3.5-lightning-30b-a3b", context: 262_144, maxOutput: 262_144 },
  { id: "openai/gpt-oss-120b", context: 128_000, maxOutput: 8192 },
  { id: "openai/gpt-oss-20b", context: 131_072, maxOutput: 32_768 },
  { id: "z-ai/glm-5.2", context: 131_072, maxOutput: 131_072 },
  { id: "minimaxai/minimax-m3", context: 1_000_000, maxOutput: 16_384 },
  { id: "deepseek-ai/deepseek-v4-flash-0731", context: 1_000_000, maxOutput: 384_000 },
  { id: "deepseek-ai/deepseek-v4-pro-0813", context: 1_000_000, maxOutput: 384_000, successor: "deepseek-ai/deepseek-v4-flash-0731" },
  { id: "moonshotai/kimi-k3", context: 1_048_576, maxOutput: 131_072, successor: "nvidia/nemotron-3-super-120b-a12b" },
  { id: "google/gemma-4-31b-it", context: 256_000, maxOutput: 16_384 },
  { id: "google/diffusiongemma-26b-a4b-it" },
  { id: "mistralai/mistral-small-4-119b-2603", context: 128_000, maxOutput: 8192 },
  { id: "mistralai/mistral-nemotron", context: 128_000, maxOutput: 8192 },
  { id: "stepfun-ai/step-3.7-flash", context: 256_000, maxOutput: 16_384 },
  { id: "poolside/laguna-xs-2.1", context: 262_144, maxOutput: 16_384 },
  { id: "thinkingmachines/inkling", context: 1_048_576, maxOutput: 16_384 },
  { id: "meta/muse-glimmer-30b", context: 131_072, maxOutput: 131_072 },
  { id: "qwen/qwen3.5-397b-a17b", context: 262_144, maxOutput: 8192, successor: "qwen/qwen3.5-122b-a10b" },
  { id: "qwen/qwen3.5-122b-a10b", context: 262_144, maxOutput: 65_536, successor: "nvidia/nemotron-3-super-120b-a12b" },
  { id: "bytedance/seed-oss-36b-instruct", context: 131_072, maxOutput: 131_072 },
  { id: "nvidia/llama-3.3-nemotron-super-49b-v1.5", context: 131_072, maxOutput: 65_536 },
  { id: "nvidia/nvidia-nemotron-nano-9b-v2", context: 131_072, maxOutput: 131_072 },
  { id: "nvidia/nemotron-nano-12b-v2-vl", context: 128_000, maxOutput: 8192 },
  { id: "nvidia/cosmos-reason2-8b", context: 262_144, maxOutput: 16_384, reasoning: true },
  { id: "nvidia/nemotron-mini-4b-instruct", context: 4096, maxOutput: 2048, tools: false },
  { id: "meta/llama-3.1-8b-instruct", context: 16_000, maxOutput: 4096 },
  { id: "meta/llama-3.1-70b-instruct", context: 128_000, maxOutput: 4096 },
  { id: "meta/llama-3.2-1b-instruct", context: 128_000, maxOutput: 4096 },
  { id: "meta/llama-3.2-3b-instruct", context: 32_768, maxOutput: 32_000, tools: false },
  { id: "meta/llama-3.2-11b-vision-instruct", context: 128_000, maxOutput: 4096 },
  { id: "meta/llama-3.2-90b-vision-instruct", context: 128_000, maxOutput: 4096 },
  { id: "abacusai/dracarys-llama-3.1-70b-instruct", context: 128_000, maxOutput: 8192 },
  { id: "sarvamai/sarvam-m", context: 32_768, maxOutput: 8192 },
  { id: "microsoft/phi-4-mini-instruct", context: 131_072, maxOutput: 8192 },
  // Gone.
  { id: "moonshotai/kimi-k2-instruct", context: 131_072, maxOutput: 8192, successor: "moonshotai/kimi-k3", gone: "2026-07" },
  { id: "moonshotai/kimi-k2-instruct-0905", context: 131_072, successor: "moonshotai/kimi-k3", gone: "2026-07" },
  { id: "moonshotai/kimi-k2-thinking", context: 131_072, maxOutput: 16_384, successor: "moonshotai/kimi-k3", gone: "2026-07" },
  { id: "moonshotai/kimi-k2.5", context: 262_144, maxOutput: 16_384, successor: "moonshotai/kimi-k2.6", gone: "2026-05" },
  { id: "moonshotai/kimi-k2.6", context: 262_144, maxOutput: 262_144, successor: "moonshotai/kimi-k3", gone: "2026-07-07" },
  { id: "z-ai/glm4.7", context: 131_072, maxOutput: 16_384, successor: "z-ai/glm-5.2", gone: "2026-05-14" },
  { id: "z-ai/glm5", context: 202_752, maxOutput: 16_384, successor: "z-ai/glm-5.2", gone: "2026-05" },
  { id: "z-ai/glm-5.1", context: 131_072, maxOutput: 131_072, successor: "z-ai/glm-5.2", gone: "2026-07-02" },
  { id: "minimaxai/minimax-m2.1", context: 204_800, maxOutput: 8192, successor: "minimaxai/minimax-m3", gone: "2026-05" },
  { id: "minimaxai/minimax-m2.5", context: 204_800, maxOutput: 8192, successor: "minimaxai/minimax-m3", gone: "2026-05" },
  { id: "minimaxai/minimax-m2.7", context: 196_608, maxOutput: 131_072, successor: "minimaxai/minimax-m3", gone: "2026-07-27" },
  { id: "deepseek-ai/deepseek-v3.1", context: 131_072, maxOutput: 16_384, successor: "deepseek-ai/deepseek-v4-flash-0731", gone: "2026-07" },
  { id: "deepseek-ai/deepseek-v3.1-terminus", context: 131_072, maxOutput: 16_384, successor: "deepseek-ai/deepseek-v4-flash-0731", gone: "2026-07" },
  { id: "deepseek-ai/deepseek-v3.2", context: 131_072, maxOutput: 16_384, successor: "deepseek-ai/deepseek-v4-flash-0731", gone: "2026-07" },
  { id: "deepseek-ai/deepseek-v4-pro", context: 1_048_576, maxOutput: 393_216, successor: "deepseek-ai/deepseek-v4-pro-0813", gone: "2026-08-07" },
  { id: "deepseek-ai/deepseek-v4-flash", context: 1_048_576, maxOutput: 393_216, successor: "deepseek-ai/deepseek-v4-flash-0731", gone: "2026-08-08" },
  { id: "deepseek-ai/deepseek-r1", context: 131_072, tools: false, successor: "deepseek-ai/deepseek-v4-flash-0731", gone: "2026-03" },
  { id: "deepseek-ai/deepseek-r1-0528", context: 131_072, tools: false, successor: "deepseek-ai/deepseek-v4-flash-0731", gone: "2026-03" },
  { id: "deepseek/deepseek-r1-0528", tools: false, successor: "deepseek-ai/deepseek-r1-0528", gone: "2026-03" },
  { id: "qwen/qwen3-coder-480b-a35b-instruct", context: 262_144, maxOutput: 65_536, successor: "qwen/qwen3.5-122b-a10b", gone: "2026-06-11" },
  { id: "qwen/qwen3-coder-480b-a22b", successor: "qwen/qwen3-coder-480b-a35b-instruct", gone: "2026-06-11" },
  { id: "qwen/qwen3-235b-a22b", context: 131_072, successor: "qwen/qwen3.5-122b-a10b", gone: "2026-03" },
  { id: "qwen/qwen3-next-80b-a3b-instruct", context: 131_072, maxOutput: 16_384, successor: "qwen/qwen3.5-122b-a10b", gone: "2026-09-05" },
  { id: "qwen/qwen3-next-80b-a3b-thinking", context: 131_072, maxOutput: 16_384, successor: "qwen/qwen3.5-122b-a10b", gone: "2026-09-05" },
  { id: "qwen/qwen2.5-coder-32b-instruct", context: 128_000, maxOutput: 4096, successor: "qwen/qwen3.5-122b-a10b", gone: "2026-07" },
  { id: "qwen/qwq-32b", context: 131_072, maxOutput: 4096, successor: "qwen/qwen3.5-122b-a10b", gone: "2026-07" },
  { id: "meta/llama-3.3-70b-instruct", context: 128_000, maxOutput: 4096, successor: "meta/llama-3.1-70b-instruct", gone: "2026-09-05" },
  { id: "meta/llama-4-maverick-17b-128e-instruct", context: 128_000, maxOutput: 4096, successor: "google/gemma-4-31b-it", gone: "2026-09-05" },
  { id: "meta/llama-4-scout-17b-16e-instruct", context: 128_000, maxOutput: 4096, successor: "google/gemma-4-31b-it", gone: "2026-09-05" },
  { id: "mistralai/mistral-large-3-675b-instruct-2512", context: 131_072, maxOutput: 16_384, successor: "mistralai/mistral-small-4-119b-2603", gone: "2026-07-26" },
  { id: "mistralai/devstral-2-123b-instruct-2512", context: 262_144, maxOutput: 32_768, successor: "mistralai/mistral-small-4-119b-2603", gone: "2026-07" },
  { id: "mistralai/mistral-medium-3-instruct", context: 131_072, maxOutput: 32_768, tools: false, successor: "mistralai/mistral-small-4-119b-2603", gone: "2026-07" },
  { id: "mistralai/magistral-small-2506", context: 32_768, maxOutput: 32_768, tools: false, reasoning: true, successor: "mistralai/mistral-small-4-119b-2603", gone: "2026-07" },
  { id: "stepfun-ai/step-3.5-flash", context: 131_072, maxOutput: 16_384, successor: "stepfun-ai/step-3.7-flash", gone: "2026-07" },
  { id: "nvidia/llama-3.1-nemotron-ultra-253b-v1", context: 131_072, maxOutput: 32_768, successor: "nvidia/nemotron-3-ultra-550b-a55b", gone: "2026-07" },
  { id: "nvidia/llama-3.3-nemotron-super-49b-v1", context: 131_072, successor: "nvidia/llama-3.3-nemotron-super-49b-v1.5" },
  { id: "google/gemma-3-27b-it", context: 131_072, maxOutput: 4096, successor: "google/gemma-4-31b-it", gone: "2026-07" },
  { id: "google/gemma-3n-e2b-it", context: 128_000, maxOutput: 4096, successor: "google/gemma-4-31b-it", gone: "2026-07" },
  { id: "google/gemma-3n-e4b-it", context: 128_000, maxOutput: 4096, successor: "google/gemma-4-31b-it", gone: "2026-07" },
  // Elsewhere.
  { id: "minimax-m2.5-free", host: "zen" },
  { id: "nemotron-3-super-free", host: "zen" },
  { id: "big-pickle", host: "zen" },
  { id: "ring-2.6-1t-free", host: "zen" },
  { id: "stepfun/step-3.5-flash:free", host: "openrouter" },
  { id: "arcee-ai/trinity-large-preview:free", host: "openrouter" },
  { id: "qwen/qwen-2.5-coder-32b-instruct", host: "openrouter" },
  { id: "local-model", host: "local" },
];

/** What is used at NVIDIA when nobody chooses: steady models, those that step in in this order. */
export const DEFAULT_MODELS: { elite: string; speed: string; fallbacks: readonly string[] } = {
  elite: "nvidia/nemotron-3-super-120b-a12b",
  speed: "nvidia/nemotron-3-nano-30b-a3b",
  fallbacks: [
    "nvidia/nemotron-3-super-120b-a12b",
    "openai/gpt-oss-120b",
    "z-ai/glm-5.2",
    "minimaxai/minimax-m3",
    "deepseek-ai/deepseek-v4-flash-0731",
  ],
};

const ROWS_BY_ID: ReadonlyMap<string, ModelRow> = new Map(ROSTER.map((row) => [row.id.toLowerCase(), row]));

/**
 * What is known of a model.
 *
 * @param id Its upstream id in any case; one that no table has is known as its family, as other hosts spell it too.
 * @param rows The user's own rows: they override the roster's field by field, the first the others.
 */
export function toModel(id: string, rows: readonly ModelRow[] = []): Model {
  const key = id.toLowerCase();
  const own = rows.filter((row) => row.id.toLowerCase() === key).reverse();
  const stated = own.flatMap((row) => Object.entries(row).filter(([, value]) => value !== undefined));
  const { family: name, ...row }: Partial<ModelRow> = { ...ROWS_BY_ID.get(key), ...Object.fromEntries(stated) };
  const family = FAMILIES.find((one) => one.name === name) ?? toFamily(id);
  const { vision, thinking, alwaysThinks = false } = family;
  return {
    context: Infinity,
    maxOutput: Infinity,
    tools: true,
    wholeAnswers: false,
    vision: typeof vision === "boolean" ? vision : vision.test(key),
    reasoning: thinking !== undefined || alwaysThinks,
    ...row,
    id,
    family,
  };
}

/** The models to ask instead of one, the nearest first; a table that goes in circles ends where it began. */
export function toSuccessors(id: string, rows: readonly ModelRow[] = []): string[] {
  const chain = new Set([id]);
  for (const one of chain) {
    const { successor } = toModel(one, rows);
    if (successor !== undefined) chain.add(successor);
  }
  return [...chain].slice(1);
}
