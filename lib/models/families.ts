import { DEEPSEEK, DSML } from "../dialects/deepseek.ts";
import { functionXml } from "../dialects/function_xml.ts";
import { GEMMA } from "../dialects/gemma.ts";
import { glm } from "../dialects/glm.ts";
import { toStrays, type Trigger } from "../dialects/grammar.ts";
import { HARMONY } from "../dialects/harmony.ts";
import { INKLING } from "../dialects/inkling.ts";
import { jsonCalls } from "../dialects/json_calls.ts";
import { KIMI } from "../dialects/kimi.ts";
import { KIMI_K3 } from "../dialects/kimi_k3.ts";
import { LLAMA } from "../dialects/llama.ts";
import { MINIMAX, MINIMAX_M3 } from "../dialects/minimax.ts";
import { MISTRAL } from "../dialects/mistral.ts";
import { MUSE } from "../dialects/muse.ts";
import { thinkTags } from "../dialects/think_tags.ts";
import { TriggerTable } from "../dialects/triggers.ts";

/** What the models of one family have in common. */
export interface Family {
  /** Short name. */
  name: string;
  /** Which upstream model ids belong to it. */
  pattern: RegExp;
  /** What it leaks into text and reasoning. */
  dialect: TriggerTable;
  /**
   * How it wants ids of calls in the history: Kimi's template shows them to the model, which then writes ids nobody can
   * read; Mistral refuses all but nine characters. @default {"any"}
   */
  callIds?: CallIdRule;
  /** Whether its host may send the end of long arguments as text. @default {false} */
  continuesCalls?: boolean;
}

/** How a family wants the ids of calls. */
export type CallIdRule = "any" | "kimi" | "mistral";

const THINK = thinkTags("think", "thinking");
const hermes: Trigger = { marker: "<tool_call>", grammar: jsonCalls("<tool_call>", "</tool_call>") };
const QWEN: Trigger[] = [hermes, { marker: "</tool_call>", stray: true }];
const CODER: Trigger[] = [
  ...["<tool_call>", "<function="].map((marker) => ({ marker, grammar: functionXml("<tool_call>", "</tool_call>") })),
  { marker: "</tool_call>", stray: true },
];
const GLM: Trigger[] = [{ marker: "<tool_call>", grammar: glm }, { marker: "</tool_call>", stray: true }];
const NEMOTRON: Trigger[] = [
  { marker: "<TOOLCALL>", grammar: jsonCalls("<TOOLCALL>", "</TOOLCALL>") },
  { marker: "</TOOLCALL>", stray: true },
];
const SEED: Trigger[] = [
  ...["<seed:tool_call>", "<function="].map((marker) => {
    return { marker, grammar: functionXml("<seed:tool_call>", "</seed:tool_call>") };
  }),
  ...toStrays("</seed:tool_call> <seed:cot_budget_reflect> </seed:cot_budget_reflect>"),
  ...thinkTags("seed:think"),
];
const PHI: Trigger[] = [
  { marker: "functools[{", grammar: jsonCalls("functools", "<|end|>") },
  { marker: "<|tool_call|>", grammar: jsonCalls("<|tool_call|>", "<|/tool_call|>") },
  { marker: "<function_call>", grammar: jsonCalls("<function_call>", "</function_call>") },
  ...toStrays("<|/tool_call|> </function_call>"),
];
function family(name: string, pattern: RegExp, triggers: readonly Trigger[], more: Partial<Family> = {}): Family {
  return { name, pattern, dialect: new TriggerTable([...triggers, ...THINK]), ...more };
}

/** One row a family, the most specific first. */
// deno-fmt-ignore: a table reads best one row a line
export const FAMILIES: readonly Family[] = [
  family("Kimi K3", /kimi-k3/, KIMI_K3, { callIds: "kimi" }),
  family("Kimi K2", /kimi/, KIMI, { callIds: "kimi", continuesCalls: true }),
  family("Mistral", /mistral|mixtral|devstral|codestral|ministral|magistral|sarvam/, MISTRAL, { callIds: "mistral" }),
  family("Nemotron 3", /nemotron-(?:nano-)?3/, CODER),
  family("Nemotron", /nemotron/, [...NEMOTRON, ...QWEN]),
  family("DeepSeek V3.2, V4", /deepseek-v(?:3\.2|4)/, DSML),
  family("DeepSeek", /deepseek/, DEEPSEEK),
  family("GLM", /glm|laguna/, GLM),
  family("Qwen3-Coder", /qwen3-coder|qwen3\.5|step-3/, CODER),
  family("Qwen", /qwen|qwq|hermes/, QWEN),
  family("MiniMax M3", /minimax-m3/, MINIMAX_M3),
  family("MiniMax M2", /minimax/, MINIMAX),
  family("gpt-oss", /gpt-oss/, HARMONY),
  family("Gemma 4", /gemma/, GEMMA),
  family("Seed-OSS", /seed-oss/, SEED),
  family("Llama", /llama|dracarys/, LLAMA),
  family("Phi, Granite", /phi-|granite/, [...PHI, ...QWEN]),
  family("Muse", /muse/, MUSE),
  family("Inkling", /inkling/, INKLING),
];

/** What is taken for granted of a model nobody has described. */
const UNKNOWN_FAMILY: Family = family("unknown", /(?:)/, []);

/** Finds the family of an upstream model id, such as `moonshotai/kimi-k2.6`. */
export function toFamily(model: string): Family {
  const id = model.toLowerCase();
  return FAMILIES.find(({ pattern }) => pattern.test(id)) ?? UNKNOWN_FAMILY;
}

/**
 * Models that always think and whose template opens thinking, so that only its end is written. The templates of MiniMax
 * M2 and Kimi K3 open it, too; but there hosts may take the tags away, and an answer without thinking must not be lost.
 */
const ALWAYS_THINKING = /deepseek-r1|qwq|qwen.*-thinking/;

/** Whether the answer of an upstream model begins in the middle of its thinking. */
export function startsInThinking(model: string): boolean {
  return ALWAYS_THINKING.test(model.toLowerCase());
}
