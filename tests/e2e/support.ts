/** Starts what an end-to-end test needs: an upstream, the command line of Arbiter, and the real Claude Code. */
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type ChatMessage, type ChatRequest, createStandIn, type ScriptedAnswer, serve } from "../../mod.ts";

/** The root of the repository; this file runs as dist/tests/e2e/support.js. */
export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** Where the runtimes are. */
export const TOOLS = join(ROOT, "node_modules/.bin");
/** Where the real claude is. */
export const CLAUDE = join(ROOT, "tests/e2e/node_modules/.bin");

const RUNTIMES = {
  node: [process.execPath, join(ROOT, "dist/cli.js")],
  deno: [join(TOOLS, "deno"), "run", "-A", join(ROOT, "cli.ts")],
  bun: [join(TOOLS, "bun"), join(ROOT, "cli.ts")],
};

/** Runtimes that Arbiter's command line can be started on. */
export type Runtime = keyof typeof RUNTIMES;

/** Who does something in the end: a test, or a benchmark. */
export interface Cleaner {
  after(step: () => unknown): void;
}

/** Collects what is to be done in the end, as a test does, and does it. */
export function createCleaner(): Cleaner & { clean(): Promise<void> } {
  const steps: (() => unknown)[] = [];
  return {
    after: (step) => void steps.push(step),
    async clean() {
      for (const step of steps.reverse()) await step();
    },
  };
}

/** A home and a project folder of a test's own, both empty. */
export interface Place {
  home: string;
  project: string;
}

/** Makes a place that is gone after the test. */
export async function makePlace(t: Cleaner): Promise<Place> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "arbiter-e2e-")));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const place = { home: join(folder, "home"), project: join(folder, "project") };
  await mkdir(place.home);
  await mkdir(place.project);
  return place;
}

/** Makes a place in which Claude Code has been before, so that it asks nothing at its start. */
export async function makeKnownPlace(t: Cleaner): Promise<Place> {
  const place = await makePlace(t);
  const known = { hasTrustDialogAccepted: true, hasCompletedProjectOnboarding: true };
  const settings = { hasCompletedOnboarding: true, theme: "dark", projects: { [place.project]: known } };
  await writeFile(join(place.home, ".claude.json"), JSON.stringify(settings));
  return place;
}

/** An upstream that follows a script. */
export interface Upstream {
  /** What points Arbiter to it. */
  env: Record<string, string>;
  /** What Claude Code has asked for so far. */
  requests: ChatRequest[];
  /** Settles when somebody went away before the answer was complete. */
  left: Promise<void>;
}

/** Decides about a request; `turn` counts what Claude Code asked before. */
export type Decide = (request: ChatRequest, turn: number) => ScriptedAnswer;

/** Starts an upstream; its models all follow the same script, the first is the one Arbiter uses, the others step in. */
export async function startUpstream(
  t: Cleaner,
  decide: Decide,
  options: { models?: string[]; apiKey?: string } = {},
): Promise<Upstream> {
  const { models = ["test/model"], apiKey = "test-key" } = options;
  const requests: ChatRequest[] = [];
  const script = (request: ChatRequest) => {
    // Claude Code always offers tools; whoever does not is finding out whether the model is there.
    if (!request.tools) return { steps: [{ text: "Yes." }] };
    return decide(request, requests.push(request) - 1);
  };
  const standIn = createStandIn({ models: Object.fromEntries(models.map((id) => [id, script])), apiKey });
  let onLeft = () => {};
  const left = new Promise<void>((resolve) => onLeft = resolve);
  const server = await serve((request) => {
    request.signal.addEventListener("abort", onLeft);
    return standIn.fetch(request);
  });
  t.after(() => server.close());
  const env = {
    NVIDIA_BASE_URL: `${server.url}/v1`,
    NVIDIA_API_KEY: apiKey,
    ARBITER_MODEL: models.join(","),
  };
  return { env, requests, left };
}

