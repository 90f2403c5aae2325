import type { Catalog } from "./catalog.ts";
import { parsePickerId } from "./picker.ts";
import { findRule, type FoundTarget, type Target, withoutWindow } from "./reference.ts";
import { findTier } from "./tier.ts";

/**
 * What a name stands for: the model, whether somebody asked for just that one, and in words how it was found. Where
 * nobody did, the task may send the request elsewhere.
 */
export type Resolution = { target: Target; tier: "elite" | "speed"; chosen: boolean; why: string };

function isSameTarget(a: Target, b: Target): boolean {
  return a.backend === b.backend && a.model === b.model && a.profile === b.profile && a.thinking === b.thinking;
}

/** A model that was picked from the list, which tells whether it may think, whatever its tier does. */
function findPicked(name: string, { listed }: Catalog): FoundTarget | undefined {
  const { id = "", thinking } = parsePickerId(name) ?? {};
  const picked = listed.get(id);
  if (!picked) return undefined;
  const { thinking: _, ...target } = picked;
  return { target: thinking ? target : { ...target, thinking: false }, why: "picker id" };
}

/**
 * Finds the model for the name a client asked for.
 *
 * Any name is served: Claude Code asks for models of its own (`claude-sonnet-5` to check a command) whatever the user
 * chose, and a 404 would cost a second request and confuse the user. The names of the tiers' models are nobody's choice:
 * Claude Code was started with them.
 */
export function resolveModel(asked: string, catalog: Catalog): Resolution {
  const { elite, speed, tiers, listed } = catalog;
  const name = withoutWindow(asked);
  const named = listed.get(name);
  if (named && named !== elite && [speed, tiers.opus, tiers.sonnet].includes(named)) {
    return { target: named, tier: named === speed ? "speed" : "elite", chosen: false, why: "a tier's model" };
  }
  const found = named
    ? { target: named, why: named.profile ? "profile" : "a model that is listed" }
    : findPicked(name, catalog) ?? findRule(asked, catalog);
  if (found && isSameTarget(found.target, elite)) {
    return { target: elite, tier: "elite", chosen: false, why: "the main model" };
  }
  if (found) {
    const tier = isSameTarget(found.target, speed) ? "speed" : "elite";
    return { target: found.target, tier, chosen: true, why: found.why };
  }
  const tier = findTier(asked);
  if (!tier) return { target: elite, tier: "elite", chosen: false, why: "no model of that name" };
  return { target: tiers[tier], tier: tier === "haiku" ? "speed" : "elite", chosen: false, why: `tier ${tier}` };
}
