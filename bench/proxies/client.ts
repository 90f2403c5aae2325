/**
 * The client of the benchmark, a process of its own: asks as told by a line of JSON on stdin, notes when each read came,
 * and looks into the answers when the clock has stopped. Prints what it measured as a line of JSON.
 */
import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import { checkAnswer } from "./check.ts";
import { FIRST, SCENARIOS, type Size, STAMP, toBody } from "./scenarios.ts";

/** What is asked, of whom, how often, how many at once, for how many seconds at most. */
export type Job = {
  port: number;
  path: string;
  format: "messages" | "chat";
  headers: Record<string, string>;
  model: string;
  scenario: string;
  size: Size;
  stream: boolean;
  concurrency: number;
  requests: number;
  seconds: number;
};

/** What came of it: milliseconds, medians if not said otherwise; faults by what they are. */
export type Outcome = {
  answers: number;
  /** Of all answers together. */
  elapsed: number;
  first: number;
  total: number;
  /** Between leaving the upstream and coming here, of paced tokens. */
  delay: number;
  delay99: number;
  faults: Record<string, number>;
  /** Answers whose content was not what the upstream sent. */
  broken: number;
};

type Answer = { began: number; reads: Buffer[]; times: number[]; failed?: string };

const now = (): number => Number(process.hrtime.bigint() / 1000n);

function percentile(values: number[], part: number): number {
  return values.sort((a, b) => a - b)[Math.floor((values.length - 1) * part)] ?? NaN;
}

/** Asks once over a connection; resolves when the answer is complete or the connection has gone. */
function ask(socket: Socket, request: Buffer): Promise<Answer> {
  const answer: Answer = { began: now(), reads: [], times: [] };
  let [head, length, size, chunked] = ["", Infinity, 0, false];
  return new Promise((resolve) => {
    const end = (failed?: string) => {
      clearTimeout(timer);
      socket.removeAllListeners("data").removeAllListeners("close");
      if (failed) answer.failed = failed;
      if (/^connection: *close/im.test(head)) socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => {
      end("no end within 30 s");
      socket.destroy();
    }, 30_000);
    socket.once("close", () => end(length === Infinity && !chunked && size > 0 ? undefined : "connection closed"));
    socket.on("data", (read: Buffer) => {
      answer.times.push(now());
      answer.reads.push(read);
      size += read.length;
      if (!head.includes("\r\n\r\n")) {
        head += read.toString("latin1");
        const at = head.indexOf("\r\n\r\n");
        if (at < 0) return;
        chunked = /^transfer-encoding: *chunked/im.test(head);
        length = at + 4 + Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? Infinity);
      }
      if (!chunked) return size >= length ? end() : undefined;
      const tail = read.length >= 5 ? read : Buffer.concat(answer.reads.slice(-3));
      if (tail.subarray(-5).equals(LAST)) end();
    });
    if (socket.destroyed) end("cannot connect");
    else socket.write(request);
  });
}
const LAST = Buffer.from("0\r\n\r\n");

async function openSocket(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("connect", resolve).once("close", resolve));
  return socket;
}

/** When the read that brought the bytes up to `end` came. */
function timeAt({ reads, times }: Answer, end: number): number {
  for (let i = 0, size = 0; i < reads.length; i++) if ((size += reads[i]!.length) >= end) return times[i]!;
  return NaN;
}

async function run(job: Job): Promise<Outcome> {
  const { port, scenario, concurrency } = job;
  const body = toBody(job.model, job.size, scenario, job.stream);
  const headers = Object.entries({ host: `127.0.0.1:${port}`, "content-type": "application/json", ...job.headers });
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const head = `POST ${job.path} HTTP/1.1\r\n${lines}content-length: ${Buffer.byteLength(body)}\r\n\r\n`;
  const request = Buffer.from(head + body);
  const answers: Answer[] = [];
  const sockets = await Promise.all(Array.from({ length: concurrency }, () => openSocket(port)));
  const pace = SCENARIOS[scenario]?.pace ?? 0;
  const began = now();
  let left = job.requests;
  await Promise.all(sockets.map(async (first, i) => {
    let socket = first;
    if (pace > 0) await new Promise((resolve) => setTimeout(resolve, pace * i / concurrency));
    while (left-- > 0 && now() - began < job.seconds * 1e6) {
      if (socket.destroyed) socket = await openSocket(port);
      answers.push(await ask(socket, request));
    }
    socket.destroy();
  }));
  const elapsed = (now() - began) / 1000;
  const faults: Record<string, number> = {};
  const [firsts, totals, delays]: number[][] = [[], [], []];
  let broken = 0;
  for (const answer of answers) {
    const raw = Buffer.concat(answer.reads);
    const { content, remarks } = answer.failed ? { content: answer.failed, remarks: [] } : checkAnswer(raw, job);
    for (const fault of content ? [content] : remarks) faults[fault] = (faults[fault] ?? 0) + 1;
    if (content) {
      broken++;
      continue;
    }
    firsts!.push((timeAt(answer, raw.indexOf(FIRST) + FIRST.length) - answer.began) / 1000);
    totals!.push((answer.times.at(-1)! - answer.began) / 1000);
    for (let at = raw.indexOf("@"); at >= 0 && pace > 0; at = raw.indexOf("@", at + 1)) {
      const end = at + STAMP.length;
      delays!.push((timeAt(answer, end) - Number(raw.toString("latin1", at + 1, end))) / 1000);
    }
  }
  const [first, total] = [percentile(firsts!, 0.5), percentile(totals!, 0.5)];
  const [delay, delay99] = [percentile(delays!, 0.5), percentile(delays!, 0.99)];
  return { answers: answers.length, elapsed, first, total, delay, delay99, faults, broken };
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await run(JSON.parse(line))));
}
