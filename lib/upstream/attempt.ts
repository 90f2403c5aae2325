import { ChunkTranslator } from "../stream/chunk_translator.ts";
import { SseDecoder } from "../stream/sse_decoder.ts";
import { toDeclaredTools } from "../translate/tools.ts";
import type { MessagesRequest, MessageStreamEvent } from "../wire/anthropic.ts";
import { type Clock, sleep } from "../wire/clock.ts";
import { isJsonObject, parseJson } from "../wire/json.ts";
import type { ChatChunk, ChatRequest } from "../wire/openai.ts";
import type { Answer, Candidate, SendOptions } from "./candidate.ts";
import type { ChainOptions } from "./chain.ts";
import { Deadline } from "./deadline.ts";
import { toUpstreamFault, UpstreamFault } from "./faults.ts";

/** Milliseconds between two questions for an answer that is queued. */
const POLL_INTERVAL = 1_000;
/** Milliseconds the upstream is given to end its response after `[DONE]`. */
const DRAIN_TIMEOUT = 2_000;

/** Reads one chunk; errors come as `error`, in SGLang's form, or in NVIDIA's. */
function toChunk(data: string, model: string): ChatChunk {
  const chunk = parseJson(data);
  if (!isJsonObject(chunk)) throw new UpstreamFault("broken", "Cannot read the upstream's answer: it is not JSON");
  const { error, object, status, choices } = chunk;
  if (!error && object !== "error" && (choices || typeof status !== "number" || status < 400)) return chunk;
  const code = Number(isJsonObject(error) ? error.code : chunk.code ?? status);
  throw toUpstreamFault(code >= 400 ? code : 500, data, model);
}

/** Reads the body of an answer: the data of the events of each read, or a JSON body as one. */
async function* readData(response: Response, deadline: Deadline): AsyncGenerator<string[], undefined> {
  if (response.headers.get("content-type")?.includes("application/json")) {
    yield [await response.text(), "[DONE]"];
    return;
  }
  const decoder = new SseDecoder();
  const toData = (data: string[]) => data.map((text) => text.trim()).filter((text) => text !== "");
  for await (const bytes of response.body ?? []) {
    deadline.heard();
    yield toData(decoder.feed(bytes));
    deadline.listen();
  }
  yield toData(decoder.flush());
}

/** Translates an answer as it comes; the batches are never empty. */
async function* readEvents(
  response: Response,
  translator: ChunkTranslator,
  { model, deadline, clock, signal }: { model: string; deadline: Deadline; clock: Clock; signal: AbortSignal },
): AsyncGenerator<MessageStreamEvent[], undefined> {
  const reads = readData(response, deadline);
  // What breaks off behind the end of the answer is no loss; some hosts say no more than the finish reason.
  const next = () =>
    reads.next().catch((thrown) => {
      if (!translator.finished || signal.aborted) throw thrown;
      return { value: undefined, done: true };
    });
  try {
    for (let done = false; !done;) {
      const { value: data = [], done: over = false } = await next();
      const end = data.indexOf("[DONE]");
      done = over || end >= 0;
      const events = translator.feed((end < 0 ? data : data.slice(0, end)).map((text) => toChunk(text, model)));
      if (over && !translator.finished) {
        throw new UpstreamFault("cut", "The upstream broke off in the middle of its answer");
      }
      if (done) events.push(...translator.flush());
      if (events.length > 0) yield events;
      if (translator.finished) deadline.extend(DRAIN_TIMEOUT);
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
  body: ChatRequest,
  { backend: { baseUrl, apiKey }, model }: Candidate,
  options: Required<ChainOptions> & SendOptions,
): Promise<Answer["events"]> {
  const deadline = new Deadline(options.clock, options.signal, options.requestTimeout);
  try {
    const headers = {
      "content-type": "application/json",
      "accept": request.stream ? "text/event-stream" : "application/json",
      "user-agent": options.userAgent,
      ...(apiKey ? { authorization: `Bearer ${apiKey}` } : {}),
    };
    const { signal } = deadline;
    const asked = { method: "POST", headers, body: JSON.stringify(body), signal };
    let response = await options.fetch(`${baseUrl}/chat/completions`, asked);
    // NVIDIA may queue a request: 202 and an id under which to ask for the answer.
    for (let id = response.headers.get("nvcf-reqid"); response.status === 202 && id;) {
      await response.body?.cancel();
      await sleep(options.clock, POLL_INTERVAL, signal);
      response = await options.fetch(`${baseUrl}/status/${encodeURIComponent(id)}`, { headers, signal });
      id = response.headers.get("nvcf-reqid") ?? id;
    }
    if (!response.ok) {
      const refusal = await response.text();
      throw toUpstreamFault(response.status, refusal, model, response.headers, options.clock.now());
    }
    const translator = new ChunkTranslator({
      tools: toDeclaredTools(request.tools),
      model,
      stopSequences: request.stop_sequences,
      inputTokens: options.inputTokens,
      newId: options.newId,
    });
    const events = readEvents(response, translator, { ...options, model, deadline });
    const { value: first } = await events.next();
    deadline.extend(options.idleTimeout);
    return prepend(first, events);
  } catch (thrown) {
    deadline.close();
    throw deadline.explain(thrown);
  }
}
