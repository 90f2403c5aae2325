import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { describe, test, type TestContext } from "node:test";
import { type ConfigFile, findConfig, parseConfig } from "../../lib/config/config_file.ts";
import type { Env } from "../../lib/config/settings.ts";
import { CLAUDIA } from "./claudia.ts";

const KNOWN = ["nvidia", "local"];

function parse(file: unknown, env: Env = {}): ConfigFile {
  return parseConfig(typeof file === "string" ? file : JSON.stringify(file), "arbiter.json", env, KNOWN);
}

test("Claudia-Router's file is taken as it is", () => {
  assert.deepEqual(parse(JSON.stringify(CLAUDIA, null, 2)), CLAUDIA);
  assert.deepEqual(parseConfig(JSON.stringify(CLAUDIA), "config.json", {}, []), CLAUDIA);
});

test("every key is taken", () => {
  const file: ConfigFile = {
    port: 0,
    defaultBackend: "own",
    backends: {
      own: {
        baseUrl: "http://h/v1",
        apiKeyEnv: "KEY",
        defaultModel: "a",
        format: "anthropic",
        headers: { "x-a": "b" },
        rateLimit: 0,
        maxConcurrency: 0,
      },
      local: { defaultModel: "b" },
    },
    modelProfiles: {
      fast: {
        backend: "own",
        providerModel: "a/b",
        retryAttempts: 0,
        retryBaseDelayMs: 0,
        extraBody: { any: [{ thing: null }] },
        capabilities: { toolCalls: true, coding: true, vision: false, reasoning: true },
        context: 1,
        maxOutput: 1,
        fallbacks: ["slow", "c/d"],
      },
      slow: { providerModel: "c/d", fallbacks: [] },
    },
    modelMap: { short: { backend: "local", model: "a" } },
    models: [{
      id: "a",
      context: 1,
      maxOutput: 1,
      tools: true,
      vision: true,
      reasoning: true,
      successor: "b",
      wholeAnswers: true,
    }],
    tasks: {
      coding: "a",
      reasoning: "a",
      longcontext: "a",
      ui_complex: "a",
      ui_quick: "a",
      fast: "a",
      think: "a",
      image: "a",
      background: "a",
      safety: "a",
    },
  };
  assert.deepEqual(parse(file), file);
  assert.deepEqual(parse({}), {});
});

test("comments, trailing commas, a byte order mark and Windows' ends of lines are fine", () => {
  const text = '\uFEFF{\r\n  // where\r\n  "backends": { "own": { "baseUrl": "http://h//v1", }, }, /* all */\r\n}\r\n';
  assert.deepEqual(parse(text), { backends: { own: { baseUrl: "http://h//v1" } } });
});

describe("a backend is made ready:", () => {
  const rows: [name: string, written: object, env: Env, used: object][] = [
    ["its key comes from the environment", { apiKeyEnv: "K" }, { K: " nvapi-1 " }, {
      apiKeyEnv: "K",
      apiKey: "nvapi-1",
    }],
    ["a variable that is not set gives no key", { apiKeyEnv: "K" }, {}, { apiKeyEnv: "K" }],
    ["an empty one neither", { apiKeyEnv: "K" }, { K: " " }, { apiKeyEnv: "K" }],
    ["seconds become milliseconds", { rateLimit: 40, rateWindowSeconds: 60 }, {}, {
      rateLimit: 40,
      rateWindow: 60_000,
    }],
    ["slashes at the end of its address go", { baseUrl: "http://h/v1//" }, {}, { baseUrl: "http://h/v1" }],
    ["a built-in name needs no address", { defaultModel: "a" }, {}, { defaultModel: "a" }],
  ];
  for (const [name, written, env, used] of rows) {
    test(name, () => assert.deepEqual(parse({ backends: { local: written } }, env), { backends: { local: used } }));
  }
});

