import { toUnparsed } from "../dialects/arguments.ts";
import type { ContentBlock, JsonObject, Message, MessageStreamEvent } from "../wire/anthropic.ts";
import { isJsonObject, parseJson } from "../wire/json.ts";

/** Parses arguments; what is no object comes in the form in which Claude Code itself replays such calls. */
function parseInput(json: string): JsonObject {
  const input = parseJson(json || "{}");
  return isJsonObject(input) ? input : toUnparsed(json);
}

/** Folds the events of an answer into the answer as a whole, for clients that do not stream. */
export function toMessage(events: Iterable<MessageStreamEvent>, start: Message): Message {
  const message: Message = { ...start, content: [] };
  let block: JsonObject = {};
  for (const event of events) {
    if (event.type === "content_block_start") {
      block = { ...event.content_block };
      message.content.push(block as ContentBlock);
    } else if (event.type === "content_block_delta") {
      const { type: _, ...fields } = event.delta;
      for (const [field, piece] of Object.entries(fields)) block[field] = `${block[field] ?? ""}${piece}`;
    } else if (event.type === "content_block_stop" && block.type === "tool_use") {
      block.input = parseInput(String(block.partial_json ?? ""));
      delete block.partial_json;
    } else if (event.type === "message_delta") {
      Object.assign(message, event.delta, { usage: { ...message.usage, ...event.usage } });
    }
  }
  return message;
}
