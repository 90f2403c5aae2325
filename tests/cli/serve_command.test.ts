import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createProxy, listen } from "../../lib/cli/proxy.ts";
import { toUse } from "../../lib/cli/serve_command.ts";
import { makeContext } from "./support.ts";

/** A process of a runtime that runs a script. */
function toProcess(script: string, runtime = "node"): Parameters<typeof toUse>[2] {
  return { argv: [runtime, script], versions: { node: "24.0.0", [runtime]: "1.0.0" } as NodeJS.ProcessVersions };
}

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
      const process = toProcess("/usr/bin/arbiter-proxy");
      assert.equal(toUse(await makeContext(["serve", ...typed], { env, platform }), port, process), line);
    });
  }

  const starts: [script: string, runtime: string, start: string][] = [
    ["/usr/local/bin/arbiter", "node", "arbiter-proxy"],
    ["C:\\Users\\me\\AppData\\Roaming\\npm\\node_modules\\arbiter-proxy\\dist\\cli.js", "node", "arbiter-proxy"],
    ["/home/me/.npm/_npx/6f93c58376aecc97/node_modules/.bin/arbiter-proxy", "node", "npx arbiter-proxy"],
    ["C:\\npm-cache\\_npx\\6f93\\node_modules\\arbiter-proxy\\dist\\cli.js", "node", "npx arbiter-proxy"],
    ["/project/node_modules/.bin/arbiter-proxy", "node", "npx arbiter-proxy"],
    ["/tmp/bunx-0-arbiter-proxy@latest/node_modules/.bin/arbiter-proxy", "bun", "bunx arbiter-proxy"],
    ["/root/.bun/install/cache/.bunx-0/arbiter-proxy/node_modules/.bin/arbiter-proxy", "node", "bunx arbiter-proxy"],
    ["/project/$deno$node.mjs", "deno", "deno run -A jsr:@arbiter/proxy"],
    ["/home/me/dotfiles/mod.ts", "deno", "deno run -A '/home/me/dotfiles/mod.ts'"],
    ["/home/o'me/mod.ts", "bun", "bun '/home/o'\\''me/mod.ts'"],
    ["/arbiter/dist/cli.js", "node", "node '/arbiter/dist/cli.js'"],
  ];
  for (const [script, runtime, start] of starts) {
    test(`types what started ${script} on ${runtime}`, async () => {
      const context = await makeContext(["serve"], { env: {}, platform: "linux" });
      assert.equal(toUse(context, 4005, toProcess(script, runtime)), `eval "$(${start} env)"`);
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
