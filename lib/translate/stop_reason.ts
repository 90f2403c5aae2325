import type { StopReason } from "../wire/anthropic.ts";

/**
 * Maps a `finish_reason`.
 *
 * All but `length` are an ordinary end, also unknown and absent ones: any client can act on it. `tool_calls` too, since
 * whether there are calls is decided by the calls (hosts say `stop` with and `tool_calls` without); and
 * `content_filter`, since `refusal` would make Claude Code blame its own safeguards.
 */
export function toStopReason(finishReason: string | null | undefined): StopReason {
  return finishReason === "length" ? "max_tokens" : "end_turn";
}
