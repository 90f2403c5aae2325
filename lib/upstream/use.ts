import type { RequestKind } from "../routing/request_kind.ts";
import type { MessageStreamEvent } from "../wire/anthropic.ts";

/** Whether an event is what Claude Code can use an answer for. */
export type IsOfUse = (event: MessageStreamEvent) => boolean;

/** Something the user sees, a call, or why there is no more: thinking alone is none. */
const isVisible: IsOfUse = (event) => {
  if (event.type === "message_delta") return (event.delta.stop_reason ?? "end_turn") !== "end_turn";
  return event.type === "content_block_start" && !event.content_block.type.endsWith("thinking");
};

/** The end of an answer. */
const isEnd: IsOfUse = ({ type }) => type === "message_stop";

/** What Claude Code looks for in the check of a command; it asks for that without a stream, so that the text is in one piece. */
const isVerdict: IsOfUse = (event) =>
  event.type === "content_block_delta" && event.delta.type === "text_delta" && event.delta.text.includes("<block>");

/**
 * What an answer must have before any of it is passed on; nothing in particular where that is not known.
 *
 * @param again Whether another's answer to the request was of no use, and there are others to ask after this one.
 */
export function toHeldUntil(kind: RequestKind, again: boolean): IsOfUse | undefined {
  if (kind === "compaction") return isEnd; // Claude Code gives up where half a summary breaks off.
  return again ? isVisible : undefined;
}

/** What an answer must have so that somebody else need not be asked when the request comes again. */
export function toNeeded(kind: RequestKind): IsOfUse {
  return kind === "safety" ? isVerdict : isVisible;
}
