/** A JSON object whose fields nobody has checked yet. */
export type JsonObject = Record<string, unknown>;

/** A block of a request's content; a type not in this list is possible and must be tolerated. */
export type ContentBlockParam =
  | { type: "text"; text: string }
  | { type: "image"; source: JsonObject }
  | { type: "document"; source: JsonObject; title?: string | null; context?: string | null }
  | { type: "thinking"; thinking: string; signature?: string }
  | { type: "tool_use"; id: string; name: string; input: JsonObject }
  | ToolResultParam
  | { type: "tool_reference"; tool_name: string };

/** What thinking of other models is signed with: some clients drop a block that has no signature. */
export const UNSIGNED = "unsigned";

/** The content of a message: plain text or blocks. */
export type MessageContent = string | ContentBlockParam[];

/** What a tool gave back; blocks may be text, image, document or tool_reference. */
export type ToolResultParam = {
  type: "tool_result";
  tool_use_id: string;
  content?: MessageContent;
  is_error?: boolean;
};

/** One entry of `messages`; Claude Code also sends `system` in the middle of a conversation. */
export type MessageParam = { role: "user" | "assistant" | "system"; content: MessageContent };

/** A tool of the client; Anthropic's own server tools have no `input_schema`. */
export type ToolParam = { name: string; description?: string; input_schema?: JsonObject; type?: string | null };

/** How the model may use tools. */
export type ToolChoice = { type: "auto" | "any" | "tool" | "none"; name?: string; disable_parallel_tool_use?: boolean };

/** The body of `POST /v1/messages`, with the fields this proxy reads; `output_format` is the older place. */
export type MessagesRequest = {
  model: string;
  messages: MessageParam[];
  max_tokens: number;
  system?: MessageContent;
  stream?: boolean;
  tools?: ToolParam[];
  tool_choice?: ToolChoice;
  stop_sequences?: string[];
  temperature?: number;
  top_p?: number;
  top_k?: number;
  thinking?: { type: string; budget_tokens?: number };
  output_config?: { effort?: string; format?: { type: string; schema?: JsonObject } };
  output_format?: { type: string; schema?: JsonObject };
};

/** Token counts of a message, in Anthropic's terms: `input_tokens` excludes what was cached. */
export type Usage = {
  input_tokens: number;
  output_tokens: number;
  cache_read_input_tokens: number;
  cache_creation_input_tokens: number;
};

/** Why a message ended. */
export type StopReason = "end_turn" | "max_tokens" | "stop_sequence" | "tool_use";

/** A block of an answer. */
export type ContentBlock =
  | { type: "text"; text: string }
  | { type: "thinking"; thinking: string; signature: string }
  | { type: "tool_use"; id: string; name: string; input: JsonObject };

/** An answer, whole. */
export type Message = {
  id: string;
  type: "message";
  role: "assistant";
  model: string;
  content: ContentBlock[];
  stop_reason: StopReason | null;
  stop_sequence: string | null;
  usage: Usage;
};

/** What a `content_block_delta` appends. */
export type BlockDelta =
  | { type: "text_delta"; text: string }
  | { type: "thinking_delta"; thinking: string }
  | { type: "signature_delta"; signature: string }
  | { type: "input_json_delta"; partial_json: string };

/** What a `message_delta` changes. */
export type MessageDelta = { stop_reason: StopReason | null; stop_sequence: string | null };

/** One event of a streamed answer. */
export type MessageStreamEvent =
  | { type: "message_start"; message: Message }
  | { type: "content_block_start"; index: number; content_block: ContentBlock }
  | { type: "content_block_delta"; index: number; delta: BlockDelta }
  | { type: "content_block_stop"; index: number }
  | { type: "message_delta"; delta: MessageDelta; usage: Partial<Usage> }
  | { type: "message_stop" }
  | { type: "ping" };

/** An event of an earlier tool, which clients pass over: a request has come into a lane, so many milliseconds old. */
export type VisualizationEvent = {
  type: "ncp_visualization";
  request_id: string;
  at: number;
  lane: string;
  model?: string;
  left?: string;
  why?: string | undefined;
};
