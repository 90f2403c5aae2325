import type { MessageContent, MessagesRequest } from "../wire/anthropic.ts";

function hasBlock(content: MessageContent | undefined, types: readonly string[]): boolean {
  return Array.isArray(content) &&
    content.some((block) =>
      types.includes(block.type) || (block.type === "tool_result" && hasBlock(block.content, types))
    );
}

/** Whether a block of some types is anywhere in a conversation, also in what a tool gave back. */
export function hasBlocks({ messages }: Pick<MessagesRequest, "messages">, ...types: string[]): boolean {
  return messages.some(({ content }) => hasBlock(content, types));
}
