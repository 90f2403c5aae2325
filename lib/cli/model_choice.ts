import { toModel } from "../models/roster.ts";
import { type Catalog, toCandidate } from "../routing/catalog.ts";
import { type Target, toLabel } from "../routing/reference.ts";
import type { Tier } from "../routing/routing_options.ts";
import type { Store } from "../store/store.ts";
import { toWindow } from "../upstream/fit.ts";
import type { Context } from "./io.ts";
import { readLessons } from "./open_store.ts";

/** What Claude Code is told of the main model: its window and the most output to ask for; what is absent it assumes. */
export type ModelLimits = { contextTokens?: number; outputTokens?: number };

/** What Claude Code calls its models: the one for the main work, and those of its tiers, if they have their own. */
export type ModelChoice = ModelLimits & { elite: string; tiers: Readonly<Partial<Record<Tier, string>>> };

/** Context window of a model of which nobody knows it: what most hosted models serve. */
const CONTEXT_TOKENS = 131_072;
/** Output tokens Claude Code asks any model for that it does not know, as observed in its version 2.1.328. */
const OUTPUT_TOKENS = 32_000;

/** What Claude Code is to be told of a proxy's models; what the main one has taught goes before what the roster says. */
export async function readModelChoice(
  catalog: Catalog,
  { settings }: Context,
  store: Store,
): Promise<ModelChoice> {
  const candidate = toCandidate(catalog.elite, catalog);
  const { traits = toModel(candidate.model) } = candidate;
  const facts = (await readLessons(store)).of(candidate);
  const window = toWindow(candidate, facts);
  const contextTokens = window < Infinity ? window : CONTEXT_TOKENS;
  const { maxTokens = Infinity, hardMaxTokens = Infinity, clientMaxTokens } = settings;
  // Claude Code keeps room for the answer free: more than a quarter would make it compact all the time.
  const limits = [maxTokens, hardMaxTokens, traits.maxOutput, facts.maxOutput, Math.floor(contextTokens / 4)];
  const outputTokens = clientMaxTokens ?? Math.min(OUTPUT_TOKENS, ...limits);
  const { elite, tiers: { opus, sonnet, haiku } } = catalog;
  const toName = (target: Target) => toLabel(target, catalog);
  return {
    elite: toName(elite),
    tiers: { opus: toName(opus), sonnet: toName(sonnet), haiku: toName(haiku) },
    contextTokens,
    ...(outputTokens === OUTPUT_TOKENS ? {} : { outputTokens }),
  };
}
