import { type Candidate, toKey } from "../routing/candidate.ts";
import { PRIORITIES } from "../routing/priority.ts";
import type { MessagesRequest } from "../wire/anthropic.ts";
import { sleep } from "../wire/clock.ts";
import { type ApiError, toApiError } from "../wire/errors.ts";
import { iterate } from "../wire/iterate.ts";
import { isSameJson } from "../wire/json.ts";
import { onAbort } from "../wire/signal.ts";
import { type Accounts, isSameAccount } from "./accounts.ts";
import { attempt } from "./attempt.ts";
import { mayPass, toBackOff } from "./back_off.ts";
import type { ChainOptions } from "./chain_options.ts";
import { Cuts } from "./cuts.ts";
import { FAULT_KINDS, UpstreamFault } from "./faults.ts";
import { type FittingRequest, mayFit, toFittingRequest } from "./fit.ts";
import { Health } from "./health.ts";
import { LearnedFacts } from "./learned.ts";
import { toCounted, toLessons } from "./lessons.ts";
import { orderCandidates } from "./order.ts";
import { LastRefusal } from "./refusal.ts";
import type { Answer, Send, SendOptions } from "./send.ts";
import { summarizeFaults, toNamed } from "./summary.ts";
import type { PromptTokens, TokenLedger } from "./token_ledger.ts";
import { toHeldUntil, toNeeded } from "./use.ts";

/** Milliseconds that must be left for another candidate to be asked. */
const MIN_LEFT = 5_000;
/** Milliseconds an output token may take where the answer comes only when it is whole. */
const TIME_PER_TOKEN = 20;
/** Milliseconds after which what other processes know is read again. */
const SYNC_PAUSE = 1_000;

/** What an attempt is made with, until when the answer must have begun, and whether there are others to ask after it. */
type Turn = SendOptions & { end: number; hasOthers: boolean };
/** Tells once how an answer went, `undefined` if that says nothing about the model. */
type Over = (well: boolean | undefined) => void;

/** Asks one candidate after the other until one answers, and remembers which of them fail and how. */
export class Chain {
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

  /** The accounts of hosts, and what counts tokens, are shared with others. */
  constructor(settings: Required<ChainOptions>, accounts: Accounts, ledger: TokenLedger) {
    this.#settings = settings;
    this.#accounts = accounts;
    this.#ledger = ledger;
    this.#learned = new LearnedFacts(settings.store, settings.clock);
    this.#health = new Health(settings.clock, settings.store);
    this.#cuts = new Cuts(settings.clock);
    this.#refusal = new LastRefusal(settings.clock);
  }

