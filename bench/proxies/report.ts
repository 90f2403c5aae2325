/** Puts what was measured into words: ratios to the floor of the same runtime, round by round. */
import { cpus, loadavg, release, totalmem } from "node:os";
import type { Case } from "./cases.ts";
import { SCENARIOS } from "./scenarios.ts";
import { DIRECT, type Target } from "./targets.ts";

/** What one target did in one case in one round. */
export type Cell = {
  /** Milliseconds: to the first token, to the end, of a paced token on its way, and that of the slowest hundredth. */
  first: number;
  total: number;
  delay: number;
  delay99: number;
  /** Microseconds of processor time. */
  cpuRequest: number;
  cpuChunk: number;
  chunkRate: number;
  answerRate: number;
  /** MiB. */
  peak: number;
  faults: Record<string, number>;
};

/** All that was measured; `cells` by case, then by target, one for each round. */
export type Results = {
  cases: readonly Case[];
  targets: readonly Pick<Target, "name" | "floor">[];
  cells: Map<string, Map<string, Cell[]>>;
  /** Milliseconds from the start to the first answer, and MiB then. */
  starts: Map<string, { ms: number[]; memory: number }>;
  skipped: (readonly [name: string, why: string])[];
  rounds: number;
  versions: string;
};

type Measure = keyof Omit<Cell, "faults">;

/** A figure: what it is called, of which cases, and digits of its absolute values. */
export type Figure = { title: string; measure: Measure; cases: RegExp; unit: string; digits: number; note?: string };

// deno-fmt-ignore: a table
export const FIGURES: readonly Figure[] = [
  { title: "Time to the first token", measure: "first", cases: /^(?!paced)/, unit: "ms", digits: 2 },
  { title: "Processor time per request", measure: "cpuRequest", cases: /^(?:short|whole)/, unit: "µs", digits: 0 },
  { title: "Processor time per chunk", measure: "cpuChunk", cases: /^(?:long|paced|arguments|parallel|reasoning)/, unit: "µs", digits: 2 },
  { title: "Chunks per second", measure: "chunkRate", cases: /^long/, unit: "1/s", digits: 0, note: "More is better." },
  { title: "Answers per second", measure: "answerRate", cases: /^(?:short|whole)\.c/, unit: "1/s", digits: 0, note: "More is better." },
  { title: "A paced token's way, median", measure: "delay", cases: /^paced/, unit: "ms", digits: 3 },
  { title: "A paced token's way, slowest of a hundred", measure: "delay99", cases: /^paced/, unit: "ms", digits: 2 },
  { title: "Most memory", measure: "peak", cases: /^(?:short\.c|long|short\.huge)/, unit: "MiB", digits: 0 },
];

/** The chunks of a case's answer. */
export function toChunks({ scenario, stream }: Case): number {
  return stream ? SCENARIOS[scenario]!.deltas.length : 1;
}

/** A median with its least and its greatest value. */
export type Spread = { median: number; least: number; most: number };

export function toSpread(values: readonly number[]): Spread | undefined {
  const sorted = values.filter(Number.isFinite).toSorted((a, b) => a - b);
  if (sorted.length === 0) return undefined;
  const [lower = NaN, upper = NaN] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return { median: (lower + upper) / 2, least: sorted[0]!, most: sorted.at(-1)! };
}

function toValues({ cells }: Results, name: string, target: string, measure: Measure): number[] {
  return cells.get(name)?.get(target)?.map((cell) => cell[measure]) ?? [];
}

/** A target's ratios to its floor, each of one round. */
export function toRatio(results: Results, name: string, target: Results["targets"][number], measure: Measure) {
  const floor = toValues(results, name, target.floor, measure);
  return toSpread(toValues(results, name, target.name, measure).map((value, i) => value / floor[i]!));
}

function format({ median, least, most }: Spread, digits: number, sign = ""): string {
  return `${sign}${median.toFixed(digits)} (${least.toFixed(digits)}–${most.toFixed(digits)})`;
}

function toRow(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |\n`;
}

function toTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return toRow(head) + toRow(head.map((_, i) => i ? "--:" : ":--")) + rows.map(toRow).join("");
}

function toFigure(results: Results, { title, measure, cases, unit, digits, note = "" }: Figure): string {
  const rows = results.cases.filter(({ name }) => cases.test(name)).map(({ name }) => [
    name,
    ...results.targets.map((target) => {
      const own = toSpread(toValues(results, name, target.name, measure));
      if (target.name === target.floor) return own ? own.median.toFixed(digits) : "–";
      const ratio = toRatio(results, name, target, measure);
      return ratio ? format(ratio, 2, "×") : "–";
    }),
  ]);
  const head = results.targets.map(({ name, floor }) => name === floor ? `${name}, ${unit}` : name);
  return `## ${title}\n\n${note && `${note}\n\n`}${toTable(["case", ...head], rows)}\n`;
}

