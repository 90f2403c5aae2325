import type { ChatRequest, ChatUsage, ToolCallDelta } from "../wire/openai.ts";

/** A tool call of a script: what a host writes when it behaves. */
export interface ScriptedCall {
  name: string;
  /** An object is sent as JSON text, a string as it stands. */
  arguments: unknown;
  id?: string;
}

/**
 * One step of an answer.
 *
 * - `text`, `reasoning`: a string is sent in pieces of `size` characters, a list as it stands
 * - `calls`: tool calls whole, each in a chunk; `deltas`: the same in any shape a host may choose
 * - `chunk`: any object as a chunk, such as `{ error: … }`
 * - `wait`: milliseconds of silence; `hang`: silence until the client goes away
 * - `finish`: the finish reason, when it is not what the steps suggest
 * - `cut`: the connection breaks; `end`: the stream ends without `[DONE]`
 */
export type Step =
  | { text: string | string[]; size?: number }
  | { reasoning: string | string[]; size?: number }
  | { calls: ScriptedCall[] }
  | { deltas: ToolCallDelta[][] }
  | { chunk: unknown }
  | { wait: number }
  | { hang: true }
  | { finish: string }
  | { cut: true }
  | { end: true };

/** What the stand-in does with one request. */
export interface ScriptedAnswer {
  /** Milliseconds before the response begins. @default {0} */
  delay?: number;
  /** HTTP status. @default {200} */
  status?: number;
  /** Body of a failure: an object is sent as JSON, a string as it stands. */
  body?: unknown;
  headers?: Record<string, string>;
  /** The answer, step by step. @default {[]} */
  steps?: Step[];
  /** Counts to report; `null` reports nothing. @default {counted from the characters} */
  usage?: ChatUsage | null;
}

/**
 * Decides about a request; `turn` counts the requests for this model from 0.
 *
 * Returning nothing leaves it to the demo model.
 */
export type Script = (request: ChatRequest, turn: number) => ScriptedAnswer | undefined;

/** The name of a fault a script may answer with. */
export type FaultName =
  | "degraded"
  | "unauthorized"
  | "forbidden"
  | "unavailable"
  | "unknown"
  | "gone"
  | "rateLimited"
  | "broken"
  | "gateway"
  | "busy"
  | "slow";

/** A model's error bodies as NVIDIA's hosted API writes them. */
export const FAULT_ANSWERS: Record<FaultName, ScriptedAnswer> = {
  degraded: toProblem(400, "Bad Request", "Function id 'f0': DEGRADED function cannot be invoked"),
  unauthorized: toProblem(401, "Unauthorized", "Authentication failed"),
  forbidden: toProblem(403, "Forbidden", "Authorization failed"),
  unavailable: toProblem(404, "Not Found", "Function 'f0': Not found for account 'a0'"),
  unknown: { status: 404, body: "404 page not found" },
  gone: toProblem(410, "Gone", "The model has reached its end of life on 2026-05-14T00:00:00Z"),
  rateLimited: { status: 429, body: { status: 429, title: "Too Many Requests" } },
  broken: { status: 500, body: { error: "Inference connection error" } },
  gateway: { status: 502, body: "<html><body><h1>502 Bad Gateway</h1></body></html>" },
  busy: { status: 503, body: toBusy() },
  slow: { status: 504, body: "" },
};

function toProblem(status: number, title: string, detail: string): ScriptedAnswer {
  return { status, body: { type: "about:blank", status, title, detail } };
}

/** The error of a full worker pool, which also comes inside a stream. */
export function toBusy(): { error: object } {
  const message = "ResourceExhausted: Worker local total request limit reached (16/16)";
  return { error: { message, type: "Service Unavailable", code: 503 } };
}
