import assert from "node:assert/strict";
import fc from "fast-check";
import { DIALECTS } from "../../lib/models/dialect_tables.ts";
import { FAMILIES, type Family } from "../../lib/models/families.ts";
import { ChunkTranslator, toMessageStart } from "../../lib/stream/chunk_translator.ts";
import { toMessage } from "../../lib/stream/message.ts";
import { SseDecoder } from "../../lib/stream/sse_decoder.ts";
import { ChatReader, readAnswer } from "../../lib/upstream/answer_reader.ts";
import type { MessageStreamEvent } from "../../lib/wire/anthropic.ts";
import { ApiError } from "../../lib/wire/errors.ts";
import { TOOLS } from "../dialects/vectors/vector.ts";
import { countingIds, joinDeltas, toSse } from "../support/answers.ts";
import { assertLegalStream, parseEvents } from "../support/grammar.ts";
import { ANSWERS, LEAKS } from "./samples.ts";
import { cut, DAMAGE, damage, fuzz, mutated } from "./support.ts";

type Read = { events: MessageStreamEvent[]; fault?: string };

const START = toMessageStart("msg_1", "m", 1);
/** A family for each dialect there is. */
const FAMILY_BY_DIALECT: readonly Family[] = Object.values(DIALECTS).map((dialect) =>
  FAMILIES.find((family) => family.dialect === dialect) ?? { name: "other", pattern: /x/, dialect, vision: false }
);
const FAMILY = fc.constantFrom(...FAMILY_BY_DIALECT);
const candidate = { model: "m", backend: { name: "b", baseUrl: "http://b/v1" } };

/** Reads an answer as the way from the host to the client does, without the time it takes. */
function read(reads: readonly Uint8Array[], family: Family): Read {
  const decoder = new SseDecoder();
  const reader = new ChatReader(new ChunkTranslator({ tools: TOOLS, family, newId: countingIds() }), candidate);
  const events: MessageStreamEvent[] = [START];
  const toData = (data: string[]) => data.map((text) => text.trim()).filter((text) => text !== "");
  try {
    for (const read of reads) {
      events.push(...readAnswer(() => reader.feed(toData(decoder.feed(read)))));
      if (reader.ended) break;
    }
    if (!reader.ended) events.push(...readAnswer(() => reader.feed(toData(decoder.flush()))));
    if (!reader.ended && !reader.finished) return { events, fault: "cut" };
    events.push(...readAnswer(() => reader.flush()));
    return { events };
  } catch (thrown) {
    // Anything else is a mistake of the code, which the client would be told of in words that mean nothing to it.
    assert.ok(thrown instanceof ApiError, String(thrown instanceof Error ? thrown.stack : thrown));
    return { events, fault: thrown.message };
  }
}

/** Checks the grammar as it is on the wire, and that a client which does not stream gets the same. */
function checkAnswer({ events, fault }: Read): void {
  const error = new ApiError("overloaded_error", fault ?? "");
  const all = fault === undefined ? events : [...events, error.toJSON()];
  const answer = assertLegalStream(
    parseEvents(
      all.map((event) => {
        return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
      }).join(""),
    ),
    fault === undefined ? "whole" : "error",
  );
  if (fault !== undefined) return;
  const { content, stop_reason } = toMessage(events, START.message);
  assert.equal(stop_reason, answer.stop_reason);
  assert.equal(content.length, answer.content.length);
  if (stop_reason !== "max_tokens") assert.deepEqual(content, answer.content);
}

fuzz(
  "whatever chunks a host sends, the answer is legal or one error, however it is cut",
  10,
  fc.tuple(mutated(ANSWERS, 4), FAMILY, DAMAGE, fc.constantFrom("\n", "\r\n", "\r")),
  ([json, family, places, newline]) => {
    const chunks: unknown = JSON.parse(json);
    const text = toSse(Array.isArray(chunks) ? chunks : [chunks]).replaceAll("\n", newline);
    const bytes = new TextEncoder().encode(text);
    const whole = read([bytes], family);
    checkAnswer(whole);
    const pieces = read(cut(bytes, places), family);
    checkAnswer(pieces);
    assert.equal(pieces.fault, whole.fault);
    if (whole.fault === undefined) assert.deepEqual(joinDeltas(pieces.events), joinDeltas(whole.events));
  },
);

fuzz(
  "whatever bytes a host sends, the answer is legal or one error",
  7,
  fc.tuple(fc.constantFrom(...ANSWERS), FAMILY, DAMAGE),
  ([chunks, family, changes]) => {
    const bytes = damage(new TextEncoder().encode(toSse(chunks)), changes);
    checkAnswer(read(cut(bytes, changes), family));
  },
);

fuzz(
  "a leak that is damaged and comes in pieces is legal or one error, in the host's text, thinking and calls alike",
  8,
  fc.tuple(
    fc.constantFrom(...LEAKS),
    FAMILY,
    DAMAGE,
    fc.constantFrom("content", "reasoning_content"),
    fc.constantFrom("stop", "length", "tool_calls"),
  ),
  ([[, text], family, changes, field, finish_reason]) => {
    const decoder = new TextDecoder();
    const pieces = cut(damage(new TextEncoder().encode(text), changes), changes).map((piece) => decoder.decode(piece));
    const chunks = pieces.map((piece) => ({ choices: [{ delta: { [field]: piece } }] }));
    const bytes = new TextEncoder().encode(toSse([...chunks, { choices: [{ delta: {}, finish_reason }] }]));
    checkAnswer(read([bytes], family));
  },
);
