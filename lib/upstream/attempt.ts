import { SseDecoder } from "../stream/sse_decoder.ts";
import type { JsonObject, MessagesRequest, MessageStreamEvent } from "../wire/anthropic.ts";
import { type Clock, sleep } from "../wire/clock.ts";
import { toJsonText } from "../wire/json.ts";
import type { Candidate } from "../routing/candidate.ts";
import type { Answer, SendOptions } from "./send.ts";
import type { ChainOptions } from "./chain.ts";
import { Deadline } from "./deadline.ts";
import { toUpstreamFault, UpstreamFault } from "./faults.ts";
import { PROTOCOLS, toUpstreamHeaders } from "./protocol.ts";
import { type AnswerReader, readAnswer } from "./answer_reader.ts";
import { MAX_ANSWER_BYTES, MAX_REFUSAL_BYTES, MAX_WHOLE_BYTES, readLimited } from "./read_limited.ts";

/** Milliseconds between two questions for an answer that is queued. */
const POLL_INTERVAL = 1_000;
/** Bytes that are read at once. */
const READ_SIZE = 65_536;
/** Milliseconds the upstream is given to end its response after `[DONE]`. */
const DRAIN_TIMEOUT = 2_000;

/** A reader that fills a buffer of ours, if the body is one that can. */
function toByteReader(body: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | undefined {
  try {
    return body.getReader({ mode: "byob" });
  } catch {
    return undefined; // A stream that a program has made.
  }
}

/** The reads of a body. */
async function* toReads(body: Response["body"]): AsyncGenerator<Uint8Array, undefined> {
  // Deno's own way of iterating costs five times as much for each chunk that a host sends.
  const reader = "Deno" in globalThis && body ? toByteReader(body) : undefined;
  if (!reader) return yield* body ?? [];
  let buffer = new ArrayBuffer(READ_SIZE);
  try {
    for (;;) {
      const { value, done } = await reader.read(new Uint8Array(buffer));
      if (done) return;
      yield value;
      buffer = value.buffer;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Reads the body of an answer: the data of the events of each read, or a JSON body as one. */
async function* readData(response: Response, deadline: Deadline): AsyncGenerator<string[], undefined> {
  if (response.headers.get("content-type")?.includes("application/json")) {
    yield [await readLimited(response, MAX_WHOLE_BYTES), "[DONE]"];
    return;
  }
  const decoder = new SseDecoder();
  const toData = (data: string[]) => data.map((text) => text.trim()).filter((text) => text !== "");
  let size = 0;
  for await (const bytes of toReads(response.body)) {
    size += bytes.byteLength;
    if (size > MAX_ANSWER_BYTES) throw new UpstreamFault("broken", "The upstream's answer does not end");
    deadline.heard();
    yield toData(decoder.feed(bytes));
    deadline.listen();
  }
  yield toData(decoder.flush());
}

/** Translates an answer as it comes; the batches are never empty. */
async function* readEvents(
  response: Response,
  reader: AnswerReader,
  { deadline, clock, signal, onPromptTokens }: {
    deadline: Deadline;
    clock: Clock;
    signal: AbortSignal;
    onPromptTokens: (actual: number) => void;
  },
): AsyncGenerator<MessageStreamEvent[], undefined> {
  const reads = readData(response, deadline);
  // What breaks off behind the end of the answer is no loss; some hosts say no more than the finish reason.
  const next = () =>
    reads.next().catch((thrown) => {
      if (!reader.finished || signal.aborted) throw thrown;
      return { value: undefined, done: true };
    });
  try {
    for (let done = false; !done;) {
      const { value: data = [], done: over = false } = await next();
      const events = readAnswer(() => reader.feed(data));
      done = over || reader.ended;
      if (over && !reader.finished) {
        throw new UpstreamFault("cut", "The upstream broke off in the middle of its answer");
      }
      if (done) {
        events.push(...readAnswer(() => reader.flush()));
        if (reader.promptTokens) onPromptTokens(reader.promptTokens);
      }
      if (events.length > 0) yield events;
      if (reader.finished) deadline.extend(DRAIN_TIMEOUT);
    }
  } catch (thrown) {
    deadline.close();
    throw deadline.explain(thrown);
  }
  // Reads what follows the end, so that the connection can be used again, but not for ever.
  const cancel = clock.after(DRAIN_TIMEOUT, () => deadline.close());
  const drain = async () => {
    while (!(await reads.next()).done);
  };
  drain().catch(() => {}).finally(() => {
    cancel();
    deadline.close();
  });
}

async function* prepend<T>(first: T | undefined, rest: AsyncGenerator<T, undefined>): AsyncGenerator<T, undefined> {
  if (first) yield first;
  return yield* rest;
}

/**
 * Asks one candidate once, with the body made of the request.
 *
 * @throws {ApiError} If it refuses, breaks off, is silent for too long or answers nothing before its first content.
 */
export async function attempt(
  request: MessagesRequest,
  body: JsonObject,
  candidate: Candidate,
  options: Required<ChainOptions> & SendOptions & { onPromptTokens: (actual: number) => void },
): Promise<Answer["events"]> {
  const { backend } = candidate;
  const json = toJsonText(body);
  const deadline = new Deadline(options.clock, options.signal, options.requestTimeout);
  try {
    const { baseUrl, format = "openai" } = backend;
    const { userAgent, headers: client } = options;
    const headers = toUpstreamHeaders(backend, { stream: Boolean(body.stream), userAgent, client });
    const { signal } = deadline;
    const redirect = "manual"; // Followed, it would take the conversation, and some of the headers, to anybody.
    const asked = { method: "POST", headers, body: json, signal, redirect } as const;
    let response = await options.fetch(PROTOCOLS[format].toUrl(baseUrl), asked);
    // NVIDIA may queue a request: 202 and an id under which to ask for the answer.
    for (let id = response.headers.get("nvcf-reqid"); response.status === 202 && id;) {
      await response.body?.cancel();
      await sleep(options.clock, POLL_INTERVAL, signal);
      response = await options.fetch(`${baseUrl}/status/${encodeURIComponent(id)}`, { headers, signal, redirect });
      id = response.headers.get("nvcf-reqid") ?? id;
    }
    if (!response.ok) {
      const refusal = await readLimited(response, MAX_REFUSAL_BYTES);
      throw toUpstreamFault(response.status, refusal, candidate, response.headers, options.clock.now());
    }
    const reader = PROTOCOLS[format].createReader(request, {
      ...options,
      inputTokens: options.tokens.count(candidate),
      candidate,
    });
    const events = readEvents(response, reader, { ...options, deadline });
    const { value: first } = await events.next();
    deadline.extend(options.idleTimeout);
    return prepend(first, events);
  } catch (thrown) {
    deadline.close();
    throw deadline.explain(thrown);
  }
}
