import { toConfigPath } from "../config/folders.ts";
import { ConfigError } from "../config/settings.ts";
import { type Model, ROSTER, toModel } from "../models/roster.ts";
import { toKey } from "../routing/candidate.ts";
import type { Router } from "../routing/router.ts";
import { Health } from "../upstream/health.ts";
import type { ModelFacts } from "../upstream/learned.ts";
import { PROBE_PREFIX } from "../upstream/probe.ts";
import { systemClock } from "../wire/clock.ts";
import { readChoice, toChoicePath } from "./choice.ts";
import { type Context, report } from "./io.ts";
import { fetchHostList, readHostList, toHostRows } from "./host_lists.ts";
import { openStore, readLessons } from "./open_store.ts";
import { readRouter } from "./proxy.ts";
import { toAmount, toRows, wrapLines } from "./rows.ts";

/** What a model has taught, in words. */
function toLessonWords({ refused, context, maxOutput, noTools, goneSince }: ModelFacts, ratio = 1): string {
  return [
    goneSince === 0 && "is gone",
    goneSince > 0 && goneSince < Infinity && `is gone since ${new Date(goneSince).toISOString().slice(0, 10)}`,
    noTools && "is served without tools",
    refused.length > 0 && `refuses ${refused.join(", ")}`,
    context < Infinity && `has a window of ${context} tokens`,
    maxOutput < Infinity && `gives at most ${maxOutput} tokens`,
    ratio !== 1 && `counts ${ratio.toFixed(2)} times the tokens that are estimated`,
  ].filter(Boolean).join("; ");
}

/** What a model can do, in words; what has ended says so, and names who follows. */
function toAbilities({ tools, vision, reasoning, gone, successor }: Model): string {
  const abilities = [tools && "tools", vision && "images", reasoning && "thinking"].filter(Boolean).join(", ");
  const end = gone && `gone since ${gone}${successor ? `, followed by ${successor}` : ""}`;
  return end || abilities || "text only";
}

function toCount(tokens: number): string {
  return tokens < Infinity ? String(tokens) : "?";
}

function toLimits({ context, maxOutput }: Model): string {
  return `window ${toCount(context)}, output ${toCount(maxOutput)} tokens`;
}

/** What `--json` says of a model; a limit nobody knows is null. */
function toJsonModel({ id, context, maxOutput, tools, vision, reasoning, gone, successor }: Model): object {
  const limits = { context: context < Infinity ? context : null, maxOutput: maxOutput < Infinity ? maxOutput : null };
  return { id, ...limits, tools, vision, reasoning, gone, successor };
}

/** Models as a table, or with what is known of each in lines of their own where that is too wide. */
function toModelTable(rows: (Model & { about: string })[], columns = Infinity): string[] {
  const width = Math.max(...rows.map(({ id }) => id.length));
  const table = [["model", "window", "output", "abilities"]].concat(
    rows.map(({ id, context, maxOutput, about }) => [id, toCount(context), toCount(maxOutput), about]),
  ).map(([id = "", window = "", output = "", about = ""]) =>
    `${id.padEnd(width)}  ${window.padStart(8)}  ${output.padStart(7)}  ${about}`
  );
  if (table.every((line) => line.length < columns)) return table;
  return rows.flatMap((row) => [row.id, ...toRows([["", `${toLimits(row)}: ${row.about}`]], columns)]);
}

/** Lists the roster, and what the config file adds to it; what the host did not list when it was asked is marked. */
async function listRoster(context: Context): Promise<void> {
  const { io } = context;
  const { catalog } = await readRouter(context);
  const { models = [] } = catalog.options;
  const listed = await readHostList(io, catalog.backend);
  const owned = new Set(toHostRows(catalog).map(({ id }) => id));
  const ids = new Set([...models, ...ROSTER].map(({ id }) => id));
  const rows = [...ids].map((id) => toModel(id, models)).sort((a, b) => Number(!!a.gone) - Number(!!b.gone));
  const isListed = ({ id }: Model) => listed && owned.has(id) ? listed.includes(id) : undefined;
  const all = rows.map((row) => ({ ...toJsonModel(row), listed: isListed(row) }));
  const toAbout = (row: Model) =>
    toAbilities(row) + (isListed(row) === false && !row.gone ? ", not listed by the host" : "");
  report(context, all, toModelTable(rows.map((row) => ({ ...row, about: toAbout(row) })), io.columns));
}

