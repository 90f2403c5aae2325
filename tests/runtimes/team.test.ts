/** Several proxies on one account: processes of their own, a real Redis between them, and one upstream that counts. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { createClient } from "redis";
import { createStandIn, serve } from "../../mod.ts";
import { type RedisServer, startRedis, testRedis } from "../support/redis_server.ts";
import { MODEL, until } from "./harness.ts";

const cli = fileURLToPath(new URL(`../../cli${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url));
const FLAGS = process.versions.deno ? ["run", "-A", "--no-check", "--quiet"] : [];
/** Asked for this, the upstream never answers. */
const NEVER = "never";

/** A proxy in a process of its own. */
class Proxy {
  readonly child: ChildProcess;
  log = "";

  constructor(child: ChildProcess) {
    this.child = child;
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding("utf8").on("data", (text) => this.log += text);
    }
  }

  get url(): string {
    return /listening on (\S+)/.exec(this.log)?.[1] ?? "";
  }

  /** How often it has said something. */
  count(text: RegExp): number {
    return [...this.log.matchAll(new RegExp(text, "g"))].length;
  }

  /** Asks for a message, and gives what it says. */
  async ask(content: string): Promise<string> {
    const tools = [{ name: "Bash", input_schema: { type: "object" } }];
    const response = await fetch(`${this.url}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-claude-code-session-id": "team" },
      body: JSON.stringify({ model: "claude", max_tokens: 99, messages: [{ role: "user", content }], tools }),
    });
    const answer = await response.json() as { content?: { text: string }[] };
    return answer.content?.[0]?.text ?? JSON.stringify(answer);
  }

  /** How many requests all proxies together have counted, as this one tells it. */
  async countSession(): Promise<number> {
    const response = await fetch(`${this.url}/v1/sessions/team`);
    return (await response.json() as { requests: number }).requests;
  }
}

/** How often any of them has found that Redis is away: on a slow machine it may look so, and then each is on its own. */
function countAway(proxies: readonly Proxy[]): number {
  return proxies.reduce((sum, proxy) => sum + proxy.count(/Redis is away/), 0);
}

/** Asks for everything, by turns and thirty at a time, and gives the answers. */
async function askAll(proxies: readonly Proxy[], texts: readonly string[]): Promise<string[]> {
  const [answers, rest]: [string[], IterableIterator<[number, string]>] = [[], texts.entries()];
  const ask = async () => {
    for (const [i, text] of rest) answers[i] = await proxies[i % proxies.length]!.ask(text);
  };
  await Promise.all(Array.from({ length: 30 }, ask));
  return answers;
}

/** Waits until all use Redis. */
async function share(proxies: readonly Proxy[]): Promise<void> {
  for (const proxy of proxies) {
    await until("a proxy shares", async () => {
      await proxy.ask("Hello");
      return proxy.count(/Redis is away/) === proxy.count(/Redis is back/);
    });
  }
}

/** Three proxies, what is behind them, and what that has seen: when requests came, and how many are inside. */
interface Team {
  redis: RedisServer;
  proxies: [Proxy, Proxy, Proxy];
  upstream: { starts: number[]; inside: number; most: number };
}

async function startTeam(t: TestContext, limits: Record<string, string>): Promise<Team> {
  const redis = await startRedis(t);
  const upstream = { starts: [] as number[], inside: 0, most: 0 };
  const standIn = createStandIn({
    models: {
      [MODEL]: ({ messages }) => {
        const text = String(messages.at(-1)?.content);
        return { delay: text === NEVER ? Infinity : 10, steps: [{ text }] };
      },
    },
  });
  const server = await serve(async (request) => {
    upstream.starts.push(Date.now());
    upstream.most = Math.max(upstream.most, ++upstream.inside);
    try {
      return await standIn.fetch(request);
    } finally {
      upstream.inside--;
    }
  });
  t.after(() => server.close());
  const home = await mkdtemp(join(tmpdir(), "arbiter-team-"));
  t.after(() => rm(home, { recursive: true, force: true, maxRetries: 5 }));
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    NVIDIA_BASE_URL: `${server.url}/v1`,
    NVIDIA_API_KEY: "test-key",
    ARBITER_MODEL: MODEL,
    ARBITER_STORE: "redis",
    REDIS_URL: redis.url,
    ...limits,
  };
  const start = async () => {
    const child = spawn(process.execPath, [...FLAGS, cli, "serve", "--port", "0"], { cwd: home, env });
    t.after(() => child.kill("SIGKILL"));
    const proxy = new Proxy(child);
    await until("a proxy listens", () => {
      assert.equal(child.exitCode, null, proxy.log);
      return proxy.url !== "";
    });
    return proxy;
  };
  const proxies: Team["proxies"] = await Promise.all([start(), start(), start()]);
  await share(proxies);
  return { redis, upstream, proxies };
}

testRedis("two hundred requests to three proxies never exceed one sliding window, and each is answered", async (t) => {
  const [limit, window] = [50, 1_000];
  const { redis, proxies, upstream } = await startTeam(t, {
    ARBITER_RATE_LIMIT: `${limit}`,
    ARBITER_RATE_WINDOW: `${window / 1_000}`,
    ARBITER_MAX_CONCURRENCY: "20",
  });
  const watcher = createClient({ url: redis.url, socket: { reconnectStrategy: false } }).on("error", () => {});
  await watcher.connect();
  const [ends, asked] = [[] as number[], Array.from({ length: 200 }, (_, i) => `Question ${i}`)];
  await watcher.monitor((line) => {
    const end = /"ZADD" "arbiter:places:rate \w+" "(\d+)"/.exec(String(line))?.[1];
    if (end) ends.push(Number(end));
  });
  let [away, tries] = [-1, 0];
  while (away !== countAway(proxies)) {
    assert.ok(++tries <= 5, "The machine is too slow: Redis seems to be away all the time");
    await share(proxies);
    away = countAway(proxies);
    ends.length = upstream.starts.length = 0;
    assert.deepEqual(await askAll(proxies, asked), asked);
  }
  // The window is that of the places, by Redis' clock; what happens between there and the upstream delays starts only.
  const places = ends.map((end) => end - window).sort((a, b) => a - b);
  assert.deepEqual([places.length, upstream.starts.length], [200, 200]);
  for (const [i, place] of places.entries()) {
    assert.ok((places[i + limit] ?? Infinity) - place >= window, `${limit + 1} places from ${place} on`);
    assert.ok(upstream.starts[i]! >= place, `start ${i} came before its place`);
  }
  const counts = () => Promise.all(proxies.map((proxy) => proxy.countSession()));
  await until("all tell the same", async () => new Set(await counts()).size === 1);
  assert.ok((await counts())[0]! >= 200);
});

testRedis("when a proxy is killed the others go on, and its places come back", async (t) => {
  const { redis, proxies: [dead, ...others], upstream } = await startTeam(t, { ARBITER_MAX_CONCURRENCY: "4" });
  const lost = [dead.ask(NEVER), dead.ask(NEVER)].map((answer) => answer.then(() => "answered", () => "lost"));
  await until("both are on their way", () => upstream.inside === 2);
  dead.child.kill("SIGKILL");
  assert.deepEqual(await Promise.all(lost), ["lost", "lost"]);
  await until("the upstream knows", () => upstream.inside === 0);
  upstream.most = 0;
  const away = countAway(others);
  const asked = Array.from({ length: 12 }, (_, i) => `Question ${i}`);
  assert.deepEqual(await askAll(others, asked), asked);
  if (countAway(others) > away) t.diagnostic("Redis seemed to be away: nothing is known of the places");
  else assert.equal(upstream.most, 2, "its places were used before their time");
  await redis.pass(15_000);
  for (let i = 0; i < 4; i++) others[i % 2]!.ask(NEVER).catch(() => {});
  await until("all places are in use", () => upstream.inside === 4);
});

testRedis(
  "while Redis is away each request is answered once, each proxy says so once, and then they share again",
  async (t) => {
    const { redis, proxies, upstream } = await startTeam(t, { ARBITER_RATE_LIMIT: "10000" });
    const counts = () => proxies.map((proxy) => [proxy.count(/Redis is away/), proxy.count(/Redis is back/)]);
    const countPlaces = async () => {
      const script = 'return redis.call("ZCARD", redis.call("KEYS", "arbiter:places:rate *")[1])';
      return Number(await redis.ask("EVAL", script, "0"));
    };
    const answers: boolean[] = [];
    const asked = upstream.starts.length;
    let over = false;
    const ask = async (proxy: Proxy) => {
      const text = `Question ${Math.random()}`;
      answers.push(await proxy.ask(text) === text);
    };
    const clients = proxies.map(async (proxy) => {
      while (!over) await ask(proxy);
    });
    /** Lets some requests come and go. */
    const goOn = async () => {
      const enough = answers.length + 30;
      await until("requests are answered", () => answers.length >= enough);
    };
    await goOn();
    const before = counts();
    await redis.signal("SIGKILL");
    await until("all have noticed", () => counts().every(([away], i) => away! > before[i]![0]!));
    await goOn();
    await redis.start();
    await until("all have noticed", () => counts().every(([away, back]) => away === back));
    assert.deepEqual(counts(), before.map(([away, back]) => [away! + 1, back! + 1]));
    await goOn();
    over = true;
    await Promise.all(clients);
    const places = await countPlaces();
    await Promise.all(proxies.map(ask));
    assert.equal(await countPlaces(), places + 3);
    assert.ok(answers.every(Boolean));
    assert.equal(upstream.starts.length - asked, answers.length);
  },
);
