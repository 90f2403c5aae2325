/** Runs commands one after the other, for the scripts in package.json. */
import { spawnSync } from "node:child_process";
import process from "node:process";

/** So many characters of a command are shown. */
const MAX_SHOWN = 120;

/**
 * Runs each step and ends the process with the exit code of the first that fails.
 *
 * Steps use the tools of node_modules/.bin, which npm puts on PATH.
 */
export function runSteps(steps: Record<string, string>): void {
  for (const [title, command] of Object.entries(steps)) {
    const began = performance.now();
    console.log(`\n# ${title}: ${command.length > MAX_SHOWN ? `${command.slice(0, MAX_SHOWN)}…` : command}`);
    const { status } = spawnSync(command, { shell: true, stdio: "inherit" });
    if (status !== 0) {
      console.error(`\n${title} failed`);
      process.exit(status ?? 1);
    }
    console.log(`# ${title}: ok, ${((performance.now() - began) / 1000).toFixed(1)} s`);
  }
}
