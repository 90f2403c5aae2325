import type { Family } from "../models/families.ts";
import { toPartsOf } from "../translate/content.ts";
import { isTyped } from "../translate/messages.ts";
import { toInputText } from "../translate/tool_input.ts";
import type { ContentBlockParam, MessageContent, MessagesRequest } from "../wire/anthropic.ts";
import { toImageTokens } from "../wire/image_size.ts";
import { type TextCost, toTokens, weighText } from "./estimate.ts";

/** Tokens that templates spend around a message or a result (4 to 8), a call or a tool; tools they write anew as JSON. */
const MESSAGE = 6, CALL = 12, TOOL_FACTOR = 1.06;
/** To say that there are tools: Claude Code takes just this off where it asks for the cost of some. */
export const TOOLS_TOKENS = 500;

/** How a model counts and what it is sent, everything if it is passed on; what is left out is as with most models. */
export type TokenRules = Pick<Family, "digits" | "replaysThinking"> & { vision?: boolean; passed?: boolean };

/** Whether a request offers tools of the client's own. */
export const hasTools = ({ tools = [] }: MessagesRequest): boolean => tools.some((tool) => tool.input_schema);

/**
 * Estimates the input tokens of a request as it is sent upstream: thinking only where the model gets it back, notes for
 * what it cannot be shown.
 *
 * It is a sum of whole tokens over all parts, so that parts can be counted alone. `weigh` may remember texts.
 */
export function estimateRequestTokens(
  request: MessagesRequest,
  { digits, vision = true, replaysThinking = false, passed = false }: TokenRules = {},
  weigh: (text: string) => TextCost = weighText,
): number {
  const { system, messages, tools = [] } = request;
  const count = (text: string) => toTokens(weigh(text), digits);
  const sum = <T>(items: readonly T[], toCount: (item: T, at: number) => number) =>
    items.reduce((sum, item, at) => sum + toCount(item, at), 0);

  function countBlock(block: ContentBlockParam, replays: boolean): number {
    if (block.type === "text") return count(block.text);
    if (block.type === "thinking") return replays ? count(block.thinking) : 0;
    if (block.type.endsWith("thinking")) return 0;
    if (block.type === "tool_use") return CALL + count(block.name) + count(toInputText(block.input));
    if (block.type === "tool_result") return MESSAGE + countContent(block.content, false);
    if (block.type === "image" && (vision || passed)) return toImageTokens(block.source.data);
    if (passed && block.type !== "document") return count(JSON.stringify(block));
    const parts = toPartsOf([block], { vision, warn: () => {} });
    return sum(parts, (part) => part.type === "text" ? count(part.text) : toImageTokens(undefined));
  }

  const countContent = (content: MessageContent | null | undefined, replays: boolean): number =>
    typeof content === "string" ? count(content) : sum(content ?? [], (block) => countBlock(block, replays));

  const offered = tools.filter(({ input_schema }) => input_schema || passed);
  const replays = passed || replaysThinking !== false;
  const begin = passed || replaysThinking === "always" ? -1 : messages.findLastIndex(isTyped);
  return countContent(system, false) + (hasTools(request) ? TOOLS_TOKENS : 0) +
    sum(messages, ({ content }, at) => MESSAGE + countContent(content, replays && at > begin)) +
    sum(offered, ({ name, description, input_schema }) => {
      const { $schema: _, ...schema } = input_schema ?? {};
      return CALL + Math.round(TOOL_FACTOR * (count(name) + count(description ?? "") + count(JSON.stringify(schema))));
    });
}
