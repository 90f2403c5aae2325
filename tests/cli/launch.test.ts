import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { findOnPath, readLastLine, runChild, toSpawned } from "../../lib/cli/child.ts";
import { toClaudeEnv, toToken } from "../../lib/cli/claude_env.ts";

describe("toClaudeEnv()", () => {
  const env = toClaudeEnv(
    { HOME: "/h", ANTHROPIC_API_KEY: "sk", ANTHROPIC_BASE_URL: "https://x", CLAUDE_CODE_MAX_CONTEXT_TOKENS: "9" },
    "http://127.0.0.1:4005",
    { elite: "owner/model", tiers: { haiku: "owner/small" } },
  );

  test("routes Claude Code to the proxy, whatever was set", () => {
    assert.equal(env.ANTHROPIC_BASE_URL, "http://127.0.0.1:4005");
    assert.equal(env.ANTHROPIC_AUTH_TOKEN, "arbiter");
    assert.ok(!("ANTHROPIC_API_KEY" in env));
  });

  test("gives it the first key of the proxy, over any token of its own", () => {
    const token = toToken({ clientKeys: [{ name: "me", key: "first-key" }, { key: "second-key" }] });
    const own = { ANTHROPIC_AUTH_TOKEN: "sk" };
    const env = toClaudeEnv(own, "http://127.0.0.1:1", { elite: "m", tiers: {} }, token);
    assert.equal(env.ANTHROPIC_AUTH_TOKEN, "first-key");
    assert.equal(toToken({}), "arbiter");
  });

  test("keeps Claude Code from going elsewhere", () => {
    const elsewhere = { CLAUDE_CODE_USE_BEDROCK: "1", CLAUDE_CODE_USE_VERTEX: "1", no_proxy: "internal", PATH: "/bin" };
    const env = toClaudeEnv(elsewhere, "http://127.0.0.1:1", { elite: "m", tiers: {} });
    assert.ok(!("CLAUDE_CODE_USE_BEDROCK" in env) && !("CLAUDE_CODE_USE_VERTEX" in env));
    assert.deepEqual([env.NO_PROXY, env.no_proxy, env.PATH], ["internal,127.0.0.1", "internal,127.0.0.1", "/bin"]);
  });

  test("names a model for every tier", () => {
    for (const name of ["MODEL", "DEFAULT_OPUS_MODEL", "DEFAULT_FABLE_MODEL", "DEFAULT_SONNET_MODEL"]) {
      assert.equal(env[`ANTHROPIC_${name}`], "owner/model");
    }
    assert.equal(env.ANTHROPIC_DEFAULT_HAIKU_MODEL, "owner/small");
  });

  test("leaves the user's other variables alone", () => {
    assert.equal(env.HOME, "/h");
    assert.equal(env.CLAUDE_CODE_MAX_CONTEXT_TOKENS, "9");
  });

  test("sets anew what it has set before, forgets what has no value any more, and leaves the user's own alone", () => {
    const own = { CLAUDE_CODE_GATEWAY_HINT_HEADERS: "0" };
    const before = toClaudeEnv(own, "http://127.0.0.1:1", { elite: "a", tiers: {}, contextTokens: 9, outputTokens: 8 });
    const env = toClaudeEnv(before, "http://127.0.0.1:2", { elite: "b", tiers: { haiku: "c" }, contextTokens: 7 });
    const fresh = toClaudeEnv(own, "http://127.0.0.1:2", { elite: "b", tiers: { haiku: "c" }, contextTokens: 7 });
    assert.equal(env.ANTHROPIC_MODEL, "b");
    assert.equal(env.CLAUDE_CODE_GATEWAY_HINT_HEADERS, "0");
    assert.deepEqual(env, fresh);
  });

  test("tells the limits of the models as far as they are known", () => {
    const tell = (limits: { contextTokens?: number; outputTokens?: number }) => {
      const set = toClaudeEnv({}, "http://127.0.0.1:1", { elite: "m", tiers: {}, ...limits });
      return [set.CLAUDE_CODE_MAX_CONTEXT_TOKENS, set.CLAUDE_CODE_MAX_OUTPUT_TOKENS];
    };
    assert.deepEqual(tell({}), [undefined, undefined]);
    assert.deepEqual(tell({ contextTokens: 200_000, outputTokens: 8192 }), ["200000", "8192"]);
  });

  test("tells no window in which Claude Code would compact without end", () => {
    const tell = (contextTokens: number) => {
      return toClaudeEnv({}, "http://127.0.0.1:1", { elite: "m", tiers: {}, contextTokens, outputTokens: 8192 })
        .CLAUDE_CODE_MAX_CONTEXT_TOKENS;
    };
    assert.deepEqual([32_768, 46_344, 46_345, 65_536, 65_537].map(tell), ["51960", "65536", "65536", "65536", "65537"]);
  });

  test("asks no other proxy for this machine, and says so once", () => {
    const once = toClaudeEnv({ NO_PROXY: "a, b" }, "http://[::1]:1", { elite: "m", tiers: {} });
    assert.equal(once.NO_PROXY, "a,b,[::1]");
    assert.equal(toClaudeEnv(once, "http://[::1]:1", { elite: "m", tiers: {} }).NO_PROXY, "a,b,[::1]");
  });
});

