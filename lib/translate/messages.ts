import type { Family } from "../models/families.ts";
import type { ContentBlockParam, MessageParam, ToolResultParam } from "../wire/anthropic.ts";
import type { ChatMessage, ChatPart, ChatToolCall } from "../wire/openai.ts";
import { type ContentOptions, toContent, toPartsOf, toText } from "./content.ts";
import { toReminder } from "./system.ts";
import { CallIds } from "./tool_ids.ts";
import { toFunctionName } from "./tools.ts";

/** A tool result goes upstream as plain text that must not be empty. */
const NO_OUTPUT = "(no output)";
const NO_RESULT = "(no result: the call was interrupted)";

type AssistantMessage = ChatMessage & { role: "assistant" };

/** Consecutive messages of one side: what an assistant wrote, or what came in return. */
interface Turn {
  side: "assistant" | "client";
  messages: MessageParam[];
}

function toTurns(messages: MessageParam[]): Turn[] {
  const turns: Turn[] = [];
  for (const message of messages) {
    const side = message.role === "assistant" ? "assistant" : "client";
    const last = turns.at(-1);
    if (last?.side === side) last.messages.push(message);
    else turns.push({ side, messages: [message] });
  }
  return turns;
}

function toBlocks(content: MessageParam["content"]): ContentBlockParam[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : content;
}

/** Translates a conversation; one instance serves one request. */
class Conversation {
  readonly #out: ChatMessage[] = [];
  readonly #options: ContentOptions;
  readonly #ids: CallIds;
  /** The calls of the last assistant turn that wait for their results, in order of the calls. */
  #waiting: { clientId: string; name: string; id: string }[] = [];

  constructor(options: ContentOptions, rule: Family["toolCallIds"]) {
    this.#options = options;
    this.#ids = new CallIds(rule);
  }

  /** What an assistant wrote; `replay` says whether its reasoning goes along. */
  addAssistant(messages: MessageParam[], replay: boolean): void {
    const [texts, thoughts, calls]: [ContentBlockParam[], string[], ChatToolCall[]] = [[], [], []];
    for (const block of messages.flatMap((message) => toBlocks(message.content))) {
      if (block.type === "thinking") thoughts.push(block.thinking);
      else if (block.type === "tool_use") calls.push(this.#toCall(block));
      else if ((block.type as string) !== "redacted_thinking") texts.push(block);
    }
    const text = toText(toPartsOf(texts, this.#options));
    if (text === "" && calls.length === 0) return;
    const message: AssistantMessage = { role: "assistant", content: text || null };
    if (replay && thoughts.length > 0) message.reasoning_content = thoughts.join("\n");
    if (calls.length > 0) message.tool_calls = calls;
    this.#out.push(message);
  }

  /** What came in return: first the results in the order of the calls, then everything else. */
  addClient(messages: MessageParam[]): void {
    const results: ToolResultParam[] = [];
    const parts: ChatPart[] = [];
    for (const { role, content } of messages) {
      if (role === "system") {
        const text = toText(toPartsOf(content, this.#options));
        if (text !== "") parts.push({ type: "text", text: toReminder(text) });
        continue;
      }
      const others: ContentBlockParam[] = [];
      for (const block of toBlocks(content)) {
        if (block.type === "tool_result") results.push(block);
        else others.push(block);
      }
      parts.push(...toPartsOf(others, this.#options));
    }
    this.#addUser([...this.#addResults(results), ...parts]);
  }

  /** The finished messages; calls that still wait are answered. */
  finish(): ChatMessage[] {
    this.#addResults([]);
    return this.#out;
  }

  #toCall(block: ContentBlockParam & { type: "tool_use" }): ChatToolCall {
    const name = toFunctionName(block.name);
    const id = this.#ids.next(block.id, name);
    this.#waiting.push({ clientId: block.id, name, id });
    return { id, type: "function", function: { name, arguments: JSON.stringify(block.input) } };
  }

  /** Adds a tool message for each waiting call; gives what tool messages cannot hold. */
  #addResults(results: ToolResultParam[]): ChatPart[] {
    const rest = [...results];
    const extra: ChatPart[] = [];
    for (const { clientId, name, id } of this.#waiting) {
      const at = rest.findIndex((result) => result.tool_use_id === clientId);
      const result = at < 0 ? undefined : rest.splice(at, 1)[0];
      const parts = toPartsOf(result?.content, this.#options);
      const images = parts.filter((part) => part.type !== "text");
      const seen = images.length > 0 ? "(the image follows the tool results)" : NO_OUTPUT;
      let content = toText(parts) || (result ? seen : NO_RESULT);
      if (result?.is_error && !/error/i.test(content.slice(0, 40))) content = `Error: ${content}`;
      if (!result) this.#options.warn(`Cannot find the result of tool call '${clientId}'`);
      this.#out.push({ role: "tool", tool_call_id: id, content });
      if (images.length > 0) extra.push({ type: "text", text: `Result of ${name}:` }, ...images);
    }
    this.#waiting = [];
    for (const result of rest) {
      this.#options.warn(`Cannot find the tool call of result '${result.tool_use_id}'`);
      const parts = toPartsOf(result.content, this.#options);
      extra.push({ type: "text", text: "Result of an earlier tool call:" }, ...parts);
    }
    return extra;
  }

  #addUser(parts: ChatPart[]): void {
    if (parts.length === 0) return;
    const last = this.#out.at(-1);
    if (last?.role !== "user") {
      this.#out.push({ role: "user", content: toContent(parts) });
      return;
    }
    // An assistant turn that came to nothing stood between: many templates want roles to alternate.
    const before: ChatPart[] = typeof last.content === "string" ? [{ type: "text", text: last.content }] : last.content;
    last.content = toContent([...before, ...parts]);
  }
}

/** Whether a turn carries words of the user's, as opposed to tool results and reminders only. */
function isPrompt(turn: Turn): boolean {
  return turn.side === "client" &&
    turn.messages.some(({ role, content }) =>
      role === "user" && toBlocks(content).every((block) => block.type !== "tool_result")
    );
}

/**
 * Translates `messages`, repairing what strict hosts refuse.
 *
 * Results follow their calls directly and in the order of the calls, whatever order they came in;
 * a missing result is filled in, an orphan becomes user text. Text beside results comes after them.
 * System messages from the middle become reminders. Reasoning is sent back only for the running
 * tool loop, and only to families that need it.
 */
export function toChatMessages(messages: MessageParam[], family: Family, options: ContentOptions): ChatMessage[] {
  const conversation = new Conversation(options, family.toolCallIds);
  const turns = toTurns(messages);
  const loopStart = turns.findLastIndex(isPrompt);
  turns.forEach((turn, i) => {
    const replay = family.replaysReasoning === true && i > loopStart;
    if (turn.side === "client") conversation.addClient(turn.messages);
    else conversation.addAssistant(turn.messages, replay);
  });
  return conversation.finish();
}
