import { toMessageStart } from "../stream/chunk_translator.ts";
import { toMessage } from "../stream/message.ts";
import { estimateRequestTokens } from "../tokens/estimate.ts";
import type { Answer, Candidate, Send } from "../upstream/candidate.ts";
import type { MessagesRequest, MessageStreamEvent } from "../wire/anthropic.ts";
import type { Clock } from "../wire/clock.ts";
import type { ApiError } from "../wire/errors.ts";
import type { NewId } from "../wire/ids.ts";
import { parseMessagesRequest } from "../wire/messages_request.ts";
import { drain, toEventStream } from "./event_stream.ts";
import type { Exchange } from "./request_log.ts";

const STREAM_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  "x-accel-buffering": "no",
};

/** What the messages route works with. */
export interface MessagesOptions {
  send: Send;
  /** Where a request may go, in order of preference. */
  toCandidates: (request: MessagesRequest) => Candidate[];
  /** Milliseconds to wait for the upstream before the response begins. */
  hold: number;
  /** Milliseconds of silence in a stream after which a `ping` is sent. */
  pingInterval: number;
  clock: Clock;
  newId: NewId;
  /** Holds a controller for each answer that is on its way. */
  running: Set<AbortController>;
}

/** A signal, what fires it, and what lets go of everything that could. */
type Stop = { signal: AbortSignal; abort: () => void; release: () => void };

async function readAll(answer: Answer): Promise<MessageStreamEvent[]> {
  const events: MessageStreamEvent[] = [];
  while (events.at(-1)?.type !== "message_stop") {
    const { value, done } = await answer.events.next();
    if (done) return events;
    events.push(...value);
  }
  drain(answer);
  return events;
}

function noteUsage(log: Exchange["log"], events: readonly MessageStreamEvent[]): void {
  const last = events.findLast((event) => event.type === "message_delta");
  if (!last) return;
  const { input_tokens = 0, cache_read_input_tokens = 0, output_tokens } = last.usage;
  log.inputTokens = input_tokens + cache_read_input_tokens;
  log.outputTokens = output_tokens;
}

/** What ends an answer early: the client goes away, or the proxy closes. */
function createStop({ request: { signal } }: Exchange, running: Set<AbortController>): Stop {
  const stop = new AbortController();
  const abort = () => stop.abort();
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort);
  running.add(stop);
  const release = () => {
    signal.removeEventListener("abort", abort);
    running.delete(stop);
  };
  return { signal: stop.signal, abort, release };
}

/**
 * Answers `POST /v1/messages`.
 *
 * A failure within the hold is a truthful HTTP status. After it the stream has begun: pings keep the client waiting,
 * and what fails then can only be told inside the stream.
 *
 * @throws {ApiError} If no candidate answers before the response begins.
 */
export async function answerMessages(exchange: Exchange, body: unknown, options: MessagesOptions): Promise<Response> {
  const { request: { headers }, log } = exchange;
  const { clock, newId, pingInterval } = options;
  const request = parseMessagesRequest(body);
  log.asked = request.model;
  const stop = createStop(exchange, options.running);
  const inputTokens = estimateRequestTokens(request);
  const start = toMessageStart(newId("msg_"), request.model, inputTokens);
  const candidates = options.toCandidates(request);
  const answer = options.send(request, { candidates, signal: stop.signal, inputTokens }).then((answer) => {
    log.model = answer.candidate.model;
    log.warnings = answer.warnings;
    return answer;
  });
  answer.catch(() => {}); // It is awaited below or by the stream, perhaps only later.
  try {
    if (!request.stream) {
      const events = await readAll(await answer);
      noteUsage(log, events);
      return Response.json(toMessage(events, start.message));
    }
    let cancelHold = () => {};
    const held = new Promise<"held">((resolve) => cancelHold = clock.after(options.hold, () => resolve("held")));
    const early = await Promise.race([answer, held]).finally(cancelHold) === "held";
    let settle = () => {};
    exchange.ended = new Promise((resolve) => settle = resolve);
    const onEnd = (error?: ApiError) => {
      log.error = error?.message;
      if (error?.status === 499) log.status = 499;
      if (error) stop.abort();
      stop.release();
      settle();
    };
    const onEvents = (events: readonly MessageStreamEvent[]) => noteUsage(log, events);
    const repeats = headers.get("user-agent")?.startsWith("claude-cli/") ?? false;
    const stream = toEventStream({ start, early, answer, repeats, pingInterval, clock, onEvents, onEnd });
    return new Response(stream, { headers: STREAM_HEADERS });
  } catch (thrown) {
    if (exchange.request.signal.aborted) log.status = 499;
    throw thrown;
  } finally {
    if (!exchange.ended) stop.release();
  }
}