/** Compares what the default host lists with the roster. */
async function refresh(context: Context): Promise<void> {
  const { io, flags } = context;
  const { catalog } = await readRouter(context);
  const ids = await fetchHostList(io, catalog.backend, flags.demo);
  const rows = toHostRows(catalog);
  const fresh = ids.filter((id) => !rows.some((row) => row.id === id));
  const missing = rows.filter(({ id, gone }) => !gone && !ids.includes(id)).map(({ id }) => id);
  const host = catalog.backend.name;
  const toSection = (title: string, names: string[]) =>
    names.length > 0 ? [title, ...names.map((id) => `  ${id}`)] : [];
  report(context, { host, listed: ids.length, new: fresh, missing }, [
    `${host} lists ${toAmount(ids.length, "model")}.`,
    ...toSection("Not in the roster:", fresh),
    ...toSection("In the roster, but not listed:", missing),
  ]);
}

/** Tells what a name stands for, where a request for it goes, with which words in it, and why. */
async function explain(router: Router, name: string, prompt: string, context: Context): Promise<void> {
  const messages = [{ role: "user" as const, content: prompt }];
  const tools = [{ name: "Bash", input_schema: {} }]; // Without tools it would not be a turn of Claude Code's.
  const request = { model: name, max_tokens: 1, messages, tools };
  const { wanted, trace } = router.route({ request, headers: new Headers(), inputTokens: () => 0 });
  const traits = wanted.traits ?? toModel(wanted.model);
  const learned = await readLessons(await openStore(context, context.io.tell));
  const lessons = toLessonWords(learned.of(wanted), learned.ratios.get(toKey(wanted)));
  const { name: host, baseUrl } = wanted.backend;
  const { why, task, tier, chain } = trace;
  const family = traits.family.name;
  const told = { asked: name, ...toJsonModel(traits), host, baseUrl, family, why, task, tier, chain, lessons };
  const rows = {
    asked: name,
    model: `${wanted.model} (${baseUrl})`,
    why: why.join(", "),
    task,
    tier,
    chain: chain.join(", "),
    family,
    limits: toLimits(traits),
    abilities: toAbilities(traits),
    taught: lessons,
  };
  const known = Object.entries(rows).flatMap(([row, value]) => value ? [[row, value] as const] : []);
  report(context, told, toRows(known, context.io.columns));
}

/** Shows what all models have taught. */
async function showLessons(context: Context): Promise<void> {
  const { io } = context;
  const learned = await readLessons(await openStore(context, io.tell));
  const rows = learned.all().map(([key, facts]) => {
    const [host, model] = key.split(" ");
    return { model, host, lessons: toLessonWords(facts) };
  });
  const lines = rows.map(({ model, host, lessons }) => wrapLines(`${model} ${lessons} (${host})`, io.columns));
  report(context, rows, lines.length > 0 ? lines : ["No model has taught anything yet."]);
}

/** Shows the roster, one model and the way to it, or what models have taught; or asks the host what it serves. */
export async function runModels(context: Context): Promise<number> {
  const [action = "list", id, prompt = ""] = context.args;
  if (action !== "show" && id !== undefined) throw new ConfigError(`Unexpected argument '${id}'`);
  if (action === "list") await listRoster(context);
  else if (action === "refresh") await refresh(context);
  else if (id === undefined) await showLessons(context);
  else await explain(await readRouter(context), id, prompt, context);
  return 0;
}

/** Forgets the choice, and what models have taught and how they were found; keys stay. */
export async function runReset(context: Context): Promise<number> {
  const { io } = context;
  const say = (text: string) => io.print(wrapLines(text, io.columns));
  const store = await openStore(context, io.tell);
  const learned = await readLessons(store);
  const count = learned.all().length;
  await learned.forget();
  await new Health(systemClock, store).forget();
  for (const [key] of await store.list(PROBE_PREFIX)) await store.set(key, undefined);
  say(`Forgot what ${toAmount(count, "model")} had taught.`);
  const when = store.shared ? "with its next requests" : "at its next start";
  if (count > 0) say(`A proxy that runs does so ${when}.`);
  const { model } = await readChoice(io);
  const { access, rm } = await import("node:fs/promises");
  const [choice, keys] = [toChoicePath(io), toConfigPath(io, ".env")];
  if (choice) {
    await rm(choice, { force: true }).catch((cause) => {
      throw new Error(`The choice cannot be forgotten: ${cause.message}`, { cause });
    });
  }
  if (model) say(`Forgot the choice of ${model}.`);
  if (keys && await access(keys).then(() => true, () => false)) say(`Keys stay in ${keys}`);
  return 0;
}
