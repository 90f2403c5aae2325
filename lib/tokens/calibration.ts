import { BoundedMap } from "../wire/bounded_map.ts";

/** Fewer estimated tokens teach nothing: what templates add outweighs them. */
const MIN_ESTIMATE = 500;
/** Real tokens to an estimated one; at the worst Hindi takes 0.6 in Gemma's vocabulary and 2.4 in cl100k. */
const isPossible = (ratio: unknown) => typeof ratio === "number" && ratio >= 0.5 && ratio <= 2.5;
/** How far from its prediction a report may be before it is doubted, and how much of the way to it the ratio goes. */
const NEAR_COUNT = 1.3, WEIGHT = 0.3;
/** A request with less than this much of the one before it was compacted: it does not go on from there. */
const COMPACTED = 0.9, MAX_REPORTS = 256;

/** A request as it was estimated and as its host counted it; how many reports in a row, this the last, were doubted. */
type Report = { estimate: number; actual: number; doubts: number };
const NO_REPORT: Report = { estimate: 0, actual: 0, doubts: 0 };

/**
 * Learns how models count from what their hosts report. A key stands for a model at a host, a session for a conversation:
 * its next request is its last, whose real count is known, and something more. Only ratios outlive the process.
 */
export class Calibration {
  /** Tokens of a model's own to an estimated one, by the key of each that has reported. */
  readonly ratios: Map<string, number> = new BoundedMap(MAX_REPORTS);
  /** The last of each key, and the last believed of each session. */
  readonly #reports = new BoundedMap<string, Report>(MAX_REPORTS);

  /** Goes on from the ratios of another process; impossible ones are left out. */
  restore(ratios: Iterable<readonly [key: string, ratio: number]>): void {
    for (const [key, ratio] of ratios) if (isPossible(ratio)) this.ratios.set(key, ratio);
  }

  /** The tokens of an estimated request as its model counts them. */
  predict(key: string, session: string, estimate: number): number {
    const last = this.#reports.get(`${key}\n${session}`) ?? NO_REPORT;
    const from = estimate >= COMPACTED * last.estimate ? last : NO_REPORT;
    return Math.max(Math.ceil(from.actual + (this.ratios.get(key) ?? 1) * (estimate - from.estimate)), 0);
  }

  /**
   * Takes what a host has counted; the caller leaves out requests with images.
   *
   * A report that is far from the prediction, impossible, or the same as for another request is an accident. A second one
   * in a row is the new truth or, where it cannot be, shows that nothing this host says is to be believed.
   */
  observe(key: string, session: string, estimate: number, actual: number): void {
    if (!(estimate >= MIN_ESTIMATE && actual > 0 && actual < Infinity)) return;
    const [name, sample] = [`${key}\n${session}`, actual / estimate];
    const [last, own] = [this.#reports.get(key) ?? NO_REPORT, this.#reports.get(name) ?? NO_REPORT];
    const possible = isPossible(sample) && (last.actual !== actual || Math.abs(last.estimate / estimate - 1) < 0.01);
    const ratio = this.ratios.get(key) ?? sample;
    const off = this.ratios.has(key) ? this.predict(key, session, estimate) / actual : 1;
    const doubts = possible && Math.max(off, 1 / off) <= NEAR_COUNT ? 0 : Math.max(last.doubts, own.doubts) + 1;
    const believed = possible && doubts !== 1;
    if (believed) this.ratios.set(key, ratio + WEIGHT * (sample - ratio));
    else if (doubts > 1) this.ratios.delete(key);
    this.#reports.set(key, { estimate, actual, doubts });
    this.#reports.set(name, believed ? { estimate, actual, doubts } : { ...own, doubts });
  }
}
