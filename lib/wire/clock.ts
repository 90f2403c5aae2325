import { abortable } from "./signal.ts";

/** Time as an argument, so that tests never sleep. */
export type Clock = {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `run` once after `ms` milliseconds and gives a way to call it off. */
  after(ms: number, run: () => void): () => void;
};

/** The longest a timer of the machine can run. */
const MAX_TIMER = 2 ** 31 - 1;

/** Times that never go back: where those of `now` are set back they go on from there, so that nobody waits for the past. */
export function toRising(now: () => number): () => number {
  let [latest, ahead] = [-Infinity, 0];
  return () => {
    const time = now() + ahead;
    if (time < latest) ahead += latest - time;
    return latest = Math.max(latest, time);
  };
}

/** The clock of the machine. */
export const systemClock: Clock = {
  now: toRising(() => Date.now()),
  after(ms, run) {
    const timer = setTimeout(run, Math.min(ms, MAX_TIMER));
    return () => clearTimeout(timer);
  },
};

/** Waits some milliseconds, for ever if they are `Infinity`; rejects with the signal's reason as soon as it fires. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  let cancel = () => {};
  const slept = new Promise<void>((wake) => {
    if (Number.isFinite(ms)) cancel = clock.after(ms, wake);
  });
  return abortable(signal, slept).finally(() => cancel());
}
