import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readTextFile } from "../../lib/config/read_text_file.ts";

let path = "";
before(async () => void (path = join(await mkdtemp(join(tmpdir(), "arbiter-")), "text")));
after(() => rm(join(path, ".."), { recursive: true }));

describe("readTextFile() reads", () => {
  const text = "NVIDIA_API_KEY=nvapi-ä\r\n";
  const utf16 = [...`\ufeff${text}`].flatMap((sign) => [sign.charCodeAt(0) & 255, sign.charCodeAt(0) >> 8]);
  const rows: [name: string, written: string | Uint8Array, read: string][] = [
    ["UTF-8", text, text],
    ["UTF-8 with a byte order mark", `\ufeff${text}`, text],
    ["UTF-16, as PowerShell's > writes it", new Uint8Array(utf16), text],
    ["nothing", "", ""],
  ];
  for (const [name, written, read] of rows) {
    test(name, async () => {
      await writeFile(path, written);
      assert.equal(await readTextFile(path), read);
    });
  }
});

test("a file that is not there has the system's code", async () => {
  await assert.rejects(readTextFile(join(path, "..", "none")), { code: "ENOENT" });
});
