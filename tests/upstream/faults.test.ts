import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  FAULT_KINDS,
  type FaultFacts,
  type FaultKind,
  toOverflowError,
  toUpstreamFault,
  UpstreamFault,
} from "../../lib/upstream/faults.ts";
import { toApiError } from "../../lib/wire/errors.ts";
import { FAULTS } from "../support/faults.ts";

const M = { backend: { baseUrl: "http://host/v1" }, model: "m" };

function toProblem(detail: string): string {
  return JSON.stringify({ type: "about:blank", status: 400, title: "Bad Request", detail });
}

describe("toUpstreamFault() tells the client of", () => {
  const rows: [fault: keyof typeof FAULTS, kind: FaultKind, type: string, status: number, says: RegExp][] = [
    ["degraded", "degraded", "overloaded_error", 529, /DEGRADED/],
    ["unsupported", "rejected_field", "invalid_request_error", 400, /^Validation: Unsupported parameter/],
    [
      "unauthorized",
      "bad_key",
      "authentication_error",
      401,
      /^The upstream refused the API key, check its API key:/,
    ],
    ["forbidden", "unavailable", "permission_error", 403, /has no right to this model, check its API key: Authoriz/],
    ["unavailable", "unavailable", "not_found_error", 404, /^The model is not available to this account:/],
    [
      "unknown",
      "unavailable",
      "not_found_error",
      404,
      /^The upstream does not know this model, or its address is wrong: 404 page/,
    ],
    ["gone", "gone", "not_found_error", 404, /^The model is gone: .*end of life on 2026-05-14/],
    ["rateLimited", "rate_limited", "rate_limit_error", 429, /^Too Many Requests/],
    ["broken", "broken", "api_error", 500, /^Inference connection error/],
    ["gateway", "gateway", "overloaded_error", 529, /^502 Bad Gateway/],
    ["busy", "pool_full", "overloaded_error", 529, /^ResourceExhausted/],
    ["slow", "timeout", "timeout_error", 504, /^The upstream failed/],
  ];
  for (const [name, kind, type, status, says] of rows) {
    test(name, () => {
      const { status: code = 0, body } = FAULTS[name];
      const text = typeof body === "string" ? body : JSON.stringify(body);
      const fault = toUpstreamFault(code, text, { ...M, model: "owner/model" });
      assert.equal(fault.kind, kind);
      assert.equal(fault.type, type);
      assert.equal(fault.status, status);
      assert.match(fault.message, says);
      assert.ok(fault.message.endsWith(` (owner/model, status ${code})`), fault.message);
      assert.equal(fault.headers["x-should-retry"], FAULT_KINDS[kind].final ? "false" : undefined);
      assert.equal(toApiError(fault), fault);
    });
  }
});

