/** What the real Claude Code makes of the proxy's token counts. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ChatRequest } from "../../mod.ts";
import { makeKnownPlace, makePlace, startSession, startUpstream, toArbiter, toResult, toText } from "./support.ts";
import { startTerminal } from "./terminal.ts";

/** How a request for a summary ends; it has tools, as a turn has. */
const isCompaction = ({ messages }: ChatRequest): boolean => {
  const last = messages.findLast(({ role }) => role === "user");
  return last !== undefined && toText(last).includes("CRITICAL: Respond with TEXT ONLY");
};

describe("token counts", { concurrency: 2, timeout: 120_000 }, () => {
  it("make Claude Code compact once, at the turn at which the window of 131,072 gets full", async (t) => {
    const place = await makePlace(t);
    // It compacts beyond the window less 20,000 for output and 13,000: after 98,072 tokens.
    const sizes = [40_000, 80_000, 97_500, 98_500, 20_000, 21_000];
    let compactions = 0;
    let turn = 0;
    let choice: unknown;
    const seen: string[] = [];
    const upstream = await startUpstream(t, (request) => {
      if (isCompaction(request)) {
        compactions++;
        seen.push("compaction");
        choice = request.tool_choice;
        return {
          steps: [{ text: "<summary>So far so good.</summary>" }],
          usage: { prompt_tokens: 98_600, completion_tokens: 20 },
        };
      }
      const prompt_tokens = sizes[turn] ?? 22_000;
      seen.push(`turn ${turn}`);
      const usage = { prompt_tokens, completion_tokens: 20 };
      if (turn++ >= 5) return { steps: [{ text: "All done." }], usage };
      const call = { name: "Bash", arguments: { command: `echo ${turn}`, description: "Count" }, id: `call-${turn}` };
      return { steps: [{ calls: [call] }], usage };
    });
    const ended = await startSession(t, "Count to five", { place, env: upstream.env }).ended;
    assert.equal(toResult(ended), "All done.", ended.stderr);
    assert.equal(compactions, 1, seen.join(", "));
    assert.equal(seen.indexOf("compaction"), 4, seen.join(", "));
    assert.equal(choice, "none");
  });

  it("fill /context with plausible parts that add up", async (t) => {
    const place = await makeKnownPlace(t);
    const upstream = await startUpstream(t, () => ({ steps: [{ text: "Good day." }] }));
    const terminal = startTerminal(t, toArbiter("node", ["code", "--port", "0"]), { place, env: upstream.env });
    await terminal.see("auto mode on");
    terminal.type("/context");
    await terminal.see(/\/context +\S/);
    terminal.type("\r");
    await terminal.see(/Autocompact buffer: .*tokens/);
    const screen = terminal.read();
    const toCount = (name: string) => {
      const [, count = "", thousand] = new RegExp(`${name}: ([\\d.]+)(k?) tokens`).exec(screen) ?? [];
      return Number(count) * (thousand ? 1000 : 1);
    };
    const [system, tools] = [toCount("System prompt"), toCount("System tools")];
    assert.ok(system > 1_000 && system < 4_000, screen);
    assert.ok(tools > 5_000 && tools < 14_000, screen);
    const [, used = "", window = ""] = /([\d.]+)k\/([\d.]+)k tokens/.exec(screen) ?? [];
    assert.equal(Number(window), 131.1, screen);
    assert.ok(Math.abs(Number(used) * 1000 - system - tools) < 6_000, screen);
  });
});
