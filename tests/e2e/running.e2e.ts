/** The commands beside a proxy: status, stop, test and doctor, the log of a session and its last line. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { ScriptedAnswer } from "../../mod.ts";
import { until } from "../runtimes/harness.ts";
import { startNetwork } from "../support/network.ts";
import {
  makePlace,
  type Place,
  type Running,
  type Runtime,
  startArbiter,
  startProgram,
  startSession,
  startUpstream,
  toArbiter,
  toResult,
} from "./support.ts";
import { startTerminal } from "./terminal.ts";

const RUNTIMES = ["node", "deno", "bun"] as const;
const STATE = ".local/state/arbiter";

/** Starts `serve`; gives its port as well. */
async function startServe(
  t: TestContext,
  options: { place: Place; runtime?: Runtime; env?: Record<string, string> },
  flags: string[] = ["--demo"],
): Promise<Running & { port: string; url: string }> {
  const arbiter = startArbiter(t, ["serve", "--port", "0", ...flags], options);
  const [, url = "", port = ""] = await arbiter.wrote(/listening on (\S+:(\d+))/);
  return { ...arbiter, port, url };
}

const listNotes = ({ home }: Place) => readdir(join(home, STATE, "run")).catch(() => []);

async function ask(url: string): Promise<void> {
  const tools = [{ name: "Bash", input_schema: { type: "object" } }];
  const body = JSON.stringify({ model: "x", max_tokens: 9, messages: [{ role: "user", content: "Hi" }], tools });
  await (await fetch(`${url}/v1/messages`, { method: "POST", body })).text();
}

describe("behind a company's proxy", { concurrency: 3, timeout: 60_000 }, () => {
  /** Whether the `fetch` of a runtime heeds `HTTP_PROXY`; that of Node 20 does not. */
  const HEEDS: Record<Runtime, boolean> = { node: false, deno: true, bun: true };
  for (const runtime of RUNTIMES) {
    it(`${runtime} ${HEEDS[runtime] ? "asks upstream through it" : "cannot reach what only the proxy reaches"}`, async (t) => {
      const place = await makePlace(t);
      const asked: (string | undefined)[] = [];
      const answer = { choices: [{ message: { role: "assistant", content: "Here." }, finish_reason: "stop" }] };
      const proxy = createServer(({ url }, outgoing) => {
        asked.push(url);
        outgoing.setHeader("content-type", "application/json").end(JSON.stringify(answer));
      }).listen(0, "127.0.0.1");
      await once(proxy, "listening");
      t.after(() => proxy.close());
      const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
      const upstream = {
        NVIDIA_BASE_URL: "http://upstream.invalid/v1",
        NVIDIA_API_KEY: "key",
        ARBITER_MODEL: "test/model",
      };
      const env = { ...upstream, HTTP_PROXY: address, HTTPS_PROXY: address };
      const { url } = await startServe(t, { place, env, runtime }, []);
      const body = JSON.stringify({ model: "x", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] });
      const response = await fetch(`${url}/v1/messages`, { method: "POST", body });
      assert.equal(response.ok, HEEDS[runtime], await response.text());
      assert.equal(asked.includes("http://upstream.invalid/v1/chat/completions"), HEEDS[runtime]);
    });
  }
});

describe("Claude Code, when its connection breaks", { concurrency: 2, timeout: 120_000 }, () => {
  const answers: [when: string, answer: ScriptedAnswer, carried: string][] = [
    ["during the hold", { steps: [{ wait: 3_000 }, { text: "Here I am." }] }, ""],
    ["in the middle of the answer", { steps: [{ text: "Here" }, { wait: 3_000 }, { text: " I am." }] }, "text_delta"],
  ];
  for (const [when, answer, carried] of answers) {
    it(`${when}, gets it all the same, and upstream is asked once`, async (t) => {
      const place = await makePlace(t);
      const { env, requests } = await startUpstream(t, () => answer);
      const { port, ended, signal } = await startServe(t, { place, env }, []);
      const network = await startNetwork(Number(port));
      t.after(() => network.close());
      const own = { ANTHROPIC_BASE_URL: network.url, ANTHROPIC_AUTH_TOKEN: "any" };
      const claude = startProgram(t, ["claude", "-p", "Where are you?"], { place, env: own });
      await until("the request", () => requests.length === 1 && network.carried.includes(carried));
      network.cut();
      const { code, stdout, stderr } = await claude.ended;
      assert.deepEqual([code, stdout.trim()], [0, "Here I am."], stderr);
      assert.equal(requests.length, 1);
      signal("SIGTERM");
      assert.match((await ended).stderr, /POST \/v1\/messages · 499 [^]*\nPOST \/v1\/messages · 200 .* · replayed · /);
    });
  }
});

