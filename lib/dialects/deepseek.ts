import { type Grammar, toStrays, type Trigger } from "./grammar.ts";
import { invokeXml } from "./invoke_xml.ts";

const DEEPSEEK_CALLS_BEGIN = "<｜tool▁calls▁begin｜>";
const DEEPSEEK_CALLS_END = "<｜tool▁calls▁end｜>";
const DEEPSEEK_BEGIN = "<｜tool▁call▁begin｜>";
const DEEPSEEK_SEPARATOR = "<｜tool▁sep｜>";
const DEEPSEEK_END = "<｜tool▁call▁end｜>";

/**
 * DeepSeek's calls: V3.1 writes `NAME<｜tool▁sep｜>{…}`, R1 and V3 `function<｜tool▁sep｜>NAME` with the arguments in a
 * fence of code.
 */
const deepseekCalls: Grammar = function* (reader) {
  yield* reader.token(DEEPSEEK_CALLS_BEGIN);
  if ((yield* reader.peek(DEEPSEEK_BEGIN)) === undefined) return undefined;
  while ((yield* reader.token(DEEPSEEK_BEGIN)) !== undefined) {
    let name = yield* reader.name();
    if ((yield* reader.token(DEEPSEEK_SEPARATOR)) === undefined) return undefined;
    if (name === "function") {
      name = yield* reader.name();
      yield* reader.token("```json", "```");
    }
    const call = { name, arguments: yield* reader.json(DEEPSEEK_END, "\n```", DEEPSEEK_CALLS_END) };
    yield* reader.token("```");
    yield* reader.token(DEEPSEEK_END);
    const closed = yield* reader.take(DEEPSEEK_CALLS_END);
    yield [call];
    if (closed !== undefined) break;
  }
  return [];
};

/** What DeepSeek R1, V3 and V3.1 leak. */
export const DEEPSEEK: readonly Trigger[] = [
  ...[DEEPSEEK_CALLS_BEGIN, DEEPSEEK_BEGIN].map((marker) => ({ marker, grammar: deepseekCalls })),
  ...toStrays(
    "<｜tool▁calls▁end｜> <｜tool▁call▁end｜> <｜tool▁outputs▁begin｜> <｜tool▁outputs▁end｜> <｜tool▁output▁begin｜> " +
      "<｜tool▁output▁end｜> <｜User｜> <｜Assistant｜>",
  ),
  { marker: "<｜end▁of▁sentence｜>", end: true },
];

const DSML_MARKS = ["｜DSML｜", "｜｜DSML｜｜", "‖DSML‖", "|DSML|"];
const DSML_PREFIXES = [...DSML_MARKS, ""];
const DSML_WRAPPERS = DSML_PREFIXES.flatMap((prefix) => [`${prefix}function_calls>`, `${prefix}tool_calls>`]);
const dsmlCalls = invokeXml(DSML_PREFIXES);

/** What DeepSeek V3.2 and V4 leak: DSML, with its tags in any spelling, with or without a wrapper. */
export const DSML: readonly Trigger[] = [
  ...DSML_MARKS.map((mark) => ({ marker: `<${mark}invoke`, grammar: dsmlCalls })),
  ...DSML_WRAPPERS.flatMap((tag): Trigger[] => [{ marker: `<${tag}`, grammar: dsmlCalls }, { marker: `</${tag}` }]),
  ...DEEPSEEK,
];
