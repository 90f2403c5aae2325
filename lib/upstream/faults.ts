import type { Candidate } from "../routing/candidate.ts";
import { ApiError, type ApiErrorType } from "../wire/errors.ts";
import { toFaultText, toServerWords } from "./fault_text.ts";
import { OVERFLOW, parseLimits, type StatedLimits } from "./limits.ts";

/** What went wrong upstream: with the account, with the request, with the model or host, with the answer. */
export type FaultKind =
  | ("bad_key" | "moved" | "rate_limited")
  | ("bad_request" | "rejected_field" | "no_tools" | "context_overflow" | "output_cap")
  | ("pool_full" | "degraded" | "unavailable" | "gone" | "broken" | "gateway" | "timeout")
  | ("cut" | "empty" | "degenerate");

/**
 * What a kind of fault means. The chain mends the request and asks the same candidate again, asks the next one, leaves
 * the account and asks the next one of another, or stops. The model is avoided at once for `avoid` milliseconds; without,
 * its health counts the fault. `account` is whether the fault is the account's, `final` whether time cannot help.
 */
export type FaultMeaning = {
  type: ApiErrorType;
  then: "mend" | "next" | "leave" | "stop";
  avoid?: number;
  account?: true;
  final?: true;
};

const [AN_HOUR, A_DAY] = [3_600_000, 86_400_000];

/** All kinds of faults. */
export const FAULT_KINDS: Readonly<Record<FaultKind, FaultMeaning>> = {
  bad_key: { type: "authentication_error", then: "leave", account: true, final: true },
  moved: { type: "not_found_error", then: "leave", account: true, final: true },
  bad_request: { type: "invalid_request_error", then: "stop" },
  rejected_field: { type: "invalid_request_error", then: "mend" },
  no_tools: { type: "invalid_request_error", then: "next" },
  context_overflow: { type: "invalid_request_error", then: "mend" }, // Fewer output tokens may do.
  output_cap: { type: "invalid_request_error", then: "mend" },
  rate_limited: { type: "rate_limit_error", then: "next", avoid: 5_000, account: true }, // Models have limits, too.
  pool_full: { type: "overloaded_error", then: "next", avoid: 2_000 },
  degraded: { type: "overloaded_error", then: "next", avoid: 180_000 },
  unavailable: { type: "not_found_error", then: "next", avoid: AN_HOUR, final: true }, // Firewalls say 403, too.
  gone: { type: "not_found_error", then: "next", avoid: 30 * A_DAY, final: true },
  broken: { type: "api_error", then: "next" },
  gateway: { type: "overloaded_error", then: "next" },
  timeout: { type: "timeout_error", then: "next" },
  cut: { type: "overloaded_error", then: "next" },
  empty: { type: "overloaded_error", then: "next" },
  degenerate: { type: "api_error", then: "next" },
};

/** What a fault states besides: limits, milliseconds to wait, the day a model ends (in milliseconds since 1970). */
export type FaultFacts = StatedLimits & { retryAfter?: number; until?: number };

/** Claude Code does not retry at all when it is told to wait longer than this many seconds. */
const MAX_RETRY_AFTER = 60;
/** No `retry-after` is believed beyond this many milliseconds. */
const MAX_WAIT = 600_000;

type FaultOptions = { type?: ApiErrorType | undefined; status?: number; cause?: unknown };

/** A fault of an upstream, as the client sees it and as the chain reads it. */
export class UpstreamFault extends ApiError {
  /** What went wrong. */
  readonly kind: FaultKind;
  /** What else the upstream stated. */
  readonly facts: FaultFacts;

  /** Makes a fault of `kind`; `options` when the client's error has another type or status than the kind. */
  constructor(kind: FaultKind, message: string, facts: FaultFacts = {}, options: FaultOptions = {}) {
    const { type = FAULT_KINDS[kind].type, ...rest } = options;
    const headers: Record<string, string> = {};
    const wait = facts.retryAfter;
    if (wait !== undefined) headers["retry-after"] = String(Math.min(Math.ceil(wait / 1000), MAX_RETRY_AFTER));
    if (FAULT_KINDS[kind].final) headers["x-should-retry"] = "false";
    super(type, message, { headers, ...rest });
    this.kind = kind;
    this.facts = facts;
  }
}

