import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createSqliteStore } from "../../lib/store/sqlite_store.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { type RunTest, testStore } from "./contract.ts";

const reason = "this runtime has no node:sqlite";
const skip = await import("node:sqlite").then(() => false, () => reason);
const testSqlite: RunTest = (name, run) => void test(name, { skip }, run);

async function makePath(t: TestContext): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "arbiter-store-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  return join(root, "state", "arbiter", "store.sqlite");
}

testStore("SQLite", async (t) => {
  const [path, clock] = [await makePath(t), new FakeClock()];
  const [store, other] = [await createSqliteStore(path, { clock }), await createSqliteStore(path, { clock })];
  t.after(() => Promise.all([store.close(), other.close()]));
  return { store, other, pass: (ms) => clock.advance(ms) };
}, testSqlite);
