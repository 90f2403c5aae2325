import { toModel } from "../models/roster.ts";
import { hasBlocks } from "../routing/has_blocks.ts";
import type { MessagesRequest } from "../wire/anthropic.ts";
import type { Candidate } from "../routing/candidate.ts";
import { MIN_OUTPUT_TOKENS, toWindow } from "./fit.ts";
import type { ModelFacts } from "./learned.ts";
import type { PromptTokens } from "./token_ledger.ts";

/** What is known about a candidate at the moment. */
export type Standing = {
  /** What it has taught. */
  facts: ModelFacts;
  /** Whether it may be asked, as far as its health goes. */
  well: boolean;
  /** When it may be asked again if it is not well, in milliseconds since 1970. */
  back: number;
  /** Whether an answer to this very request has broken off there. */
  cut: boolean;
  /** Whether nobody may ask its account at the moment. */
  blocked: boolean;
};

/**
 * Puts candidates in the order in which they are asked: as they were given, but first those that are well and can do it.
 *
 * Of those that are not well only the one that is soonest back stays, the last resort: what is known of it may be out of
 * date.
 */
export function orderCandidates(
  request: MessagesRequest,
  candidates: readonly Candidate[],
  tokens: Pick<PromptTokens, "roughly" | "count">,
  toStanding: (candidate: Candidate) => Standing,
): Candidate[] {
  const needsTools = (request.tools?.length ?? 0) > 0;
  const needsEyes = candidates.length > 1 && hasBlocks(request, "image");
  const ranked = candidates.map((candidate) => {
    const { facts, well, back, cut, blocked } = toStanding(candidate);
    const { tools, vision } = candidate.traits ?? toModel(candidate.model);
    const room = toWindow(candidate, facts) - MIN_OUTPUT_TOKENS;
    // The first reason outweighs all that follow; sight is the last, because a picture can be told of in words.
    const reasons = [
      tokens.roughly > room && tokens.count(candidate) > room,
      needsTools && (facts.noTools || !tools),
      cut,
      !well,
      blocked,
      needsEyes && !vision,
    ];
    return { candidate, well, back, penalty: parseInt(reasons.map(Number).join(""), 2) };
  });
  ranked.sort((a, b) => a.penalty - b.penalty);
  const [resort] = ranked.filter(({ well }) => !well).sort((a, b) => a.penalty - b.penalty || a.back - b.back);
  return ranked.filter((one) => one.well || one === resort).map(({ candidate }) => candidate);
}
