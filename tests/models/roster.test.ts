import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DEFAULT_MODELS, type ModelRow, ROSTER, toModel, toSuccessors } from "../../lib/models/roster.ts";

const ids = new Set(ROSTER.map(({ id }) => id));

describe("the roster", () => {
  test("has each id once, whatever its case", () => {
    assert.equal(new Set(ROSTER.map(({ id }) => id.toLowerCase())).size, ROSTER.length);
  });

  test("has a row for every successor", () => {
    for (const { id, successor } of ROSTER) assert.ok(successor === undefined || ids.has(successor), id);
  });

  test("leads from every model that is gone to one that is not", () => {
    for (const { id, gone } of ROSTER) {
      const chain = toSuccessors(id);
      assert.ok(!chain.includes(id), `${id} leads to itself`);
      if (gone) assert.ok(chain.some((next) => !toModel(next).gone), id);
      assert.equal(toModel(chain.at(-1) ?? id).gone, undefined, id);
    }
  });

  test("says when a model ended as a day or a month, and who took its place", () => {
    for (const { id, gone, successor } of ROSTER) {
      if (gone === undefined) continue;
      assert.match(gone, /^\d{4}-\d\d(-\d\d)?$/, id);
      assert.ok(successor, id);
    }
  });

  test("knows the family of all but a few", () => {
    const strangers = ROSTER.filter(({ id }) => toModel(id).family.name === "unknown").map(({ id }) => id);
    const expected = ["big-pickle", "ring-2.6-1t-free", "arcee-ai/trinity-large-preview:free", "local-model"];
    assert.deepEqual(strangers, expected);
  });

  test("has only limits that make sense", () => {
    for (const { id } of ROSTER) {
      const { context, maxOutput } = toModel(id);
      assert.ok(context >= 4096 && maxOutput >= 2048, id);
      assert.ok(context === Infinity || maxOutput === Infinity || maxOutput <= context, id);
    }
  });

  test("has the models that are used when nobody chooses, and they are there", () => {
    const { elite, speed, fallbacks } = DEFAULT_MODELS;
    for (const id of [elite, speed, ...fallbacks]) {
      assert.ok(ids.has(id), id);
      assert.deepEqual([toModel(id).gone, toModel(id).tools], [undefined, true], id);
    }
  });
});

describe("of the models of earlier tools is known", () => {
  const rows: [id: string, instead?: string][] = [
    // Arbiter
    ["moonshotai/kimi-k2-instruct-0905", "moonshotai/kimi-k3"],
    ["moonshotai/kimi-k2.5", "moonshotai/kimi-k3"],
    ["mistralai/mistral-large-3-675b-instruct-2512", "mistralai/mistral-small-4-119b-2603"],
    ["qwen/qwen3-coder-480b-a22b", "qwen/qwen3.5-122b-a10b"],
    ["meta/llama-3.3-70b-instruct", "meta/llama-3.1-70b-instruct"],
    ["deepseek/deepseek-r1-0528", "deepseek-ai/deepseek-v4-flash-0731"],
    // nvd-claude-proxy
    ["meta/llama-4-maverick-17b-128e-instruct", "google/gemma-4-31b-it"],
    ["meta/llama-4-scout-17b-16e-instruct", "google/gemma-4-31b-it"],
    ["deepseek-ai/deepseek-v4-flash", "deepseek-ai/deepseek-v4-flash-0731"],
    ["deepseek-ai/deepseek-v4-pro", "deepseek-ai/deepseek-v4-pro-0813"],
    ["deepseek-ai/deepseek-r1", "deepseek-ai/deepseek-v4-flash-0731"],
    ["qwen/qwen3-coder-480b-a35b-instruct", "qwen/qwen3.5-122b-a10b"],
    ["qwen/qwen3-235b-a22b", "qwen/qwen3.5-122b-a10b"],
    ["nvidia/llama-3.3-nemotron-super-49b-v1.5"],
    ["nvidia/nemotron-3-nano-30b-a3b"],
    ["mistralai/mistral-small-4-119b-2603"],
    ["google/gemma-4-31b-it"],
    ["minimaxai/minimax-m2.7", "minimaxai/minimax-m3"],
    // Claudia-Router
    ["stepfun-ai/step-3.5-flash", "stepfun-ai/step-3.7-flash"],
    ["z-ai/glm4.7", "z-ai/glm-5.2"],
    ["qwen/qwen3.5-122b-a10b"],
    ["nvidia/nemotron-mini-4b-instruct"],
    ["nvidia/nemotron-3-super-120b-a12b"],
    ["qwen/qwen-2.5-coder-32b-instruct"],
    ["local-model"],
    // free-claude-code and its forks
    ["arcee-ai/trinity-large-preview:free"],
    ["stepfun/step-3.5-flash:free"],
    ["minimax-m2.5-free"],
    ["big-pickle"],
    ["ring-2.6-1t-free"],
    ["nemotron-3-super-free"],
    ["abacusai/dracarys-llama-3.1-70b-instruct"],
    ["bytedance/seed-oss-36b-instruct"],
    ["mistralai/mistral-nemotron"],
    // claude-code-router
    ["nvidia/nemotron-3-ultra-550b-a55b"],
  ];
  for (const [id, instead] of rows) {
    test(instead === undefined ? `${id}: it is there` : `${id}: ask ${instead} instead`, () => {
      assert.ok(ids.has(id));
      assert.equal(toModel(id).gone !== undefined, instead !== undefined);
      if (instead) assert.equal(toSuccessors(id).find((next) => !toModel(next).gone), instead);
    });
  }
});

