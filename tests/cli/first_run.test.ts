import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import * as files from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { describe, test, type TestContext } from "node:test";
import { readChoice, toChoice, toChoicePath, writeChoice } from "../../lib/cli/choice.ts";
import { askUnset, type Wizard } from "../../lib/cli/first_run.ts";
import { keepKey, setVariable } from "../../lib/cli/keep_key.ts";
import { LEFT } from "../../lib/cli/line_state.ts";
import { toConfigPath } from "../../lib/config/folders.ts";
import { readRouterOptions } from "../../lib/cli/router_options.ts";
import { resolveSettings } from "../../lib/config/settings.ts";
import { replaceFile } from "../../lib/store/replace_file.ts";
import { createMemoryStore } from "../../lib/store/memory_store.ts";

/** A home of a test's own, and what a command sees in it. */
async function makeWorld(t: TestContext, { interactive = true, flags = {}, env = {} } = {}) {
  const HOME = await mkdtemp(join(tmpdir(), "arbiter-first-"));
  t.after(() => rm(HOME, { recursive: true, force: true }));
  const told: string[] = [];
  const tell = (line: string) => void told.push(line);
  const folders = { APPDATA: join(HOME, ".config"), LOCALAPPDATA: join(HOME, ".local", "state") };
  const { platform } = process;
  const io = { env: { HOME, ...folders, ...env }, cwd: HOME, platform, interactive, print: tell, tell };
  const layers = [io.env];
  const settings = resolveSettings({}, layers, () => {});
  return { io, told, context: { command: "code" as const, flags, args: [], rest: [], io, settings, layers } };
}

/** Answers questions in their order; the menu with the last. */
function createWizard(answers: (string | typeof LEFT)[], more: Partial<Wizard> = {}) {
  const asked: string[] = [];
  const next = (question: string) => {
    asked.push(question);
    return Promise.resolve(answers[asked.length - 1] ?? LEFT);
  };
  const authorized = (init?: RequestInit) => new Headers(init?.headers).get("authorization");
  const fetch: typeof globalThis.fetch = (_input, init) =>
    Promise.resolve(
      authorized(init) === "Bearer good" ? Response.json({ choices: [] }) : new Response("", { status: 401 }),
    );
  const prompts: Wizard["prompts"] = {
    askLine: next,
    waitFor: (work) => work,
    async choose(_menu, start) {
      await start(() => {});
      return await next("menu");
    },
    close: () => Promise.resolve(),
  };
  const wizard: Wizard = { prompts, write: replaceFile, store: createMemoryStore(), fetch, ...more };
  return { wizard, asked };
}

const listFiles = async ({ env: { HOME } }: { env: { HOME: string } }) =>
  (await readdir(HOME, { recursive: true })).filter((path) => /\.(?:env|json)/.test(path))
    .map((path) => path.replaceAll("\\", "/"));

