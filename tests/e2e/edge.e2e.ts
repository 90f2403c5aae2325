/** Arbiter at the edge: the examples, as the tools of Deno Deploy and Cloudflare Workers run them on this machine. */
import assert from "node:assert/strict";
import { copyFile, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { startRedisHttp } from "../support/redis_http.ts";
import { startRedis } from "../support/redis_server.ts";
import { assertLegalStream, parseEvents } from "../support/grammar.ts";
import { CLAUDE, type Cleaner, makePlace, ROOT, type Running, startProgram, startUpstream, TOOLS } from "./support.ts";

const OPTIONS = { timeout: 180_000 };
const KEY = "a-key-for-clients";
const TOOLS_OF_CLIENT = [{ name: "Read", input_schema: { type: "object" } }];
const LISTENS = /https?:\/\/[\w.]+:([1-9]\d*)\/?\s*$/m;

/** What starts each example, with these variables, in a folder that holds the examples and mod.ts alone. */
const EDGES: Record<string, string[]> = {
  "deno serve": [
    join(TOOLS, "deno"),
    "serve",
    "-A",
    "--port=0",
    "--host=127.0.0.1",
    "--env-file=.env",
    "deno_deploy.ts",
  ],
  "wrangler dev": [join(CLAUDE, "wrangler"), "dev", "--port=0", "--inspector-port=0"],
};

async function startEdge(t: Cleaner, command: string[], variables: Record<string, string>): Promise<Running> {
  const { home, project } = await makePlace(t);
  const examples = join(project, "examples");
  await mkdir(examples);
  await copyFile(join(ROOT, "mod.ts"), join(project, "mod.ts"));
  for (const name of await readdir(join(ROOT, "examples"))) {
    if (!name.startsWith(".")) await copyFile(join(ROOT, "examples", name), join(examples, name));
  }
  const text = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`).join("");
  for (const name of [".env", ".dev.vars"]) await writeFile(join(examples, name), text);
  const env = { CI: "1", WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false" };
  return startProgram(t, command, { place: { home, project: examples }, env, limit: 60_000 });
}

async function toUrl(edge: Running): Promise<string> {
  const [, port] = await edge.wrote(LISTENS);
  return `http://127.0.0.1:${port}`;
}

function ask(url: string, fields: object = {}, key = KEY): Promise<Response> {
  const body = { model: "claude-sonnet-5", max_tokens: 100, messages: [{ role: "user", content: "Hi" }], ...fields };
  return fetch(`${url}/v1/messages`, { method: "POST", headers: { "x-api-key": key }, body: JSON.stringify(body) });
}

for (const [name, command] of Object.entries(EDGES)) {
  describe(`at the edge, as ${name} runs it`, OPTIONS, () => {
    it("clients with the key get whole and streamed answers, and others none", async (t) => {
      const { env } = await startUpstream(t, () => ({ steps: [] }));
      const url = await toUrl(await startEdge(t, command, { ...env, ARBITER_API_KEY: KEY }));
      const health = await fetch(`${url}/health`);
      assert.deepEqual([health.status, (await health.json()).model], [200, "test/model"]);
      for (const key of ["", "another-key-here"]) assert.equal((await ask(url, {}, key)).status, 401);
      const whole = await ask(url);
      assert.deepEqual([whole.status, (await whole.json()).content], [200, [{ type: "text", text: "Yes." }]]);
      const streamed = await ask(url, { stream: true });
      assert.equal(streamed.headers.get("content-type"), "text/event-stream; charset=utf-8");
      const { content } = assertLegalStream(parseEvents(await streamed.text()));
      assert.deepEqual(content, [{ type: "text", text: "Yes." }]);
    });

    it("the call upstream ends when the client goes away", async (t) => {
      const { env, left } = await startUpstream(t, () => ({ steps: [{ text: "Well" }, { wait: Infinity }] }));
      const url = await toUrl(await startEdge(t, command, { ...env, ARBITER_API_KEY: KEY }));
      const answer = await ask(url, { stream: true, tools: TOOLS_OF_CLIENT });
      const reader = answer.body?.getReader();
      assert.match(new TextDecoder().decode((await reader?.read())?.value), /message_start/);
      await reader?.cancel();
      await left; // A Worker notices with its next ping.
    });

    it("two of them keep to one limit, through Redis over HTTP", async (t) => {
      const { env, requests } = await startUpstream(t, () => ({ steps: [{ text: "Yes." }] }));
      const redis = await startRedis(t);
      const http = await startRedisHttp(t, redis.url);
      const limits = { ARBITER_RATE_LIMIT: "2", ARBITER_MAX_CONCURRENCY: "1" };
      const shared = { REDIS_URL: http.url, REDIS_PASSWORD: http.password, ...limits };
      const variables = { ...env, ...shared, ARBITER_API_KEY: KEY };
      // One after the other: they look for a free port before they take it.
      const one = await toUrl(await startEdge(t, command, variables));
      const other = await toUrl(await startEdge(t, command, variables));
      for (const [url, stream] of [[one, true], [other, false]] as const) {
        const freed = http.saw(({ command, result }) => command[0] === "ZREM" && result === 1);
        const answer = await ask(url, { stream, tools: TOOLS_OF_CLIENT });
        assert.match(await answer.text(), /Yes\./);
        await freed;
      }
      const third = ask(one, { tools: TOOLS_OF_CLIENT });
      await http.saw(({ result }) => Array.isArray(result) && Number(result[0]) > 0);
      assert.equal(requests.length, 2, "requests that the limit lets pass");
      await redis.pass(60_000);
      assert.equal((await third).status, 200);
      assert.equal(requests.length, 3);
    });

    it("without a key for clients nobody is served", async (t) => {
      const edge = await startEdge(t, command, { NVIDIA_API_KEY: "test-key" });
      if (name === "deno serve") {
        const { code, stderr } = await edge.ended;
        assert.notEqual(code, 0);
        assert.match(stderr, /Set ARBITER_API_KEY/);
        return;
      }
      const response = await fetch(`${await toUrl(edge)}/health`);
      assert.equal(response.status, 503);
      assert.match(await response.text(), /^Set ARBITER_API_KEY/);
    });
  });
}
