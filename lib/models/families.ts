import type { TriggerTable } from "../dialects/triggers.ts";
import { DIALECTS } from "./dialect_tables.ts";
import type { ThinkingSwitch } from "./thinking.ts";

/** What the models of one family have in common. */
export interface Family {
  /** Short name. */
  name: string;
  /** Which upstream model ids, in lower case, belong to it; other hosts spell them differently. */
  pattern: RegExp;
  /**
   * What it leaks into text and reasoning.
   *
   * @internal
   */
  dialect: TriggerTable;
  /** Whether its models see images, or which of their ids do. @default {ids that speak of it} */
  vision: RegExp | boolean;
  /** What switches its thinking on and off. @default {nothing does} */
  thinking?: ThinkingSwitch;
  /** Whether it thinks whatever it is told; a switch it may still have tells how much. @default {false} */
  alwaysThinks?: boolean;
  /**
   * Whether its answers begin in the middle of thinking, because the template has opened it and hosts leave the closing
   * tag in the text. The templates of MiniMax M2 and Kimi K3 open it, too; but there hosts may take the tags away, and
   * an answer without thinking must not be lost. @default {false}
   */
  startsInThinking?: boolean;
  /**
   * Whether it wants its thinking back, as `reasoning_content`, while it calls tools; by name if some of its hosts refuse
   * `calls` that have none, or want it `always`, not only that of the work at hand. @default {false}
   */
  replaysThinking?: boolean | "calls" | "always";
  /**
   * How it wants ids of calls in the history: Kimi's template shows them to the model, which then writes ids nobody can
   * read; Mistral refuses all but nine characters. @default {"any"}
   */
  callIds?: CallIdRule;
  /** Whether it refuses what the user says right after results: an answer has to stand between. @default {false} */
  answersResults?: boolean;
  /** Whether its template refuses a history with more than one call at once. @default {false} */
  singleCalls?: boolean;
  /** Whether its host signs calls, and refuses those in the history that are not signed. @default {false} */
  signsCalls?: boolean;
  /** Whether its host may send the end of long arguments as text. @default {false} */
  continuesCalls?: boolean;
  /** How its vocabulary cuts numbers, which most of what sets vocabularies apart comes from. @default {unknown} */
  digits?: DigitRule;
}

/** How a family wants the ids of calls. */
export type CallIdRule = "any" | "kimi" | "mistral";
/** A token a digit, or one for up to three in a row. */
export type DigitRule = "single" | "triple";

const VISION = /vl\b|vision|omni/;
const KIMI_CALLS = { callIds: "kimi", digits: "triple" } as const;
const MISTRAL_TRAITS = { callIds: "mistral", answersResults: true, digits: "single" } as const;
const GLM_TRAITS = { vision: /glm-?\d(?:\.\d)?v/, digits: "triple" } as const;

function family(name: string, pattern: RegExp, dialect: TriggerTable, more: Partial<Family> = {}): Family {
  return { name, pattern, dialect, vision: VISION, ...more };
}

