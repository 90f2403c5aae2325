import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { JsonScanner } from "../../lib/dialects/json_scanner.ts";

const VALID = [
  "{}",
  "[]",
  '{"a":1}',
  ' { "a" : [ 1 , -2.5e+3 , true , false , null , "x" , {} , [] ] } ',
  '{"path":"C:\\\\x\\n\\u00e9\\"","deep":{"er":[[{"a":{}}]]}}',
  '"text"',
  "[0]",
  '{"":""}',
  '{"👋":"｜▁"}',
];

const INVALID = [
  "{,}",
  '{"a"}',
  '{"a":}',
  '{"a":1,}',
  "[1,]",
  "[1 2]",
  "{'a':1}",
  '{"a":True}',
  '{"a":01}',
  '{"a":1.}',
  '{"a":"\\d"}',
  '{"a":"\\u00g0"}',
  '{"a":"x\ny"}',
  '{"a":1]',
  "[1}",
  "{a:1}",
  '{"a" "b"}',
  "}",
];

describe("JsonScanner accepts", () => {
  for (const text of VALID) {
    test(`${text}, cut anywhere`, () => {
      for (let cut = 0; cut <= text.length; cut++) {
        const scanner = new JsonScanner();
        const rest = scanner.feed(text.slice(0, cut)) + scanner.feed(text.slice(cut));
        assert.ok(scanner.complete && !scanner.failed, `cut at ${cut}`);
        assert.equal(rest.trim(), "");
        assert.equal(scanner.safe, scanner.length, "all of it may be sent");
        assert.deepEqual(JSON.parse(text.slice(0, scanner.length)), JSON.parse(text));
      }
    });
  }
});

describe("JsonScanner refuses", () => {
  for (const text of INVALID) {
    test(text, () => {
      const scanner = new JsonScanner();
      scanner.feed(text);
      assert.ok(scanner.failed && !scanner.complete);
    });
  }
});

/** Ways to go on that make some valid JSON of any beginning of one. */
const ENDINGS = ["", '"', '"}', '":0}', "0", "0}", "}", "]", '"a":0}', ',"a":0}', '""', ":0}"];

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isPrefix(text: string): boolean {
  const closers: string[] = [];
  for (const [bracket] of text.replace(/"(?:[^"\\]|\\.)*"?/g, "").matchAll(/[{}[\]]/g)) {
    if (bracket === "{" || bracket === "[") closers.unshift(bracket === "{" ? "}" : "]");
    else closers.shift();
  }
  const ends = [closers.join(""), closers.slice(1).join("")];
  return ENDINGS.some((ending) => ends.some((end) => isJson(text + ending + end)));
}

test("what JsonScanner calls safe is the beginning of some JSON, at every position of every text", () => {
  for (const text of [...VALID, ...INVALID]) {
    const scanner = new JsonScanner();
    let before = 0;
    for (const [i, char] of [...text].entries()) {
      scanner.feed(char);
      assert.ok(scanner.safe >= before, "never takes back");
      before = scanner.safe;
      const safe = text.slice(0, scanner.safe);
      assert.ok(safe.trim() === "" || isPrefix(safe), `'${safe}' after ${i + 1} characters of ${text}`);
      assert.ok(!/,\s*$/.test(safe) || safe.includes('"'), `'${safe}' ends in a comma`);
    }
  }
});

test("JsonScanner gives back what follows the value", () => {
  const scanner = new JsonScanner();
  assert.equal(scanner.feed('{"a":1} and more'), " and more");
});

test("JsonScanner tells an object with a key from an empty one", () => {
  for (
    const [text, filled] of [["{", false], ["{}", false], ['{"', true], ["[1]", false], ['[{"a":1', false]] as const
  ) {
    const scanner = new JsonScanner();
    scanner.feed(text);
    assert.equal(scanner.filled, filled, text);
  }
});