describe("toModel()", () => {
  test("completes a row by its family", () => {
    const { family, ...model } = toModel("nvidia/nemotron-3-super-120b-a12b");
    assert.equal(family.name, "Nemotron 3 Super");
    assert.deepEqual(model, {
      id: "nvidia/nemotron-3-super-120b-a12b",
      context: 262_144,
      maxOutput: 262_144,
      tools: true,
      vision: false,
      reasoning: true,
      wholeAnswers: false,
    });
  });

  test("finds a row in any case, and keeps the id as it was asked", () => {
    const { id, context } = toModel("OpenAI/GPT-OSS-120B");
    assert.deepEqual([id, context], ["OpenAI/GPT-OSS-120B", 128_000]);
  });

  test("knows the family of an id that has no row, and no limits", () => {
    const { family, context, maxOutput, vision, reasoning } = toModel("kimi-k2.5");
    assert.deepEqual([family.name, context, maxOutput, vision, reasoning], [
      "Kimi K2.5",
      Infinity,
      Infinity,
      true,
      true,
    ]);
  });

  test("takes the least for granted of a model nobody has described", () => {
    const { family, ...model } = toModel("somebody/unheard-of");
    assert.equal(family.name, "unknown");
    const expected = { context: Infinity, maxOutput: Infinity, tools: true, vision: false, reasoning: false };
    assert.deepEqual(model, { id: "somebody/unheard-of", wholeAnswers: false, ...expected });
  });

  const OWN: ModelRow[] = [
    { id: "Z-AI/GLM-5.2", context: 200_000, vision: true, maxOutput: undefined as never },
    { id: "me/mine", family: "Qwen3-Coder", context: 1000 },
    { id: "me/other", family: "no such family", successor: "me/mine" },
    { id: "me/mine-2", successor: "me/other" },
    { id: "loop/a", successor: "loop/b" },
    { id: "loop/b", successor: "loop/a" },
    { id: "moonshotai/kimi-k3", successor: "me/mine" },
  ];

  test("lets the user's row override the roster's field by field", () => {
    const { context, maxOutput, vision, family } = toModel("z-ai/glm-5.2", OWN);
    assert.deepEqual([context, maxOutput, vision, family.name], [200_000, 131_072, true, "GLM 4.7, 5"]);
    assert.equal(toModel("z-ai/glm-5.2").context, 131_072, "and only there");
  });

  test("takes the family from the user's row, if there is such a family", () => {
    assert.equal(toModel("me/mine", OWN).family.name, "Qwen3-Coder");
    assert.equal(toModel("me/other", OWN).family.name, "unknown");
  });

  test("follows successors through the user's rows, also in circles", () => {
    assert.deepEqual(toSuccessors("me/mine-2", OWN), ["me/other", "me/mine"]);
    assert.deepEqual(toSuccessors("moonshotai/kimi-k2.5", OWN), [
      "moonshotai/kimi-k2.6",
      "moonshotai/kimi-k3",
      "me/mine",
    ]);
    assert.deepEqual(toSuccessors("loop/a", OWN), ["loop/b"]);
    assert.deepEqual(toSuccessors("somebody/unheard-of", OWN), []);
  });
});

describe("images are seen", () => {
  const rows = [
    ["moonshotai/kimi-k2.6", true],
    ["moonshotai/kimi-k3", true],
    ["moonshotai/kimi-k2-instruct-0905", false],
    ["minimaxai/minimax-m3", true],
    ["minimaxai/minimax-m2.7", false],
    ["google/gemma-4-31b-it", true],
    ["google/gemma-3-27b-it", true],
    ["gemma3:1b", false],
    ["qwen/qwen3.5-122b-a10b", true],
    ["qwen/qwen3-coder-480b-a35b-instruct", false],
    ["qwen2.5vl:7b", true],
    ["mistralai/mistral-small-4-119b-2603", true],
    ["mistralai/mistral-large-3-675b-instruct-2512", true],
    ["mistralai/mistral-nemotron", false],
    ["stepfun-ai/step-3.7-flash", true],
    ["stepfun-ai/step-3.5-flash", false],
    ["meta/llama-3.2-90b-vision-instruct", true],
    ["meta/llama-4-maverick-17b-128e-instruct", true],
    ["meta/llama-3.3-70b-instruct", false],
    ["nvidia/nemotron-nano-12b-v2-vl", true],
    ["nvidia/cosmos-reason2-8b", true],
    ["nvidia/nemotron-3-nano-omni-30b-a3b-reasoning", true],
    ["nvidia/nemotron-3-super-120b-a12b", false],
    ["z-ai/glm-5.2", false],
    ["glm-4.6v", true],
    ["openai/gpt-oss-120b", false],
    ["microsoft/phi-3.5-vision-instruct", true],
    ["mistral-small3.2:24b", true],
    ["mistral-small:24b", false],
    ["llava:13b", true],
    ["minicpm-v:8b", true],
    ["anthropic/claude-sonnet-5", true],
    ["gemini-2.5-flash", true],
    ["openai/gpt-4o-mini", true],
    ["gpt-5.1", true],
    ["gpt-3.5-turbo", false],
    ["openai/gpt-oss-120b", false],
    ["x-ai/grok-4", true],
    ["somebody/unheard-of", false],
  ] as const;
  for (const [id, expected] of rows) {
    test(`${expected ? "" : "not "}by ${id}`, () => assert.equal(toModel(id).vision, expected));
  }
});
