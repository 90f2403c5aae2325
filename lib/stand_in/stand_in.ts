import { type Clock, systemClock } from "../wire/clock.ts";
import type { ChatDelta, ChatRequest, ChatUsage } from "../wire/openai.ts";
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

/** What a step comes to: a delta, or a chunk as it stands. */
type Piece = { delta: ChatDelta } | { chunk: unknown };

function toPieces(text: string | string[], size = 12): string[] {
  return typeof text === "string" ? text.match(new RegExp(`.{1,${size}}`, "gsu")) ?? [] : text;
}

/** The deltas of a step; `calls` is how many calls came before. */
function toDeltas(step: Step, calls: number): ChatDelta[] {
  if ("text" in step) return toPieces(step.text, step.size).map((content) => ({ content }));
  if ("reasoning" in step) return toPieces(step.reasoning, step.size).map((text) => ({ reasoning_content: text }));
  if ("deltas" in step) return step.deltas.map((tool_calls) => ({ tool_calls }));
  if (!("calls" in step)) return [];
  return step.calls.map(({ name, arguments: args, id }, i) => {
    const index = calls + i;
    const call = { name, arguments: typeof args === "string" ? args : JSON.stringify(args) };
    return { tool_calls: [{ index, id: id ?? `chatcmpl-tool-${index}`, type: "function", function: call }] };
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

/** Plays the steps of an answer; gives the finish reason, or nothing when the stream just ends. */
async function* play(
  steps: Step[] = [],
  signal: AbortSignal,
  clock: Clock,
): AsyncGenerator<Piece, string | undefined> {
  let [finish, calls] = ["", 0];
  for (const step of steps) {
    for (const delta of toDeltas(step, calls)) {
      if (delta.tool_calls) calls++;
      yield { delta };
    }
    if ("chunk" in step) yield step;
    else if ("wait" in step) await wait(step.wait, signal, clock);
    else if ("finish" in step) finish = step.finish;
    else if ("stop" in step && step.stop === "cut") throw new TypeError("terminated");
    else if ("stop" in step) return undefined;
  }
  return finish || (calls > 0 ? "tool_calls" : "stop");
}

function countTokens({ messages, tools = [] }: ChatRequest, written: number): ChatUsage {
  const read = JSON.stringify(messages).length + JSON.stringify(tools).length;
  return { prompt_tokens: Math.ceil(read / 4), completion_tokens: Math.ceil(written / 4) };
}

/** Makes a fake upstream; what it does is the same each time. */
export function createStandIn(options: StandInOptions = {}): StandIn {
  const { models = { [DEMO_MODEL]: answerAsDemoModel }, apiKey, clock = systemClock } = options;
  const requests: ChatRequest[] = [];
  let open = 0;

  function choose(body: ChatRequest): ScriptedAnswer {
    const script = Object.hasOwn(models, body.model) ? models[body.model] : undefined;
    if (!script) return { status: 404, body: "404 page not found" };
    const detail = findRefusal(body);
    if (detail) return { status: 400, body: { status: 400, title: "Bad Request", detail } };
    const turn = requests.filter(({ model }) => model === body.model).length;
    requests.push(body);
    return script(body, turn) ?? answerAsDemoModel(body);
  }

  /** Streams an answer; what is asked for whole is the same chunks put together. */
  function toStream(request: ChatRequest, answer: ScriptedAnswer, signal: AbortSignal): ReadableStream<Uint8Array> {
    const encoder = new TextEncoder();
    const base = { id: "chatcmpl-0", object: "chat.completion.chunk", created: 0, model: request.model };
    return new ReadableStream({
      async start(controller) {
        let written = 0;
        const write = (data: string) => controller.enqueue(encoder.encode(`data: ${data}\n\n`));
        const writeDelta = (delta: ChatDelta, finish_reason: string | null) =>
          write(JSON.stringify({ ...base, choices: [{ index: 0, delta, finish_reason }] }));
        open++;
        try {
          const pieces = play(answer.steps, signal, clock);
          let next = await pieces.next();
          for (; !next.done; next = await pieces.next()) {
            written += JSON.stringify(next.value).length;
            if ("delta" in next.value) writeDelta(next.value.delta, null);
            else write(JSON.stringify(next.value.chunk));
          }
          if (next.value) {
            writeDelta({}, next.value);
            const usage = answer.usage === undefined ? countTokens(request, written) : answer.usage;
            if (usage && request.stream_options?.include_usage) {
              write(JSON.stringify({ ...base, choices: [], usage }));
            }
            write("[DONE]");
          }
          controller.close();
        } catch (thrown) {
          controller.error(thrown);
        } finally {
          open--;
        }
      },
    });
  }

  async function complete(request: ChatRequest, answer: ScriptedAnswer, signal: AbortSignal): Promise<Response> {
    let [content, reasoning_content] = ["", ""];
    const tool_calls: unknown[] = [];
    const pieces = play(answer.steps, signal, clock);
    let next = await pieces.next();
    for (; !next.done; next = await pieces.next()) {
      if ("chunk" in next.value) return Response.json(next.value.chunk);
      const { delta } = next.value;
      content += delta.content ?? "";
      reasoning_content += delta.reasoning_content ?? "";
      tool_calls.push(...delta.tool_calls ?? []);
    }
    const message = {
      role: "assistant",
      content: content || null,
      ...(reasoning_content ? { reasoning_content } : {}),
      ...(tool_calls.length > 0 ? { tool_calls } : {}),
    };
    const usage = answer.usage === undefined ? countTokens(request, JSON.stringify(message).length) : answer.usage;
    return Response.json({ choices: [{ index: 0, message, finish_reason: next.value }], usage });
  }

  async function answerChat(body: ChatRequest, signal: AbortSignal): Promise<Response> {
    const answer = choose(body);
    const { delay = 0, status = 200, headers = {}, body: failure } = answer;
    if (delay > 0) await wait(delay, signal, clock);
    if (status >= 400 && typeof failure === "string") return new Response(failure, { status, headers });
    if (status >= 400) return Response.json(failure, { status, headers });
    if (!body.stream) return await complete(body, answer, signal);
    const type = { "content-type": "text/event-stream" };
    return new Response(toStream(body, answer, signal), { headers: { ...type, ...headers } });
  }

  return {
    requests,
    get open() {
      return open;
    },
    async fetch(input, init) {
      const request = new Request(input, init);
      const { pathname } = new URL(request.url);
      if (pathname === "/v1/models") {
        const data = Object.keys(models).map((id) => ({
          id,
          object: "model",
          created: 735790403,
          owned_by: "arbiter",
        }));
        return Response.json({ object: "list", data });
      }
      if (pathname !== "/v1/chat/completions") return new Response("404 page not found", { status: 404 });
      if (apiKey && request.headers.get("authorization") !== `Bearer ${apiKey}`) {
        return Response.json({ status: 401, title: "Unauthorized", detail: "Authentication failed" }, { status: 401 });
      }
      // A request made from another's parts loses the signal that a server has put on it.
      return await answerChat(
        await request.json(),
        init?.signal ?? (input instanceof Request ? input : request).signal,
      );
    },
  };
}
