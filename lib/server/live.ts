import { type Backend, type Candidate, toKey } from "../routing/candidate.ts";
import { UpstreamFault } from "../upstream/faults.ts";
import type { MessageStreamEvent, VisualizationEvent } from "../wire/anthropic.ts";
import { BoundedMap } from "../wire/bounded_map.ts";
import type { Clock } from "../wire/clock.ts";
import type { ApiError } from "../wire/errors.ts";
import type { RequestLog } from "./request_log.ts";
import { isAnswered } from "./stats.ts";

/** So many requests that are over are remembered, so many steps of each, so many models. */
const MOST_OVER = 100;
const MOST_STEPS = 60;
const MOST_MODELS = 100;
/** Characters of a name, which clients may choose, and of the text that is shown where the user wants that. */
const MAX_NAME_CHARS = 200;
const MAX_TEXT_CHARS = 600;

/** What a request is in: nothing has come yet, and nothing from who was asked before; words come, or a tool call. */
export type Lane = "hold" | "fallback" | "stream" | "tools";

/** When a request, so many milliseconds old, came into a lane; who is asked now; who was left before, and why. */
export type LiveStep = { at: number; lane: Lane; model?: string; left?: string; why?: string | undefined };

/** A request for a message and what has become of it; never content, unless the user wants to see that. */
export type LiveRequest = Pick<RequestLog, "id" | "session" | "asked" | "model"> & {
  /** When it came, and when something about it changed last, in milliseconds since 1970. */
  began: number;
  changed: number;
  kind?: string | undefined;
  task?: string | undefined;
  steps: LiveStep[];
  pings: number;
  /** Characters of the answer so far. */
  written: number;
  /** The end of the answer so far; only where the user wants to see it. */
  text?: string;
  /** What its log says, once it is over. */
  over?: Pick<RequestLog, "status" | "ms" | "firstMs" | "inputTokens" | "cachedTokens" | "outputTokens"> & {
    failed: boolean;
  };
};

/** How a model does: how often it answered and failed, how it failed last, and until when it is therefore avoided. */
export type LiveModel = {
  model: string;
  backend?: string | undefined;
  answers: number;
  faults: number;
  /** Why it failed last, and when. */
  why?: string;
  failedAt?: number;
  /** Milliseconds until the first content of its last streamed answer. */
  firstMs?: number | undefined;
  /** Until when it is asked last, in milliseconds since 1970; only while that is to come. */
  avoidedUntil?: number;
};

/** What a delta adds, as far as it is written. */
function toWritten(event: MessageStreamEvent): string {
  if (event.type !== "content_block_delta") return "";
  const { delta } = event;
  if (delta.type === "text_delta") return delta.text;
  if (delta.type === "thinking_delta") return delta.thinking;
  return delta.type === "input_json_delta" ? delta.partial_json : "";
}

/** A request on its way: what is shown of it, the model that is asked, and the last step its stream has told of. */
type Running = { request: LiveRequest; asked?: LiveModel; told?: LiveStep | undefined };

/** Notes what happens to requests for messages while they are on their way. */
export class Live {
  readonly #clock: Clock;
  readonly #showContent: boolean;
  readonly #running = new Map<string, Running>();
  readonly #over = new BoundedMap<string, LiveRequest>(MOST_OVER);
  readonly #models = new BoundedMap<string, LiveModel & { candidate: Candidate }>(MOST_MODELS);
  /** When the last of those was over that are not remembered any more: who was told before that has missed some. */
  forgotten = 0;
  /** Called when something has changed. */
  onChange: () => void = () => {};

  /** Texts of answers are kept only with `showContent`. */
  constructor(clock: Clock, showContent = false) {
    this.#clock = clock;
    this.#showContent = showContent;
  }

