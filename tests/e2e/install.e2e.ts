/**
 * The ways people get Arbiter: each starts it from a folder that has nothing else in it, and on a machine with nothing but
 * a runtime. That is a root folder with its binary, the libraries this is linked with, a shell, what was packed, and a
 * `claude`; it has no network, no node_modules and no environment.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { findNewerNode } from "../support/newer_node.ts";
import { type Ended, makePlace, ROOT, startProgram, TOOLS } from "./support.ts";

/** Stands in for Claude Code: asks one question, writes down what it was given, and ends with 42. */
const FAKE_CLAUDE = `import { writeFileSync } from "node:fs";
import process from "node:process";
const { ANTHROPIC_BASE_URL, ANTHROPIC_AUTH_TOKEN, ANTHROPIC_MODEL } = process.env;
const messages = [{ role: "user", content: "Who are you?" }];
const response = await fetch(ANTHROPIC_BASE_URL + "/v1/messages", {
  method: "POST",
  headers: { authorization: "Bearer " + ANTHROPIC_AUTH_TOKEN },
  body: JSON.stringify({ model: ANTHROPIC_MODEL, max_tokens: 100, messages }),
});
const record = { args: process.argv.slice(2), cwd: process.cwd(), answer: await response.json() };
writeFileSync("../record.json", JSON.stringify(record));
process.exit(42);
`;
const ARGS = "--demo --port 0 -- -p 'two words' --port --";

/** A runtime: its binary, how it is called, and how it runs a module. */
type Runtime = { binary: string; name: string; runs: string };

const NODE: Runtime = { binary: process.execPath, name: "node", runs: "node" };
/** Node 20 cannot run TypeScript, this one can. */
const NEW_NODE: Runtime = { ...NODE, binary: findNewerNode(join(ROOT, "tests/e2e/node_modules")) };
const BUN: Runtime = { binary: join(TOOLS, "bun"), name: "bun", runs: "bun" };
const DENO: Runtime = { binary: join(TOOLS, "deno"), name: "deno", runs: "deno run -A" };

// What would be published to npm; it has been built already.
const packed = mkdtempSync(join(tmpdir(), "arbiter-pack-"));
after(() => rmSync(packed, { recursive: true }));
const PACK = ["pack", "--ignore-scripts", "--json", "--pack-destination", packed];
const [{ filename, files }] = JSON.parse(execFileSync("npm", PACK, { cwd: ROOT, encoding: "utf8" }));

function put(folder: string, path: string, from: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  cpSync(realpathSync(from), join(folder, path), { recursive: true });
}

const putTarball = (folder: string) => put(folder, "arbiter.tgz", join(packed, filename));
const putModule = (folder: string) => put(folder, "dotfiles/mod.ts", join(ROOT, "mod.ts"));

/** Lets Deno find what would be published to JSR. */
function putPackage(folder: string): void {
  for (const name of ["mod.ts", "cli.ts"]) put(folder, `project/proxy/${name}`, join(ROOT, name));
  put(folder, "project/proxy/deno.json", join(ROOT, "jsr.json"));
  writeFileSync(join(folder, "project/deno.json"), JSON.stringify({ links: ["./proxy"] }));
}

/** What is typed in a project's folder, and what lies around that. */
const LINES: [line: string, runtime: Runtime, putAround: (folder: string) => void][] = [
  ["npx --yes --package $PWD/../arbiter.tgz arbiter-proxy", NODE, putTarball],
  ["bunx --package $PWD/../arbiter.tgz arbiter-proxy", BUN, putTarball],
  ["deno run -A jsr:@arbiter/proxy code", DENO, putPackage],
  ["deno run -A ../dotfiles/mod.ts code", DENO, putModule],
  ["bun ../dotfiles/mod.ts code", BUN, putModule],
  ["node ../dotfiles/mod.ts code", NEW_NODE, putModule],
];

/** Puts a `claude` there that is run from a folder, as it is called where it runs. */
function putClaude(bin: string, folder: string, { runs }: Runtime, called = folder): void {
  writeFileSync(join(folder, "claude.mjs"), FAKE_CLAUDE);
  writeFileSync(join(bin, "claude"), `#!/bin/sh\nexec ${runs} ${called}/claude.mjs "$@"\n`, { mode: 0o755 });
}

