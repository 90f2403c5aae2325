import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createRouter, type RouteTrace } from "../../lib/routing/router.ts";
import type { RouterOptions } from "../../lib/routing/routing_options.ts";
import type { ContentBlockParam, MessagesRequest } from "../../lib/wire/anthropic.ts";
import { safetyRequest, titleRequest } from "./side_requests.ts";

const TOOLS = [{ name: "Bash", input_schema: { type: "object" } }];
const IMAGE: ContentBlockParam = { type: "image", source: { type: "url", url: "https://host/image.png" } };
const [SUPER, NANO] = ["nvidia/nemotron-3-super-120b-a12b", "nvidia/nemotron-3-nano-30b-a3b"];
const TITLE = titleRequest("Fix the bug");
const SAFETY = safetyRequest({ tools: [] });
const KEY: RouterOptions = { apiKey: "nvapi-1" };

type Given = { options?: RouterOptions; headers?: Record<string, string>; inputTokens?: number; words?: string };

/** Finds the way of a request of Claude Code's, changed by `fields`. */
function route(
  given: Given = {},
  fields: Partial<MessagesRequest> = {},
): ReturnType<ReturnType<typeof createRouter>["route"]> {
  const { options = {}, headers = {}, inputTokens = 1_000, words = "Go on" } = given;
  const messages = [{ role: "user" as const, content: words }];
  const request = { model: "claude-sonnet-5", max_tokens: 100, tools: TOOLS, messages, ...fields };
  return createRouter({ ...KEY, ...options }).route({
    request,
    headers: new Headers(headers),
    inputTokens: () => inputTokens,
  });
}

function trace(given: Given = {}, fields: Partial<MessagesRequest> = {}): RouteTrace {
  return route(given, fields).trace;
}

describe("a task's own model is asked", () => {
  const tasks = {
    coding: "a/coding",
    fast: "a/fast",
    think: "a/think",
    image: "a/image",
    longcontext: "a/long",
    background: "a/background",
    safety: "a/safety",
  };
  const max = { thinking: { type: "adaptive" }, output_config: { effort: "max" } };
  const picture = { messages: [{ role: "user" as const, content: [IMAGE] }] };
  const rows: [what: string, expected: string, given: Given, fields?: Partial<MessagesRequest>][] = [
    ["when the user's words tell the task", "a/coding", { words: "Fix the TypeError in src/main.ts" }],
    ["when a small question is asked", "a/fast", { words: "What is a monad?" }],
    ["when the effort is max", "a/think", { words: "Fix the TypeError in src/main.ts" }, max],
    ["when there are images", "a/image", {}, { ...picture, ...max }],
    ["when the request is long", "a/long", { inputTokens: 60_001, words: "Fix the TypeError in src/main.ts" }],
    ["when the request is just not long", SUPER, { inputTokens: 60_000 }],
    ["when nothing tells a task", SUPER, {}],
    ["for titles", "a/background", {}, TITLE],
    ["for checks of commands", "a/safety", {}, SAFETY],
  ];
  for (const [what, expected, given, fields] of rows) {
    test(what, () => assert.equal(trace({ ...given, options: { tasks } }, fields).model, expected));
  }

  test("but never instead of a model that was asked for by name", () => {
    const words = "Fix the TypeError in src/main.ts";
    assert.equal(trace({ options: { tasks }, words }, { model: "z-ai/glm-5.2" }).model, "z-ai/glm-5.2");
    assert.equal(
      trace({ options: { tasks }, words }, { model: SUPER }).model,
      "a/coding",
      "the main model is no choice",
    );
  });
});

describe("the speed tier is for", () => {
  const rows: [what: string, expected: string, given: Given, fields?: Partial<MessagesRequest>][] = [
    ["small questions", NANO, { words: "What is a monad?" }],
    ["haiku", NANO, {}, { model: "claude-haiku-4-5" }],
    ["titles", NANO, {}, TITLE],
    ["Claude Code when it asks for its model", NANO, {}, { model: NANO }],
  ];
  for (const [what, expected, given, fields] of rows) {
    test(what, () => {
      const { model, tier, chain } = trace(given, fields);
      assert.deepEqual({ model, tier }, { model: expected, tier: "speed" });
      assert.equal(chain[1], SUPER, "the main model steps in first");
    });
  }

  test("nothing in the middle of a tool loop", () => {
    const messages: MessagesRequest["messages"] = [
      { role: "user", content: "What is a monad?" },
      { role: "assistant", content: [{ type: "tool_use", id: "toolu_1", name: "Bash", input: {} }] },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_1", content: "done" }] },
    ];
    assert.equal(trace({}, { messages }).tier, "elite");
  });

  test("no subagent, whose words are not a user's", () => {
    const headers = { "x-claude-code-agent-id": "1" };
    const { model, kind } = trace({ headers, words: "What is a monad?" });
    assert.deepEqual({ model, kind }, { model: SUPER, kind: "subagent" });
  });
});

