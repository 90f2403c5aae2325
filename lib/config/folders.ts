import type { Env } from "./settings.ts";

/**
 * The folder for what the user has configured, by the custom of the platform.
 *
 * @param platform Node's name of the platform, such as `win32`.
 * @returns Nothing if the environment does not tell where home is.
 */
export function toConfigFolder(env: Env, platform: string): string | undefined {
  if (platform === "win32") return env.APPDATA && `${env.APPDATA}\\arbiter`;
  const base = env.XDG_CONFIG_HOME || (env.HOME && `${env.HOME}/.config`);
  return base && `${base}/arbiter`;
}
