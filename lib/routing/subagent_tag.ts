import type { MessageContent, MessagesRequest } from "../wire/anthropic.ts";

/** claude-code-router's way to give a subagent a model: the first thing in its prompt. */
const SUBAGENT_TAG = /^<CCR-SUBAGENT-MODEL>([^<>]*)<\/CCR-SUBAGENT-MODEL>\s*/;

/** Changes content, or each of its text blocks. */
function mapText(content: MessageContent, change: (text: string) => string): MessageContent {
  if (typeof content === "string") return change(content);
  return content.map((block) => block.type === "text" ? { ...block, text: change(block.text) } : block);
}

/**
 * Takes the model from `<CCR-SUBAGENT-MODEL>provider,model</CCR-SUBAGENT-MODEL>`, and the tag from what is sent on.
 *
 * The tag counts where the client writes it: at the very beginning of the system prompt or of one of its blocks, and for
 * a subagent also of a text of its first user message. Quoted anywhere else it is only text.
 *
 * @param subagent Whether the request is a subagent's.
 * @returns The model as it was written, with its provider; the request is not changed, a new one takes its place.
 */
export function takeSubagentModel(
  request: MessagesRequest,
  subagent: boolean,
): { model?: string; request: MessagesRequest } {
  const found: string[] = [];
  const strip = (text: string) => text.replace(SUBAGENT_TAG, (_, model: string) => (found.push(model.trim()), ""));
  const { system, messages } = request;
  const first = subagent ? messages.findIndex(({ role }) => role === "user") : -1;
  const taken = {
    ...request,
    ...(system ? { system: mapText(system, strip) } : {}),
    messages: messages.map((message, i) =>
      i === first ? { ...message, content: mapText(message.content, strip) } : message
    ),
  };
  const model = found.find(Boolean);
  return found.length === 0 ? { request } : { ...(model ? { model } : {}), request: taken };
}
