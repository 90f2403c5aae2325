import type { RequestLog } from "./request_log.ts";
import { addRequest, asksForMessage, createStats, type Stats } from "./stats.ts";

/** So many sessions are remembered. */
const MOST_SESSIONS = 200;
const MAX_ID_CHARS = 200;

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

/** The sessions that asked last. */
export class Sessions {
  readonly #sessions = new Map<string, Session>();

  /** Notes a request that is over `now`; what is refused at the door begins no session. */
  add(log: RequestLog, now: number): void {
    const { session: id, ms } = log;
    if (id === undefined || !asksForMessage(log)) return;
    const known = this.#sessions.get(id);
    if (!known && !log.route) return;
    const stats = addRequest(known ?? createStats(now - ms), log);
    this.#sessions.delete(id);
    this.#sessions.set(id, { type: "session", id, last: now, ...stats });
    const [oldest = ""] = this.#sessions.keys();
    if (this.#sessions.size > MOST_SESSIONS) this.#sessions.delete(oldest);
  }

  /** All of them, the one that asked last first. */
  list(): Session[] {
    return [...this.#sessions.values()].reverse();
  }

  /** Those that have asked here since a time, in milliseconds since 1970. */
  since(time: number): Session[] {
    return [...this.#sessions.values()].filter(({ last }) => last >= time);
  }

  /** Finds a session by its id. */
  find(id: string): Session | undefined {
    return this.#sessions.get(id);
  }
}
