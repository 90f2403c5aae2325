import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createCatalog } from "../../lib/routing/catalog.ts";
import { listModels } from "../../lib/routing/list_models.ts";
import { toLabel } from "../../lib/routing/reference.ts";
import { resolveModel } from "../../lib/routing/resolve.ts";
import type { RouterOptions } from "../../lib/routing/routing_options.ts";
import { CLAUDIA } from "../config/claudia.ts";

/** What a name resolves to: the model with its host, `!` if just that was asked for, `-` without thinking, the tier. */
function resolve(asked: string, options: RouterOptions = {}): string {
  const catalog = createCatalog(options);
  const { target, chosen, tier } = resolveModel(asked, catalog);
  const marks = `${chosen ? "!" : ""}${target.thinking === false ? "-" : ""}${tier === "speed" ? " (speed)" : ""}`;
  return `${target.backend.name}/${target.model}${marks}`;
}

const ELITE = "nvidia/nvidia/nemotron-3-super-120b-a12b";
const SPEED = "nvidia/nvidia/nemotron-3-nano-30b-a3b (speed)";

describe("without any configuration, a client that asks for", () => {
  const rows: [asked: string, expected: string][] = [
    // Anthropic's names
    ["claude-opus-5-5", ELITE],
    ["claude-opus-4-7", ELITE],
    ["claude-opus-4-1-20250805", ELITE],
    ["claude-sonnet-5", ELITE],
    ["claude-sonnet-4-6", ELITE],
    ["claude-sonnet-4-5-20250929[1m]", ELITE],
    ["claude-3-5-sonnet-latest", ELITE],
    ["claude-3-5-sonnet-20241022", ELITE],
    ["claude-3-5-sonnet", ELITE],
    ["claude-3-7-sonnet@20250219", ELITE],
    ["claude-sonnet-4-5-v2", ELITE],
    ["claude-sonnet-4-5-v1:0", ELITE],
    ["claude-fable-1", ELITE],
    ["claude-haiku-4-5", SPEED],
    ["claude-haiku-4-5-20251001", SPEED],
    ["claude-3-haiku-latest", SPEED],
    ["anthropic/claude-haiku-4-5", SPEED],
    ["haiku", SPEED],
    ["opus", ELITE],
    ["opus[1m]", ELITE],
    ["opusplan", ELITE],
    ["default", ELITE],
    ["Claude-Haiku-4-5", SPEED],
    // names that mean nothing
    ["gpt-4", ELITE],
    ["", ELITE],
    ["constructor", ELITE],
    ["__proto__", ELITE],
    // upstream ids and hosts
    ["moonshotai/kimi-k2.6", "nvidia/moonshotai/kimi-k2.6!"],
    ["MoonshotAI/Kimi-K2.6", "nvidia/moonshotai/kimi-k2.6!"],
    ["owner/haiku-7b", "nvidia/owner/haiku-7b!"],
    ["nvidia/nemotron-3-super-120b-a12b", ELITE],
    ["nvidia/nemotron-3-super-120b-a12b[1m]", ELITE],
    ["nvidia/nemotron-3-nano-30b-a3b", SPEED],
    ["nvidia/unheard-of-7b", "nvidia/nvidia/unheard-of-7b!"],
    ["nvidia/z-ai/glm-5.2", "nvidia/z-ai/glm-5.2!"],
    ["nvidia,z-ai/glm-5.2", "nvidia/z-ai/glm-5.2!"],
    ["nvidia, z-ai/glm-5.2", "nvidia/z-ai/glm-5.2!"],
    ["openrouter,qwen/qwen3-coder:free", "openrouter/qwen/qwen3-coder:free!"],
    ["openrouter/qwen/qwen3-coder:free", "openrouter/qwen/qwen3-coder:free!"],
    ["openrouter/anthropic/claude-sonnet-4.5", "openrouter/anthropic/claude-sonnet-4.5!"],
    ["ollama/qwen3:8b", "ollama/qwen3:8b!"],
    ["local/local-model", "local/local-model!"],
    ["moonshot/kimi-k3", "moonshot/kimi-k3!"],
    ["zen/big-pickle", "zen/big-pickle!"],
    ["kimi-k3", "nvidia/moonshotai/kimi-k3!"],
    ["glm-5.2", "nvidia/z-ai/glm-5.2!"],
    ["big-pickle", "zen/big-pickle!"],
    // earlier tools
    ["nvidia_nim/z-ai/glm4.7", "nvidia/z-ai/glm4.7!"],
    ["nvidia_nim/nvidia/nemotron-mini-4b-instruct", "nvidia/nvidia/nemotron-mini-4b-instruct!"],
    ["open_router/stepfun/step-3.5-flash:free", "openrouter/stepfun/step-3.5-flash:free!"],
    ["lmstudio/qwen3-8b", "local/qwen3-8b!"],
    ["llamacpp/any", "llamacpp/any!"],
    ["openai/moonshotai/kimi-k2.5", "nvidia/moonshotai/kimi-k2.5!"],
    ["openai/gpt-oss-120b", "nvidia/openai/gpt-oss-120b!"],
    ["anthropic/nvidia_nim/z-ai/glm4.7", "nvidia/z-ai/glm4.7!"],
    ["claude-3-freecc-no-thinking/nvidia_nim/z-ai/glm4.7", "nvidia/z-ai/glm4.7!-"],
    ["claude-deepseek-v4-flash", "nvidia/deepseek-ai/deepseek-v4-flash!"],
    ["claude-qwen3-coder", "nvidia/qwen/qwen3-coder-480b-a35b-instruct!"],
    ["claude-opus-4-7-vision", "nvidia/meta/llama-4-maverick-17b-128e-instruct!"],
    // the picker
    ["anthropic/nvidia/z-ai/glm-5.2", "nvidia/z-ai/glm-5.2!"],
    ["anthropic/z-ai/glm-5.2", "nvidia/z-ai/glm-5.2!"],
    ["anthropic-no-thinking/z-ai/glm-5.2", "nvidia/z-ai/glm-5.2!-"],
    ["anthropic-no-thinking/nvidia/nemotron-3-super-120b-a12b", `${ELITE}!-`],
    ["anthropic/nvidia/nemotron-3-super-120b-a12b", ELITE],
    ["anthropic/ollama/qwen3:8b", "ollama/qwen3:8b!"],
    ["anthropic-no-thinking/claude-sonnet-5", ELITE],
    ["claude-3-freecc-no-thinking/claude-opus-4-7", ELITE],
    ["anthropic/anthropic/claude-x", "nvidia/anthropic/claude-x!"],
  ];
  for (const [asked, expected] of rows) {
    test(`'${asked}' gets ${expected}`, () => assert.equal(resolve(asked), expected));
  }
});

