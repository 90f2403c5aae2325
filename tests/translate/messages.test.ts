import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { findRefusal } from "../../lib/stand_in/strictness.ts";
import { toChatMessages } from "../../lib/translate/messages.ts";
import type { ContentBlockParam, MessageParam } from "../../lib/wire/anthropic.ts";
import type { ChatMessage } from "../../lib/wire/openai.ts";

const user = (content: MessageParam["content"]): MessageParam => ({ role: "user", content });
const assistant = (content: MessageParam["content"]): MessageParam => ({ role: "assistant", content });
const text = (text: string): ContentBlockParam => ({ type: "text", text });
const use = (id: string, name = "Read", input = {}): ContentBlockParam => ({ type: "tool_use", id, name, input });
const result = (
  tool_use_id: string,
  content?: string | ContentBlockParam[],
  is_error?: boolean,
): ContentBlockParam => ({
  type: "tool_result",
  tool_use_id,
  ...(content === undefined ? {} : { content }),
  ...(is_error === undefined ? {} : { is_error }),
});
const image: ContentBlockParam = { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } };

function translate(messages: MessageParam[], vision = false): { out: ChatMessage[]; warnings: string[] } {
  const warnings: string[] = [];
  const out = toChatMessages(messages, { vision, warn: (warning) => void warnings.push(warning) });
  assert.equal(findRefusal({ model: "m", max_tokens: 1, messages: out }), undefined, "strict hosts accept it");
  return { out, warnings };
}

const toCall = (id: string, name = "Read", input = {}) => ({
  id,
  type: "function",
  function: { name, arguments: JSON.stringify(input) },
});

interface Row {
  name: string;
  messages: MessageParam[];
  expected: unknown[];
  vision?: boolean;
  warns?: number;
}

