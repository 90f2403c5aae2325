import type { IncomingMessage, ServerResponse } from "node:http";
import type { EventEmitter } from "node:events";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { PEERS } from "./peers.ts";
import { pour } from "./pour.ts";
import { answerUpgrade } from "./web_socket.ts";

/** Answers one request. */
export type Handler = (request: Request) => Response | Promise<Response>;

/**
 * Where to listen: an address (127.0.0.1 when left out) and a port (0, which takes a free one); milliseconds a request
 * may take to arrive (300,000 when left out).
 */
export type ServeOptions = { hostname?: string; port?: number; bodyTimeout?: number };

/** A listening server: its port, its address such as `http://127.0.0.1:4005`; closing cuts open streams. */
export type Server = { readonly port: number; readonly url: string; close(): Promise<void> };

/** Milliseconds an idle connection is kept: after Node's 5 a client's next request may meet its closing. */
const KEEP_ALIVE_TIMEOUT = 600_000;

/** So many pieces of a body are read before somebody wants them. */
const PIECES_AHEAD = 4;

/** Addresses that mean all of a machine's, and the one by which it calls itself. */
const OWN_NAMES: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/** The address by which programs of the same machine reach a server. */
export function toServerUrl(hostname: string, port: number): string {
  const name = OWN_NAMES[hostname] ?? hostname;
  return `http://${name.includes(":") ? `[${name}]` : name}:${port}`;
}

/**
 * Serves a web-standard handler over `node:http`, which Deno and Bun have too.
 *
 * `request.signal` fires when the client goes away before the answer is complete. Where the handler throws, or the body
 * of its answer fails, the connection is cut.
 *
 * @throws {Error} With the code `EADDRINUSE` if the port is taken.
 */
export async function serve(handler: Handler, options: ServeOptions = {}): Promise<Server> {
  const { hostname = "127.0.0.1", port = 0, bodyTimeout = 300_000 } = options;
  const { createServer } = await import("node:http");
  const settings = { keepAliveTimeout: KEEP_ALIVE_TIMEOUT, shouldUpgradeCallback: wantsSocket };
  const server = createServer(settings, (incoming, outgoing) => {
    if (hasBody(incoming)) {
      const late = setTimeout(() => incoming.complete || outgoing.destroy(), bodyTimeout);
      outgoing.once("close", () => clearTimeout(late));
    }
    answerIncoming(handler, incoming, outgoing).catch(() => breakOff(outgoing));
  });
  server.requestTimeout = 0; // Each runtime has another idea of it.
  const sockets = new Set<Duplex>();
  server.on("upgrade", (incoming: IncomingMessage, socket: Duplex, head: Uint8Array) => {
    if (!wantsSocket(incoming)) return passOver(server, incoming, socket, head);
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    answerSocket(handler, incoming, socket, head).catch(() => socket.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, resolve);
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    port: bound,
    url: toServerUrl(hostname, bound),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        sockets.forEach((socket) => socket.destroy());
      }),
  };
}

const hasBody = ({ method = "GET" }: IncomingMessage): boolean => method !== "GET" && method !== "HEAD";

/** What has a body is an ordinary request, whatever it asks for: a body must be read, and not waited for too long. */
const wantsSocket = (incoming: IncomingMessage): boolean =>
  !hasBody(incoming) && /^websocket$/i.test(incoming.headers.upgrade ?? "");

/** Goes on as if no other protocol had been offered, such as `h2c` by Java's client: Node 20 cannot be told beforehand. */
function passOver(server: EventEmitter, incoming: IncomingMessage, socket: Duplex, head: Uint8Array): void {
  const { method, url, httpVersion, rawHeaders } = incoming;
  const lines = rawHeaders.flatMap((name, i) => {
    return i % 2 > 0 || name.toLowerCase() === "upgrade" ? [] : [`${name}: ${rawHeaders[i + 1]}`];
  });
  socket.unshift(head);
  socket.unshift([`${method} ${url} HTTP/${httpVersion}`, ...lines, "", ""].join("\r\n"), "latin1");
  server.emit("connection", socket);
}

async function answerSocket(handler: Handler, incoming: IncomingMessage, socket: Duplex, head: Uint8Array) {
  const gone = new AbortController();
  socket.on("error", () => {}); // "close" follows.
  for (const event of ["end", "close"]) socket.once(event, () => gone.abort());
  await answerUpgrade(handler, toRequest(incoming, gone.signal), { socket, head, gone });
}

/** The body of a request as it comes; Node's own way copies each piece. */
function toBodyStream(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  let open = true;
  const finish = (run: () => void) => {
    if (open) run();
    open = false;
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      incoming.pause().on("data", (piece: Uint8Array) => {
        if (!open) return;
        controller.enqueue(piece);
        if (controller.desiredSize! <= 0) incoming.pause();
      });
      incoming.on("error", () => {}); // "close" follows.
      incoming.once("end", () => finish(() => controller.close()));
      incoming.once("close", () => finish(() => controller.error(new Error("The client went away"))));
    },
    pull: () => void incoming.resume(),
    cancel: () => finish(() => incoming.pause()),
  }, { highWaterMark: PIECES_AHEAD });
}

function toRequest(incoming: IncomingMessage, signal: AbortSignal): Request {
  // A client that has hung up has no address any more, and must not pass for an embedding program.
  const { remoteAddress: peer = "unknown" } = incoming.socket;
  const { method = "GET", url = "", rawHeaders } = incoming;
  const headers = new Headers();
  for (let i = 0; i < rawHeaders.length; i += 2) headers.append(rawHeaders[i]!, rawHeaders[i + 1]!);
  const body = hasBody(incoming) ? toBodyStream(incoming) : null;
  const init = { method, headers, body, duplex: "half" } as RequestInit;
  // A target like `//` or `*` is no address by itself, but it must become a 404 and not an exception.
  const address = `http://localhost${url.startsWith("/") ? "" : "/"}${url}`;
  // Given in init instead of defined, the signal makes Node keep 6 kB a request until the next full collection.
  const request = Object.defineProperty(new Request(address, init), "signal", { value: signal });
  PEERS.set(request, peer);
  return request;
}

/** Cuts the connection, behind what has been written: a client should see that it has half an answer. */
function breakOff(outgoing: ServerResponse): void {
  if (outgoing.headersSent) setTimeout(() => outgoing.destroy(), 0);
  else outgoing.destroy();
}

async function answerIncoming(handler: Handler, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const gone = new AbortController();
  outgoing.once("close", () => {
    if (!outgoing.writableFinished) gone.abort();
  });
  const response = await handler(toRequest(incoming, gone.signal));
  // A body that nobody has read would stand in the way of the next request on this connection.
  if (!incoming.complete) response.headers.set("connection", "close");
  outgoing.writeHead(response.status, [...response.headers].flat());
  if (!response.body || incoming.method === "HEAD") return void outgoing.end();
  // They wait for the first piece of the body, but not for long: mostly both leave as one packet.
  const flush = setTimeout(() => outgoing.flushHeaders(), 0);
  await pour(response.body, outgoing, gone.signal).finally(() => clearTimeout(flush));
  outgoing.end();
}
