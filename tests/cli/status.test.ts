import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { createArbiter } from "../../lib/arbiter.ts";
import type { Command } from "../../lib/cli/commands.ts";
import type { Context, Io } from "../../lib/cli/io.ts";
import { createLogFile, toSummary } from "../../lib/cli/log_file.ts";
import { toRows } from "../../lib/cli/rows.ts";
import { keepRunFile, readRunFiles, removeRunFile } from "../../lib/cli/run_file.ts";
import { runStatus, runStop, toStatusLine, toStatusLines } from "../../lib/cli/status_command.ts";
import { runTest } from "../../lib/cli/test_command.ts";
import { resolveSettings } from "../../lib/config/settings.ts";
import { serve } from "../../lib/server/serve.ts";
import { type ArbiterStatus, createStats } from "../../lib/server/stats.ts";

let folder = "";
before(async () => void (folder = await mkdtemp(join(tmpdir(), "arbiter-"))));
after(() => rm(folder, { recursive: true }));

/** What a command writes, and the world it does that in. */
function createWorld(name: string): { io: Io; lines: string[] } {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const env = { XDG_STATE_HOME: join(folder, name), LOCALAPPDATA: join(folder, name) };
  return { io: { env, cwd: folder, platform: process.platform, interactive: false, print: write, tell: write }, lines };
}

function toContext(io: Io, port: number, flags: Context["flags"] = {}, command: Command = "status"): Context {
  const settings = resolveSettings({ ...flags, port: `${port}` }, [], () => {});
  return { command, flags, args: [], rest: [], io, settings, layers: [{}] };
}

const STATUS: ArbiterStatus = {
  ...{ name: "arbiter", version: "1.2.3", model: "owner/a-model-with-a-long-name" },
  ...createStats(0),
  ...{ requests: 12, kinds: { title: 2, main: 10 }, models: { "a/b": 7, "c/d": 3 }, local: 2, fallbacks: 3, errors: 1 },
  ...{ inputTokens: 5000, outputTokens: 60, anthropicCost: 1.234, quota: { left: 38, limit: 40, window: 60_000 } },
};

describe("toStatusLines()", () => {
  test("tells everything that was counted", () => {
    assert.deepEqual(toStatusLines(STATUS, 4005, 720_000), [
      "Arbiter    1.2.3 on port 4005, for 12 min",
      "model      owner/a-model-with-a-long-name",
      "requests   12: main 10, title 2",
      "answers    a/b 7, c/d 3, (no model needed) 2",
      "fallbacks  3",
      "errors     1",
      "tokens     5000 in, 60 out",
      "cost       an estimated $1.23 at Anthropic's prices of 2026-10-10",
      "quota      38 of 40 left in this minute",
    ]);
  });

  test("tells a cost only where there is one, and never less than a cent", () => {
    const costs = [0, 0.0001].map((anthropicCost) => toStatusLines({ ...STATUS, anthropicCost }, 4005, 0)[7]);
    assert.deepEqual(costs.map((line) => line?.split("  ")[0]), ["quota", "cost"]);
    assert.match(costs[1] ?? "", /\$0\.01 /);
  });

  test("fits into 40 columns", () => {
    for (const line of toStatusLines(STATUS, 4005, 0, 40)) assert.ok(line.length < 40, line);
  });

  test("is a line where there is no terminal", () => {
    const line = "requests 12, fallbacks 3, errors 1, tokens 5000 in, 60 out, 38 of 40 left in this minute";
    assert.equal(toStatusLine(STATUS), line);
  });
});

test("toRows() breaks words between blanks, and long ones anywhere", () => {
  const rows = toRows([["OK", "one two three four five"], ["FAIL", "x".repeat(30)]], 23);
  assert.deepEqual(rows, [
    "OK    one two three",
    "      four five",
    `FAIL  ${"x".repeat(16)}`,
    `      ${"x".repeat(14)}`,
  ]);
});

describe("toSummary()", () => {
  const rows: [name: string, status: Partial<ArbiterStatus>, line: string][] = [
    [
      "sums a session up",
      {},
      "Arbiter: 12 requests; answered 7 by a/b, 3 by c/d; 2 without a model; 3 turns saved by a fallback; 1 failed",
    ],
    [
      "tells no more than there was",
      { requests: 1, models: { "a/b": 1 }, local: 0, fallbacks: 0, errors: 0 },
      "Arbiter: 1 request; answered 1 by a/b",
    ],
    ["says nothing of nothing", { requests: 0 }, ""],
  ];
  for (const [name, status, line] of rows) test(name, () => assert.equal(toSummary({ ...STATUS, ...status }), line));
});

