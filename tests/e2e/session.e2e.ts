/** Sessions of the real Claude Code through Arbiter; the upstream is scripted, everything else is as users have it. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { existsSync } from "node:fs";
import { chmod, readFile, realpath, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { describe, it, type TestContext } from "node:test";
import { type ChatRequest, type ChatToolCall, type ScriptedAnswer, serve, type Step } from "../../mod.ts";
import {
  type Ended,
  makePlace,
  ROOT,
  type SessionOptions,
  startArbiter,
  type StartOptions,
  startProgram,
  startSession,
  startUpstream,
  toResult,
  toText,
} from "./support.ts";

/** Sessions mostly wait for each other's silence, so that more of them than cores can be on their way. */
const OPTIONS = { concurrency: 4, timeout: 180_000 };
const RUNTIMES = ["node", "deno", "bun"] as const;
const DONE = { steps: [{ text: "All done." }] };

const PACKAGES = join(ROOT, "tests/e2e/node_modules");
/** The oldest runtimes on which all of it works, for Linux on x64 only. */
const OLDEST = {
  Node: [join(PACKAGES, "node-oldest-linux-x64/bin/node"), join(ROOT, "dist/cli.js")],
  Deno: [join(PACKAGES, "@deno/linux-x64-glibc/deno"), "run", "-A", join(ROOT, "cli.ts")],
  Bun: [join(PACKAGES, "@oven/bun-linux-x64/bin/bun"), join(ROOT, "cli.ts")],
};

/** The tool calls in the history of a request, in order. */
function toCalls({ messages }: ChatRequest): ChatToolCall[] {
  return messages.flatMap((message) => message.role === "assistant" ? message.tool_calls ?? [] : []);
}

/** The results of tools in a request, in order. */
function toToolResults({ messages }: ChatRequest): string[] {
  return messages.filter(({ role }) => role === "tool").map(toText);
}

/** Makes a place with node and npx on PATH, but no claude; npx finds the one installed in the home folder. */
async function makePlaceWithoutClaude(t: TestContext): Promise<StartOptions> {
  const { home, project } = await makePlace(t);
  const programs = { node: process.execPath, npx: join(dirname(process.execPath), "npx"), sh: "/bin/sh" };
  for (const [name, path] of Object.entries(programs)) await symlink(await realpath(path), join(home, name));
  // npx must not look into the project: who wrote that would choose the program.
  for (const name of ["package.json", "node_modules"]) await symlink(join(ROOT, "tests/e2e", name), join(home, name));
  return { place: { home, project }, env: { PATH: home, npm_config_offline: "true" } };
}