describe("a mistake is told with its place:", () => {
  const profile = (extra: object) => ({ modelProfiles: { fast: { providerModel: "a", ...extra } } });
  const chain = (...rows: [name: string, ...fallbacks: string[]][]) => ({
    modelProfiles: Object.fromEntries(rows.map(([name, ...fallbacks]) => [name, { providerModel: "m", fallbacks }])),
  });
  const key = `nvapi-${"x".repeat(64)}`;
  const rows: [file: unknown, problem: string][] = [
    ["", "line 1, column 1: expected a value, got the end of the file"],
    ["port: 1", "line 1, column 1: expected a value, got port"],
    ['{\n  "port": 1\n  "tasks": {}\n}', "line 3, column 3: expected ',' or '}', got \""],
    [[], "expected an object, got a list"],
    [null, "expected an object, got null"],

    [{ port: "4005" }, "port: expected a whole number from 0 to 65535, got '4005'"],
    [{ port: 65_536 }, "port: expected a whole number from 0 to 65535, got 65536"],
    [{ backends: [] }, "backends: expected an object, got a list"],
    [{ backends: { own: "http://h" } }, "backends.own: expected an object, got 'http://h'"],
    [{ backends: { local: { headers: { a: 1 } } } }, "backends.local.headers.a: expected a string, got 1"],
    [
      { backends: { local: { headers: { "a b": "c" } } } },
      "backends.local.headers: expected headers that can be sent, without host, got others",
    ],
    [
      { backends: { local: { headers: { a: "…" } } } },
      "backends.local.headers: expected headers that can be sent, without host, got others",
    ],
    [
      { backends: { local: { headers: { HOST: "other.example" } } } },
      "backends.local.headers: expected headers that can be sent, without host, got others",
    ],
    [
      { backends: { "a/b": { baseUrl: "http://h/v1" } } },
      "backends.a/b: expected a name of letters, digits, '.', '_' and '-', got 'a/b'",
    ],
    [
      { backends: { local: { rateLimit: -1 } } },
      "backends.local.rateLimit: expected a whole number of 0 or more, got -1",
    ],
    [
      { backends: { local: { rateWindowSeconds: 0 } } },
      "backends.local.rateWindowSeconds: expected a whole number from 1 to 86400, got 0",
    ],
    [
      profile({ retryAttempts: "three" }),
      "modelProfiles.fast.retryAttempts: expected a whole number of 0 or more, got 'three'",
    ],
    [profile({ extraBody: "a" }), "modelProfiles.fast.extraBody: expected an object, got 'a'"],
    [profile({ notes: { a: 1 } }), "modelProfiles.fast.notes: expected a string or a list, got an object"],
    [profile({ notes: ["a", 1] }), "modelProfiles.fast.notes.1: expected a string, got 1"],
    [
      profile({ capabilities: { vision: "yes" } }),
      "modelProfiles.fast.capabilities.vision: expected true or false, got 'yes'",
    ],
    [profile({ fallbacks: ["a", " "] }), "modelProfiles.fast.fallbacks.1: expected a model id, got ' '"],
    [{ models: {} }, "models: expected a list, got an object"],
    [
      { models: [{ id: "a" }, { id: "b", context: 0 }] },
      "models.1.context: expected a whole number of 1 or more, got 0",
    ],
    [{ tasks: { coding: "" } }, "tasks.coding: expected a model id, got ''"],

    [{ model_map: {} }, "expected a known key (did you mean 'modelMap'?), got 'model_map'"],
    [
      { backends: { local: { baseURI: "http://h" } } },
      "backends.local: expected a known key (did you mean 'baseUrl'?), got 'baseURI'",
    ],
    [
      profile({ providerModl: "a" }),
      "modelProfiles.fast: expected a known key (did you mean 'providerModel'?), got 'providerModl'",
    ],
    [
      profile({ capabilities: { tools: true } }),
      "modelProfiles.fast.capabilities: expected a known key (did you mean 'toolCalls'?), got 'tools'",
    ],
    [
      { modelMap: { a: { backend: "local", model: "m", weight: 1 } } },
      "modelMap.a: expected a known key (backend, model), got 'weight'",
    ],
    [
      { models: [{ id: "a", contextWindow: 1 }] },
      "models.0: expected a known key (did you mean 'context'?), got 'contextWindow'",
    ],
    [
      { tasks: { code: "a" } },
      "tasks: expected a known key (did you mean 'coding'?), got 'code'",
    ],
    [
      '{ "__proto__": { "port": 1 } }',
      "expected a known key ($schema, port, defaultBackend, backends, modelProfiles, modelMap, models, tasks), got '__proto__'",
    ],

    [{ modelProfiles: { fast: {} } }, "modelProfiles.fast.providerModel: expected a model id, got nothing"],
    [{ modelMap: { a: { model: "m" } } }, "modelMap.a.backend: expected a backend, got nothing"],
    [{ models: [{ context: 1 }] }, "models.0.id: expected a model id, got nothing"],
    [
      { backends: { local: { format: "gemini" } } },
      "backends.local.format: expected 'openai' or 'anthropic', got 'gemini'",
    ],

    [
      { backends: { local: { apiKey: key } } },
      "backends.local.apiKey: expected no key in this file (name the variable that holds it in 'apiKeyEnv'), got one",
    ],
    [
      { backends: { local: { apiKeyEnv: key } } },
      "backends.local.apiKeyEnv: expected the name of an environment variable, got a string of 70 characters",
    ],

    [{ defaultBackend: "nvdia" }, "defaultBackend: expected a backend (nvidia, local), got 'nvdia'"],
    [{ defaultBackend: "constructor" }, "defaultBackend: expected a backend (nvidia, local), got 'constructor'"],
    [
      { ...profile({ backend: "other" }), backends: { own: { baseUrl: "http://h" }, local: {} } },
      "modelProfiles.fast.backend: expected a backend (nvidia, local, own), got 'other'",
    ],
    [
      { modelMap: { a: { backend: "x", model: "m" } } },
      "modelMap.a.backend: expected a backend (nvidia, local), got 'x'",
    ],
    [
      { backends: { local: { baseUrl: "http://h/v1 " } } },
      "backends.local.baseUrl: expected an address such as https://host/v1, without a password, got 'http://h/v1 '",
    ],
    [
      { backends: { own: { baseUrl: "http://me:s3cret@h/v1" } } },
      "backends.own.baseUrl: expected an address such as https://host/v1, without a password, got a string of 21 characters",
    ],
    [
      { backends: { own: {} } },
      "backends.own.baseUrl: expected an address such as https://host/v1, without a password, got nothing",
    ],
    [
      { backends: { local: { baseUrl: "h:1" } } },
      "backends.local.baseUrl: expected an address such as https://host/v1, without a password, got 'h:1'",
    ],
    [
      { backends: { local: { baseUrl: "http://h:port/v1" } } },
      "backends.local.baseUrl: expected an address such as https://host/v1, without a password, got 'http://h:port/v1'",
    ],

    [chain(["a", "a"]), "modelProfiles.a.fallbacks: expected no circle, got a → a"],
    [chain(["a", "x/y", "b"], ["b", "a"]), "modelProfiles.a.fallbacks: expected no circle, got a → b → a"],
    [
      chain(["start", "b"], ["b", "c"], ["c", "d", "b"], ["d"]),
      "modelProfiles.b.fallbacks: expected no circle, got b → c → b",
    ],
  ];
  for (const [file, problem] of rows) {
    const message = `Cannot use arbiter.json: ${problem}`;
    test(problem, () => assert.throws(() => parse(file), { name: "ConfigError", message }));
  }
});

