import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Scanner } from "../../lib/dialects/scanner.ts";
import { toFamily } from "../../lib/models/families.ts";
import { scan, TOOLS, toShort } from "./vectors/vector.ts";

const LOREM = "lorem ipsum dolor ".repeat(100);

describe("prose that looks like a call leaves before the answer ends:", () => {
  const rows: [model: string, beginning: string][] = [
    ["meta/llama-3.3", "{{ mustache }} is a syntax. "],
    ["meta/llama-3.3", "{foo} "],
    ["meta/llama-3.3", '{"title": "x", "b": [1,2,3]} '],
    ["meta/llama-3.3", '{"name", "age"} are columns. '],
    ["meta/llama-3.3", "Use <function=Read>{ "],
    ["moonshotai/kimi-k2.6", "[{ "],
    ["moonshotai/kimi-k2.6", '[{"type": "text" '],
    ["moonshotai/kimi-k2.6", "The marker <|tool_call_begin|> "],
    ["moonshotai/kimi-k2.6", 'x<|tool_call_begin|>functions.ls:0<|tool_call_argument_begin|>{"path": "."} '],
    ["moonshotai/kimi-k2.6", "x<|tool_call_begin|>functions.ls:0<|tool_call_argument_begin|>{'path': '.'} "],
    ["moonshotai/kimi-k3", "The marker <|open|>"],
    ["moonshotai/kimi-k3", "The marker <|open|>tools "],
    ["qwen/qwen3", "The tag <tool_call> is Hermes's. "],
    ["qwen/qwen3", "The tag <tool_call>[ is Hermes's. "],
    ["qwen/qwen3", "The tag <tool_call>{...}</tool_call> is Hermes's. "],
    ["z-ai/glm-5", "The tag <tool_call>name is used. "],
    ["z-ai/glm-5", "The tag <tool_call>name <arg_key> "],
    ["qwen/qwen3-coder", "In C++ <function=foo> and so on "],
    ["qwen/qwen3-coder", "In C++ <function=foo>{...} and so on "],
    ["qwen/qwen3-coder", "x<function=ls><parameter=path>.</parameter></function> "],
    ["openai/gpt-oss", "<|channel|>"],
    ["openai/gpt-oss", "to=functions.ls "],
    ["minimaxai/minimax-m3", "The mark ]<]minimax[>[<tool_call> "],
    ["minimaxai/minimax-m3", "The mark ]<]minimax[>[<tool_call>]<]minimax[>[<invoke "],
    ["google/gemma-4", "The marker <|tool_call>call:foo{ "],
    ["deepseek-ai/deepseek-v4", "<function_calls> <invoke name=x "],
    ["deepseek-ai/deepseek-v3.1", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>"],
    ["meta/muse", "<|start|>assistant "],
    ["mistralai/mistral-large", "[TOOL_CALLS] [ "],
    ["mistralai/mistral-large", "[TOOL_CALLS]ls{'path': .} "],
  ];
  for (const [model, beginning] of rows) {
    test(`${model}: ${beginning}`, () => {
      const scanner = new Scanner({ triggers: toFamily(model).dialect, tools: TOOLS });
      const text = beginning + LOREM;
      const found = text.split("").flatMap((char) => scanner.feed(char));
      const left = found.map((one) => one.kind === "call" ? "" : one.text).join("");
      assert.ok(left.length > LOREM.length - 1100, `only ${left.length} characters`);
      const all = toShort([...found, ...scanner.flush()]);
      assert.ok(all.at(-1)?.endsWith(LOREM), all.at(-1));
      assert.deepEqual(all, toShort(scan(model, [text])));
    });
  }
});

describe("long arguments are read, whole or in pieces:", () => {
  const code = 'foo(x, bar[1]).then(y); // "quoted" don\'t\n'.repeat(20_000);
  const json = JSON.stringify({ path: "a", content: code });
  const python = JSON.stringify(code);
  const parameter = `<parameter=path>a</parameter><parameter=content>${
    "<b></parameter> x ".repeat(40_000)
  }</parameter>`;
  const rows: [model: string, text: string][] = [
    ["moonshotai/kimi-k2.6", `[{'type': 'tool_use', 'id': 'x', 'name': 'Write', 'input': ${json}}]`],
    ["moonshotai/kimi-k2.6", `<|tool_call_begin|>Write:0<|tool_call_argument_begin|>${json}<|tool_call_end|>`],
    ["qwen/qwen3-coder", `<tool_call><function=Write>${parameter}</function></tool_call>`],
    ["meta/llama-4", `[Write(path="a", content=${python})]`],
    ["qwen/qwen3", `<tool_call>{"name": 'Write', "arguments": ${json}}</tool_call>`],
  ];
  for (const [model, text] of rows) {
    for (const size of [text.length, 20]) {
      test(`${model}: ${text.slice(0, 30)}…, ${size} characters at a time`, () => {
        const pieces = Array.from(
          { length: Math.ceil(text.length / size) },
          (_, i) => text.slice(i * size, (i + 1) * size),
        );
        const found = scan(model, pieces);
        assert.deepEqual(found.map((one) => one.kind === "call" ? one.name : one.text.slice(0, 99)), ["Write"]);
      });
    }
  }
});
