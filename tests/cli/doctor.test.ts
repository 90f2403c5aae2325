import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import type { Context } from "../../lib/cli/io.ts";
import {
  checkAnswer,
  checkBaseUrl,
  checkClaude,
  checkClaudeEnv,
  checkClaudeSettings,
  checkClock,
  checkFolder,
  checkKey,
  checkLocalhost,
  checkNetwork,
  checkPort,
  checkReach,
  checkRuntime,
  checkStoreFault,
  checkWsl,
  type Finding,
} from "../../lib/cli/doctor_checks.ts";
import { diagnose, type Machine } from "../../lib/cli/doctor_command.ts";
import { type Env, resolveSettings } from "../../lib/config/settings.ts";
import { NVIDIA_BASE_URL } from "../../lib/routing/backends.ts";
import { createStandIn } from "../../lib/stand_in/stand_in.ts";
import { createStats } from "../../lib/server/stats.ts";
import { findFreePort } from "../support/redis_server.ts";

const KEY = `nvapi-${"a".repeat(64)}`;
const NVIDIA = { name: "nvidia", baseUrl: NVIDIA_BASE_URL, keyName: "NVIDIA_API_KEY" };

/** What a check found, as one line. */
const toLine = ({ check, state, says, fix }: Finding) => `${state} ${check}: ${says}${fix ? ` | ${fix}` : ""}`;

function runRows(rows: [name: string, found: Finding | Finding[], line: RegExp | ""][]): void {
  for (const [name, found, line] of rows) {
    test(name, () => {
      const findings = [found].flat();
      if (line === "") return assert.deepEqual(findings, []);
      assert.match(findings.map(toLine).join("\n"), line);
      for (const { state, fix } of findings) {
        assert.equal(state === "OK", fix === undefined, "a fix where one is needed");
      }
      assert.ok(findings.every(({ says, fix = "" }) => !`${says}${fix}`.includes(KEY)), "never a key");
    });
  }
}

describe("a key", () => {
  const of = (apiKey: string, baseUrl = NVIDIA_BASE_URL) => checkKey({ ...NVIDIA, baseUrl, apiKey });
  runRows([
    ["is fine", of(KEY), /^OK key: NVIDIA_API_KEY: it is set$/],
    [
      "is missing",
      checkKey({ ...NVIDIA, lacks: "NVIDIA_API_KEY" }),
      /^FAIL key: NVIDIA_API_KEY is not set \| .*build\.nv/,
    ],
    ["is not needed", checkKey({ name: "local", baseUrl: "http://localhost:1234/v1" }), /^OK key: none is needed$/],
    ["stands in quotes, as with set in cmd", of(`"${KEY}"`), /^FAIL .*quotes/],
    ["has blanks inside", of(`${KEY} x`), /^FAIL .*blanks/],
    ["is the placeholder of .env.example", of("nvapi-..."), /^FAIL .*placeholder/],
    ["is another placeholder", of("your-api-key-here"), /^FAIL .*placeholder/],
    ["has characters of a word processor", of(`nvapi–${"a".repeat(64)}`), /^FAIL .*no header/],
    ["is another host's", of(`sk-${"a".repeat(64)}`), /^WARN .*begin with nvapi-/],
    ["is cut off", of("nvapi-abc"), /^WARN .*too short/],
    ["of another host has another shape", of("sk-abc", "https://openrouter.ai/api/v1"), /^OK/],
  ]);
});

describe("an address", () => {
  const of = (baseUrl: string, format: "openai" | "anthropic" = "openai") =>
    checkBaseUrl({ ...NVIDIA, baseUrl, format });
  runRows([
    ["is NVIDIA's", of(NVIDIA_BASE_URL), /^OK address: https:\/\/integrate\.api\.nvidia\.com\/v1$/],
    ["has /v1 twice", of(`${NVIDIA_BASE_URL}/v1`), /^FAIL .*twice/],
    ["lacks /v1 at NVIDIA", of("https://integrate.api.nvidia.com"), /^FAIL .*Set https.*\/v1/],
    ["lacks /v1 elsewhere", of("https://x.example/api"), /^WARN .*\/v1/],
    ["lacks /v1 where the format is Anthropic's", of("https://x.example/anthropic", "anthropic"), /^OK/],
    ["names a route", of(`${NVIDIA_BASE_URL}/chat/completions`), /^FAIL .*route/],
    ["is NVIDIA's site", of("https://build.nvidia.com"), /^FAIL/],
    ["is http for a remote host", of("http://x.example/v1"), /^FAIL .*unencrypted.*https/],
    ["has a query", of("https://x.example/v1?key=a"), /^FAIL .*query/],
    ...["localhost:1234", "127.0.0.1:8000", "[::1]:80", "192.168.1.5", "172.20.0.2:1", "gpu:8000", "gpu.local"].map(
      (host): [string, Finding, RegExp] => [`is http near by at ${host}`, of(`http://${host}/v1`), /^OK/],
    ),
  ]);
});

