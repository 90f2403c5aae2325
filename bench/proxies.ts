/**
 * What a proxy costs: nothing between (`direct`), a pass-through on each runtime, Arbiter on each, and others that can be
 * had: `npm run bench`. Writes bench/report.md and bench/report.svg.
 *
 *     npm run bench -- --quick                     fewer requests, two rounds, prints only
 *     npm run bench -- --rounds 7 --scenario long,paced --target node
 *     npm run bench -- --against ../other          compares with another checkout, which must be built
 *     npm run bench -- --peers                     installs other proxies into a temporary folder, and measures them
 *
 * All targets run at once and take turns, case by case and round by round, so that a slow moment of the machine falls on
 * all alike; the first round only warms up. Linux only: processor time and memory are read from /proc.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { CASES } from "./proxies/cases.ts";
import { toChart } from "./proxies/chart.ts";
import type { Job, Outcome } from "./proxies/client.ts";
import { SKIPPED, toPeers } from "./proxies/peers.ts";
import { end, forgetPeak, start, toCpu, toLines, toMemory, toUsed } from "./proxies/process.ts";
import { type Cell, type Results, toChunks, toReport } from "./proxies/report.ts";
import { DIRECT, ROOT, type Target, toArbiters, toFloors, toFreePort } from "./proxies/targets.ts";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string" },
    scenario: { type: "string", default: "" },
    target: { type: "string", default: "" },
    against: { type: "string" },
    peers: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    out: { type: "string" },
  },
});
const rounds = Number(flags.rounds ?? (flags.quick ? 2 : 5));
/** Milliseconds a program may take to answer for the first time, and how often each is started. */
const [START_LIMIT, STARTS] = [60_000, flags.quick ? 1 : 5];

/** Whether a name is, or begins or ends with, one of the words of a flag; without any all are wanted. */
function isWanted(list: string, name: string): boolean {
  return list === "" ||
    list.split(",").some((word) => `.${name}.`.replaceAll("-", ".").includes(`.${word.replaceAll("-", ".")}.`));
}