describe("a proxy that runs", { concurrency: 3, timeout: 120_000 }, () => {
  for (const runtime of RUNTIMES) {
    it(`is shown by status and ended by stop, on ${runtime}`, async (t) => {
      const place = await makePlace(t);
      const options = { place, runtime };
      const { port, url, ended } = await startServe(t, options);
      await ask(url);
      // A proxy for the web is no way to this machine.
      const env = { HTTP_PROXY: "http://127.0.0.1:1", http_proxy: "http://127.0.0.1:1" };
      const run = (...args: string[]) => startArbiter(t, args, { ...options, env }).ended;
      const shown = await run("status", "--port", port);
      assert.equal(shown.code, 0, shown.stderr);
      assert.match(shown.stdout, /requests +1: main 1\nanswers +arbiter\/demo-model 1\n/);
      const json = JSON.parse((await run("status", "--port", port, "--json")).stdout);
      assert.deepEqual([json.name, json.requests, json.port], ["arbiter", 1, Number(port)]);
      const stopped = await run("stop", "--port", port);
      assert.equal(stopped.code, 0, stopped.stderr);
      assert.match(stopped.stdout, new RegExp(`^Stopped Arbiter \\S+ on port ${port} \\(process \\d+\\)\\.\n$`));
      assert.equal((await ended).code, 0);
      assert.deepEqual(await listNotes(place), []);
      for (const command of ["status", "stop"]) {
        const nobody = await run(command, "--port", port);
        assert.equal(nobody.code, 1);
        assert.equal(nobody.stderr, `Nothing runs on port ${port}.\n`);
      }
    });

    it(`does what Claude Code needs, says test, on ${runtime}`, async (t) => {
      const options = { place: await makePlace(t), runtime };
      const { url } = await startServe(t, options);
      const { code, stdout } = await startArbiter(t, ["test", "--base-url", url], options).ended;
      assert.equal(code, 0, stdout);
      assert.match(stdout, /OK {4}stream\nOK {4}tool call\nOK {4}unknown route\n$/);
    });
  }

  for (const runtime of RUNTIMES) {
    it(`with a key is open to all commands that have it, and keeps it to itself, on ${runtime}`, async (t) => {
      const place = await makePlace(t);
      const env = { ARBITER_API_KEY: "me=secret-number-1:60,secret-number-2" };
      const served = await startServe(t, { place, runtime, env }, ["--demo", "--host", "0.0.0.0"]);
      const { url, port } = served;
      assert.equal(url, `http://127.0.0.1:${port}`);
      assert.equal((await fetch(`${url}/v1/models`)).status, 401);
      const run = (args: string[], env: Record<string, string>) => {
        return startArbiter(t, args, { place, runtime, env }).ended;
      };
      const locked = await run(["status", "--port", port], {});
      assert.match(locked.stderr, /wants its key/);
      for (const args of [["status", "--port", port], ["test", "--base-url", url], ["stop", "--port", port]]) {
        const { code, stdout, stderr } = await run(args, env);
        assert.equal(code, 0, stdout + stderr);
        assert.doesNotMatch(stdout + stderr, /secret/);
      }
      const { stdout, stderr } = await served.ended;
      assert.match(stderr, /GET \/v1\/models · 200 .* · me · req_/);
      assert.doesNotMatch(stdout + stderr, /secret/);
    });

    it(`does not listen to other machines without a key, on ${runtime}`, async (t) => {
      const options = { place: await makePlace(t), runtime };
      const { code, stderr } = await startArbiter(t, ["serve", "--demo", "--host", "0.0.0.0"], options).ended;
      assert.equal(code, 2);
      assert.match(stderr, /^arbiter: Cannot listen on 0\.0\.0\.0 without a key.*ARBITER_ALLOW_OPEN=1/);
    });
  }

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it(`leaves no note after ${signal}`, async (t) => {
      const place = await makePlace(t);
      const arbiter = await startServe(t, { place });
      assert.deepEqual(await listNotes(place), [`${arbiter.port}.json`]);
      arbiter.signal(signal);
      assert.equal((await arbiter.ended).code, 0);
      assert.deepEqual(await listNotes(place), []);
    });
  }

  it("is waited for until the deadline, although Node has nothing else to do", async (t) => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    // So does fetch where a server hangs up before it is asked: nothing but the signal ends it.
    const hang =
      "globalThis.fetch = (_, { signal }) => new Promise((_, no) => signal.onabort = () => no(signal.reason))";
    const [node = "", ...status] = toArbiter("node", ["status", "--port", String(port)]);
    const command = [node, "--import", `data:text/javascript,${encodeURIComponent(hang)}`, ...status];
    const { code, stderr } = await startProgram(t, command, { place: await makePlace(t) }).ended;
    assert.deepEqual([code, stderr], [1, `Another program is on port ${port}, no Arbiter.\n`]);
  });

  it("is of no use to stop after it was killed, which says so and clears up", async (t) => {
    const place = await makePlace(t);
    const arbiter = await startServe(t, { place });
    arbiter.signal("SIGKILL");
    await arbiter.ended;
    assert.deepEqual(await listNotes(place), [`${arbiter.port}.json`]);
    const { code, stderr } = await startArbiter(t, ["stop", "--port", arbiter.port], { place }).ended;
    assert.deepEqual([code, stderr], [1, `Nothing runs on port ${arbiter.port}.\n`]);
    assert.deepEqual(await listNotes(place), []);
  });

  it("is followed line by line, until Ctrl-C, and by nobody in its log", async (t) => {
    const place = await makePlace(t);
    const { url, port, signal, ended } = await startServe(t, { place });
    const watch = startArbiter(t, ["status", "--watch", "--port", port], { place });
    await watch.wrote(/^requests 0/);
    await ask(url);
    await watch.wrote(/\nrequests 1, fallbacks 0, errors 0, tokens \d+ in, \d+ out, no limit/);
    watch.signal("SIGINT");
    const { code, stdout } = await watch.ended;
    assert.equal(code, 0);
    assert.equal(stdout.trimEnd().split("\n").length, 2);
    signal("SIGTERM");
    assert.doesNotMatch((await ended).stderr, /visualization/);
  });

  it("is followed line by line in a terminal that is too low", async (t) => {
    const place = await makePlace(t);
    const { port } = await startServe(t, { place });
    const command = toArbiter("node", ["status", "--watch", "--port", port]);
    const terminal = startTerminal(t, command, { place, rows: 8 });
    await terminal.see(/^requests 0, fallbacks 0/);
    terminal.type("\x03");
    assert.equal(await terminal.ended, 0);
  });

  it("is followed line by line in a terminal that becomes too low for it", async (t) => {
    const place = await makePlace(t);
    const { url, port } = await startServe(t, { place });
    const command = toArbiter("node", ["status", "--watch", "--port", port]);
    const terminal = startTerminal(t, command, { place, rows: 14 });
    await terminal.see("Ctrl-C ends this.");
    terminal.resize(30); // Where the same takes more lines.
    await ask(url);
    await terminal.see(/^requests 1, fallbacks 0/m);
    assert.equal(terminal.read().match(/Ctrl-C ends this\./g)?.length, 1);
    terminal.type("\x03");
    assert.equal(await terminal.ended, 0);
  });

  it("is followed no longer than somebody reads", async (t) => {
    const place = await makePlace(t);
    const { url, port } = await startServe(t, { place });
    const watch = toArbiter("node", ["status", "--watch", "--port", port]).join(" ");
    const { ended } = startProgram(t, ["sh", "-c", `${watch} | head -n 1`], { place });
    let over = false;
    ended.finally(() => over = true);
    while (!over) await ask(url);
    const { code, stdout, stderr } = await ended;
    assert.deepEqual([code, stdout.split("\n").length, stderr], [0, 2, ""]);
  });

  for (const runtime of RUNTIMES) {
    it(`is followed in a terminal, in its place, on ${runtime}`, async (t) => {
      const place = await makePlace(t);
      const { url, port, signal } = await startServe(t, { place });
      const terminal = startTerminal(t, toArbiter(runtime, ["status", "--watch", "--port", port]), { place });
      await terminal.see("none yet");
      await ask(url);
      await terminal.see(/requests +1: main 1/);
      assert.equal(terminal.read().match(/Arbiter/g)?.length, 1);
      signal("SIGTERM");
      await terminal.see(`Nothing runs on port ${port}.`);
      assert.equal(await terminal.ended, 1);
      const again = await startServe(t, { place });
      const other = startTerminal(t, toArbiter(runtime, ["status", "-w", "--port", again.port]), { place });
      await other.see("Ctrl-C ends this.");
      other.type("\x03");
      assert.equal(await other.ended, 0);
    });
  }
});