describe("an upstream that cannot be reached", () => {
  const node = (code: string, message: string) => {
    return checkReach(new TypeError("fetch failed", { cause: Object.assign(new Error(message), { code }) }));
  };
  const bun = (code: string, message: string) => checkReach(Object.assign(new TypeError(message), { code }));
  const deno = (why: string) => checkReach(new TypeError(`error sending request for url (https://x/): ${why}`));
  const certificate = /^FAIL upstream: its certificate is not trusted .*NODE_EXTRA_CA_CERTS/;
  runRows([
    ["has no name, says Node", node("ENOTFOUND", "getaddrinfo ENOTFOUND x"), /name is unknown \(ENOTFOUND\)/],
    ["has no name, says Bun", bun("ENOTFOUND", "getaddrinfo ENOTFOUND x"), /name is unknown \(ENOTFOUND\)/],
    ["has no name, says Deno", deno("dns error: failed to lookup address information"), /name is unknown/],
    ["has a company's certificate, says Node", node("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unable"), certificate],
    ["has a company's certificate, says Bun", bun("SELF_SIGNED_CERT_IN_CHAIN", "self signed"), certificate],
    ["has a company's certificate, says Deno", deno("invalid peer certificate: UnknownIssuer"), certificate],
    [
      "is silent",
      checkReach(new DOMException("The operation timed out", "TimeoutError")),
      /does not answer.*HTTPS_PROXY/,
    ],
    ["refuses", node("ECONNREFUSED", "connect ECONNREFUSED"), /does not answer \(ECONNREFUSED\)/],
  ]);
});

describe("a store that takes nothing", () => {
  const of = (message: string) => checkStoreFault("redis", new Error(message));
  const certificate = /^FAIL store: Redis: .* \| Set NODE_EXTRA_CA_CERTS/;
  runRows([
    ["has a certificate of its own, say Node and Deno", of("self-signed certificate"), certificate],
    ["has a company's certificate, says Bun", of("self signed certificate in certificate chain"), certificate],
    ["has one that nobody knows", of("unable to verify the first certificate"), certificate],
    ["has one that is over", of("certificate has expired"), /^FAIL store: .* \| Start Redis/],
    ["is not there", of("connect ECONNREFUSED 127.0.0.1:6379"), /^FAIL store: .* \| Start Redis/],
    [
      "is a folder",
      checkStoreFault("sqlite", new Error("Cannot open /s")),
      /^FAIL store: SQLite: .* \| Make it a file/,
    ],
  ]);
});

describe("a company's network", () => {
  const HTTPS_PROXY = "http://proxy:3128";
  const of = (name: string, version: string, env: Env) =>
    checkNetwork({ HTTPS_PROXY, ...env }, { name, version }, true);
  runRows([
    ["is used by Deno", of("Deno", "2.9.5", {}), /^OK proxy/],
    ["is used by Bun", of("Bun", "1.4.4", {}), /^OK proxy/],
    [
      "is ignored by Node",
      of("Node", "24.1.0", {}),
      /^WARN proxy: Node 24\.1\.0 ignores HTTPS_PROXY \| .*NODE_USE_ENV_PROXY=1/,
    ],
    ["is used by Node when it is told so", of("Node", "22.21.0", { NODE_USE_ENV_PROXY: "1" }), /^OK proxy/],
    ["is beyond an old Node", of("Node", "20.20.2", { NODE_USE_ENV_PROXY: "1" }), /^WARN proxy: .*with Deno or Bun/],
    ["needs nothing where there is none", of("Node", "20.0.0", { HTTPS_PROXY: undefined }), ""],
    [
      "has certificates that cannot be read",
      checkNetwork({ NODE_EXTRA_CA_CERTS: "/x.pem" }, { name: "Bun", version: "1.4.4" }, false),
      /^WARN certificates: cannot read \/x\.pem/,
    ],
  ]);
});