const folder = mkdtempSync(join(tmpdir(), "arbiter-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const script = (name: string) => [process.execPath, join(ROOT, "dist/bench/proxies", name)];

const upstream = start(script("upstream.js"), {}, true);
const upstreamPort = Number(await toLines(upstream)());
const client = start(script("client.js"), {}, true);
const readOutcome = toLines(client);

async function ask(job: Job): Promise<Outcome> {
  client.stdin!.write(`${JSON.stringify(job)}\n`);
  // JSON has no NaN.
  return JSON.parse(await readOutcome(), (_, value) => value ?? NaN);
}

type Running = { target: Target; port: number; pid: number | undefined; end: () => void };

function toJob({ format, path, model, headers }: Target, port: number, rest: Partial<Job> = {}): Job {
  const job = { scenario: "short", size: "small" as const, stream: true, concurrency: 1, requests: 1, seconds: 3 };
  return { port, format, path, model, headers, ...job, ...rest };
}

/** Starts a target and waits for its first answer: gives it, and how long that took. */
async function launch(target: Target): Promise<[Running, ms: number]> {
  if (target.name === DIRECT) return [{ target, port: upstreamPort, pid: undefined, end() {} }, NaN];
  const free = await toFreePort();
  const command = target.toCommand(free);
  const began = performance.now();
  const child = start(command, target.env, target.findsPort);
  const port = target.findsPort ? Number(await toLines(child)()) : free;
  for (let asked = await ask(toJob(target, port)); asked.broken > 0; asked = await ask(toJob(target, port))) {
    if (performance.now() - began > START_LIMIT || child.exitCode !== null) {
      end(child);
      throw new Error(`did not answer: ${Object.keys(asked.faults).join(", ")}`);
    }
    await sleep(2);
  }
  return [{ target, port, pid: child.pid, end: () => end(child) }, performance.now() - began];
}

const skipped: [string, string][] = [];
const targets = [
  ...toFloors(upstreamPort),
  ...(flags.against ? toArbiters(upstreamPort, resolve(flags.against), "before", join(folder, "before")) : []),
  ...toArbiters(upstreamPort, ROOT, "arbiter", join(folder, "arbiter")),
].filter(({ name }) => isWanted(flags.target, name));
if (flags.peers) {
  const skip = (name: string, why: string) => void skipped.push([name, why]);
  targets.push(...toPeers(upstreamPort, folder, { wants: (name) => isWanted(flags.target, name), skip }));
  skipped.push(...SKIPPED.map(([name, why]): [string, string] => [name, why]));
}

const running: Running[] = [];
const starts: Results["starts"] = new Map();
for (let turn = 0; turn < STARTS; turn++) {
  for (const target of [...targets]) {
    try {
      const [started, ms] = await launch(target);
      const known = starts.get(target.name) ?? { ms: [], memory: 0 };
      known.ms.push(ms);
      if (started.pid) known.memory = toMemory(started.pid, "VmRSS");
      if (started.pid) starts.set(target.name, known);
      if (turn === STARTS - 1) running.push(started);
      else started.end();
    } catch (thrown) {
      skipped.push([target.name, thrown instanceof Error ? thrown.message : String(thrown)]);
      targets.splice(targets.indexOf(target), 1);
    }
  }
}

const cases = CASES.filter(({ name }) => isWanted(flags.scenario, name));
const cells: Results["cells"] = new Map();

async function measure({ target, port, pid }: Running, tested: (typeof CASES)[number]): Promise<Cell> {
  const requests = flags.quick ? Math.ceil(tested.requests / 4) : tested.requests;
  if (pid) forgetPeak(pid);
  const before = pid ? toCpu(pid) : new Map();
  const outcome = await ask(toJob(target, port, { ...tested, requests }));
  const cpu = pid ? toUsed(before, toCpu(pid)) : NaN;
  const { first, total, delay, delay99, faults, answers, elapsed, broken } = outcome;
  const timed = { first, total, delay, delay99 };
  const good = broken < answers;
  const chunks = answers * toChunks(tested);
  return {
    ...timed,
    cpuRequest: good ? cpu / answers : NaN,
    cpuChunk: good ? cpu / chunks : NaN,
    chunkRate: good ? chunks / elapsed * 1000 : NaN,
    answerRate: good ? answers / elapsed * 1000 : NaN,
    peak: pid ? toMemory(pid, "VmHWM") : NaN,
    faults,
  };
}

for (const tested of cases) {
  const began = performance.now();
  const byTarget = new Map<string, Cell[]>(running.map(({ target }) => [target.name, []]));
  cells.set(tested.name, byTarget);
  for (let round = -1; round < rounds; round++) {
    for (const one of running) {
      try {
        const cell = await measure(one, tested);
        if (round >= 0) byTarget.get(one.target.name)?.push(cell);
      } catch (thrown) {
        skipped.push([
          one.target.name,
          `has died in ${tested.name}: ${thrown instanceof Error ? thrown.message : thrown}`,
        ]);
        const [again] = await launch(one.target);
        Object.assign(one, again);
      }
    }
  }
  console.error(`${tested.name}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
}
for (const one of running) one.end();

const toVersion = (command: string) =>
  spawnSync(command, ["--version"], { encoding: "utf8" }).stdout?.split("\n", 1)[0] ?? "";
const versions = `Node ${process.version}, ${toVersion("deno").split(" (")[0]}, Bun ${toVersion("bun")}`;
const names = running.map(({ target }) => target);
const results = { cases, targets: names, cells, starts, skipped, rounds, versions };
const command = ["npm run bench", ...process.argv.slice(2).length > 0 ? ["--", ...process.argv.slice(2)] : []].join(
  " ",
);
const report = toReport(results, command);
const place = flags.out ?? (flags.quick || flags.against || flags.scenario || flags.target ? undefined : "bench");
if (place) {
  writeFileSync(join(place, "report.md"), report);
  writeFileSync(join(place, "report.svg"), toChart(results));
} else console.log(report);
process.exit(0);