const ROWS: Row[] = [
  {
    name: "a plain string",
    messages: [user("Hi")],
    expected: [{ role: "user", content: "Hi" }],
  },
  {
    name: "text blocks, joined with blank lines",
    messages: [user([text("<system-reminder>x</system-reminder>"), text("Hi")])],
    expected: [{ role: "user", content: "<system-reminder>x</system-reminder>\n\nHi" }],
  },
  {
    name: "a system message in the middle as a reminder, in its place",
    messages: [user("Hi"), { role: "system", content: [text("Be kind.")] }, assistant("Hello"), user("Bye")],
    expected: [
      { role: "user", content: "Hi\n\n<system-reminder>\nBe kind.\n</system-reminder>" },
      { role: "assistant", content: "Hello" },
      { role: "user", content: "Bye" },
    ],
  },
  {
    name: "a system message after tool results behind them",
    messages: [user("Go"), assistant([use("t1")]), user([result("t1", "ok")]), { role: "system", content: "Mind." }],
    expected: [
      { role: "user", content: "Go" },
      { role: "assistant", content: null, tool_calls: [toCall("t1")] },
      { role: "tool", tool_call_id: "t1", content: "ok" },
      { role: "user", content: "<system-reminder>\nMind.\n</system-reminder>" },
    ],
  },
  {
    name: "results in the order of the calls, whatever order they came in",
    messages: [
      user("Go"),
      assistant([text("Two."), use("t1", "Read", { p: 1 }), use("t2", "List")]),
      user([result("t2", "second"), result("t1", "first")]),
    ],
    expected: [
      { role: "user", content: "Go" },
      { role: "assistant", content: "Two.", tool_calls: [toCall("t1", "Read", { p: 1 }), toCall("t2", "List")] },
      { role: "tool", tool_call_id: "t1", content: "first" },
      { role: "tool", tool_call_id: "t2", content: "second" },
    ],
  },
  {
    name: "results spread over several messages",
    messages: [
      user("Go"),
      assistant([use("t1"), use("t2")]),
      user([result("t2", "second")]),
      user([text("by the way"), result("t1", "first")]),
    ],
    expected: [
      { role: "user", content: "Go" },
      { role: "assistant", content: null, tool_calls: [toCall("t1"), toCall("t2")] },
      { role: "tool", tool_call_id: "t1", content: "first" },
      { role: "tool", tool_call_id: "t2", content: "second" },
      { role: "user", content: "by the way" },
    ],
  },
  {
    name: "text beside results, after them and never lost",
    messages: [user("Go"), assistant([use("t1")]), user([text("before"), result("t1", "ok"), text("after")])],
    expected: [
      { role: "user", content: "Go" },
      { role: "assistant", content: null, tool_calls: [toCall("t1")] },
      { role: "tool", tool_call_id: "t1", content: "ok" },
      { role: "user", content: "before\n\nafter" },
    ],
  },
  {
    name: "a missing result",
    messages: [user("Go"), assistant([use("t1"), use("t2")]), user([result("t2", "ok")])],
    expected: [
      { role: "user", content: "Go" },
      { role: "assistant", content: null, tool_calls: [toCall("t1"), toCall("t2")] },
      { role: "tool", tool_call_id: "t1", content: "(no result: the call was interrupted)" },
      { role: "tool", tool_call_id: "t2", content: "ok" },
    ],
    warns: 1,
  },
  {
    name: "calls at the very end",
    messages: [user("Go"), assistant([use("t1")])],
    expected: [
      { role: "user", content: "Go" },
      { role: "assistant", content: null, tool_calls: [toCall("t1")] },
      { role: "tool", tool_call_id: "t1", content: "(no result: the call was interrupted)" },
    ],
    warns: 1,
  },
  {
    name: "a result without its call, as text",
    messages: [user("Go"), assistant("Ok"), user([result("t9", "late"), text("Go on")])],
    expected: [
      { role: "user", content: "Go" },
      { role: "assistant", content: "Ok" },
      { role: "user", content: "Result of an earlier tool call:\n\nlate\n\nGo on" },
    ],
    warns: 1,
  },
  {
    name: "the same id twice in one turn, each with its result",
    messages: [user("Go"), assistant([use("t1"), use("t1")]), user([result("t1", "one"), result("t1", "two")])],
    expected: [
      { role: "user", content: "Go" },
      { role: "assistant", content: null, tool_calls: [toCall("t1"), toCall("t1_2")] },
      { role: "tool", tool_call_id: "t1", content: "one" },
      { role: "tool", tool_call_id: "t1_2", content: "two" },
    ],
  },
  {
    name: "empty, absent and failed results",
    messages: [
      user("Go"),
      assistant([use("t1"), use("t2"), use("t3"), use("t4")]),
      user([result("t1"), result("t2", ""), result("t3", "no such file", true), result("t4", "Error: bad", true)]),
    ],
    expected: [
      { role: "user", content: "Go" },
      { role: "assistant", content: null, tool_calls: ["t1", "t2", "t3", "t4"].map((id) => toCall(id)) },
      { role: "tool", tool_call_id: "t1", content: "(no output)" },
      { role: "tool", tool_call_id: "t2", content: "(no output)" },
      { role: "tool", tool_call_id: "t3", content: "Error: no such file" },
      { role: "tool", tool_call_id: "t4", content: "Error: bad" },
    ],
  },
  {
    name: "a result of text and tool_reference blocks",
    messages: [
      user("Go"),
      assistant([use("t1", "ToolSearch")]),
      user([result("t1", [{ type: "tool_reference", tool_name: "WebFetch" }, text("Tool loaded.")])]),
    ],
    expected: [
      { role: "user", content: "Go" },
      { role: "assistant", content: null, tool_calls: [toCall("t1", "ToolSearch")] },
      { role: "tool", tool_call_id: "t1", content: "The tool WebFetch is loaded now.\n\nTool loaded." },
    ],
  },
  {
    name: "an image in a result, for a model that sees",
    vision: true,
    messages: [user("Go"), assistant([use("t1")]), user([result("t1", [image]), text("Look")])],
    expected: [
      { role: "user", content: "Go" },
      { role: "assistant", content: null, tool_calls: [toCall("t1")] },
      { role: "tool", tool_call_id: "t1", content: "(the image follows the tool results)" },
      {
        role: "user",
        content: [
          { type: "text", text: "Result of Read:" },
          { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } },
          { type: "text", text: "Look" },
        ],
      },
    ],
  },
  {
    name: "an image in a result, for a model that does not see",
    messages: [user("Go"), assistant([use("t1")]), user([result("t1", [image])])],
    expected: [
      { role: "user", content: "Go" },
      { role: "assistant", content: null, tool_calls: [toCall("t1")] },
      {
        role: "tool",
        tool_call_id: "t1",
        content:
          "[An image stood here. This model cannot see images: ask for a description, or inspect the file with a tool.]",
      },
    ],
    warns: 1,
  },
  {
    name: "thinking in the history, left out",
    messages: [
      user("Go"),
      assistant([{ type: "thinking", thinking: "Hm.", signature: "" }, text("Yes.")]),
      user("On"),
      assistant([{ type: "redacted_thinking", data: "x" } as never]),
      user("Again"),
    ],
    expected: [
      { role: "user", content: "Go" },
      { role: "assistant", content: "Yes." },
      { role: "user", content: "On\n\nAgain" },
    ],
  },
  {
    name: "consecutive assistant messages as one turn",
    messages: [user("Go"), assistant("One."), assistant([text("Two."), use("t1")]), user([result("t1", "ok")])],
    expected: [
      { role: "user", content: "Go" },
      { role: "assistant", content: "One.\n\nTwo.", tool_calls: [toCall("t1")] },
      { role: "tool", tool_call_id: "t1", content: "ok" },
    ],
  },
  {
    name: "assistant messages with nothing between as one turn",
    messages: [user("Go"), assistant("One."), user([text("")]), assistant("Two."), user("Go on")],
    expected: [
      { role: "user", content: "Go" },
      { role: "assistant", content: "One.\n\nTwo." },
      { role: "user", content: "Go on" },
    ],
  },
  {
    name: "an input that Claude Code could not parse",
    messages: [
      user("Go"),
      assistant([use("t1", "Read", { __unparsedToolInput: { raw: "{", len: 1 } })]),
      user([result("t1", "InputValidationError", true)]),
    ],
    expected: [
      { role: "user", content: "Go" },
      {
        role: "assistant",
        content: null,
        tool_calls: [toCall("t1", "Read", { __unparsedToolInput: { raw: "{", len: 1 } })],
      },
      { role: "tool", tool_call_id: "t1", content: "InputValidationError" },
    ],
  },
];

