import type { ProbeResult, ProbeState } from "../upstream/probe.ts";
import { toPrintable } from "../wire/printable.ts";
import { breakText, toDuration } from "./rows.ts";

/** What is told of a model: how it was found, `pending` while nobody knows, and why in a few words. */
export type Availability = { state: ProbeState | "pending"; note: string };

/** The badges of the original Arbiter, and the numbers of their colours in a terminal. */
const BADGES: Readonly<Record<Availability["state"], readonly [text: string, colour: number]>> = {
  ok: ["[OK ]", 32],
  fail: ["[FAIL]", 31],
  timeout: ["[TIME]", 33],
  unknown: ["[????]", 2],
  skipped: ["[SKIP]", 2],
  pending: ["[ .. ]", 2],
};

/** A badge, six columns wide. */
function toBadge(state: Availability["state"], color: boolean): string {
  const [text, colour] = BADGES[state];
  const fill = " ".repeat(6 - text.length);
  return (color ? `\x1b[${colour}m${text}\x1b[0m` : text) + fill;
}

/** Milliseconds for which what was found of a model is believed where it matters less. */
export const PROBE_LIFE = 6 * 3_600_000;

/** What a result tells beside its badge: how long an answer took, and when, why there is none, and whom to ask instead. */
export function toAvailability({ state, ms, reason, successor, at }: ProbeResult, now = Date.now()): Availability {
  const what = [state === "ok" ? `${ms} ms` : reason, at !== undefined && `${toDuration(now - at)} ago`].filter(Boolean)
    .join(" ");
  return { state, note: [what, successor && `try ${successor}`].filter(Boolean).join(", ") };
}

/** About a model: a mark, the badge, the id in `width` columns, the note, in lines of its own where it does not fit. */
export function toModelLines(
  { mark = "", id: known, width, state, note: said }: Availability & { mark?: string; id: string; width: number },
  columns: number,
  color: boolean,
): string[] {
  const [id, note] = [toPrintable(known), toPrintable(said)];
  const indent = " ".repeat(mark.length + 7);
  const room = Math.max(columns - 1 - indent.length, 2);
  // The end of an id says more than its beginning.
  const name = id.length > room ? `…${id.slice(1 - room)}` : id;
  const head = `${mark}${toBadge(state, color)} `;
  if (!note) return [head + name];
  const whole = `${name.padEnd(width)}  ${note}`;
  if (whole.length <= room) return [head + whole];
  return [head + name, ...breakText(note, room).map((line) => indent + line)];
}
