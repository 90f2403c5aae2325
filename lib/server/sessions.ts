import type { Store } from "../store/store.ts";
import { BoundedMap } from "../wire/bounded_map.ts";
import type { Clock } from "../wire/clock.ts";
import { randomId } from "../wire/ids.ts";
import { isJsonObject } from "../wire/json.ts";
import type { RequestLog } from "./request_log.ts";
import { addRequest, asksForMessage, createStats, joinStats, type Stats } from "./stats.ts";

/** So many sessions are remembered. */
const MOST_SESSIONS = 200;
const MAX_ID_CHARS = 200;
const PREFIX_OF_PARTS = "session ";
/** Milliseconds between two writes of what has changed, and for which other processes know of it. */
const WRITE_PAUSE = 1_000;
const PART_LIFE = 86_400_000;

/** What a session of Claude Code has come to: counts only. */
export type Session = Stats & {
  type: "session";
  /** What its client calls it. */
  id: string;
  /** When its last request ended, in milliseconds since 1970. */
  last: number;
};

/** The session a request belongs to, if its client says so. */
export function toSessionId(headers: Headers): string | undefined {
  const id = headers.get("x-claude-code-session-id") || headers.get("x-session-id") || undefined;
  return id?.slice(0, MAX_ID_CHARS);
}

/** Whether a value is what some proxy has kept of a session. */
function isSession(value: unknown): value is Session {
  return isJsonObject(value) && value.type === "session" && isJsonObject(value.firstToken);
}

/** The sessions that asked last: here, and at every process with the same store, of which each keeps its own part. */
export class Sessions {
  readonly #sessions = new BoundedMap<string, Session>(MOST_SESSIONS);
  readonly #clock: Clock;
  readonly #store: Store | undefined;
  #process: string | undefined;
  /** What is to be written. */
  readonly #changed = new Set<string>();
  #cancel = () => {};

  /** @param store Where the parts of all processes are, if it is shared. */
  constructor(clock: Clock, store?: Store) {
    this.#clock = clock;
    this.#store = store?.shared ? store : undefined;
  }

  /** How many have asked here. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Notes a request that is over; what is refused at the door begins no session. */
  add(log: RequestLog): void {
    const { session: id, ms } = log;
    if (id === undefined || !asksForMessage(log)) return;
    const known = this.#sessions.get(id);
    if (!known && !log.route) return;
    const now = this.#clock.now();
    const stats = addRequest(known ?? createStats(now - ms), log);
    this.#sessions.set(id, { type: "session", id, last: now, ...stats });
    if (!this.#store) return;
    if (this.#changed.size === 0) this.#cancel = this.#clock.after(WRITE_PAUSE, () => this.flush());
    this.#changed.add(id);
  }

  /** All of them, the one that asked last first. */
  async list(): Promise<Session[]> {
    const stored = await this.#store?.list(PREFIX_OF_PARTS).catch(() => []) ?? [];
    const others = stored.flatMap(([key, part]) => key.endsWith(` ${this.#process}`) || !isSession(part) ? [] : [part]);
    const joined = new Map<string, Session>();
    for (const part of [...this.#sessions.values()].reverse().concat(others)) {
      const known = joined.get(part.id);
      joined.set(part.id, known ? { ...joinStats(known, part), last: Math.max(known.last, part.last) } : part);
    }
    return [...joined.values()].sort((a, b) => b.last - a.last).slice(0, MOST_SESSIONS);
  }

  /** Those that have asked here since a time, in milliseconds since 1970. */
  since(time: number): Session[] {
    return [...this.#sessions.values()].filter(({ last }) => last >= time);
  }

  /** Finds a session by its id. */
  async find(id: string): Promise<Session | undefined> {
    return (await this.list()).find((session) => session.id === id);
  }

  /** Writes what has changed. */
  flush(): void {
    this.#cancel();
    for (const id of this.#changed) {
      const part = this.#sessions.get(id);
      // Made now: Workers may not make anything random before the first request.
      const key = `${PREFIX_OF_PARTS}${id} ${this.#process ??= randomId("")}`;
      if (part) this.#store?.set(key, part, PART_LIFE).catch(() => {});
    }
    this.#changed.clear();
  }
}
