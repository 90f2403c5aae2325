/** What Arbiter leaves on the disk, and what it believes of what it finds there. */
import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { createArbiter } from "../../lib/arbiter.ts";
import { writeChoice } from "../../lib/cli/choice.ts";
import type { Io } from "../../lib/cli/io.ts";
import { keepKey } from "../../lib/cli/keep_key.ts";
import { openStore } from "../../lib/cli/open_store.ts";
import { createLogFile } from "../../lib/cli/log_file.ts";
import { keepRunFile, readOwnToken, readRunFiles } from "../../lib/cli/run_file.ts";

const WINDOWS = process.platform === "win32" && "Windows has no modes: folders of a user are their own there";

let home = "";
let count = 0;
before(async () => void (home = await mkdtemp(join(tmpdir(), "arbiter-files-"))));
after(() => rm(home, { recursive: true }));

/** A world whose folders are not there yet. */
function createWorld(): Io {
  const place = join(home, `user${count++}`);
  const env = { XDG_STATE_HOME: join(place, "state"), XDG_CONFIG_HOME: join(place, "config") };
  return { env, cwd: "/", platform: "linux", interactive: false, print() {}, tell() {} };
}

describe("nobody else may read", { skip: WINDOWS }, () => {
  const writers: Record<string, (io: Io) => Promise<string>> = {
    async "the key"(io) {
      const path = join(io.env.XDG_CONFIG_HOME!, "arbiter", ".env");
      await keepKey(io, path, "NVIDIA_API_KEY", "nvapi-x");
      return path;
    },
    async "the choice"(io) {
      await writeChoice(io, { model: "m", added: [], removed: [] });
      return join(io.env.XDG_STATE_HOME!, "arbiter", "choice.json");
    },
    async lessons(io) {
      const context = { command: "serve" as const, io, settings: {}, layers: [], flags: {}, args: [], rest: [] };
      await (await openStore(context, () => {})).set("a", 1);
      return join(io.env.XDG_STATE_HOME!, "arbiter", "lessons.json");
    },
    async "the log"(io) {
      const log = createLogFile(io);
      log.write("x");
      await log.close();
      return join(io.env.XDG_STATE_HOME!, "arbiter", "arbiter.log");
    },
    async "the note of a proxy"(io) {
      await keepRunFile(io, 4005, 1);
      return join(io.env.XDG_STATE_HOME!, "arbiter", "run", "4005.json");
    },
  };
  for (const [what, write] of Object.entries(writers)) {
    test(`${what}, nor its folder`, async () => {
      const path = await write(createWorld());
      assert.equal((await stat(path)).mode & 0o777, 0o600);
      assert.equal((await stat(dirname(path))).mode & 0o777, 0o700);
    });
  }

  test("a file that others could read before", async () => {
    const io = createWorld();
    const path = join(io.env.XDG_CONFIG_HOME!, "arbiter", ".env");
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, "A=1\n");
    await chmod(path, 0o644);
    await keepKey(io, path, "NVIDIA_API_KEY", "nvapi-x");
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  });
});

test("what clients and hosts name is no part of a file's path", async () => {
  const io = createWorld();
  const context = { command: "serve" as const, io, settings: {}, layers: [], flags: {}, args: [], rest: [] };
  const store = await openStore(context, () => {});
  let calls = 0;
  const refusal = () => Response.json({ detail: "Unsupported parameter(s): `top_p`" }, { status: 400 });
  const fetch = () => Promise.resolve(calls++ === 0 ? refusal() : new Response(""));
  const arbiter = createArbiter({ store, fetch, baseUrl: "http://host/v1", model: "../../evil" });
  const body = JSON.stringify({
    model: "../../evil",
    max_tokens: 9,
    top_p: 1,
    messages: [{ role: "user", content: "Hi" }],
  });
  const headers = { "x-claude-code-session-id": "../../evil", "idempotency-key": "../../evil" };
  const request = new Request("http://localhost/v1/messages?x=../../evil", { method: "POST", headers, body });
  await (await arbiter.fetch(request)).text();
  await arbiter.close();
  await store.close();
  const state = join(io.env.XDG_STATE_HOME!, "arbiter");
  assert.match(await readFile(join(state, "lessons.json"), "utf8"), /\.\.\/evil[^]*top_p/);
  assert.deepEqual((await readdir(dirname(dirname(state)), { recursive: true })).sort(), [
    "state",
    join("state", "arbiter"),
    join("state", "arbiter", "lessons.json"),
  ]);
});

describe("a note of a proxy", () => {
  async function note(pid: unknown): Promise<Io> {
    const io = createWorld();
    const path = join(io.env.XDG_STATE_HOME!, "arbiter", "run", "4005.json");
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, JSON.stringify({ pid, port: 4005, started: 1, version: "1" }));
    return io;
  }

  for (const pid of [-1, 0, -process.pid, 1.5, "1", null]) {
    test(`does not count with the process ${JSON.stringify(pid)}: no signal goes to a group`, async () => {
      assert.deepEqual(await readRunFiles(await note(pid)), []);
    });
  }

  const settings = { clientKeys: [{ key: "Secret-Number-1" }] };

  test("of a process that is there lets it see the key", async () => {
    assert.equal(await readOwnToken(await note(process.pid), settings, 4005), "Secret-Number-1");
  });

  test("of a process that is not there, or for another port, lets nobody", async () => {
    assert.equal(await readOwnToken(await note(2 ** 22 + 1), settings, 4005), "arbiter");
    assert.equal(await readOwnToken(await note(process.pid), settings, 4006), "arbiter");
    assert.equal(await readOwnToken(createWorld(), settings, 4005), "arbiter");
  });
});
