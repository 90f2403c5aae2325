import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type FaultFacts, type FaultKind, UpstreamFault } from "../../lib/upstream/faults.ts";
import type { ModelFacts } from "../../lib/upstream/learned.ts";
import { toCounted, toLessons } from "../../lib/upstream/lessons.ts";

const NOTHING: Partial<ModelFacts> = { noTools: false, refused: [] };

describe("a fault teaches", () => {
  const rows: [what: string, kind: FaultKind, facts: FaultFacts, expected: Partial<ModelFacts>][] = [
    ["nothing by itself", "gateway", {}, {}],
    ["that there are no tools", "no_tools", {}, { noTools: true }],
    ["that the model is gone", "gone", {}, { goneSince: 0 }],
    ["since when the model is gone", "gone", { until: Date.UTC(2026, 4, 14) }, { goneSince: Date.UTC(2026, 4, 14) }],
    ["fields that can be left out", "rejected_field", { fields: ["stop", "temperature"] }, {
      refused: ["stop", "temperature"],
    }],
    ["the field that a path begins with", "rejected_field", { fields: ["response_format.json_schema"] }, {
      refused: ["response_format"],
    }],
    ["that thinking is not wanted back", "rejected_field", { fields: ["messages.3.assistant.reasoning_content"] }, {
      refused: ["reasoning_content"],
    }],
    ["that thinking is not wanted back, in brackets", "rejected_field", {
      fields: ["messages", "3", "reasoning_content"],
    }, {
      refused: ["reasoning_content"],
    }],
    ["a field that has a newer name", "rejected_field", { fields: ["max_tokens"] }, { refused: ["max_tokens"] }],
    ["fields of Anthropic's alone", "rejected_field", { fields: ["context_management", "output_config.effort"] }, {
      refused: ["context_management", "output_config"],
    }],
    ["no field that is needed", "rejected_field", { fields: ["messages.0.name", "model", "x"] }, {}],
    ["a cap below what was asked for", "output_cap", { cap: 4_096 }, { maxOutput: 4_096 }],
    ["no cap that was kept to", "output_cap", { cap: 8_000 }, {}],
    ["no cap that cannot be meant", "output_cap", { cap: 255 }, {}],
    ["a window", "context_overflow", { limit: 32_768 }, { context: 32_768 }],
    ["no window that cannot be meant", "context_overflow", { limit: 128 }, {}],
  ];
  for (const [what, kind, facts, expected] of rows) {
    test(what, () => {
      const lessons = toLessons(new UpstreamFault(kind, kind, facts), 8_000);
      assert.deepEqual(lessons, { ...NOTHING, ...expected });
    });
  }
});

describe("a prompt has as many tokens as", () => {
  const rows: [what: string, facts: FaultFacts, estimate: number, tokens: number][] = [
    ["a fault tells", { used: 12_000, limit: 32_768 }, 20_000, 12_000],
    ["a fault tells without a limit", { used: 12_000 }, 20_000, 12_000],
    ["nobody knows where a host stopped below the estimate", { used: 24_769, limit: 32_768 }, 30_000, 0],
    ["a fifth more than where a host stopped above it", { used: 24_769, limit: 32_768 }, 20_000, 24_769 * 1.2],
  ];
  for (const [what, facts, estimate, tokens] of rows) {
    test(
      what,
      () => assert.equal(toCounted(new UpstreamFault("context_overflow", "", facts), 8_000, estimate), tokens),
    );
  }
});
