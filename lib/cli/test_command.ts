import { SseDecoder } from "../stream/sse_decoder.ts";
import { isJsonObject, parseJson } from "../wire/json.ts";
import { toServerUrl } from "../server/serve.ts";
import { toToken } from "./claude_env.ts";
import type { Context } from "./io.ts";
import { readAddress } from "./proxy.ts";
import { toAmount, toRows } from "./rows.ts";
import { readOwnToken } from "./run_file.ts";
import { localFetch } from "./running.ts";

/** Milliseconds a proxy is given to show that it is there. */
const PRESENCE_TIMEOUT = 5_000;
/** Milliseconds a proxy is given for each answer: models think. */
const TEST_TIMEOUT = 120_000;

/** Asks the proxy under test: a route and a body to post, if any. */
type Ask = (path: string, body?: object, method?: string) => Promise<Response>;

/** A check of a proxy; what it throws is what is wrong, what it gives a remark. */
type ProxyCheck = readonly [name: string, check: (ask: Ask, model: string) => Promise<string | void>];

function expect(fine: unknown, otherwise: string): asserts fine {
  if (!fine) throw new Error(otherwise);
}

async function readObject(response: Response, status = 200): Promise<Record<string, unknown>> {
  const text = await response.text();
  expect(response.status === status, `status ${response.status}, not ${status}: ${text.slice(0, 200)}`);
  const value = parseJson(text);
  expect(isJsonObject(value), `no JSON object: ${text.slice(0, 80)}`);
  return value;
}

/** Goes through a stream by Anthropic's grammar. */
function checkGrammar(events: readonly unknown[]): void {
  let [open, next, before] = [-1, 0, ""];
  for (const event of events) {
    expect(isJsonObject(event), "an event is no JSON object");
    const { type, index } = event;
    expect(type !== "error", `an error: ${JSON.stringify(event.error)}`);
    if (type === "ping" || (type === "message_delta" && isJsonObject(event.delta) && !event.delta.stop_reason)) {
      continue;
    }
    const legal: Record<string, boolean> = {
      message_start: before === "",
      content_block_start: before !== "" && open < 0 && index === next,
      content_block_delta: open >= 0 && index === open,
      content_block_stop: open >= 0 && index === open,
      message_delta: before !== "" && open < 0,
      message_stop: before === "message_delta",
    };
    const fine = Object.hasOwn(legal, String(type)) && legal[String(type)];
    expect(fine && (before !== "message_delta" || type === "message_stop"), `${type} after ${before || "nothing"}`);
    if (type === "content_block_start") open = next++;
    if (type === "content_block_stop") open = -1;
    before = String(type);
  }
  expect(before === "message_stop", `the stream ends with ${before || "nothing"}`);
}

const BASH = {
  name: "Bash",
  description: "Run a command",
  input_schema: { type: "object", properties: { command: { type: "string" } }, required: ["command"] },
};
const toBody = (model: string, content: string, more: object = {}) => {
  return { model, max_tokens: 1024, messages: [{ role: "user", content }], ...more };
};

/** What any proxy for Claude Code must do. */
const PROXY_CHECKS: readonly ProxyCheck[] = [
  ["GET /health", async (ask) => void await readObject(await ask("/health"))],
  ["HEAD /", async (ask) => expect((await ask("/", undefined, "HEAD")).ok, "it is refused")],
  ["GET /v1/models", async (ask) => {
    const { data } = await readObject(await ask("/v1/models"));
    expect(Array.isArray(data) && data.every(({ id }) => typeof id === "string"), "no list of models");
    return toAmount(data.length, "model");
  }],
  ["count_tokens", async (ask, model) => {
    const { messages } = toBody(model, "How many tokens are this?");
    const { input_tokens } = await readObject(await ask("/v1/messages/count_tokens", { model, messages }));
    expect(Number.isInteger(input_tokens) && Number(input_tokens) > 0, `input_tokens is ${input_tokens}`);
    return `${input_tokens} tokens`;
  }],
  ["message", async (ask, model) => {
    const message = await readObject(await ask("/v1/messages", toBody(model, "Say hello.")));
    expect(message.type === "message" && Array.isArray(message.content), "no message");
    expect(typeof message.stop_reason === "string" && isJsonObject(message.usage), "no stop reason, or no usage");
  }],
  ["stream", async (ask, model) => {
    const response = await ask("/v1/messages", toBody(model, "Say hello.", { stream: true }));
    const bytes = new Uint8Array(await response.arrayBuffer());
    expect(response.ok, `status ${response.status}: ${new TextDecoder().decode(bytes).slice(0, 200)}`);
    const decoder = new SseDecoder();
    checkGrammar([...decoder.feed(bytes), ...decoder.flush()].map(parseJson));
  }],
  ["tool call", async (ask, model) => {
    const body = toBody(model, "Run `ls` with the tool Bash.", { tools: [BASH] });
    const { content, stop_reason } = await readObject(await ask("/v1/messages", body));
    const calls = Array.isArray(content) ? content.filter(({ type }) => type === "tool_use") : [];
    if (calls.length === 0) return "the model made none";
    expect(stop_reason === "tool_use", `stop_reason is ${stop_reason}`);
    expect(calls.every(({ id, input }) => /^toolu_/.test(id) && isJsonObject(input)), "a call without id or input");
  }],
  ["unknown route", async (ask) => {
    const { type, error } = await readObject(await ask("/v1/nothing"), 404);
    expect(type === "error" && isJsonObject(error) && error.type === "not_found_error", "not Anthropic's error shape");
  }],
];

/** Goes through what any proxy for Claude Code must do, with one that runs. */
export async function runTest(context: Context): Promise<number> {
  const { io, flags, settings } = context;
  const { host, port } = await readAddress(context);
  const { testUrl } = settings;
  const baseUrl = (testUrl ?? toServerUrl(host, port)).replace(/\/v1$/, "");
  const token = testUrl ? toToken(settings) : await readOwnToken(io, settings, port);
  const ask: Ask = (path, body, method = body ? "POST" : "GET") =>
    localFetch(baseUrl + path, {
      method,
      redirect: "manual",
      headers: {
        authorization: `Bearer ${token}`,
        "anthropic-version": "2023-06-01",
        "content-type": "application/json",
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(TEST_TIMEOUT),
    });
  await localFetch(`${baseUrl}/health`, { signal: AbortSignal.timeout(PRESENCE_TIMEOUT) })
    .then((response) => response.body?.cancel())
    .catch((cause) => {
      const help = "start a proxy with arbiter-proxy serve, or name one with --base-url";
      throw new Error(`Nothing answers at ${baseUrl}: ${help}`, { cause });
    });
  const results: { check: string; ok: boolean; says?: string }[] = [];
  for (const [check, run] of PROXY_CHECKS) {
    const result = await run(ask, flags.model ?? "claude-sonnet-5").then(
      (says) => ({ check, ok: true, ...(says ? { says } : {}) }),
      (thrown: Error) => ({ check, ok: false, says: thrown.message }),
    );
    results.push(result);
    if (flags.json) continue;
    const words = result.says ? `${check}: ${result.says}` : check;
    for (const line of toRows([[result.ok ? "OK  " : "FAIL", words]], io.columns)) io.print(line);
  }
  if (flags.json) io.print(JSON.stringify({ baseUrl, results }, null, 2));
  return results.every(({ ok }) => ok) ? 0 : 1;
}
