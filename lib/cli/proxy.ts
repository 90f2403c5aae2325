import { createArbiter } from "../arbiter.ts";
import { checkHost, ConfigError, type Settings, toLocalAnswers } from "../config/settings.ts";
import type { Backend } from "../routing/candidate.ts";
import type { Router } from "../routing/router.ts";
import type { RouterOptions } from "../routing/routing_options.ts";
import { formatRequestLog, type RequestLog, toLogLine } from "../server/request_log.ts";
import type { HandlerOptions } from "../server/options.ts";
import { STATUS_PATH } from "../server/stats.ts";
import { serve, type Server } from "../server/serve.ts";
import { createStandIn, DEMO_MODEL } from "../stand_in/stand_in.ts";
import { httpCall, suitsHttpCall } from "../upstream/http_call.ts";
import { readRuntime } from "../wire/runtime.ts";
import type { Context, Io } from "./io.ts";
import { readModelChoice } from "./model_choice.ts";
import { toUpgrade } from "./oldest.ts";
import { openStore } from "./open_store.ts";
import { keepRunFile, removeRunFile } from "./run_file.ts";
import type { Address } from "./running.ts";
import { type ReadOptions, readRouterOptions, watchConfig } from "./router_options.ts";

/** Arbiter's port when nobody chooses one. */
export const DEFAULT_PORT = 4005;
/** Arbiter's address when nobody chooses one: Claude Code may look for `localhost` in the wrong family. */
const DEFAULT_HOST = "127.0.0.1";

const NO_KEY =
  "No API key: get a free one at https://build.nvidia.com and set NVIDIA_API_KEY in the environment or in " +
  ".env. To try without a key, add --demo";

/** Where requests go in a demo; its `fetch` is the stand-in's. */
const DEMO_OPTIONS: RouterOptions = { baseUrl: "http://stand-in/v1", model: DEMO_MODEL, fallbacks: [] };

/** What to do where a host has no key; nothing where it has one, or needs none. */
export function toNoKey({ lacks, name }: Backend): string | undefined {
  return lacks === "NVIDIA_API_KEY" ? NO_KEY : lacks && `No API key for '${name}': set ${lacks}`;
}

/** A proxy made from settings: where it is to listen, its store, its models, its upstream's name, what ends its care for files. */
export type ConfiguredProxy = Awaited<ReturnType<typeof createProxy>>;

/** So many sentences about losses are remembered; clients may name what is lost as they like. */
const MOST_WARNINGS = 200;

/** What is written of requests: a line each, and a sentence about a loss only once. */
export function toRequestWriter(logLevel: string, write: (line: string) => void): (log: RequestLog) => void {
  const warned = new Set<string>();
  return (log) => {
    if (log.path === STATUS_PATH) return; // Who watches asks every second.
    if (logLevel === "silent" || (logLevel === "error" && log.status < 400 && !log.error)) return;
    write(formatRequestLog(log));
    for (const warning of log.warnings ?? []) {
      const line = toLogLine(`warning: ${warning}`);
      if (warned.has(line)) continue;
      write(line);
      if (warned.size >= MOST_WARNINGS) warned.clear();
      warned.add(line);
    }
  };
}

/** How clients and upstreams are treated; one earlier tool has two limits of output, a usual one and a hard one. */
function toHandlerOptions(settings: Settings, write: (line: string) => void): HandlerOptions {
  const { maxTokens = Infinity, hardMaxTokens = Infinity, logLevel = "info", allowOpen: open } = settings;
  const { pingInterval, maxBodyBytes, requestTimeout, clientKeys, inboundRpm, showContent, visualizes } = settings;
  const set = { pingInterval, maxBodyBytes, requestTimeout, clientKeys, open, inboundRpm, showContent, visualizes };
  return {
    ...Object.fromEntries(Object.entries(set).filter(([, value]) => value !== undefined)),
    localAnswers: toLocalAnswers(settings),
    maxTokens: Math.min(maxTokens, hardMaxTokens),
    onRequest: toRequestWriter(logLevel, write),
  };
}