describe("this machine", () => {
  const HOUR = 3_600_000;
  runRows([
    [
      "has an old runtime",
      checkRuntime({ name: "Node", version: "18.20.1" }),
      /^FAIL runtime: Node 18\.20\.1 \| Install 20/,
    ],
    ["has a Deno that a session runs on", checkRuntime({ name: "Deno", version: "2.7.14" }), /^WARN .*\| Install 2\.8/],
    ["has a new runtime", checkRuntime({ name: "Deno", version: "2.9.5" }), /^OK/],
    ["has the right time", checkClock("Thu, 01 Jan 1970 00:04:00 GMT", 0), /^OK clock/],
    ["is slow", checkClock("Thu, 01 Jan 1970 01:00:00 GMT", 0), /^WARN clock: 60 minutes behind/],
    ["is fast", checkClock("Thu, 01 Jan 1970 00:00:00 GMT", HOUR), /^WARN clock: 60 minutes ahead/],
    ["is told no time", checkClock(null, 0), ""],
    ["has localhost twice", checkLocalhost(["::1", "127.0.0.1"]), ""],
    [
      "has localhost in IPv6 only",
      checkLocalhost(["::1"]),
      /^WARN localhost: localhost is ::1, .* \| Write 127\.0\.0\.1/,
    ],
    ["is no WSL", checkWsl({}, "6.1.0-generic"), ""],
    ["is WSL", checkWsl({}, "5.15.90.1-microsoft-standard-WSL2", "/usr/bin/claude"), /^OK WSL/],
    [
      "is WSL with a claude of Windows",
      checkWsl({ WSL_DISTRO_NAME: "U" }, "", "/mnt/c/npm/claude"),
      /^WARN WSL: \/mnt\/c/,
    ],
    ["has a free port", checkPort(4005, undefined, undefined), /^OK port: 4005 is free$/],
    [
      "has another Arbiter",
      checkPort(4005, "0.1.0", undefined),
      /^WARN port: Arbiter 0\.1\.0 is on 4005 .*stop ends it/,
    ],
    ["has another program", checkPort(4005, "other", undefined), /^WARN port: another program/],
    ["keeps the port for others", checkPort(80, undefined, "EACCES"), /^FAIL port: nobody may listen on 80 \(EACCES\)/],
    ["has no IPv4", checkPort(4005, undefined, "EADDRNOTAVAIL"), /^FAIL port: there is no 127\.0\.0\.1/],
    ["has a folder", checkFolder("state folder", "/h/.local", true), /^OK/],
    [
      "has a folder of another",
      checkFolder("state folder", "/h/.local", false),
      /^WARN state folder: cannot write to \/h/,
    ],
    ["has no home", checkFolder("state folder", undefined, false), /^WARN .*HOME is not set/],
    ["has an empty home", checkFolder("state folder", "", false), /^WARN .*HOME is not set/],
  ]);
});

