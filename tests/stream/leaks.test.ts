import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DeclaredTools } from "../../lib/dialects/grammar.ts";
import { ChunkTranslator } from "../../lib/stream/chunk_translator.ts";
import type { ChatChunk } from "../../lib/wire/openai.ts";
import { call, calls, chunk, finish, summarize, translate } from "../support/answers.ts";

const SCHEMA = {
  type: "object",
  properties: {
    path: { type: "string" },
    limit: { type: "integer" },
    deep: { type: "boolean" },
    tags: { type: "array", items: { type: "string" } },
    options: { type: "object", properties: { depth: { type: "number" } } },
  },
};
const TOOLS: DeclaredTools = new Map(["Read", "Write"].map((name) => [name, { name, input_schema: SCHEMA }]));
const KIMI = "moonshotai/kimi-k2.6";

/** A Kimi call as it is written. */
function kimi(name: string, args: string, n = 0): string {
  return `<|tool_call_begin|>functions.${name}:${n}<|tool_call_argument_begin|>${args}<|tool_call_end|>`;
}

function read(model: string, ...chunks: ChatChunk[]): string[] {
  return summarize(translate(chunks, { model, tools: TOOLS }));
}

const READ = '{"path":"a.ts"}';

describe("a call in the text becomes a call", () => {
  test("between text that leaves before the answer ends", () => {
    const translator = new ChunkTranslator({ model: KIMI, tools: TOOLS });
    const feed = (content: string) => summarize(translator.feed([chunk({ content })]));
    assert.deepEqual(feed("Let me look."), ["text:Let me look."]);
    assert.deepEqual(feed("<|tool_calls_section_begin|>" + kimi("Read", READ).slice(0, 40)), []);
    assert.deepEqual(feed(kimi("Read", READ).slice(40)), [`Read${READ}`]);
    assert.deepEqual(feed("<|tool_calls_section_end|>And now"), ["text:And now"]);
    const [delta] = translator.feed([chunk({ content: " the rest <" })]);
    assert.deepEqual(delta, {
      type: "content_block_delta",
      index: 2,
      delta: { type: "text_delta", text: " the rest " },
    });
  });

  test("in the middle of reasoning, which it ends", () => {
    const reasoning_content = `I will read it.<|tool_calls_section_begin|>${kimi("Read", READ)}`;
    const expected = ["thinking:I will read it.", `Read${READ}`, "(tool_use)"];
    assert.deepEqual(read(KIMI, chunk({ reasoning_content }), finish("stop")), expected);
  });

  test("with the arguments that its schema wants", () => {
    const content = "<tool_call>Read<arg_key>path</arg_key><arg_value>7</arg_value>" +
      "<arg_key>limit</arg_key><arg_value>7</arg_value></tool_call>";
    assert.deepEqual(read("z-ai/glm-5.2", chunk({ content }), finish()), ['Read{"path":"7","limit":7}', "(tool_use)"]);
  });

  test("only for the family that answers", () => {
    const content = kimi("Read", READ);
    assert.deepEqual(read("openai/gpt-4", chunk({ content }), finish()), [`text:${content}`, "(end_turn)"]);
  });

  test("not when the answer was cut in it", () => {
    const content = `Look: ${kimi("Read", '{"path":"a').slice(0, -17)}`;
    assert.deepEqual(read(KIMI, chunk({ content }), finish("length")), [`text:${content}`, "(max_tokens)"]);
  });
});

