import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readJson } from "../../lib/server/body.ts";

describe("the message about a body that is too long names the limit of", () => {
  const rows: [bytes: number, says: string][] = [
    [10_000, "0.009537"],
    [1.5 * 1024 ** 2, "1.5"],
    [32 * 1024 ** 2, "32"],
    [128 * 1024 ** 2, "128"],
    [1024 ** 3, "1024"],
  ];
  for (const [bytes, says] of rows) {
    test(`${says} MiB`, async () => {
      const request = { body: [{ byteLength: bytes + 1 }] } as unknown as Request; // None of it is looked at.
      await assert.rejects(readJson(request, bytes), { message: `Request exceeds the maximum size of ${says} MiB` });
    });
  }
});
