import type { MessagesRequest, MessageStreamEvent } from "../wire/anthropic.ts";

/** A host that speaks OpenAI's chat completions: its address up to and including `/v1`, and a bearer token for it. */
export type Backend = { baseUrl: string; apiKey?: string };

/** One model at one host: a place a request may go to. */
export type Candidate = { backend: Backend; model: string };

/** An answer that has begun. */
export interface Answer {
  /** Who gives it. */
  candidate: Candidate;
  /** The events of each read of the upstream but `message_start`; throws an `ApiError` when the upstream breaks off. */
  events: AsyncGenerator<MessageStreamEvent[], undefined>;
  /** What could not be carried over, one sentence each. */
  warnings: string[];
}

/** What {@linkcode Send} is given beside the request. */
export interface SendOptions {
  /** Where the request may go, in order of preference. */
  candidates: readonly Candidate[];
  /** Fires when nobody waits for the answer any more. */
  signal: AbortSignal;
  /** Estimated input tokens of the request. */
  inputTokens: number;
}

/**
 * Sends a request to whichever candidate answers.
 *
 * Resolves with the first content, so that everything that fails before can be tried again elsewhere without the client
 * noticing; rejects with an `ApiError` when no candidate answers.
 */
export type Send = (request: MessagesRequest, options: SendOptions) => Promise<Answer>;
