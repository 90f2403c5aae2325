import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { createClient } from "redis";

type Answered = { command: string[]; result?: unknown };

/** Redis over HTTP: its address, the token, and what waits until it has answered in some way. */
export type RedisHttp = { url: string; password: string; saw(answer: (answered: Answered) => boolean): Promise<void> };

/** Puts HTTP in front of a real Redis, as Upstash has it: a command is a list in JSON, its result `{ result }`. */
export async function startRedisHttp(
  t: { after(step: () => unknown): void },
  redis: string,
): Promise<RedisHttp> {
  const password = "a-token";
  let tell = (_answered: Answered) => {};
  const client = createClient({ url: redis, socket: { reconnectStrategy: false } });
  client.on("error", () => {}); // Redis may be gone first.
  await client.connect();
  const server = createServer(async (request, response) => {
    const command: string[] = JSON.parse(await text(request));
    const allowed = request.headers.authorization === `Bearer ${password}`;
    const answer = allowed ? client.sendCommand(command) : Promise.reject(new Error("WRONGPASS invalid token"));
    const body = await answer.then((result) => ({ result }), ({ message }) => ({ error: message }));
    response.writeHead("error" in body ? 400 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
    tell({ command, ...body });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
    if (client.isOpen) client.destroy();
  });
  const saw: RedisHttp["saw"] = (answer) =>
    new Promise((resolve) => tell = (answered) => answer(answered) ? resolve() : undefined);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, password, saw };
}
