/** Every fault of the hosts, wherever in an answer it comes, with one model, with a healthy second, with two that fail. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestLog, ScriptedAnswer, Step } from "../../mod.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { assertLegalStream, parseEvents } from "../support/grammar.ts";
import { checkReleased, CLAUDE_CODE, createRig, toRequest } from "./harness.ts";

/** A fault as a host writes it, the client's status when nobody else answers, whether nobody else is asked. */
type Row = [status: number, body: unknown, told: number, stops?: true];

const problem = (status: number, title: string, detail?: string) => ({ type: "about:blank", status, title, detail });
const EXHAUSTED = "ResourceExhausted: Worker local total request limit reached (16/16)";
const WINDOW = "This model's maximum context length is 32768 tokens. However, ";

const ROWS: Record<string, Row> = {
  "degraded": [400, problem(400, "Bad Request", "Function id 'f0': DEGRADED function cannot be invoked"), 529],
  "a rejected field": [400, problem(400, "Bad Request", "Validation: Unsupported parameter(s): `x`"), 400],
  "a bad request": [400, problem(400, "Bad Request", "messages: at least one is required"), 400, true],
  "no tools": [400, { error: { message: '"auto" tool choice requires --enable-auto-tool-choice', code: 400 } }, 400],
  "a cap": [400, problem(400, "Bad Request", "max_tokens must be less than or equal to 4096"), 400],
  "a bad key": [401, problem(401, "Unauthorized"), 401, true],
  "a bad key, empty": [401, "", 401, true],
  "used credits": [402, problem(402, "Payment Required"), 402, true],
  "no right to the model": [403, problem(403, "Forbidden", "Authorization failed"), 403],
  "no such function": [404, problem(404, "Not Found", "Function 'f0': Not found for account 'a0'"), 410],
  "no such page": [404, "404 page not found", 410],
  "gone": [410, problem(410, "Gone", "The model 'm' has reached its end of life on 2026-05-14T00:00:00Z"), 410],
  "a rate limit": [429, problem(429, "Too Many Requests"), 429],
  "a broken engine": [500, { error: "Inference connection error" }, 500],
  "a gateway's page": [502, "<html><head><title>502 Bad Gateway</title></head></html>", 529],
  "a full pool": [503, { error: { message: EXHAUSTED, type: "Service Unavailable", code: 503 } }, 529],
  "an empty 503": [503, "", 529],
  "an empty 504": [504, "", 504],
  "vLLM's overflow, old": [
    400,
    `${WINDOW}you requested 40000 tokens (36000 in the messages, 4000 in the completion).`,
    400,
  ],
  "vLLM's overflow, by messages": [400, `${WINDOW}your messages resulted in 199906 tokens`, 400],
  "vLLM's overflow, by request": [400, `${WINDOW}your request has 40000 input tokens.`, 400],
  "vLLM's overflow, negative": [400, "max_tokens must be at least 1, got -7232", 400],
  "vLLM's overflow, too large": [
    400,
    "'max_tokens' or 'max_completion_tokens' is too large: 1000. This model's maximum context length is 32768 tokens and " +
    "your request has 32000 input tokens (1000 > 32768 - 32000).",
    400,
  ],
  "SGLang's overflow": [
    400,
    {
      object: "error",
      message: "The input (61709 tokens) is longer than the model's context length (40960 tokens).",
      code: 400,
    },
    400,
  ],
  "TRT-LLM's overflow": [
    400,
    "The sum of prompt length (9351.0), query length (0) should not exceed max_num_tokens (8192)",
    400,
  ],
  "Triton's overflow": [400, "Prompt length (5056) exceeds maximum sequence length (2048)", 400],
};

function toText(body: unknown): string {
  if (typeof body === "string") return body;
  const { error, message = error, detail = message, title } = body as Record<string, unknown>;
  const inner = (error as { message?: unknown } | undefined)?.message;
  return String(inner ?? detail ?? title);
}

