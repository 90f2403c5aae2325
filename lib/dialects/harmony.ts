import { type Grammar, toStrays, type Trigger } from "./grammar.ts";
import { MAX_TAG } from "./reader.ts";

const HARMONY_MESSAGE = "<|message|>";
/** What a header consists of, so that prose about headers does not wait. */
const HARMONY_WORD = /^(?:assistant|analysis|commentary|final|json|code|to=[\w.:-]*|)$/;
const HARMONY_ENDS = ["<|end|>", "<|call|>", "<|return|>", "<|start|>", "<|channel|>"];

/**
 * gpt-oss's harmony format: `<|channel|>analysis<|message|>…` is thinking, `final` the answer, and a channel with a
 * recipient, before or after its name, a call: `commentary to=functions.NAME <|constrain|>json<|message|>{…}<|call|>`.
 */
const harmonyChannel: Grammar = function* (reader) {
  let header = "";
  for (;;) {
    const token = yield* reader.take("<|start|>", "<|channel|>", "<|constrain|>", HARMONY_MESSAGE);
    if (token === HARMONY_MESSAGE) break;
    const word = yield* reader.while(/[\w.=:-]/);
    if ((token === undefined && word === "") || !HARMONY_WORD.test(word)) return undefined;
    header += `${word} `;
    yield* reader.space();
  }
  const name = /to=(?:functions\.)?([\w.:-]+)/.exec(header)?.[1];
  if (name !== undefined) {
    const call = { name, arguments: yield* reader.json(...HARMONY_ENDS) };
    yield* reader.take("<|call|>", "<|end|>", "<|return|>");
    return [call];
  }
  yield* reader.pass(header.includes("analysis") ? "thinking" : "text", ...HARMONY_ENDS);
  return [];
};

/** What is left of a call's header where the host has removed its tokens. */
const HARMONY_RECIPIENTS = ["commentary to=functions.", "to=functions."];

/** A call whose channel was lost: `to=functions.NAME {…}`. */
const harmonyRecipient: Grammar = function* (reader) {
  yield* reader.take(...HARMONY_RECIPIENTS);
  const name = yield* reader.name();
  const words = (yield* reader.while(/[\s\w]/, MAX_TAG)).trim().split(/\s+/);
  const isHeader = name !== "" && words.every((word) => HARMONY_WORD.test(word));
  if (!isHeader || (yield* reader.peek("{")) === undefined) return undefined;
  return [{ name, arguments: yield* reader.json(...HARMONY_ENDS) }];
};

/** What gpt-oss leaks. */
export const HARMONY: readonly Trigger[] = [
  ...["<|start|>", "<|channel|>"].map((marker) => ({ marker, grammar: harmonyChannel })),
  ...HARMONY_RECIPIENTS.map((marker) => ({ marker, grammar: harmonyRecipient })),
  ...toStrays("<|end|> <|call|> <|return|> <|message|> <|constrain|>"),
];
