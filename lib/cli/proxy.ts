import { type Arbiter, createArbiter, DEFAULT_MODEL, NVIDIA_BASE_URL } from "../arbiter.ts";
import { toStateFolder } from "../config/folders.ts";
import { ConfigError } from "../config/settings.ts";
import type { ModelChoice } from "../routing/resolve.ts";
import { formatRequestLog, type RequestLog } from "../server/request_log.ts";
import { serve, type Server } from "../server/serve.ts";
import { createFileStore } from "../store/file_store.ts";
import { createMemoryStore, type Store } from "../store/store.ts";
import { createStandIn, DEMO_MODEL } from "../stand_in/stand_in.ts";
import { patientFetch } from "../upstream/patient_fetch.ts";
import type { Context, Io } from "./io.ts";

/** Arbiter's port when nobody chooses one. */
const DEFAULT_PORT = 4005;
/** Milliseconds the upstream is given to show that it is there. */
const REACH_TIMEOUT = 5_000;

const NO_KEY =
  "No API key: get a free one at https://build.nvidia.com and set NVIDIA_API_KEY in the environment or in " +
  ".env. To try without a key, add --demo";

/** Makes the store of what models have taught: a file, or memory where nobody knows where files of a user belong. */
export function createLessonStore({ env, platform }: Io, warn: (warning: string) => void): Store {
  const folder = toStateFolder(env, platform);
  return folder ? createFileStore(`${folder}/lessons.json`, warn) : createMemoryStore();
}

/** A proxy made from settings: what it talks to, for people, and its models. */
export type ConfiguredProxy = { arbiter: Arbiter; models: ModelChoice; upstream: string };

/** Makes the proxy the settings ask for; `write` takes the lines of its log, a sentence about a loss only once. */
export function createProxy({ settings, flags, io }: Context, write: (line: string) => void): ConfiguredProxy {
  const { baseUrl = NVIDIA_BASE_URL, apiKey, logLevel = "info", opus, sonnet, haiku } = settings;
  const [model = DEFAULT_MODEL, ...next] = settings.model ?? [];
  const warned = new Set<string>();
  const onRequest = (log: RequestLog) => {
    if (logLevel === "silent" || (logLevel === "error" && log.status < 400 && !log.error)) return;
    write(formatRequestLog(log));
    for (const warning of log.warnings ?? []) {
      if (!warned.has(warning)) write(`warning: ${warning}`);
      warned.add(warning);
    }
  };
  if (flags.demo) {
    const demo = { baseUrl: "http://stand-in/v1", model: DEMO_MODEL, fetch: createStandIn().fetch };
    const arbiter = createArbiter({ ...settings, fallbacks: [], ...demo, onRequest });
    return { arbiter, models: { elite: DEMO_MODEL, tiers: {} }, upstream: "the built-in demo model" };
  }
  if (!apiKey && baseUrl === NVIDIA_BASE_URL) throw new ConfigError(NO_KEY);
  const tiers = { opus, sonnet, haiku };
  const fallbacks = settings.fallbacks ?? (next.length > 0 ? next : undefined);
  const store = createLessonStore(io, write);
  const arbiter = createArbiter({ ...settings, model, tiers, fallbacks, store, onRequest });
  return { arbiter, models: { elite: model, tiers }, upstream: baseUrl };
}

/** Why an upstream cannot be reached at all, as a sentence; any answer will do, and slowness is no proof. */
export async function findUnreachable(baseUrl: string): Promise<string | undefined> {
  try {
    const response = await patientFetch(`${baseUrl}/models`, { signal: AbortSignal.timeout(REACH_TIMEOUT) });
    await response.body?.cancel();
    return undefined;
  } catch (thrown) {
    const { name, message, cause } = thrown as Error;
    if (name === "TimeoutError") return undefined;
    const why = cause instanceof Error && cause.message ? cause.message : message;
    return `Cannot reach ${baseUrl} (${why}): check the network, or NVIDIA_BASE_URL`;
  }
}

/** Listens on the port of the settings; if it is taken, tells `elsewhere` and takes a free one, or without it fails. */
export async function listen(
  { arbiter }: ConfiguredProxy,
  { settings: { port = DEFAULT_PORT } }: Context,
  elsewhere?: (taken: number) => void,
): Promise<Server> {
  try {
    return await serve(arbiter.fetch, { port });
  } catch (cause) {
    if ((cause as { code?: string }).code !== "EADDRINUSE") throw cause;
    if (!elsewhere) throw new Error(`Port ${port} is taken, perhaps by another Arbiter: choose another with --port`);
    elsewhere(port);
    return await serve(arbiter.fetch, { port: 0 });
  }
}
