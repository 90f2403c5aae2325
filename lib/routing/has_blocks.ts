import type { ContentBlockParam, MessagesRequest } from "../wire/anthropic.ts";

function hasBlock(blocks: readonly ContentBlockParam[], types: readonly string[]): boolean {
  return blocks.some((block) =>
    types.includes(block.type) ||
    (block.type === "tool_result" && Array.isArray(block.content) && hasBlock(block.content, types))
  );
}

/** Whether a block of some types is anywhere in a conversation, also in what a tool gave back. */
export function hasBlocks({ messages }: Pick<MessagesRequest, "messages">, ...types: string[]): boolean {
  return messages.some(({ content }) => typeof content !== "string" && hasBlock(content, types));
}