  /** See {@linkcode Send}. */
  readonly send: Send = async (request, options) => {
    const { clock, random, maxAttempts, requestTimeout } = this.#settings;
    const { signal, tokens, onTry } = options;
    const end = clock.now() + requestTimeout;
    await this.load();
    if (clock.now() >= this.#syncAt) void this.#sync();
    const tried = new Map<Candidate, ApiError>();
    const asks = new Map<Candidate, number>();
    let waiting = this.#order(request, options, options.candidates);
    let candidate = waiting.shift();
    for (let calls = 0; candidate && calls < maxAttempts; calls++) {
      const asked = asks.get(candidate) ?? 0;
      const { retryAttempts = 1, retryBaseDelayMs: own } = candidate.profile ?? {};
      const wait = toBackOff({ faults: tried.values(), asked, last: tried.get(candidate), own, random: random() });
      if (tried.size > 0 && end - clock.now() - wait < MIN_LEFT) break;
      if (wait > 0) await sleep(clock, wait, signal);
      const wanted = candidate.traits?.wholeAnswers ? { ...request, stream: false } : request;
      const fitting = this.#fit(wanted, candidate, tokens);
      const { body } = fitting;
      try {
        const refused = this.#refusal.of(candidate, body);
        if (refused) throw refused;
        const turn = { ...options, end, hasOthers: waiting.length > 0 && calls + 1 < maxAttempts };
        const events = await this.#ask(wanted, fitting, candidate, turn);
        const failed = [...tried].map(([candidate, fault]) => toNamed(candidate, fault));
        return { candidate, events, warnings: [...failed, ...fitting.warnings] };
      } catch (thrown) {
        signal.throwIfAborted();
        const fault = toApiError(thrown);
        tried.set(candidate, fault);
        onTry?.(candidate, fault);
        if (!(fault instanceof UpstreamFault)) break;
        this.#learn(candidate, fault, fitting, tokens);
        const { then } = FAULT_KINDS[fault.kind];
        // What one model finds wrong with a request, another may not, once the one that was wanted has failed.
        if (then === "stop" && tried.size === 1) {
          this.#refusal.note(candidate, body, fault);
          break;
        }
        const mended = then === "mend" && mayFit(fault, tokens.count(candidate)) &&
          !isSameJson(body, this.#fit(wanted, candidate, tokens).body);
        if (mended) continue;
        asks.set(candidate, asked + 1);
        if (asked + 1 < retryAttempts && mayPass(fault)) waiting.push(candidate);
        const { backend } = candidate;
        if (then === "leave") waiting = waiting.filter((other) => !isSameAccount(other.backend, backend));
        if (this.#accounts.windowOf(backend).blocked) waiting = this.#order(request, options, waiting);
        candidate = waiting.shift();
      }
    }
    throw summarizeFaults(tried, tokens);
  };

  /** Reads what was learned before, which sending does by itself. */
  readonly load = (): Promise<void> => this.#loading ??= this.#sync();

  /** Until when a model is asked last, in milliseconds since 1970. */
  readonly avoidedUntil = (candidate: Candidate): number => this.#health.avoidedUntil(toKey(candidate));

  /** Takes over what other processes know. */
  async #sync(): Promise<void> {
    const { store, clock } = this.#settings;
    this.#syncAt = Infinity;
    const [ratios] = await Promise.all([this.#learned.sync(), this.#health.sync()]);
    this.#ledger.restore(ratios);
    if (store.shared) this.#syncAt = clock.now() + SYNC_PAUSE;
  }

  #order(request: MessagesRequest, { tokens }: SendOptions, candidates: readonly Candidate[]): Candidate[] {
    const cuts = this.#cuts.of(request);
    return orderCandidates(request, candidates, tokens, (candidate) => {
      const [key, facts] = [toKey(candidate), this.#learned.of(candidate)];
      const gone = facts.goneSince < Infinity;
      return {
        facts,
        well: this.#health.isWell(key) && !gone,
        back: gone ? Infinity : this.#health.avoidedUntil(key),
        cut: cuts.has(key),
        blocked: this.#accounts.windowOf(candidate.backend).blocked,
      };
    });
  }

  #fit(request: MessagesRequest, candidate: Candidate, tokens: PromptTokens): FittingRequest {
    const { maxTokens } = this.#settings;
    return toFittingRequest(request, { candidate, maxTokens, tokens, facts: this.#learned.of(candidate) });
  }

  async #ask(
    request: MessagesRequest,
    { body, maxTokens }: FittingRequest,
    candidate: Candidate,
    turn: Turn,
  ): Promise<Answer["events"]> {
    const { clock, patience } = this.#settings;
    const { signal, tokens, kind, end, hasOthers } = turn;
    const leave = await this.#accounts.enter(candidate.backend, PRIORITIES[kind], signal, end - clock.now());
    turn.onTry?.(candidate);
    const tell = this.#health.begin(toKey(candidate));
    let release = () => {};
    const over: Over = (well) => {
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
      const isOfUse = toHeldUntil(kind, hasOthers && this.#cuts.of(request).size > 0);
      const onPromptTokens = (actual: number) => this.#report(candidate, tokens, actual);
      const options = { settings: this.#settings, options: turn, limit, isOfUse, onPromptTokens };
      const events = await attempt(request, body, candidate, options);
      // An answer that let the user wait for long is as good as a fault.
      const slow = hasOthers && clock.now() - began > limit / 2;
      return this.#watch(events, request, candidate, turn, (well) => over(well && !slow));
    } catch (thrown) {
      // What is wrong with the request or the account says nothing about the model.
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
    over: Over,
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
  #learn(candidate: Candidate, fault: UpstreamFault, { maxTokens }: FittingRequest, tokens: PromptTokens): void {
    const { kind, facts: { retryAfter, used } } = fault;
    const wait = Math.max(FAULT_KINDS[kind].avoid ?? 0, retryAfter ?? 0);
    if (wait > 0) this.#health.avoid(toKey(candidate), wait);
    if (kind === "rate_limited") this.#accounts.refuse(candidate, retryAfter);
    this.#learned.learn(candidate, toLessons(fault, maxTokens));
    if (used) this.#report(candidate, tokens, toCounted(fault, maxTokens, tokens.count(candidate)));
  }

  /** Notes how many tokens a host has counted. */
  #report(candidate: Candidate, tokens: PromptTokens, actual: number): void {
    tokens.report(candidate, actual);
    const ratio = this.#ledger.ratioOf(candidate);
    if (ratio !== undefined) this.#learned.learnRatio(candidate, ratio);
  }
}
