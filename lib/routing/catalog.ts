import { DEFAULT_MODELS, type Model, type ModelRow, toModel } from "../models/roster.ts";
import { withoutEndSlashes } from "../wire/slashes.ts";
import { BACKENDS, DEFAULT_BACKEND, NVIDIA_BASE_URL } from "./backends.ts";
import type { Backend, Candidate } from "./candidate.ts";
import { findReference, type Names, type Target, toLabel } from "./reference.ts";
import type { BackendOptions, ProfileOptions, RouterOptions, Tier } from "./routing_options.ts";
import type { RoutedTask } from "./tasks.ts";
import { findTier } from "./tier.ts";

/** Everything names can mean; made once for a configuration. */
export type Catalog = Names & {
  /** The models for the main work, for small things, and for what must not fail. */
  elite: Target;
  speed: Target;
  steady: Target;
  tiers: Readonly<Record<Tier, Target>>;
  /** Who steps in. */
  fallbacks: readonly Target[];
  /** The models for tasks. */
  tasks: Readonly<Partial<Record<RoutedTask, Target>>>;
  /** Every model that somebody has named, or that steps in, by what it is called. */
  listed: ReadonlyMap<string, Target>;
};

/** Hosts that run on this machine need no key. */
const LOOPBACK = /^https?:\/\/(?:localhost|127(?:\.\d+){3}|\[::1\])(?=[:/]|$)/;

function toBackend(name: string, given: BackendOptions, options: RouterOptions): Backend {
  const known = BACKENDS.get(name);
  const baseUrl = withoutEndSlashes(given.baseUrl ?? known?.baseUrl ?? "");
  if (!/^https?:\/\/\S/.test(baseUrl)) {
    throw new TypeError(`Cannot use the backend '${name}': its baseUrl must be an address such as https://host/v1`);
  }
  // The limits of a known host are not those of another at its place.
  const usual = known?.baseUrl === baseUrl ? known : undefined;
  const limit = (key: "rateLimit" | "rateWindow" | "maxConcurrency") => given[key] ?? options[key] ?? usual?.[key];
  const apiKey = given.apiKey || usual?.apiKey;
  const keyName = given.apiKeyEnv ?? known?.keyNames[0];
  const needsKey = (given.apiKeyEnv ?? usual?.keyNames[0]) !== undefined && !LOOPBACK.test(baseUrl);
  return {
    name,
    baseUrl,
    apiKey,
    format: given.format ?? known?.format ?? "openai",
    headers: given.headers ?? {},
    limits: {
      limit: limit("rateLimit") ?? 0,
      window: limit("rateWindow") ?? 60_000,
      concurrency: limit("maxConcurrency") ?? 0,
    },
    ...(known?.thinkingSwitch ? { thinkingSwitch: known.thinkingSwitch } : {}),
    ...(keyName ? { keyName } : {}),
    ...(keyName && needsKey && !apiKey ? { lacks: keyName } : {}),
  };
}

/** The name of the default host, whatever earlier tools call it. */
function toHostName({ defaultBackend: name = DEFAULT_BACKEND, backends = {} }: RouterOptions): string {
  if (Object.hasOwn(backends, name) || BACKENDS.has(name)) return name;
  return [...BACKENDS].find(([, { aliases }]) => aliases.includes(name.toLowerCase()))?.[0] ?? name;
}

/** Hosts by their names and aliases; a name that a user has given is not an alias of another. */
function toBackends(options: RouterOptions, defaultBackend: string): Map<string, Backend> {
  const { apiKey, baseUrl, backends: declared = {} } = options;
  const backends = new Map<string, Backend>();
  for (const name of new Set([...BACKENDS.keys(), ...Object.keys(declared), defaultBackend])) {
    const own = name === defaultBackend ? { ...(apiKey ? { apiKey } : {}), ...(baseUrl ? { baseUrl } : {}) } : {};
    const backend = toBackend(name, { ...declared[name], ...own }, options);
    const aliases = BACKENDS.get(name)?.aliases.filter((alias) => !Object.hasOwn(declared, alias)) ?? [];
    for (const alias of [name, ...aliases]) backends.set(alias.toLowerCase(), backend);
  }
  return backends;
}

