import { isJsonObject } from "../wire/json.ts";
import type { Grammar, Trigger } from "./grammar.ts";
import type { WrittenCall } from "./reader.ts";
import { parseTolerant } from "./tolerant_json.ts";

/**
 * Finds the calls in parsed JSON: an object with name and arguments under whatever key, or a list of such.
 *
 * @param bare Whether nothing but the JSON announces the call: then it must have arguments under a key of the API.
 * @param cut Whether its end is missing: then the arguments may be, too.
 */
function toWrittenCalls(value: unknown, bare: boolean, cut: boolean): WrittenCall[] | undefined {
  if (Array.isArray(value)) {
    const calls = value.map((item) => toWrittenCalls(item, bare, cut));
    return calls.every((call) => call !== undefined) && calls.length > 0 ? calls.flat() : undefined;
  }
  if (!isJsonObject(value)) return undefined;
  const call = isJsonObject(value.function) ? value.function : value;
  const { name, arguments: args = call.parameters ?? (bare ? undefined : call.args ?? call.input) } = call;
  if (typeof name !== "string" || ((bare || cut) && args === undefined)) return undefined;
  return [{ name, arguments: typeof args === "string" ? args : JSON.stringify(args ?? {}) }];
}

/** Reads the calls in JSON as models write it, like {@linkcode toWrittenCalls}. */
export function parseCalls(json: string, bare = false): WrittenCall[] | undefined {
  const { value, cut = false, torn } = parseTolerant(json) ?? {};
  return toWrittenCalls(value, bare, cut)?.map((call) => ({ ...call, cut, torn }));
}

/**
 * Calls as JSON between markers: Hermes, Qwen2.5 and Qwen3, Granite, Nemotron, Phi, Llama, Inkling.
 *
 * Several objects may follow each other, with or without brackets, commas or semicolons; the closing marker may be
 * missing.
 *
 * @param open What was found; it is not read when the JSON itself is what announces the call.
 * @param close The closing marker, if there is one.
 * @param limits What else ends JSON that does not end by itself.
 */
export function jsonCalls(open: string, close: string | undefined, ...limits: string[]): Grammar {
  const closers = close === undefined ? [] : [close];
  const bare = /^[[{]/.test(open);
  return function* (reader) {
    if (!bare) yield* reader.take(open);
    yield* reader.space();
    if ((yield* reader.peek("{", "[")) === undefined) return undefined;
    for (;;) {
      const json = yield* reader.json(...closers, ...limits);
      const calls = /^\[\s*\]$/.test(json) ? [] : parseCalls(json.replace(/^\{\s*\{/, "{"), bare);
      if (!calls) return undefined;
      // What joins calls, and brackets too many.
      const joint = yield* reader.while(/[\s,;}\]]/);
      const closed = yield* reader.take(...closers);
      if (calls.length === 0 && closed === undefined) return undefined;
      yield calls;
      if (closed !== undefined) return [];
      if ((yield* reader.peek("{", "[")) === undefined) {
        if (joint !== "" && joint.trim() === "") yield joint;
        return [];
      }
    }
  };
}

/** Calls in a grammar of their own, which begins behind `open`, or as JSON: models that have learned both mix them up. */
export function orJson(grammar: Grammar, open: string, close: string): Grammar {
  const json = jsonCalls(open, close);
  return function* (reader, tools) {
    yield* reader.token(open);
    const isJson = (yield* reader.peek("{", "[")) !== undefined;
    return yield* (isJson ? json : grammar)(reader, tools);
  };
}

/** Such calls between tags, of which the closing one may be left over. */
export function jsonTags(open: string, close: string): Trigger[] {
  return [{ marker: open, grammar: jsonCalls(open, close) }, { marker: close }];
}
