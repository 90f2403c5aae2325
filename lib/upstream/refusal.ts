import type { Candidate } from "../routing/candidate.ts";
import type { Clock } from "../wire/clock.ts";
import { isSameJson } from "../wire/json.ts";
import type { UpstreamFault } from "./faults.ts";

/** Milliseconds for which a request that was refused is refused again as it stands. */
const REFUSAL_LIFE = 5_000;

/** Remembers what a host has refused last: Claude Code sends such a request up to six times (2.1.328). */
export class LastRefusal {
  readonly #clock: Clock;
  #last: { candidate: Candidate; body: unknown; fault: UpstreamFault; until: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes what a host has said to a body; those of Anthropic's format are told of the client's betas, too. */
  note(candidate: Candidate, body: unknown, fault: UpstreamFault): void {
    if (candidate.backend.format === "anthropic" || fault === this.#last?.fault) return; // Or it was only said again.
    this.#last = { candidate, body, fault, until: this.#clock.now() + REFUSAL_LIFE };
  }

  /** What the host has just said to the very same body; of what Claude Code changes meanwhile no host is told. */
  of(candidate: Candidate, body: unknown): UpstreamFault | undefined {
    if (this.#last && this.#clock.now() >= this.#last.until) this.#last = undefined;
    return this.#last?.candidate === candidate && isSameJson(this.#last.body, body) ? this.#last.fault : undefined;
  }
}
