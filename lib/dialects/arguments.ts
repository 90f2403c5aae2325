import type { JsonObject } from "../wire/anthropic.ts";
import { isJsonObject, parseJson } from "../wire/json.ts";
import { JsonScanner } from "./json_scanner.ts";
import { parseTolerant, type Tolerated } from "./tolerant_json.ts";

/** How often arguments may be wrapped in a further JSON string. */
const MAX_WRAPS = 3;

/** What languages other than JSON's call its types. */
const TYPE_WORDS: readonly [words: RegExp, type: string][] = [
  [/^(?:u?int|long|short|unsigned)/, "integer"],
  [/^(?:num|float|double)/, "number"],
  [/^(?:bool|binary)/, "boolean"],
  [/^(?:str|text|varchar|char|enum)/, "string"],
  [/^(?:list|arr|tuple)/, "array"],
  [/^(?:dict|obj|map)/, "object"],
];

function toTypeName(word: unknown): string {
  return TYPE_WORDS.find(([words]) => words.test(String(word)))?.[1] ?? String(word);
}

/** The types a schema allows; nothing when it does not say, or says it in a way that is not looked into. */
export function toTypes(schema: unknown): readonly string[] {
  if (!isJsonObject(schema)) return [];
  const { type, anyOf, oneOf, enum: values } = schema;
  if (typeof type === "string") return [toTypeName(type)];
  if (Array.isArray(type)) return type.map(toTypeName);
  const options = Array.isArray(anyOf) ? anyOf : Array.isArray(oneOf) ? oneOf : [];
  if (options.length > 0) return options.every((option) => toTypes(option).length > 0) ? options.flatMap(toTypes) : [];
  return Array.isArray(values) ? [...new Set(values.map(toType))] : [];
}

/** The fields a schema declares. */
export function toProperties(schema: unknown): JsonObject {
  return isJsonObject(schema) && isJsonObject(schema.properties) ? schema.properties : {};
}

/** What a schema says of a field; nothing of one that it does not declare. */
export function toFieldSchema(schema: unknown, key: string): unknown {
  const properties = toProperties(schema);
  return Object.hasOwn(properties, key) ? properties[key] : undefined;
}

function toType(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}

function fits(value: unknown, types: readonly string[]): boolean {
  return types.includes(toType(value)) || (types.includes("integer") && Number.isInteger(value));
}

