/** What the user sees when models fail: nothing, while any other can still answer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ChatRequest, ScriptedAnswer, Step } from "../../mod.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { BUSY, FAULTS } from "../support/faults.ts";
import { assertLegalStream, parseEvents, type StreamedAnswer } from "../support/grammar.ts";
import { checkReleased, CLAUDE_CODE, createRig, type Rig, type RigOptions, serveBytes, toRequest } from "./harness.ts";

const [FIRST, SECOND, THIRD] = ["test/first", "test/second", "test/third"] as const;
const HELLO: ScriptedAnswer = { steps: [{ text: "Hello" }] };
const HALF: Step = { text: "Half of" };

interface ChainRig extends Rig {
  clock: FakeClock;
  /** The models asked so far. */
  asked: () => string[];
  /** Asks, and lets time go by until there is a response. */
  ask: (...request: Parameters<typeof toRequest>) => Promise<Response>;
}

type Answers = ScriptedAnswer | ((turn: number) => ScriptedAnswer);

/** Makes a proxy in front of models that answer as given; the first is the one that was chosen. */
function createChainRig(answers: Record<string, Answers>, options: RigOptions = {}): ChainRig {
  const clock = new FakeClock();
  const [model = "", ...fallbacks] = Object.keys(answers);
  const models = Object.fromEntries(
    Object.entries(answers).map(([id, answer]) => [
      id,
      (_request: unknown, turn: number) => typeof answer === "function" ? answer(turn) : answer,
    ]),
  );
  const standIn = { models, ...options.standIn };
  const rig = createRig({}, { model, fallbacks, clock, random: () => 1, hold: 60_000, ...options, standIn });
  const ask: ChainRig["ask"] = async (...request) => {
    const response = rig.arbiter.fetch(toRequest(...request));
    let over = false;
    const stop = () => over = true;
    response.then(stop, stop);
    await settle();
    while (!over) await clock.advance(250);
    return await response;
  };
  return { ...rig, clock, ask, asked: () => rig.calls.map(({ body }) => body.model) };
}

async function readAnswer(response: Response): Promise<StreamedAnswer> {
  assert.equal(response.status, 200);
  return assertLegalStream(parseEvents(await response.text()));
}

async function assertHello(response: Response): Promise<void> {
  const { content } = await readAnswer(response);
  assert.deepEqual(content.map((block) => block.type === "text" && block.text), ["Hello"]);
}

/** Faults that another model may not have, and whether the one that failed is worth a wait. */
const PASSING: Record<string, ScriptedAnswer> = {
  "a model that is degraded": FAULTS.degraded,
  "a model that is not available to the account": FAULTS.unavailable,
  "a model that is unknown": FAULTS.unknown,
  "a model that is gone": FAULTS.gone,
  "a model that the key has no right to": FAULTS.forbidden,
  "a rate limit": FAULTS.rateLimited,
  "a broken engine": FAULTS.broken,
  "a gateway that answers in HTML": FAULTS.gateway,
  "a full pool of workers": FAULTS.busy,
  "a slow gateway": FAULTS.slow,
  "an error inside the stream": { steps: [{ chunk: BUSY }] },
  "an error after a chunk without content": { steps: [{ text: [""] }, { chunk: BUSY }] },
  "an answer that is no JSON": { status: 200, steps: [{ chunk: "?" }] },
  "an empty answer": { steps: [{ finish: "stop" }] },
  "a stream that ends before its first content": { steps: [{ stop: "end" }] },
  "a connection that breaks before the first content": { steps: [{ stop: "cut" }] },
};

for (const [what, fault] of Object.entries(PASSING)) {
  test(`${what} is not seen while another model answers`, async () => {
    const rig = createChainRig({ [FIRST]: fault, [SECOND]: HELLO });
    for (const stream of [true, false]) {
      const response = await rig.ask({ stream, messages: [{ role: "user", content: `streamed: ${stream}` }] });
      if (stream) await assertHello(response);
      else assert.deepEqual((await response.json()).content, [{ type: "text", text: "Hello" }]);
    }
    assert.deepEqual(rig.asked().slice(0, 2), [FIRST, SECOND]);
    await checkReleased(rig);
  });

  test(`${what} everywhere is one error, after one call for each model`, async () => {
    for (const models of [[FIRST], [FIRST, SECOND], [FIRST, SECOND, THIRD]]) {
      const rig = createChainRig(Object.fromEntries(models.map((model) => [model, fault])));
      const response = await rig.ask({ stream: true });
      assert.ok(response.status >= 400, `${response.status}`);
      assert.equal((await response.json()).type, "error");
      assert.deepEqual(rig.asked(), models);
      await checkReleased(rig);
    }
  });
}

