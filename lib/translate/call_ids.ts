import type { CallIdRule } from "../models/families.ts";
import { toDigest } from "../wire/ids.ts";

/**
 * Makes what gives each call of a history, in order, the id its family wants upstream.
 *
 * Kimi's ids count the calls from the first on; the same history always becomes the same text, which prompt caches
 * depend on.
 */
export function createCallIds(rule: CallIdRule = "any"): (id: string, name: string) => string {
  let count = 0;
  if (rule === "kimi") return (_id, name) => `functions.${name}:${count++}`;
  return rule === "mistral" ? (id) => toDigest(id, 9) : (id) => id;
}
