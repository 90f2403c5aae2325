import { parseTolerant } from "../dialects/tolerant_json.ts";
import { isJsonObject, parseJson } from "../wire/json.ts";

/** No more of a body is looked at when it is not JSON, in characters. */
const MAX_BODY = 20_000;
/** What a user is shown of a body, and what is matched: the beginning says what happened, the rest quotes. */
const [MAX_TEXT, MAX_MATCHED] = [1000, 600];
/** The quotations that are looked at: any other may be the user's own words, which must teach nothing. */
const QUOTED_NAME = /^.[\w.]{1,60}.$/;

/** Quotations; an apostrophe is no quote, and a quote that is not closed lasts to the end. */
const QUOTES = /"(?:[^"\\]|\\.)*(?:"|\\?$)|`[^`]*(?:`|$)|(?<!\w)'(?:[^'\\]|\\.|'(?=\w))*(?:'|\\?$)/gs;

/** Errors of Python printed as they are, with what programs put before them. */
const PRINTED = /^(?:Error code: \d+ - |\d+ validation errors?: ?)?(?=(?:\[ ?)?\{ ?["'])/;

/** Parses JSON; objects and lists also as Python prints them or with their end missing. */
function parseBody(text: string): unknown {
  const tolerated = () => /^[[{]/.test(text) ? parseTolerant(text.slice(0, MAX_BODY))?.value : undefined;
  return parseJson(text) ?? tolerated();
}

/** Finds the sentence in an error of any shape; of pydantic's entries where and what, not what the user had sent. */
function findSentence(error: unknown, depth = 0): string {
  if (typeof error === "string") return error;
  if (depth > 5) return "";
  if (Array.isArray(error)) {
    return error.slice(0, 20).map((entry) => findSentence(entry, depth + 1)).filter(Boolean).join("; ");
  }
  if (!isJsonObject(error)) return "";
  if (typeof error.msg === "string") {
    const path = (Array.isArray(error.loc) ? error.loc : []).filter((key) => /^(?:string|number)$/.test(typeof key));
    return [path.join("."), error.msg].filter(Boolean).join(": ");
  }
  const { error: inner, metadata, message, detail, title } = error;
  // OpenRouter itself says no more than "Provider returned error".
  const raw = isJsonObject(metadata) && typeof metadata.raw === "string" && (parseBody(metadata.raw) ?? metadata.raw);
  return [inner, raw, message, detail, title].map((value) => findSentence(value, depth + 1)).find(Boolean) ?? "";
}

function squeeze(text: string): string {
  const plain = /^\s*<(?:[!?]|html|head|body)/i.test(text) ? text.replace(/<[^<>]*>/g, " ") : text;
  return plain.replace(/\s+/g, " ").trim();
}

/** The sentence of a body, or the body; it may be JSON of several shapes, Python's, HTML, text or empty. */
function unwrap(body: string): string {
  const text = body.trimStart();
  const sentence = /^[[{]\s*["'{]|^"/.test(text) ? findSentence(parseBody(text)) : "";
  return squeeze((sentence || body).slice(0, MAX_BODY));
}

/** Finds the sentence in an error body, for the user. */
export function toFaultText(body: string): string {
  return unwrap(body).slice(0, MAX_TEXT);
}

/** Finds what a server says in an error body, without what it quotes of the user. */
export function toServerWords(body: string): string {
  const text = unwrap(body);
  const printed = PRINTED.exec(text)?.[0];
  const words = printed === undefined ? text : printed + findSentence(parseBody(text.slice(printed.length)));
  return words
    .replace(/input_value=.{0,200}?, input_type=\w+/g, "")
    .replace(QUOTES, (quote) => QUOTED_NAME.test(quote) ? quote : '""')
    .slice(0, MAX_MATCHED);
}