const CALL: Step = { deltas: [[{ index: 0, id: "a", function: { name: "Bash", arguments: '{"com' } }]] };

/** What comes before the fault in the answer; nothing where the fault is the answer. */
const PLACES: Record<string, Step[] | undefined> = {
  "before the headers": undefined,
  "after the headers": [],
  "after the first text": [{ text: "Half of" }],
  "in a tool call": [{ text: "Half of" }, CALL],
};

function toFailure([status, body]: Row, before: Step[] | undefined): ScriptedAnswer {
  if (!before) return { status, body };
  return { steps: [...before, { chunk: { error: { message: toText(body), code: status } } }] };
}

const TOOLS = [{ name: "Bash", input_schema: { type: "object" } }];
const HELLO: ScriptedAnswer = { steps: [{ text: "Hello" }] };

/** Sends Claude Code's request; tells the status, the text answered or `cut`, whom it cost, and the log. */
async function run(answers: ScriptedAnswer[], requests: number) {
  const logs: RequestLog[] = [];
  const clock = new FakeClock();
  const [model = "", ...fallbacks] = answers.map((_, i) => `test/${i + 1}`);
  const models = Object.fromEntries(answers.map((answer, i) => [`test/${i + 1}`, () => answer]));
  const options = { model, fallbacks, clock, hold: 60_000, standIn: { models } };
  const rig = createRig({}, { ...options, onRequest: (log) => void logs.push(log) });
  const seen: [status: number, answer: string][] = [];
  for (let i = 0; i < requests; i++) {
    const response = rig.arbiter.fetch(toRequest({ stream: true, tools: TOOLS }, { userAgent: CLAUDE_CODE }));
    const read = response.then(async (response) => {
      const text = await response.text().catch(() => "cut");
      if (text === "cut" || response.status !== 200) return [response.status, text] as [number, string];
      const { content } = assertLegalStream(parseEvents(text));
      return [200, content.map((block) => block.type === "text" ? block.text : block.type).join()] as [number, string];
    });
    await clock.advance(20_000);
    seen.push(await read);
  }
  await checkReleased({ ...rig, clock });
  return { seen, logs, asked: rig.calls.map(({ body }) => body.model).join(" ") };
}

for (const [what, row] of Object.entries(ROWS)) {
  const [, , told, stops = false] = row;
  for (const [where, before] of Object.entries(PLACES)) {
    const failure = toFailure(row, before);
    const begun = (before?.length ?? 0) > 0;
    test(`${what} ${where}, with one model`, async () => {
      const { seen: [[status, answer] = []], logs: [log], asked } = await run([failure], 1);
      assert.equal(asked, "test/1");
      assert.equal(status, begun ? 200 : told);
      assert.match(answer ?? "", begun ? /^cut$/ : /^\{"type":"error"/);
      assert.ok(log?.error, "nothing in the log");
    });

    test(`${what} ${where}, with a healthy second model`, async () => {
      const { seen, logs, asked } = await run([failure, HELLO], begun ? 2 : 1);
      if (stops && !begun) {
        assert.deepEqual([seen[0]?.[0], asked], [told, "test/1"]);
        return;
      }
      // An answer that had begun is cut, and Claude Code's own retry is the second request.
      assert.deepEqual(seen, begun ? [[200, "cut"], [200, "Hello"]] : [[200, "Hello"]]);
      assert.equal(asked, "test/1 test/2");
      assert.equal(logs.at(-1)?.model, "test/2");
      if (!begun) assert.match(`${logs[0]?.warnings}`, /test\/1/);
    });

    test(`${what} ${where}, with two models that fail`, async () => {
      const { seen: [[status] = []], asked } = await run([failure, failure], 1);
      assert.equal(status, begun ? 200 : told);
      assert.equal(asked, begun || stops ? "test/1" : "test/1 test/2");
    });
  }
}