/** How a program ended. */
export interface Ended {
  /** Nothing when a signal ended it. */
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A program on its way, in a process group of its own. */
export interface Running {
  ended: Promise<Ended>;
  /** Waits until it has written something, on either stream. */
  wrote(text: RegExp): Promise<RegExpExecArray>;
  /** Sends a signal to the program alone. */
  signal(name: NodeJS.Signals): void;
  /** Sends a signal to its whole process group, as a terminal does; tells whether there was anybody. */
  signalGroup(name: NodeJS.Signals | 0): boolean;
}

/** Options of {@linkcode startProgram}. */
export interface StartOptions {
  /** The working directory is its project. */
  place: Place;
  env?: Record<string, string>;
  /** Milliseconds after which it is killed with all its children. */
  limit?: number;
}

/** Starts a program in a place, with an environment that has nothing of the user's but PATH. */
export function startProgram(t: Cleaner, command: readonly string[], options: StartOptions): Running {
  const { place, env = {}, limit = 60_000 } = options;
  const [file = "", ...args] = command;
  const child = spawn(file, args, {
    cwd: place.project,
    env: {
      PATH: [CLAUDE, process.env.PATH].join(delimiter),
      HOME: place.home,
      TMPDIR: place.home,
      NO_COLOR: "1",
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      ...env,
    },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const signalGroup = (name: NodeJS.Signals | 0) => {
    try {
      return child.pid !== undefined && process.kill(-child.pid, name);
    } catch {
      return false; // Nobody is left in the group.
    }
  };
  let [stdout, stderr] = ["", ""];
  const wrote: Running["wrote"] = (text) =>
    new Promise((resolve, reject) => {
      const look = () => {
        const found = text.exec(stdout + stderr);
        if (found) resolve(found);
      };
      child.stdout.on("data", look);
      child.stderr.on("data", look);
      child.once("close", () => reject(new Error(`Ended without ${text}:\n${stdout}\n${stderr}`)));
      look();
    });
  const ended = new Promise<Ended>((resolve, reject) => {
    const timer = setTimeout(() => {
      stderr += `\n(killed after ${limit} ms)`;
      signalGroup("SIGKILL");
    }, limit);
    child.stdout.setEncoding("utf8").on("data", (text) => stdout += text);
    child.stderr.setEncoding("utf8").on("data", (text) => stderr += text);
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
  t.after(() => signalGroup("SIGKILL"));
  return { ended, wrote, signal: (name) => void child.kill(name), signalGroup };
}

/** Options of {@linkcode startArbiter}. */
export interface ArbiterStartOptions extends StartOptions {
  runtime?: Runtime;
}

/** The command that starts Arbiter's command line. */
export function toArbiter(runtime: Runtime, args: string[]): string[] {
  return [...RUNTIMES[runtime], ...args];
}

/** Starts Arbiter's command line. */
export function startArbiter(t: Cleaner, args: string[], options: ArbiterStartOptions): Running {
  return startProgram(t, toArbiter(options.runtime ?? "node", args), options);
}

/** Options of {@linkcode startSession}. */
export interface SessionOptions extends ArbiterStartOptions {
  /** Flags for Arbiter. */
  flags?: string[];
  /** Whether each event of a stream is printed, not only the result. */
  partial?: boolean;
}

/** Starts a session of the real Claude Code that may use all its tools. */
export function startSession(t: Cleaner, prompt: string, options: SessionOptions): Running {
  const { flags = [], partial, env } = options;
  const format = partial ? ["stream-json", "--verbose", "--include-partial-messages"] : ["json"];
  const claude = ["-p", prompt, "--dangerously-skip-permissions", "--output-format", ...format];
  // Claude Code lets root skip permissions in a sandbox only.
  return startArbiter(t, ["code", "--port", "0", ...flags, "--", ...claude], {
    ...options,
    env: { ...env, IS_SANDBOX: "1" },
  });
}

/** The last word of a session. */
export function toResult({ stdout, stderr }: Ended): string {
  try {
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "").result;
  } catch {
    throw new Error(`Not the output of a session:\n${stdout}\n${stderr}`);
  }
}

/** The text of a message. */
export function toText({ content }: ChatMessage): string {
  if (typeof content === "string") return content;
  return content?.map((part) => part.type === "text" ? part.text : "").join("\n") ?? "";
}
