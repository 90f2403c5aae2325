import type { Agent, IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { onAbort } from "../wire/signal.ts";
import type { CallAnswer, CallOptions } from "./call.ts";

/** Milliseconds an idle connection is kept: many hosts close theirs after five seconds, just when it is used again. */
const IDLE_TIMEOUT = 4_000;
/** So many bytes may wait to be read before the host is told to pause. */
const MAX_WAITING = 262_144;

type Connector = { request: typeof import("node:http").request; agent: Agent };

/** What opens connections and keeps them, by protocol. */
const CONNECTORS = new Map<string, Connector>();

async function loadConnector(protocol: string): Promise<Connector> {
  const { Agent, request }: typeof import("node:http") = await import(`node:${protocol.slice(0, -1)}`);
  const known = CONNECTORS.get(protocol);
  const connector = known ?? { request, agent: new Agent({ keepAlive: true, timeout: IDLE_TIMEOUT }) };
  CONNECTORS.set(protocol, connector);
  return connector;
}

/** Asks once more when the host has closed a connection, that was kept, just before this. */
function ask(connector: Connector, url: URL, options: CallOptions): Promise<IncomingMessage> {
  const { method, headers, body, signal } = options;
  return new Promise((resolve, reject) => {
    const asked = connector.request(url, { method, headers, agent: connector.agent }, (incoming) => {
      asked.reusedSocket = false; // Half an answer is not asked for again.
      resolve(incoming);
    });
    asked.on("error", (error: Error & { code?: string }) => {
      const stale = asked.reusedSocket && error.code === "ECONNRESET" && !signal.aborted;
      if (stale) resolve(ask(connector, url, options));
      else reject(error);
    });
    const release = onAbort(signal, () => {
      asked.reusedSocket = false; // Deno would ask again.
      asked.destroy();
      reject(signal.reason);
    });
    asked.once("close", () => {
      release();
      reject(new Error("The connection was closed")); // Whoever changes the protocol says no more.
    });
    asked.end(body);
  });
}

/** Hosts pack what they send only if asked to, but for some. */
async function unpack(incoming: IncomingMessage): Promise<Readable> {
  const packed = incoming.headers["content-encoding"] ?? "identity";
  if (packed === "identity") return incoming;
  const [{ createBrotliDecompress, createUnzip }, { pipeline }] = await Promise.all([
    import("node:zlib"),
    import("node:stream"),
  ]);
  return pipeline(incoming, packed === "br" ? createBrotliDecompress() : createUnzip(), () => {});
}

function joinPieces(pieces: readonly Uint8Array[], size: number): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const joined = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

/** Reads a body; what came in one read of the socket, chunk by chunk, leaves as one piece. */
function toPieceReader(body: Readable): () => Promise<Uint8Array | undefined> {
  let pieces: Uint8Array[] = [];
  let [size, over] = [0, false];
  let failure: Error | undefined;
  let wake = () => {};
  const end = (error?: Error) => {
    if (!over) failure = error;
    over = true;
    wake();
  };
  body.on("data", (piece: Uint8Array) => {
    pieces.push(piece);
    size += piece.length;
    if (size > MAX_WAITING) body.pause();
    wake();
  });
  body.once("end", () => end()).on("error", end).once("close", () => end(new Error("The connection was closed")));
  return async () => {
    // Whoever waits goes on behind the events of the whole read.
    if (size === 0 && !over) await new Promise<void>((resolve) => wake = resolve);
    if (size > 0) {
      const joined = joinPieces(pieces, size);
      [pieces, size] = [[], 0];
      if (!over) body.resume();
      return joined;
    }
    if (failure) throw failure;
    return undefined;
  };
}

/** What only `fetch` heeds: a company's proxy, and Deno's own ways to trust a certificate. */
const FETCH_NAMES = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "DENO_CERT", "DENO_TLS_CA_STORE"];

/** Whether {@linkcode httpCall} does in this place what `fetch` does, for less: on Bun `fetch` is as fast. */
export function suitsHttpCall(env: Readonly<Record<string, string | undefined>>): boolean {
  return !("Bun" in globalThis) && !FETCH_NAMES.some((name) => env[name] || env[name.toLowerCase()]);
}

/**
 * Calls hosts through `node:http`, for Node and Deno: their `fetch` takes more time for each piece of an answer than all
 * that is done with it here. It knows no `HTTPS_PROXY`, and follows no redirect.
 *
 * @throws {Error} If the host cannot be reached, or breaks off; the signal's reason if that fires first.
 */
export async function httpCall(url: string, { headers, ...options }: CallOptions): Promise<CallAnswer> {
  const address = new URL(url);
  const connector = CONNECTORS.get(address.protocol) ?? await loadConnector(address.protocol);
  const incoming = await ask(connector, address, {
    ...options,
    headers: { ...headers, "accept-encoding": "identity" },
  });
  const body = await unpack(incoming);
  const { statusCode: status = 0, headers: received } = incoming;
  return {
    status,
    headers: { get: (name) => received[name]?.toString() ?? null },
    read: toPieceReader(body),
    cancel: () => void incoming.destroy(),
  };
}
