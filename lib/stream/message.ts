import type { ContentBlock, JsonObject, Message, MessageStreamEvent } from "../wire/anthropic.ts";
import { isJsonObject, parseJson } from "../wire/json.ts";

/** Parses arguments; what is no object comes in the form in which Claude Code itself replays such calls. */
function parseInput(json: string): JsonObject {
  const input = parseJson(json || "{}");
  return isJsonObject(input) ? input : { __unparsedToolInput: { raw: json, len: json.length } };
}

/** Folds the events of an answer into the answer as a whole, for clients that do not stream. */
export function toMessage(events: Iterable<MessageStreamEvent>, start: Message): Message {
  const message: Message = { ...start, content: [] };
  let block: ContentBlock | undefined;
  let json = "";
  for (const event of events) {
    if (event.type === "content_block_start") {
      block = { ...event.content_block };
      message.content.push(block);
      json = "";
    } else if (event.type === "content_block_delta") {
      const { delta } = event;
      if (delta.type === "input_json_delta") json += delta.partial_json;
      else if (delta.type === "text_delta" && block?.type === "text") block.text += delta.text;
      else if (delta.type === "thinking_delta" && block?.type === "thinking") block.thinking += delta.thinking;
      else if (delta.type === "signature_delta") Object.assign(block ?? {}, { signature: delta.signature });
    } else if (event.type === "content_block_stop" && block?.type === "tool_use") block.input = parseInput(json);
    else if (event.type === "message_delta") {
      Object.assign(message, event.delta, { usage: { ...message.usage, ...event.usage } });
    }
  }
  return message;
}
