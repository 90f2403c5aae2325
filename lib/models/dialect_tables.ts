import { DEEPSEEK, DSML } from "../dialects/deepseek.ts";
import { functionTags } from "../dialects/function_xml.ts";
import { GEMMA } from "../dialects/gemma.ts";
import { GLM } from "../dialects/glm.ts";
import { thinkTags, toStrays, type Trigger } from "../dialects/grammar.ts";
import { HARMONY } from "../dialects/harmony.ts";
import { INKLING } from "../dialects/inkling.ts";
import { jsonCalls, jsonTags } from "../dialects/json_calls.ts";
import { KIMI } from "../dialects/kimi.ts";
import { KIMI_K3 } from "../dialects/kimi_k3.ts";
import { LLAMA } from "../dialects/llama.ts";
import { MINIMAX, MINIMAX_M3 } from "../dialects/minimax.ts";
import { MISTRAL } from "../dialects/mistral.ts";
import { MUSE } from "../dialects/muse.ts";
import { TriggerTable } from "../dialects/triggers.ts";

const QWEN = functionTags("<tool_call>", "</tool_call>");

/** All dialects know tags for thinking. */
function toTable(...lists: readonly (readonly Trigger[])[]): TriggerTable {
  return new TriggerTable([...lists, thinkTags("think", "thinking")].flat());
}

/** What models leak into text and reasoning, one row a dialect; families share them. */
export const DIALECTS = {
  kimi: toTable(KIMI),
  kimiK3: toTable(KIMI_K3),
  mistral: toTable(MISTRAL),
  nemotron: toTable(jsonTags("<TOOLCALL>", "</TOOLCALL>"), QWEN),
  deepseek: toTable(DEEPSEEK),
  dsml: toTable(DSML),
  glm: toTable(GLM),
  qwen: toTable(QWEN),
  minimax: toTable(MINIMAX),
  minimaxM3: toTable(MINIMAX_M3),
  harmony: toTable(HARMONY),
  gemma: toTable(GEMMA),
  seed: toTable(
    functionTags("<seed:tool_call>", "</seed:tool_call>"),
    toStrays("<seed:cot_budget_reflect> </seed:cot_budget_reflect>"),
    thinkTags("seed:think"),
  ),
  llama: toTable(LLAMA),
  phi: toTable(
    [{ marker: "functools[{", grammar: jsonCalls("functools", "<|end|>") }],
    jsonTags("<|tool_call|>", "<|/tool_call|>"),
    jsonTags("<function_call>", "</function_call>"),
    QWEN,
  ),
  muse: toTable(MUSE),
  inkling: toTable(INKLING),
  plain: toTable(),
} satisfies Record<string, TriggerTable>;
