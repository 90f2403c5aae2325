import { ChunkTranslator } from "../stream/chunk_translator.ts";
import { SseDecoder } from "../stream/sse_decoder.ts";
import { toChatRequest } from "../translate/request.ts";
import { toDeclaredTools } from "../translate/tools.ts";
import type { MessagesRequest, MessageStreamEvent } from "../wire/anthropic.ts";
import { ApiError } from "../wire/errors.ts";
import { isJsonObject, parseJson } from "../wire/json.ts";
import type { ChatChunk } from "../wire/openai.ts";
import type { Answer, Candidate, SendOptions } from "./candidate.ts";
import type { ChainOptions } from "./chain.ts";
import { Deadline } from "./deadline.ts";
import { toUpstreamError } from "./faults.ts";

/** Milliseconds the upstream is given to end its response after `[DONE]`. */
const DRAIN_TIMEOUT = 2_000;

function toChunk(data: string, model: string): ChatChunk {
  const chunk = parseJson(data);
  if (!isJsonObject(chunk)) throw new ApiError("api_error", "Cannot read the upstream's answer: it is not JSON");
  if (!chunk.error) return chunk;
  const code = isJsonObject(chunk.error) ? Number(chunk.error.code) : NaN;
  throw toUpstreamError(code >= 400 ? code : 500, data, model);
}

/** Reads the body of an answer: the data of the events of each read, or a JSON body as one. */
async function* readData(response: Response, deadline: Deadline): AsyncGenerator<string[], undefined> {
  if (response.headers.get("content-type")?.includes("application/json")) {
    yield [await response.text(), "[DONE]"];
    return;
  }
  const decoder = new SseDecoder();
  for await (const bytes of response.body ?? []) {
    deadline.heard();
    yield decoder.feed(bytes);
    deadline.listen();
  }
  yield decoder.flush();
}

/** Reads what follows the end of an answer, so that the connection can be used again. */
async function drain(reads: AsyncGenerator<string[], undefined>, deadline: Deadline): Promise<void> {
  deadline.extend(DRAIN_TIMEOUT);
  while (!(await reads.next()).done);
}

/** Translates an answer as it comes; the batches are never empty. */
async function* readEvents(
  response: Response,
  translator: ChunkTranslator,
  model: string,
  deadline: Deadline,
): AsyncGenerator<MessageStreamEvent[], undefined> {
  const reads = readData(response, deadline);
  try {
    for (let done = false; !done;) {
      const { value: data = [], done: broken } = await reads.next();
      const end = data.indexOf("[DONE]");
      done = broken || end >= 0;
      const events = translator.feed((end < 0 ? data : data.slice(0, end)).map((text) => toChunk(text, model)));
      if (done) events.push(...translator.flush());
      if (broken && !translator.finished) {
        throw new ApiError("overloaded_error", "The upstream broke off in the middle of its answer");
      }
      if (events.length > 0) yield events;
    }
    drain(reads, deadline).catch(() => {}).finally(() => deadline.close());
  } catch (thrown) {
    deadline.close();
    throw deadline.explain(thrown);
  }
}

async function* prepend<T>(first: T | undefined, rest: AsyncGenerator<T, undefined>): AsyncGenerator<T, undefined> {
  if (first) yield first;
  return yield* rest;
}

/** Asks one candidate once; fails if it refuses, breaks off, is silent for too long or answers nothing. */
export async function attempt(
  request: MessagesRequest,
  candidate: Candidate,
  options: Required<ChainOptions> & SendOptions,
): Promise<Answer> {
  const { backend: { baseUrl, apiKey }, model } = candidate;
  const { request: body, warnings } = toChatRequest(request, { model, maxTokens: options.maxTokens });
  const deadline = new Deadline(options.clock, options.signal, options.requestTimeout);
  try {
    const response = await options.fetch(`${baseUrl}/chat/completions`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "accept": request.stream ? "text/event-stream" : "application/json",
        "user-agent": options.userAgent,
        ...(apiKey ? { authorization: `Bearer ${apiKey}` } : {}),
      },
      body: JSON.stringify(body),
      signal: deadline.signal,
    });
    if (!response.ok) throw toUpstreamError(response.status, await response.text(), model, response.headers);
    const translator = new ChunkTranslator({
      tools: toDeclaredTools(request.tools),
      model,
      stopSequences: request.stop_sequences,
      inputTokens: options.inputTokens,
      newId: options.newId,
    });
    const events = readEvents(response, translator, model, deadline);
    const { value: first } = await events.next();
    deadline.extend(options.idleTimeout);
    return { candidate, warnings, events: prepend(first, events) };
  } catch (thrown) {
    deadline.close();
    throw deadline.explain(thrown);
  }
}
