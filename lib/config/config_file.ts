import type { BackendOptions, RoutingOptions } from "../routing/routing_options.ts";
import { AN_ADDRESS, CONFIG_SCHEMA } from "./config_schema.ts";
import { toConfigPath } from "./folders.ts";
import { checkSchema, type SchemaProblem, toGot } from "./json_schema.ts";
import { parseJsonc } from "./jsonc.ts";
import { readTextFile } from "./read_text_file.ts";
import { ConfigError, type Env } from "./settings.ts";
import { withoutEndSlashes } from "../wire/slashes.ts";

/** What the config file says. */
export interface ConfigFile extends RoutingOptions {
  /** Port to listen on; 0 takes any free one. */
  port?: number;
}

type WrittenBackend = BackendOptions & { rateWindowSeconds?: number };
type WrittenFile = ConfigFile & { backends?: Record<string, WrittenBackend> };

/** The shortest way from a profile over the fallbacks back to it. */
function findCycle(profiles: NonNullable<RoutingOptions["modelProfiles"]>, start: string): string[] | undefined {
  const trails = new Map([[start, [start]]]);
  for (const [name, trail] of trails) { // Goes on to what is added meanwhile.
    for (const next of Object.hasOwn(profiles, name) ? profiles[name]!.fallbacks ?? [] : []) {
      if (next === start) return [...trail, start];
      if (!trails.has(next)) trails.set(next, [...trail, next]);
    }
  }
  return undefined;
}

/** Whether headers can be sent; behind one address many hosts may be, of which `host` would choose another. */
function areHeaders(headers: Record<string, string> = {}): boolean {
  try {
    return !new Headers(headers).has("host");
  } catch {
    return false;
  }
}

/** Finds what is wrong with a file that fits the schema. */
function findConflicts(file: WrittenFile, known: readonly string[]): SchemaProblem[] {
  const { defaultBackend, backends = {}, modelProfiles = {}, modelMap = {} } = file;
  const names = [...new Set([...known, ...Object.keys(backends)])];
  const uses: [path: string, backend: string | undefined][] = [["defaultBackend", defaultBackend]];
  for (const [key, entries] of Object.entries({ modelProfiles, modelMap })) {
    for (const [name, { backend }] of Object.entries(entries)) uses.push([`${key}.${name}.backend`, backend]);
  }
  const cycle = Object.keys(modelProfiles).map((name) => findCycle(modelProfiles, name)).find(Boolean) ?? [];
  const rules: [fits: boolean, path: string, expected: string, got: string][] = [];
  for (const [path, backend] of uses) {
    const fits = backend === undefined || names.includes(backend);
    rules.push([fits, path, `a backend (${names.join(", ")})`, toGot(backend)]);
  }
  for (const [name, { baseUrl, headers }] of Object.entries(backends)) {
    const path = `backends.${name}`;
    const hasUrl = baseUrl === undefined ? known.includes(name) : URL.canParse(baseUrl);
    rules.push(
      [/^[\w.-]+$/.test(name), path, "a name of letters, digits, '.', '_' and '-'", toGot(name)],
      [hasUrl, `${path}.baseUrl`, AN_ADDRESS, toGot(baseUrl)],
      [areHeaders(headers), `${path}.headers`, "headers that can be sent, without host", "others"],
    );
  }
  rules.push([cycle.length === 0, `modelProfiles.${cycle[0]}.fallbacks`, "no circle", cycle.join(" → ")]);
  return rules.filter(([fits]) => !fits).map(([, path, expected, got]) => ({ path, expected, got }));
}

/** A backend as it is used; what is absent stays absent, so that it hides nothing built in. */
function toReadBackend({ baseUrl, rateWindowSeconds, ...backend }: WrittenBackend, env: Env): BackendOptions {
  const { [backend.apiKeyEnv ?? ""]: value } = env;
  const apiKey = typeof value === "string" && value.trim(); // Environments have a toString, too.
  return {
    ...backend,
    ...(baseUrl && { baseUrl: withoutEndSlashes(baseUrl) }),
    ...(apiKey && { apiKey }),
    ...(rateWindowSeconds && { rateWindow: rateWindowSeconds * 1000 }),
  };
}

