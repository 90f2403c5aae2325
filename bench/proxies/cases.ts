/** What is measured: which answer to which request, how many at once. */
import type { Job } from "./client.ts";

/** A case: its name, and what the client is told. */
export type Case = { name: string } & Pick<Job, "scenario" | "size" | "stream" | "concurrency" | "requests">;

// deno-fmt-ignore: a table
const ROWS: [scenario: string, size: Job["size"], concurrency: number, requests: number][] = [
  ["short", "small", 1, 200],
  ["short", "small", 8, 400],
  ["short", "small", 32, 600],
  ["short", "small", 128, 800],
  ["whole", "small", 1, 200],
  ["whole", "small", 32, 600],
  ["long", "small", 1, 12],
  ["long", "small", 8, 32],
  ["paced", "small", 1, 1],
  ["paced", "small", 8, 8],
  ["paced", "small", 32, 32],
  ["paced", "small", 128, 128],
  ["arguments", "small", 1, 30],
  ["parallel", "small", 1, 60],
  ["reasoning", "small", 1, 40],
  ["short", "claude", 1, 60],
  ["short", "claude", 8, 80],
  ["short", "huge", 1, 8],
];

/** All cases, such as `short.c1` and `short.claude.c8`; `whole` is the short answer without streaming. */
export const CASES: readonly Case[] = ROWS.map(([scenario, size, concurrency, requests]) => ({
  name: [scenario, ...(size === "small" ? [] : [size]), `c${concurrency}`].join("."),
  scenario: scenario === "whole" ? "short" : scenario,
  stream: scenario !== "whole",
  size,
  concurrency,
  requests,
}));