const WRONG: ScriptedAnswer = { status: 400, body: { detail: "messages: at least one is required" } };

for (const [what, fault, status] of [["key", FAULTS.unauthorized, 401], ["request", WRONG, 400]] as const) {
  test(`a wrong ${what} fails fast: no other model would take it`, async () => {
    const rig = createChainRig({ [FIRST]: fault, [SECOND]: HELLO });
    assert.equal((await rig.ask({ stream: true })).status, status);
    assert.deepEqual(rig.asked(), [FIRST]);
    await checkReleased(rig);
  });
}

test("a host that sends to another address is left for another one, and told of where there is none", async () => {
  const moved = () => Promise.resolve(new Response(null, { status: 301, headers: { location: "http://there/" } }));
  for (const hosts of [[], [SECOND]]) {
    const rig = createRig(HELLO, {
      model: `moved/${FIRST}`,
      fallbacks: [`moved/${THIRD}`, ...hosts],
      backends: { moved: { baseUrl: "http://here/v1" } },
      standIn: { models: { [SECOND]: () => HELLO } },
      fetch: (input, init) => String(input).startsWith("http://here/") ? moved() : rig.standIn.fetch(input, init),
    });
    const response = await rig.arbiter.fetch(toRequest({ stream: true }, { userAgent: CLAUDE_CODE }));
    if (hosts.length > 0) await assertHello(response);
    else assert.deepEqual([response.status, response.headers.get("x-should-retry")], [410, "false"]);
    assert.deepEqual(rig.calls.map(({ body }) => body.model), [FIRST, ...hosts]);
  }
});

test("of a model that is not there Claude Code is told with 410: a 404 it asks about again, and hides", async () => {
  for (const [userAgent, status] of [[CLAUDE_CODE, 410], ["test", 404]] as const) {
    const rig = createChainRig({ [FIRST]: FAULTS.unknown });
    const response = await rig.ask({ stream: true }, { userAgent });
    assert.equal(response.status, status);
    assert.match(
      (await response.json()).error.message,
      /^The upstream does not know this model, or its address is wro/,
    );
  }
});

test("what a host has just refused is not sent to it again, as Claude Code does six times, but what differs is", async () => {
  const rig = createChainRig({ [FIRST]: (turn) => turn < 3 ? WRONG : HELLO });
  const statuses: number[] = [];
  const ask = async (fields: Parameters<typeof toRequest>[0]) => statuses.push((await rig.ask(fields)).status);
  for (const user_id of ["a", "b", "c"]) await ask({ metadata: { user_id } });
  await ask({ max_tokens: 7 });
  await rig.clock.advance(5_000);
  await ask({ max_tokens: 7 });
  await ask({ max_tokens: 8 });
  assert.deepEqual(statuses, [400, 400, 400, 400, 400, 200]);
  assert.equal(rig.calls.length, 4);
});

test("what a model refuses of the messages is tried with another, not with the same again", async () => {
  const rig = createChainRig({ [FIRST]: FAULTS.unsupported, [SECOND]: HELLO });
  await assertHello(await rig.ask({ stream: true }));
  assert.deepEqual(rig.asked(), [FIRST, SECOND]);
});

test("what was tried is named: in the error when all failed, in the log when one answered", async () => {
  const warnings: (string[] | undefined)[] = [];
  const onRequest: RigOptions["onRequest"] = (log) => void warnings.push(log.warnings);
  const failed = createChainRig({ [FIRST]: FAULTS.rateLimited, [SECOND]: FAULTS.gone });
  const { error } = await (await failed.ask({ stream: true })).json();
  assert.match(
    error.message,
    /Too Many Requests \(test\/first, status 429\); also tried: The model is gone.*test\/second/,
  );
  const answered = createChainRig({ [FIRST]: FAULTS.rateLimited, [SECOND]: HELLO }, { onRequest });
  await assertHello(await answered.ask({ stream: true }));
  assert.match(`${warnings[0]}`, /Too Many Requests \(test\/first, status 429\)/);
});

