import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toConfigPath, toStatePath } from "../../lib/config/folders.ts";
import { checkHost, type Env, resolveBackends, resolveSettings, toLocalAnswers } from "../../lib/config/settings.ts";

function resolve(flags: Env, ...layers: Env[]): { settings: Record<string, unknown>; warnings: string[] } {
  const warnings: string[] = [];
  const settings = resolveSettings(flags, layers, (warning) => void warnings.push(warning));
  return { settings, warnings };
}

test("nothing set is nothing", () => assert.deepEqual(resolve({}, {}, {}), { settings: {}, warnings: [] }));

describe("a variable is read under each of its names:", () => {
  const rows: [key: string, names: string, value: string, expected: unknown][] = [
    ["port", "ARBITER_PORT BRIDGE_PORT PROXY_PORT", "8082", 8082],
    ["host", "ARBITER_HOST BRIDGE_HOST PROXY_HOST", "127.0.0.2", "127.0.0.2"],
    ["clientKeys", "ARBITER_API_KEY PROXY_API_KEY", "me=secret-1:60", [{ name: "me", key: "secret-1", rpm: 60 }]],
    ["allowOpen", "ARBITER_ALLOW_OPEN", "1", true],
    ["inboundRpm", "ARBITER_INBOUND_RPM RATE_LIMIT_RPM", "30", 30],
    ["model", "ARBITER_MODEL NVIDIA_ELITE_MODEL NCP_DEFAULT_MODEL MODEL CLAUDIA_CLAUDE_MODEL", "a/b, c/d", [
      "a/b",
      "c/d",
    ]],
    ["fallbacks", "ARBITER_FALLBACK_MODELS NCP_FALLBACK_MODELS AUTO_MODEL_ORDER", "a/b,c/d", ["a/b", "c/d"]],
    ["opus", "ARBITER_MODEL_OPUS MODEL_OPUS", "a/b", "a/b"],
    ["sonnet", "ARBITER_MODEL_SONNET MODEL_SONNET", "a/b", "a/b"],
    ["haiku", "ARBITER_MODEL_HAIKU MODEL_HAIKU", "a/b", "a/b"],
    ["maxTokens", "ARBITER_MAX_TOKENS NCP_DEFAULT_MAX_TOKENS", "8192", 8192],
    ["rateLimit", "ARBITER_RATE_LIMIT PROVIDER_RATE_LIMIT", "20", 20],
    ["rateWindow", "ARBITER_RATE_WINDOW PROVIDER_RATE_WINDOW", "30", 30_000],
    ["maxConcurrency", "ARBITER_MAX_CONCURRENCY PROVIDER_MAX_CONCURRENCY", "0", 0],
    ["hardMaxTokens", "ARBITER_HARD_MAX_TOKENS NCP_HARD_MAX_TOKENS", "16384", 16_384],
    ["clientMaxTokens", "ARBITER_CLIENT_MAX_TOKENS NCP_CLAUDE_CODE_MAX_OUTPUT_TOKENS", "65536", 65_536],
    ["showContent", "ARBITER_SHOW_CONTENT", "1", true],
    ["visualizes", "ARBITER_STREAM_VISUALIZATION R2_STREAM_VISUALIZATION", "1", true],
    ["pingInterval", "ARBITER_PING_SECONDS R2_PING_INTERVAL", "15", 15_000],
    ["maxBodyBytes", "MAX_REQUEST_BODY_MB", "2", 2 * 1024 * 1024],
    ["requestTimeout", "REQUEST_TIMEOUT_SECONDS", "30", 30_000],
    ["logLevel", "LOG_LEVEL", "WARNING", "error"],
    ["skipCheck", "SKIP_NIM_CHECK", "1", true],
    ["opusThinking", "ARBITER_THINKING_OPUS ENABLE_MODEL_THINKING_OPUS", "off", false],
    ["sonnetThinking", "ARBITER_THINKING_SONNET ENABLE_MODEL_THINKING_SONNET", "true", true],
    ["haikuThinking", "ARBITER_THINKING_HAIKU ENABLE_MODEL_THINKING_HAIKU", "0", false],
    ["thinking", "ARBITER_THINKING ENABLE_MODEL_THINKING", "off", false],
    ["localAnswers", "ARBITER_LOCAL_ANSWERS", "Prefix, title", ["title", "prefix"]],
    ["titleAnswer", "ENABLE_TITLE_GENERATION_SKIP", "false", false],
    ["quotaAnswer", "ENABLE_NETWORK_PROBE_MOCK", "0", false],
    ["suggestionAnswer", "ENABLE_SUGGESTION_MODE_SKIP", "true", true],
    ["filepathsAnswer", "ENABLE_FILEPATH_EXTRACTION_MOCK", "yes", true],
    ["prefixAnswer", "FAST_PREFIX_DETECTION", "on", true],
    ["targetDir", "TARGET_DIR", "/tmp/x", "/tmp/x"],
    ["store", "ARBITER_STORE STORAGE_ENGINE", "Redis", "redis"],
    ["redisUrl", "REDIS_URL", "whatever a project has", "whatever a project has"],
    ["redisPrefix", "REDIS_PREFIX", "ncp:", "ncp:"],
    ["redisPassword", "REDIS_PASSWORD", "secret", "secret"],
  ];
  for (const [key, names, value, expected] of rows) {
    for (const name of names.split(" ")) {
      test(name, () => assert.deepEqual(resolve({}, { [name]: ` ${value} ` }).settings, { [key]: expected }));
    }
  }
});

