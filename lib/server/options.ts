import type { Candidate, Send } from "../upstream/candidate.ts";
import type { ChainOptions } from "../upstream/chain.ts";
import type { MessagesRequest } from "../wire/anthropic.ts";
import type { RequestLog } from "./request_log.ts";

/** How clients are answered. */
export interface HandlerOptions extends ChainOptions {
  /** Largest request body, in bytes. @default {33_554_432} */
  maxBodyBytes?: number;
  /** Milliseconds to wait in silence, so that an early failure can be a truthful HTTP status. @default {8_000} */
  hold?: number;
  /** Milliseconds of silence in a stream after which a `ping` is sent. @default {10_000} */
  pingInterval?: number;
  /** Called when a request is over. @default {() => {}} */
  onRequest?: (log: RequestLog) => void;
}

/** What the handler works with: all its options, the upstream ids to list, where a request may go, and the way there. */
export type HandlerParts = Required<HandlerOptions> & {
  models: readonly string[];
  toCandidates: (request: MessagesRequest) => Candidate[];
  send: Send;
};