describe("a check of a command goes to a steady model that does not think,", () => {
  test("whatever the main model is", () => {
    const { candidates } = route({ options: { model: "moonshotai/kimi-k3" } }, SAFETY);
    assert.deepEqual(candidates.map(({ thinking }) => thinking), candidates.map(() => false));
    assert.equal(candidates[0]?.model, SUPER);
  });

  test("unless one was asked for by name, which does not think either", () => {
    const [first] = route({}, { ...SAFETY, model: "z-ai/glm-5.2" }).candidates;
    assert.deepEqual([first?.model, first?.thinking], ["z-ai/glm-5.2", false]);
  });
});

describe("a model is named for one request", () => {
  test("in the token, as with free-claude-code", () => {
    const rows = [["x-api-key", "key:z-ai/glm-5.2"], ["authorization", "Bearer key:nvidia_nim/z-ai/glm-5.2"]] as const;
    for (const [name, token] of rows) {
      const headers = { [name]: token };
      const { model, asked, why } = trace({ headers });
      assert.equal(model, "z-ai/glm-5.2");
      assert.match(asked, /z-ai\/glm-5.2/);
      assert.equal(why[0], "named in the token");
    }
    const options = { defaultBackend: "ollama", model: "qwen3:8b", tasks: { coding: "qwen3-coder:30b" } };
    assert.equal(trace({ options, headers: { "x-api-key": "key:qwen3-coder:30b" } }).model, "qwen3-coder:30b");
    assert.equal(trace({ headers: { "x-api-key": "key" } }).model, SUPER);
    assert.equal(trace({ headers: { "x-api-key": "key:" } }).model, SUPER);
    for (const secret of ["user:password", "user:pass/word", "user:s3cr/et+Key=="]) {
      const { model, asked } = trace({ headers: { "x-api-key": secret } });
      assert.deepEqual([model, asked], [SUPER, "claude-sonnet-5"]);
    }
    assert.equal(trace({ headers: { "x-api-key": "key", authorization: "Bearer key:haiku" } }).model, NANO);
  });

  test("in the prompt, as with claude-code-router, from where it is taken away", () => {
    const system = "<CCR-SUBAGENT-MODEL>openrouter,qwen/qwen3-coder</CCR-SUBAGENT-MODEL>\nYou explore.";
    const found = route({ options: { backends: { openrouter: { apiKey: "key" } } } }, { system });
    assert.equal(found.trace.model, "openrouter/qwen/qwen3-coder");
    assert.equal(found.trace.why[0], "named in the prompt");
    assert.equal(found.request.system, "You explore.");
  });
});

describe("the chain", () => {
  test("goes on to the successors of a model that is gone", () => {
    const { chain } = trace({}, { model: "moonshotai/kimi-k2.5" });
    assert.deepEqual(chain.slice(0, 3), ["moonshotai/kimi-k2.5", "moonshotai/kimi-k2.6", "moonshotai/kimi-k3"]);
    assert.ok(chain.includes(SUPER));
  });

  test("has the fallbacks of a profile before all others, and nothing twice", () => {
    const options: RouterOptions = {
      modelProfiles: {
        mine: { providerModel: "a/first", fallbacks: ["zen/big-pickle", "other", SUPER] },
        other: { providerModel: "a/second" },
      },
      fallbacks: ["a/third", "a/first"],
    };
    const { chain } = trace({ options }, { model: "mine" });
    assert.deepEqual(chain, ["mine", "zen/big-pickle", "other", SUPER, "a/third"]);
  });

  test("is the models that were listed, and no others, at a host of the user's", () => {
    const options = { baseUrl: "http://host/v1", model: "a/b" };
    assert.deepEqual(trace({ options }).chain, ["a/b"]);
    assert.deepEqual(trace({ options: { ...options, fallbacks: ["c/d"] } }).chain, ["a/b", "c/d"]);
  });

  test("is the same wherever the key comes from, and has no model twice", () => {
    const { chain } = trace({ options: { apiKey: "", backends: { nvidia: { apiKey: "key" } } } });
    assert.deepEqual(chain, trace().chain);
    assert.equal(chain.length, 5);
    assert.equal(new Set(chain).size, 5);
  });

  test("leaves out hosts without a key, and says so", () => {
    const { chain, why } = trace({ options: { model: "openrouter/x/y" } });
    assert.equal(chain[0], SUPER);
    assert.ok(why.includes("no API key for 'openrouter': set OPENROUTER_API_KEY"));
  });

  test("has nothing of NVIDIA's for who works elsewhere and has no key there", () => {
    const options = { apiKey: "", backends: { openrouter: { apiKey: "key" } }, model: "openrouter/x/y" };
    for (const model of ["claude-sonnet-5", "claude-haiku-4-5"]) {
      const { chain, why } = trace({ options }, { model });
      assert.deepEqual([chain, why.filter((reason) => reason.includes("key"))], [["openrouter/x/y"], []], model);
    }
  });

  test("is empty when no host has a key", () => {
    const { candidates, trace } = route({ options: { apiKey: "" } });
    assert.deepEqual([candidates, trace.chain], [[], []]);
    assert.match(trace.why.at(-1) ?? "", /set NVIDIA_API_KEY/);
    const other = route({ options: { apiKey: "" } }, { model: "openrouter/x/y" });
    assert.match(other.trace.why.at(-1) ?? "", /set OPENROUTER_API_KEY/);
  });
});

