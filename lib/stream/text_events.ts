import { estimateTokens } from "../tokens/estimate.ts";
import type { MessageStreamEvent } from "../wire/anthropic.ts";
import { toBlockEvents } from "./message.ts";

/** The events, but the first, of an answer that is a text from the proxy itself; its tokens are estimated. */
export function toTextEvents(text: string): MessageStreamEvent[] {
  const usage = { output_tokens: Math.ceil(estimateTokens(text)) };
  return [
    ...toBlockEvents({ type: "text", text }, 0),
    { type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage },
    { type: "message_stop" },
  ];
}
