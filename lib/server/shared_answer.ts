import type { MessageStart } from "../stream/chunk_translator.ts";
import type { MessageStreamEvent } from "../wire/anthropic.ts";
import { iterate } from "../wire/iterate.ts";
import { onAbort } from "../wire/signal.ts";

/** An answer that has begun: what the log says of it, and the events of each read of the upstream. */
export type GivenAnswer = {
  model: string;
  fellBack: boolean;
  warnings: string[];
  events: AsyncIterableIterator<MessageStreamEvent[], undefined>;
};

/** A request that can be asked: when it came, what makes the event its stream begins with, what asks and tells when. */
export type Question = {
  created: number;
  toStart: () => MessageStart;
  ask: (signal: AbortSignal, onAsked?: () => void) => Promise<GivenAnswer>;
};

/** An answer that was asked for, and what was in the {@linkcode Question} it is for. */
export type Begun = Omit<Question, "ask"> & { answer: Promise<GivenAnswer> };

/** The events of one read, and what follows once somebody has asked for that: nothing at the end. */
type Batch = { events: MessageStreamEvent[]; next?: Promise<Batch | undefined> };

/** So much of an answer is kept for those who come later, as {@linkcode toSize} measures it. */
const MAX_SIZE = 2_000_000;
/** What a delta takes beside its text: roughly its characters as JSON. */
const EVENT_SIZE = 100;

/** Roughly how many characters events have as JSON. */
export function toSize(events: readonly MessageStreamEvent[]): number {
  let size = 0;
  for (const event of events) {
    if (event.type !== "content_block_delta") size += JSON.stringify(event).length;
    else {
      size += EVENT_SIZE;
      for (const value of Object.values(event.delta)) {
        size += typeof value === "string" ? value.length : JSON.stringify(value).length;
      }
    }
  }
  return size;
}

/** Makes an answer's events of what is there already, in one read. */
export async function* toBatches(...batches: MessageStreamEvent[][]): AsyncGenerator<MessageStreamEvent[], undefined> {
  yield* batches;
}

function readFrom(first: Batch | undefined, pull: () => Promise<Batch | undefined>): GivenAnswer["events"] {
  let at = first;
  return iterate(async () => {
    at = await (at && (at.next ??= pull()));
    return at ? { value: at.events, done: false } : { value: undefined, done: true };
  });
}

/**
 * One answer for several requests, each of which reads it from its first event on.
 *
 * The fastest reader sets the pace. Batches are linked, so that only the first one has to be held for those who come
 * later, and what everybody has read is forgotten when it is let go.
 */
export class SharedAnswer {
  readonly #begun: Omit<Begun, "answer">;
  readonly #answer: Promise<GivenAnswer>;
  readonly #stop = new AbortController();
  readonly #onLeft: () => void;
  readonly #onOver: (whole: boolean) => void;
  #events: GivenAnswer["events"] | undefined;
  #first: Batch | undefined = { events: [] };
  #readers = 0;
  /** Whether a model has been asked: until then it has cost nothing. */
  asked = false;
  /** Whether nothing of it can come any more. */
  over = false;
  /** How much of it has come, in characters. */
  size = 0;

  /** Asks; `onLeft` is called when the last reader has gone before the end, `onOver` when it ends, whole or not. */
  constructor({ ask, ...begun }: Question, onLeft: () => void, onOver: (whole: boolean) => void) {
    [this.#begun, this.#onLeft, this.#onOver] = [begun, onLeft, onOver];
    this.#answer = ask(this.#stop.signal, () => this.asked = true);
    this.#answer.catch(() => this.#end(false));
  }

  /** Whether all that has come is still there. */
  get kept(): boolean {
    return this.#first !== undefined;
  }

  /** Gives the answer to one more reader, who goes away when `signal` fires. */
  join(signal: AbortSignal): Begun {
    const events = readFrom(this.#first, () => this.#pull());
    this.#readers++;
    onAbort(signal, () => {
      if (--this.#readers === 0 && !this.over) this.#onLeft();
    });
    return { ...this.#begun, answer: this.#answer.then((given) => ({ ...given, events })) };
  }

  /** Reads on although nobody waits, so that all of it is there when somebody comes. */
  async finish(): Promise<void> {
    const events = readFrom(this.#first, () => this.#pull());
    try {
      while (!(await events.next()).done);
    } catch {
      // It is over.
    }
  }

  /** Breaks off, also for those who read. */
  giveUp(reason?: unknown): void {
    this.#end(false);
    this.#stop.abort(reason);
  }

  async #pull(): Promise<Batch | undefined> {
    try {
      this.#events ??= (await this.#answer).events;
      const { value: events, done } = await this.#events.next();
      if (done) {
        this.#end(true);
        return undefined;
      }
      this.size += toSize(events);
      if (this.size > MAX_SIZE) this.#first = undefined;
      return { events };
    } catch (thrown) {
      this.#end(false);
      throw thrown;
    }
  }

  #end(whole: boolean): void {
    if (this.over) return;
    this.over = true;
    this.#onOver(whole);
  }
}
