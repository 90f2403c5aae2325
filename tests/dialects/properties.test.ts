import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { readArguments } from "../../lib/dialects/arguments.ts";
import { parseTolerant } from "../../lib/dialects/tolerant_json.ts";
import type { Found } from "../../lib/dialects/scanner.ts";
import { scan, toShort } from "./vectors/vector.ts";

const SEED = 20_250_101;

function check<T>(runs: number, arbitrary: fc.Arbitrary<T>, predicate: (value: T) => void): void {
  fc.assert(fc.property(arbitrary, predicate), { seed: SEED, numRuns: runs });
}

/** Cuts a text at places that were chosen by chance. */
function cutAt(text: string, places: readonly number[]): string[] {
  const cuts = [...new Set(places.map((place) => place % (text.length + 1)))].sort((a, b) => a - b);
  return [0, ...cuts].map((from, i) => text.slice(from, cuts[i] ?? text.length));
}

const PLACES = fc.array(fc.nat(100_000), { maxLength: 12 });

type Arguments = { path: string; content: string };

/** How each dialect writes a call of `Write`. */
const DIALECTS: [model: string, render: (args: Arguments) => string, value?: fc.Arbitrary<string>][] = [
  ["moonshotai/kimi-k2.6", (args) => {
    const call = `functions.Write:0<|tool_call_argument_begin|>${JSON.stringify(args)}<|tool_call_end|>`;
    return `<|tool_calls_section_begin|><|tool_call_begin|>${call}<|tool_calls_section_end|>`;
  }],
  ["moonshotai/kimi-k3", ({ path, content }) => {
    const argument = (key: string, value: string) =>
      `<|open|>argument key="${key}" type="string"<|sep|>${value}<|close|>argument<|sep|>`;
    const call = `${argument("path", path)}${argument("content", content)}<|close|>call<|sep|><|close|>tools<|sep|>`;
    return `<|open|>tools<|sep|><|open|>call tool="Write" index="1"<|sep|>${call}`;
  }],
  ["qwen/qwen3-next-80b", (args) => `<tool_call>\n${toJson("Write", args)}\n</tool_call>`],
  ["qwen/qwen3-coder-480b", (args) => `<tool_call>\n${toFunction(args)}\n</tool_call>`],
  ["bytedance/seed-oss-36b", (args) => `<seed:tool_call>\n${toFunction(args)}\n</seed:tool_call>`],
  ["z-ai/glm-5.2", ({ path, content }) => {
    const field = (key: string, value: string) => `<arg_key>${key}</arg_key><arg_value>${value}</arg_value>`;
    return `<tool_call>Write${field("path", path)}${field("content", content)}</tool_call>`;
  }],
  ["deepseek-ai/deepseek-r1", (args) => {
    const call = `function<｜tool▁sep｜>Write\n\`\`\`json\n${JSON.stringify(args)}\n\`\`\``;
    return `<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>${call}<｜tool▁call▁end｜><｜tool▁calls▁end｜>`;
  }],
  ["deepseek-ai/deepseek-v3.1", (args) => {
    const call = `Write<｜tool▁sep｜>${JSON.stringify(args)}`;
    return `<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>${call}<｜tool▁call▁end｜><｜tool▁calls▁end｜>`;
  }],
  ["deepseek-ai/deepseek-v4-pro", (args) => toInvoke("<｜DSML｜", "tool_calls", args, ' string="true"')],
  ["minimaxai/minimax-m2.7", (args) => toInvoke("<", "minimax:tool_call", args)],
  ["minimaxai/minimax-m3", ({ path, content }) => {
    const markup = ["<tool_call>", '<invoke name="Write">', `<path>${path}`, "</path>", `<content>${content}`];
    return [...markup, "</content>", "</invoke>", "</tool_call>"].map((tag) => `]<]minimax[>[${tag}`).join("");
  }],
  ["nvidia/nvidia-nemotron-nano-9b-v2", (args) => `<TOOLCALL>[${toJson("Write", args)}]</TOOLCALL>`],
  ["meta/llama-3.3-70b", (args) => `<|python_tag|>${JSON.stringify({ name: "Write", parameters: args })}`],
  ["mistralai/mistral-large", (args) => `[TOOL_CALLS] [${toJson("Write", args)}]`],
  ["mistralai/devstral", (args) => `[TOOL_CALLS]Write[CALL_ID]Ab3dE5gH9[ARGS]${JSON.stringify(args)}`],
  ["openai/gpt-oss-120b", (args) => {
    const header = "<|start|>assistant<|channel|>commentary to=functions.Write <|constrain|>json<|message|>";
    return `${header}${JSON.stringify(args)}<|call|>`;
  }],
  ["google/gemma-4-31b", ({ path, content }) => {
    return `<|tool_call>call:Write{path:<|"|>${path}<|"|>,content:<|"|>${content}<|"|>}<tool_call|>`;
  }],
  ["microsoft/phi-4-mini", (args) => `functools[${toJson("Write", args)}]`],
  ["meta/muse-glimmer", (args) => toInvoke("<atem:", "function_calls", args)],
  ["thinkingmachines/inkling", (args) => {
    const json = JSON.stringify({ name: "Write", args });
    return `<|message_model|>Write<|content_invoke_tool_json|>${json}<|end_message|>`;
  }],
];

