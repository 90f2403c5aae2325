import { parseInput } from "../translate/tool_input.ts";
import type { BlockDelta, ContentBlock, JsonObject, Message, MessageStreamEvent } from "../wire/anthropic.ts";
import { isJsonObject } from "../wire/json.ts";

/** Adds what a delta brings: texts go on, citations come one by one into a list, everything else comes whole. */
function append(block: JsonObject, field: string, piece: unknown): void {
  if (field === "__proto__") return; // Assigned to, it would not become a field.
  const before = block[field];
  if (field === "citation") block.citations = [...Array.isArray(block.citations) ? block.citations : [], piece];
  else block[field] = typeof piece === "string" && typeof before === "string" ? before + piece : piece;
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
      for (const [field, piece] of Object.entries(fields)) append(block, field, piece);
    } else if (event.type === "content_block_stop") {
      if (block.partial_json) block.input = parseInput(String(block.partial_json));
      delete block.partial_json;
    } else if (event.type === "message_delta") {
      Object.assign(message, event.delta, { usage: { ...message.usage, ...event.usage } });
    }
  }
  return message;
}

/** What is sent of a block in deltas, by field: what the block has of it when it starts, and the deltas of a value. */
const PIECES: Readonly<Record<string, [empty: unknown, toDeltas: (value: unknown) => JsonObject[]]>> = {
  thinking: ["", (thinking) => thinking ? [{ type: "thinking_delta", thinking }] : []],
  signature: ["", (signature) => signature ? [{ type: "signature_delta", signature }] : []],
  text: ["", (text) => text ? [{ type: "text_delta", text }] : []],
  citations: [[], (list) => Array.isArray(list) ? list.map((citation) => ({ type: "citations_delta", citation })) : []],
  input: [{}, (input) => [{ type: "input_json_delta", partial_json: JSON.stringify(input ?? {}) }]],
};

/** A block as it is streamed. */
export function toBlockEvents(block: ContentBlock, index: number): MessageStreamEvent[] {
  const split = Object.entries(PIECES).filter(([field]) => field in block);
  const content_block = { ...block, ...Object.fromEntries(split.map(([field, [empty]]) => [field, empty])) };
  const deltas = split.flatMap(([field, [, toDeltas]]) => toDeltas((block as JsonObject)[field])) as BlockDelta[];
  return [
    { type: "content_block_start", index, content_block },
    ...deltas.map((delta) => ({ type: "content_block_delta", index, delta }) as const),
    { type: "content_block_stop", index },
  ];
}

/** Unfolds a whole answer into its events: clients take no part of a block but from deltas. */
export function toMessageEvents(message: Message): MessageStreamEvent[] {
  const { content, stop_reason, stop_sequence, usage } = message;
  const blocks = Array.isArray(content) ? content.filter(isJsonObject) as ContentBlock[] : [];
  return [
    { type: "message_start", message: { ...message, content: [] } },
    ...blocks.flatMap(toBlockEvents),
    { type: "message_delta", delta: { stop_reason, stop_sequence }, usage },
    { type: "message_stop" },
  ];
}