test("all mistakes are told at once", () => {
  assert.throws(() => parse({ port: -1, tasks: { codign: "a" } }), {
    message: "Cannot use arbiter.json: port: expected a whole number from 0 to 65535, got -1\n" +
      "  tasks: expected a known key (did you mean 'coding'?), got 'codign'",
  });
});

test("profiles that share fallbacks are no circle, however many ways lead through them", () => {
  const names = Array.from({ length: 40 }, (_, i) => `p${i}`);
  const profiles = names.map((name, i) => [name, { providerModel: "m", fallbacks: names.slice(i + 1) }]);
  assert.equal(Object.keys(parse({ modelProfiles: Object.fromEntries(profiles) }).modelProfiles ?? {}).length, 40);
});

test("names that objects have anyway are names like any other", () => {
  const { modelProfiles = {}, backends = {} } = parse(
    '{ "modelProfiles": { "__proto__": { "providerModel": "a", "fallbacks": ["constructor", "toString"] } },' +
      '"backends": { "constructor": { "baseUrl": "http://h", "apiKeyEnv": "toString" } } }',
  );
  assert.deepEqual(Object.entries(modelProfiles)[0]?.[0], "__proto__");
  assert.deepEqual(Object.entries(backends), [["constructor", { baseUrl: "http://h", apiKeyEnv: "toString" }]]);
  assert.equal(({} as Record<string, unknown>).providerModel, undefined);
});

