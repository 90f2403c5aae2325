/**
 * How long it takes from the start of the process until the proxy listens, and until the help is there:
 * `npm run bench:start`.
 *
 * The one is measured against a bare `node:http` server of the same runtime that loads the same module, the other against
 * a program of one line, in turns, so that a slow moment of the machine falls on all alike. The ratio is what counts;
 * milliseconds belong to the machine.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { median, printRow, takeTurns } from "./measure.ts";

const ROUNDS = 15;

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "arbiter-bench-"));
const hello = (imports: string) =>
  `${imports}import { createServer } from "node:http";
createServer((_, response) => response.end("hello")).listen(0, "127.0.0.1", () => console.log("listening"));`;

/** The commands of each runtime, and the module it loads. */
const RUNTIMES: [name: string, command: string[], cli: string, module: string][] = [
  ["node", ["node"], "dist/cli.js", "dist/mod.js"],
  ["deno", ["deno", "run", "-A"], "cli.ts", "mod.ts"],
  ["bun", ["bun"], "cli.ts", "mod.ts"],
];

/** Milliseconds until the command begins to print. */
function measure([file = "", ...args]: string[]): Promise<number> {
  const began = performance.now();
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.stdout.once("data", () => {
      resolve(performance.now() - began);
      child.kill("SIGKILL");
    });
  });
}

/** Medians of the times of some commands. */
async function compare(commands: readonly string[][]): Promise<number[]> {
  return (await takeTurns(commands, ROUNDS, measure)).map(median);
}

printRow(17, "runtime", "bare ms", "bare + module ms", "arbiter ms", "ratio to module");
for (const [name, command, cli, module] of RUNTIMES) {
  const bare = join(folder, `${name}_bare.mjs`);
  const loaded = join(folder, `${name}_loaded.mjs`);
  writeFileSync(bare, hello(""));
  writeFileSync(loaded, hello(`import ${JSON.stringify(join(root, module))};\n`));
  const commands = [[bare], [loaded], [join(root, cli), "serve", "--demo", "--port", "0"]];
  const [a = NaN, b = NaN, c = NaN] = await compare(commands.map((args) => [...command, ...args]));
  printRow(17, name, a, b, c, (c / b).toFixed(2));
}

console.log();
printRow(17, "runtime", "one line ms", "--help ms", "ratio");
for (const [name, command, cli] of RUNTIMES) {
  const line = join(folder, "line.mjs");
  writeFileSync(line, 'console.log("hello");');
  const [a = NaN, b = NaN] = await compare([[line], [join(root, cli), "--help"]].map((args) => [...command, ...args]));
  printRow(17, name, a, b, (b / a).toFixed(2));
}
rmSync(folder, { recursive: true });
process.exit(0);