const ACME = { acme: { baseUrl: "http://acme/v1", defaultModel: "gpt-oss-120b" } };

describe("models that are chosen:", () => {
  const tiers = { opus: "zen/big-pickle", haiku: "ollama/qwen3:8b" };
  const rows: [asked: string, options: RouterOptions, expected: string][] = [
    ["claude-opus-5-5", { tiers }, "zen/big-pickle"],
    ["claude-sonnet-5", { tiers }, ELITE],
    ["claude-haiku-4-5", { tiers }, "ollama/qwen3:8b (speed)"],
    ["claude-haiku-4-5", { model: "a/b", baseUrl: "http://host/v1" }, "nvidia/a/b (speed)"],
    ["a/b", { model: "a/b", baseUrl: "http://host/v1" }, "nvidia/a/b"],
    ["gpt-4", { model: "zen/big-pickle" }, "zen/big-pickle"],
    ["qwen3:8b", { defaultBackend: "ollama", model: "llama3.2:3b", fallbacks: ["qwen3:8b"] }, "ollama/qwen3:8b!"],
    ["llama3.2:3b", { defaultBackend: "ollama", model: "llama3.2:3b" }, "ollama/llama3.2:3b"],
    ["z-ai/glm-5.2", { defaultBackend: "openrouter", model: "x/y" }, "openrouter/z-ai/glm-5.2!"],
    ["acme/fast-1", { backends: { acme: { baseUrl: "http://acme/v1" } } }, "acme/fast-1!"],
    ["ACME/fast-1", { backends: { acme: { baseUrl: "http://acme/v1" } } }, "acme/fast-1!"],
    ["fast-1", { models: [{ id: "acme/fast-1" }] }, "nvidia/acme/fast-1!"],
    ["fast-1", { models: [{ id: "fast-1", host: "ACME" }], backends: ACME }, "acme/fast-1!"],
    ["nvidia/x", { backends: { nvidia: { headers: {} } } }, "nvidia/nvidia/x!"],
    ["opus", { backends: { nvidia: { apiKey: "key" } } }, ELITE],
    // hosts that are not NVIDIA are asked for what was said, as it was said
    ["gpt-oss-120b", { defaultBackend: "acme", backends: ACME }, "acme/gpt-oss-120b"],
    ["deepseek-ai/DeepSeek-V3.1", { defaultBackend: "acme", backends: ACME }, "acme/deepseek-ai/DeepSeek-V3.1!"],
    ["default", { defaultBackend: "moonshot" }, "moonshot/kimi-k3"],
    ["anthropic/m", { defaultBackend: "acme", backends: ACME, model: "m" }, "acme/m"],
    ["anthropic/other", { defaultBackend: "acme", backends: ACME, model: "m" }, "acme/other!"],
    ["claude/other", { defaultBackend: "acme", backends: ACME, model: "m" }, "acme/other!"],
    ["anthropic-no-thinking/m", { defaultBackend: "acme", backends: ACME, model: "m" }, "acme/m!-"],
    // what a user declares goes before what is known
    ["openai/gpt-oss-120b", { backends: { openai: { baseUrl: "http://o/v1" } } }, "openai/gpt-oss-120b!"],
    ["moonshotai/kimi-k3", { backends: { moonshotai: { baseUrl: "http://m/v1" } } }, "moonshotai/kimi-k3!"],
    ["claude-gemma4", { defaultBackend: "acme", backends: ACME }, "nvidia/google/gemma-4-31b-it!"],
    // endings that belong to the name
    ["nvidia-nemotron-nano-9b-v2", {}, "nvidia/nvidia/nvidia-nemotron-nano-9b-v2!"],
    ["llama-3.3-nemotron-super-49b-v1", {}, "nvidia/nvidia/llama-3.3-nemotron-super-49b-v1!"],
    // names that are none
    ["x/".repeat(200) + "y", {}, ELITE],
    ["a/b\r\nx-evil: 1", {}, ELITE],
    ["a/b\x9bx", {}, ELITE],
    ["anthropic/anthropic/z-ai/glm-5.2", {}, "nvidia/anthropic/z-ai/glm-5.2!"],
    // the main model's name, also where haiku has the same
    ["a/b", { model: "a/b", tiers: { haiku: "a/b" } }, "nvidia/a/b"],
    ["a/b", { model: "a/b", tiers: { haiku: "a/b" }, tierThinking: { haiku: false } }, "nvidia/a/b"],
    ["opus", { defaultBackend: "nim" }, ELITE],
    // tiers that must not think
    ["claude-haiku-4-5", { tierThinking: { haiku: false } }, `${SPEED.replace(" ", "- ")}`],
  ];
  for (const [asked, options, expected] of rows) {
    test(`'${asked}' gets ${expected}`, () => assert.equal(resolve(asked, options), expected));
  }
});

