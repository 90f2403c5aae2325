/**
 * Where text stands in Markdown's code: in a fence or a span of how many backticks, whether without a blank since the
 * span began, after how many backticks, and whether only blanks stand before it on its line.
 */
export type CodeState = { fence: number; span: number; tight: boolean; ticks: number; lineStart: boolean };

/** The state before any text. */
export const NO_CODE: CodeState = { fence: 0, span: 0, tight: false, ticks: 0, lineStart: true };

/** What the backticks read last have opened or closed. */
function settle(state: CodeState): CodeState {
  const { fence, span, tight, ticks, lineStart } = state;
  if (ticks === 0) return state;
  const rest = { tight: tight || span === 0, ticks: 0, lineStart: false };
  if (fence > 0) return { fence: ticks < fence ? fence : 0, span: 0, ...rest };
  if (ticks >= 3 && lineStart) return { fence: ticks, span: 0, ...rest };
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
      if (next.ticks > 0) Object.assign(next, settle(next));
      if (char === "\n") [next.lineStart, next.span] = [true, 0];
      else if (char !== " " && char !== "\t") next.lineStart = false;
      if (char === " " || char === "\n") next.tight = false;
    }
  }
  return next;
}
