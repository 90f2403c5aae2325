import type { MessageStreamEvent, VisualizationEvent } from "../wire/anthropic.ts";
import type { ApiErrorBody } from "../wire/errors.ts";

const encoder = new TextEncoder();

/** Encodes events as server-sent events, all of one read in one piece. */
export function encodeEvents(events: readonly (MessageStreamEvent | VisualizationEvent | ApiErrorBody)[]): Uint8Array {
  let text = "";
  for (const event of events) text += `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
  return encoder.encode(text);
}
