import { CompletionEncoder } from "../stream/completion_encoder.ts";
import { encodeEvents } from "../stream/event_encoder.ts";
import { toChatCompletion } from "../translate/completion.ts";
import type { Message, MessageStreamEvent, VisualizationEvent } from "../wire/anthropic.ts";
import { type ChatErrorBody, toChatError } from "../wire/chat_errors.ts";
import type { ApiErrorBody } from "../wire/errors.ts";

/** How the answer to one request is put on the wire. */
export type AnswerFormat = {
  /** The body of a whole answer. */
  toBody(message: Message): unknown;
  /** The bytes for the next events of a streamed one. */
  encode(events: readonly (MessageStreamEvent | VisualizationEvent | ApiErrorBody)[]): Uint8Array;
  /** Whether the connection of each client is cut when an answer breaks off after its content has begun. */
  cuts: boolean;
};

/** Anthropic's own format. */
export const MESSAGES_FORMAT: AnswerFormat = { toBody: (message) => message, encode: encodeEvents, cuts: false };

/** The format of chat completions; `created` is in milliseconds. */
export function createChatFormat(created: number, withUsage: boolean): AnswerFormat {
  const seconds = Math.floor(created / 1000);
  const encoder = new CompletionEncoder(seconds, withUsage);
  const bytes = new TextEncoder();
  return {
    toBody: (message) => toChatCompletion(message, seconds),
    encode: (events) => bytes.encode(encoder.feed(events)),
    cuts: true,
  };
}

/** The body of an error as the clients of a path read it. */
export function toErrorBody(path: string, error: ApiErrorBody): ApiErrorBody | ChatErrorBody {
  return path.startsWith("/v1/chat/") ? toChatError(error) : error;
}
