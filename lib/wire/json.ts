import type { JsonObject } from "./anthropic.ts";

/** Whether `value` is a JSON object, as opposed to an array or a bare value. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Nobody nests deeper who means well; every function that goes into such a value would run out of stack. */
const MAX_NESTING = 500;

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  if (Array.isArray(value)) return value.some((inner) => isDeeper(inner, levels - 1));
  // A list of the values would cost more than looking at them.
  for (const name in value) if (isDeeper((value as JsonObject)[name], levels - 1)) return true;
  return false;
}

/** Parses JSON that others wrote; nothing if it is none, or nested more than 500 deep. */
export function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    // A level takes two characters, so that most texts need not be looked at.
    return text.length > 2 * MAX_NESTING && isDeeper(value, MAX_NESTING) ? undefined : value;
  } catch {
    return undefined;
  }
}

/** Whether two values are the same JSON, with their keys in the same order. */
export function isSameJson(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/** The same value with the keys of its objects in order, so that equal values become equal text. */
export function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sortKeys(value[key])]));
}

/** Whether all texts in a value have both halves of each character that takes two. */
function isWellFormed(value: unknown): boolean {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) return value.every(isWellFormed);
  for (const name in value) if (!name.isWellFormed() || !isWellFormed((value as JsonObject)[name])) return false;
  return true;
}

/** Writes JSON for others; half of a character that takes two, which strict parsers refuse, becomes U+FFFD. */
export function toJsonText(value: unknown): string {
  const json = JSON.stringify(value);
  // V8 takes longer to look through the text for what is escaped there than to write it.
  if (isWellFormed(value)) return json;
  return json.replace(/\\(?:ud[89a-f]..|[^])/g, (escape) => escape.length > 2 ? "\\ufffd" : escape);
}
