import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { coerce, continueJson, readArguments } from "../../lib/dialects/arguments.ts";
import { JsonScanner } from "../../lib/dialects/json_scanner.ts";
import { resolveToolName } from "../../lib/dialects/tool_names.ts";

const A = { a: 1 };
const TEXT = (text: string) => ({ text });

describe("readArguments() reads", () => {
  const rows: [what: string, text: string, expected: Record<string, unknown>, cut?: "cut" | "torn"][] = [
    ["JSON", '{"a":1}', A],
    ["JSON with blanks around", ' \n{"a":1}\n ', A],
    ["nothing", "", {}],
    ["blanks", " \n", {}],
    ["null", "null", {}],
    ["None", "None", {}],
    ["null in a string", '"null"', {}],
    ["an empty string in a string", '""', {}],
    ["an empty object", "{}", {}],
    ["a string of JSON", JSON.stringify('{"a":1}'), A],
    ["a string of a string of JSON", JSON.stringify(JSON.stringify('{"a":1}')), A],
    ["three strings around JSON", JSON.stringify(JSON.stringify(JSON.stringify('{"a":1}'))), A],
    ["a string of JSON that is not quite JSON", JSON.stringify("{'a': 1,}"), A],
    ["a placeholder before the arguments", '{}{"a":1}', A],
    ["placeholders before the arguments", '{} { }\n{"a":1}', A],
    ["trailing commas", '{"a":1,}', A],
    ["a trailing comma in a list", '{"a":[1,2,],}', { a: [1, 2] }],
    ["single quotes", "{'a': 'b'}", { a: "b" }],
    ["single quotes with an apostrophe", "{'text': 'don't'}", TEXT("don't")],
    ["quotes that nobody escaped", '{"text": "say "hi" now"}', TEXT('say "hi" now')],
    ["keys without quotes", "{a: 1}", A],
    ["strings without quotes", "{text: hello world}", TEXT("hello world")],
    ["the words of Python", "{'a': True, 'b': False, 'c': None}", { a: true, b: false, c: null }],
    ["numbers that are none", '{"a": NaN, "b": Infinity}', { a: null, b: null }],
    ["tuples", "{'a': (1, 2)}", { a: [1, 2] }],
    ["strings side by side", "{'text': 'a' 'b'}", TEXT("ab")],
    ["strings of bytes", "{'text': b'a'}", TEXT("a")],
    ["raw line breaks and tabs", '{"text":"a\n\tb"}', TEXT("a\n\tb")],
    ["comments", '{ // one\n "a": /* two */ 1 }', A],
    ["a comment mark in a string", '{"text": "http://x /* y */",}', TEXT("http://x /* y */")],
    ["smart quotes", "{“text”: “a”}", TEXT("a")],
    ["smart quotes in JSON", '{"text":"“a”"}', TEXT("“a”")],
    ["a fence of code", '```json\n{"a":1}\n```', A],
    ["a fence of code without a language", '```\n{"a":1}```', A],
    ["an escape of a regular expression", String.raw`{"text":"\d+\.\w"}`, TEXT(String.raw`\d+\.\w`)],
    ["a path of Windows", String.raw`{"text":"C:\Program Files\Git"}`, TEXT(String.raw`C:\Program Files\Git`)],
    ["an escaped apostrophe", String.raw`{"text":"don\'t"}`, TEXT("don't")],
    ["legal escapes beside illegal ones", String.raw`{"text":"\d\n\u00e9\"\\"}`, TEXT('\\d\né"\\')],
    ["the end missing", '{"text":"a"', TEXT("a"), "cut"],
    ["two ends missing", '{"a":{"b":[1]', { a: { b: [1] } }, "cut"],
    ["the end missing behind a word", '{"a":{"b":null', { a: { b: null } }, "cut"],
    ["the end missing behind a number and a line break", '{"a":1\n', A, "cut"],
    ["a number that may have been cut", '{"a":{"b":[1', { a: { b: [1] } }, "torn"],
    ["a string that was cut", '{"text":"half', TEXT("half"), "torn"],
    ["a key without a value at the end", '{"a":1,"b"', A, "torn"],
    ["a comma at the end", '{"a":1, ', A, "torn"],
    ["a brace too many", '{"a":1}}', A],
    ["junk behind", '{"a":1} and so on', A],
    ["a token behind", '{"a":1}<|im_end|>', A],
    ["a second object behind", '{"a":1}{"b":2}', A],
    ["an equals sign for a colon", "{a=1}", A],
    ["numbers with underscores", "{'a': 1_000}", { a: 1000 }],
    ["a key with the name of an object's own method", '{"__proto__x":1,"toString":2}', { __proto__x: 1, toString: 2 }],
  ];
  for (const [what, text, value, end] of rows) {
    const expected = { value, cut: end !== undefined, torn: end === "torn" };
    test(`${what}: ${text}`, () => assert.deepEqual(readArguments(text), expected));
  }
});