describe("Claudia-Router's configuration, unchanged:", () => {
  const rows: [asked: string, expected: string][] = [
    ["claude-3-5-sonnet-latest", "nvidia/stepfun-ai/step-3.5-flash"],
    ["claude-3-5-sonnet-20241022", "nvidia/stepfun-ai/step-3.5-flash"],
    ["claude-opus-4-1", "nvidia/z-ai/glm4.7!"],
    ["claude-opus-4-1-20250805", "nvidia/z-ai/glm4.7!"],
    ["claude-3-5-sonnet-glm", "nvidia/z-ai/glm4.7!"],
    ["claude-3-5-sonnet-qwen", "nvidia/qwen/qwen3.5-122b-a10b!"],
    ["claude-3-haiku-latest", "nvidia/nvidia/nemotron-mini-4b-instruct!"],
    ["Claude-3-Haiku-20240307", "nvidia/nvidia/nemotron-mini-4b-instruct!"],
    ["anything-else", "nvidia/stepfun-ai/step-3.5-flash"],
  ];
  for (const [asked, expected] of rows) {
    test(`'${asked}' gets ${expected}`, () => {
      assert.equal(
        resolve(asked, CLAUDIA as RouterOptions).replace(/^(nvidia\/stepfun-ai\/step-3.5-flash)!$/, "$1"),
        expected,
      );
    });
  }
});

