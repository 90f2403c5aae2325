import assert from "node:assert/strict";
import fc from "fast-check";
import { createArbiter } from "../../lib/arbiter.ts";
import type { ChatChunk } from "../../lib/wire/openai.ts";
import { STATUS_BY_ERROR_TYPE } from "../../lib/wire/errors.ts";
import { toSse } from "../support/answers.ts";
import { FAULTS } from "../support/faults.ts";
import { assertLegalStream, parseEvents, type StreamEvent } from "../support/grammar.ts";
import { ANSWERS, CHAT_REQUESTS, MESSAGES_REQUESTS, PASSED_ANSWERS } from "./samples.ts";
import { cut, DAMAGE, type Damage, damage, fuzz, mutated } from "./support.ts";
import { assertValidUpstreamRequest } from "./upstream_request.ts";

/** What a host does: an answer in pieces, whole, or broken off, a refusal, or no connection. */
type Host = {
  kind: "stream" | "json" | "break" | "refuse" | "gone";
  answer: string;
  damage: Damage;
  fault: keyof typeof FAULTS;
};

const HOST: fc.Arbitrary<Host> = fc.record({
  kind: fc.constantFrom("stream", "stream", "stream", "json", "break", "refuse", "gone"),
  answer: mutated(ANSWERS, 3),
  damage: DAMAGE,
  fault: fc.constantFrom(...Object.keys(FAULTS) as (keyof typeof FAULTS)[]),
});

function toBody(pieces: Uint8Array[], breaks: boolean): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull(controller) {
      const piece = pieces.shift();
      if (piece) controller.enqueue(piece);
      else if (breaks) controller.error(new TypeError("terminated"));
      else controller.close();
    },
  });
}

function answerAs({ kind, answer, damage: changes, fault }: Host): Response {
  if (kind === "gone") throw new TypeError("fetch failed");
  const { status = 200, body } = FAULTS[fault];
  if (kind === "refuse") return new Response(typeof body === "string" ? body : JSON.stringify(body), { status });
  const headers = { "content-type": kind === "json" ? "application/json" : "text/event-stream" };
  const chunks: ChatChunk[] = [JSON.parse(answer)].flat();
  const text = kind === "json" ? JSON.stringify(chunks[0]) : toSse(chunks);
  return new Response(toBody(cut(damage(new TextEncoder().encode(text), changes), changes), kind === "break"), {
    headers,
  });
}

const ERROR_TYPES = Object.keys(STATUS_BY_ERROR_TYPE);

async function checkError(response: Response, chat: boolean): Promise<void> {
  const { type, error, ...rest } = await response.json();
  assert.ok(response.status >= 400 && response.status < 600);
  assert.ok(typeof error.message === "string" && error.message !== "");
  assert.doesNotMatch(error.message, /Arbiter failed|is not a function|not an object|No default value|\n\s+at /);
  if (chat) {
    return assert.deepEqual([Object.keys(error).sort().join(), type, rest], ["code,message,param,type", undefined, {}]);
  }
  assert.equal(type, "error");
  assert.ok(ERROR_TYPES.includes(error.type));
  assert.equal(rest.request_id, response.headers.get("request-id"));
}

/** Reads a body, in which no failure is the proxy's own; a connection that breaks ends it. */
async function readText(response: Response): Promise<[text: string, broken: boolean]> {
  let text = "";
  const decoder = new TextDecoder();
  try {
    for await (const piece of response.body!) text += decoder.decode(piece, { stream: true });
  } catch {
    return [text, true];
  }
  assert.doesNotMatch(text, /Arbiter failed/);
  return [text, false];
}

/** Checks chunks as OpenAI's clients read them. */
function checkChunks(text: string, broken: boolean): void {
  const frames = text.split("\n\n");
  assert.equal(frames.pop(), "");
  const lines = frames.filter((frame) => !frame.startsWith(":")).map((frame) => frame.slice("data: ".length));
  const ends = lines.at(-1) === "[DONE]";
  const chunks = lines.slice(0, ends ? -1 : undefined).map((line) => JSON.parse(line));
  const failed = chunks.some(({ error }) => error);
  assert.equal(!ends, broken || failed, "[DONE] must stand at the end of a whole answer and no other");
  let calls = 0;
  for (const { object, choices, error } of chunks) {
    if (error) continue;
    assert.equal(object, "chat.completion.chunk");
    for (const { index, function: called } of choices[0]?.delta.tool_calls ?? []) {
      if (called.name !== undefined) assert.equal(index, calls++);
      else assert.equal(index, calls - 1);
    }
  }
  const finished = chunks.filter(({ choices }) => choices?.[0]?.finish_reason).length;
  assert.equal(finished, ends ? 1 : 0);
}

