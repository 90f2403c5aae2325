import type { Store } from "../store/store.ts";
import type { MessagesRequest } from "../wire/anthropic.ts";
import { type Clock, sleep } from "../wire/clock.ts";
import { ApiError, toApiError } from "../wire/errors.ts";
import type { Fetch } from "../wire/fetch.ts";
import type { NewId } from "../wire/ids.ts";
import { iterate } from "../wire/iterate.ts";
import { isSameJson } from "../wire/json.ts";
import { onAbort } from "../wire/signal.ts";
import { type Accounts, isSameAccount } from "./accounts.ts";
import { attempt } from "./attempt.ts";
import { mayPass, toBackOff } from "./back_off.ts";
import type { Call } from "./call.ts";
import { type Candidate, toKey } from "../routing/candidate.ts";
import { PRIORITIES } from "../routing/priority.ts";
import type { Answer, Send, SendOptions } from "./send.ts";
import { Cuts } from "./cuts.ts";
import { Deadline } from "./deadline.ts";
import { FAULT_KINDS, UpstreamFault } from "./faults.ts";
import { type FittingRequest, MIN_OUTPUT_TOKENS, toFittingRequest } from "./fit.ts";
import { Health } from "./health.ts";
import { LearnedFacts } from "./learned.ts";
import { toLessons } from "./lessons.ts";
import { orderCandidates } from "./order.ts";
import { LastRefusal } from "./refusal.ts";
import { summarizeFaults, toNamed } from "./summary.ts";
import type { PromptTokens, TokenLedger } from "./token_ledger.ts";
import { toHeldUntil, toNeeded } from "./use.ts";

/** How upstreams are called. */
export interface ChainOptions {
  /** `fetch` for upstream calls. @default {globalThis.fetch, without its own time limits} */
  fetch?: Fetch;
  /** What calls upstreams, such as {@linkcode httpCall}. @default {what calls `fetch`} */
  call?: Call;
  /** Milliseconds until the first content of an answer must have come, whoever gives it. @default {600_000} */
  requestTimeout?: number;
  /**
   * Milliseconds one candidate is given for its first content while others are left, and one more for every two
   * bytes of the request, which a model has to read first. @default {120_000}
   */
  patience?: number;
  /** Milliseconds of silence allowed in the middle of an answer. @default {180_000} */
  idleTimeout?: number;
  /** Most output tokens to ask any model for. @default {Infinity} */
  maxTokens?: number;
  /** Most upstream calls for one request. @default {6} */
  maxAttempts?: number;
  /** Where what models teach is kept; proxies with one that is shared keep to limits together. @default {memory} */
  store?: Store;
  /** Sent upstream as `user-agent`. @default {"arbiter-proxy/" and the version} */
  userAgent?: string;
  /** The clock that time limits run on. @default {systemClock} */
  clock?: Clock;
  /** Gives a number from 0 to 1, for jitter. @default {Math.random} */
  random?: () => number;
  /** Makes ids of messages, requests and tool calls. @default {randomId} */
  newId?: NewId;
}

/** What a chain shares with others: what counts tokens, and the accounts of hosts. */
export type ChainParts = { ledger: TokenLedger; accounts: Accounts };

/** Milliseconds that must be left for another candidate to be asked. */
const MIN_LEFT = 5_000;
/** Milliseconds an output token may take where the answer comes only when it is whole. */
const TIME_PER_TOKEN = 20;
/** What a prompt is taken for, times the tokens at which its host stopped counting, where that is more than was thought. */
const UNCOUNTED = 1.2;

/** Milliseconds after which what other processes know is read again. */
const SYNC_PAUSE = 1_000;

/** Asks candidates until one answers, and remembers what their faults teach. */
class Chain {
  readonly #settings: Required<ChainOptions>;
  readonly #learned: LearnedFacts;
  readonly #health: Health;
  readonly #accounts: Accounts;
  readonly #cuts: Cuts;
  readonly #ledger: TokenLedger;
  readonly #refusal: LastRefusal;
  #loading: Promise<void> | undefined;
  /** When what others know is to be read again; never while that is going on. */
  #syncAt = Infinity;

  constructor(settings: Required<ChainOptions>, { ledger, accounts }: ChainParts) {
    this.#settings = settings;
    this.#ledger = ledger;
    this.#accounts = accounts;
    this.#learned = new LearnedFacts(settings.store, settings.clock);
    this.#health = new Health(settings.clock, settings.store);
    this.#cuts = new Cuts(settings.clock);
    this.#refusal = new LastRefusal(settings.clock);
  }

