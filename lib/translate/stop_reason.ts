import type { StopReason } from "../wire/anthropic.ts";

const STOP_REASON_BY_FINISH_REASON: Record<string, StopReason> = {
  stop: "end_turn",
  length: "max_tokens",
  // Whether there are calls is decided by the calls: hosts say `stop` with and `tool_calls` without.
  tool_calls: "end_turn",
  function_call: "end_turn",
  // `refusal` would make Claude Code blame its own safeguards for a host's filter.
  content_filter: "end_turn",
};

/** Maps a `finish_reason`; unknown and absent ones become `end_turn`, which any client can act on. */
export function toStopReason(finishReason: string | null | undefined): StopReason {
  const known = Object.hasOwn(STOP_REASON_BY_FINISH_REASON, finishReason ?? "");
  return (known && STOP_REASON_BY_FINISH_REASON[finishReason ?? ""]) || "end_turn";
}
