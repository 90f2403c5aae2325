import type { Env } from "../config/settings.ts";
import type { ModelChoice } from "../routing/resolve.ts";

/** Context window Claude Code is told when nobody knows better: what most hosted models serve. */
const CONTEXT_TOKENS = 131_072;

/**
 * The environment in which Claude Code works well with a proxy at `url`. What routes it here is always set; everything
 * else leaves the user's own variables alone.
 *
 * Models are named by their upstream ids: Claude Code's own names would make it believe in a million tokens and never
 * compact.
 */
export function toClaudeEnv(env: Env, url: string, { elite, tiers }: ModelChoice): Env {
  const { ANTHROPIC_API_KEY: _, ...rest } = env; // With it, Claude Code asks whether to use that key.
  return {
    ANTHROPIC_MODEL: elite,
    ANTHROPIC_DEFAULT_OPUS_MODEL: tiers.opus ?? elite,
    ANTHROPIC_DEFAULT_SONNET_MODEL: tiers.sonnet ?? elite,
    ANTHROPIC_DEFAULT_HAIKU_MODEL: tiers.haiku ?? elite,
    CLAUDE_CODE_MAX_CONTEXT_TOKENS: String(CONTEXT_TOKENS),
    // Without it a dialog blocks the first command of a session.
    CLAUDE_CODE_AUTO_MODE_SERVER: "0",
    // Accounting for Anthropic at the head of each prompt; it only spoils prompt caches here.
    CLAUDE_CODE_ATTRIBUTION_HEADER: "0",
    // A further request with the whole conversation after each turn; a free account cannot spare it.
    CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION: "false",
    ...rest,
    ANTHROPIC_BASE_URL: url,
    ANTHROPIC_AUTH_TOKEN: "arbiter",
  };
}