describe("the log file", () => {
  test("has a line each, in their order, with the time", async () => {
    const { io } = createWorld("log");
    const log = createLogFile(io, () => 0);
    for (let i = 0; i < 20; i++) log.write(`line ${i}`);
    const path = join(folder, "log", "arbiter", "arbiter.log");
    assert.equal(await log.close(), `Log: ${path}`);
    const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
    assert.deepEqual(lines, Array.from({ length: 20 }, (_, i) => `1970-01-01T00:00:00.000Z line ${i}`));
  });

  test("moves one before it aside when it is large, and never more than one", async () => {
    const { io } = createWorld("large");
    const log = createLogFile(io);
    for (let i = 0; i < 5; i++) log.write(`${i}${"x".repeat(600_000)}`);
    await log.close();
    assert.deepEqual((await readdir(`${folder}/large/arbiter`)).sort(), ["arbiter.log", "arbiter.log.1"]);
    assert.match(await readFile(`${folder}/large/arbiter/arbiter.log`, "utf8"), /^\S+ 4x/);
    assert.match(await readFile(`${folder}/large/arbiter/arbiter.log.1`, "utf8"), /^\S+ 3x/);
  });

  test("that cannot be written says so once, at the end", async () => {
    const { io, lines } = createWorld("file");
    await writeFile(`${folder}/file`, "in the way");
    const log = createLogFile(io);
    log.write("a");
    log.write("b");
    assert.match(await log.close(), /^The log could not be written: \w+/);
    assert.deepEqual(lines, []);
  });

  test("is not made before there is something to write, or without a home", async () => {
    const { io } = createWorld("none");
    assert.equal(await createLogFile(io).close(), "");
    const homeless = createLogFile({ ...io, env: {} });
    homeless.write("a");
    assert.equal(await homeless.close(), "");
    assert.ok(!(await readdir(folder)).includes("none"));
  });
});

describe("a proxy on a port", () => {
  test("tells how it goes, also as JSON", async (t) => {
    const { io, lines } = createWorld("status");
    const server = await serve(createArbiter({ baseUrl: "http://h/v1", model: "m/x" }).fetch);
    t.after(() => server.close());
    assert.equal(await runStatus(toContext(io, server.port)), 0);
    assert.match(lines.join("\n"), /on port \d+[^]*m\/x[^]*none yet/);
    assert.equal(await runStatus(toContext(io, server.port, { json: true })), 0);
    assert.equal(JSON.parse(lines.at(-1) ?? "").port, server.port);
  });

  test("is found on a port that is said, although the config file is broken by now", async (t) => {
    const { io } = createWorld("broken");
    const server = await serve(createArbiter({ baseUrl: "http://h/v1", model: "m/x" }).fetch);
    t.after(() => server.close());
    const layers = [{ ARBITER_CONFIG: "absent.json" }];
    assert.equal(await runStatus({ ...toContext(io, server.port), layers }), 0);
    await assert.rejects(
      runStatus({ ...toContext(io, server.port), layers, settings: {} }),
      /absent\.json: there is no/,
    );
  });

  test("is not stopped when its note is of another start", async (t) => {
    const { io } = createWorld("foreign");
    const server = await serve(createArbiter({ baseUrl: "http://h/v1", model: "m/x" }).fetch);
    t.after(() => server.close());
    await keepRunFile(io, server.port, 12345); // Of this very process, which lives on.
    await assert.rejects(runStop(toContext(io, server.port)), /has left no note of its process/);
  });

  test("that was killed leaves a note that nobody believes, and that is removed", async () => {
    const { io, lines } = createWorld("killed");
    const server = await serve(() => new Response());
    await server.close();
    await keepRunFile(io, server.port, 1);
    assert.equal(await runStop(toContext(io, server.port)), 1);
    assert.deepEqual(lines, [`Nothing runs on port ${server.port}.`]);
    assert.deepEqual(await readRunFiles(io), []);
  });

  test("is told of when it is on another port", async (t) => {
    const { io, lines } = createWorld("elsewhere");
    const arbiter = createArbiter({ baseUrl: "http://h/v1", model: "m/x" });
    const server = await serve(arbiter.fetch);
    t.after(() => server.close());
    const free = await serve(() => new Response());
    await free.close();
    await keepRunFile(io, server.port, arbiter.status().since);
    assert.equal(await runStatus(toContext(io, free.port)), 1);
    const hint = `An Arbiter runs on port ${server.port}: add --port ${server.port}`;
    assert.deepEqual(lines, [`Nothing runs on port ${free.port}.`, hint]);
    await removeRunFile(io, server.port);
    assert.deepEqual(await readRunFiles(io), []);
  });
});

