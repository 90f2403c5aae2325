import { type Clock, createTimeout, systemClock } from "../wire/clock.ts";
import type { ChatDelta, ChatRequest, ChatUsage } from "../wire/openai.ts";
import { answerAsDemoModel } from "./demo_model.ts";
import { FAULT_ANSWERS, type Script, type ScriptedAnswer, type Step } from "./script.ts";
import { refuseRequest } from "./strictness.ts";

/** Id of the model that `--demo` uses. */
export const DEMO_MODEL = "arbiter/demo-model";

/** Options of {@linkcode createStandIn}. */
export interface StandInOptions {
  /** What each model does; a model that is not listed does not exist. @default {the demo model} */
  models?: Record<string, Script>;
  /** The key that must be sent; any or none will do when left out. */
  apiKey?: string;
  clock?: Clock;
}

/** A fake of NVIDIA's hosted API: as strict, as talkative and, on request, as broken. */
export interface StandIn {
  /** Answers one request; it stands in for the `fetch` that would go upstream. */
  fetch: typeof fetch;
  /** Every chat request so far that was well-formed, in order. */
  requests: ChatRequest[];
  /** How many answers are going on. */
  readonly open: number;
}

interface Writer {
  write: (data: string) => void;
  signal: AbortSignal;
  clock: Clock;
}

/** Ends a stream as a script asks for it. */
class Stop {
  readonly how: "cut" | "end";

  constructor(how: "cut" | "end") {
    this.how = how;
  }
}

function toPieces(text: string | string[], size = 12): string[] {
  if (typeof text !== "string") return text;
  const pieces: string[] = [];
  for (let i = 0; i < text.length; i += size) pieces.push(text.slice(i, i + size));
  return pieces;
}

