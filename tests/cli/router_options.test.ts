import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { readRouterOptions } from "../../lib/cli/router_options.ts";
import { readKeyFile } from "../../lib/config/config_file.ts";
import { type Env, resolveSettings } from "../../lib/config/settings.ts";
import { createCatalog } from "../../lib/routing/catalog.ts";
import type { RouterOptions } from "../../lib/routing/routing_options.ts";

let cwd = "";
before(async () => void (cwd = await mkdtemp(join(tmpdir(), "arbiter-"))));
after(() => rm(cwd, { recursive: true }));

type Read = RouterOptions & { port?: number; path?: string; warnings: string[] };

/** Reads what a config file and an environment of some layers come to. */
async function read(config: unknown, layers: Env[], model?: string, apiKey?: string): Promise<Read> {
  const path = join(cwd, "arbiter.json");
  await writeFile(path, typeof config === "string" ? config : JSON.stringify(config));
  const warnings: string[] = [];
  const flags = model === undefined ? {} : { model };
  const settings = { ...resolveSettings(flags, layers, () => {}), ...(apiKey ? { apiKey } : {}) };
  const io = { env: {}, cwd, platform: process.platform, interactive: false, print() {}, tell() {} };
  const context = {
    command: "serve" as const,
    flags,
    args: [],
    rest: [],
    io,
    settings,
    layers: [...layers, { ARBITER_CONFIG: path }],
  };
  return { ...await readRouterOptions(context, undefined, (warning) => void warnings.push(warning)), warnings };
}

const acme = { backends: { nvidia: { baseUrl: "https://acme.example/v1", apiKeyEnv: "ACME_KEY" } } };

describe("a key goes only to the host it is for:", () => {
  test("one of another variable than usual is that variable's", async () => {
    const { backends } = await read(acme, [{ NVIDIA_API_KEY: "nv", ACME_KEY: "acme" }]);
    assert.equal(backends?.nvidia?.apiKey, "acme");
  });

  test("where that variable is not set there is none", async () => {
    const { backends } = await read(acme, [{ NVIDIA_API_KEY: "nv" }]);
    assert.equal(backends?.nvidia?.apiKey, undefined);
  });

  test("one that names no variable has the usual one", async () => {
    const { backends } = await read({ backends: { nvidia: { headers: {} } } }, [{ NVIDIA_API_KEY: "nv" }]);
    assert.equal(backends?.nvidia?.apiKey, "nv");
  });

  test("an empty variable is none: the next layer's counts", async () => {
    const { backends } = await read(acme, [{ ACME_KEY: " " }, { ACME_KEY: "file" }]);
    assert.equal(backends?.nvidia?.apiKey, "file");
  });

  test("of several the first is used", async () => {
    const { backends } = await read({}, [{ NVIDIA_NIM_API_KEYS: "one, two" }]);
    assert.equal(backends?.nvidia?.apiKey, "one");
  });
});

describe("a file of a key", () => {
  const rows: [name: string, text: string | Uint8Array | undefined, expected: string | RegExp][] = [
    ["gives the key without what is around it", "\ufeff nvapi-x \r\n", "nvapi-x"],
    ["that is not there is an error", undefined, /key\.txt: there is no such file$/],
    ["that is empty is an error", " \n", /key\.txt: it is empty$/],
    [
      "with more in it is an error that does not show it",
      "NVIDIA_API_KEY=x secret",
      /key\.txt: it has more in it than a key$/,
    ],
    ["as PowerShell writes it is read, too", new Uint8Array([255, 254, 110, 0, 13, 0, 10, 0]), "n"],
    ["in another encoding is an error", new Uint8Array([110, 233]), /more in it than a key$/],
  ];
  for (const [name, text, expected] of rows) {
    test(name, async () => {
      const path = join(cwd, "key.txt");
      await rm(path, { force: true });
      if (text !== undefined) await writeFile(path, text);
      if (typeof expected === "string") assert.equal(await readKeyFile(path), expected);
      else await assert.rejects(readKeyFile(path), { name: "ConfigError", message: expected });
    });
  }

  test("that is a folder is an error", async () => {
    await assert.rejects(readKeyFile(cwd), { name: "ConfigError", message: /it is a folder$/ });
  });

  test("goes to the default host, whatever its variable is and says", async () => {
    for (const [config, layer] of [[{}, { NVIDIA_API_KEY: "other" }], [acme, {}]] as const) {
      const { backend } = createCatalog(await read(config, [layer], undefined, "typed"));
      assert.deepEqual([backend.apiKey, backend.lacks], ["typed", undefined]);
    }
  });
});

describe("what counts more:", () => {
  const file = {
    port: 1,
    defaultBackend: "host",
    backends: { host: { baseUrl: "http://file/v1", defaultModel: "m" } },
  };

  test("a flag than the environment, and that than the file", async () => {
    assert.equal((await read(file, [{}])).port, 1);
    assert.equal((await read(file, [{ ARBITER_PORT: "2" }])).port, 2);
    const nvidia = { backends: { nvidia: { baseUrl: "http://file/v1" } } };
    assert.equal(
      (await read(nvidia, [{ NVIDIA_BASE_URL: "http://env/v1" }])).backends?.nvidia?.baseUrl,
      "http://env/v1",
    );
  });

  test("a list of the environment's own than the rest of a list of models, which are listed still", async () => {
    const { model, fallbacks, listed } = await read({}, [{ MODEL: "a/a,b/b", AUTO_MODEL_ORDER: "c/c" }]);
    assert.deepEqual([model, fallbacks, listed], ["a/a", ["c/c"], ["a/a", "b/b"]]);
  });

  test("a list that was typed than all others", async () => {
    const { model, fallbacks } = await read({}, [{ AUTO_MODEL_ORDER: "c/c" }], "a/a,b/b");
    assert.deepEqual([model, fallbacks], ["a/a", ["b/b"]]);
  });

  test("the first of two names for a key, with a warning", async () => {
    const { warnings } = await read({}, [{ NVIDIA_API_KEY: "a", NVIDIA_NIM_API_KEY: "b" }]);
    assert.deepEqual(warnings, ["NVIDIA_API_KEY is used, although NVIDIA_NIM_API_KEY says something else"]);
  });
});

test("a file that was found before must be there when it is read again", async () => {
  const context = {
    ...{ command: "serve" as const, flags: {}, args: [], rest: [], settings: {}, layers: [{}] },
    io: { env: {}, cwd, platform: process.platform, interactive: false, print() {}, tell() {} },
  };
  const gone = readRouterOptions(context, join(cwd, "gone.json"));
  await assert.rejects(gone, { name: "ConfigError", message: /gone\.json: there is no such file/ });
});
