import type { MessageContent, MessagesRequest } from "../wire/anthropic.ts";
import { isJsonObject } from "../wire/json.ts";

/** What Claude Code wants with a request: a turn of its main loop or of a subagent, or something on the side. */
export type RequestKind =
  | "main"
  | "subagent"
  | "compaction"
  | "title"
  | "quota"
  | "safety"
  | "suggestion"
  | "file_paths"
  | "command_prefix"
  | "web_search"
  | "web_page"
  | "auxiliary";

/** The classifier's system prompt has 141,000 characters, that of a turn rarely more than 20,000. */
const LEAST_SAFETY_SYSTEM = 20_000;

/** The classifier asks for 64 to 10,240 tokens, a turn for 32,000 and more unless the user says less. */
const MOST_SAFETY_TOKENS = 16_384;

/** The summary of a page comes with two short blocks; the main prompt is never below 5,700 characters. */
const MOST_PAGE_SYSTEM = 2000;

/** How a block of the system prompt begins in old versions' side requests. */
const PREFIX_TASK = "Your task is to process Bash commands that an AI coding agent wants to run";
const PATHS_TASK = "Extract any file paths that this command reads or modifies";
const SUMMARY_TASK = "You are a helpful AI assistant tasked with summarizing conversations";
const TOPIC_TASK = "Analyze if this message indicates a new conversation topic";

/** The texts of content, block by block; blocks of other types are left out. */
function toTexts(content: MessageContent | null | undefined): string[] {
  if (typeof content === "string") return [content];
  return content?.flatMap((block) => block.type === "text" ? [block.text] : []) ?? [];
}

/**
 * The text of a request without tools that is a single question: one message of the user's and nothing but text in it.
 * Old versions put the beginning of the answer after it, as a message of the assistant's.
 */
export function toQuestion({ messages: [message, ...others], tools }: MessagesRequest): string | undefined {
  const alone = others.length === 0 || (others.length === 1 && others[0]?.role === "assistant");
  if (tools?.length || !alone || message?.role !== "user") return undefined;
  const texts = toTexts(message.content);
  return typeof message.content !== "string" && texts.length < message.content.length ? undefined : texts.join("");
}

const asks = (request: MessagesRequest, ...beginnings: string[]): boolean =>
  beginnings.some((beginning) => toQuestion(request)?.startsWith(beginning));

const isTold = (request: MessagesRequest, beginning: string): boolean =>
  toTexts(request.system).some((text) => text.trimStart().startsWith(beginning));

const toSystemSize = ({ system }: MessagesRequest): number =>
  toTexts(system).reduce((sum, text) => sum + text.length, 0);

/** The schema an answer must satisfy has a title. */
function wantsTitle({ output_config }: MessagesRequest): boolean {
  const { type, schema } = output_config?.format ?? {};
  return type === "json_schema" && isJsonObject(schema?.properties) && Object.hasOwn(schema.properties, "title");
}

/** Whether an old version asks for a topic and its title, as JSON without a schema. */
export function asksForTopic(request: MessagesRequest): boolean {
  return isTold(request, TOPIC_TASK) && asks(request, "");
}

/** The head of the system prompt, unless it is switched off, says so. */
const isBilledToSubagent = ({ system }: MessagesRequest): boolean =>
  /^x-anthropic-billing-header:.*\bcc_is_subagent=true;/.test(toTexts(system)[0] ?? "");

/** Whether one of the hints is given: a header of Claude Code's without its `x-claude-`, or a value it must have. */
function isHinted(headers: Headers, hints: string): boolean {
  return hints.split(" ").some((hint) => {
    const [name, value] = hint.split("=");
    const given = headers.get(`x-claude-${name}`);
    return value === undefined ? given !== null : given === value;
  });
}

/**
 * How each kind is known, the first row that fits counts: by Claude Code's hint headers, or by a shape nobody can type.
 * A suggestion, a recap and a new compaction differ from a turn by the user's text only: without hints they are turns.
 */
const KIND_ROWS: readonly (readonly [RequestKind, shaped: (asked: MessagesRequest) => boolean, hints?: string])[] = [
  [
    "safety",
    (asked) =>
      asks(asked, "<transcript>") && asked.stream !== true && asked.max_tokens <= MOST_SAFETY_TOKENS &&
      toSystemSize(asked) >= LEAST_SAFETY_SYSTEM,
  ],
  ["quota", (asked) => asked.max_tokens === 1 && toQuestion(asked) === "quota"],
  ["command_prefix", (asked) => isTold(asked, PREFIX_TASK) && asks(asked, "<policy_spec>", "Command:")],
  ["file_paths", (asked) => isTold(asked, PATHS_TASK) && asks(asked, "Command:")],
  ["web_search", (asked) =>
    asked.tools?.length === 1 && !!asked.tools[0]?.type?.startsWith("web_search_") &&
    asks({ ...asked, tools: [] }, "Perform a web search for the query:")],
  ["web_page", (asked) => asks(asked, "\nWeb page content:") && toSystemSize(asked) <= MOST_PAGE_SYSTEM],
  ["compaction", (asked) => isTold(asked, SUMMARY_TASK), "code-compaction code-request-class=compaction"],
  [
    "title",
    (asked) => wantsTitle(asked) ? asks(asked, "<session>") : asksForTopic(asked),
    "1p-request-class=summary-extraction",
  ],
  ["suggestion", () => false, "1p-request-class=followup-generation"],
  ["subagent", isBilledToSubagent, "code-agent-id code-request-class=subagent 1p-request-class=blocking-subagent"],
  ["auxiliary", ({ tools }) => !tools?.length, "code-request-class=auxiliary"],
];

/**
 * Tells what a request of Claude Code's is for. Nothing a user types or quotes changes it: texts count only where the
 * client writes them, in its headers, its system prompt, or a question without tools.
 */
export function toRequestKind(headers: Headers, request: MessagesRequest): RequestKind {
  const all = isHinted(headers, "code-request-class 1p-request-class");
  const row = KIND_ROWS.find(([, fits, hints = ""]) => isHinted(headers, hints) || (!(all && hints) && fits(request)));
  return row?.[0] ?? "main";
}
