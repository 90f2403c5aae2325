import type { Grammar, Trigger } from "./grammar.ts";
import { parseCalls } from "./json_calls.ts";

const MISTRAL_OPEN = "[TOOL_CALLS]";

/** Mistral's calls in all three forms: `[{…}]`, `NAME{…}` and `NAME[CALL_ID]…[ARGS]{…}`, each after `[TOOL_CALLS]`. */
const mistralCalls: Grammar = function* (reader) {
  while ((yield* reader.take(MISTRAL_OPEN)) !== undefined) {
    yield* reader.space();
    if ((yield* reader.peek("[", "{")) !== undefined) {
      const calls = parseCalls(yield* reader.json(MISTRAL_OPEN));
      if (!calls) return undefined;
      yield calls;
    } else {
      const name = yield* reader.name();
      if ((yield* reader.take("[CALL_ID]")) !== undefined) yield* reader.while(/\w/);
      yield* reader.take("[ARGS]");
      yield* reader.space();
      if (name === "" || (yield* reader.peek("{")) === undefined) return undefined;
      yield [{ name, arguments: yield* reader.json(MISTRAL_OPEN) }];
    }
  }
  return [];
};

/** The end of the turn; anywhere else the same is HTML. */
const mistralEnd: Grammar = function* (reader) {
  yield* reader.take("</s>");
  yield* reader.space();
  return reader.done ? [] : undefined;
};

/** What Mistral's models leak; Magistral's thinking has tags of its own. */
export const MISTRAL: readonly Trigger[] = [
  { marker: MISTRAL_OPEN, grammar: mistralCalls },
  { marker: "[THINK]", mode: "thinking", start: true },
  { marker: "[/THINK]", mode: "text" },
  { marker: "</s>", grammar: mistralEnd },
];
