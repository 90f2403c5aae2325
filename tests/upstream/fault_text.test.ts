import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toFaultText, toServerWords } from "../../lib/upstream/fault_text.ts";

describe("toFaultText() finds the sentence in", () => {
  const rows: [body: string, expected: string][] = [
    ['{"error":{"message":"a","type":"b"}}', "a"],
    ['{"error":"a"}', "a"],
    ['{"message":"a"}', "a"],
    ['{"detail":"a","title":"b"}', "a"],
    ['{"error":null,"message":"","title":"a"}', "a"],
    ['{"detail":[{"msg":"a"}]}', "a"],
    ['{"detail":[{"loc":["body","x",0],"msg":"a","input":"b"},{"loc":[{}],"msg":"c"}]}', "body.x.0: a; c"],
    ['{"message":{"detail":[{"loc":["x"],"msg":"a"}]}}', "x: a"],
    ['[{"error":{"message":"a"}}]', "a"],
    ["{'error': {'message': 'a', 'param': None}}", "a"],
    ['{"error":{"message":"a and the rest is m', "a and the rest is m"],
    ['{"title":"a"}', "a"],
    [JSON.stringify({ error: { message: "no", code: 400, metadata: { raw: '{"error":{"message":"a"}}' } } }), "a"],
    [JSON.stringify({ error: { message: "no", metadata: { raw: "a", provider_name: "b" } } }), "a"],
    ...["", "{}", 1, null].map((raw): [string, string] => [JSON.stringify({ message: "a", metadata: { raw } }), "a"]),
    ['"a"', "a"],
    ['"a" b', '"a" b'],
    ['{"x":1}', '{"x":1}'],
    ["[1,2]", "[1,2]"],
    ["[error] a", "[error] a"],
    ["<html>\n<body><h1>502</h1> Bad\tGateway</body></html>", "502 Bad Gateway"],
    ["404 page not found\n", "404 page not found"],
    ["", ""],
    [" \n", ""],
    ["null", "null"],
    [`"${"x".repeat(5000)}"`, "x".repeat(1000)],
  ];
  for (const [body, expected] of rows) {
    test(body.slice(0, 40) || "nothing", () => assert.equal(toFaultText(body), expected));
  }
});

describe("toServerWords() leaves out what is quoted of", () => {
  const long = "x".repeat(61);
  const rows: [body: string, expected: string][] = [
    ["a 'b' \"c\" `d`", "a 'b' \"c\" `d`"],
    ["a 'body.x_1' b 'has blanks' c \"--x\" d `e/f` g 'hi", `a 'body.x_1' b "" c "" d "" g 'hi`],
    [`a '${long}' b "${long}" c \`${long}\` d`, 'a "" b "" c "" d'],
    [`a "${long}x`, 'a ""'],
    [`a's ${long} b's`, `a's ${long} b's`],
    [`a '${"isn't "}${long}' b`, 'a "" b'],
    [`a "\\"${long}" b`, 'a "" b'],
    ["a [type=b, input_value='c', input_type=str]", "a [type=b, ]"],
    ['{"x":"a"}', ""],
    ["Error code: 400 - {'error': {'message': 'a'}}", "Error code: 400 - a"],
    ["y ".repeat(500), "y ".repeat(300)],
  ];
  for (const [body, expected] of rows) {
    test(body.slice(0, 40), () => assert.equal(toServerWords(body), expected));
  }
});