test("no request costs more than six upstream calls", async () => {
  const models = Array.from({ length: 8 }, (_, i) => `test/${i}`);
  const rig = createChainRig(Object.fromEntries(models.map((model) => [model, FAULTS.busy])));
  assert.equal((await rig.ask({ stream: true })).status, 529);
  assert.deepEqual(rig.asked(), models.slice(0, 6));
});

test("after a fault that may pass the next call waits half a second, twice as long after the second", async () => {
  const times: number[] = [];
  const note = (answer: ScriptedAnswer) => () => {
    times.push(rig.clock.now());
    return answer;
  };
  const rig: ChainRig = createChainRig({
    [FIRST]: note(FAULTS.rateLimited),
    [SECOND]: note(FAULTS.gone),
    [THIRD]: note(FAULTS.degraded),
    "test/fourth": note(HELLO),
  });
  await assertHello(await rig.ask({ stream: true }));
  assert.deepEqual(times, [0, 500, 1_000, 2_000]);
});

test("a model that is silent is given up for the next while there is one, the last has the rest of the time", async () => {
  const silent: ScriptedAnswer = { steps: [{ wait: Infinity }] };
  const times = { patience: 10_000, requestTimeout: 100_000, hold: 200_000 };
  for (const [maxAttempts, asked] of [[6, [FIRST, SECOND]], [1, [FIRST]]] as const) {
    const rig = createChainRig({ [FIRST]: silent, [SECOND]: silent }, { ...times, maxAttempts });
    assert.equal((await rig.ask({ stream: true })).status, 504);
    assert.deepEqual(rig.asked(), asked);
    assert.equal(rig.clock.now(), 100_000);
    await checkReleased(rig);
  }
});

test("pings keep the client waiting while one model after the other is silent", async () => {
  const silent: ScriptedAnswer = { delay: 400_000, ...HELLO };
  const rig = createChainRig({ [FIRST]: silent, [SECOND]: silent, [THIRD]: HELLO }, { hold: 8_000 });
  const response = await rig.ask({ stream: true });
  const text = response.text();
  await rig.clock.advance(300_000);
  const events = parseEvents(await text);
  assert.ok(events.filter((event) => event.type === "ping").length >= 8);
  const { content } = assertLegalStream(events);
  assert.deepEqual(content.map((block) => block.type === "text" && block.text), ["Hello"]);
  assert.deepEqual(rig.asked(), [FIRST, SECOND, THIRD]);
  await checkReleased(rig);
});

test("a model that failed three times is not asked first for thirty seconds", async () => {
  const rig = createChainRig({ [FIRST]: FAULTS.broken, [SECOND]: HELLO });
  for (let i = 0; i < 5; i++) await assertHello(await rig.ask({ stream: true }));
  assert.deepEqual(rig.asked(), [FIRST, SECOND, FIRST, SECOND, FIRST, SECOND, SECOND, SECOND]);
  await rig.clock.advance(30_000);
  await assertHello(await rig.ask({ stream: true }));
  assert.deepEqual(rig.asked().slice(8), [FIRST, SECOND]);
});

for (const [what, fault] of [["gone", FAULTS.gone], ["degraded", FAULTS.degraded]] as const) {
  test(`a model that is ${what} is not asked again at once`, async () => {
    const rig = createChainRig({ [FIRST]: fault, [SECOND]: HELLO });
    for (let i = 0; i < 3; i++) await assertHello(await rig.ask({ stream: true }));
    assert.deepEqual(rig.asked(), [FIRST, SECOND, SECOND, SECOND]);
  });
}

test("a model that was not available for a moment is asked again after an hour", async () => {
  for (const fault of [FAULTS.unknown, { status: 403, body: "" }]) {
    const rig = createChainRig({ [FIRST]: (turn) => turn === 0 ? fault : HELLO, [SECOND]: HELLO });
    await assertHello(await rig.ask({ stream: true }));
    await rig.clock.advance(3_600_000);
    await assertHello(await rig.ask({ stream: true }));
    assert.deepEqual(rig.asked(), [FIRST, SECOND, FIRST]);
  }
});

