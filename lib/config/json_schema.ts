import { isJsonObject } from "../wire/json.ts";
import { findNearest } from "./nearest.ts";

type TypeRule = readonly [words: string, fits: (value: unknown) => boolean];

/** What each type is called in messages, and what is of it. */
const RULE_BY_TYPE = {
  string: ["a string", (value) => typeof value === "string"],
  integer: ["a whole number", Number.isInteger],
  boolean: ["true or false", (value) => typeof value === "boolean"],
  object: ["an object", isJsonObject],
  array: ["a list", Array.isArray],
} satisfies Record<string, TypeRule>;

type SchemaType = keyof typeof RULE_BY_TYPE;

/** The part of JSON Schema (draft 2020-12) that {@linkcode checkSchema} knows; `title` is what messages expect. */
export interface JsonSchema {
  $schema?: string;
  title?: string;
  description?: string;
  type?: SchemaType | readonly SchemaType[];
  enum?: readonly string[];
  minimum?: number;
  maximum?: number;
  pattern?: string;
  items?: JsonSchema;
  properties?: Readonly<Record<string, JsonSchema>>;
  required?: readonly string[];
  additionalProperties?: boolean | JsonSchema;
  /** Nothing fits: for a key that people write although they must not. */
  not?: Record<string, never>;
}

/** What is wrong at a place such as `models.0.id`; the path of the whole value is empty. */
export type SchemaProblem = { path: string; expected: string; got: string };

/** Longer strings are not shown, nor passwords: keys of hosts have 50 letters and more, and end up in the wrong place. */
const LONGEST_SHOWN = 40;

function toRules({ type = [] }: JsonSchema): readonly TypeRule[] {
  return [type].flat().map((name) => RULE_BY_TYPE[name]);
}

function toExpected(schema: JsonSchema): string {
  const { title, enum: words, minimum, maximum } = schema;
  if (title) return title;
  if (words) return words.map((word) => `'${word}'`).join(" or ");
  const range = maximum === undefined ? ` of ${minimum} or more` : ` from ${minimum} to ${maximum}`;
  return toRules(schema).map(([words]) => words).join(" or ") + (minimum === undefined ? "" : range);
}

/** How messages show what they got. */
export function toGot(value: unknown): string {
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object";
  if (typeof value !== "string") return value === undefined ? "nothing" : String(value);
  return value.length > LONGEST_SHOWN || /^\s*http.*@/i.test(value)
    ? `a string of ${value.length} characters`
    : `'${value}'`;
}

/** Whether a value fits, whatever is in it. */
function fitsOutside(value: unknown, schema: JsonSchema): boolean {
  const { enum: words, minimum = -Infinity, maximum = Infinity, pattern = "" } = schema;
  const rules = toRules(schema);
  if (schema.not || (rules.length > 0 && !rules.some(([, fits]) => fits(value)))) return false;
  if (words && !words.some((word) => word === value)) return false;
  if (typeof value === "number") return value >= minimum && value <= maximum;
  return typeof value !== "string" || new RegExp(pattern, "u").test(value);
}

/** What may stand instead of an unknown key: the one most like it, or any if none is. */
function toExpectedKey(key: string, known: readonly string[]): string {
  const nearest = findNearest(key, known);
  return `a known key (${nearest === undefined ? known.join(", ") : `did you mean '${nearest}'?`})`;
}

/** Finds all that is wrong with a value; where a value is wrong itself, nothing inside it. */
export function checkSchema(value: unknown, schema: JsonSchema, path = ""): SchemaProblem[] {
  const at = (key: string | number) => path ? `${path}.${key}` : `${key}`;
  if (!fitsOutside(value, schema)) {
    return [{ path, expected: toExpected(schema), got: schema.not ? "one" : toGot(value) }];
  }
  const { items = {}, properties = {}, required = [], additionalProperties: others = true } = schema;
  if (Array.isArray(value)) return value.flatMap((entry, i) => checkSchema(entry, items, at(i)));
  if (!isJsonObject(value)) return [];
  const missing = required.filter((key) => !Object.hasOwn(value, key));
  const inside = Object.entries(value).flatMap(([key, entry]) => {
    // Only own ones: every object has a property called "constructor".
    const known = Object.hasOwn(properties, key) ? properties[key] : others;
    if (typeof known === "object") return checkSchema(entry, known, at(key));
    return known ? [] : [{ path, expected: toExpectedKey(key, Object.keys(properties)), got: toGot(key) }];
  });
  return [
    ...missing.map((key) => ({ path: at(key), expected: toExpected(properties[key] ?? {}), got: "nothing" })),
    ...inside,
  ];
}
