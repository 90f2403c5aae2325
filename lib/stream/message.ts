import type { ContentBlock, JsonObject, Message, MessageStreamEvent } from "../wire/anthropic.ts";
import { isJsonObject } from "../wire/messages_request.ts";

function parseInput(json: string): JsonObject {
  try {
    const input: unknown = JSON.parse(json || "{}");
    if (isJsonObject(input)) return input;
  } catch {
    // Falls through: what the client does with text that is no object is its own business.
  }
  return { __unparsedToolInput: { raw: json, len: json.length } };
}

/**
 * Folds the events of an answer into the answer as a whole, for clients that do not stream.
 *
 * Arguments that are no JSON object come in the form in which Claude Code itself replays such calls.
 */
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
      else if (block?.type !== "thinking") continue;
      else if (delta.type === "thinking_delta") block.thinking += delta.thinking;
      else if (delta.type === "signature_delta") block.signature = delta.signature;
    } else if (event.type === "content_block_stop") {
      if (block?.type === "tool_use") block.input = parseInput(json);
    } else if (event.type === "message_delta") {
      Object.assign(message, event.delta);
      message.usage = { ...message.usage, ...event.usage };
    }
  }
  return message;
}
