import type { MessagesRequest } from "../wire/anthropic.ts";

/** How urgent a request is: the main loop before subagents, before what the user does not wait for. */
export type Priority = "main" | "subagent" | "background";

/**
 * Tells how urgent a request of Claude Code's is: its subagents name themselves in a header, and what has no tools is a
 * title, a summary of a page or a check of a command.
 */
export function toPriority(headers: Headers, { tools }: MessagesRequest): Priority {
  if (headers.get("x-claude-code-request-class") === "auxiliary") return "background";
  if (headers.has("x-claude-code-agent-id")) return "subagent";
  return tools && tools.length > 0 ? "main" : "background";
}
