import { ConfigError, type Env } from "../config/settings.ts";
import { NVIDIA_BASE_URL } from "../routing/backends.ts";
import type { Backend } from "../routing/candidate.ts";
import { toCallFailure } from "../upstream/patient_fetch.ts";
import { isJsonObject, parseJson } from "../wire/json.ts";
import type { Runtime } from "../wire/runtime.ts";
import { ELSEWHERE } from "./claude_env.ts";
import { isOlder, toUpgrade } from "./oldest.ts";
import { STORE_NAMES } from "./open_store.ts";

/** What a check has found; `fix` is what to do, in a sentence. */
export type Finding = { check: string; state: "OK" | "WARN" | "FAIL"; says: string; fix?: string };

/** Makes what a check has found; `FAIL` is what keeps Arbiter from working. */
export function found(check: string, state: Finding["state"], says: string, fix?: string): Finding {
  return fix === undefined ? { check, state, says } : { check, state, says, fix };
}

/** Signs of trouble in a text, of which the first counts: what to say, what to do, whether it may work nevertheless. */
type Sign = readonly [pattern: RegExp, says: string, fix: string, state?: "WARN"];

function findSign(check: string, signs: readonly Sign[], text: string, fine: string): Finding {
  const sign = signs.find(([pattern]) => pattern.test(text));
  return sign ? found(check, sign[3] ?? "FAIL", sign[1], sign[2]) : found(check, "OK", fine);
}

/** The first Claude Code whose requests and picker are those that Arbiter knows. */
const OLDEST_CLAUDE = "2.1.154";

/** Whether the runtime is new enough. */
export function checkRuntime(runtime: Runtime): Finding {
  const upgrade = toUpgrade(runtime);
  // A session runs on an older Deno or Bun.
  const state = !upgrade ? "OK" : runtime.name === "Node" ? "FAIL" : "WARN";
  return found("runtime", state, `${runtime.name} ${runtime.version}`, upgrade);
}

/** Whether Claude Code is there and new enough. */
export function checkClaude(path?: string, version?: string, npx?: string): Finding {
  const install = "Run npm install -g @anthropic-ai/claude-code";
  if (!path && !npx) return found("claude", "WARN", "not on PATH, nor is npx", `Install Node.js. ${install}`);
  if (!path) return found("claude", "WARN", "not on PATH; npx would fetch it", install);
  if (!version) return found("claude", "FAIL", `${path} does not run`, install);
  const says = `${version}, ${path}`;
  const old = isOlder(version, OLDEST_CLAUDE);
  return old ? found("claude", "WARN", says, "That is old: run claude update.") : found("claude", "OK", says);
}

