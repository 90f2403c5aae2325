/** A tier in the names of Anthropic's models that may be given a model of its own. */
export type Tier = "opus" | "sonnet" | "haiku";

const TIERS: readonly Tier[] = ["opus", "sonnet", "haiku"];

/** The upstream ids a user has chosen: for the main work, and for tiers; those left out use `elite`. */
export type ModelChoice = { elite: string; tiers: Readonly<Partial<Record<Tier, string>>> };

/**
 * Finds the upstream model for the name a client asked for.
 *
 * Any name is served: Claude Code asks for models of its own (`claude-sonnet-5` to check a command) whatever the user
 * chose, and a 404 would cost a second request and confuse the user.
 *
 * @returns A name with a slash that is not Anthropic's as it is, else the tier's model, else elite.
 */
export function resolveModel(asked: string, choice: ModelChoice): string {
  const name = asked.toLowerCase();
  const claude = /^(?:anthropic\/)?claude|^(?:opus|sonnet|haiku|default)\b/.test(name);
  if (!claude && name.includes("/")) return asked;
  const tier = TIERS.find((tier) => name.includes(tier));
  return (claude && tier && choice.tiers[tier]) || choice.elite;
}

/** Every upstream id of a choice, once each. */
export function toModelIds(choice: ModelChoice): string[] {
  return [...new Set([choice.elite, ...Object.values(choice.tiers)])].filter((id) => id !== undefined);
}
