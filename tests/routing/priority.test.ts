import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Priority, toPriority } from "../../lib/routing/priority.ts";
import type { MessagesRequest } from "../../lib/wire/anthropic.ts";

const REQUEST: MessagesRequest = { model: "m", max_tokens: 10, messages: [] };
const TOOLS = [{ name: "Bash" }];

describe("how urgent is", () => {
  const rows: [what: string, headers: Record<string, string>, fields: Partial<MessagesRequest>, expected: Priority][] =
    [
      ["the main loop", {}, { tools: TOOLS }, "main"],
      ["a subagent", { "x-claude-code-agent-id": "0123456789abcdef0" }, { tools: TOOLS }, "subagent"],
      ["a title", {}, {}, "background"],
      ["a request with an empty list of tools", {}, { tools: [] }, "background"],
      [
        "what Claude Code calls auxiliary",
        { "x-claude-code-request-class": "auxiliary" },
        { tools: TOOLS },
        "background",
      ],
    ];
  for (const [what, headers, fields, expected] of rows) {
    test(what, () => assert.equal(toPriority(new Headers(headers), { ...REQUEST, ...fields }), expected));
  }
});