test("LOG_LEVEL knows the words of other programs, whose it may be", () => {
  const rows = { info: "silly Verbose HTTP notice", error: "WARNING fatal alert", silent: "off none" };
  for (const [logLevel, words] of Object.entries(rows)) {
    for (const word of words.split(" ")) {
      assert.deepEqual(resolve({}, { LOG_LEVEL: word }).settings, { logLevel }, word);
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
    [
      { "base-url": "here:80" },
      {},
      "Cannot use --base-url='here:80': expected an address such as https://host/v1, without a password",
    ],
    [{}, { MODEL: "," }, "Cannot use MODEL=',': expected a model id"],
    [{}, { LOG_LEVEL: "loud" }, "Cannot use LOG_LEVEL='loud': expected info, error or silent"],
    ...["titles", "title,off", ","].map((value): [Env, Env, string] => [
      {},
      { ARBITER_LOCAL_ANSWERS: value },
      `Cannot use ARBITER_LOCAL_ANSWERS='${value}': expected title, quota, suggestion, filepaths, prefix, all or off`,
    ]),
    [{}, { SKIP_NIM_CHECK: "maybe" }, "Cannot use SKIP_NIM_CHECK='maybe': expected on or off"],
  ];
  for (const [flags, env, message] of rows) {
    test(message, () => assert.throws(() => resolve(flags, env), { name: "ConfigError", message }));
  }
});

describe("a host's key and address are read under each of their names:", () => {
  const rows: [host: string, keys: string, addresses: string][] = [
    ["nvidia", "NVIDIA_API_KEY NVIDIA_NIM_API_KEY NVIDIA_NIM_API_KEYS", "NVIDIA_BASE_URL"],
    ["openrouter", "OPENROUTER_API_KEY", "OPENROUTER_BASE_URL"],
    ["zen", "OPENCODE_API_KEY ZEN_API_KEY", ""],
    ["moonshot", "MOONSHOT_API_KEY", "MOONSHOT_BASE_URL"],
    ["local", "LOCAL_API_KEY", "LM_STUDIO_BASE_URL LOCAL_BASE_URL"],
    ["llamacpp", "", "LLAMACPP_BASE_URL"],
    ["ollama", "", "OLLAMA_BASE_URL"],
  ];
  for (const [host, keys, addresses] of rows) {
    for (const name of keys.split(" ").filter(Boolean)) {
      test(name, () => assert.deepEqual(resolveBackends([{ [name]: " key " }]), { [host]: { apiKey: "key" } }));
    }
    for (const name of addresses.split(" ").filter(Boolean)) {
      test(name, () => {
        assert.deepEqual(resolveBackends([{ [name]: "http://h:1/v1/" }]), { [host]: { baseUrl: "http://h:1/v1" } });
        const message = `Cannot use ${name}='ftp://h': expected an address such as https://host/v1, without a password`;
        assert.throws(() => resolveBackends([{ [name]: "ftp://h" }]), { name: "ConfigError", message });
        const hidden = { name: "ConfigError", message: message.replace("='ftp://h'", "") };
        assert.throws(() => resolveBackends([{ [name]: "http://me:s3cret@h/v1" }]), hidden);
      });
    }
  }
});

describe("answered without a model are", () => {
  const rows: [env: Env, expected: string][] = [
    [{}, "title quota"],
    [{ ARBITER_LOCAL_ANSWERS: "off" }, ""],
    [{ ARBITER_LOCAL_ANSWERS: "None" }, ""],
    [{ ARBITER_LOCAL_ANSWERS: "all" }, "title quota suggestion filepaths prefix"],
    [{ ARBITER_LOCAL_ANSWERS: "prefix,quota" }, "quota prefix"],
    [{ ENABLE_TITLE_GENERATION_SKIP: "false" }, "quota"],
    [{ FAST_PREFIX_DETECTION: "true" }, "title quota prefix"],
    [{ ENABLE_SUGGESTION_MODE_SKIP: "1", ENABLE_NETWORK_PROBE_MOCK: "0" }, "title suggestion"],
    [{ ENABLE_FILEPATH_EXTRACTION_MOCK: "on" }, "title quota filepaths"],
    [{ ARBITER_LOCAL_ANSWERS: "quota", FAST_PREFIX_DETECTION: "true", ENABLE_NETWORK_PROBE_MOCK: "0" }, "quota"],
    [{ ARBITER_LOCAL_ANSWERS: "off", FAST_PREFIX_DETECTION: "true" }, ""],
  ];
  for (const [env, expected] of rows) {
    test(`${expected || "none"} with ${JSON.stringify(env)}`, () => {
      assert.equal(toLocalAnswers(resolveSettings({}, [env], () => {})).join(" "), expected);
    });
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
      assert.equal(toConfigPath({ env, platform }), expected));
  }
});

