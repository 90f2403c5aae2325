import { toPriority } from "../routing/priority.ts";
import { toMessageStart } from "../stream/chunk_translator.ts";
import { toMessage } from "../stream/message.ts";
import { estimateRequestTokens } from "../tokens/estimate.ts";
import type { MessageStreamEvent } from "../wire/anthropic.ts";
import { parseMessagesRequest } from "../wire/messages_request.ts";
import { toEventStream } from "./event_stream.ts";
import type { HandlerParts } from "./options.ts";
import { type Exchange, noteUsage } from "./request_log.ts";

const STREAM_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  "x-accel-buffering": "no",
};

/**
 * Answers `POST /v1/messages`.
 *
 * A failure within the hold is a truthful HTTP status. After it the stream has begun: pings keep the client waiting,
 * and what fails then can only be told inside the stream.
 *
 * @throws {ApiError} If no candidate answers before the response begins.
 */
export async function answerMessages(exchange: Exchange, body: unknown, parts: HandlerParts): Promise<Response> {
  const { log, stop: { signal } } = exchange;
  const request = parseMessagesRequest(body);
  log.asked = request.model;
  const inputTokens = estimateRequestTokens(request);
  const start = toMessageStart(parts.newId("msg_"), request.model, inputTokens);
  const candidates = parts.toCandidates(request);
  const priority = toPriority(exchange.request.headers, request);
  const answer = parts.send(request, { candidates, signal, inputTokens, priority }).then((answer) => {
    log.model = answer.candidate.model;
    log.warnings = answer.warnings;
    return answer;
  });
  answer.catch(() => {}); // It is awaited below or by the stream, perhaps only when the client reads.
  if (!request.stream) {
    const events: MessageStreamEvent[] = [];
    for await (const batch of (await answer).events) events.push(...batch);
    noteUsage(log, events);
    return Response.json(toMessage(events, start.message));
  }
  let cancelHold = () => {};
  const held = new Promise<"held">((resolve) => cancelHold = parts.clock.after(parts.hold, () => resolve("held")));
  const early = await Promise.race([answer, held]).finally(cancelHold) === "held";
  return new Response(toEventStream(exchange, { start, early, answer }, parts), { headers: STREAM_HEADERS });
}
