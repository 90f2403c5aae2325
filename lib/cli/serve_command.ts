import type { FlagName } from "./commands.ts";
import { DASHBOARD_PATH } from "../server/dashboard.ts";
import type { Context } from "./io.ts";
import { createProxy, DEFAULT_PORT, listen } from "./proxy.ts";
import { wrapLines } from "./rows.ts";
import { findShell, SHELLS } from "./shells.ts";

/** Flags that tell `env` of the same proxy. */
const SHARED_FLAGS: readonly FlagName[] = ["host", "model", "max-tokens", "config", "demo"];

/** What to type for a program whose script is there: what is only fetched, or copied, is not on PATH. */
const STARTS: readonly (readonly [script: RegExp, start: string])[] = [
  [/[\\/]\.?bunx-/, "bunx arbiter-proxy"],
  [/[\\/](?:_npx|\.bin)[\\/]/, "npx arbiter-proxy"],
  [/\$deno\$node/, "deno run -A jsr:@arbiter/proxy"],
  [/[\\/]node_modules[\\/]|[\\/]arbiter(?:-proxy)?$/, "arbiter-proxy"],
];

/** The line that points Claude Code at a proxy, for the shell of the user and as `process` was started. */
export function toUse(
  { io: { env, platform }, flags }: Context,
  port: number,
  { argv: [, script = ""], versions: { deno, bun } }: Pick<NodeJS.Process, "argv" | "versions">,
): string {
  const { use, quote } = SHELLS[findShell(env, platform)];
  const [, known] = STARTS.find(([pattern]) => pattern.test(script)) ?? [];
  const start = known ?? `${deno ? "deno run -A" : bun ? "bun" : "node"} ${quote(script)}`;
  const typed = SHARED_FLAGS.filter((name) => flags[name] !== undefined);
  const same = typed.flatMap((name) => [`--${name}`, ...(flags[name] === true ? [] : [quote(String(flags[name]))])]);
  return use([`${start} env`, ...(port === DEFAULT_PORT ? [] : [`--port ${port}`]), ...same].join(" "));
}

/** Runs the proxy until it is told to stop. */
export async function runServe(context: Context): Promise<number> {
  const { default: process } = await import("node:process");
  const { print, tell } = context.io;
  const proxy = await createProxy(context, tell);
  // Whoever reads that it listens may stop it at once.
  const told = new Promise((resolve) => process.once("SIGINT", resolve).once("SIGTERM", resolve));
  const server = await listen(proxy, context.io);
  const listening = `Arbiter is listening on ${server.url} → ${proxy.upstream}, model ${proxy.models.elite}`;
  print(wrapLines(listening, context.io.columns));
  const there = context.settings.clientKeys ? " with the same ARBITER_API_KEY" : "";
  print(`To use it, in another terminal${there}: ${toUse(context, server.port, process)}, then claude`);
  print(`To watch it: ${server.url}${DASHBOARD_PATH}`);
  await told;
  await server.close();
  return 0;
}
