/**
 * The proxy of the soak test, a process of the runtime that is tested. Its clock runs fast, so that every time limit is
 * met within a minute. Its arguments are the address of the host and how many times faster; a line on stdin asks for a
 * sample.
 */
import process from "node:process";
import { type Clock, createArbiter, httpCall, serve } from "../mod.ts";

const [baseUrl = "", speed = "1"] = process.argv.slice(2);
const factor = Number(speed);
const began = Date.now();
let [unhandled, timers] = [0, 0];

/** Milliseconds that no time limit is shorter than, unless it was: a busy machine needs them. */
const LEAST_TIMER = 500;

const clock: Clock = {
  now: () => began + (Date.now() - began) * factor,
  after(ms, run) {
    timers++;
    let waits = true;
    const over = () => {
      if (waits) timers--;
      waits = false;
    };
    const timer = setTimeout(() => {
      over();
      run();
    }, Math.min(Math.max(ms / factor, Math.min(ms, LEAST_TIMER)), 2 ** 31 - 1));
    return () => {
      over();
      clearTimeout(timer);
    };
  },
};

function note(thrown: unknown): void {
  unhandled++;
  console.error(`unhandled: ${thrown instanceof Error ? thrown.stack : thrown}`);
}
process.on("unhandledRejection", note);
process.on("uncaughtException", note);

const arbiter = createArbiter({
  baseUrl,
  apiKey: "soak-key",
  model: "moonshotai/kimi-k2-soak",
  fallbacks: [
    "dead/model",
    "openai/gpt-oss-soak",
    "qwen/qwen3-coder-soak",
    "z-ai/glm-5-soak",
    "mistralai/devstral-soak",
    "soak/model",
  ],
  rateLimit: 6_000,
  maxConcurrency: 64,
  clock,
  ...("Bun" in globalThis ? {} : { call: httpCall }), // As the command line does.
  onRequest: ({ error }) => {
    if (error?.startsWith("Arbiter failed")) note(error);
  },
});
const { url } = await serve(arbiter.fetch);
console.log(url);

/** What collects garbage, under whatever name. */
const { gc, Bun } = globalThis as { gc?: () => void; Bun?: { gc(force: boolean): void } };

process.stdin.on("data", async () => {
  for (let i = 0; i < 3; i++) {
    if (Bun) Bun.gc(true);
    else gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  console.log(JSON.stringify({ heap: process.memoryUsage().heapUsed, timers, unhandled }));
});
process.stdin.on("end", () => process.exit(0));
