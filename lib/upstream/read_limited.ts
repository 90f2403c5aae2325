import type { CallAnswer } from "./call.ts";

/** Bytes of an answer, unpacked: chunks of the longest there are take 50 MB. What is longer will never end. */
export const MAX_ANSWER_BYTES = 128 * 1024 * 1024;
/** Bytes of one that comes whole. */
export const MAX_WHOLE_BYTES = 16 * 1024 * 1024;
/** Bytes that are read of what says why there is no answer. */
export const MAX_REFUSAL_BYTES = 1024 * 1024;

/**
 * Reads the text of an answer, behind the piece that has been read, but no more than so many bytes of it: a few packed
 * ones may unpack to any number.
 */
export async function readLimited(
  answer: Pick<CallAnswer, "read" | "cancel">,
  most: number,
  first?: Uint8Array,
): Promise<string> {
  const decoder = new TextDecoder();
  let [text, left] = ["", most];
  for (let bytes = first ?? await answer.read(); bytes; bytes = await answer.read()) {
    text += decoder.decode(bytes.subarray(0, left), { stream: true });
    left -= bytes.byteLength;
    if (left > 0) continue;
    answer.cancel();
    break;
  }
  return text + decoder.decode();
}
