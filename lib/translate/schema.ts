import type { JsonObject } from "../wire/anthropic.ts";
import { isJsonObject } from "../wire/json.ts";

const toSet = (words: string): ReadonlySet<string> => new Set(words.split(" "));

/** Where JSON Schema keeps one further schema. */
const ONE = toSet(
  "additionalProperties contains else if items not propertyNames then unevaluatedItems unevaluatedProperties",
);
/** Where it keeps several, by name or in a list. */
const MANY = toSet("$defs definitions dependentSchemas patternProperties properties allOf anyOf oneOf prefixItems");
/** Keywords a model can do without and that some hosts refuse: llama.cpp and OpenAI cannot read Claude Code's patterns. */
const NOISE = toSet("$schema $id $comment pattern");
/** Limits of how often something comes, and the largest that llama.cpp makes a grammar of. */
const REPEATS = toSet("maxLength maxItems minLength minItems");
const MOST_REPEATS = 2000;

function toEntries(schema: JsonObject): [string, unknown][] {
  return Object.entries(schema).flatMap(([keyword, value]): [string, unknown][] => {
    if (NOISE.has(keyword) || (REPEATS.has(keyword) && Number(value) > MOST_REPEATS)) return [];
    // `true` and `false` are legal schemas, but several hosts accept objects only.
    if (ONE.has(keyword)) return typeof value === "boolean" ? [] : [[keyword, toClean(value)]];
    if (!MANY.has(keyword)) return [[keyword, value]];
    if (!isJsonObject(value)) return [[keyword, toClean(value)]];
    return [[keyword, Object.fromEntries(Object.entries(value).map(([name, sub]) => [name, toClean(sub)]))]];
  });
}

function toClean(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(toClean);
  return isJsonObject(schema) ? Object.fromEntries(toEntries(schema)) : {};
}

/**
 * Makes a tool's `input_schema` one that strict hosts accept, without changing what it asks for but in details.
 *
 * Boolean subschemas, patterns, huge limits and `$schema` go, in schema positions only: a property that is *called*
 * `$schema` or a default value that looks like a schema stays.
 */
export function toParameters(schema: JsonObject): JsonObject {
  const { type = "object", properties, ...rest } = Object.fromEntries(toEntries(schema));
  if (type !== "object") return { type, ...rest };
  return { type, properties: isJsonObject(properties) ? properties : {}, ...rest };
}
