import { toLocalAnswer } from "../routing/local_answers.ts";
import { toPriority } from "../routing/priority.ts";
import { type MessageStart, toMessageStart } from "../stream/chunk_translator.ts";
import { toMessage } from "../stream/message.ts";
import { toTextEvents } from "../stream/text_events.ts";
import type { Candidate } from "../routing/candidate.ts";
import type { SendOptions } from "../upstream/send.ts";
import { toSession } from "../upstream/token_ledger.ts";
import type { MessagesRequest, MessageStreamEvent } from "../wire/anthropic.ts";
import { ApiError } from "../wire/errors.ts";
import { parseMessagesRequest } from "../wire/messages_request.ts";
import { toEventStream } from "./event_stream.ts";
import type { HandlerParts } from "./options.ts";
import { type Exchange, LOCAL_MODEL, noteUsage } from "./request_log.ts";

/** Headers of every answer that comes piece by piece. */
export const STREAM_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  "x-accel-buffering": "no",
};

/** Answers a side request that needs no model. */
function answerLocally(text: string, { log, format }: Exchange, start: MessageStart, stream = false): Response {
  const events = toTextEvents(text);
  log.model = LOCAL_MODEL;
  noteUsage(log, events);
  if (!stream) return Response.json(format.toBody(toMessage(events, start.message)));
  return new Response(format.encode([start, ...events]) as Uint8Array<ArrayBuffer>, { headers: STREAM_HEADERS });
}

/**
 * Answers `POST /v1/messages`.
 *
 * A failure within the hold is a truthful HTTP status. After it the stream has begun: pings keep the client waiting,
 * and what fails then can only be told inside the stream.
 *
 * @throws {ApiError} If no candidate answers before the response begins.
 */
export async function answerMessages(
  exchange: Exchange,
  body: unknown,
  size: number,
  parts: HandlerParts,
): Promise<Response> {
  const { log, stop: { signal } } = exchange;
  const { headers } = exchange.request;
  const asked = parseMessagesRequest(body);
  log.asked = asked.model;
  const toTokens = (request: MessagesRequest, kind: string) =>
    parts.ledger.open(request, toSession(headers, request, kind), size);
  const turn = toTokens(asked, "main");
  const inputTokens = (candidate: Candidate) => turn.count(candidate);
  const { request, kind, wanted, candidates, trace } = parts.router().route({ request: asked, headers, inputTokens });
  log.route = trace;
  parts.live.begin(log, exchange.began);
  const tokens = request === asked && kind === "main" ? turn : toTokens(request, kind);
  const id = parts.newId("msg_");
  const toStart = () => toMessageStart(id, asked.model, tokens.count(wanted));
  const text = toLocalAnswer(kind, request, new Set(parts.localAnswers));
  if (text !== undefined) {
    trace.why.push("answered without a model");
    return answerLocally(text, exchange, toStart(), request.stream);
  }
  if (candidates.length === 0) {
    throw new ApiError("authentication_error", trace.why.at(-1) ?? "", { headers: { "x-should-retry": "false" } });
  }
  const priority = toPriority(kind);
  const onTry: SendOptions["onTry"] = (candidate, fault) => parts.live.tried(log.id, candidate, fault);
  const answer = parts.send(request, { candidates, signal, tokens, priority, headers, onTry }).then((answer) => {
    log.model = answer.candidate.model;
    log.fellBack = answer.candidate !== candidates[0];
    log.warnings = [...log.warnings ?? [], ...answer.warnings];
    return answer;
  });
  // Counting waits until the request is on its way; what it takes is not added to the time of the answer.
  setTimeout(() => tokens.count(wanted), 0);
  answer.catch(() => {}); // It is awaited below or by the stream, perhaps only when the client reads.
  if (!request.stream) {
    const events: MessageStreamEvent[] = [];
    for await (const batch of (await answer).events) {
      parts.live.heard(log.id, batch);
      events.push(...batch);
    }
    noteUsage(log, events);
    return Response.json(exchange.format.toBody(toMessage(events, toStart().message)));
  }
  let cancelHold = () => {};
  const held = new Promise<"held">((resolve) => cancelHold = parts.clock.after(parts.hold, () => resolve("held")));
  const early = await Promise.race([answer, held]).finally(cancelHold) === "held";
  return new Response(toEventStream(exchange, { toStart, early, answer }, parts), { headers: STREAM_HEADERS });
}
