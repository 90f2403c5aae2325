import type { MessageStreamEvent } from "../wire/anthropic.ts";
import { ApiError, type ApiErrorBody, toApiError } from "../wire/errors.ts";
import { onAbort } from "../wire/signal.ts";
import type { HandlerParts } from "./options.ts";
import { CLIENT_GONE, type Exchange, LOCAL_MODEL, noteUsage } from "./request_log.ts";
import type { GivenAnswer } from "./shared_answer.ts";

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

/** What makes the event a stream begins with, whether that is sent before the answer is there, and the answer. */
type Streamed = { toStart: () => MessageStreamEvent; early: boolean; answer: Promise<GivenAnswer> };

/** Whether the client is Claude Code. */
export function isClaudeCode(headers: Headers): boolean {
  return headers.get("user-agent")?.startsWith("claude-cli/") ?? false;
}

/** The body of a streamed answer: one write a read, pings in its silences; a broken one never ends like a whole one. */
export function toEventStream(
  exchange: Exchange,
  { toStart, early, answer }: Streamed,
  { clock, pingInterval, live, visualizes }: HandlerParts,
): ReadableStream<Uint8Array> {
  const { request: { headers, signal }, log, began, stop, format } = exchange;
  // Claude Code repeats a request by itself when the connection breaks or an `overloaded_error` comes before any
  // content; other errors cost it a request without streaming.
  const repeats = isClaudeCode(headers);
  let begun = false;
  let [content, over] = [false, false];
  let [lastWrite, lastContent] = [clock.now(), clock.now()];
  let cancelTick = () => {};
  let given: GivenAnswer["events"] | undefined;
  let controller: ReadableStreamDefaultController<Uint8Array>;

  function write(events: (MessageStreamEvent | ApiErrorBody)[]): void {
    lastWrite = clock.now();
    const first = [...begun ? [] : [toStart()], ...visualizes ? live.tell(log.id) : []];
    controller.enqueue(format.encode(first.length > 0 ? [...first, ...events] : events));
    begun = true;
  }

  function tick(wait: number): void {
    cancelTick = clock.after(wait, () => {
      const now = clock.now();
      if (now < lastWrite + pingInterval) return tick(lastWrite + pingInterval - now);
      const late = now + pingInterval > lastContent + EMPTY_DELTA_INTERVAL;
      if (late) lastContent = now;
      live.pinged(log.id);
      if ((controller.desiredSize ?? 0) > 0) write([late ? EMPTY_DELTA : { type: "ping" }]);
      tick(pingInterval);
    });
  }

  function end(error?: string): void {
    over = true;
    cancelTick();
    log.error = error;
    if (error !== undefined) stop.abort();
    if (error !== undefined && signal.aborted) log.status = 499;
    exchange.end();
  }

  function fail(error: ApiError): void {
    end(error.message);
    if (content && (repeats || format.cuts)) return controller.error(error);
    const again = repeats && error.status >= 429 && error.headers["x-should-retry"] !== "false";
    try {
      write([again ? new ApiError("overloaded_error", error.message).toJSON() : error.toJSON()]);
      controller.close();
    } catch {
      // Deno's own server takes nothing more for a client that has gone.
    }
  }

  async function pull(): Promise<void> {
    given ??= (await answer).events;
    const { value: events, done } = await given.next();
    if (over) return;
    if (done) {
      end();
      return controller.close();
    }
    noteUsage(log, events);
    live.heard(log.id, events);
    content ||= events.some(({ type }) => type === "content_block_start");
    lastContent = clock.now();
    if (content && !log.replayed && log.model !== LOCAL_MODEL) log.firstMs ??= lastContent - began;
    write(events);
  }

  exchange.streams = true;
  return new ReadableStream<Uint8Array>({
    start(given) {
      controller = given;
      if (early) write([]);
      tick(pingInterval);
      onAbort(stop.signal, () => over || fail(toApiError(stop.signal.reason))); // The answer may go on for others.
    },
    pull: () => pull().catch((thrown) => over ? undefined : fail(toApiError(thrown))),
    cancel() {
      if (over) return;
      log.status = 499;
      end(CLIENT_GONE);
    },
  });
}
