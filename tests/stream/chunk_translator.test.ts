import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ChunkTranslator, toMessageStart } from "../../lib/stream/chunk_translator.ts";
import { call, calls, chunk, finish, summarize, toSse, translate, translateReads } from "../support/answers.ts";
import { RECORDED_STREAMS, TOOLS } from "./recorded_streams.ts";

const options = { tools: TOOLS };
const encoder = new TextEncoder();

describe("ChunkTranslator understands", () => {
  for (const { name, chunks, expected } of RECORDED_STREAMS) {
    test(name, () => assert.deepEqual(summarize(translate(chunks, options)), expected));
  }
});

describe("ChunkTranslator gives the same events wherever the bytes are cut:", () => {
  for (const { name, chunks } of RECORDED_STREAMS) {
    test(name, () => {
      const bytes = encoder.encode(toSse(chunks));
      const whole = translateReads([bytes], options);
      for (let cut = 1; cut < bytes.length; cut++) {
        assert.deepEqual(
          translateReads([bytes.subarray(0, cut), bytes.subarray(cut)], options),
          whole,
          `cut at ${cut}`,
        );
      }
      assert.deepEqual(translateReads([...bytes].map((byte) => Uint8Array.of(byte)), options), whole, "byte by byte");
    });
  }
});

describe("ChunkTranslator keeps Anthropic's grammar:", () => {
  for (const { name, chunks } of RECORDED_STREAMS) {
    test(name, () => {
      let [open, next] = [-1, 0];
      const events = translate(chunks, options);
      for (const event of events) {
        if (event.type === "content_block_start") {
          assert.equal(open, -1, "one block at a time");
          assert.equal(event.index, next++);
          open = event.index;
        } else if (event.type === "content_block_delta") assert.equal(event.index, open);
        else if (event.type === "content_block_stop") {
          assert.equal(event.index, open);
          open = -1;
        } else assert.equal(open, -1);
      }
      assert.deepEqual(events.slice(-2).map(({ type }) => type), ["message_delta", "message_stop"]);
    });
  }
});

test("a thinking block is signed before it ends", () => {
  const events = translate([chunk({ reasoning_content: "Hm." }), finish()]);
  assert.deepEqual(events[2], {
    type: "content_block_delta",
    index: 0,
    delta: { type: "signature_delta", signature: "unsigned" },
  });
});

test("ids of calls are made here and never repeat the host's", () => {
  const chunks = [calls(call(0, "Bash:0", "Read", "{}")), calls(call(1, "Bash:0", "Read", "{}")), finish()];
  const ids = translate(chunks).flatMap((event) =>
    event.type === "content_block_start" && event.content_block.type === "tool_use" ? [event.content_block.id] : []
  );
  assert.deepEqual(ids, ["toolu_1", "toolu_2"]);
});

test("names that were hashed on the way up come back as the client's own", () => {
  const tools = new Map([["mcp__short", { name: "mcp__very.long" }]]);
  const events = translate([calls(call(0, "c1", "mcp__short", "{}")), finish()], { tools });
  assert.deepEqual(summarize(events), ["mcp__very.long{}", "(tool_use)"]);
});

test("texts in arguments leave while they arrive, everything else when it is complete", () => {
  const translator = new ChunkTranslator();
  const pieces = (args: string, name: string | null = null) =>
    translator.feed([calls(call(0, "c1", name, args))]).flatMap((event) =>
      event.type === "content_block_delta" && event.delta.type === "input_json_delta" ? [event.delta.partial_json] : []
    );
  assert.deepEqual(pieces("{", "Read"), []);
  assert.deepEqual(pieces('"path":"a'), ['{"path":"a']);
  assert.deepEqual(pieces(".ts\\"), [".ts"]);
  assert.deepEqual(pieces('n",'), ['\\n"']);
  assert.deepEqual(pieces('"n":tr'), []);
  assert.deepEqual(pieces("ue,"), [',"n":true']);
  assert.deepEqual(pieces("}"), []);
});

