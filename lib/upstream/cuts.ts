import type { MessagesRequest } from "../wire/anthropic.ts";
import type { Clock } from "../wire/clock.ts";
import { toDigest } from "../wire/ids.ts";

/** Milliseconds during which a request whose answer broke off is sent elsewhere. */
const MEMORY = 300_000;
/** Claude Code asks to go on: what it was sent of the answer and one sentence more (2.1.328). */
const MAX_ADDED_MESSAGES = 2;
/** How the sentence begins that it adds to the last message after an answer without a visible word (2.1.328). */
const REMINDER = "[Your previous response had no visible output.";

type Cut = { key: string; at: number; length: number; fingerprint: string };

/**
 * What stays the same when a request comes again: a message is a block while it has a mark for Anthropic's cache, and
 * gets a line break before a reminder.
 */
function toFingerprint({ messages }: MessagesRequest, length: number): string {
  const blocks = messages.slice(0, length).map(({ role, content }) => ({
    role,
    content: typeof content === "string"
      ? [{ type: "text", text: content }]
      : content.filter((block) => block.type !== "text" || !block.text.startsWith(REMINDER)),
  }));
  const toSame = (name: string, value: unknown) =>
    name === "cache_control" ? undefined : typeof value === "string" ? value.trimEnd() : value;
  return toDigest(JSON.stringify(blocks, toSame), 11);
}

/**
 * Remembers where answers broke off after they had begun, or were of no use: Claude Code sends the same request again, or
 * asks to go on, and that should go to somebody else.
 */
export class Cuts {
  readonly #clock: Clock;
  #cuts: Cut[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes that the answer to a request broke off at the candidate with this key. */
  note(request: MessagesRequest, key: string): void {
    const { length } = request.messages;
    this.#cuts.push({ key, at: this.#clock.now(), length, fingerprint: toFingerprint(request, length) });
  }

  /** The keys of the candidates where this request broke off a little while ago. */
  of(request: MessagesRequest): ReadonlySet<string> {
    const now = this.#clock.now();
    this.#cuts = this.#cuts.filter(({ at }) => now - at <= MEMORY);
    const same = this.#cuts.filter(({ length, fingerprint }) => {
      const added = request.messages.length - length;
      return added >= 0 && added <= MAX_ADDED_MESSAGES && toFingerprint(request, length) === fingerprint;
    });
    return new Set(same.map(({ key }) => key));
  }
}
