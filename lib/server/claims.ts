import type { MessageStart } from "../stream/chunk_translator.ts";
import type { MessageStreamEvent } from "../wire/anthropic.ts";
import { sleep } from "../wire/clock.ts";
import { onAbort } from "../wire/signal.ts";
import type { HandlerParts } from "./options.ts";
import { noteUsage } from "./request_log.ts";
import { type GivenAnswer, type Question, toBatches, toSize } from "./shared_answer.ts";

/** Milliseconds an answer is remembered under its key. */
export const KEY_MEMORY = 600_000;
/** Milliseconds after which a process that has said nothing of its claim has lost it. */
const CLAIM_LEASE = 30_000;
/** Milliseconds between two looks at another process's claim. */
const CLAIM_POLL = 250;
/** Longer answers, in characters, are not stored: each store has to carry all of one at once. */
const MAX_STORED = 512_000;

/** Who asks for an answer under a key, for which body; in the end all of it. */
type Claim = {
  owner: string;
  body: string;
  created: number;
  start: MessageStart;
  answer?: Omit<GivenAnswer, "events"> & { events: MessageStreamEvent[] };
};

/**
 * Sees to it that of several processes with one store only one asks for what has a key: it claims the key, and renews
 * that while it is at work; the others wait for the answer, or take the claim over when its owner is silent. Without the
 * store each asks for itself.
 */
export class Claims {
  readonly #parts: Pick<HandlerParts, "store" | "clock" | "newId">;

  constructor(parts: Pick<HandlerParts, "store" | "clock" | "newId">) {
    this.#parts = parts;
  }

  /**
   * Claims a key for a question, unless that is done; `check` throws where the body is another one.
   *
   * @returns What to ask instead, and whether somebody else was the first.
   */
  async claim(
    id: string,
    body: string,
    question: Question,
    check: (body: string) => void,
  ): Promise<{ question: Question; found: boolean }> {
    const { created, toStart, ask } = question;
    const mine: Claim = { owner: this.#parts.newId("claim_"), body, created, start: toStart() };
    const claim = await this.#take(id, mine).catch(() => mine);
    check(claim.body);
    const { start } = claim;
    const own = { ...mine, created: claim.created, start };
    const wait = async (signal: AbortSignal): Promise<GivenAnswer> => {
      let now = claim;
      while (now.owner !== own.owner && !now.answer) {
        await sleep(this.#parts.clock, CLAIM_POLL, signal);
        now = await this.#take(id, own).catch(() => own);
        check(now.body);
      }
      if (!now.answer) return await this.#ask(id, own, ask, signal);
      noteUsage({}, now.answer.events); // Whoever asked has counted it.
      return { ...now.answer, events: toBatches(now.answer.events) };
    };
    return { question: { created: claim.created, toStart: () => start, ask: wait }, found: claim.owner !== own.owner };
  }

  /** Takes a claim if nobody has it, and gives the one there is. */
  async #take(id: string, claim: Claim): Promise<Claim> {
    const { store } = this.#parts;
    for (;;) {
      const found = await store.get(id) as Claim | undefined;
      if (found) return found;
      if (await store.swap(id, undefined, claim, CLAIM_LEASE)) return claim;
    }
  }

  /** Asks, keeps the claim meanwhile, and puts the answer in its place; what fails gives it up. */
  async #ask(id: string, claim: Claim, ask: Question["ask"], signal: AbortSignal): Promise<GivenAnswer> {
    const { store, clock } = this.#parts;
    let over = false;
    let cancel = () => {};
    const renew = () => {
      cancel = clock.after(CLAIM_LEASE / 3, async () => {
        const held = await store.swap(id, claim, claim, CLAIM_LEASE).catch(() => true);
        if (held && !over) renew();
      });
    };
    const end = (answer?: Claim["answer"]) => {
      if (over) return;
      over = true;
      cancel();
      store.swap(id, claim, answer && { ...claim, answer }, KEY_MEMORY).catch(() => {}); // Then its lease ends it.
    };
    renew();
    onAbort(signal, () => end());
    try {
      const { events, ...given } = await ask(signal);
      return { ...given, events: this.#keep(events, (all) => end(all && { ...given, events: all })) };
    } catch (thrown) {
      end();
      throw thrown;
    }
  }

  /** Passes events on, and gives all of them to `end`, nothing if they are too many. */
  async *#keep(events: GivenAnswer["events"], end: (all?: MessageStreamEvent[]) => void): GivenAnswer["events"] {
    const all: MessageStreamEvent[] = [];
    let size = 0;
    try {
      for await (const batch of events) {
        size += toSize(batch);
        if (size <= MAX_STORED) all.push(...batch);
        yield batch;
      }
      end(size <= MAX_STORED ? all : undefined);
    } finally {
      end();
    }
  }
}
