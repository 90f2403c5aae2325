/**
 * How long it takes from Enter to the first screen of Claude Code, with Arbiter and without: `npm run bench:screen`.
 *
 * Key and model are set, and the model has been probed. `claude` alone has the variables that Arbiter would set, and a
 * proxy that already runs. The upstream is a stand-in on this machine, which needs a while for each answer in the second
 * table, as one far away does.
 * All take turns, and each is compared with the one of the same round: a slow moment of the machine falls on all alike.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { createStandIn, serve } from "../mod.ts";
import {
  createCleaner,
  makeKnownPlace,
  type Place,
  type Runtime,
  startArbiter,
  toArbiter,
} from "../tests/e2e/support.ts";
import { startTerminal } from "../tests/e2e/terminal.ts";
import { median, printRow, takeTurns } from "./measure.ts";

const ROUNDS = Number(process.argv[2] ?? 11);
const RUNTIMES: Runtime[] = ["node", "deno", "bun"];
const MODEL = "openai/gpt-oss-120b";
const KEY = "nvapi-bench";
/** Milliseconds an upstream far away needs for an answer. */
const FAR = 200;
/** The prompt, and the line below its box. */
const FIRST_SCREEN = /❯[^]*auto mode on/;

type Env = Record<string, string>;
type Command = { words: string[]; env: Env };

/** Milliseconds until the first screen can be seen. */
async function measure({ words, env }: Command, place: Place): Promise<number> {
  const cleaner = createCleaner();
  const began = performance.now();
  const terminal = startTerminal(cleaner, words, { place, env });
  await terminal.see(FIRST_SCREEN);
  const time = performance.now() - began;
  await cleaner.clean();
  return time;
}

const cleaner = createCleaner();
const place = await makeKnownPlace(cleaner);
const state = join(place.home, ".local/state/arbiter");
await mkdir(state, { recursive: true });
await writeFile(join(state, "choice.json"), JSON.stringify({ model: MODEL, added: [], removed: [] }));
const standIn = createStandIn({ models: { [MODEL]: () => ({ steps: [{ text: "Yes." }] }) }, apiKey: KEY });
let delay = 0;
const upstream = await serve(async (request) => {
  await sleep(delay);
  return await standIn.fetch(request);
});
cleaner.after(() => upstream.close());

const env = { NVIDIA_BASE_URL: `${upstream.url}/v1`, NVIDIA_API_KEY: KEY };
await startArbiter(cleaner, ["probe"], { place, env: { ...env, ARBITER_RATE_LIMIT: "0" } }).ended;
const proxy = startArbiter(cleaner, ["serve", "--port", "0"], { place, env, limit: 3_600_000 });
const [, port = ""] = await proxy.wrote(/:(\d+) →/);
const { stdout } = await startArbiter(cleaner, ["env", "--json", "--port", port], { place, env }).ended;
const alone: Command = { words: ["claude"], env: JSON.parse(stdout).env };
const commands = RUNTIMES.map((runtime) => ({ words: toArbiter(runtime, ["code", "--port", "0"]), env }));
for (const far of [0, FAR]) {
  delay = far;
  const [bare = [], ...rest] = await takeTurns([alone, ...commands], ROUNDS, (command) => measure(command, place));
  console.log(`\nThe upstream needs ${delay} ms for each answer:`);
  printRow(16, "command", "first screen ms", "more ms", "ratio");
  printRow(16, "claude", median(bare));
  for (const [i, times] of rest.entries()) {
    const [more, ratios] = [times.map((time, n) => time - bare[n]!), times.map((time, n) => time / bare[n]!)];
    printRow(16, RUNTIMES[i]!, median(times), median(more), median(ratios).toFixed(2));
  }
}
await cleaner.clean();
process.exit(0);
