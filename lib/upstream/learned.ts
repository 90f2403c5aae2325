import { SharedMap } from "../store/shared_map.ts";
import type { Store } from "../store/store.ts";
import type { Clock } from "../wire/clock.ts";
import { isJsonObject, isSameJson } from "../wire/json.ts";
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

/** What a model has taught, and when that changed last, in milliseconds since 1970. */
type Lesson = { facts: ModelFacts; at: number };

/** Reads a lesson as it is stored: JSON has no `Infinity`, so that limits nobody knows are left out. */
function parseLesson(value: unknown, now: number): Lesson | undefined {
  if (!isJsonObject(value) || typeof value.at !== "number" || now - value.at >= LESSON_LIFE) return undefined;
  const { refused, context, maxOutput, noTools, goneSince } = value;
  const facts = {
    ...NOTHING,
    ...(Array.isArray(refused) && refused.every((name) => typeof name === "string") ? { refused } : {}),
    ...(typeof context === "number" ? { context } : {}),
    ...(typeof maxOutput === "number" ? { maxOutput } : {}),
    ...(typeof noTools === "boolean" ? { noTools } : {}),
    ...(typeof goneSince === "number" && !Number.isNaN(new Date(goneSince).getTime()) ? { goneSince } : {}),
  };
  return { facts, at: value.at };
}

/** Adds to what is known: more refused fields, smaller limits. */
function addFacts(before: ModelFacts, facts: Partial<ModelFacts>): ModelFacts {
  return {
    refused: [...new Set([...before.refused, ...facts.refused ?? []])],
    context: Math.min(before.context, facts.context ?? Infinity),
    maxOutput: Math.min(before.maxOutput, facts.maxOutput ?? Infinity),
    noTools: before.noTools || facts.noTools === true,
    goneSince: Math.min(before.goneSince, facts.goneSince ?? Infinity),
  };
}

/** Learns from faults, so that the next request is asked as the model wants it, also after a restart, and by others. */
export class LearnedFacts {
  readonly #facts: SharedMap<Lesson>;
  readonly #ratios: SharedMap<number>;
  readonly #clock: Clock;

  constructor(store: Store, clock: Clock) {
    this.#clock = clock;
    this.#facts = new SharedMap(store, PREFIX, {
      parse: (stored) => parseLesson(stored, clock.now()),
      format: ({ facts, at }) => ({ ...facts, at }),
      toLife: () => LESSON_LIFE,
    });
    this.#ratios = new SharedMap(store, RATIO_PREFIX, {
      parse: (stored) => typeof stored === "number" ? stored : undefined,
      format: (ratio) => ratio,
      toLife: () => LESSON_LIFE,
    });
  }

  /** Takes over what was learned before, and by others; gives the ratios among that. A store that fails has nothing. */
  async sync(): Promise<[key: string, ratio: number][]> {
    const [, ratios] = await Promise.all([this.#facts.sync(), this.#ratios.sync()]).catch(() => [[], []]);
    return ratios;
  }

  /** How many tokens an estimated one is, by what a candidate is remembered under. */
  get ratios(): ReadonlyMap<string, number> {
    return this.#ratios.values;
  }

  /** Keeps the ratio of a candidate; one that has hardly changed is not worth a write. */
  learnRatio(candidate: Candidate, ratio: number): void {
    const key = toKey(candidate);
    if (Math.abs(ratio / (this.ratios.get(key) ?? 1) - 1) > LEAST_CHANGE) this.#ratios.change(key, () => ratio);
  }

  /** What is known about a candidate. */
  of(candidate: Candidate): ModelFacts {
    return this.#toFacts(this.#facts.values.get(toKey(candidate)));
  }

  /** All lessons, by what a candidate is remembered under. */
  all(): [key: string, facts: ModelFacts][] {
    const all = [...this.#facts.values].map(([key, lesson]): [string, ModelFacts] => [key, this.#toFacts(lesson)]);
    return all.filter(([, facts]) => facts !== NOTHING).sort();
  }

  /** Forgets everything, here and in the store. */
  async forget(): Promise<void> {
    for (const known of [this.#facts, this.#ratios]) await known.forget();
  }

  /** Waits until what was learned is where others see it. */
  async saved(): Promise<void> {
    await Promise.all([this.#facts.saved(), this.#ratios.saved()]);
  }

  /** Notes what a model has taught. */
  learn(candidate: Candidate, facts: Partial<ModelFacts>): void {
    this.#change(candidate, (before) => addFacts(before, facts));
  }

  /** Notes that a model answers: it has come back, or was never gone. */
  learnBack(candidate: Candidate): void {
    if (this.of(candidate).goneSince === Infinity) return;
    this.#change(candidate, (before) => ({ ...before, goneSince: Infinity }));
  }

  /** What is left of a lesson: a process may run for longer than it lasts. */
  #toFacts(lesson: Lesson | undefined): ModelFacts {
    return lesson && this.#clock.now() - lesson.at < LESSON_LIFE ? lesson.facts : NOTHING;
  }

  /** Changes what is known; nothing known is nothing kept. */
  #change(candidate: Candidate, update: (before: ModelFacts) => ModelFacts): void {
    this.#facts.change(toKey(candidate), (lesson) => {
      const before = this.#toFacts(lesson);
      const facts = update(before);
      if (isSameJson(facts, NOTHING)) return undefined;
      return isSameJson(facts, before) ? lesson : { facts, at: this.#clock.now() };
    });
  }
}