  /** Notes that a request has been routed. */
  begin({ id, session, asked = "", route }: RequestLog, began: number): void {
    const { kind, task } = route ?? {};
    const named = { id, session, asked: asked.slice(0, MAX_NAME_CHARS), kind, task };
    const request: LiveRequest = { ...named, began, changed: began, steps: [], pings: 0, written: 0 };
    if (this.#showContent) request.text = "";
    this.#running.set(id, { request });
    this.#enter(request, { lane: "hold" });
  }

  /** Notes that a candidate is asked, or with a fault that it failed before its first content. */
  tried(id: string, candidate: Candidate, fault?: ApiError): void {
    const running = this.#running.get(id);
    if (!running) return;
    const { request } = running;
    const asked = running.asked = this.#modelOf(candidate);
    if (fault) {
      this.#fail(asked, fault instanceof UpstreamFault ? fault.kind : fault.type);
      this.#enter(request, { lane: "fallback", left: asked.model, why: asked.why });
    } else {
      request.model = request.steps.at(-1)!.model = asked.model;
      this.#touch(request);
    }
  }

  /** Notes what has come of an answer. */
  heard(id: string, events: readonly MessageStreamEvent[]): void {
    const { request } = this.#running.get(id) ?? {};
    if (!request) return;
    for (const event of events) {
      if (event.type === "content_block_start") {
        const lane = event.content_block.type === "tool_use" ? "tools" : "stream";
        if (request.steps.at(-1)!.lane !== lane) this.#enter(request, { lane });
      }
      const written = toWritten(event);
      request.written += written.length;
      if (request.text !== undefined && written) request.text = (request.text + written).slice(-MAX_TEXT_CHARS);
    }
    this.#touch(request);
  }

  /** Notes that a silence was filled. */
  pinged(id: string): void {
    const { request } = this.#running.get(id) ?? {};
    if (!request) return;
    request.pings++;
    this.#touch(request);
  }

  /** Notes that a request is over; of those that were refused before they were routed nothing is known. */
  end(log: RequestLog): void {
    const { id, status, model, ms, firstMs, inputTokens, cachedTokens, outputTokens } = log;
    const { request, asked } = this.#running.get(id) ?? {};
    if (!request) return;
    const failed = !isAnswered(log);
    if (model !== undefined) request.model = model;
    request.over = { status, ms, firstMs, inputTokens, cachedTokens, outputTokens, failed };
    // What failed before its first content has been noted by then; who goes away says nothing about the model.
    if (asked && failed && model !== undefined && status !== 499) this.#fail(asked, "cut");
    if (asked && !failed) Object.assign(asked, { answers: asked.answers + 1, firstMs: firstMs ?? asked.firstMs });
    this.#running.delete(id);
    const [oldest] = this.#over.values();
    if (this.#over.size === MOST_OVER) this.forgotten = oldest!.changed;
    this.#over.set(id, request);
    this.#touch(request);
  }

  /** What has changed since a time in milliseconds since 1970: requests on their way, then others as they ended. */
  requests(since = 0): LiveRequest[] {
    const running = [...this.#running.values()].map(({ request }) => request);
    return [...running, ...this.#over.values()].filter(({ changed }) => changed >= since);
  }

  /** How the models do that were asked, and some others; `toAvoided` tells until when one is avoided. */
  models(others: readonly Candidate[], toAvoided: (candidate: Candidate) => number): LiveModel[] {
    const now = this.#clock.now();
    for (const candidate of others) this.#modelOf(candidate);
    return [...this.#models.values()].map(({ candidate, ...model }) => {
      const avoidedUntil = toAvoided(candidate);
      return avoidedUntil > now ? { ...model, avoidedUntil } : model;
    });
  }

  /** The hosts of these models. */
  backends(): Backend[] {
    const backends = [...this.#models.values()].map(({ candidate: { backend } }) => [backend.name, backend] as const);
    return [...new Map(backends).values()];
  }

  /** The steps of a request that its stream has not told of yet, as events for it. */
  tell(id: string): VisualizationEvent[] {
    const running = this.#running.get(id);
    if (!running) return [];
    const { request: { steps }, told } = running;
    running.told = steps.at(-1);
    const fresh = told ? steps.slice(steps.indexOf(told) + 1) : steps;
    return fresh.map((step) => ({ type: "ncp_visualization", request_id: id, ...step }));
  }

  #modelOf(candidate: Candidate): LiveModel {
    const key = toKey(candidate);
    const { model, backend: { name: backend } } = candidate;
    let known = this.#models.get(key);
    if (!known) this.#models.set(key, known = { candidate, model, backend, answers: 0, faults: 0 });
    known.candidate = candidate; // What is configured may have changed.
    return known;
  }

  #fail(model: LiveModel, why: string): void {
    Object.assign(model, { faults: model.faults + 1, why, failedAt: this.#clock.now() });
  }

  #enter(request: LiveRequest, step: Omit<LiveStep, "at">): void {
    request.steps.push({ at: this.#clock.now() - request.began, ...step });
    if (request.steps.length > MOST_STEPS) request.steps.splice(1, 1);
    this.#touch(request);
  }

  #touch(request: LiveRequest): void {
    request.changed = this.#clock.now();
    this.onChange();
  }
}