describe("half a call is not run", () => {
  const half = '{"path":"a.ts","text":"half of';

  test("though the host says that it is whole", () => {
    for (const reason of ["tool_calls", "stop", "length"]) {
      const expected = [`Write${half}`, "(max_tokens)"];
      assert.deepEqual(read(KIMI, calls(call(0, "c1", "Write", half)), finish(reason)), expected);
    }
  });

  test("and blanks in the middle of it, after a text, are nothing", () => {
    for (const blanks of ["\n\n", " (no content)"]) {
      const begun = [
        chunk({ content: "Ok." }),
        calls(call(0, "c1", "Write", half.slice(0, 4))),
        chunk({ content: blanks }),
      ];
      const answer = read("qwen/qwen3-80b", ...begun, calls(call(0, null, null, half.slice(4))), finish("length"));
      assert.deepEqual(answer, ["text:Ok.", `Write${half}`, "(max_tokens)"]);
    }
  });

  test("wherever in a value it ends, or before one; where only brackets are missing it is whole", () => {
    const rows: [args: string, stop: string][] = [
      ['{"path":"a.ts","limit":12', "max_tokens"],
      ['{"path":"a.ts","deep":tr', "max_tokens"],
      ['{"path":"a.ts",', "max_tokens"],
      ['{"path":"a.ts","limit":', "max_tokens"],
      ['{"path":"a.ts","tags":[', "max_tokens"],
      ['{"path":"a.ts"', "tool_use"],
      ['{"path":"a.ts","tags":["b"]', "tool_use"],
      ['{"path":"a.ts","tags":["b"', "tool_use"],
    ];
    for (const [args, stop] of rows) {
      const answer = read(KIMI, calls(call(0, "c1", "Read", args)), finish("tool_calls"));
      assert.equal(answer.at(-1), `(${stop})`, args);
    }
  });

  test("nor the one after a whole one", () => {
    const chunks = [calls(call(0, "c1", "Read", READ)), calls(call(1, "c2", "Write", '{"pa')), finish("tool_calls")];
    assert.deepEqual(read(KIMI, ...chunks), [`Read${READ}`, "(max_tokens)"]);
  });

  test("because another field speaks", () => {
    const content = kimi("Write", half).replace("<|tool_call_end|>", "");
    for (const other of [chunk({ reasoning_content: "Hm." }), calls(call(0, "c1", "Read", READ))]) {
      const names = read(KIMI, chunk({ content }), other, chunk({ content: ' rest"}' }), finish());
      assert.ok(!names.some((part) => part.startsWith("Write")), names.join());
    }
  });
});

test("a call without arguments, found in the text, is closed by the text after it", () => {
  const content = '<tool_call>{"name":"Read","arguments":{}}</tool_call>Now text.';
  const expected = ["Read{}", "text:Now text.", "(tool_use)"];
  assert.deepEqual(read("qwen/qwen3-80b", chunk({ content }), finish()), expected);
});

describe("a call that comes as a call and in the text runs once", () => {
  const text = `<TOOLCALL>[{"name":"Read","arguments":${READ}}]</TOOLCALL>`;
  const whole = call(0, "c1", "Read", READ);
  const rows: [name: string, chunks: ChatChunk[]][] = [
    ["in one chunk", [{ choices: [{ delta: { content: text, tool_calls: [whole] } }] }]],
    ["the text first", [chunk({ content: text }), calls(whole)]],
    ["the call first", [calls(whole), chunk({ content: text })]],
    ["the call without its arguments first", [calls(call(0, "c1", "Read", "{}")), chunk({ content: text })]],
    ["the call without its arguments last", [chunk({ content: text }), calls(call(0, "c1", "Read", "{}"))]],
    ["with other blanks", [chunk({ content: text }), calls(call(0, "c1", "Read", '{ "path" : "a.ts" }'))]],
    ["in a string of its own", [chunk({ content: text }), calls(call(0, "c1", "Read", JSON.stringify(READ)))]],
    ["in Python's words", [chunk({ content: text }), calls(call(0, "c1", "Read", "{'path': 'a.ts'}"))]],
    ["the text between the pieces of the call", [
      calls(call(0, "c1", "Read", '{"path":"')),
      chunk({ content: text }),
      calls(call(0, null, null, 'a.ts"}')),
    ]],
  ];
  for (const [name, chunks] of rows) {
    test(name, () => {
      const expected = [`Read${READ}`, "(tool_use)"];
      assert.deepEqual(read("nvidia/nvidia-nemotron-nano-9b-v2", ...chunks, finish("tool_calls")), expected);
    });
  }

  test("as it is in the text, if the answer was cut before what came as a call was complete", () => {
    const chunks = [calls(call(0, "c1", "Read", "{'path': 'a.ts'}")), chunk({ content: text }), finish("length")];
    assert.deepEqual(read("nvidia/nvidia-nemotron-nano-9b-v2", ...chunks), [`Read${READ}`, "(max_tokens)"]);
  });

  test("but two different calls are two", () => {
    const chunks = [chunk({ content: text }), calls(call(0, "c1", "Read", '{"path":"b.ts"}')), finish()];
    const expected = [`Read${READ}`, 'Read{"path":"b.ts"}', "(tool_use)"];
    assert.deepEqual(read("nvidia/nvidia-nemotron-nano-9b-v2", ...chunks), expected);
  });
});

