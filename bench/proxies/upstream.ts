/**
 * The upstream of the benchmark, a process of its own: answers are put together beforehand, HTTP included, one HTTP chunk
 * an event, as servers of models send them. Usage comes only if it was asked for, as OpenAI and vLLM have it.
 */
import { Buffer } from "node:buffer";
import { createServer, type Socket } from "node:net";
import process from "node:process";
import { type Scenario, SCENARIOS, STAMP } from "./scenarios.ts";

const HEAD = "HTTP/1.1 200 OK\r\n";
const STREAM_HEAD = `${HEAD}content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n`;
const USAGE = { prompt_tokens: 1234, completion_tokens: 567, total_tokens: 1801 };

function toFrame(data: string): string {
  const event = `data: ${data}\n\n`;
  return `${Buffer.byteLength(event).toString(16)}\r\n${event}\r\n`;
}

function toChunk(choices: object[], usage?: object): string {
  return toFrame(JSON.stringify({
    id: "chatcmpl-0123456789abcdef",
    object: "chat.completion.chunk",
    created: 1_795_000_000,
    model: "mock",
    choices,
    ...(usage ? { usage } : {}),
  }));
}

function toFrames({ deltas, finish }: Scenario, withUsage: boolean): string[] {
  const toChoice = (delta: object, finish_reason: string | null = null) => [{ index: 0, delta, finish_reason }];
  return [
    toChunk(toChoice({ role: "assistant", content: "" })),
    ...deltas.map((delta) => toChunk(toChoice(delta))),
    toChunk(toChoice({}, finish)),
    ...(withUsage ? [toChunk([], USAGE)] : []),
    `${toFrame("[DONE]")}0\r\n\r\n`,
  ];
}

function toJson(value: object): Buffer {
  const body = JSON.stringify(value);
  return Buffer.from(
    `${HEAD}content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function toWhole({ text, finish }: Scenario): Buffer {
  const choices = [{ index: 0, message: { role: "assistant", content: text }, finish_reason: finish }];
  return toJson({
    id: "chatcmpl-0",
    object: "chat.completion",
    created: 1_795_000_000,
    model: "mock",
    choices,
    usage: USAGE,
  });
}

type Answers = { frames: string[]; stream: Buffer; withUsage: { frames: string[]; stream: Buffer }; whole: Buffer };

function toStream(scenario: Scenario, withUsage: boolean) {
  const frames = toFrames(scenario, withUsage);
  return { frames, stream: Buffer.from(STREAM_HEAD + frames.join("")) };
}

const ANSWERS = new Map(
  Object.entries(SCENARIOS).map(([name, scenario]): [string, Answers] => {
    return [name, { ...toStream(scenario, false), withUsage: toStream(scenario, true), whole: toWhole(scenario) }];
  }),
);
const MODELS = toJson({ object: "list", data: [{ id: "mock", object: "model" }] });

function sendPaced(socket: Socket, frames: readonly string[], pace: number): void {
  let at = 0;
  socket.write(STREAM_HEAD);
  const timer = setInterval(() => {
    if (socket.destroyed) return void clearInterval(timer);
    const last = at >= frames.length - 3;
    const now = `@${(process.hrtime.bigint() / 1000n).toString().padStart(STAMP.length - 1, "0")}`;
    socket.write((last ? frames.slice(at).join("") : frames[at] ?? "").replace(STAMP, now));
    at++;
    if (last) clearInterval(timer);
  }, pace);
}

function answer(socket: Socket, head: string, body: Buffer): void {
  if (head.startsWith("GET")) return void socket.write(MODELS);
  const at = body.lastIndexOf("SCENARIO:");
  const name = at < 0 ? "short" : /^\w+/.exec(body.toString("latin1", at + 9, at + 40))?.[0] ?? "";
  const answers = ANSWERS.get(name) ?? ANSWERS.get("short")!;
  // What is not streamed says so in the first or in the last few hundred bytes, or says nothing.
  const ends = body.toString("latin1", 0, 400) + body.toString("latin1", Math.max(0, body.length - 1_000_000));
  if (!/"stream"\s*:\s*true/.test(ends)) return void socket.write(answers.whole);
  const { frames, stream } = /"include_usage"\s*:\s*true/.test(ends) ? answers.withUsage : answers;
  const pace = SCENARIOS[name]?.pace ?? 0;
  if (pace > 0) sendPaced(socket, frames, pace);
  else socket.write(stream);
}

/** The length of a chunked body that is complete in `bytes`. */
function toChunkedLength(bytes: Buffer): number | undefined {
  for (let at = 0;;) {
    const line = bytes.indexOf("\r\n", at);
    if (line < 0) return undefined;
    const size = parseInt(bytes.toString("latin1", at, line), 16);
    at = line + 2 + size + 2;
    if (at > bytes.length) return undefined;
    if (size === 0) return at;
  }
}

const server = createServer({ noDelay: true }, (socket) => {
  let pieces: Buffer[] = [];
  let [size, needed] = [0, 0];
  socket.on("error", () => {});
  socket.on("data", (piece) => {
    pieces.push(piece as Buffer);
    size += piece.length;
    if (size < needed) return;
    for (let bytes = Buffer.concat(pieces); bytes.length > 0;) {
      [pieces, size] = [[bytes], bytes.length];
      const end = bytes.indexOf("\r\n\r\n");
      if (end < 0) return;
      const head = bytes.toString("latin1", 0, end);
      const length = /^transfer-encoding: *chunked/im.test(head)
        ? toChunkedLength(bytes.subarray(end + 4))
        : Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
      needed = length === undefined ? 0 : end + 4 + length;
      if (length === undefined || size < needed) return;
      if (/^expect: *100/im.test(head)) socket.write("HTTP/1.1 100 Continue\r\n\r\n");
      answer(socket, head, bytes.subarray(end + 4, needed));
      bytes = bytes.subarray(needed);
      [pieces, size, needed] = [[], 0, 0];
      if (bytes.length > 0) pieces.push(bytes);
      size = bytes.length;
    }
  });
});
server.listen(0, "127.0.0.1", () => console.log((server.address() as { port: number }).port));
