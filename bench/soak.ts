/**
 * Sessions that never end, a host that fails at random, and a proxy between them that must neither give a wrong answer
 * nor grow: `npm run soak -- --minutes 1 --sessions 100 --seed 1 --runtime all --faults 0.25 --warm-up 0.3`.
 *
 * Every text has a sum by which its reader sees that it is whole, and every answer repeats the number of its question. Now
 * and then all sessions pause; then no upstream call, no timer and no more sockets than before may be left, and the heap
 * is measured. The proxy's clock runs 40 times as fast, so that a minute meets every time limit. Sockets are counted on
 * Linux only.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Session, type Soak } from "./soak_session.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    sessions: { type: "string", default: "100" },
    seed: { type: "string", default: String(Date.now() % 100_000) },
    runtime: { type: "string", default: "all" },
    faults: { type: "string", default: "0.25" },
    "warm-up": { type: "string" },
  },
});

/** The root of the repository; this file runs as dist/bench/soak.js. */
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const BIN = join(ROOT, "node_modules/.bin");
const PROXIES: Record<string, string[]> = {
  node: [process.execPath, "--expose-gc", join(ROOT, "dist/bench/soak_proxy.js")],
  deno: [
    join(BIN, "deno"),
    "run",
    "-A",
    "-q",
    "--no-check",
    "--v8-flags=--expose-gc",
    join(ROOT, "bench/soak_proxy.ts"),
  ],
  bun: [join(BIN, "bun"), join(ROOT, "bench/soak_proxy.ts")],
};
const SPEED = 40;
const MIB = 1024 * 1024;
/** How much more there may be at the end of a run than after the warm-up, by a straight line through all samples. */
const MAY_GROW: Record<string, [least: number, share: number]> = {
  heap: [4 * MIB, 0.1],
  rss: [48 * MIB, 0.25],
  sockets: [6, 0],
  files: [6, 0],
};

/** Fewer samples make no line. */
const LEAST_SAMPLES = 5;

type Sample = {
  at: number;
  heap: number;
  rss: number;
  sockets: number;
  files: number;
  timers: number;
  unhandled: number;
};

/** A process that speaks in lines. */
class Child {
  readonly process: ChildProcess;
  readonly errors: string[] = [];
  readonly #lines: AsyncIterator<string>;

  constructor([command = "", ...args]: string[]) {
    this.process = spawn(command, args, { cwd: ROOT, stdio: ["pipe", "pipe", "pipe"] });
    this.#lines = createInterface(this.process.stdout!)[Symbol.asyncIterator]();
    createInterface(this.process.stderr!).on("line", (line) => this.errors.push(line));
  }

  async read(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`a process ended: ${this.errors.slice(-10).join("\n")}`);
    return value;
  }

  async ask(): Promise<string> {
    this.process.stdin!.write("\n");
    return await this.read();
  }

  end(): void {
    this.process.stdin!.end();
    this.process.kill();
  }
}

/** Sockets of this machine that are connected to a port from elsewhere, by their inodes. */
async function toConnected(port: number): Promise<Set<string>> {
  const tables = await Promise.all(
    ["tcp", "tcp6"].map((name) => readFile(`/proc/net/${name}`, "utf8").catch(() => "")),
  );
  const rows = tables.flatMap((table) => table.split("\n").map((row) => row.trim().split(/\s+/)));
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return new Set(
    rows.flatMap(([, at = "", , state, , , , , , inode]) =>
      at.endsWith(local) && state === "01" ? [`socket:[${inode}]`] : []
    ),
  );
}

/** Open files of a process, and how many of them are sockets, but for those that clients keep open. */
async function countFiles(pid: number, port: number): Promise<{ files: number; sockets: number }> {
  const names = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const all = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => "")));
  const clients = await toConnected(port);
  const links = all.filter((link) => !clients.has(link));
  return { files: links.length, sockets: links.filter((link) => link.startsWith("socket:")).length };
}

async function readRss(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/VmRSS:\s*(\d+)/.exec(status)?.[1] ?? 0) * 1024;
}

/** How much a value grows in a millisecond, by the straight line that fits the samples best. */
function toSlope(points: readonly [x: number, y: number][]): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  const spread = points.reduce((sum, [at]) => sum + (at - x) ** 2, 0);
  return spread === 0 ? 0 : points.reduce((sum, [at, value]) => sum + (at - x) * (value - y), 0) / spread;
}