describe("Claude Code", () => {
  const settings = (env: object) => checkClaudeSettings("/h/.claude/settings.json", JSON.stringify({ env }));
  const url = "http://127.0.0.1:4005";
  runRows([
    ["is new", checkClaude("/bin/claude", "2.1.328"), /^OK claude: 2\.1\.328, \/bin\/claude$/],
    ["is just new enough", checkClaude("/bin/claude", "2.1.154"), /^OK/],
    ["is old", checkClaude("/bin/claude", "2.1.99"), /^WARN claude: 2\.1\.99.*claude update/],
    ["does not run", checkClaude("/bin/claude", undefined), /^FAIL claude: \/bin\/claude does not run/],
    ["is not there", checkClaude(undefined, undefined, "/bin/npx"), /^WARN claude: not on PATH; npx.*npm install/],
    [
      "cannot be fetched either",
      checkClaude(),
      /^WARN claude: not on PATH, nor is npx \| Install Node.js\. Run npm install/,
    ],
    [
      "has a key of Anthropic's",
      checkClaudeEnv({ ANTHROPIC_API_KEY: KEY }),
      /^WARN environment: ANTHROPIC_API_KEY is set/,
    ],
    ["is sent elsewhere", checkClaudeEnv({ ANTHROPIC_BASE_URL: "https://x" }), /^WARN environment: ANTHROPIC_BASE_URL/],
    ["is sent to Arbiter", checkClaudeEnv({ ANTHROPIC_BASE_URL: url, ANTHROPIC_AUTH_TOKEN: "arbiter" }), ""],
    [
      "has settings that send it elsewhere",
      settings({ ANTHROPIC_BASE_URL: "https://x" }),
      /^FAIL claude settings: .*sets ANTH/,
    ],
    ["has settings that send it to Bedrock", settings({ CLAUDE_CODE_USE_BEDROCK: "1" }), /^FAIL .*BEDROCK/],
    ["has settings that send it to Arbiter", settings({ ANTHROPIC_BASE_URL: url, ANTHROPIC_AUTH_TOKEN: "a" }), ""],
    [
      "has settings for Arbiter and a key",
      settings({ ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: "a" }),
      /sets ANTHROPIC_API_KEY \|/,
    ],
    ["has other settings", settings({ EDITOR: "vi" }), ""],
    ["has no settings", checkClaudeSettings("x", undefined), ""],
    ["has settings that cannot be read", checkClaudeSettings("/x", "{"), /^WARN .*no JSON/],
  ]);
});

describe("the answer to a small question", () => {
  const of = (type: string) => checkAnswer("m/x", { type, message: "The upstream said so" });
  runRows([
    ["is there", checkAnswer("m/x"), /^OK model: m\/x answers/],
    ["is that the key is wrong", of("authentication_error"), /^FAIL model: The upstream said so \| Check the key/],
    ["is that the model is unknown", of("not_found_error"), /^FAIL .*--model/],
    ["is that the model is busy", of("overloaded_error"), /^WARN .*later/],
    ["is that the account is", of("rate_limit_error"), /^WARN/],
  ]);
});

let folder = "";
before(async () => void (folder = await mkdtemp(join(tmpdir(), "arbiter-"))));
after(() => rm(folder, { recursive: true }));

function toContext(env: Env, platform = "linux"): Context {
  const io = { env, cwd: folder, platform, interactive: false, print() {}, tell() {} };
  const settings = resolveSettings({}, [env], () => {});
  return { command: "doctor", flags: {}, args: [], rest: [], io, settings, layers: [env] };
}

function createMachine(given: Partial<Machine> = {}): Machine {
  const { fetch } = createStandIn({ models: { "m/x": () => ({ steps: [{ text: "Yes." }] }) }, apiKey: KEY });
  return {
    ...{ runtime: { name: "Bun", version: "1.4.4" }, release: "", fetch, now: Date.now, ...given },
    readText: given.readText ?? (() => Promise.resolve(undefined)),
    isWritable: given.isWritable ?? (() => Promise.resolve(true)),
    resolve: given.resolve ?? (() => Promise.resolve(["127.0.0.1"])),
    tryPort: given.tryPort ?? (() => Promise.resolve(undefined)),
    findRunning: given.findRunning ?? (() => Promise.resolve(undefined)),
    findClaude: given.findClaude ?? (() => Promise.resolve(["/bin/claude", "2.1.328"])),
  };
}

