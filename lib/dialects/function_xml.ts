import { toProperties } from "./arguments.ts";
import type { Grammar, Trigger } from "./grammar.ts";
import { orJson } from "./json_calls.ts";
import { type Field, MAX_TAG } from "./reader.ts";

/**
 * Qwen3-Coder's XML, which Qwen3.5, Nemotron 3, Step and (in a wrapper of its own) Seed-OSS write as well:
 * `<tool_call><function=NAME><parameter=KEY>VALUE</parameter></function></tool_call>`.
 *
 * The wrapper may be missing, and so may ends. One line break at each end of a value belongs to the markup, all other
 * white space to the value. A value ends where something follows that may; markup in it belongs to it. Without an end it
 * ends before a parameter that the tool declares and that was not there yet.
 */
function functionXml(open: string, close: string): Grammar {
  const ends = {
    "</parameter>": ["<parameter=", "</function>", "<function=", close],
    "</function>": ["<function=", close],
    [close]: [open],
  };
  return function* (reader, tools) {
    for (let some = false;; some = true) {
      const begin = yield* reader.take("<function=", "<function ", "<function");
      if (begin === undefined) return some ? [] : undefined;
      const name = yield* reader.name();
      if (name === "" || (begin === "<function" && !tools.has(name))) return undefined;
      const missing = new Set(Object.keys(toProperties(tools.get(name)?.input_schema)));
      yield* reader.take(">");
      yield* reader.space();
      const fields: Field[] = [];
      let end: string | undefined;
      while (end === "\n<parameter=" || (yield* reader.take("<parameter=")) !== undefined) {
        const key = (yield* reader.while(/[^>\n<]/, MAX_TAG)).replace(/^parameter=/, "").trim();
        yield* reader.take(">");
        missing.delete(key);
        const valueEnds = { ...ends, "\n<parameter=": [...missing].map((name) => `${name}>`) };
        const [value, valueEnd] = yield* reader.value(valueEnds, "</parameter>", ["<parameter=", "<function=", open]);
        fields.push([key, value.replace(/^\n/, "").replace(/\n$/, "")]);
        end = valueEnd;
      }
      const closed = end === "</function>" || (yield* reader.take("</function>")) !== undefined;
      yield* reader.space();
      const last = end === close || (yield* reader.take(close)) !== undefined;
      if (fields.length === 0 && !closed && !last) return undefined;
      const torn = fields.length > 0 && end === undefined;
      yield [{ name, arguments: fields, cut: !closed && !last, torn }];
      if (last) return [];
    }
  };
}

/** What models leak that write so, in a wrapper of their own. */
export function functionTags(open: string, close: string): Trigger[] {
  const grammar = orJson(functionXml(open, close), open, close);
  return [{ marker: open, grammar }, { marker: "<function=", grammar }, { marker: close }];
}
