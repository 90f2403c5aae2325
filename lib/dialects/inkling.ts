import { type Grammar, toStrays, type Trigger } from "./grammar.ts";
import { jsonCalls } from "./json_calls.ts";

const INKLING_CALL = "<|content_invoke_tool_json|>";
const inklingCall = jsonCalls(INKLING_CALL, "<|end_message|>");

/** A message; if it is a call, the tool's name stands before its marker once more. */
const inklingMessage: Grammar = function* (reader, tools) {
  yield* reader.take("<|message_model|>");
  const word = yield* reader.name();
  if ((yield* reader.peek(INKLING_CALL)) !== undefined) return yield* inklingCall(reader, tools);
  yield word;
  return [];
};

/** What Inkling leaks: `<|message_model|>NAME<|content_invoke_tool_json|>{"name":…,"args":{…}}<|end_message|>`. */
export const INKLING: readonly Trigger[] = [
  { marker: "<|message_model|>", grammar: inklingMessage },
  { marker: INKLING_CALL, grammar: inklingCall },
  ...toStrays("<|end_message|>"),
];
