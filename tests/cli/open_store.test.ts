import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { runModels, runReset } from "../../lib/cli/models_command.ts";
import { openStore, readLessons } from "../../lib/cli/open_store.ts";
import { createProxy } from "../../lib/cli/proxy.ts";
import { ConfigError, type Env } from "../../lib/config/settings.ts";
import { createCatalog } from "../../lib/routing/catalog.ts";
import { findFreePort, startRedis, testRedis } from "../support/redis_server.ts";
import { makeContext, type Written } from "./support.ts";
import type { Context } from "../../lib/cli/io.ts";

const testSqlite = await import("node:sqlite").then(
  () => test,
  () => (name: string, run: (t: TestContext) => Promise<void>) => test(name, { skip: "no node:sqlite" }, run),
);

/** What a command sees whose user has a home of their own. */
async function open(t: TestContext, typed: string[], env: Env): Promise<Context & Written> {
  const home = await mkdtemp(join(tmpdir(), "arbiter-"));
  t.after(() => rm(home, { recursive: true, force: true }));
  const upstream = { NVIDIA_API_KEY: "nvapi-x", NVIDIA_BASE_URL: "http://127.0.0.1:1/v1" };
  return await makeContext(typed, { cwd: home, env: { HOME: home, ...upstream, ...env } });
}

/** Teaches a lesson, which `models show` then tells of, and `reset` forgets. */
async function assertKept(context: Context & Written): Promise<void> {
  const store = await openStore(context, assert.fail);
  assert.equal(store.shared, true);
  const { elite } = createCatalog({ model: "m/x" });
  const learned = await readLessons(store);
  learned.learn(elite, { noTools: true });
  await learned.saved();
  await store.close();
  await runModels({ ...context, args: ["show"] });
  assert.match(
    context.printed.join("\n"),
    /^m\/x is served without tools \(https:\/\/integrate\.api\.nvidia\.com\/v1\)$/,
  );
  await runReset({ ...context, args: [] });
  assert.match(
    context.printed.join("\n"),
    /Forgot what 1 model had taught\.\nA proxy that runs does so with its next requests\./,
  );
  assert.deepEqual((await readLessons(await openStore(context, assert.fail))).all(), []);
  assert.deepEqual(context.told, []);
}

test("lessons are in a file of their own unless the user names another store", async (t) => {
  const context = await open(t, ["models"], { REDIS_URL: "no address", STORAGE_ENGINE: "memory" });
  const store = await openStore(context, assert.fail);
  await store.set("model a", 1);
  assert.equal(store.shared, false);
  assert.deepEqual(await readdir(join(context.io.cwd, ".local/state/arbiter")), ["lessons.json"]);
});

testSqlite("lessons are in SQLite where the user wants that", async (t) => {
  const context = await open(t, ["models"], { ARBITER_STORE: "sqlite" });
  await assertKept(context);
  const files = await readdir(join(context.io.cwd, ".local/state/arbiter"));
  assert.ok(files.includes("store.sqlite") && !files.includes("lessons.json"), files.join());
});

testRedis("lessons are in Redis where the user wants that, under the user's prefix", async (t) => {
  const server = await startRedis(t, ["--requirepass", "secret"]);
  const redis = { REDIS_URL: server.url, REDIS_PASSWORD: "secret", REDIS_PREFIX: "team:" };
  const context = await open(t, ["models"], { STORAGE_ENGINE: "redis", ...redis });
  await assertKept(context);
  const store = await openStore(context, assert.fail);
  await store.set("a 1", 1);
  await store.close();
  const keys = await server.ask("KEYS", "*");
  assert.ok((keys as string[]).includes("team:value:a 1"));
  assert.deepEqual((keys as string[]).filter((key) => !key.startsWith("team:")), []);
});

test("a demo keeps what it learns for itself, whatever is set", async (t) => {
  const env = { ARBITER_STORE: "redis", REDIS_URL: "no address" };
  assert.equal((await openStore(await open(t, ["models", "--demo"], env), assert.fail)).shared, false);
});

test("a proxy begins although Redis is away, and says so once, without the password", async (t) => {
  const url = `redis://:s3cret@127.0.0.1:${await findFreePort()}`;
  const context = await open(t, ["serve"], { ARBITER_STORE: "redis", REDIS_URL: url });
  const lines: string[] = [];
  const proxy = await createProxy(context, (line) => void lines.push(line));
  t.after(async () => {
    proxy.unwatch();
    proxy.arbiter.close();
    await proxy.store.close();
  });
  await proxy.store.set("a 1", 1);
  assert.equal(await proxy.store.get("a 1"), 1);
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /^Redis is away \(connect ECONNREFUSED .*\): limits count for this process alone/);
  assert.doesNotMatch(lines[0]!, /s3cret/);
});

test("a store that cannot be is a wrong configuration", async (t) => {
  await assert.rejects(
    () => open(t, ["serve"], { STORAGE_ENGINE: "postgres" }),
    new ConfigError("Cannot use STORAGE_ENGINE='postgres': expected memory, sqlite or redis"),
  );
  const wrong = await open(t, ["serve"], { ARBITER_STORE: "redis", REDIS_URL: "http://:s3cret@host" });
  await assert.rejects(openStore(wrong, assert.fail), (error: Error) => {
    return error instanceof ConfigError && /REDIS_URL/.test(error.message) && !/s3cret/.test(error.message);
  });
  const homeless = await makeContext(["serve"], { env: { ARBITER_STORE: "sqlite" } });
  await assert.rejects(openStore(homeless, assert.fail), ConfigError);
});
