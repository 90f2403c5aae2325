import type { Candidate } from "../routing/candidate.ts";
import type { RequestKind } from "../routing/request_kind.ts";
import type { MessagesRequest, MessageStreamEvent } from "../wire/anthropic.ts";
import type { ApiError } from "../wire/errors.ts";
import type { PromptTokens } from "./token_ledger.ts";

/**
 * An answer that has begun: who gives it, what could not be carried over (one sentence each), and the events of each read
 * of the upstream but `message_start`, which throw an `ApiError` when the upstream breaks off.
 */
export type Answer = {
  candidate: Candidate;
  warnings: string[];
  events: AsyncIterableIterator<MessageStreamEvent[], undefined>;
};

/**
 * What {@linkcode Send} is given beside the request: where it may go, in order of preference, a signal that fires when
 * nobody waits any more, the tokens of the request, what Claude Code wants with it, and the client's headers, of which hosts
 * that speak Anthropic's format get some, and what is called when a candidate is asked and when it has failed.
 */
export type SendOptions = {
  candidates: readonly Candidate[];
  signal: AbortSignal;
  tokens: PromptTokens;
  kind: RequestKind;
  headers?: Headers;
  onTry?: ((candidate: Candidate, fault?: ApiError) => void) | undefined;
};

/**
 * Sends a request to whichever candidate answers.
 *
 * Resolves with the first content, so that everything that fails before can be tried again elsewhere without the client
 * noticing; rejects with an `ApiError` when no candidate answers.
 */
export type Send = (request: MessagesRequest, options: SendOptions) => Promise<Answer>;