describe("the beginning of a call that a host's parser leaves in the text is dropped:", () => {
  const rows: [model: string, left: string][] = [
    ["deepseek-ai/deepseek-v4-flash", "<｜DSML｜tool_calls"],
    ["deepseek-ai/deepseek-v4-flash", "<｜DSML｜tool_calls>\n"],
    ["qwen/qwen3-coder-480b", "<function"],
    ["qwen/qwen3-coder-480b", "<tool_call>\n"],
    ["nvidia/nemotron-3-super", "<tool_call>\n<function=Read>\n<parameter=path>\na"],
    [KIMI, "<|tool_calls_section_begin|><|tool_call_begin|>functions.Read:0"],
    ["openai/gpt-oss-120b", "<|channel|>commentary to=functions.Read"],
  ];
  for (const [model, left] of rows) {
    test(left, () => {
      for (const field of ["content", "reasoning_content"]) {
        const chunks = [...`Ok.${left}`].map((piece) => chunk({ [field]: piece }));
        const kind = field === "content" ? "text" : "thinking";
        const expected = [`${kind}:Ok.`, `Read${READ}`, "(tool_use)"];
        assert.deepEqual(read(model, ...chunks, calls(call(0, "c1", "Read", READ)), finish("tool_calls")), expected);
      }
    });
  }

  test("but not what may be text, nor where no call follows", () => {
    const whole = calls(call(0, "c1", "Read", READ));
    const [qwen, gptOss, granite] = ["qwen/qwen3-coder-480b", "openai/gpt-oss-120b", "ibm/granite-4"];
    for (
      const [model, content] of [[qwen, "1 <"], [gptOss, "I add a comment"], [granite, "It uses functools"]] as const
    ) {
      const expected = [`text:${content}`, `Read${READ}`, "(tool_use)"];
      assert.deepEqual(read(model!, chunk({ content }), whole, finish()), expected);
    }
    assert.deepEqual(read(qwen!, chunk({ content: "1 <tool_" }), finish()), ["text:1 <tool_", "(end_turn)"]);
  });
});

describe("arguments are repaired", () => {
  const rows: [name: string, written: string, expected: string][] = [
    ["single quotes and Python's words", "{'path': 'a.ts', 'deep': True}", '{"path":"a.ts","deep":true}'],
    ["a trailing comma", '{"path":"a.ts",}', READ],
    ["keys without quotes", "{path: 'a.ts'}", READ],
    ["a raw line break", '{"path":"a\nb"}', '{"path":"a\\nb"}'],
    ["a Windows path", '{"path":"C:\\dir\\x"}', '{"path":"C:\\\\dir\\\\x"}'],
    ["a quote that was not escaped", '{"path":"say "hi" now"}', '{"path":"say \\"hi\\" now"}'],
    ["a number as text", '{"path":"a.ts","limit":"5"}', '{"path":"a.ts","limit":5}'],
    ["a list as text", '{"path":"a.ts","tags":"[\\"x\\"]"}', '{"path":"a.ts","tags":["x"]}'],
    ["one value for a list", '{"path":"a.ts","tags":"x"}', '{"path":"a.ts","tags":["x"]}'],
    ["an object as text", '{"options":"{\\"depth\\":\\"2\\"}"}', '{"options":{"depth":2}}'],
    ["a number where text belongs", '{"path":7}', '{"path":"7"}'],
    ["a fence around them", '```json\n{"path":"a.ts"}\n```', READ],
    ["a comment", '{"path":"a.ts" /* here */}', READ],
    ["the end missing", '{"path":"a.ts","tags":["x"', '{"path":"a.ts","tags":["x"]}'],
  ];
  for (const [name, written, expected] of rows) {
    test(`${name}, however they arrive`, () => {
      for (const size of [1, 3, 7, written.length]) {
        const pieces = written.match(new RegExp(`[^]{1,${size}}`, "g")) ?? [];
        const chunks = pieces.map((piece, i) => calls(call(0, "c1", i === 0 ? "Read" : null, piece)));
        assert.deepEqual(read(KIMI, ...chunks, finish("tool_calls")), [`Read${expected}`, "(tool_use)"], `by ${size}`);
      }
    });
  }

  test("never to nothing: what cannot be read reaches the client as it was written", () => {
    const [made] = read(KIMI, calls(call(0, "c1", "Read", "}{ what")), finish("tool_calls"));
    assert.equal(made, 'Read{"__unparsedToolInput":{"raw":"}{ what","len":7}}');
  });
});

