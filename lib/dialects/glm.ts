import type { Grammar, Trigger } from "./grammar.ts";
import { orJson } from "./json_calls.ts";
import { type Field, MAX_TAG, type Reader, type Reading } from "./reader.ts";

const GLM_ENDS = { "</arg_value>": [""], "</tool_call>": [""] };

/** White space, also where its escape has leaked. */
function* glmSpace(reader: Reader): Reading<void> {
  do yield* reader.space(); while ((yield* reader.take("\\n")) !== undefined);
}

/**
 * GLM's and Laguna's tags: `<tool_call>NAME<arg_key>K</arg_key><arg_value>V</arg_value></tool_call>`, with or without
 * line breaks.
 *
 * When the first `<arg_key>` is missing, name and key run together, and the longest declared name tells them apart. A
 * key without a value is dropped.
 */
const glmCall: Grammar = function* (reader, tools) {
  const head = yield* reader.name();
  if (head === "") return undefined;
  const fields: Field[] = [];
  const glued = (yield* reader.peek("</arg_key>")) !== undefined;
  const known = [...tools.keys()].filter((name) => head.startsWith(name)).sort((a, b) => b.length - a.length)[0];
  const name = glued && known !== undefined ? known : head;
  let key = glued ? head.slice(name.length) : undefined;
  let [torn, closed] = [false, false];
  while (!closed) {
    yield* glmSpace(reader);
    if (key === undefined && (yield* reader.take("<arg_key>")) === undefined) break;
    key ??= yield* reader.until(["</arg_key>", "<arg_value>", "</tool_call>"], MAX_TAG);
    yield* reader.take("</arg_key>");
    yield* glmSpace(reader);
    if ((yield* reader.take("<arg_value>")) !== undefined) {
      const [value, end] = yield* reader.value(GLM_ENDS, "</arg_value>", ["<arg_key>", "<arg_value>", "<tool_call>"]);
      fields.push([key.trim(), value, "undeclared"]);
      torn = end === undefined;
      if (end === "</tool_call>") closed = true;
    }
    key = undefined;
  }
  // Behind a name without arguments there may be the end of one.
  closed ||= (yield* reader.take("</tool_call>", "</arg_value>")) !== undefined;
  return closed || fields.length > 0 ? [{ name, arguments: fields, cut: !closed, torn }] : undefined;
};

/** What GLM and Laguna leak. */
export const GLM: readonly Trigger[] = [
  { marker: "<tool_call>", grammar: orJson(glmCall, "<tool_call>", "</tool_call>") },
  { marker: "</tool_call>" },
];
