import { type Candidate, toKey } from "./candidate.ts";

/** What a model at a backend has taught, all of it from its own answers. */
export type ModelFacts = {
  /** Fields of a request it refuses. */
  refused: readonly string[];
  /** Its context window and its most output tokens, in tokens; `Infinity` while nothing is known. */
  context: number;
  maxOutput: number;
  /** How many of its tokens one estimated token is. */
  scale: number;
  /** Whether it cannot call tools. */
  noTools: boolean;
};

const NOTHING: ModelFacts = { refused: [], context: Infinity, maxOutput: Infinity, scale: 1, noTools: false };

/** Learns from faults, so that the next request is asked as the model wants it. */
export class LearnedFacts {
  readonly #facts = new Map<string, ModelFacts>();

  /** What is known about a candidate. */
  of(candidate: Candidate): ModelFacts {
    return this.#facts.get(toKey(candidate)) ?? NOTHING;
  }

  /** Adds to what is known: more refused fields, smaller limits, a larger scale. */
  learn(candidate: Candidate, facts: Partial<ModelFacts>): void {
    const before = this.of(candidate);
    this.#facts.set(toKey(candidate), {
      refused: [...new Set([...before.refused, ...facts.refused ?? []])],
      context: Math.min(before.context, facts.context ?? Infinity),
      maxOutput: Math.min(before.maxOutput, facts.maxOutput ?? Infinity),
      scale: Math.max(before.scale, facts.scale ?? 1),
      noTools: before.noTools || facts.noTools === true,
    });
  }
}