const skip = process.platform === "win32" ? "needs a POSIX shell" : false;

describe("findOnPath()", { skip }, () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "arbiter-"));
    await mkdir(join(folder, "a"));
    await mkdir(join(folder, "b", "claude"), { recursive: true });
    await writeFile(join(folder, "a", "claude"), "not executable");
    await writeFile(join(folder, "claude"), "#!/bin/sh\n");
    await chmod(join(folder, "claude"), 0o755);
    await writeFile(join(folder, "a\\claude.CMD"), "");
    await chmod(join(folder, "a\\claude.CMD"), 0o755);
  });
  after(() => rm(folder, { recursive: true }));

  test("finds the first that can be run", async () => {
    const PATH = `/nowhere:${folder}/a:${folder}/b::${folder}`;
    assert.equal(await findOnPath("claude", { PATH }, "linux"), `${folder}/claude`);
  });

  test("finds nothing where there is nothing", async () => {
    assert.equal(await findOnPath("claude", { PATH: "/nowhere" }, "linux"), undefined);
    assert.equal(await findOnPath("claude", {}, "linux"), undefined);
  });

  test("tries the endings of Windows", async () => {
    const env = { Path: `${folder}/b;${folder}/a`, PATHEXT: ".EXE;.CMD" };
    assert.equal(await findOnPath("claude", env, "win32"), `${folder}/a\\claude.CMD`);
    const quoted = { ...env, Path: `"${folder}/b";"${folder}/a"` };
    assert.equal(await findOnPath("claude", quoted, "win32"), `${folder}/a\\claude.CMD`);
  });
});

/** Reads a line as cmd does: outside of quotes a caret is taken away, and what has none must not mean anything. */
function readAsCmd(line: string): string {
  return line.replace(/\^(.)|([\s\S])/g, (_, escaped: string | undefined, plain: string) => {
    assert.ok(escaped !== undefined || !/[()%!"<>&|\r\n]/.test(plain), `${plain} in ${line}`);
    return escaped ?? plain;
  });
}

/** Reads arguments as programs do on Windows: before a quote two backslashes are one, and a single one makes it a sign. */
function readAsProgram(line: string): string[] {
  const words = [""];
  let inside = false;
  for (const [, slashes = "", sign = ""] of line.matchAll(/(\\*)([^\\]|$)/g)) {
    const [half, isQuote] = ["\\".repeat(slashes.length / 2), sign === '"'];
    if (isQuote && slashes.length % 2 === 0) inside = !inside;
    if (sign === " " && !inside) words.push("");
    else words[words.length - 1] += isQuote ? half + (slashes.length % 2 ? '"' : "") : slashes + sign;
  }
  return words;
}

describe("toSpawned()", () => {
  test("leaves everything to the system where it can start the program", () => {
    const args = ["-p", 'say "hi" & %PATH%'];
    for (const [command, platform] of [["/bin/claude", "linux"], ["C:\\a b\\claude.EXE", "win32"]] as const) {
      assert.deepEqual(toSpawned({ command, args }, platform), { command, args, shell: false });
    }
  });

  const words = [
    "plain",
    "",
    "two words",
    "C:\\dir\\",
    "C:\\a b\\c",
    'say "hi"',
    'a\\"b',
    "100% of %PATH%",
    "a & b | c > d < e ^ f (g) !h!",
    '"&calc"',
    "\\\\",
    '{"a":"b\\\\"}',
    "ünï – “x”",
  ];
  const rows = [...words.map((word) => [word]), words];
  for (const args of rows) {
    test(`gives ${JSON.stringify(args)} to a .cmd file as it was`, () => {
      const { command, shell, args: none } = toSpawned({ command: "C:\\a b\\claude.cmd", args }, "win32");
      assert.deepEqual([shell, none], [true, []]);
      const start = '"C:\\a b\\claude.cmd" ';
      assert.ok(command.startsWith(start));
      assert.deepEqual(readAsProgram(readAsCmd(readAsCmd(command.slice(start.length)))), args);
    });
  }

  test("makes one line of several, of which cmd would only read the first", () => {
    const { command } = toSpawned({ command: "claude.cmd", args: ["a\r\nb"] }, "win32");
    assert.deepEqual(readAsProgram(readAsCmd(readAsCmd(command.slice('"claude.cmd" '.length)))), ["a b"]);
  });

  test("and Windows reads it so, too", { skip: process.platform !== "win32" && "needs Windows" }, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "arbiter a b-"));
    t.after(() => rm(folder, { recursive: true }));
    await writeFile(
      join(folder, "write.cjs"),
      'require("fs").writeFileSync("args.json", JSON.stringify(process.argv))',
    );
    await writeFile(join(folder, "claude.cmd"), '@echo off\r\nnode "%~dp0write.cjs" %*\r\n');
    for (const args of rows) {
      assert.equal(await runChild({ command: join(folder, "claude.cmd"), args }, process.env, folder), 0);
      assert.deepEqual(JSON.parse(await readFile(join(folder, "args.json"), "utf8")).slice(2), args);
    }
  });
});

