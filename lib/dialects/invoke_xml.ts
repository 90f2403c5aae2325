import type { Grammar } from "./grammar.ts";
import { type Field, MAX_TAG } from "./reader.ts";

/** Reads an attribute of a tag, in quotes or not. */
export function toAttribute(tag: string, name: string): string | undefined {
  const found = new RegExp(`\\b${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s>]+))`).exec(tag);
  return found?.[1] ?? found?.[2] ?? found?.[3];
}

/**
 * Calls as `invoke` elements in a wrapper: MiniMax M2, DeepSeek's DSML and Meta's ATEM, which differ in what stands
 * before the names of the tags.
 *
 * An attribute `string="false"` says that a value is JSON. An `invoke` may hold a JSON object instead of parameters, or
 * its name and arguments as children. A value ends where something follows that may; markup in it belongs to it.
 *
 * @param prefixes What may stand before the names of the tags; models mix them.
 * @param others What else may be the tag around the calls.
 */
export function invokeXml(prefixes: readonly string[], ...others: string[]): Grammar {
  const tags = (...names: string[]) => prefixes.flatMap((prefix) => names.map((name) => `<${prefix}${name}`));
  const ends = (...names: string[]) => prefixes.flatMap((prefix) => names.map((name) => `</${prefix}${name}>`));
  const wrappers = [...tags("function_calls>", "tool_calls>"), ...others];
  const closers = wrappers.map((tag) => tag.replace("<", "</"));
  const valueEnds = Object.fromEntries([
    ...ends("parameter").map((end) => [end, [...tags("parameter"), ...ends("invoke"), ...closers]]),
    ...ends("invoke").map((end) => [end, [...tags("invoke"), ...closers]]),
  ]);
  const opens = [...tags("parameter", "invoke"), ...wrappers];
  return function* (reader) {
    yield* reader.take(...wrappers);
    for (let some = false;; some = true) {
      yield* reader.space();
      if ((yield* reader.take(...closers)) !== undefined) return [];
      if ((yield* reader.take(...tags("invoke"))) === undefined) return some ? [] : undefined;
      const head = yield* reader.tag();
      if (head === undefined) return undefined;
      let name = toAttribute(head, "name");
      const fields: Field[] = [];
      let [json, end]: (string | undefined)[] = [];
      let torn = false;
      while (end === undefined || end.endsWith("parameter>")) {
        yield* reader.space();
        if ((yield* reader.peek("{")) !== undefined) json = yield* reader.json(...ends("invoke"));
        yield* reader.space();
        const tag = yield* reader.take(...tags("parameter"), "<name>", "<tool_name>", "<arguments>", "<parameters>");
        if (tag === undefined) break;
        if (tag === "<name>" || tag === "<tool_name>") name = yield* reader.while(/[^<]/, MAX_TAG);
        else if (tag.endsWith(">")) json = yield* reader.json("</");
        else {
          const attributes = yield* reader.tag();
          if (attributes === undefined) return undefined;
          const [value, valueEnd] = yield* reader.value(valueEnds, `${tag.replace("<", "</")}>`, opens);
          const key = toAttribute(attributes, "name");
          if (key !== undefined) fields.push([key, value, toAttribute(attributes, "string") === "false"]);
          [end, torn] = [valueEnd, valueEnd === undefined];
          continue;
        }
        yield* reader.token(tag.replace("<", "</"));
      }
      const closed = end?.endsWith("invoke>") || (yield* reader.take(...ends("invoke"))) !== undefined;
      yield* reader.space();
      const last = yield* reader.take(...closers);
      if (name === undefined) return undefined;
      const cut = !closed && last === undefined;
      torn ||= cut && json === undefined && fields.length === 0;
      yield [{ name, arguments: json ?? fields, cut, torn }];
      if (last !== undefined) return [];
    }
  };
}
