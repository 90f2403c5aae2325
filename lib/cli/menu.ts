import { type Availability, toModelLines } from "./badges.ts";
import { type Key, LEFT, LineState, toTyped } from "./line_state.ts";
import { toModelId } from "./model_id.ts";

/** A model to choose, and what is known of it. */
export type MenuRow = Availability & { id: string };

/** Lines of the list, at most, and those beside it: together they fit into a terminal of 24. */
const LIST_LINES = 19, FRAME_LINES = 4;
const QUESTION = "Which model shall Claude Code use?";
const CUSTOM = "Custom: any id or page address";
const MENU_HELP = ["↑ ↓ or number moves, letters filter", "Enter chooses, Del removes, Esc leaves"];
const CUSTOM_HELP = ["Enter adds and chooses it, Esc goes back"];

/** A list of models to choose from, as a machine: keys go in, lines come out. */
export class MenuState {
  readonly #rows: MenuRow[];
  readonly #usual: string;
  readonly #filter = new LineState();
  #custom: LineState | undefined;
  #problem = "";
  #number = "";
  #cursor: number;
  /** Ids that were added to the list, and that were removed from it. */
  readonly added: string[] = [];
  readonly removed: string[] = [];

  /** Begins at the model that is used when nobody chooses. */
  constructor(rows: readonly MenuRow[], usual: string) {
    this.#rows = [...rows];
    this.#usual = usual;
    this.#cursor = Math.max(0, rows.findIndex(({ id }) => id === usual));
  }

  /** Notes what is known of a model by now. */
  mark(id: string, finding: Availability): void {
    Object.assign(this.#rows.find((row) => row.id === id) ?? {}, finding);
  }

  /** Takes a key; gives the id that was chosen, or {@linkcode LEFT}. */
  feed(key: Key): string | typeof LEFT | undefined {
    if (key.ctrl && key.name === "c") return LEFT;
    if (this.#custom) return this.#feedCustom(key, this.#custom);
    const rows = this.#found();
    const moves: Record<string, number> = { up: this.#cursor - 1, down: this.#cursor + 1, home: 0, end: rows.length };
    const to = moves[key.name ?? ""];
    const digit = this.#filter.text === "" ? /^\d$/.exec(toTyped(key))?.[0] : undefined;
    this.#number = digit === undefined ? "" : this.#toNumber(digit, rows.length + 1);
    if (to !== undefined) this.#cursor = Math.min(Math.max(to, 0), rows.length);
    else if (digit !== undefined) this.#cursor = this.#number ? Number(this.#number) - 1 : this.#cursor;
    else if (key.name === "delete") this.#remove(rows[this.#cursor]);
    else return this.#feedFilter(key, rows[this.#cursor]);
    return undefined;
  }

  /** The lines to show now, none as wide as the terminal, and no more than it has. */
  render(columns: number, color: boolean, height = 24): string[] {
    const cut = (line: string) => line.slice(0, columns - 1);
    if (this.#custom) {
      const tail = this.#custom.text.slice(-(columns - 5));
      return ["Model id, or build.nvidia.com/…", `> ${tail}_`, this.#problem, ...CUSTOM_HELP].map(cut);
    }
    const { text } = this.#filter;
    const room = Math.max(1, Math.min(LIST_LINES, height - FRAME_LINES));
    const rows = [...this.#toLines(columns, color), [cut(`${this.#toMark(this.#found().length)}${CUSTOM}`)]];
    let first = this.#cursor;
    while (first > 0 && rows.slice(first - 1, this.#cursor + 1).flat().length <= room) first--;
    return [
      ...[QUESTION, text && `Filter: ${text}_`].filter(Boolean).map(cut),
      ...rows.slice(first).flat().slice(0, room),
      ...MENU_HELP.map(cut),
    ];
  }

  /** The whole list, where there can be no menu. */
  list(): string[] {
    return [QUESTION, ...this.#toLines(Infinity, false).flat()];
  }

  /** What an answer to a plain question means: a number of the list, an id or its page, or nothing for the default. */
  pick(answer: string): string | undefined {
    if (answer.trim() === "") return this.#usual;
    const row = this.#rows[Number(answer) - 1];
    return row ? row.id : /^\s*\d+\s*$/.test(answer) ? undefined : this.#add(answer);
  }

  #toLines(columns: number, color: boolean): string[][] {
    const rows = this.#found();
    const width = Math.max(0, ...rows.map(({ id }) => id.length));
    return rows.map(({ id, state, note }, i) => {
      const told = [id === this.#usual ? "default" : "", note].filter(Boolean).join(", ");
      return toModelLines({ mark: this.#toMark(i), id, width, state, note: told }, columns, color);
    });
  }

  #toMark(i: number): string {
    const at = i === this.#cursor ? ">" : " ";
    return `${at} ${String(i + 1).padStart(String(this.#rows.length + 1).length)} `;
  }

  #found(): MenuRow[] {
    const words = this.#filter.text.toLowerCase().split(/\s+/);
    return this.#rows.filter(({ id }) => words.every((word) => id.toLowerCase().includes(word)));
  }

  /** A digit after others makes one number, where the list is as long as that. */
  #toNumber(digit: string, count: number): string {
    return [this.#number + digit, digit].find((number) => Number(number) >= 1 && Number(number) <= count) ?? "";
  }

  #feedFilter(key: Key, row: MenuRow | undefined): string | typeof LEFT | undefined {
    const before = this.#filter.text;
    const end = this.#filter.feed(key);
    if (end === LEFT) return LEFT;
    if (end === undefined) {
      if (this.#filter.text !== before) this.#cursor = 0;
      return undefined;
    }
    if (row) return row.id;
    this.#custom = new LineState(end);
    return undefined;
  }

  #feedCustom(key: Key, line: LineState): string | undefined {
    const end = line.feed(key);
    this.#problem = "";
    if (end === LEFT) this.#custom = undefined;
    if (typeof end !== "string") return undefined;
    const id = this.#add(end);
    if (id === undefined) this.#problem = "That is no model id.";
    return id;
  }

  #add(text: string): string | undefined {
    const id = toModelId(text);
    if (id !== undefined && !this.#rows.some((row) => row.id === id)) this.added.push(id);
    return id;
  }

  #remove(row: MenuRow | undefined): void {
    if (!row) return;
    this.#rows.splice(this.#rows.indexOf(row), 1);
    this.removed.push(row.id);
  }
}
