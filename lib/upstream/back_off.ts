import type { ApiError } from "../wire/errors.ts";
import type { FaultFacts } from "./faults.ts";

/** Milliseconds before the call after a fault that may pass, doubled with each; at most so many. */
const BACK_OFF = 500;
const MAX_BACK_OFF = 4_000;
/** At most so many where a profile or the host says how long: as long as Claude Code lets itself be told to wait. */
const MAX_TOLD_WAIT = 60_000;

/** Whether the same call may succeed a little later. */
export function mayPass({ status, headers, facts }: ApiError & { facts?: FaultFacts }): boolean {
  if ((facts?.retryAfter ?? 0) > MAX_TOLD_WAIT) return false;
  return status === 429 || (status >= 500 && headers["x-should-retry"] !== "false");
}

/**
 * Milliseconds to wait before a candidate is asked, half of which are chance (`random`, from 0 to 1).
 *
 * One that is asked again waits for each time it was `asked`, with the delay of its profile if that has an `own`, but as
 * long as its `last` fault told; one that is new waits for each of the `faults` of others that may pass.
 */
export function toBackOff(
  { faults, asked, last, own, random }: {
    faults: Iterable<ApiError>;
    asked: number;
    last: ApiError | undefined;
    own: number | undefined;
    random: number;
  },
): number {
  const times = asked || [...faults].filter(mayPass).length;
  if (times === 0) return 0;
  const [delay, most] = asked > 0 && own !== undefined ? [own, MAX_TOLD_WAIT] : [BACK_OFF, MAX_BACK_OFF];
  const told = asked > 0 ? Number(last?.headers["retry-after"] ?? 0) * 1000 : 0;
  return Math.max(told, Math.min(delay * 2 ** (times - 1), most) * (1 + random) / 2);
}
