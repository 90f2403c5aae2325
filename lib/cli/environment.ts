import { EnvReader } from "../config/env.ts";
import { toFolder } from "../config/folders.ts";
import type { Io } from "./io.ts";

async function readDotenv(path: string): Promise<Record<string, string | undefined>> {
  const { readFile } = await import("node:fs/promises");
  const { parseEnv } = await import("node:util");
  try {
    return { ...parseEnv(await readFile(path, "utf8")) };
  } catch {
    return {}; // Most folders have none, and an unreadable one is as good as none.
  }
}

/**
 * The environment in order of weight: the process, `.env` here, `.env` in the user's config folder.
 *
 * A variable that is really set is never overwritten by a file, as in `load` of `@std/dotenv`.
 */
export async function readEnvironment({ env, cwd, platform }: Io): Promise<EnvReader> {
  const folder = toFolder("config", env, platform);
  const files = [`${cwd}/.env`, ...folder ? [`${folder}/.env`] : []];
  return new EnvReader(env, ...await Promise.all(files.map(readDotenv)));
}
