import { isJsonObject, parseJson } from "../wire/json.ts";
import { isBetween, splitChunk } from "./merge_chunks.ts";

/** Stands for the text of a chunk, to see where it comes out. */
const MARK = "@";
/** So often is learned from an answer; a host that changes something in each chunk has no template. */
const MOST_LESSONS = 3;
/** What makes a literal other than the text it stands for, or none. */
const NOT_PLAIN = /["\\\p{Cc}]/u;

/** Reads the chunks of one answer; of those that differ in their text only, just one is parsed. */
export class ChunkTemplate {
  #head = "";
  #tail = "";
  #setText: (text: string) => unknown = () => undefined;
  #lessons = 0;

  /** Parses a chunk, which is good until the next one; nothing if it is no JSON. */
  parse(data: string): unknown {
    const [head, tail] = [this.#head, this.#tail];
    if (head !== "" && isBetween(head, tail, data)) {
      const text = data.slice(head.length, data.length - tail.length);
      if (!NOT_PLAIN.test(text)) return this.#setText(text);
    } else if (this.#lessons < MOST_LESSONS) this.#learn(data);
    return parseJson(data);
  }

  #learn(data: string): void {
    const { head, tail, field } = splitChunk(data) ?? {};
    if (!head || !tail || !field) return;
    this.#lessons++;
    const chunk = parseJson(head + MARK + tail);
    const [choice] = isJsonObject(chunk) && Array.isArray(chunk.choices) ? chunk.choices : [];
    const { delta } = isJsonObject(choice) ? choice : {};
    if (!isJsonObject(delta) || delta[field] !== MARK) return;
    [this.#head, this.#tail] = [head, tail];
    this.#setText = (text) => {
      delta[field] = text;
      return chunk;
    };
  }
}