describe("toUpstreamFault() classifies", () => {
  const busy = "ResourceExhausted: Worker local total request limit reached (288/48)";
  const forbidden = (...loc: unknown[]) => ({
    type: "extra_forbidden",
    loc,
    msg: "Extra inputs are not permitted",
    input: "DEGRADED function",
  });
  const python = "{'type': 'extra_forbidden', 'loc': ('body', 'thinking'), 'msg': 'Extra inputs are not permitted', " +
    "'input': {'a': \"b's\"}}";
  const rows: [status: number, body: string, kind: FaultKind, facts?: FaultFacts][] = [
    // Of the account
    [401, "", "bad_key"],
    [401, '{"status":401,"title":"Unauthorized"}', "bad_key"],
    [400, '[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key."}}]', "bad_key"],
    [400, '{"code":"invalid argument","error":"Incorrect API key provided: na***ys. You can obtain one"}', "bad_key"],
    [400, "messages.0: Incorrect API key provided", "bad_request"],
    [402, "", "bad_key"],
    ...[[31_886, "output_cap", { cap: 31_886 }], [9_999, "bad_key", {}]].map(([credit, kind, facts]) =>
      [
        402,
        "This request requires more credits, or fewer max_tokens. You requested up to 32000 tokens, but can only " +
        `afford ${credit}. To increase, visit`,
        kind,
        facts,
      ] as [number, string, FaultKind, FaultFacts]
    ),
    [403, "<html><body>403 Forbidden</body></html>", "unavailable"],
    [429, "", "rate_limited"],
    [429, "Rate limit: model's maximum context length is 8 tokens", "rate_limited"],
    [
      429,
      "Rate limit reached for gpt-5 on tokens per min (TPM): Limit 30000, Used 20000, Requested 15000.",
      "rate_limited",
    ],
    ...[413, 429].map((status): [number, string, FaultKind, FaultFacts] => [
      status,
      "Request too large for gpt-5 on tokens per min (TPM): Limit 30000, Requested 36741. The input or output tokens must",
      "context_overflow",
      { limit: 30_000, total: 36_741 },
    ]),
    [
      429,
      '[{"error":{"code":429,"message":"Quota exceeded for metric: a\\nPlease retry in 37.8s."}}]',
      "rate_limited",
      {
        retryAfter: 37_800,
      },
    ],
    [429, "Rate limit reached for m. Please try again in 7.66s. Visit", "rate_limited", { retryAfter: 7_660 }],
    [429, "Please try again in 350ms, or in 6m0s", "rate_limited"],
    // Of the model
    [400, '{"detail":"Function id \'f\': DEGRADED function cannot be invoked"}', "degraded"],
    [500, "DEGRADED function id=f", "degraded"],
    [404, "", "unavailable"],
    [401, '{"type":"error","error":{"type":"ModelError","message":"Model a-free is not supported"}}', "unavailable"],
    [401, '{"type":"ModelError","message":"Free promotion has ended for A. You can continue"}', "unavailable"],
    ...[
      '{"error":{"message":"owner/a:free is not a valid model ID","code":400},"user_id":"user_0"}',
      '{"error":{"message":"Invalid model identifier \\"a\\". Please specify a valid downloaded model","param":"model"}}',
      '{"error":"No models loaded. Please load a model in the developer page or use the \'lms load\' command."}',
      '{"error":{"message":"Model Not Exist","type":"invalid_request_error","param":null}}',
      '{"code":20012,"message":"Model does not exist. Please check it carefully.","data":null}',
      '{"object":"error","message":"Invalid model: a","type":"invalid_model","param":null,"code":"1500"}',
      '{"error":{"code":"1211","message":"Unknown Model, please check the model code."}}',
    ].map((body): [number, string, FaultKind] => [400, body, "unavailable"]),
    [400, "messages.0: a is not a valid model ID", "bad_request"],
    [400, '{"error":{"message":"The model `a` has been decommissioned and is no longer supported. Please"}}', "gone"],
    [410, "", "gone"],
    [410, toProblem("The model 'm' has reached its end of life on 2026-05-14T00:00:00Z"), "gone", {
      until: Date.UTC(2026, 4, 14),
    }],
    [400, toProblem("The model 'm' has reached its end of life on 2026-99-99"), "gone"],
    [503, JSON.stringify({ error: { message: busy, type: "Service Unavailable", code: 503 } }), "pool_full"],
    [503, `{'error':{'message':'${busy}','type':'Service Unavailable','code':503}}`, "pool_full"],
    [500, busy, "pool_full"],
    [429, busy, "pool_full"],
    [200, JSON.stringify({ error: busy }), "pool_full"],
    // Of the host
    [500, "Inference connection error", "broken"],
    [500, '{"error":{"message":"Internal server error"}}', "broken"],
    [500, "", "broken"],
    [418, "", "broken"],
    [502, "", "gateway"],
    [400, 'Failed to load model "a". Error: Operation canceled.', "gateway"],
    [503, "Service temporarily overloaded", "gateway"],
    [500, "Service temporarily overloaded", "gateway"],
    [529, "", "gateway"],
    [408, "", "timeout"],
    [504, "<html></html>", "timeout"],
    [500, '{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}', "rate_limited"],
    [500, "Decode wall clock timeout after 600s", "timeout"],
    [500, '{"error":"peer closed connection (incomplete chunked read)"}', "cut"],
    // Of the request
    [400, "", "bad_request"],
    [422, "null", "bad_request"],
    [413, "<html></html>", "bad_request"],
    [400, "Tool call id was ns.bash:0 but must be a-z, A-Z, 0-9, with a length of 9.", "bad_request"],
    [400, "messages.0.content: String should have at least 1 character", "bad_request"],
    [400, "max_tokens must be at least 1, got 0", "bad_request"],
    [
      400,
      JSON.stringify({
        error: {
          message: "Provider returned error",
          code: 400,
          metadata: { raw: JSON.stringify({ error: { message: "prompt is too long: 9000 tokens > 8000 maximum" } }) },
        },
      }),
      "context_overflow",
      { used: 9000, limit: 8000 },
    ],
    // Groq, of what its model has written
    [
      400,
      "Failed to call a function. Please adjust your prompt. See 'failed_generation' for more details.",
      "degenerate",
    ],
    [400, "Tool call validation failed: attempted to call tool 'x' which was not in request.tools", "degenerate"],
    [400, "Parsing failed. The model generated output that could not be parsed.", "degenerate"],
    [400, '{"error":{"message":"registry.ollama.ai/library/gemma3:4b does not support tools"}}', "no_tools"],
    [404, '{"error":{"message":"No endpoints found that support tool use. To learn more"}}', "no_tools"],
    [
      404,
      `{"error":{"message":"No endpoints found that support the provided 'tool_choice' value."}}`,
      "rejected_field",
      { fields: ["tool_choice"] },
    ],
    [400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', "no_tools"],
    [400, toProblem("Validation: Unsupported parameter(s): `a`, `b`"), "rejected_field", { fields: ["a", "b"] }],
    [422, JSON.stringify({ detail: [forbidden("body", "x"), forbidden("body", "y")] }), "rejected_field", {
      fields: ["x", "y"],
    }],
    [400, JSON.stringify([forbidden("body", "messages", 0, "user", "name")]), "rejected_field", {
      fields: ["messages.0.user.name"],
    }],
    [400, JSON.stringify({ error: { message: `[${python}]` } }), "rejected_field", { fields: ["thinking"] }],
    [
      400,
      JSON.stringify({ error: { message: `1 validation error:\n  ${python}\n\n  File "a.py", line 1` } }),
      "rejected_field",
      {
        fields: ["thinking"],
      },
    ],
    [400, "max_tokens must be less than or equal to 8192", "output_cap", { cap: 8192 }],
    [
      400,
      JSON.stringify({ detail: [{ loc: ["body", "max_tokens"], msg: "Input should be less than or equal to 4096" }] }),
      "output_cap",
      {
        cap: 4096,
      },
    ],
    [
      400,
      `{"object":"error","message":"The input (61709 tokens) is longer than the model's context length (40960 tokens).","code":400}`,
      "context_overflow",
      {
        limit: 40960,
        used: 61709,
      },
    ],
    [
      500,
      "The sum of prompt length (9351.0), query length (0) should not exceed max_num_tokens (8192)",
      "context_overflow",
      {
        limit: 8192,
        used: 9351,
      },
    ],
    [
      400,
      `Error code: 400 - {'error': {'message': "This model's maximum context length is 9 tokens", 'param': None}}`,
      "context_overflow",
      {
        limit: 9,
      },
    ],
    [400, "Prompt length (5056) exceeds maximum sequence length (2048)", "context_overflow", {
      limit: 2048,
      used: 5056,
    }],
    [400, "Requested token count exceeds the model's maximum context length of 32768 tokens.", "context_overflow", {
      limit: 32768,
    }],
    [400, "max_tokens must be at least 1, got -9000", "context_overflow"],
    [413, "prompt is too long: 5 tokens > 4 maximum", "context_overflow", { limit: 4, used: 5 }],
    [400, "context_length_exceeded", "context_overflow"],
    [400, "This exceeds the available context size", "context_overflow"],
    [400, "The number of tokens to keep is greater than the context length", "context_overflow"],
    [400, "Try to load the model with a larger context length, or provide a shorter input", "context_overflow"],
    [400, "Please reduce the length of the messages", "context_overflow"],
  ];
  for (const [status, body, kind, facts = {}] of rows) {
    test(`${status} '${body}' as ${kind}`, () => {
      const fault = toUpstreamFault(status, body, M);
      assert.deepEqual([fault.kind, fault.facts], [kind, facts]);
    });
  }
});

describe("the client gets its own type of", () => {
  const rows: [status: number, body: string, type: string, code: number][] = [
    [402, "", "billing_error", 402],
    [403, "", "permission_error", 403],
    [413, "", "request_too_large", 413],
    [500, "Prompt length (5056) exceeds maximum sequence length (2048)", "invalid_request_error", 400],
  ];
  for (const [status, body, type, code] of rows) {
    test(`${status} '${body}'`, () => {
      const fault = toUpstreamFault(status, body, M);
      assert.deepEqual([fault.type, fault.status], [type, code]);
    });
  }
});

test("what is to be checked is the variable of the host's own key", () => {
  for (const status of [401, 402, 403]) {
    const candidate = { ...M, backend: { ...M.backend, keyName: "OPENROUTER_API_KEY" } };
    assert.match(toUpstreamFault(status, "", candidate).message, /, check OPENROUTER_API_KEY \(m, status \d+\)$/);
    assert.match(toUpstreamFault(status, "", M).message, /, check its API key \(m, status \d+\)$/);
  }
});

test("a free model that only its host's own client may ask is not said to want another key", () => {
  const message = "Error from provider (Console): OpenCode's free tier can only be used from within OpenCode";
  const fault = toUpstreamFault(403, JSON.stringify({ error: { type: "FreeTierError", message } }), M);
  assert.match(fault.message, /^The model is not available to this account: .*within OpenCode/);
});

describe("what a user wrote is no fault", () => {
  const words = "Why does NIM say: DEGRADED function cannot be invoked, or ResourceExhausted, max_tokens at most 5?";
  const error = `{'error': {'message': 'ResourceExhausted'}}`;
  const rows: [body: string][] = [
    [JSON.stringify({
      detail: [{ loc: ["body", "messages"], msg: "Input should be a list", input: "DEGRADED function" }],
    })],
    [JSON.stringify({ detail: [{ loc: ["body"], msg: "Invalid", ctx: { error: "DEGRADED function" } }] })],
    [toProblem(`Invalid content: "${words}"`)],
    [toProblem(`Invalid content: '${words}' is no list`)],
    [toProblem(`Invalid content: \`${words}\``)],
    [toProblem(`Invalid content: "${words}`)],
    [toProblem(`Invalid content: 'it\\'s "${words}" isn't'`)],
    [toProblem(`Cannot use the model's template on the user's '${words}'`)],
    [toProblem(`Invalid content: "It logged ${error}, and then ${error}."`)],
    [toProblem(`Invalid request ${"x".repeat(600)} DEGRADED function`)],
    [`1 validation error for Message content Invalid [type=str, input_value={'a': 'DEGRADED function'}, input_type=dict]`],
    [JSON.stringify({ request: { messages: ["DEGRADED function"] } })],
    [JSON.stringify({
      error: { message: "[{'type': 'list', 'loc': ('body',), 'msg': 'No', 'input': 'DEGRADED function'}]" },
    })],
  ];
  for (const [body] of rows) {
    test(body.slice(0, 80), () => assert.equal(toUpstreamFault(400, body, M).kind, "bad_request"));
  }

  test("and a short name in quotes hides nothing of what follows", () => {
    const body = "The 'messages' of \"m\" don't fit: the model's maximum context length is 8192 tokens";
    assert.equal(toUpstreamFault(400, body, M).facts.limit, 8192);
  });
});

describe("retry-after is passed on", () => {
  const now = Date.UTC(2026, 8, 1, 12);
  const rows: [given: string, header?: string, facts?: number][] = [
    ["5", "5", 5_000],
    ["0", "0", 0],
    ["2.1", "3", 2_100],
    ["61", "60", 61_000],
    ["86400", "60", 600_000],
    ["9".repeat(400), "60", 600_000],
    ["Tue, 01 Sep 2026 12:00:07 GMT", "7", 7_000],
    ["Tue, 01 Sep 2026 11:00:00 GMT", "0", 0],
    ["Tue, 01 Sep 2099 11:00:00 GMT", "60", 600_000],
    ["Tue, 99 Sep 2026 12:00:00 GMT"],
    ["soon"],
    ["-1"],
    ["-5"],
    ["1e3"],
    ["Infinity"],
    [""],
  ];
  for (const [given, header, facts] of rows) {
    test(`'${given.slice(0, 40)}' as ${header}`, () => {
      const fault = toUpstreamFault(429, "", M, new Headers({ "retry-after": given }), now);
      assert.deepEqual([fault.headers["retry-after"], fault.facts.retryAfter], [header, facts]);
    });
  }
});

test("a fault of our own finding has its kind's type and headers", () => {
  for (const [kind, { type, final }] of Object.entries(FAULT_KINDS)) {
    const fault = new UpstreamFault(kind as FaultKind, "It failed", { retryAfter: 1 });
    assert.deepEqual(fault.toJSON(), { type: "error", error: { type, message: "It failed" } });
    assert.equal(fault.name, "ApiError");
    assert.deepEqual(fault.headers, { "retry-after": "1", ...(final ? { "x-should-retry": "false" } : {}) });
  }
});

describe("an overflow is told in the words Claude Code compacts on", () => {
  test("with its numbers", () => {
    const error = toOverflowError(61709, 40960);
    assert.deepEqual([error.status, error.type], [400, "invalid_request_error"]);
    assert.equal(error.message, "prompt is too long: 61709 tokens > 40960 maximum");
  });

  test("and without", () => {
    const { status, message } = toUpstreamFault(400, "max_tokens must be at least 1, got -9", M);
    assert.equal(status, 400);
    assert.equal(message, "prompt is too long: max_tokens must be at least 1, got -9 (m, status 400)");
  });
});

describe("no body is too much", () => {
  const size = 1_000_000;
  const bodies = [..." \"'`<[{(\\a0,.:_\n\t-"].map((char) => char.repeat(size));
  bodies.push(...['"a', "'a ", '["', "{'a':", " '", "<html>", "Unsupported parameter: a, ", "max_tokens maximum "].map(
    (text) => text.repeat(size / text.length),
  ));
  bodies.push("[".repeat(size / 2) + "]".repeat(size / 2), '{"error":'.repeat(9999) + "1" + "}".repeat(9999));
  bodies.push(`{"detail":[{"loc":${"[".repeat(9999)}${"]".repeat(9999)},"msg":"a"}]}`);
  for (const body of bodies) {
    test(`1 MB of ${JSON.stringify(body.slice(0, 12))} is read`, () => {
      for (const text of [body, JSON.stringify({ detail: body }), `<html>${body}`, `a ${body}`]) {
        assert.ok(toUpstreamFault(400, text, M).message.length < 1100);
      }
    });
  }

  test("random ones included", () => {
    const parts = [
      '"',
      "'",
      "`",
      "{",
      "}",
      "[",
      "]",
      ":",
      ",",
      "\\",
      "<html>",
      "input_value=",
      "Error code: 1 - ",
      "\0",
    ];
    parts.push('{"error":', '"detail":', "'loc': ('body',", "'msg': ", "null", "max_tokens at most 5", "\ud800", " ");
    let seed = 1;
    const random = (below: number) => (seed = seed * 48271 % 2147483647) % below;
    for (let i = 0; i < 5000; i++) {
      const body = Array.from({ length: random(40) }, () => parts[random(parts.length)]).join("");
      const bytes = Uint8Array.from({ length: random(60) }, () => random(256));
      for (const text of [body, new TextDecoder().decode(bytes), `{"detail":"${body}`]) {
        const { kind, facts } = toUpstreamFault(random(600), text, M);
        assert.ok(kind in FAULT_KINDS);
        for (const fact of [facts.limit, facts.used, facts.cap]) assert.ok(fact === undefined || fact > 0);
      }
    }
  });
});

describe("a key that a host repeats is in no error:", () => {
  const apiKey = "nvapi-a-long-secret";
  const rows: [status: number, body: string, says: RegExp][] = [
    [
      401,
      `{"error":{"message":"Incorrect API key provided: ${apiKey}."}}`,
      /provided: NVIDIA_API_KEY\. \(m, status 401\)$/,
    ],
    [403, `Bearer ${apiKey} has no right`, /Bearer NVIDIA_API_KEY has no right/],
    [500, `${apiKey} ${apiKey}`, /NVIDIA_API_KEY NVIDIA_API_KEY/],
    [429, "nothing secret", /nothing secret/],
  ];
  for (const [status, body, says] of rows) {
    test(body, () => {
      const backend = { ...M.backend, apiKey, keyName: "NVIDIA_API_KEY" };
      const { message } = toUpstreamFault(status, body, { ...M, backend });
      assert.match(message, says);
      assert.ok(!message.includes(apiKey));
    });
  }

  test("a placeholder is no secret", () => {
    const { message } = toUpstreamFault(500, "key not ok", { ...M, backend: { ...M.backend, apiKey: "k" } });
    assert.match(message, /^key not ok/);
  });
});
