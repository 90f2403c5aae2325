/** What the proxy does as time goes by, on a clock that goes on only when it is told to. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ScriptedAnswer } from "../../mod.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { FAULTS } from "../support/faults.ts";
import { assertLegalStream, parseEvents, type StreamEvent } from "../support/grammar.ts";
import {
  checkReleased,
  CLAUDE_CODE,
  createRig,
  type Rig,
  type RigOptions,
  serveBytes,
  toChunk,
  toRequest,
  toSse,
} from "./harness.ts";

const [HOLD, PING, FOUR_MINUTES] = [8_000, 10_000, 240_000];
const HELLO: ScriptedAnswer["steps"] = [{ text: "Hello" }];

function createTimed(answer: ScriptedAnswer, options: RigOptions = {}): Rig & { clock: FakeClock } {
  const clock = new FakeClock();
  return { clock, ...createRig(answer, { clock, ...options }) };
}

/** Looks on while an answer comes. */
class Watch {
  /** The response, once it has begun, and when that was. */
  response: Response | undefined;
  began: number | undefined;
  /** Each event, with the time it came at. */
  readonly seen: { at: number; event: StreamEvent }[] = [];
  /** The body of an answer that is no stream. */
  body: { type: string; error?: { type: string; message: string } } | undefined;
  /** Whether it is over, and how. */
  end: "whole" | "cut" | undefined;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock, response: Promise<Response>) {
    this.#clock = clock;
    this.#read(response).catch(() => this.end = "cut");
  }

  /** The HTTP status, once there is one. */
  status(): number | undefined {
    return this.response?.status;
  }

  get events(): StreamEvent[] {
    return this.seen.map(({ event }) => event);
  }

  /** When events of a type came. */
  timesOf(type: StreamEvent["type"]): number[] {
    return this.seen.filter(({ event }) => event.type === type).map(({ at }) => at);
  }

  /** The type of the error the stream ended with. */
  get error(): string | undefined {
    const last = this.events.at(-1);
    return last?.type === "error" ? last.error.type : undefined;
  }

  async #read(promise: Promise<Response>): Promise<void> {
    const response = await promise;
    [this.response, this.began] = [response, this.#clock.now()];
    if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
      this.body = await response.json();
    } else {
      const decoder = new TextDecoder();
      for (const reader = response.body!.getReader();;) {
        const { done, value } = await reader.read();
        if (done) break;
        const at = this.#clock.now();
        for (const event of parseEvents(decoder.decode(value))) this.seen.push({ at, event });
      }
    }
    this.end = "whole";
  }
}

function watch(rig: Rig & { clock: FakeClock }, ...request: Parameters<typeof toRequest>): Watch {
  return new Watch(rig.clock, rig.arbiter.fetch(toRequest(...request)));
}

/** The longest silence of a stream from its beginning to its end. */
function toLongestGap(times: readonly number[]): number {
  return Math.max(0, ...times.slice(1).map((time, i) => time - (times[i] ?? 0)));
}

test("a failure within the hold is an HTTP status", async () => {
  for (
    const [fault, status, type] of [
      [FAULTS.busy, 529, "overloaded_error"],
      [FAULTS.rateLimited, 429, "rate_limit_error"],
      [FAULTS.unsupported, 400, "invalid_request_error"],
      [FAULTS.broken, 500, "api_error"],
    ] as const
  ) {
    const rig = createTimed({ ...fault, delay: HOLD - 1 });
    const answer = watch(rig, { stream: true });
    await rig.clock.advance(HOLD - 2);
    assert.equal(answer.status(), undefined);
    await rig.clock.advance(1);
    assert.equal(answer.status(), status);
    assert.equal(answer.body?.error?.type, type);
    await checkReleased(rig);
  }
});

test("an answer within the hold begins with its first content", async () => {
  const rig = createTimed({ delay: HOLD - 1, steps: HELLO });
  const answer = watch(rig, { stream: true });
  await rig.clock.advance(HOLD - 2);
  assert.equal(answer.status(), undefined);
  await rig.clock.advance(1);
  assert.equal(answer.end, "whole");
  assert.deepEqual(assertLegalStream(answer.events).content, [{ type: "text", text: "Hello" }]);
  assert.deepEqual(answer.timesOf("ping"), []);
  await checkReleased(rig);
});

