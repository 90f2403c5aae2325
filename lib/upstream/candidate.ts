import type { Priority } from "../routing/priority.ts";
import type { MessagesRequest, MessageStreamEvent } from "../wire/anthropic.ts";

/** A host that speaks OpenAI's chat completions: its address up to and including `/v1`, and a bearer token for it. */
export type Backend = { baseUrl: string; apiKey?: string };

/** One model at one host: a place a request may go to. */
export type Candidate = { backend: Backend; model: string };

/** What a candidate is remembered under. */
export function toKey({ backend, model }: Candidate): string {
  return `${backend.baseUrl} ${model}`;
}

/**
 * An answer that has begun: who gives it, what could not be carried over (one sentence each), and the events of each read
 * of the upstream but `message_start`, which throw an `ApiError` when the upstream breaks off.
 */
export type Answer = {
  candidate: Candidate;
  warnings: string[];
  events: AsyncGenerator<MessageStreamEvent[], undefined>;
};

/**
 * What {@linkcode Send} is given beside the request: where it may go, in order of preference, a signal that fires when
 * nobody waits any more, the estimated tokens of the request, and how urgent it is.
 */
export type SendOptions = {
  candidates: readonly Candidate[];
  signal: AbortSignal;
  inputTokens: number;
  priority: Priority;
};

/**
 * Sends a request to whichever candidate answers.
 *
 * Resolves with the first content, so that everything that fails before can be tried again elsewhere without the client
 * noticing; rejects with an `ApiError` when no candidate answers.
 */
export type Send = (request: MessagesRequest, options: SendOptions) => Promise<Answer>;
