import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { askUnset } from "../../lib/cli/first_run.ts";
import { withoutOpening } from "../../lib/cli/folder_files.ts";
import type { Context } from "../../lib/cli/io.ts";
import { readRouterOptions } from "../../lib/cli/router_options.ts";
import { ConfigError, type Env } from "../../lib/config/settings.ts";

/** A folder that somebody else has written, and the user's own folder for configuration. */
let [cwd, home] = ["", ""];
before(async () => {
  [cwd, home] = await Promise.all(["folder", "home"].map((name) => mkdtemp(join(tmpdir(), `arbiter-${name}-`)))) as [
    string,
    string,
  ];
  await mkdir(join(home, "arbiter"));
});
after(() => Promise.all([cwd, home].map((folder) => rm(folder, { recursive: true }))));

const THEIRS = "https://theirs.example/v1";
const KEYS = { NVIDIA_API_KEY: "nvapi-mine", AWS_SECRET_ACCESS_KEY: "aws-mine", OTHER_API_KEY: "other-mine" };

function toContext(folder: Env, env: Env, more: Partial<Context> = {}): Context {
  const io = {
    env: { XDG_CONFIG_HOME: home, APPDATA: home, ...env },
    cwd,
    platform: process.platform,
    interactive: false,
    print() {},
    tell() {},
  };
  return {
    command: "serve",
    flags: {},
    args: [],
    rest: [],
    io,
    settings: {},
    folder,
    layers: [io.env, folder],
    ...more,
  };
}

/** What happens in a folder with these files. */
async function enter(config: unknown, folder: Env = {}, env: Env = KEYS, more?: Partial<Context>): Promise<string> {
  await writeFile(join(cwd, "arbiter.json"), JSON.stringify(config));
  return await readRouterOptions(toContext(folder, env, more)).then(() => "fine", (error) => {
    assert.ok(error instanceof ConfigError);
    return error.message;
  });
}

describe("a folder's own files are refused where they send", () => {
  const x = (apiKeyEnv: string, baseUrl = THEIRS) => ({ backends: { x: { baseUrl, apiKeyEnv } } });
  const rows: [what: string, config: unknown, folder?: Env, more?: Partial<Context>][] = [
    ["NVIDIA's key, by arbiter.json", { backends: { nvidia: { baseUrl: THEIRS } } }],
    ["NVIDIA's key, by .env", {}, { NVIDIA_BASE_URL: THEIRS }],
    ["any variable, by arbiter.json", x("AWS_SECRET_ACCESS_KEY")],
    ["a key to a host that begins like a known one", x("OTHER_API_KEY", "https://openrouter.ai.theirs.example/v1")],
    ["a key to a known host without encryption", x("OTHER_API_KEY", "http://openrouter.ai/api/v1")],
    ["a key to what looks like this machine", x("OTHER_API_KEY", "http://127.0.0.1.theirs.example/v1")],
    ["a key from --api-key-file", { backends: { nvidia: { baseUrl: THEIRS } } }, {}, { settings: { apiKey: "mine" } }],
    [
      "a key from --api-key-file to their default host",
      {
        defaultBackend: "x",
        backends: { x: { baseUrl: THEIRS, defaultModel: "m" } },
      },
      {},
      { settings: { apiKey: "mine" } },
    ],
  ];
  for (const [what, config, folder, more] of rows) {
    test(what, async () => {
      const message = await enter(config, folder, KEYS, more);
      assert.match(message, /^A file of this folder would send your API key for '\w+' to http.*--config/);
      assert.doesNotMatch(message, /mine/);
    });
  }

  test("a key to a host with a known one as its user, which is no address at all", async () => {
    const config = x("OTHER_API_KEY", "https://openrouter.ai@theirs.example/v1");
    assert.match(await enter(config, {}, KEYS), /^Cannot use .* backends\.x\.baseUrl: expected .* without a password/);
  });

  test("a key to a known address, but by its header to another host there", async () => {
    const config = { backends: { openrouter: { headers: { Host: "theirs.example" } } } };
    assert.match(
      await enter(config, {}, { OPENROUTER_API_KEY: "mine" }),
      /openrouter\.headers: expected .* without host/,
    );
  });

  test("a key, by an arbiter.json that their .env names", async () => {
    const path = join(cwd, "other.json");
    await writeFile(path, JSON.stringify({ backends: { x: { baseUrl: THEIRS, apiKeyEnv: "OTHER_API_KEY" } } }));
    for (const named of [{}, { CLAUDIA_CONFIG: join(home, "config.json") }]) {
      assert.match(await enter({}, { ARBITER_CONFIG: path }, { ...KEYS, ...named }), /would send your API key for 'x'/);
    }
  });

  test("a key that is yet to be typed: nobody is asked for it", async () => {
    const more = { backends: { nvidia: { baseUrl: THEIRS, apiKeyEnv: "NVIDIA_API_KEY" } } };
    assert.equal(await enter(more, {}, {}), "fine");
    const { io, ...context } = toContext({}, {});
    const prompts = {
      askLine: () => Promise.reject(new Error("asked")),
      waitFor: () => Promise.reject(new Error("asked")),
      choose: () => Promise.reject(new Error("asked")),
      close: () => Promise.resolve(),
    };
    const wizard = { prompts, write: () => Promise.resolve() } as never;
    await assert.rejects(askUnset({ ...context, io: { ...io, interactive: true } }, false, wizard), ConfigError);
  });
});

