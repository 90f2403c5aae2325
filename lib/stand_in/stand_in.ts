import { type Clock, systemClock } from "../wire/clock.ts";
import type { ChatChunk, ChatDelta, ChatRequest, ChatUsage, ToolCallDelta } from "../wire/openai.ts";
import { answerAsDemoModel } from "./demo_model.ts";
import type { Script, ScriptedAnswer, Step } from "./script.ts";
import { findRefusal } from "./strictness.ts";

/** Id of the model that `--demo` uses. */
export const DEMO_MODEL = "arbiter/demo-model";

/** Options of {@linkcode createStandIn}. */
export interface StandInOptions {
  /** What each model does; a model that is not listed does not exist. @default {the demo model alone} */
  models?: Record<string, Script>;
  /** The key that must be sent; any or none will do when left out. */
  apiKey?: string;
  /** The clock that delays and silences run on. @default {systemClock} */
  clock?: Clock;
}

/** A fake of NVIDIA's hosted API: as strict, as talkative and, on request, as broken. */
export interface StandIn {
  /** Answers one request; it stands in for the `fetch` that would go upstream. */
  fetch: typeof fetch;
  /** Every well-formed chat request so far, in order. */
  requests: ChatRequest[];
  /** How many answers are going on. */
  readonly open: number;
}

function toPieces(text: string | string[], size = 12): string[] {
  return typeof text === "string" ? text.match(new RegExp(`.{1,${size}}`, "gsu")) ?? [] : text;
}

/** The chunks' contents of a step; `calls` is how many calls came before. */
function toDeltas(step: Step, calls: number): ChatDelta[] {
  if ("text" in step) return toPieces(step.text, step.size).map((content) => ({ content }));
  if ("reasoning" in step) return toPieces(step.reasoning, step.size).map((text) => ({ reasoning_content: text }));
  if ("deltas" in step) return step.deltas.map((tool_calls) => ({ tool_calls }));
  if (!("calls" in step)) return [];
  return step.calls.map(({ name, arguments: args, id = `chatcmpl-tool-${name}` }, i) => {
    const call = { name, arguments: typeof args === "string" ? args : JSON.stringify(args) };
    return { tool_calls: [{ index: calls + i, id, type: "function", function: call }] };
  });
}

function wait(ms: number, signal: AbortSignal, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = Number.isFinite(ms) ? clock.after(ms, resolve) : () => {};
    const leave = () => {
      cancel();
      reject(signal.reason);
    };
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
  });
}

/** Plays an answer: gives its chunks, and at the end the finish reason unless the stream just ends. */
async function* play(
  { steps = [] }: ScriptedAnswer,
  signal: AbortSignal,
  clock: Clock,
): AsyncGenerator<ChatChunk, string | undefined> {
  let [finish, calls] = ["", 0];
  for (const step of steps) {
    for (const delta of toDeltas(step, calls)) {
      if (delta.tool_calls) calls++;
      yield { choices: [{ delta }] };
    }
    if ("chunk" in step) yield step.chunk as ChatChunk;
    else if ("wait" in step) await wait(step.wait, signal, clock);
    else if ("finish" in step) finish = step.finish;
    else if ("stop" in step && step.stop === "cut") throw new TypeError("terminated");
    else if ("stop" in step) return undefined;
  }
  return finish || (calls > 0 ? "tool_calls" : "stop");
}

function toUsageOf(
  { messages, tools = [] }: ChatRequest,
  { usage }: ScriptedAnswer,
  written: number,
): ChatUsage | null {
  const read = JSON.stringify(messages).length + JSON.stringify(tools).length;
  return usage === undefined
    ? { prompt_tokens: Math.ceil(read / 4), completion_tokens: Math.ceil(written / 4) }
    : usage;
}

