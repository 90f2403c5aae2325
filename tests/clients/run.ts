/**
 * Lets each client do each task with the proxy as it is published, and writes the table of the README:
 *
 *     npm run test:clients                 writes it
 *     npm run test:clients -- --check      fails when the README has another one
 *     npm run test:clients -- openai       only clients with that in their name, and no table
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { agentSdk } from "./agent_sdk.ts";
import { aiSdk } from "./ai_sdk.ts";
import { anthropicPython } from "./anthropic_python.ts";
import { anthropicSdk } from "./anthropic_sdk.ts";
import { claudeCode } from "./claude_code.ts";
import { type Client, type Task, WEATHER } from "./client.ts";
import { langchain } from "./langchain.ts";
import { openaiSdk } from "./openai_sdk.ts";
import { Cell, MODEL, PIECES, REFUSAL, startUpstream, toPrompt } from "./upstream.ts";

const CLIENTS: readonly Client[] = [
  ...claudeCode,
  agentSdk,
  anthropicSdk,
  anthropicPython,
  openaiSdk,
  aiSdk,
  langchain,
];
const README = fileURLToPath(new URL("../../README.md", import.meta.url));
const TABLE = /(?<=<!-- npm run test:clients -->\n)[^]*?(?=<!-- end -->)/;
const KEY = "a-key-for-clients";
/** One red pixel. */
const PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
/** Sessions of Claude Code mostly wait, so that more of them than cores can be on their way. */
const AT_ONCE = 4;
const LIMIT = 60_000;

/** Tells what a client is asked to do in a cell, and when it shall stop. */
type Tell = (task: string) => Task & { cell: Cell; stop: AbortController };

/** Streams an answer; what comes after its first piece comes when the client has that. */
async function read(client: Client, { cell, ...task }: ReturnType<Tell>): Promise<string> {
  let text = "";
  for await (const piece of client.stream(task)) {
    text += piece;
    cell.open();
  }
  return text;
}

/** What has to be right in each column; what is wrong is thrown. */
const COLUMNS: Record<string, (client: Client, tell: Tell) => Promise<unknown>> = {
  async stream(client, tell) {
    assert.equal(await read(client, tell("stream")), PIECES.join(""));
  },
  async tools(client, tell) {
    assert.match(await client.tools(tell("tools")), /It is warm\.$/);
  },
  async images(client, tell) {
    assert.match(await client.images(tell("images")), /I see it\.$/);
  },
  async errors(client, tell) {
    await assert.rejects(read(client, tell("refused")), new RegExp(REFUSAL));
    // Whoever does not fail has asked again, and has the whole answer.
    const text = await read(client, tell("broken")).catch(() => PIECES.join(""));
    assert.ok(text.endsWith(PIECES.join("")), `half an answer for a whole one: ${text}`);
  },
  async abort(client, tell) {
    const { cell, stop, ...task } = tell("abort");
    const pieces = (async () => {
      for await (const _ of client.stream(task)) stop.abort();
    })();
    await Promise.all([cell.left, pieces.catch(() => {})]);
    assert.ok(stop.signal.aborted, "nothing came");
  },
};

/** Runs Arbiter as npm users have it, in front of an upstream. */
async function startArbiter(upstream: string, folder: string): Promise<{ url: string; close(): void }> {
  const arbiter = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
  const env = {
    HOME: folder,
    NVIDIA_BASE_URL: `${upstream}/v1`,
    ARBITER_MODEL: MODEL,
    ARBITER_FALLBACK_MODELS: "none",
    ARBITER_API_KEY: KEY,
  };
  const child = spawn(process.execPath, [arbiter, "serve", "--port", "0", "--log-level", "silent"], {
    cwd: folder,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /http:\S+/.exec(line)?.[0];
    if (url) return { url, close: () => child.kill() };
  }
  throw new Error("Arbiter does not run");
}

/** Does the work of all cells, some of them at once; gives what was wrong in each. */
async function fill(clients: readonly Client[]): Promise<(string | undefined)[][]> {
  const cells = new Map<number, Cell>();
  const folder = await mkdtemp(joinPath(tmpdir(), "arbiter-clients-"));
  const upstream = await startUpstream(cells);
  const arbiter = await startArbiter(upstream.url, folder);

  // What one client needs is fetched while others work.
  const lacks = new Map(clients.map((client) => [client, client.prepare?.().then(() => undefined, String)]));

  async function tryCell(client: Client, column: string): Promise<string | undefined> {
    const home = await mkdtemp(joinPath(folder, "home-"));
    await writeFile(joinPath(home, "weather.txt"), WEATHER);
    await writeFile(joinPath(home, "picture.png"), PICTURE, "base64");
    const stop = new AbortController();
    const tell: Tell = (name) => {
      const cell = new Cell(cells.size + 1);
      cells.set(cell.id, cell);
      const prompt = toPrompt(name, cell, home);
      const { url } = arbiter;
      return { url, key: KEY, model: MODEL, prompt, folder: home, picture: PICTURE, signal: stop.signal, cell, stop };
    };
    const lack = await lacks.get(client);
    if (lack) return lack;
    let timer;
    const late = new Promise((_, reject) => timer = setTimeout(() => reject(new Error("not done in time")), LIMIT));
    try {
      await Promise.race([COLUMNS[column]?.(client, tell), late]);
      return undefined;
    } catch (thrown) {
      return String(thrown);
    } finally {
      clearTimeout(timer);
      stop.abort();
    }
  }

  const found: (string | undefined)[][] = clients.map(() => []);
  const work = clients.flatMap((client, row) =>
    Object.keys(COLUMNS).map((name, column) => ({ client, row, name, column }))
  );
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let next = work.shift(); next; next = work.shift()) {
      const wrong = await tryCell(next.client, next.name);
      found[next.row]![next.column] = wrong;
      console.log(`${wrong === undefined ? "ok  " : "FAIL"} ${next.name.padEnd(7)} ${next.client.name}`);
      if (wrong !== undefined) console.log(wrong);
    }
  }));
  arbiter.close();
  await upstream.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  return found;
}

function fail(why: string): never {
  console.error(why);
  process.exit(1);
}

const [option = ""] = process.argv.slice(2);
const checking = option === "--check";
const clients = CLIENTS.filter(({ name }) => checking || name.toLowerCase().includes(option.toLowerCase()));
const began = performance.now();
const found = await fill(clients);
console.log(`${((performance.now() - began) / 1000).toFixed(0)} s`);
if (found.flat().some((wrong) => wrong !== undefined)) fail("Not everything is right");
if (option && !checking) process.exit();
const columns = Object.keys(COLUMNS);
const rows = [["client", ...columns], ["---", ...columns.map(() => "---")]];
rows.push(...clients.map(({ name }) => [name, ...columns.map(() => "✓")]));
const table = rows.map((cells) => `| ${cells.join(" | ")} |\n`).join("");
const readme = await readFile(README, "utf8");
const updated = readme.replace(TABLE, `\n${table}\n`);
if (!checking) await writeFile(README, updated);
else if (readme !== updated) fail("README.md has another table: npm run test:clients");
process.exit();
