import type { ChatRequest, ChatUsage, ToolCallDelta } from "../wire/openai.ts";

/** A tool call of a script; arguments that are no string are sent as JSON text. */
export type ScriptedCall = { name: string; arguments: unknown; id?: string };

/**
 * One step of an answer.
 *
 * - `text`, `reasoning`: a string is sent in pieces of `size` characters (12), a list as it stands
 * - `calls`: tool calls, each whole in a chunk; `deltas`: calls in any shape a host may choose
 * - `chunk`: any object as a chunk, such as `{ error: … }`
 * - `wait`: milliseconds of silence, `Infinity` until the client goes away
 * - `finish`: the finish reason, when it is not what the steps suggest
 * - `stop`: the connection breaks (`cut`) or the stream ends without `[DONE]` (`end`)
 */
export type Step =
  | { text: string | string[]; size?: number }
  | { reasoning: string | string[]; size?: number }
  | { calls: ScriptedCall[] }
  | { deltas: ToolCallDelta[][] }
  | { chunk: unknown }
  | { wait: number }
  | { finish: string }
  | { stop: "cut" | "end" };

/**
 * What the stand-in does with one request: after `delay` milliseconds either a failure with its `status` and `body` (a
 * string is sent as it stands), or the `steps` of an answer. `usage` replaces the counts it makes up; `null` leaves
 * them out.
 */
export type ScriptedAnswer = {
  delay?: number;
  status?: number;
  body?: unknown;
  headers?: Record<string, string>;
  steps?: Step[];
  usage?: ChatUsage | null;
};

/** Decides about a request; `turn` counts the requests for this model. Nothing: the demo model does. */
export type Script = (request: ChatRequest, turn: number) => ScriptedAnswer | undefined;