function toArguments(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The deltas of a step; a step without any has its effect elsewhere. */
function toDeltas(step: Step, calls: number): ChatDelta[] {
  if ("text" in step) return toPieces(step.text, step.size).map((content) => ({ content }));
  if ("reasoning" in step) {
    return toPieces(step.reasoning, step.size).map((reasoning_content) => ({ reasoning_content }));
  }
  if ("deltas" in step) return step.deltas.map((tool_calls) => ({ tool_calls }));
  if (!("calls" in step)) return [];
  return step.calls.map(({ name, arguments: args, id }, i) => ({
    tool_calls: [{
      index: calls + i,
      id: id ?? `chatcmpl-tool-${calls + i}`,
      function: { name, arguments: toArguments(args) },
    }],
  }));
}

async function wait(ms: number, { signal, clock }: Writer): Promise<void> {
  const timeout = createTimeout(clock, ms, undefined);
  await new Promise<void>((resolve, reject) => {
    const leave = () => reject(signal.reason);
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
    timeout.promise.then(resolve);
  }).finally(timeout.cancel);
}

/** Plays the steps; gives the finish reason. */
async function play(steps: Step[], writer: Writer, writeDelta: (delta: ChatDelta) => void): Promise<string> {
  let [finish, calls] = ["", 0];
  for (const step of steps) {
    const deltas = toDeltas(step, calls);
    calls += deltas.filter((delta) => delta.tool_calls).length;
    for (const delta of deltas) {
      writeDelta(delta);
      await Promise.resolve();
    }
    if ("chunk" in step) writer.write(JSON.stringify(step.chunk));
    else if ("wait" in step) await wait(step.wait, writer);
    else if ("hang" in step) await wait(2 ** 31 - 1, writer);
    else if ("finish" in step) finish = step.finish;
    else if ("cut" in step) throw new Stop("cut");
    else if ("end" in step) throw new Stop("end");
  }
  return finish || (calls > 0 ? "tool_calls" : "stop");
}

function countTokens(request: ChatRequest, written: number): ChatUsage {
  const prompt = JSON.stringify(request.messages).length +
    JSON.stringify(request.tools ?? []).length;
  return { prompt_tokens: Math.ceil(prompt / 4), completion_tokens: Math.ceil(written / 4) };
}

/** Makes a fake upstream; what it does is the same each time. */
export function createStandIn(options: StandInOptions = {}): StandIn {
  const { models = { [DEMO_MODEL]: answerAsDemoModel }, apiKey, clock = systemClock } = options;
  const requests: ChatRequest[] = [];
  const turns = new Map<string, number>();
  let open = 0;

  function choose(body: ChatRequest): ScriptedAnswer {
    const script = Object.hasOwn(models, body.model) ? models[body.model] : undefined;
    if (!script) return FAULT_ANSWERS.unknown;
    const refusal = refuseRequest(body);
    if (refusal) return refusal;
    const turn = turns.get(body.model) ?? 0;
    turns.set(body.model, turn + 1);
    requests.push(body);
    return script(body, turn) ?? answerAsDemoModel(body);
  }

  function stream(request: ChatRequest, answer: ScriptedAnswer, signal: AbortSignal): ReadableStream {
    const encoder = new TextEncoder();
    const base = { id: "chatcmpl-0", object: "chat.completion.chunk", model: request.model };
    return new ReadableStream({
      async start(controller) {
        const write = (data: string) => controller.enqueue(encoder.encode(`data: ${data}\n\n`));
        let written = 0;
        const writeChunk = (delta: ChatDelta, finish_reason: string | null = null) => {
          written += JSON.stringify(delta).length;
          write(JSON.stringify({ ...base, choices: [{ index: 0, delta, finish_reason }] }));
        };
        open++;
        try {
          const finish = await play(answer.steps ?? [], { write, signal, clock }, writeChunk);
          writeChunk({}, finish);
          const usage = answer.usage === undefined ? countTokens(request, written) : answer.usage;
          if (usage && request.stream_options?.include_usage) {
            write(JSON.stringify({ ...base, choices: [], usage }));
          }
          write("[DONE]");
          controller.close();
        } catch (thrown) {
          if (thrown instanceof Stop && thrown.how === "end") controller.close();
          else controller.error(thrown instanceof Stop ? new TypeError("terminated") : thrown);
        } finally {
          open--;
        }
      },
    });
  }

  async function complete(request: ChatRequest, answer: ScriptedAnswer, signal: AbortSignal): Promise<Response> {
    let [content, reasoning_content] = ["", ""];
    let failure: string | undefined;
    const tool_calls: unknown[] = [];
    const writer = { write: (data: string) => void (failure = data), signal, clock };
    const finish_reason = await play(answer.steps ?? [], writer, (delta) => {
      content += delta.content ?? "";
      reasoning_content += delta.reasoning_content ?? "";
      for (const call of delta.tool_calls ?? []) tool_calls.push({ type: "function", ...call });
    }).catch((thrown) => {
      throw thrown instanceof Stop ? new TypeError("terminated") : thrown;
    });
    if (failure) return new Response(failure, { headers: { "content-type": "application/json" } });
    const calls = tool_calls.length > 0 ? { tool_calls } : {};
    const message = { role: "assistant", content: content || null, reasoning_content, ...calls };
    const counted = countTokens(request, content.length + JSON.stringify(tool_calls).length);
    const usage = answer.usage === undefined ? counted : answer.usage;
    return Response.json({ choices: [{ index: 0, message, finish_reason }], usage });
  }

  async function answerChat(request: Request, signal: AbortSignal): Promise<Response> {
    const body: ChatRequest = await request.json();
    const answer = choose(body);
    const { delay = 0, status = 200, headers = {} } = answer;
    const writer = { write: () => {}, signal, clock };
    if (delay > 0) await wait(delay, writer);
    if (status >= 400) {
      return typeof answer.body === "string"
        ? new Response(answer.body, { status, headers })
        : Response.json(answer.body, { status, headers });
    }
    if (!body.stream) return await complete(body, answer, signal);
    const type = { "content-type": "text/event-stream" };
    return new Response(stream(body, answer, signal), { headers: { ...type, ...headers } });
  }

  return {
    requests,
    get open() {
      return open;
    },
    async fetch(input, init) {
      const request = new Request(input, init);
      const { pathname } = new URL(request.url);
      if (pathname.endsWith("/models")) {
        const data = Object.keys(models).map((id) => ({ id, object: "model", owned_by: "arbiter" }));
        return Response.json({ object: "list", data });
      }
      if (!pathname.endsWith("/chat/completions")) {
        return new Response("404 page not found", { status: 404 });
      }
      if (apiKey && request.headers.get("authorization") !== `Bearer ${apiKey}`) {
        const { status, body } = FAULT_ANSWERS.unauthorized;
        return Response.json(body, { status });
      }
      return await answerChat(request, init?.signal ?? request.signal);
    },
  };
}