test("a client that goes away ends the call, starts no other and leaves nothing behind", async () => {
  for (const fault of [{ delay: Infinity }, FAULTS.busy]) {
    const rig = createChainRig({ [FIRST]: fault, [SECOND]: HELLO });
    const gone = new AbortController();
    const response = rig.arbiter.fetch(toRequest({ stream: true }, { signal: gone.signal }));
    await settle();
    gone.abort();
    await response.catch(() => {});
    await rig.clock.advance(10_000);
    assert.deepEqual(rig.asked(), [FIRST]);
    await checkReleased(rig);
  }
});

for (
  const [what, steps] of Object.entries<Step[]>({
    "text": [HALF],
    "a tool call": [HALF, { deltas: [[{ index: 0, id: "a", function: { name: "Bash", arguments: '{"com' } }]] }],
  })
) {
  test(`Claude Code's retry after a cut in the middle of ${what} goes to another model`, async () => {
    const tools = [{ name: "Bash", input_schema: { type: "object" } }];
    const rig = createChainRig({ [FIRST]: { steps: [...steps, { stop: "cut" }] }, [SECOND]: HELLO });
    const cut = await rig.ask({ stream: true, tools }, { userAgent: CLAUDE_CODE });
    await assert.rejects(cut.text());
    await assertHello(await rig.ask({ stream: true, tools }, { userAgent: CLAUDE_CODE }));
    assert.deepEqual(rig.asked(), [FIRST, SECOND]);
    await assert.rejects(async () => {
      const other = [{ role: "user" as const, content: "Something else" }];
      await (await rig.ask({ stream: true, tools, messages: other }, { userAgent: CLAUDE_CODE })).text();
    });
    assert.deepEqual(rig.asked().slice(2), [FIRST], "another request was sent elsewhere, too");
    await checkReleased(rig);
  });
}

test("what reminds a model that only thought goes to others, until one does more than think", async () => {
  const thinks: ScriptedAnswer = { steps: [{ reasoning: "Hm." }] };
  const rig = createChainRig({ [FIRST]: thinks, [SECOND]: thinks, [THIRD]: HELLO });
  const toMessages = (...texts: string[]) => [
    { role: "user" as const, content: texts.map((text) => ({ type: "text" as const, text })) },
    { role: "system" as const, content: "Today is Friday." },
  ];
  const { content } = await readAnswer(await rig.ask({ stream: true, messages: toMessages("Do it") }));
  assert.deepEqual(content.map(({ type }) => type), ["thinking"]);
  const reminder = "[Your previous response had no visible output. Please continue.]";
  await assertHello(await rig.ask({ stream: true, messages: toMessages("Do it\n", reminder) }));
  await readAnswer(await rig.ask({ stream: true, messages: toMessages("Do something else\n", reminder) }));
  assert.deepEqual(rig.asked(), [FIRST, SECOND, THIRD, FIRST]);
  await checkReleased(rig);
});

test("a model that only thought because it had no more tokens is asked again like any other", async () => {
  const rig = createChainRig({ [FIRST]: { steps: [{ reasoning: "Hm." }, { finish: "length" }] }, [SECOND]: HELLO });
  for (let i = 0; i < 2; i++) await readAnswer(await rig.ask({ stream: true }));
  assert.deepEqual(rig.asked(), [FIRST, FIRST]);
});

test("a summary that breaks off is made by another model, and nothing of the half of it is seen", async () => {
  const half: Step[] = [{ reasoning: "Hm." }, HALF, { stop: "cut" }];
  const rig = createChainRig({ [FIRST]: { steps: half }, [SECOND]: HELLO });
  const system = "You are a helpful AI assistant tasked with summarizing conversations.";
  await assertHello(await rig.ask({ stream: true, system }, { userAgent: CLAUDE_CODE }));
  assert.deepEqual(rig.asked(), [FIRST, SECOND]);
  await checkReleased(rig);
});

test("a check of a command that a model answers without a verdict goes to the next when it comes again, until one has it", async () => {
  const check = (command: string) => ({
    model: FIRST,
    stream: false,
    max_tokens: 64,
    system: "Rules. ".repeat(3000),
    messages: [{ role: "user" as const, content: `<transcript>${command}</transcript>` }],
  });
  const says = (text: string): ScriptedAnswer => ({ steps: [{ text }] });
  const rig = createChainRig({ [FIRST]: says("It is fine."), [SECOND]: says("<block>no") });
  for (const command of ["one", "one", "one", "two"]) await (await rig.ask(check(command))).text();
  assert.deepEqual(rig.asked(), [FIRST, SECOND, SECOND, FIRST]);
});

