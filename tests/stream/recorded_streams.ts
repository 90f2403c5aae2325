/** Answers as hosts write them, one row a behaviour; `expected` is in the short form of `summarize`. */
import type { DeclaredTools } from "../../lib/dialects/grammar.ts";
import type { ChatChunk } from "../../lib/wire/openai.ts";
import { call, calls, chunk, finish } from "../support/answers.ts";

export interface RecordedStream {
  name: string;
  chunks: ChatChunk[];
  expected: string[];
}

const READ = '{"path":"a.ts"}';
const LIST = '{"dir":"src","deep":true}';

export const RECORDED_STREAMS: readonly RecordedStream[] = [
  {
    name: "text in pieces",
    chunks: [chunk({ content: "Hel" }), chunk({ content: "lo ｜ 👋🏽" }), finish()],
    expected: ["text:Hello ｜ 👋🏽", "(end_turn)"],
  },
  {
    name: "an opening role chunk, null and empty contents",
    chunks: [
      { choices: [{ delta: { content: "" } }] },
      { choices: [{ delta: { content: null, reasoning_content: null, tool_calls: null } }] },
      chunk({ content: "Hi" }),
      finish(),
    ],
    expected: ["text:Hi", "(end_turn)"],
  },
  {
    name: "content as a list of parts",
    chunks: [chunk({ content: [{ type: "text", text: "one " }, { type: "text", text: "two" }] }), finish()],
    expected: ["text:one two", "(end_turn)"],
  },
  {
    name: "a line break behind the text, in a piece of its own",
    chunks: [chunk({ content: "Yes." }), chunk({ content: "\n" }), finish()],
    expected: ["text:Yes.\n", "(end_turn)"],
  },
  {
    name: "thinking as a part of the content",
    chunks: [
      chunk({ content: [{ type: "thinking", thinking: [{ type: "text", text: "Let me " }] }] }),
      chunk({
        content: [{ type: "thinking", thinking: [{ type: "text", text: "see." }] }, { type: "text", text: "Yes" }],
      }),
      chunk({ content: "." }),
      finish(),
    ],
    expected: ["thinking:Let me see.", "text:Yes.", "(end_turn)"],
  },
  {
    name: "a refusal as text",
    chunks: [chunk({ refusal: "I will not." }), finish()],
    expected: ["text:I will not.", "(end_turn)"],
  },
  {
    name: "reasoning_content, then text",
    chunks: [
      chunk({ reasoning_content: "Let me " }),
      chunk({ reasoning_content: "see." }),
      chunk({ content: "Yes." }),
      finish(),
    ],
    expected: ["thinking:Let me see.", "text:Yes.", "(end_turn)"],
  },
  {
    name: "the same reasoning in two fields, counted once",
    chunks: [chunk({ reasoning_content: "Hm.", reasoning: "Hm." }), chunk({ content: "Yes." }), finish()],
    expected: ["thinking:Hm.", "text:Yes.", "(end_turn)"],
  },
  {
    name: "reasoning and reasoning_details",
    chunks: [
      chunk({ reasoning: "a" }),
      chunk({ reasoning_details: [{ text: "b" }, { summary: "c" }, {}] }),
      chunk({ content: "d" }),
      finish(),
    ],
    expected: ["thinking:abc", "text:d", "(end_turn)"],
  },
  {
    name: "think tags at the beginning of the text",
    chunks: [chunk({ content: "\n<think>\nLet me see.</think>\n\nYes: <think> is a tag." }), finish()],
    expected: ["thinking:Let me see.", "text:Yes: <think> is a tag.", "(end_turn)"],
  },
  {
    name: "think tags that never close",
    chunks: [chunk({ content: "<think>Let me see.</th" }), finish("length")],
    expected: ["thinking:Let me see.</th", "(max_tokens)"],
  },
  {
    name: "think tags ended by a call",
    chunks: [chunk({ content: "<think>I will read." }), calls(call(0, "c1", "Read", READ)), finish("tool_calls")],
    expected: ["thinking:I will read.", `Read${READ}`, "(tool_use)"],
  },
  {
    name: "empty think tags",
    chunks: [chunk({ content: "<think>\n\n</think>\n\nYes." }), finish()],
    expected: ["text:Yes.", "(end_turn)"],
  },
  {
    name: "blank text between reasoning and a call",
    chunks: [
      chunk({ reasoning_content: "Read." }),
      chunk({ content: "\n\n" }),
      calls(call(0, "c1", "Read", READ)),
      finish("tool_calls"),
    ],
    expected: ["thinking:Read.", `Read${READ}`, "(tool_use)"],
  },
  {
    name: "one call in fragments",
    chunks: [
      chunk({ content: "Reading." }),
      calls(call(0, "c1", "Read", "")),
      ...[...READ].map((char) => calls(call(0, null, null, char))),
      finish("tool_calls"),
    ],
    expected: ["text:Reading.", `Read${READ}`, "(tool_use)"],
  },
  {
    name: "two calls one after the other",
    chunks: [
      calls(call(0, "c1", "Read", '{"path":')),
      calls(call(0, null, null, '"a.ts"}')),
      calls(call(1, "c2", "List", '{"dir":"src",')),
      calls(call(1, null, null, '"deep":true}')),
      finish("tool_calls"),
    ],
    expected: [`Read${READ}`, `List${LIST}`, "(tool_use)"],
  },
  {
    name: "two calls whole in one delta",
    chunks: [calls(call(0, "c1", "Read", READ), call(1, "c2", "List", LIST)), finish("tool_calls")],
    expected: [`Read${READ}`, `List${LIST}`, "(tool_use)"],
  },
  {
    name: "fragments of three calls mixed",
    chunks: [
      calls(call(0, "c1", "Read", '{"pa')),
      calls(call(1, "c2", "List", '{"dir":"sr')),
      calls(call(2, "c3", "Read", '{"path":"b')),
      calls(call(1, null, null, 'c","deep":true}')),
      calls(call(0, null, null, 'th":"a.ts"}')),
      calls(call(2, null, null, '.ts"}')),
      finish("tool_calls"),
    ],
    expected: [`Read${READ}`, `List${LIST}`, 'Read{"path":"b.ts"}', "(tool_use)"],
  },
  {
    name: "whole calls without index, told apart by id",
    chunks: [
      calls(call(null, "c1", "Read", READ)),
      calls(call(undefined, "c2", "Read", READ)),
      calls(call(undefined, "c3", "List", LIST)),
      finish("tool_calls"),
    ],
    expected: [`Read${READ}`, `Read${READ}`, `List${LIST}`, "(tool_use)"],
  },
  {
    name: "whole calls without index and id",
    chunks: [
      calls(call(undefined, undefined, "Read", READ), call(undefined, undefined, "List", LIST)),
      finish("tool_calls"),
    ],
    expected: [`Read${READ}`, `List${LIST}`, "(tool_use)"],
  },
  {
    name: "fragments without index and id",
    chunks: [
      calls(call(undefined, undefined, "Read", '{"path":')),
      calls(call(undefined, undefined, undefined, '"a.ts"}')),
      calls(call(undefined, undefined, "List", LIST)),
      finish("tool_calls"),
    ],
    expected: [`Read${READ}`, `List${LIST}`, "(tool_use)"],
  },
  {
    name: "index 0 for every call",
    chunks: [calls(call(0, "c1", "Read", READ)), calls(call(0, "c2", "List", LIST)), finish("tool_calls")],
    expected: [`Read${READ}`, `List${LIST}`, "(tool_use)"],
  },
  {
    name: "index 0 for every call, without ids",
    chunks: [calls(call(0, null, "Read", READ)), calls(call(0, null, "List", LIST)), finish("tool_calls")],
    expected: [`Read${READ}`, `List${LIST}`, "(tool_use)"],
  },
  {
    name: "an id repeated with each fragment, and a name",
    chunks: [
      calls(call(0, "c1", "Read", '{"path":')),
      calls(call(0, "c1", "Read", '"a.ts"')),
      calls(call(0, "c1", "Read", "}")),
      finish("tool_calls"),
    ],
    expected: [`Read${READ}`, "(tool_use)"],
  },
  {
    name: "mixed pieces that only their ids tell apart",
    chunks: [
      calls({ id: "c1", function: { name: "Read", arguments: '{"path":' } }),
      calls({ id: "c2", function: { name: "List", arguments: '{"dir":"src",' } }),
      calls({ id: "c1", function: { arguments: '"a.ts"}' } }),
      calls({ id: "c2", function: { arguments: '"deep":true}' } }),
      finish("tool_calls"),
    ],
    expected: [`Read${READ}`, `List${LIST}`, "(tool_use)"],
  },
  {
    name: "an id of its own for each piece, with and without an index",
    chunks: [
      calls({ index: 0, id: "c1", function: { name: "Read", arguments: "" } }),
      calls({ index: 0, id: "c2", function: { arguments: '{"path":' } }),
      calls({ index: 0, id: "c3", function: { arguments: '"a.ts"}' } }),
      calls({ id: "c4", function: { name: "List", arguments: "" } }),
      calls({ id: "c5", function: { arguments: '{"dir":"src",' } }),
      calls({ id: "c6", function: { arguments: '"deep":true}' } }),
      finish("tool_calls"),
    ],
    expected: [`Read${READ}`, `List${LIST}`, "(tool_use)"],
  },
  {
    name: "a name behind whole arguments",
    chunks: [calls(call(0, "c1", null, READ)), calls(call(0, null, "Read", null)), finish("tool_calls")],
    expected: [`Read${READ}`, "(tool_use)"],
  },
  {
    name: "snapshots instead of deltas",
    chunks: [
      calls(call(0, "c1", "Read", '{"pa')),
      calls(call(0, "c1", "Read", '{"path":"a')),
      calls(call(0, "c1", "Read", READ)),
      calls(call(0, "c1", "Read", READ)),
      finish("tool_calls"),
    ],
    expected: [`Read${READ}`, "(tool_use)"],
  },
  {
    name: "a name in pieces and a late name",
    chunks: [
      calls(call(0, "c1", "Re", "")),
      calls(call(0, null, "ad", "")),
      calls(call(0, null, null, READ)),
      calls(call(1, "c2", null, '{"dir":"src",')),
      calls(call(1, null, "List", '"deep":true}')),
      finish("tool_calls"),
    ],
    expected: [`Read${READ}`, `List${LIST}`, "(tool_use)"],
  },
  {
    name: "arguments as an object",
    chunks: [calls(call(0, "c1", "Read", { path: "a.ts" })), finish("tool_calls")],
    expected: [`Read${READ}`, "(tool_use)"],
  },
  {
    name: "arguments wrapped in a JSON string, twice",
    chunks: [calls(call(0, "c1", "Read", JSON.stringify(JSON.stringify(READ)))), finish("tool_calls")],
    expected: [`Read${READ}`, "(tool_use)"],
  },
  {
    name: "a placeholder before the arguments",
    chunks: [calls(call(0, "c1", "Read", "{}")), calls(call(0, null, null, READ)), finish("tool_calls")],
    expected: [`Read${READ}`, "(tool_use)"],
  },
  {
    name: "snapshots, and a placeholder before the arguments, all with the name",
    chunks: [
      ...["{", '{"path"', READ].map((args) => calls(call(0, "c1", "Read", args))),
      ...["{}", LIST].map((args) => calls(call(1, "c2", "List", args))),
      finish("tool_calls"),
    ],
    expected: [`Read${READ}`, `List${LIST}`, "(tool_use)"],
  },
  {
    name: "names behind the arguments of mixed calls",
    chunks: [
      calls(call(0, "c1", null, READ), call(1, "c2", null, LIST)),
      calls(call(1, null, "List", null), call(0, null, "Read", null)),
      finish("tool_calls"),
    ],
    expected: [`Read${READ}`, `List${LIST}`, "(tool_use)"],
  },
  {
    name: "a placeholder and the arguments in one text",
    chunks: [calls(call(0, "c1", "Read", `{}${READ}`)), finish("tool_calls")],
    expected: [`Read${READ}`, "(tool_use)"],
  },
  {
    name: "two calls' arguments in one buffer",
    chunks: [calls(call(0, "c1", "Read", `${READ}{"path":"b.ts"}`)), finish("tool_calls")],
    expected: [`Read${READ}`, 'Read{"path":"b.ts"}', "(tool_use)"],
  },
  {
    name: "the arguments once more, in other words for the same (vLLM #51697)",
    chunks: [
      calls(call(0, "c1", "Read", '{"path":')),
      calls(call(0, null, null, '"a.ts"}')),
      calls(call(0, null, null, '{ "pa')),
      calls(call(0, null, null, 'th": "a.ts" }{}')),
      calls(call(1, "c2", "List", `${LIST}${LIST}`)),
      finish("tool_calls"),
    ],
    expected: [`Read${READ}`, `List${LIST}`, "(tool_use)"],
  },
  {
    name: "junk after the arguments",
    chunks: [calls(call(0, "c1", "Read", `${READ}}\n`)), calls(call(0, null, null, "}}")), finish("tool_calls")],
    expected: [`Read${READ}`, "(tool_use)"],
  },
  {
    name: "no arguments in every spelling",
    chunks: [
      calls(call(0, "c1", "Stop", "")),
      calls(call(1, "c2", "Stop", null)),
      calls(call(2, "c3", "Stop", "null")),
      calls(call(3, "c4", "Stop", "{}")),
      calls({ index: 4, id: "c5", function: { name: "Stop" } }),
      finish("tool_calls"),
    ],
    expected: ["Stop{}", "Stop{}", "Stop{}", "Stop{}", "Stop{}", "(tool_use)"],
  },
  {
    name: "the last brace missing",
    chunks: [calls(call(0, "c1", "List", '{"dir":"src","deep":true')), finish("tool_calls")],
    expected: [`List${LIST}`, "(tool_use)"],
  },
  {
    name: "a call cut by the length, left as broken as it is",
    chunks: [calls(call(0, "c1", "Read", '{"path":"a.')), finish("length")],
    expected: ['Read{"path":"a.', "(max_tokens)"],
  },
  {
    name: "an end for length that is told again as an ordinary one",
    chunks: [chunk({ content: "Half of" }), finish("length"), finish("stop")],
    expected: ["text:Half of", "(max_tokens)"],
  },
  {
    name: "a whole call and one cut before it had begun",
    chunks: [calls(call(0, "c1", "Read", READ)), calls(call(1, "c2", "List", "")), finish("length")],
    expected: [`Read${READ}`, "(max_tokens)"],
  },
  {
    name: "a brace too many after no arguments",
    chunks: [calls(call(0, "c1", "Stop", "{}}")), finish("tool_calls")],
    expected: ["Stop{}", "(tool_use)"],
  },
  {
    name: "fields of the wrong kind",
    chunks: [
      chunk({ content: "Ok.", tool_calls: {} as never, reasoning_details: {} as never }),
      chunk({ tool_calls: [null, call(0, "c1", "Read", READ)] as never }),
      finish(),
    ],
    expected: ["text:Ok.", `Read${READ}`, "(tool_use)"],
  },
  {
    name: "more blanks than padding has",
    chunks: [chunk({ content: "\n".repeat(300) }), calls(call(0, "c1", "Read", READ)), finish()],
    expected: [`text:${"\n".repeat(300)}`, `Read${READ}`, "(tool_use)"],
  },
  {
    name: "finish reason stop with a call",
    chunks: [calls(call(0, "c1", "Read", READ)), finish("stop")],
    expected: [`Read${READ}`, "(tool_use)"],
  },
  {
    name: "finish reason tool_calls without a call",
    chunks: [chunk({ content: "Nothing to do." }), finish("tool_calls")],
    expected: ["text:Nothing to do.", "(end_turn)"],
  },
  {
    name: "the call in the chunk with the finish reason",
    chunks: [{
      choices: [{ delta: { content: "Ok.", tool_calls: [call(0, "c1", "Read", READ)] }, finish_reason: "tool_calls" }],
    }],
    expected: ["text:Ok.", `Read${READ}`, "(tool_use)"],
  },
  {
    name: "text after a call",
    chunks: [calls(call(0, "c1", "Read", READ)), chunk({ content: "Wait." }), finish("tool_calls")],
    expected: [`Read${READ}`, "text:Wait.", "(tool_use)"],
  },
  {
    name: "text in the middle of a call follows after it",
    chunks: [
      calls(call(0, "c1", "Read", '{"path":')),
      chunk({ content: "Wait." }),
      calls(call(0, null, null, '"a.ts"}')),
      chunk({ content: " Done." }),
      finish("tool_calls"),
    ],
    expected: [`Read${READ}`, "text:Wait. Done.", "(tool_use)"],
  },
  {
    name: "the old function_call",
    chunks: [
      chunk({ function_call: { name: "Read", arguments: '{"path":' } }),
      chunk({ function_call: { arguments: '"a.ts"}' } }),
      finish("function_call"),
    ],
    expected: [`Read${READ}`, "(tool_use)"],
  },
  {
    name: "a tool nobody declared",
    chunks: [calls(call(0, "c1", "Fly", '{"to":"moon"}')), finish("tool_calls")],
    expected: ['Fly{"to":"moon"}', "(tool_use)"],
  },
  {
    name: "a call without a name",
    chunks: [calls(call(0, "c1", null, READ)), finish("tool_calls")],
    expected: [`unnamed${READ}`, "(tool_use)"],
  },
];

/** The tools these answers call. */
export const TOOLS: DeclaredTools = new Map(["Read", "List", "Stop"].map((name) => [name, { name }]));