test("the stream begins with message_start when the hold is over", async () => {
  const rig = createTimed({ delay: 20_000, steps: HELLO });
  const answer = watch(rig, { stream: true });
  await rig.clock.advance(HOLD - 1);
  assert.equal(answer.status(), undefined);
  await rig.clock.advance(1);
  await settle();
  assert.deepEqual([answer.status(), answer.began], [200, HOLD]);
  assert.deepEqual(answer.seen.map(({ at, event }) => [at, event.type]), [[HOLD, "message_start"]]);
  await rig.clock.advance(20_000);
  assert.equal(answer.timesOf("content_block_start")[0], 20_000);
  assertLegalStream(answer.events);
  await checkReleased(rig);
});

test("the hold can be set", async () => {
  const rig = createTimed({ delay: 20_000, steps: HELLO }, { hold: 100 });
  const answer = watch(rig, { stream: true });
  await rig.clock.advance(20_000);
  assert.equal(answer.began, 100);
  assertLegalStream(answer.events);
});

test("an answer that is not streamed waits for its status however long it takes", async () => {
  const rig = createTimed({ ...FAULTS.busy, delay: 100_000 });
  const answer = watch(rig, { stream: false });
  await rig.clock.advance(99_999);
  assert.equal(answer.status(), undefined);
  await rig.clock.advance(1);
  assert.equal(answer.status(), 529);
  await checkReleased(rig);
});

test("each ten seconds of silence after the hold have a ping", async () => {
  const rig = createTimed({ delay: 50_000, steps: HELLO });
  const answer = watch(rig, { stream: true });
  await rig.clock.advance(50_000);
  assert.deepEqual(answer.timesOf("ping"), [1, 2, 3, 4].map((n) => HOLD + n * PING));
  assertLegalStream(answer.events);
  await checkReleased(rig);
});

test("a silence in the middle of an answer has pings", async () => {
  const rig = createTimed({ steps: [{ wait: 3_000 }, { text: "Hel" }, { wait: 35_000 }, { text: "lo" }] });
  const answer = watch(rig, { stream: true });
  await rig.clock.advance(60_000);
  assert.ok(answer.timesOf("ping").length >= 3, `${answer.timesOf("ping")}`);
  assert.ok(toLongestGap(answer.seen.map(({ at }) => at)) <= PING);
  assert.deepEqual(assertLegalStream(answer.events).content, [{ type: "text", text: "Hello" }]);
  await checkReleased(rig);
});

test("an answer that flows has no pings", async () => {
  const steps = Array.from({ length: 20 }, () => [{ wait: 4_000 }, { text: "word " }]).flat();
  const rig = createTimed({ steps });
  const answer = watch(rig, { stream: true });
  await rig.clock.advance(100_000);
  assert.equal(answer.end, "whole");
  assert.deepEqual(answer.timesOf("ping"), []);
  assertLegalStream(answer.events);
  await checkReleased(rig);
});

test("the ping interval can be set", async () => {
  const rig = createTimed({ delay: 30_000, steps: HELLO }, { pingInterval: 3_000 });
  const answer = watch(rig, { stream: true });
  await rig.clock.advance(30_000);
  assert.deepEqual(answer.timesOf("ping"), [1, 2, 3, 4, 5, 6, 7].map((n) => HOLD + n * 3_000));
});

test("a silence of many minutes has an empty message_delta every four of them", async () => {
  const rig = createTimed({ steps: [{ wait: 599_000 }, ...HELLO] });
  const answer = watch(rig, { stream: true });
  await rig.clock.advance(700_000);
  const signs = answer.seen.filter(({ event }) => event.type !== "ping").map(({ at }) => at);
  assert.ok(toLongestGap(signs) <= FOUR_MINUTES, `${signs}`);
  const deltas = answer.events.filter((event) => event.type === "message_delta").slice(0, -1);
  assert.equal(deltas.length, 2);
  for (const delta of deltas) {
    assert.deepEqual(delta, {
      type: "message_delta",
      delta: { stop_reason: null, stop_sequence: null },
      usage: { output_tokens: 0 },
    });
  }
  const { content, usage } = assertLegalStream(answer.events);
  assert.deepEqual(content, [{ type: "text", text: "Hello" }]);
  assert.ok(usage.input_tokens > 0 && usage.output_tokens > 0);
  await checkReleased(rig);
});

