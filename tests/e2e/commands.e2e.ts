/** The command line itself: help, mistakes, and what scripts read. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { describe, it, type TestContext } from "node:test";
import { makePlace, type Place, startArbiter, startProgram, startUpstream, toArbiter } from "./support.ts";
import { startTerminal } from "./terminal.ts";

const RUNTIMES = ["node", "deno", "bun"] as const;

describe("the command line", { concurrency: 3, timeout: 120_000 }, () => {
  for (const runtime of RUNTIMES) {
    const run = async (t: TestContext, args: string[], place?: Place, env = {}) => {
      return await startArbiter(t, args, { place: place ?? await makePlace(t), runtime, env }).ended;
    };

    it(`tells how it is used, whatever is set, on ${runtime}`, async (t) => {
      const env = { ARBITER_PORT: "x" };
      const { code, stdout, stderr } = await run(t, ["--help"], undefined, env);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.match(stdout, /^Usage: arbiter-proxy \[COMMAND\][^]*^ {2}doctor +check key/m);
      const [one, other] = await Promise.all([["help", "r2"], ["serve", "-h"]].map((args) => run(t, args)));
      assert.match(one!.stdout, /^Usage: arbiter-proxy serve \[FLAGS\]\n/);
      assert.equal(one!.stdout, other!.stdout);
    });

    const mistakes: [args: string[], code: number, message: RegExp][] = [
      [["srve"], 2, /^arbiter: Unknown command 'srve': did you mean 'serve'\?\nRun arbiter-proxy --help/],
      [["--prot", "1"], 2, /^arbiter: Unknown option '--prot': did you mean '--port'\?\nRun/],
      [["--resume"], 2, /^arbiter: Unknown option '--resume': claude's own follow after --\nRun/],
      [["--port"], 2, /^arbiter: Option '-p, --port <value>' argument missing\nRun/],
      [["serve", "--host", "0.0.0.0"], 2, /^arbiter: Cannot listen on 0\.0\.0\.0 without a key/],
      [
        ["serve", "--api-key-file", "absent"],
        2,
        /^arbiter: Cannot read the API key file absent: there is no such file\n/,
      ],
      [["models", "--config", "absent"], 2, /^arbiter: Cannot read the config file .*absent: there is no such file\n/],
      [
        ["serve", "--log-level", "loud"],
        2,
        /^arbiter: Cannot use --log-level='loud': expected info, error or silent\n/,
      ],
    ];
    it(`ends with 2 and a hint when it is used wrongly, on ${runtime}`, async (t) => {
      const place = await makePlace(t);
      for (const [args, expected, message] of mistakes) {
        const { code, stdout, stderr } = await run(t, args, place);
        assert.deepEqual([code, stdout], [expected, ""], args.join(" "));
        assert.match(stderr, message);
      }
    });

    it(`prints what points any client at a proxy that runs, on ${runtime}`, async (t) => {
      const place = await makePlace(t);
      const { env: { NVIDIA_API_KEY = "", ...env } } = await startUpstream(t, () => ({ steps: [{ text: "Here." }] }));
      await writeFile(join(place.project, "key.txt"), `${NVIDIA_API_KEY}\n`);
      const flags = ["--host", "::1", "--port", "0", "--api-key-file", "key.txt"];
      const arbiter = startArbiter(t, ["serve", ...flags], { place, runtime, env });
      const [, port = ""] = await arbiter.wrote(/listening on http:\/\/\[::1\]:(\d+)/);
      const { stdout: script } = await run(t, ["env", "--host", "::1", "--port", port], place, {
        ...env,
        SHELL: "/bin/sh",
      });
      const ask = `exec "${process.execPath}" -e '${ASK}'`;
      const { stdout, stderr } = await startProgram(t, ["sh", "-c", `${script}\n${ask}`], { place }).ended;
      assert.equal(stdout, "Here.", stderr);
      for (const [command, wrote] of [["status", /^requests +1: main 1$/m], ["stop", /^Stopped Arbiter/m]] as const) {
        const { stdout, stderr, code } = await run(t, [command, "--host", "::1", "--port", port], place, env);
        assert.match(stdout, wrote, stderr);
        assert.equal(code, 0);
      }
    });
  }

  it("breaks what it says and asks between words", async (t) => {
    const script = `stty cols 40; exec ${toArbiter("node", ["code"]).join(" ")}`;
    const terminal = startTerminal(t, ["sh", "-c", script], { place: await makePlace(t) });
    await terminal.see(/^Key \(it is not shown, and tried at\nonce\): ?$/m);
    const reset = toArbiter("node", ["reset"]).join(" ");
    const other = startTerminal(t, ["sh", "-c", `stty cols 24; ${reset}`], { place: await makePlace(t) });
    await other.see(/^Forgot what 0 models\nhad taught\.$/m);
  });

  const widths: [columns: number, what: string, text: RegExp][] = [
    [40, "a narrow terminal", /^ {2}-p, --port N\n {6}port of the proxy/m],
    [0, "one that does not say how wide it is", /^ {2}-p, --port N +port of the proxy/m],
  ];
  for (const [columns, what, text] of widths) {
    it(`fits into ${what}`, async (t) => {
      const script = `stty cols ${columns}; ${toArbiter("node", ["help", "serve"]).join(" ")}`;
      const terminal = startTerminal(t, ["sh", "-c", script], { place: await makePlace(t) });
      assert.equal(await terminal.ended, 0);
      await terminal.see(text);
    });
  }

  it("says that the current folder is gone, where the runtime lets it", async (t) => {
    const place = await makePlace(t);
    const command = [
      "sh",
      "-c",
      'mkdir gone; cd gone; rmdir ../gone; exec "$@"',
      "sh",
      ...toArbiter("bun", ["status"]),
    ];
    const { code, stderr } = await startProgram(t, command, { place }).ended;
    assert.deepEqual([code, stderr], [1, "arbiter: The current folder is not there any more: change to another\n"]);
  });

  it("says that a .env cannot be read, and nothing where there is none", async (t) => {
    const place = await makePlace(t);
    const run = async () => (await startArbiter(t, ["status", "--port", "1"], { place }).ended).stderr;
    assert.equal(await run(), "Nothing runs on port 1.\n");
    await symlink(".env", join(place.project, ".env")); // Root may read everything but this.
    assert.match(await run(), /^arbiter: Cannot read \S+\/project\/\.env: ELOOP/);
  });

  it("says that TARGET_DIR is no folder before it asks or starts anything", async (t) => {
    const { code, stderr } = await startArbiter(t, ["--demo"], {
      place: await makePlace(t),
      env: { TARGET_DIR: "/nowhere" },
    }).ended;
    assert.equal(code, 2);
    assert.match(stderr, /^arbiter: Cannot use TARGET_DIR='\/nowhere': expected a folder\n/);
  });

  it("is completed by bash", async (t) => {
    const { stdout } = await startArbiter(t, ["completions", "bash"], { place: await makePlace(t) }).ended;
    const ask = "COMP_WORDS=(arbiter-proxy mod); COMP_CWORD=1; _arbiter_proxy; echo $COMPREPLY";
    assert.equal(execFileSync("bash", ["--norc", "-c", `${stdout}\n${ask}`], { encoding: "utf8" }), "models\n");
  });
});

/** A client that knows nothing but its environment. */
const ASK = `
  const { ANTHROPIC_BASE_URL, ANTHROPIC_MODEL } = process.env;
  const messages = [{ role: "user", content: "Are you there?" }];
  const tools = [{ name: "Bash", input_schema: { type: "object" } }];
  const body = JSON.stringify({ model: ANTHROPIC_MODEL, max_tokens: 9, messages, tools });
  fetch(ANTHROPIC_BASE_URL + "/v1/messages", { method: "POST", body }).then((response) => response.json())
    .then(({ content }) => process.stdout.write(content[0].text));
`;
