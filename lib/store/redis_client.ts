import type { Clock } from "../wire/clock.ts";
import { MissingEngineError } from "./store.ts";

/** As much of the npm package `redis` as is used here, of its versions from 4. */
type RedisClient = {
  connect(): Promise<unknown>;
  sendCommand(command: readonly string[]): Promise<unknown>;
  on(event: "error", listener: () => void): unknown;
  /** Closes the connection at once; version 4 has the other. */
  destroy?(): void;
  disconnect(): void;
};
type RedisPackage = { createClient(options: object): RedisClient };

/** Asks Redis. */
export type RedisConnection = {
  /** Sends one command; rejects if there is no connection, or no answer in time. */
  ask(...command: string[]): Promise<unknown>;
  /** Waits for what is on its way, and ends the connection. */
  close(): Promise<void>;
};

/** Milliseconds to wait for a connection; who asks meanwhile waits no longer than for an answer. */
const CONNECT_TIMEOUT = 5_000;

/** Loads `redis`: a package of Arbiter's own surroundings, or of the current folder, or, with Deno, from npm. */
async function loadRedis(): Promise<RedisPackage> {
  const { createRequire } = await import("node:module");
  const { default: process } = await import("node:process");
  const name: string = "redis"; // Known only when it runs, so that whoever bundles Arbiter needs none.
  const places: (() => unknown)[] = [
    () => import(name),
    () => createRequire(`${process.cwd()}/`)(name),
    ...(process.versions.deno ? [() => import(`npm:${name}@6`)] : []),
  ];
  for (const load of places) {
    try {
      const found = await load() as RedisPackage & { default?: RedisPackage };
      return found.default ?? found;
    } catch {
      // Perhaps it is in the next place.
    }
  }
  throw new MissingEngineError("Redis needs the npm package redis: run npm install redis, or npm install -g redis");
}

/** Connects when it is first asked something, and again whenever the connection was lost. */
export async function createRedisConnection(options: object, timeout: number, clock: Clock): Promise<RedisConnection> {
  const { createClient } = await loadRedis();
  let current: { client: RedisClient; ready: Promise<unknown>; isReady: boolean } | undefined;
  let closed = false;

  /** Waits so long, and no longer. */
  function within<T>(ms: number, promise: Promise<T>, run: () => void): Promise<T> {
    let cancel = () => {};
    const late = new Promise<never>((_, reject) => {
      cancel = clock.after(ms, () => {
        run();
        reject(new Error(`no answer within ${ms} ms`));
      });
    });
    return Promise.race([promise, late]).finally(cancel);
  }

  function drop(client: RedisClient): void {
    if (current?.client === client) current = undefined;
    try {
      if (client.destroy) client.destroy();
      else client.disconnect();
    } catch {
      // It is closed already.
    }
  }

  function connect(): NonNullable<typeof current> {
    const socket = { connectTimeout: CONNECT_TIMEOUT, reconnectStrategy: false };
    const client = createClient({ ...options, socket, RESP: 2, disableOfflineQueue: true, disableClientInfo: true });
    client.on("error", () => drop(client));
    const made = { client, isReady: false, ready: within(CONNECT_TIMEOUT, client.connect(), () => drop(client)) };
    made.ready.then(() => made.isReady = true, () => drop(client));
    return made;
  }

  async function ask(...command: string[]): Promise<unknown> {
    if (closed) throw new Error("The store is closed");
    const used = current ??= connect();
    try {
      // What does not answer may be gone without a word; what is not even there yet may still come.
      return await within(timeout, used.ready.then(() => used.client.sendCommand(command)), () => {
        if (used.isReady) drop(used.client);
      });
    } catch (cause) {
      const { message, code } = cause as Error & { code?: string };
      throw new Error(`Redis: ${message || code}`, { cause });
    }
  }

  return {
    ask,
    async close() {
      if (current?.isReady) await ask("PING").catch(() => {}); // Answers come in order: this one is the last.
      closed = true;
      if (current) drop(current.client);
    },
  };
}