async function checkAnswer(response: Response, chat: boolean, stream: boolean): Promise<void> {
  assert.ok(response.headers.get("request-id"));
  if (response.status !== 200) return await checkError(response, chat);
  const [text, broken] = await readText(response);
  if (!stream) {
    const { content, choices } = JSON.parse(text);
    return assert.ok(chat ? choices[0].finish_reason : Array.isArray(content));
  }
  if (chat) return checkChunks(text, broken);
  const events = parseEvents(text);
  assertLegalStream(events, broken ? "cut" : events.at(-1)?.type === "error" ? "error" : "whole");
}

const MODEL = "moonshotai/kimi-k2.6";

fuzz(
  "whoever asks for whatever and whatever the host does, requests are valid and answers are legal",
  2,
  fc.record({
    chat: fc.boolean(),
    messages: mutated(MESSAGES_REQUESTS, 2),
    chats: mutated(CHAT_REQUESTS, 2),
    host: HOST,
    claude: fc.boolean(),
  }),
  async ({ chat, messages, chats, host, claude }) => {
    let wrong: unknown;
    const arbiter = createArbiter({
      apiKey: "k",
      model: MODEL,
      fallbacks: [],
      localAnswers: [],
      maxAttempts: 1,
      baseUrl: "http://host/v1",
      fetch: async (_input, init) => {
        try {
          assertValidUpstreamRequest(String(init?.body));
        } catch (thrown) {
          wrong = thrown;
        }
        return await answerAs(host);
      },
    });
    const body = chat ? chats : messages;
    const headers = { "user-agent": claude ? "claude-cli/2.1.328 (external, cli)" : "test" };
    const address = `http://localhost/v1/${chat ? "chat/completions" : "messages"}`;
    const response = await arbiter.fetch(new Request(address, { method: "POST", body, headers }));
    await checkAnswer(response, chat, JSON.parse(body)?.stream === true);
    if (wrong) throw wrong;
    const { requests } = arbiter.status();
    assert.equal(requests, 1);
  },
);

/** Checks the order only: what is in blocks is between the host and the client. */
function checkOrder(events: readonly StreamEvent[], broken: boolean): void {
  let open: number | undefined;
  let blocks = 0;
  assert.equal(events[0]?.type, "message_start");
  for (const event of events) {
    if (event.type === "content_block_start") {
      assert.deepEqual([open, event.index, typeof event.content_block?.type], [undefined, blocks, "string"]);
      open = blocks++;
    } else if (event.type === "content_block_delta" || event.type === "content_block_stop") {
      assert.equal(event.index, open);
      if (event.type === "content_block_stop") open = undefined;
      else assert.equal(typeof event.delta?.type, "string");
    } else if (event.type === "message_delta") {
      assert.equal(typeof event.delta, "object");
      if (event.delta?.stop_reason) assert.equal(open, undefined); // Without, it only says that the host lives.
    }
  }
  // Events that nobody knows are passed on.
  const ends = events.map(({ type }) => type).filter((type) => /^(?:message_(?:delta|stop)|error)$/.test(type)).join();
  assert.match(ends, broken ? /^(?:message_delta,)*$/ : /^(?:message_delta,)*(?:message_delta,message_stop|error)$/);
}

fuzz(
  "whatever a host of Anthropic's own format sends, its events are in order or there is one error",
  2,
  fc.tuple(mutated(PASSED_ANSWERS, 3), DAMAGE),
  async ([json, changes]) => {
    const events: { type?: unknown }[] = [JSON.parse(json)].flat();
    const text = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
    const bytes = damage(new TextEncoder().encode(text), changes);
    const headers = { "content-type": "text/event-stream" };
    const arbiter = createArbiter({
      model: "kimi/m",
      backends: { kimi: { baseUrl: "http://host", apiKey: "key", format: "anthropic" } },
      maxAttempts: 1,
      fetch: () => Promise.resolve(new Response(toBody(cut(bytes, changes), false), { headers })),
    });
    const body = JSON.stringify({
      model: "kimi/m",
      max_tokens: 9,
      stream: true,
      messages: [{ role: "user", content: "Hi" }],
    });
    const response = await arbiter.fetch(new Request("http://localhost/v1/messages", { method: "POST", body }));
    if (response.status !== 200) return await checkError(response, false);
    const [read, broken] = await readText(response);
    checkOrder(parseEvents(read), broken);
  },
);
