import { createMemoryStore } from "../store/memory_store.ts";
import { SharedMap } from "../store/shared_map.ts";
import type { Store } from "../store/store.ts";
import { BoundedMap } from "../wire/bounded_map.ts";
import type { Clock } from "../wire/clock.ts";

/** So many faults within so many milliseconds, and a model is avoided for as long; then one request may try it. */
const MAX_FAULTS = 3;
const FAULT_WINDOW = 30_000;
const AVOID_TIME = 30_000;

/** So many models are remembered; clients may ask for any. */
const MOST_KNOWN = 1_000;

type ModelHealth = {
  /** When it failed, in milliseconds since 1970. */
  faults: number[];
  /** Whether the one request that tries it again is on its way. */
  probing: boolean;
};

/** Remembers which models fail. */
export class Health {
  readonly #clock: Clock;
  readonly #models = new BoundedMap<string, ModelHealth>(MOST_KNOWN);
  /** Until when each is avoided, if anything is counted against it. */
  readonly #avoided: SharedMap<number>;

  /** @param store Where other processes learn which models are avoided, if it is shared. */
  constructor(clock: Clock, store?: Store) {
    this.#clock = clock;
    this.#avoided = new SharedMap(store?.shared ? store : createMemoryStore(), "avoid ", {
      parse: (stored) => typeof stored === "number" ? stored : undefined,
      format: (until) => until,
      // Who comes later has to know that the model must be tried first.
      toLife: (until = 0) => Math.max(0, until - clock.now()) + AVOID_TIME,
    });
  }

  /** Takes over which models other processes avoid; a store that fails knows none. */
  async sync(): Promise<void> {
    await this.#avoided.sync().catch(() => {});
  }

  /** Forgets which models are avoided, here and in a store that is shared. */
  forget(): Promise<void> {
    return this.#avoided.forget();
  }

  /** Whether a model may be asked now. */
  isWell(key: string): boolean {
    return this.#clock.now() >= this.avoidedUntil(key) && !this.#of(key).probing;
  }

  /** Until when a model is avoided, in milliseconds since 1970. */
  avoidedUntil(key: string): number {
    return this.#avoided.values.get(key) ?? 0;
  }

  /** Avoids a model for some milliseconds, whatever it did before. */
  avoid(key: string, ms: number): void {
    const until = this.#clock.now() + ms;
    this.#avoided.change(key, (before = 0) => Math.max(before, until));
  }

  /**
   * Notes that a request goes out; what is returned is told how it went, `undefined` if that says nothing about the
   * model. Only the first time counts.
   */
  begin(key: string): (well: boolean | undefined) => void {
    const health = this.#of(key);
    const avoidedUntil = this.avoidedUntil(key);
    const probes = avoidedUntil > 0 && !health.probing;
    health.probing ||= probes;
    let told = false;
    return (well) => {
      if (told) return;
      told = true;
      if (probes) health.probing = false;
      // An answer that began before the model was avoided does not speak for it.
      if (well === true && this.avoidedUntil(key) <= avoidedUntil) {
        health.faults = [];
        this.#avoided.change(key, (until = 0) => until > avoidedUntil ? until : undefined);
      }
      if (well !== false) return;
      const now = this.#clock.now();
      health.faults = [...health.faults, now].filter((at) => at > now - FAULT_WINDOW);
      if (probes || health.faults.length >= MAX_FAULTS) this.avoid(key, AVOID_TIME);
    };
  }

  #of(key: string): ModelHealth {
    let health = this.#models.get(key);
    if (!health) this.#models.set(key, health = { faults: [], probing: false });
    return health;
  }
}
