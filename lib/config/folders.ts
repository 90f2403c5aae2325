import type { Env } from "./settings.ts";

/** A kind of folder: the variable of Windows for it, that of XDG, and where it is in a home without that. */
type Kind = readonly [windows: string, xdg: string, inHome: string];

const CONFIG: Kind = ["APPDATA", "XDG_CONFIG_HOME", ".config"];
const STATE: Kind = ["LOCALAPPDATA", "XDG_STATE_HOME", ".local/state"];

function toFolder(env: Env, platform: string, [windows, xdg, inHome]: Kind): string | undefined {
  if (platform === "win32") return env[windows] && `${env[windows]}\\arbiter`;
  const base = env[xdg] || (env.HOME && `${env.HOME}/${inHome}`);
  return base && `${base}/arbiter`.replaceAll(/\/+/g, "/"); // As paths are where a file has been found.
}

/** The folder for the user's configuration, by the custom of the platform; nothing if nobody knows where home is. */
export function toConfigFolder(env: Env, platform: string): string | undefined {
  return toFolder(env, platform, CONFIG);
}

/** The folder for what the program remembers by itself, found in the same way. */
export function toStateFolder(env: Env, platform: string): string | undefined {
  return toFolder(env, platform, STATE);
}

function toFile(folder: string | undefined, name: string, platform: string): string | undefined {
  return folder && `${folder}${platform === "win32" ? "\\" : "/"}${name}`;
}

/** A file of the user's configuration; nothing if nobody knows where home is. */
export function toConfigFile(name: string, { env, platform }: { env: Env; platform: string }): string | undefined {
  return toFile(toConfigFolder(env, platform), name, platform);
}

/** A file of what the program remembers by itself, found in the same way. */
export function toStateFile(name: string, { env, platform }: { env: Env; platform: string }): string | undefined {
  return toFile(toStateFolder(env, platform), name, platform);
}

/** Where nvd-claude-proxy and free-claude-code keep their variables, on each platform. */
const EARLIER_FILES = [".config/nvd-claude-proxy/.env", ".nvd-claude-proxy/.env", ".config/free-claude-code/.env"];

/** Files with variables of earlier tools; what is set anywhere else counts more. */
export function toEarlierFiles(env: Env): string[] {
  const home = env.HOME || env.USERPROFILE;
  const files = home ? EARLIER_FILES.map((file) => `${home}/${file}`) : [];
  return env.FCC_ENV_FILE ? [env.FCC_ENV_FILE, ...files] : files;
}
