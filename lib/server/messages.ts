import { toLocalAnswer } from "../routing/local_answers.ts";
import { type MessageStart, toMessageStart } from "../stream/chunk_translator.ts";
import { toMessage } from "../stream/message.ts";
import { toTextEvents } from "../stream/text_events.ts";
import type { Candidate } from "../routing/candidate.ts";
import type { SendOptions } from "../upstream/send.ts";
import { toSession } from "../upstream/token_ledger.ts";
import type { MessagesRequest, MessageStreamEvent } from "../wire/anthropic.ts";
import { ApiError } from "../wire/errors.ts";
import { parseMessagesRequest } from "../wire/messages_request.ts";
import { abortable } from "../wire/signal.ts";
import { type AnswerFormat, MESSAGES_FORMAT } from "./answer_format.ts";
import { toEventStream } from "./event_stream.ts";
import type { HandlerParts } from "./options.ts";
import { type Exchange, LOCAL_MODEL, noteUsage } from "./request_log.ts";
import { type Question, toBatches } from "./shared_answer.ts";

/** Headers of every answer that comes piece by piece. */
export const STREAM_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  "x-accel-buffering": "no",
};

/** Finds out where a request goes, if it needs a model at all; nobody is asked yet. */
function prepareQuestion(
  asked: MessagesRequest,
  { request: { headers }, log, size, began: created }: Exchange,
  parts: HandlerParts,
): Question {
  const toTokens = (request: MessagesRequest, kind: string) =>
    parts.ledger.open(request, toSession(headers, request, kind), size);
  const turn = toTokens(asked, "main");
  const inputTokens = (candidate: Candidate) => turn.count(candidate);
  const { request, kind, wanted, candidates, trace } = parts.router().route({ request: asked, headers, inputTokens });
  log.route = trace;
  parts.live.begin(log, created);
  const tokens = request === asked && kind === "main" ? turn : toTokens(request, kind);
  const id = parts.newId("msg_");
  let start: MessageStart | undefined;
  const toStart = () => start ??= toMessageStart(id, asked.model, tokens.count(wanted));
  // Hosts of Anthropic's format may know how, and OpenRouter searches for models whose names end like this.
  const searches = kind === "web_search" && (wanted.backend.format === "anthropic" || wanted.model.endsWith(":online"));
  const text = searches ? undefined : toLocalAnswer(kind, request, new Set(parts.localAnswers));
  if (text !== undefined) {
    trace.why.push("answered without a model");
    const given = { model: LOCAL_MODEL, fellBack: false, warnings: [], events: toBatches(toTextEvents(text)) };
    return { created, toStart, ask: () => Promise.resolve(given) };
  }
  if (candidates.length === 0) {
    throw new ApiError("authentication_error", trace.why.at(-1) ?? "", { headers: { "x-should-retry": "false" } });
  }
  const ask: Question["ask"] = async (signal, onAsked = () => {}) => {
    // Counting waits until the request is on its way; what it takes is not added to the time of the answer.
    setTimeout(() => tokens.count(wanted), 0);
    const onTry: SendOptions["onTry"] = (candidate, fault) => {
      onAsked();
      parts.live.tried(log.id, candidate, fault);
    };
    const options = { candidates, signal, tokens, kind, headers, onTry };
    const { candidate, warnings, events } = await parts.send(request, options);
    return { model: candidate.model, fellBack: candidate !== candidates[0], warnings, events };
  };
  return { created, toStart, ask };
}

/**
 * Answers `POST /v1/messages`, in the format that `toFormat` makes for an answer of that time.
 *
 * A failure within the hold is a truthful HTTP status. After it the stream has begun: pings keep the client waiting,
 * and what fails then can only be told inside the stream.
 *
 * @throws {ApiError} If no candidate answers before the response begins.
 */
export async function answerMessages(
  exchange: Exchange,
  body: unknown,
  parts: HandlerParts,
  toFormat: (created: number) => AnswerFormat = () => MESSAGES_FORMAT,
): Promise<Response> {
  const { log, stop: { signal } } = exchange;
  const asked = parseMessagesRequest(body);
  log.asked = asked.model;
  const begun = await parts.shared.begin(exchange, prepareQuestion(asked, exchange, parts));
  const { created, toStart } = begun;
  exchange.format = toFormat(created);
  const answer = abortable(signal, begun.answer).then((given) => {
    const { model, fellBack, warnings } = given;
    Object.assign(log, { model, fellBack, warnings: [...log.warnings ?? [], ...warnings] });
    return given;
  });
  answer.catch(() => {}); // It is awaited below or by the stream, perhaps only when the client reads.
  if (!asked.stream) {
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