/** A folder with files in it: their texts by path. */
async function makeFolder(t: TestContext, files: Record<string, string>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "arbiter-config-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return root;
}

describe("the config file is", () => {
  const claudias = JSON.stringify(CLAUDIA);
  const all = {
    "cwd/arbiter.json": "1",
    "cwd/config.json": claudias,
    "home/arbiter/arbiter.json": "2",
    "cwd/named.json": "3",
    "other/named.json": "4",
  };
  const { "cwd/arbiter.json": _, ...elsewhere } = all;
  const rows: [name: string, files: Record<string, string>, env: Env, expected: string | undefined][] = [
    ["none where none is", {}, {}, undefined],
    ["the one ARBITER_CONFIG names", all, { ARBITER_CONFIG: "named.json", CLAUDIA_CONFIG: "x" }, "cwd/named.json"],
    ["the one CLAUDIA_CONFIG names", all, { CLAUDIA_CONFIG: "../other/named.json" }, "other/named.json"],
    ["arbiter.json in the current folder", all, { ARBITER_CONFIG: " " }, "cwd/arbiter.json"],
    ["else that in the user's config folder", elsewhere, {}, "home/arbiter/arbiter.json"],
    ["else Claudia-Router's config.json", { "cwd/config.json": claudias }, {}, "cwd/config.json"],
    ["even when it is broken, to tell so", { "cwd/config.json": claudias.slice(1) }, {}, "cwd/config.json"],
    [
      "no config.json of another program",
      { "cwd/config.json": '{ "port": 1, "backends": { "a": {} } }' },
      {},
      undefined,
    ],
    ["no config.json that is not even JSON", { "cwd/config.json": "<xml>" }, {}, undefined],
    ["no folder called config.json", { "cwd/config.json/a": "" }, {}, undefined],
  ];
  for (const [name, files, env, expected] of rows) {
    test(name, async (t) => {
      const root = await makeFolder(t, { "cwd/.keep": "", ...files });
      const found = await findConfig(
        { XDG_CONFIG_HOME: join(root, "home"), APPDATA: join(root, "home"), ...env },
        join(root, "cwd"),
        process.platform,
      );
      assert.deepEqual(found, expected && { path: join(root, expected), text: files[expected] });
    });
  }

  const failures: [name: string, env: Env, problem: string][] = [
    ["missed when it is named", { ARBITER_CONFIG: "no.json" }, "no.json: there is no such file"],
    ["refused when it is a folder", {}, "arbiter.json: it is a folder"],
    ["refused when what is named is a folder", { CLAUDIA_CONFIG: "arbiter.json" }, "arbiter.json: it is a folder"],
  ];
  for (const [name, env, problem] of failures) {
    test(name, async (t) => {
      const root = await makeFolder(t, { "arbiter.json/a": "" });
      const message = `Cannot read the config file ${join(root, problem)}`;
      await assert.rejects(findConfig(env, root, process.platform), { name: "ConfigError", message });
    });
  }

  test("missing where a file is in the place of its folder", async (t) => {
    const root = await makeFolder(t, { home: "in the way" });
    const env = { XDG_CONFIG_HOME: join(root, "home"), APPDATA: join(root, "home") };
    assert.equal(await findConfig(env, root, process.platform), undefined);
  });

  test("found with the separators of the platform", async () => {
    const looks: [cwd: string, platform: string, named: string, path: string][] = [
      ["C:\\no\\where", "win32", "sub/my.json", "C:\\no\\where\\sub\\my.json"],
      ["C:\\no\\where", "win32", "D:\\my.json", "D:\\my.json"],
      ["/no/where", "linux", "../my.json", "/no/my.json"],
    ];
    for (const [cwd, platform, named, path] of looks) {
      const message = `Cannot read the config file ${path}: there is no such file`;
      await assert.rejects(findConfig({ ARBITER_CONFIG: named }, cwd, platform), { message });
    }
  });
});
