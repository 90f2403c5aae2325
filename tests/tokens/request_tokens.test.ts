import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { estimateTokens } from "../../lib/tokens/estimate.ts";
import { estimateRequestTokens, type TokenRules } from "../../lib/tokens/request_tokens.ts";
import type { ContentBlockParam, MessageParam, MessagesRequest, ToolParam } from "../../lib/wire/anthropic.ts";

const user = (content: MessageParam["content"]): MessageParam => ({ role: "user", content });
const count = (request: Partial<MessagesRequest>, rules?: TokenRules) =>
  estimateRequestTokens({ model: "m", max_tokens: 1, messages: [], ...request }, rules);
const countBlock = (block: ContentBlockParam, rules?: TokenRules) =>
  count({ messages: [user([block])] }, rules) - count({ messages: [user([])] }, rules);

const READ: ToolParam = {
  name: "Read",
  description: "Reads a file.\nPaths are absolute.",
  input_schema: { type: "object", properties: { path: { type: "string" } }, required: ["path"] },
};
/** 200 by 150 pixels. */
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAMgAAACWCAYAAAA=";

const text = fc.string({ unit: "binary", maxLength: 60 });
const blocks = fc.array(
  fc.oneof(
    text.map((text) => ({ type: "text" as const, text })),
    fc.record({
      type: fc.constant("tool_use" as const),
      id: text,
      name: text,
      input: fc.dictionary(text, fc.jsonValue()),
    }),
    fc.record({ type: fc.constant("tool_result" as const), tool_use_id: text, content: text }),
  ) as fc.Arbitrary<ContentBlockParam>,
  { maxLength: 4 },
);
const messages = fc.array(
  fc.record({ role: fc.constantFrom("user" as const, "assistant" as const), content: blocks }),
  {
    maxLength: 5,
  },
);
const tools = fc.array(
  fc.record({ name: text, description: text, input_schema: fc.dictionary(text, fc.jsonValue()) }),
  {
    maxLength: 4,
  },
) as fc.Arbitrary<ToolParam[]>;

describe("parts can be counted alone: what they take together is what they take apart", () => {
  const rules = fc.constantFrom<TokenRules>({}, { digits: "single" }, { digits: "triple" });
  const add = (one: number, two: number, both: number, once = 0) => assert.equal(both, one + two - once);
  test("messages", () => {
    fc.assert(fc.property(messages, messages, rules, (a, b, rules) => {
      add(count({ messages: a }, rules), count({ messages: b }, rules), count({ messages: [...a, ...b] }, rules));
    }));
  });
  test("blocks of the system prompt", () => {
    fc.assert(fc.property(blocks, blocks, rules, (a, b, rules) => {
      add(count({ system: a }, rules), count({ system: b }, rules), count({ system: [...a, ...b] }, rules));
    }));
  });
  test("tools, but for what is said of all of them, which is 500, as Claude Code expects", () => {
    fc.assert(fc.property(tools, tools, rules, (a, b, rules) => {
      const once = a.length > 0 && b.length > 0 ? 500 : 0;
      add(count({ tools: a }, rules), count({ tools: b }, rules), count({ tools: [...a, ...b] }, rules), once);
    }));
  });
  test("system, messages and tools", () => {
    fc.assert(fc.property(blocks, messages, tools, (system, messages, tools) => {
      assert.equal(count({ system, messages, tools }), count({ system }) + count({ messages }) + count({ tools }));
    }));
  });
});

describe("a block costs what is sent of it upstream", () => {
  const PDF = { type: "base64", media_type: "application/pdf", data: "JVBERi0xLjc=".repeat(10_000) };
  const rows: [name: string, block: ContentBlockParam, tokens: number, rules?: TokenRules][] = [
    ["text", { type: "text", text: "Go on." }, estimateTokens("Go on.")],
    ["thinking, which is left out", { type: "thinking", thinking: "Let me see" }, 0],
    ["thinking the client cannot read", { type: "redacted_thinking", data: "x" } as never, 0, {
      replaysThinking: true,
    }],
    ["an image by its size", { type: "image", source: { type: "base64", data: PNG } }, 40],
    ["an image of unknown size", { type: "image", source: { type: "url", url: "https://a.b/c.png" } }, 1600],
    ["an image within a document", {
      type: "document",
      source: { type: "content", content: [{ type: "image", source: { type: "url", url: "https://a.b/c.png" } }] },
    }, 1600],
    ["a document that is text", { type: "document", source: { type: "text", data: "one two" } }, 2],
    ["a result", { type: "tool_result", tool_use_id: "t", content: "one two" }, 6 + 2],
    ["a result without content", { type: "tool_result", tool_use_id: "t" }, 6],
    [
      "a call",
      { type: "tool_use", id: "t", name: "Read", input: { path: "a" } },
      12 + 1 + estimateTokens('{"path":"a"}'),
    ],
    [
      "a tool that was found",
      { type: "tool_reference", tool_name: "Read" },
      estimateTokens("The tool Read is loaded now."),
    ],
  ];
  for (const [name, block, tokens, rules] of rows) {
    test(name, () => assert.equal(countBlock(block, rules), tokens));
  }
  test("an image or a document the model cannot see: the note that stands for it", () => {
    const image = countBlock({ type: "image", source: { type: "base64", data: PNG } }, { vision: false });
    assert.ok(image > 15 && image < 40, `${image}`);
    const document = countBlock({ type: "document", source: PDF });
    assert.ok(document > 30 && document < 100, `${document}`);
  });
});

test("a tool costs what is sent of it, and a tool that is not sent nothing", () => {
  const tokens = count({ tools: [READ] });
  assert.ok(tokens > 520 && tokens < 560, `${tokens}`);
  const schema = { $schema: "https://json-schema.org/draft/2020-12/schema", ...READ.input_schema };
  assert.equal(count({ tools: [{ ...READ, input_schema: schema }] }), tokens);
  assert.equal(count({ tools: [{ name: "web_search", type: "web_search_20250305" }] }), 0);
  assert.equal(count({ tools: [] }), 0);
  assert.ok(count({ tools: [{ ...READ, description: null as never }] }) < tokens);
});

test("thinking counts where a model gets it back: in the work at hand", () => {
  const thinking = { type: "thinking" as const, thinking: "one two three" };
  const call = { type: "tool_use" as const, id: "t", name: "Read", input: {} };
  const result = user([{ type: "tool_result", tool_use_id: "t", content: "" }]);
  const before: MessageParam = { role: "assistant", content: [thinking, { type: "text", text: "Done." }] };
  const now: MessageParam = { role: "assistant", content: [thinking, call] };
  const messages = [user("Begin"), before, user("Again"), now, result];
  assert.equal(count({ messages }, { replaysThinking: true }) - count({ messages }), estimateTokens("one two three"));
});

test("thinking counts in all work where a model gets it back always", () => {
  const thinking = { type: "thinking" as const, thinking: "one two three" };
  const messages = [user("Begin"), { role: "assistant" as const, content: [thinking] }, user("Again")];
  const rules: TokenRules = { replaysThinking: "always" };
  assert.equal(count({ messages }, rules) - count({ messages }), estimateTokens("one two three"));
});

test("an empty request costs nothing, and a message is never free", () => {
  assert.equal(count({}), 0);
  assert.equal(count({ system: "" }), 0);
  assert.equal(count({ messages: [user("")] }), 6);
});