describe("what the program remembers is in", () => {
  const rows: [platform: string, env: Env, expected: string | undefined][] = [
    ["linux", { HOME: "/home/me" }, "/home/me/.local/state/arbiter"],
    ["darwin", { HOME: "/Users/me", XDG_STATE_HOME: "/state" }, "/state/arbiter"],
    ["linux", { HOME: "/home/me/" }, "/home/me/.local/state/arbiter"],
    ["linux", { HOME: "/" }, "/.local/state/arbiter"],
    ["linux", { XDG_STATE_HOME: "/state/" }, "/state/arbiter"],
    ["win32", { LOCALAPPDATA: "C:\\Local", HOME: "/home/me" }, "C:\\Local\\arbiter"],
    ["win32", {}, undefined],
    ["linux", {}, undefined],
  ];
  for (const [platform, env, expected] of rows) {
    test(`${expected ?? "nothing"} on ${platform}`, () => assert.equal(toStatePath({ env, platform }), expected));
  }
});

describe("an address to listen on", () => {
  const rows: [value: string, host?: string][] = [
    ["127.0.0.1", "127.0.0.1"],
    ["localhost", "127.0.0.1"],
    ["LocalHost", "127.0.0.1"],
    ["::1", "::1"],
    ["[::1]", "::1"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["127.1", "127.0.0.1"],
    ["127.0.0.256"],
    ["127.0.0.1.evil.example"],
    ["localhost.evil.example"],
    ["127.0.0.1:80"],
    ["evil@127.0.0.1"],
    ["example.com"],
    ["a b"],
  ];
  for (const [value, host] of rows) {
    test(`'${value}' is ${host ?? "refused"}`, () => {
      if (host) assert.equal(resolve({ host: value }).settings.host, host);
      else {assert.throws(() =>
          resolve({}, { PROXY_HOST: value, PROXY_API_KEY: "12345678" }), /^ConfigError: .*PROXY_HOST=.*expected/);}
    });
  }
});

describe("an address that other machines may reach is", () => {
  for (const host of ["0.0.0.0", "::", "[::]", "0", "192.168.1.5", "2001:db8::1", "::ffff:127.0.0.1", "128.0.0.1"]) {
    test(`refused without a key: ${host}`, () => {
      const message = /^ConfigError: Cannot listen on \S+ without a key.* set ARBITER_API_KEY .*ARBITER_ALLOW_OPEN=1/;
      for (const env of [{}, { ARBITER_API_KEY: " ", ARBITER_ALLOW_OPEN: "0" }]) {
        assert.throws(() => checkHost(resolve({ host }, env).settings), message);
      }
    });

    test(`taken with a key, or when the user insists: ${host}`, () => {
      for (const env of [{ ARBITER_API_KEY: "12345678" }, { ARBITER_ALLOW_OPEN: "1" }]) {
        const { settings } = resolve({ host }, env);
        checkHost(settings);
        assert.match(String(settings.host), /^[\d.]+$|^[\da-f:]+$/);
      }
    });
  }

  test("no address of this machine alone", () => {
    for (const host of ["127.0.0.1", "127.9.9.9", "::1", "localhost"]) checkHost(resolve({ host }).settings);
    checkHost({});
  });
});

test("how much is logged can be typed", () => {
  assert.equal(resolve({ "log-level": "debug" }, { LOG_LEVEL: "silent" }).settings.logLevel, "info");
  assert.throws(() => resolve({ "log-level": "loud" }), /--log-level='loud': expected info, error or silent/);
});
