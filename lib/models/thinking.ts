import type { JsonObject, MessagesRequest } from "../wire/anthropic.ts";

/** How much a model shall think, from not at all to as much as it can. */
export type Effort = "off" | "low" | "medium" | "high" | "max";

/** What makes a model think as much as it shall: fields of the body, and text at the end of its system message. */
export type ThinkingFields = { fields?: JsonObject; system?: string };

const EFFORTS: readonly Effort[] = ["off", "low", "medium", "high", "max"];

/** Budgets below these many tokens mean these efforts; Claude Code's 31,999 for plain "on" is high. */
const BUDGETS: readonly [below: number, effort: Effort][] = [[4096, "low"], [16_384, "medium"], [32_000, "high"]];

/**
 * How much a request wants the model to think; no `thinking` means off, as it does at Anthropic.
 *
 * A budget tells it by its size. Everything else that is not `disabled` is on, as much as `output_config` says, else
 * medium.
 */
export function toEffort({ thinking, output_config }: Pick<MessagesRequest, "thinking" | "output_config">): Effort {
  if (typeof thinking?.type !== "string" || thinking.type === "disabled") return "off";
  const { type, budget_tokens: budget } = thinking;
  if (type === "enabled" && typeof budget === "number") return BUDGETS.find(([below]) => budget < below)?.[1] ?? "max";
  const named = output_config?.effort;
  // Claude Code has one more than hosts can tell apart.
  return named === "xhigh" ? "max" : EFFORTS.slice(1).find((effort) => effort === named) ?? "medium";
}

/** Of the efforts a model knows, in order, the first that is enough, else the most. */
function clampEffort(effort: Effort, ...known: [Effort, ...Effort[]]): Effort {
  const enough = known.find((one) => EFFORTS.indexOf(one) >= EFFORTS.indexOf(effort));
  return enough ?? known.at(-1) ?? effort;
}

/** OpenAI's field; its word for off is `none`. */
function toEffortField(effort: Effort, ...known: [Effort, ...Effort[]]): JsonObject {
  const clamped = clampEffort(effort, ...known);
  return { reasoning_effort: clamped === "off" ? "none" : clamped };
}

/** Fields for the model's template: `flag` says whether to think. */
function toTemplateFields(flag: string, effort: Effort, more: JsonObject = {}): JsonObject {
  return { chat_template_kwargs: { [flag]: effort !== "off", ...more } };
}

/** Fields for a Nemotron, which gives an empty answer if it has only thought, unless it is told otherwise. */
function toNemotronFields(effort: Effort, less: JsonObject = {}): ThinkingFields {
  return { fields: toTemplateFields("enable_thinking", effort, { force_nonempty_content: true, ...less }) };
}

/** Tokens a Seed-OSS may think, of the sizes it was trained with; as long as it likes when nothing is said. */
const SEED_BUDGETS: Partial<Record<Effort, number>> = { off: 0, low: 1024, medium: 4096, high: 16_384 };

/**
 * The name of a switch: first those of templates, by the field or the family that has it, then those of models that
 * read their system message, then those of hosts that have one for all models.
 */
export type ThinkingSwitch =
  | ("thinking" | "enable_thinking" | "glm" | "nemotron-3" | "nemotron-3-super" | "nemotron-3-ultra" | "kimi-k3")
  | ("deepseek-v4" | "gpt-oss" | "mistral" | "minimax-m3" | "seed-oss")
  | ("slash" | "detailed")
  | ("openrouter" | "ollama");

/** How thinking is switched, by name, as of 2026-09: each gives what to send for an effort, as near as it can. */
// deno-fmt-ignore: a table reads best with one switch a row
export const THINKING_SWITCHES: Record<ThinkingSwitch, (effort: Effort) => ThinkingFields> = {
  "thinking": (effort) => ({ fields: toTemplateFields("thinking", effort) }),
  "enable_thinking": (effort) => ({ fields: toTemplateFields("enable_thinking", effort) }),
  // GLM's template takes earlier thinking out of the history unless it is told to keep it.
  "glm": (effort) => ({ fields: toTemplateFields("enable_thinking", effort, { clear_thinking: false }) }),
  "nemotron-3": (effort) => toNemotronFields(effort),
  "nemotron-3-super": (effort) => toNemotronFields(effort, effort === "low" ? { low_effort: true } : {}),
  "nemotron-3-ultra": (effort) => toNemotronFields(effort, /^(?:low|medium)$/.test(effort) ? { medium_effort: true } : {}),
  "kimi-k3": (effort) => {
    const depth = effort === "off" ? {} : toEffortField(effort, "low", "high", "max");
    return { fields: { ...toTemplateFields("thinking", effort), ...depth } };
  },
  // Left out, DeepSeek V4 may not answer at all.
  "deepseek-v4": (effort) => {
    return { fields: { ...toTemplateFields("thinking", effort), ...toEffortField(effort, "off", "high", "max") } };
  },
  "gpt-oss": (effort) => ({ fields: toEffortField(effort, "low", "medium", "high") }),
  "mistral": (effort) => ({ fields: toEffortField(effort, "off", "high") }),
  "minimax-m3": (effort) => ({ fields: { thinking: { type: effort === "off" ? "disabled" : "enabled" } } }),
  "seed-oss": (effort) => {
    const thinking_budget = SEED_BUDGETS[effort];
    return thinking_budget === undefined ? {} : { fields: { chat_template_kwargs: { thinking_budget } } };
  },
  "slash": (effort) => ({ system: effort === "off" ? "/no_think" : "/think" }),
  "detailed": (effort) => ({ system: `detailed thinking ${effort === "off" ? "off" : "on"}` }),
  "openrouter": (effort) => {
    const reasoning = effort === "off" ? { enabled: false } : { effort: clampEffort(effort, "low", "medium", "high") };
    return { fields: { reasoning } };
  },
  "ollama": (effort) => ({ fields: toEffortField(effort, "off", "low", "medium", "high") }),
};

/** What has to be known of a model to switch its thinking. */
export type Thinker = { reasoning: boolean; family: { thinking?: ThinkingSwitch; alwaysThinks?: boolean } };

/**
 * What to send so that a model thinks as much as it shall; nothing for one that does not think or has no switch.
 *
 * A model that cannot stop thinking thinks little instead. A host's own switch replaces the family's.
 */
export function toThinkingFields(model: Thinker, effort: Effort, hostSwitch?: ThinkingSwitch): ThinkingFields {
  const name = hostSwitch ?? model.family.thinking;
  if (!model.reasoning || name === undefined) return {};
  return THINKING_SWITCHES[name](effort === "off" && model.family.alwaysThinks ? "low" : effort);
}
