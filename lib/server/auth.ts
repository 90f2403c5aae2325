import type { ClientKey } from "../config/client_keys.ts";
import { RateWindow } from "../upstream/rate_window.ts";
import type { Clock } from "../wire/clock.ts";
import { ApiError } from "../wire/errors.ts";

/** Who may ask: whoever has one of these keys, or without any this machine only, unless the proxy is open to all. */
export type AccessOptions = { clientKeys: readonly ClientKey[]; open: boolean };

/**
 * What a route asks of its clients: no key, or that they keep to their rate, too, or that a page is one of this very
 * server: browsers let every page read what comes over a WebSocket.
 */
export type RouteAccess = "keyless" | "rated" | "own_page" | undefined;

const THIS_MACHINE = String.raw`(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?`;
const LOOPBACK_HOST = new RegExp(`^${THIS_MACHINE}$`, "i");
const LOOPBACK_ORIGIN = new RegExp(`^https?://${THIS_MACHINE}$`, "i");
const LOOPBACK_PEER = /^(?:::ffff:)?127\.|^::1$/i;

/** What tells that a proxy or a tunnel on this machine passes on what comes from elsewhere. */
const FORWARDED = ["forwarded", "x-forwarded-for", "x-real-ip"];

/** Compares in a time that tells nothing about the secret. */
function isSameSecret(given: string, secret: string): boolean {
  let difference = given.length ^ secret.length;
  for (let i = 0; i < given.length; i++) difference |= given.charCodeAt(i) ^ secret.charCodeAt(i); // NaN counts as 0.
  return difference === 0;
}

/** The key among the subprotocols of a WebSocket, in base64url: a page can set no other header there. */
function toOfferedKey(headers: Headers): string | undefined {
  const offered = /(?:^|,) *arbiter\.key\.([\w-]+)/.exec(headers.get("sec-websocket-protocol") ?? "")?.[1];
  try {
    return offered && atob(offered.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    return undefined;
  }
}

/** What a request has to show, without the model that may stand behind a colon. */
function toSecrets(headers: Headers): string[] {
  const bearer = /^bearer +(.+)$/i.exec(headers.get("authorization") ?? "")?.[1];
  return [headers.get("x-api-key"), bearer, toOfferedKey(headers)].flatMap((secret) => secret?.split(":", 1) ?? []);
}

/** Finds the key that a request has shown; all are compared, whichever it is. */
function findClientKey(headers: Headers, keys: readonly ClientKey[]): ClientKey | undefined {
  const secrets = toSecrets(headers);
  return keys.filter(({ key }) => secrets.filter((secret) => isSameSecret(secret, key)).length > 0)[0];
}

/**
 * Finds why a request is none of this machine's own. A page of another site can send requests here, and with a name
 * that leads here (DNS rebinding) even read the answers; it cannot choose what the browser says of it.
 */
function findForeign(headers: Headers, peer: string | undefined, open: boolean): string | undefined {
  const [host, origin] = [headers.get("host"), headers.get("origin")];
  const isOwn = origin === null || LOOPBACK_ORIGIN.test(origin) ||
    (open && origin.replace(/^https?:\/\//, "") === host);
  const rows: [foreign: boolean, why: string][] = [
    [!open && peer !== undefined && !LOOPBACK_PEER.test(peer), "comes from another machine"],
    [!open && host !== null && !LOOPBACK_HOST.test(host), "has a Host header that names another machine"],
    [!open && FORWARDED.some((name) => headers.has(name)), "was forwarded by another proxy"],
    [!isOwn, "comes from a page of another site"],
  ];
  return rows.find(([foreign]) => foreign)?.[1];
}

/**
 * Decides whether a request is served.
 *
 * @param peer The address it comes from, if that is known.
 * @returns The key it has shown, or what it was refused with; nothing where no key is needed.
 */
export function checkAccess(
  { headers, peer, access }: { headers: Headers; peer?: string | undefined; access?: RouteAccess },
  { clientKeys, open }: AccessOptions,
): ClientKey | ApiError | undefined {
  const origin = headers.get("origin");
  if (access === "own_page" && origin !== null && origin.replace(/^https?:\/\//, "") !== headers.get("host")) {
    return new ApiError("permission_error", "The request comes from a page of another server");
  }
  if (clientKeys.length > 0) {
    return access === "keyless" ? undefined : findClientKey(headers, clientKeys) ?? new ApiError(
      "authentication_error",
      "This proxy wants its own key, as x-api-key or as a bearer token: the one that ARBITER_API_KEY was set to",
      { headers: { "www-authenticate": "Bearer", "x-should-retry": "false" } },
    );
  }
  const foreign = findForeign(headers, peer, open);
  return foreign === undefined ? undefined : new ApiError(
    "permission_error",
    `The request ${foreign}: without a key only this machine is served; set ARBITER_API_KEY for the proxy`,
    { headers: { "x-should-retry": "false" } },
  );
}

/** Counts what clients ask for: each key has a minute of its own, and so have all who need none. */
export class InboundLimits {
  readonly #windows = new Map<ClientKey | undefined, RateWindow>();
  readonly #rpm: number;
  readonly #clock: Clock;

  /** Lets so many requests a minute pass, 0 any number, unless a key says otherwise. */
  constructor(rpm: number, clock: Clock) {
    this.#rpm = rpm;
    this.#clock = clock;
  }

  /** Counts a request, or gives what it is refused with. */
  count(client: ClientKey | undefined): ApiError | undefined {
    const limit = client?.rpm ?? this.#rpm;
    if (limit === 0) return undefined;
    const window = this.#windows.get(client) ?? new RateWindow({ limit, window: 60_000, concurrency: 0 }, this.#clock);
    this.#windows.set(client, window);
    const { wait } = window;
    if (wait > 0) {
      const headers = { "retry-after": String(Math.ceil(wait / 1000)) };
      return new ApiError("rate_limit_error", `More than ${limit} requests a minute: that is this proxy's limit`, {
        headers,
      });
    }
    void window.enter("main", new AbortController().signal);
    return undefined;
  }
}
