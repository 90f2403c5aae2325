import { DEEPSEEK, DSML } from "../dialects/deepseek.ts";
import { functionXml } from "../dialects/function_xml.ts";
import { GEMMA } from "../dialects/gemma.ts";
import { glm } from "../dialects/glm.ts";
import { thinkTags, toStrays, type Trigger } from "../dialects/grammar.ts";
import { HARMONY } from "../dialects/harmony.ts";
import { INKLING } from "../dialects/inkling.ts";
import { jsonCalls } from "../dialects/json_calls.ts";
import { KIMI } from "../dialects/kimi.ts";
import { KIMI_K3 } from "../dialects/kimi_k3.ts";
import { LLAMA } from "../dialects/llama.ts";
import { MINIMAX, MINIMAX_M3 } from "../dialects/minimax.ts";
import { MISTRAL } from "../dialects/mistral.ts";
import { MUSE } from "../dialects/muse.ts";
import { TriggerTable } from "../dialects/triggers.ts";

const THINK = thinkTags("think", "thinking");
const hermes: Trigger = { marker: "<tool_call>", grammar: jsonCalls("<tool_call>", "</tool_call>") };
const QWEN: Trigger[] = [hermes, { marker: "</tool_call>" }];
const CODER: Trigger[] = [
  ...["<tool_call>", "<function="].map((marker) => ({ marker, grammar: functionXml("<tool_call>", "</tool_call>") })),
  { marker: "</tool_call>" },
];
const GLM: Trigger[] = [{ marker: "<tool_call>", grammar: glm }, { marker: "</tool_call>" }];
const NEMOTRON: Trigger[] = [
  { marker: "<TOOLCALL>", grammar: jsonCalls("<TOOLCALL>", "</TOOLCALL>") },
  { marker: "</TOOLCALL>" },
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

/** All dialects know tags for thinking. */
function toTable(...triggers: readonly Trigger[]): TriggerTable {
  return new TriggerTable([...triggers, ...THINK]);
}

/** What models leak into text and reasoning, one row a dialect; families share them. */
export const DIALECTS = {
  kimi: toTable(...KIMI),
  kimiK3: toTable(...KIMI_K3),
  mistral: toTable(...MISTRAL),
  nemotron: toTable(...NEMOTRON, ...QWEN),
  deepseek: toTable(...DEEPSEEK),
  dsml: toTable(...DSML),
  glm: toTable(...GLM),
  coder: toTable(...CODER),
  qwen: toTable(...QWEN),
  minimax: toTable(...MINIMAX),
  minimaxM3: toTable(...MINIMAX_M3),
  harmony: toTable(...HARMONY),
  gemma: toTable(...GEMMA),
  seed: toTable(...SEED),
  llama: toTable(...LLAMA),
  phi: toTable(...PHI, ...QWEN),
  muse: toTable(...MUSE),
  inkling: toTable(...INKLING),
  plain: toTable(),
} satisfies Record<string, TriggerTable>;
