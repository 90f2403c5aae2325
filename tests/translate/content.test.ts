import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toPartsOf, toText } from "../../lib/translate/content.ts";
import type { ContentBlockParam } from "../../lib/wire/anthropic.ts";

function translate(block: unknown, vision = true): { text: string; parts: unknown[]; warnings: string[] } {
  const warnings: string[] = [];
  const parts = toPartsOf([block as ContentBlockParam], { vision, warn: (warning) => void warnings.push(warning) });
  return { text: toText(parts), parts, warnings };
}

describe("images become", () => {
  const base64 = { type: "image", source: { type: "base64", media_type: "image/jpeg", data: "QUJD" } };
  const url = { type: "image", source: { type: "url", url: "https://example.org/a.png" } };

  test("a data URL", () => {
    const part = { type: "image_url", image_url: { url: "data:image/jpeg;base64,QUJD" } };
    assert.deepEqual(translate(base64).parts, [part]);
  });

  test("the URL they have", () => {
    const part = { type: "image_url", image_url: { url: "https://example.org/a.png" } };
    assert.deepEqual(translate(url).parts, [part]);
  });

  for (const block of [base64, url]) {
    test(`a note for a model that does not see (${block.source.type})`, () => {
      const { text, warnings } = translate(block, false);
      assert.match(text, /cannot see images/);
      assert.equal(warnings.length, 1);
    });
  }

  test("a note when the source is of an unknown kind", () => {
    assert.match(translate({ type: "image", source: { type: "file", file_id: "f" } }).text, /An image stood here/);
  });
});

describe("documents become", () => {
  test("a sentence that tells how to read a PDF", () => {
    const source = { type: "base64", media_type: "application/pdf", data: "A".repeat(4096) };
    const { text, warnings } = translate({ type: "document", source, title: "Report", context: "From Anna." });
    assert.match(text, /^From Anna\.\n\[A document "Report" \(application\/pdf, 3 kB\)/);
    assert.match(text, /pdftotext/);
    assert.equal(warnings.length, 1);
  });

  test("their text, when they are text", () => {
    const source = { type: "text", media_type: "text/plain", data: "Line" };
    assert.deepEqual(translate({ type: "document", source, context: "Notes" }), {
      text: "Notes\nLine",
      parts: [{ type: "text", text: "Notes\nLine" }],
      warnings: [],
    });
  });

  test("their blocks, when they are made of blocks", () => {
    assert.equal(translate({ type: "document", source: { type: "content", content: "Plain" } }).text, "Plain");
    const content = [{ type: "text", text: "A" }, { type: "text", text: "B" }];
    assert.equal(translate({ type: "document", source: { type: "content", content } }).text, "A\n\nB");
  });

  test("their text after their title and what is said of them, in whatever form it comes", () => {
    const content = [{ type: "text", text: "A" }, { type: "text", text: "B" }];
    const about = { type: "document", title: "Report", context: "From Anna." };
    const rows: [source: object, text: string][] = [
      [{ type: "text", media_type: "text/plain", data: "Line" }, "Report\nFrom Anna.\nLine"],
      [{ type: "content", content: "Line" }, "Report\nFrom Anna.\nLine"],
      [{ type: "content", content }, "Report\nFrom Anna.\n\nA\n\nB"],
    ];
    for (const [source, text] of rows) assert.equal(translate({ ...about, source }).text, text);
    assert.equal(translate({ type: "document", source: rows[2]![0], context: "C" }).text, "C\n\nA\n\nB");
  });

  test("a sentence with their address, when they are elsewhere", () => {
    const source = { type: "url", url: "https://example.org/a.pdf" };
    assert.match(translate({ type: "document", source }).text, /"https:\/\/example\.org\/a\.pdf"/);
  });
});

test("blocks nobody knows are passed as text, with a warning", () => {
  const { text, warnings } = translate({ type: "web_search_tool_result", content: [{ url: "u" }] });
  assert.equal(text, '[web_search_tool_result] {"content":[{"url":"u"}]}');
  assert.equal(warnings.length, 1);
});

test("empty text and absent content are nothing", () => {
  const options = { vision: false, warn: () => {} };
  for (const content of ["", undefined, null, [], [{ type: "text", text: "" }]] as const) {
    assert.deepEqual(toPartsOf(content as string, options), []);
  }
});
