import { NEMOTRON_3, QWEN_CODER, SEED_OSS } from "./coder.ts";
import { DEEPSEEK, DEEPSEEK_DSML } from "./deepseek.ts";
import { GEMMA } from "./gemma.ts";
import { GLM } from "./glm.ts";
import { GPT_OSS } from "./gpt_oss.ts";
import { INKLING } from "./inkling.ts";
import { KIMI_K2 } from "./kimi_k2.ts";
import { KIMI_K3 } from "./kimi_k3.ts";
import { LLAMA } from "./llama.ts";
import { MINIMAX, MINIMAX_M3 } from "./minimax.ts";
import { MISTRAL } from "./mistral.ts";
import { MUSE } from "./muse.ts";
import { NEMOTRON } from "./nemotron.ts";
import { PHI_GRANITE } from "./phi_granite.ts";
import { QWEN } from "./qwen.ts";
import type { FamilyVectors } from "./vector.ts";

/** The vectors of all families. */
export const ALL: readonly FamilyVectors[] = [
  ...[KIMI_K2, KIMI_K3, QWEN, QWEN_CODER, GLM, DEEPSEEK, DEEPSEEK_DSML, MINIMAX, MINIMAX_M3, NEMOTRON, NEMOTRON_3],
  ...[LLAMA, MISTRAL, GPT_OSS, GEMMA, SEED_OSS, PHI_GRANITE, MUSE, INKLING],
];