describe("a session", { concurrency: 3, timeout: 120_000 }, () => {
  for (const runtime of RUNTIMES) {
    it(`writes its log to a file and ends with a line that sums it up, on ${runtime}`, async (t) => {
      const place = await makePlace(t);
      const upstream = await startUpstream(t, ({ model }) => {
        return model === "test/first" ? { status: 503, body: "" } : { steps: [{ text: "Hi there." }] };
      }, { models: ["test/first", "test/second"] });
      const ended = await startSession(t, "Hi", { place, runtime, env: upstream.env }).ended;
      assert.equal(ended.code, 0, ended.stderr);
      assert.equal(toResult(ended), "Hi there.");
      const line = ended.stderr.trimEnd().split("\n").at(-1) ?? "";
      assert.match(
        line,
        /^Arbiter: \d requests?; answered \d by test\/second.*; \d turns? saved by a fallback\. Log: \S+$/,
      );
      const log = await readFile(/Log: (\S+)/.exec(line)?.[1] ?? "", "utf8");
      assert.match(log, /^\d{4}-\d\d-\d\dT\S+Z POST \/v1\/messages · 200 · \S+ → test\/second · main /m);
      assert.match(log, /warning: .*test\/first, status 503/);
      assert.doesNotMatch(log, /Hi there|test-key/);
      assert.deepEqual(await listNotes(place), []);
    });
  }

  it("gives Claude Code the first key, and writes it nowhere", async (t) => {
    const place = await makePlace(t);
    const upstream = await startUpstream(t, () => ({ steps: [{ text: "Hi there." }] }));
    const env = { ...upstream.env, ARBITER_API_KEY: "me=secret-number-1,other=secret-number-2" };
    const ended = await startSession(t, "Hi", { place, env }).ended;
    assert.equal(toResult(ended), "Hi there.", ended.stderr);
    const log = await readFile(/Log: (\S+)/.exec(ended.stderr)?.[1] ?? "", "utf8");
    assert.match(log, /POST \/v1\/messages · 200 · .* · me · req_/);
    assert.doesNotMatch(log + ended.stderr + ended.stdout, /secret-number/);
  });

  it("is ended by stop, Claude Code and all, and found by status on whatever port", async (t) => {
    const place = await makePlace(t);
    const upstream = await startUpstream(t, () => ({ delay: 60_000, steps: [{ text: "Late." }] }));
    const session = startSession(t, "Hi", { place, env: upstream.env });
    const [, port = ""] = await session.wrote(/Arbiter: \S+:(\d+) /);
    const elsewhere = await startArbiter(t, ["status", "--port", "1"], { place }).ended;
    assert.equal(elsewhere.stderr, `Nothing runs on port 1.\nAn Arbiter runs on port ${port}: add --port ${port}\n`);
    const { code, stderr } = await startArbiter(t, ["stop", "--port", port], { place }).ended;
    assert.equal(code, 0, stderr);
    assert.equal((await session.ended).code, 143);
    assert.equal(session.signalGroup(0), false, "somebody is left");
    assert.deepEqual(await listNotes(place), []);
  });

  it("says nothing of a log that nobody wants", async (t) => {
    const place = await makePlace(t);
    const upstream = await startUpstream(t, () => ({ steps: [{ text: "Hi there." }] }));
    const ended = await startSession(t, "Hi", { place, env: { ...upstream.env, LOG_LEVEL: "silent" } }).ended;
    assert.equal(toResult(ended), "Hi there.");
    assert.doesNotMatch(ended.stderr, /Arbiter: \d/);
    assert.ok(!(await readdir(join(place.home, STATE)).catch((): string[] => [])).includes("arbiter.log"));
  });

  it("goes on when its log cannot be written, and says so at its end", async (t) => {
    const place = await makePlace(t);
    await mkdir(join(place.home, STATE, "arbiter.log"), { recursive: true });
    const upstream = await startUpstream(t, () => ({ steps: [{ text: "Hi there." }] }));
    const ended = await startSession(t, "Hi", { place, env: upstream.env }).ended;
    assert.equal(toResult(ended), "Hi there.");
    assert.match(ended.stderr, /^Arbiter: \d requests?; .*\. The log could not be written: EISDIR.*\n$/m);
  });
});

