/**
 * Records a session of the real Claude Code with the demo model, as it is seen in a real terminal, for the README:
 * `npm run recording` writes docs/session.svg.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createCleaner, makeKnownPlace, ROOT, toArbiter } from "./support.ts";
import { type Run, startTerminal } from "./terminal.ts";

const ROWS = 26;
/** Pixels of a character, and of the frame around the screen. */
const [WIDTH, HEIGHT, MARGIN] = [8, 17, 14];
/** Seconds each picture is shown. */
const SHOWN = 3.5;
const PROMPT = 'create a file hello.txt with the content "Hi"';

const cleaner = createCleaner();
const place = await makeKnownPlace(cleaner);

const args = ["code", "--demo", "--port", "0", "--", "--permission-mode", "acceptEdits"];
const env = { CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1", PS1: "$ " };
const terminal = startTerminal(cleaner, toArbiter("node", args), {
  place,
  env,
  rows: ROWS,
});
const pictures: Run[][][] = [];

/** Takes a picture once something can be seen; the folder of this run is nobody's business. */
async function show(text: RegExp): Promise<void> {
  await terminal.see(text);
  const rows = terminal.readRuns().map((runs) =>
    runs.map((run) => ({ ...run, text: run.text.replace(place.project, "~/project").replace(place.home, "~") }))
  );
  const last = rows.findLastIndex((runs) => runs.some((run) => run.text.trim() !== ""));
  pictures.push(rows.slice(0, last + 1).slice(-ROWS));
}

await show(/❯[^]*accept edits on/);
terminal.type(PROMPT);
await show(/with the content "Hi"/);
terminal.type("\r");
await show(/Wrote 1 line[^]*❯(?![^]*esc to interrupt)/);
terminal.type("/exit\r");
await show(/Arbiter.*request/);
await cleaner.clean();

/** Blanks become such as are not joined. */
const escape = (text: string) =>
  text.replace(/[&<> ]/g, (char) => char === " " ? "\u00a0" : `&#${char.charCodeAt(0)};`);

/** A run at its place; its length is set, because fonts differ. */
function toText({ x, text, colour, bold }: Run, y: number): string {
  const look = `${colour && ` fill="${colour}"`}${bold ? ' font-weight="bold"' : ""}`;
  const shown = text.trimEnd();
  if (shown.trim() === "") return "";
  const [left, top] = [MARGIN + x * WIDTH, MARGIN + y * HEIGHT + 12];
  return `<text x="${left}" y="${top}" textLength="${shown.length * WIDTH}"${look}>${escape(shown)}</text>`;
}

const [width, height] = [100 * WIDTH + 2 * MARGIN, ROWS * HEIGHT + 2 * MARGIN];
const all = pictures.length * SHOWN;
const screens = pictures.map((rows, i) => {
  const texts = rows.flatMap((runs, y) => runs.map((run) => toText(run, y))).filter(Boolean);
  return `<g style="animation-delay:${(i * SHOWN - all).toFixed(1)}s">\n${texts.join("\n")}\n</g>`;
});
const share = (100 / pictures.length).toFixed(2);
await writeFile(
  join(ROOT, "docs/session.svg"),
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title">
<title id="title">Claude Code in a terminal, started by Arbiter, writes a file with the demo model</title>
<style>
svg { font: 13px ui-monospace, Menlo, Consolas, monospace; fill: #ddd }
g { opacity: 0; animation: show ${all}s step-end infinite }
@keyframes show { 0% { opacity: 1 } ${share}% { opacity: 0 } }
</style>
<rect width="100%" height="100%" rx="8" fill="#16181d"/>
${screens.join("\n")}
</svg>
`,
);
