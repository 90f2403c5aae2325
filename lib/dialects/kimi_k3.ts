import { type Grammar, toStrays, type Trigger } from "./grammar.ts";
import { type Field, MAX_TAG, type WrittenCall } from "./reader.ts";

const K3_OPEN = "<|open|>";
const K3_SEPARATOR = "<|sep|>";
const K3_CLOSE = "<|close|>";

/** The attributes of a tag such as `argument key="path" type="string"`. */
function toK3Attributes(tag: string): Record<string, string> {
  const pairs = [...tag.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = "", value = ""]) => {
    return [key, value.replaceAll("&quot;", '"').replaceAll("&amp;", "&")];
  });
  return Object.fromEntries(pairs);
}

const K3_TAGS = ["think", "response", "tools", "call", "argument", "json", "message"];

/** Kimi K3's channels: `<|open|>think<|sep|>…<|close|>think<|sep|>`, then `response`, then `tools` with calls in it. */
const k3Channel: Grammar = function* (reader) {
  let call: WrittenCall & { arguments: Field[] } | undefined;
  let json: string | undefined;
  let torn = false;
  while ((yield* reader.token(K3_OPEN)) !== undefined) {
    const name = yield* reader.while(/\w/);
    if (name === "" && reader.done) break;
    if (!K3_TAGS.includes(name)) return undefined;
    const attributes = yield* reader.while(/[^<\n]/, MAX_TAG);
    if ((yield* reader.take(K3_SEPARATOR)) === undefined) return undefined;
    const { tool = "", key, type } = toK3Attributes(attributes);
    if (name === "think" || name === "response") {
      reader.commit();
      yield* reader.pass(name === "think" ? "thinking" : "text", K3_CLOSE, K3_OPEN, "<|end_of_msg|>");
    } else if (name === "call") [call, json, torn] = [{ name: tool, arguments: [] }, undefined, true];
    else if (name === "argument" && key !== undefined) {
      call?.arguments.push([key, yield* reader.until([K3_CLOSE]), type !== undefined && type !== "string"]);
      torn = reader.done;
    } else if (name === "json") [json, torn] = [yield* reader.until([K3_CLOSE]), false];
    while ((yield* reader.token(K3_CLOSE)) !== undefined) {
      const closed = yield* reader.while(/\w/);
      yield* reader.token(K3_SEPARATOR);
      if (closed === "call" && call) {
        yield [{ name: call.name, arguments: json ?? call.arguments }];
        call = undefined;
      } else if (!call) reader.commit();
    }
  }
  return call ? [{ name: call.name, arguments: json ?? call.arguments, cut: true, torn }] : [];
};

/** What Kimi K3 leaks. A closing tag alone ends the thinking that the template had opened. */
export const KIMI_K3: readonly Trigger[] = [
  { marker: K3_OPEN, grammar: k3Channel },
  ...["think", " think "].map((tag): Trigger => ({ marker: `${K3_CLOSE}${tag}${K3_SEPARATOR}`, mode: "text" })),
  ...["response", "tools", "message"].flatMap((tag) => [tag, ` ${tag} `])
    .map((tag) => ({ marker: `${K3_CLOSE}${tag}${K3_SEPARATOR}` })),
  ...toStrays("<|kimi_image_placeholder|>"),
  { marker: "<|end_of_msg|>", end: true },
];
