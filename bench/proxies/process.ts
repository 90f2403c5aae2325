/** Processes of the benchmark: starting them, what they have used, ending them. Linux only: it reads /proc. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import process from "node:process";

/** What ends in any case when the benchmark does. */
const started = new Set<ChildProcess>();
process.on("exit", () => started.forEach((child) => end(child)));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

/** Starts a program in a process group of its own. */
export function start([file = "", ...args]: string[], env: Record<string, string> = {}, speaks = false): ChildProcess {
  const stdio = [speaks ? "pipe" : "ignore", speaks ? "pipe" : "ignore", speaks ? "inherit" : "ignore"] as const;
  const child = spawn(file, args, { stdio: [...stdio], detached: true, env: { ...process.env, ...env } });
  child.on("error", () => {});
  started.add(child);
  return child;
}

/** Ends a program with all that it has started. */
export function end(child: ChildProcess): void {
  started.delete(child);
  try {
    if (child.pid) process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** Reads lines from a program, one at a time. */
export function toLines(child: ChildProcess): () => Promise<string> {
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`A process of the benchmark has ended: ${child.spawnargs.join(" ")}`);
    return value;
  };
}

/** A process and all below it. */
function toTree(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) => {
    const path = `/proc/${pid}/task/${task}/children`;
    return existsSync(path) ? readFileSync(path, "utf8").trim().split(" ").filter(Boolean).map(Number) : [];
  });
  return [pid, ...children.flatMap(toTree)];
}

function sum<T>(items: readonly T[], toNumber: (item: T) => number): number {
  return items.reduce((sum, item) => sum + toNumber(item), 0);
}

/** Microseconds of processor time each thread of a program has used so far; finer than the ticks of /proc/PID/stat. */
export function toCpu(pid: number): Map<string, number> {
  const threads = new Map<string, number>();
  for (const each of toTree(pid)) {
    for (const task of readdirSync(`/proc/${each}/task`)) {
      try {
        const used = readFileSync(`/proc/${each}/task/${task}/schedstat`, "utf8").split(" ", 1)[0];
        threads.set(task, Number(used) / 1000);
      } catch {
        // A thread that has ended meanwhile.
      }
    }
  }
  return threads;
}

/** What was used between two looks; what a thread has used that has ended meanwhile is not known. */
export function toUsed(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): number {
  return sum([...after], ([task, used]) => used - (before.get(task) ?? 0));
}

/** MiB of memory a program has now, or had at most since {@linkcode forgetPeak}. */
export function toMemory(pid: number, which: "VmRSS" | "VmHWM"): number {
  return sum(toTree(pid), (pid) => {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(new RegExp(`${which}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
  });
}

/** Lets the peak of memory begin anew. */
export function forgetPeak(pid: number): void {
  for (const each of toTree(pid)) writeFileSync(`/proc/${each}/clear_refs`, "5");
}
