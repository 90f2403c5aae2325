/**
 * Where text stands in Markdown's code: in a fence or a span of how many backticks, whether without a blank since the
 * span began, after how many backticks, and whether only blanks stand before it on its line.
 */
export type CodeState = { fence: number; span: number; tight: boolean; ticks: number; lineStart: boolean };

/** The state before any text. */
export const NO_CODE: CodeState = { fence: 0, span: 0, tight: false, ticks: 0, lineStart: true };

/**
 * What the backticks read last have opened or closed, before `next`.
 *
 * A fence ends where a line begins or ends, or on the line where it began: then it was none. Elsewhere backticks are code.
 */
function settle(state: CodeState, next = "\n"): CodeState {
  const { fence, span, tight, ticks, lineStart } = state;
  if (ticks === 0) return state;
  const rest = { tight: tight || span === 0, ticks: 0, lineStart: false };
  const ends = ticks >= fence && (lineStart || span > 0 || next === "\n");
  if (fence > 0) return ends ? { fence: 0, span: 0, ...rest } : { ...state, ticks: 0, lineStart: false };
  if (ticks >= 3 && lineStart) return { fence: ticks, span: ticks, ...rest, tight: false };
  return { fence, span: span === 0 ? ticks : span === ticks ? 0 : span, ...rest };
}

/** Whether text that stands here is in a fence: a marker in it is only written about. */
export function isFenced(state: CodeState): boolean {
  return settle(state).fence > 0;
}

/** Whether text that stands here is in a span; `tight`: one that has no blank in it, as a stray backtick would have. */
export function isSpan(state: CodeState, tight: boolean): boolean {
  const settled = settle(state);
  return settled.span > 0 && (settled.tight || !tight);
}

/** The state after some more text. */
export function readCode(state: CodeState, text: string): CodeState {
  const next = { ...state };
  // Most text.
  if (next.ticks === 0 && !text.includes("`") && !text.includes("\n")) {
    next.lineStart &&= text.trim() === "";
    next.tight &&= !text.includes(" ");
    return next;
  }
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === "`") next.ticks++;
    else {
      if (next.ticks > 0) Object.assign(next, settle(next, char));
      // A fence may begin behind the mark of a list.
      if (char === "\n" && next.span >= 3 && next.tight) next.fence ||= next.span;
      if (char === "\n") [next.lineStart, next.span] = [true, 0];
      else if (char !== " " && char !== "\t") next.lineStart = false;
      if (char === " " || char === "\n") next.tight = false;
    }
  }
  return next;
}
