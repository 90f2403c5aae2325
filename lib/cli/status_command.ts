import { DASHBOARD_PATH } from "../server/dashboard.ts";
import { PRICES_DATE } from "../server/prices.ts";
import { toServerUrl } from "../server/serve.ts";
import type { ArbiterStatus } from "../server/stats.ts";
import { sleep, systemClock } from "../wire/clock.ts";
import { type Context, report } from "./io.ts";
import { readAddress } from "./proxy.ts";
import { toDuration, toRows, wrapLines } from "./rows.ts";
import { readRunFiles, removeRunFile } from "./run_file.ts";
import { type Address, findRunning, isPortTaken, type Occupant } from "./running.ts";

/** Milliseconds between two looks of `status --watch`, and of `stop` at a port. */
const WATCH_PAUSE = 1_000;
const STOP_PAUSE = 100;
/** Milliseconds a proxy, and the Claude Code in front of it, have to end. */
const STOP_TIMEOUT = 10_000;

/** Why there is no proxy to work with on a port. */
const NOBODY = {
  locked: (port: number) =>
    `The Arbiter on port ${port} wants its key: set ARBITER_API_KEY as it is set there. Only what you have started yourself is told it.`,
  other: (port: number) => `Another program is on port ${port}, no Arbiter.`,
  none: (port: number) => `Nothing runs on port ${port}.`,
};

/** Says why there is no proxy to work with, and where there may be one. */
async function tellNobody(
  found: Exclude<Occupant, ArbiterStatus>,
  { host, port }: Address,
  context: Context,
): Promise<1> {
  const { io } = context;
  const files = await readRunFiles(io);
  if (!found) await removeRunFile(io, port); // Its proxy was killed.
  const others = files.filter((file) => file.port !== port);
  const running = await Promise.all(others.map(async ({ port, started }) => {
    const other = await findRunning({ host, port }, context);
    return typeof other === "object" && other.since === started ? [port] : [];
  }));
  io.tell(NOBODY[found ?? "none"](port));
  for (const other of running.flat()) io.tell(`An Arbiter runs on port ${other}: add --port ${other}`);
  return 1;
}

function toCounts(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts).sort(([, a], [, b]) => b - a).map(([name, count]) => `${name} ${count}`).join(", ");
}

function toQuotaWords({ quota }: ArbiterStatus): string {
  if (!quota) return "no limit";
  return `${quota.left} of ${quota.limit} left in this ${quota.window === 60_000 ? "minute" : "window"}`;
}

/** How a proxy goes, as lines for a terminal of so many columns. */
export function toStatusLines(status: ArbiterStatus, port: number, now: number, columns?: number): string[] {
  const { version, model, since, requests, kinds, models, local, fallbacks, errors, anthropicCost } = status;
  const dollars = Math.max(anthropicCost, 0.01).toFixed(2);
  return toRows([
    ["Arbiter", `${version} on port ${port}, for ${toDuration(now - since)}`],
    ["model", model],
    ["requests", requests > 0 ? `${requests}: ${toCounts(kinds)}` : "none yet"],
    ["answers", toCounts({ ...models, ...(local > 0 ? { "(no model needed)": local } : {}) }) || "none yet"],
    ["fallbacks", String(fallbacks)],
    ["errors", String(errors)],
    ["tokens", `${status.inputTokens} in, ${status.outputTokens} out`],
    ...(anthropicCost > 0
      ? [["cost", `an estimated $${dollars} at Anthropic's prices of ${PRICES_DATE}`] as const]
      : []),
    ["quota", toQuotaWords(status)],
  ], columns);
}

/** How a proxy goes, in one line. */
export function toStatusLine(status: ArbiterStatus): string {
  const { requests, fallbacks, errors, inputTokens, outputTokens } = status;
  const tokens = `${inputTokens} in, ${outputTokens} out`;
  return `requests ${requests}, fallbacks ${fallbacks}, errors ${errors}, tokens ${tokens}, ${toQuotaWords(status)}`;
}

/** Follows a proxy until Ctrl-C, or until it ends. */
async function watchStatus(first: ArbiterStatus, address: Address, context: Context): Promise<number> {
  const { port } = address;
  const { io, flags } = context;
  const { default: process } = await import("node:process");
  const stop = new AbortController();
  const abort = () => stop.abort();
  process.once("SIGINT", abort);
  process.stdout.once("error", abort); // Whoever reads no further watches no more.
  const redraws = io.columns !== undefined && io.env.TERM !== "dumb" && !flags.json;
  let [drawn, last] = [0, ""];
  try {
    for (let status: Occupant = first; !stop.signal.aborted;) {
      if (typeof status !== "object") return await tellNobody(status, address, context);
      const counts = JSON.stringify({ ...status, quota: undefined }); // The quota comes back by itself.
      const lines = [...toStatusLines(status, port, Date.now(), io.columns), "", "Ctrl-C ends this."];
      if (redraws && lines.length < (process.stdout.rows || 24)) {
        io.print(lines.join("\n"), drawn > 0 ? `\x1b[${drawn}A\x1b[J` : "");
        drawn = lines.length;
      } else if (counts !== last) {
        io.print(flags.json ? JSON.stringify({ port, ...status }) : toStatusLine(status));
        drawn = 0;
      }
      last = counts;
      await sleep(systemClock, WATCH_PAUSE, stop.signal).catch(() => {});
      status = await findRunning(address, context);
    }
    return 0;
  } finally {
    process.off("SIGINT", abort).stdout.off("error", abort);
  }
}

/** Shows how the proxy on the port goes. */
export async function runStatus(context: Context): Promise<number> {
  const { io, flags } = context;
  const address = await readAddress(context);
  const status = await findRunning(address, context);
  if (typeof status !== "object") return await tellNobody(status, address, context);
  if (flags.watch) return await watchStatus(status, address, context);
  report(context, { port: address.port, ...status }, toStatusLines(status, address.port, Date.now(), io.columns));
  return 0;
}

/** Tells where the page is on which the proxy on the port can be watched. */
export async function runDashboard(context: Context): Promise<number> {
  const address = await readAddress(context);
  const status = await findRunning(address, context);
  if (typeof status !== "object") return await tellNobody(status, address, context);
  context.io.print(toServerUrl(address.host, address.port) + DASHBOARD_PATH);
  return 0;
}

/** Stops the proxy on the port, if it is one of the user's. */
export async function runStop(context: Context): Promise<number> {
  const { io } = context;
  const { default: process } = await import("node:process");
  const address = await readAddress(context);
  const { port } = address;
  const status = await findRunning(address, context);
  if (typeof status !== "object") return await tellNobody(status, address, context);
  // Whoever listens now must be who wrote the note: ids of processes come again.
  const run = (await readRunFiles(io)).find((file) => file.port === port && file.started === status.since);
  if (!run) throw new Error(`The Arbiter on port ${port} has left no note of its process: end it where it was started`);
  process.kill(run.pid, "SIGTERM");
  for (let waited = 0; await isPortTaken(address); waited += STOP_PAUSE) {
    if (waited >= STOP_TIMEOUT) throw new Error(`Arbiter (process ${run.pid}) was told to stop, but is still there`);
    await sleep(systemClock, STOP_PAUSE, new AbortController().signal);
  }
  await removeRunFile(io, port); // Windows ends processes without a word.
  io.print(wrapLines(`Stopped Arbiter ${run.version} on port ${port} (process ${run.pid}).`, io.columns));
  return 0;
}
