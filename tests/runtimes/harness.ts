import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout } from "node:timers";
import {
  type Arbiter,
  type ArbiterOptions,
  type ChatRequest,
  createArbiter,
  createStandIn,
  type JsonObject,
  type MessagesRequest,
  type Script,
  type ScriptedAnswer,
  serve,
  type Server,
  type StandIn,
  type StandInOptions,
} from "../../mod.ts";
import { type FakeClock, settle } from "../support/fake_clock.ts";

/** The model of these tests; no family knows it. */
export const MODEL = "test/model";

/** What Claude Code calls itself. */
export const CLAUDE_CODE = "claude-cli/2.1.328 (external, cli)";

/** One call of the upstream: its address, its body and the signal that ends it. */
export interface UpstreamCall {
  url: string;
  headers: Headers;
  body: ChatRequest;
  signal: AbortSignal;
}

/** A proxy, the upstream behind it and what the upstream was asked. */
export interface Rig {
  arbiter: Arbiter;
  standIn: StandIn;
  calls: UpstreamCall[];
}

/** Options of {@linkcode createRig}. */
export interface RigOptions extends ArbiterOptions {
  /** Options of the stand-in; it runs on the proxy's clock if it is given none. */
  standIn?: StandInOptions;
}

function spy(fetch: typeof globalThis.fetch, calls: UpstreamCall[]): typeof globalThis.fetch {
  return async (input, init) => {
    const signal = init?.signal;
    if (!signal) throw new TypeError("an upstream call that cannot be ended");
    calls.push({
      url: String(input),
      headers: new Headers(init.headers),
      body: JSON.parse(String(init.body ?? "{}")),
      signal,
    });
    signal.throwIfAborted(); // As every fetch does.
    return await fetch(input, init);
  };
}

/** Makes a proxy in front of a stand-in that does what `script` says, or in front of `options.fetch`. */
export function createRig(script: Script | ScriptedAnswer, options: RigOptions = {}): Rig {
  const { standIn: extra, ...rest } = options;
  const model = options.model ?? MODEL;
  const models = { [model]: typeof script === "function" ? script : () => script };
  const clock = options.clock ? { clock: options.clock } : {};
  const standIn = createStandIn({ models, ...clock, ...extra });
  const calls: UpstreamCall[] = [];
  const fetch = spy(options.fetch ?? standIn.fetch, calls);
  const arbiter = createArbiter({ baseUrl: "http://stand-in/v1", model, ...rest, fetch });
  return { arbiter, standIn, calls };
}

/** Nothing may be left behind: no timer, no call. */
export async function checkReleased({ clock, standIn, calls }: Rig & { clock: FakeClock }): Promise<void> {
  await settle();
  assert.equal(clock.pending, 0, `${clock.pending} timers are left`);
  assert.equal(standIn.open, 0, "an upstream call is left");
  for (const { signal } of calls) assert.equal(signal.aborted, true, "a call was not let go");
}

/** Makes a proxy that listens until the test is over. */
export async function startRig(
  t: TestContext,
  script: Script | ScriptedAnswer,
  options: RigOptions = {},
): Promise<Rig & { server: Server }> {
  const rig = createRig(script, options);
  const server = await serve(rig.arbiter.fetch);
  t.after(() => server.close());
  return { ...rig, server };
}

/** A small legal request, changed by `fields`. */
export function toBody(fields: Partial<MessagesRequest> & JsonObject = {}): MessagesRequest {
  return { model: "claude-sonnet-5", max_tokens: 1000, messages: [{ role: "user", content: "Hello" }], ...fields };
}

/** What a request may have beside its body. */
export interface AskOptions {
  userAgent?: string;
  signal?: AbortSignal;
  path?: string;
}

/** Makes a request to the messages route. */
export function toRequest(fields: Partial<MessagesRequest> & JsonObject = {}, options: AskOptions = {}): Request {
  const { userAgent = "test", signal, path = "/v1/messages" } = options;
  return new Request(`http://localhost${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", "user-agent": userAgent },
    body: JSON.stringify(toBody(fields)),
    ...(signal ? { signal } : {}),
  });
}

/** Gives each of `pieces` to one read of an upstream's answer, and ends there or `stays`. */
export function serveBytes(pieces: readonly (string | Uint8Array)[], stays = false): typeof fetch {
  const encoder = new TextEncoder();
  return (_input, init) => {
    let next = 0;
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        init?.signal?.addEventListener("abort", () => {
          try {
            controller.error(init.signal?.reason);
          } catch {
            // It had ended.
          }
        });
      },
      pull(controller) {
        const piece = pieces[next++];
        if (piece !== undefined) return controller.enqueue(typeof piece === "string" ? encoder.encode(piece) : piece);
        if (stays) return new Promise(() => {});
        controller.close();
      },
    });
    return Promise.resolve(new Response(body, { headers: { "content-type": "text/event-stream" } }));
  };
}

/** The server-sent event for a chunk. */
export function toSse(chunk: unknown): string {
  return `data: ${typeof chunk === "string" ? chunk : JSON.stringify(chunk)}\n\n`;
}

/** A chunk with a delta. */
export function toChunk(delta: JsonObject, finish_reason: string | null = null): JsonObject {
  return { id: "chatcmpl-0", object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason }] };
}

/** Waits until something that happens elsewhere has happened. */
export async function until(what: string, happened: () => boolean | Promise<boolean>): Promise<void> {
  const began = Date.now();
  while (!await happened()) {
    if (Date.now() - began > 30_000) throw new Error(`Waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
