import assert from "node:assert/strict";
import fc from "fast-check";
import { SseDecoder } from "../../lib/stream/sse_decoder.ts";
import { cut, DAMAGE, damage, fuzz } from "./support.ts";

/** The data of all events, by the standard's own words: lines, fields, a blank line ends an event. */
function decodeByStandard(bytes: Uint8Array): string[] {
  const lines = `${new TextDecoder().decode(bytes)}\n\n`.split(/\r\n|\r|\n/);
  const events: string[] = [];
  let data: string[] = [];
  for (const line of lines) {
    if (line === "") {
      if (data.length > 0) events.push(data.join("\n"));
      data = [];
    } else {
      const [, field, value] = /^([^:]*): ?([^]*)$/.exec(line) ?? []; // A bare `data` is of no use.
      if (field === "data") data.push(value!);
    }
  }
  return events;
}

const PIECE = fc.constantFrom(
  ...["data: ", "data:", "data", "data:  x", ": comment", "event: x", "id: 1", "retry: 1", "datax: y", "\ufeff", " "],
  ...[
    "\n",
    "\n\n",
    "\r",
    "\r\n",
    "\r\n\r\n",
    "\r\r",
    "é",
    "😀",
    "漢",
    '{"a":1}',
    "[DONE]",
    "\u2028",
    "\u0000",
    "a:b",
    ":",
  ],
);

fuzz(
  "any bytes are decoded as the standard says, however they are cut",
  12,
  fc.tuple(fc.array(PIECE, { maxLength: 24 }), DAMAGE),
  ([pieces, changes]) => {
    const bytes = damage(new TextEncoder().encode(pieces.join("")), changes);
    const expected = decodeByStandard(bytes);
    for (const reads of [[bytes], cut(bytes, changes), [...bytes].map((byte) => Uint8Array.of(byte))]) {
      const decoder = new SseDecoder();
      assert.deepEqual([...reads.flatMap((read) => decoder.feed(read)), ...decoder.flush()], expected);
    }
  },
);
