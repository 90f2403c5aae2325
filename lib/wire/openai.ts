import type { JsonObject } from "./anthropic.ts";

/** A part of a user message that holds more than text. */
export type ChatPart = { type: "text"; text: string } | { type: "image_url"; image_url: { url: string } };

/** A tool call of an assistant message in the history. */
export type ChatToolCall = {
  id: string;
  type: "function";
  function: { name: string; arguments: string };
  /** What hosts add; Gemini's is a signature. */
  extra_content?: JsonObject;
};

/** One message of a chat completion request. */
export type ChatMessage =
  | { role: "system"; content: string }
  | { role: "user"; content: string | ChatPart[] }
  | { role: "assistant"; content: string | null; reasoning_content?: string; tool_calls?: ChatToolCall[] }
  | { role: "tool"; tool_call_id: string; content: string };

/** A function the model may call. */
export type ChatTool = { type: "function"; function: { name: string; description?: string; parameters: JsonObject } };

/** The body of `POST /chat/completions`; a family may add fields of its own. */
export type ChatRequest = JsonObject & {
  model: string;
  messages: ChatMessage[];
  max_tokens: number;
  stream?: boolean;
  stream_options?: { include_usage: boolean };
  temperature?: number;
  top_p?: number;
  stop?: string[];
  tools?: ChatTool[];
  tool_choice?: "auto" | "none" | "required" | { type: "function"; function: { name: string } };
  parallel_tool_calls?: boolean;
  response_format?: JsonObject;
};

/** A tool call in an answer, or a piece of one: hosts leave out whatever they like. */
export type ToolCallDelta = {
  index?: number | null | undefined;
  id?: string | null | undefined;
  type?: string | null;
  function?: { name?: string | null | undefined; arguments?: unknown } | null;
};

/** The changing part of a chunk, or the `message` of a whole completion. */
export type ChatDelta = {
  content?: string | { type?: string; text?: string; thinking?: unknown }[] | null;
  refusal?: string | null;
  reasoning_content?: string | null;
  reasoning?: string | null;
  reasoning_details?: { text?: string; summary?: string }[] | null;
  tool_calls?: ToolCallDelta[] | null;
  function_call?: ToolCallDelta["function"];
};

/** Token counts as OpenAI-compatible hosts report them; the prompt includes what was cached. */
export type ChatUsage = {
  prompt_tokens?: number | null;
  completion_tokens?: number | null;
  prompt_tokens_details?: { cached_tokens?: number | null } | null;
  completion_tokens_details?: { reasoning_tokens?: number | null } | null;
};

/**
 * A choice of a chunk; vLLM names the stop string that ended it `stop_reason`, SGLang `matched_stop`. Moonshot has the
 * counts here.
 */
export type ChatChoice = {
  delta?: ChatDelta | null;
  message?: ChatDelta | null;
  finish_reason?: string | null;
  stop_reason?: unknown;
  matched_stop?: unknown;
  usage?: ChatUsage | null;
};

/** One chunk of a streamed completion; a whole completion has `message` for `delta`. */
export type ChatChunk = { choices?: ChatChoice[]; usage?: ChatUsage | null; error?: unknown };
