import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toFaultText, toUpstreamError } from "../../lib/upstream/faults.ts";
import { FAULTS } from "../support/faults.ts";

describe("toUpstreamError() understands", () => {
  const rows: [fault: keyof typeof FAULTS, type: string, status: number, says: RegExp, final: boolean][] = [
    ["degraded", "overloaded_error", 529, /DEGRADED/, false],
    ["unsupported", "invalid_request_error", 400, /Unsupported parameter/, false],
    ["unauthorized", "authentication_error", 401, /check NVIDIA_API_KEY/, true],
    ["forbidden", "permission_error", 403, /check NVIDIA_API_KEY/, true],
    ["unavailable", "not_found_error", 404, /not available to this account/, true],
    ["unknown", "not_found_error", 404, /does not know this model/, true],
    ["gone", "not_found_error", 404, /end of life on 2026-05-14/, true],
    ["rateLimited", "rate_limit_error", 429, /Too Many Requests/, false],
    ["broken", "api_error", 500, /Inference connection error/, false],
    ["gateway", "overloaded_error", 529, /502 Bad Gateway/, false],
    ["busy", "overloaded_error", 529, /ResourceExhausted/, false],
    ["slow", "timeout_error", 504, /The upstream failed/, false],
  ];
  for (const [fault, type, status, says, final] of rows) {
    test(fault, () => {
      const { status: code = 0, body } = FAULTS[fault];
      const text = typeof body === "string" ? body : JSON.stringify(body);
      const error = toUpstreamError(code, text, "owner/model");
      assert.equal(error.type, type);
      assert.equal(error.status, status);
      assert.match(error.message, says);
      assert.match(error.message, /\(owner\/model, status \d+\)$/);
      assert.equal(error.headers["x-should-retry"], final ? "false" : undefined);
    });
  }
});

describe("retry-after is passed on", () => {
  const rows = [["5", "5"], ["0", "0"], ["2.1", "3"], ["61", "60"], ["86400", "60"], ["soon", undefined], [
    "",
    "0",
  ]] as const;
  for (const [given, expected] of rows) {
    test(`'${given}' as ${expected}`, () => {
      const error = toUpstreamError(429, "", "m", new Headers({ "retry-after": given }));
      assert.equal(error.headers["retry-after"], expected);
    });
  }
});

describe("toFaultText() finds the sentence in", () => {
  const rows: [body: string, expected: string][] = [
    ['{"error":{"message":"a","type":"b"}}', "a"],
    ['{"error":"a"}', "a"],
    ['{"message":"a"}', "a"],
    ['{"detail":"a","title":"b"}', "a"],
    ['{"detail":[{"msg":"a"}]}', '[{"msg":"a"}]'],
    ['{"title":"a"}', "a"],
    ['{"x":1}', '{"x":1}'],
    ["<html>\n<body><h1>502</h1> Bad\tGateway</body></html>", "502 Bad Gateway"],
    ["404 page not found\n", "404 page not found"],
    ["", ""],
    ["null", "null"],
    [`"${"x".repeat(5000)}"`, "x".repeat(1000)],
  ];
  for (const [body, expected] of rows) {
    test(body.slice(0, 40) || "nothing", () => assert.equal(toFaultText(body), expected));
  }
});