/** What a library calls a wrong argument is a wrong configuration here. */
export function toConfigured<T>(create: () => T): T {
  try {
    return create();
  } catch (cause) {
    throw cause instanceof TypeError ? new ConfigError(cause.message, { cause }) : cause;
  }
}

/** Where the proxy listens, or would; `options` tells the port of a config file. */
export function toAddress({ settings }: Context, options: { port?: number | undefined } = {}): Address {
  return { host: settings.host ?? DEFAULT_HOST, port: settings.port ?? options.port ?? DEFAULT_PORT };
}

/** What a router is made from: the demo's options, or those of flags, environment and config file. */
async function readOptions(context: Context, warn?: (warning: string) => void): Promise<ReadOptions> {
  return context.flags.demo ? DEMO_OPTIONS : await readRouterOptions(context, undefined, warn);
}

/** The address a command is about: the one that `serve` would take; where the port is said no file can stand in the way. */
export async function readAddress(context: Context): Promise<Address> {
  return toAddress(context, context.settings.port === undefined ? await readOptions(context) : {});
}

/** Finds out what names mean, and where requests would go. */
export async function readRouter(context: Context, warn?: (warning: string) => void): Promise<Router> {
  const options = await readOptions(context, warn);
  return toConfigured(() => createArbiter(options)).router;
}

/** What asks the upstream: the stand-in in a demo, `node:http` where that does as well as `fetch`. */
function toCaller({ flags, io }: Context): Pick<HandlerOptions, "fetch" | "call"> {
  if (flags.demo) return { fetch: createStandIn({ keep: 0 }).fetch };
  return suitsHttpCall(io.env) ? { call: httpCall } : {};
}

/** Makes the proxy the settings ask for; `write` takes the lines of its log. */
export async function createProxy(context: Context, write: (line: string) => void) {
  const { settings, flags, io } = context;
  checkHost(settings);
  const runtime = await readRuntime();
  const upgrade = toUpgrade(runtime);
  if (upgrade) io.tell(`arbiter: ${runtime.name} ${runtime.version} is too old for all to work. ${upgrade}`);
  const handling = { ...toHandlerOptions(settings, write), ...toCaller(context) };
  const store = await openStore(context, write);
  const { port, path, ...options } = await readOptions(context, io.tell);
  const arbiter = toConfigured(() => createArbiter({ ...handling, ...options, store }));
  const { catalog, catalog: { elite: { backend } } } = arbiter.router;
  const noKey = toNoKey(backend);
  if (noKey) throw new ConfigError(noKey);
  const unwatch = await watchConfig(path, async () => {
    arbiter.configure(await readRouterOptions(context, path));
    write(`Read ${path} again`);
  }, (error) => write(`Kept the configuration as it was: ${error.message}`));
  const models = await readModelChoice(catalog, context, store);
  const upstream = flags.demo ? "the built-in demo model" : backend.baseUrl;
  return { arbiter, store, models, upstream, ...toAddress(context, { port }), unwatch };
}

/**
 * Listens on the proxy's port, and notes that for `stop`; if it is taken, tells `elsewhere` and takes a free one, or
 * without it fails. Closing the server ends the proxy.
 */
export async function listen(proxy: ConfiguredProxy, io: Io, elsewhere?: (taken: number) => void): Promise<Server> {
  const { arbiter, host, port, store, unwatch } = proxy;
  const open = (port: number) => serve(arbiter.fetch, { hostname: host, port });
  const server = await open(port).catch(({ code, message }) => {
    const why = code ?? message;
    if (why !== "EADDRINUSE") {
      throw new Error(`Cannot listen on ${host}, port ${port} (${why}): choose others with --host and --port`);
    }
    if (!elsewhere) throw new Error(`Port ${port} is taken, perhaps by another Arbiter: choose another with --port`);
    elsewhere(port);
    return open(0);
  });
  await keepRunFile(io, server.port, arbiter.status().since);
  return {
    ...server,
    async close() {
      unwatch();
      arbiter.close();
      await removeRunFile(io, server.port);
      await server.close();
      await store.close();
    },
  };
}
