import { encodeEvents } from "../stream/event_encoder.ts";
import type { Answer } from "../upstream/candidate.ts";
import type { MessageStreamEvent } from "../wire/anthropic.ts";
import type { Clock } from "../wire/clock.ts";
import { ApiError, type ApiErrorBody, toApiError } from "../wire/errors.ts";

/**
 * Milliseconds after which silence is filled with more than a ping: Claude Code gives up after ten minutes of pings,
 * but counts an empty `message_delta` as life (observed with 2.1.328).
 */
const EMPTY_DELTA_INTERVAL = 240_000;

const EMPTY_DELTA: MessageStreamEvent = {
  type: "message_delta",
  delta: { stop_reason: null, stop_sequence: null },
  usage: { output_tokens: 0 },
};

/** Options of {@linkcode toEventStream}. */
export interface EventStreamOptions {
  /** The event to begin with, and whether to send it before the answer is there. */
  start: MessageStreamEvent;
  early: boolean;
  /** The answer, which may still be on its way. */
  answer: Promise<Answer>;
  /**
   * Whether the client is Claude Code. It repeats a request by itself when the connection breaks or an
   * `overloaded_error` comes before any content; other errors cost it a request without streaming.
   */
  repeats: boolean;
  /** Milliseconds of silence after which a `ping` is sent. */
  pingInterval: number;
  clock: Clock;
  /** Called with each batch of events, before it leaves. */
  onEvents: (events: readonly MessageStreamEvent[]) => void;
  /** Called once when all is over, with the reason if it went wrong. */
  onEnd: (error?: ApiError) => void;
}

/** Reads on after the end of an answer, so that the upstream's connection can be used again. */
export function drain(answer: Answer): void {
  answer.events.next().catch(() => {});
}

/**
 * The body of a streamed answer: one write for each read of the upstream, pings in its silences.
 *
 * A broken answer never ends like a whole one.
 */
export function toEventStream(options: EventStreamOptions): ReadableStream<Uint8Array> {
  const { clock, pingInterval, repeats } = options;
  let unsent: MessageStreamEvent[] = [options.start];
  let [wrote, content, over] = [false, false, false];
  let lastContent = clock.now();
  let cancelTick = () => {};
  let controller: ReadableStreamDefaultController<Uint8Array>;

  function write(events: (MessageStreamEvent | ApiErrorBody)[]): void {
    wrote = true;
    controller.enqueue(encodeEvents([...unsent, ...events]));
    unsent = [];
  }

  function tick(): void {
    cancelTick = clock.after(pingInterval, () => {
      const stalled = (controller.desiredSize ?? 0) <= 0;
      const late = clock.now() - lastContent >= EMPTY_DELTA_INTERVAL;
      if (!wrote && !stalled) write([late ? EMPTY_DELTA : { type: "ping" }]);
      if (late) lastContent = clock.now();
      wrote = false;
      tick();
    });
  }

  function end(error?: ApiError): void {
    over = true;
    cancelTick();
    options.onEnd(error);
  }

  function fail(error: ApiError): void {
    end(error);
    if (content && repeats) return controller.error(error);
    const again = repeats && error.status >= 429 && error.headers["x-should-retry"] !== "false";
    write([again ? new ApiError("overloaded_error", error.message).toJSON() : error.toJSON()]);
    controller.close();
  }

  async function pull(): Promise<void> {
    const answer = await options.answer;
    const { value: events = [] } = await answer.events.next();
    if (over) return;
    options.onEvents(events);
    content ||= events.some(({ type }) => type === "content_block_start");
    lastContent = clock.now();
    if (events.length > 0) write(events);
    if (events.length > 0 && events.at(-1)?.type !== "message_stop") return;
    drain(answer);
    end();
    controller.close(); // At once: Claude Code sends its next request only when the response has ended.
  }

  return new ReadableStream<Uint8Array>({
    start(given) {
      controller = given;
      if (options.early) write([]);
      tick();
    },
    pull: () => pull().catch((thrown) => over ? undefined : fail(toApiError(thrown))),
    cancel: () => end(new ApiError("api_error", "The client went away", { status: 499 })),
  });
}