describe("doctor", { concurrency: 3, timeout: 120_000 }, () => {
  for (const runtime of RUNTIMES) {
    it(`finds nothing to mend where Arbiter works, on ${runtime}`, async (t) => {
      const place = await makePlace(t);
      const { env } = await startUpstream(t, () => ({ steps: [{ text: "Hi." }] }));
      const { code, stdout, stderr } = await startArbiter(t, ["doctor", "--port", "0"], { place, runtime, env }).ended;
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout, /OK {4}model: test\/model answers, the key is accepted\nOK {4}claude: 2\./);
      assert.doesNotMatch(stdout, /FAIL/);
    });

    it(`finds what is wrong, and leaves no secret in it, on ${runtime}`, async (t) => {
      const place = await makePlace(t);
      const { env } = await startUpstream(t, () => ({ steps: [{ text: "Hi." }] }));
      await mkdir(join(place.project, ".claude"));
      await writeFile(
        join(place.project, ".claude/settings.json"),
        '{"env":{"ANTHROPIC_BASE_URL":"https://x.example"}}',
      );
      const { port } = await startServe(t, { place });
      const wrong = { ...env, NVIDIA_API_KEY: "secret-9", ANTHROPIC_API_KEY: "secret-8" };
      const args = ["doctor", "--json", "--port", port];
      const { code, stdout } = await startArbiter(t, args, { place, runtime, env: wrong }).ended;
      assert.equal(code, 1);
      assert.doesNotMatch(stdout, /secret/);
      const { ok, findings } = JSON.parse(stdout);
      assert.equal(ok, false);
      const states = Object.fromEntries(findings.map(({ check, state }: Record<string, string>) => [check, state]));
      const { model, port: taken, environment, "claude settings": settings } = states;
      assert.deepEqual([model, taken, environment, settings], ["FAIL", "WARN", "WARN", "FAIL"]);
    });
  }

  it("tells a host that is not there, with what to do", async (t) => {
    const env = { NVIDIA_BASE_URL: "https://nowhere.invalid/v1", NVIDIA_API_KEY: "k" };
    const { code, stdout } = await startArbiter(t, ["doctor"], { place: await makePlace(t), env }).ended;
    assert.equal(code, 1);
    assert.match(stdout, /FAIL {2}upstream: its name is unknown \(\w+\)\. Check the network and the address\./);
  });
});
