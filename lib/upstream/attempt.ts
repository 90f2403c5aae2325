import { ChunkTranslator } from "../stream/chunk_translator.ts";
import { SseDecoder } from "../stream/sse_decoder.ts";
import { toChatRequest } from "../translate/request.ts";
import { toToolNames } from "../translate/tools.ts";
import type { MessagesRequest, MessageStreamEvent } from "../wire/anthropic.ts";
import { ApiError } from "../wire/errors.ts";
import { isJsonObject } from "../wire/messages_request.ts";
import type { ChatChunk } from "../wire/openai.ts";
import type { Answer, Candidate, SendOptions } from "./candidate.ts";
import type { ChainSettings } from "./chain.ts";
import { Deadline } from "./deadline.ts";
import { toUpstreamError } from "./faults.ts";

/** Milliseconds the upstream is given to end its response after `[DONE]`. */
const DRAIN_TIMEOUT = 2_000;

function toChunk(data: string, model: string): ChatChunk {
  let chunk: unknown;
  try {
    chunk = JSON.parse(data);
  } catch {
    // Reported below, like everything else that is no object.
  }
  if (!isJsonObject(chunk)) throw new ApiError("api_error", "Cannot read the upstream's answer: it is not JSON");
  if (!chunk.error) return chunk;
  const code = isJsonObject(chunk.error) ? Number(chunk.error.code) : NaN;
  throw toUpstreamError(code >= 400 ? code : 500, data, model);
}

/** Reads the body of an answer: the data of the events of each read, or a JSON body as one. */
async function* readData(response: Response, deadline: Deadline): AsyncGenerator<string[], void> {
  if (response.headers.get("content-type")?.includes("application/json")) {
    yield [await response.text(), "[DONE]"];
    return;
  }
  const decoder = new SseDecoder();
  const reader = response.body?.getReader();
  for (;;) {
    const read = await reader?.read();
    deadline.touch();
    if (!read || read.done) break;
    yield decoder.feed(read.value);
  }
  yield decoder.flush();
}

/** Translates an answer as it comes; the batches are never empty. */
async function* readEvents(
  response: Response,
  translator: ChunkTranslator,
  model: string,
  deadline: Deadline,
): AsyncGenerator<MessageStreamEvent[], void> {
  let done = false;
  try {
    for await (const data of readData(response, deadline)) {
      if (done) continue; // Reads to the end, so that the connection can be used again.
      const end = data.indexOf("[DONE]");
      const chunks = (end < 0 ? data : data.slice(0, end)).map((text) => toChunk(text, model));
      const events = translator.feed(chunks);
      if (end >= 0) events.push(...translator.flush());
      if (events.length > 0) yield events;
      done = end >= 0;
      if (done) deadline.extend(DRAIN_TIMEOUT);
    }
    if (done) return;
    const events = translator.flush();
    if (!translator.finished) {
      throw new ApiError("overloaded_error", "The upstream broke off in the middle of its answer");
    }
    yield events;
  } catch (thrown) {
    if (!done) throw deadline.explain(thrown);
  } finally {
    deadline.close();
  }
}

async function* prepend<T>(first: T, rest: AsyncGenerator<T, void>): AsyncGenerator<T, void> {
  yield first;
  yield* rest;
}

/**
 * Asks one candidate once.
 *
 * @throws {ApiError} If it refuses, breaks off, is silent for too long or answers nothing.
 */
export async function attempt(
  request: MessagesRequest,
  candidate: Candidate,
  options: ChainSettings & SendOptions,
): Promise<Answer> {
  const { backend: { baseUrl, apiKey }, model } = candidate;
  const { clock, newId, maxTokens, inputTokens, userAgent } = options;
  const { request: body, warnings } = toChatRequest(request, { model, maxTokens });
  const deadline = new Deadline(clock, options.signal, options.requestTimeout);
  try {
    const response = await options.fetch(`${baseUrl}/chat/completions`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "accept": request.stream ? "text/event-stream" : "application/json",
        "user-agent": userAgent,
        ...(apiKey ? { authorization: `Bearer ${apiKey}` } : {}),
      },
      body: JSON.stringify(body),
      signal: deadline.signal,
    });
    if (!response.ok) throw toUpstreamError(response.status, await response.text(), model, response.headers);
    const translator = new ChunkTranslator({
      toolNames: toToolNames(request.tools),
      stopSequences: request.stop_sequences,
      inputTokens,
      newId,
    });
    const events = readEvents(response, translator, model, deadline);
    const first = await events.next();
    deadline.extend(options.idleTimeout);
    return { candidate, warnings, events: prepend(first.value ?? [], events) };
  } catch (thrown) {
    deadline.close();
    throw deadline.explain(thrown);
  }
}