/** Reads a text as the type a schema wants; gives the text itself when it is none of that type. */
export function readAs(text: string, types: readonly string[]): unknown {
  const word = text.trim();
  if (types.includes("boolean") && /^(?:true|false)$/i.test(word)) return word.toLowerCase() === "true";
  if (types.includes("null") && /^(?:null|none|nil)$/i.test(word)) return null;
  if ((types.includes("number") || types.includes("integer")) && /^[+-]?\d[\d.]*(?:e[+-]?\d+)?$/i.test(word)) {
    const number = Number(word);
    if (Number.isFinite(number)) return number;
  }
  if (/^["[{]/.test(word) && !types.includes("string")) {
    const value = parseTolerant(word)?.value;
    if (fits(value, types)) return value;
    // A string of JSON in a string.
    if (typeof value === "string" && value.length < word.length) return readAs(value, types);
  }
  return text;
}

/**
 * Makes a value the type its schema wants, where the two disagree and the value can be read that way.
 *
 * Models send numbers, lists and objects as strings and single values for lists; a string is never read as anything
 * else where the schema allows strings.
 */
export function coerce(value: unknown, schema: unknown): unknown {
  const types = toTypes(schema);
  if (!isJsonObject(schema) || types.length === 0 || types.includes("string") && typeof value === "string") {
    return value;
  }
  const read = typeof value === "string" ? readAs(value, types) : value;
  const only = types.length === 1 && read !== null ? types[0] : undefined;
  if (only === "string") return JSON.stringify(read);
  if (only === "array" && !Array.isArray(read)) {
    const item = coerce(read, schema.items);
    if (fits(item, toTypes(schema.items))) return [item];
  }
  if (Array.isArray(read)) return read.map((item) => coerce(item, schema.items));
  return isJsonObject(read) ? coerceFields(read, schema) : read;
}

/** Makes each field the type its schema wants; fields the schema does not know stay as they are. */
export function coerceFields(value: JsonObject, schema: unknown): JsonObject {
  const fields = Object.entries(value).map(([key, field]) => [key, coerce(field, toFieldSchema(schema, key))]);
  return Object.fromEntries(fields);
}

/** Arguments that could be read, and whether their text ended before they did. */
type ReadArguments = { value: JsonObject } & Pick<Tolerated, "cut" | "torn">;

/** Reads JSON strictly if that goes, tolerantly if not; the empty objects some hosts put before it are passed over. */
function readAnyJson(text: string): Omit<Tolerated, "length"> | undefined {
  if (["", "null", "None"].includes(text.trim())) return { value: {}, cut: false, torn: false };
  const value = parseJson(text);
  if (value !== undefined) return { value, cut: false, torn: false };
  const found = parseTolerant(text.replace(/^\s*(?:\{\s*\}\s*)+(?=\{)/, ""));
  return typeof found?.value === "string" && found.value.trim() === "" ? undefined : found;
}

/**
 * Reads a call's arguments: strictly if that goes, tolerantly if not, then by the tool's schema.
 *
 * @param schema The tool's `input_schema`; without it values stay as they are.
 * @returns Nothing when there is no object to be found; never an empty object in place of something unreadable.
 */
export function readArguments(text: string, schema?: JsonObject): ReadArguments | undefined {
  let found = readAnyJson(text);
  for (let i = 0; i < MAX_WRAPS && typeof found?.value === "string"; i++) {
    found = found.cut ? undefined : readAnyJson(found.value);
  }
  if (!found || !isJsonObject(found.value)) return undefined;
  // Cut in its first key, or no object at all.
  if (found.cut && Object.keys(found.value).length === 0 && text.trim() !== "{") return undefined;
  return { value: coerceFields(found.value, schema), cut: found.cut, torn: found.torn };
}

/** Whether a value of this type may stay as it is in a field of the arguments, without a look at what is in it. */
export function mayStay(key: string, type: string, schema: JsonObject | undefined): boolean {
  const field = toFieldSchema(schema, key);
  const types = toTypes(field);
  if (types.length === 0 || !isJsonObject(field)) return true;
  if (type === "number" && types.includes("integer")) return true;
  return types.includes(type) && !((type === "object" && field.properties) || (type === "array" && field.items));
}

/** Arguments nobody can read, in the form in which Claude Code itself replays such calls. */
export function toUnparsed(raw: string): JsonObject {
  return { __unparsedToolInput: { raw, len: raw.length } };
}

/**
 * Goes on with JSON that was partly sent: what must follow `sent` to make it `value`.
 *
 * @param sent The beginning of an object: complete fields, the last of which may be a string cut anywhere.
 * @returns Nothing if `sent` cannot become `value` any more.
 */
export function continueJson(sent: string, value: JsonObject): string | undefined {
  if (sent === "") return JSON.stringify(value);
  const before = parseTolerant(sent)?.value;
  if (!isJsonObject(before)) return undefined;
  const keys = Object.keys(before);
  const scanner = new JsonScanner();
  scanner.feed(sent);
  let rest = "";
  if (scanner.inString) {
    const last = keys.at(-1) ?? "";
    const [begun, whole] = [before[last], value[last]];
    if (typeof begun !== "string" || typeof whole !== "string" || !whole.startsWith(begun)) return undefined;
    rest = JSON.stringify(whole.slice(begun.length)).slice(1);
  }
  for (const [key, field] of Object.entries(value)) {
    if (keys.includes(key)) continue;
    rest += `,${JSON.stringify(key)}:${JSON.stringify(field)}`;
  }
  rest += "}";
  const whole = parseJson(sent + rest);
  const isValue = isJsonObject(whole) &&
    Object.keys(whole).every((key) => JSON.stringify(whole[key]) === JSON.stringify(value[key]));
  return isValue ? rest : undefined;
}
