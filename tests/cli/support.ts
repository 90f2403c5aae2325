import type { Context, Io } from "../../lib/cli/io.ts";
import { parseCommandLine } from "../../lib/cli/flags.ts";
import { resolveSettings } from "../../lib/config/settings.ts";

/** A world of a test's own, and what was written to it. */
export type Written = { printed: string[]; told: string[] };

/** Makes what a command sees; nothing outside of it is read. */
export async function makeContext(typed: string[], io: Partial<Io> = {}): Promise<Context & Written> {
  const [printed, told]: string[][] = [[], []];
  const line = await parseCommandLine(typed);
  const world: Io = {
    env: {},
    cwd: "/nowhere",
    platform: "linux",
    interactive: false,
    print: (text) => void printed!.push(text),
    tell: (text) => void told!.push(text),
    ...io,
  };
  const settings = resolveSettings(line.flags, [world.env], () => {});
  return { ...line, io: world, settings, layers: [world.env], printed: printed!, told: told! };
}