describe("a request with Claude Code's own names for the models it was started with", () => {
  const options: RouterOptions = { tiers: { sonnet: "moonshotai/kimi-k3" }, tasks: { background: "a/background" } };

  test("is routed as if it had Anthropic's", () => {
    for (const model of [NANO, "claude-haiku-4-5"]) assert.equal(trace({ options }, { model }).model, "a/background");
  });

  test("gets a steady model for a check of a command", () => {
    for (const model of ["moonshotai/kimi-k3", "claude-sonnet-5"]) {
      assert.equal(trace({ options }, { ...SAFETY, model }).model, SUPER);
    }
  });
});

test("a task's model is read as every other model's name is", () => {
  const options: RouterOptions = {
    defaultBackend: "ollama",
    model: "big",
    tasks: { coding: "small:4b", fast: "haiku" },
  };
  const ask = (words: string) => trace({ options: { ...options, tiers: { haiku: "tiny" } }, words }).chain;
  assert.deepEqual(ask("Fix the TypeError in src/main.ts"), ["small:4b", "big"]);
  assert.deepEqual(ask("What is a monad?"), ["tiny", "big"]);
});

test("two ways to a model of the same name are never mixed up, whichever comes first", () => {
  const modelProfiles = { "z-ai/glm4.7": { backend: "ollama", providerModel: "glm" } };
  const names = ["z-ai/glm4.7", "nvidia,z-ai/glm4.7"];
  for (const order of [names, names.toReversed()]) {
    const router = createRouter({ ...KEY, modelProfiles });
    for (const model of order) {
      const request = { model, max_tokens: 1, messages: [{ role: "user" as const, content: "Hi" }] };
      const [first] = router.route({ request, headers: new Headers(), inputTokens: () => 1 }).candidates;
      assert.equal(first?.backend.name, model === names[0] ? "ollama" : "nvidia");
    }
  }
});

test("who follows a model of the user's is asked after all others, as it may be there still", () => {
  const options: RouterOptions = { models: [{ id: "a/x", successor: "a/y" }], model: "a/x", fallbacks: ["b/z"] };
  assert.deepEqual(trace({ options }).chain, ["a/x", "b/z", "a/y"]);
});

test("a profile says how its model is asked and what it can do", () => {
  const options: RouterOptions = {
    models: [{ id: "a/first", context: 1_000, maxOutput: 100 }],
    modelProfiles: {
      mine: {
        providerModel: "a/first",
        retryAttempts: 3,
        extraBody: { seed: 1 },
        maxOutput: 50,
        capabilities: { toolCalls: false, vision: true },
      },
    },
  };
  const [first] = route({ options }, { model: "mine" }).candidates;
  assert.equal(first?.profile?.retryAttempts, 3);
  const { context, maxOutput, tools, vision } = first?.traits ?? {};
  assert.deepEqual({ context, maxOutput, tools, vision }, {
    context: 1_000,
    maxOutput: 50,
    tools: false,
    vision: true,
  });
});

test("thinking that is switched off is off everywhere, and a twin of a model does not think, nor who steps in for it", () => {
  const off = route({ options: { thinking: false } }).candidates;
  assert.ok(off.every(({ thinking }) => thinking === false));
  const twin = route({}, { model: "anthropic-no-thinking/z-ai/glm-5.2" }).candidates;
  assert.ok(twin.every(({ thinking }) => thinking === false));
  assert.ok(route().candidates.every(({ thinking }) => thinking === true));
});

test("limits are those of the host, then those of the proxy, then those that are known of the host", () => {
  const options: RouterOptions = {
    backends: { openrouter: { apiKey: "k", rateLimit: 5 }, zen: {} },
    rateWindow: 1_000,
  };
  const { catalog } = createRouter({ ...KEY, ...options });
  const limits = (name: string) => catalog.backends.get(name)?.limits;
  assert.deepEqual(limits("nvidia"), { limit: 40, window: 1_000, concurrency: 8 });
  assert.deepEqual(limits("openrouter"), { limit: 5, window: 1_000, concurrency: 0 });
  assert.deepEqual(limits("zen"), { limit: 0, window: 1_000, concurrency: 0 });
  const moved = createRouter({ baseUrl: "http://host/v1" }).catalog.backend;
  assert.deepEqual([moved.limits, moved.lacks], [{ limit: 0, window: 60_000, concurrency: 0 }, undefined]);
});

test("a compaction is offered its tools, and may call none", () => {
  const headers = { "x-claude-code-compaction": "reactive" };
  const { request } = route({ headers });
  assert.deepEqual([request.tools, request.tool_choice], [TOOLS, { type: "none" }]);
  assert.equal(route({ headers }, { tools: [] }).request.tool_choice, undefined);
  assert.equal(route().request.tool_choice, undefined);
});
