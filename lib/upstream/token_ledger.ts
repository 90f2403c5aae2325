import { toModel } from "../models/roster.ts";
import { toEffort } from "../models/thinking.ts";
import { type Candidate, toKey } from "../routing/candidate.ts";
import { hasBlocks } from "../routing/has_blocks.ts";
import { Calibration } from "../tokens/calibration.ts";
import { estimateRequestTokens, hasTools, type TokenRules, TOOLS_TOKENS } from "../tokens/request_tokens.ts";
import { TokenCounter } from "../tokens/token_counter.ts";
import type { MessagesRequest } from "../wire/anthropic.ts";
import { BoundedMap } from "../wire/bounded_map.ts";
import { toDigest } from "../wire/ids.ts";

/** So many sessions keep a ratio. */
const MAX_SESSIONS = 100;

/** Characters of the first message that tell a conversation from others. */
const TELLING_CHARS = 500;

/**
 * What tells conversations apart whose requests follow each other: what the client says, or how it began. A request of
 * another kind, such as one for a title, belongs to none of them.
 */
export function toSession(headers: Headers, { messages: [first] }: MessagesRequest, kind: string): string {
  const ids = ["x-claude-code-session-id", "x-session-id", "x-claude-code-agent-id"].map((name) => headers.get(name));
  if (ids.some(Boolean)) return [...ids, kind].join(" ");
  const content = typeof first?.content === "string"
    ? [{ type: "text" as const, text: first.content }]
    : first?.content;
  const texts = content?.map((block) => block.type === "text" ? block.text.slice(0, TELLING_CHARS) : "") ?? [];
  return `${toDigest(texts.join(" "), 11)} ${kind}`;
}

/** The tokens of one request with each candidate; nothing is counted before it is asked for, and nothing twice. */
export type PromptTokens = {
  /** A guess that is never too low, for which nothing has to be counted: no token has less than a byte. */
  readonly roughly: number;
  /** Estimated tokens, as if nothing were known of how the model counts. */
  estimate(candidate: Candidate): number;
  /** Tokens as the candidate's model counts them, as far as it has been heard of. */
  count(candidate: Candidate): number;
  /** Notes what a host has counted; what pictures and documents cost says nothing about words. */
  report(candidate: Candidate, actual: number): void;
};

/** What a request holds for a candidate's model, as far as it depends on that. */
function toTokenRules(
  request: MessagesRequest,
  { model, traits = toModel(model), thinking, backend }: Candidate,
): TokenRules {
  const { family: { digits, replaysThinking = false }, vision, reasoning } = traits;
  const replays = reasoning && thinking !== false && toEffort(request) !== "off" && replaysThinking;
  const rules: TokenRules = { vision, replaysThinking: replays, passed: backend.format === "anthropic" };
  return digits ? { ...rules, digits } : rules;
}

/** Counts the tokens of all requests: remembers texts, and how models count. */
export class TokenLedger {
  readonly #counter = new TokenCounter();
  readonly #calibration = new Calibration();
  /** The ratio of each session, once its model has one: what is asked twice gets the same answer. */
  readonly #settled = new BoundedMap<string, number>(MAX_SESSIONS);

  /** How many tokens an estimated one is with a candidate, if it has been heard of. */
  ratioOf(candidate: Candidate): number | undefined {
    return this.#calibration.ratios.get(toKey(candidate));
  }

  /** Goes on from the ratios of another process. */
  restore(ratios: Iterable<readonly [key: string, ratio: number]>): void {
    this.#calibration.restore(ratios);
  }

  /**
   * Counts a request.
   *
   * @param session Whose next request this is, from {@linkcode toSession}.
   * @param roughly How many bytes it has.
   */
  open(request: MessagesRequest, session: string, roughly: number): PromptTokens {
    const estimates = new Map<string, number>();
    const estimate = (candidate: Candidate) => {
      const rules = toTokenRules(request, candidate);
      const key = JSON.stringify(rules);
      let counted = estimates.get(key);
      if (counted !== undefined) return counted;
      try {
        counted = estimateRequestTokens(request, rules, this.#counter.weigh);
      } catch {
        counted = roughly; // What cannot even be read will be refused where it is translated.
      }
      estimates.set(key, counted);
      return counted;
    };
    return {
      roughly,
      estimate,
      count: (candidate) => this.#calibration.predict(toKey(candidate), session, estimate(candidate)),
      report: (candidate, actual) => {
        if (hasBlocks(request, "image", "document")) return;
        this.#calibration.observe(toKey(candidate), session, estimate(candidate), actual);
      },
    };
  }

  /**
   * The tokens of a part of a request, such as one tool: the parts of a session add up, and what is asked twice gets the
   * same answer. What having tools costs at all is always the same: Claude Code takes it off.
   */
  countPart(request: MessagesRequest, session: string, candidate: Candidate): number {
    const key = `${session} ${toKey(candidate)}`;
    const ratio = this.#settled.get(key) ?? this.ratioOf(candidate);
    if (ratio !== undefined) this.#settled.set(key, ratio);
    const fixed = hasTools(request) ? TOOLS_TOKENS : 0;
    const counted = this.open(request, session, 0).estimate(candidate);
    return Math.round((ratio ?? 1) * (counted - fixed)) + fixed;
  }
}
