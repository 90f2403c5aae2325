/** Other proxies, installed into a folder of their own, with the same upstream. Who cannot be had says why. */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { MESSAGES, type Target } from "./targets.ts";

/** A peer: who it is, its floor, how it is installed, and how it is told where the upstream is. */
type Peer = {
  name: string;
  floor: string;
  /** Packages of npm or PyPI. */
  npm?: string[];
  pip?: string[];
  overrides?: Record<string, string>;
  /** Writes its configuration and gives its command. */
  prepare: (at: { folder: string; upstream: number }, port: number) => string[];
  env?: (at: { folder: string; upstream: number }) => Record<string, string>;
  model?: string;
};

function write(path: string, value: unknown): string {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, typeof value === "string" ? value : JSON.stringify(value));
  return path;
}

const toHost = (upstream: number) => `http://127.0.0.1:${upstream}`;

const PEERS: Peer[] = [
  {
    name: "claude-code-router",
    floor: "pass-node",
    npm: ["@musistudio/claude-code-router@2.0.0"],
    prepare({ folder, upstream }, port) {
      const url = `${toHost(upstream)}/v1/chat/completions`;
      const provider = { name: "bench", api_base_url: url, api_key: "key", models: ["mock"] };
      const config = { PORT: port, LOG: false, Providers: [provider], Router: { default: "bench,mock" } };
      write(join(folder, ".claude-code-router/config.json"), config);
      return [process.execPath, join(folder, "node_modules/@musistudio/claude-code-router/dist/cli.js"), "start"];
    },
  },
  {
    name: "claudish",
    floor: "pass-bun",
    npm: ["claudish@10.1.1"],
    // What it wants is not on the registry.
    overrides: { "@1password/sdk": "0.4.1" },
    prepare({ folder }, port) {
      const models = write(join(folder, "slots.json"), [{ slot: "claude-bench", model: "mock", provider: "oai" }]);
      const script = join(folder, "node_modules/claudish/dist/index.js");
      return ["bun", script, "serve", "--port", String(port), "--models", models];
    },
    env: ({ upstream }) => ({ OPENAI_BASE_URL: toHost(upstream), OPENAI_API_KEY: "key", CLAUDISH_TELEMETRY: "0" }),
    model: "claude-bench",
  },
  {
    name: "litellm",
    floor: "pass-node",
    pip: ["litellm[proxy]==1.106.2"],
    prepare({ folder, upstream }, port) {
      const config = write(
        join(folder, "config.yaml"),
        `model_list:\n  - model_name: claude-bench\n    litellm_params:\n      model: openai/mock\n` +
          `      api_base: ${toHost(upstream)}/v1\n      api_key: key\n` +
          "litellm_settings:\n  use_chat_completions_url_for_anthropic_messages: true\n",
      );
      return [join(folder, "venv/bin/litellm"), "--config", config, "--port", String(port), "--host", "127.0.0.1"];
    },
    // It would fetch prices, and wants a key of its own.
    env: () => ({
      LITELLM_LOCAL_MODEL_COST_MAP: "True",
      LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY: "true",
    }),
    model: "claude-bench",
  },
  {
    name: "nvd-claude-proxy",
    floor: "pass-node",
    // What it wants beside is not among its dependencies.
    pip: ["nvd-claude-proxy==1.4.5", "greenlet"],
    // The runtime that `ncp` starts answers whatever is streamed with 500; this is the other one of the package.
    prepare: ({ folder }, port) => [
      join(folder, "venv/bin/python"),
      ...["-m", "uvicorn", "--factory", "nvd_claude_proxy.app:create_app"],
      ...["--log-level", "warning", "--host", "127.0.0.1", "--port", `${port}`],
    ],
    env: ({ folder, upstream }) => ({
      NVIDIA_BASE_URL: `${toHost(upstream)}/v1`,
      NVIDIA_API_KEY: "nvapi-key",
      // It would be in whatever folder the benchmark is run from.
      DATABASE_URL: `sqlite+aiosqlite:///${join(folder, "requests.db")}`,
    }),
  },
];

/** Alternatives that are not run, and why. */
export const SKIPPED: readonly (readonly [name: string, why: string])[] = [
  ["free-claude-code, y-router, Claudia-Router, anthropic-proxy-rs", "not in a package registry"],
];

/** Runs a command of an installation; gives what is wrong, if anything. */
function tryTo(command: string, folder: string): string | undefined {
  const { status, stderr } = spawnSync(command, { shell: true, cwd: folder, timeout: 420_000, encoding: "utf8" });
  if (status === 0) return undefined;
  return status === null ? "installing took more than 7 minutes" : `cannot be installed: ${stderr.trim().slice(-200)}`;
}

function install({ npm, pip, overrides = {} }: Peer, folder: string): string | undefined {
  mkdirSync(folder, { recursive: true });
  write(join(folder, "package.json"), { private: true, overrides });
  if (npm) return tryTo(`npm install --no-audit --no-fund ${npm.join(" ")}`, folder);
  return tryTo("python3 -m venv venv", folder) ?? tryTo(`venv/bin/pip install -q '${pip?.join("' '")}'`, folder);
}

/** Installs those that are wanted; `skip` is told of the others. */
export function toPeers(
  upstream: number,
  root: string,
  { wants, skip }: { wants: (name: string) => boolean; skip: (name: string, why: string) => void },
): Target[] {
  return PEERS.filter(({ name }) => wants(name)).flatMap((peer): Target[] => {
    const at = { folder: join(root, peer.name), upstream };
    const failed = install(peer, at.folder);
    if (failed) {
      skip(peer.name, failed);
      return [];
    }
    const { name, floor, model = MESSAGES.model } = peer;
    const env = { HOME: at.folder, ...peer.env?.(at) };
    return [{ ...MESSAGES, name, floor, model, env, toCommand: (port) => peer.prepare(at, port) }];
  });
}
