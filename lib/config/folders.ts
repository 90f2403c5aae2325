import type { Env } from "./env.ts";

/**
 * The folder for one kind of file of this user's, by the custom of the platform.
 *
 * @param kind `config` holds what the user wrote, `state` what Arbiter did.
 * @param platform Node's name of the platform, such as `win32`.
 * @returns Nothing if the environment does not tell where home is.
 */
export function toFolder(kind: "config" | "state", env: Env, platform: string): string | undefined {
  if (platform === "win32") {
    const base = kind === "config" ? env.APPDATA : env.LOCALAPPDATA;
    return base && `${base}\\arbiter`;
  }
  const set = kind === "config" ? env.XDG_CONFIG_HOME : env.XDG_STATE_HOME;
  const usual = kind === "config" ? ".config" : ".local/state";
  const base = set || (env.HOME && `${env.HOME}/${usual}`);
  return base && `${base}/arbiter`;
}