/** One row a family, the most specific first; what is said of vision and thinking was so at NVIDIA until 2026-09. */
// deno-fmt-ignore: a table reads best with one family a row
export const FAMILIES: readonly Family[] = [
  family("Kimi K3", /kimi-k3/, DIALECTS.kimiK3,
    { ...KIMI_CALLS, vision: true, thinking: "kimi-k3", replaysThinking: "calls" }),
  family("Kimi K2.5", /kimi-k2\.\d/, DIALECTS.kimi,
    { ...KIMI_CALLS, continuesCalls: true, vision: true, thinking: "thinking", replaysThinking: "calls" }),
  family("Kimi K2 Thinking", /kimi-k2-thinking/, DIALECTS.kimi,
    { ...KIMI_CALLS, continuesCalls: true, alwaysThinks: true, replaysThinking: "calls" }),
  family("Kimi K2", /kimi/, DIALECTS.kimi, { ...KIMI_CALLS, continuesCalls: true }),
  family("Mistral Small 4", /mistral-(?:small-4|medium-3[.-]5)/, DIALECTS.mistral,
    { ...MISTRAL_TRAITS, vision: true, thinking: "mistral" }),
  family("Mistral", /mistral|mixtral|devstral|codestral|pixtral|ministral|magistral|sarvam/, DIALECTS.mistral,
    { ...MISTRAL_TRAITS, vision: /pixtral|large-3|medium-3|small-?3\.[12]/ }),
  family("Nemotron 3 Ultra", /nemotron-3-ultra/, DIALECTS.qwen, { thinking: "nemotron-3-ultra", digits: "single" }),
  family("Nemotron 3 Super", /nemotron-3-super/, DIALECTS.qwen, { thinking: "nemotron-3-super", digits: "single" }),
  family("Nemotron 3", /nemotron-(?:nano-)?3/, DIALECTS.qwen, { thinking: "nemotron-3", digits: "single" }),
  family("Nemotron Nano 2", /nemotron-nano-\d+b-v2/, DIALECTS.nemotron, { thinking: "slash", digits: "single" }),
  family("Llama-Nemotron 1.5", /llama.*nemotron.*v1\.5/, DIALECTS.nemotron, { thinking: "slash", digits: "triple" }),
  family("Llama-Nemotron", /llama.*nemotron-(?:super|ultra|nano-\d)/, DIALECTS.nemotron,
    { thinking: "detailed", digits: "triple" }),
  family("Nemotron", /nemotron/, DIALECTS.nemotron),
  family("DeepSeek V4", /deepseek.*v4/, DIALECTS.dsml,
    { thinking: "deepseek-v4", replaysThinking: "always", digits: "triple" }),
  family("DeepSeek V3.2", /deepseek.*v3\.2/, DIALECTS.dsml,
    { thinking: "thinking", replaysThinking: true, digits: "triple" }),
  family("DeepSeek V3.1", /deepseek.*v3\.1/, DIALECTS.deepseek, { thinking: "thinking", digits: "triple" }),
  family("DeepSeek R1", /deepseek-r1/, DIALECTS.deepseek,
    { alwaysThinks: true, startsInThinking: true, digits: "triple" }),
  family("DeepSeek", /deepseek/, DIALECTS.deepseek, { digits: "triple" }),
  family("GLM 4.7, 5", /glm-?(?:4\.[7-9]|[5-9])/, DIALECTS.glm,
    { ...GLM_TRAITS, thinking: "glm", replaysThinking: true }),
  family("GLM 4.5", /glm-?4\.[56]/, DIALECTS.glm, { ...GLM_TRAITS, thinking: "glm" }),
  family("GLM", /glm/, DIALECTS.glm, GLM_TRAITS),
  family("Laguna", /laguna/, DIALECTS.glm, { thinking: "enable_thinking" }),
  family("Qwen Thinking", /qwq|qwen.*-thinking/, DIALECTS.qwen,
    { alwaysThinks: true, startsInThinking: true, digits: "single" }),
  family("Qwen3-Coder", /qwen-?3-coder/, DIALECTS.qwen, { digits: "single" }),
  family("Qwen3.5", /qwen-?3\.[5-9]/, DIALECTS.qwen, { vision: true, thinking: "enable_thinking", digits: "single" }),
  family("Qwen3", /qwen-?3(?!.*instruct)/, DIALECTS.qwen, { thinking: "enable_thinking", digits: "single" }),
  family("Qwen", /qwen|cosmos/, DIALECTS.qwen, { vision: /vl\b|omni|cosmos/, digits: "single" }),
  family("Hermes", /hermes/, DIALECTS.qwen),
  family("Step", /step-3/, DIALECTS.qwen, { vision: /step-3\.7/, alwaysThinks: true }),
  family("MiniMax M3", /minimax-m3/, DIALECTS.minimaxM3, { vision: true, thinking: "minimax-m3" }),
  family("MiniMax M2", /minimax/, DIALECTS.minimax, { alwaysThinks: true, replaysThinking: true }),
  family("gpt-oss", /gpt-oss/, DIALECTS.harmony, { thinking: "gpt-oss", alwaysThinks: true, digits: "triple" }),
  family("Gemma 4", /gemma-?4/, DIALECTS.gemma, { vision: true, thinking: "enable_thinking", digits: "single" }),
  family("Gemma", /gemma/, DIALECTS.gemma, { vision: /gemma-?3(?!.1b)/, digits: "single" }),
  family("Gemini 3", /gemini-(?:[3-9]|(?:pro|flash)-latest)/, DIALECTS.plain, { vision: true, signsCalls: true }),
  family("Seed-OSS", /seed-oss/, DIALECTS.seed, { thinking: "seed-oss" }),
  family("Llama", /llama|dracarys/, DIALECTS.llama,
    { vision: /vision|maverick|scout|llama-?4/, singleCalls: true, digits: "triple" }),
  family("Phi, Granite", /phi-?[34]|granite/, DIALECTS.phi),
  family("Muse", /muse/, DIALECTS.muse, { vision: true, alwaysThinks: true }),
  family("Inkling", /inkling/, DIALECTS.inkling, { vision: true, alwaysThinks: true }),
];

/** What is taken for granted of a model nobody has described. */
const UNKNOWN_FAMILY: Family = family("unknown", /(?:)/, DIALECTS.plain, {
  vision: /vl\b|vision|omni|claude|gemini|gpt-(?:4[.o]|[5-9])|grok-[4-9]|llava|minicpm-v/,
});

/** Finds the family of an upstream model id, such as `moonshotai/kimi-k2.6`. */
export function toFamily(model: string): Family {
  const id = model.toLowerCase();
  return FAMILIES.find(({ pattern }) => pattern.test(id)) ?? UNKNOWN_FAMILY;
}
