import { DEFAULT_MODELS } from "../models/roster.ts";
import type { ThinkingSwitch } from "../models/thinking.ts";
import type { BackendOptions } from "./routing_options.ts";

/** A host that needs no configuration: where it is, what its key and its address may be called in the environment. */
export type BackendRow = BackendOptions & {
  baseUrl: string;
  /** What earlier tools call it in front of a model's name. */
  aliases: readonly string[];
  /** Variables of the key, the first is the one to tell people; none where no key is needed. */
  keyNames: readonly string[];
  /** Variables of the address. */
  urlNames: readonly string[];
  /** How it wants thinking switched, if not as the family of the model does. */
  thinkingSwitch?: ThinkingSwitch;
};

/** The name of the host that is used when nobody chooses one. */
export const DEFAULT_BACKEND = "nvidia";
/** Where NVIDIA serves its free hosted models. */
export const NVIDIA_BASE_URL = "https://integrate.api.nvidia.com/v1";

const names = (text: string): string[] => text.split(" ").filter(Boolean);
function row(baseUrl: string, keys: string, urls: string, aliases: string, more: Partial<BackendRow> = {}): BackendRow {
  return { baseUrl, keyNames: names(keys), urlNames: names(urls), aliases: names(aliases), ...more };
}

/**
 * Hosts by name. The original Arbiter takes a leading `openai/` off its models' names. NVIDIA's free accounts have about
 * 40 requests a minute; Zen's free models took any key until September 2026. Models for the main work are those of
 * earlier tools.
 */
// deno-fmt-ignore: a table reads best one row a line
export const BACKENDS: ReadonlyMap<string, BackendRow> = new Map([
  ["nvidia", row(NVIDIA_BASE_URL, "NVIDIA_API_KEY NVIDIA_NIM_API_KEY NVIDIA_NIM_API_KEYS", "NVIDIA_BASE_URL", "nvidia_nim nim openai", {
    rateLimit: 40, rateWindow: 60_000, maxConcurrency: 8, defaultModel: DEFAULT_MODELS.elite,
  })],
  ["openrouter", row("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", "OPENROUTER_BASE_URL", "open_router", {
    thinkingSwitch: "openrouter", defaultModel: "qwen/qwen-2.5-coder-32b-instruct",
  })],
  ["zen", row("https://opencode.ai/zen/v1", "OPENCODE_API_KEY ZEN_API_KEY", "", "opencode", {
    apiKey: "public", defaultModel: "minimax-m2.5-free",
  })],
  ["moonshot", row("https://api.moonshot.ai/anthropic", "MOONSHOT_API_KEY", "MOONSHOT_BASE_URL", "kimi", {
    format: "anthropic", defaultModel: "kimi-k3",
  })],
  ["local", row("http://localhost:1234/v1", "LOCAL_API_KEY", "LM_STUDIO_BASE_URL LOCAL_BASE_URL", "lmstudio lm_studio", {
    defaultModel: "local-model",
  })],
  ["llamacpp", row("http://localhost:8080/v1", "", "LLAMACPP_BASE_URL", "llama_cpp", { defaultModel: "local-model" })],
  ["ollama", row("http://localhost:11434/v1", "", "OLLAMA_BASE_URL", "", { thinkingSwitch: "ollama" })],
]);