  /** See {@linkcode Send}. */
  async send(request: MessagesRequest, options: SendOptions): Promise<Answer> {
    const { clock, random, maxAttempts, requestTimeout } = this.#settings;
    const end = clock.now() + requestTimeout;
    const tried = new Map<Candidate, ApiError>();
    await this.load();
    if (clock.now() >= this.#syncAt) void this.#sync();
    let waiting = this.#order(request, options);
    let candidate = waiting.shift();
    const asks = new Map<Candidate, number>();
    for (let calls = 0; candidate && calls < maxAttempts; calls++) {
      const asked = asks.get(candidate) ?? 0;
      const { retryAttempts = 1, retryBaseDelayMs: own } = candidate.profile ?? {};
      const wait = toBackOff({ faults: tried.values(), asked, own, random: random() });
      if (tried.size > 0 && end - clock.now() - wait < MIN_LEFT) break;
      if (wait > 0) await sleep(clock, wait, options.signal);
      const wanted = candidate.traits?.wholeAnswers ? { ...request, stream: false } : request;
      const fitting = this.#toBody(wanted, candidate, options);
      const { body, warnings } = fitting;
      try {
        const refused = this.#refusal.of(candidate, body);
        if (refused) throw refused;
        const events = await this.#ask(wanted, fitting, candidate, {
          ...options,
          end,
          hasOthers: waiting.length > 0,
        });
        const failed = [...tried].map(([candidate, fault]) => toNamed(candidate, fault));
        return { candidate, events, warnings: [...failed, ...warnings] };
      } catch (thrown) {
        options.signal.throwIfAborted();
        const fault = toApiError(thrown);
        tried.set(candidate, fault);
        options.onTry?.(candidate, fault);
        if (!(fault instanceof UpstreamFault)) break;
        this.#learn(candidate, fault, fitting, options);
        const { then } = FAULT_KINDS[fault.kind];
        // What one model finds wrong with a request, another may not, once the one that was wanted has failed.
        if (then === "stop" && tried.size === 1) {
          this.#refusal.note(candidate, body, fault);
          break;
        }
        const mended = then === "mend" && this.#fits(candidate, fault, options) &&
          !isSameJson(body, this.#toBody(wanted, candidate, options).body);
        if (mended) continue;
        // What the host has not counted, or only in part, is told as it was estimated.
        const { used, total = 0, limit } = fault.facts;
        if (limit && (used ?? total) <= limit) fault.facts.used = options.tokens.count(candidate);
        asks.set(candidate, asked + 1);
        if (asked + 1 < retryAttempts && mayPass(fault)) waiting.push(candidate);
        const { backend } = candidate;
        if (then === "leave") waiting = waiting.filter((other) => !isSameAccount(other.backend, backend));
        candidate = waiting.shift();
      }
    }
    throw summarizeFaults(tried);
  }

  /** Reads what was learned before. */
  load(): Promise<void> {
    return this.#loading ??= this.#sync();
  }

  /** Takes over what other processes know; a store that fails knows nothing. */
  async #sync(): Promise<void> {
    const { store, clock } = this.#settings;
    this.#syncAt = Infinity;
    const [ratios] = await Promise.all([this.#learned.sync(), this.#health.sync()]).catch(() => [[]]);
    this.#ledger.restore(ratios);
    if (store.shared) this.#syncAt = clock.now() + SYNC_PAUSE;
  }

  /** Until when a model is asked last, in milliseconds since 1970. */
  avoidedUntil(candidate: Candidate): number {
    return this.#health.avoidedUntil(toKey(candidate));
  }

  #order(request: MessagesRequest, { candidates, tokens }: SendOptions): Candidate[] {
    const cuts = this.#cuts.of(request);
    return orderCandidates(request, candidates, tokens, (candidate) => {
      const [key, facts] = [toKey(candidate), this.#learned.of(candidate)];
      const gone = facts.goneSince < Infinity;
      const back = gone ? Infinity : this.#health.avoidedUntil(key);
      return { facts, well: this.#health.isWell(key) && !gone, back, cut: cuts.has(key) };
    });
  }

  #toBody(request: MessagesRequest, candidate: Candidate, { tokens }: SendOptions): FittingRequest {
    const { maxTokens } = this.#settings;
    const facts = this.#learned.of(candidate);
    return toFittingRequest(request, { candidate, maxTokens, tokens, facts });
  }

  /** Waits for a place at the account, but no longer than an answer may take to begin. */
  async #enter({ backend }: Candidate, { kind, signal, end }: SendOptions & { end: number }): Promise<() => void> {
    const { clock, requestTimeout } = this.#settings;
    const deadline = new Deadline(clock, signal, end - clock.now());
    try {
      return await this.#accounts.windowOf(backend).enter(PRIORITIES[kind], deadline.signal);
    } catch {
      signal.throwIfAborted();
      const waited = `no call was free within ${Math.round(requestTimeout / 1000)} seconds`;
      throw new ApiError("rate_limit_error", `Too many requests wait for '${backend.name}': ${waited}`);
    } finally {
      deadline.close();
    }
  }

