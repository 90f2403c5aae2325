import type { DeclaredTools } from "../dialects/grammar.ts";
import type { MessagesRequest, ToolChoice } from "../wire/anthropic.ts";
import { toDigest } from "../wire/ids.ts";
import type { ChatRequest, ChatTool } from "../wire/openai.ts";
import type { ContentOptions } from "./content.ts";
import { toParameters } from "./schema.ts";

/** Claude Code's stand-in for tools it has not loaded; nobody may call it. */
const PLACEHOLDER = "DeferredToolPlaceholder";

/**
 * The function name for a tool: at most 64 letters, digits, `_` and `-` (OpenAI's rule).
 *
 * A name that breaks the rule keeps its beginning and gets a digest of the whole.
 */
export function toFunctionName(name: string): string {
  return /^[\w-]{1,64}$/.test(name) ? name : `${name.replace(/[^\w-]/g, "_").slice(0, 54)}_${toDigest(name, 9)}`;
}

/** Translates `tools`; Anthropic's own server tools cannot run here and are left out. */
export function toChatTools(tools: MessagesRequest["tools"], warn: ContentOptions["warn"]): ChatTool[] {
  return (tools ?? []).flatMap(({ name, description, input_schema }): ChatTool[] => {
    if (name === PLACEHOLDER) return [];
    if (!input_schema) warn(`Cannot offer the server tool '${name}' to the model: it runs at Anthropic only`);
    if (!input_schema) return [];
    const call = { name: toFunctionName(name), ...(description ? { description } : {}) };
    return [{ type: "function", function: { ...call, parameters: toParameters(input_schema) } }];
  });
}

/** The declared tools under the names they have upstream, where longer ones than 64 characters are shortened. */
export function toDeclaredTools(tools: MessagesRequest["tools"]): DeclaredTools {
  return new Map(tools?.map((tool) => [toFunctionName(tool.name), tool]));
}

const CHOICE_NAMES = new Map<string, "required" | "none">([["any", "required"], ["none", "none"]]);

/** Translates `tool_choice` with its `disable_parallel_tool_use`. */
export function toToolChoice(
  choice: ToolChoice | undefined,
  tools: readonly ChatTool[],
): Pick<ChatRequest, "tool_choice" | "parallel_tool_calls"> {
  if (!choice) return {};
  const name = toFunctionName(choice.name ?? "");
  // One that was left out cannot be called.
  const named = choice.type === "tool" && tools.some((tool) => tool.function.name === name);
  const tool_choice = named
    ? { type: "function", function: { name } } as const
    : CHOICE_NAMES.get(choice.type) ?? "auto";
  return { tool_choice, ...(choice.disable_parallel_tool_use ? { parallel_tool_calls: false } : {}) };
}
