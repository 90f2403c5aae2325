import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setImmediate } from "node:timers";
import { test, type TestContext } from "node:test";
import { createClient } from "redis";

const isThere = spawnSync("redis-server", ["--version"]).status === 0;

/** A test with a real Redis: where there is none it is skipped, and where all has to be tested it fails. */
export function testRedis(name: string, run: (t: TestContext) => Promise<void>): void {
  if (isThere || !process.env.CI) test(name, { skip: isThere ? false : "redis-server is not installed" }, run);
  else test(name, () => Promise.reject(new Error("redis-server is not installed")));
}

/** A port that nobody listens on. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Moves what ends so much nearer, as if that time had passed: keys with a time to live, and what is ordered by its end. */
const PASS = `for _, key in ipairs(redis.call("KEYS", "*")) do
  local left = redis.call("PTTL", key)
  if left >= 0 and left <= tonumber(ARGV[1]) then
    redis.call("DEL", key)
  else
    if left >= 0 then redis.call("PEXPIRE", key, left - ARGV[1]) end
    if redis.call("TYPE", key).ok == "zset" then
      for _, name in ipairs(redis.call("ZRANGE", key, 0, -1)) do redis.call("ZINCRBY", key, -ARGV[1], name) end
    end
  end
end`;

/** A real Redis of a test's own. */
export class RedisServer {
  #child: ReturnType<typeof spawn> | undefined;
  readonly #folder: string;
  readonly #args: string[];
  readonly port: number;
  readonly url: string;

  constructor(folder: string, port: number, args: string[]) {
    this.#folder = folder;
    this.#args = args;
    this.port = port;
    this.url = `redis://127.0.0.1:${port}`;
  }

  /** Starts it, with nothing in it, and waits until it answers. */
  async start(): Promise<void> {
    const args = ["--port", `${this.port}`, "--bind", "127.0.0.1", "--save", "", "--dir", this.#folder];
    const child = this.#child = spawn("redis-server", [...args, ...this.#args], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    let printed = "";
    for await (const chunk of child.stdout!) {
      printed += chunk;
      if (printed.includes("Ready to accept connections")) break;
    }
    if (!printed.includes("Ready to accept")) throw new Error(`redis-server does not start: ${printed}`);
  }

  /** Ends it at once, as a crash does, or makes it stand still or go on. */
  async signal(name: "SIGKILL" | "SIGSTOP" | "SIGCONT"): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    process.kill(child.pid!, name); // Deno's child takes one signal only.
    if (name === "SIGKILL") await once(child, "exit");
  }

  /** Asks it by itself. */
  async ask(...command: string[]): Promise<unknown> {
    const at = this.#args.indexOf("--requirepass");
    const password = at < 0 ? {} : { password: this.#args[at + 1]! };
    const client = createClient({ url: this.url, RESP: 2, ...password });
    await client.connect();
    try {
      return await client.sendCommand(command);
    } finally {
      client.destroy();
    }
  }

  /** The commands that come in while something is done, but for those of scripts. */
  async watch(run: () => Promise<void>): Promise<string[]> {
    const watcher = createClient({ url: this.url, RESP: 2 });
    await watcher.connect();
    const seen: string[] = [];
    let finish = () => {};
    const done = new Promise<void>((resolve) => finish = resolve);
    await watcher.monitor((line) => {
      const [, from = "", name = ""] = /^\S+ \[\d+ (\S+)\] "(\w+)"/.exec(String(line)) ?? [];
      if (name === "ECHO") finish();
      else if (from !== "lua") seen.push(name);
    });
    await run();
    await this.ask("ECHO", "done");
    await done;
    watcher.destroy();
    return seen;
  }

  /** Tries again and again until it does not fail. */
  async until(run: () => Promise<void>): Promise<void> {
    const began = Date.now();
    for (;;) {
      try {
        return await run();
      } catch (thrown) {
        if (Date.now() - began > 20_000) throw thrown;
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }

  /** Lets so many milliseconds pass for what is kept. */
  async pass(ms: number): Promise<void> {
    await this.ask("EVAL", PASS, "0", `${ms}`);
  }
}

/** Starts a Redis that is gone when the test is over. */
export async function startRedis(t: Pick<TestContext, "after">, args: string[] = []): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), "arbiter-redis-"));
  const server = new RedisServer(folder, await findFreePort(), args);
  t.after(async () => {
    await server.signal("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  });
  await server.start();
  return server;
}
