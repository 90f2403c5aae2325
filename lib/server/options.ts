import type { ClientKey } from "../config/client_keys.ts";
import type { LocalAnswer } from "../routing/local_answers.ts";
import type { Router } from "../routing/router.ts";
import type { ChainOptions } from "../upstream/chain_options.ts";
import type { Send } from "../upstream/send.ts";
import type { TokenLedger } from "../upstream/token_ledger.ts";
import type { Live } from "./live.ts";
import type { LiveFeed, LiveState } from "./live_feed.ts";
import type { Metrics } from "./metrics.ts";
import type { RequestLog } from "./request_log.ts";
import type { Sessions } from "./sessions.ts";
import type { SharedAnswers } from "./shared_answers.ts";
import type { ArbiterStatus } from "./stats.ts";

/** How clients are answered. */
export interface HandlerOptions extends ChainOptions {
  /** Largest request body, in bytes. @default {33_554_432} */
  maxBodyBytes?: number;
  /** Milliseconds to wait in silence, so that an early failure can be a truthful HTTP status. @default {8_000} */
  hold?: number;
  /** Milliseconds of silence in a stream after which a `ping` is sent. @default {10_000} */
  pingInterval?: number;
  /**
   * Milliseconds an answer goes on after a client that repeats by itself has gone in the middle of it; 0 breaks it off at
   * once. @default {5_000}
   */
  linger?: number;
  /** Side requests that are answered without any model. @default {["title", "quota"]} */
  localAnswers?: readonly LocalAnswer[];
  /** Keys of which every client needs one; without any only clients of this machine are served. @default {[]} */
  clientKeys?: readonly ClientKey[];
  /** Whether others are served, too, where there are no keys. @default {false} */
  open?: boolean;
  /** How many messages a client may ask for in any minute, unless its key says otherwise; 0 is no limit. @default {0} */
  inboundRpm?: number;
  /** Whether the dashboard shows the end of what each answer says; without it content is never shown. @default {false} */
  showContent?: boolean;
  /** Whether streams tell of their lanes in events called `ncp_visualization`, as one earlier tool has it. @default {false} */
  visualizes?: boolean;
  /** Called when a request is over. @default {() => {}} */
  onRequest?: (log: RequestLog) => void;
}

/** What the handler works with: all its options, and the parts that stand for one proxy; `load` goes before counting. */
export type HandlerParts = Required<HandlerOptions> & {
  router: () => Router;
  send: Send;
  load: () => Promise<void>;
  ledger: TokenLedger;
  shared: SharedAnswers;
  status: () => ArbiterStatus;
  sessions: Sessions;
  metrics: Metrics;
  live: Live;
  feed: LiveFeed;
  state: () => LiveState;
};
