/**
 * Every defect that was seen in proxies of this kind when they were measured side by side (2026-11), and the case here
 * that it would fail. Most cases are in peers.test.ts; what only shows over sockets, or with large requests, is below.
 * What is a matter of time or memory is measured by `bench/` and `npm run soak`, not asserted.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import type { ScriptedAnswer, Step } from "../../mod.ts";
import { assertLegalStream, parseEvents } from "../support/grammar.ts";
import { createRig, MODEL, serveBytes, startRig, toBody, toChunk, toRequest, toSse, until } from "./harness.ts";

/** How the title of the case begins, by what was wrong; peers by name and the version that was seen. */
const DEFECTS: Record<string, Record<string, string>> = {
  "@musistudio/claude-code-router 1.0.73, 2.0.0, @musistudio/llms 1.0.53": {
    "usage is always 0, not asked for": "usage is asked for",
    "usage is 0 also when it comes unasked": "usage is exact when it comes",
    "interleaved parallel calls: deltas to closed blocks": "four parallel calls come out whole and apart",
    "calls without an index collapse": "four parallel calls come out whole and apart",
    "a call with the finish reason stop is an end_turn": "a call with the finish reason",
    "reasoning is dropped": "blocks begin at 0 and never overlap",
    "errors have another shape, and a stack trace": "an upstream's refusal is an error with its status",
    "retry-after is lost": "an upstream's refusal is an error with its status",
    "the upstream call goes on when the client has left": "the upstream call ends when the client leaves",
  },
  "luohy15/y-router 6ef40e4": {
    "usage is invented": "usage that nobody tells is estimated from the text, not invented",
    "interleaved calls are broken": "four parallel calls come out whole and apart",
    "the first tool block has the index 1": "blocks begin at 0 and never overlap",
    "length is an end_turn": "an answer that is too long is max_tokens",
    "the last turn's calls and results do not arrive": "every message of a long conversation arrives, in order",
    "an error in the middle is an end_turn": "in the middle of ${where} is never an end",
    "errors are passed on raw": "an upstream's refusal is an error with its status",
  },
  "okooo5km/nvidia-anthropic-proxy f4e9dce": {
    "user text beside tool results is dropped": "user text beside tool results is kept, after the results",
    "blocks overlap": "blocks begin at 0 and never overlap",
    "thinking has no signature": "thinking is signed before its block ends",
    "nothing ends the answer when the upstream breaks off": "in the middle of ${where} is never an end",
    "the process dies when a client hangs up": "the server goes on when a client hangs up",
  },
  "kiyo-e/claude-code-proxy 4850fd3": {
    "arguments in fragments are lost": "four parallel calls come out whole and apart",
    "a character that a read cuts is broken": "an answer may be cut between reads at every byte",
    "the index of a block comes again": "blocks begin at 0 and never overlap",
    "input usage is 0, output is guessed": "usage is exact when it comes",
    "tool results come behind the user's text": "user text beside tool results is kept, after the results",
  },
  "maxnowack/anthropic-proxy 6413b14": {
    "the process dies of a line that is cut between reads": "an answer may come byte by byte",
    "the process dies of a chunk with usage only": "usage is exact when it comes",
    "the process dies when the upstream breaks off": "the server goes on when an upstream breaks off",
    "413 above 1 MiB": "a request of 8 MB arrives whole",
  },
  "ChunkyMonkey11/Claudia-Router bf99131": {
    "nothing is streamed": "what a model says leaves before it is done",
    "500 above 1 MB": "a request of 8 MB arrives whole",
    "a 429 costs three tries and 14 seconds": "an upstream's refusal is an error with its status",
    "the error type is none of Anthropic's": "an upstream's refusal is an error with its status",
  },
  "claudish 10.1.1": {
    "interleaved calls become more": "four parallel calls come out whole and apart",
    "[DONE] reaches a client of Anthropic's format": "nothing of the upstream's own protocol reaches the client",
    "sampling is replaced, fields are added": "tools, system prompt and settings arrive as they are",
    "a sentence of the system prompt is taken out": "tools, system prompt and settings arrive as they are",
    "thinking has no signature": "thinking is signed before its block ends",
    "retry-after is lost": "an upstream's refusal is an error with its status",
  },
  "Alishahryar1/free-claude-code 747262a": {
    "a client that wants no stream gets one": "usage of an answer that is not streamed is exact",
    "errors come as the assistant's text": "an upstream's refusal is an error with its status",
    "a 429 holds up what comes after it": "a rate limit does not hold up what comes after it",
    "a broken answer is an end_turn": "in the middle of ${where} is never an end",
    "calls without an index are lost": "four parallel calls come out whole and apart",
    "of 128 streams some are empty": "of 128 streams at the same time none is empty",
  },
  "fuergaosi233/claude-code-proxy 9cc2e8c": {
    "user text beside tool results is dropped": "user text beside tool results is kept, after the results",
    "cached tokens are counted twice": "usage is exact when it comes",
    "an empty text block overlaps the calls": "blocks begin at 0 and never overlap",
    "an error is a status 200 that breaks off": "an upstream's refusal is an error with its status",
    "the upstream call goes on while it is silent":
      "the upstream call ends when the client hangs up while it is silent",
  },
  "khiwniti/nvd-claude-proxy b1e760f": {
    "output usage is 0": "usage is exact when it comes",
    "an error is a status 200 and an empty message": "an upstream's refusal is an error with its status",
    "descriptions of tools are cut": "tools, system prompt and settings arrive as they are",
    "the first system block is missing": "every block of the system prompt arrives",
    "max_tokens is cut": "tools, system prompt and settings arrive as they are",
    "another model gets long requests": "a long request goes to the model that was asked for",
    "ids of calls are rewritten": "every message of a long conversation arrives, in order",
  },
  "m0n0x41d/anthropic-proxy-rs a86ab86": {
    "422 for a tool result that is a list": "user text beside tool results is kept, after the results",
    "413 above 2 MB": "a request of 8 MB arrives whole",
    "a character that a read cuts is broken": "an answer may be cut between reads at every byte",
    "errors become 502": "an upstream's refusal is an error with its status",
  },
};

