import { toCandidate } from "../routing/catalog.ts";
import { patientFetch, toCallFailure } from "../upstream/patient_fetch.ts";
import { hasAnswered } from "../upstream/probe.ts";
import { PROBE_LIFE } from "./badges.ts";
import type { ConfiguredProxy } from "./proxy.ts";

/**
 * Milliseconds an upstream is given to show that it is there, and one whose model has answered in the last hours: without
 * a network calls fail at once, and nobody should wait for a slow answer that tells nothing new.
 */
const REACH_TIMEOUT = 5_000, KNOWN_REACH_TIMEOUT = 100;

/** What is said of a host that cannot be reached. */
export function toUnreachable(url: string, thrown: unknown): string {
  return `Cannot reach ${url} (${toCallFailure(thrown)}): check the network, or that address`;
}

/** Why the upstream cannot be reached at all, as a sentence; any answer will do, and slowness is no proof. */
export async function findUnreachable(
  { upstream, store, arbiter: { router: { catalog } } }: ConfiguredProxy,
): Promise<string | undefined> {
  const known = await hasAnswered(toCandidate(catalog.elite, catalog), { store, maxAge: PROBE_LIFE });
  const signal = AbortSignal.timeout(known ? KNOWN_REACH_TIMEOUT : REACH_TIMEOUT);
  try {
    const response = await patientFetch(`${upstream}/models`, { signal, redirect: "manual" });
    await response.body?.cancel();
    return undefined;
  } catch (thrown) {
    return signal.aborted ? undefined : toUnreachable(upstream, thrown);
  }
}