function toJson(name: string, args: Arguments): string {
  return JSON.stringify({ name, arguments: args });
}

function toFunction({ path, content }: Arguments): string {
  const parameter = (key: string, value: string) => `<parameter=${key}>\n${value}\n</parameter>`;
  return `<function=Write>\n${parameter("path", path)}\n${parameter("content", content)}\n</function>`;
}

function toInvoke(open: string, wrapper: string, { path, content }: Arguments, attribute = ""): string {
  const close = open.replace("<", "</");
  const parameter = (key: string, value: string) =>
    `${open}parameter name="${key}"${attribute}>${value}${close}parameter>\n`;
  const body = `${parameter("path", path)}${parameter("content", content)}`;
  return `${open}${wrapper}>\n${open}invoke name="Write">\n${body}${close}invoke>\n${close}${wrapper}>`;
}

/** Values as they are in code: markup of other kinds, brackets, quotes, line breaks, and characters of several bytes. */
const VALUE = fc.array(
  fc.constantFrom(
    "a",
    " ",
    "\n",
    '"',
    "'",
    "\\",
    "{",
    "}",
    "[",
    "]",
    "<",
    ">",
    "</p>",
    "<b>",
    "`",
    ":",
    ",",
    "é",
    "😀",
    "｜",
  ),
  { maxLength: 12 },
).map((pieces) => pieces.join(""));

/** Prose that speaks of comparisons, but of no markup; it does not begin with what may belong to a call before it. */
const PROSE = fc.array(fc.constantFrom("word", " ", "\n", "a < b", "x > y", "|", "é", "😀", "{ }", "1.", "<b>"), {
  minLength: 1,
  maxLength: 8,
}).map((pieces) => `So ${pieces.join("")}.`);

describe("prose and calls in any order are found as they were written, by", () => {
  for (const [model, render] of DIALECTS) {
    test(model, () => {
      const parts = fc.array(fc.oneof(PROSE, fc.record({ path: VALUE, content: VALUE })), { maxLength: 6 });
      check(60, fc.tuple(parts, PLACES), ([written, places]) => {
        const text = written.map((part) => typeof part === "string" ? part : render(part)).join("");
        const expected = written.map((part): Found => {
          if (typeof part === "string") return { kind: "text", text: part };
          return { kind: "call", name: "Write", arguments: JSON.stringify(part) };
        });
        assert.deepEqual(toShort(scan(model, cutAt(text, places))), toShort(expected));
      });
    });
  }
});

describe("no value runs that was cut, whatever the host says of the end, by", () => {
  for (const [model, render] of DIALECTS) {
    test(model, () => {
      check(8, fc.record({ path: VALUE, content: VALUE }, { noNullPrototype: true }), (args) => {
        const text = render(args);
        for (let end = 0; end < text.length; end++) {
          for (const cut of [false, true]) {
            for (const found of scan(model, [text.slice(0, end)], { cut })) {
              if (found.kind !== "call") continue;
              const fields: Partial<Arguments> = JSON.parse(found.arguments);
              assert.ok(fields.path !== undefined, text.slice(0, end));
              assert.deepEqual({ ...args, ...fields }, args, text.slice(0, end));
              if (cut) assert.deepEqual(fields, args, text.slice(0, end));
            }
          }
        }
      });
    });
  }
});

