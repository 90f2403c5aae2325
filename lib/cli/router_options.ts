import { findConfig, parseConfig, readConfig, toConfigName } from "../config/config_file.ts";
import { toConfigPath } from "../config/folders.ts";
import { type Env, resolveBackends } from "../config/settings.ts";
import { BACKENDS, DEFAULT_BACKEND } from "../routing/backends.ts";
import type { BackendOptions, RouterOptions } from "../routing/routing_options.ts";
import { readChoice } from "./choice.ts";
import { checkFolderHosts } from "./folder_files.ts";
import type { Context } from "./io.ts";

/** What a router is made from, and the port and the path of the config file, if there is one. */
export type ReadOptions = RouterOptions & { port?: number; path?: string };

/** Milliseconds between two looks at the config file. */
const WATCH_INTERVAL = 1_000;

/** Whether somebody has said which model to use, or has a host of their own, which knows. */
export function namesModel({ model, defaultBackend = DEFAULT_BACKEND, backends = {} }: RouterOptions): boolean {
  return Boolean(model ?? backends[defaultBackend]?.defaultModel) || defaultBackend !== DEFAULT_BACKEND;
}

/** All variables; what is empty hides nothing. */
function mergeLayers(layers: readonly Env[]): Env {
  const set = [...layers].reverse().map((layer) => Object.entries(layer).filter(([, value]) => value?.trim()));
  return Object.fromEntries(set.flat());
}

/**
 * Puts together where requests may go: flags and environment go before the config file, which is read now, and
 * that before the choice made in the menu.
 *
 * @param path The file, when it was found before and must still be there.
 * @throws {ConfigError} If the file cannot be read, or is wrong.
 */
export async function readRouterOptions(
  { settings, layers, flags, io, folder = {} }: Context,
  path?: string,
  warn: (warning: string) => void = () => {},
): Promise<ReadOptions> {
  const env = mergeLayers(layers);
  const file = path === undefined ? await findConfig(env, io.cwd, io.platform) : await readConfig(path);
  const config = file ? parseConfig(file.text, file.path, env, [...BACKENDS.keys()]) : {};
  const backends: Record<string, BackendOptions> = { ...config.backends };
  for (const [name, { apiKey, baseUrl }] of Object.entries(resolveBackends(layers, warn))) {
    const own = backends[name] ?? {};
    // A key goes only to whom it is for: a file that names another variable means that one, or none.
    const key = apiKey && !own.apiKeyEnv ? { apiKey } : {};
    backends[name] = { ...own, ...key, ...(baseUrl ? { baseUrl } : {}) };
  }
  const { apiKey, port, thinking, rateLimit, rateWindow, maxConcurrency } = settings;
  const host = config.defaultBackend ?? DEFAULT_BACKEND;
  const outside = layers.filter((layer) => layer !== folder);
  const named = toConfigName(mergeLayers(outside));
  const isOwn = named ? named === toConfigName(env) : file?.path === toConfigPath(io, "arbiter.json");
  checkFolderHosts(
    apiKey ? { ...backends, [host]: { ...backends[host], apiKey } } : backends,
    folder,
    [resolveBackends(outside), isOwn ? config.backends : undefined],
  );
  const { model = [], opus, sonnet, haiku, opusThinking, sonnetThinking, haikuThinking } = settings;
  const typed = flags.model?.includes(",");
  const fallbacks = (typed ? undefined : settings.fallbacks) ?? (model.length > 1 ? model.slice(1) : undefined);
  const set = { apiKey, port, thinking, rateLimit, rateWindow, maxConcurrency };
  const chosen = {
    ...set,
    path: file?.path,
    // What was chosen in the menu counts least.
    model: model[0] ?? (namesModel(config) ? undefined : (await readChoice(io)).model),
    fallbacks,
    listed: model.length > 1 ? model : undefined,
  };
  const given = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined));
  const tierThinking = { opus: opusThinking, sonnet: sonnetThinking, haiku: haikuThinking };
  return { ...config, ...given, backends, tiers: { opus, sonnet, haiku }, tierThinking };
}

/** Calls `changed` when a file has changed, and `failed` when that throws; gives what ends it. */
export async function watchConfig(
  path: string | undefined,
  changed: () => Promise<void>,
  failed: (error: Error) => void,
): Promise<() => void> {
  if (path === undefined) return () => {};
  const { watchFile, unwatchFile } = await import("node:fs");
  const look = () => void changed().catch(failed);
  // It looks every second: what tells of changes differs between systems, and misses editors that replace files.
  watchFile(path, { interval: WATCH_INTERVAL, persistent: false }, look);
  return () => unwatchFile(path, look);
}
