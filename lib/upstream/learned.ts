import type { Store } from "../store/store.ts";
import type { Clock } from "../wire/clock.ts";
import { isJsonObject } from "../wire/json.ts";
import { type Candidate, toKey } from "../routing/candidate.ts";

/** What a model at a backend has taught, all of it from its own answers. */
export type ModelFacts = {
  /** Fields of a request it refuses. */
  refused: readonly string[];
  /** Its context window and its most output tokens, in tokens; `Infinity` while nothing is known. */
  context: number;
  maxOutput: number;
  /** Whether it cannot call tools. */
  noTools: boolean;
  /** When its host retired it, in milliseconds since 1970, 0 if nobody said; `Infinity` while it is there. */
  goneSince: number;
};

/** A lesson as it is stored: JSON has no `Infinity`, so that limits nobody knows are left out. */
type StoredFacts = Partial<ModelFacts> & { at: number };

const NOTHING: ModelFacts = {
  refused: [],
  context: Infinity,
  maxOutput: Infinity,
  noTools: false,
  goneSince: Infinity,
};
const PREFIX = "model ";
/** Apart from the lessons: it changes all the time, and they must be forgotten in time. */
const RATIO_PREFIX = "ratio ";
/** A ratio that has changed by less is not stored again. */
const LEAST_CHANGE = 0.02;
/** Milliseconds after which a lesson is forgotten: hosts change how they serve a model. */
const LESSON_LIFE = 7 * 86_400_000;

function parseFacts(value: unknown): StoredFacts | undefined {
  if (!isJsonObject(value) || typeof value.at !== "number") return undefined;
  const { at, refused, context, maxOutput, noTools, goneSince } = value;
  return {
    at,
    ...(Array.isArray(refused) && refused.every((name) => typeof name === "string") ? { refused } : {}),
    ...(typeof context === "number" ? { context } : {}),
    ...(typeof maxOutput === "number" ? { maxOutput } : {}),
    ...(typeof noTools === "boolean" ? { noTools } : {}),
    ...(typeof goneSince === "number" && !Number.isNaN(new Date(goneSince).getTime()) ? { goneSince } : {}),
  };
}

/** Learns from faults, so that the next request is asked as the model wants it, also after a restart. */
export class LearnedFacts {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #facts = new Map<string, ModelFacts>();
  readonly #ratios = new Map<string, number>();
  #loading: Promise<void> | undefined;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Reads what was learned before; a store that cannot be read has nothing. */
  load(): Promise<void> {
    return this.#loading ??= this.#read().catch(() => {});
  }

  async #read(): Promise<void> {
    for (const [key, value] of await this.#store.list(PREFIX)) {
      const facts = parseFacts(value);
      if (facts && this.#clock.now() - facts.at < LESSON_LIFE) this.#add(key.slice(PREFIX.length), facts);
    }
    for (const [key, value] of await this.#store.list(RATIO_PREFIX)) {
      if (typeof value === "number") this.#ratios.set(key.slice(RATIO_PREFIX.length), value);
    }
  }

  /** How many tokens an estimated one is, by what a candidate is remembered under. */
  get ratios(): ReadonlyMap<string, number> {
    return this.#ratios;
  }

  /** Keeps the ratio of a candidate; one that has hardly changed is not worth a write. */
  learnRatio(candidate: Candidate, ratio: number): void {
    const key = toKey(candidate);
    if (Math.abs(ratio / (this.#ratios.get(key) ?? 1) - 1) <= LEAST_CHANGE) return;
    this.#ratios.set(key, ratio);
    this.#store.set(RATIO_PREFIX + key, ratio).catch(() => {});
  }

  /** What is known about a candidate. */
  of(candidate: Candidate): ModelFacts {
    return this.#facts.get(toKey(candidate)) ?? NOTHING;
  }

  /** All lessons, by what a candidate is remembered under. */
  all(): [key: string, facts: ModelFacts][] {
    return [...this.#facts].sort();
  }

  /** Forgets everything, here and in the store. */
  async forget(): Promise<void> {
    this.#facts.clear();
    this.#ratios.clear();
    for (const prefix of [PREFIX, RATIO_PREFIX]) {
      for (const [key] of await this.#store.list(prefix)) await this.#store.set(key, undefined);
    }
  }

  /** Adds to what is known: more refused fields, smaller limits. */
  learn(candidate: Candidate, facts: Partial<ModelFacts>): void {
    const key = toKey(candidate);
    const before = JSON.stringify(this.of(candidate));
    const after = this.#add(key, facts);
    if (JSON.stringify(after) !== before) this.#keep(key, after);
    else if (before === JSON.stringify(NOTHING)) this.#facts.delete(key); // Clients may ask for any model.
  }

  /** Notes that a model answers: it has come back, or was never gone. */
  learnBack(candidate: Candidate): void {
    const [key, before] = [toKey(candidate), this.of(candidate)];
    if (before.goneSince === Infinity) return;
    this.#facts.delete(key);
    this.#keep(key, this.#add(key, { ...before, goneSince: Infinity }));
  }

  #keep(key: string, facts: ModelFacts): void {
    const taught = JSON.stringify(facts) !== JSON.stringify(NOTHING);
    if (!taught) this.#facts.delete(key);
    this.#store.set(PREFIX + key, taught ? { ...facts, at: this.#clock.now() } : undefined).catch(() => {});
  }

  #add(key: string, facts: Partial<ModelFacts>): ModelFacts {
    const before = this.#facts.get(key) ?? NOTHING;
    const after: ModelFacts = {
      refused: [...new Set([...before.refused, ...facts.refused ?? []])],
      context: Math.min(before.context, facts.context ?? Infinity),
      maxOutput: Math.min(before.maxOutput, facts.maxOutput ?? Infinity),
      noTools: before.noTools || facts.noTools === true,
      goneSince: Math.min(before.goneSince, facts.goneSince ?? Infinity),
    };
    this.#facts.set(key, after);
    return after;
  }
}
