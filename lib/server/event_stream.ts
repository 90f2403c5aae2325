import { encodeEvents } from "../stream/event_encoder.ts";
import type { Answer } from "../upstream/candidate.ts";
import type { MessageStreamEvent } from "../wire/anthropic.ts";
import type { Clock } from "../wire/clock.ts";
import { ApiError, toApiError } from "../wire/errors.ts";

/**
 * Claude Code gives up after ten minutes of pings alone; an empty `message_delta` counts as life
 * (observed with 2.1.328: streams of 12 minutes survive one a minute).
 */
const EMPTY_DELTA_INTERVAL = 240_000;

const EMPTY_DELTA: MessageStreamEvent = {
  type: "message_delta",
  delta: { stop_reason: null, stop_sequence: null },
  usage: { output_tokens: 0 },
};

/** Options of {@linkcode toEventStream}. */
export interface EventStreamOptions {
  /** The event to begin with. */
  start: MessageStreamEvent;
  /** The answer, which may still be on its way. */
  answer: Promise<Answer>;
  /** Whether to send `start` before the answer is there. */
  early: boolean;
  /**
   * Whether to break the connection when the upstream breaks off after content: Claude Code then
   * sends the request again, where an `error` event would cost a second one without streaming.
   */
  cutsOff: boolean;
  /** Milliseconds of silence after which a `ping` is sent. */
  pingInterval: number;
  clock: Clock;
  /** Called with each batch of events, before it leaves. */
  onEvents: (events: readonly MessageStreamEvent[]) => void;
  /** Called once when all is over, with the reason if it went wrong. */
  onEnd: (error?: ApiError) => void;
  /** Called when the client went away. */
  onCancel: () => void;
}

/** Whether asking again may help, so that Claude Code should be made to do so. */
function isTransient(error: ApiError): boolean {
  return error.status >= 429 && error.headers["x-should-retry"] !== "false";
}

/**
 * The body of a streamed answer: one write for each read of the upstream, pings in its silences.
 *
 * A broken answer never ends like a whole one.
 */
export function toEventStream(options: EventStreamOptions): ReadableStream<Uint8Array> {
  const { clock, pingInterval } = options;
  let unsent: MessageStreamEvent[] = [options.start];
  let answer: Answer | undefined;
  let [wrote, content, over] = [false, false, false];
  let lastDelta = clock.now();
  let cancelTick = () => {};

  function end(error?: ApiError): void {
    if (over) return;
    over = true;
    cancelTick();
    options.onEnd(error);
  }

  function write(controller: ReadableStreamDefaultController<Uint8Array>, events: MessageStreamEvent[]): void {
    wrote = true;
    controller.enqueue(encodeEvents([...unsent, ...events]));
    unsent = [];
  }

  function tick(controller: ReadableStreamDefaultController<Uint8Array>): void {
    cancelTick = clock.after(pingInterval, () => {
      if (over) return;
      const stalled = (controller.desiredSize ?? 0) <= 0;
      if (!wrote && !stalled) {
        const late = clock.now() - lastDelta >= EMPTY_DELTA_INTERVAL;
        if (late) lastDelta = clock.now();
        write(controller, [late ? EMPTY_DELTA : { type: "ping" }]);
      }
      wrote = false;
      tick(controller);
    });
  }

  function fail(controller: ReadableStreamDefaultController<Uint8Array>, thrown: unknown): void {
    if (over) return;
    const error = toApiError(thrown);
    end(error);
    if (content && options.cutsOff) return controller.error(error);
    const shown = options.cutsOff && isTransient(error) ? new ApiError("overloaded_error", error.message) : error;
    controller.enqueue(encodeEvents([...unsent, shown.toJSON()]));
    controller.close();
  }

  return new ReadableStream<Uint8Array>({
    start(controller) {
      if (options.early) write(controller, []);
      tick(controller);
    },
    async pull(controller) {
      try {
        answer ??= await options.answer;
        const { value = [], done } = await answer.events.next();
        if (over) return;
        options.onEvents(value);
        if (value.some((event) => event.type === "content_block_start")) content = true;
        lastDelta = clock.now();
        if (value.length > 0) write(controller, value);
        if (!done && value.at(-1)?.type !== "message_stop") return;
        // The response ends here, Claude Code waits for that; the upstream's may take longer.
        answer.events.next().catch(() => {});
        end();
        controller.close();
      } catch (thrown) {
        fail(controller, thrown);
      }
    },
    cancel() {
      options.onCancel();
      end(new ApiError("api_error", "The client went away"));
    },
  });
}