test("a field that a model refuses is left out at once, and from then on", async () => {
  const refusal = { status: 400, body: { detail: "Unsupported parameter(s): `temperature`, `stop`" } };
  const rig = createChainRig({ [FIRST]: (turn) => turn === 0 ? refusal : HELLO, [SECOND]: HELLO });
  const fields = { stream: true, temperature: 0.5, stop_sequences: ["END"], top_p: 0.9 };
  for (let i = 0; i < 2; i++) await assertHello(await rig.ask(fields));
  assert.deepEqual(rig.asked(), [FIRST, FIRST, FIRST]);
  const sent = rig.calls.map(({ body }) => [body.temperature, body.stop, body.top_p]);
  assert.deepEqual(sent, [[0.5, ["END"], 0.9], [undefined, undefined, 0.9], [undefined, undefined, 0.9]]);
});

test("a cap on the output is kept to at once, and from then on", async () => {
  const refusal = { status: 400, body: { detail: "max_tokens must be less than or equal to 4096" } };
  const rig = createChainRig({ [FIRST]: (turn) => turn === 0 ? refusal : HELLO });
  for (let i = 0; i < 2; i++) await assertHello(await rig.ask({ stream: true, max_tokens: 32_000 }));
  assert.deepEqual(rig.calls.map(({ body }) => body.max_tokens), [32_000, 4_096, 4_096]);
});

test("where a minute's tokens are fewer than what is asked for, less is asked for at once, and from then on", async () => {
  const message = "Request too large for m on tokens per minute (TPM): Limit 8000, Requested 32010, please reduce it";
  const refusal = { status: 413, body: { error: { message, code: "rate_limit_exceeded" } } };
  const rig = createChainRig({ [FIRST]: (turn) => turn === 0 ? refusal : HELLO });
  for (let i = 0; i < 2; i++) await assertHello(await rig.ask({ stream: true, max_tokens: 32_000 }));
  const asked = rig.calls.map(({ body }) => Number(body.max_tokens));
  assert.equal(asked[0], 32_000);
  assert.ok(asked.length === 3 && asked.slice(1).every((tokens) => tokens > 7_000 && tokens < 8_000), `${asked}`);
});

function toOverflow(used: number): ScriptedAnswer {
  const message =
    `This model's maximum context length is 32768 tokens. However, your request has ${used} input tokens.`;
  return { status: 400, body: { error: { message, type: "BadRequestError", code: 400 } } };
}

test("where only the output does not fit, less is asked for", async () => {
  const rig = createChainRig({ [FIRST]: (turn) => turn === 0 ? toOverflow(100) : HELLO });
  await assertHello(await rig.ask({ stream: true, max_tokens: 32_768 }));
  const [before, after] = rig.calls.map(({ body }) => Number(body.max_tokens));
  assert.equal(before, 32_768);
  assert.ok(after! > 31_000 && after! < 32_768 - 100, `${after}`);
});

test("a prompt that is too long goes to a model that holds it, else the client is told in the words it compacts on", async () => {
  const messages = [{ role: "user" as const, content: "word ".repeat(40_000) }];
  const [overflow, held] = [toOverflow(40_000), { [FIRST]: toOverflow(40_000), [SECOND]: HELLO }];
  const rig = createChainRig(held);
  for (let i = 0; i < 2; i++) await assertHello(await rig.ask({ stream: true, messages }));
  assert.deepEqual(rig.asked(), [FIRST, SECOND, SECOND]);
  const response = await createChainRig({ [FIRST]: overflow, [SECOND]: overflow }).ask({ stream: true, messages });
  assert.equal(response.status, 400);
  assert.equal((await response.json()).error.message, "prompt is too long: 40000 tokens > 32768 maximum");
});

