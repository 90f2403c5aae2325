import { toUnparsed } from "../dialects/arguments.ts";
import type { JsonObject } from "../wire/anthropic.ts";
import { isJsonObject, parseJson, toJsonText } from "../wire/json.ts";

/** Made once of each input: what is sent is weighed, too. */
const INPUT_TEXTS = new WeakMap<JsonObject, string>();

/** The input of a call as the text that hosts take. */
export function toInputText(input: JsonObject): string {
  const text = INPUT_TEXTS.get(input) ?? toJsonText(input);
  INPUT_TEXTS.set(input, text);
  return text;
}

/** Parses arguments; what is no object comes in the form in which Claude Code itself replays such calls. */
export function parseInput(json: string): JsonObject {
  const input = parseJson(json);
  return isJsonObject(input) ? input : toUnparsed(json);
}
