import type { Family } from "../models/families.ts";
import { toDigest } from "../wire/ids.ts";

type ToCallId = (id: string, name: string, position: number) => string;

/** The id a family wants for a call, from the client's id, the name and the position in the history. */
const CALL_ID_BY_RULE: Record<NonNullable<Family["toolCallIds"]>, ToCallId> = {
  any: (id) => id,
  kimi: (_id, name, position) => `functions.${name}:${position}`,
  mistral: (id) => toDigest(id, 9),
};

/**
 * Gives each call of a conversation the id its family wants, counting calls from the first on, so
 * that the same history always becomes the same text (prompt caches depend on it).
 */
export class CallIds {
  readonly #toId: ToCallId;
  #position = 0;

  constructor(rule: Family["toolCallIds"] = "any") {
    this.#toId = CALL_ID_BY_RULE[rule];
  }

  /** The id of the next call. */
  next(id: string, name: string): string {
    return this.#toId(id, name, this.#position++);
  }
}
