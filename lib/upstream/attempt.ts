import { BadAnswer } from "../stream/bad_answer.ts";
import { SseDecoder } from "../stream/sse_decoder.ts";
import type { JsonObject, MessagesRequest, MessageStreamEvent } from "../wire/anthropic.ts";
import { type Clock, sleep } from "../wire/clock.ts";
import { iterate } from "../wire/iterate.ts";
import { toJsonText } from "../wire/json.ts";
import type { Candidate } from "../routing/candidate.ts";
import type { Answer, SendOptions } from "./send.ts";
import type { CallAnswer } from "./call.ts";
import type { ChainOptions } from "./chain_options.ts";
import { Deadline } from "./deadline.ts";
import { toUpstreamFault, UpstreamFault } from "./faults.ts";
import { PROTOCOLS, toUpstreamHeaders } from "./protocol.ts";
import { type AnswerReader, readAnswer } from "./answer_reader.ts";
import { MAX_ANSWER_BYTES, MAX_REFUSAL_BYTES, MAX_WHOLE_BYTES, readLimited } from "./read_limited.ts";
import type { IsOfUse } from "./use.ts";

/** Milliseconds between two questions for an answer that is queued. */
const POLL_INTERVAL = 1_000;
/** Milliseconds the upstream is given to end its response after `[DONE]`. */
const DRAIN_TIMEOUT = 2_000;

/** Milliseconds for which comments alone keep an answer alive: hosts send them while they hold back a call, too. */
const MAX_COMMENTS = 600_000;

/** Makes what reads the body of an answer: the data of the events of each read, or a JSON body as one, then nothing. */
function toDataReader(
  answer: CallAnswer,
  candidate: Candidate,
  deadline: Deadline,
  clock: Clock,
): () => Promise<string[] | undefined> {
  const decoder = new SseDecoder();
  let [begin, over] = ["", false];
  let [size, waited] = [0, 0];
  return async () => {
    if (over) return undefined;
    const asked = clock.now();
    deadline.listen();
    const bytes = await answer.read();
    deadline.heard();
    over = !bytes;
    // No event begins like an object or a page, whatever the host calls it; hosts may send blanks before it, or a mark of the order of bytes.
    if (begin === "" && bytes) {
      begin = String.fromCharCode(bytes.find((byte) => byte > 0x20 && byte < 0x80) ?? 0x20).trim();
      over = begin === "{" || begin === "<";
      const text = over ? await readLimited(answer, MAX_WHOLE_BYTES, bytes) : "";
      if (begin === "<") throw toUpstreamFault(200, text, candidate);
      if (over) return [text, "[DONE]"];
    }
    size += bytes?.byteLength ?? 0;
    if (size > MAX_ANSWER_BYTES) throw new UpstreamFault("broken", "The upstream's answer does not end");
    const data = bytes ? decoder.feed(bytes) : decoder.flush();
    waited = data.length > 0 ? 0 : waited + clock.now() - asked;
    if (waited > MAX_COMMENTS) {
      throw new UpstreamFault("timeout", "The upstream has sent nothing but comments for ten minutes");
    }
    return data.map((text) => text.trim()).filter((text) => text !== "");
  };
}

/** Translates an answer as it comes; the batches are never empty. */
function readEvents(
  read: () => Promise<string[] | undefined>,
  reader: AnswerReader,
  deadline: Deadline,
  { settings: { clock }, options: { signal }, onPromptTokens }: AttemptOptions,
): Answer["events"] {
  let done = false;

  async function readOn(): Promise<MessageStreamEvent[]> {
    // What breaks off behind the end of the answer is no loss; some hosts say no more than the finish reason.
    const data = await read().catch((thrown) => {
      if (!reader.finished || signal.aborted) throw thrown;
      return undefined;
    });
    const events = readAnswer(() => reader.feed(data ?? []));
    done = !data || reader.ended;
    if (!data && !reader.finished) {
      throw new UpstreamFault("cut", "The upstream broke off in the middle of its answer");
    }
    if (done) {
      events.push(...readAnswer(() => reader.flush()));
      if (reader.promptTokens) onPromptTokens(reader.promptTokens);
    }
    if (reader.finished) deadline.extend(DRAIN_TIMEOUT);
    return events;
  }

  /** Reads what follows the end, so that the connection can be used again, but not for ever. */
  function drain(): void {
    const cancel = clock.after(DRAIN_TIMEOUT, () => deadline.close());
    const readAll = async () => {
      while (await read());
    };
    readAll().catch(() => {}).finally(() => {
      cancel();
      deadline.close();
    });
  }

  return iterate(async () => {
    try {
      while (!done) {
        const events = await readOn();
        if (events.length > 0) return { value: events, done: false };
      }
    } catch (thrown) {
      done = true;
      deadline.close();
      throw deadline.explain(thrown);
    }
    drain();
    return { value: undefined, done: true };
  });
}

/**
 * How an attempt is made, for whom, how many milliseconds its first content may take, what of it is of use (anything),
 * and who is told what a host counts.
 */
type AttemptOptions = {
  settings: Required<ChainOptions>;
  options: SendOptions;
  limit: number;
  isOfUse?: IsOfUse | undefined;
  onPromptTokens: (actual: number) => void;
};

/**
 * Asks one candidate once, with the body made of the request.
 *
 * @throws {ApiError} If it refuses, breaks off or is silent for too long before its first content, or has none of use.
 */
export async function attempt(
  request: MessagesRequest,
  body: JsonObject,
  candidate: Candidate,
  how: AttemptOptions,
): Promise<Answer["events"]> {
  const { settings, options, limit, isOfUse = () => true } = how;
  const { clock, call, userAgent, newId, idleTimeout } = settings;
  const { tokens, headers: client } = options;
  const { backend } = candidate;
  const json = toJsonText(body);
  const deadline = new Deadline(clock, options.signal, limit);
  try {
    const { baseUrl, format = "openai" } = backend;
    const headers = toUpstreamHeaders(backend, { stream: Boolean(body.stream), userAgent, client });
    const { signal } = deadline;
    let answer = await call(PROTOCOLS[format].toUrl(baseUrl), { method: "POST", headers, body: json, signal });
    // NVIDIA may queue a request: 202 and an id under which to ask for the answer.
    for (let id = answer.headers.get("nvcf-reqid"); answer.status === 202 && id;) {
      answer.cancel();
      await sleep(clock, POLL_INTERVAL, signal);
      answer = await call(`${baseUrl}/status/${encodeURIComponent(id)}`, { headers, signal });
      id = answer.headers.get("nvcf-reqid") ?? id;
    }
    deadline.listen();
    if (answer.status < 200 || answer.status > 299) {
      const refusal = await readLimited(answer, MAX_REFUSAL_BYTES);
      throw toUpstreamFault(answer.status, refusal, candidate, answer.headers, clock.now());
    }
    const inputTokens = tokens.count(candidate);
    const reader = PROTOCOLS[format].createReader(request, { candidate, inputTokens, newId });
    const read = toDataReader(answer, candidate, deadline, clock);
    const events = readEvents(read, reader, deadline, how);
    const held: MessageStreamEvent[] = [];
    for (let ready = false; !ready;) {
      const { value } = await events.next();
      if (!value) throw new BadAnswer("empty", "has nothing that is of use");
      deadline.extend(idleTimeout);
      held.push(...value);
      ready = value.some(isOfUse);
    }
    return iterate(() => held.length > 0 ? Promise.resolve({ value: held.splice(0), done: false }) : events.next());
  } catch (thrown) {
    deadline.close();
    throw deadline.explain(thrown);
  }
}
