import { checkClientKeys } from "./config/client_keys.ts";
import type { Backend } from "./routing/candidate.ts";
import { toCandidate } from "./routing/catalog.ts";
import { USUAL_ANSWERS } from "./routing/local_answers.ts";
import { NO_LIMITS } from "./routing/rate_limits.ts";
import { toLabel } from "./routing/reference.ts";
import { createRouter, type Router } from "./routing/router.ts";
import type { RouterOptions } from "./routing/routing_options.ts";
import { createHandler } from "./server/handler.ts";
import { Live } from "./server/live.ts";
import { LiveFeed, type LiveState } from "./server/live_feed.ts";
import { Metrics } from "./server/metrics.ts";
import type { HandlerOptions } from "./server/options.ts";
import { Sessions } from "./server/sessions.ts";
import { SharedAnswers } from "./server/shared_answers.ts";
import { addRequest, type ArbiterStatus, createStats, type Quota } from "./server/stats.ts";
import { createMemoryStore } from "./store/memory_store.ts";
import { Accounts } from "./upstream/accounts.ts";
import { toCall } from "./upstream/call.ts";
import { Chain } from "./upstream/chain.ts";
import { TokenLedger } from "./upstream/token_ledger.ts";
import { patientFetch } from "./upstream/patient_fetch.ts";
import { USER_AGENT, VERSION } from "./version.ts";
import { systemClock } from "./wire/clock.ts";
import { randomId } from "./wire/ids.ts";

/** Options of {@linkcode createArbiter}: where requests may go, and how clients and upstreams are treated. */
export interface ArbiterOptions extends HandlerOptions, RouterOptions {}

/** A proxy: Anthropic's Messages API in front of other hosts. */
export type Arbiter = {
  /** Answers one request; never rejects. */
  fetch(request: Request): Promise<Response>;
  /**
   * Routes requests by these options alone from now on; answers that are on their way go on.
   *
   * @throws {TypeError} If no model is chosen and none is known, or a backend, its address or its key is of no use.
   */
  configure(options: RouterOptions): void;
  /** Finds where requests go. */
  readonly router: Router;
  /** Tells what it has done since it was made, and how many requests the account may still start. */
  status(): ArbiterStatus;
  /** Breaks off every answer that is still on its way. */
  close(): void;
};

const UNFIT = "it has blanks or other characters that no header can carry";

/**
 * Puts a proxy together; nothing is opened before the first request.
 *
 * @throws {TypeError} If no model is chosen and none is known, or a backend, its address, its key or one for clients is
 * of no use.
 */
export function createArbiter(options: ArbiterOptions = {}): Arbiter {
  checkClientKeys(options.clientKeys ?? []);
  const { fetch = patientFetch } = options;
  const settings: Required<HandlerOptions> = {
    fetch,
    call: options.call ?? toCall(fetch),
    requestTimeout: options.requestTimeout ?? 600_000,
    patience: options.patience ?? 120_000,
    idleTimeout: options.idleTimeout ?? 180_000,
    maxTokens: options.maxTokens ?? Infinity,
    maxAttempts: options.maxAttempts ?? 6,
    store: options.store ?? createMemoryStore(),
    userAgent: options.userAgent ?? USER_AGENT,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    newId: options.newId ?? randomId,
    maxBodyBytes: options.maxBodyBytes ?? 32 * 1024 * 1024,
    hold: options.hold ?? 8_000,
    pingInterval: options.pingInterval ?? 10_000,
    linger: options.linger ?? 5_000,
    clientKeys: options.clientKeys ?? [],
    open: options.open ?? false,
    inboundRpm: options.inboundRpm ?? 0,
    showContent: options.showContent ?? false,
    visualizes: options.visualizes ?? false,
    localAnswers: options.localAnswers ?? USUAL_ANSWERS,
    onRequest(log) {
      stats = addRequest(stats, log);
      sessions.add(log);
      metrics.add(log);
      live.end(log);
      options.onRequest?.(log);
    },
  };
  const accounts = new Accounts(settings.clock, settings.store);
  let stats = createStats(settings.clock.now());
  const [sessions, metrics] = [new Sessions(settings.clock, settings.store), new Metrics()];
  const live = new Live(settings.clock, settings.showContent);
  let router: Router;
  function configure(options: RouterOptions): void {
    const next = createRouter(options);
    const unfit = [...next.catalog.backends.values()].find(({ apiKey }) => apiKey && !/^[\x21-\x7e]+$/.test(apiKey));
    if (unfit) throw new TypeError(`Cannot use the API key of '${unfit.name}': ${UNFIT}`);
    router = next;
  }
  configure(options);
  function toQuota(backend: Backend): Quota | undefined {
    const { limit, window } = backend.limits ?? NO_LIMITS;
    return limit > 0 ? { left: accounts.windowOf(backend).left, limit, window } : undefined;
  }
  function status(): ArbiterStatus {
    const { elite } = router.catalog;
    const quota = toQuota(elite.backend);
    const found = { name: "arbiter", version: VERSION, model: toLabel(elite, router.catalog) } as const;
    return { ...found, ...stats, ...(quota ? { quota } : {}) };
  }
  const ledger = new TokenLedger();
  const chain = new Chain(settings, accounts, ledger);
  function state(told = 0): LiveState {
    const whole = told <= live.forgotten;
    const since = whole ? 0 : told;
    const { catalog, catalog: { elite, speed, fallbacks } } = router;
    const usual = [elite, speed, ...fallbacks].map((target) => toCandidate(target, catalog));
    return {
      ...status(),
      live: {
        at: settings.clock.now(),
        requests: live.requests(since),
        models: live.models(usual, chain.avoidedUntil),
        quotas: live.backends().flatMap((backend) => {
          const quota = toQuota(backend);
          return quota ? [{ backend: backend.name, ...quota }] : [];
        }),
        sessions: sessions.since(since),
        whole,
        showsContent: settings.showContent,
      },
    };
  }
  const feed = new LiveFeed(settings.clock, state);
  live.onChange = feed.change;
  const shared = new SharedAnswers(settings);
  const noting = { status, state, sessions, metrics, live, feed };
  const { send, load } = chain;
  const handler = createHandler({ ...settings, router: () => router, send, load, ledger, shared, ...noting });
  return {
    fetch: handler.fetch,
    close() {
      handler.close();
      sessions.flush();
    },
    configure,
    status,
    get router() {
      return router;
    },
  };
}
