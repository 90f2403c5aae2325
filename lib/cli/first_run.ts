import { toConfigPath } from "../config/folders.ts";
import type { Candidate } from "../routing/candidate.ts";
import { toCandidate } from "../routing/catalog.ts";
import { toLabel } from "../routing/reference.ts";
import { replaceFile } from "../store/replace_file.ts";
import type { Store } from "../store/store.ts";
import { patientFetch } from "../upstream/patient_fetch.ts";
import { probeModels, type ProbeOptions } from "../upstream/probe.ts";
import type { Fetch } from "../wire/fetch.ts";
import { PROBE_LIFE, toAvailability } from "./badges.ts";
import { readChoice, toChoice, writeChoice } from "./choice.ts";
import type { Context } from "./io.ts";
import { keepKey } from "./keep_key.ts";
import { LEFT } from "./line_state.ts";
import { MenuState } from "./menu.ts";
import { toProbed } from "./probe_command.ts";
import { createPrompts, type Prompts } from "./prompts.ts";
import { openStore } from "./open_store.ts";
import { readRouter } from "./proxy.ts";
import { namesModel, readRouterOptions } from "./router_options.ts";

/** Exit code of a program that was left with Ctrl-C. */
export const LEFT_CODE = 130;

/** What the first run asks with; tests bring their own. */
export type Wizard = { prompts: Prompts; write: typeof replaceFile; store: Store; fetch: Fetch };

/** Why a key is no good, from one call, or a second where a model may not be for everybody; slowness is no proof. */
async function findKeyFault(key: string, candidates: Candidate[], options: ProbeOptions): Promise<string | undefined> {
  if (!/^[\x21-\x7e]+$/.test(key) || /['"`]/.test(key)) return "It is empty, or has characters that no key has.";
  for (const { backend: { lacks: _, ...backend }, ...candidate } of candidates.slice(0, 2)) {
    const [result] = await probeModels([{ ...candidate, backend: { ...backend, apiKey: key } }], options);
    if (result?.status === 401) break;
    if (result?.status !== 403) return undefined;
  }
  return `${candidates[0]?.backend.baseUrl} refuses it.`;
}

/**
 * Asks for the key of the host, where Enter means the one that is `known`, and whether to keep it; gives the context in
 * which it is set, nothing if left.
 */
async function askKey(context: Context, name: string, candidates: Candidate[], wizard: Wizard, known = "") {
  const { io, settings: { skipCheck: skip = false } } = context;
  const { prompts: { askLine, waitFor }, write, store, fetch } = wizard;
  // Nobody is asked for a key that a file of this folder would send elsewhere.
  await readRouterOptions({ ...context, layers: [{ [name]: "key" }, ...context.layers] });
  io.tell(known ? `Arbiter has an API key, ${name}: Enter keeps it.` : `Arbiter needs an API key, ${name}.`);
  if (name === "NVIDIA_API_KEY") io.tell("A free one is at https://build.nvidia.com");
  for (;;) {
    const answer = await askLine("Key (it is not shown, and tried at once):", true);
    if (answer === LEFT) return undefined;
    const key = answer.trim() || known;
    const stop = new AbortController();
    const fault = await waitFor(findKeyFault(key, candidates, { skip, store, fetch, signal: stop.signal }));
    stop.abort();
    if (fault === LEFT) return undefined;
    if (fault) {
      io.tell(`That key cannot be used. ${fault}`);
      continue;
    }
    if (key === known) return context;
    const path = toConfigPath(io, ".env");
    const keep = path ? await askLine(`Keep it in ${path}? [y/N]`) : "";
    if (keep === LEFT) return undefined;
    if (path && /^\s*y/i.test(keep)) await keepKey(io, path, name, key, write);
    return { ...context, layers: [{ [name]: key }, ...context.layers] };
  }
}

/** The name of a key that a question may change: what is set in the environment or by a flag counts more than a file. */
function findKept(
  { io, folder = {}, settings }: Context,
  { apiKey, keyName }: Candidate["backend"],
): string | undefined {
  const given = [...Object.values(io.env), ...Object.values(folder), settings.apiKey];
  return apiKey && !given.some((value) => value?.split(",")[0]?.trim() === apiKey) ? keyName : undefined;
}

/** Lets the user choose a model while all are being asked, and keeps the choice; nothing if left. */
async function askModel(context: Context, { prompts, write, store, fetch }: Wizard): Promise<Context | undefined> {
  const { io, settings } = context;
  const { catalog } = await readRouter(context);
  const choice = await readChoice(io);
  const known = [...toProbed(catalog, choice.added)];
  const [, usual = ""] = known[0] ?? [];
  const probed = new Map(known.filter(([, id]) => !choice.removed.includes(id)));
  const menu = new MenuState([...probed.values()].map((id) => ({ id, state: "pending", note: "" })), usual);
  const stop = new AbortController();
  const model = await prompts.choose(menu, (show) =>
    probeModels([...probed.keys()], {
      skip: settings.skipCheck ?? false,
      store,
      maxAge: PROBE_LIFE,
      signal: stop.signal,
      fetch,
      onResult(result) {
        menu.mark(probed.get(result.candidate)!, toAvailability(result));
        show();
      },
    }));
  stop.abort();
  if (model === LEFT) return undefined;
  await writeChoice(io, toChoice(choice, model, menu), write);
  return { ...context, settings: { ...settings, model: [model] } };
}

/**
 * Asks for what is not set yet: the key, and the model the first time, or `again`; where nobody may be asked, nothing.
 *
 * @returns The context with the answers in it; nothing if the user left.
 */
export async function askUnset(context: Context, again = false, given?: Wizard): Promise<Context | undefined> {
  const { io, flags } = context;
  if (flags.demo || flags.yes || !io.interactive) return context;
  const { catalog } = await readRouter(context);
  const { elite, fallbacks } = catalog;
  const { lacks, apiKey } = elite.backend;
  const chooses = again || !namesModel(catalog.options);
  if (!lacks && !chooses) return context;
  const key = lacks ?? (again ? findKept(context, elite.backend) : undefined);
  const store = given?.store ?? await openStore(context, () => {});
  const wizard = given ?? { prompts: createPrompts(io.env), write: replaceFile, store, fetch: patientFetch };
  const candidates = [elite, ...fallbacks].map((target) => toCandidate(target, catalog));
  try {
    const ready = key ? await askKey(context, key, candidates, wizard, apiKey) : context;
    if (!ready || !chooses) return ready;
    const chosen = await askModel(ready, wizard);
    return chosen && await askUnset(chosen, false, wizard); // Its host may want a key of its own.
  } finally {
    await wizard.prompts.close();
  }
}

/** The name of the model that the main work goes to. */
async function readMainModel(context: Context): Promise<string> {
  const { catalog } = await readRouter(context);
  return toLabel(catalog.elite, catalog);
}

/** Asks everything again that the first run asks. */
export async function runInit(given: Context): Promise<number> {
  const context = { ...given, flags: { ...given.flags, demo: false } };
  const { io, flags } = context;
  if (!io.interactive || flags.yes) {
    throw new Error("init asks questions, which needs a terminal: set NVIDIA_API_KEY and ARBITER_MODEL instead");
  }
  const ready = await askUnset(context, true);
  if (!ready) return LEFT_CODE;
  const [chosen, used] = [await readMainModel(ready), await readMainModel(context)];
  if (used === chosen) io.tell(`From now on the model is ${chosen}.`);
  else io.tell(`The model is still ${used}, not ${chosen}: a flag, the environment or the config file names it.`);
  return 0;
}
