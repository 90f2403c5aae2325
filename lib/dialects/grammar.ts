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

/** What a marker in an answer leads to; one that leads nowhere is a token that means nothing to people. */
export type Trigger = {
  marker: string;
  /** Reads on from the marker. */
  grammar?: Grammar;
  /** Thinking begins or ends here. */
  mode?: "text" | "thinking";
  /** Whether it counts only where an answer begins. */
  start?: boolean;
  /** Whether the turn ends with it. */
  end?: boolean;
};

/** Tokens that are removed wherever they turn up. */
export function toStrays(markers: string): Trigger[] {
  return markers.split(" ").map((marker) => ({ marker }));
}

/**
 * Thinking between tags in the text, as hosts without a reasoning parser leave it.
 *
 * The opening tag counts only where an answer begins: later it is something the model writes about. A closing tag
 * without a partner, which templates that open thinking themselves leave behind, counts where a line begins or ends.
 */
export function thinkTags(...tags: string[]): Trigger[] {
  return tags.flatMap((tag): Trigger[] => [
    { marker: `<${tag}>`, mode: "thinking", start: true },
    { marker: `</${tag}>`, mode: "text" },
  ]);
}
