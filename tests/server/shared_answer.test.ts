import assert from "node:assert/strict";
import { test } from "node:test";
import { type GivenAnswer, SharedAnswer, toSize } from "../../lib/server/shared_answer.ts";
import { toMessageStart } from "../../lib/stream/chunk_translator.ts";
import type { MessageStreamEvent } from "../../lib/wire/anthropic.ts";
import { settle } from "../support/fake_clock.ts";

const START = toMessageStart("msg_1", "a", 1);

function toDelta(text: string): MessageStreamEvent {
  return { type: "content_block_delta", index: 0, delta: { type: "text_delta", text } };
}

/** An answer of some reads, and what is known of it. */
class Shared {
  reads = 0;
  left = 0;
  ends: boolean[] = [];
  signal: AbortSignal | undefined;
  readonly answer: SharedAnswer;

  constructor(texts: readonly string[], fault?: Error, refusal?: Error) {
    const ask = (signal: AbortSignal): Promise<GivenAnswer> => {
      this.signal = signal;
      const given = { model: "m", fellBack: false, warnings: [], events: this.#read(texts, fault) };
      return refusal ? Promise.reject(refusal) : Promise.resolve(given);
    };
    const question = { created: 0, toStart: () => START, ask };
    this.answer = new SharedAnswer(question, () => this.left++, (whole) => this.ends.push(whole));
  }

  async *#read(texts: readonly string[], fault?: Error): GivenAnswer["events"] {
    for (const text of texts) {
      this.reads++;
      await Promise.resolve();
      yield [toDelta(text)];
    }
    if (fault) throw fault;
  }

  join(signal: AbortSignal = new AbortController().signal): GivenAnswer["events"] {
    const { answer } = this.answer.join(signal);
    return (async function* () {
      return yield* (await answer).events;
    })();
  }
}

/** The texts of the next events, at most `most` of them, and what ended them. */
async function read(events: GivenAnswer["events"], most = Infinity): Promise<string[]> {
  const texts: string[] = [];
  try {
    while (texts.length < most) {
      const { value: batch, done } = await events.next();
      if (done) break;
      texts.push(...batch.map((event) => event.type === "content_block_delta" ? Object.values(event.delta)[1]! : ""));
    }
  } catch (thrown) {
    texts.push(`! ${(thrown as Error).message}`);
  }
  return texts;
}

const TEXTS = ["a", "b", "c", "d"];

test("whatever comes has a size: texts, citations, results of tools", () => {
  const long = "x".repeat(1_000);
  const delta = { type: "citations_delta", citation: { cited_text: long } };
  const content_block = { type: "web_search_tool_result", content: [{ title: long }] };
  const cited = { type: "content_block_delta", index: 0, delta } as unknown as MessageStreamEvent;
  const found = { type: "content_block_start", index: 0, content_block } as unknown as MessageStreamEvent;
  for (
    const event of [toDelta(long), cited, found, { type: "message_start", message: { ...START.message, id: long } }]
  ) {
    const size = toSize([event as MessageStreamEvent]);
    assert.ok(size >= 1_000 && size < 1_400, `${event.type} ${size}`);
  }
});

test("whoever comes later reads the answer from its first event on, whenever that is", async () => {
  for (const fault of [undefined, new Error("cut")]) {
    for (let at = 0; at <= TEXTS.length; at++) {
      const shared = new Shared(TEXTS, fault);
      const first = shared.join();
      const begun = await read(first, at);
      const second = shared.join();
      const [rest, all] = await Promise.all([read(first), read(second)]);
      const expected = [...TEXTS, ...fault ? ["! cut"] : []];
      assert.deepEqual([...begun, ...rest], expected, `first, at ${at}`);
      assert.deepEqual(all, expected, `second, at ${at}`);
      assert.equal(shared.reads, TEXTS.length, "read twice");
      assert.deepEqual(shared.ends, [fault === undefined]);
      assert.equal(shared.answer.size, toSize(TEXTS.map(toDelta)));
    }
  }
});

test("nobody's reading is nobody's pace", async () => {
  const shared = new Shared(TEXTS);
  const [slow, fast] = [shared.join(), shared.join()];
  assert.deepEqual(await read(slow, 1), ["a"]);
  await settle();
  assert.equal(shared.reads, 1);
  assert.deepEqual(await read(fast), TEXTS);
  assert.deepEqual(await read(slow), TEXTS.slice(1));
});

test("a refusal reaches everybody", async () => {
  const shared = new Shared(TEXTS, undefined, new Error("no"));
  const readers = [shared.join(), shared.join()];
  for (const reader of readers) assert.deepEqual(await read(reader), ["! no"]);
  assert.deepEqual(shared.ends, [false]);
});

test("an answer is left when its last reader has gone before the end", async () => {
  const shared = new Shared(TEXTS);
  const gone = [new AbortController(), new AbortController()] as const;
  const [first] = gone.map(({ signal }) => shared.join(signal));
  await read(first!, 1);
  gone[0].abort();
  assert.equal(shared.left, 0);
  gone[1].abort();
  assert.equal(shared.left, 1);
  assert.deepEqual(await read(shared.join()), TEXTS);
  assert.deepEqual(shared.ends, [true]);
});

test("an answer that is over is not left", async () => {
  const shared = new Shared(TEXTS);
  const gone = new AbortController();
  await read(shared.join(gone.signal));
  gone.abort();
  assert.equal(shared.left, 0);
});

test("an answer can be read to its end although nobody waits", async () => {
  for (const fault of [undefined, new Error("cut")]) {
    const shared = new Shared(TEXTS, fault);
    await shared.answer.finish();
    assert.deepEqual(shared.ends, [fault === undefined]);
    assert.equal(shared.reads, TEXTS.length);
  }
});

test("an answer that is given up tells upstream, once", () => {
  const shared = new Shared(TEXTS);
  shared.join();
  shared.answer.giveUp("reason");
  shared.answer.giveUp();
  assert.equal(shared.signal?.reason, "reason");
  assert.deepEqual(shared.ends, [false]);
});

test("what is too much is kept for nobody, and those who read it go on", async () => {
  const texts = ["a", "x".repeat(1_999_700), "b", "c"];
  const shared = new Shared(texts);
  const [first, second] = [shared.join(), shared.join()];
  await read(first, 2);
  assert.equal(shared.answer.kept, true);
  await read(first, 1);
  assert.equal(shared.answer.kept, false);
  assert.deepEqual(await read(first), ["c"]);
  assert.deepEqual(await read(second), texts);
  assert.deepEqual(shared.ends, [true]);
});
