import { createArbiter } from "../arbiter.ts";
import { toConfigPath, toStatePath } from "../config/folders.ts";
import { toModel } from "../models/roster.ts";
import { toLabel } from "../routing/reference.ts";
import { createRouter } from "../routing/router.ts";
import type { RouterOptions } from "../routing/routing_options.ts";
import type { RequestLog } from "../server/request_log.ts";
import { serve } from "../server/serve.ts";
import { createMemoryStore } from "../store/memory_store.ts";
import { patientFetch } from "../upstream/patient_fetch.ts";
import { VERSION } from "../version.ts";
import type { ApiErrorBody } from "../wire/errors.ts";
import { readRuntime } from "../wire/runtime.ts";
import { findOnPath, readLastLine } from "./child.ts";
import {
  checkAnswer,
  checkBaseUrl,
  checkClaude,
  checkClaudeEnv,
  checkClaudeSettings,
  checkClock,
  checkFolder,
  checkKey,
  checkLocalhost,
  checkNetwork,
  checkPort,
  checkReach,
  checkRuntime,
  checkStoreFault,
  checkWsl,
  type Finding,
  found,
} from "./doctor_checks.ts";
import { type Context, type Io, report } from "./io.ts";
import { openSharedStore, openStore, readLessons, STORE_NAMES } from "./open_store.ts";
import { DEFAULT_PORT, toAddress, toConfigured } from "./proxy.ts";
import { readRouterOptions } from "./router_options.ts";
import { toRows } from "./rows.ts";
import { findRunning } from "./running.ts";

/** Milliseconds the upstream is given to show that it is there, and its model to answer. */
const LOOK_TIMEOUT = 8_000;
const TASTE_TIMEOUT = 30_000;

/** What `doctor` looks at, so that tests can be any machine. */
export type Machine = Awaited<ReturnType<typeof createMachine>>;

/** The machine this runs on; what fails is the system's code for it. */
async function createMachine({ env, platform, cwd }: Io) {
  const { access, constants, readFile } = await import("node:fs/promises");
  const { lookup } = await import("node:dns/promises");
  const { release } = await import("node:os");
  const { dirname } = await import("node:path");
  const isWritable = async (folder: string): Promise<boolean> => {
    const code = await access(folder, constants.W_OK).then(() => "", (error) => error.code);
    return code === "ENOENT" ? await isWritable(dirname(folder)) : code === "";
  };
  return {
    runtime: await readRuntime(),
    release: release(),
    fetch: patientFetch,
    now: Date.now,
    readText: (path: string) => readFile(path, "utf8").catch(() => undefined),
    isWritable,
    resolve: (host: string) => lookup(host, { all: true }).then((all) => all.map(({ address }) => address), () => []),
    tryPort: (port: number): Promise<string | undefined> =>
      serve(() => new Response(), { port }).then(
        (server) => void server.close(),
        ({ code, message }) => code ?? message,
      ),
    findRunning,
    async findClaude(): Promise<[path?: string | undefined, version?: string | undefined, npx?: string | undefined]> {
      const path = await findOnPath("claude", env, platform);
      const program = { command: path ?? "", args: ["--version"] };
      const asked = path && readLastLine(program, env, cwd, AbortSignal.timeout(LOOK_TIMEOUT));
      const line = asked && await asked.catch(() => undefined);
      return [path, line?.split(" ")[0], await findOnPath("npx", env, platform)];
    },
  };
}

/** Asks the main model for a word: NVIDIA lists its models without a key, so that nothing less shows whether it works. */
async function tryModel(options: RouterOptions, fetch: Machine["fetch"]): Promise<Finding> {
  let log: RequestLog | undefined;
  const limits = { maxAttempts: 1, requestTimeout: TASTE_TIMEOUT, localAnswers: [] };
  const arbiter = createArbiter({ ...options, ...limits, fetch, onRequest: (over) => void (log = over) });
  const { catalog } = arbiter.router;
  const model = toLabel(catalog.elite, catalog);
  const body = JSON.stringify({ model, max_tokens: 1, messages: [{ role: "user", content: "Say yes." }] });
  const response = await arbiter.fetch(new Request("http://localhost/v1/messages", { method: "POST", body }));
  const { error } = await response.json() as Partial<ApiErrorBody>;
  return checkAnswer(log?.model ?? model, error);
}

