import type { Trigger } from "./grammar.ts";

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