test("a long silence in the middle of an answer has them too", async () => {
  const steps = [{ wait: 13_456 }, { text: "Hel" }, { wait: 500_000 }, { text: "lo" }];
  const rig = createTimed({ steps }, { idleTimeout: 600_000 });
  const answer = watch(rig, { stream: true });
  await rig.clock.advance(600_000);
  const signs = answer.seen.filter(({ event }) => event.type !== "ping").map(({ at }) => at);
  assert.ok(toLongestGap(signs) <= FOUR_MINUTES, `${signs}`);
  assert.equal(assertLegalStream(answer.events).stop_reason, "end_turn");
  await checkReleased(rig);
});

test("an answer that flows for long has no empty message_delta", async () => {
  const steps = Array.from({ length: 20 }, () => [{ wait: 60_000 }, { text: "word " }]).flat();
  const rig = createTimed({ steps });
  const answer = watch(rig, { stream: true });
  await rig.clock.advance(1_300_000);
  assert.equal(answer.timesOf("message_delta").length, 1);
  assertLegalStream(answer.events);
  await checkReleased(rig);
});

/** A failure after the hold: what Claude Code is told, so that it asks again, and what others are. */
const LATE: [string, ScriptedAnswer, string, string][] = [
  ["a busy upstream", FAULTS.busy, "overloaded_error", "overloaded_error"],
  ["a broken upstream", FAULTS.broken, "overloaded_error", "api_error"],
  ["a rate limit", FAULTS.rateLimited, "overloaded_error", "rate_limit_error"],
  ["a slow gateway", FAULTS.slow, "overloaded_error", "timeout_error"],
  ["an upstream that breaks off", { steps: [{ stop: "cut" }] }, "overloaded_error", "api_error"],
  ["an empty answer", { steps: [{ stop: "end" }] }, "overloaded_error", "overloaded_error"],
  ["an error in place of an answer", { steps: [{ chunk: FAULTS.busy.body }] }, "overloaded_error", "overloaded_error"],
  [
    "a wrong key, which asking again does not mend",
    FAULTS.unauthorized,
    "authentication_error",
    "authentication_error",
  ],
  [
    "a wrong request, which asking again does not mend",
    FAULTS.unsupported,
    "invalid_request_error",
    "invalid_request_error",
  ],
];

for (const [what, fault, toClaudeCode, toOthers] of LATE) {
  test(`after the hold ${what} is an error event`, async () => {
    for (const [userAgent, type] of [[CLAUDE_CODE, toClaudeCode], ["test", toOthers]] as const) {
      const rig = createTimed({ ...fault, delay: HOLD + 1_000 });
      const answer = watch(rig, { stream: true }, { userAgent });
      await rig.clock.advance(HOLD + 1_000);
      assert.deepEqual([answer.status(), answer.began, answer.end], [200, HOLD, "whole"]);
      assert.deepEqual(answer.events.map((event) => event.type), ["message_start", "error"]);
      assert.equal(answer.error, type);
      assertLegalStream(answer.events, "error");
      await checkReleased(rig);
    }
  });
}

test("an upstream that is silent within the hold for longer than it may is a status", async () => {
  for (const stream of [true, false]) {
    const rig = createTimed({ steps: [{ wait: Infinity }] }, { requestTimeout: 5_000 });
    const answer = watch(rig, { stream });
    await rig.clock.advance(4_999);
    assert.equal(answer.status(), undefined);
    await rig.clock.advance(1);
    assert.equal(answer.status(), 504);
    assert.equal(answer.body?.error?.type, "timeout_error");
    assert.match(String(answer.body?.error?.message), /silent for 5 seconds/);
    await checkReleased(rig);
  }
});

test("an upstream that is silent after the hold for longer than it may is an error event", async () => {
  for (const [userAgent, type] of [[CLAUDE_CODE, "overloaded_error"], ["test", "timeout_error"]] as const) {
    for (const fault of [{ delay: Infinity }, { steps: [{ wait: Infinity }] }]) {
      const rig = createTimed(fault, { requestTimeout: 60_000 });
      const answer = watch(rig, { stream: true }, { userAgent });
      await rig.clock.advance(59_999);
      assert.equal(answer.end, undefined);
      await rig.clock.advance(1);
      assert.equal(answer.end, "whole");
      assert.equal(answer.error, type);
      assertLegalStream(answer.events, "error");
      await checkReleased(rig);
    }
  }
});

test("chunks without content do not count as an answer", async () => {
  const steps: ScriptedAnswer["steps"] = Array.from({ length: 10 }, () => [
    { chunk: toChunk({ role: "assistant", content: "" }) },
    { wait: 1_000 },
  ]).flat();
  const rig = createTimed({ steps: [...steps, { wait: Infinity }] }, { requestTimeout: 5_000 });
  const answer = watch(rig, { stream: true });
  await rig.clock.advance(5_000);
  assert.equal(answer.status(), 504);
  await checkReleased(rig);
});

