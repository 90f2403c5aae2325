import { ApiError } from "./errors.ts";
import { isJsonObject } from "./json.ts";

const isString = (value: unknown): boolean => typeof value === "string";
const areStrings = (value: unknown): boolean => Array.isArray(value) && value.every(isString);

const ROLES: readonly unknown[] = ["user", "assistant", "system"];
const isWithin = (value: unknown, most: number): boolean => typeof value === "number" && value >= 0 && value <= most;

/** What a field may have to be, by name: how that is said, and what fits. */
const FIELD_KINDS: Record<string, [says: string, fits: (value: unknown) => boolean]> = {
  string: ["a string", isString],
  count: ["a whole number of at least 1", (value) => Number.isSafeInteger(value) && Number(value) >= 1],
  upTo1: ["a number from 0 to 1", (value) => isWithin(value, 1)],
  upTo2: ["a number from 0 to 2", (value) => isWithin(value, 2)],
  boolean: ["true or false", (value) => typeof value === "boolean"],
  role: ["'user', 'assistant' or 'system'", (value) => ROLES.includes(value)],
  object: ["an object", isJsonObject],
  list: ["a list", Array.isArray],
  strings: ["a list of strings", areStrings],
  stop: ["a string or a list of strings", (value) => isString(value) || areStrings(value)],
  content: ["a string or a list of parts", (value) => isString(value) || Array.isArray(value)],
};

/** What the text of some fields says, of each text once: every field, whether it may be absent, its kind. */
const FIELDS = new Map<string, [name: string, optional: boolean, kind: string][]>();

function parseFields(fields: string): [name: string, optional: boolean, kind: string][] {
  const parsed = fields.split(" ").map((entry): [string, boolean, string] => {
    const [, name = "", mark, kind = ""] = /^(\w+)(\??):(\w+)$/.exec(entry) ?? [];
    return [name, mark !== "", kind];
  });
  FIELDS.set(fields, parsed);
  return parsed;
}

/** Refuses a request because of what is at `path` in it. */
export function refuse(path: string, problem: string): never {
  throw new ApiError("invalid_request_error", `${path}: ${problem}`);
}

/**
 * Checks some fields of an object; others may be there.
 *
 * @param fields Each field and the kind it must have, such as `name:string type?:string`; `?` if it may be absent.
 * @throws {ApiError} `invalid_request_error` naming the path and what was expected there.
 */
export function checkFields(value: unknown, fields: string, path: string): void {
  if (!isJsonObject(value)) return refuse(path || "body", "Input should be an object");
  for (const [name, optional, kind] of FIELDS.get(fields) ?? parseFields(fields)) {
    const given = value[name] ?? undefined;
    if (given === undefined ? optional : FIELD_KINDS[kind]?.[1](given)) continue;
    const problem = given === undefined ? "Field required" : `Input should be ${FIELD_KINDS[kind]?.[0]}`;
    refuse(path ? `${path}.${name}` : name, problem);
  }
}
