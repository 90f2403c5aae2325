import type { Context } from "./context.ts";
import { createProxy, listen } from "./proxy.ts";

/** Runs the proxy until it is told to stop. */
export async function runServe({ io, settings, flags }: Context): Promise<number> {
  const { default: process } = await import("node:process");
  const proxy = createProxy(settings, flags.demo === true, io.tell);
  const server = await listen(proxy, settings);
  io.print(`Arbiter is listening on ${server.url} → ${proxy.upstream}, model ${proxy.model}`);
  io.print(`To use it: ANTHROPIC_BASE_URL=${server.url} ANTHROPIC_AUTH_TOKEN=arbiter claude`);
  await new Promise<void>((resolve) => {
    process.once("SIGINT", () => resolve()).once("SIGTERM", () => resolve());
  });
  proxy.arbiter.close();
  await server.close();
  return 0;
}