test("silence in the middle of an answer is an error after the idle timeout", async () => {
  const rig = createTimed({ steps: [{ text: "Half of" }, { wait: Infinity }] }, { idleTimeout: 30_000 });
  const answer = watch(rig, { stream: true });
  await rig.clock.advance(29_999);
  assert.equal(answer.end, undefined);
  await rig.clock.advance(1);
  assert.equal(answer.end, "whole");
  assert.equal(answer.error, "timeout_error");
  assertLegalStream(answer.events, "error");
  await checkReleased(rig);
});

test("an answer that goes on with nothing but comments is an error after ten minutes", async () => {
  let send = (_text: string) => {};
  const rig = createTimed({}, {
    fetch: () => {
      const body = new ReadableStream({
        start: (controller) => void (send = (text) => controller.enqueue(new TextEncoder().encode(text))),
      });
      return Promise.resolve(new Response(body));
    },
  });
  const answer = watch(rig, { stream: true });
  await rig.clock.advance(0);
  send(toSse(toChunk({ content: "Half of" })));
  for (let minute = 0; minute <= 10; minute++) {
    await rig.clock.advance(60_000);
    assert.equal(answer.end, undefined);
    send(": busy\n\n");
  }
  await rig.clock.advance(1);
  assert.equal(answer.error, "timeout_error");
  await checkReleased(rig);
});

test("Claude Code's stream is cut after the idle timeout", async () => {
  const rig = createTimed({ steps: [{ text: "Half of" }, { wait: Infinity }] }, { idleTimeout: 30_000 });
  const answer = watch(rig, { stream: true }, { userAgent: CLAUDE_CODE });
  await rig.clock.advance(30_000);
  assert.equal(answer.end, "cut");
  assertLegalStream(answer.events, "cut");
  await checkReleased(rig);
});

test("a whole answer that stops in the middle is a timeout", async () => {
  const pieces = ['{"choices":[{"message":'];
  const rig = createTimed({}, {
    requestTimeout: 20_000,
    idleTimeout: 20_000,
    fetch: async (...call) => {
      const { body } = await serveBytes(pieces, true)(...call);
      return new Response(body, { headers: { "content-type": "application/json" } });
    },
  });
  const answer = watch(rig, { stream: false });
  await rig.clock.advance(19_999);
  assert.equal(answer.status(), undefined);
  await rig.clock.advance(1);
  assert.equal(answer.status(), 504);
  await checkReleased(rig);
});

test("an answer may take any time as long as it goes on", async () => {
  const steps = Array.from({ length: 50 }, () => [{ text: "word " }, { wait: 29_999 }]).flat();
  const rig = createTimed({ steps }, { idleTimeout: 30_000, requestTimeout: 60_000 });
  const answer = watch(rig, { stream: true });
  await rig.clock.advance(50 * 30_000);
  assert.equal(answer.end, "whole");
  assert.equal(assertLegalStream(answer.events).stop_reason, "end_turn");
  await checkReleased(rig);
});

test("an upstream that does not end after its answer is let go soon", async () => {
  const pieces = [toSse(toChunk({ content: "All" })), toSse(toChunk({}, "stop")), toSse("[DONE]")];
  for (const stream of [true, false]) {
    const rig = createTimed({}, { fetch: serveBytes(pieces, true) });
    const answer = watch(rig, { stream });
    await settle();
    assert.equal(answer.end, "whole");
    await rig.clock.advance(10_000);
    await checkReleased(rig);
  }
});

test("a request that is over leaves no timer behind", async () => {
  const whole = { steps: HELLO };
  for (const [answer, status] of [[whole, 200], [FAULTS.busy, 529], [FAULTS.unauthorized, 401]] as const) {
    for (const stream of [true, false]) {
      const rig = createTimed(answer);
      const seen = watch(rig, { stream });
      await settle();
      assert.deepEqual([seen.status(), seen.end], [status, "whole"]);
      await checkReleased(rig);
    }
  }
});