describe("the first run", () => {
  test("asks for key and model, and goes on with both", async (t) => {
    const { io, context } = await makeWorld(t);
    const { wizard, asked } = createWizard(["good", "y", "owner/model"]);
    const ready = await askUnset(context, false, wizard);
    assert.deepEqual(asked.map((question) => question.split(" ")[0]), ["Key", "Keep", "menu"]);
    const options = await readRouterOptions(ready!);
    assert.equal(options.model, "owner/model");
    assert.equal(options.backends?.nvidia?.apiKey, "good");
    assert.equal(await readFile(toConfigPath(io, ".env")!, "utf8"), "NVIDIA_API_KEY=good\n");
    assert.equal((await readChoice(io)).model, "owner/model");
    assert.equal((await readRouterOptions(context)).model, "owner/model");
  });

  test("asks again for a wrong key, and says so", async (t) => {
    const { told, context } = await makeWorld(t);
    const { wizard, asked } = createWizard(["", "bad", "a b", "'good'", "good", "", "m"]);
    assert.ok(await askUnset(context, false, wizard));
    assert.equal(asked.filter((question) => question.startsWith("Key")).length, 5);
    assert.match(told.join("\n"), /refuses it/);
    assert.ok(!told.join("\n").includes("bad"));
  });

  test("takes a key of which one model says that it is not for it", async (t) => {
    const { context } = await makeWorld(t);
    let calls = 0;
    const fetch = () =>
      Promise.resolve(calls++ === 0 ? new Response("", { status: 403 }) : Response.json({ choices: [] }));
    assert.ok(await askUnset(context, false, createWizard(["good", "", "m"], { fetch }).wizard));
    const refuse = () => Promise.resolve(new Response("", { status: 403 }));
    const { wizard } = createWizard(["bad", LEFT], { fetch: refuse });
    const { context: other, told } = await makeWorld(t);
    assert.equal(await askUnset(other, false, wizard), undefined);
    assert.match(told.join("\n"), /refuses it/);
  });

  test("asked again, also asks for a key that was kept, where Enter keeps it, but not for one that is set", async (t) => {
    const ask = async (answers: string[], kept: string, env: Record<string, string> = {}) => {
      const { io, context, told } = await makeWorld(t, { env });
      const { wizard, asked } = createWizard(answers);
      const ready = await askUnset({ ...context, layers: [io.env, { NVIDIA_API_KEY: kept }] }, true, wizard);
      const { backends = {}, model } = await readRouterOptions(ready!);
      const file = await readFile(toConfigPath(io, ".env")!, "utf8").catch(() => "");
      return [asked.map((question) => question.split(" ")[0]).join(), told[0], backends.nvidia?.apiKey, model, file];
    };
    const has = "Arbiter has an API key, NVIDIA_API_KEY: Enter keeps it.";
    assert.deepEqual(await ask(["", "m"], "good"), ["Key,menu", has, "good", "m", ""]);
    const changed = ["Key,Key,Keep,menu", has, "good", "m", "NVIDIA_API_KEY=good\n"];
    assert.deepEqual(await ask(["", "good", "y", "m"], "expired"), changed);
    const set = { NVIDIA_API_KEY: "good" };
    assert.deepEqual(await ask(["m"], "expired", set), ["menu", undefined, "good", "m", ""]);
  });

  test("asks for the key of the host that was chosen, too", async (t) => {
    const { context } = await makeWorld(t);
    const { wizard, asked } = createWizard(["good", "", "openrouter/owner/model", "good", ""]);
    const ready = await askUnset(context, false, wizard);
    assert.equal(asked.length, 5);
    assert.equal((await readRouterOptions(ready!)).backends?.openrouter?.apiKey, "good");
  });

  test("writes nothing when it is left anywhere", async (t) => {
    for (const answers of [[LEFT], ["good", LEFT], ["good", "n", LEFT]]) {
      const { io, context } = await makeWorld(t);
      assert.equal(await askUnset(context, false, createWizard(answers).wizard), undefined);
      assert.deepEqual(await listFiles(io), []);
    }
  });

  test("asks only for what is not set", async (t) => {
    const key = { NVIDIA_API_KEY: "good" };
    const cases: [env: object, flags: object, interactive: boolean, asked: string[]][] = [
      [key, {}, true, ["menu"]],
      [{ ...key, ARBITER_MODEL: "m" }, {}, true, []],
      [{ ARBITER_MODEL: "m" }, {}, true, ["Key", "Keep"]],
      [{}, { yes: true }, true, []],
      [{}, { demo: true }, true, []],
      [{}, {}, false, []],
    ];
    for (const [env, flags, interactive, expected] of cases) {
      const { context } = await makeWorld(t, { env, flags, interactive });
      const { wizard, asked } = createWizard(["good", "", "m"]);
      await askUnset(context, false, wizard);
      assert.deepEqual(asked.map((question) => question.split(" ")[0]), expected);
    }
  });

  test("asks no model and checks no key where checks are to be skipped", async (t) => {
    const { context } = await makeWorld(t, { env: { SKIP_NIM_CHECK: "1" } });
    const fetch = () => assert.fail("asked");
    assert.ok(await askUnset(context, false, createWizard(["any", "", "m"], { fetch }).wizard));
  });

  test("asks nothing where the config file names a model or another host", async (t) => {
    for (const config of [{ backends: { nvidia: { defaultModel: "m" } } }, { defaultBackend: "ollama" }]) {
      const { io, context } = await makeWorld(t, { env: { NVIDIA_API_KEY: "good" } });
      const own = { ...config, backends: { ollama: { defaultModel: "m" }, ...config.backends } };
      await writeFile(join(io.cwd, "arbiter.json"), JSON.stringify(own));
      await writeChoice(io, { model: "chosen", added: [], removed: [] });
      assert.equal((await readRouterOptions(context)).model, undefined);
      const { wizard, asked } = createWizard([]);
      assert.equal(await askUnset(context, false, wizard), context);
      assert.deepEqual(asked, []);
    }
  });
});