test("a profile wins over the map, and that over all that is built in", () => {
  const options: RouterOptions = {
    modelMap: { sonnet: { backend: "zen", model: "mapped" }, opus: { backend: "zen", model: "mapped" } },
    modelProfiles: { sonnet: { backend: "ollama", providerModel: "profiled" } },
  };
  assert.equal(resolve("sonnet", options), "ollama/profiled!");
  assert.equal(resolve("opus", options), "zen/mapped!");
});

test("a model has the shortest name that cannot mean another", () => {
  const modelProfiles = { mine: { providerModel: "a/b" } };
  const catalog = createCatalog({ apiKey: "key", model: "zen/big-pickle", modelProfiles });
  assert.equal(toLabel(catalog.elite, catalog), "zen/big-pickle");
  assert.equal(toLabel(catalog.speed, catalog), "nvidia/nemotron-3-nano-30b-a3b");
  assert.equal(toLabel(resolveModel("mine", catalog).target, catalog), "mine");
});

test("a host on this machine needs no key, a remote one that has a key's name does", () => {
  const { backends } = createCatalog({ backends: { here: { baseUrl: "http://127.0.0.1:1/v1", apiKeyEnv: "KEY" } } });
  const lacks = ["nvidia", "openrouter", "moonshot", "zen", "local", "ollama", "llamacpp", "here"].map((name) =>
    backends.get(name)?.lacks
  );
  assert.deepEqual(lacks.slice(0, 3), ["NVIDIA_API_KEY", "OPENROUTER_API_KEY", "MOONSHOT_API_KEY"]);
  assert.deepEqual(lacks.slice(3), [undefined, undefined, undefined, undefined, undefined]);
});

test("a host has a model for the main work, or one must be chosen", () => {
  const elite = (options: RouterOptions) => createCatalog(options).elite.model;
  assert.equal(elite({ defaultBackend: "zen" }), "minimax-m2.5-free");
  assert.equal(
    elite({ defaultBackend: "acme", backends: { acme: { baseUrl: "http://a/v1", defaultModel: "m" } } }),
    "m",
  );
  assert.throws(() => elite({ defaultBackend: "ollama" }), /No model is chosen for 'ollama': set ARBITER_MODEL/);
  assert.equal(elite({ backends: { constructor: { baseUrl: "http://a/v1" } } }), "nvidia/nemotron-3-super-120b-a12b");
});

