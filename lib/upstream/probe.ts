import { type Candidate, toKey } from "../routing/candidate.ts";
import { NO_LIMITS } from "../routing/rate_limits.ts";
import { toModel, toSuccessors } from "../models/roster.ts";
import { createMemoryStore } from "../store/memory_store.ts";
import type { Store } from "../store/store.ts";
import { USER_AGENT } from "../version.ts";
import { type Clock, systemClock } from "../wire/clock.ts";
import type { Fetch } from "../wire/fetch.ts";
import { isJsonObject, parseJson } from "../wire/json.ts";
import { Accounts, isSameAccount } from "./accounts.ts";
import { toCall } from "./call.ts";
import { Deadline } from "./deadline.ts";
import { FAULT_KINDS, type FaultKind, toUpstreamFault, UpstreamFault } from "./faults.ts";
import { LearnedFacts } from "./learned.ts";
import { toLessons } from "./lessons.ts";
import { patientFetch } from "./patient_fetch.ts";
import { PROTOCOLS, toUpstreamHeaders } from "./protocol.ts";
import { MAX_REFUSAL_BYTES, readLimited } from "./read_limited.ts";

/** How a model was found: it answers, refuses, is silent, cannot be asked for want of a key, was not asked. */
export type ProbeState = "ok" | "fail" | "timeout" | "unknown" | "skipped";

/** What asking a model came to: after how many milliseconds, why in a few words, and whom to ask instead. */
export type ProbeResult = {
  candidate: Candidate;
  state: ProbeState;
  ms: number;
  reason: string;
  /** The HTTP status of a refusal. */
  status?: number;
  /** A model of the roster that took its place. */
  successor?: string;
  /** When it was asked, in milliseconds since 1970, if that was earlier. */
  at?: number;
};

/** Options of {@linkcode probeModels}. */
export interface ProbeOptions {
  /** Told each result as it comes. */
  onResult?: (result: ProbeResult) => void;
  /** Whether none is asked at all. @default {false} */
  skip?: boolean;
  /** Milliseconds for which an earlier result will do, for all or for each; passing troubles never do. @default {0} */
  maxAge?: number | ((candidate: Candidate) => number);
  /** Milliseconds a model is given. @default {8_000} */
  timeout?: number;
  /** Where results and what models teach are kept. @default {memory} */
  store?: Store;
  /** Fires when nobody waits any more. */
  signal?: AbortSignal;
  /** `fetch` for upstream calls. @default {globalThis.fetch} */
  fetch?: Fetch;
  /** The clock that time limits run on. @default {systemClock} */
  clock?: Clock;
}

/** What results are kept under in a store, before the key of the candidate. */
export const PROBE_PREFIX = "probe ";
/** Most models of one account that are asked at once. */
const PROBES_AT_ONCE = 8;
const PROBE = { messages: [{ role: "user", content: "Hi" }], max_tokens: 1, stream: false };

/** Kinds of faults in a few words, where the kind's own name will not do. */
const REASONS: Readonly<Partial<Record<FaultKind, string>>> = {
  bad_key: "wrong key",
  rate_limited: "too many calls",
  pool_full: "overloaded",
  gateway: "overloaded",
  unavailable: "not for your account",
  broken: "broken answer",
  timeout: "no answer in time",
};

/** Lets a quarter of an account's quota go in half of its time: half of the quota is left for work. */
function toGentle({ backend, ...candidate }: Candidate): Candidate {
  const { limit, window, concurrency } = backend.limits ?? NO_LIMITS;
  const most = Math.min(concurrency || PROBES_AT_ONCE, PROBES_AT_ONCE);
  const limits = { limit: limit && Math.ceil(limit / 4), window: window / 2, concurrency: most };
  return { ...candidate, backend: { ...backend, limits } };
}

function toReason(fault: UpstreamFault, { model, traits = toModel(model) }: Candidate): string {
  const { kind, facts: { until }, cause } = fault;
  const date = until === undefined ? traits.gone : new Date(until).toISOString().slice(0, 10);
  if (kind === "gone" && date) return `gone since ${date}`;
  if (cause !== undefined) return "cannot be reached"; // Only what fetch threw has a cause.
  return REASONS[kind] ?? kind.replaceAll("_", " ");
}

function findSuccessor({ model, traits }: Candidate): string | undefined {
  const rows = traits?.successor === undefined ? [] : [{ id: model, successor: traits.successor }];
  return toSuccessors(model, rows).find((id) => !toModel(id).gone);
}

/** A result as a store has kept it, if it is no older than is wanted. */
function toKept(value: unknown, candidate: Candidate, now: number, maxAge: number): ProbeResult | undefined {
  if (!isJsonObject(value) || !(now - Number(value.at) < maxAge)) return undefined;
  const result = value as unknown as ProbeResult;
  return result.state === "ok" || result.state === "fail" ? { ...result, candidate } : undefined;
}

