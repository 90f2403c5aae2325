/** Requests and answers as clients and hosts write them, which the fuzz tests change. */
import type { ChatChunk } from "../../lib/wire/openai.ts";
import { calls, chunk, finish } from "../support/answers.ts";
import { RECORDED_STREAMS } from "../stream/recorded_streams.ts";
import { lateTurn, question, titleRequest, turn } from "../routing/side_requests.ts";
import { ALL } from "../dialects/vectors/mod.ts";

const text = (text: string) => ({ type: "text", text });
const IMAGE = { type: "image", source: { type: "base64", media_type: "image/png", data: "iVBORw0KGgo=" } };
const PDF = {
  type: "document",
  source: { type: "base64", media_type: "application/pdf", data: "JVBERi0=" },
  title: "a.pdf",
};
const SHORT = { system: "You are terse." };

/** A conversation with every block there is. */
const EVERYTHING = {
  model: "claude-sonnet-5",
  max_tokens: 4096,
  stream: true,
  system: [text("x-anthropic-billing-header: cc_version=1;"), text("You are Claude Code.")],
  thinking: { type: "enabled", budget_tokens: 1024 },
  temperature: 1,
  top_p: 0.9,
  top_k: 5,
  stop_sequences: ["</end>"],
  metadata: { user_id: "u" },
  tools: [
    {
      name: "Bash",
      description: "Runs.",
      input_schema: { type: "object", properties: { command: { type: "string" } } },
    },
    { name: "mcp__a.b__c d", input_schema: { $schema: "x", type: "object", additionalProperties: false } },
    { name: "web_search", type: "web_search_20250305" },
  ],
  tool_choice: { type: "tool", name: "Bash", disable_parallel_tool_use: true },
  output_config: { effort: "high", format: { type: "json_schema", schema: { type: "object" } } },
  messages: [
    { role: "user", content: "go" },
    {
      role: "assistant",
      content: [
        { type: "thinking", thinking: "Hm.", signature: "s" },
        text("I run two."),
        { type: "tool_use", id: "toolu_1", name: "Bash", input: { command: "ls" } },
        { type: "tool_use", id: "toolu_2", name: "mcp__a.b__c d", input: { a: [1, { b: null }] } },
      ],
    },
    {
      role: "user",
      content: [
        text("meanwhile"),
        { type: "tool_result", tool_use_id: "toolu_2", content: [text("found"), IMAGE], is_error: true },
        { type: "tool_result", tool_use_id: "toolu_1", content: "a.txt" },
        { ...text("go on"), cache_control: { type: "ephemeral" } },
      ],
    },
    { role: "system", content: [text("reminder")] },
    { role: "assistant", content: [{ type: "redacted_thinking", data: "x" }, text("Done.")] },
    { role: "user", content: [IMAGE, PDF, { type: "tool_reference", tool_name: "Bash" }] },
    { role: "assistant", content: [{ type: "tool_use", id: "toolu_3", name: "Bash", input: {} }] },
    {
      role: "user",
      content: [{
        type: "document",
        source: { type: "content", content: [text("part"), IMAGE] },
        context: "c",
      }, { type: "search_result", title: "t", content: [text("x")] }],
    },
  ],
};

/** Requests in Anthropic's format. */
export const MESSAGES_REQUESTS: readonly unknown[] = [
  EVERYTHING,
  turn("hello", SHORT),
  lateTurn("and now?", true, SHORT),
  lateTurn("and now?", false, SHORT),
  titleRequest("fix the bug"),
  question("You are terse.", "What is a monad?"),
  { model: "m", max_tokens: 1, messages: [{ role: "user", content: "quota" }] },
];

const called = (id: string, name: string, args: unknown) => ({
  id,
  type: "function",
  function: { name, arguments: args },
});