describe("a session of Claude Code", OPTIONS, () => {
  for (const runtime of RUNTIMES) {
    it(`creates a file with the content the model wrote, on ${runtime}`, async (t) => {
      const place = await makePlace(t);
      const path = join(place.project, "notes.txt");
      const content = 'Line one: "ä", 日本 🎉\n\tline \\n two\n';
      const call = { name: "Write", arguments: { file_path: path, content }, id: "call-1" };
      const upstream = await startUpstream(t, (_request, turn) => {
        return turn === 0 ? { steps: [{ reasoning: "A file." }, { text: "I write it." }, { calls: [call] }] } : DONE;
      });
      const ended = await startSession(t, "Create the notes", { place, runtime, env: upstream.env }).ended;
      assert.equal(ended.code, 0, ended.stderr);
      assert.equal(await readFile(path, "utf8"), content);
      assert.equal(toResult(ended), "All done.");
      const [first, second, ...others] = upstream.requests;
      assert.deepEqual(others, []);
      assert.ok(first?.messages.some((message) => toText(message).includes("Create the notes")));
      assert.deepEqual(toCalls(second!).map((made) => JSON.parse(made.function.arguments)), [call.arguments]);
      assert.match(toToolResults(second!).join(), /created successfully/);
    });
  }

  for (const [name, command] of Object.entries(OLDEST)) {
    const skip = !process.env.CI && !existsSync(command[0]!) && `${name} is not here`;
    it(`takes place on the oldest ${name} that is supported`, { skip }, async (t) => {
      await chmod(command[0]!, 0o755); // Deno's package leaves that to its installer.
      const place = await makePlace(t);
      const path = join(place.project, "notes.txt");
      const call = { name: "Write", arguments: { file_path: path, content: "Notes" } };
      const answers: ScriptedAnswer[] = [{ steps: [{ text: "I beg" }, { stop: "cut" }] }, {
        steps: [{ calls: [call] }],
      }];
      const upstream = await startUpstream(t, (_request, turn) => answers[turn] ?? DONE);
      const args = ["code", "--port", "0", "--", "-p", "Create the notes", "--dangerously-skip-permissions"];
      const env = { ...upstream.env, IS_SANDBOX: "1" };
      const { code, stdout, stderr } = await startProgram(t, [...command, ...args], { place, env }).ended;
      assert.equal(code, 0, stderr);
      assert.match(stdout, /All done\./);
      assert.doesNotMatch(stderr, /too old/);
      assert.equal(await readFile(path, "utf8"), "Notes");
    });
  }

  const silences: Record<string, { delay?: number; steps?: Step[] }> = {
    "before its headers": { delay: 30_000 },
    "after its headers": { steps: [{ wait: 30_000 }] },
  };
  for (const [when, { delay = 0, steps = [] }] of Object.entries(silences)) {
    it(`outlasts an upstream that is silent for 30 seconds ${when}`, async (t) => {
      const place = await makePlace(t);
      const upstream = await startUpstream(t, () => ({ delay, steps: [...steps, { text: "Here at last." }] }));
      const begin = Date.now();
      const ended = await startSession(t, "Think hard", { place, env: upstream.env, limit: 90_000 }).ended;
      assert.equal(ended.code, 0, ended.stderr);
      assert.equal(toResult(ended), "Here at last.");
      assert.equal(upstream.requests.length, 1);
      assert.ok(Date.now() - begin >= 30_000);
    });
  }

  it("runs all tool calls of one answer and gives the results back in the order of the calls", async (t) => {
    const place = await makePlace(t);
    const toPath = (name: string) => join(place.project, name);
    // Claude Code gives the failure first: it is there first.
    const calls = [
      { name: "Bash", arguments: { command: "echo one" }, id: "call-1" },
      { name: "Read", arguments: { file_path: toPath("missing.txt") }, id: "call-2" },
      { name: "Write", arguments: { file_path: toPath("three.txt"), content: "three" }, id: "call-3" },
      { name: "Write", arguments: { file_path: toPath("four.txt"), content: "four" }, id: "call-4" },
    ];
    const upstream = await startUpstream(t, (_request, turn) => turn === 0 ? { steps: [{ calls }] } : DONE);
    const ended = await startSession(t, "Do four things", { place, env: upstream.env }).ended;
    assert.equal(ended.code, 0, ended.stderr);
    assert.equal(await readFile(toPath("three.txt"), "utf8"), "three");
    assert.equal(await readFile(toPath("four.txt"), "utf8"), "four");
    const { messages } = upstream.requests[1]!;
    const made = toCalls(upstream.requests[1]!);
    const answered = messages.flatMap((message) => message.role === "tool" ? [message.tool_call_id] : []);
    assert.deepEqual(made.map((call) => call.function.name), ["Bash", "Read", "Write", "Write"]);
    assert.deepEqual(answered, made.map(({ id }) => id));
    const [one, two, three, four] = toToolResults(upstream.requests[1]!);
    assert.equal(one, "one");
    assert.match(two!, /does not exist/);
    assert.match(three!, /three\.txt/);
    assert.match(four!, /four\.txt/);
  });

  it("creates a file through a call that Kimi leaked into the middle of its reasoning", async (t) => {
    const place = await makePlace(t);
    const path = join(place.project, "notes.txt");
    const written = JSON.stringify({ file_path: path, content: "One <|tool_call_end|> two\n" });
    const reasoning = "The user wants notes.<|tool_calls_section_begin|><|tool_call_begin|>functions.Write:0" +
      `<|tool_call_argument_begin|>${written}<|tool_call_end|><|tool_calls_section_end|>`;
    const decide = (_request: ChatRequest, turn: number) => turn === 0 ? { steps: [{ reasoning, size: 7 }] } : DONE;
    const upstream = await startUpstream(t, decide, { models: ["moonshotai/kimi-k2.6"] });
    const ended = await startSession(t, "Create the notes", { place, env: upstream.env }).ended;
    assert.equal(ended.code, 0, ended.stderr);
    assert.equal(await readFile(path, "utf8"), "One <|tool_call_end|> two\n");
    assert.equal(toResult(ended), "All done.");
    const [call, ...others] = toCalls(upstream.requests[1]!);
    assert.equal(call?.id, "functions.Write:0");
    assert.deepEqual(others, []);
  });

  it("hands work to a subagent and gets its answer", async (t) => {
    const place = await makePlace(t);
    const prompt = "Which word follows ping?";
    const upstream = await startUpstream(t, ({ messages }, turn) => {
      const asked = messages.filter(({ role }) => role === "user").some((message) => toText(message).includes(prompt));
      if (asked) return { steps: [{ text: "The word is pong." }] };
      const input = { description: "Find a word", prompt, subagent_type: "general-purpose", run_in_background: false };
      return turn === 0 ? { steps: [{ calls: [{ name: "Agent", arguments: input }] }] } : DONE;
    });
    const ended = await startSession(t, "Ask somebody else", { place, env: upstream.env }).ended;
    assert.equal(ended.code, 0, ended.stderr);
    assert.equal(toResult(ended), "All done.");
    assert.equal(upstream.requests.length, 3);
    assert.match(toToolResults(upstream.requests[2]!).join(), /The word is pong\./);
  });

  /** Has the model read a picture; gives what it was shown. */
  async function readPicture(t: TestContext, model: string): Promise<{ picture: string; request: ChatRequest }> {
    const place = await makePlace(t);
    const path = join(place.project, "dot.png");
    const picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
    await writeFile(path, Buffer.from(picture, "base64"));
    const calls = [{ name: "Read", arguments: { file_path: path } }];
    const decide = (_request: ChatRequest, turn: number) => turn === 0 ? { steps: [{ calls }] } : DONE;
    const upstream = await startUpstream(t, decide, { models: [model] });
    const ended = await startSession(t, "Look at dot.png", { place, env: upstream.env }).ended;
    assert.equal(ended.code, 0, ended.stderr);
    assert.equal(upstream.requests.length, 2);
    return { picture, request: upstream.requests[1]! };
  }

  it("shows a picture to a model that can see", async (t) => {
    const { picture, request } = await readPicture(t, "moonshotai/kimi-k2.6");
    const parts = request.messages.flatMap(({ content }) => Array.isArray(content) ? content : []);
    const urls = parts.flatMap((part) => part.type === "image_url" ? [part.image_url.url] : []);
    assert.deepEqual(urls, [`data:image/png;base64,${picture}`]);
  });

  it("tells a model that cannot see that there was a picture", async (t) => {
    const { request } = await readPicture(t, "openai/gpt-oss-120b");
    assert.doesNotMatch(JSON.stringify(request.messages), /image_url|base64/);
    assert.match(toToolResults(request).join(), /image.*cannot see/is);
  });

  it("survives an answer that breaks off in the middle of a sentence", async (t) => {
    const place = await makePlace(t);
    const upstream = await startUpstream(t, (_request, turn) => ({
      // The text needs a moment to get through before the connection breaks.
      steps: turn === 0 ? [{ text: ["Half of a"] }, { wait: 500 }, { stop: "cut" }] : [{ text: "The whole answer." }],
    }));
    const ended = await startSession(t, "Answer me", { place, env: upstream.env, partial: true }).ended;
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(ended.stdout, /"Half of a"/);
    assert.equal(toResult(ended), "The whole answer.");
    assert.equal(upstream.requests.length, 2);
  });

  it("does not notice that its model is throttled, the next one degraded and the one after that gone", async (t) => {
    const place = await makePlace(t);
    const models = ["test/throttled", "test/degraded", "test/gone", "test/steady"];
    const failures: Record<string, ScriptedAnswer> = {
      "test/throttled": { status: 429, body: { status: 429, title: "Too Many Requests" } },
      "test/degraded": { status: 400, body: { detail: "Function id 'f0': DEGRADED function cannot be invoked" } },
      "test/gone": { status: 410, body: { detail: "The model has reached its end of life on 2026-05-14T00:00:00Z" } },
    };
    const file_path = join(place.project, "made.txt");
    const calls = [{ name: "Write", arguments: { file_path, content: "made" } }];
    const upstream = await startUpstream(
      t,
      (request) => failures[request.model] ?? (toToolResults(request).length === 0 ? { steps: [{ calls }] } : DONE),
      { models },
    );
    const ended = await startSession(t, "Make a file", { place, env: upstream.env }).ended;
    assert.equal(ended.code, 0, ended.stderr);
    assert.equal(toResult(ended), "All done.");
    assert.equal(await readFile(file_path, "utf8"), "made");
    // Those that failed are left alone for a while.
    assert.deepEqual(upstream.requests.map(({ model }) => model), [...models, "test/steady"]);
  });

  it("goes on with another model when an answer breaks off in the middle of a tool call", async (t) => {
    const place = await makePlace(t);
    const models = ["test/breaks", "test/steady"];
    const file_path = join(place.project, "made.txt");
    const half = [[{ index: 0, id: "a", function: { name: "Write", arguments: '{"file_path": "' } }]];
    const calls = [{ name: "Write", arguments: { file_path, content: "made" } }];
    const upstream = await startUpstream(t, (request, turn) => {
      if (turn === 0) return { steps: [{ text: ["Writing."] }, { deltas: half }, { wait: 500 }, { stop: "cut" }] };
      return toToolResults(request).length === 0 ? { steps: [{ calls }] } : DONE;
    }, { models });
    const ended = await startSession(t, "Make a file", { place, env: upstream.env }).ended;
    assert.equal(ended.code, 0, ended.stderr);
    assert.equal(toResult(ended), "All done.");
    assert.equal(await readFile(file_path, "utf8"), "made");
    assert.deepEqual(upstream.requests.slice(0, 2).map(({ model }) => model), models);
  });

  for (const [when, delay] of [["at once", 0], ["after the stream to the client has begun", 9_000]] as const) {
    it(`compacts the conversation when every model finds it too long, ${when}`, async (t) => {
      const place = await makePlace(t);
      const message =
        "This model's maximum context length is 32768 tokens. However, your request has 40000 input tokens.";
      const calls = [{ name: "Bash", arguments: { command: "echo one", description: "Say one" } }];
      let summaries = 0;
      const upstream = await startUpstream(t, (request) => {
        const words = JSON.stringify(request.messages);
        if (words.includes("Respond with TEXT ONLY")) {
          summaries++;
          return { steps: [{ text: "<summary>The user wants an answer.</summary>" }] };
        }
        if (words.includes("session is being continued")) return DONE;
        if (toToolResults(request).length === 0) return { steps: [{ calls }] };
        const failure = { status: 400, body: { error: { message, type: "BadRequestError", code: 400 } } };
        return request.stream && request.model === "test/one" ? { delay, ...failure } : failure;
      }, { models: ["test/one", "test/two"] });
      const ended = await startSession(t, "Answer me", { place, env: upstream.env }).ended;
      assert.equal(ended.code, 0, ended.stdout + ended.stderr);
      assert.equal(toResult(ended), "All done.");
      assert.equal(summaries, 1);
    });
  }

  it("gets an answer as a whole when it asks for one after an error in the stream", async (t) => {
    const place = await makePlace(t);
    const error = { message: "This request cannot be served", code: 400 };
    const upstream = await startUpstream(t, ({ stream }) => ({
      // An error this late finds the stream to the client open.
      steps: stream ? [{ wait: 10_000 }, { chunk: { error } }] : [{ text: "In one piece." }],
    }));
    const ended = await startSession(t, "Answer me", { place, env: upstream.env }).ended;
    assert.equal(ended.code, 0, ended.stderr);
    assert.equal(toResult(ended), "In one piece.");
    assert.deepEqual(upstream.requests.map(({ stream }) => stream), [true, undefined]);
  });

  it("ends soon and names the variable when the upstream refuses the key", async (t) => {
    const place = await makePlace(t);
    const upstream = await startUpstream(t, () => DONE);
    const env = { ...upstream.env, NVIDIA_API_KEY: "wrong-key" };
    const { code, stdout, stderr } = await startSession(t, "Hello", { place, env, limit: 20_000 }).ended;
    assert.equal(code, 1, stdout + stderr);
    assert.match(stdout + stderr, /NVIDIA_API_KEY/);
    assert.doesNotMatch(stdout + stderr, /wrong-key/);
  });

  /** Ends a session that waits for its upstream, and looks for what is left of it. */
  async function endWaiting(t: TestContext, signal: "SIGTERM" | "SIGINT", options: SessionOptions): Promise<Ended> {
    let onAsked = () => {};
    const asked = new Promise<void>((resolve) => onAsked = resolve);
    const upstream = await startUpstream(t, () => {
      onAsked();
      return { steps: [{ wait: Infinity }] };
    });
    const env = { ...upstream.env, ...options.env };
    const running = startSession(t, "Wait for it", { ...options, env, limit: 30_000 });
    await Promise.race([asked, running.ended]);
    assert.equal(running.signalGroup(0), true, "The session should be waiting");
    // A terminal sends Ctrl-C to everybody; all else is for Arbiter to pass on.
    if (signal === "SIGINT") running.signalGroup(signal);
    else running.signal(signal);
    const ended = await running.ended;
    assert.doesNotMatch(ended.stderr, /killed after/, "A process was left");
    assert.equal(running.signalGroup(0), false, "A process was left");
    const [url = ""] = /http:\/\/127\.0\.0\.1:\d+/.exec(ended.stderr) ?? [];
    await assert.rejects(fetch(`${url}/health`), TypeError);
    await upstream.left;
    return ended;
  }

  for (const runtime of RUNTIMES) {
    for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 0]] as const) {
      it(`ends with ${signal} as Claude Code alone does and leaves nothing behind, on ${runtime}`, async (t) => {
        const ended = await endWaiting(t, signal, { place: await makePlace(t), runtime });
        assert.equal(ended.code, code, ended.stderr);
      });
    }
  }

  it("ends with SIGTERM and leaves nothing behind when it was started through npx", async (t) => {
    const { code, stderr } = await endWaiting(t, "SIGTERM", await makePlaceWithoutClaude(t));
    assert.equal(code, 143, stderr);
  });

  it("needs neither a key nor an upstream with --demo", async (t) => {
    const place = await makePlace(t);
    const prompt = 'Create a file hello.txt with the content "Good morning"';
    const ended = await startSession(t, prompt, { place, flags: ["--demo", "--yes"] }).ended;
    assert.equal(ended.code, 0, ended.stderr);
    assert.equal(await readFile(join(place.project, "hello.txt"), "utf8"), "Good morning\n");
    assert.match(toResult(ended), /^Done\./);
  });

  it("takes place on a free port when the one asked for is taken, which is said", async (t) => {
    const place = await makePlace(t);
    const other = await serve(() => new Response("somebody else"));
    t.after(() => other.close());
    const flags = ["--demo", "--port", String(other.port)];
    const ended = await startSession(t, "Who are you?", { place, flags }).ended;
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(ended.stderr, new RegExp(`${other.port} is taken.*free`));
    assert.match(toResult(ended), /demo model/);
  });
});

