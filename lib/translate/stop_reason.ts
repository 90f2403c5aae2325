import type { StopReason } from "../wire/anthropic.ts";

/** Whether an answer was cut short by its length, under any of the names that hosts have for it. */
export function isCut(finishReason: string | null | undefined): boolean {
  return /^(?:(?:model_)?length|max_tokens)$/i.test(finishReason ?? "");
}

/**
 * Maps a `finish_reason`.
 *
 * All but those are an ordinary end, also unknown and absent ones: any client can act on it. `tool_calls` too, since
 * whether there are calls is decided by the calls (hosts say `stop` with and `tool_calls` without); and
 * `content_filter`, since `refusal` would make Claude Code blame its own safeguards.
 */
export function toStopReason(finishReason: string | null | undefined): StopReason {
  return isCut(finishReason) ? "max_tokens" : "end_turn";
}
