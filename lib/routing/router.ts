import { toEffort } from "../models/thinking.ts";
import { toModel, toSuccessors } from "../models/roster.ts";
import type { MessagesRequest } from "../wire/anthropic.ts";
import { BoundedMap } from "../wire/bounded_map.ts";
import { DEFAULT_BACKEND } from "./backends.ts";
import { type Candidate, toKey } from "./candidate.ts";
import { type Catalog, createCatalog, toCandidate } from "./catalog.ts";
import { classifyTask, type TaskVerdict } from "./classify_task.ts";
import { hasBlocks } from "./has_blocks.ts";
import { type RequestKind, toRequestKind } from "./request_kind.ts";
import { findReference, findRule, LONGEST_NAME, type Target, toLabel } from "./reference.ts";
import { type Resolution, resolveModel } from "./resolve.ts";
import type { RouterOptions } from "./routing_options.ts";
import { takeSubagentModel } from "./subagent_tag.ts";
import type { RoutedTask, Task } from "./tasks.ts";
import { findTier } from "./tier.ts";

/** Input tokens from which a request counts as a long one (the threshold of claude-code-router). */
const LONG_TOKENS = 60_000;

/** So many names and ways are remembered; clients may ask for any. */
const MOST_KNOWN_NAMES = 200;

/** A request, and what else is known of it. */
export type Asked = { request: MessagesRequest; headers: Headers; inputTokens: (candidate: Candidate) => number };

/** Where a request goes and why; never content, but a few of its words. */
export type RouteTrace = {
  /** The name the client asked for, or that was asked for instead. */
  asked: string;
  /** The model that is asked first, with its host where that is not the default one. */
  model: string;
  /** What the client wants of it. */
  kind: RequestKind;
  task?: Task | undefined;
  tier: "elite" | "speed";
  /** All models, in order of preference. */
  chain: string[];
  /** The reasons, in the order in which they were found. */
  why: string[];
};

/** A request as it is sent on, what it should go to, where it may go (a host may lack its key), and why. */
export type Route = {
  request: MessagesRequest;
  kind: RequestKind;
  wanted: Candidate;
  candidates: Candidate[];
  trace: RouteTrace;
};

/** Finds where requests go. */
export interface Router {
  /** What it knows. */
  readonly catalog: Catalog;
  /** Finds the model for a name, whatever a request with it says. */
  find(name: string): Candidate;
  /** Finds where a request goes: nowhere if no host on the way has a key. */
  route(asked: Asked): Route;
}

/** A model that is named in the token of a request, behind a colon, as with free-claude-code; all else there is secret. */
function toTokenModel(headers: Headers, catalog: Catalog): string | undefined {
  return ["x-api-key", "authorization"]
    .map((name) => /^[^:]+:(.+)$/.exec(headers.get(name) ?? "")?.[1] ?? "")
    .find((name) => name !== "" && (catalog.listed.has(name) || findRule(name, catalog)?.sure || findTier(name)));
}

/** Requests that need little, and that the user does not wait for. */
const BACKGROUND: readonly RequestKind[] = ["title", "suggestion", "web_page", "quota", "file_paths", "command_prefix"];

/** Whether the words of a request are the user's. */
const isUsersTurn = (kind: RequestKind): boolean => kind === "main" || kind === "auxiliary";

/** The weightiest of what else than its name decides about a request, and the model for that. */
function findFact(asked: Asked, kind: RequestKind, verdict: TaskVerdict, found: Resolution, catalog: Catalog) {
  const { request } = asked;
  // Nothing is counted for a task that has no model of its own.
  const tokens = catalog.tasks.longcontext ? asked.inputTokens(toCandidate(found.target, catalog)) : 0;
  const { task, why } = verdict;
  const small = verdict.tier === "speed" ? catalog.speed : undefined;
  const aside = BACKGROUND.includes(kind);
  const isSmall = aside || found.tier === "speed";
  const rows: [applies: boolean, task: RoutedTask | undefined, why: string, usual?: Target | undefined][] = [
    [kind === "safety", "safety", "a check of a command", catalog.steady],
    [isSmall, "background", aside ? `a side request: ${kind}` : "the small tier", catalog.speed],
    [hasBlocks(request, "image"), "image", "there are images"],
    [tokens > LONG_TOKENS, "longcontext", `some ${tokens} tokens`],
    [toEffort(request) === "max", "think", "the effort is max"],
    [isUsersTurn(kind), task, why, small],
  ];
  for (const [applies, task, why, usual] of rows) {
    const target = applies && task ? catalog.tasks[task] ?? usual : undefined;
    if (target) return { target, why: `${task}: ${why}` };
  }
  return undefined;
}

