/**
 * Work grows no faster than what others send: each text is so long that anything quadratic would take from minutes to
 * days, so that these tests end only where nothing is.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createArbiter } from "../../lib/arbiter.ts";
import { readArguments } from "../../lib/dialects/arguments.ts";
import { Scanner } from "../../lib/dialects/scanner.ts";
import { parseTolerant } from "../../lib/dialects/tolerant_json.ts";
import { resolveToolName } from "../../lib/dialects/tool_names.ts";
import { DIALECTS } from "../../lib/models/dialect_tables.ts";
import { toPlainName } from "../../lib/routing/reference.ts";
import { toTypedText } from "../../lib/routing/typed_text.ts";
import { SseDecoder } from "../../lib/stream/sse_decoder.ts";
import { toMessagesRequest } from "../../lib/translate/client_chat_request.ts";
import { toChatMessages } from "../../lib/translate/messages.ts";
import { toFaultText, toServerWords } from "../../lib/upstream/fault_text.ts";
import type { MessageParam } from "../../lib/wire/anthropic.ts";
import { translate } from "../support/answers.ts";
import { ALL } from "../dialects/vectors/mod.ts";
import { scan } from "../dialects/vectors/vector.ts";

const LONG = 1_000_000;
/** The pieces of an answer are read again where they looked like a call and were none, up to a limit. */
const LEAKED = 150_000;
const repeat = (text: string) => text.repeat(Math.ceil(LONG / text.length));
const TOOLS = new Map([["Bash", { name: "Bash", input_schema: { type: "object" } }]]);

describe("what a client sends:", () => {
  const texts = {
    "a name": ["-latest-", "[1m", "-v1", "@12345678"],
    "a data address": ["e", ";", ";base64", "data:"],
    "a text": ["<a-a>", "<system-reminder>", "```", "[Image", "`<a-a>"],
  };
  for (const piece of texts["a name"]) {
    test(`a model's name of '${piece}'`, () => assert.ok(toPlainName(`${repeat(piece)}x`).length >= LONG));
  }
  for (const piece of texts["a data address"]) {
    test(`an image's address of '${piece}'`, () => {
      const url = `data:${repeat(piece)}`;
      const content = [{ type: "image_url" as const, image_url: { url } }];
      const { request } = toMessagesRequest({ model: "m", messages: [{ role: "user", content }] });
      assert.equal(request.messages.length, 1);
    });
  }
  for (const piece of texts["a text"]) {
    test(`a text of '${piece}'`, () => {
      assert.ok(toTypedText([{ role: "user", content: repeat(piece) }]).length <= 1);
    });
  }
  const many = <T>(toOne: (i: number) => T): T[] => Array.from({ length: 100_000 }, (_, i) => toOne(i));
  const toCall = (id: string) => ({ type: "tool_use" as const, id, name: "Bash", input: {} });
  const toResult = (id: string) => ({ type: "tool_result" as const, tool_use_id: id, content: "done" });
  const image = { type: "image" as const, source: { type: "url", url: "https://host/i.png" } };
  const conversations: Record<string, MessageParam[]> = {
    "calls of one id": [{ role: "assistant", content: many(() => toCall("a")) }],
    "calls and, in the other order, their results": [
      { role: "assistant", content: many((i) => toCall(`a${i}`)) },
      { role: "user", content: many((i) => toResult(`a${i}`)).reverse() },
    ],
    "answers of nothing": many((i) =>
      i % 2 === 0 ? { role: "user", content: [image] } : { role: "assistant", content: "" }
    ),
  };
  for (const [name, messages] of Object.entries(conversations)) {
    test(`a conversation of ${name}`, () => {
      assert.ok(toChatMessages(messages, { vision: true, warn: () => {} }).length > 0);
    });
  }
  test("a path of slashes", async () => {
    const request = new Request(`http://localhost/${repeat("/")}x`);
    assert.equal((await createArbiter({ apiKey: "k" }).fetch(request)).status, 404);
  });
});

