import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { setVariable } from "../../lib/cli/keep_key.ts";
import { parseDotenv } from "../../lib/config/dotenv.ts";

describe("a .env", () => {
  const rows: [what: string, text: string, variables: Record<string, string>][] = [
    ["is empty", "", {}],
    ["has a variable a line", "A=1\nB_2 = two words \n\nC=3", { A: "1", B_2: "two words", C: "3" }],
    ["has lines of Windows", "A=1\r\nB='2'\r\n", { A: "1", B: "2" }],
    ["may be a shell's, too", "export A=1\n\texport  B=2", { A: "1", B: "2" }],
    ["has comments, behind a value, too", "# A=0\nA=1 # one\n  #B=2\nC=#", { A: "1", C: "" }],
    ["has no last line end", "# A=1", {}],
    ["has values without a word, which end with their line", "A=\nB= \nC=3", { A: "", B: "", C: "3" }],
    ["has quotes of three kinds, none of which ends at a mark", `A='#'\nB="#"\nC=\`#\``, { A: "#", B: "#", C: "#" }],
    ["has quotes in quotes, and in words", `A='"'\nB="'"\nC=a'b"c`, { A: '"', B: "'", C: `a'b"c` }],
    ["has line ends in double quotes alone", `A="1\\n2"\nB='1\\n2'`, { A: "1\n2", B: "1\\n2" }],
    ["has values of several lines", `A="1\nX=2"\nB='3\n4'`, { A: "1\nX=2", B: "3\n4" }],
    ["has words behind a value in quotes", `A="1" 2\nB='3'# 4`, { A: "1", B: "3" }],
    ["has a quote that is not closed", `A='1\nB=2`, { A: "'1", B: "2" }],
    ["has a quote within quotes, which ends them", `A="{\\"k\\":1}"\nB=2`, { A: "{\\", B: "2" }],
    ["has lines that are no variables", `A\n= 1\nB C=2\nD=4`, { D: "4" }],
    ["says something twice", "A=1\nA=2", { A: "2" }],
    ["has signs of equality in a value", "A=b=c==", { A: "b=c==" }],
  ];
  for (const [what, text, variables] of rows) test(what, () => assert.deepEqual(parseDotenv(text), variables));

  test("never makes a prototype of a variable", () => {
    const variables = parseDotenv("__proto__=1\nA=2");
    assert.deepEqual(Object.entries(variables), [["__proto__", "1"], ["A", "2"]]);
  });

  test("gives back every key that was kept in it", () => {
    const key = fc.string({ unit: fc.constantFrom(...'aZ0-_.+/=:~#$&! "`\\é') }).map((text) => `k${text}k`);
    fc.assert(fc.property(key, fc.constantFrom("", "A=1", "K=old\nA=1\n", "# K=\r\n"), (key, before) => {
      assert.equal(parseDotenv(setVariable(before, "K", key)).K, key);
    }));
  });
});
