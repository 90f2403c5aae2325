import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { createArbiter } from "../../lib/arbiter.ts";
import { type ModelLimits, readModelChoice } from "../../lib/cli/model_choice.ts";
import { toCandidate } from "../../lib/routing/catalog.ts";
import type { RouterOptions } from "../../lib/routing/routing_options.ts";
import type { Env } from "../../lib/config/settings.ts";
import { createMemoryStore } from "../../lib/store/memory_store.ts";
import { LearnedFacts } from "../../lib/upstream/learned.ts";
import { systemClock } from "../../lib/wire/clock.ts";
import { openStore } from "../../lib/cli/open_store.ts";
import { makeContext } from "./support.ts";

async function readLimits(options: RouterOptions, env: Env = {}, typed: string[] = []): Promise<ModelLimits> {
  const context = await makeContext(["env", ...typed], { env });
  const store = await openStore(context, assert.fail);
  const { contextTokens, outputTokens } = await readModelChoice(createArbiter(options).router.catalog, context, store);
  return { contextTokens: contextTokens!, ...(outputTokens === undefined ? {} : { outputTokens }) };
}

describe("readModelChoice()", () => {
  test("names the model for the main work and those of the tiers", async () => {
    const options = { model: "nvidia/nemotron-3-super-120b-a12b", tiers: { haiku: "openai/gpt-oss-20b" } };
    const context = await makeContext(["env"]);
    const { elite, tiers } = await readModelChoice(createArbiter(options).router.catalog, context, createMemoryStore());
    assert.equal(elite, "nvidia/nemotron-3-super-120b-a12b");
    assert.equal(tiers.haiku, "openai/gpt-oss-20b");
  });

  const own = { id: "own/model", context: 65_536, maxOutput: 65_536 };
  const rows: [about: string, limits: ModelLimits, options: RouterOptions, env?: Env, typed?: string[]][] = [
    ["the window of the roster", { contextTokens: 262_144 }, { model: "nvidia/nemotron-3-super-120b-a12b" }],
    ["a usual window for a model nobody knows", { contextTokens: 131_072 }, { model: "who/knows" }],
    [
      "a small output of the model",
      { contextTokens: 1_000_000, outputTokens: 16_384 },
      { model: "minimaxai/minimax-m3" },
    ],
    [
      "what the config file says, and a quarter of a small window at most",
      { contextTokens: 65_536, outputTokens: 16_384 },
      { model: "own/model", models: [own] },
    ],
    ["the user's limit", { contextTokens: 131_072, outputTokens: 4096 }, { model: "who/knows" }, {}, ["-t", "4096"]],
    [
      "the hard limit of an earlier tool",
      { contextTokens: 131_072, outputTokens: 2048 },
      { model: "who/knows" },
      { NCP_HARD_MAX_TOKENS: "2048" },
    ],
    [
      "what Claude Code is to ask for, if somebody has said so",
      { contextTokens: 131_072, outputTokens: 65_536 },
      { model: "who/knows" },
      { NCP_CLAUDE_CODE_MAX_OUTPUT_TOKENS: "65536" },
    ],
  ];
  for (const [about, limits, options, env, typed] of rows) {
    test(`tells ${about}`, async () => assert.deepEqual(await readLimits(options, env, typed), limits));
  }

  test("believes what the model has taught more than the roster", async () => {
    const folder = await mkdtemp(join(tmpdir(), "arbiter-"));
    try {
      const env = { XDG_STATE_HOME: folder };
      const options = { model: "nvidia/nemotron-3-super-120b-a12b" };
      const { catalog } = createArbiter(options).router;
      const store = await openStore(await makeContext(["env"], { env }), assert.fail);
      const learned = new LearnedFacts(store, systemClock);
      learned.learn(toCandidate(catalog.elite, catalog), { context: 98_304, maxOutput: 8192 });
      await store.set("last", true); // Changes are written in their order.
      assert.deepEqual(await readLimits(options, env), { contextTokens: 98_304, outputTokens: 8192 });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
