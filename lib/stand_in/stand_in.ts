import { type Clock, sleep, systemClock } from "../wire/clock.ts";
import type { Fetch } from "../wire/fetch.ts";
import type { ChatChoice, ChatChunk, ChatDelta, ChatRequest, ToolCallDelta } from "../wire/openai.ts";
import { answerAsDemoModel } from "./demo_model.ts";
import type { Script, ScriptedAnswer, Step } from "./script.ts";
import { findRefusal } from "./strictness.ts";

/** Id of the model that `--demo` uses. */
export const DEMO_MODEL = "arbiter/demo-model";

/**
 * Options of {@linkcode createStandIn}: what each model does (`arbiter/demo-model` alone; one that is not listed does not
 * exist), the key that must be sent (any or none will do), the clock that silences run on (the machine's) and how many
 * of the latest requests are kept (all).
 */
export type StandInOptions = { models?: Record<string, Script>; apiKey?: string; clock?: Clock; keep?: number };

/**
 * A fake of NVIDIA's hosted API: as strict, as talkative and, on request, as broken. It keeps well-formed chat
 * requests and counts the streams that are `open`.
 */
export type StandIn = { fetch: Fetch; requests: ChatRequest[]; readonly open: number };

/** Waits `ms` milliseconds, `Infinity` until the client goes away. */
type Wait = (ms: number) => Promise<void>;

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

/** Plays an answer: its chunks, then the finish reason, the usage and `[DONE]`, unless the stream just ends. */
async function* play(request: ChatRequest, answer: ScriptedAnswer, wait: Wait): AsyncGenerator<ChatChunk | "[DONE]"> {
  const { messages, tools = [], stream, stream_options } = request;
  let [finish, calls, written] = ["", 0, 0];
  for (const step of answer.steps ?? []) {
    const deltas = toDeltas(step, calls);
    calls += deltas.filter(({ tool_calls }) => tool_calls).length;
    const chunks = "chunk" in step ? [step.chunk as ChatChunk] : deltas.map((delta) => ({ choices: [{ delta }] }));
    written += JSON.stringify(chunks).length;
    yield* chunks;
    if ("wait" in step) await wait(step.wait);
    else if ("finish" in step) finish = step.finish;
    else if ("stop" in step && step.stop === "cut") throw new TypeError("terminated");
    else if ("stop" in step) return;
  }
  yield { choices: [{ delta: {}, finish_reason: finish || (calls > 0 ? "tool_calls" : "stop") }] };
  const read = JSON.stringify(messages).length + JSON.stringify(tools).length;
  const counts = { prompt_tokens: Math.ceil(read / 4), completion_tokens: Math.ceil(written / 4) };
  const { usage = counts } = answer;
  if (usage && (!stream || stream_options?.include_usage)) yield { choices: [], usage };
  yield "[DONE]";
}

/** An answer in server-sent events, as NVIDIA's hosts write them. */
async function* toEvents(request: ChatRequest, answer: ScriptedAnswer, wait: Wait): AsyncGenerator<string> {
  const base = { id: "chatcmpl-0", object: "chat.completion.chunk", created: 0, model: request.model };
  for await (const chunk of play(request, answer, wait)) {
    const full = chunk !== "[DONE]" && chunk.choices ? { ...base, ...chunk } : chunk;
    yield `data: ${full === "[DONE]" ? full : JSON.stringify(full)}\n\n`;
  }
}

/** An answer whole: the same chunks put together. */
async function toCompletion(request: ChatRequest, answer: ScriptedAnswer, wait: Wait): Promise<unknown> {
  const message: ChatDelta & { content: string; tool_calls: ToolCallDelta[] } = { content: "", tool_calls: [] };
  const choice: ChatChoice = { message };
  const whole: ChatChunk = { choices: [choice], usage: null };
  for await (const chunk of play(request, answer, wait)) {
    if (chunk === "[DONE]") break;
    if (chunk.error) return chunk;
    const { delta = {}, finish_reason } = chunk.choices?.[0] ?? {};
    message.content += delta?.content ?? "";
    if (delta?.reasoning_content) {
      message.reasoning_content = (message.reasoning_content ?? "") + delta.reasoning_content;
    }
    message.tool_calls.push(...delta?.tool_calls ?? []);
    if (finish_reason) choice.finish_reason = finish_reason;
    if (chunk.usage) whole.usage = chunk.usage;
  }
  return whole;
}

/** Makes a fake upstream; what it does is the same each time. */
export function createStandIn(options: StandInOptions = {}): StandIn {
  const { models = { [DEMO_MODEL]: answerAsDemoModel }, apiKey, clock = systemClock, keep = Infinity } = options;
  const requests: ChatRequest[] = [];
  /** How many requests each model had. */
  const turns = new Map<string, number>();
  let open = 0;

  function choose(body: ChatRequest): ScriptedAnswer {
    const script = Object.hasOwn(models, body.model) ? models[body.model] : undefined;
    const detail = findRefusal(body);
    if (!script) return { status: 404, body: "404 page not found" };
    if (detail) return { status: 400, body: { status: 400, title: "Bad Request", detail } };
    const turn = turns.get(body.model) ?? 0;
    turns.set(body.model, turn + 1);
    requests.push(body);
    if (requests.length > keep) requests.shift();
    return script(body, turn) ?? answerAsDemoModel(body);
  }

  function toStream(events: AsyncGenerator<string>): ReadableStream<Uint8Array> {
    const encoder = new TextEncoder();
    return new ReadableStream({
      async start(controller) {
        open++;
        try {
          for await (const event of events) controller.enqueue(encoder.encode(event));
          controller.close();
        } finally {
          open--;
        }
      },
    });
  }

  async function answerChat(body: ChatRequest, signal: AbortSignal): Promise<Response> {
    const answer = choose(body);
    const { delay = 0, status = 200, headers = {}, body: failure } = answer;
    const wait = (ms: number) => sleep(clock, ms, signal);
    if (delay > 0) await wait(delay);
    if (status >= 400 && typeof failure === "string") return new Response(failure, { status, headers });
    if (status >= 400) return Response.json(failure, { status, headers });
    if (!body.stream) return Response.json(await toCompletion(body, answer, wait));
    const type = { "content-type": "text/event-stream", ...headers };
    return new Response(toStream(toEvents(body, answer, wait)), { headers: type });
  }

  return {
    requests,
    get open() {
      return open;
    },
    async fetch(input, init) {
      const request = input instanceof Request ? new Request(input, init) : new Request(String(input), init);
      const { pathname } = new URL(request.url);
      const data = Object.keys(models).map((id) => ({ id, object: "model", created: 735790403, owned_by: "arbiter" }));
      if (pathname === "/v1/models") return Response.json({ object: "list", data });
      if (pathname !== "/v1/chat/completions") return new Response("404 page not found", { status: 404 });
      if (apiKey && request.headers.get("authorization") !== `Bearer ${apiKey}`) {
        return Response.json({ status: 401, title: "Unauthorized", detail: "Authentication failed" }, { status: 401 });
      }
      // A request made of another loses the signal that a server has put on that one.
      const { signal } = init?.signal ? { signal: init.signal } : input instanceof Request ? input : request;
      return await answerChat(await request.json() as ChatRequest, signal);
    },
  };
}
