import { type DeclaredTools, type Grammar, toStrays, type Trigger } from "./grammar.ts";
import { pythonRepr } from "./python_repr.ts";
import { MAX_TAG } from "./reader.ts";
import { resolveToolName } from "./tool_names.ts";

const KIMI_BEGIN = "<|tool_call_begin|>";
const KIMI_ARGUMENTS = "<|tool_call_argument_begin|>";
const KIMI_END = "<|tool_call_end|>";
/** What ends arguments that do not end by themselves. */
const KIMI_ENDS = [
  ...[KIMI_END, KIMI_BEGIN, KIMI_ARGUMENTS],
  ...["<|tool_calls_section_end|>", "<|tool_call_section_end|>", "<|im_end|>"],
];

/** The name in an id such as `functions.mcp__wiki__find-all:1`; K2.5 may leave out what stands between its parts. */
function toKimiName(id: string, tools: DeclaredTools): string {
  return resolveToolName(id, tools) ?? id.replace(/^functions\.?/, "").replace(/(?::|(?<!\d))\d+$/, "");
}

/**
 * Kimi K2's calls: `<|tool_call_begin|>functions.NAME:N<|tool_call_argument_begin|>{…}<|tool_call_end|>`.
 *
 * The end may be missing, and the header of the next call may stand in the arguments of this one: they end where their
 * JSON ends, wherever the markers are.
 */
const kimiCall: Grammar = function* (reader, tools) {
  yield* reader.token(KIMI_BEGIN);
  let id = yield* reader.name();
  yield* reader.space();
  if (id === "" || (yield* reader.peek(KIMI_ARGUMENTS)) === undefined) return undefined;
  while ((yield* reader.take(KIMI_ARGUMENTS)) !== undefined) {
    const call = { name: toKimiName(id, tools), arguments: yield* reader.json(...KIMI_ENDS) };
    const rest = yield* reader.until(["<"], MAX_TAG);
    const next = /^[\s}\]]*(?:\S*?(functions\.[\w.-]+:\d+)\s*)?$/.exec(rest);
    const goesOn = next !== null && (reader.done || (yield* reader.peek(...KIMI_ENDS)) !== undefined);
    if (!goesOn) reader.unread(rest);
    id = next?.[1] ?? "";
    yield* reader.take(KIMI_END);
    yield [call];
  }
  return [];
};

/** What Kimi K2, K2.5 and K2.6 leak, in text and in reasoning. */
export const KIMI: readonly Trigger[] = [
  { marker: KIMI_BEGIN, grammar: kimiCall },
  ...["[", "{'type'", '{"type"', "{'text'"].map((marker) => ({ marker, grammar: pythonRepr, start: true })),
  ...toStrays(
    "<|tool_calls_section_begin|> <|tool_call_section_begin|> <|tool_calls_section_end|> <|tool_call_section_end|> " +
      "<|tool_call_argument_begin|> <|tool_call_end|> <|im_user|> <|im_assistant|> <|im_system|> <|im_middle|> [BOS] " +
      "[EOS] <|media_start|> <|media_content|> <|media_pad|> <|media_end|>",
  ),
  { marker: "<|im_end|>", end: true },
];
