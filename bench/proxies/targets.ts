/** What is measured: the floors, Arbiter on each runtime, and the same of another checkout. */
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Job } from "./client.ts";

/** The root of the repository; this file runs as dist/bench/proxies/targets.js. */
export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** A proxy under test. */
export type Target = {
  name: string;
  /** The floor it is compared with. */
  floor: string;
  /** Makes the command that listens on a port; a floor finds its own and prints it. */
  toCommand: (port: number) => string[];
  env?: Record<string, string>;
  findsPort?: true;
} & Pick<Job, "format" | "path" | "model" | "headers">;

/** What is there without any proxy. */
export const DIRECT = "direct";

const RUNTIMES: Record<string, string[]> = {
  node: [process.execPath],
  deno: ["deno", "run", "-A"],
  bun: ["bun"],
};

const CHAT = { format: "chat", path: "/v1/chat/completions", model: "mock", headers: {} } as const;

/** How every client of Anthropic's format asks. */
export const MESSAGES = {
  format: "messages",
  path: "/v1/messages",
  model: "claude-sonnet-5",
  headers: { "x-api-key": "key-of-the-bench", "anthropic-version": "2023-06-01", "user-agent": "claude-cli/2.1.328" },
} as const;

/** Takes a free port; nobody else is given it for a while. */
export function toFreePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** The floors: nothing between, and what passes all on. */
export function toFloors(upstream: number): Target[] {
  const script = join(ROOT, "dist/bench/proxies/pass_through.js");
  return [
    { name: DIRECT, floor: DIRECT, toCommand: () => [], ...CHAT },
    ...Object.entries(RUNTIMES).map(([runtime, command]): Target => {
      const name = `pass-${runtime}`;
      return { name, floor: name, toCommand: () => [...command, script, String(upstream)], findsPort: true, ...CHAT };
    }),
  ];
}

/** Arbiter as it is started by hand, in a home of its own; what it logs goes nowhere. */
export function toArbiters(upstream: number, root: string, prefix: string, folder: string): Target[] {
  const config = join(folder, "arbiter.json");
  mkdirSync(folder, { recursive: true });
  // Large enough for five megabytes.
  writeFileSync(config, JSON.stringify({ models: [{ id: "mock", context: 10_000_000, maxOutput: 32_000 }] }));
  const env = {
    HOME: folder,
    NVIDIA_BASE_URL: `http://127.0.0.1:${upstream}/v1`,
    NVIDIA_API_KEY: "key-of-the-bench",
    ARBITER_MODEL: "mock",
    ARBITER_CONFIG: config,
    ARBITER_RATE_LIMIT: "0",
    ARBITER_MAX_CONCURRENCY: "0",
  };
  return Object.entries(RUNTIMES).map(([runtime, command]) => ({
    name: `${prefix}-${runtime}`,
    floor: `pass-${runtime}`,
    toCommand: (port) => {
      const cli = join(root, runtime === "node" ? "dist/cli.js" : "cli.ts");
      return [...command, cli, "serve", "--port", String(port)];
    },
    env,
    ...MESSAGES,
  }));
}