describe("what cannot be written", () => {
  const full = () => Promise.reject(new Error("ENOSPC: no space left on device"));

  test("is said, and the session starts all the same", async (t) => {
    const { io, told, context } = await makeWorld(t);
    const ready = await askUnset(context, false, createWizard(["good", "y", "m"], { write: full }).wizard);
    assert.equal((await readRouterOptions(ready!)).model, "m");
    assert.deepEqual(await listFiles(io), []);
    assert.match(told.join("\n"), /key cannot be kept, and counts for this run only: ENOSPC/);
    assert.match(told.join("\n"), /choice cannot be kept, and counts for this run only: ENOSPC/);
  });

  test("leaves what was there, and nothing beside it", async (t) => {
    const { io } = await makeWorld(t);
    const path = join(io.cwd, "file");
    await replaceFile(path, "old");
    const half = async (...[where]: Parameters<typeof files.writeFile>) => {
      await files.writeFile(where, "ha");
      throw new Error("ENOSPC");
    };
    const stuck = () => Promise.reject(new Error("EACCES"));
    for (const fault of [{ writeFile: half }, { rename: stuck }, { mkdir: stuck }, { rename: stuck, rm: stuck }]) {
      const writer = { ...files, ...fault } as typeof files;
      await assert.rejects(replaceFile(path, "new", writer));
      assert.equal(await readFile(path, "utf8"), "old");
      if (!("rm" in fault)) assert.deepEqual(await readdir(io.cwd), ["file"]);
    }
  });

  test("because something else is in the way is said", async (t) => {
    const { io, told } = await makeWorld(t);
    await writeFile(join(io.cwd, ".config"), "no folder");
    await writeFile(join(io.cwd, ".local"), "no folder");
    await keepKey(io, toConfigPath(io, ".env")!, "K", "v");
    await writeChoice(io, { model: "m", added: [], removed: [] });
    assert.equal(told.length, 2);
  });

  test("several at once leave one whole file", async (t) => {
    const { io } = await makeWorld(t);
    const ids = Array.from({ length: 20 }, (_, i) => `owner/m${i}`);
    await Promise.all(ids.map((model) => writeChoice(io, { model, added: [], removed: [] })));
    assert.ok(ids.includes((await readChoice(io)).model ?? ""));
    assert.deepEqual(await listFiles(io), [".local/state/arbiter/choice.json"]);
  });
});

describe("a key is kept", () => {
  const texts: [before: string, after: string][] = [
    ["", "K=v\n"],
    ["A=1\n", "A=1\nK=v\n"],
    ["A=1", "A=1\nK=v\n"],
    ["# c\nK=old\nB=2\n", "# c\nK=v\nB=2\n"],
    ["export K = 'old' # c\nB=2", "K=v\nB=2"],
    ["OK=1\nKK=2\n#K=3\n", "OK=1\nKK=2\n#K=3\nK=v\n"],
    ["A=1\r\nK=old\r\n", "A=1\r\nK=v\r\n"],
  ];
  for (const [before, after] of texts) {
    test(`in ${JSON.stringify(before)}`, () => assert.equal(setVariable(before, "K", "v"), after));
  }

  test("as it is, whatever is in it", () => {
    assert.equal(setVariable("K=1\n", "K", "a$&b#"), "K='a$&b#'\n");
  });

  test("for its owner only, also where the file was everybody's, in UTF-16, and behind a link", async (t) => {
    const { io } = await makeWorld(t);
    const [path, dotfile] = [toConfigPath(io, ".env")!, join(io.cwd, "dotfile")];
    await mkdir(dirname(path), { recursive: true });
    await writeFile(dotfile, new Uint8Array([255, 254, ...[..."A=1\n"].flatMap((sign) => [sign.charCodeAt(0), 0])]));
    await chmod(dotfile, 0o644);
    await symlink(dotfile, path);
    await keepKey(io, path, "K", "v");
    assert.equal(await readFile(dotfile, "utf8"), "A=1\nK=v\n");
    if (process.platform !== "win32") assert.equal((await stat(dotfile)).mode & 0o777, 0o600);
  });

  test("never over a file that cannot be read", async (t) => {
    const { io, told } = await makeWorld(t);
    const path = toConfigPath(io, ".env")!;
    await mkdir(path, { recursive: true });
    await keepKey(io, path, "K", "v");
    assert.match(told[0]!, /cannot be kept/);
  });
});

describe("the choice", () => {
  test("is none where its file is missing, spoilt or nowhere", async (t) => {
    const { io } = await makeWorld(t);
    const none = { added: [], removed: [] };
    assert.deepEqual(await readChoice(io), none);
    assert.deepEqual(await readChoice({ env: {}, platform: "linux" }), none);
    await mkdir(dirname(toChoicePath(io)!), { recursive: true });
    for (const spoilt of ["", "{", "[]", '{"model":1,"added":"x","removed":[1]}']) {
      await writeFile(toChoicePath(io)!, spoilt);
      assert.deepEqual(await readChoice(io), none);
    }
  });

  test("is where Windows keeps such things", () => {
    const env = { LOCALAPPDATA: "C:\\Users\\u\\AppData\\Local", APPDATA: "C:\\Users\\u\\AppData\\Roaming" };
    assert.equal(toChoicePath({ env, platform: "win32" }), "C:\\Users\\u\\AppData\\Local\\arbiter\\choice.json");
    assert.equal(toConfigPath({ env, platform: "win32" }, ".env"), "C:\\Users\\u\\AppData\\Roaming\\arbiter\\.env");
  });

  test("has what was added or removed last", () => {
    const before = { model: "x", added: ["a", "b"], removed: ["c", "d"] };
    const after = toChoice(before, "m", { added: ["c", "e"], removed: ["a", "f"] });
    assert.deepEqual(after, { model: "m", added: ["b", "c", "e"], removed: ["d", "a", "f"] });
  });
});