/**
 * Reads the text of a config file: its shape is checked, keys come from the environment, seconds become milliseconds.
 * What only people and editors read stays in.
 *
 * @param path What messages call the file.
 * @param known The backends that need no file; only they may lack a `baseUrl`.
 * @throws {ConfigError} Naming the file, each place in it that is wrong, and what was expected there.
 */
export function parseConfig(text: string, path: string, env: Env, known: readonly string[]): ConfigFile {
  let value: unknown;
  try {
    value = parseJsonc(text);
  } catch (cause) {
    throw new ConfigError(`Cannot use ${path}: ${(cause as Error).message}`, { cause });
  }
  const file = value as WrittenFile;
  const misfits = checkSchema(value, CONFIG_SCHEMA);
  const problems = (misfits.length > 0 ? misfits : findConflicts(file, known))
    .map(({ path, expected, got }) => `${path && `${path}: `}expected ${expected}, got ${got}`);
  if (problems.length > 0) throw new ConfigError(`Cannot use ${path}: ${problems.join("\n  ")}`);
  const backends = Object.entries(file.backends ?? {}).map(([name, backend]) => [name, toReadBackend(backend, env)]);
  return { ...file, ...(file.backends && { backends: Object.fromEntries(backends) }) };
}

/** Why a file cannot be read, by the system's code. */
const UNREADABLE: Record<string, string> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a folder",
  EACCES: "you may not",
  ENOTDIR: "a folder on the way to it is a file",
};

/** Why a file cannot be read, in words. */
export function toWhy(thrown: unknown): string {
  const { code = "", message } = thrown as Error & { code?: string };
  return UNREADABLE[code] ?? message;
}

/**
 * Reads an API key from a file that holds nothing else; messages never show what is in it.
 *
 * @throws {ConfigError} If the file cannot be read or has no key.
 */
export async function readKeyFile(path: string): Promise<string> {
  const text = await readTextFile(path).catch((cause) => {
    throw new ConfigError(`Cannot read the API key file ${path}: ${toWhy(cause)}`, { cause });
  });
  const key = text.trim();
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new ConfigError(`Cannot use the API key file ${path}: ${key ? "it has more in it than a key" : "it is empty"}`);
}

/** Keys that tell Claudia-Router's config.json, which cannot do without, from those of other programs, broken or not. */
const CLAUDIAS = ['"defaultBackend"', '"apiKeyEnv"'];

/**
 * Reads a config file; nothing if it is not there and may be absent.
 *
 * @throws {ConfigError} If it cannot be read.
 */
export async function readConfig(path: string, optional = false): Promise<{ path: string; text: string } | undefined> {
  try {
    return { path, text: await readTextFile(path) };
  } catch (cause) {
    if (optional && ["ENOENT", "ENOTDIR"].includes((cause as { code?: string }).code ?? "")) return undefined;
    throw new ConfigError(`Cannot read the config file ${path}: ${toWhy(cause)}`, { cause });
  }
}

/** The config file that the environment names, if it does. */
export function toConfigName({ ARBITER_CONFIG, CLAUDIA_CONFIG }: Env): string | undefined {
  return ARBITER_CONFIG?.trim() || CLAUDIA_CONFIG?.trim() || undefined;
}

/**
 * Finds the config file: the one that `ARBITER_CONFIG` or `CLAUDIA_CONFIG` names, which must be there, else
 * `arbiter.json` in the current folder or the user's config folder, else Claudia-Router's `config.json`, which
 * has no name of its own.
 *
 * @throws {ConfigError} If the file cannot be read.
 */
export async function findConfig(
  env: Env,
  cwd: string,
  platform: string,
): Promise<{ path: string; text: string } | undefined> {
  const { posix, win32 } = await import("node:path");
  const { resolve } = platform === "win32" ? win32 : posix;
  const named = toConfigName(env);
  for (const path of named ? [named] : ["arbiter.json", toConfigPath({ env, platform }, "arbiter.json")]) {
    const file = path && await readConfig(resolve(cwd, path), !named);
    if (file) return file;
  }
  const path = resolve(cwd, "config.json");
  const text = named ? "" : await readTextFile(path).catch(() => "");
  return CLAUDIAS.every((key) => text.includes(key)) ? { path, text } : undefined;
}
