import type { Env } from "./settings.ts";

/** A kind of folder: the variable of Windows for it, that of XDG, and where it is in a home without that. */
type Kind = readonly [windows: string, xdg: string, inHome: string];

const CONFIG: Kind = ["APPDATA", "XDG_CONFIG_HOME", ".config"];
const STATE: Kind = ["LOCALAPPDATA", "XDG_STATE_HOME", ".local/state"];

/** Whose files are meant: an environment, and Node's name of the platform. */
type Place = { env: Env; platform: string };

function toUserPath({ env, platform }: Place, [windows, xdg, inHome]: Kind, names: string[]): string | undefined {
  const isWindows = platform === "win32";
  const base = isWindows ? env[windows] : env[xdg] || (env.HOME && `${env.HOME}/${inHome}`);
  if (!base) return undefined;
  const path = [base, "arbiter", ...names];
  return isWindows ? path.join("\\") : path.join("/").replaceAll(/\/+/g, "/"); // As paths are where a file has been found.
}

/** The folder for the user's configuration, by the custom of the platform, or a file in it; nothing if home is unknown. */
export function toConfigPath(place: Place, ...names: string[]): string | undefined {
  return toUserPath(place, CONFIG, names);
}

/** The folder for what the program remembers by itself, or a file in it, found in the same way. */
export function toStatePath(place: Place, ...names: string[]): string | undefined {
  return toUserPath(place, STATE, names);
}

/** Where nvd-claude-proxy and free-claude-code keep their variables, on each platform. */
const EARLIER_FILES = [".config/nvd-claude-proxy/.env", ".nvd-claude-proxy/.env", ".config/free-claude-code/.env"];

/** Files with variables of earlier tools; what is set anywhere else counts more. */
export function toEarlierFiles(env: Env): string[] {
  const home = env.HOME || env.USERPROFILE;
  const files = home ? EARLIER_FILES.map((file) => `${home}/${file}`) : [];
  return env.FCC_ENV_FILE ? [env.FCC_ENV_FILE, ...files] : files;
}