test("a block of a call is closed as soon as another call follows, not before", () => {
  const translator = new ChunkTranslator();
  const first = translator.feed([calls(call(0, "c1", "Read", '{"path":"a"}'))]);
  assert.ok(!first.some(({ type }) => type === "content_block_stop"));
  const second = translator.feed([calls(call(1, "c2", "Read", '{"path":"b"}'))]);
  assert.equal(second[0]?.type, "content_block_stop");
});

test("a call that was cut before its arguments began is dropped, also behind text", () => {
  const chunks = [chunk({ content: "a" }), calls(call(0, "c1", "Read", "")), finish("length")];
  assert.deepEqual(summarize(translate(chunks)), ["text:a", "(max_tokens)"]);
});

test("deltas of one read are merged into one event", () => {
  const translator = new ChunkTranslator();
  const events = translator.feed(["a", "b", "c"].map((content) => chunk({ content })));
  assert.deepEqual(events.slice(1), [
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "abc" } },
  ]);
});

describe("usage is", () => {
  const usageOf = (...chunks: Parameters<typeof translate>[0]) => {
    const last = translate(chunks, { inputTokens: 77 }).at(-2);
    return last?.type === "message_delta" ? last.usage : undefined;
  };
  const text = chunk({ content: "12345678" });
  const expected = { cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };

  test("what the last chunk says, which may have no choices", () => {
    const usage = { prompt_tokens: 1000, completion_tokens: 20 };
    assert.deepEqual(usageOf(text, finish(), { choices: [], usage }), {
      ...expected,
      input_tokens: 1000,
      output_tokens: 20,
    });
  });

  test("the last of several", () => {
    const chunks = [1, 2, 3].map((n) => ({ ...text, usage: { prompt_tokens: 10, completion_tokens: n } }));
    assert.deepEqual(usageOf(...chunks, finish()), { ...expected, input_tokens: 10, output_tokens: 3 });
    const choices = [{ delta: {}, finish_reason: "stop", usage: { prompt_tokens: 10, completion_tokens: 3 } }];
    assert.deepEqual(usageOf(text, { choices }), { ...expected, input_tokens: 10, output_tokens: 3 }, "as Moonshot");
  });

  test("with what was cached told apart", () => {
    const usage = { prompt_tokens: 1000, completion_tokens: 20, prompt_tokens_details: { cached_tokens: 900 } };
    assert.deepEqual(usageOf(text, finish(), { usage }), {
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 900,
      input_tokens: 100,
      output_tokens: 20,
    });
  });

  test("estimated when the host reports nothing", () => {
    assert.deepEqual(usageOf(text, finish()), { ...expected, input_tokens: 77, output_tokens: 2 });
  });
});

describe("the stop sequence is echoed", () => {
  for (const field of ["stop_reason", "matched_stop"]) {
    test(`from ${field}`, () => {
      const last = { choices: [{ delta: {}, finish_reason: "stop", [field]: "</block>" }] };
      const events = translate([chunk({ content: "no" }), last], { stopSequences: ["</block>"] });
      assert.deepEqual(events.at(-2), {
        type: "message_delta",
        delta: { stop_reason: "stop_sequence", stop_sequence: "</block>" },
        usage: {
          input_tokens: 0,
          output_tokens: 1,
          cache_read_input_tokens: 0,
          cache_creation_input_tokens: 0,
        },
      });
    });
  }

  test("unless nobody asked for it", () => {
    const last = { choices: [{ delta: {}, finish_reason: "stop", stop_reason: 151645 }] };
    assert.deepEqual(summarize(translate([chunk({ content: "no" }), last])), ["text:no", "(end_turn)"]);
  });
});

test("an answer without a word or a finish reason is a failure", () => {
  assert.throws(() => new ChunkTranslator().flush(), { name: "ApiError", type: "overloaded_error" });
});

test("message_start tells the client's own name of the model and the estimate", () => {
  const { message } = toMessageStart("msg_1", "claude-x", 42);
  assert.equal(message.model, "claude-x");
  assert.equal(message.usage.input_tokens, 42);
  assert.deepEqual(message.content, []);
});
