import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PRIORITIES, type Priority } from "../../lib/routing/priority.ts";
import type { RequestKind } from "../../lib/routing/request_kind.ts";

describe("how urgent is", () => {
  const rows: Record<Priority, RequestKind[]> = {
    main: ["main", "compaction", "safety", "web_search", "web_page"],
    subagent: ["subagent"],
    background: ["title", "quota", "suggestion", "file_paths", "command_prefix", "auxiliary"],
  };
  for (const [priority, kinds] of Object.entries(rows)) {
    for (const kind of kinds) test(`${kind}: ${priority}`, () => assert.equal(PRIORITIES[kind], priority));
  }
});
