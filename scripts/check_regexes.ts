/**
 * Looks for patterns in lib/ that take more than linear time for some text, by recheck: each must be safe, or say below
 * why nobody can make it slow. tests/security/growth.test.ts shows the rest: that what uses them is linear.
 */
import { parse } from "@babel/parser";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { check } from "recheck";

/** Why a pattern that is not linear does no harm; which patterns of which files that is about. */
const HARMLESS: readonly [why: string, file: string, ...begins: string[]][] = [
  ["A sticky one with nothing behind its star never goes back.", "config/jsonc.ts", "(?:\\s+|", '"(?:[ !#-'],
  ["A sticky one with nothing behind its star never goes back.", "dialects/tolerant_json.ts", "(?:\\s|\\/\\/"],
  ["Only what the user types for claude.", "cli/child.ts", '(\\\\*)"', "\\\\*$"],
  ["A tag or header of at most 200 characters.", "dialects/kimi.ts", "^[\\s}\\]]*"],
  ["A tag or header of at most 200 characters.", "dialects/kimi_k3.ts", "(\\w+)="],
  ["A name of at most 300 characters.", "dialects/tool_names.ts", "^[\\s\"'●]+"],
  ["An id of at most 256 characters, or the user's own.", "models/families.ts", "llama.*", "deepseek.*", "qwq|"],
  ["An id of at most 256 characters.", "routing/reference.ts", "(?:\\[1m", "^([\\w.-]+)(,"],
  ["At most 400 characters of each end of a text.", "routing/classify_task.ts", '["“„«「]'],
  [
    "At most 20,000 characters of each end of a text, 800 in all.",
    "routing/typed_text.ts",
    "(?<![`\"'])<",
    "\\[(?:Req",
  ],
  ["At most 4,000 characters of a question.", "routing/local_answers.ts", "<(system-reminder", "[.!?;:,]+"],
  ["A header of at most 16 kB without line ends: it always fits.", "server/auth.ts", "^bearer +"],
  ["The demo, which has no host and no key.", "stand_in/demo_model.ts", "\\b(?:run", "<system-reminder", "<[^>]*>"],
  ["At most 20,000 characters of a refusal, and 200 of each match.", "upstream/fault_text.ts", "input_value="],
  ["At most 600 characters of a refusal.", "upstream/limits.ts", "(?<used>", "max_(?:comp", "maximum (?!", "(?<!,) +"],
];

const lib = new URL("../lib/", import.meta.url);
const files = readdirSync(lib, { recursive: true, encoding: "utf8" }).map((file) => file.replaceAll("\\", "/"));
let slow = 0;
for (const file of files.filter((name) => name.endsWith(".ts")).sort()) {
  const { tokens } = parse(readFileSync(new URL(file, lib), "utf8"), {
    sourceType: "module",
    plugins: ["typescript"],
    tokens: true,
  });
  for (const { type, value, loc } of tokens ?? []) {
    if (type.label !== "regexp") continue;
    const excused = HARMLESS.some(([, name, ...begins]) =>
      name === file && begins.some((begin) => value.pattern.startsWith(begin))
    );
    if (excused) continue;
    const found = await check(value.pattern, value.flags, { timeout: 20_000 });
    if (found.status === "safe") continue;
    slow++;
    const why = found.status === "vulnerable" ? found.complexity.summary : found.error.kind;
    console.error(`lib/${file}:${loc.start.line}: ${why}: /${value.pattern}/`);
  }
}
if (slow > 0) console.error("Make them linear, or say in scripts/check_regexes.ts why they do no harm.");
process.exit(slow > 0 ? 1 : 0); // What recheck has started would keep it waiting.