test("a model that is served without tools is passed over where there are tools", async () => {
  const body = { error: { message: '"auto" tool choice requires --enable-auto-tool-choice', code: 400 } };
  const rig = createChainRig({ [FIRST]: (turn) => turn === 0 ? { status: 400, body } : HELLO, [SECOND]: HELLO });
  const tools = [{ name: "Bash", input_schema: { type: "object" } }];
  for (let i = 0; i < 2; i++) await assertHello(await rig.ask({ stream: true, tools }));
  await assertHello(await rig.ask({ stream: true }));
  assert.deepEqual(rig.asked(), [FIRST, SECOND, SECOND, FIRST]);
});

test("an answer that NVIDIA queues is asked for until it is there", async () => {
  const urls: string[] = [];
  const clock = new FakeClock();
  const fetch: typeof globalThis.fetch = (input) => {
    urls.push(String(input));
    if (urls.length < 3) return Promise.resolve(new Response("", { status: 202, headers: { "nvcf-reqid": "r 1" } }));
    const message = { role: "assistant", content: "Hello" };
    return Promise.resolve(Response.json({ choices: [{ message, finish_reason: "stop" }] }));
  };
  const { arbiter } = createRig({}, { clock, fetch });
  const response = arbiter.fetch(toRequest());
  await clock.advance(2_000);
  assert.deepEqual((await (await response).json()).content, [{ type: "text", text: "Hello" }]);
  assert.deepEqual(urls.map((url) => url.split("/v1/")[1]), ["chat/completions", "status/r%201", "status/r%201"]);
});

test("a fault that was mended is not told when another follows", async () => {
  const body = { detail: "Unsupported parameter(s): `temperature`" };
  for (
    const [mended, then, status] of [[{ status: 400, body }, FAULTS.rateLimited, 429], [
      toOverflow(100),
      FAULTS.busy,
      529,
    ]] as const
  ) {
    const rig = createChainRig({ [FIRST]: (turn) => turn === 0 ? mended : then });
    assert.equal((await rig.ask({ stream: true, temperature: 0.5, max_tokens: 32_768 })).status, status);
    assert.deepEqual(rig.asked(), [FIRST, FIRST]);
  }
});

test("requests at the same time are each mended", async () => {
  const refusal = { status: 400, body: { detail: "Unsupported parameter(s): `temperature`" } };
  const rig = createChainRig({ [FIRST]: (turn) => turn < 2 ? refusal : HELLO });
  const answers = [1, 2].map(() => rig.arbiter.fetch(toRequest({ stream: true, temperature: 0.5 })));
  for (const answer of answers) await assertHello(await answer);
});

test("what cannot be mended is not sent again as it was", async () => {
  const refusal = { status: 400, body: { detail: "input tokens and max_tokens (1000) cannot exceed 131072" } };
  const rig = createChainRig({ [FIRST]: refusal });
  assert.equal((await rig.ask({ stream: true })).status, 400);
  assert.deepEqual(rig.asked(), [FIRST]);
});

test("a model that counts more tokens than were estimated is asked for what is left, from then on at once", async () => {
  const script = ({ max_tokens }: ChatRequest): ScriptedAnswer =>
    Number(max_tokens) + 12_000 > 32_768 ? toOverflow(12_000) : { ...HELLO, usage: { prompt_tokens: 12_000 } };
  const clock = new FakeClock();
  const rig = createRig(script, { clock });
  const messages = [{ role: "user" as const, content: "word ".repeat(9_000) }];
  for (let i = 0; i < 2; i++) {
    await assertHello(await rig.arbiter.fetch(toRequest({ stream: true, messages, max_tokens: 32_000 })));
  }
  assert.equal(rig.calls.length, 3);
  assert.ok(Number(rig.calls[2]?.body.max_tokens) > 16_000);
});

/** A host that counts a prompt no further than to where there is no room for it any more. */
const toStopping = (real: number) => ({ max_tokens }: ChatRequest): ScriptedAnswer => {
  const most = 32_768 - Number(max_tokens);
  if (real <= most) return { ...HELLO, usage: { prompt_tokens: real } };
  const message = `This model's maximum context length is 32768 tokens. However, you requested ${max_tokens} output ` +
    `tokens and your prompt contains at least ${most + 1} input tokens, for a total of at least 32769 tokens.`;
  return { status: 400, body: { error: { message, type: "BadRequestError", param: "input_tokens", code: 400 } } };
};

