/**
 * What an open dashboard costs: the processor's time for streamed answers while somebody watches, against as many while
 * nobody does.
 *
 *     bun bench/dashboard.ts [ROUNDS]        (deno run -A, or node from 22.18, do as well)
 *
 * Clients, upstream and watcher are in the same process, and so busy that it never rests: throughput goes as the inverse
 * of that time, which other programs disturb less than the wall's. Both take turns, and each is compared with those
 * before and after it. The second line compares nothing with nothing: so much is noise.
 */
import { connect } from "node:net";
import process from "node:process";
import { createArbiter, createStandIn, serve } from "../mod.ts";
import { median } from "./measure.ts";

const ROUNDS = Number(process.argv[2] ?? 60);
const REQUESTS = 200;
const CONCURRENCY = 16;

const text = "So it goes on, word by word, as models write. ".repeat(12);
const standIn = createStandIn({ models: { "m/x": () => ({ steps: [{ text }] }) } });
const arbiter = createArbiter({ baseUrl: "http://stand-in/v1", model: "m/x", fetch: standIn.fetch });
const server = await serve(arbiter.fetch);
const messages = [{ role: "user", content: "Write the file src/upload.ts" }];
const tools = [{ name: "Write", input_schema: { type: "object", properties: {} } }];
const body = JSON.stringify({ model: "claude-sonnet-5", max_tokens: 9_000, stream: true, messages, tools });

async function ask(): Promise<void> {
  const response = await fetch(`${server.url}/v1/messages`, { method: "POST", body });
  if (!(await response.text()).includes("message_stop")) throw new Error("An answer was not whole");
}

/** Milliseconds of the processor for all requests. */
async function measure(): Promise<number> {
  let left = REQUESTS;
  const began = process.cpuUsage();
  await Promise.all(Array.from({ length: CONCURRENCY }, async () => {
    while (left-- > 0) await ask();
  }));
  standIn.requests.length = 0;
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1000;
}

/** Watches over a WebSocket, as the page does, until it is called off; tells how many bytes came. */
async function watch(): Promise<() => number> {
  const socket = connect(server.port, "127.0.0.1");
  let bytes = 0;
  await new Promise<void>((resolve) => {
    socket.on("data", ({ length }) => {
      bytes += length;
      resolve();
    });
    const lines = ["Host: 127.0.0.1", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
    lines.push("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", "");
    socket.write(["GET /ws/stream-visualization HTTP/1.1", ...lines].join("\r\n"));
  });
  return () => {
    socket.destroy();
    return bytes;
  };
}

await measure();
const [watched, empty]: [number[], number[]] = [[], []];
let bytes = 0;
for (let round = 0, before = await measure(); round < ROUNDS; round++) {
  const leave = await watch();
  const during = await measure();
  bytes += leave();
  const [after, last] = [await measure(), await measure()];
  watched.push(2 * during / (before + after));
  empty.push(2 * after / (before + last));
  before = last;
}
const percent = (ratio: number) => `${((ratio - 1) * 100).toFixed(1)} %`;
console.log(`${ROUNDS} rounds of ${REQUESTS} streamed answers, ${CONCURRENCY} at once`);
console.log(`with a dashboard / without = ${median(watched).toFixed(3)} (${percent(median(watched))} more)`);
console.log(`without / without          = ${median(empty).toFixed(3)}`);
console.log(`the dashboard was sent ${(bytes / ROUNDS / REQUESTS).toFixed(0)} bytes an answer`);
arbiter.close();
await server.close();
process.exit(0);