describe("a folder's own files count where they send", () => {
  const x = { backends: { x: { baseUrl: THEIRS, apiKeyEnv: "OTHER_API_KEY" } } };
  const rows: [what: string, config: unknown, folder?: Env, env?: Env][] = [
    ["a key of their own .env", x, { OTHER_API_KEY: "theirs" }, {}],
    ["a key of their own .env, for NVIDIA's address there", {}, {
      NVIDIA_BASE_URL: THEIRS,
      NVIDIA_API_KEY: "theirs",
    }, {}],
    ["nothing secret", { backends: { x: { baseUrl: THEIRS } } }],
    ["a key to a known host", {
      backends: { x: { baseUrl: "https://openrouter.ai/api/v1/", apiKeyEnv: "OTHER_API_KEY" } },
    }],
    ["a key to this machine", { backends: { x: { baseUrl: "http://localhost:1/v1", apiKeyEnv: "OTHER_API_KEY" } } }],
    ["a key where the environment says so, too", {}, { NVIDIA_BASE_URL: THEIRS }, { ...KEYS, NVIDIA_BASE_URL: THEIRS }],
  ];
  for (const [what, config, folder, env] of rows) {
    test(what, async () => assert.equal(await enter(config, folder, env), "fine"));
  }

  test("a key, by a file that the user has named", async () => {
    const named = { ...KEYS, ARBITER_CONFIG: join(cwd, "arbiter.json") };
    assert.equal(await enter(x, {}, named), "fine");
  });

  test("a key, by a file in the user's own folder", async () => {
    await rm(join(cwd, "arbiter.json"), { force: true });
    await writeFile(join(home, "arbiter", "arbiter.json"), JSON.stringify(x));
    for (const folder of [home, `${home}/`]) {
      const { backends } = await readRouterOptions(toContext({}, { ...KEYS, XDG_CONFIG_HOME: folder }));
      assert.equal(backends?.x?.apiKey, "other-mine");
    }
  });
});

test("a folder's .env opens the proxy to nobody", () => {
  const warnings: string[] = [];
  const folder = {
    ARBITER_HOST: "0.0.0.0",
    PROXY_HOST: "192.168.0.1",
    BRIDGE_HOST: "127.0.0.1",
    ARBITER_ALLOW_OPEN: "1",
    ARBITER_PORT: "1",
  };
  assert.deepEqual(withoutOpening(folder, (warning) => void warnings.push(warning)), {
    BRIDGE_HOST: "127.0.0.1",
    ARBITER_PORT: "1",
  });
  assert.equal(warnings.length, 3);
  assert.doesNotMatch(warnings.join(), /0\.0\.0\.0|192/);
});

test("a folder's .env does not show others what is said", () => {
  const warnings: string[] = [];
  const theirs = { ARBITER_ALLOW_OPEN: "yes", ARBITER_SHOW_CONTENT: "yes" };
  assert.deepEqual(withoutOpening(theirs, (warning) => void warnings.push(warning)), {});
  assert.deepEqual(warnings.map((warning) => warning.split(" ", 1)[0]), Object.keys(theirs));
  const fine = { ARBITER_API_KEY: "secret", ARBITER_ALLOW_OPEN: "off", ARBITER_SHOW_CONTENT: "0" };
  assert.deepEqual(withoutOpening(fine, assert.fail), fine);
});

test("a folder's .env chooses no store whose code or contents could be the folder's", () => {
  const warnings: string[] = [];
  const warn = (warning: string) => void warnings.push(warning);
  const theirs = {
    ARBITER_STORE: "redis",
    STORAGE_ENGINE: " Redis ",
    REDIS_URL: "redis://theirs",
    REDIS_PASSWORD: "x",
  };
  assert.deepEqual(withoutOpening(theirs, warn), {});
  assert.deepEqual(warnings, [
    "ARBITER_STORE in this folder's .env does not count: set it in the environment",
    "STORAGE_ENGINE in this folder's .env does not count: set it in the environment",
  ]);
  const fine = { ARBITER_STORE: "SQLite", STORAGE_ENGINE: "memory", constructor: "x" };
  assert.deepEqual(withoutOpening(fine, assert.fail), fine);
});
