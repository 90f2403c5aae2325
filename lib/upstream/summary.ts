import { ApiError } from "../wire/errors.ts";
import type { Candidate } from "../routing/candidate.ts";
import type { PromptTokens } from "./token_ledger.ts";
import { type FaultKind, toOverflowError, UpstreamFault } from "./faults.ts";

/** Candidates in the order they were asked first, with the last fault of each. */
type Tried = ReadonlyMap<Candidate, ApiError>;

/** Kinds that say what is wrong with the request. */
const REQUEST_KINDS: readonly FaultKind[] = ["context_overflow", "bad_request", "rejected_field", "output_cap"];
/** Which fault to tell of when all failed: what will pass before what will not. */
const TRUEST: readonly FaultKind[] = [
  ...(["rate_limited", "pool_full", "degraded", "gateway", "timeout", "cut"] as const),
  ...(["empty", "degenerate", "broken", "bad_key", "moved"] as const),
  ...REQUEST_KINDS,
  ...(["no_tools", "unavailable", "gone"] as const),
];

/** What is wrong with the request counts most where the first model says so: that is the one that was wanted. */
function toPlace(fault: ApiError, first: boolean): number {
  if (!(fault instanceof UpstreamFault)) return TRUEST.length;
  return first && REQUEST_KINDS.includes(fault.kind) ? -1 : TRUEST.indexOf(fault.kind);
}

/** The message of a fault, which names the model. */
export function toNamed({ model }: Candidate, { message }: ApiError): string {
  return message.includes(model) ? message : `${message} (${model})`;
}

/** Among overflows the one with the widest window, in the words on which Claude Code compacts. */
function toWidestOverflow(tried: Tried, tokens: Pick<PromptTokens, "count">): ApiError | undefined {
  const stated = [...tried].flatMap(([candidate, fault]) => {
    if (!(fault instanceof UpstreamFault && fault.kind === "context_overflow")) return [];
    const { limit = Infinity, total = 0, used = total } = fault.facts;
    // What the host has not counted, or only in part, is told as it was estimated.
    const counted = used > limit ? used : tokens.count(candidate);
    return counted > limit ? [{ counted, limit }] : [];
  });
  const [widest] = stated.sort((a, b) => b.limit - a.limit);
  return widest && toOverflowError(widest.counted, widest.limit);
}

/** Makes one error of all that went wrong: of the truest kind, naming what else was tried and why it failed. */
export function summarizeFaults(tried: Tried, tokens: Pick<PromptTokens, "count">): ApiError {
  const ranked = [...tried].map(([candidate, fault], i) => ({ candidate, fault, place: toPlace(fault, i === 0) }));
  const [truest, ...others] = ranked.sort((a, b) => a.place - b.place);
  if (!truest) return new ApiError("api_error", "No model is configured");
  const { fault } = truest;
  if (fault instanceof UpstreamFault && fault.kind === "context_overflow") {
    return toWidestOverflow(tried, tokens) ?? fault;
  }
  if (others.length === 0) return fault;
  const { type, status, headers } = fault;
  const message = ranked.map(({ candidate, fault }) => toNamed(candidate, fault)).join("; also tried: ");
  return new ApiError(type, message, { status, headers, cause: fault });
}
