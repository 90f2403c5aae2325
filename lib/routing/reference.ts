import { MODEL_ALIASES } from "../models/aliases.ts";
import { type ModelRow, ROSTER } from "../models/roster.ts";
import { BACKENDS, DEFAULT_BACKEND } from "./backends.ts";
import type { Backend } from "./candidate.ts";
import { parsePickerId } from "./picker.ts";
import type { ProfileOptions, RouterOptions } from "./routing_options.ts";

/** A model that a name stands for: where it is, what its profile says of it, `false` if it must not think. */
export type Target = { backend: Backend; model: string; profile?: ProfileOptions; thinking?: false };

/** What names are made of. */
export type Names = {
  options: RouterOptions;
  /** The default host, and all by their names and aliases. */
  backend: Backend;
  backends: ReadonlyMap<string, Backend>;
  /** Profiles and entries of the map, by names in lower case. */
  profiles: ReadonlyMap<string, ProfileOptions>;
};

/** Longer names are none. */
export const LONGEST_NAME = 256;
/** Names of Anthropic's models; others with a slash are names of an upstream. */
export const CLAUDE_NAME = /^(?:anthropic(?:-no-thinking)?\/)?(?:claude|(?:opus|sonnet|haiku|fable|default|best)\b)/;
/** Windows, dates, versions and "latest" at the end of a name of Anthropic's: they tell no other model here. */
const SUFFIXES = /(?:\[1m\]|[-@]\d{8}|-v\d+(?::\d+)?|-latest)+$/;

/** A name without the window that Claude Code may write behind it. */
export function withoutWindow(name: string): string {
  return name.trim().replace(/\[1m\]$/i, "");
}

/** A name in lower case, without the endings that say nothing about the model. */
export function toPlainName(name: string): string {
  const plain = name.trim().toLowerCase();
  return plain.length > LONGEST_NAME ? plain : plain.replace(SUFFIXES, "");
}

/** What a model is called where it cannot mean another: its profile's name, its own at the default host, or with the host. */
export function toLabel(target: Pick<Target, "backend" | "model" | "profile">, { backend, profiles }: Names): string {
  const [alias] = [...profiles].find(([, profile]) => profile === target.profile) ?? [];
  if (alias !== undefined) return alias;
  const short = target.backend === backend && !profiles.has(target.model.toLowerCase());
  return short ? target.model : `${target.backend.name}/${target.model}`;
}

/** A host and one of its models; what also owns models, such as `nvidia`, is a host before a second slash only. */
function splitName(name: string, names: Names): { target: Target; declared: boolean } | undefined {
  const [, host = "", between, model = ""] = /^([\w.-]+)(,\s*|\/)(.+)$/.exec(name) ?? [];
  const backend = names.backends.get(host.toLowerCase());
  if (!backend) return undefined;
  const own = Object.keys(names.options.backends ?? {}).filter((name) => !BACKENDS.has(name));
  const declared = own.some((name) => name.toLowerCase() === host.toLowerCase());
  const owns = () => ROSTER.some(({ id }) => id.startsWith(`${host.toLowerCase()}/`));
  return between !== "/" || declared || model.includes("/") || !owns()
    ? { target: { backend, model }, declared }
    : undefined;
}

/** Where a model of the roster is. Other hosts spell NVIDIA's ids in their own ways: there a name is what it says. */
function toRowTarget(row: ModelRow, name: string, { backend, backends, options }: Names): Target {
  if (row.host) return { backend: backends.get(row.host.toLowerCase()) ?? backend, model: row.id };
  const own = options.models?.includes(row) || backend.name === DEFAULT_BACKEND;
  return { backend, model: own ? row.id : name };
}

function findRow({ options }: Names, fits: (id: string) => boolean): ModelRow | undefined {
  return [...options.models ?? [], ...ROSTER].find(({ id }) => fits(id.toLowerCase()));
}

/** A way to read a name; `plain` is the name without its endings. */
type Find = (name: string, names: Names, plain: string) => Target | undefined;

/**
 * What a name is called and how it is then read, the first row that finds something counts. Not all are sure: any two
 * words with a slash between may be an upstream's id.
 */
const RULES: readonly (readonly [why: string, find: Find, sure?: false])[] = [
  ["profile", (name, { backends, backend, profiles }, plain) => {
    const profile = profiles.get(name.toLowerCase()) ??
      [...profiles].find(([alias]) => toPlainName(alias) === plain)?.[1];
    if (!profile) return undefined;
    const host = backends.get(profile.backend?.toLowerCase() ?? "") ?? backend;
    return { backend: host, model: profile.providerModel, profile };
  }],
  ["picker id", (name, names) => {
    const { id, thinking } = parsePickerId(name) ?? {};
    if (id === undefined) return undefined;
    const found = parsePickerId(id) ? undefined : findReference(id, names);
    // Anthropic's own names may have the same prefix; other hosts put one before them.
    if (!found && !id.includes("/") && CLAUDE_NAME.test(toPlainName(id))) return undefined;
    const target = found ?? { backend: names.backend, model: id };
    return thinking ? target : { ...target, thinking: false };
  }],
  ["host and model", (name, names) => {
    const { declared, target } = splitName(name, names) ?? {};
    return declared ? target : undefined;
  }],
  ["name of an earlier tool", (_name, { backends, backend }, plain) => {
    const model = MODEL_ALIASES.get(plain);
    return model === undefined ? undefined : { backend: backends.get(DEFAULT_BACKEND) ?? backend, model };
  }],
  ["model of the roster", (name, names, plain) => {
    const words = [name.toLowerCase(), plain];
    const row = name.includes("/") ? findRow(names, (id) => words.includes(id)) : undefined;
    return row && toRowTarget(row, name, names);
  }],
  ["host and model", (name, names) => splitName(name, names)?.target],
  ["upstream id", (name, { backend }, plain) => {
    return name.includes("/") && !CLAUDE_NAME.test(plain) ? { backend, model: name } : undefined;
  }, false],
  ["short name", (name, names, plain) => {
    const words = [name.toLowerCase(), plain];
    const row = findRow(names, (id) => words.some((word) => id === word || id.endsWith(`/${word}`)));
    const known = row && (row.host || names.backend.name === DEFAULT_BACKEND || names.options.models?.includes(row));
    return known ? toRowTarget(row, name, names) : undefined;
  }],
];

/** The model that was found, in words how, and whether a name can have meant nothing else. */
export type FoundTarget = { target: Target; why: string; sure?: boolean };

/** Finds the model that a name stands for, and by which rule; nothing for names of Anthropic's and unknown ones. */
export function findRule(name: string, names: Names): FoundTarget | undefined {
  const whole = withoutWindow(name);
  if (whole.length > LONGEST_NAME || /\p{Cc}/u.test(whole)) return undefined;
  const plain = toPlainName(name);
  for (const [why, find, sure = true] of RULES) {
    const target = find(whole, names, plain);
    if (target) return { target, why, sure };
  }
  return undefined;
}

/** Finds the model that a name stands for. */
export function findReference(name: string, names: Names): Target | undefined {
  return findRule(name, names)?.target;
}
