import type { Clock } from "../wire/clock.ts";
import { MissingEngineError } from "./store.ts";

/** As much of the npm package `redis` as is used here, of its versions from 4. */
type RedisClient = {
  readonly isReady: boolean;
  connect(): Promise<unknown>;
  sendCommand(command: readonly string[]): Promise<unknown>;
  on(event: "error", listener: (error: Error) => void): unknown;
  unref(): void;
  /** Closes the connection at once; version 4 has the other. */
  destroy?(): void;
  disconnect(): unknown;
};
type RedisPackage = { createClient(options: object): RedisClient };

/** Asks Redis. */
export type RedisConnection = {
  /** Sends one command; rejects if there is no connection, or no answer in time. */
  ask(...command: string[]): Promise<unknown>;
  /** Waits for what is on its way, and ends the connection. */
  close(): Promise<void>;
};

/** Milliseconds after which a connection is not waited for any more; who asks waits no longer than for an answer. */
const CONNECT_TIMEOUT = 5_000;

/** Where `redis` may be: among the packages around Arbiter, in a folder, or, with Deno, wherever npm's are. */
async function toPlaces(folder: string | undefined): Promise<(() => unknown)[]> {
  const { createRequire } = await import("node:module");
  const name: string = "redis"; // Known only when it runs, so that whoever bundles Arbiter needs none.
  return [
    () => import(name),
    ...(folder ? [() => createRequire(`${folder}/`)(name)] : []),
    ...("Deno" in globalThis ? [() => import(`npm:${name}@6`)] : []),
  ];
}

/**
 * Loads `redis` from the first place that has it; if none has, it belongs into the folder.
 *
 * @throws {MissingEngineError} If none has.
 */
export async function loadRedis(places: readonly (() => unknown)[], folder?: string): Promise<RedisPackage> {
  for (const load of places) {
    try {
      const found = await load() as RedisPackage & { default?: RedisPackage };
      return found.default ?? found;
    } catch {
      // Perhaps it is in the next place.
    }
  }
  const where = folder ? `--prefix "${folder}" ` : "";
  throw new MissingEngineError(`Redis needs the npm package redis: run npm install ${where}redis`);
}

/** An error that says something also where several addresses have been tried. */
function toError(cause: Error & { code?: string }): Error {
  return new Error(cause.message || cause.code, { cause });
}

/** Connects when it is first asked, and again whenever the connection was lost; only a question holds the process open. */
export async function createRedisConnection(
  options: object,
  { timeout, clock, packages }: { timeout: number; clock: Clock; packages: string | undefined },
): Promise<RedisConnection> {
  const { createClient } = await loadRedis(await toPlaces(packages), packages);
  let current: { client: RedisClient; ready: Promise<unknown>; since: number; lost?: Error } | undefined;
  let closed = false;

  async function drop(client: RedisClient): Promise<void> {
    if (current?.client === client) current = undefined;
    try {
      await (client.destroy ? client.destroy() : client.disconnect());
    } catch {
      // It is closed already.
    }
  }

  function connect(): NonNullable<typeof current> {
    const socket = { connectTimeout: CONNECT_TIMEOUT, reconnectStrategy: false };
    const client = createClient({ ...options, socket, RESP: 2, disableOfflineQueue: true, disableClientInfo: true });
    client.on("error", (error) => {
      made.lost ??= toError(error); // Who waits for an answer then would be told only that the client was closed.
      drop(client);
    });
    client.unref();
    const made: NonNullable<typeof current> = { client, ready: client.connect(), since: clock.now() };
    made.ready.catch(() => drop(client));
    return made;
  }

  async function ask(...command: string[]): Promise<unknown> {
    if (closed) throw new Error("The store is closed");
    const asked = current ??= connect();
    const { client, ready, since } = asked;
    let [forget, isLate] = [() => {}, false];
    const late = new Promise<never>((_, reject) => {
      const giveUp = () => {
        isLate = true;
        // What does not answer may be gone without a word; what is not even there yet may still come.
        const error = new Error(`no answer within ${timeout} ms`);
        if (client.isReady || clock.now() - since >= CONNECT_TIMEOUT) {
          asked.lost = error; // Also for those whose questions end with the connection.
          drop(client);
        }
        reject(error);
      };
      // In two halves: a process that was held up itself has read what came meanwhile before the second is over.
      forget = clock.after(timeout / 2, () => forget = clock.after(timeout / 2, giveUp));
    });
    try {
      return await Promise.race([ready.then(() => isLate || client.sendCommand(command)), late]);
    } catch (cause) {
      throw asked.lost ?? toError(cause as Error);
    } finally {
      forget();
    }
  }

  return {
    ask,
    async close() {
      if (current) await ask("PING").catch(() => {}); // Answers come in order: this one is the last.
      closed = true;
      if (current) await drop(current.client);
    },
  };
}
