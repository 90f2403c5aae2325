import type { Agent, IncomingMessage } from "node:http";
import type { Readable } from "node:stream";

/** Statuses of responses that have no body. */
const BODYLESS: readonly unknown[] = [204, 205, 304];
/** Milliseconds an idle connection is kept: many hosts close theirs after five seconds, just when it is used again. */
const IDLE_TIMEOUT = 4_000;

/** What keeps the connections, by protocol. */
const AGENTS = new Map<string, Agent>();

/** What has come in one read of the socket leaves as one piece. */
function toIncomingBody(incoming: Readable): ReadableStream<Uint8Array> {
  let give = () => {};
  return new ReadableStream({
    start(controller) {
      give = () => {
        const piece: Uint8Array | null = (controller.desiredSize ?? 0) > 0 ? incoming.read() : null;
        if (piece) controller.enqueue(piece);
      };
      incoming.on("readable", () => give());
      incoming.once("end", () => controller.close());
      incoming.on("error", (error) => controller.error(error));
    },
    pull: () => give(),
    cancel() {
      give = () => {};
      incoming.removeAllListeners("end").destroy();
    },
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

/**
 * What `fetch` does with `redirect: "manual"`, for Node: its own takes more time for each piece of an answer than all that
 * is done with it here, and gives up on a host that is silent for 300 seconds.
 */
export async function nodeFetch(url: string, init: RequestInit): Promise<Response> {
  const protocol = url.startsWith("https:") ? "node:https" : "node:http";
  const { Agent, request }: typeof import("node:http") = await import(protocol);
  const agent = AGENTS.get(protocol) ?? new Agent({ keepAlive: true, timeout: IDLE_TIMEOUT });
  AGENTS.set(protocol, agent);
  const { method = "GET", body, signal } = init as { method?: string; body?: string; signal?: AbortSignal };
  const headers = { "accept-encoding": "identity", ...Object.fromEntries(new Headers(init.headers)) };
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    const asked = request(url, { method, headers, signal, agent }, resolve);
    asked.on("error", reject);
    asked.end(body);
  });
  const { statusCode: status = 0, rawHeaders } = incoming;
  const received = new Headers();
  for (let i = 0; i < rawHeaders.length; i += 2) received.append(rawHeaders[i]!, rawHeaders[i + 1]!);
  if (BODYLESS.includes(status)) incoming.resume();
  const answer = BODYLESS.includes(status) ? null : toIncomingBody(await unpack(incoming));
  return new Response(answer, { status, headers: received });
}
