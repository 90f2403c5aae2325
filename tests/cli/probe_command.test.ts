import assert from "node:assert/strict";
import { test } from "node:test";
import { runProbe } from "../../lib/cli/probe_command.ts";
import { makeContext } from "./support.ts";

test("a key that no header can carry is a wrong configuration, not a host that cannot be reached", async () => {
  const context = await makeContext(["probe", "--json"], { env: { NVIDIA_API_KEY: "nvapi-…" } });
  await assert.rejects(runProbe(context), { name: "ConfigError", message: /^Cannot use the API key of 'nvidia'/ });
  assert.deepEqual(context.printed, []);
});
