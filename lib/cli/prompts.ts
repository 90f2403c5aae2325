import type { Env } from "../config/settings.ts";
import { holdTerminal } from "./held_terminal.ts";
import { type Key, LEFT, LineState, toTyped } from "./line_state.ts";
import type { MenuState } from "./menu.ts";
import { wrapLines } from "./rows.ts";

/**
 * Ways to ask a person; each gives {@linkcode LEFT} when they leave. From the first question until `close` the terminal
 * shows nothing of what is typed by itself, so that a key is not seen either when it is typed between two questions.
 */
export type Prompts = {
  /** Asks for a line; a hidden one is never shown. */
  askLine(question: string, hidden?: boolean): Promise<string | typeof LEFT>;
  /** Lets somebody choose; `start` is given what shows the menu anew, and awaited where that cannot be done. */
  choose(menu: MenuState, start: (show: () => void) => Promise<unknown>): Promise<string | typeof LEFT>;
  /** Waits for something, as long as nobody leaves. */
  waitFor<T>(work: Promise<T>): Promise<T | typeof LEFT>;
  /** Gives the terminal back. */
  close(): Promise<void>;
};

/** Whether colours are wanted on a terminal. */
export function wantsColor({ NO_COLOR, TERM }: Env): boolean {
  return !NO_COLOR && TERM !== "dumb";
}

/** Gives keys to a machine until it gives something; `ask` is called when they are no longer shown, and may end it, too. */
async function readKeys<T>(
  ask: (stop: (result: T) => void, fail: (cause: unknown) => void) => void,
  feed: (key: Key) => T | typeof LEFT | undefined,
): Promise<T | typeof LEFT> {
  const { emitKeypressEvents } = await import("node:readline");
  const { default: process } = await import("node:process");
  const { stdin } = process;
  emitKeypressEvents(stdin);
  return await new Promise((resolve, reject) => {
    const stop = (result: T | typeof LEFT) => {
      stdin.off("keypress", onKey).off("end", onEnd).off("error", onEnd).pause(); // What follows is for the next question, or for claude.
      resolve(result);
    };
    const onEnd = () => stop(LEFT);
    const onKey = (text: string | undefined, key: object) => {
      const result = feed({ ...key, text });
      if (result !== undefined) stop(result);
    };
    stdin.on("keypress", onKey).once("end", onEnd).once("error", onEnd); // A terminal that was closed ends with either.
    stdin.resume();
    ask(stop, reject);
  });
}

/** Asks in the terminal of this process, in plain lines where `TERM` says that it can do no more. */
export function createPrompts(env: Env): Prompts {
  let held: ReturnType<typeof holdTerminal> | undefined;
  const hold = () => held ??= holdTerminal();
  const askLine: Prompts["askLine"] = async (question, hidden = false) => {
    const { default: { stderr } } = await import("node:process");
    await hold();
    const line = new LineState();
    const asked = `${wrapLines(question, stderr.columns || undefined)} `;
    const answer = await readKeys(() => stderr.write(asked), (key) => {
      const before = line.text;
      const end = line.feed(key);
      const gone = before.length - line.text.length;
      if (!hidden) stderr.write(gone > 0 ? "\b \b".repeat(gone) : end === undefined ? toTyped(key) : "");
      return end;
    });
    stderr.write("\n");
    return answer;
  };
  return {
    askLine,
    waitFor: (work) =>
      readKeys(
        (stop, fail) => void work.then(stop, fail),
        (key) => new LineState().feed(key) === LEFT ? LEFT : undefined,
      ),
    async close() {
      (await held)?.giveBack();
      held = undefined;
    },
    async choose(menu, start) {
      const { default: { stderr } } = await import("node:process");
      if (env.TERM === "dumb") {
        stderr.write("Asking the models …\n");
        await start(() => {});
        stderr.write(`${menu.list().join("\n")}\n`);
        for (;;) {
          const answer = await askLine("Number, id or address (Enter: the default):");
          const id = answer === LEFT ? LEFT : menu.pick(answer);
          if (id !== undefined) return id;
          stderr.write("That is no number of the list, and no model id.\n");
        }
      }
      // A screen of its own: what a terminal does with lines when its size changes does not matter there.
      let open = true;
      const show = () => {
        if (!open) return;
        const lines = menu.render(stderr.columns || 80, wantsColor(env), stderr.rows || 24);
        stderr.write(`\x1b[H\x1b[J${lines.join("\r\n")}`);
      };
      const { toScreen } = await hold();
      const begin = () => {
        toScreen(true);
        stderr.on("resize", show);
        show();
        start(show).catch(() => {});
      };
      try {
        return await readKeys(begin, (key) => {
          const end = menu.feed(key);
          show();
          return end;
        });
      } finally {
        open = false; // Results that still come must not clear what is there then.
        stderr.off("resize", show);
        toScreen(false);
      }
    },
  };
}
