import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { COMMAND_ROWS, COMMANDS, type FlagRow, FLAGS, OWN_FLAGS } from "../../lib/cli/commands.ts";
import { toCompletions } from "../../lib/cli/completions.ts";

const LINES: [typed: string, offered: string[], not?: string[]][] = [
  ["", [...COMMAND_ROWS.map(([name]) => name), "--port", "--demo", "--version"], [
    ...OWN_FLAGS.map((name) => `--${name}`),
  ]],
  ["s", ["serve", "status", "stop"], ["code"]],
  ["models ", ["list", "show", "refresh", "--json"], ["serve"]],
  ["models --j", ["--json"], ["list"]],
  ["completions ", [...COMMANDS.completions.words], ["serve"]],
  ["env --shell ", [...FLAGS.shell.values], ["--json", "serve"]],
  ["env --shell p", ["powershell"], ["sh"]],
  ["env --s", ["--shell"]],
  ["r2 --p", ["--port"], ["--shell"]],
  ["status --", ["--watch"], ["--shell"]],
  ["--demo --log-level ", [...FLAGS["log-level"].values], ["serve"]],
  ["help st", ["status", "stop"]],
  ["code --port ", [], ["serve", "--demo"]],
  ["code -- ", [], ["serve", "--demo"]],
];

/** How a real shell is asked what it would offer behind what was typed. */
const REAL: [shell: string, command: string, toArgs: (script: string, typed: string) => string[]][] = [
  ["bash", "bash", (script, typed) => {
    const words = ["arbiter-proxy", ...typed.split(" ")].map((word) => `'${word}'`).join(" ");
    const ask =
      `COMP_WORDS=(${words}); COMP_CWORD=$((\${#COMP_WORDS[@]}-1)); _arbiter_proxy; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return ["--norc", "-c", `${script}\n${ask}`];
  }],
  ["zsh", "zsh", (script, typed) => {
    const typedWords = ["arbiter-proxy", ...typed.split(" ")];
    const words = typedWords.map((word) => `'${word}'`).join(" ");
    // What zsh itself does with the offers: it leaves out what does not begin as the last word does.
    const own = "compdef() { }; _describe() { print -rl -- ${(M)${(P)2}:#$words[CURRENT]*} }; _files() { }";
    return ["-f", "-c", `${own}\n${script}\nwords=(${words}); CURRENT=${typedWords.length}; _arbiter_proxy`];
  }],
  ["fish", "fish", (script, typed) => ["--no-config", "-c", `${script}\ncomplete -C 'arbiter-proxy ${typed}'`]],
];

for (const [shell, command, toArgs] of REAL) {
  const skip = spawnSync(command, ["-c", "exit 0"]).status === 0 ? false : `${command} is not here`;
  describe(`${command} offers behind`, { skip }, () => {
    for (const [typed, offered, not = []] of LINES) {
      test(`'${typed}'`, () => {
        const output = execFileSync(command, toArgs(toCompletions(shell), typed), { encoding: "utf8" });
        const words = output.split("\n").map((line) => line.split(/[\t:]/)[0]!);
        const hidden = shell === "fish" && !/-\w*$/.test(typed); // It offers flags when one is begun.
        for (const word of offered.filter((word) => !hidden || !word.startsWith("-"))) {
          assert.ok(words.includes(word), `${word} in ${words}`);
        }
        for (const word of not) assert.ok(!words.includes(word), `${word} not in ${words}`);
      });
    }
  });
}

describe("the script for", () => {
  for (const shell of COMMANDS.completions.words) {
    test(`${shell} has every command, flag and word`, () => {
      const script = toCompletions(shell);
      for (const [name, { aliases = [], words = [] }] of COMMAND_ROWS) {
        for (const word of [name, ...aliases, ...words]) assert.match(script, new RegExp(`\\b${word}\\b`), word);
      }
      for (const [name, { values = [] }] of Object.entries<FlagRow>(FLAGS)) {
        assert.match(script, new RegExp(shell === "fish" ? `-l ${name}\\b` : `--${name}\\b`));
        for (const value of values) assert.match(script, new RegExp(`\\b${value}\\b`));
      }
    });

    test(`${shell} says in its first line how it is put to use`, () => {
      assert.match(toCompletions(shell).split("\n")[0]!, new RegExp(`^# In .*arbiter-proxy completions ${shell}`));
    });
  }
});

describe("nothing is left open in the script for", () => {
  for (const shell of ["fish", "powershell"]) {
    test(shell, () => {
      const bare = toCompletions(shell).replace(/'(?:[^'\\]|\\.)*'|"[^"]*"|^#.*$/gm, "");
      assert.doesNotMatch(bare, /['"]/);
      for (const [open, close] of ["{}", "()", "[]"]) {
        assert.equal(bare.split(open!).length, bare.split(close!).length, `${open}${close}`);
      }
    });
  }
  for (const shell of ["bash", "zsh"]) {
    const skip = spawnSync(shell, ["-c", "exit 0"]).status === 0 ? false : `${shell} is not here`;
    test(shell, { skip }, () => {
      const { status, stderr } = spawnSync(shell, ["-n"], { input: toCompletions(shell), encoding: "utf8" });
      assert.deepEqual([status, stderr], [0, ""]);
    });
  }
});

test("there is none for a shell nobody knows", () => assert.equal(toCompletions("constructor"), ""));
