import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runModels } from "../../lib/cli/models_command.ts";
import { ROSTER } from "../../lib/models/roster.ts";
import { serve, type Server } from "../../lib/server/serve.ts";
import { makeContext } from "./support.ts";

let [home, answer]: [string, () => Response] = ["", () => new Response()];
let server: Server;
const seen: [path: string, authorization: string | null][] = [];
before(async () => {
  home = await mkdtemp(join(tmpdir(), "arbiter-"));
  server = await serve((request) => {
    seen.push([new URL(request.url).pathname, request.headers.get("authorization")]);
    return answer();
  });
});
after(async () => {
  await server.close();
  await rm(home, { recursive: true });
});

async function run(...typed: string[]): Promise<string> {
  const env = { HOME: home, NVIDIA_BASE_URL: `${server.url}/v1`, NVIDIA_API_KEY: "key" };
  const context = await makeContext(["models", ...typed], { env, cwd: home });
  assert.equal(await runModels(context), 0);
  return context.printed.join("\n");
}

const list = (...ids: string[]) => () => Response.json({ data: ids.map((id) => ({ id })) });
const [first, second] = ROSTER.map(({ id }) => id);

describe("models", () => {
  test("says nothing about the host before it was asked", async () => {
    assert.doesNotMatch(await run(), /not listed/);
    assert.ok(JSON.parse(await run("--json")).every((row: object) => !("listed" in row)));
  });

  test("refresh tells what is new and what is missing", async () => {
    answer = list("acme/new", first!);
    const text = await run("refresh");
    assert.deepEqual(seen.at(-1), ["/v1/models", "Bearer key"]);
    assert.match(text, /^nvidia lists 2 models\.\nNot in the roster:\n {2}acme\/new\nIn the roster, but not listed:\n/);
    assert.ok(text.includes(`  ${second}\n`) && !text.includes(`  ${first}\n`));
    assert.ok(ROSTER.filter(({ gone }) => gone).every(({ id }) => !text.split("\n").includes(`  ${id}`)));
  });

  test("list then marks what the host does not list", async () => {
    const lines = (await run("list")).split("\n");
    const toLine = (id = "") => lines.find((line) => line.startsWith(`${id} `)) ?? "";
    assert.doesNotMatch(toLine(first), /not listed/);
    assert.match(toLine(second), /, not listed by the host$/);
  });

  test("keeps the ids and the time, and nothing else", async () => {
    await run("refresh", "--demo");
    const kept = JSON.parse(await readFile(join(home, ".local/state/arbiter/hosts.json"), "utf8"));
    const { at } = kept[`${server.url}/v1`];
    assert.ok(!Number.isNaN(Date.parse(at)));
    assert.deepEqual(kept, { [`${server.url}/v1`]: { at, ids: ["acme/new", first].sort() } });
  });

  for (const columns of [40, 80, 120]) {
    test(`fits into ${columns} columns, without blanks at the end of a line`, async () => {
      const context = await makeContext(["models", "list"], { env: { HOME: home }, cwd: home, columns });
      await runModels(context);
      await runModels({ ...context, args: ["show", "opus"] });
      const longest = Math.max(...ROSTER.map(({ id }) => id.length));
      for (const line of context.printed) {
        assert.equal(line, line.trimEnd());
        assert.ok(line.length < Math.max(columns, longest + 1), line);
      }
    });
  }

  test("speaks JSON", async () => {
    const [row] = JSON.parse(await run("list", "--json"));
    assert.deepEqual([row.id, row.listed, typeof row.context], [first, true, "number"]);
    assert.deepEqual(JSON.parse(await run("refresh", "--json")).new, ["acme/new"]);
    const shown = JSON.parse(await run("show", first!, "--json"));
    assert.deepEqual([shown.asked, shown.id, shown.host], [first, first, "nvidia"]);
    assert.deepEqual(JSON.parse(await run("show", "--json")), []);
  });

  const useless: [name: string, answer: () => Response][] = [
    ["an error", () => new Response("no", { status: 503 })],
    ["no JSON", () => new Response("<html>")],
    ["another shape", () => Response.json([1])],
    ["nothing", list()],
  ];
  for (const [name, given] of useless) {
    test(`keeps the last list when the host answers with ${name}`, async () => {
      answer = given;
      await assert.rejects(run("refresh"), /\/v1\/models lists no models \(status \d+\)$/);
      assert.match(await run("list"), /not listed/);
    });
  }

  test("names a host that cannot be reached, and what to do", async () => {
    const env = { NVIDIA_API_KEY: "key", NVIDIA_BASE_URL: "http://127.0.0.1:1/v1" };
    const context = await makeContext(["models", "refresh"], { env, cwd: home });
    await assert.rejects(runModels(context), /: Cannot reach http:\/\/127\.0\.0\.1:1\/v1 \(.+\): check the network/);
  });

  test("takes a spoilt list of a host for none", async () => {
    answer = list(first!);
    await run("refresh");
    const path = join(home, ".local/state/arbiter/hosts.json");
    const lists = Object.keys(JSON.parse(await readFile(path, "utf8")));
    await writeFile(
      path,
      JSON.stringify(Object.fromEntries(lists.map((url) => [url, { at: "now", ids: [null, {}] }]))),
    );
    assert.doesNotMatch(await run(), /not listed/);
  });

  test("has no arguments beside those of show", async () => {
    await assert.rejects(run("refresh", "now"), /^ConfigError: Unexpected argument 'now'$/);
  });
});
