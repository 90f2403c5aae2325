/** What the models of one family have in common, as far as a request must respect it. */
export interface Family {
  /** Short name for logs. */
  name: string;
  /** Which upstream model ids belong to it; the first row that matches counts. */
  pattern: RegExp;
  /** Whether it sees images. */
  vision?: boolean;
  /**
   * How it wants tool call ids in the history. Kimi's template prints them, so that foreign ids
   * teach the model to write calls nobody can read; Mistral refuses all but nine characters.
   *
   * @default {"any"}
   */
  toolCallIds?: "any" | "kimi" | "mistral";
  /** Body fields that switch thinking; effort is the client's, `undefined` when it named none. */
  thinking?: (on: boolean, effort: string | undefined) => Record<string, unknown>;
  /** Whether reasoning of the running tool loop must be sent back as `reasoning_content`. */
  replaysReasoning?: boolean;
  /** Whether the template opens `<think>` itself, so that an answer starts inside it. */
  startsInThinking?: boolean;
}

type Thinking = NonNullable<Family["thinking"]>;

const kwargs = (name: string, extra: object = {}): Thinking => (on) => ({
  chat_template_kwargs: { [name]: on, ...extra },
});

/** The client's effort, lowered to the nearest word the family knows; `off` when not thinking. */
const effort = (off: string, low: string, medium: string, high: string): Thinking => (on, asked) => ({
  reasoning_effort: on ? { low, medium, high, xhigh: high, max: high }[asked ?? "medium"] ?? medium : off,
});

/** One row a family, the most specific first. */
// deno-fmt-ignore: a table reads best one row a line
export const FAMILIES: readonly Family[] = [
  { name: "kimi-k3", pattern: /kimi-k3/, vision: true, toolCallIds: "kimi", thinking: kwargs("thinking"), replaysReasoning: true },
  { name: "kimi-k2.5", pattern: /kimi-k2\.\d/, vision: true, toolCallIds: "kimi", thinking: kwargs("thinking"), replaysReasoning: true },
  { name: "kimi-k2", pattern: /kimi/, toolCallIds: "kimi", replaysReasoning: true },
  { name: "deepseek-v4", pattern: /deepseek-v4/, thinking: effort("none", "high", "high", "max") },
  { name: "deepseek", pattern: /deepseek/, thinking: kwargs("thinking") },
  { name: "glm", pattern: /glm|laguna/, thinking: kwargs("enable_thinking", { clear_thinking: false }) },
  { name: "qwen3.5", pattern: /qwen3\.5/, vision: true, thinking: kwargs("enable_thinking") },
  { name: "qwen", pattern: /qwen|qwq/ },
  { name: "nemotron-3", pattern: /nemotron-3/, thinking: kwargs("enable_thinking", { force_nonempty_content: true }) },
  { name: "nemotron-vl", pattern: /nemotron.*-vl|cosmos-reason/, vision: true },
  { name: "minimax-m3", pattern: /minimax-m3/, vision: true, thinking: (on) => ({ thinking: { type: on ? "enabled" : "disabled" } }) },
  { name: "minimax", pattern: /minimax/, startsInThinking: true },
  { name: "gpt-oss", pattern: /gpt-oss/, thinking: effort("low", "low", "medium", "high") },
  { name: "mistral-small-4", pattern: /mistral-small-4/, vision: true, toolCallIds: "mistral", thinking: effort("none", "high", "high", "high") },
  { name: "mistral", pattern: /mistral|devstral|codestral|ministral/, toolCallIds: "mistral" },
  { name: "gemma-4", pattern: /gemma-4/, vision: true, thinking: kwargs("enable_thinking") },
  { name: "step", pattern: /step-3\.7/, vision: true },
  { name: "llama-vision", pattern: /llama.*(vision|maverick|scout)/, vision: true },
];

const UNKNOWN: Family = { name: "unknown", pattern: /(?:)/ };

/** Finds the family of an upstream model id, such as `moonshotai/kimi-k2.6`. */
export function toFamily(model: string): Family {
  const id = model.toLowerCase();
  return FAMILIES.find((family) => family.pattern.test(id)) ?? UNKNOWN;
}