/** An answer in server-sent events, as NVIDIA's hosts write them. */
async function* toEvents(
  request: ChatRequest,
  answer: ScriptedAnswer,
  signal: AbortSignal,
  clock: Clock,
): AsyncGenerator<string, void> {
  const base = { id: "chatcmpl-0", object: "chat.completion.chunk", created: 0, model: request.model };
  let written = 0;
  const chunks = play(answer, signal, clock);
  let next = await chunks.next();
  for (; !next.done; next = await chunks.next()) {
    written += JSON.stringify(next.value).length;
    yield JSON.stringify(next.value.choices ? { ...base, ...next.value } : next.value);
  }
  if (next.value === undefined) return;
  yield JSON.stringify({ ...base, choices: [{ index: 0, delta: {}, finish_reason: next.value }] });
  const usage = request.stream_options?.include_usage ? toUsageOf(request, answer, written) : null;
  if (usage) yield JSON.stringify({ ...base, choices: [], usage });
  yield "[DONE]";
}

/** An answer whole: the same chunks put together. */
async function toCompletion(
  request: ChatRequest,
  answer: ScriptedAnswer,
  signal: AbortSignal,
  clock: Clock,
): Promise<unknown> {
  const message: ChatDelta & { content: string; tool_calls: ToolCallDelta[] } = { content: "", tool_calls: [] };
  const chunks = play(answer, signal, clock);
  let next = await chunks.next();
  for (; !next.done; next = await chunks.next()) {
    if (next.value.error) return next.value;
    const { content = "", reasoning_content, tool_calls } = next.value.choices?.[0]?.delta ?? {};
    message.content += content;
    if (reasoning_content) message.reasoning_content = (message.reasoning_content ?? "") + reasoning_content;
    message.tool_calls.push(...tool_calls ?? []);
  }
  const usage = toUsageOf(request, answer, JSON.stringify(message).length);
  return { choices: [{ index: 0, message, finish_reason: next.value }], usage };
}

/** Makes a fake upstream; what it does is the same each time. */
export function createStandIn(options: StandInOptions = {}): StandIn {
  const { models = { [DEMO_MODEL]: answerAsDemoModel }, apiKey, clock = systemClock } = options;
  const requests: ChatRequest[] = [];
  let open = 0;

  function choose(body: ChatRequest): ScriptedAnswer {
    const script = Object.hasOwn(models, body.model) ? models[body.model] : undefined;
    const detail = findRefusal(body);
    if (!script) return { status: 404, body: "404 page not found" };
    if (detail) return { status: 400, body: { status: 400, title: "Bad Request", detail } };
    const turn = requests.filter(({ model }) => model === body.model).length;
    requests.push(body);
    return script(body, turn) ?? answerAsDemoModel(body);
  }

  function toStream(events: AsyncGenerator<string, void>): ReadableStream<Uint8Array> {
    const encoder = new TextEncoder();
    return new ReadableStream({
      async start(controller) {
        open++;
        try {
          for await (const data of events) controller.enqueue(encoder.encode(`data: ${data}\n\n`));
          controller.close();
        } catch (thrown) {
          controller.error(thrown);
        } finally {
          open--;
        }
      },
    });
  }

  async function answerChat(body: ChatRequest, signal: AbortSignal): Promise<Response> {
    const answer = choose(body);
    const { delay = 0, status = 200, headers = {}, body: failure } = answer;
    if (delay > 0) await wait(delay, signal, clock);
    if (status >= 400 && typeof failure === "string") return new Response(failure, { status, headers });
    if (status >= 400) return Response.json(failure, { status, headers });
    if (!body.stream) return Response.json(await toCompletion(body, answer, signal, clock));
    const type = { "content-type": "text/event-stream", ...headers };
    return new Response(toStream(toEvents(body, answer, signal, clock)), { headers: type });
  }

  return {
    requests,
    get open() {
      return open;
    },
    async fetch(input, init) {
      const request = new Request(input, init);
      const { pathname } = new URL(request.url);
      const data = Object.keys(models).map((id) => ({ id, object: "model", created: 735790403, owned_by: "arbiter" }));
      if (pathname === "/v1/models") return Response.json({ object: "list", data });
      if (pathname !== "/v1/chat/completions") return new Response("404 page not found", { status: 404 });
      if (apiKey && request.headers.get("authorization") !== `Bearer ${apiKey}`) {
        return Response.json({ status: 401, title: "Unauthorized", detail: "Authentication failed" }, { status: 401 });
      }
      // A request made of another loses the signal that a server has put on that one.
      const { signal } = init?.signal ? { signal: init.signal } : input instanceof Request ? input : request;
      return await answerChat(await request.json(), signal);
    },
  };
}
