import type { Clock } from "../wire/clock.ts";

/** So many faults within so many milliseconds, and a model is avoided for as long; then one request may try it. */
const MAX_FAULTS = 3;
const FAULT_WINDOW = 30_000;
const AVOID_TIME = 30_000;

/** So many models are remembered; clients may ask for any name. */
const MOST_MODELS = 1_000;

type ModelHealth = {
  /** When it failed, in milliseconds since 1970. */
  faults: number[];
  /** Until when it is avoided; 0 when nothing is counted against it. */
  avoidedUntil: number;
  /** The one request that tries it again, while that is on its way. */
  probe?: symbol | undefined;
};

/** Remembers which models fail. */
export class Health {
  readonly #clock: Clock;
  readonly #models = new Map<string, ModelHealth>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether a model may be asked now. */
  isWell(key: string): boolean {
    const { avoidedUntil, probe } = this.#of(key);
    return this.#clock.now() >= avoidedUntil && probe === undefined;
  }

  /** When a model that is avoided may be asked again, in milliseconds since 1970. */
  backAt(key: string): number {
    return this.#of(key).avoidedUntil;
  }

  /** Avoids a model for some milliseconds, whatever it did before. */
  avoid(key: string, ms: number): void {
    const health = this.#of(key);
    health.avoidedUntil = Math.max(health.avoidedUntil, this.#clock.now() + ms);
  }

  /**
   * Notes that a request goes out; what is returned is told how it went, `undefined` if that says nothing about the
   * model. Only the first time counts.
   */
  begin(key: string): (well: boolean | undefined) => void {
    const health = this.#of(key);
    const { avoidedUntil } = health;
    const request = Symbol(key);
    if (avoidedUntil > 0) health.probe ??= request;
    let told = false;
    return (well) => {
      if (told) return;
      told = true;
      const probe = health.probe === request;
      if (probe) health.probe = undefined;
      // An answer that began before the model was avoided does not speak for it.
      if (well === true && health.avoidedUntil === avoidedUntil) Object.assign(health, { faults: [], avoidedUntil: 0 });
      if (well !== false) return;
      const now = this.#clock.now();
      health.faults = [...health.faults, now].filter((at) => at > now - FAULT_WINDOW);
      if (probe || health.faults.length >= MAX_FAULTS) this.avoid(key, AVOID_TIME);
    };
  }

  #of(key: string): ModelHealth {
    let health = this.#models.get(key);
    if (health) return health;
    this.#models.set(key, health = { faults: [], avoidedUntil: 0 });
    const [oldest = ""] = this.#models.keys();
    if (this.#models.size > MOST_MODELS) this.#models.delete(oldest);
    return health;
  }
}
