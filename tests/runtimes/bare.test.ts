/** The module as a thing to import: it needs nothing and does nothing until it is called. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { assertLegalStream, parseEvents } from "../support/grammar.ts";

const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
const child = fileURLToPath(new URL(`bare_child${extension}`, import.meta.url));

const MODULE = readFileSync("mod.ts", "utf8");

function run(): Promise<{ stdout: string; stderr: string }> {
  const flags = process.versions.deno ? ["run", "--allow-read", "--no-check", "--quiet"] : [];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [...flags, child], { timeout: 20_000 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${error.message}\n${stderr}`));
      else resolve({ stdout, stderr });
    });
  });
}

test("the module answers where no runtime's own globals exist; its import, and making a proxy, do nothing", async () => {
  const { stdout, stderr } = await run();
  const { left, added, done, made, health, whole, streamed } = JSON.parse(stdout);
  // Bun does not let its own name go; the last test looks for that.
  assert.deepEqual(left, process.versions.bun ? ["Bun"] : [], "globals that were to be taken away");
  assert.deepEqual(added, [], "globals added by the import");
  assert.deepEqual(done, [], "done by the import");
  assert.deepEqual(made, [], "done by making a proxy: Workers forbid it before the first request");
  assert.equal(health, 200);
  assert.equal(whole[0], 200);
  const message = JSON.parse(whole[1]);
  assert.deepEqual(message.content, [{ type: "text", text: "Hello" }]);
  assert.deepEqual([message.usage.input_tokens, message.usage.output_tokens], [5, 2]);
  assert.equal(streamed[0], 200);
  const answer = assertLegalStream(parseEvents(streamed[1]));
  assert.deepEqual(answer.content, [{ type: "text", text: "Hello" }]);
  assert.equal(stderr, "");
});

test("the module imports nothing but types", () => {
  const toImports = (text: string) => text.match(/^(?:import(?!\(| type )|export .* from ).*/gm) ?? [];
  assert.deepEqual(toImports(MODULE), []);
  assert.deepEqual(toImports(readFileSync(new URL(`../../mod${extension}`, import.meta.url), "utf8")), []);
  assert.deepEqual(toImports('import "a";\nimport type { B } from "b";\n  import("c");\n'), ['import "a";']);
});

test("the module asks for the runtime's own modules where it needs them only", () => {
  const names = [...MODULE.matchAll(/\bimport\("([^"]+)"\)/g)].map(([, name]) => name ?? "");
  assert.ok(names.length > 0);
  for (const name of names) assert.match(name, /^node:[\w/]+$/, "an import that needs an installation");
});

test("the module names no global of one runtime, nor a type that each has in another way", () => {
  // In Bun's types `fetch` has properties that no other function has.
  assert.doesNotMatch(MODULE, /\btypeof (?:globalThis\.)?fetch\b/);
  assert.doesNotMatch(MODULE, /\b(?:Bun|Deno)\??\.\w|\bglobalThis\.(?:Bun|Deno|process)\b/);
  assert.doesNotMatch(MODULE, /\b__(?:dirname|filename)\b|\brequire\(|\bBuffer\b/);
  assert.doesNotMatch(MODULE, /\bimport\.meta\.(?!main\b)/);
});
