import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { COMMAND_ROWS, FLAGS, OWN_FLAGS } from "../../lib/cli/commands.ts";
import { parseCommandLine } from "../../lib/cli/flags.ts";
import { toHelp } from "../../lib/cli/help.ts";
import { wrapLines, wrapText } from "../../lib/cli/rows.ts";

const TOPICS = [undefined, ...COMMAND_ROWS.map(([name]) => name)];

describe("the help text of", () => {
  for (const topic of TOPICS) {
    test(`${topic ?? "all commands"} fits into the terminal, whatever its width`, () => {
      for (const columns of [40, 60, 80, 100, 300]) {
        const lines = toHelp(topic, columns).split("\n");
        assert.deepEqual(lines.filter((line) => line.length > Math.min(columns, 100)), [], `in ${columns} columns`);
        assert.deepEqual(lines.filter((line) => line !== line.trimEnd()), []);
      }
    });

    test(`${topic ?? "all commands"} says the same in 40 columns as in 80`, () => {
      const toWords = (columns: number) => toHelp(topic, columns).split(/\s+/);
      assert.deepEqual(toWords(40), toWords(80));
    });
  }

  for (const [name, { aliases = [], words = [], flags = [], examples = [] }] of COMMAND_ROWS) {
    test(`${name} has its flags, words, other names, examples and exit codes`, () => {
      const text = toHelp(name);
      for (const flag of flags) assert.match(text, new RegExp(`^ .*--${flag}\\b`, "m"));
      for (const word of [...words, ...aliases]) assert.match(text, new RegExp(`\\b${word}\\b`));
      assert.equal(text.includes("Examples:"), examples.length > 0);
      assert.match(text, /^Exit codes:\n {2}0 /m);
      assert.match(text.split("\n")[0]!, new RegExp(`^Usage: arbiter-proxy ${name}\\b`));
    });
  }

  test("all commands has every command and the flags they share", () => {
    const text = toHelp();
    for (const [name] of COMMAND_ROWS) assert.match(text, new RegExp(`^ {2}${name} `, "m"));
    for (const name of Object.keys(FLAGS)) {
      assert.equal(text.includes(`--${name}`), !(OWN_FLAGS as readonly string[]).includes(name), name);
    }
  });
});

test("a command's help has the flags that matter to it: init refuses --yes, reset asks nothing, test asks for a model", () => {
  assert.doesNotMatch(toHelp("init") + toHelp("reset"), /--yes/);
  assert.match(toHelp("test"), /--model/);
});

test("examples can be typed as they are", async () => {
  for (const [name, { examples = [] }] of COMMAND_ROWS) {
    for (const example of examples) {
      const typed = example.replace(/^eval "\$\(arbiter-proxy (.*)\)"$/, "$1");
      assert.equal((await parseCommandLine(typed.split(" "))).command, name, example);
    }
  }
});

test("a command's other names lead to its help", () => {
  assert.equal(toHelp("r2"), toHelp("serve"));
});

test("what a flag stands for is beside it in 80 columns, and below it in 40", () => {
  assert.match(toHelp("status", 80), /^ {2}-w, --watch +go on and show what changes$/m);
  assert.match(toHelp("status", 40), /^ {2}-w, --watch\n {6}go on and show what changes$/m);
});

test("a word longer than a line stays whole", () => {
  assert.deepEqual(wrapText("a bbbbbbbb c", 4), ["a", "bbbbbbbb", "c"]);
  assert.equal(wrapLines("a b c d\n  e f g", 6), "a b c\nd\n  e f\n  g");
  assert.equal(wrapLines("  a b c d"), "  a b c d");
});

test("the documentation has every command and every flag", async () => {
  const readme = await readFile("docs/commands.md", "utf8");
  for (const [name] of COMMAND_ROWS) assert.match(readme, new RegExp(`^\\| .*\\b${name}\\b.* \\|`, "m"), name);
  for (const name of Object.keys(FLAGS)) assert.match(readme, new RegExp(`^\\| .*\`--${name}\\b`, "m"), name);
});
