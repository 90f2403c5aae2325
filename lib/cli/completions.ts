import { COMMAND_BY_NAME, COMMAND_ROWS, type CommandRow, COMMANDS } from "./commands.ts";
import { type FlagName, type FlagRow, FLAGS, OWN_FLAGS } from "./commands.ts";
import { SHELLS } from "./shells.ts";

/** A word to offer, and what it does. */
type Offer = readonly [word: string, help: string];

const FLAG_ROWS = Object.entries(FLAGS) as [FlagName, FlagRow][];
const toSpellings = (name: FlagName): string[] => {
  const { short }: FlagRow = FLAGS[name];
  return [`--${name}`, ...(short ? [`-${short}`] : [])];
};
const COMMAND_OFFERS: readonly Offer[] = COMMAND_ROWS.map(([name, { help }]) => [name, help]);

/** What may follow a command; without one all commands may, and the flags of the default one. */
function toFollowing(name: string): Offer[] {
  const command = COMMAND_BY_NAME.get(name) ?? "code";
  const { words = [], flags = [] }: CommandRow = COMMANDS[command];
  const alone = !COMMAND_BY_NAME.has(name);
  const first = alone || command === "help" ? COMMAND_OFFERS : words.map((word): Offer => [word, ""]);
  const own: FlagName[] = [...flags, "help", ...(alone ? ["version" as const] : [])];
  return [...first, ...own.map((name): Offer => [`--${name}`, FLAGS[name].help])];
}

/** Flags before words of their own, before files, and before what nobody can know. */
const CHOICES = FLAG_ROWS.filter(([, { values }]) => values);
const FILES = FLAG_ROWS.filter(([, { file }]) => file).flatMap(([name]) => toSpellings(name));
const FREE = FLAG_ROWS.filter(([, { type, values, file }]) => type === "string" && !values && !file)
  .flatMap(([name]) => toSpellings(name));

/** The cases of bash and zsh, which differ in how they take what they offer, and files. */
function toCases(before: string, offer: (offers: readonly Offer[]) => string, files: string): string {
  const choices = CHOICES.map(([name, { values = [] }]) => {
    return `    ${toSpellings(name).join("|")}) ${offer(values.map((value) => [value, ""]))} ;;`;
  });
  const names = COMMAND_ROWS.map(([name, { aliases = [] }]) => [name, ...aliases]);
  const following = [["''"], ...names].map((names) => `      ${names.join("|")}) ${offer(toFollowing(names[0]!))} ;;`);
  return `  case ${before} in
${choices.join("\n")}
    ${FILES.join("|")}) ${files} ;;
    ${FREE.join("|")}) return ;;
    *) case $command in
${following.join("\n")}
    esac ;;
  esac`;
}

const COMMAND_PATTERN = [...COMMAND_BY_NAME.keys()].join("|");
const { quote } = SHELLS.sh;

const bash = () =>
  `# In ~/.bashrc: eval "$(arbiter-proxy completions bash)"
_arbiter_proxy() {
  local command= words= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      --) return ;;
      ${COMMAND_PATTERN}) [[ $command ]] || command=\${COMP_WORDS[i]} ;;
    esac
  done
${
    toCases(
      "${COMP_WORDS[COMP_CWORD-1]}",
      (offers) => `words=${quote(offers.map(([word]) => word).join(" "))}`,
      "return",
    )
  }
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _arbiter_proxy arbiter-proxy arbiter`;

const zsh = () =>
  `# In ~/.zshrc, after compinit: eval "$(arbiter-proxy completions zsh)"
_arbiter_proxy() {
  local command= i
  local -a offers
  for ((i = 2; i < CURRENT; i++)); do
    case $words[i] in
      --) _files; return ;;
      ${COMMAND_PATTERN}) [[ -n $command ]] || command=$words[i] ;;
    esac
  done
${
    toCases("$words[CURRENT-1]", (offers) => {
      return `offers=(${
        offers.map(([word, help]) => quote(help === "" ? word : `${word}:${help.replaceAll(":", "\\:")}`)).join(" ")
      })`;
    }, "_files; return")
  }
  _describe 'arbiter-proxy' offers
}
compdef _arbiter_proxy arbiter-proxy arbiter`;

function fish(): string {
  const { quote } = SHELLS.fish;
  const seen = `__fish_seen_subcommand_from ${[...COMMAND_BY_NAME.keys()].join(" ")}`;
  const row = (condition: string, rest: string, help: string) =>
    `complete -c arbiter-proxy${condition && ` -n ${quote(condition)}`} ${rest}${help && ` -d ${quote(help)}`}`;
  const flags = FLAG_ROWS.map(([name, { type, short, values, file, help }]) => {
    const takers = COMMAND_ROWS.filter(([, { flags = [] }]) => flags.includes(name)).map(([command]) => command);
    const value = type === "boolean" ? "" : file ? " -r -F" : ` -x${values ? ` -a ${quote(values.join(" "))}` : ""}`;
    const condition = OWN_FLAGS.includes(name) ? `__fish_seen_subcommand_from ${takers.join(" ")}` : "";
    return row(condition, `-l ${name}${short ? ` -s ${short}` : ""}${value}`, help);
  });
  const words = COMMAND_ROWS.filter(([name, { words }]) => words || name === "help").map(([name, { words }]) => {
    const names = words ?? COMMAND_ROWS.map(([name]) => name);
    return row(`__fish_seen_subcommand_from ${name}`, `-a ${quote(names.join(" "))}`, "");
  });
  return [
    "# In ~/.config/fish/config.fish: arbiter-proxy completions fish | source",
    "complete -c arbiter-proxy -f",
    ...COMMAND_OFFERS.map(([name, help]) => row(`not ${seen}`, `-a ${name}`, help)),
    ...words,
    ...flags,
    "complete -c arbiter -w arbiter-proxy",
  ].join("\n");
}

function powershell(): string {
  const { quote } = SHELLS.powershell;
  const row = (name: string, words: readonly string[]) => `    ${quote(name)} = ${quote(words.join(" "))}`;
  const values = [
    ...CHOICES.flatMap(([name, { values = [] }]) => toSpellings(name).map((typed) => row(typed, values))),
    ...[...FILES, ...FREE].map((typed) => row(typed, [])),
  ];
  return `# In $PROFILE: arbiter-proxy completions powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName arbiter-proxy, arbiter -ScriptBlock {
  param($word, $ast, $position)
  $values = @{
${values.join("\n")}
  }
  $following = @{
${["", ...COMMAND_BY_NAME.keys()].map((name) => row(name, toFollowing(name).map(([word]) => word))).join("\n")}
  }
  $typed = @($ast.CommandElements | Where-Object { $_.Extent.EndOffset -lt $position } | ForEach-Object { "$_" })
  if ($typed -contains '--') { return }
  $command = "$($typed | Select-Object -Skip 1 | Where-Object { $following.ContainsKey($_) } | Select-Object -First 1)"
  $words = if ($values.ContainsKey($typed[-1])) { $values[$typed[-1]] } else { $following[$command] }
  $words -split ' ' | Where-Object { $_ -and $_ -like "$word*" } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}`;
}

const SCRIPT_BY_SHELL: ReadonlyMap<string, () => string> = new Map([
  ["bash", bash],
  ["zsh", zsh],
  ["fish", fish],
  ["powershell", powershell],
]);

/** The script by which a shell completes Arbiter's commands; nothing for a shell that has none. */
export function toCompletions(shell: string): string {
  return SCRIPT_BY_SHELL.get(shell)?.() ?? "";
}