describe("the command line", OPTIONS, () => {
  it("passes the exit code and the words of Claude Code on", async (t) => {
    const place = await makePlace(t);
    const args = ["--no-such-flag"];
    const through = await startArbiter(t, ["code", "--port", "0", "--demo", "--", ...args], { place }).ended;
    const direct = await startProgram(t, ["claude", ...args], { place }).ended;
    assert.notEqual(direct.code, 0);
    assert.equal(through.code, direct.code);
    assert.ok(through.stderr.includes(direct.stderr.trim()), through.stderr);
  });

  for (const runtime of RUNTIMES) {
    it(`remembers what a model has taught, shows it and forgets it, on ${runtime}`, async (t) => {
      const place = await makePlace(t);
      const refusal = { status: 400, body: { detail: "max_tokens must be less than or equal to 4096" } };
      const upstream = await startUpstream(t, ({ max_tokens }) => Number(max_tokens) > 4096 ? refusal : DONE);
      const run = (...args: string[]) =>
        startArbiter(t, args, { place, runtime, env: upstream.env, limit: 20_000 }).ended;
      const sizes = () => upstream.requests.map(({ max_tokens }) => max_tokens);
      assert.match((await run("models", "show")).stdout, /^No model has taught anything yet\.$/m);
      for (let i = 0; i < 2; i++) {
        const ended = await startSession(t, "Answer me", { place, runtime, env: upstream.env }).ended;
        assert.equal(toResult(ended), "All done.", ended.stderr);
      }
      assert.deepEqual(sizes(), [32_000, 4096, 4096]);
      assert.match((await run("models", "show")).stdout, /^test\/model gives at most 4096 tokens \(http/m);
      assert.match((await run("models", "show", "test/model")).stdout, /^taught +gives at most 4096 tokens$/m);
      assert.doesNotMatch((await run("models", "show", "owner/other")).stdout, /^taught/m);
      assert.equal((await run("models", "teach")).code, 2);
      assert.match((await run("reset")).stdout, /^Forgot what 1 model had taught/);
      assert.match((await run("models", "show")).stdout, /^No model/);
    });
  }

  it("explains itself with --help", async (t) => {
    const place = await makePlace(t);
    const { code, stdout, stderr } = await startArbiter(t, ["--help"], { place }).ended;
    assert.equal(code, 0);
    assert.match(stdout, /^Usage: arbiter-proxy/);
    assert.equal(stderr, "");
  });

  const mistakes: { name: string; args: string[]; says: RegExp }[] = [
    { name: "a missing key", args: ["code"], says: /NVIDIA_API_KEY/ },
    { name: "an unknown flag", args: ["code", "--no-such-flag"], says: /--no-such-flag[^]*--help/ },
    { name: "an unknown command", args: ["no-such-command"], says: /no-such-command[^]*--help/ },
    { name: "a bad value", args: ["serve", "--port", "http"], says: /--port[^]*http[^]*number/ },
  ];
  for (const runtime of RUNTIMES) {
    for (const { name, args, says } of mistakes) {
      it(`ends with 2 and a sentence for ${name}, on ${runtime}`, async (t) => {
        const place = await makePlace(t);
        const ended = await startArbiter(t, args, { place, runtime, limit: 20_000 }).ended;
        assert.equal(ended.code, 2, ended.stderr);
        assert.equal(ended.stdout, "");
        assert.match(ended.stderr, says);
        assert.doesNotMatch(ended.stderr, /^ +at /m, "A stack trace helps nobody");
      });
    }

    it(`ends with 1 and a sentence when the upstream cannot be reached, on ${runtime}`, async (t) => {
      const place = await makePlace(t);
      const gone = await serve(() => new Response());
      await gone.close();
      const env = { NVIDIA_BASE_URL: `${gone.url}/v1`, NVIDIA_API_KEY: "test-key" };
      const { code, stderr } = await startArbiter(t, ["code"], { place, runtime, env, limit: 20_000 }).ended;
      assert.equal(code, 1, stderr);
      assert.match(stderr, new RegExp(`Cannot reach ${gone.url}/v1`));
      assert.doesNotMatch(stderr, /^ +at /m, "A stack trace helps nobody");
    });

    it(`ends with 1 and a sentence when the port to serve on is taken, on ${runtime}`, async (t) => {
      const place = await makePlace(t);
      const other = await serve(() => new Response("somebody else"));
      t.after(() => other.close());
      const args = ["serve", "--demo", "--port", String(other.port)];
      const { code, stderr } = await startArbiter(t, args, { place, runtime, limit: 20_000 }).ended;
      assert.equal(code, 1, stderr);
      assert.match(stderr, new RegExp(`Port ${other.port} is taken`));
    });
  }

  it("says that the window of the model is too small for Claude Code", async (t) => {
    const place = await makePlace(t);
    const { env } = await startUpstream(t, () => DONE);
    for (const [context, told] of [[31_999, true], [32_000, false]] as const) {
      const config = { models: [{ id: "test/model", context }] };
      await writeFile(join(place.project, "arbiter.json"), JSON.stringify(config));
      const { code, stderr } = await startArbiter(t, ["code", "--port", "0", "--", "--version"], { place, env }).ended;
      assert.equal(code, 0);
      assert.equal(/Its window of 31999 tokens is too small/.test(stderr), told, stderr);
    }
  });

  it("says that Claude Code is not on PATH and runs it through npx", async (t) => {
    const args = ["code", "--port", "0", "--demo", "--yes", "--", "--version"];
    const { code, stdout, stderr } = await startArbiter(t, args, await makePlaceWithoutClaude(t)).ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /not on PATH.*npx/);
    assert.match(stdout, /^\d+\.\d+\.\d+ \(Claude Code\)/);
  });
});
