import type { Env } from "./settings.ts";

/** The folder for the user's configuration, by the custom of the platform; nothing if nobody knows where home is. */
export function toConfigFolder(env: Env, platform: string): string | undefined {
  if (platform === "win32") return env.APPDATA && `${env.APPDATA}\\arbiter`;
  const base = env.XDG_CONFIG_HOME || (env.HOME && `${env.HOME}/.config`);
  return base && `${base}/arbiter`;
}

/** The folder for what the program remembers by itself, by the custom of the platform. */
export function toStateFolder(env: Env, platform: string): string | undefined {
  if (platform === "win32") return env.LOCALAPPDATA && `${env.LOCALAPPDATA}\\arbiter`;
  const base = env.XDG_STATE_HOME || (env.HOME && `${env.HOME}/.local/state`);
  return base && `${base}/arbiter`;
}
