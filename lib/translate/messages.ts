import type { ContentBlockParam, MessageParam, ToolResultParam } from "../wire/anthropic.ts";
import type { ChatMessage, ChatPart, ChatToolCall } from "../wire/openai.ts";
import type { Family } from "../models/families.ts";
import { createCallIds } from "./call_ids.ts";
import { type ContentOptions, toContent, toPartsOf, toText } from "./content.ts";
import { toInputText } from "./tool_input.ts";
import { toFunctionName } from "./tools.ts";

const NO_OUTPUT = "(no output)"; // Tool messages must not be empty.
const NO_RESULT = "(no result: the call was interrupted)";
const ANSWER = "OK.";
/** What Google's documentation has for calls whose signature is not there: clients do not keep it. */
const UNVERIFIED = { extra_content: { google: { thought_signature: "skip_thought_signature_validator" } } };
const IMAGE_FOLLOWS = "(the image follows the tool results)";

/** The blocks of content. */
export function toBlocks(content: MessageParam["content"]): ContentBlockParam[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : content;
}

/** What the system says in the middle of a conversation, as the client says it where nobody takes that role there. */
export function toReminder(text: string): string {
  return `<system-reminder>\n${text}\n</system-reminder>`;
}

/** Whether a message has what a person wrote, not only results and reminders: new work begins with it. */
export function isTyped({ role, content }: MessageParam): boolean {
  return role === "user" &&
    toBlocks(content).some((block) => block.type === "text" && /^\s*(?!<system-reminder>)\S/.test(block.text));
}

/** What a family wants of the history. */
export type HistoryRules = Pick<
  Family,
  "callIds" | "replaysThinking" | "answersResults" | "singleCalls" | "signsCalls"
>;

/** Consecutive messages of one side, the assistant's or the client's, are one turn. */
function toTurns(messages: MessageParam[]): MessageParam[][] {
  const turns: MessageParam[][] = [];
  for (const message of messages) {
    const last = turns.at(-1);
    if (last && (last[0]?.role === "assistant") === (message.role === "assistant")) last.push(message);
    else turns.push([message]);
  }
  return turns;
}

/**
 * Translates `messages`, repairing what strict hosts refuse.
 *
 * Results follow their calls directly and in the order of the calls, whatever order they came in; a missing result is
 * filled in, an orphan becomes user text. Text beside results comes after them. System messages from the middle become
 * reminders. Thinking is left out, because most hosts refuse it in the history; a family that wants it back gets that
 * of the work at hand, which begins where a person last wrote something, or all; a blank for calls that must have some.
 */