describe("doctor", () => {
  const ENV = { HOME: "/h", NVIDIA_BASE_URL: "http://stand-in/v1", NVIDIA_API_KEY: KEY };
  const find = async (env: Env, machine?: Partial<Machine>, platform?: string) => {
    return (await diagnose(toContext(env, platform), createMachine(machine))).map(toLine).join("\n");
  };

  test("finds nothing where nothing is wrong", async () => {
    const text = await find({ ...ENV, ARBITER_MODEL: "m/x" });
    assert.match(text, /OK model: m\/x answers, the key is accepted/);
    assert.doesNotMatch(text, /WARN|FAIL/);
  });

  test("asks the model that was chosen, and nobody else", async () => {
    const text = await find({ ...ENV, ARBITER_MODEL: "m/z,m/x" });
    assert.match(text, /FAIL model: .*m\/z/);
  });

  test("finds a key that is refused, by its name", async () => {
    const text = await find({ ...ENV, NVIDIA_API_KEY: `nvapi-${"b".repeat(64)}`, ARBITER_MODEL: "m/x" });
    assert.match(text, /FAIL model: .*NVIDIA_API_KEY.* \| Check the key/);
  });

  test("does not try a key that cannot be right", async () => {
    const text = await find({ ...ENV, NVIDIA_API_KEY: "your-key", ARBITER_MODEL: "m/x" });
    assert.match(text, /FAIL key[^]*OK upstream/);
    assert.doesNotMatch(text, /model: m\/x/);
  });

  test("finds a host that is not there", async () => {
    const fetch = () => Promise.reject(new TypeError("fetch failed", { cause: { code: "ENOTFOUND", message: "x" } }));
    assert.match(await find(ENV, { fetch }), /FAIL upstream: its name is unknown \(ENOTFOUND\)/);
  });

  test("finds models that are gone, and names who follows", async () => {
    const text = await find({ ...ENV, ARBITER_MODEL: "z-ai/glm4.7" });
    assert.match(text, /WARN model: z-ai\/glm4\.7 is gone \| Choose \S+;/);
  });

  test("looks whether the store takes what it is given, where others share it", async () => {
    const redis = { ARBITER_STORE: "redis", REDIS_URL: `redis://:s3cret@127.0.0.1:${await findFreePort()}` };
    const text = await find({ ...ENV, ARBITER_MODEL: "m/x", ...redis });
    assert.match(
      text,
      /OK model: [^]*FAIL store: Redis: connect ECONNREFUSED \S+ \| Start Redis, or correct REDIS_URL/,
    );
    assert.doesNotMatch(text, /s3cret/);
    assert.match(await find({ ...ENV, ...redis, REDIS_URL: "x" }), /FAIL store: Redis: Cannot use [^|]*$/m);
    assert.doesNotMatch(await find({ ...ENV, ...redis, ARBITER_STORE: "memory" }), / store: /);
  });

  test("goes on where the settings are wrong", async () => {
    await writeFile(`${folder}/wrong.json`, '{ "port": "x" }');
    const env = { ...ENV, ARBITER_CONFIG: join(folder, "wrong.json") };
    const text = await find(env, undefined, process.platform);
    assert.match(text, /FAIL settings: [^]*expected a whole number[^]*OK claude/);
  });

  test("looks where Windows has its things", async () => {
    const env = { ...ENV, HOME: undefined, USERPROFILE: "C:\\Users\\u", LOCALAPPDATA: "C:\\L", APPDATA: "C:\\R" };
    const read: string[] = [];
    const readText = (path: string) => Promise.resolve(void read.push(path));
    const text = await find({ ...env, ARBITER_MODEL: "m/x" }, { readText }, "win32");
    assert.match(text, /OK state folder: C:\\L\\arbiter\nOK config folder: C:\\R\\arbiter$/);
    assert.ok(read.includes("C:\\Users\\u/.claude/settings.json"));
  });

  test("looks at the settings of the user, of the project, and of the user in it", async () => {
    const readText = (path: string) =>
      Promise.resolve(path.includes(".claude") ? '{"env":{"ANTHROPIC_API_KEY":"x"}}' : undefined);
    const text = await find({ ...ENV, CLAUDE_CONFIG_DIR: "/c/.claude" }, { readText });
    assert.equal(
      text.match(/FAIL claude settings: (?:\/c\/\.claude|\S+\/\.claude)\/settings(?:\.local)?\.json/g)?.length,
      3,
    );
  });

  test("tells who is on the port", async () => {
    const findRunning = () =>
      Promise.resolve({ name: "arbiter" as const, version: "9.9.9", model: "m", ...createStats(0) });
    assert.match(await find(ENV, { findRunning }), /WARN port: Arbiter 9\.9\.9 is on 4005/);
    const locked = await find(ENV, { findRunning: () => Promise.resolve("locked" as const) });
    assert.match(locked, /WARN port: an Arbiter with a key is on 4005.* set ARBITER_API_KEY/);
  });
});
