/**
 * A proxy that passes every byte on as it is, in the way that each runtime does that best: the floor for all that
 * translate. `pass_through.js UPSTREAM_PORT`; prints its port.
 */
import type { IncomingHttpHeaders } from "node:http";
import process from "node:process";

type Serve = (handler: (request: Request) => Promise<Response>) => Promise<number>;

/** Headers that belong to a connection. */
const FRAMING = ["host", "connection", "content-length", "transfer-encoding"];

const upstream = Number(process.argv[2]);

const RUNTIMES: Record<string, Serve> = {
  Deno: (handler) =>
    new Promise((onListen) => {
      const { Deno } = globalThis as unknown as { Deno: { serve(options: object, handler: unknown): void } };
      Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: ({ port }: { port: number }) => onListen(port) }, handler);
    }),
  Bun: (handler) => {
    const { Bun } = globalThis as unknown as { Bun: { serve(options: object): { port: number } } };
    const options = { port: 0, hostname: "127.0.0.1", idleTimeout: 0, maxRequestBodySize: 2 ** 30, fetch: handler };
    return Promise.resolve(Bun.serve(options).port);
  },
};

async function passOn(request: Request): Promise<Response> {
  const headers = new Headers(request.headers);
  for (const name of FRAMING) headers.delete(name);
  const url = `http://127.0.0.1:${upstream}/v1/chat/completions`;
  const response = await fetch(url, { method: "POST", headers, body: await request.arrayBuffer() });
  const answered = new Headers(response.headers);
  for (const name of FRAMING) answered.delete(name);
  return new Response(response.body, { status: response.status, headers: answered });
}

/** Node's way: its `fetch` costs twice as much. */
async function serveOnNode(): Promise<number> {
  const { Agent, createServer, request } = await import("node:http");
  const agent = new Agent({ keepAlive: true });
  const server = createServer((incoming, outgoing) => {
    const headers: IncomingHttpHeaders = { ...incoming.headers, host: `127.0.0.1:${upstream}` };
    const options = { host: "127.0.0.1", port: upstream, path: "/v1/chat/completions", method: "POST", headers, agent };
    const asked = request(options, (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(outgoing);
    });
    asked.on("error", () => outgoing.destroy());
    incoming.pipe(asked);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as { port: number }).port;
}

const name = Object.keys(RUNTIMES).find((name) => name in globalThis);
console.log(name ? await RUNTIMES[name]!(passOn) : await serveOnNode());