/** Models that are used, and those that somebody has named, by what they are called. */
function listTargets(used: readonly Target[], names: Names): Map<string, Target> {
  const { options: { models = [], listed = [] }, profiles, backend } = names;
  const find = (name: string) => findReference(name, names) ?? [];
  const profiled = [...profiles.keys()].flatMap(find);
  // A row may only tell more of a model that a profile asks another host for.
  const own = models.filter(({ id }) => !profiled.some((one) => one.model === id && one.backend !== backend));
  const targets = new Map<string, Target>();
  // The first counts: a tier may have the main model, with or without thinking.
  for (const target of [...used, ...[...listed, ...own.map(({ id }) => id)].flatMap(find), ...profiled]) {
    const label = toLabel(target, names);
    if (!targets.has(label)) targets.set(label, target);
  }
  return targets;
}

/**
 * Puts together everything names can mean.
 *
 * @throws {TypeError} If no model is chosen and none is known of the default backend, or a backend is of no use.
 */
export function createCatalog(options: RouterOptions): Catalog {
  const defaultBackend = toHostName(options);
  const { modelMap = {}, modelProfiles = {}, models = [], tiers = {} } = options;
  const backends = toBackends(options, defaultBackend);
  const backend = backends.get(defaultBackend.toLowerCase())!;
  const mapped = Object.entries(modelMap).map(([alias, { backend, model }]): [string, ProfileOptions] => {
    return [alias, { backend, providerModel: model }];
  });
  const profiles = new Map(
    [...mapped, ...Object.entries(modelProfiles)].map(([alias, profile]) => [alias.toLowerCase(), profile]),
  );
  const placed = [...profiles, ...models.map(({ id, host }) => [id, { backend: host }] as const)];
  const [name, lost] = placed.find(([, { backend: host }]) => host && !backends.has(host.toLowerCase())) ?? [];
  // The default host would get a key and conversations that are not for it.
  if (lost) throw new TypeError(`Cannot use the model '${name}': there is no backend '${lost.backend}'`);
  const names: Names = { options, backend, backends, profiles };
  const toTarget = (name: string): Target => findReference(name, names) ?? { backend, model: name };
  const { defaultModel = BACKENDS.get(defaultBackend)?.defaultModel } = options.backends?.[defaultBackend] ?? {};
  if (!options.model && !defaultModel) {
    throw new TypeError(`No model is chosen for '${defaultBackend}': set ARBITER_MODEL, or its defaultModel`);
  }
  // A host's own model is called what the host calls it.
  const elite = options.model ? toTarget(options.model) : { backend, model: defaultModel! };
  // What is usual at NVIDIA is of no use to those who work elsewhere, without its key.
  const isUsual = backend.baseUrl === NVIDIA_BASE_URL && (elite.backend === backend || !backend.lacks);
  const usual: Partial<typeof DEFAULT_MODELS> = isUsual ? DEFAULT_MODELS : {};
  const or = (name: string | undefined): Target => name ? toTarget(name) : elite;
  const toTierTarget = (tier: Tier, name = tiers[tier]): Target => {
    return options.tierThinking?.[tier] === false ? { ...or(name), thinking: false } : or(name);
  };
  const [opus, sonnet] = [toTierTarget("opus"), toTierTarget("sonnet")];
  const haiku = toTierTarget("haiku", tiers.haiku ?? usual.speed);
  const byTier = { opus, sonnet, haiku };
  const tasks = Object.entries(options.tasks ?? {}).map(([task, name]): [string, Target] => {
    const tier = findTier(name);
    return [task, tier && !findReference(name, names) ? byTier[tier] : toTarget(name)];
  });
  const fallbacks = (options.fallbacks ?? usual.fallbacks ?? []).map(toTarget);
  const used = [elite, opus, sonnet, haiku, ...fallbacks, ...tasks.map(([, target]) => target)];
  return {
    ...names,
    elite,
    speed: haiku,
    steady: or(usual.elite),
    tiers: byTier,
    fallbacks,
    tasks: Object.fromEntries(tasks),
    listed: listTargets(used, names),
  };
}

/** What is known about a target: its profile goes before the user's row, and that before the roster's. */
function toTraits({ model, profile }: Target, { options: { models = [] } }: Names): Model {
  const { context, maxOutput, capabilities: { toolCalls: tools, vision, reasoning } = {} } = profile ?? {};
  return toModel(model, [{ id: model, context, maxOutput, tools, vision, reasoning } as ModelRow, ...models]);
}

/** How a target is asked. */
export function toCandidate(target: Target, names: Names): Candidate & { traits: Model } {
  return { ...target, traits: toTraits(target, names), thinking: target.thinking ?? names.options.thinking ?? true };
}
