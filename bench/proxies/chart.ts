/** Draws ratios as bars, in colours that can be read on white and on black. */
import { type Figure, FIGURES, type Results, toRatio } from "./report.ts";

/** What is drawn: the figure's title, and one case of it. */
const DRAWN: readonly [title: string, name: string][] = [
  ["Processor time per chunk", "long.c8"],
  ["Processor time per chunk", "paced.c32"],
  ["Processor time per request", "short.c1"],
  ["Processor time per request", "short.claude.c1"],
  ["Time to the first token", "short.claude.c1"],
  ["A paced token's way, median", "paced.c1"],
];

const [WIDTH, LABEL, BAR, GAP] = [800, 190, 16, 6];
/** Ratios beyond it are drawn as if they were it. */
const MOST = 20;

const STYLE = `text { font: 12px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600 }
  .bar { fill: #2f81f7 } .other { fill: #8b949e } .range { stroke: #57606a } .floor { stroke: #cf222e; stroke-dasharray: 3 3 }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .range { stroke: #c9d1d9 } .floor { stroke: #ff7b72 } }`;

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

/** Ratios from 0.1 to {@linkcode MOST} by their logarithm. */
function toX(ratio: number): number {
  const part = Math.log10(Math.min(Math.max(ratio, 0.1), MOST) * 10) / Math.log10(MOST * 10);
  return LABEL + part * (WIDTH - LABEL - 170);
}

/** The bars of a figure in one case, and where the next may begin. */
function drawFigure(
  results: Results,
  { title, measure }: Figure,
  name: string,
  top: number,
): [svg: string, end: number] {
  const bars = results.targets.filter((target) => target.name !== target.floor).flatMap((target) => {
    const ratio = toRatio(results, name, target, measure);
    return ratio ? [{ name: target.name, ...ratio }] : [];
  });
  if (bars.length === 0) return ["", top];
  const rows = bars.map(({ name, median, least, most }, i) => {
    const y = top + 26 + i * (BAR + GAP);
    const middle = y + BAR / 2;
    const kind = name.startsWith("arbiter") ? "bar" : "other";
    const label = `×${median.toFixed(2)} (${least.toFixed(2)}–${most.toFixed(2)})`;
    return `<text x="${LABEL - 8}" y="${middle + 4}" text-anchor="end">${escape(name)}</text>` +
      `<rect class="${kind}" x="${LABEL}" y="${y}" width="${
        (toX(median) - LABEL).toFixed(1)
      }" height="${BAR}" rx="2"/>` +
      `<path class="range" d="M${toX(least).toFixed(1)} ${middle}H${toX(most).toFixed(1)}"/>` +
      `<text x="${(toX(most) + 8).toFixed(1)}" y="${middle + 4}">${label}</text>`;
  });
  const end = top + 26 + bars.length * (BAR + GAP);
  const x = toX(1).toFixed(1);
  const floor = `<path class="floor" d="M${x} ${top + 22}V${end}"/>`;
  const head = `<text class="title" x="0" y="${top + 14}">${escape(`${title}, ${name}`)}</text>`;
  return [[head, ...rows, floor].join("\n"), end + 18];
}

/** The chart, as SVG. */
export function toChart(results: Results): string {
  let top = 34;
  const parts = DRAWN.flatMap(([title, name]) => {
    const figure = FIGURES.find((figure) => figure.title === title);
    if (!figure) return [];
    const [svg, end] = drawFigure(results, figure, name, top);
    top = end;
    return [svg];
  });
  const words = "Ratios to a pass-through on the same runtime (dashed: 1), logarithmic; lines are least to greatest";
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" role="img" aria-label="${words}">
<style>${STYLE}</style>
<text x="0" y="16">${words}</text>
${parts.join("\n")}
</svg>
`;
}
