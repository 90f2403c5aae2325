/**
 * Where text stands in Markdown's code: in a fence, in a span, after how many backticks, and whether only blanks stand
 * before it on its line.
 */
export type CodeState = { fence: boolean; span: boolean; ticks: number; lineStart: boolean };

/** The state before any text. */
export const NO_CODE: CodeState = { fence: false, span: false, ticks: 0, lineStart: true };

/** What the backticks read last have opened or closed. */
function settle({ fence, span, ticks, lineStart }: CodeState): CodeState {
  if (ticks === 0) return { fence, span, ticks, lineStart };
  if (ticks >= 3 && (lineStart || fence)) return { fence: !fence, span: false, ticks: 0, lineStart: false };
  return { fence, span: fence ? false : !span, ticks: 0, lineStart: false };
}

/** Whether text that stands here is code: a marker in it is only written about. */
export function isCode(state: CodeState): boolean {
  const { fence, span } = settle(state);
  return fence || span;
}

/** The state after some more text. */
export function readCode(state: CodeState, text: string): CodeState {
  let { fence, span, ticks, lineStart } = state;
  if (ticks === 0 && !text.includes("`") && !text.includes("\n")) {
    return { fence, span, ticks, lineStart: lineStart && text.trim() === "" };
  }
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === "`") ticks++;
    else {
      if (ticks > 0) ({ fence, span, ticks, lineStart } = settle({ fence, span, ticks, lineStart }));
      if (char === "\n") [lineStart, span] = [true, false];
      else if (char !== " " && char !== "\t") lineStart = false;
    }
  }
  return { fence, span, ticks, lineStart };
}