const KEY_SITE = "https://build.nvidia.com";
const KEY_SIGNS: readonly Sign[] = [
  [/^["'`“”‘’]|["'`“”‘’]$/, "there are quotes around it", "Set it without quotes."],
  [/\s/, "there are blanks or line ends in it", "Set it without them."],
  [/[<>…*]|\.\.\.|your|xxxx|change.?me|placeholder|example/i, "it is a placeholder", `Get a key at ${KEY_SITE}.`],
  [/[^\x21-\x7e]/, "there are characters in it that no header can carry", "Copy it again."],
];
const NVIDIA_KEY_SIGNS: readonly Sign[] = [
  ...KEY_SIGNS,
  [/^(?!nvapi-)/, "NVIDIA's keys begin with nvapi-", `Get a key at ${KEY_SITE}.`, "WARN"],
  [/^.{0,39}$/, "it is too short", "Copy all of it.", "WARN"], // NVIDIA's have 70 characters.
];

/** Whether there is a key, and it looks like one. */
export function checkKey({ apiKey, keyName = "the key", lacks, baseUrl }: Backend): Finding {
  if (lacks) return found("key", "FAIL", `${lacks} is not set`, `Set it (NVIDIA's: ${KEY_SITE}), or try --demo.`);
  if (!apiKey) return found("key", "OK", "none is needed");
  const finding = findSign("key", baseUrl === NVIDIA_BASE_URL ? NVIDIA_KEY_SIGNS : KEY_SIGNS, apiKey, "it is set");
  return { ...finding, says: `${keyName}: ${finding.says}` };
}

const NEAR = String
  .raw`localhost\b|127\.|\[|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|[^/.]+(?:[:/]|$)|[^/:]+\.(?:local|lan)\b`;
const URL_SIGNS: readonly Sign[] = [
  [/[?#]/, "it has a query", "Set it without."],
  [/\/v1\/+v1\b/, "/v1 is there twice", "Let it end in one /v1."],
  [/\/(?:completions|messages|models|embeddings)$/, "it names a route", "Let it end in /v1."],
  [/build\.nvidia\.com|integrate\.api\.nvidia\.com(?!\/v1$)/, "NVIDIA's is another", `Set ${NVIDIA_BASE_URL}.`],
  [new RegExp(`^http://(?!${NEAR})`), "the key travels unencrypted", "Let it begin with https."],
];
const NO_VERSION: Sign = [/^(?!.*\/v\d)/, "most end in /v1", "If it does not work, add that.", "WARN"];

/** Whether the address of a host looks like one. */
export function checkBaseUrl({ baseUrl, format }: Backend): Finding {
  const signs = format === "anthropic" ? URL_SIGNS : [...URL_SIGNS, NO_VERSION];
  const finding = findSign("address", signs, baseUrl, "");
  return { ...finding, says: [baseUrl, finding.says].filter(Boolean).join(": ") };
}

/** What to do about a certificate that is not trusted; all runtimes know the variable. */
const TRUST = "Set NODE_EXTRA_CA_CERTS to the file with the certificate of who has signed it, such as your company.";

/** Why a host could not be reached, by the words of Node, Bun and Deno. */
const REACH_SIGNS: readonly Sign[] = [
  [/ENOTFOUND|EAI_AGAIN|dns error/i, "its name is unknown", "Check the network and the address."],
  [/CERT|UNABLE_TO|UnknownIssuer|self.signed/i, "its certificate is not trusted", TRUST],
  [/(?:)/, "it does not answer", "Check the network and the address; set HTTPS_PROXY if you need a proxy."],
];

/** What it means that a host could not be reached. */
export function checkReach(thrown: unknown): Finding {
  type Failure = { message: string; code?: string; cause?: Failure };
  const { message, code, cause } = thrown as Failure;
  const words = [message, code, cause?.code, cause?.message].filter(Boolean).join(" ");
  const finding = findSign("upstream", REACH_SIGNS, words, "");
  return { ...finding, says: `${finding.says} (${cause?.code ?? code ?? toCallFailure(thrown)})` };
}

const STORE_FIXES = {
  redis: "Start Redis, or correct REDIS_URL and REDIS_PASSWORD.",
  sqlite: "Make it a file that Arbiter may write, or remove it.",
};

/** Why the store that is shared takes nothing; what is wrong in the settings says itself what to do. */
export function checkStoreFault(name: keyof typeof STORE_FIXES, thrown: Error): Finding {
  const fix = /self.signed|unable to (?:get|verify)|UnknownIssuer/i.test(thrown.message) ? TRUST : STORE_FIXES[name];
  const says = `${STORE_NAMES[name]}: ${thrown.message}`;
  return found("store", "FAIL", says, thrown instanceof ConfigError ? undefined : fix);
}

/** Whether the clock is right, by the `date` of an answer: with a wrong one certificates fail. */
export function checkClock(date: string | null, now: number): Finding[] {
  const minutes = Math.round((now - Date.parse(date ?? "")) / 60_000);
  if (Number.isNaN(minutes)) return [];
  if (Math.abs(minutes) <= 5) return [found("clock", "OK", "as the upstream's")];
  const says = `${Math.abs(minutes)} minutes ${minutes > 0 ? "ahead of" : "behind"} the upstream's`;
  return [found("clock", "WARN", says, "Set it; with a wrong clock certificates fail.")];
}

/** What to do about an error that does not pass by itself. */
const FIX_BY_ERROR: ReadonlyMap<string, string> = new Map([
  ["authentication_error", `Check the key, or get another at ${KEY_SITE}.`],
  ["permission_error", `Check the key, or get another at ${KEY_SITE}.`],
  ["billing_error", "Check the account at the host."],
  ["not_found_error", "Choose another with --model; arbiter-proxy models list shows some."],
  ["invalid_request_error", "Choose another with --model; arbiter-proxy models list shows some."],
]);

/** What an error, or none, to a small question means for the key and the model. */
export function checkAnswer(model: string, error?: { type: string; message: string }): Finding {
  if (!error) return found("model", "OK", `${model} answers, the key is accepted`);
  const fix = FIX_BY_ERROR.get(error.type);
  return found("model", fix ? "FAIL" : "WARN", error.message, fix ?? "Try again later; until then others step in.");
}

/** What the runtime makes of a company's proxy and of its certificates, which `isReadable` tells of. */
export function checkNetwork(env: Env, { name, version }: Runtime, isReadable: boolean): Finding[] {
  const { HTTPS_PROXY = env.https_proxy, NODE_EXTRA_CA_CERTS: path } = env;
  const able = name !== "Node" || (!isOlder(version, "22.21") && !version.startsWith("23."));
  const used = able && (name !== "Node" || env.NODE_USE_ENV_PROXY === "1");
  const fix = able ? "If you need it, set NODE_USE_ENV_PROXY=1." : "If you need it, run Arbiter with Deno or Bun.";
  const proxy = used
    ? found("proxy", "OK", `${name} uses HTTPS_PROXY`)
    : found("proxy", "WARN", `${name} ${version} ignores HTTPS_PROXY`, fix);
  const certificates = found("certificates", "WARN", `cannot read ${path}`, "Correct NODE_EXTRA_CA_CERTS.");
  return [...(HTTPS_PROXY ? [proxy] : []), ...(path && !isReadable ? [certificates] : [])];
}

/** Names the variables with which Claude Code goes elsewhere, or with another key. */
function toConflicts(env: Readonly<Record<string, unknown>>): string {
  const ours = /^http:\/\/(?:127\.0\.0\.1|localhost)\b/.test(String(env.ANTHROPIC_BASE_URL));
  const routes = ours ? [] : ["ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN"];
  return [...routes, ...ELSEWHERE].filter((name) => env[name]).join(", ");
}

/** What the environment sets against Arbiter. */
export function checkClaudeEnv(env: Env): Finding[] {
  const names = toConflicts(env);
  const fix = "arbiter-proxy code passes over it; unset it before you start claude yourself.";
  return names ? [found("environment", "WARN", `${names} is set`, fix)] : [];
}

/** What a settings file of Claude Code sets against Arbiter; what is there counts more than the environment. */
export function checkClaudeSettings(path: string, text: string | undefined): Finding[] {
  const file = parseJson(text?.replace(/^\uFEFF/, "") ?? "{}");
  if (!isJsonObject(file)) return [found("claude settings", "WARN", `${path} is no JSON`, "Correct the file.")];
  const names = toConflicts(isJsonObject(file.env) ? file.env : {});
  const fix = "Remove that from its env; it counts more than what Arbiter sets.";
  return names ? [found("claude settings", "FAIL", `${path} sets ${names}`, fix)] : [];
}

/** What is on the port, and the system's code for why nobody can listen there. */
export function checkPort(port: number, running: string | undefined, error: string | undefined): Finding {
  const fix = "code takes a free one; for serve choose another with --port.";
  if (running === "other") return found("port", "WARN", `another program is on ${port}`, fix);
  if (running === "locked") {
    return found("port", "WARN", `an Arbiter with a key is on ${port}`, `${fix} Or set ARBITER_API_KEY to that key.`);
  }
  if (running) return found("port", "WARN", `Arbiter ${running} is on ${port}`, `${fix} arbiter-proxy stop ends it.`);
  if (!error) return found("port", "OK", `${port} is free`);
  if (error === "EADDRNOTAVAIL") {
    return found("port", "FAIL", "there is no 127.0.0.1", "Give the loopback an IPv4 address.");
  }
  return found("port", "FAIL", `nobody may listen on ${port} (${error})`, "Choose another with --port.");
}

/** Whether `localhost` is where Arbiter listens. */
export function checkLocalhost(addresses: readonly string[]): Finding[] {
  if (addresses.some((address) => address.startsWith("127."))) return [];
  const says = `localhost is ${addresses.join(", ") || "unknown"}, but Arbiter listens on 127.0.0.1`;
  return [found("localhost", "WARN", says, "Write 127.0.0.1 wherever you name the proxy.")];
}

/** What to know inside WSL, which the system's release or a variable tells. */
export function checkWsl(env: Env, release: string, claude = ""): Finding[] {
  if (!env.WSL_DISTRO_NAME && !/microsoft/i.test(release)) return [];
  if (!/^\/mnt\/\w\//.test(claude)) return [found("WSL", "OK", "what runs in Windows itself is not on localhost here")];
  return [found("WSL", "WARN", `${claude} runs in Windows and may not reach 127.0.0.1 here`, "Install it inside WSL.")];
}

/** Whether a folder can be written to; what cannot be remembered is no more than a pity. */
export function checkFolder(check: string, folder: string | undefined, isWritable: boolean): Finding {
  if (folder && isWritable) return found(check, "OK", folder);
  const says = `cannot write to ${folder || "it: HOME is not set"}`;
  return found(check, "WARN", says, "Arbiter forgets what it learns until you can.");
}