/** Requests in OpenAI's format. */
export const CHAT_REQUESTS: readonly unknown[] = [
  { model: "gpt-4o", messages: [{ role: "user", content: "Hello" }] },
  {
    model: "gpt-4o",
    stream: true,
    stream_options: { include_usage: true },
    max_completion_tokens: 500,
    temperature: 0.5,
    top_p: 1,
    stop: ["\n\n", "END"],
    reasoning_effort: "high",
    parallel_tool_calls: false,
    tool_choice: { type: "function", function: { name: "read" } },
    tools: [
      { type: "function", function: { name: "read", description: "Reads.", parameters: { type: "object" } } },
      { type: "function", function: { name: "list" } },
    ],
    response_format: { type: "json_schema", json_schema: { name: "a", schema: { type: "object" } } },
    messages: [
      { role: "developer", content: "You are terse." },
      { role: "system", content: [text("And kind.")] },
      {
        role: "user",
        content: [text("see"), { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } }],
      },
      {
        role: "assistant",
        content: null,
        reasoning_content: "Hm.",
        tool_calls: [called("c1", "read", '{"path":"a"}'), called("c2", "list", "")],
      },
      { role: "tool", tool_call_id: "c2", content: [text("a, b")] },
      { role: "tool", tool_call_id: "c1", content: "text" },
      { role: "assistant", content: [{ type: "refusal", refusal: "No." }] },
      {
        role: "user",
        content: [{ type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,JVBERi0=" } }],
      },
      { role: "assistant", tool_calls: [called("c3", "read", { path: "b" })] },
      { role: "system", content: "later" },
      { role: "user", content: "go on" },
    ],
  },
];

const usage = { prompt_tokens: 1234, completion_tokens: 56, prompt_tokens_details: { cached_tokens: 1000 } };

/** What models leak, each with one that leaks it. */
export const LEAKS: readonly [model: string, text: string][] = ALL.flatMap(({ models, vectors }) =>
  vectors.map(({ text }): [string, string] => [models[0]!, text])
);

/** The chunks of answers; those of four calls are mixed in every way, and leaks are those of all dialects. */
export const ANSWERS: readonly (readonly ChatChunk[])[] = [
  ...RECORDED_STREAMS.map(({ chunks }) => [...chunks, { choices: [], usage }]),
  [
    chunk({ reasoning_content: "Let me see." }),
    chunk({ content: "Now four." }),
    calls(...["Read", "List", "Stop", "Read"].map((name, index) => ({ index, id: `c${index}`, function: { name } }))),
    ...Array.from(
      { length: 16 },
      (_, i) => calls({ index: i % 4, function: { arguments: ['{"path":', '"a', 'b"', "}"][i >> 2] } }),
    ),
    finish("tool_calls"),
    { choices: [], usage },
  ],
  [{ choices: [{ message: { content: "whole", tool_calls: [] }, finish_reason: "length" }], usage }],
  [chunk({ content: "a" }), {
    error: { message: "ResourceExhausted: Worker local total request limit reached", code: 503 },
  }],
  [{ object: "error", message: "died", code: 500 } as ChatChunk],
  ...LEAKS.map(([, text]) => [chunk({ content: text }), finish()]),
];

const delta = (index: number, delta: object) => ({ type: "content_block_delta", index, delta });

/** The events of an answer in Anthropic's own format. */
export const PASSED_ANSWERS: readonly unknown[] = [[
  { type: "message_start", message: { id: "msg_x", model: "m", usage: { input_tokens: 9, output_tokens: 1 } } },
  { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "", signature: "" } },
  delta(0, { type: "thinking_delta", thinking: "Hm." }),
  delta(0, { type: "signature_delta", signature: "s" }),
  { type: "content_block_stop", index: 0 },
  { type: "ping" },
  { type: "content_block_start", index: 1, content_block: { type: "text", text: "" } },
  delta(1, { type: "text_delta", text: "Now." }),
  { type: "content_block_stop", index: 1 },
  {
    type: "content_block_start",
    index: 2,
    content_block: { type: "tool_use", id: "toolu_1", name: "Read", input: {} },
  },
  delta(2, { type: "input_json_delta", partial_json: '{"path":' }),
  delta(2, { type: "input_json_delta", partial_json: '"a"}' }),
  { type: "content_block_stop", index: 2 },
  { type: "message_delta", delta: { stop_reason: "tool_use", stop_sequence: null }, usage: { output_tokens: 5 } },
  { type: "message_stop" },
], [{
  type: "message",
  id: "msg_x",
  content: [{ type: "text", text: "whole" }],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: { input_tokens: 9, output_tokens: 5 },
}]];