export function toChatMessages(
  messages: MessageParam[],
  options: ContentOptions,
  { callIds, replaysThinking = false, answersResults, singleCalls = false, signsCalls = false }: HistoryRules = {},
): ChatMessage[] {
  const chat: ChatMessage[] = [];
  const toCallId = createCallIds(callIds);
  /** The calls of the last assistant turn that wait for their results, in order, each with the client's own id. */
  const waiting: [clientId: string, call: ChatToolCall][] = [];
  /** The ids of all calls, and how many were given to calls whose own was taken. */
  const taken = new Set<string>();
  let copies = 1;

  function addCall({ id, name, input }: ContentBlockParam & { type: "tool_use" }): void {
    const called = { name: toFunctionName(name), arguments: toInputText(input) };
    let callId = toCallId(id || "call", called.name);
    // Hosts that go by the id would take two calls for one.
    while (taken.has(callId)) callId = toCallId(`${id}_${++copies}`, called.name);
    taken.add(callId);
    waiting.push([id, { id: callId, type: "function", function: called, ...(signsCalls ? UNVERIFIED : {}) }]);
  }

  /** What an assistant wrote. */
  function addAssistant(turn: MessageParam[], withThinking: boolean): void {
    const texts: ContentBlockParam[] = [];
    const thoughts: string[] = [];
    for (const block of turn.flatMap(({ content }) => toBlocks(content))) {
      if (block.type === "tool_use") addCall(block);
      else if (block.type === "thinking") thoughts.push(block.thinking);
      else if (!block.type.endsWith("thinking")) texts.push(block);
    }
    // Many templates want roles to alternate, and a client's turn may have come to nothing.
    const before = chat.at(-1)?.role === "assistant" ? chat.pop()?.content : "";
    const text = [before, toText(toPartsOf(texts, options))].filter(Boolean).join("\n\n");
    const tool_calls = waiting.slice(0, singleCalls ? 1 : Infinity).map(([, call]) => call);
    const none = typeof replaysThinking === "string" && waiting.length > 0 ? " " : "";
    const thinking = withThinking && thoughts.filter((thought) => thought.trim() !== "").join("\n\n") || none;
    const reasoning = thinking === "" ? {} : { reasoning_content: thinking };
    if (tool_calls.length > 0) chat.push({ role: "assistant", content: text || null, ...reasoning, tool_calls });
    else if (text !== "") chat.push({ role: "assistant", content: text, ...reasoning });
  }

  /** What came in return: first the results in the order of the calls, then everything else. */
  function addClient(turn: MessageParam[]): void {
    const results: ToolResultParam[] = [];
    const parts: ChatPart[] = [];
    for (const { role, content } of turn) {
      const blocks = toBlocks(content);
      const others = toPartsOf(blocks.filter((block) => block.type !== "tool_result"), options);
      results.push(...blocks.filter((block) => block.type === "tool_result"));
      // Most templates take a system message in front only.
      if (role !== "system") parts.push(...others);
      else if (others.length > 0) parts.push({ type: "text", text: toReminder(toText(others)) });
    }
    parts.unshift(...addResults(results));
    const last = chat.at(-1);
    // An assistant turn that came to nothing may have stood between.
    if (last?.role === "user" && Array.isArray(last.content)) last.content.push(...parts);
    else if (parts.length > 0) {
      if (last?.role === "tool" && answersResults) chat.push({ role: "assistant", content: ANSWER });
      chat.push({ role: "user", content: parts });
    }
  }

  /** Adds a tool message for each waiting call; gives what tool messages cannot hold. */
  function addResults(results: ToolResultParam[]): ChatPart[] {
    const extra: ChatPart[] = [];
    const left = new Set(results);
    const byId = new Map<string, ToolResultParam[]>();
    for (const result of results.reverse()) {
      const { tool_use_id: id } = result;
      byId.set(id, byId.get(id) ?? []).get(id)?.push(result);
    }
    for (const [i, [clientId, call]] of waiting.splice(0).entries()) {
      const { id, function: { name } } = call;
      if (singleCalls && i > 0) chat.push({ role: "assistant", content: null, tool_calls: [call] });
      const result = byId.get(clientId)?.pop();
      if (result) left.delete(result);
      const parts = toPartsOf(result?.content, options);
      const images = parts.filter((part) => part.type !== "text");
      if (images.length > 0) extra.push({ type: "text", text: `Result of ${name}:` }, ...images);
      if (!result) options.warn(`Cannot find the result of a call of '${name}': said to be interrupted`);
      let content = toText(parts) || (result ? images.length > 0 ? IMAGE_FOLLOWS : NO_OUTPUT : NO_RESULT);
      if (result?.is_error && !/error/i.test(content.slice(0, 40))) content = `Error: ${content}`;
      chat.push({ role: "tool", tool_call_id: id, content });
    }
    for (const { content } of left) {
      options.warn("Cannot find the call of a tool result: passed as text");
      extra.push({ type: "text", text: "Result of an earlier tool call:" }, ...toPartsOf(content, options));
    }
    return extra;
  }

  const turns = toTurns(messages);
  const begin = replaysThinking === "always" ? -1 : turns.findLastIndex((turn) => turn.some(isTyped));
  turns.forEach((turn, i) => {
    if (turn[0]?.role === "assistant") addAssistant(turn, replaysThinking !== false && i > begin);
    else addClient(turn);
  });
  addResults([]);
  for (const message of chat) {
    if (message.role === "user" && Array.isArray(message.content)) message.content = toContent(message.content);
  }
  return chat;
}
