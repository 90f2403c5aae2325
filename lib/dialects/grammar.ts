import type { JsonObject } from "../wire/anthropic.ts";
import type { Reader, Reading, WrittenCall } from "./reader.ts";

/** The tools a client declared, under the names they have upstream. */
export type DeclaredTools = ReadonlyMap<string, { name: string; input_schema?: JsonObject }>;

/**
 * Reads one thing a model has written in its own tokens, from the marker on that announces it.
 *
 * Hands over calls as it has read them, and gives the last ones at the end; calls that are handed over together count
 * together. Gives nothing when it is something else: then it becomes text, exactly as it was written. A grammar should
 * see that it is something else as early as it can, because text waits for it.
 */
export type Grammar = (reader: Reader, tools: DeclaredTools) => Reading<WrittenCall[] | undefined>;

/** What a marker in an answer leads to. */
export type Trigger =
  /** A grammar that reads on from the marker; `start`: only where an answer begins. */
  | { marker: string; grammar: Grammar; start?: boolean }
  /** Thinking begins or ends here; `start` as above. */
  | { marker: string; mode: "text" | "thinking"; start?: boolean }
  /** A token of the template that means nothing to people; `end` when the turn ends with it. */
  | { marker: string; stray: true; end?: boolean };

/** Tokens that are removed wherever they turn up. */
export function toStrays(markers: string): Trigger[] {
  return markers.split(" ").map((marker) => ({ marker, stray: true }));
}
