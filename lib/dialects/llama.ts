import type { Grammar, Trigger } from "./grammar.ts";
import { jsonCalls } from "./json_calls.ts";
import type { WrittenCall } from "./reader.ts";

/** Llama 3.1's custom form: `<function=NAME>{…}</function>`, also without the bracket. */
const customCall: Grammar = function* (reader) {
  yield* reader.take("<function=");
  const name = yield* reader.name();
  yield* reader.take(">");
  yield* reader.space();
  if (name === "" || (yield* reader.peek("{")) === undefined) return undefined;
  const json = yield* reader.json("</function>");
  yield* reader.space();
  yield* reader.take("</function>");
  return [{ name, arguments: json }];
};

/** Llama 4's calls as Python would write them: `[ls(path="."), cat(path="a")]`. */
const pythonicCalls: Grammar = function* (reader, tools) {
  yield* reader.token("[");
  const calls: WrittenCall[] = [];
  do {
    const name = yield* reader.name();
    if (!tools.has(name) || (yield* reader.take("(")) === undefined) return undefined;
    calls.push({ name, arguments: `{${yield* reader.untilClosed(")")}}` });
    if ((yield* reader.take(")")) === undefined) return undefined;
  } while ((yield* reader.token(",")) !== undefined);
  return (yield* reader.take("]")) === undefined ? undefined : calls;
};

/** What Llama 3 and 4 leak; the bare forms only where an answer begins. */
export const LLAMA: readonly Trigger[] = [
  { marker: "<|python_tag|>", grammar: jsonCalls("<|python_tag|>", undefined, "<|eom_id|>", "<|eot_id|>") },
  ...["", " ", "\n  ", "\n    "].flatMap((space) => [`{${space}"name"`, `{${space}"type"`]).map((marker) => {
    return { marker, grammar: jsonCalls(marker, undefined, "<|eom_id|>", "<|eot_id|>"), start: true };
  }),
  { marker: "[", grammar: pythonicCalls, start: true },
  { marker: "<function=", grammar: customCall },
  ...["<|eom_id|>", "<|eot_id|>"].map((marker) => ({ marker, end: true })),
];
