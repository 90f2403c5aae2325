/** What others name is shown in a terminal, and must not do anything there. */
import assert from "node:assert/strict";
import process from "node:process";
import { describe, test } from "node:test";
import { toModelLines } from "../../lib/cli/badges.ts";
import { createIo } from "../../lib/cli/io.ts";
import { MenuState } from "../../lib/cli/menu.ts";
import { toModelId } from "../../lib/cli/model_id.ts";
import { toStatusLines } from "../../lib/cli/status_command.ts";
import { formatRequestLog } from "../../lib/server/request_log.ts";
import { createStats } from "../../lib/server/stats.ts";
import { toUpstreamFault } from "../../lib/upstream/faults.ts";
import { toPrintable } from "../../lib/wire/printable.ts";

/** Clears the screen, sets the title, copies to the clipboard, turns the writing, overwrites the line. */
const EVIL = "a\x1b[2J\x1b]0;t\x07\x1b]52;c;ZQ==\x07\x9b31m\u202ecba\u2066\r\x08\x7f\tz";
// deno-lint-ignore no-control-regex
const LIVE = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

test("of a text only what can be read stays, and its lines", () => {
  assert.equal(toPrintable("ab c\nd é 漢 👩‍💻"), "ab c\nd é 漢 👩‍💻");
  assert.equal(toPrintable(EVIL), "a [2J ]0;t  ]52;c;ZQ==  31m cba     z");
  for (let code = 0; code < 0x3000; code++) assert.doesNotMatch(toPrintable(String.fromCharCode(code)), LIVE);
});

/** What is written to a stream meanwhile. */
function record(stream: NodeJS.WriteStream, run: () => void): string {
  const { write } = stream;
  let written = "";
  stream.write = ((text: string) => Boolean(written += text)) as typeof write;
  try {
    run();
  } finally {
    stream.write = write;
  }
  return written;
}

describe("nothing alive is written by", () => {
  test("print, whose second argument is for the terminal itself", async () => {
    const { print } = await createIo();
    assert.doesNotMatch(record(process.stdout, () => print(EVIL)), LIVE);
    assert.equal(record(process.stdout, () => print("x", "\x1b[2A")), "\x1b[2Ax\n");
    const json = JSON.stringify({ model: EVIL });
    assert.doesNotMatch(record(process.stdout, () => print(json)), LIVE);
  });

  test("tell", async () => {
    const { tell } = await createIo();
    assert.doesNotMatch(record(process.stderr, () => tell(`arbiter: ${EVIL}`)), LIVE);
  });

  test("the board of probe", () => {
    const lines = toModelLines({ id: EVIL, width: 80, state: "fail", note: EVIL }, Infinity, false);
    assert.doesNotMatch(lines.join("\n"), LIVE);
  });

  test("the menu", () => {
    const menu = new MenuState([{ id: EVIL, state: "ok", note: EVIL }], EVIL);
    assert.doesNotMatch([...menu.render(200, false), ...menu.list()].join("\n"), LIVE);
  });

  test("the log", () => {
    const line = formatRequestLog({
      id: EVIL,
      method: EVIL,
      path: EVIL,
      status: 200,
      ms: 1,
      asked: EVIL,
      model: EVIL,
      error: EVIL,
    });
    assert.doesNotMatch(line, LIVE);
    assert.doesNotMatch(line, /\n/);
  });

  test("status, of a program that says it is an Arbiter", async () => {
    const { print } = await createIo();
    const status = { ...createStats(0), name: "arbiter", version: EVIL, model: EVIL, kinds: { [EVIL]: 1 } } as const;
    const lines = toStatusLines({ ...status, models: { [EVIL]: 1 } }, 1, 0);
    assert.doesNotMatch(record(process.stdout, () => lines.forEach((line) => print(line))), LIVE);
  });
});

test("an error of a host that a client will show has nothing alive in it", () => {
  const backend = { name: "x", baseUrl: "https://x.example/v1" };
  for (const body of [EVIL, JSON.stringify({ error: { message: EVIL } })]) {
    for (const status of [400, 500]) {
      const { error } = toUpstreamFault(status, body, { model: EVIL, backend }).toJSON();
      assert.match(error.message, /cba/);
      assert.doesNotMatch(error.message, LIVE);
    }
  }
});

test("a model's id that is typed or pasted has no such signs", () => assert.equal(toModelId(EVIL), undefined));
