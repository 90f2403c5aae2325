import { toMessagesRequest } from "../translate/client_chat_request.ts";
import { parseClientChatRequest } from "../wire/client_chat_request.ts";
import { createChatFormat } from "./answer_format.ts";
import { answerMessages } from "./messages.ts";
import type { HandlerParts } from "./options.ts";
import type { Exchange } from "./request_log.ts";

/**
 * Answers `POST /v1/chat/completions`: as a Messages request it goes the way of all others, and only its answer is put
 * on the wire in another format.
 *
 * @throws {ApiError} If no candidate answers before the response begins.
 */
export function answerChat(exchange: Exchange, parts: HandlerParts): Promise<Response> {
  const asked = parseClientChatRequest(exchange.body);
  const { request, warnings } = toMessagesRequest(asked);
  exchange.log.warnings = warnings;
  const withUsage = asked.stream_options?.include_usage === true;
  return answerMessages(exchange, request, parts, (created) => createChatFormat(created, withUsage));
}
