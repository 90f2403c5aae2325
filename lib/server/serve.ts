import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Answers one request. */
export type Handler = (request: Request) => Response | Promise<Response>;

/** Options of {@linkcode serve}. */
export interface ServeOptions {
  /** Address to bind. @default {"127.0.0.1"} */
  hostname?: string;
  /** Port to bind; 0 takes a free one. @default {0} */
  port?: number;
}

/** A listening server. */
export interface Server {
  /** Port it listens on. */
  readonly port: number;
  /** Base address, for example `http://127.0.0.1:4005`. */
  readonly url: string;
  /** Stops at once, open streams included. */
  close(): Promise<void>;
}

/**
 * Milliseconds an idle connection is kept: with Node's 5 seconds a client may send its next request into a connection
 * that is just being closed.
 */
const KEEP_ALIVE_TIMEOUT = 600_000;

/**
 * Serves a web-standard handler over `node:http`, which Deno and Bun have too.
 *
 * `request.signal` fires when the client goes away before the answer is complete.
 *
 * @throws {Error} With the code `EADDRINUSE` if the port is taken.
 */
export async function serve(handler: Handler, options: ServeOptions = {}): Promise<Server> {
  const { hostname = "127.0.0.1", port = 0 } = options;
  const { createServer } = await import("node:http");
  const { Readable } = await import("node:stream");
  const toBody = (incoming: IncomingMessage) => Readable.toWeb(incoming);
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_TIMEOUT }, (incoming, outgoing) => {
    answerIncoming(handler, incoming, outgoing, toBody).catch(() => outgoing.destroy());
  });
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, resolve);
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    port: bound,
    url: `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function toRequest(
  incoming: IncomingMessage,
  signal: AbortSignal,
  toBody: (incoming: IncomingMessage) => unknown,
): Request {
  const method = incoming.method ?? "GET";
  const headers = new Headers();
  for (const [name, values] of Object.entries(incoming.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  const body = method === "GET" || method === "HEAD" ? null : toBody(incoming);
  // A target like `//` or `*` is no address by itself, but it must become a 404 and not an exception.
  const url = new URL(`http://localhost${incoming.url?.startsWith("/") ? "" : "/"}${incoming.url ?? ""}`);
  const request = new Request(url, { method, headers, body, duplex: "half" } as RequestInit);
  // Given in init instead, Node keeps 6 kB a request until the next full collection.
  Object.defineProperty(request, "signal", { value: signal });
  return request;
}

async function answerIncoming(
  handler: Handler,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  toBody: (incoming: IncomingMessage) => unknown,
): Promise<void> {
  const gone = new AbortController();
  outgoing.once("close", () => {
    if (!outgoing.writableFinished) gone.abort();
  });
  const response = await handler(toRequest(incoming, gone.signal, toBody));
  outgoing.writeHead(response.status, [...response.headers].flat());
  if (!response.body || incoming.method === "HEAD") return void outgoing.end();
  outgoing.flushHeaders();
  const reader = response.body.getReader();
  const cancel = () => void reader.cancel(gone.signal.reason).catch(() => {});
  if (gone.signal.aborted) cancel();
  gone.signal.addEventListener("abort", cancel);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (outgoing.write(value) || outgoing.destroyed) continue;
    await new Promise<void>((resolve) => {
      const next = () => {
        outgoing.off("drain", next).off("close", next);
        resolve();
      };
      outgoing.once("drain", next).once("close", next);
    });
  }
  outgoing.end();
}
