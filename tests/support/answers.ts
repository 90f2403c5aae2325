/** Ways to run a stream of chunks through the translator and to look at what comes out. */
import { ChunkTranslator, type ChunkTranslatorOptions } from "../../lib/stream/chunk_translator.ts";
import { SseDecoder } from "../../lib/stream/sse_decoder.ts";
import type { MessageStreamEvent } from "../../lib/wire/anthropic.ts";
import type { ChatChunk, ChatDelta, ToolCallDelta } from "../../lib/wire/openai.ts";

/** Ids `toolu_1`, `toolu_2` … */
export function countingIds(): (prefix: string) => string {
  let count = 0;
  return (prefix) => `${prefix}${++count}`;
}

export function chunk(delta: ChatDelta, finish_reason: string | null = null): ChatChunk {
  return { choices: [{ delta, finish_reason }] };
}

/** A chunk with pieces of tool calls. */
export function calls(...tool_calls: ToolCallDelta[]): ChatChunk {
  return chunk({ tool_calls });
}

/** A piece of a tool call. */
export function call(
  index: number | null | undefined,
  id: string | null | undefined,
  name: string | null | undefined,
  args: unknown,
): ToolCallDelta {
  return { index, id, function: { name, arguments: args } };
}

export function finish(reason = "stop"): ChatChunk {
  return chunk({}, reason);
}

export function toSse(chunks: readonly ChatChunk[], end = "data: [DONE]\n\n"): string {
  return chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("") + end;
}

/** Joins deltas that follow each other: how they were split depends on the reads, not on the answer. */
export function joinDeltas(events: readonly MessageStreamEvent[]): MessageStreamEvent[] {
  const joined: MessageStreamEvent[] = [];
  for (const event of structuredClone(events)) {
    const last = joined.at(-1);
    if (last?.type === "content_block_delta" && event.type === "content_block_delta") {
      const [before, delta] = [last.delta, event.delta] as [Record<string, string>, Record<string, string>];
      if (before.type === delta.type) {
        for (const key of Object.keys(delta)) if (key !== "type") before[key] = `${before[key]}${delta[key]}`;
        continue;
      }
    }
    joined.push(event);
  }
  return joined;
}

export function translate(chunks: readonly ChatChunk[], options: ChunkTranslatorOptions = {}): MessageStreamEvent[] {
  const translator = new ChunkTranslator({ newId: countingIds(), ...options });
  return joinDeltas([...chunks.flatMap((chunk) => translator.feed([chunk])), ...translator.flush()]);
}

/** The events of an answer whose bytes arrive in the given reads. */
export function translateReads(
  reads: readonly Uint8Array[],
  options: ChunkTranslatorOptions = {},
): MessageStreamEvent[] {
  const decoder = new SseDecoder();
  const translator = new ChunkTranslator({ newId: countingIds(), ...options });
  const events: MessageStreamEvent[] = [];
  const feed = (data: string[]) => {
    const chunks = data.filter((text) => text !== "[DONE]").map((text) => JSON.parse(text));
    events.push(...structuredClone(translator.feed(chunks)));
  };
  for (const read of reads) feed(decoder.feed(read));
  feed(decoder.flush());
  return joinDeltas([...events, ...translator.flush()]);
}

/** An answer in short: `text:…`, `thinking:…`, `Name{json}`, and the stop reason at the end. */
export function summarize(events: readonly MessageStreamEvent[]): string[] {
  const summary: string[] = [];
  for (const event of joinDeltas(events)) {
    if (event.type === "content_block_start") {
      const block = event.content_block;
      summary.push(block.type === "tool_use" ? block.name : `${block.type}:`);
    } else if (event.type === "content_block_delta") {
      const delta = event.delta;
      const piece = delta.type === "text_delta"
        ? delta.text
        : delta.type === "thinking_delta"
        ? delta.thinking
        : delta.type === "input_json_delta"
        ? delta.partial_json
        : "";
      summary.push(summary.pop() + piece);
    } else if (event.type === "message_delta") summary.push(`(${event.delta.stop_reason})`);
  }
  return summary;
}
