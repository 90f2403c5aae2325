/**
 * The upstream of the soak test, a process of its own: answers that prove themselves, and at random every fault of hosts.
 * It checks that each request has all of its conversation. Its arguments are a seed and the share of faults.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { createChance, makeText, seal, toCounts, unseal } from "./soak_words.ts";

type Asked = {
  model: string;
  messages: { role: string; content: unknown; tool_calls?: unknown[]; tool_call_id?: string }[];
  stream?: boolean;
  tools?: unknown[];
};
/** Writes an event, or anything else. */
type Write = (data: unknown) => void;

const [seed = 1, share = 0.25] = process.argv.slice(2).map(Number);
const chance = createChance(seed);
const problems: string[] = [];
const faults: Record<string, number> = {};
let [requests, open] = [0, 0];
const problem = (what: string) => void (problems.length < 20 && problems.push(what));

/** Refusals, by name: status, body, headers. */
const REFUSALS: Record<string, [status: number, body: unknown, headers?: Record<string, string>]> = {
  "429": [429, { status: 429, title: "Too Many Requests" }],
  "429 with retry-after": [429, { status: 429, title: "Too Many Requests" }, { "retry-after": "2" }],
  "503": [503, {
    error: { message: "ResourceExhausted: Worker local total request limit reached (16/16)", code: 503 },
  }],
  "degraded": [400, {
    status: 400,
    title: "Bad Request",
    detail: "Function id 'f': DEGRADED function cannot be invoked",
  }],
  "502 HTML": [502, "<html><head><title>502 Bad Gateway</title></head></html>"],
  "504 empty": [504, ""],
  "500": [500, { error: "Inference connection error" }],
};

/** What goes wrong in an answer after `written` chunks; true if it is over. */
const BREAKS: Record<string, (response: ServerResponse, write: Write) => Promise<void> | void> = {
  "reset": (response) => void response.destroy(),
  "end without a finish": (response) => void response.end(),
  "error chunk": (response, write) => {
    write({ error: { message: "ResourceExhausted: total request limit reached", code: 503 } });
    response.end("data: [DONE]\n\n");
  },
  "garbage": (response) => void response.end('data: {"choices":[{"delta":{"content":"x\n\n<html>'),
  "silence": async (response) => {
    while (!response.destroyed) await sleep(50);
  },
  "abort": (response, write) => {
    write({ choices: [{ delta: {}, finish_reason: "abort" }] });
    response.end("data: [DONE]\n\n");
  },
};

const pick = <T>(list: readonly T[]): T => list[Math.floor(chance() * list.length)]!;

function toText(content: unknown): string {
  if (typeof content === "string") return content;
  return Array.isArray(content) ? content.map((part) => part?.text ?? "").join("\n\n") : "";
}

/** The newest question, after a look at whether the conversation is all there. */
function readQuestion({ messages }: Asked): string {
  const texts = messages.filter(({ role }) => role !== "system").flatMap(({ content }) =>
    unseal(toText(content), problem)
  );
  const [nonce = "", count] = /^(\S+) (\d+) /.exec(texts.at(-1) ?? "")?.slice(1) ?? [];
  const asked = texts.filter((text) => /^\S+ \d+ /.test(text));
  if (asked.length !== Number(count)) {
    problem(`${nonce}: ${asked.length} of ${count} texts of the conversation arrived`);
  }
  const sessions = new Set(asked.map((text) => text.split(":")[0]));
  if (sessions.size !== 1) problem(`texts of several conversations arrived in one request: ${[...sessions]}`);
  for (const { role, tool_call_id, content } of messages) {
    if (role === "tool" && !toText(content).includes("«")) {
      problem(`${nonce}: the result for ${tool_call_id} is missing`);
    }
  }
  return nonce;
}

