/** What benchmarks have in common: the figure of many rounds, programs that take turns, rows of a table. */

/** The value in the middle. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

/** Milliseconds of the fastest of some rounds, before each of which something is prepared. */
export function toFastest(rounds: number, run: () => unknown, prepare = () => {}): number {
  let best = Infinity;
  for (let round = 0; round < rounds; round++) {
    prepare();
    const began = performance.now();
    run();
    best = Math.min(best, performance.now() - began);
  }
  return best;
}

/** What some programs take, in turns, so that a slow moment falls on all alike; the first round only warms the caches. */
export async function takeTurns<T>(
  programs: readonly T[],
  rounds: number,
  measure: (program: T) => Promise<number>,
): Promise<number[][]> {
  const taken: number[][] = programs.map(() => []);
  for (let round = -1; round < rounds; round++) {
    for (const [i, program] of programs.entries()) {
      const took = await measure(program);
      if (round >= 0) taken[i]?.push(took);
    }
  }
  return taken;
}

/** Prints a row: what it is about, and columns to the right. */
export function printRow(width: number, head: string, ...cells: (string | number)[]): void {
  const texts = cells.map((cell) => typeof cell === "number" ? cell.toFixed(0) : cell);
  console.log(head.padEnd(8) + texts.map((text) => text.padStart(width)).join(""));
}