/** Where a request may stand when its client leaves. */
const STAGES: Record<string, { answer: ScriptedAnswer; after: number; stream?: boolean }> = {
  "before the upstream answers, within the hold": { answer: { delay: Infinity }, after: 1_000 },
  "before the first byte, within the hold": { answer: { steps: [{ wait: Infinity }] }, after: 1_000 },
  "before the upstream answers, after the hold": { answer: { delay: Infinity }, after: 30_000 },
  "before the first byte, after the hold": { answer: { steps: [{ wait: Infinity }] }, after: 30_000 },
  "in the middle of the answer": { answer: { steps: [{ text: "Once" }, { wait: Infinity }] }, after: 1_000 },
  "in the middle of a call": {
    answer: { steps: [{ deltas: [[{ index: 0, function: { name: "Bash", arguments: '{"a' } }]] }, { wait: Infinity }] },
    after: 1_000,
  },
  "while a whole answer is made": {
    answer: { steps: [{ text: "Once" }, { wait: Infinity }] },
    after: 1_000,
    stream: false,
  },
  "before a whole answer begins": { answer: { delay: Infinity }, after: 1_000, stream: false },
};

for (const [stage, { answer, after, stream = true }] of Object.entries(STAGES)) {
  test(`a request that is aborted ${stage} ends its upstream call`, async () => {
    const logs: number[] = [];
    const rig = createTimed(answer, { onRequest: ({ status }) => void logs.push(status) });
    const gone = new AbortController();
    watch(rig, { stream }, { signal: gone.signal });
    await rig.clock.advance(after);
    assert.equal(rig.calls[0]?.signal.aborted, false);
    gone.abort();
    await checkReleased(rig);
    assert.deepEqual(logs, [499]);
  });

  test(`a proxy that is closed ${stage} ends its upstream call`, async () => {
    const rig = createTimed(answer);
    const seen = watch(rig, { stream });
    await rig.clock.advance(after);
    assert.equal(rig.calls[0]?.signal.aborted, false);
    rig.arbiter.close();
    await checkReleased(rig);
    assert.ok(seen.end, "the client still waits");
    assert.ok(!seen.events.some((event) => event.type === "message_stop"));
  });

  if (!stream) continue;
  test(`a body that is cancelled ${stage} ends its upstream call`, async () => {
    const logs: number[] = [];
    const rig = createTimed(answer, { onRequest: ({ status }) => void logs.push(status) });
    const response = rig.arbiter.fetch(toRequest({ stream: true }));
    await rig.clock.advance(Math.max(after, HOLD));
    assert.equal(rig.calls[0]?.signal.aborted, false);
    await (await response).body?.cancel();
    await checkReleased(rig);
    assert.deepEqual(logs, [499]);
  });
}

test("a request that is aborted before it is read asks nobody", async () => {
  const rig = createTimed({ steps: HELLO });
  const answer = watch(rig, { stream: true }, { signal: AbortSignal.abort() });
  await settle();
  assert.ok(answer.end && answer.status() !== 200);
  assert.equal(rig.standIn.requests.length, 0);
  await checkReleased(rig);
});

test("an answer that nobody reads is not read from the upstream, and can be given up", async () => {
  let [reads, cancelled] = [0, false];
  const text = new TextEncoder().encode(toSse(toChunk({ content: "word ".repeat(100) })));
  const rig = createTimed({}, {
    fetch: () => {
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          reads++;
          controller.enqueue(text);
        },
        cancel() {
          cancelled = true;
        },
      });
      return Promise.resolve(new Response(body, { headers: { "content-type": "text/event-stream" } }));
    },
  });
  const response = await rig.arbiter.fetch(toRequest({ stream: true }));
  const reader = response.body?.getReader();
  await reader?.read();
  await rig.clock.advance(60_000);
  assert.ok(reads > 0 && reads < 10, `${reads} reads for one`);
  await reader?.cancel();
  await checkReleased(rig);
  assert.ok(cancelled || rig.calls[0]?.signal.aborted);
});

test("requests on the same clock do not disturb each other", async () => {
  const rig = createTimed({ steps: [{ wait: 20_000 }, { text: "Hel" }, { wait: 20_000 }, { text: "lo" }] });
  const gone = new AbortController();
  const first = watch(rig, { stream: true });
  await rig.clock.advance(5_000);
  const second = watch(rig, { stream: true });
  const third = watch(rig, { stream: true }, { signal: gone.signal });
  await rig.clock.advance(20_000);
  gone.abort();
  await rig.clock.advance(30_000);
  assert.deepEqual([first.end, second.end], ["whole", "whole"]);
  assert.ok(!third.events.some((event) => event.type === "message_stop"));
  for (const answer of [first, second]) {
    assert.deepEqual(assertLegalStream(answer.events).content, [{ type: "text", text: "Hello" }]);
  }
  await checkReleased(rig);
});