describe("what a host sends:", () => {
  for (
    const piece of ["/*", "/**/", "//", "'", '"', '"a', "{}", "[", "{a:", ",", " ", "\\", "(", "1_", "“", "'a' ", "/*,"]
  ) {
    test(`arguments of '${piece}'`, () => {
      for (const head of ["", "{", "[", '{"a":', "{'a':'"]) {
        const read = parseTolerant(head + repeat(piece));
        assert.ok(read === undefined || read.length <= LONG + 20);
      }
    });
  }

  test("arguments of blanks", () => {
    assert.equal(readArguments(`${repeat(" ")}x`), undefined);
    assert.equal(readArguments(`{${repeat(" ")}x`), undefined);
  });

  for (const [open, char, close] of [["{", " ", "}"], ['{"command":"', "x", '"}']] as const) {
    test(`arguments of '${char}' in small pieces`, () => {
      const call = (piece: string) => ({
        choices: [{ delta: { tool_calls: [{ index: 0, function: { name: "Bash", arguments: piece } }] } }],
      });
      const pieces = Array.from({ length: 100_000 }, () => call(char.repeat(20)));
      for (const model of ["", "moonshotai/kimi-k2.6"]) {
        assert.ok(translate([call(open), ...pieces, call(close)], { tools: TOOLS, model }).length > 0);
      }
    });
  }

  test("many long calls, each once as a call and others in the text", () => {
    const json = (i: number) => JSON.stringify({ command: `${i} ${"x".repeat(30_000)}` });
    const chunks = Array.from({ length: 450 }, (_, index) => {
      const content = `<tool_call>{"name":"Bash","arguments":${json(-index)}}</tool_call>`;
      return [{ tool_calls: [{ index, function: { name: "Bash", arguments: json(index) } }] }, { content }];
    });
    const model = "qwen/qwen3-80b";
    const events = translate(chunks.flat().map((delta) => ({ choices: [{ delta }] })), { tools: TOOLS, model });
    assert.equal(events.filter(({ type }) => type === "content_block_start").length, 899);
  });

  test("a tool's name of blanks", () => assert.equal(resolveToolName(`x${repeat(" ")}●`, TOOLS), undefined));

  for (const piece of ["input_value=", "input_value=, ", "'", '"', "`", "<", "1 ", "max_tokens maximum ", " ", "\\"]) {
    test(`a refusal of '${piece}'`, () => {
      for (const head of ["", "Error code: 400 - {'", "<html>", '{"message":"']) {
        assert.ok(toServerWords(head + repeat(piece)).length <= 600);
        assert.ok(toFaultText(head + repeat(piece)).length <= 1000);
      }
    });
  }

  for (const size of [1, 3]) {
    test(`one line in pieces of ${size}`, () => {
      const decoder = new SseDecoder();
      const piece = new TextEncoder().encode("x".repeat(size));
      for (let i = 0; i < LONG / 2; i += size) assert.deepEqual(decoder.feed(piece), []);
    });
    test(`many lines of one event in pieces of ${size}`, () => {
      const decoder = new SseDecoder();
      const piece = new TextEncoder().encode(size === 1 ? "\r" : "data:\n");
      for (let i = 0; i < LONG / 4; i++) decoder.feed(piece);
      assert.ok(decoder.flush().length <= 1);
    });
  }

  for (const [name, triggers] of Object.entries(DIALECTS)) {
    test(`blanks behind a tag that closes nothing, one by one (${name})`, () => {
      const scanner = new Scanner({ triggers, tools: TOOLS });
      let length = 0;
      const count = (found: ReturnType<Scanner["feed"]>) => {
        for (const piece of found) if (piece.kind !== "call") length += piece.text.length;
      };
      count(scanner.feed("x\n</think>"));
      for (let i = 0; i < LONG / 10; i++) count(scanner.feed(" "));
      count(scanner.flush());
      assert.ok(length > 0);
    });
  }
});

test("where what is no call has been read again for two million characters, no more calls are looked for", () => {
  const call = '<tool_call>{"name": "ls", "arguments": {"path": "."}}</tool_call>';
  for (const [length, calls] of [[1_000, 1], [150_000, 0]] as const) {
    const half = `<tool_call>\n{"name${" lorem".repeat(length / 6)}`;
    const found = scan("qwen/qwen3", [`${half.repeat(8)}\n\n${call}`]);
    assert.equal(found.filter(({ kind }) => kind === "call").length, calls);
  }
});

describe("what a model leaks, over and over, whole and in pieces:", () => {
  for (const { family, models, vectors } of ALL) {
    const texts = vectors.map(({ text }) => text).sort((a, b) => b.length - a.length);
    for (const part of [0.25, 0.75]) {
      test(`${family}, cut at ${part}`, () => {
        const [longest = ""] = texts;
        const text = longest.slice(0, part * longest.length).repeat(Math.ceil(LEAKED / longest.length / part));
        for (const size of [LEAKED * 2, 7]) {
          const pieces = Array.from(
            { length: Math.ceil(text.length / size) },
            (_, i) => text.slice(i * size, (i + 1) * size),
          );
          assert.ok(scan(models[0]!, pieces).length > 0);
        }
      });
    }
  }
});
