import { type Arbiter, createArbiter, DEFAULT_MODEL, NVIDIA_BASE_URL } from "../arbiter.ts";
import { ConfigError } from "../config/errors.ts";
import type { Settings } from "../config/settings.ts";
import { formatRequestLog, type RequestLog } from "../server/request_log.ts";
import { serve, type Server } from "../server/serve.ts";
import { createStandIn, DEMO_MODEL } from "../stand_in/stand_in.ts";
import { patientFetch } from "../upstream/patient_fetch.ts";

/** Milliseconds the upstream is given to show that it is there. */
const REACH_TIMEOUT = 5_000;

/** A proxy made from settings, not listening yet. */
export interface RunningProxy {
  arbiter: Arbiter;
  /** Upstream id of the main model. */
  model: string;
  /** What it talks to, for people. */
  upstream: string;
}

/** Logs requests as the settings want it, and each kind of loss once. */
function createRequestLogger({ logLevel }: Settings, write: (line: string) => void): (log: RequestLog) => void {
  const warned = new Set<string>();
  return (log) => {
    if (logLevel === "silent" || (logLevel === "error" && log.status < 400 && !log.error)) return;
    write(formatRequestLog(log));
    for (const warning of log.warnings ?? []) {
      if (!warned.has(warning)) write(`warning: ${warning}`);
      warned.add(warning);
    }
  };
}

/**
 * Makes the proxy the settings ask for.
 *
 * @throws {ConfigError} If there is no key for NVIDIA.
 */
export function createProxy(settings: Settings, demo: boolean, write: (line: string) => void): RunningProxy {
  const { baseUrl = NVIDIA_BASE_URL, apiKey, model = DEFAULT_MODEL } = settings;
  const onRequest = createRequestLogger(settings, write);
  if (demo) {
    const options = {
      baseUrl: "http://stand-in/v1",
      model: DEMO_MODEL,
      fetch: createStandIn().fetch,
    };
    const arbiter = createArbiter({ ...settings, ...options, tiers: {}, onRequest });
    return { arbiter, model: DEMO_MODEL, upstream: "the built-in demo model" };
  }
  if (!apiKey && baseUrl === NVIDIA_BASE_URL) {
    throw new ConfigError(
      "No API key: get a free one at https://build.nvidia.com and set NVIDIA_API_KEY in the " +
        "environment or in .env. To try without a key, add --demo",
    );
  }
  const arbiter = createArbiter({ ...settings, onRequest });
  return { arbiter, model, upstream: baseUrl };
}

/**
 * Finds out whether an upstream can be reached at all; any answer will do, and slowness is no proof.
 *
 * @returns Why not, as a sentence.
 */
export async function findUnreachable(baseUrl: string): Promise<string | undefined> {
  try {
    const signal = AbortSignal.timeout(REACH_TIMEOUT);
    const response = await patientFetch(`${baseUrl.replace(/\/+$/, "")}/models`, { signal });
    await response.body?.cancel();
  } catch (thrown) {
    if (thrown instanceof Error && thrown.name === "TimeoutError") return undefined;
    const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
    const why = cause instanceof Error ? cause.message : String(cause);
    return `Cannot reach ${baseUrl} (${why}): check the network, a proxy, or NVIDIA_BASE_URL`;
  }
  return undefined;
}

function isPortTaken(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === "EADDRINUSE";
}

/**
 * Listens on the port of the settings.
 *
 * @param elsewhere Called with the taken port when a free one is to be used instead; without it a
 * taken port is an error.
 */
export async function listen(
  { arbiter }: RunningProxy,
  { port }: Settings,
  elsewhere?: (taken: number) => void,
): Promise<Server> {
  const handler = (request: Request) => arbiter.fetch(request);
  try {
    return await serve(handler, { port: port.number });
  } catch (thrown) {
    if (!isPortTaken(thrown)) throw thrown;
    if (elsewhere) {
      elsewhere(port.number);
      return await serve(handler, { port: 0 });
    }
    throw new Error(
      `Port ${port.number} is taken, perhaps by another Arbiter: choose another with --port`,
      { cause: thrown },
    );
  }
}
