import { BadAnswer } from "../stream/bad_answer.ts";
import type { Clock } from "../wire/clock.ts";
import { ApiError } from "../wire/errors.ts";
import { onAbort } from "../wire/signal.ts";
import { UpstreamFault } from "./faults.ts";
import { toCallFailure } from "./patient_fetch.ts";

/** Why a signal fires when nothing is wrong; made for each, with its stack, it would cost as much as the signal. */
const OVER = new DOMException("The attempt is over", "AbortError");

/** One signal for both reasons to give up an attempt: nobody waits for it, or the upstream is silent for too long. */
export class Deadline {
  readonly #controller = new AbortController();
  /** Fires for either reason. */
  readonly signal: AbortSignal = this.#controller.signal;
  readonly #clock: Clock;
  #cancel = () => {};
  #release = () => {};
  /** Since when the upstream is waited for; `undefined` while the limit is on the whole wait. */
  #since: number | undefined;
  #late: ApiError | undefined;
  #reached = false;

  /** Fires `limit` milliseconds from now, or together with `outer`. */
  constructor(clock: Clock, outer: AbortSignal, limit: number) {
    this.#clock = clock;
    this.#start(limit);
    this.#release = onAbort(outer, () => this.close());
  }

  /** From the next {@linkcode listen} on allows `idle` milliseconds of silence at a time. */
  extend(idle: number): void {
    if (this.signal.aborted) return;
    this.#since = Infinity;
    this.#start(idle);
  }

  /** Notes that the upstream has begun to answer, and is waited for from now on. */
  listen(): void {
    this.#reached = true;
    // The timer looks at this when it fires: a new timer for each read would cost more than the read.
    if (this.#since !== undefined) this.#since = this.#clock.now();
  }

  /** Notes that the upstream has been heard of, and is not waited for: a client that reads slowly is not its fault. */
  heard(): void {
    if (this.#since !== undefined) this.#since = Infinity;
  }

  /** Lets go of the timer and of the attempt, whether finished or not. */
  close(): void {
    this.#cancel();
    this.#release();
    this.#controller.abort(OVER);
  }

  /** What an error was really about: runtimes differ in what they throw when a signal fires. */
  explain(thrown: unknown): ApiError {
    if (this.#late) return this.#late;
    if (thrown instanceof BadAnswer) return new UpstreamFault(thrown.kind, thrown.message);
    if (thrown instanceof ApiError) return thrown;
    const [kind, what] = this.#reached
      ? ["cut", "The upstream broke off"] as const
      : ["gateway", "Cannot reach the upstream"] as const;
    return new UpstreamFault(kind, `${what}: ${toCallFailure(thrown)}`, {}, {
      type: "api_error",
      status: 502,
      cause: thrown,
    });
  }

  #start(limit: number, wait: number = limit): void {
    this.#cancel();
    this.#cancel = this.#clock.after(wait, () => {
      const left = (this.#since ?? -Infinity) + limit - this.#clock.now();
      if (left > 0) return this.#start(limit, Math.min(left, limit));
      this.#late = new UpstreamFault("timeout", `The upstream was silent for ${Math.round(limit / 1000)} seconds`);
      this.close();
    });
  }
}
