import type { Grammar, Trigger } from "./grammar.ts";
import { MAX_TAG } from "./reader.ts";

const GEMMA_QUOTE = '<|"|>';

/** Gemma 4's calls: `<|tool_call>call:NAME{key:<|"|>text<|"|>,n:2}<tool_call|>`, strings between tokens of their own. */
const gemmaCall: Grammar = function* (reader) {
  yield* reader.take("<|tool_call>");
  if ((yield* reader.take("call:")) === undefined) return undefined;
  const name = yield* reader.name();
  if (name === "" || (yield* reader.take("{")) === undefined) return undefined;
  let json = `{${yield* reader.while(/[^:{}<]/, MAX_TAG)}`;
  if ((yield* reader.peek(":", "}", "<")) === undefined && !reader.done) return undefined;
  for (;;) {
    json += yield* reader.until([GEMMA_QUOTE, "<tool_call|>", "<|tool_call>"]);
    if ((yield* reader.take(GEMMA_QUOTE)) === undefined) break;
    const text = JSON.stringify(yield* reader.until([GEMMA_QUOTE]));
    json += (yield* reader.take(GEMMA_QUOTE)) === undefined ? text.slice(0, -1) : text;
  }
  yield* reader.take("<tool_call|>");
  return [{ name, arguments: json }];
};

/** What Gemma 4 leaks. */
export const GEMMA: readonly Trigger[] = [
  { marker: "<|tool_call>", grammar: gemmaCall },
  { marker: "<|channel>thought", mode: "thinking" },
  { marker: "<channel|>", mode: "text" },
  { marker: "<tool_call|>" },
];