describe("a case stands for each defect of", () => {
  for (const [peer, defects] of Object.entries(DEFECTS)) {
    test(peer, async () => {
      const files = ["tests/runtimes/peers.test.ts", "tests/runtimes/peer_defects.test.ts"];
      const sources = (await Promise.all(files.map((file) => readFile(file, "utf8")))).join("");
      for (const [defect, title] of Object.entries(defects)) {
        const found = [...sources.matchAll(/\btest\(\s*["'`]([^\n]*)/g)].some(([, written = ""]) =>
          written.includes(title)
        );
        assert.ok(found, `${defect}: no case is called '${title}'`);
      }
    });
  }
});

const HELLO: ScriptedAnswer = { steps: [{ text: "Hello" }] };

function post(url: string, fields: object, signal?: AbortSignal): Promise<Response> {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify(toBody({ stream: true, ...fields }));
  return fetch(`${url}/v1/messages`, { method: "POST", headers, body, ...(signal ? { signal } : {}) });
}

async function readText(response: Response): Promise<string> {
  const { content } = assertLegalStream(parseEvents(await response.text()));
  return content.map((block) => block.type === "text" ? block.text : "").join();
}

test("the server goes on when a client hangs up at any time", async (t) => {
  const rig = await startRig(
    t,
    (_request, turn) => turn < 3 ? { steps: [{ text: "Once" }, { wait: Infinity }] } : HELLO,
  );
  for (const pieces of [0, 1, 2]) {
    const gone = new AbortController();
    const response = await post(rig.server.url, {}, gone.signal);
    const reader = response.body!.getReader();
    for (let i = 0; i < pieces; i++) await reader.read();
    gone.abort();
    await reader.read().catch(() => {});
    await until("the end of the call", () => rig.standIn.open === 0);
  }
  assert.equal(await readText(await post(rig.server.url, {})), "Hello");
});

test("the server goes on when an upstream breaks off before, in and behind an answer", async (t) => {
  const text: Step = { text: "Once" };
  const answers: ScriptedAnswer[] = [{ steps: [{ stop: "cut" }] }, { steps: [text, { stop: "cut" }] }, {
    steps: [text, { finish: "stop" }, { stop: "cut" }],
  }];
  const rig = await startRig(t, (_request, turn) => answers[turn] ?? HELLO);
  for (const _ of answers) await (await post(rig.server.url, {})).text().catch(() => {});
  assert.equal(await readText(await post(rig.server.url, {})), "Hello");
});

test("the upstream call ends when the client hangs up while it is silent, however early", async (t) => {
  const rig = await startRig(t, { delay: Infinity, ...HELLO }, { hold: 60_000 });
  const gone = new AbortController();
  const asked = post(rig.server.url, {}, gone.signal).catch(() => {});
  await until("the call", () => rig.calls.length === 1);
  gone.abort();
  await until("its end", () => rig.calls[0]!.signal.aborted);
  await asked;
});

test("a request of 8 MB arrives whole", async (t) => {
  const rig = await startRig(t, HELLO);
  const content = "line with ü and 🙂\n".repeat(400_000);
  assert.equal(await readText(await post(rig.server.url, { messages: [{ role: "user", content }] })), "Hello");
  assert.ok(rig.standIn.requests[0]?.messages[0]?.content === content, "the text differs");
});

test("what a model says leaves before it is done", async (t) => {
  const rig = await startRig(t, { steps: [{ text: "Once" }, { wait: Infinity }] });
  const gone = new AbortController();
  const response = await post(rig.server.url, {}, gone.signal);
  let text = "";
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    text += piece;
    if (text.includes('"text":"Once"')) break;
  }
  gone.abort();
  await until("the end of the call", () => rig.standIn.open === 0);
});

test("thinking is signed before its block ends", async () => {
  const rig = createRig({ steps: [{ reasoning: "Hm." }, { text: "Yes." }] });
  const { content } = assertLegalStream(
    parseEvents(await (await rig.arbiter.fetch(toRequest({ stream: true }))).text()),
  );
  assert.deepEqual(content[0], { type: "thinking", thinking: "Hm.", signature: "unsigned" });
});

test("every block of the system prompt arrives, in order", async () => {
  const rig = createRig(HELLO);
  const system = ["You are Claude Code.", "Be brief.", "The folder is /x."].map((text) => ({
    type: "text" as const,
    text,
  }));
  await (await rig.arbiter.fetch(toRequest({ system }))).text();
  const [message] = rig.standIn.requests[0]?.messages ?? [];
  assert.deepEqual(message, { role: "system", content: "You are Claude Code.\n\nBe brief.\n\nThe folder is /x." });
});

test("a long request goes to the model that was asked for", async () => {
  const rig = createRig(HELLO);
  const content = "word ".repeat(70_000);
  await (await rig.arbiter.fetch(toRequest({ messages: [{ role: "user", content }] }))).text();
  assert.deepEqual(rig.standIn.requests.map(({ model }) => model), [MODEL]);
});

test("a chunk with usage only, in the middle of nowhere, ends nothing", async () => {
  const usage = { choices: [], usage: { prompt_tokens: 9, completion_tokens: 3 } };
  const fetch = serveBytes(
    [usage, toChunk({ content: "Hel" }), usage, toChunk({ content: "lo" }, "stop"), usage, "[DONE]"].map(toSse),
  );
  const rig = createRig({}, { fetch });
  assert.equal(await readText(await rig.arbiter.fetch(toRequest({ stream: true }))), "Hello");
});
