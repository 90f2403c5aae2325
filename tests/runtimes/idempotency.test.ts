/** Requests that come again: under a key that the client gives them, or because its connection broke. */
import Anthropic from "@anthropic-ai/sdk";
import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryStore, type RequestLog, type Script, type ScriptedAnswer, type Store } from "../../mod.ts";
import { advanceAll, FakeClock, settle } from "../support/fake_clock.ts";
import { FAULTS } from "../support/faults.ts";
import { assertLegalStream, parseEvents } from "../support/grammar.ts";
import { startNetwork } from "../support/network.ts";
import {
  CLAUDE_CODE,
  createRig,
  type Rig,
  type RigOptions,
  serveBytes,
  startRig,
  type toBody,
  toChunk,
  toRequest,
  toSse,
  until,
} from "./harness.ts";

const [HOLD, PING, LINGER, TEN_MINUTES] = [8_000, 10_000, 5_000, 600_000];
const KEY = { "idempotency-key": "1" };
const REPEATS = { "x-stainless-retry-count": "0" };
const SESSION = { ...REPEATS, "x-claude-code-session-id": "s" };
/** More than two million characters, none of them over and over again. */
const NUMBERS = Array.from({ length: 400_000 }, (_, i) => i).join(" ");
const ANSWER: ScriptedAnswer = {
  steps: [{ wait: 1_000 }, { text: "Once upon " }, { wait: 1_000 }, { text: "a time" }, { wait: 1_000 }],
};

type Timed = Rig & { clock: FakeClock; logs: RequestLog[] };
type Fields = Parameters<typeof toBody>[0];

function createTimed(script: Script | ScriptedAnswer, options: RigOptions = {}): Timed {
  const [clock, logs] = [new FakeClock(), [] as RequestLog[]];
  const onRequest = (log: RequestLog) => void logs.push(log);
  return { clock, logs, ...createRig(script, { clock, onRequest, ...options }) };
}

/** One request, and what has come of it. */
class Asked {
  status: number | undefined;
  headers = new Headers();
  text = "";
  end: "whole" | "cut" | undefined;
  readonly #gone = new AbortController();
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;