for (const real of [9_400, 10_700, 12_000]) {
  test(`a host that counts a prompt of ${real} tokens no further than to its limit is asked for what is left`, async () => {
    const rig = createRig(toStopping(real), { clock: new FakeClock() });
    const messages = [{ role: "user" as const, content: "word ".repeat(10_000) }];
    for (let i = 0; i < 2; i++) {
      await assertHello(await rig.arbiter.fetch(toRequest({ stream: true, messages, max_tokens: 26_000 })));
    }
    const sent = rig.calls.map(({ body }) => Number(body.max_tokens));
    assert.ok(sent.length <= 4, `${sent}`);
    assert.ok(sent.at(-1)! > 19_000, `${sent}`);
  });
}

test("a prompt that a host has not counted to its end is told by its estimate", async () => {
  const rig = createRig(toStopping(40_000), { clock: new FakeClock() });
  const messages = [{ role: "user" as const, content: "word ".repeat(40_000) }];
  const { error } = await (await rig.arbiter.fetch(toRequest({ messages, max_tokens: 26_000 }))).json();
  assert.match(error.message, /^prompt is too long: 4\d{4} tokens > 32768 maximum$/);
});

for (
  const [script, content] of [["Chinese", "\u6570\u636e".repeat(12_000)], ["numbers", "7,3\n9,".repeat(4_000)]] as const
) {
  test(`a prompt of ${script}, which has a token a character, leaves no room for all of the output`, async () => {
    const rig = createChainRig({ [FIRST]: (turn) => turn === 0 ? toOverflow(content.length) : HELLO });
    await assertHello(await rig.ask({ stream: true, messages: [{ role: "user", content }], max_tokens: 16_000 }));
    const sent = rig.calls.map(({ body }) => Number(body.max_tokens));
    assert.deepEqual([sent.length, sent[0]], [2, 16_000]);
    assert.ok(sent[1]! + content.length < 32_768, `${sent}`);
  });
}

test("a limit that cannot be meant is not learned", async () => {
  const odd = ["maximum context length is 128K tokens", "max_tokens must be at most 16k", "max_tokens must be <= 1"];
  for (const detail of odd) {
    const rig = createChainRig({ [FIRST]: (turn) => turn === 0 ? { status: 400, body: { detail } } : HELLO });
    await rig.ask({ stream: true, max_tokens: 32_000 });
    await rig.clock.advance(5_000);
    await assertHello(await rig.ask({ stream: true, max_tokens: 32_000 }));
    assert.equal(rig.calls.at(-1)?.body.max_tokens, 32_000, detail);
  }
});

test("a fallback that finds the request wrong does not keep the next from answering", async () => {
  const rig = createChainRig({ [FIRST]: FAULTS.rateLimited, [SECOND]: WRONG, [THIRD]: HELLO });
  await assertHello(await rig.ask({ stream: true }));
  assert.deepEqual(rig.asked(), [FIRST, SECOND, THIRD]);
});

test("an answer that is not streamed is given the time to be written", async () => {
  const slow: ScriptedAnswer = { delay: 130_000, ...HELLO };
  const rig = createChainRig({ [FIRST]: slow, [SECOND]: HELLO });
  assert.equal((await rig.ask({ max_tokens: 8_000 })).status, 200);
  assert.deepEqual(rig.asked(), [FIRST]);
});

test("a model that was told to be left alone for some time is", async () => {
  const limited = { ...FAULTS.rateLimited, headers: { "retry-after": "40" } };
  const rig = createChainRig({ [FIRST]: (turn) => turn === 0 ? limited : HELLO, [SECOND]: HELLO });
  await assertHello(await rig.ask({ stream: true }));
  await rig.clock.advance(38_000);
  await assertHello(await rig.ask({ stream: true }));
  await rig.clock.advance(2_000);
  await assertHello(await rig.ask({ stream: true }));
  assert.deepEqual(rig.asked(), [FIRST, SECOND, SECOND, FIRST]);
});

test("a model whose answers break off three times is left alone like one that fails", async () => {
  const rig = createChainRig({ [FIRST]: { steps: [HALF, { stop: "cut" }] }, [SECOND]: HELLO });
  for (let i = 0; i < 5; i++) {
    const messages = [{ role: "user" as const, content: `Conversation ${i}` }];
    await (await rig.ask({ stream: true, messages }, { userAgent: CLAUDE_CODE })).text().catch(() => {});
  }
  assert.deepEqual(rig.asked(), [FIRST, FIRST, FIRST, SECOND, SECOND]);
});

