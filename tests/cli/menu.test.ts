import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Key, LEFT } from "../../lib/cli/line_state.ts";
import { type MenuRow, MenuState } from "../../lib/cli/menu.ts";
import { toModelId } from "../../lib/cli/model_id.ts";

const IDS = ["nvidia/nemotron-3-super-120b-a12b", "openai/gpt-oss-120b", "z-ai/glm-5.2"];

const toRows = (ids: readonly string[]): MenuRow[] => ids.map((id) => ({ id, state: "pending", note: "" }));
const createMenu = (ids: readonly string[] = IDS, usual = ids[0] ?? "") => new MenuState(toRows(ids), usual);

/** Keys by their names, anything else as it is typed. */
const NAMED = ["up", "down", "home", "end", "delete", "backspace", "return", "enter", "escape", "left", "tab", "f1"];
function toKeys(words: string): Key[] {
  return words.split(" ").filter(Boolean).flatMap((word): Key[] => {
    if (word === "space") return [{ name: word, text: " " }];
    if (NAMED.includes(word)) return [{ name: word }];
    if (/^ctrl-.$/.test(word)) return [{ name: word.slice(5), ctrl: true, text: "\x01" }];
    return [...word].map((text) => ({ text, name: text }));
  });
}

/** What the last of some keys comes to. */
function press(menu: MenuState, words: string): string | typeof LEFT | undefined {
  return toKeys(words).map((key) => menu.feed(key)).at(-1);
}

const [SUPER, OSS, GLM] = IDS;
const CHOICES: [keys: string, chosen: string | typeof LEFT | undefined][] = [
  ["return", SUPER],
  ["enter", SUPER],
  ["down return", OSS],
  ["down down up return", OSS],
  ["up return", SUPER],
  ["down down down down down up return", GLM],
  ["end up return", GLM],
  ["end home return", SUPER],
  ["2 return", OSS],
  ["3 1 return", SUPER],
  ["9 return", SUPER],
  ["3 0 return", GLM],
  ["3 left tab f1 return", GLM],
  ["glm return", GLM],
  ["GLM return", GLM],
  [".2 return", GLM],
  ["z-ai/glm-5.2 return", GLM],
  ["ai space 5.2 space return", GLM],
  ["gml backspace backspace backspace down return", OSS],
  ["glm ctrl-u return", SUPER],
  ["escape", LEFT],
  ["glm escape", LEFT],
  ["ctrl-c", LEFT],
  ["ctrl-d", LEFT],
  ["4 return", undefined],
  ["4 return owner/own return", "owner/own"],
  ["4 return own return", "own"],
  ["4 return ctrl-c", LEFT],
  ["4 return escape return", undefined],
  ["4 return escape home return", SUPER],
  ["4 return a|b return", undefined],
  ["4 return a|b return ctrl-u owner/own return", "owner/own"],
  ["owner/own return return", "owner/own"],
  ["delete return", OSS],
  ["delete delete delete return", undefined],
  ["end delete home return", SUPER],
];

describe("the menu chooses", () => {
  for (const [keys, chosen] of CHOICES) {
    test(`${chosen === LEFT ? "nothing and is left" : chosen ?? "nothing yet"} on ${keys}`, () => {
      assert.equal(press(createMenu(), keys), chosen);
    });
  }

  test("from more than nine with two digits", () => {
    const ids = Array.from({ length: 12 }, (_, i) => `owner/m${i + 1}`);
    assert.equal(press(createMenu(ids), "12 return"), "owner/m12");
    assert.equal(press(createMenu(ids), "1 down 2 return"), "owner/m2");
  });
});

describe("the menu remembers", () => {
  test("what was added and removed", () => {
    const menu = createMenu();
    press(menu, "2 delete end return owner/own return");
    assert.deepEqual([menu.added, menu.removed], [["owner/own"], [OSS]]);
  });

  test("no addition of what is there", () => {
    const menu = createMenu();
    assert.equal(press(menu, "4 return z-ai/glm-5.2 return"), GLM);
    assert.deepEqual(menu.added, []);
  });
});