describe("what is listed can be asked for as it is listed, in the picker with thinking and without:", () => {
  const rows: [what: string, options: RouterOptions][] = [
    ["without any configuration", {}],
    ["Claudia-Router's profiles, named like Anthropic's models", CLAUDIA as RouterOptions],
    ["profiles with the names of tiers", { modelProfiles: { Sonnet: { providerModel: "a/b" } } }],
    ["a profile named like an id of the picker", {
      modelMap: { "anthropic/claude-x": { backend: "zen", model: "x" } },
    }],
    ["Anthropic's models at another host", {
      defaultBackend: "openrouter",
      model: "anthropic/claude-sonnet-4.5",
      fallbacks: ["anthropic/claude-haiku-4.5", "openai/gpt-5"],
    }],
    ["and by the names that Anthropic gives them", {
      defaultBackend: "acme",
      backends: ACME,
      model: "claude-sonnet-5",
      tiers: { haiku: "claude-haiku-4-5" },
      fallbacks: ["claude-opus-4-7"],
    }],
    ["models of tasks, and listed ones, at a host of one's own", {
      defaultBackend: "ollama",
      model: "qwen3:8b",
      listed: ["ollama/llama3.2:3b"],
      tasks: { coding: "qwen3-coder:30b" },
    }],
    ["a tier that must not think", { tierThinking: { haiku: false } }],
  ];
  for (const [what, options] of rows) {
    test(what, () => {
      const catalog = createCatalog({ apiKey: "key", ...options });
      const listed = listModels(catalog, false);
      assert.ok(listed.length > 0);
      for (const { id } of listed) {
        for (const name of [id, `${id}[1m]`]) {
          assert.equal(toLabel(resolveModel(name, catalog).target, catalog), id, name);
        }
      }
      for (const { id, display_name } of listModels(catalog, true)) {
        const { target } = resolveModel(id, catalog);
        const shown = `${toLabel(target, catalog)}${target.thinking === false ? " (no thinking)" : ""}`;
        assert.equal(shown, display_name, id);
      }
    });
  }
});

test("a row that only tells more of a profile's model at another host is not listed, others are", () => {
  const { listed } = createCatalog({
    backends: ACME,
    fallbacks: [],
    modelProfiles: { careful: { backend: "acme", providerModel: "acme-large" } },
    models: [{ id: "acme-large", context: 200_000 }, { id: "own/new", context: 100_000 }],
  });
  assert.deepEqual([...listed.keys()].slice(2), ["own/new", "careful"]);
});

test("what cannot be asked for want of a key is not listed", () => {
  const backends = { openrouter: { apiKey: "key" } };
  const catalog = createCatalog({ backends, model: "openrouter/a/b", tiers: { opus: "zen/big-pickle" } });
  for (const picker of [false, true]) {
    const hosts = new Set(listModels(catalog, picker).map(({ owned_by }) => owned_by));
    assert.deepEqual([...hosts], ["openrouter", "zen"]);
  }
});

test("a backend that nobody knows, or that has no address, is an error: another must not get its requests", () => {
  const rows: [options: RouterOptions, message: RegExp][] = [
    [{ modelProfiles: { Mine: { providerModel: "m", backend: "acmee" } } }, /'mine': there is no backend 'acmee'/],
    [{ modelMap: { mine: { model: "m", backend: "acmee" } } }, /'mine': there is no backend 'acmee'/],
    [{ models: [{ id: "a/b", host: "acmee" }] }, /'a\/b': there is no backend 'acmee'/],
    [{ defaultBackend: "acme", model: "m" }, /'acme': its baseUrl must be an address/],
    [{ backends: { acme: {} } }, /'acme': its baseUrl must be an address/],
    [{ baseUrl: "localhost:8000/v1" }, /'nvidia': its baseUrl must be an address/],
  ];
  for (const [options, message] of rows) assert.throws(() => createCatalog(options), { name: "TypeError", message });
  createCatalog({ modelMap: { mine: { model: "m", backend: "NIM" } } });
});

test("names of any length are read at once", () => {
  for (const name of ["-latest".repeat(200_000), "anthropic/".repeat(200_000)]) assert.equal(resolve(name), ELITE);
});

test("a model whose name is also that of a profile is named with its host", () => {
  const modelProfiles = { "z-ai/glm4.7": { backend: "openrouter", providerModel: "z-ai/glm-4.7" } };
  const catalog = createCatalog({ modelProfiles });
  const targets = ["z-ai/glm4.7", "nvidia,z-ai/glm4.7"].map((name) => resolveModel(name, catalog).target);
  assert.deepEqual(targets.map((target) => toLabel(target, catalog)), ["z-ai/glm4.7", "nvidia/z-ai/glm4.7"]);
  assert.deepEqual(targets.map(({ backend }) => backend.name), ["openrouter", "nvidia"]);
});