async function soak(runtime: string): Promise<boolean> {
  const [minutes, sessions, seed] = [Number(values.minutes), Number(values.sessions), Number(values.seed)];
  const host = new Child([process.execPath, join(ROOT, "dist/bench/soak_host.js"), String(seed), values.faults]);
  const hostUrl = `http://127.0.0.1:${await host.read()}`;
  const proxy = new Child([...PROXIES[runtime]!, `${hostUrl}/v1`, String(SPEED)]);
  const url = await proxy.read();
  const began = Date.now();
  const end = began + minutes * 60_000;
  const warm = began + Number(values["warm-up"] ?? Math.min(1, minutes / 3)) * 60_000;
  const interval = Math.max(5_000, minutes * 60_000 / 20);
  let [inside, paused, over] = [0, Promise.resolve(), false];
  const all: Soak = {
    url,
    speed: SPEED,
    async enter() {
      await paused;
      if (!over) inside++;
      return !over;
    },
    leave: () => void inside--,
    warming: () => Date.now() < warm,
    counts: {},
    violations: [],
  };

  async function toHostStats(): Promise<{ open: number; requests: number; faults: object; problems: string[] }> {
    return await (await fetch(`${hostUrl}/stats`)).json();
  }

  /** Waits until nobody asks, and looks at what is left then. */
  async function sample(): Promise<Sample> {
    let goOn = () => {};
    paused = new Promise((resolve) => goOn = resolve);
    for (let waited = 0; inside > 0; waited += 20) {
      if (waited > 70_000) throw new Error(`${inside} requests do not end`);
      await sleep(20);
    }
    for (let waited = 0; (await toHostStats()).open > 0; waited += 50) {
      if (waited > 3_000) {
        all.violations.push(`${(await toHostStats()).open} upstream calls go on though nobody waits`);
        break;
      }
      await sleep(50);
    }
    await sleep(300); // What is drained after an answer has its time limit, and hosts close idle connections.
    const { heap, timers, unhandled } = JSON.parse(await proxy.ask());
    const { pid = 0 } = proxy.process;
    const found = {
      at: Date.now(),
      heap,
      timers,
      unhandled,
      rss: await readRss(pid),
      ...await countFiles(pid, Number(new URL(url).port)),
    };
    goOn();
    return found;
  }

  const runs = Array.from({ length: sessions }, (_, number) => new Session(all, number, seed).run());
  const samples: Sample[] = [];
  try {
    while (Date.now() < end) {
      await sleep(Math.min(interval, Math.max(0, end - Date.now())));
      samples.push(await sample());
    }
    over = true;
    await Promise.all(runs);
    samples.push(await sample());
  } catch (thrown) {
    over = true;
    all.violations.push((thrown as Error).message);
  }
  const stats = await toHostStats();
  host.end();
  proxy.end();

  const settled = samples.filter(({ at }) => at > warm);
  const window = (settled.at(-1)?.at ?? 0) - (settled[0]?.at ?? 0);
  const rows = Object.entries(MAY_GROW).map(([name, [least, share]]) => {
    const points = settled.map((one): [number, number] => [one.at, one[name as keyof Sample]]);
    const [first = 0, last = 0] = [points[0]?.[1], points.at(-1)?.[1]];
    const slope = toSlope(points);
    const grew = points.length >= LEAST_SAMPLES && slope * window > Math.max(least, first * share);
    if (grew) all.violations.push(`${name} grew from ${first} to ${last}`);
    const unit = least > MIB ? MIB : 1;
    const show = (value: number) => (value / unit).toFixed(unit > 1 ? 1 : 0).padStart(9);
    return `${name.padEnd(8)}${show(first)}${show(last)}${show(slope * 3_600_000)} an hour${unit > 1 ? " (MiB)" : ""}`;
  });
  const { timers = 0, unhandled = 0 } = samples.at(-1) ?? {};
  if (timers > 0) all.violations.push(`${timers} timers are left`);
  if (unhandled > 0) all.violations.push(`${unhandled} unhandled rejections`);
  all.violations.push(...stats.problems, ...proxy.errors.slice(0, 20), ...host.errors.slice(0, 5));
  if (!(all.counts.whole! > sessions * minutes)) all.violations.push("hardly anything was answered");
  if ((all.counts["in vain"] ?? 0) > all.counts.whole! / 100) all.violations.push("too much was asked in vain");

  console.log(
    `\n# ${runtime}: ${sessions} sessions, ${minutes} minutes, seed ${seed}, ${settled.length} samples after the warm-up`,
  );
  console.log(JSON.stringify(all.counts));
  console.log(`upstream: ${stats.requests} requests, ${JSON.stringify(stats.faults)}`);
  console.log(`             first     last    growth\n${rows.join("\n")}`);
  for (const violation of all.violations) console.log(`VIOLATION ${violation}`);
  return all.violations.length === 0;
}

const runtimes = values.runtime === "all" ? Object.keys(PROXIES) : [values.runtime];
const unknown = runtimes.find((runtime) => !Object.hasOwn(PROXIES, runtime));
if (unknown !== undefined) {
  console.error(`No runtime '${unknown}': --runtime takes all, ${Object.keys(PROXIES).join(", ")}`);
  process.exit(2);
}
let fine = true;
for (const runtime of runtimes) fine = await soak(runtime) && fine;
console.log(fine ? "\nsoak: nothing was wrong" : "\nsoak: something was wrong");
process.exit(fine ? 0 : 1);