describe("the menu shows", () => {
  test("badges, notes and the default", () => {
    const menu = createMenu();
    menu.mark(OSS!, { state: "ok", note: "12 ms" });
    menu.mark(GLM!, { state: "fail", note: "gone since 2026-05, try owner/next" });
    menu.mark("unknown", { state: "ok", note: "" });
    press(menu, "down");
    assert.deepEqual(menu.render(100, false), [
      "Which model shall Claude Code use?",
      "  1 [ .. ] nvidia/nemotron-3-super-120b-a12b  default",
      "> 2 [OK ]  openai/gpt-oss-120b                12 ms",
      "  3 [FAIL] z-ai/glm-5.2                       gone since 2026-05, try owner/next",
      "  4 Custom: any id or page address",
      "↑ ↓ or number moves, letters filter",
      "Enter chooses, Del removes, Esc leaves",
    ]);
  });

  test("everything in 40 columns, with notes in lines of their own and the ends of ids", () => {
    const menu = createMenu();
    menu.mark(GLM!, { state: "fail", note: "gone since 2026-05, try owner/next" });
    assert.deepEqual(
      menu.render(40, false),
      [
        "Which model shall Claude Code use?",
        "> 1 [ .. ] …/nemotron-3-super-120b-a12b",
        "           default",
        "  2 [ .. ] openai/gpt-oss-120b",
        "  3 [FAIL] z-ai/glm-5.2",
        "           gone since 2026-05, try",
        "           owner/next",
        "  4 Custom: any id or page address",
        "↑ ↓ or number moves, letters filter",
        "Enter chooses, Del removes, Esc leaves",
      ],
    );
  });

  test("nothing wider than the terminal, whatever is typed, nor higher", () => {
    const ids = Array.from({ length: 40 }, (_, i) => `owner/a-model-with-a-rather-long-name-${i}`);
    for (const columns of [20, 40, 80]) {
      for (const keys of ["", "end", "x".repeat(200), `end return ${"x".repeat(200)}`, "end return | return"]) {
        const menu = createMenu(ids);
        for (const id of ids) menu.mark(id, { state: "fail", note: "n".repeat(100) });
        press(menu, keys);
        for (const height of [6, 7, 12, 24, 80]) {
          const lines = menu.render(columns, false, height);
          assert.ok(lines.every((line) => line.length < columns), lines.join("\n"));
          assert.ok(lines.length <= Math.min(height, 23), `${lines.length} of ${height}`);
        }
      }
    }
  });

  test("the one under the cursor, however long the list is", () => {
    const menu = createMenu(Array.from({ length: 40 }, (_, i) => `owner/m${i + 1}`));
    press(menu, "30");
    assert.ok(menu.render(80, false).some((line) => /^> 30 \[ .. \] owner\/m30$/.test(line)));
    for (let i = 1; i <= 40; i++) menu.mark(`owner/m${i}`, { state: "fail", note: "why ".repeat(30) });
    assert.ok(menu.render(40, false).includes("> 30 [FAIL] owner/m30"));
    press(menu, "home");
    assert.match(menu.render(80, false)[1]!, /^> {2}1 /);
  });

  test("all of a long list where there can be no menu", () => {
    const lines = createMenu(Array.from({ length: 12 }, (_, i) => `owner/m${i + 1}`)).list();
    assert.deepEqual([lines.length, lines.at(-1)], [13, "  12 [ .. ] owner/m12"]);
  });

  test("only Custom where the list is empty", () => {
    const menu = createMenu([]);
    assert.match(menu.render(80, false)[1]!, /^> 1 Custom/);
    assert.equal(press(menu, "up delete return a/b return"), "a/b");
  });

  test("the filter, and what is wrong with an id", () => {
    const menu = createMenu();
    press(menu, "glm");
    assert.equal(menu.render(80, false)[1], "Filter: glm_");
    press(menu, "ctrl-u end return a|b return");
    assert.deepEqual(menu.render(80, false).slice(1, 3), ["> a|b_", "That is no model id."]);
  });

  test("colours as help only: without them the same text stands there", () => {
    const menu = createMenu();
    menu.mark(OSS!, { state: "ok", note: "12 ms" });
    const colored = menu.render(80, true);
    // deno-lint-ignore no-control-regex
    assert.deepEqual(colored.map((line) => line.replace(/\x1b\[\d+m/g, "")), menu.render(80, false));
    assert.ok(colored[2]!.includes("\x1b[32m[OK ]\x1b[0m"));
  });
});

describe("a plain answer", () => {
  const rows: [answer: string, id: string | undefined][] = [
    ["", SUPER],
    [" ", SUPER],
    ["2", OSS],
    ["0", undefined],
    ["4", undefined],
    ["owner/own", "owner/own"],
    ["a b", undefined],
  ];
  for (const [answer, id] of rows) {
    test(`'${answer}' means ${id}`, () => assert.equal(createMenu().pick(answer), id));
  }
});

describe("a model id", () => {
  const rows: [text: string, id: string | undefined][] = [
    [" owner/model:free ", "owner/model:free"],
    ["model", "model"],
    ["openrouter/owner/model", "openrouter/owner/model"],
    ["https://build.nvidia.com/moonshotai/kimi-k2-instruct-0905", "moonshotai/kimi-k2-instruct-0905"],
    ["https://build.nvidia.com/meta/llama-3_3-70b-instruct/modelcard?x=1#y", "meta/llama-3.3-70b-instruct"],
    ["build.nvidia.com/nvidia/llama-3_3-nemotron-super-49b-v1_5", "nvidia/llama-3.3-nemotron-super-49b-v1.5"],
    ["https://example.com/owner/model", undefined],
    ["https://build.nvidia.com/", undefined],
    ["", undefined],
    ["two words", undefined],
  ];
  for (const [text, id] of rows) {
    test(`of '${text}' is ${id}`, () => assert.equal(toModelId(text), id));
  }
});