describe("readArguments() gives nothing for", () => {
  const rows = [
    ...["what now", "[1,2]", "1", "true", '"text"', "{{{", "}{", "{a}", "// a comment", "NaN", "```json\n", "<x>"],
    ...['{"a" 1}', "[", ":", ",", '"'],
  ];
  for (const text of rows) {
    test(JSON.stringify(text), () => assert.equal(readArguments(text), undefined));
  }
});

const STRING = { type: "string" };
const INTEGER = { type: "integer" };
const NUMBER = { type: "number" };
const BOOLEAN = { type: "boolean" };
const OBJECT = { type: "object", properties: { n: INTEGER } };
const STRINGS = { type: "array", items: STRING };
const INTEGERS = { type: "array", items: INTEGER };

describe("coerce() makes", () => {
  const rows: [what: string, value: unknown, schema: unknown, expected: unknown][] = [
    ["a number of a string", "5", INTEGER, 5],
    ["a float of a string", "-2.5e3", NUMBER, -2500],
    ["nothing of a word where a number should be", "deep", INTEGER, "deep"],
    ["nothing of a version", "1.2.3", NUMBER, "1.2.3"],
    ["a boolean of a string", "true", BOOLEAN, true],
    ["a boolean of Python's", "False", BOOLEAN, false],
    ["nothing of another word", "yes", BOOLEAN, "yes"],
    ["an object of a string", '{"n":1}', OBJECT, { n: 1 }],
    ["an object of a string of a string", '"{\\"n\\":1}"', OBJECT, { n: 1 }],
    ["an object of Python's", "{'n': None}", OBJECT, { n: null }],
    ["a list of a string", '["a"]', STRINGS, ["a"]],
    ["a list of one value", "a", STRINGS, ["a"]],
    ["a list of one number that is a string", "3", INTEGERS, [3]],
    ["no list of a value of another type", "a", INTEGERS, "a"],
    ["no list where the items may be anything", "a", { type: "array" }, "a"],
    ["no list of null", null, STRINGS, null],
    ["items the type they should have", ["1", 2], INTEGERS, [1, 2]],
    ["fields the type they should have", { n: "1", other: "2" }, OBJECT, { n: 1, other: "2" }],
    ["nothing of a string where one should be", '{"n":1}', STRING, '{"n":1}'],
    ["nothing of a number where a string may be", "5", { type: ["integer", "string"] }, "5"],
    ["nothing of a number where a string may be, in other words", "5", { anyOf: [INTEGER, STRING] }, "5"],
    ["a string of a number", 5, STRING, "5"],
    ["a string of an object", { n: 1 }, STRING, '{"n":1}'],
    ["nothing of null where a string should be", null, STRING, null],
    ["nothing of null where it may be", null, { type: ["integer", "null"] }, null],
    ["null of a string where it may be", "null", { type: ["integer", "null"] }, null],
    ["a number where null may be, too", "5", { anyOf: [INTEGER, { type: "null" }] }, 5],
    ["a number of one of a list", "2", { enum: [1, 2] }, 2],
    ["nothing of what has no type", "5", {}, "5"],
    ["nothing without a schema", "5", undefined, "5"],
    ["nothing where everything is allowed", "5", true, "5"],
    ["nothing where a reference stands", "5", { $ref: "#/x" }, "5"],
    ["nothing where an alternative is not known", "5", { anyOf: [INTEGER, { $ref: "#/x" }] }, "5"],
    ["a number by the words of other languages", "5", { type: "int32" }, 5],
    ["a number of an unsigned type", "5", { type: "unsigned long" }, 5],
    ["a float by the words of other languages", "2.5", { type: "float" }, 2.5],
    ["a boolean by the words of other languages", "True", { type: "bool" }, true],
    ["a string by the words of other languages", "5", { type: "str" }, "5"],
    ["a list by the words of other languages", "[1]", { type: "list[int]" }, [1]],
    ["an object by the words of other languages", '{"a":1}', { type: "dict" }, { a: 1 }],
  ];
  for (const [what, value, schema, expected] of rows) {
    test(`${what}: ${JSON.stringify(value)} by ${JSON.stringify(schema)}`, () => {
      assert.deepEqual(coerce(value, schema), expected);
    });
  }
});