const shell = (script: string) => ({ command: "/bin/sh", args: ["-c", script] });

describe("readLastLine()", { skip }, () => {
  test("gives the last line, or nothing when the program fails", async () => {
    assert.equal(await readLastLine(shell("echo a; echo b"), { ...process.env }, "/"), "b");
    assert.equal(await readLastLine(shell("echo a; exit 1"), { ...process.env }, "/"), undefined);
  });

  test("ends a program that is not over in time, and does not wait for what that has started", async () => {
    const folder = await mkdtemp(join(tmpdir(), "arbiter-"));
    const path = join(folder, "started");
    for (const [then, expected] of [["wait", undefined], ["exit 0", ""]] as const) {
      const stop = new AbortController();
      const script = shell(`sleep 60 2>&- & echo $! > "${path}"; ${then}`);
      const line = readLastLine(script, { ...process.env }, "/", stop.signal);
      let started = NaN;
      while (!(started > 0)) started = parseInt(await readFile(path, "utf8").catch(() => ""));
      stop.abort();
      assert.equal(await line.finally(() => process.kill(started)), expected);
      await rm(path);
    }
    await rm(folder, { recursive: true });
  });
});

describe("runChild()", { skip }, () => {
  test("gives the exit code", async () => {
    assert.equal(await runChild(shell("exit 42"), { ...process.env }, "/"), 42);
  });

  test("gives 128 and the number of the signal that ended the program", async () => {
    assert.equal(await runChild(shell("kill -9 $$"), { ...process.env }, "/"), 137);
  });

  test("passes SIGTERM on, and gives the exit code all the same", async () => {
    const early = () => {}; // One that comes before anybody passes it on must not end the tests.
    process.on("SIGTERM", early);
    const script = "trap 'exit 7' TERM; while :; do kill -TERM $PPID; done";
    assert.equal(
      await runChild(shell(script), { ...process.env }, "/").finally(() => process.off("SIGTERM", early)),
      7,
    );
  });

  test("passes environment and folder on", async () => {
    assert.equal(await runChild(shell('[ "$A" = "x y" ] && [ "$PWD" = / ]'), { ...process.env, A: "x y" }, "/"), 0);
  });

  test("fails when the program is not there", async () => {
    await assert.rejects(runChild({ command: "/nowhere/claude", args: [] }, {}, "/"));
  });

  test("leaves no signal handler behind", async () => {
    const count = () => ["SIGINT", "SIGTERM", "SIGHUP"].map((signal) => process.listenerCount(signal));
    const before = count();
    await runChild(shell("exit 0"), { ...process.env }, "/");
    assert.deepEqual(count(), before);
  });
});
