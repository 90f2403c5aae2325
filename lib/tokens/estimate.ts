import type { ContentBlockParam, MessagesRequest } from "../wire/anthropic.ts";

/** Tokens a template spends around each message (observed 4 to 8 in open models' templates). */
const MESSAGE_TOKENS = 6;
/** Tokens of an image: what a 1092 × 1092 picture costs with Anthropic. */
const IMAGE_TOKENS = 1600;
const [LOWER, UPPER, DIGIT, BLANK, PUNCTUATION, NEWLINE, OTHER] = [1, 2, 3, 4, 5, 6, 0];

/**
 * Estimates how many tokens a text costs, without any vocabulary.
 *
 * One pass counts what byte-pair encoders split on: 1.155 for a word piece, 0.854 for a digit, a run
 * of punctuation or of line breaks, 0.96 for any other code unit (a quarter of that for alphabets
 * above U+0250). Fitted on ten open vocabularies.
 */
export function estimateTokens(text: string): number {
  let [words, marks, others] = [0, 0, 0];
  let kind = OTHER;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 97 && code <= 122) {
      if (kind !== LOWER && kind !== UPPER) words++;
      kind = LOWER;
    } else if (code >= 65 && code <= 90) {
      if (kind !== UPPER) words++;
      kind = UPPER;
    } else if (code >= 48 && code <= 57) {
      marks++;
      kind = DIGIT;
    } else if (code === 10 || code === 13) {
      if (kind !== NEWLINE) marks++;
      kind = NEWLINE;
    } else if (code === 32 || code === 9) {
      if (kind !== NEWLINE) kind = BLANK;
    } else if (code < 128) {
      if (kind !== PUNCTUATION) marks++;
      kind = PUNCTUATION;
    } else {
      others += code >= 0x250 && code < 0x3000 ? 0.25 : 1;
      kind = OTHER;
    }
  }
  return 1.155 * words + 0.854 * marks + 0.96 * others;
}

function estimateContent(content: string | ContentBlockParam[] | undefined | null): number {
  if (typeof content === "string") return estimateTokens(content);
  let sum = 0;
  for (const block of content ?? []) {
    if (block.type === "text") sum += estimateTokens(block.text);
    else if (block.type === "thinking") sum += estimateTokens(block.thinking);
    else if (block.type === "image") sum += IMAGE_TOKENS;
    else if (block.type === "tool_result") sum += estimateContent(block.content);
    else if (block.type === "tool_use") sum += estimateTokens(JSON.stringify(block.input)) + 10;
    else sum += 50; // documents become a sentence
  }
  return sum;
}

/** Estimates the input tokens of a request: the sum of its parts, so that parts can be counted alone. */
export function estimateRequestTokens(request: MessagesRequest): number {
  let sum = estimateContent(request.system);
  for (const message of request.messages) sum += MESSAGE_TOKENS + estimateContent(message.content);
  for (const tool of request.tools ?? []) sum += estimateTokens(JSON.stringify(tool));
  return Math.ceil(sum);
}
