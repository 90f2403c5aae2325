import { type Grammar, toStrays, type Trigger } from "./grammar.ts";
import { invokeXml } from "./invoke_xml.ts";
import { MAX_TAG } from "./reader.ts";

const museCalls = invokeXml(["atem:", ""]);

/**
 * Muse's channels: `<|start|>assistant to=self<|message|>…<|eom|>` is thinking, `to=user` the answer, and what is
 * addressed to a tool a call. Calls in the other channels are only spoken of.
 */
const museChannel: Grammar = function* (reader, tools) {
  yield* reader.take("<|start|>");
  if ((yield* reader.take("assistant")) === undefined) return undefined;
  const header = yield* reader.while(/[\w.=: -]/, MAX_TAG);
  if ((yield* reader.take("<|message|>")) === undefined) return undefined;
  const recipient = /to=([\w.:-]+)/.exec(header)?.[1] ?? "user";
  if (recipient !== "self" && recipient !== "user") return yield* museCalls(reader, tools);
  yield* reader.pass(recipient === "self" ? "thinking" : "text", "<|eom|>", "<|eot|>", "<|start|>");
  return [];
};

/** What Meta's Muse leaks. */
export const MUSE: readonly Trigger[] = [
  { marker: "<|start|>", grammar: museChannel },
  { marker: "<atem:function_calls>", grammar: museCalls },
  ...toStrays("<|eom|> <|eot|>"),
];
