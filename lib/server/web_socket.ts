import type { Duplex } from "node:stream";
import { pour } from "./pour.ts";
import type { Handler } from "./serve.ts";

const SOCKET = "websocket";
/** What the accepting hash is made with, by RFC 6455. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** The subprotocol that is offered beside the one that carries a key. */
const PROTOCOL = "arbiter";

const OPCODES = { text: 1, close: 8, ping: 9, pong: 10 };
/** Most bytes of a frame that pings or closes. */
const MOST_PAYLOAD = 125;

/** Why a connection is closed: the client did, the server goes, or the client does what is not allowed. */
const CLOSE_CODES = { normal: 1000, away: 1001, broken: 1002, unsupported: 1003 };

/** A whole message, as a server sends it. */
export function toFrame(opcode: number, payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const size = length < 126
    ? [length]
    : length < 65_536
    ? [126, length >> 8, length & 255]
    : [127, 0, 0, 0, 0, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255];
  const frame = new Uint8Array(1 + size.length + length);
  frame.set([0x80 | opcode, ...size]);
  frame.set(payload, 1 + size.length);
  return frame;
}

/** The frame that closes a connection. */
export function toCloseFrame(code: number): Uint8Array {
  return toFrame(OPCODES.close, Uint8Array.of(code >> 8, code & 255));
}

/** Reads the frames of a client that may only ping and close, and gives those to answer with. */
export class ClientFrames {
  #bytes = new Uint8Array();
  /** Whether the connection is to end, after the last answer. */
  over = false;

  /** Takes the bytes of one read; what follows a closing is passed over. */
  feed(bytes: Uint8Array): Uint8Array[] {
    const answers: Uint8Array[] = [];
    if (this.over) return answers;
    const all = new Uint8Array(this.#bytes.length + bytes.length);
    all.set(this.#bytes);
    all.set(bytes, this.#bytes.length);
    let from = 0;
    const close = (code: number) => {
      this.over = true;
      answers.push(toCloseFrame(code));
    };
    while (!this.over && all.length >= from + 2) {
      const [first, second] = [all[from]!, all[from + 1]!];
      const [opcode, length] = [first & 15, second & 127];
      // A control frame is whole, short, masked and has no extension; what else there is brings data.
      if (opcode < 3) close(CLOSE_CODES.unsupported);
      else if (
        (first & 0xf0) !== 0x80 || opcode < OPCODES.close || opcode > OPCODES.pong || second < 0x80 ||
        length > MOST_PAYLOAD
      ) {
        close(CLOSE_CODES.broken);
      } else {
        const start = from + 6;
        if (all.length < start + length) break;
        const payload = all.slice(start, start + length).map((byte, i) => byte ^ all[from + 2 + i % 4]!);
        from = start + length;
        if (opcode === OPCODES.close) close(CLOSE_CODES.normal);
        if (opcode === OPCODES.ping) answers.push(toFrame(OPCODES.pong, payload));
      }
    }
    this.#bytes = all.slice(from);
    return answers;
  }
}

/** Whether a request asks for a WebSocket as RFC 6455 wants it. */
export function asksForSocket(headers: Headers): boolean {
  const key = headers.get("sec-websocket-key") ?? "";
  const fits = headers.get("sec-websocket-version") === "13" && /^[\w+/]{22}==$/.test(key);
  return fits && headers.get("upgrade")?.toLowerCase() === SOCKET;
}

/** An answer that is to be spoken as a WebSocket: each chunk of its body is a message. */
export function toSocketAnswer(body: ReadableStream<Uint8Array>): Response {
  return new Response(body, { headers: { upgrade: SOCKET } });
}

/** The first lines of an answer, as they are written. */
function toHead(status: number, headers: Iterable<[string, string]>): string {
  return [`HTTP/1.1 ${status} `, ...[...headers].map(([name, value]) => `${name}: ${value}`), "", ""].join("\r\n");
}

/** What an answer has beside its own headers when a WebSocket begins. */
async function toAcceptance({ headers }: Request): Promise<[string, string][]> {
  const key = new TextEncoder().encode(headers.get("sec-websocket-key") + GUID);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-1", key));
  const accept: [string, string][] = [
    ["connection", "upgrade"],
    ["sec-websocket-accept", btoa(String.fromCharCode(...hash))],
  ];
  const offered = headers.get("sec-websocket-protocol")?.split(/, */) ?? [];
  if (offered.includes(PROTOCOL)) accept.push(["sec-websocket-protocol", PROTOCOL]);
  return accept;
}

/** Writes the answer to a request for a WebSocket; `head` is what the client has sent since. */
export async function answerUpgrade(
  handler: Handler,
  request: Request,
  { socket, head, gone }: { socket: Duplex; head: Uint8Array; gone: AbortController },
): Promise<void> {
  const response = await handler(request);
  const end = (bytes: Uint8Array = new Uint8Array()) => void socket.end(bytes, () => socket.destroy());
  if (response.status !== 200 || response.headers.get("upgrade") !== SOCKET) {
    response.headers.set("connection", "close");
    socket.write(toHead(response.status, response.headers));
    if (response.body) await pour(response.body, socket, gone.signal);
    return end();
  }
  socket.write(toHead(101, [...response.headers, ...await toAcceptance(request)]));
  const frames = new ClientFrames();
  const read = (bytes: Uint8Array) => {
    // Pongs that somebody who does not read would have to be kept for are left out.
    for (const answer of frames.feed(bytes)) if (frames.over || !socket.writableNeedDrain) socket.write(answer);
    if (frames.over) gone.abort();
  };
  read(head);
  socket.on("data", read);
  if (response.body) await pour(response.body, socket, gone.signal, (chunk) => toFrame(OPCODES.text, chunk));
  end(frames.over ? undefined : toCloseFrame(CLOSE_CODES.away));
}