test("the end of long Kimi arguments that comes as text belongs to the call", () => {
  const chunks = [
    calls(call(0, "c1", "Write", '{"path":"a.ts","te')),
    chunk({ content: 'xt":"one' }),
    chunk({ content: ' two"}<|tool_call_end|><|tool_calls_section_end|>Done.' }),
    finish("tool_calls"),
  ];
  assert.deepEqual(read(KIMI, ...chunks), ['Write{"path":"a.ts","text":"one two"}', "text:Done.", "(tool_use)"]);
});

describe("padding beside calls is dropped:", () => {
  for (const content of ["(no content)", "\n\n", "  (no content)\n"]) {
    test(JSON.stringify(content), () => {
      const pieces = [...content].map((char) => chunk({ content: char }));
      assert.deepEqual(read(KIMI, ...pieces, calls(call(0, "c1", "Read", READ)), finish()), [
        `Read${READ}`,
        "(tool_use)",
      ]);
    });
  }

  test("but not what only begins like it", () => {
    const chunks = [chunk({ content: "(no co" }), calls(call(0, "c1", "Read", READ)), finish()];
    assert.deepEqual(read(KIMI, ...chunks), ["text:(no co", `Read${READ}`, "(tool_use)"]);
  });
});

describe("nonsense is a failure of the upstream:", () => {
  const overloaded = { name: "ApiError", type: "overloaded_error" };

  test("a run of exclamation marks, before any of them has left", () => {
    const translator = new ChunkTranslator({ model: KIMI });
    for (let i = 0; i < 24; i++) assert.deepEqual(translator.feed([chunk({ content: "!!!!" })]), []);
    assert.throws(() => translator.feed([chunk({ content: "!!!!" })]), overloaded);
  });

  test("the same words over and over, in text and in reasoning", () => {
    for (const field of ["content", "reasoning_content"]) {
      const translator = new ChunkTranslator({ model: KIMI });
      const feed = () => {
        for (let i = 0; i < 2000; i++) translator.feed([chunk({ [field]: "and so " })]);
      };
      assert.throws(feed, overloaded);
    }
  });

  test("an answer without anything in it", () => {
    assert.throws(() => translate([finish("stop")]), overloaded);
    for (const content of [" \n", "(no content)", "(no content)\n"]) {
      assert.throws(() => translate([chunk({ content }), finish("stop")]), overloaded, content);
    }
    const printed = ["It printed ", "(no content)"].map((content) => chunk({ content }));
    assert.deepEqual(summarize(translate([...printed, finish()])), ["text:It printed (no content)", "(end_turn)"]);
  });

  test("a finish reason that says so", () => {
    for (const reason of ["abort", "error", "insufficient_system_resource", "repetition"]) {
      assert.throws(() => translate([chunk({ content: "Half of" }), finish(reason)]), overloaded);
    }
  });

  test("but not data that repeats for a while", () => {
    for (const content of ["0,".repeat(4000), "A".repeat(8000), "Wow" + "!".repeat(300)]) {
      const pieces = content.match(/[^]{1,50}/g) ?? [];
      const expected = [`text:${content}`, "(end_turn)"];
      assert.deepEqual(summarize(translate([...pieces.map((piece) => chunk({ content: piece })), finish()])), expected);
    }
  });

  test("but not a long line, a table, a run of blanks, an exclamation or an answer cut at once", () => {
    const rows = ["-".repeat(5000), "| --- ".repeat(800), " ".repeat(5000) + "x", "Wow!!! Yes!!!"];
    for (const content of rows) {
      const pieces = content.match(/[^]{1,50}/g) ?? [];
      const expected = [`text:${content}`, "(end_turn)"];
      assert.deepEqual(summarize(translate([...pieces.map((piece) => chunk({ content: piece })), finish()])), expected);
    }
    assert.deepEqual(summarize(translate([finish("length")])), ["(max_tokens)"]);
  });
});

describe("a model that always thinks", () => {
  const R1 = "deepseek-ai/deepseek-r1";
  const expected = ["thinking:Hm, hard.", "text:It is 42.", "(end_turn)"];

  test("begins in its thinking where the host passes on what it writes", () => {
    const chunks = ["Hm, ", "hard.</th", "ink>\n\nIt is 42."].map((content) => chunk({ content }));
    assert.deepEqual(read(R1, ...chunks, finish("stop")), expected);
  });

  test("begins in text where the host has taken its thinking apart", () => {
    const chunks = [chunk({ reasoning_content: "Hm, hard." }), chunk({ content: "It is 42." })];
    assert.deepEqual(read(R1, ...chunks, finish("stop")), expected);
  });
});
