import { ApiError } from "../wire/errors.ts";
import { toDigest } from "../wire/ids.ts";
import { isSameJson } from "../wire/json.ts";
import { Claims, KEY_MEMORY } from "./claims.ts";
import type { HandlerParts } from "./options.ts";
import type { Exchange } from "./request_log.ts";
import { type Begun, type Question, SharedAnswer } from "./shared_answer.ts";

const MAX_KEY_CHARS = 255;
/** So many answers are remembered under keys, and so many characters of them. */
const MOST_KEPT = 1_000;
const MAX_KEPT_CHARS = 32_000_000;

const NO_RETRY = { headers: { "x-should-retry": "false" } };

type Kept = { body: string; answer: SharedAnswer; until: number };

/** Whose request it is: what one client asks, is none of another's business. */
function toOwner({ client, log: { path } }: Exchange): string {
  return `${client?.name ?? toDigest(client?.key ?? "", 11)} ${path}`;
}

/** The part of a session that asks one thing after the other, if its client says so. */
function toThread({ request: { headers }, log: { session } }: Exchange): string | undefined {
  return session && `${session} ${headers.get("x-claude-code-agent-id")}`;
}

/**
 * Finds requests that have been asked before, so that they need not be asked again: under a key that the client has
 * given them, or because its connection broke a moment ago.
 *
 * Answers wait for clients that send `x-stainless-retry-count` only: those repeat by themselves what has broken off.
 */
export class SharedAnswers {
  readonly #parts: Pick<HandlerParts, "clock" | "store" | "linger">;
  readonly #claims: Claims;
  readonly #running = new Set<SharedAnswer>();
  /** Answers whose clients have gone, with what they had asked, and what calls off the end. */
  readonly #lingering = new Map<SharedAnswer, { exchange: Exchange; cancel: () => void }>();
  readonly #kept = new Map<string, Kept>();

  constructor(parts: Pick<HandlerParts, "clock" | "store" | "newId" | "linger">) {
    this.#parts = parts;
    this.#claims = new Claims(parts);
  }

  /**
   * Gives the answer to a question, an older one if there is one that fits.
   *
   * @throws {ApiError} If its key is too long, or belongs to another request.
   */
  async begin(exchange: Exchange, question: Question): Promise<Begun> {
    const { request: { headers }, stop: { signal } } = exchange;
    signal.throwIfAborted();
    const key = headers.get("idempotency-key") || headers.get("anthropic-idempotency-key");
    if (key) return await this.#beginKeyed(key, exchange, question);
    const left = this.#findLeft(exchange);
    if (left) {
      exchange.log.replayed = true;
      return left.join(signal);
    }
    const lingers = headers.has("x-stainless-retry-count") && this.#parts.linger > 0;
    const answer = this.#share(question, () => {
      if (lingers && answer.asked) this.#linger(answer, exchange);
      else answer.giveUp();
    });
    return answer.join(signal);
  }

  /** Breaks everything off. */
  close(reason: unknown): void {
    for (const answer of this.#running) answer.giveUp(reason);
  }

  #share(question: Question, onLeft: () => void, onOver: (whole: boolean) => void = () => {}): SharedAnswer {
    // What is not kept is of no use to anybody who comes later.
    const leave = () => answer.kept ? onLeft() : answer.giveUp();
    const answer: SharedAnswer = new SharedAnswer(question, leave, (whole) => {
      this.#running.delete(answer);
      this.#take(answer);
      onOver(whole);
    });
    this.#running.add(answer);
    return answer;
  }

  /** Waits a little while for whoever has gone from an answer to come again. */
  #linger(answer: SharedAnswer, exchange: Exchange): void {
    const cancel = this.#parts.clock.after(this.#parts.linger, () => answer.giveUp());
    this.#lingering.set(answer, { exchange, cancel });
  }

  /** Takes an answer out of those that linger. */
  #take(answer: SharedAnswer): void {
    this.#lingering.get(answer)?.cancel();
    this.#lingering.delete(answer);
  }

  /** Finds the answer that a client has left and asks for again; one that asks for something else has given it up. */
  #findLeft(exchange: Exchange): SharedAnswer | undefined {
    if (this.#lingering.size === 0) return undefined;
    const [owner, thread] = [toOwner(exchange), toThread(exchange)];
    const own = [...this.#lingering].filter(([, { exchange: before }]) =>
      toOwner(before) === owner && toThread(before) === thread
    );
    const [same] =
      own.find(([, { exchange: { body, size } }]) => size === exchange.size && isSameJson(body, exchange.body)) ?? [];
    if (same) this.#take(same);
    else if (thread !== undefined) own.forEach(([answer]) => answer.giveUp());
    return same;
  }

  async #beginKeyed(key: string, exchange: Exchange, question: Question): Promise<Begun> {
    const { log, stop: { signal }, body } = exchange;
    if (key.length > MAX_KEY_CHARS) {
      const message = `The idempotency key has ${key.length} characters: at most ${MAX_KEY_CHARS} are allowed`;
      throw new ApiError("invalid_request_error", message, NO_RETRY);
    }
    const id = `answer ${toOwner(exchange)} ${key}`;
    const digest = toDigest(JSON.stringify(body), 11);
    const check = (other: string) => {
      if (other === digest) return;
      const message = "The idempotency key was used for another request: give each request a key of its own";
      throw new ApiError("invalid_request_error", message, { ...NO_RETRY, status: 409 });
    };
    this.#forget();
    const kept = this.#kept.get(id);
    if (kept) check(kept.body);
    if (kept?.answer.kept) {
      log.replayed = true;
      return kept.answer.join(signal);
    }
    const claimed = this.#parts.store.shared
      ? await this.#claims.claim(id, digest, question, check)
      : { question, found: false };
    if (signal.aborted) return { ...claimed.question, answer: claimed.question.ask(signal) };
    if (claimed.found) log.replayed = true;
    const answer = this.#share(claimed.question, () => void answer.finish(), (whole) => {
      if (whole && answer.kept) entry.until = this.#parts.clock.now() + KEY_MEMORY;
      else if (this.#kept.get(id) === entry) this.#kept.delete(id);
      this.#forget();
    });
    const entry: Kept = { body: digest, answer, until: Infinity };
    this.#kept.set(id, entry);
    return answer.join(signal);
  }

  /** Forgets what is too old, and of what is too much the oldest. */
  #forget(): void {
    const now = this.#parts.clock.now();
    let size = 0;
    for (const { answer } of this.#kept.values()) size += answer.size;
    for (const [id, { answer, until }] of this.#kept) {
      if (until > now && this.#kept.size <= MOST_KEPT && size <= MAX_KEPT_CHARS) continue;
      size -= answer.size;
      this.#kept.delete(id);
    }
  }
}
