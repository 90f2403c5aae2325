import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toConfigFolder, toStateFolder } from "../../lib/config/folders.ts";
import { type Env, resolveSettings } from "../../lib/config/settings.ts";

function resolve(flags: Env, ...layers: Env[]): { settings: Record<string, unknown>; warnings: string[] } {
  const warnings: string[] = [];
  const settings = resolveSettings(flags, layers, (warning) => void warnings.push(warning));
  return { settings, warnings };
}

test("nothing set is nothing", () => assert.deepEqual(resolve({}, {}, {}), { settings: {}, warnings: [] }));

describe("a variable is read under each of its names:", () => {
  const rows: [key: string, names: string, value: string, expected: unknown][] = [
    ["apiKey", "NVIDIA_API_KEY NVIDIA_NIM_API_KEY", "nvapi-1", "nvapi-1"],
    ["baseUrl", "NVIDIA_BASE_URL", "http://h:1/v1/", "http://h:1/v1"],
    ["port", "ARBITER_PORT BRIDGE_PORT PROXY_PORT", "8082", 8082],
    ["model", "ARBITER_MODEL NVIDIA_ELITE_MODEL NCP_DEFAULT_MODEL MODEL", "a/b, c/d", ["a/b", "c/d"]],
    ["fallbacks", "ARBITER_FALLBACK_MODELS NCP_FALLBACK_MODELS AUTO_MODEL_ORDER", "a/b,c/d", ["a/b", "c/d"]],
    ["opus", "ARBITER_MODEL_OPUS MODEL_OPUS", "a/b", "a/b"],
    ["sonnet", "ARBITER_MODEL_SONNET MODEL_SONNET", "a/b", "a/b"],
    ["haiku", "ARBITER_MODEL_HAIKU MODEL_HAIKU", "a/b", "a/b"],
    ["maxTokens", "ARBITER_MAX_TOKENS NCP_DEFAULT_MAX_TOKENS", "8192", 8192],
    ["rateLimit", "ARBITER_RATE_LIMIT PROVIDER_RATE_LIMIT", "20", 20],
    ["rateWindow", "ARBITER_RATE_WINDOW PROVIDER_RATE_WINDOW", "30", 30_000],
    ["maxConcurrency", "ARBITER_MAX_CONCURRENCY PROVIDER_MAX_CONCURRENCY", "0", 0],
    ["pingInterval", "ARBITER_PING_SECONDS R2_PING_INTERVAL", "15", 15_000],
    ["maxBodyBytes", "MAX_REQUEST_BODY_MB", "2", 2 * 1024 * 1024],
    ["requestTimeout", "REQUEST_TIMEOUT_SECONDS", "30", 30_000],
    ["logLevel", "LOG_LEVEL", "WARNING", "error"],
    ["skipCheck", "SKIP_NIM_CHECK", "1", true],
    ["targetDir", "TARGET_DIR", "/tmp/x", "/tmp/x"],
  ];
  for (const [key, names, value, expected] of rows) {
    for (const name of names.split(" ")) {
      test(name, () => assert.deepEqual(resolve({}, { [name]: ` ${value} ` }).settings, { [key]: expected }));
    }
  }
});

test("a flag counts more than the environment, and that more than files", () => {
  const layers = [{ ARBITER_PORT: "2" }, { ARBITER_PORT: "3" }];
  assert.equal(resolve({ port: "1" }, ...layers).settings.port, 1);
  assert.equal(resolve({}, ...layers).settings.port, 2);
  assert.equal(resolve({}, {}, ...layers).settings.port, 2);
});

test("an earlier tool's name in the environment counts more than Arbiter's own in a file", () => {
  assert.deepEqual(resolve({}, { MODEL: "env" }, { ARBITER_MODEL: "file" }).settings.model, ["env"]);
});

test("an empty variable counts as absent", () => {
  assert.deepEqual(resolve({}, { ARBITER_MODEL: " ", MODEL: "" }, { MODEL: "x" }).settings.model, ["x"]);
});

test("two names with different values: the first wins, with one warning", () => {
  const { settings, warnings } = resolve({}, { ARBITER_MODEL: "a", MODEL: "b", NCP_DEFAULT_MODEL: "c" });
  assert.deepEqual(settings.model, ["a"]);
  assert.deepEqual(warnings, ["ARBITER_MODEL is used, although NCP_DEFAULT_MODEL says something else"]);
  assert.deepEqual(resolve({}, { ARBITER_MODEL: "a", MODEL: "a" }).warnings, []);
});

describe("a bad value names where it stands and what was expected:", () => {
  const rows: [flags: Env, env: Env, message: string][] = [
    [{ port: "x" }, {}, "Cannot use --port='x': expected a whole number from 0 to 65535"],
    [{ port: "" }, {}, "Cannot use --port='': expected a whole number from 0 to 65535"],
    [{}, { ARBITER_PORT: "65536" }, "Cannot use ARBITER_PORT='65536': expected a whole number from 0 to 65535"],
    [{}, { PROXY_PORT: "-1" }, "Cannot use PROXY_PORT='-1': expected a whole number from 0 to 65535"],
    [{ "max-tokens": "0" }, {}, "Cannot use --max-tokens='0': expected a whole number from 1 to 10000000"],
    [{}, { MODEL: "," }, "Cannot use MODEL=',': expected a model id"],
    [{}, { NVIDIA_BASE_URL: "host" }, "Cannot use NVIDIA_BASE_URL='host': expected an address such as https://host/v1"],
    [
      {},
      { NVIDIA_BASE_URL: "ftp://h" },
      "Cannot use NVIDIA_BASE_URL='ftp://h': expected an address such as https://host/v1",
    ],
    [{}, { LOG_LEVEL: "loud" }, "Cannot use LOG_LEVEL='loud': expected info, error or silent"],
    [{}, { SKIP_NIM_CHECK: "maybe" }, "Cannot use SKIP_NIM_CHECK='maybe': expected on or off"],
  ];
  for (const [flags, env, message] of rows) {
    test(message, () => assert.throws(() => resolve(flags, env), { name: "ConfigError", message }));
  }
});

describe("the config folder is", () => {
  const rows: [platform: string, env: Env, expected: string | undefined][] = [
    ["linux", { HOME: "/h" }, "/h/.config/arbiter"],
    ["linux", { HOME: "/h", XDG_CONFIG_HOME: "/x" }, "/x/arbiter"],
    ["darwin", { HOME: "/h" }, "/h/.config/arbiter"],
    ["linux", {}, undefined],
    ["win32", { APPDATA: "C:\\U\\AppData\\Roaming", HOME: "/h" }, "C:\\U\\AppData\\Roaming\\arbiter"],
    ["win32", {}, undefined],
  ];
  for (const [platform, env, expected] of rows) {
    test(`${expected} on ${platform} with ${Object.keys(env)}`, () =>
      assert.equal(toConfigFolder(env, platform), expected));
  }
});

describe("what the program remembers is in", () => {
  const rows: [platform: string, env: Env, expected: string | undefined][] = [
    ["linux", { HOME: "/home/me" }, "/home/me/.local/state/arbiter"],
    ["darwin", { HOME: "/Users/me", XDG_STATE_HOME: "/state" }, "/state/arbiter"],
    ["win32", { LOCALAPPDATA: "C:\\Local", HOME: "/home/me" }, "C:\\Local\\arbiter"],
    ["win32", {}, undefined],
    ["linux", {}, undefined],
  ];
  for (const [platform, env, expected] of rows) {
    test(`${expected ?? "nothing"} on ${platform}`, () => assert.equal(toStateFolder(env, platform), expected));
  }
});
