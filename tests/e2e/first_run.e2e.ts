/** The first run in a real terminal: key, menu, Claude Code; and the later ones, which ask nothing. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { delimiter, join } from "node:path";
import process from "node:process";
import { describe, it, type TestContext } from "node:test";
import { createStandIn } from "../../mod.ts";
import {
  makeKnownPlace,
  makePlace,
  type Place,
  type Runtime,
  startArbiter,
  startUpstream,
  toArbiter,
} from "./support.ts";
import { startTerminal, type Terminal } from "./terminal.ts";

const RUNTIMES: Runtime[] = ["node", "deno", "bun"];
const KEY = "nvapi-secret-0123456789";
const GOOD = "nvidia/nemotron-3-super-120b-a12b";
const GONE = "z-ai/glm-5.1";
const OTHER = "openai/gpt-oss-120b";

/** Stands in for Claude Code: tells its model, and what is typed into it. */
const FAKE_CLAUDE = `#!/usr/bin/env node
process.stdout.write("Claude Code with " + process.env.ANTHROPIC_MODEL + "\\n");
process.stdin.once("data", (line) => {
  process.stdout.write("typed: " + line + "\\n", () => process.exit(42));
});
`;

/** A place with an upstream that is not this machine's by its address, so that it needs a key, and a `claude`. */
async function prepare(t: TestContext): Promise<{ place: Place; env: Record<string, string>; calls: string[] }> {
  const place = await makePlace(t);
  const calls: string[] = [];
  const answer = { steps: [{ text: "Yes." }] };
  const gone = { status: 410, body: { detail: "The model has reached its end of life on 2026-07-02" } };
  const models = { [GOOD]: () => answer, [GONE]: () => gone, [OTHER]: () => answer, "owner/own": () => answer };
  const standIn = createStandIn({ models, apiKey: KEY });
  const server = createServer(async (incoming, outgoing) => {
    let body = "";
    for await (const piece of incoming.setEncoding("utf8")) body += piece;
    if (body) calls.push(JSON.parse(body).model);
    const { authorization = "" } = incoming.headers;
    const init = { method: incoming.method!, headers: { authorization }, ...(body ? { body } : {}) };
    const response = await standIn.fetch(`http://localhost${incoming.url}`, init);
    outgoing.writeHead(response.status, Object.fromEntries(response.headers)).end(await response.text());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const nvidia = { baseUrl: `http://0.0.0.0:${port}/v1`, apiKeyEnv: "NVIDIA_API_KEY" };
  // Named by the user: a file that is merely there sends no key to a host nobody knows.
  const config = join(place.project, "arbiter.json");
  await writeFile(config, JSON.stringify({ backends: { nvidia } }));
  const bin = join(place.home, "bin");
  await mkdir(bin);
  await writeFile(join(bin, "claude"), FAKE_CLAUDE);
  await chmod(join(bin, "claude"), 0o755);
  const PATH = [bin, process.env.PATH].join(delimiter);
  return {
    place,
    env: { PATH, ARBITER_CONFIG: config, ARBITER_FALLBACK_MODELS: `${GONE},${OTHER}`, ARBITER_PORT: "0" },
    calls,
  };
}

/** What Arbiter keeps in a home, other than the folder in which running proxies are noted. */
async function findFiles({ home }: Place): Promise<string[]> {
  const paths = await readdir(home, { recursive: true });
  return paths.filter((path) => /arbiter\/(?!run$)[^/]+$/.test(path)).sort();
}

async function answerKey(terminal: Terminal, keep: string): Promise<void> {
  await terminal.see("Key (it is not shown");
  terminal.type(`${KEY}\r`);
  await terminal.see("[y/N]");
  terminal.type(keep);
}

const toCode = (runtime: Runtime) => toArbiter(runtime, ["code"]);

describe("the first run", { concurrency: 2, timeout: 120_000 }, () => {
  for (const runtime of RUNTIMES) {
    it(`asks for the key and the model, a later one for nothing, on ${runtime}`, async (t) => {
      const { place, env, calls } = await prepare(t);
      const first = startTerminal(t, toCode(runtime), { place, env });
      await first.see("Key (it is not shown");
      first.type("nvapi-wrong\r");
      await first.see(/cannot be used.*refuses it/);
      assert.match(first.read(), /^That key/m);
      await answerKey(first, "y\r");
      await first.see("Which model");
      await first.see(/^> 1 \[OK \] +nvidia\/nemotron-3-super-120b-a12b +default, \d+ ms/m);
      await first.see(/\[FAIL\] +z-ai\/glm-5.1 +gone since 2026-07-02, try z-ai\/glm-5.2/);
      await first.see(/\[OK \] +openai\/gpt-oss-120b/);
      assert.doesNotMatch(first.read(), /nvapi/);
      first.resize(40);
      await first.see(/^ {2}2 \[FAIL\] z-ai\/glm-5.1\n {11}gone since 2026-07-02, try…?/m);
      assert.match(first.read(), /^Which model[^]*^> 1 \[OK \] {2}…[^]*^Enter chooses, Del removes, Esc leaves$/m);
      first.resize(100);
      first.type("oss");
      await first.see("Filter: oss");
      assert.doesNotMatch(first.read(), /glm/);
      first.type("\r");
      await first.see(`Claude Code with ${OTHER}`);
      assert.doesNotMatch(first.read(), /nvapi/);
      first.type("hello\r");
      await first.see("typed: hello");
      assert.equal(await first.ended, 42);
      const [keyFile, choice] = [".config/arbiter/.env", ".local/state/arbiter/choice.json"];
      assert.equal(await readFile(join(place.home, keyFile), "utf8"), `NVIDIA_API_KEY=${KEY}\n`);
      assert.equal((await stat(join(place.home, keyFile))).mode & 0o777, 0o600);
      assert.deepEqual(await findFiles(place), [keyFile, choice, ".local/state/arbiter/lessons.json"]);

      const count = calls.length;
      const later = startTerminal(t, toCode(runtime), { place, env });
      await later.see(`Claude Code with ${OTHER}`);
      assert.doesNotMatch(later.read(), /Key|Which model/);
      assert.equal(calls.length, count);
      later.type("again\r");
      assert.equal(await later.ended, 42);
    });

    it(`writes nothing that nobody wants kept, and nothing when it is left, on ${runtime}`, async (t) => {
      const { place, env } = await prepare(t);
      for (const [prompt, answers] of [["Key (it", []], ["[y/N]", [`${KEY}\r`]]] as const) {
        const terminal = startTerminal(t, toCode(runtime), { place, env });
        await terminal.see("Key (it");
        for (const answer of answers) terminal.type(answer);
        await terminal.see(prompt);
        terminal.type("\x03");
        assert.equal(await terminal.ended, 130);
        // What is known of models is no choice of the user's.
        assert.deepEqual((await findFiles(place)).filter((path) => !path.endsWith("lessons.json")), []);
      }
      for (const key of ["\x03", "\x1b"]) {
        const terminal = startTerminal(t, toCode(runtime), { place, env });
        await answerKey(terminal, "\r");
        await terminal.see("Which model");
        terminal.type(key);
        assert.equal(await terminal.ended, 130);
        assert.deepEqual((await findFiles(place)).filter((path) => !path.endsWith("lessons.json")), []);
      }
      const terminal = startTerminal(t, toCode(runtime), { place, env });
      await answerKey(terminal, "\r");
      await terminal.see("Which model");
      terminal.type("\r");
      await terminal.see(/Claude Code with nvidia\S+super/);
      assert.doesNotMatch(terminal.read(), /nvapi/);
      assert.ok(!(await findFiles(place)).includes(".config/arbiter/.env"));
      terminal.type("\r");
      assert.equal(await terminal.ended, 42);
    });
  }

  for (const runtime of RUNTIMES) {
    it(`is left while the key is being tried, too, on ${runtime}`, async (t) => {
      const place = await makePlace(t);
      const silent = createServer().listen(0, "127.0.0.1");
      await once(silent, "listening");
      t.after(() => {
        silent.closeAllConnections();
        silent.close();
      });
      const tried = once(silent, "request");
      const { port } = silent.address() as AddressInfo;
      const nvidia = { baseUrl: `http://0.0.0.0:${port}/v1`, apiKeyEnv: "NVIDIA_API_KEY" };
      await writeFile(join(place.project, "own.json"), JSON.stringify({ backends: { nvidia } }));
      const terminal = startTerminal(t, toCode(runtime), { place, env: { ARBITER_CONFIG: "own.json" } });
      await terminal.see("Key (it is not shown");
      terminal.type(`${KEY}\r`);
      await tried;
      terminal.type("\x03");
      assert.equal(await terminal.ended, 130);
      assert.doesNotMatch(terminal.read(), /y\/N|nvapi/);
    });
  }

  it("takes any id, and keeps it in the list", async (t) => {
    const { place, env } = await prepare(t);
    const own = { ...env, NVIDIA_API_KEY: KEY };
    const terminal = startTerminal(t, toCode("node"), { place, env: own });
    await terminal.see("Which model");
    terminal.type("\x1b[F\r");
    await terminal.see("Model id");
    terminal.type("https://build.nvidia.com/owner/own\r");
    await terminal.see("Claude Code with owner/own");
    terminal.type("\r");
    assert.equal(await terminal.ended, 42);
    const again = startTerminal(t, toArbiter("node", ["init"]), { place, env: own });
    await again.see(/> \d \[OK \] +owner\/own +default/);
    again.type("1\r");
    assert.equal(await again.ended, 0);
    const choice = JSON.parse(await readFile(join(place.home, ".local/state/arbiter/choice.json"), "utf8"));
    assert.deepEqual(choice.added, ["owner/own"]);
    assert.match(again.read(), /From now on the model is owner\/own\./);
    const backends = { nvidia: { ...JSON.parse(await readFile(env.ARBITER_CONFIG!, "utf8")).backends.nvidia } };
    backends.nvidia.defaultModel = OTHER;
    await writeFile(env.ARBITER_CONFIG!, JSON.stringify({ backends }));
    const vain = startTerminal(t, toArbiter("node", ["init"]), { place, env: own });
    await vain.see(/owner\/own/);
    vain.type("own\r");
    assert.equal(await vain.ended, 0);
    await vain.see(`The model is still ${OTHER}, not owner/own: a flag`);
    const { stdout } = await startArbiter(t, ["reset"], { place, env: own }).ended;
    assert.match(stdout, /^Forgot the choice of /m);
    assert.ok(!(await findFiles(place)).some((path) => path.endsWith("choice.json")));
  });

  it("asks in plain lines where the terminal can do no more", async (t) => {
    const { place, env } = await prepare(t);
    const command = ["env", "TERM=dumb", ...toCode("node")];
    const terminal = startTerminal(t, command, { place, env: { ...env, NVIDIA_API_KEY: KEY } });
    await terminal.see("Number, id or address");
    assert.match(terminal.read(), /2 \[FAIL\] z-ai\/glm-5.1/);
    terminal.type("9\r");
    await terminal.see("That is no number");
    terminal.type("3\r");
    await terminal.see(`Claude Code with ${OTHER}`);
    terminal.type("\r");
    assert.equal(await terminal.ended, 42);
  });

  it("asks nothing without a terminal, with --yes and with --demo", async (t) => {
    const { place, env } = await prepare(t);
    const piped = await startArbiter(t, ["code"], { place, env }).ended;
    assert.equal(piped.code, 2);
    assert.match(piped.stderr, /No API key/);
    const yes = startTerminal(t, toArbiter("node", ["--yes"]), { place, env: { ...env, NVIDIA_API_KEY: KEY } });
    await yes.see(/Claude Code with nvidia\S+super/);
    const demo = startTerminal(t, toArbiter("node", ["--demo"]), { place, env });
    await demo.see("Claude Code with arbiter/demo-model");
    assert.deepEqual(await findFiles(place), []);
  });
});

describe("from the menu to a session of the real Claude Code", { timeout: 120_000 }, () => {
  for (const runtime of RUNTIMES) {
    it(`everything that is typed reaches it, and /model has what was chosen, on ${runtime}`, async (t) => {
      const place = await makeKnownPlace(t);
      const answer = ({ model }: { model: string }) => ({ steps: [{ text: `I am ${model}.` }] });
      const { env } = await startUpstream(t, answer, { models: [GOOD, OTHER] });
      const own = { ...env, ARBITER_MODEL: "", ARBITER_FALLBACK_MODELS: OTHER };
      const terminal = startTerminal(t, toArbiter(runtime, ["code", "--port", "0"]), { place, env: own });
      await terminal.see(/2 \[OK \]/);
      terminal.type("2\r");
      await terminal.see("auto mode on");
      const question = "Explain in one sentence how the login works here";
      for (const letter of question) terminal.type(letter);
      await terminal.see(new RegExp(`❯\\s${question}`));
      terminal.type("\r");
      await terminal.see(`I am ${OTHER}.`);
      terminal.type("/model");
      await terminal.see(/\/model +\S/);
      terminal.type("\r");
      await terminal.see("Select model");
      await terminal.see(OTHER);
      terminal.type("\x1b");
      await terminal.see("auto mode on");
      terminal.type("\x03");
      await terminal.see(/Ctrl-C again/);
      terminal.type("\x03");
      assert.equal(await terminal.ended, 0);
    });
  }
});

describe("probe", { timeout: 60_000 }, () => {
  for (const runtime of RUNTIMES) {
    it(`tells which models answer, on ${runtime}`, async (t) => {
      const { place, env } = await prepare(t);
      const own = { ...env, NVIDIA_API_KEY: KEY, ARBITER_RATE_LIMIT: "0" }; // All of the roster at once.
      const run = (args: string[], more = {}) =>
        startArbiter(t, ["probe", ...args], { place, runtime, env: { ...own, ...more } }).ended;
      const found = await run([]);
      assert.equal(found.code, 0, found.stderr);
      assert.match(found.stdout, /^\[OK \] {2}nvidia\/nemotron-3-super-120b-a12b +\d+ ms$/m);
      assert.match(found.stdout, /^\[FAIL\] z-ai\/glm-5.1 +gone since 2026-07-02, try z-ai\/glm-5.2$/m);
      assert.match(found.stdout, /^\[FAIL\] minimaxai\/minimax-m3 .*$/m);
      assert.match((await run([])).stdout, /^\[FAIL\] minimaxai\/minimax-m3 .* 1 min ago$/m);
      const wrong = await run([], { NVIDIA_API_KEY: "wrong" });
      assert.equal(wrong.code, 1);
      assert.match(wrong.stdout, /^\[FAIL\] .* wrong key$/m);
      const none = await run([], { NVIDIA_API_KEY: "" });
      assert.equal(none.code, 1);
      assert.match(none.stdout, /^\[\?{4}\] .* no key: set NVIDIA_API_KEY$/m);
      assert.match(none.stderr, /^No API key: get a free one/m);
      const skipped = await run([], { SKIP_NIM_CHECK: "1" });
      assert.equal(skipped.code, 0);
      assert.match(skipped.stdout, /^\[SKIP\] /m);
      const [one] = JSON.parse((await run(["--json"])).stdout);
      assert.deepEqual({ ...one, ms: 0 }, { model: GOOD, state: "ok", ms: 0, reason: "" });
      assert.equal((await run(["--demo"])).code, 0);
      const terminal = startTerminal(t, toArbiter(runtime, ["probe"]), { place, env: own, rows: 100 });
      assert.equal(await terminal.ended, 0);
      await terminal.see(/^\[OK \] .*\n\[FAIL\] .*\n\[OK \] /m);
      assert.equal(terminal.read().match(/glm-5.1/g)?.length, 1);
    });
  }
});