/**
 * A kind, its statuses (none: any), its text or the limit it states, words for the user, in which `{key}` is what the key
 * is called, a type unlike the kind's.
 */
type FaultRow = [FaultKind, number[], RegExp | keyof StatedLimits, says?: string, type?: ApiErrorType];

const ANY = /(?:)/;
/** Refusals of a request; 500 is also the status of an error inside a stream that has none. */
const REFUSALS = [400, 413, 422, 500];
const TOO_LONG = "prompt is too long";
/** Hosts that say so with 400: OpenRouter, LM Studio (two), DeepSeek, SiliconFlow, Mistral, Z.ai. */
const NO_MODEL =
  /^(?:\S+ is not a valid model ID|Invalid model identifier|No models loaded|Model (?:Not|does not) Exist|Invalid model:|Unknown Model)/i;
const NO_TOOLS = /not support tools|found that support tool use|--enable-auto-tool-choice|--tool-call-parser/;
/** What Zen says of free models that end, and, since September 2026, of all to whoever is not OpenCode. */
const NO_LONGER_FREE =
  /^Model \S+ is not supported|^Free promotion has ended|OpenCode's free tier can only be used from/;
const MOVED = "The host sends to another address, which is not followed: correct its own";
const NOT_YOURS = "The model is not available to this account";
const WRONG_KEY = "The upstream refused the API key, check {key}";
const CHECK_KEY = "The API key is wrong or has no right to this model, check {key}";