  constructor(rig: Rig, fields: Fields = {}, headers: Record<string, string> = {}, path = "/v1/messages") {
    const request = toRequest({ stream: true, ...fields }, { signal: this.#gone.signal, path });
    for (const [name, value] of Object.entries(headers)) request.headers.set(name, value);
    this.#read(rig.arbiter.fetch(request)).catch(() => this.end = "cut");
  }

  /** Drops the connection, as {@linkcode serve} tells it, or as servers do that leave the body as it is. */
  drop(cancels = true): void {
    this.#gone.abort();
    if (cancels) this.#reader?.cancel().catch(() => {});
  }

  /** The text of its content, however it came. */
  get content(): unknown {
    const whole = this.text.startsWith("{");
    const { content } = whole ? JSON.parse(this.text) : assertLegalStream(parseEvents(this.text));
    return content.map(({ text }: { text: string }) => text).join("");
  }

  get error(): { type: string; message: string } {
    return JSON.parse(this.text).error;
  }

  /** Its stream but for pings. */
  get spoken(): string {
    return this.text.replaceAll(/event: ping\ndata: .*\n\n/g, "").replaceAll(": ping\n\n", "");
  }

  async #read(promise: Promise<Response>): Promise<void> {
    const response = await promise;
    [this.status, this.headers] = [response.status, response.headers];
    const decoder = new TextDecoder();
    this.#reader = response.body!.getReader();
    for (let read = await this.#reader.read(); !read.done; read = await this.#reader.read()) {
      this.text += decoder.decode(read.value, { stream: true });
    }
    this.end = "whole";
  }
}

/** Nothing may be left behind: no timer, no call, and nobody may have asked twice. */
async function checkReleased({ clock, standIn, calls }: Timed, asked = 1): Promise<void> {
  await settle();
  assert.equal(calls.length, asked, `${calls.length} calls upstream`);
  assert.equal(clock.pending, 0, `${clock.pending} timers are left`);
  assert.equal(standIn.open, 0, "an upstream call is left");
}

const PATHS: [path: string, fields: Fields][] = [
  ["/v1/messages", {}],
  ["/v1/chat/completions", { stream_options: { include_usage: true } }],
];

for (const name of ["idempotency-key", "anthropic-idempotency-key"]) {
  test(`the same ${name} and body get the same stream, byte by byte, also later`, async () => {
    for (const [path, fields] of PATHS) {
      const rig = createTimed(ANSWER);
      const first = new Asked(rig, fields, { [name]: "1" }, path);
      await rig.clock.advance(5_000);
      const second = new Asked(rig, fields, { [name]: "1" }, path);
      await rig.clock.advance(5_000);
      assert.deepEqual([first.end, second.end, second.status], ["whole", "whole", 200]);
      assert.match(first.text, /a time/);
      assert.equal(second.text, first.text, path);
      assert.deepEqual([first, second].map(({ headers }) => headers.get("x-arbiter-replayed")), [null, "true"]);
      assert.notEqual(first.headers.get("request-id"), second.headers.get("request-id"));
      await checkReleased(rig);
    }
  });
}

test("what is learned of how the model counts does not change an answer that is there", async () => {
  const rig = createTimed({ steps: [{ text: "Hello" }], usage: { prompt_tokens: 9_000, completion_tokens: 5 } });
  const messages = [{ role: "user" as const, content: NUMBERS.slice(0, 9_000) }];
  const starts: string[] = [];
  for (const headers of [KEY, KEY, {}]) {
    const asked = new Asked(rig, { messages }, headers);
    await rig.clock.advance(0);
    starts.push(asked.text.split("\n")[1]!.replace(/msg_\w+/, ""));
  }
  assert.equal(starts[1], starts[0]);
  assert.notEqual(starts[2], starts[0]);
});

test("the same key joins an answer that is on its way, wherever that stands", async () => {
  for (const [path, fields] of PATHS) {
    for (let at = 0; at <= 3_000; at += 250) {
      const rig = createTimed(ANSWER);
      const first = new Asked(rig, fields, KEY, path);
      await rig.clock.advance(at);
      const second = new Asked(rig, fields, KEY, path);
      await rig.clock.advance(5_000);
      assert.deepEqual([first.end, second.end], ["whole", "whole"]);
      assert.equal(second.text, first.text, `${path} at ${at}`);
      await checkReleased(rig);
    }
  }
});

test("an answer that is not streamed is the same, joined or later", async () => {
  for (const [path] of PATHS) {
    const rig = createTimed(ANSWER);
    const ask = () => new Asked(rig, { stream: false }, KEY, path);
    const asked = [ask()];
    for (const ms of [500, 5_000, 1_000]) {
      await rig.clock.advance(ms);
      asked.push(ask());
    }
    await settle();
    for (const { text, status } of asked) assert.deepEqual([text, status], [asked[0]!.text, 200]);
    assert.match(asked[0]!.text, /a time/);
    await checkReleased(rig);
  }
});

test("an answer that needs no model is the same, too", async () => {
  const rig = createTimed(ANSWER);
  for (const stream of [true, false]) {
    const fields: Fields = { max_tokens: 1, messages: [{ role: "user", content: "quota" }], stream };
    const headers = { "idempotency-key": `${stream}` };
    const [first, second] = [new Asked(rig, fields, headers), new Asked(rig, fields, headers)];
    await settle();
    assert.match(first.text, /"msg_/);
    assert.equal(second.text, first.text);
  }
  await checkReleased(rig, 0);
  assert.deepEqual(rig.logs.map(({ model, firstMs }) => [model, firstMs]), Array(4).fill(["(local)", undefined]));
});

test("who joins gets pings of its own", async () => {
  const rig = createTimed({ steps: [{ wait: 60_000 }, { text: "Hello" }] });
  const first = new Asked(rig, {}, KEY);
  await rig.clock.advance(9_000);
  const second = new Asked(rig, {}, KEY);
  await rig.clock.advance(HOLD + PING);
  assert.match(second.text, /^event: message_start\n.*\n\nevent: ping\n/);
  await rig.clock.advance(60_000);
  assert.equal(second.spoken, first.spoken);
  assert.equal(second.content, "Hello");
  await checkReleased(rig);
});

test("the same key with another body is a conflict, while it runs and later, and is not to be repeated", async () => {
  for (const stream of [true, false]) {
    const rig = createTimed(ANSWER);
    new Asked(rig, { stream }, KEY);
    for (const ms of [500, 5_000]) {
      await rig.clock.advance(ms);
      const others: [Fields, path?: string][] = [[{ stream, max_tokens: 7 }], [{ stream: !stream }]];
      for (const [fields] of others) {
        const other = new Asked(rig, fields, KEY);
        await settle();
        assert.equal(other.status, 409);
        assert.equal(other.error.type, "invalid_request_error");
        assert.match(other.error.message, /idempotency key was used for another request/);
        assert.equal(other.headers.get("x-should-retry"), "false");
      }
    }
    await checkReleased(rig);
  }
});

test("keys are those of one client and one path", async () => {
  const clientKeys = [{ key: "secret-one" }, { key: "secret-two" }, { key: "secret-three", name: "c" }];
  const rig = createTimed({ steps: [{ text: "Hi" }] }, { clientKeys });
  for (const path of ["/v1/messages", "/v1/chat/completions"]) {
    for (const { key } of clientKeys) {
      const asked = new Asked(rig, { max_tokens: key.length }, { ...KEY, "x-api-key": key }, path);
      await rig.clock.advance(0);
      assert.deepEqual([asked.status, asked.headers.get("x-arbiter-replayed")], [200, null]);
    }
  }
  await checkReleased(rig, 6);
});

test("a key of more than 255 characters is refused", async () => {
  const rig = createTimed({ steps: [{ text: "Hi" }] });
  for (const [length, status] of [[255, 200], [256, 400]] as const) {
    const asked = new Asked(rig, {}, { "idempotency-key": "k".repeat(length) });
    await rig.clock.advance(0);
    assert.equal(asked.status, status);
    if (status === 400) assert.match(asked.error.message, /256 characters: at most 255/);
  }
  await checkReleased(rig);
});

test("an empty key is none", async () => {
  const rig = createTimed({ steps: [{ text: "Hi" }] });
  for (let turn = 0; turn < 2; turn++) new Asked(rig, { max_tokens: 10 + turn }, { "idempotency-key": "" });
  await rig.clock.advance(0);
  await checkReleased(rig, 2);
});

test("a failed answer is not remembered: the same key asks again", async () => {
  const cut: ScriptedAnswer = { steps: [{ text: "Once" }, { stop: "cut" }] };
  for (const fault of [FAULTS.unsupported, cut]) {
    for (const stream of [true, false]) {
      const rig = createTimed((_request, turn) => turn === 0 ? fault : { steps: [{ text: "Hello" }] });
      const first = new Asked(rig, { stream }, KEY);
      await rig.clock.advance(10_000);
      assert.notEqual(first.end, undefined);
      assert.doesNotMatch(first.text, /Hello/);
      const second = new Asked(rig, { stream, max_tokens: 7 }, KEY); // The key is free for any body, too.
      await rig.clock.advance(10_000);
      assert.equal(second.content, "Hello");
      await checkReleased(rig, rig.calls.length);
    }
  }
});

test("what has a key goes on to its end although its client went away, and is there when it comes again", async () => {
  for (const stream of [true, false]) {
    for (let at = 0; at < 3_000; at += 250) {
      const rig = createTimed(ANSWER);
      const first = new Asked(rig, { stream }, KEY);
      await rig.clock.advance(at);
      first.drop();
      await rig.clock.advance(60_000);
      const second = new Asked(rig, { stream }, KEY);
      await settle();
      assert.equal(second.content, "Once upon a time", `stream ${stream} at ${at}`);
      await checkReleased(rig);
      assert.deepEqual(rig.logs.map(({ status }) => status), [499, 200]);
    }
  }
});

test("an answer is remembered for ten minutes from its end", async () => {
  for (const [later, asked] of [[TEN_MINUTES - 1, 1], [TEN_MINUTES, 2]] as const) {
    const rig = createTimed(ANSWER);
    new Asked(rig, {}, KEY);
    await rig.clock.advance(3_000 + later);
    new Asked(rig, { max_tokens: asked === 1 ? 1000 : 7 }, KEY); // Then the key is free for any body, too.
    await rig.clock.advance(5_000);
    await checkReleased(rig, asked);
  }
});

test("so many answers are remembered, and so much of them: the oldest make room", async () => {
  const long: ScriptedAnswer = { steps: [{ text: [NUMBERS.slice(0, 1_900_000)] }] };
  const short: ScriptedAnswer = { steps: [{ text: "Hi" }] };
  for (const [answer, most] of [[short, 1_000], [long, 16]] as const) {
    const rig = createTimed(answer);
    const ask = async (key: number) => {
      const asked = new Asked(rig, {}, { "idempotency-key": `${key}` });
      await until("the answer", () => asked.end !== undefined);
      assert.deepEqual([asked.end, asked.status], ["whole", 200]);
      return asked.headers.get("x-arbiter-replayed") === "true";
    };
    for (let key = 0; key <= most; key++) assert.equal(await ask(key), false);
    assert.deepEqual([await ask(most), await ask(1), await ask(0)], [true, true, false]);
  }
});

test("an answer too long to be kept is broken off at once when its client goes away", async () => {
  for (const headers of [KEY, SESSION]) {
    const rig = createTimed({ steps: [{ text: [NUMBERS] }, { wait: Infinity }] });
    const asked = new Asked(rig, {}, headers);
    await until("the text", () => asked.text.length > NUMBERS.length);
    asked.drop();
    await checkReleased(rig);
  }
});

test("an answer too long to be kept is asked for again", async () => {
  const rig = createTimed({ steps: [{ text: [NUMBERS] }] });
  for (let turn = 1; turn <= 2; turn++) {
    const asked = new Asked(rig, { stream: false }, KEY);
    await until("the answer", () => asked.end !== undefined);
    assert.deepEqual([asked.content, asked.headers.get("x-arbiter-replayed")], [NUMBERS, null]);
    await checkReleased(rig, turn);
  }
});

test("what is replayed has a line of its own in the log, and its tokens are counted once", async () => {
  for (const stream of [true, false]) {
    const rig = createTimed(ANSWER);
    for (const ms of [500, 5_000, 1_000]) {
      new Asked(rig, { stream }, KEY);
      await rig.clock.advance(ms);
    }
    const { logs } = rig;
    assert.equal(new Set(logs.map(({ id }) => id)).size, 3);
    assert.deepEqual(logs.map(({ status, model }) => [status, model]), Array(3).fill([200, "test/model"]));
    assert.deepEqual(logs.map(({ replayed = false }) => replayed).sort(), [false, true, true]);
    assert.equal(logs.filter(({ outputTokens }) => outputTokens !== undefined).length, 1);
    assert.deepEqual(logs.flatMap(({ firstMs = [] }) => firstMs), stream ? [1_000] : []);
    assert.equal(rig.arbiter.status().outputTokens, logs.find(({ outputTokens }) => outputTokens)?.outputTokens);
  }
});

/** Two proxies with one store, each on a clock of its own, and what lets time go by for those that are alive. */
function createPair(
  script: Script | ScriptedAnswer,
  shared = true,
): { a: Timed; b: Timed; pass: (ms: number, ...alive: Timed[]) => Promise<void> } {
  const clock = new FakeClock();
  const memory = createMemoryStore([], clock);
  const get: Store["get"] = async (key) => structuredClone(await memory.get(key));
  const store: Store = { ...memory, get, shared };
  const [a, b] = [createTimed(script, { store }), createTimed(script, { store })];
  return { a, b, pass: (ms, ...alive) => advanceAll([clock, ...alive.map((rig) => rig.clock)], ms) };
}

test("processes with one store ask once: the other waits, and gets the same answer", async () => {
  for (const [path, fields] of PATHS) {
    for (const at of [0, 500, 1_500, 5_000]) {
      const { a, b, pass } = createPair(ANSWER);
      const first = new Asked(a, fields, KEY, path);
      await pass(at, a, b);
      await settle();
      const second = new Asked(b, fields, KEY, path);
      await pass(5_000, a, b);
      assert.deepEqual([first.end, second.end], ["whole", "whole"]);
      assert.equal(second.text, first.text, `${path} at ${at}`);
      assert.equal(second.headers.get("x-arbiter-replayed"), "true");
      assert.equal(b.logs[0]?.outputTokens, undefined, "its tokens are counted twice");
      const other = new Asked(b, { ...fields, max_tokens: 7 }, KEY, path);
      await settle();
      assert.equal(other.status, 409);
      await checkReleased(a);
      await checkReleased(b, 0);
    }
  }
});

test("who waits for another process gets pings meanwhile", async () => {
  const { a, b, pass } = createPair({ steps: [{ wait: 40_000 }, { text: "Hello" }] });
  const first = new Asked(a, {}, KEY);
  await settle();
  const second = new Asked(b, {}, KEY);
  await pass(HOLD + PING, a, b);
  assert.match(second.text, /^event: message_start\n.*\n\nevent: ping\n/);
  await pass(40_000, a, b);
  assert.equal(second.spoken, first.spoken);
  await checkReleased(b, 0);
});

test("a process that is killed is stood in for, and the stream that has begun keeps its id", async () => {
  const { a, b, pass } = createPair(ANSWER);
  const first = new Asked(a, {}, KEY);
  await pass(1_500, a);
  await settle();
  const second = new Asked(b, {}, KEY);
  await pass(28_000, b);
  assert.equal(b.calls.length, 0);
  await pass(5_000, b);
  assert.equal(second.content, "Once upon a time");
  const toId = ({ text }: Asked) => /"id":"(msg_\w+)"/.exec(text)?.[1];
  assert.equal(toId(second), toId(first));
  await checkReleased(b);
});

test("who goes away while the store is asked asks nobody, and leaves no claim", async () => {
  for (const goes of ["a client", "the proxy"]) {
    const memory = createMemoryStore();
    let answer = () => {};
    const slow = new Promise<void>((resolve) => answer = resolve);
    const get: Store["get"] = async (key) => await slow.then(() => memory.get(key));
    const rig = createTimed(ANSWER, { store: { ...memory, get, shared: true } });
    const asked = new Asked(rig, {}, KEY);
    await settle();
    if (goes === "a client") asked.drop();
    else rig.arbiter.close();
    answer();
    await checkReleased(rig, 0);
    assert.deepEqual(await memory.list("answer "), [], goes);
  }
});

test("a store that is not shared is not asked", async () => {
  const { a, b, pass } = createPair(ANSWER, false);
  const asked = [new Asked(a, {}, KEY), new Asked(b, {}, KEY)];
  await pass(5_000, a, b);
  for (const { content } of asked) assert.equal(content, "Once upon a time");
  await checkReleased(a);
  await checkReleased(b);
});

test("a stream that broke off between any two reads of its client is joined from its first event", async () => {
  const texts = ["Once ", "upon ", "a ", "time"];
  const pieces = [...texts.map((content) => toChunk({ content })), toChunk({}, "stop"), "[DONE]"].map(toSse);
  for (let reads = 0;; reads++) {
    const rig = createTimed({}, { fetch: serveBytes(pieces) });
    const gone = new AbortController();
    const request = toRequest({ stream: true }, { signal: gone.signal });
    request.headers.set("x-stainless-retry-count", "0");
    const reader = (await rig.arbiter.fetch(request)).body!.getReader();
    let done = false;
    for (let read = 0; read < reads; read++) ({ done } = await reader.read());
    if (done) return assert.ok(reads > texts.length, `${reads} reads`);
    gone.abort();
    await reader.cancel();
    const second = new Asked(rig, {}, REPEATS);
    await settle();
    assert.equal(second.content, texts.join(""), `after ${reads} reads`);
    assert.equal(rig.calls.length, 1);
  }
});

test("a stream whose connection broke is joined by the same request at any time", async () => {
  for (const [path, fields] of PATHS) {
    for (const stream of [true, false]) {
      for (let at = 0; at < 3_000; at += 250) {
        const rig = createTimed(ANSWER);
        const first = new Asked(rig, { ...fields, stream }, SESSION, path);
        await rig.clock.advance(at);
        first.drop();
        await rig.clock.advance(at % LINGER);
        const second = new Asked(rig, { ...fields, stream }, SESSION, path);
        await rig.clock.advance(5_000);
        assert.ok(first.end, "the first is still there");
        assert.match(second.text, /Once[^]*time/, `${path} at ${at}`);
        if (path === "/v1/messages") assert.equal(second.content, "Once upon a time");
        assert.equal(second.headers.get("x-arbiter-replayed"), "true");
        await checkReleased(rig);
        assert.deepEqual(rig.logs.map(({ status }) => status), [499, 200]);
        assert.equal(rig.logs.filter(({ outputTokens }) => outputTokens !== undefined).length, 1);
      }
    }
  }
});

test("a stream whose client has gone ends, whichever way that is told, and its log does not wait", async () => {
  for (const userAgent of ["test", CLAUDE_CODE]) {
    for (const at of [500, 1_500, 9_000]) {
      const rig = createTimed({ steps: [{ wait: at < 9_000 ? 1_000 : 10_000 }, { text: "Once" }, { wait: Infinity }] });
      const asked = new Asked(rig, {}, { ...SESSION, "user-agent": userAgent });
      await rig.clock.advance(at);
      asked.drop(false);
      await settle();
      assert.ok(asked.end, "the stream goes on");
      assert.deepEqual(rig.logs.map(({ status, error }) => [status, error]), [[499, "The client went away"]]);
      await rig.clock.advance(LINGER);
      await checkReleased(rig);
    }
  }
});

test("a connection that broke during the hold is joined by the same request, whose failure is a status", async () => {
  const rig = createTimed({ ...FAULTS.unsupported, delay: 7_000 });
  const first = new Asked(rig, {}, SESSION);
  await rig.clock.advance(4_000);
  first.drop();
  await rig.clock.advance(1_000);
  const second = new Asked(rig, {}, SESSION);
  await rig.clock.advance(5_000);
  assert.equal(second.status, 400);
  await checkReleased(rig);
});

test("who leaves while waiting for a place has cost nothing, and does not linger", async () => {
  const rig = createTimed({ steps: [{ text: "Once" }] }, { rateLimit: 1, rateWindow: 3_000 });
  const first = new Asked(rig, {}, SESSION);
  await rig.clock.advance(0);
  const queued = new Asked(rig, { max_tokens: 7 }, SESSION);
  await rig.clock.advance(1_000);
  queued.drop();
  await rig.clock.advance(LINGER);
  assert.deepEqual([first.status, rig.calls.length], [200, 1]);
});

test("a connection that breaks again is joined again", async () => {
  const rig = createTimed({ steps: [{ text: "Once" }, { wait: 20_000 }, { text: " more" }] });
  for (let turn = 0; turn < 4; turn++) {
    const asked = new Asked(rig, {}, SESSION);
    await rig.clock.advance(1_000);
    asked.drop();
    await rig.clock.advance(LINGER - 1);
  }
  const last = new Asked(rig, {}, SESSION);
  await rig.clock.advance(20_000);
  assert.equal(last.content, "Once more");
  await checkReleased(rig);
});

test("an answer nobody comes back for is broken off after five seconds, or as many as are set", async () => {
  for (const linger of [undefined, 1_000]) {
    const rig = createTimed({ steps: [{ text: "Once" }, { wait: Infinity }] }, linger ? { linger } : {});
    const asked = new Asked(rig, {}, SESSION);
    await rig.clock.advance(1_000);
    asked.drop();
    await rig.clock.advance((linger ?? LINGER) - 1);
    assert.equal(rig.calls[0]?.signal.aborted, false);
    await rig.clock.advance(1);
    assert.equal(rig.calls[0]?.signal.aborted, true);
    await checkReleased(rig);
    new Asked(rig, {}, SESSION).drop(); // Who is gone before all of the request is there asks nobody.
    await checkReleased(rig);
  }
});

/** What comes after a connection broke; whether the answer goes on then. */
const NEXT: [what: string, fields: Fields, headers: Record<string, string>, goesOn: boolean, path?: string][] = [
  ["another prompt of the same session", { messages: [{ role: "user", content: "No, stop" }] }, SESSION, false],
  ["another request of the same size", { messages: [{ role: "user", content: "HELLO" }] }, SESSION, false],
  ["another session", { max_tokens: 7 }, { ...SESSION, "x-claude-code-session-id": "t" }, true],
  ["the same from another session", {}, { ...SESSION, "x-claude-code-session-id": "t" }, true],
  ["another agent of the session", { max_tokens: 7 }, { ...SESSION, "x-claude-code-agent-id": "a" }, true],
];

for (const [what, fields, headers, goesOn] of NEXT) {
  test(`an answer that was left ${goesOn ? "goes on in spite of" : "is broken off at once by"} ${what}`, async () => {
    const rig = createTimed((_request, turn) => ({ steps: [{ text: "Once" }, { wait: turn === 0 ? 9_000 : 0 }] }));
    const first = new Asked(rig, {}, SESSION);
    await rig.clock.advance(1_000);
    first.drop();
    await settle();
    assert.equal(rig.calls[0]?.signal.aborted, false);
    const next = new Asked(rig, fields, headers);
    await rig.clock.advance(0);
    assert.equal(rig.calls[0]?.signal.aborted, !goesOn);
    assert.deepEqual([next.content, next.headers.get("x-arbiter-replayed")], ["Once", null]);
    const again = new Asked(rig, {}, SESSION);
    await rig.clock.advance(20_000);
    assert.equal(again.content, "Once");
    await checkReleased(rig, goesOn ? 2 : 3);
  });
}

test("of several answers that one failure of the network has cut, each waits for its own request", async () => {
  const rig = createTimed(ANSWER);
  const ask = () => [7, 8, 9].map((max_tokens) => new Asked(rig, { max_tokens }, SESSION));
  const first = ask();
  await rig.clock.advance(1_500);
  for (const asked of first) asked.drop();
  await rig.clock.advance(1_000);
  const second = ask();
  await rig.clock.advance(5_000);
  for (const { content } of second) assert.equal(content, "Once upon a time");
  await checkReleased(rig, 3);
});

test("clients without a session join what they have left, and nothing else of theirs ends it", async () => {
  const rig = createTimed(ANSWER);
  const first = new Asked(rig, {}, REPEATS);
  await rig.clock.advance(1_500);
  first.drop();
  const other = new Asked(rig, { max_tokens: 7 }, REPEATS);
  await settle();
  const second = new Asked(rig, {}, REPEATS);
  await rig.clock.advance(5_000);
  for (const { content } of [other, second]) assert.equal(content, "Once upon a time");
  await checkReleased(rig, 2);
});

test("nobody joins what another client has left", async () => {
  const clientKeys = [{ key: "secret-one" }, { key: "secret-two" }];
  const rig = createTimed(ANSWER, { clientKeys });
  const ask = (key: string) => new Asked(rig, {}, { ...SESSION, "x-api-key": key });
  const first = ask("secret-one");
  await rig.clock.advance(1_500);
  first.drop();
  await settle();
  const [other, own] = [ask("secret-two"), ask("secret-one")];
  await rig.clock.advance(5_000);
  assert.deepEqual([other, own].map(({ headers }) => headers.get("x-arbiter-replayed")), [null, "true"]);
  await checkReleased(rig, 2);
});

test("clients that do not repeat by themselves break off their answer at once, and so do all without lingering", async () => {
  for (const [headers, options] of [[{ "x-claude-code-session-id": "s" }, {}], [SESSION, { linger: 0 }]] as const) {
    const rig = createTimed(ANSWER, options);
    const first = new Asked(rig, {}, headers);
    await rig.clock.advance(1_500);
    first.drop();
    await checkReleased(rig);
    assert.equal(rig.calls[0]?.signal.aborted, true);
  }
});

test("an identical request while the first is still read is a request of its own", async () => {
  const rig = createTimed(ANSWER);
  const asked = [new Asked(rig, {}, SESSION), new Asked(rig, {}, SESSION)];
  await rig.clock.advance(5_000);
  new Asked(rig, {}, SESSION);
  await rig.clock.advance(5_000);
  for (const { content } of asked) assert.equal(content, "Once upon a time");
  await checkReleased(rig, 3);
});

test("a place that an answer keeps while it lingers is given back, and its model counts as well as before", async () => {
  const script: Script = (_request, turn) => ({ steps: [{ text: "Once" }, { wait: turn < 5 ? Infinity : 0 }] });
  const [model, other] = ["test/model", "test/other"];
  const standIn = { models: { [model]: script, [other]: script } };
  const rig = createTimed(script, { model, fallbacks: [other], maxConcurrency: 1, standIn });
  for (let turn = 0; turn < 5; turn++) {
    const asked = new Asked(rig, { max_tokens: 10 + turn }, REPEATS);
    await rig.clock.advance(100);
    asked.drop();
    const next = new Asked(rig, { max_tokens: 100 + turn });
    await rig.clock.advance(LINGER - 100);
    assert.equal(rig.calls.length, turn + 1, "there was one place only");
    next.drop();
    await rig.clock.advance(LINGER);
  }
  const last = new Asked(rig, {}, REPEATS);
  await rig.clock.advance(100);
  assert.equal(last.content, "Once");
  assert.deepEqual(new Set(rig.calls.map(({ body }) => body.model)), new Set([model]));
  await checkReleased(rig, 6);
});

test("a proxy that is closed breaks off what lingers, what is joined and what has a key", async () => {
  const rig = createTimed({ steps: [{ text: "Once" }, { wait: Infinity }] });
  const left = new Asked(rig, {}, SESSION);
  const keyed = new Asked(rig, {}, KEY);
  const joined = new Asked(rig, {}, KEY);
  const forgotten = new Asked(rig, {}, { "idempotency-key": "2" });
  await rig.clock.advance(1_000);
  left.drop();
  forgotten.drop();
  await settle();
  assert.equal(rig.standIn.open, 3);
  rig.arbiter.close();
  await checkReleased(rig, 3);
  for (const asked of [keyed, joined]) {
    assert.ok(asked.end, "a client still waits");
    assert.doesNotMatch(asked.text, /message_stop/);
  }
});

for (const streams of [true, false]) {
  test(`Anthropic's library, cut off during the hold, gets its ${streams ? "stream" : "answer"} from one call`, async (t) => {
    const clock = new FakeClock();
    const script: ScriptedAnswer = { steps: [{ wait: 3_000 }, { text: "Hello" }] };
    const statuses: number[] = [];
    const onRequest = ({ status }: RequestLog) => void statuses.push(status);
    const { server, calls, standIn } = await startRig(t, script, { clock, onRequest });
    const network = await startNetwork(server.port);
    t.after(() => network.close());
    const client = new Anthropic({ apiKey: "any", baseURL: network.url, maxRetries: 1 });
    const params = { model: "claude-sonnet-5", max_tokens: 100, messages: [{ role: "user" as const, content: "Hi" }] };
    const answer = streams ? client.messages.stream(params).finalMessage() : client.messages.create(params);
    await until("the call", () => calls.length === 1);
    network.cut();
    await until("the client's leaving", () => statuses.length === 1);
    await until("the client's return", () => network.made === 2);
    await until("its request", () => clock.pending > 1);
    await clock.advance(3_000);
    assert.deepEqual((await answer).content.map((block) => block.type === "text" && block.text), ["Hello"]);
    assert.deepEqual([calls.length, standIn.open, statuses], [1, 0, [499, 200]]);
  });
}