/** Everything a target leads to: its profile's fallbacks, who follows what is gone, the main model, who else steps in. */
function toChain(first: Target, catalog: Catalog): Candidate[] {
  const { elite, fallbacks, backend, options: { models } } = catalog;
  const own = first.profile?.fallbacks?.map((name) => findReference(name, catalog) ?? { backend, model: name }) ?? [];
  // Other hosts have other names for what follows.
  const isKnown = ({ backend, model }: Target) => {
    return backend.name === DEFAULT_BACKEND || models?.some(({ id }) => id === model);
  };
  const toFollowers = (target: Target, gone: boolean): Target[] => {
    if (!isKnown(target) || Boolean(toModel(target.model, models).gone) !== gone) return [];
    return toSuccessors(target.model, models).map((model) => ({ backend: target.backend, model }));
  };
  const targets = [first, ...own, ...toFollowers(first, true)];
  for (const other of [elite, ...fallbacks]) targets.push(other, ...toFollowers(other, true));
  targets.push(...[first, ...own].flatMap((target) => toFollowers(target, false)));
  const chain = new Map<string, Candidate>();
  for (const target of targets) {
    const candidate = toCandidate(first.thinking === false ? { ...target, thinking: false } : target, catalog);
    if (!chain.has(toKey(candidate))) chain.set(toKey(candidate), candidate);
  }
  return [...chain.values()];
}

/**
 * Makes the router of a configuration.
 *
 * @throws {TypeError} If no model is chosen and none is known, or a backend or its address is of no use.
 */
export function createRouter(options: RouterOptions): Router {
  const catalog = createCatalog(options);
  const chains = new BoundedMap<string, Candidate[]>(MOST_KNOWN_NAMES);
  const resolved = new BoundedMap<string, Resolution>(MOST_KNOWN_NAMES);

  // Requests of a session ask for the same names, and go the same way, again and again.
  const resolve = (name: string) =>
    resolved.recall(name.slice(0, LONGEST_NAME + 1), (name) => resolveModel(name, catalog));
  const findChain = (target: Target) =>
    chains.recall(
      `${target.backend.name} ${toLabel(target, catalog)} ${target.thinking}`,
      () => toChain(target, catalog),
    );

  function route(asked: Asked): Route {
    const kind = toRequestKind(asked.headers, asked.request);
    const { request, model: tagged } = takeSubagentModel(asked.request, kind === "subagent");
    const named = toTokenModel(asked.headers, catalog);
    const name = tagged ?? named ?? request.model;
    const found = resolve(name);
    const why = [tagged ? "named in the prompt" : named ? "named in the token" : "", found.why].filter(Boolean);
    let { target, tier } = found;
    const verdict = classifyTask(request);
    const fact = found.chosen ? undefined : findFact({ ...asked, request }, kind, verdict, found, catalog);
    if (fact) {
      target = fact.target;
      tier = target === catalog.speed ? "speed" : "elite";
      why.push(fact.why);
    }
    // A check of a command is answered with a word; thinking would only make it late.
    if (kind === "safety") target = { ...target, thinking: false };
    const all = findChain(target);
    const [wanted = toCandidate(target, catalog)] = all;
    const candidates = all.filter(({ backend }) => !backend.lacks);
    const chain = candidates.map((candidate) => toLabel(candidate, catalog));
    const [model = toLabel(target, catalog)] = chain;
    const closed = new Set(all.map(({ backend }) => backend).filter(({ lacks }) => lacks));
    // The last is told where nobody can be asked: that of the model that was wanted.
    for (const { name, lacks } of [...closed].reverse()) why.push(`no API key for '${name}': set ${lacks}`);
    return {
      // Claude Code gives up on a compaction whose answer is a call instead of a summary.
      request: kind === "compaction" && request.tools?.length ? { ...request, tool_choice: { type: "none" } } : request,
      kind,
      wanted,
      candidates,
      trace: { asked: name, model, kind, task: isUsersTurn(kind) ? verdict.task : undefined, tier, chain, why },
    };
  }

  return { catalog, route, find: (name) => toCandidate(resolve(name).target, catalog) };
}
