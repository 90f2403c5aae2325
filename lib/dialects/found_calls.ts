import type { JsonObject } from "../wire/anthropic.ts";
import { coerceFields, readArguments, readAs, toFieldSchema, toProperties, toTypes } from "./arguments.ts";
import type { DeclaredTools } from "./grammar.ts";
import type { Field, WrittenCall } from "./reader.ts";
import { parseTolerant } from "./tolerant_json.ts";
import { resolveToolName } from "./tool_names.ts";

/** A call of a declared tool, with strict JSON for arguments. */
export type FoundCall = { kind: "call"; name: string; arguments: string };

/** The types a value may have whose type nobody declared. */
const UNDECLARED = ["boolean", "null", "number", "object", "array"];

function toValue([key, value, json]: Field, schema: unknown): unknown {
  const types = toTypes(toFieldSchema(schema, key));
  if (json === true) {
    const read = value.trim() === "" ? undefined : parseTolerant(value);
    return read ? read.value : value;
  }
  if (types.length === 0) return json === "undeclared" ? readAs(value, UNDECLARED) : value;
  const nullable = types.includes("null") || !types.includes("string");
  if (nullable && /^(?:null|none|nil)$/i.test(value.trim())) return null;
  return types.includes("string") ? value : readAs(value, types);
}

function toObject(fields: Field[], schema: JsonObject | undefined): JsonObject {
  return coerceFields(Object.fromEntries(fields.map((field) => [field[0], toValue(field, schema)])), schema);
}

/** The only tool whose arguments these can be; for models that copy an opaque id where the name belongs. */
function findByArguments(value: JsonObject, tools: DeclaredTools): string | undefined {
  const keys = Object.keys(value);
  const fitting = [...tools].filter(([, { input_schema: schema = {} }]) => {
    const properties = toProperties(schema);
    const required = Array.isArray(schema.required) ? schema.required : [];
    return keys.every((key) => Object.hasOwn(properties, key)) && required.every((key) => keys.includes(key));
  });
  return fitting.length === 1 && keys.length > 0 ? fitting[0]?.[0] : undefined;
}

/**
 * Makes what a model wrote a call, if its tool is declared and its arguments can be read.
 *
 * A call torn in the middle of a value never counts: hosts hide that an answer was cut.
 *
 * @param whole Whether nothing at all may be missing, not even what closes the call.
 */
export function toFoundCall(written: WrittenCall, tools: DeclaredTools, whole: boolean): FoundCall | undefined {
  if (written.torn || (whole && written.cut)) return undefined;
  let name = resolveToolName(written.name, tools);
  const schema = tools.get(name ?? "")?.input_schema;
  if (typeof written.arguments !== "string") {
    if (name === undefined) return undefined;
    return { kind: "call", name, arguments: JSON.stringify(toObject(written.arguments, schema)) };
  }
  const read = readArguments(written.arguments, schema);
  if (!read || read.torn || (whole && read.cut)) return undefined;
  if (name === undefined && /^(?:call_|chatcmpl-|toolu_)/.test(written.name)) name = findByArguments(read.value, tools);
  return name === undefined ? undefined : { kind: "call", name, arguments: JSON.stringify(read.value) };
}
