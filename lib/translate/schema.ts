import { isJsonObject } from "../wire/messages_request.ts";
import type { JsonObject } from "../wire/anthropic.ts";

/** Where JSON Schema keeps further schemas; all other keywords hold data and are not looked into. */
const SUBSCHEMAS: Record<string, "schema" | "list" | "map"> = {
  additionalProperties: "schema",
  contains: "schema",
  else: "schema",
  if: "schema",
  items: "schema",
  not: "schema",
  propertyNames: "schema",
  then: "schema",
  unevaluatedItems: "schema",
  unevaluatedProperties: "schema",
  allOf: "list",
  anyOf: "list",
  oneOf: "list",
  prefixItems: "list",
  $defs: "map",
  definitions: "map",
  dependentSchemas: "map",
  patternProperties: "map",
  properties: "map",
};

/** Keywords that carry no meaning for a model and that some hosts refuse. */
const NOISE: ReadonlySet<string> = new Set(["$schema", "$id", "$comment"]);

function clean(schema: unknown): unknown {
  // `true` and `false` are legal schemas, but several hosts accept objects only.
  if (!isJsonObject(schema)) return Array.isArray(schema) ? schema.map(clean) : {};
  const result: JsonObject = {};
  for (const [keyword, value] of Object.entries(schema)) {
    if (NOISE.has(keyword)) continue;
    const holds = Object.hasOwn(SUBSCHEMAS, keyword) ? SUBSCHEMAS[keyword] : undefined;
    if (holds === "schema") {
      if (typeof value !== "boolean") result[keyword] = clean(value);
    } else if (holds === "list" && Array.isArray(value)) result[keyword] = value.map(clean);
    else if (holds === "map" && isJsonObject(value)) {
      const entries = Object.entries(value).map(([name, sub]) => [name, clean(sub)]);
      result[keyword] = Object.fromEntries(entries);
    } else result[keyword] = value;
  }
  return result;
}

/**
 * Makes a tool's `input_schema` one that strict hosts accept, without changing what it asks for.
 *
 * Boolean subschemas and `$schema` go, in schema positions only: a property that is *called*
 * `$schema` or a default value that looks like a schema stays.
 */
export function toParameters(schema: JsonObject): JsonObject {
  const parameters = clean(schema) as JsonObject;
  if (parameters.type === undefined) parameters.type = "object";
  if (parameters.type === "object" && !isJsonObject(parameters.properties)) {
    parameters.properties = {};
  }
  return parameters;
}