/** Pieces of the markers of all families, whole and broken, and what may stand between them. */
const GARBAGE = fc.array(
  fc.constantFrom(
    ...["<|tool_calls_section_begin|>", "<|tool_call_begin|>", "functions.Read:0", "<|tool_call_argument_begin|>"],
    ...["<|tool_call_end|>", "<|im_end|>", "<tool_call>", "</tool_call>", "<function=Read>", "<parameter=path>"],
    ...[
      "</parameter>",
      "</function>",
      "<arg_key>",
      "</arg_key>",
      "<arg_value>",
      "</arg_value>",
      "<｜tool▁calls▁begin｜>",
    ],
    ...["<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜DSML｜tool_calls>", '<｜DSML｜invoke name="Read">', "</invoke>"],
    ...['<parameter name="path">', "<|python_tag|>", '{"name":"Read",', '"parameters":{', '"path":"a"', "}", "{", "["],
    ...["[TOOL_CALLS]", "[ARGS]", "<minimax:tool_call>", "]<]minimax[>[", "<TOOLCALL>", "<|channel|>", "<|message|>"],
    ...[
      "commentary to=functions.Read",
      "<|tool_call>",
      "call:Read",
      '<|"|>',
      "<think>",
      "</think>",
      "<seed:tool_call>",
    ],
    ...["functools[", "<|start|>", "assistant to=self", "<atem:function_calls>", "<|message_model|>", "<|open|>"],
    ...["call ", 'tool="Read"', "<|sep|>", "<|close|>", "'type': 'text', ", "[{'type': 'text', 'text': '", "'}]", "`"],
    ...["\n", " ", "Read", "<", "|", ">", "\\", '"', "'", "```", "(", ")", ",", "é", "😀", "ls(", "path=1", "/", "<|"],
  ),
  { maxLength: 24 },
).map((pieces) => pieces.join(""));

const MODELS = [...new Set(DIALECTS.map(([model]) => model))];
const CASES = fc.record({
  model: fc.constantFrom(...MODELS),
  text: GARBAGE,
  kind: fc.constantFrom("text" as const, "thinking" as const),
  cut: fc.boolean(),
  places: PLACES,
});

test("nonsense is the same however it arrives", () => {
  check(3000, CASES, ({ model, text, kind, cut, places }) => {
    const whole = toShort(scan(model, [text], { kind, cut }));
    assert.deepEqual(toShort(scan(model, cutAt(text, places), { kind, cut })), whole, model);
    assert.deepEqual(toShort(scan(model, text.split(""), { kind, cut })), whole, model);
  });
});

/** What may be missing from the text of an answer without a call: tokens, tags, and what ends the turn. */
function toBare(text: string): string {
  return text.replace(/[^\p{L}\p{So}]/gu, "");
}

test("nothing is lost of nonsense in which no tool is declared, but for the template's own tokens", () => {
  const tokens = /<\/?[|｜]?[\w▁]+[|｜]?>|\[\/?[A-Z_]+\]/g;
  check(3000, CASES, ({ model, text, kind, cut }) => {
    // What follows the end of a turn is dropped, Python's escapes are read, and channels have headers.
    fc.pre(!/<\|im_end\|>|'type'|<\|(?:open|channel|start|message_model|close)\|>/.test(text));
    const found = scan(model, [text], { kind, cut, tools: new Map() });
    assert.ok(!found.some((one) => one.kind === "call"));
    const left = found.map((one) => one.kind === "call" ? "" : one.text).join("");
    assert.equal(toBare(left.replace(tokens, "")), toBare(text.replace(tokens, "")), model);
  });
});

test("what was found is never more than what was written", () => {
  check(1500, CASES, ({ model, text, kind, cut }) => {
    fc.pre(!text.includes("\\")); // Python's escapes are read.
    const left = scan(model, [text], { kind, cut }).map((one) => one.kind === "call" ? "" : one.text).join("");
    let at = 0;
    for (const char of left) {
      at = text.indexOf(char, at) + 1;
      assert.ok(at > 0, `${model}: ${left}`);
    }
  });
});

test("parseTolerant() reads all that is JSON as JSON.parse() does", () => {
  check(1500, fc.jsonValue({ maxDepth: 4 }), (value) => {
    for (const json of [JSON.stringify(value), JSON.stringify(value, null, 2)]) {
      assert.deepEqual(JSON.stringify(parseTolerant(json)?.value), JSON.stringify(JSON.parse(json)));
    }
  });
});

test("readArguments() gives an empty object only for what is empty", () => {
  check(3000, GARBAGE, (text) => {
    const read = readArguments(text);
    if (read && Object.keys(read.value).length === 0) {
      assert.match(text.replace(/```(?:json)?\s/g, ""), /^[\s"\\]*(?:\{[\s,]*(?:\}|$)|null|None|$)/);
    }
  });
});
