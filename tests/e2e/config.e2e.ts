/** Config files of users, read by the command line of Arbiter on each runtime. */
import assert from "node:assert/strict";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { CLAUDIA } from "../config/claudia.ts";
import {
  makePlace,
  type Place,
  ROOT,
  startArbiter,
  startProgram,
  startSession,
  startUpstream,
  toResult,
} from "./support.ts";

const RUNTIMES = ["node", "deno", "bun"] as const;

function writeConfig({ project }: Place, config: unknown, name = "arbiter.json"): Promise<void> {
  return writeFile(join(project, name), typeof config === "string" ? config : JSON.stringify(config));
}

/** A host for a config file, in place of the one in the environment. */
function toHost({ NVIDIA_BASE_URL }: Record<string, string>, defaultModel: string): object {
  return { baseUrl: NVIDIA_BASE_URL, apiKeyEnv: "HOST_KEY", defaultModel };
}

const echo = ({ model }: { model: string }) => ({ steps: [{ text: `I am ${model}.` }] });

describe("a config file", { concurrency: 3, timeout: 120_000 }, () => {
  for (const runtime of RUNTIMES) {
    it(`is read again when it has changed, and kept to when it is wrong, on ${runtime}`, async (t) => {
      const place = await makePlace(t);
      const upstream = await startUpstream(t, echo, { models: ["test/first", "test/second"] });
      const write = (defaultModel: string) =>
        writeConfig(place, { defaultBackend: "host", backends: { host: toHost(upstream.env, defaultModel) } });
      await write("test/first");
      const env = { HOST_KEY: "test-key" };
      const arbiter = startArbiter(t, ["serve", "--port", "0"], { place, runtime, env });
      const [, url] = await arbiter.wrote(/listening on (\S+)/);
      const ask = async () => {
        const messages = [{ role: "user", content: "Who are you?" }];
        const tools = [{ name: "Bash", input_schema: { type: "object" } }];
        const body = JSON.stringify({ model: "claude-sonnet-5", max_tokens: 100, messages, tools });
        return (await (await fetch(`${url}/v1/messages`, { method: "POST", body })).json()).content[0].text;
      };
      assert.equal(await ask(), "I am test/first.");
      await write("test/second");
      await arbiter.wrote(/Read \S+arbiter\.json again/);
      assert.equal(await ask(), "I am test/second.");
      await writeConfig(place, '{ "defaultBackend": "nowhere" }');
      await arbiter.wrote(/Kept the configuration as it was: [^]*arbiter\.json: defaultBackend: expected a backend/);
      assert.equal(await ask(), "I am test/second.");
      arbiter.signal("SIGTERM");
      assert.equal((await arbiter.ended).code, 0);
    });
  }

  it("of Claudia-Router's leads Claude Code to the models it names, unchanged", async (t) => {
    const place = await makePlace(t);
    const models = ["stepfun-ai/step-3.5-flash", "z-ai/glm4.7"];
    const { env, requests } = await startUpstream(t, echo, { models });
    const nvidia = { ...CLAUDIA.backends.nvidia, baseUrl: env.NVIDIA_BASE_URL };
    await writeConfig(place, { ...CLAUDIA, backends: { ...CLAUDIA.backends, nvidia } }, "config.json");
    const own = { NVIDIA_API_KEY: "test-key", ANTHROPIC_MODEL: "claude-3-5-sonnet-glm", CLAUDE_CODE_MAX_RETRIES: "0" };
    const ended = await startSession(t, "Who are you?", { place, env: own }).ended;
    assert.equal(ended.code, 0, ended.stderr);
    assert.equal(toResult(ended), "I am z-ai/glm4.7.");
    assert.deepEqual(requests[0]?.chat_template_kwargs, { enable_thinking: true, clear_thinking: false });
  });

  it("that is wrong ends with 2, its path and every mistake in it", async (t) => {
    const place = await makePlace(t);
    await writeConfig(place, '{ "port": "x", // no\n "backend": {} }');
    const { code, stderr } = await startArbiter(t, ["serve"], { place }).ended;
    assert.equal(code, 2);
    assert.match(stderr, /arbiter\.json: port: expected a whole number from 0 to 65535, got 'x'/);
    assert.match(stderr, /expected a known key \(did you mean 'backends'\?\), got 'backend'/);
    assert.doesNotMatch(stderr, /\bat .*:\d+:\d+/);
  });

  it("that is named but not there ends with 2", async (t) => {
    const env = { CLAUDIA_CONFIG: "absent.json" };
    const { code, stderr } = await startArbiter(t, ["models"], { place: await makePlace(t), env }).ended;
    assert.equal(code, 2);
    assert.match(stderr, /absent\.json: there is no such file/);
  });
});

it("a package redis that the current folder brings is not run", { timeout: 60_000 }, async (t) => {
  const place = await makePlace(t);
  // Beside this repository's own packages the folder's would never be looked for.
  const away = join(place.home, "away");
  await mkdir(away);
  for (const file of ["cli.js", "mod.js"]) await copyFile(join(ROOT, "dist", file), join(away, file));
  await writeFile(join(away, "package.json"), '{"type":"module"}');
  const theirs = join(place.project, "node_modules/redis");
  await mkdir(theirs, { recursive: true });
  await writeFile(join(theirs, "index.js"), 'console.error("the folder\'s redis runs");');
  const env = { ARBITER_STORE: "redis", NVIDIA_API_KEY: "key" };
  const { ended } = startProgram(t, [process.execPath, join(away, "cli.js"), "serve", "--port", "0"], { place, env });
  const { code, stderr } = await ended;
  assert.equal(code, 2, stderr);
  assert.match(stderr, /run npm install --prefix ".*[/\\]arbiter" redis/);
  assert.doesNotMatch(stderr, /the folder's redis runs/);
});
