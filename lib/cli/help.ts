import { COMMAND_BY_NAME, COMMAND_ROWS, type CommandRow, COMMANDS, EXITS } from "./commands.ts";
import { type FlagName, type FlagRow, FLAGS, OWN_FLAGS } from "./commands.ts";
import { toRows, wrapText } from "./rows.ts";

/** Columns of a terminal that does not say how many it has. */
const COLUMNS = 80;
/** Longer lines are hard to read. */
const MOST_COLUMNS = 100;
/** Columns a text needs beside what it explains; with less it goes below. */
const LEAST_TEXT = 30;

const ABOUT =
  "Claude Code on NVIDIA's free models. Needs NVIDIA_API_KEY, in the environment or in .env; a free key is at " +
  "https://build.nvidia.com.";

/** Lines of two columns, the second one beside or, where it is narrow, below the first. */
function toColumns(rows: readonly (readonly [name: string, text: string])[], width: number): string[] {
  const left = Math.max(...rows.map(([name]) => name.length)) + 4;
  if (width - left < LEAST_TEXT) {
    return rows.flatMap(([name, text]) => {
      return [`  ${name.trimStart()}`, ...wrapText(text, width - 6).map((line) => `      ${line}`)];
    });
  }
  return toRows(rows.map(([name, text]) => [`  ${name}`, text]), width + 1);
}

function toFlagRow(name: FlagName): [string, string] {
  const { short, value, help }: FlagRow = FLAGS[name];
  return [`${short ? `-${short}, ` : "    "}--${name}${value ? ` ${value}` : ""}`, help];
}

const toExample = (args: string) => `  ${args.startsWith("eval") ? args : `arbiter-proxy ${args}`}`;

/** Puts the parts of a help text together; a part without lines is left out. */
function join(width: number, about: readonly string[], sections: Readonly<Record<string, readonly string[]>>): string {
  const parts = Object.entries(sections).filter(([, lines]) => lines.length > 0);
  const texts = about.map((text) => wrapText(text, width).join("\n"));
  return [...texts, ...parts.map(([title, lines]) => [title, ...lines].join("\n"))].join("\n\n");
}

/** The help text about the command of a name, or about all of them. */
export function toHelp(name = "", columns = COLUMNS): string {
  const width = Math.min(columns, MOST_COLUMNS);
  const command = COMMAND_BY_NAME.get(name);
  if (command === undefined) {
    const flags = (Object.keys(FLAGS) as FlagName[]).filter((name) => !OWN_FLAGS.includes(name));
    return join(width, ["Usage: arbiter-proxy [COMMAND] [FLAGS] [-- ARGUMENTS FOR CLAUDE]", ABOUT], {
      "Commands:": toColumns(COMMAND_ROWS.map(([name, { help }]) => [name, help] as const), width),
      "Flags:": toColumns(flags.map(toFlagRow), width),
      "Examples:": ["--demo", 'code -- -p "explain it"', "serve --port 4010", "help env"].map(toExample),
    });
  }
  const { aliases = [], args, help, more, flags = [], examples = [], exits = {} }: CommandRow = COMMANDS[command];
  const usage = [`Usage: arbiter-proxy ${command}`, flags.length > 0 && "[FLAGS]", args].filter(Boolean).join(" ");
  const sentences = [`${help[0]!.toUpperCase()}${help.slice(1)}.`, more];
  if (aliases.length > 0) sentences.push(`Other names: ${aliases.join(", ")}.`);
  return join(width, [usage, sentences.filter(Boolean).join(" ")], {
    "Flags:": flags.length > 0 ? toColumns(flags.map(toFlagRow), width) : [],
    "Examples:": examples.map(toExample),
    "Exit codes:": toColumns(Object.entries({ ...EXITS, ...exits }), width),
  });
}