/** What the proxies add to the way without any, in milliseconds. */
function toAdded(results: Results): string {
  const others = results.targets.filter(({ name }) => name !== DIRECT);
  const rows = results.cases.flatMap(({ name }) =>
    (["first", "delay"] as const).filter((measure) => (measure === "delay") === name.startsWith("paced")).map(
      (measure) => {
        const direct = toValues(results, name, DIRECT, measure);
        const cells = others.map((target) => {
          const added = toValues(results, name, target.name, measure).map((value, i) => value - direct[i]!);
          const spread = toSpread(added);
          return spread ? format(spread, 2) : "–";
        });
        return [`${name}${measure === "delay" ? ", each token" : ""}`, ...cells];
      },
    )
  );
  const head = ["case", ...others.map(({ name }) => name)];
  return `## Milliseconds added to the first token, and to each paced one\n\n${toTable(head, rows)}\n`;
}

function toStarts({ starts, targets }: Results): string {
  const rows = targets.filter(({ name }) => starts.has(name)).map(({ name, floor }) => {
    const [own, base] = [starts.get(name)!, starts.get(floor)!];
    const ratio = toSpread(own.ms.map((ms, i) => ms / (base?.ms[i] ?? NaN)));
    const ms = toSpread(own.ms);
    return [
      name,
      ms ? format(ms, 0) : "–",
      name === floor || !ratio ? "" : format(ratio, 2, "×"),
      own.memory.toFixed(0),
      name === floor || !base ? "" : `×${(own.memory / base.memory).toFixed(2)}`,
    ];
  });
  const head = ["target", "start to the first answer, ms", "ratio", "memory then, MiB", "ratio"];
  return `## Start\n\n${toTable(head, rows)}\n`;
}

function toFaults({ cells, targets, skipped }: Results): string {
  const places = new Map<string, Map<string, number>>();
  for (const { name } of targets) {
    for (const [at, byTarget] of cells) {
      for (const [fault, count] of (byTarget.get(name) ?? []).flatMap(({ faults }) => Object.entries(faults))) {
        const key = `${name}\n${fault}`;
        const known = places.get(key) ?? new Map<string, number>();
        places.set(key, known.set(at, (known.get(at) ?? 0) + count));
      }
    }
  }
  const lines = [...places].map(([key, counts]) => {
    return [...key.split("\n"), [...counts].map(([at, count]) => `${at} (${count})`).join(", ")];
  });
  const broke = lines.length > 0
    ? toTable(["target", "what", "cases (answers)"], lines)
    : "Nobody's answer was wrong.\n";
  const missing = skipped.length > 0 ? `\n${toTable(["not measured", "why"], skipped)}` : "";
  return `## Where they break\n\nAnswers whose content is wrong give no timings.\n\n${broke}${missing}\n`;
}

/** The whole report, in Markdown. */
export function toReport(results: Results, command: string): string {
  const [{ model = "" } = {}] = cpus();
  return `# Proxies compared

\`${command}\`: ${results.rounds} rounds, ${results.versions}, Linux ${release()}, ${cpus().length} × ${model.trim()}, ${
    Math.round(totalmem() / 2 ** 30)
  } GiB, load ${loadavg()[1]?.toFixed(1)} in the last five minutes. Written by bench/proxies.ts.

Upstream, client and proxies share the machine, and take turns: case, then round, then target. Floors are absolute medians:
\`direct\` is without a proxy, \`pass-…\` passes all bytes on, untranslated. Everything else is a ratio to the pass-through of
its own runtime, the median of the rounds with the least and the greatest. \`c8\` is eight requests at once; \`short\` is an
answer of 20 chunks (\`claude\` to a request of some 300 kB, \`huge\` of 5 MB), \`whole\` the same without streaming, \`long\`
5,000 chunks in a burst, \`paced\` 50 tokens a second, \`arguments\` a call with 20 kB, \`parallel\` four calls in turns,
\`reasoning\` 1,000 chunks of thinking and 200 of text.

![The processor time of Arbiter and of others, as ratios to a pass-through](report.svg)

${toAdded(results)}${FIGURES.map((figure) => toFigure(results, figure)).join("")}${toStarts(results)}${
    toFaults(results)
  }`
    .trimEnd() + "\n";
}
