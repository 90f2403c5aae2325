/** What ends a program from outside. */
const END_SIGNALS = ["SIGTERM", "SIGHUP"] as const;
const OPEN_SCREEN = "\x1b[?1049h\x1b[?25l";
const CLOSE_SCREEN = "\x1b[?25h\x1b[?1049l";

/**
 * Holds the terminal while somebody is asked in it: nothing of what is typed is shown until `giveBack`, also when a signal
 * ends the program; `toScreen` goes to a screen of its own, without a cursor, and back.
 */
export async function holdTerminal() {
  const { constants } = await import("node:os");
  const { default: process } = await import("node:process");
  let open = false;
  const toScreen = (wanted: boolean) => {
    if (open !== wanted) process.stderr.write(wanted ? OPEN_SCREEN : CLOSE_SCREEN);
    open = wanted;
  };
  const giveBack = () => {
    for (const signal of END_SIGNALS) process.off(signal, end);
    toScreen(false);
    process.stdin.setRawMode(false);
  };
  const end = (signal: (typeof END_SIGNALS)[number]) => {
    giveBack();
    process.exit(128 + constants.signals[signal]);
  };
  for (const signal of END_SIGNALS) process.on(signal, end);
  process.stdin.setRawMode(true);
  return { toScreen, giveBack };
}