/** The first row that fits counts; what none fits is `broken`. */
const FAULTS: readonly FaultRow[] = [
  ["degraded", [], /DEGRADED function/], // NIM 400, 2026-07: FCC#1012, 9router#2527
  ["pool_full", [], /ResourceExhausted|total request limit reached/], // NIM 503, inside streams, without a status
  ["gone", [], /reached its end of life/, "The model is gone"], // NIM 410, 2026-05
  ["gone", [400], /has been decommissioned and is no longer supported/, "The model is gone"], // Groq
  ["gone", [410], ANY, "The model is gone"],
  ["no_tools", [404, ...REFUSALS], NO_TOOLS, "The model is served without tools"], // Ollama, OpenRouter, NIM
  ["rejected_field", [404], /found that support the provided/], // OpenRouter, zed#36094
  ["unavailable", [404], /Not found for account/, NOT_YOURS], // NIM, FCC#1021
  ["unavailable", [404], ANY, "The upstream does not know this model, or its address is wrong"], // NIM "404 page not found"
  ["unavailable", [401, 403], NO_LONGER_FREE, NOT_YOURS],
  ["bad_key", [401], ANY, WRONG_KEY], // NIM, also empty
  ["bad_key", [400], /^(?:API key not valid|Incorrect API key provided)/, WRONG_KEY], // Gemini, xAI
  ["unavailable", [400], NO_MODEL, "The upstream does not have this model"],
  ["output_cap", [402], "cap"], // OpenRouter
  ["bad_key", [402], ANY, "The account has no credit, check {key}", "billing_error"], // NIM, credits of old accounts
  ["unavailable", [403], ANY, CHECK_KEY, "permission_error"], // NIM "Authorization failed", also for one model
  ["context_overflow", [413, 429], /Request too large for/, TOO_LONG], // Groq, OpenAI: for a whole minute, so forever
  ["rate_limited", [429], ANY], // NIM, hardly ever with retry-after
  ["rate_limited", [500], /\brate.?limit|too many requests/i], // Inside streams, where the code is a word
  ["context_overflow", REFUSALS, /prompt is too long/i], // Anthropic
  ["context_overflow", REFUSALS, /max_tokens must be at least 1, got -|greater than max_model_len/, TOO_LONG], // vLLM
  ["context_overflow", REFUSALS, /exceed max_num_tokens|exceeds maximum sequence length/, TOO_LONG], // TRT-LLM, Triton
  ["context_overflow", REFUSALS, /(?:maximum|model's) context l|context_length_exceeded/i, TOO_LONG], // vLLM, SGLang
  ["context_overflow", REFUSALS, /greater than the context length|with a larger context/, TOO_LONG], // LM Studio
  ["context_overflow", REFUSALS, OVERFLOW, TOO_LONG], // Claude Code 2.1.328 compacts on these as well
  ["output_cap", REFUSALS, "cap"], // FCC#955
  ["rejected_field", REFUSALS, "fields"], // NIM, kimi-cli#2534, 9router#1887; pydantic; Mistral's tokenizers
  ["timeout", [], /Decode wall clock timeout/], // NIM 500, after 600 s
  ["timeout", [408, 504], ANY], // NIM 504, empty, after 300 s
  ["moved", [301, 302, 303, 307, 308], ANY, MOVED],
  ["cut", [], /incomplete chunked read/], // NIM
  ["gateway", [], /temporarily overloaded/], // NIM 503
  ["gateway", [400], /^Failed to load model/], // LM Studio
  ["gateway", [502, 503, 529], ANY], // NIM, HTML or empty
  ["broken", [200], ANY, "The host answers with a page, not like a model: check its address"], // Log-ins, wrong paths
  ["degenerate", [400], /failed to call a function|tool call validation failed|output that could not be parsed/i], // Groq
  ["bad_request", [413], ANY, "", "request_too_large"],
  ["bad_request", [400, 422], ANY],
];

/** Milliseconds to wait, of a `retry-after` in seconds or as a date. */
function toWait(value: string, now: number): number | undefined {
  const isNumber = /^\d+(?:\.\d+)?$/.test(value);
  const ms = isNumber ? Number(value) * 1000 : / GMT$/.test(value) ? Date.parse(value) - now : NaN;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_WAIT);
}

/** Shorter keys are placeholders, and may be words of the text. */
const LEAST_SECRET_CHARS = 8;

/** A text of a host without the key it was asked with: some repeat it. */
function hideKey(text: string, { apiKey = "", keyName = "(key)" }: Candidate["backend"]): string {
  return apiKey.length < LEAST_SECRET_CHARS ? text : text.replaceAll(apiKey, keyName);
}

/** Makes the fault of an upstream's error; `status` may also be the `code` of an error inside a stream. */
export function toUpstreamFault(
  status: number,
  answered: string,
  { model, backend }: Candidate,
  headers?: Pick<Headers, "get">,
  now: number = Date.now(),
): UpstreamFault {
  const { keyName = "its API key" } = backend;
  const body = hideKey(answered, backend);
  const words = toServerWords(body);
  const limits = parseLimits(words);
  const fits = ([, statuses, sign]: FaultRow) =>
    (statuses.length === 0 || statuses.includes(status)) &&
    (typeof sign === "string" ? limits[sign] !== undefined : sign.test(words));
  const [kind, , , says = "", type] = FAULTS.find(fits) ?? ["broken", [], ANY];
  const facts: FaultFacts = FAULT_KINDS[kind].then === "mend" ? limits : {};
  const until = Date.parse(/end of life on (\d{4}-\d\d-\d\d)/.exec(words)?.[1] ?? "");
  if (kind === "gone" && !Number.isNaN(until)) facts.until = until;
  const said = /\b(?:re)?try (?:again )?in (\d+(?:\.\d+)?) ?s/.exec(words)?.[1] ?? ""; // Gemini, OpenAI
  const retryAfter = toWait(headers?.get("retry-after") ?? said, now);
  if (retryAfter !== undefined) facts.retryAfter = retryAfter;
  const message = [says.replace("{key}", keyName), toFaultText(body)].filter(Boolean).join(": ") ||
    "The upstream failed";
  return new UpstreamFault(kind, `${message} (${model}, status ${status})`, facts, { type });
}

/** Makes the error on which every Claude Code compacts the conversation: it goes by these words. */
export function toOverflowError(used: number, limit: number): ApiError {
  return new ApiError("invalid_request_error", `prompt is too long: ${used} tokens > ${limit} maximum`);
}
