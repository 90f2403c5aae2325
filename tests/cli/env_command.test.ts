import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import process from "node:process";
import { describe, test } from "node:test";
import { toClaudeEnv } from "../../lib/cli/claude_env.ts";
import { runEnv, toScript } from "../../lib/cli/env_command.ts";
import { SHELLS } from "../../lib/cli/shells.ts";
import { makeContext } from "./support.ts";

const own = { CLAUDE_CODE_GATEWAY_HINT_HEADERS: "0", ANTHROPIC_API_KEY: "sk", ANTHROPIC_BASE_URL: "https://x" };
const demo = ["env", "--demo", "--port", "4010"];

test("env, read by a real sh, makes the environment that code gives to Claude Code", {
  skip: process.platform === "win32" ? "needs a POSIX shell" : false,
}, async () => {
  const env = { PATH: process.env.PATH, ...own };
  const context = await makeContext([...demo, "--shell", "sh"], { env });
  assert.equal(await runEnv(context), 0);
  const script = [...context.printed, "env -0"].join("\n");
  const output = execFileSync("sh", ["-c", script], { env, encoding: "utf8" });
  const after = Object.fromEntries(output.split("\0").filter(Boolean).map((line) => line.split(/=([^]*)/, 2)));
  const models = { elite: "arbiter/demo-model", tiers: {}, contextTokens: 131_072 };
  const expected = toClaudeEnv(env, "http://127.0.0.1:4010", models);
  for (const [name, value] of Object.entries(expected)) assert.equal(after[name], value, name);
  for (const name of Object.keys(env)) assert.equal(name in after, name in expected, name);
});

describe("env", () => {
  test("writes for the user's shell, with a reason beside each variable", async () => {
    const context = await makeContext(demo, { env: { SHELL: "/usr/bin/fish" } });
    await runEnv(context);
    assert.deepEqual(context.printed.slice(0, 2), [
      "# where Arbiter listens",
      "set -gx ANTHROPIC_BASE_URL 'http://127.0.0.1:4010'",
    ]);
    assert.deepEqual(context.told, []);
  });

  test("tells what auto mode costs, and the way without, in every shell", async () => {
    for (const [shell, { remark }] of Object.entries(SHELLS)) {
      const context = await makeContext([...demo, "--shell", shell]);
      await runEnv(context);
      const remarks = context.printed.filter((line) => line.startsWith(remark)).join("\n");
      assert.match(remarks, /auto mode[^]*35,000 tokens[^]*--permission-mode acceptEdits/i);
    }
  });

  test("leaves the user's own variables alone, and says so", async () => {
    const context = await makeContext([...demo, "--shell", "sh"], { env: own });
    await runEnv(context);
    const lines = context.printed.filter((line) => /HINT_HEADERS|API_KEY/.test(line));
    assert.deepEqual(lines, ["unset ANTHROPIC_API_KEY", "# yours, and left alone: CLAUDE_CODE_GATEWAY_HINT_HEADERS"]);
  });

  test("prints settings of Claude Code's, and everything else beside them", async () => {
    const context = await makeContext([...demo, "--json", "--host", "::1"], { env: own });
    await runEnv(context);
    const { env, ...others } = JSON.parse(context.printed.join("\n"));
    assert.deepEqual(others, {});
    assert.equal(env.ANTHROPIC_BASE_URL, "http://[::1]:4010");
    assert.equal(env.ANTHROPIC_MODEL, "arbiter/demo-model");
    assert.ok(!("CLAUDE_CODE_GATEWAY_HINT_HEADERS" in env) && !("ANTHROPIC_API_KEY" in env));
    assert.match(context.told.join("\n"), /^ANTHROPIC_API_KEY would .*unset it[^]*35,000 tokens/);
  });

  test("needs no key, for the proxy has it", async () => {
    const context = await makeContext(["env", "--model", "a/b"], { env: {} });
    await runEnv(context);
    assert.ok(context.printed.includes("export ANTHROPIC_MODEL='a/b'"));
    assert.ok(context.printed.includes("export ANTHROPIC_BASE_URL='http://127.0.0.1:4005'"));
  });

  const refused: [typed: string[], message: RegExp][] = [
    [["env", "--shell", "tcsh"], /--shell='tcsh': expected sh, fish, powershell, cmd$/],
    [["env", "--shell", "constructor"], /--shell='constructor'/],
    [["env", "--port", "0"], /--port/],
  ];
  for (const [typed, message] of refused) {
    test(`refuses ${typed.join(" ")}`, async () => {
      await assert.rejects(runEnv(await makeContext(typed)), { name: "ConfigError", message });
    });
  }
});

test("no remark has a sign that would end it", () => {
  for (const shell of ["sh", "fish", "powershell", "cmd"] as const) {
    const lines = toScript({ set: [], unset: [], kept: [] }, shell);
    for (const line of lines) assert.doesNotMatch(line, /[\n\r%&|<>^]/);
  }
});