describe("another program on the port is told apart", () => {
  const others: Record<string, (request: Request) => Response> = {
    "that answers JSON": () => Response.json({ status: "ok" }),
    "that answers a page": () => new Response("<html>"),
    "that leads elsewhere": () => new Response(null, { status: 302, headers: { location: "http://127.0.0.1:1/" } }),
  };
  for (const [name, handler] of Object.entries(others)) {
    test(name, async (t) => {
      const { io, lines } = createWorld("other");
      const server = await serve(handler);
      t.after(() => server.close());
      for (const run of [runStatus, runStop]) assert.equal(await run(toContext(io, server.port)), 1);
      const line = `Another program is on port ${server.port}, no Arbiter.`;
      assert.deepEqual(lines, [line, line]);
    });
  }

  test("that does not speak HTTP", async (t) => {
    const { io, lines } = createWorld("mute");
    const server = createServer((socket) => void socket.on("error", () => {}).end("SSH-2.0-x\r\n"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    assert.equal(await runStatus(toContext(io, port)), 1);
    assert.deepEqual(lines, [`Another program is on port ${port}, no Arbiter.`]);
  });
});

test("notes that cannot be read or written are as good as none", async () => {
  const { io } = createWorld("broken");
  await mkdir(`${folder}/broken/arbiter/run`, { recursive: true });
  await writeFile(`${folder}/broken/arbiter/run/1.json`, "{");
  await writeFile(`${folder}/broken/arbiter/run/2.json`, '{"pid":"1","port":2,"started":3}');
  for (const port of [-1, 0, 70_000]) {
    await writeFile(`${folder}/broken/arbiter/run/${port}.json`, JSON.stringify({ pid: 1, port, started: 3 }));
  }
  assert.deepEqual(await readRunFiles(io), []);
  await writeFile(`${folder}/way`, "in the way");
  const { io: way } = createWorld("way");
  await keepRunFile(way, 1, 1);
  await removeRunFile(way, 1);
});

describe("test", () => {
  test("says at once that nobody is there", async () => {
    const { io } = createWorld("nobody");
    const server = await serve(() => new Response());
    await server.close();
    const message =
      `Nothing answers at ${server.url}: start a proxy with arbiter-proxy serve, or name one with --base-url`;
    await assert.rejects(runTest(toContext(io, 1, { "base-url": server.url }, "test")), { message });
  });

  test("finds what a proxy does wrong", async (t) => {
    const { io, lines } = createWorld("test");
    const server = await serve(({ url }) => {
      const path = new URL(url).pathname;
      if (path === "/v1/messages") return new Response('data: {"type":"content_block_start","index":0}\n\n');
      return path === "/health" || path === "/" ? Response.json({}) : new Response("nothing", { status: 500 });
    });
    t.after(() => server.close());
    const flags = { "base-url": `${server.url}/v1/` };
    assert.equal(await runTest(toContext(io, 1, flags, "test")), 1);
    const text = lines.join("\n");
    assert.match(text, /OK {4}GET \/health\nOK {4}HEAD \/\nFAIL {2}GET \/v1\/models: status 500, not 200: nothing\n/);
    assert.match(text, /FAIL {2}stream: content_block_start after nothing\n/);
    lines.length = 0;
    assert.equal(await runTest(toContext(io, 1, { ...flags, json: true }, "test")), 1);
    assert.equal(JSON.parse(lines.join("")).results.filter(({ ok }: { ok: boolean }) => !ok).length, 6);
  });
});

const LOCKED =
  /^The Arbiter on port \d+ wants its key: set ARBITER_API_KEY as it is set there\. Only what you have started yourself/;

describe("a proxy with a key", () => {
  const clientKeys = [{ name: "me", key: "secret-number-1" }, { key: "secret-number-2" }];
  const run = async (key: string | undefined, use: (context: Context) => Promise<number>, noted = true) => {
    const { fetch, status } = createArbiter({ apiKey: "k", clientKeys });
    const server = await serve(fetch);
    const { io, lines } = createWorld("keys");
    if (noted) await keepRunFile(io, server.port, status().since);
    try {
      const context = toContext(io, server.port);
      if (key) context.settings.clientKeys = [{ key }];
      return { code: await use(context), text: lines.join("\n") };
    } finally {
      await server.close();
    }
  };

  test("is shown to who has it", async () => {
    const { code, text } = await run("secret-number-2", runStatus);
    assert.equal(code, 0, text);
    assert.doesNotMatch(text, /secret/);
  });

  for (const key of [undefined, "secret-number-9"]) {
    test(`tells ${key ? "who has another" : "others"} what is missing`, async () => {
      for (const use of [runStatus, runStop]) {
        const { code, text } = await run(key, use);
        assert.equal(code, 1);
        assert.match(text, LOCKED);
      }
    });
  }

  test("is not shown the key where it has left no note: it could be anybody", async () => {
    for (const use of [runStatus, runStop]) {
      const { code, text } = await run("secret-number-1", use, false);
      assert.equal(code, 1);
      assert.match(text, LOCKED);
    }
  });
});
