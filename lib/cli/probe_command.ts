import type { Candidate } from "../routing/candidate.ts";
import { type Catalog, toCandidate } from "../routing/catalog.ts";
import { findReference, type Target, toLabel } from "../routing/reference.ts";
import { createStandIn } from "../stand_in/stand_in.ts";
import { probeModels } from "../upstream/probe.ts";
import { systemClock } from "../wire/clock.ts";
import { type Availability, PROBE_LIFE, toAvailability, toModelLines } from "./badges.ts";
import { fetchHostList, toHostRows } from "./host_lists.ts";
import type { Context } from "./io.ts";
import { wantsColor } from "./prompts.ts";
import { openStore } from "./open_store.ts";
import { readRouter, toNoKey } from "./proxy.ts";

/** A name that means a target, wherever it is read; a model may begin like a host that the user has declared. */
function toSureName(target: Target, catalog: Catalog): string {
  const label = toLabel(target, catalog);
  const { backend, model } = findReference(label, catalog) ?? { backend: catalog.backend, model: label };
  return backend === target.backend && model === target.model ? label : `${target.backend.name}/${target.model}`;
}

/** The models in use, the main one first, and others by name, each with a name to choose it by. */
export function toProbed(catalog: Catalog, names: readonly string[] = []): Map<Candidate, string> {
  const { elite, tiers, fallbacks, backend } = catalog;
  const others = names.map((name): Target => findReference(name, catalog) ?? { backend, model: name });
  const targets = [elite, ...Object.values(tiers), ...fallbacks, ...others];
  const byName = new Map(targets.map((target) => [toSureName(target, catalog), toCandidate(target, catalog)]));
  return new Map([...byName].map(([name, candidate]) => [candidate, name]));
}

/** More characters no finding has, its name and what is left free at the ends of lines included. */
const LONGEST = 160;

/** Shows findings as they come, all in their places on a terminal that is high enough, else line by line. */
async function createBoard(ids: readonly string[], { env }: Context["io"]) {
  const { default: { stdout } } = await import("node:process");
  const width = Math.max(...ids.map((id) => id.length));
  const color = Boolean(stdout.isTTY) && wantsColor(env);
  const columns = () => stdout.isTTY && stdout.columns || Infinity;
  const most = ids.length * Math.ceil(LONGEST / (stdout.columns || 80));
  const live = Boolean(stdout.isTTY) && env.TERM !== "dumb" && most < (stdout.rows || 24);
  const findings = new Map(ids.map((id): [string, Availability] => [id, { state: "pending", note: "" }]));
  const toLines = (id: string) => toModelLines({ id, width, ...findings.get(id)! }, columns(), color);
  let drawn: string[] = [];
  let cancel: (() => void) | undefined;
  const draw = () => {
    cancel = undefined;
    const back = drawn.length > 0 ? `\x1b[${drawn.length}A\x1b[J` : "";
    drawn = ids.flatMap(toLines);
    stdout.write(`${back}${drawn.join("\n")}\n`);
  };
  if (live) draw();
  return {
    show(id: string, finding: Availability) {
      findings.set(id, finding);
      // What is known already comes at once: drawn for each, it would be more than a terminal takes.
      if (live) cancel ??= systemClock.after(0, draw);
      else stdout.write(`${toLines(id).join("\n")}\n`);
    },
    /** Shows what has come last. */
    end() {
      cancel?.();
      if (live) draw();
    },
  };
}

/** The models beside those in use: those of the roster, or all that the host lists. */
async function readOthers(catalog: Catalog, { io, flags }: Context): Promise<string[]> {
  const rows = flags.demo ? [] : toHostRows(catalog).filter(({ gone }) => !gone).map(({ id }) => id);
  const ids = flags.all ? await fetchHostList(io, catalog.backend, flags.demo) : rows;
  return ids.map((id) => `${catalog.backend.name}/${id}`);
}

/** Asks models whether they answer, those in use anew; 0 when one does, or none was to be asked. */
export async function runProbe(context: Context): Promise<number> {
  const { io, flags, settings } = context;
  const { catalog } = await readRouter(context, io.tell);
  const used = [...toProbed(catalog).values()];
  const probed = toProbed(catalog, await readOthers(catalog, context));
  const toId = (candidate: Candidate) => probed.get(candidate)!;
  const board = flags.json ? undefined : await createBoard([...probed.values()], io);
  const results = await probeModels([...probed.keys()], {
    skip: settings.skipCheck ?? false,
    maxAge: (candidate) => used.includes(toId(candidate)) ? 0 : PROBE_LIFE,
    onResult: (result) => board?.show(toId(result.candidate), toAvailability(result)),
    store: await openStore(context, io.tell),
    ...(flags.demo ? { fetch: createStandIn().fetch } : {}),
  });
  board?.end();
  const rows = results.map(({ candidate, ...result }) => ({ model: toId(candidate), ...result }));
  if (flags.json) io.print(JSON.stringify(rows, null, 2));
  const noKey = settings.skipCheck ? undefined : toNoKey(catalog.elite.backend);
  if (noKey) io.tell(noKey);
  return settings.skipCheck || results.some(({ state }) => state === "ok") ? 0 : 1;
}
