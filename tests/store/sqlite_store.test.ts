import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createSqliteStore } from "../../lib/store/sqlite_store.ts";
import { systemClock } from "../../lib/wire/clock.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { type RunTest, testStore } from "./contract.ts";

const sqlite = await import("node:sqlite").catch(() => undefined);
const testSqlite: RunTest = (name, run) => void test(name, { skip: !sqlite && "this runtime has no node:sqlite" }, run);

const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
const child = fileURLToPath(new URL(`sqlite_child${extension}`, import.meta.url));

async function makePath(t: TestContext): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "arbiter-store-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  return join(root, "state", "arbiter", "store.sqlite");
}

/** Reads the file by another way. */
function count(path: string, table: string): number {
  const database = new sqlite!.DatabaseSync(path);
  try {
    return Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n);
  } finally {
    database.close();
  }
}

testStore("SQLite", async (t) => {
  const [path, clock] = [await makePath(t), new FakeClock()];
  const [store, other] = [await createSqliteStore(path, { clock }), await createSqliteStore(path, { clock })];
  t.after(() => Promise.all([store.close(), other.close()]));
  return { store, other, pass: (ms) => clock.advance(ms) };
}, testSqlite);

testSqlite(
  "what is kept is there for the next process, in files and a folder that only their owner may read",
  async (t) => {
    const path = await makePath(t);
    const store = await createSqliteStore(path);
    await store.set("a 1", { n: 0 });
    for (const name of process.platform === "win32" ? [] : [".", ...await readdir(dirname(path))]) {
      assert.equal((await stat(join(dirname(path), name))).mode & 0o777, name === "." ? 0o700 : 0o600, name);
    }
    store.set("a 1", { n: 1 });
    await store.close();
    const next = await createSqliteStore(path);
    assert.deepEqual(await next.list("a "), [["a 1", { n: 1 }]]);
    await next.close();
    await assert.rejects(next.get("a 1"), /closed/);
  },
);

testSqlite("processes that begin at once on a file that is not there lose nothing of each other's", async (t) => {
  const path = await makePath(t);
  const flags = process.versions.deno ? ["run", "--allow-all", "--no-check", "--quiet"] : [];
  const run = (name: string) => promisify(execFile)(process.execPath, [...flags, child, path, name, "50"]);
  const taken = (await Promise.all(["x", "y"].map(run))).map(({ stdout }) => JSON.parse(stdout).taken);
  assert.equal(taken[0] + taken[1], 70);
  const store = await createSqliteStore(path);
  assert.equal(await store.get("a sum"), 100);
  await store.close();
});

testSqlite("what is over is thrown away although nobody asks for it", async (t) => {
  const [path, clock] = [await makePath(t), new FakeClock()];
  const store = await createSqliteStore(path, { clock });
  t.after(() => store.close());
  for (let i = 0; i < 999; i++) await store.set(`a ${i % 9}`, i, 10);
  await store.take("1", [{ key: "rate a", limit: 1, ms: 10 }]);
  await clock.advance(10);
  await store.set("a last", 1);
  assert.deepEqual([count(path, "entries"), count(path, "places")], [1, 0]);
});

testSqlite("a process that has seen the clock set back counts by it, as those do that start later", async (t) => {
  const path = await makePath(t);
  const { now } = Date;
  Date.now = () => now() + 3_600_000;
  systemClock.now();
  Date.now = now;
  const stores = [await createSqliteStore(path), await createSqliteStore(path, { clock: { now } })];
  t.after(() => Promise.all(stores.map((store) => store.close())));
  const waits: number[] = [];
  for (const [i, store] of stores.entries()) {
    waits.push((await store.take(String(i), [{ key: "rate a", limit: 1, ms: 60_000 }])).wait);
  }
  const [first, second = NaN] = waits;
  assert.equal(first, 0);
  assert.ok(second > 0 && second <= 60_000, `waits ${second} ms`);
});

testSqlite("a file that another process is writing to is waited for, and not for ever", async (t) => {
  const path = await makePath(t);
  const store = await createSqliteStore(path, { patience: 1 });
  t.after(() => store.close());
  await store.set("a 1", 1);
  const other = new sqlite!.DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE");
  await assert.rejects(store.set("a 1", 2), /locked/);
  assert.equal(await store.get("a 1"), 1);
  other.exec("ROLLBACK");
  other.close();
  await store.set("a 1", 2);
  assert.equal(await store.get("a 1"), 2);
});

testSqlite("a file that is none of SQLite's is named, and opened as soon as it is gone", async (t) => {
  const path = await makePath(t);
  const folder = dirname(dirname(dirname(path)));
  await writeFile(join(folder, "spoilt"), "no database, but long enough to be taken for one".repeat(50));
  const store = await createSqliteStore(join(folder, "spoilt"));
  t.after(() => store.close());
  for (let i = 0; i < 2; i++) {
    await assert.rejects(store.get("a 1"), (error: Error) => error.message.startsWith(`Cannot open ${folder}`));
  }
  await rm(join(folder, "spoilt"));
  await store.set("a 1", 1);
  assert.equal(await store.get("a 1"), 1);
});

test(
  "where there is no SQLite, the message says which runtimes have it",
  { skip: sqlite && "it is there" },
  async () => {
    const says = { name: "MissingEngineError", message: /^SQLite needs Node 22\.13, .* this is Node \d+\.\d+\.\d+$/ };
    await assert.rejects(createSqliteStore("/nowhere"), says);
  },
);
