import type { MessagesRequest } from "../wire/anthropic.ts";
import { isJsonObject } from "../wire/json.ts";
import { toCommandPrefix, toFilePaths } from "./command_answers.ts";
import { asksForTopic, type RequestKind, toQuestion } from "./request_kind.ts";

/** A side request that needs no model, by the name a user switches it with. */
export type LocalAnswer = "title" | "quota" | "suggestion" | "filepaths" | "prefix";

/** All of them. */
export const LOCAL_ANSWERS: readonly LocalAnswer[] = ["title", "quota", "suggestion", "filepaths", "prefix"];
/** Those that are on unless the user says otherwise: nobody misses a model there. */
export const USUAL_ANSWERS: readonly LocalAnswer[] = ["title", "quota"];

/** Claude Code's own instructions for a title say 3 to 7 words. */
const MOST_WORDS = 6;

/** Letters that take two columns and stand without blanks between words. */
const WIDE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;

/** What no title is made of: code, what the client adds in tags, tags, marks of Markdown, a command at the beginning. */
const NO_TITLE = [
  /```[^]*?(?:```|$)/g,
  /<(system-reminder|[a-z]+-command-\w+|command-\w+)>[^]*?<\/\1>/g,
  /<[^<>]*>/g,
  /^[\s#>*-]*(?:\/[\w:-]+(?=\s|$)|\d+[.)]\s)?|[`*]+|__+/gm,
];

/** A few words that name a session: the beginning of the first sentence in which the user says something. */
function toTitle(text: string): string {
  const plain = NO_TITLE.reduce((text, pattern) => text.replace(pattern, ""), text.slice(0, 4000));
  const sentence = plain.split(/[.!?;:,]+(?:\s|$)|[。！？；]|\n/).find((part) => /[\p{L}\p{N}]/u.test(part));
  const words = (sentence ?? "New session").trim().split(/\s+/).slice(0, MOST_WORDS).join(" ");
  const most = WIDE.test(words) ? 25 : 50; // In both cases 50 columns, which fit a line of Claude Code's list.
  const letters = [...words];
  const fitting = letters.slice(0, most).join("");
  const title = letters.length > most && letters[most] !== " " ? fitting.replace(/(\S) \S*$/, "$1") : fitting;
  const [first = ""] = title;
  return first.toUpperCase() + title.slice(first.length).trimEnd();
}

/** Whether a title alone satisfies a schema; limits on the title are for a model. */
function isTitleSchema({ properties, required }: Record<string, unknown>): boolean {
  const title = isJsonObject(properties) ? properties.title : undefined;
  return isJsonObject(title) && title.type === "string" &&
    Object.keys(title).every((key) => ["type", "description"].includes(key)) &&
    JSON.stringify(required) === '["title"]';
}

function toTitleAnswer(question: string, request: MessagesRequest): string | undefined {
  const schema = request.output_config?.format?.schema;
  const session = /^<session>([^]*?)(?:<\/session>|$)/.exec(question)?.[1];
  if (schema && isTitleSchema(schema) && session !== undefined) return JSON.stringify({ title: toTitle(session) });
  if (schema || !asksForTopic(request)) return undefined;
  const answer = JSON.stringify({ isNewTopic: true, title: toTitle(question) });
  return request.messages.length === 1 ? answer : answer.slice(1); // The client has written the first brace itself.
}

/** What answers which kind. A check of safety has no row: a wrong answer could run a command nobody approved. */
const ANSWER_ROWS: Record<
  LocalAnswer,
  readonly [kind: RequestKind, answer: (question: string, request: MessagesRequest) => string | undefined]
> = {
  title: ["title", toTitleAnswer],
  quota: ["quota", () => "OK"],
  // Claude Code takes this for no suggestion; an empty message would make it ask once more.
  suggestion: ["suggestion", () => "(silence)"],
  filepaths: ["file_paths", toFilePaths],
  prefix: ["command_prefix", toCommandPrefix],
};

/** What Claude Code's WebSearch gives to the model that called it, where a model without a web would make results up. */
const NO_SEARCH = "Nothing was searched: WebSearch runs on Anthropic's servers, and this session uses other models. " +
  "There are no sources. Try WebFetch with an address you know, or a search tool of an MCP server; else tell the user " +
  "that the web could not be searched.";

/**
 * Answers a side request without a model, if it wants what no model here can do, or if the user has switched that on and
 * the answer is plain to see.
 *
 * @returns The text to answer with; nothing if a model must be asked.
 */
export function toLocalAnswer(
  kind: RequestKind,
  request: MessagesRequest,
  on: ReadonlySet<LocalAnswer>,
): string | undefined {
  if (kind === "web_search") return NO_SEARCH;
  const name = LOCAL_ANSWERS.find((name) => ANSWER_ROWS[name][0] === kind);
  return name && on.has(name) ? ANSWER_ROWS[name][1](toQuestion(request) ?? "", request) : undefined;
}