test("readArguments() coerces the fields a tool declares", () => {
  const schema = { type: "object", properties: { n: INTEGER, tags: STRINGS, deep: OBJECT, text: STRING } };
  const text = '{"n":"1","tags":"a","deep":"{\\"n\\":\\"2\\"}","text":"3","other":"4"}';
  assert.deepEqual(readArguments(text, schema), {
    value: { n: 1, tags: ["a"], deep: { n: 2 }, text: "3", other: "4" },
    cut: false,
    torn: false,
  });
});

describe("continueJson()", () => {
  const values: Record<string, unknown>[] = [
    {},
    { a: 1 },
    { path: 'C:\\x\n"é😀\u2028', limit: 10, deep: { er: [[{ a: {} }], null, true] }, last: "" },
    { a: "}", b: '{"a":', c: "\\", 'd\\"': "e", list: ["x", "y"] },
    { text: "a, b: c\t`d`" },
  ];
  for (const value of values) {
    const whole = JSON.stringify(value);
    test(`goes on wherever ${whole} was left`, () => {
      for (const json of [whole, JSON.stringify(value, null, 2)]) {
        for (let end = 0; end < json.length; end++) {
          const scanner = new JsonScanner();
          scanner.feed(json.slice(0, end));
          const sent = json.slice(0, scanner.safe);
          const rest = continueJson(sent, value);
          assert.notEqual(rest, undefined, `after ${sent}`);
          assert.deepEqual(JSON.parse(sent + rest), value, `after ${sent}`);
        }
      }
    });
    test(`makes nothing illegal of any beginning of ${whole}`, () => {
      for (let end = 0; end < whole.length; end++) {
        const sent = whole.slice(0, end);
        const rest = continueJson(sent, value);
        if (rest !== undefined) assert.deepEqual(JSON.parse(sent + rest), value, `after ${sent}`);
      }
    });
  }

  const refused: [sent: string, value: Record<string, unknown>][] = [
    ['{"a":"x', { a: "y" }],
    ['{"a":"x', { a: 1 }],
    ['{"a":"x', {}],
    ['{"a":1', { a: 2 }],
    ['{"a":1,"b":"', { b: "" }],
    ["what", { a: 1 }],
    ["[", { a: 1 }],
  ];
  for (const [sent, value] of refused) {
    test(`does not make ${JSON.stringify(value)} of ${sent}`, () => {
      assert.equal(continueJson(sent, value), undefined);
    });
  }
});

describe("resolveToolName() finds", () => {
  const tools = new Map(
    ["Read", "wiki.read", "mcp__wiki__find-all", "functions.odd", "x:1", "LS"].map((name) => [name, { name }]),
  );
  const rows: [written: string, name: string | undefined][] = [
    ["Read", "Read"],
    ["functions.Read", "Read"],
    ["functions.Read:0", "Read"],
    ["Read:12", "Read"],
    ["tools.Read", "Read"],
    ["default_api.Read", "Read"],
    ["namespace.Read", "Read"],
    ["ns.Read", "Read"],
    ["Read<|channel|>commentary", "Read"],
    ["functions.Read<|channel|>commentary", "Read"],
    ["Read</arg_value>", "Read"],
    [" Read\n", "Read"],
    ['"Read"', "Read"],
    ["● Read", "Read"],
    ["read", "Read"],
    ["READ", "Read"],
    ["functions.read:3", "Read"],
    ["ls", "LS"],
    ["some.where.Read", "Read"],
    ["wiki.read", "wiki.read"],
    ["functions.wiki.read:7", "wiki.read"],
    ["functions.mcp__wiki__find-all:1", "mcp__wiki__find-all"],
    ["functions.odd", "functions.odd"],
    ["x:1", "x:1"],
    ["functions.x:1", "x:1"],
    ["odd", undefined],
    ["Rea", undefined],
    ["ReadFile", undefined],
    ["toString", undefined],
    ["", undefined],
    ["functions.", undefined],
  ];
  for (const [written, name] of rows) {
    test(`${JSON.stringify(written)}: ${name}`, () => assert.equal(resolveToolName(written, tools), name));
  }
});