  async #ask(
    request: MessagesRequest,
    { body, maxTokens }: FittingRequest,
    candidate: Candidate,
    options: SendOptions & { end: number; hasOthers: boolean },
  ): Promise<Answer["events"]> {
    const { clock, patience } = this.#settings;
    const { signal, tokens, end, hasOthers, kind } = options;
    const leave = await this.#enter(candidate, options);
    options.onTry?.(candidate);
    const tell = this.#health.begin(toKey(candidate));
    let release = () => {};
    const over = (well: boolean | undefined) => {
      tell(well);
      leave();
      release();
    };
    // A request that nobody waits for says nothing about the model, and its events may never be read to the end.
    release = onAbort(signal, () => over(undefined));
    const began = clock.now();
    try {
      const left = Math.max(0, end - began);
      const writing = request.stream ? 0 : maxTokens * TIME_PER_TOKEN;
      const limit = hasOthers ? Math.min(left / 2, patience + tokens.roughly / 2 + writing) : left;
      const onPromptTokens = (actual: number) => this.#report(candidate, tokens, actual);
      const settings = this.#settings;
      const isOfUse = toHeldUntil(kind, hasOthers && this.#cuts.of(request).size > 0);
      const events = await attempt(request, body, candidate, { settings, options, limit, isOfUse, onPromptTokens });
      // An answer that let the user wait for long is as good as a fault.
      const slow = hasOthers && clock.now() - began > limit / 2;
      return this.#watch(events, request, candidate, options, (well) => over(slow && well ? false : well));
    } catch (thrown) {
      // Nor does what is wrong with the request or the account.
      const { then, account } = thrown instanceof UpstreamFault ? FAULT_KINDS[thrown.kind] : { then: "stop" };
      over(then === "next" && !account ? false : undefined);
      throw thrown;
    }
  }

  /** Passes events on, tells how the answer ended, and remembers whose was of no use. */
  #watch(
    events: Answer["events"],
    request: MessagesRequest,
    candidate: Candidate,
    { signal, kind }: SendOptions,
    over: (well: boolean | undefined) => void,
  ): Answer["events"] {
    const isOfUse = toNeeded(kind);
    let used = false;
    return iterate(async () => {
      try {
        const read = await events.next();
        used ||= !!read.value?.some(isOfUse);
        if (read.done) {
          if (!used) this.#cuts.note(request, toKey(candidate));
          over(true);
          this.#learned.learnBack(candidate);
        }
        return read;
      } catch (thrown) {
        if (!signal.aborted) this.#cuts.note(request, toKey(candidate));
        over(false);
        throw thrown;
      }
    });
  }

  /** Remembers what a fault says about a model. */
  #learn(candidate: Candidate, fault: UpstreamFault, { maxTokens }: FittingRequest, { tokens }: SendOptions): void {
    const { kind, facts: { retryAfter, limit = 0, used = 0 } } = fault;
    const wait = Math.max(FAULT_KINDS[kind].avoid ?? 0, retryAfter ?? 0);
    if (wait > 0) this.#health.avoid(toKey(candidate), wait);
    if (kind === "rate_limited") this.#accounts.refuse(candidate, retryAfter);
    this.#learned.learn(candidate, toLessons(fault, maxTokens));
    // vLLM counts no further than to where there is no room any more.
    const stopped = used + maxTokens === limit + 1;
    const counted = !stopped ? used : used > tokens.count(candidate) ? used * UNCOUNTED : 0;
    if (counted > 0) this.#report(candidate, tokens, counted);
  }

  /** Notes how many tokens a host has counted. */
  #report(candidate: Candidate, tokens: PromptTokens, actual: number): void {
    tokens.report(candidate, actual);
    const ratio = this.#ledger.ratioOf(candidate);
    if (ratio !== undefined) this.#learned.learnRatio(candidate, ratio);
  }

  /** Whether the prompt can be within the model's window, so that only the output was too much. */
  #fits(candidate: Candidate, { facts }: UpstreamFault, { tokens }: SendOptions): boolean {
    const { total = Infinity, used = total, limit = Infinity } = facts;
    return Math.min(used, tokens.count(candidate)) + MIN_OUTPUT_TOKENS <= limit;
  }
}

/**
 * Makes the {@linkcode Send} that asks one candidate after the other, and remembers which of them fail and how; `load`
 * reads what was remembered before, which sending does by itself; `avoidedUntil` tells of a model's health.
 */
export function createChain(
  settings: Required<ChainOptions>,
  parts: ChainParts,
): { send: Send; load: () => Promise<void>; avoidedUntil: (candidate: Candidate) => number } {
  const chain = new Chain(settings, parts);
  return {
    send: (request, options) => chain.send(request, options),
    load: () => chain.load(),
    avoidedUntil: (candidate) => chain.avoidedUntil(candidate),
  };
}
