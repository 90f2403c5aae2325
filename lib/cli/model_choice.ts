import type { Arbiter } from "../arbiter.ts";
import { toModel } from "../models/roster.ts";
import { toCandidate } from "../routing/catalog.ts";
import { toLabel } from "../routing/reference.ts";
import type { Tier } from "../routing/routing_options.ts";
import type { Store } from "../store/store.ts";
import { toWindow } from "../upstream/fit.ts";
import type { Context } from "./io.ts";
import { readLessons } from "./open_store.ts";

/** What Claude Code calls its models: the one for the main work, and those of its tiers, if they have their own. */
export type ModelNames = { elite: string; tiers: Readonly<Partial<Record<Tier, string | undefined>>> };

/** What Claude Code is told of the main model: its window and the most output to ask for; what is absent it assumes. */
export type ModelLimits = { contextTokens?: number; outputTokens?: number };

/** Models for Claude Code, and what it should know of them. */
export type ModelChoice = ModelNames & ModelLimits;

/** Context window of a model of which nobody knows it: what most hosted models serve. */
const CONTEXT_TOKENS = 131_072;
/** Output tokens Claude Code asks any model for that it does not know, as observed in its version 2.1.328. */
const OUTPUT_TOKENS = 32_000;

/** What Claude Code is to call the models of a proxy. */
function toModelNames({ router: { catalog } }: Arbiter): ModelNames {
  const { elite, tiers: { opus, sonnet, haiku } } = catalog;
  const [main, ...rest] = [elite, opus, sonnet, haiku].map((target) => toLabel(target, catalog));
  return { elite: main!, tiers: { opus: rest[0], sonnet: rest[1], haiku: rest[2] } };
}

/** Finds the limits of the main model: what it has taught itself goes before what the roster says. */
async function readModelLimits(
  { router: { catalog } }: Arbiter,
  { settings }: Context,
  store: Store,
): Promise<ModelLimits> {
  const candidate = toCandidate(catalog.elite, catalog);
  const { traits = toModel(candidate.model) } = candidate;
  const facts = (await readLessons(store)).of(candidate);
  const window = toWindow(candidate, facts);
  const contextTokens = window < Infinity ? window : CONTEXT_TOKENS;
  const { maxTokens = Infinity, hardMaxTokens = Infinity, clientMaxTokens } = settings;
  // Claude Code keeps room for the answer free: more than a quarter would make it compact all the time.
  const limits = [maxTokens, hardMaxTokens, traits.maxOutput, facts.maxOutput, Math.floor(contextTokens / 4)];
  const outputTokens = clientMaxTokens ?? Math.min(OUTPUT_TOKENS, ...limits);
  return { contextTokens, ...(outputTokens === OUTPUT_TOKENS ? {} : { outputTokens }) };
}

/** What Claude Code is to be told of the models of a proxy; the store has what they have taught. */
export async function readModelChoice(arbiter: Arbiter, context: Context, store: Store): Promise<ModelChoice> {
  return { ...toModelNames(arbiter), ...await readModelLimits(arbiter, context, store) };
}
