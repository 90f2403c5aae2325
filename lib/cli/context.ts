import type { Settings } from "../config/settings.ts";
import type { CommandLine } from "./flags.ts";
import type { Io } from "./io.ts";

/** What a command works with. */
export interface Context extends CommandLine {
  io: Io;
  settings: Settings;
}
