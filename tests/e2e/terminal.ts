/** A real terminal for a program, and a screen to see what is in it. */
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import process from "node:process";
import { CLAUDE, type Cleaner, type Place, ROOT } from "./support.ts";

type Disposable = { dispose(): void };
type Pty = {
  onData(listener: (data: string) => void): Disposable;
  onExit(listener: (end: { exitCode: number }) => void): Disposable;
  write(data: string): void;
  resize(columns: number, rows: number): void;
  kill(signal?: string): void;
};
type Cell = {
  getChars(): string;
  getWidth(): number;
  getFgColor(): number;
  isFgRGB(): boolean;
  isFgPalette(): boolean;
  isBold(): number;
  isDim(): number;
};
type Line = { length: number; translateToString(trim: boolean): string; getCell(x: number): Cell | undefined };
type Buffer = { length: number; getLine(y: number): Line | undefined };
type Screen = {
  buffer: { active: Buffer };
  write(data: string, done: () => void): void;
  resize(columns: number, rows: number): void;
  dispose(): void;
};

const require = createRequire(join(ROOT, "tests/e2e/package.json"));
const { spawn }: { spawn(file: string, args: string[], options: object): Pty } = require("@lydell/node-pty");
const { Terminal: HeadlessScreen }: { Terminal: new (options: object) => Screen } = require("@xterm/headless");

/** Characters side by side that look alike: where they begin, and their colour if it is not the usual one. */
export type Run = { x: number; text: string; colour: string; bold: boolean };

/** A program in a terminal. */
export interface Terminal {
  /** What can be seen now. */
  read(): string;
  /** The same as runs, line by line. */
  readRuns(): Run[][];
  /** Waits until something can be seen. */
  see(text: string | RegExp): Promise<void>;
  /** Types text or keys; Enter is `\r`. */
  type(keys: string): void;
  /** Makes it so many columns wide. */
  resize(columns: number): void;
  /** The exit code, once it has ended. */
  ended: Promise<number>;
}

/** The colours of xterm's palette below 16. */
const COLOURS = "#000 #c33 #3a3 #a80 #36c #a3a #2aa #bbb #777 #f66 #5d5 #fc3 #69f #e6e #5dd #fff".split(" ");

/** A colour of the palette: 16 names, a cube of 6 × 6 × 6, and greys. */
function toPaletteColour(index: number): string {
  if (index < 16) return COLOURS[index]!;
  if (index > 231) return `rgb(${Array(3).fill((index - 232) * 10 + 8)})`;
  const parts = [36, 6, 1].map((size) => Math.floor((index - 16) / size) % 6);
  return `rgb(${parts.map((part) => part && part * 40 + 55)})`;
}

function toColour(cell: Cell): string {
  if (cell.isFgRGB()) return `#${cell.getFgColor().toString(16).padStart(6, "0")}`;
  if (cell.isFgPalette()) return toPaletteColour(cell.getFgColor());
  return cell.isDim() ? "#888" : "";
}

function toRuns(line: Line): Run[] {
  const runs: Run[] = [];
  for (let x = 0; x < line.translateToString(true).length; x++) {
    const cell = line.getCell(x);
    if (!cell || cell.getWidth() === 0) continue;
    const [text, colour, bold] = [cell.getChars() || " ", toColour(cell), cell.isBold() > 0];
    const last = runs.at(-1);
    if (last && last.colour === colour && last.bold === bold) last.text += text;
    else runs.push({ x, text, colour, bold });
  }
  return runs;
}

/** Starts a program in a terminal of 100 columns and 40 lines, killed after the test. */
export function startTerminal(
  t: Cleaner,
  command: readonly string[],
  { place, env = {}, rows = 40 }: { place: Place; env?: Record<string, string>; rows?: number },
): Terminal {
  const [file = "", ...args] = command;
  const size = { cols: 100, rows };
  const pty = spawn(file, args, {
    ...size,
    name: "xterm-256color",
    cwd: place.project,
    env: { PATH: [CLAUDE, process.env.PATH].join(delimiter), HOME: place.home, TERM: "xterm-256color", ...env },
  });
  const screen = new HeadlessScreen({ ...size, allowProposedApi: true });
  const waiting = new Set<() => void>();
  const read = () => {
    const { active } = screen.buffer;
    return Array.from({ length: active.length }, (_, y) => active.getLine(y)?.translateToString(true)).join("\n");
  };
  const readRuns = () => {
    const { active } = screen.buffer;
    return Array.from({ length: active.length }, (_, y) => toRuns(active.getLine(y)!));
  };
  pty.onData((data) => screen.write(data, () => waiting.forEach((look) => look())));
  const ended = new Promise<number>((resolve) => pty.onExit(({ exitCode }) => resolve(exitCode)));
  t.after(async () => {
    pty.kill("SIGKILL");
    await ended;
    screen.dispose();
  });
  const see = (text: string | RegExp) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (typeof text === "string" ? !read().includes(text) : !text.test(read())) return;
        waiting.delete(look);
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => reject(new Error(`Waited in vain for ${text}:\n${read()}`)), 30_000);
      waiting.add(look);
      look();
    });
  const resize = (columns: number) => {
    screen.resize(columns, size.rows);
    pty.resize(columns, size.rows);
  };
  return { read, readRuns, see, type: (keys) => pty.write(keys), resize, ended };
}
