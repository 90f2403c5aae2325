import type { MessagesRequest, MessageStreamEvent } from "../wire/anthropic.ts";
import { toMessage } from "../stream/message.ts";
import { toMessageStart } from "../stream/chunk_translator.ts";
import { estimateRequestTokens } from "../tokens/estimate.ts";
import type { Answer, Candidate, Send } from "../upstream/candidate.ts";
import { type Clock, createTimeout } from "../wire/clock.ts";
import type { ApiError } from "../wire/errors.ts";
import type { NewId } from "../wire/ids.ts";
import { parseMessagesRequest } from "../wire/messages_request.ts";
import { toEventStream } from "./event_stream.ts";
import type { Exchange } from "./request_log.ts";

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

async function readAll(answer: Answer): Promise<MessageStreamEvent[]> {
  const events: MessageStreamEvent[] = [];
  for (;;) {
    const { value, done } = await answer.events.next();
    if (done) return events;
    events.push(...value);
    if (events.at(-1)?.type !== "message_stop") continue;
    answer.events.next().catch(() => {});
    return events;
  }
}

function noteEvents(log: Exchange["log"], events: readonly MessageStreamEvent[]): void {
  const last = events.findLast((event) => event.type === "message_delta");
  if (!last) return;
  const { input_tokens = 0, cache_read_input_tokens = 0, output_tokens } = last.usage;
  log.inputTokens = input_tokens + cache_read_input_tokens;
  log.outputTokens = output_tokens;
}

/**
 * Answers `POST /v1/messages`.
 *
 * A failure within the hold is a truthful HTTP status. After it the stream has begun: pings keep the
 * client waiting, and what fails then can only be told inside the stream.
 *
 * @throws {ApiError} If no candidate answers before the response begins.
 */
export async function answerMessages(exchange: Exchange, body: unknown, options: MessagesOptions): Promise<Response> {
  const { request: { headers, signal }, log } = exchange;
  const { clock, newId, pingInterval, running } = options;
  const request = parseMessagesRequest(body);
  log.asked = request.model;
  const gone = new AbortController();
  const onAbort = () => gone.abort(signal.reason);
  const release = () => {
    running.delete(gone);
    signal.removeEventListener("abort", onAbort);
    if (gone.signal.aborted) log.status = 499;
  };
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  running.add(gone);
  const inputTokens = estimateRequestTokens(request);
  const candidates = options.toCandidates(request);
  const pending = options.send(request, { candidates, signal: gone.signal, inputTokens })
    .then((answer) => {
      log.model = answer.candidate.model;
      if (answer.warnings.length > 0) log.warnings = answer.warnings;
      return answer;
    });
  pending.catch(() => {}); // It is awaited below or by the stream, perhaps only later.
  const start = toMessageStart(newId("msg_"), request.model, inputTokens);
  if (!request.stream) {
    const events = await pending.then(readAll).finally(release);
    noteEvents(log, events);
    return Response.json(toMessage(events, start.message));
  }

  const hold = createTimeout(clock, options.hold, undefined);
  const early = await Promise.race([pending, hold.promise])
    .finally(hold.cancel)
    .then((answer) => answer === undefined, (thrown) => {
      release();
      throw thrown;
    });
  let settle = () => {};
  exchange.ended = new Promise((resolve) => settle = resolve);
  const stream = toEventStream({
    start,
    answer: pending,
    early,
    cutsOff: headers.get("user-agent")?.startsWith("claude-cli/") ?? false,
    pingInterval,
    clock,
    onEvents: (events) => noteEvents(log, events),
    onEnd(error?: ApiError) {
      release();
      if (error) log.error = error.message;
      settle();
    },
    onCancel: () => gone.abort(),
  });
  return new Response(stream, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      "x-accel-buffering": "no",
    },
  });
}