describe("toChatMessages() translates", () => {
  for (const { name, messages, expected, vision, warns = 0 } of ROWS) {
    test(name, () => {
      const before = structuredClone(messages);
      const { out, warnings } = translate(messages, vision);
      assert.deepEqual(out, expected);
      assert.equal(warnings.length, warns, warnings.join("; "));
      assert.deepEqual(messages, before, "the request itself is left alone");
    });
  }
});

describe("ids of calls in the history become", () => {
  const messages = [
    user("Go"),
    assistant([use("toolu_a"), use("toolu_b", "mcp__wiki__find-all")]),
    user([result("toolu_b", "two"), result("toolu_a", "one")]),
    assistant([use("toolu_c")]),
    user([result("toolu_c", "three")]),
  ];
  const idsOf = (rule?: "any" | "kimi" | "mistral") => {
    const out = toChatMessages(messages, { vision: false, warn: () => {} }, rule ? { callIds: rule } : {});
    const made = out.flatMap((message) => message.role === "assistant" ? message.tool_calls ?? [] : []);
    const answered = out.flatMap((message) => message.role === "tool" ? [message.tool_call_id] : []);
    assert.deepEqual(answered, made.map(({ id }) => id), "results follow their calls");
    return answered;
  };

  test("Kimi's, counted over the whole conversation", () => {
    assert.deepEqual(idsOf("kimi"), ["functions.Read:0", "functions.mcp__wiki__find-all:1", "functions.Read:2"]);
  });

  test("nine letters and digits for Mistral, the same each time", () => {
    const ids = idsOf("mistral");
    assert.ok(ids.every((id) => /^[0-9a-z]{9}$/.test(id)));
    assert.equal(new Set(ids).size, 3);
    assert.deepEqual(idsOf("mistral"), ids);
  });

  test("what they are for everybody else", () => {
    assert.deepEqual(idsOf(), ["toolu_a", "toolu_b", "toolu_c"]);
  });
});

test("what is said after results has an answer before it where a family refuses it otherwise", () => {
  const messages = [
    user("Go"),
    assistant([use("a")]),
    user([result("a", "one"), text("Faster.")]),
    assistant([use("b")]),
    user([result("b", "two")]),
  ];
  const rolesOf = (answersResults: boolean) =>
    toChatMessages(messages, { vision: false, warn: () => {} }, { answersResults }).map(({ role }) => role).join(" ");
  assert.equal(rolesOf(false), "user assistant tool user assistant tool");
  assert.equal(rolesOf(true), "user assistant tool assistant user assistant tool");
});

