import type { Clock } from "../wire/clock.ts";
import { ApiError } from "../wire/errors.ts";
import type { Backend, Candidate } from "../routing/candidate.ts";
import type { Priority } from "../routing/priority.ts";
import { NO_LIMITS } from "../routing/rate_limits.ts";
import type { Store } from "../store/store.ts";
import { Deadline } from "./deadline.ts";
import { RateWindow } from "./rate_window.ts";
import { SharedPlaces } from "./shared_places.ts";

/** Two models that are refused within so many milliseconds show that the account is at its limit, not a model. */
const REFUSAL_WINDOW = 10_000;
/** Milliseconds an account is left alone when it is at its limit and nobody has said for how long; at most so many. */
const BLOCK = 5_000;
const MAX_BLOCK = 60_000;

type Account = { window: RateWindow; refused?: { model: string; at: number } };

/** Whether two backends are asked with the same key at the same address. */
export function isSameAccount(a: Backend, b: Backend): boolean {
  return a.baseUrl === b.baseUrl && a.apiKey === b.apiKey;
}

/** The rate windows of accounts, and which models they were refused for last. */
export class Accounts {
  readonly #accounts = new Map<string, Account>();
  readonly #clock: Clock;
  readonly #store: Store | undefined;

  /** @param store Where other processes with the same accounts see what they take, if it is shared. */
  constructor(clock: Clock, store?: Store) {
    this.#clock = clock;
    this.#store = store?.shared ? store : undefined;
  }

  /** The rate window of a backend's account. */
  windowOf(backend: Backend): RateWindow {
    return this.#of(backend).window;
  }

  /**
   * Waits for a place at a backend's account; gives what gives it back.
   *
   * @throws {ApiError} If none is free within `limit` milliseconds; the signal's reason if that fires first.
   */
  async enter(backend: Backend, priority: Priority, signal: AbortSignal, limit: number): Promise<() => void> {
    const deadline = new Deadline(this.#clock, signal, limit);
    try {
      return await this.windowOf(backend).enter(priority, deadline.signal);
    } catch {
      signal.throwIfAborted();
      const waited = `no call was free within ${Math.round(limit / 1000)} seconds`;
      throw new ApiError("rate_limit_error", `Too many requests wait for '${backend.name}': ${waited}`);
    } finally {
      deadline.close();
    }
  }

  /** Notes that a candidate said 429; blocks the account only where that is not about the model alone. */
  refuse({ backend, model }: Candidate, told: number = BLOCK): void {
    const account = this.#of(backend);
    const { refused } = account;
    const now = this.#clock.now();
    account.refused = { model, at: now };
    const again = refused !== undefined && refused.model !== model && now - refused.at < REFUSAL_WINDOW;
    if (again) account.window.block(Math.min(told, MAX_BLOCK));
  }

  #of({ baseUrl, apiKey = "", limits = NO_LIMITS }: Backend): Account {
    const key = `${baseUrl} ${apiKey} ${Object.values(limits)}`; // A limit that changes begins anew.
    let account = this.#accounts.get(key);
    if (!account) {
      const [store, clock] = [this.#store, this.#clock];
      const places = store && new SharedPlaces(store, clock, `${baseUrl} ${apiKey}`, limits);
      this.#accounts.set(key, account = { window: new RateWindow(limits, clock, places) });
    }
    return account;
  }
}
