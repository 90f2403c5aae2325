import type { Family } from "../models/families.ts";
import type { MessagesRequest, MessageStreamEvent } from "../wire/anthropic.ts";

/** A host that speaks OpenAI's chat completions. */
export interface Backend {
  /** Short name for logs and messages. */
  name: string;
  /** Address up to and including `/v1`, without a slash at the end. */
  baseUrl: string;
  /** Sent as a bearer token; nothing is sent when absent. */
  apiKey?: string;
}

/** One model at one host: a place a request may go to. */
export interface Candidate {
  backend: Backend;
  /** The host's name of the model. */
  model: string;
  family: Family;
}

/** An answer that has begun: the candidate that gives it, and its events as they come. */
export interface Answer {
  candidate: Candidate;
  /**
   * The events of each read of the upstream, `message_start` excepted; ends after `message_stop`.
   * Throws an `ApiError` when the upstream breaks off.
   */
  events: AsyncGenerator<MessageStreamEvent[], void>;
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
 * Resolves with the first content, so that everything that fails before can be tried again
 * elsewhere without the client noticing; rejects with an `ApiError` when no candidate answers.
 */
export type Send = (request: MessagesRequest, options: SendOptions) => Promise<Answer>;