/** Checks what Claude Code was given and answered. */
function check({ code, stdout, stderr }: Ended, folder: string, project: string): void {
  assert.equal(code, 42, stdout + stderr);
  const { args, cwd, answer } = JSON.parse(readFileSync(join(folder, "record.json"), "utf8"));
  assert.deepEqual([args, cwd], [["-p", "two words", "--port", "--"], project]);
  assert.match(answer.content[0].text, /demo model/);
  assert.equal(stdout, "");
  assert.doesNotMatch(stderr, /warning/i);
}

describe("in an empty folder", { concurrency: 4, timeout: 120_000 }, () => {
  for (const [line, runtime, putAround] of LINES) {
    it(`\`${line}\` opens Claude Code`, async (t) => {
      const place = await makePlace(t);
      const folder = dirname(place.project);
      const bin = join(place.home, "bin");
      mkdirSync(bin);
      putClaude(bin, folder, runtime);
      putAround(folder);
      const paths = [bin, dirname(runtime.binary), dirname(process.execPath), process.env.PATH];
      const env = { PATH: paths.join(delimiter), npm_config_offline: "true" };
      check(await startProgram(t, ["sh", "-c", `${line} ${ARGS}`], { place, env }).ended, folder, place.project);
    });
  }
});

/** Puts a binary there, and what it is linked with. */
function putBinary(root: string, path: string, from: string): void {
  put(root, path, from);
  chmodSync(join(root, path), 0o755);
  const linked = execFileSync("ldd", [realpathSync(from)], { encoding: "utf8" });
  for (const [library = ""] of linked.matchAll(/\/\S+\.so\S*/g)) {
    if (!existsSync(join(root, library))) put(root, library, library);
  }
}

/** Takes npm along, which comes with Node. */
function putNpm(root: string): void {
  const npm = execFileSync("npm", ["root", "--global"], { encoding: "utf8" }).trim();
  put(root, "usr/lib/node_modules/npm", join(npm, "npm"));
  const npx = '#!/bin/sh\nexec node /usr/lib/node_modules/npm/bin/npx-cli.js "$@"\n';
  writeFileSync(join(root, "usr/bin/npx"), npx, { mode: 0o755 });
}

/** Makes the root folder of a machine. */
function makeRoot(root: string, runtime: Runtime): void {
  putBinary(root, "bin/sh", "/bin/sh");
  putBinary(root, "usr/bin/env", "/usr/bin/env");
  putBinary(root, `usr/bin/${runtime.name}`, runtime.binary);
  if (runtime === NODE) putNpm(root);
  if (runtime === BUN) symlinkSync("bun", join(root, "usr/bin/bunx"));
  for (const folder of ["proc", "dev", "tmp", "root/project"]) mkdirSync(join(root, folder), { recursive: true });
  putClaude(join(root, "usr/bin"), join(root, "root"), runtime, "/root");
}

/** Runs `$2` in the root folder `$1`, in namespaces of its own. */
const RUN = 'ip link set lo up && mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && ' +
  'mount --make-rslave "$1/dev" && exec chroot "$1" /usr/bin/env -i HOME=/root PATH=/usr/bin:/bin ' +
  'npm_config_offline=true sh -c "cd /root/project && $2"';
const UNSHARE = ["unshare", "--mount", "--net", "--pid", "--fork", "sh", "-c", RUN, "sh"];

const isRoot = process.platform === "linux" && process.getuid?.() === 0;
if (!isRoot && process.env.CI) throw new Error("Only root can make these machines, and in CI they must be made");
const BARE = { skip: !isRoot && "only root can make one", timeout: 240_000 };

describe("on a machine with nothing but its runtime", BARE, () => {
  for (const [line, runtime, putAround] of LINES) {
    it(`\`${line}\` opens Claude Code`, async (t) => {
      const place = await makePlace(t);
      const root = join(place.home, "machine");
      makeRoot(root, runtime);
      putAround(join(root, "root"));
      const running = startProgram(t, [...UNSHARE, root, `${line} ${ARGS}`], { place, limit: 120_000 });
      check(await running.ended, join(root, "root"), "/root/project");
    });
  }
});

describe("the npm package", () => {
  it("holds one module, its command and its types, and needs no other package", () => {
    const paths: string[] = files.map(({ path }: { path: string }) => path).sort();
    const texts = ["CHANGELOG.md", "LICENSE", "README.md", "arbiter.schema.json"];
    const code = ["dist/cli.d.ts", "dist/cli.js", "dist/mod.d.ts", "dist/mod.js"];
    assert.deepEqual(paths, [...texts, ...code, "package.json"]);
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    assert.equal(dependencies, undefined);
  });
});
