import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { createFileStore } from "../../lib/store/file_store.ts";

/** Makes a path in a folder that does not exist yet. */
async function makePath(t: TestContext): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "arbiter-store-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  return join(root, "state", "arbiter", "lessons.json");
}

test("what is kept is there for the next process, and what is forgotten is not", async (t) => {
  const path = await makePath(t);
  const store = createFileStore(path);
  await store.set("model a", { noTools: true });
  await store.set("model b", { context: 1 });
  await store.set("model a", undefined);
  assert.deepEqual(await createFileStore(path).list("model "), [["model b", { context: 1 }]]);
  assert.deepEqual(await createFileStore(path).list("other "), []);
});

test("changes that come together are all in the file when each is done, and nothing else is left", async (t) => {
  const path = await makePath(t);
  const store = createFileStore(path);
  const keys = Array.from({ length: 100 }, (_, i) => `key ${i}`);
  await Promise.all(keys.map((key) => store.set(key, true)));
  assert.deepEqual(JSON.parse(await readFile(path, "utf8")), Object.fromEntries(keys.map((key) => [key, true])));
  assert.deepEqual(await readdir(dirname(path)), ["lessons.json"]);
});

test("what other processes have changed in the file meanwhile stays, also where writing failed before", async (t) => {
  const path = await makePath(t);
  const [one, other] = [createFileStore(path), createFileStore(path)];
  await one.set("a", 1);
  await one.set("b", 1);
  assert.deepEqual(await other.list(""), [["a", 1], ["b", 1]]);
  await one.set("a", 2);
  await one.set("b", undefined);
  await other.set("c", 1);
  assert.deepEqual(JSON.parse(await readFile(path, "utf8")), { a: 2, c: 1 });
  await rename(path, `${path}.kept`);
  await mkdir(path); // No file can be put there.
  await other.set("d", 1);
  await rmdir(path);
  await rename(`${path}.kept`, path);
  await other.set("a", undefined);
  assert.deepEqual(JSON.parse(await readFile(path, "utf8")), { c: 1, d: 1 });
});

test("a file that is spoilt counts as empty, and is whole again after the next change", async (t) => {
  for (const spoilt of ["", "{", "[1]", "null", '"text"', '{"a":']) {
    const path = await makePath(t);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, spoilt);
    const store = createFileStore(path);
    assert.deepEqual(await store.list(""), []);
    await store.set("a", 1);
    assert.deepEqual(JSON.parse(await readFile(path, "utf8")), { a: 1 });
  }
});

test("a file that cannot be written is told of once, and everything is remembered all the same", async (t) => {
  const folder = dirname(await makePath(t));
  await mkdir(dirname(folder), { recursive: true });
  await writeFile(folder, "not a folder");
  const warnings: string[] = [];
  const store = createFileStore(join(folder, "lessons.json"), (warning) => void warnings.push(warning));
  await store.set("a", 1);
  await store.set("b", 2);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? "", /^Cannot write \S+lessons\.json: /);
  assert.deepEqual(await store.list(""), [["a", 1], ["b", 2]]);
});
