import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toParameters } from "../../lib/translate/schema.ts";
import { toDeclaredTools, toFunctionName } from "../../lib/translate/tools.ts";

describe("toFunctionName()", () => {
  for (const name of ["Read", "mcp__demo_server__do-thing_v2", "x".repeat(64)]) {
    test(`keeps ${name}`, () => assert.equal(toFunctionName(name), name));
  }

  for (const name of ["x".repeat(65), "mcp__a.b__c", "naïve", "", `mcp__${"long_".repeat(40)}`]) {
    test(`makes ${name.slice(0, 20) || "nothing"}… a legal name that is always the same`, () => {
      assert.match(toFunctionName(name), /^[\w-]{1,64}$/);
      assert.equal(toFunctionName(name), toFunctionName(name));
    });
  }

  test("tells long names with the same beginning apart", () => {
    const names = Array.from({ length: 2000 }, (_, i) => toFunctionName(`${"mcp__server__tool_".repeat(5)}${i}`));
    assert.equal(new Set(names).size, names.length);
  });
});

test("toDeclaredTools() leads back from each name sent upstream to the client's own", () => {
  const long = `mcp__${"very_long_".repeat(10)}name`;
  const names = toDeclaredTools([{ name: "Read" }, { name: long }]);
  assert.equal(names.get("Read")?.name, "Read");
  assert.equal(names.get(toFunctionName(long))?.name, long);
});

describe("toParameters()", () => {
  test("removes boolean subschemas and noise, in schema positions only", () => {
    const schema = {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      $id: "x",
      type: "object",
      additionalProperties: false,
      properties: {
        $schema: { type: "string", default: { $schema: "kept", additionalProperties: false } },
        additionalProperties: { type: "boolean", enum: [true, false] },
        type: { type: "string" },
        any: true,
        script: { type: "string", minLength: 1, maxLength: 2001 },
        name: { type: "string", maxLength: 2000 },
        pattern: { type: "string", pattern: "^(?!__)[^\\p{Cc}]+$", default: { pattern: "kept" } },
        list: { type: "array", items: { type: "object", additionalProperties: true, $comment: "no" } },
        map: { type: "object", additionalProperties: { type: "object", additionalProperties: false } },
        union: { anyOf: [{ type: "null" }, { $ref: "#/$defs/node" }, false] },
        pair: { prefixItems: [{ $id: "y", type: "number" }], items: false },
      },
      required: ["type"],
      $defs: { node: { type: "object", additionalProperties: false, properties: { next: { $ref: "#/$defs/node" } } } },
    };
    const before = structuredClone(schema);
    assert.deepEqual(toParameters(schema), {
      type: "object",
      properties: {
        $schema: { type: "string", default: { $schema: "kept", additionalProperties: false } },
        additionalProperties: { type: "boolean", enum: [true, false] },
        type: { type: "string" },
        any: {},
        script: { type: "string", minLength: 1 },
        name: { type: "string", maxLength: 2000 },
        pattern: { type: "string", default: { pattern: "kept" } },
        list: { type: "array", items: { type: "object" } },
        map: { type: "object", additionalProperties: { type: "object" } },
        union: { anyOf: [{ type: "null" }, { $ref: "#/$defs/node" }, {}] },
        pair: { prefixItems: [{ type: "number" }] },
      },
      required: ["type"],
      $defs: { node: { type: "object", properties: { next: { $ref: "#/$defs/node" } } } },
    });
    assert.deepEqual(schema, before, "the request itself is left alone");
  });

  test("gives every tool an object with properties", () => {
    const empty = { type: "object", properties: {} };
    for (const schema of [{}, { type: "object" }, { properties: null }]) assert.deepEqual(toParameters(schema), empty);
  });

  test("survives a property called __proto__", () => {
    const schema = JSON.parse('{"type":"object","properties":{"__proto__":{"type":"string"}}}');
    assert.equal(JSON.stringify(toParameters(schema)), JSON.stringify(schema));
    assert.equal(({} as { type?: string }).type, undefined);
  });
});
