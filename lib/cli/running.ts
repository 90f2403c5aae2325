import { toServerUrl } from "../server/serve.ts";
import { type ArbiterStatus, STATUS_PATH } from "../server/stats.ts";
import type { Fetch } from "../wire/fetch.ts";
import { isJsonObject, parseJson } from "../wire/json.ts";
import type { Context } from "./io.ts";
import { readOwnToken } from "./run_file.ts";

/** Milliseconds a proxy on this machine is given to say who it is. */
const STATUS_TIMEOUT = 2_000;

/** What corporate proxies are not asked for. */
const THIS_MACHINE_NAMES = ["127.0.0.1", "localhost", "[::1]"];

/** `fetch` for this machine: Deno and Bun would send that to `HTTP_PROXY`, too, unless a variable says otherwise. */
export const localFetch: Fetch = async (input, init) => {
  const { env } = (await import("node:process")).default;
  for (const name of ["NO_PROXY", "no_proxy"]) {
    if (!env[name]?.includes("127.0.0.1")) env[name] = [env[name], ...THIS_MACHINE_NAMES].filter(Boolean).join(",");
  }
  return await fetch(input, init);
};

/** Where a proxy listens. */
export type Address = { host: string; port: number };

/** Whether somebody listens at an address of this machine, whatever it speaks. */
export async function isPortTaken({ host, port }: Address): Promise<boolean> {
  const { connect } = await import("node:net");
  const { hostname } = new URL(toServerUrl(host, port));
  return await new Promise((resolve) => {
    const socket = connect({ port, host: hostname.replace(/^\[|\]$/g, ""), timeout: STATUS_TIMEOUT });
    const end = (taken: boolean) => {
      socket.destroy();
      resolve(taken);
    };
    socket.once("connect", () => end(true)).once("error", () => end(false)).once("timeout", () => end(true));
  });
}

/** Who is on a port: an Arbiter, which tells how it goes, or wants another key, another program, or nobody. */
export type Occupant = ArbiterStatus | "locked" | "other" | undefined;

/** Asks who is at an address of this machine; a proxy of the user's own is shown its key. */
export async function findRunning(address: Address, { io, settings }: Context): Promise<Occupant> {
  if (address.port === 0 || !await isPortTaken(address)) return undefined;
  const url = toServerUrl(address.host, address.port) + STATUS_PATH;
  const signal = AbortSignal.timeout(STATUS_TIMEOUT);
  const headers = { authorization: `Bearer ${await readOwnToken(io, settings, address.port)}` };
  const response = await localFetch(url, { headers, signal, redirect: "error" }).catch(() => undefined);
  const status = parseJson(await response?.text().catch(() => "") ?? "");
  if (isJsonObject(status) && status.name === "arbiter") {
    const { live: _live, ...counts } = status;
    return counts as ArbiterStatus;
  }
  return response?.status === 401 && response.headers.has("request-id") ? "locked" : "other";
}
