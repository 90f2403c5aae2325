import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createProxy, listen } from "../../lib/cli/proxy.ts";
import { toUse } from "../../lib/cli/serve_command.ts";
import { makeContext } from "./support.ts";

describe("the line that points Claude Code at a proxy that listens", () => {
  const rows: [typed: string[], port: number, env: Record<string, string>, platform: string, line: string][] = [
    [[], 4005, {}, "linux", 'eval "$(arbiter-proxy env)"'],
    [["--port", "0"], 4321, {}, "darwin", 'eval "$(arbiter-proxy env --port 4321)"'],
    [["--demo", "--yes"], 4005, {}, "linux", 'eval "$(arbiter-proxy env --demo)"'],
    [["-m", "a/b,c d"], 4010, {}, "linux", `eval "$(arbiter-proxy env --port 4010 --model 'a/b,c d')"`],
    [["--host", "::1"], 4005, { SHELL: "/bin/fish" }, "linux", "arbiter-proxy env --host '::1' | source"],
    [["-t", "9"], 4005, {}, "win32", "arbiter-proxy env --max-tokens '9' | Out-String | Invoke-Expression"],
    [[], 4005, { PROMPT: "$P$G" }, "win32", "arbiter-proxy env > env.bat && env.bat"],
  ];
  for (const [typed, port, env, platform, line] of rows) {
    test(`on ${platform}: ${line}`, async () => {
      assert.equal(toUse(await makeContext(["serve", ...typed], { env, platform }), port), line);
    });
  }
});

test("an address that is not this machine's is named, with what to do", async () => {
  const env = { ARBITER_API_KEY: "a-long-secret" };
  const context = await makeContext(["serve", "--demo", "--host", "192.0.2.1", "--port", "4010"], { env });
  const proxy = await createProxy(context, () => {});
  const message = /^Cannot listen on 192\.0\.2\.1, port 4010 \(E\w+\): choose others with --host and --port$/;
  await assert.rejects(listen(proxy, context.io), ({ message: told }: Error) => message.test(told));
  proxy.arbiter.close();
});
