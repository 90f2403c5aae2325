import { ConfigError } from "../config/settings.ts";
import { type ClaudeVariables, toClaudeVariables, toToken } from "./claude_env.ts";
import { type Context, report } from "./io.ts";
import { readModelChoice } from "./model_choice.ts";
import { openStore } from "./open_store.ts";
import { readAddress, readRouter } from "./proxy.ts";
import { toServerUrl } from "../server/serve.ts";
import { findShell, type ShellName, SHELLS } from "./shells.ts";

/** What a user should know of Claude Code's usual permission mode, whatever is set: it spends a free account's quota. */
const AUTO_MODE = [
  "Auto mode, which Claude Code starts in, checks each command by a request",
  "of its own of some 35,000 tokens: on a free account that counts.",
  "Without: claude --permission-mode acceptEdits, or in .claude/settings.json",
  '"permissions": {"defaultMode": "acceptEdits"}.',
];

/** The lines of a script that sets and forgets variables, each with its reason. */
export function toScript({ set, unset, kept }: ClaudeVariables, shell: ShellName): string[] {
  const { remark, ...write } = SHELLS[shell];
  const sets = set.flatMap(({ name, value, why }, i) => {
    return [...(set[i - 1]?.why === why ? [] : [remark + why]), write.set(name, value)];
  });
  return [
    ...sets,
    ...(unset.length > 0 ? [`${remark}would lead elsewhere, or to what was before`, ...unset.map(write.unset)] : []),
    ...(kept.length > 0 ? [`${remark}yours, and left alone: ${kept.join(", ")}`] : []),
    ...AUTO_MODE.map((line) => remark + line),
  ];
}

/** Prints what points any Claude Code at a proxy that runs, as a script or as settings of Claude Code's. */
export async function runEnv(context: Context): Promise<number> {
  const { io, flags: { shell = findShell(io.env, io.platform), json } } = context;
  if (!Object.hasOwn(SHELLS, shell)) {
    throw new ConfigError(`Cannot use --shell='${shell}': expected ${Object.keys(SHELLS).join(", ")}`);
  }
  const { host, port } = await readAddress(context);
  if (port === 0) throw new ConfigError("Port 0 is any free one: name the proxy's with --port");
  const { catalog } = await readRouter(context, io.tell);
  const models = await readModelChoice(catalog, context, await openStore(context, io.tell));
  const variables = toClaudeVariables(io.env, toServerUrl(host, port), models, toToken(context.settings));
  const env = Object.fromEntries(variables.set.map(({ name, value }) => [name, value]));
  report(context, { env }, toScript(variables, shell as ShellName));
  const elsewhere = variables.unset.map((name) => `${name} would lead Claude Code elsewhere: unset it.`);
  for (const line of json ? [...elsewhere, ...AUTO_MODE] : []) io.tell(line);
  return 0;
}