/** Whether a candidate answered when it was last asked, and that is not too long ago. */
export async function hasAnswered(
  candidate: Candidate,
  { store, maxAge, now = Date.now() }: { store: Store; maxAge: number; now?: number },
): Promise<boolean> {
  const key = PROBE_PREFIX + toKey(candidate);
  return toKept(await store.get(key), candidate, now, maxAge)?.state === "ok";
}

/**
 * Asks each candidate for one token, as many at a time as their accounts can spare, and tells which of them answer.
 *
 * What they teach is kept as that of other requests is; an account whose key is refused is not asked any further.
 * Rejects only with the reason of its signal.
 */
export async function probeModels(
  candidates: readonly Candidate[],
  {
    onResult = () => {},
    skip = false,
    maxAge = 0,
    timeout = 8_000,
    store = createMemoryStore(),
    signal = new AbortController().signal,
    fetch = patientFetch,
    clock = systemClock,
  }: ProbeOptions = {},
): Promise<ProbeResult[]> {
  const accounts = new Accounts(clock, store);
  const learned = new LearnedFacts(store, clock);
  const refused: ProbeResult[] = [];
  await learned.sync();
  const kept = new Map(await store.list(PROBE_PREFIX).catch(() => []));

  const post = toCall(fetch);
  /** Asks for one token; throws what is wrong. */
  async function call(candidate: Candidate, signal: AbortSignal): Promise<void> {
    const { backend, model, profile } = candidate;
    const body = JSON.stringify({ ...profile?.extraBody, model, ...PROBE });
    const headers = toUpstreamHeaders(backend, { stream: false, userAgent: USER_AGENT, client: undefined });
    const url = PROTOCOLS[backend.format ?? "openai"].toUrl(backend.baseUrl);
    const { status, headers: received, ...answered } = await post(url, { method: "POST", headers, body, signal });
    const text = await readLimited(answered, MAX_REFUSAL_BYTES);
    if (status === 202) throw new UpstreamFault("pool_full", "The upstream has queued the request");
    const answer = parseJson(text);
    const ok = status >= 200 && status < 300;
    if (ok && isJsonObject(answer) && !answer.error) return;
    throw toUpstreamFault(ok ? 500 : status, text, candidate, received, clock.now());
  }

  async function ask(candidate: Candidate): Promise<ProbeResult> {
    const deadline = new Deadline(clock, signal, timeout);
    const began = clock.now();
    const toResult = (state: ProbeState, reason: string) => ({ candidate, state, ms: clock.now() - began, reason });
    try {
      await call(candidate, deadline.signal);
      learned.learnBack(candidate);
      return toResult("ok", "");
    } catch (thrown) {
      signal.throwIfAborted();
      const fault = deadline.explain(thrown);
      if (!(fault instanceof UpstreamFault)) return toResult("fail", fault.message);
      const { kind, status, facts: { retryAfter } } = fault;
      learned.learn(candidate, toLessons(fault, PROBE.max_tokens));
      if (kind === "rate_limited") accounts.refuse(toGentle(candidate), retryAfter);
      const successor = FAULT_KINDS[kind].account ? undefined : findSuccessor(candidate);
      const result = toResult(kind === "timeout" ? "timeout" : "fail", toReason(fault, candidate));
      return { ...result, status, ...(successor === undefined ? {} : { successor }) };
    } finally {
      deadline.close();
    }
  }

  async function probe(candidate: Candidate): Promise<ProbeResult> {
    const { backend } = candidate;
    if (skip) return { candidate, state: "skipped", ms: 0, reason: "" };
    if (backend.lacks) return { candidate, state: "unknown", ms: 0, reason: `no key: set ${backend.lacks}` };
    const key = PROBE_PREFIX + toKey(candidate);
    const age = typeof maxAge === "number" ? maxAge : maxAge(candidate);
    const earlier = toKept(kept.get(key), candidate, clock.now(), age);
    if (earlier) return earlier;
    const leave = await accounts.windowOf(toGentle(candidate).backend).enter("background", signal);
    try {
      const other = refused.find((one) => isSameAccount(one.candidate.backend, backend));
      if (other) return { ...other, candidate, ms: 0 };
      const result = await ask(candidate);
      if (result.status === 401) refused.push(result);
      // Troubles that pass are not worth remembering.
      const lasts = result.state === "ok" || result.status === 404;
      const { candidate: _, ...rest } = result;
      if (lasts || kept.has(key)) {
        await store.set(key, lasts ? { at: clock.now(), ...rest } : undefined).catch(() => {});
      }
      return result;
    } finally {
      leave();
    }
  }

  const results = await Promise.all(candidates.map(async (candidate) => {
    const result = await probe(candidate);
    onResult(result);
    return result;
  }));
  await learned.saved();
  return results;
}