test("calls that were made at once come one by one, each with its result, where a template refuses more", () => {
  const messages = [
    user("Go"),
    assistant([text("Both."), use("a"), use("b")]),
    user([result("b", "two"), result("a", "one"), text("Faster.")]),
  ];
  const out = toChatMessages(messages, { vision: false, warn: () => {} }, { singleCalls: true });
  assert.deepEqual(out, [
    { role: "user", content: "Go" },
    { role: "assistant", content: "Both.", tool_calls: [toCall("a")] },
    { role: "tool", tool_call_id: "a", content: "one" },
    { role: "assistant", content: null, tool_calls: [toCall("b")] },
    { role: "tool", tool_call_id: "b", content: "two" },
    { role: "user", content: "Faster." },
  ]);
});

test("calls have the signature that Gemini's documentation has for those that were not kept", () => {
  const messages = [user("Go"), assistant([use("a")]), user([result("a", "one")])];
  const out = toChatMessages(messages, { vision: false, warn: () => {} }, { signsCalls: true });
  const extra_content = { google: { thought_signature: "skip_thought_signature_validator" } };
  assert.deepEqual(out[1], { role: "assistant", content: null, tool_calls: [{ ...toCall("a"), extra_content }] });
});

describe("thinking in the history", () => {
  const think = (thinking: string): ContentBlockParam => ({ type: "thinking", thinking, signature: "s" });
  const reasoningOf = (messages: MessageParam[], replaysThinking: boolean | "calls" | "always" = true) => {
    const out = toChatMessages(messages, { vision: false, warn: () => {} }, { replaysThinking });
    return out.flatMap((message) => message.role === "assistant" ? [message.reasoning_content ?? null] : []);
  };
  const reminder = text("<system-reminder>\nMind.\n</system-reminder>");
  const loop = [
    user("Go"),
    assistant([think("Read first."), text("Reading."), use("t1")]),
    user([result("t1", "ok"), reminder]),
    assistant([think("Now list."), use("t2", "List")]),
    user([result("t2", "ok")]),
  ];
  const rows: [name: string, messages: MessageParam[], expected: (string | null)[]][] = [
    ["goes back while tools are called", loop, ["Read first.", "Now list."]],
    [
      "of work that is done stays away",
      [...loop, assistant([think("Done."), text("Done.")]), user("More"), assistant([think("Again."), use("t3")])],
      [null, null, null, "Again."],
    ],
    ["ends at what a person adds to results", [...loop.slice(0, 2), user([result("t1"), text("Wait!")])], [null]],
    [
      "does not end at a system message",
      [...loop, { role: "system", content: "Mind." }],
      ["Read first.", "Now list."],
    ],
    ["is left out when empty", [user("Go"), assistant([think(" "), use("t1")])], [null]],
    ["of several blocks is joined", [user("Go"), assistant([think("a"), think("b"), use("t1")])], ["a\n\nb"]],
    ["is nothing alone", [user("Go"), assistant([think("a")])], []],
    ["that was redacted is gone", [user("Go"), assistant([{ type: "redacted_thinking" } as never, use("t")])], [null]],
  ];
  test("is a blank for calls that must have some", () => {
    const done = [assistant([text("Done.")]), user("More"), assistant([use("t3")])];
    assert.deepEqual(reasoningOf([...loop, ...done], "calls"), [" ", " ", null, " "]);
    assert.deepEqual(reasoningOf(loop, "calls"), ["Read first.", "Now list."]);
  });
  for (const [name, messages, expected] of rows) {
    test(name, () => assert.deepEqual(reasoningOf(messages), expected));
    test(`${name}; where hosts insist on it, all goes back, and a blank for a call that has none`, () => {
      const all = messages.flatMap(({ role, content }) => {
        if (role !== "assistant" || typeof content === "string") return [];
        const calls = content.some(({ type }) => type === "tool_use");
        if (!calls && content.every(({ type }) => type !== "text")) return [];
        const thoughts = content.flatMap((block) => block.type === "thinking" ? [block.thinking] : []);
        return [thoughts.join("\n\n").trim() || (calls ? " " : null)];
      });
      assert.deepEqual(reasoningOf(messages, "always"), all);
    });
    test(`${name}; for most families it is dropped`, () => {
      assert.deepEqual(reasoningOf(messages, false), expected.map(() => null));
    });
  }
});
