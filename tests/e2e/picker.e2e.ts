/** The models of the proxy in the picker of the real Claude Code, in a real terminal. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeKnownPlace, startUpstream, toArbiter } from "./support.ts";
import { startTerminal } from "./terminal.ts";

const MODELS = ["test/first", "z-ai/glm-5.2", "moonshotai/kimi-k2.6"];

test("the models of a list can be chosen in /model, with and without thinking", { timeout: 120_000 }, async (t) => {
  const place = await makeKnownPlace(t);
  const upstream = await startUpstream(t, ({ model }) => ({ steps: [{ text: `I am ${model}.` }] }), { models: MODELS });
  const env = { ...upstream.env, MODEL: MODELS.join(","), ARBITER_MODEL: "" };
  const terminal = startTerminal(t, toArbiter("node", ["code", "--port", "0"]), { place, env });
  await terminal.see("auto mode on");
  terminal.type("/model");
  await terminal.see(/\/model +\S/);
  terminal.type("\r");
  await terminal.see("Select model");
  const rows = terminal.read().split("\n").flatMap((line) =>
    /(\d+)\. +(.*?) +From gateway/.exec(line)?.slice(1, 3) ?? []
  );
  const names = rows.filter((_, i) => i % 2 === 1);
  assert.deepEqual(names, [
    "test/first",
    "z-ai/glm-5.2",
    "z-ai/glm-5.2 (no thinking)",
    "moonshotai/kimi-k2.6",
    "moonshotai/kimi-k2.6 (no thinking)",
  ]);
  terminal.type(rows[rows.indexOf("z-ai/glm-5.2 (no thinking)") - 1] ?? "");
  await terminal.see("Set model to z-ai/glm-5.2 (no thinking)");
  terminal.type("Explain how the login works here");
  await terminal.see(/❯\sExplain how the login works here/);
  terminal.type("\r");
  await terminal.see("I am z-ai/glm-5.2.");
  const [request] = upstream.requests;
  assert.deepEqual(request?.chat_template_kwargs, { enable_thinking: false, clear_thinking: false });
});
