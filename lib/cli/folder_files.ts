import type { ConfigFile } from "../config/config_file.ts";
import { ConfigError, type Env } from "../config/settings.ts";
import { BACKENDS } from "../routing/backends.ts";
import type { BackendOptions } from "../routing/routing_options.ts";

const OWN_MACHINE = /^(?:localhost|127(?:\.\d+){3}|\[?::1\]?)$/i;
const OWN_STORE = /^(?:memory|sqlite)$/i;
const OFF = /^(?:0|false|no|off)$/i;

/** Variables by which others could reach the proxy, read along, or the folder bring a package that is run; what is safe. */
const OPENING: readonly (readonly [names: string, safe: RegExp])[] = [
  ["ARBITER_HOST BRIDGE_HOST PROXY_HOST", OWN_MACHINE],
  ["ARBITER_ALLOW_OPEN ARBITER_SHOW_CONTENT", OFF],
  ["ARBITER_STORE STORAGE_ENGINE", OWN_STORE],
];

/** Variables of the current folder's `.env` but those that would let others in: whoever wrote a folder may not do that. */
export function withoutOpening(folder: Env, warn: (warning: string) => void): Env {
  const opens = ([name, value]: [string, string | undefined]) =>
    Boolean(value) && OPENING.some(([names, safe]) => names.split(" ").includes(name) && !safe.test(value!));
  // A project's own Redis is nothing to warn of, but not to be told of Arbiter either.
  const variables = Object.entries(folder).filter(([name]) => !name.startsWith("REDIS_"));
  for (const [name] of variables.filter(opens)) {
    warn(`${name} in this folder's .env does not count: set it in the environment`);
  }
  return Object.fromEntries(variables.filter((variable) => !opens(variable)));
}

/** Whether a key may go there whoever says so: hosts that are known anyway, and this machine. */
function isKnownHost(url: string): boolean {
  const { origin, hostname } = new URL(url);
  return OWN_MACHINE.test(hostname) || [...BACKENDS.values()].some(({ baseUrl }) => new URL(baseUrl).origin === origin);
}

/**
 * Makes sure that no file which came with a folder sends a key of the user's to a host of its own: a project that was
 * downloaded may have an `arbiter.json` or a `.env`.
 *
 * @param backends Hosts as they would be asked.
 * @param folder The current folder's `.env`; keys in it are its own.
 * @param trusted The hosts that the user has named elsewhere.
 * @throws {ConfigError} Saying how to agree.
 */
export function checkFolderHosts(
  backends: Readonly<Record<string, BackendOptions>>,
  folder: Env,
  trusted: readonly (ConfigFile["backends"])[],
): void {
  for (const [name, { baseUrl, apiKey }] of Object.entries(backends)) {
    if (!baseUrl || !apiKey || !URL.canParse(baseUrl) || isKnownHost(baseUrl)) continue;
    const named = trusted.some((hosts) => hosts && Object.hasOwn(hosts, name) && hosts[name]!.baseUrl === baseUrl);
    if (named || Object.values(folder).some((keys) => keys?.split(",").some((key) => key.trim() === apiKey))) continue;
    throw new ConfigError(
      `A file of this folder would send your API key for '${name}' to ${baseUrl}: if that is right, name the file ` +
        "with --config, or set the address where you set the key",
    );
  }
}