/** Whether the host is there, its key and its model work, the clock is right, and the models are still served. */
async function checkUpstream(options: RouterOptions, { fetch, now }: Machine, context: Context): Promise<Finding[]> {
  const { elite, elite: { backend }, tiers } = createRouter(options).catalog;
  const findings = [checkKey(backend), checkBaseUrl(backend)];
  const store = await openStore(context, () => {}).catch(() => createMemoryStore()); // It has a row of its own.
  const learned = await readLessons(store);
  for (const target of new Map([elite, ...Object.values(tiers)].map((one) => [one.model, one])).values()) {
    const { gone, successor = "another" } = toModel(target.model, options.models);
    if (!gone && learned.of(target).goneSince === Infinity) continue;
    const fix = `Choose ${successor}; if it is back, run arbiter-proxy reset.`;
    findings.push(found("model", "WARN", `${target.model} is gone`, fix));
  }
  try {
    const signal = AbortSignal.timeout(LOOK_TIMEOUT);
    const response = await fetch(`${backend.baseUrl}/models`, { signal, redirect: "manual" });
    await response.body?.cancel();
    findings.push(found("upstream", "OK", "can be reached"), ...checkClock(response.headers.get("date"), now()));
  } catch (thrown) {
    return [...findings, checkReach(thrown)];
  }
  // What is wrong already need not be tried.
  return findings.some(({ state }) => state === "FAIL") ? findings : [...findings, await tryModel(options, fetch)];
}

/** Whether the store that is shared can be written to. */
async function checkStore(context: Context): Promise<Finding[]> {
  const { store: name = "memory" } = context.settings;
  if (name === "memory") return [];
  try {
    const store = await openSharedStore(context);
    await store?.set("doctor check", true, 1_000);
    await store?.close();
    return store ? [found("store", "OK", `${STORE_NAMES[name]} takes what it is given`)] : [];
  } catch (thrown) {
    return [checkStoreFault(name, thrown as Error)];
  }
}

/** Looks for every ordinary mistake. */
export async function diagnose(context: Context, machine: Machine): Promise<Finding[]> {
  const { io: { env, cwd }, flags, settings } = context;
  const { NODE_EXTRA_CA_CERTS: certificates } = env;
  const isReadable = certificates === undefined || await machine.readText(certificates) !== undefined;
  const findings = [checkRuntime(machine.runtime), ...checkNetwork(env, machine.runtime, isReadable)];
  let port = settings.port ?? DEFAULT_PORT;
  try {
    const { path = "no config file", port: chosen = port, ...options } = await readRouterOptions(context);
    port = chosen;
    toConfigured(() => createRouter(options));
    findings.push(found("settings", "OK", path));
    if (!flags.demo) findings.push(...await checkUpstream(options, machine, context));
  } catch (thrown) {
    findings.push(found("settings", "FAIL", (thrown as Error).message, "Correct that first."));
  }
  findings.push(...await checkStore(context));
  const [claude, ...more] = await machine.findClaude();
  findings.push(checkClaude(claude, ...more), ...checkClaudeEnv(env));
  const home = env.CLAUDE_CONFIG_DIR || `${env.HOME || env.USERPROFILE}/.claude`;
  const files = [`${home}/settings.json`, `${cwd}/.claude/settings.json`, `${cwd}/.claude/settings.local.json`];
  for (const path of new Set(files)) findings.push(...checkClaudeSettings(path, await machine.readText(path)));
  const running = await machine.findRunning(toAddress(context, { port }), context);
  const who = typeof running === "object" ? running.version : running;
  findings.push(checkPort(port, who, who ? undefined : await machine.tryPort(port)));
  findings.push(...checkLocalhost(await machine.resolve("localhost")), ...checkWsl(env, machine.release, claude));
  const folders = { "state folder": toStatePath(context.io), "config folder": toConfigPath(context.io) };
  for (const [check, folder] of Object.entries(folders)) {
    findings.push(checkFolder(check, folder, folder !== undefined && await machine.isWritable(folder)));
  }
  return findings;
}

/** Tells what is right, what is not, and what to do about it; fails if anything keeps Arbiter from working. */
export async function runDoctor(context: Context): Promise<number> {
  const findings = await diagnose(context, await createMachine(context.io));
  const ok = findings.every(({ state }) => state !== "FAIL");
  const rows = findings.map(({ check, state, says, fix }) =>
    [state.padEnd(4), [`${check}: ${says}`, fix].filter(Boolean).join(". ")] as const
  );
  report(context, { version: VERSION, ok, findings }, toRows(rows, context.io.columns));
  return ok ? 0 : 1;
}
