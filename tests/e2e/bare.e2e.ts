/**
 * The three ways of the README on a machine with nothing but a runtime: a root folder that holds its binary, the
 * libraries it is linked with, a shell, what was packed, and a `claude`; no network, no node_modules, no environment.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { CLAUDE, makePlace, ROOT, startProgram } from "./support.ts";

const isRoot = process.platform === "linux" && process.getuid?.() === 0;
const MODULES = join(ROOT, "node_modules");

/** Asks the proxy one question as Claude Code would, and tells the answer. */
const FAKE_CLAUDE = `import process from "node:process";
const { ANTHROPIC_BASE_URL, ANTHROPIC_AUTH_TOKEN, ANTHROPIC_MODEL } = process.env;
const messages = [{ role: "user", content: "Who are you?" }];
const response = await fetch(ANTHROPIC_BASE_URL + "/v1/messages", {
  method: "POST",
  headers: { authorization: "Bearer " + ANTHROPIC_AUTH_TOKEN },
  body: JSON.stringify({ model: ANTHROPIC_MODEL, max_tokens: 100, messages }),
});
console.log((await response.json()).content[0].text);
process.exit(42);
`;

/** A runtime: its binary, how it is called there, and how it runs a module. */
type Bare = { binary: string; name: string; runs: string };

/** The binary of a package for this machine. */
function findBinary(pattern: RegExp): string {
  const names = execFileSync("find", [MODULES, "-type", "f", "-perm", "-u+x", "-size", "+20M"], { encoding: "utf8" });
  const found = names.split("\n").find((path) => pattern.test(path));
  return found ?? assert.fail(`no binary like ${pattern} in node_modules`);
}

const NODE: Bare = { binary: process.execPath, name: "node", runs: "node" };
/** Node 20 cannot run TypeScript, this one can. */
const NEW_NODE: Bare = { ...NODE, binary: join(CLAUDE, "node") };
const BUN: Bare = { binary: findBinary(/bun[^/]*\/bin\/bun(\.exe)?$/), name: "bun", runs: "bun" };
const DENO: Bare = { binary: findBinary(/deno(\.exe)?$/), name: "deno", runs: "deno run -A" };

function put(root: string, path: string, from: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  cpSync(realpathSync(from), join(root, path), { recursive: true });
}

/** Puts a binary there, and what it is linked with. */
function putBinary(root: string, path: string, from: string): void {
  put(root, path, from);
  chmodSync(join(root, path), 0o755);
  const linked = execFileSync("ldd", [realpathSync(from)], { encoding: "utf8" });
  for (const [library = ""] of linked.matchAll(/\/\S+\.so\S*/g)) {
    if (!existsSync(join(root, library))) put(root, library, library);
  }
}

/** Makes the root folder of a machine. */
function makeRoot(root: string, { binary, name, runs }: Bare): void {
  putBinary(root, "bin/sh", "/bin/sh");
  putBinary(root, "usr/bin/env", "/usr/bin/env");
  putBinary(root, `usr/bin/${name}`, binary);
  for (const folder of ["proc", "dev", "tmp", "root/project"]) mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, "root/claude.mjs"), FAKE_CLAUDE);
  writeFileSync(join(root, "usr/bin/claude"), `#!/bin/sh\nexec ${runs} /root/claude.mjs\n`, { mode: 0o755 });
}

/** Takes npm along, which comes with Node. */
function putNpm(root: string): void {
  const npm = execFileSync("npm", ["root", "--global"], { encoding: "utf8" }).trim();
  put(root, "usr/lib/node_modules/npm", join(npm, "npm"));
  const npx = '#!/bin/sh\nexec node /usr/lib/node_modules/npm/bin/npx-cli.js "$@"\n';
  writeFileSync(join(root, "usr/bin/npx"), npx, { mode: 0o755 });
}

/** Packs what would be published to npm. */
function putTarball(root: string): void {
  const args = ["pack", "--silent", "--ignore-scripts", "--pack-destination", root];
  const name = execFileSync("npm", args, { cwd: ROOT, encoding: "utf8" }).trim();
  execFileSync("mv", [join(root, name), join(root, "arbiter.tgz")]);
}

/** Lets Deno find what would be published to JSR. */
function putPackage(root: string): void {
  const folder = join(root, "root/project/proxy");
  for (const name of ["mod.ts", "cli.ts"]) put(folder, name, join(ROOT, name));
  put(folder, "deno.json", join(ROOT, "jsr.json"));
  writeFileSync(join(root, "root/project/deno.json"), JSON.stringify({ links: ["./proxy"] }));
}

const putModule = (root: string) => put(root, "root/dotfiles/mod.ts", join(ROOT, "mod.ts"));

const LINES: [line: string, runtime: Bare, ...puts: ((root: string) => void)[]][] = [
  ["npx --yes --package /arbiter.tgz arbiter-proxy", NODE, putNpm, putTarball],
  ["bun x --package /arbiter.tgz arbiter-proxy", BUN, putTarball],
  ["deno run -A jsr:@arbiter/proxy code", DENO, putPackage],
  ["deno run -A ../dotfiles/mod.ts code", DENO, putModule],
  ["bun ../dotfiles/mod.ts code", BUN, putModule],
  ["node ../dotfiles/mod.ts code", NEW_NODE, putModule],
];

if (!isRoot && process.env.CI) throw new Error("Only root can make these machines, and in CI they must be made");

describe(
  "on a machine with nothing but its runtime",
  { skip: !isRoot && "only root can make one", timeout: 240_000 },
  () => {
    for (const [line, runtime, ...puts] of LINES) {
      it(`\`${line}\` opens Claude Code`, async (t) => {
        const place = await makePlace(t);
        const root = join(place.home, "machine");
        makeRoot(root, runtime);
        for (const put of puts) put(root);
        writeFileSync(
          join(place.home, "run.sh"),
          `mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && mount --make-rslave "$1/dev" &&
exec chroot "$1" /usr/bin/env -i HOME=/root PATH=/usr/bin:/bin npm_config_offline=true sh -c "cd /root/project && ${line} --demo --port 0"
`,
        );
        const unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "sh", "-c"];
        const { code, stdout, stderr } = await startProgram(
          t,
          [...unshare, 'ip link set lo up; exec sh "$0" "$1"', join(place.home, "run.sh"), root],
          { place, limit: 120_000 },
        ).ended;
        assert.equal(code, 42, stdout + stderr);
        assert.match(stdout, /demo model/);
        assert.equal(readFileSync(join(root, "root/claude.mjs"), "utf8"), FAKE_CLAUDE);
      });
    }
  },
);