/** The chunks of an answer: thinking, text, and perhaps calls, as calls in pieces or as tokens in the text. */
function toChunks({ model, tools }: Asked, nonce: string): unknown[] {
  const chunk = (delta: object) => ({ choices: [{ index: 0, delta, finish_reason: null }] });
  const inPieces = (text: string, field: string) =>
    (text.match(/[^]{1,40}/gu) ?? []).map((piece) => chunk({ [field]: piece }));
  const chunks: unknown[] = chance() < 0.3
    ? inPieces(seal(`${nonce} thought ${makeText(chance, 20)}`), "reasoning_content")
    : [];
  const calls = tools?.length && chance() < 0.6 ? 1 + Math.floor(chance() * 3) : 0;
  chunks.push(
    ...inPieces(
      `Here: ${seal(`${nonce} answer ${calls} calls ${makeText(chance, 5 + Math.floor(chance() * 80))}`)}`,
      "content",
    ),
  );
  const written = Array.from(
    { length: calls },
    (_, i) =>
      JSON.stringify({ path: `/${i}`, content: seal(`${nonce} call ${i} of ${calls} ${makeText(chance, 30)}`) }),
  );
  if (/kimi-k2/.test(model) && calls > 0 && chance() < 0.5) {
    const leaked = written.map((args, i) =>
      `<|tool_call_begin|>functions.Write:${i}<|tool_call_argument_begin|>${args}<|tool_call_end|>`
    );
    chunks.push(...inPieces(`<|tool_calls_section_begin|>${leaked.join("")}<|tool_calls_section_end|>`, "content"));
  } else {
    const rounds = written.map((args) => args.match(/[^]{1,60}/gu) ?? []);
    chunks.push(
      ...written.map((_, index) =>
        chunk({
          tool_calls: [{ index, id: `c${index}`, type: "function", function: { name: "Write", arguments: "" } }],
        })
      ),
    );
    for (let round = 0; rounds.some((pieces) => pieces[round] !== undefined); round++) {
      rounds.forEach((pieces, index) => {
        if (pieces[round] !== undefined) {
          chunks.push(chunk({ tool_calls: [{ index, function: { arguments: pieces[round] } }] }));
        }
      });
    }
  }
  return [...chunks, {
    choices: [{ index: 0, delta: {}, finish_reason: pick(["stop", calls > 0 ? "tool_calls" : "stop"]) }],
  }];
}

async function answer(asked: Asked, response: ServerResponse): Promise<void> {
  const nonce = readQuestion(asked);
  const fails = chance() < share;
  const fault = fails
    ? pick([...Object.keys(REFUSALS), ...Object.keys(BREAKS), ...Object.keys(BREAKS), "empty", "drip"])
    : "none";
  faults[fault] = (faults[fault] ?? 0) + 1;
  const refusal = asked.model.startsWith("dead/") ? [404, "404 page not found"] as const : REFUSALS[fault];
  if (refusal) {
    const [status, body, headers = {}] = refusal;
    const type = typeof body === "string" ? "text/html" : "application/json";
    return void response.writeHead(status, { "content-type": type, ...headers }).end(
      typeof body === "string" ? body : JSON.stringify(body),
    );
  }
  if (BREAKS[fault] && chance() < 0.2) {
    return await (fault === "reset" ? BREAKS.reset : BREAKS.silence)!(response, () => {});
  }
  const chunks = fault === "empty" ? [{ choices: [{ delta: {}, finish_reason: "stop" }] }] : toChunks(asked, nonce);
  const breaks = Math.floor(chance() * (chunks.length - 1));
  const usage = toCounts(nonce);
  response.writeHead(200, { "content-type": "text/event-stream" });
  const write: Write = (data) => void response.write(`data: ${JSON.stringify(data)}\n\n`);
  for (const [i, chunk] of chunks.entries()) {
    if (response.destroyed) return;
    if (BREAKS[fault] && i === breaks) return await BREAKS[fault]!(response, write);
    const bytes = new TextEncoder().encode(`data: ${JSON.stringify(chunk)}\n\n`);
    const cut = Math.floor(chance() * bytes.length);
    response.write(bytes.subarray(0, cut));
    if (fault === "drip" || chance() < 0.1) await sleep(fault === "drip" ? 15 : 1);
    response.write(bytes.subarray(cut));
  }
  write({ choices: [], usage });
  response.end("data: [DONE]\n\n");
}

async function serveRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === "/stats") return void response.end(JSON.stringify({ requests, open, faults, problems }));
  open++;
  response.once("close", () => open--);
  requests++;
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of request) text += decoder.decode(piece, { stream: true });
  await answer(JSON.parse(text), response);
}

const server = createServer({ keepAliveTimeout: 1_000 }, (request, response) => {
  serveRequest(request, response).catch((thrown) => {
    if (!request.destroyed) problem(`the host failed: ${thrown instanceof Error ? thrown.stack : thrown}`);
    response.destroy();
  });
});
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
process.stdin.on("end", () => process.exit(0)).resume();
