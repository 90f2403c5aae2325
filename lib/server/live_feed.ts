import type { Clock } from "../wire/clock.ts";
import { onAbort } from "../wire/signal.ts";
import type { LiveModel, LiveRequest } from "./live.ts";
import type { Exchange } from "./request_log.ts";
import type { Session } from "./sessions.ts";
import type { ArbiterStatus, Quota } from "./stats.ts";

/** Milliseconds between two changes that are told, and those after which something is told although nothing changed. */
const PACE = 200;
const BEAT = 5_000;

/** What {@linkcode ArbiterStatus} tells, and what happens now: all of it, or what has changed lately. */
export type LiveState = ArbiterStatus & {
  live: {
    /** The time of this, in milliseconds since 1970. */
    at: number;
    requests: LiveRequest[];
    models: LiveModel[];
    sessions: Session[];
    /** The quotas of the hosts of these models, where there is a limit. */
    quotas: (Quota & { backend?: string | undefined })[];
    /** Whether this is all of it. */
    whole: boolean;
    /** Whether requests tell what their answers say. */
    showsContent: boolean;
  };
};

/**
 * Tells all who watch what has changed, in one JSON for all of them; while nobody watches it does nothing.
 *
 * A watcher is told everything at first, and again when it has been too slow for a change.
 */
export class LiveFeed {
  readonly #clock: Clock;
  readonly #toState: (since: number) => LiveState;
  readonly #watchers = new Set<(json: string) => void>();
  #cancel = () => {};
  #told = 0;
  /** Whether a change waits for its time. */
  #waits = false;

  /** @param toState Gives what has changed since a time, in milliseconds since 1970, 0 for everything. */
  constructor(clock: Clock, toState: (since: number) => LiveState) {
    this.#clock = clock;
    this.#toState = toState;
  }

  /** To be called when something has changed. */
  readonly change = (): void => {
    if (this.#waits || this.#watchers.size === 0) return;
    this.#waits = true;
    this.#tellIn(PACE - (this.#clock.now() - this.#told));
  };

  /** What a watcher is told until it leaves or the proxy closes, `toText` being how its protocol puts a JSON. */
  open(
    exchange: Pick<Exchange, "stop" | "streams" | "end">,
    toText: (json: string) => string,
  ): ReadableStream<Uint8Array> {
    const encoder = new TextEncoder();
    let behind = true;
    let [leave, forget] = [() => {}, () => {}];
    exchange.streams = true;
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        const tell = (json: string) => {
          behind ||= (controller.desiredSize ?? 0) <= 0;
          if (!behind) controller.enqueue(encoder.encode(toText(json)));
        };
        this.#watchers.add(tell);
        if (this.#watchers.size === 1) this.#tellIn(BEAT);
        leave = () => {
          if (!this.#watchers.delete(tell)) return;
          forget();
          if (this.#watchers.size === 0) {
            this.#cancel();
            this.#waits = false;
          }
          exchange.end();
        };
        forget = onAbort(exchange.stop.signal, () => {
          leave();
          controller.close();
        });
      },
      pull: (controller) => {
        if (behind) controller.enqueue(encoder.encode(toText(JSON.stringify(this.#toState(0)))));
        behind = false;
      },
      cancel: () => leave(),
    });
  }

  #tellIn(ms: number): void {
    this.#cancel();
    this.#cancel = this.#clock.after(Math.max(0, ms), () => {
      this.#waits = false;
      const since = this.#told;
      this.#told = this.#clock.now();
      const json = JSON.stringify(this.#toState(since));
      for (const tell of this.#watchers) tell(json);
      this.#tellIn(BEAT);
    });
  }
}
