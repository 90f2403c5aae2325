import { seesImages } from "../models/vision.ts";
import type { MessagesRequest } from "../wire/anthropic.ts";
import type { Candidate } from "./candidate.ts";
import { MIN_OUTPUT_TOKENS, toModelTokens } from "./fit.ts";
import type { ModelFacts } from "./learned.ts";

/** What is known about a candidate at the moment. */
export type Standing = {
  /** What it has taught. */
  facts: ModelFacts;
  /** Whether it may be asked, as far as its health goes. */
  well: boolean;
  /** Whether an answer to this very request has broken off there. */
  cut: boolean;
};

type Blocks = Exclude<MessagesRequest["messages"][number]["content"], string>;

function hasImages(blocks: Blocks): boolean {
  return blocks.some((block) =>
    block.type === "image" || (block.type === "tool_result" && Array.isArray(block.content) && hasImages(block.content))
  );
}

/**
 * Puts candidates in the order in which they are asked: as they were given, but first those that are well and can do it.
 *
 * Of those that are not well only one stays, the last resort: what is known of it may be out of date.
 */
export function orderCandidates(
  request: MessagesRequest,
  candidates: readonly Candidate[],
  inputTokens: number,
  toStanding: (candidate: Candidate) => Standing,
): Candidate[] {
  const needsTools = (request.tools?.length ?? 0) > 0;
  const needsEyes = candidates.length > 1 &&
    request.messages.some(({ content }) => typeof content !== "string" && hasImages(content));
  const ranked = candidates.map((candidate) => {
    const { facts, well, cut } = toStanding(candidate);
    // The first reason outweighs all that follow; sight is the last, because a picture can be told of in words.
    const reasons = [
      toModelTokens(inputTokens, facts) + MIN_OUTPUT_TOKENS > facts.context,
      needsTools && facts.noTools,
      cut,
      !well,
      needsEyes && !seesImages(candidate.model),
    ];
    return { candidate, well, penalty: parseInt(reasons.map(Number).join(""), 2) };
  });
  ranked.sort((a, b) => a.penalty - b.penalty);
  const resort = ranked.find(({ well }) => !well);
  return ranked.filter((one) => one.well || one === resort).map(({ candidate }) => candidate);
}