test("while all fail only one of those that are not well is asked", async () => {
  const rig = createChainRig({ [FIRST]: FAULTS.degraded, [SECOND]: FAULTS.gone, [THIRD]: FAULTS.degraded });
  for (let i = 0; i < 3; i++) assert.equal((await rig.ask({ stream: true })).status, 529);
  assert.deepEqual(rig.asked(), [FIRST, SECOND, THIRD, FIRST, FIRST]);
});

test("a field that was left out is told of", async () => {
  const warnings: (string[] | undefined)[] = [];
  const onRequest: RigOptions["onRequest"] = (log) => void warnings.push(log.warnings);
  const refusal = { status: 400, body: { detail: "Unsupported parameter(s): `stop`" } };
  const rig = createChainRig({ [FIRST]: (turn) => turn === 0 ? refusal : HELLO }, { onRequest });
  await assertHello(await rig.ask({ stream: true, stop_sequences: ["END"] }));
  assert.match(`${warnings[0]?.at(-1)}`, /^Left out 'stop': test\/first refuses it$/);
});

test("a model whose streams lose something is asked for whole answers, and the client has its stream", async () => {
  const rig = createChainRig({ [FIRST]: FAULTS.busy, [SECOND]: HELLO }, {
    models: [{ id: SECOND, wholeAnswers: true }],
  });
  await assertHello(await rig.ask({ stream: true }));
  assert.deepEqual(rig.calls.map(({ body }) => body.stream), [true, undefined]);
  assert.deepEqual(rig.calls.map(({ body }) => body.stream_options), [{ include_usage: true }, undefined]);
});

test("a whole answer is read, and so are events, whatever the host calls them, with blanks or a mark before", async () => {
  const whole = ["\r\n{", '"choices":[{"message":{"content":"Hel', 'lo"},"finish_reason":"stop"}]}'];
  const events = ['data: {"choices":[{"delta":{"content":"Hello"},"finish_reason":"stop"}]}\n\n'];
  for (
    const pieces of [whole, ["\n  \n", ...whole], ["\ufeff", ...whole], events, ["\n  \n", ...events], [
      "\ufeff",
      ...events,
    ]]
  ) {
    for (const type of ["text/event-stream", "application/json"]) {
      const serve = serveBytes(pieces);
      const fetch: typeof serve = async (...asked) =>
        new Response((await serve(...asked)).body, { headers: { "content-type": type } });
      const { arbiter } = createRig({}, { fetch });
      await assertHello(await arbiter.fetch(toRequest({ stream: true })));
    }
  }
});

test("an error or a page in place of events is told", async () => {
  const told = async (...pieces: string[]) => {
    const { arbiter } = createRig({}, { fetch: serveBytes(pieces) });
    const response = await arbiter.fetch(toRequest({ stream: true }));
    return `${response.status} ${(await response.json()).error.message}`;
  };
  assert.match(await told('{"error":{"message":"Model over', 'loaded","code":503}}'), /^529 Model overloaded/);
  assert.match(await told("<html><title>Log in</title>"), /^500 The host answers with a page.* address: Log in/);
});

test("a model that three times lets the user wait for more than half of its time is left alone", async () => {
  const rig = createChainRig({ [FIRST]: { delay: 70_000, ...HELLO }, [SECOND]: HELLO }, { hold: 200_000 });
  const answers = [1, 2, 3].map(() => rig.ask({ stream: true }));
  for (const answer of answers) await assertHello(await answer);
  await assertHello(await rig.ask({ stream: true }));
  assert.deepEqual(rig.asked(), [FIRST, FIRST, FIRST, SECOND]);
});

for (const [when, fault] of [["during a call", { delay: Infinity }], ["between two calls", FAULTS.busy]] as const) {
  test(`a proxy that is closed ${when} says so`, async () => {
    const rig = createChainRig({ [FIRST]: fault, [SECOND]: HELLO });
    const response = rig.arbiter.fetch(toRequest());
    await settle();
    rig.arbiter.close();
    assert.equal((await (await response).json()).error.message, "Arbiter is closing");
    assert.equal((await response).status, 529);
    await checkReleased(rig);
  });
}
