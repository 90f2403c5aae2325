import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { createArbiter } from "../../lib/arbiter.ts";
import { parseClientKeys } from "../../lib/config/client_keys.ts";
import { parseConfig } from "../../lib/config/config_file.ts";
import { CONFIG_SCHEMA } from "../../lib/config/config_schema.ts";
import { checkSchema } from "../../lib/config/json_schema.ts";
import { parseJsonc } from "../../lib/config/jsonc.ts";
import { ConfigError, resolveBackends, resolveSettings, toLocalAnswers } from "../../lib/config/settings.ts";
import { COMMANDS, FLAGS } from "../../lib/cli/commands.ts";
import { parseCommandLine } from "../../lib/cli/flags.ts";
import { BACKENDS } from "../../lib/routing/backends.ts";
import { CLAUDIA } from "../config/claudia.ts";
import { cut, DAMAGE, fuzz, HOSTILE_TEXTS, mutated } from "./support.ts";
import { Ajv } from "./upstream_request.ts";

/** A config file with everything in it. */
const FULL = {
  $schema: "./arbiter.schema.json",
  port: 4005,
  defaultBackend: "acme",
  backends: {
    acme: {
      baseUrl: "https://acme.example/v1",
      apiKeyEnv: "ACME_KEY",
      defaultModel: "acme-large",
      format: "anthropic",
      headers: { "x-a": "b" },
      rateLimit: 60,
      rateWindowSeconds: 30,
      maxConcurrency: 2,
    },
    nvidia: { apiKeyEnv: "NV" },
  },
  modelProfiles: {
    careful: {
      backend: "acme",
      providerModel: "acme-large",
      retryAttempts: 2,
      retryBaseDelayMs: 10,
      extraBody: { seed: 1 },
      capabilities: { toolCalls: true, coding: true, vision: false, reasoning: true },
      notes: ["n"],
      context: 1000,
      maxOutput: 500,
      fallbacks: ["z-ai/glm-5.2", "quick"],
    },
    quick: { providerModel: "acme-small" },
  },
  modelMap: { old: { backend: "acme", model: "acme-large" } },
  models: [{ id: "acme-large", context: 200000, maxOutput: 32768, vision: true, family: "GLM" }],
  tasks: { reasoning: "careful", image: "quick" },
};
const FILES = [FULL, CLAUDIA, {}];
const SECRET = "sk-secret-0123456789";
const ENV = { ACME_KEY: SECRET, NV: SECRET };
const KNOWN = [...BACKENDS.keys()];

/** Does something that may only fail with words for the user, none of which are the secret. */
function orComplaint<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (thrown) {
    checkComplaint(thrown);
    return undefined;
  }
}

function checkComplaint(thrown: unknown): void {
  assert.ok(thrown instanceof ConfigError, String(thrown instanceof Error ? thrown.stack : thrown));
  assert.match(thrown.message, /^(?:Cannot|Unknown|Unexpected|Option|'|expected)/);
  assert.doesNotMatch(thrown.message, /sk-secret|is not a function|Cannot read prop|\[object/);
}

fuzz(
  "any config file works, or is refused with what is wrong where",
  3,
  fc.tuple(mutated(FILES), DAMAGE),
  ([json, damage]) => {
    const text = damage.bytes.length < 2
      ? json
      : new TextDecoder().decode(cut(new TextEncoder().encode(json), damage)[0]);
    const file = orComplaint(() => parseConfig(text, "arbiter.json", ENV, KNOWN));
    if (!file) return;
    const { router } = createArbiter({ ...file, apiKey: "k", model: "acme-large" });
    for (const model of ["careful", "old", "claude-sonnet-5", "acme/acme-large", "__proto__"]) {
      const request = { model, max_tokens: 1, messages: [{ role: "user" as const, content: "prove it" }] };
      assert.ok(router.route({ request, headers: new Headers(), inputTokens: () => 70_000 }).trace.chain);
    }
  },
);

const schema = JSON.parse(await readFile("arbiter.schema.json", "utf8"));
const isFine = new Ajv({ strict: false }).compile(schema);

fuzz("a validator by others thinks the same of every config file", 5, mutated(FILES), (json) => {
  const value: unknown = JSON.parse(json);
  assert.equal(checkSchema(value, CONFIG_SCHEMA).length === 0, isFine(value), json);
});

const TOKENS = fc.constantFrom(
  ...[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"a"',
    '"\\u00e9"',
    '"\\x"',
    '"',
    "1",
    "-0",
    "1e5",
    "01",
    "1.",
    "true",
    "nul",
    "null",
    " ",
  ],
  ...["\n", "//c\n", "/*c*/", "/*", "\ufeff", "\u0000", '"__proto__"', "é", "\\", "'a'", "NaN", "\t", "\r\n", "\ud800"],
);

fuzz(
  "a file is JSON with comments exactly where it is JSON without them",
  6,
  fc.oneof(fc.array(TOKENS, { maxLength: 14 }).map((tokens) => tokens.join("")), fc.json()),
  (text) => {
    const read = (parse: (text: string) => unknown): [unknown] | undefined => {
      try {
        return [parse(text)];
      } catch (thrown) {
        assert.ok(thrown instanceof SyntaxError, String(thrown));
        return undefined;
      }
    };
    const [plain, own] = [read(JSON.parse), read(parseJsonc)];
    if (plain) assert.deepEqual(own, plain);
    else if (own && !/[/\ufeff]|,\s*[\]}]/.test(text)) assert.fail(`no JSON: ${JSON.stringify(own)}`);
  },
);

const WORD = fc.oneof(
  fc.constantFrom(
    ...HOSTILE_TEXTS,
    ...Object.keys(COMMANDS),
    "list",
    "show",
    "sh",
    "0",
    "4005",
    "-",
    "=",
    "--",
    "--no-json",
  ),
  fc.constantFrom(...Object.keys(FLAGS).flatMap((flag) => [`--${flag}`, `--${flag}=x`, `--${flag}=`])),
  fc.constantFrom("-p", "-dy", "-m=x", "-px", "-hv", "-z", "--__proto__", "--constructor=1", "--port=4005", "-y"),
);

fuzz(
  "any command line is understood, or refused with what is wrong",
  3,
  fc.array(WORD, { maxLength: 6 }),
  async (args) => {
    let line;
    try {
      line = await parseCommandLine(args);
    } catch (thrown) {
      return checkComplaint(thrown);
    }
    assert.ok(Object.hasOwn(COMMANDS, line.command), line.command);
    assert.deepEqual(line.rest, args.includes("--") ? args.slice(args.indexOf("--") + 1) : []);
    for (const [name, value] of Object.entries(line.flags)) {
      assert.ok(Object.hasOwn(FLAGS, name), name);
      assert.equal(typeof value, FLAGS[name as keyof typeof FLAGS].type);
    }
    orComplaint(() => resolveSettings(line.flags as Record<string, string>, [], () => {}));
  },
);

const NAMES = [
  ...["NVIDIA_API_KEY", "NVIDIA_BASE_URL", "ARBITER_HOST", "ARBITER_PORT", "BRIDGE_PORT", "ARBITER_MODEL", "MODEL"],
  ...["ARBITER_FALLBACK_MODELS", "ARBITER_API_KEY", "ARBITER_MAX_TOKENS", "ARBITER_PING_SECONDS", "ARBITER_RATE_LIMIT"],
  ...["ARBITER_RATE_WINDOW", "ARBITER_MAX_CONCURRENCY", "ARBITER_INBOUND_RPM", "ARBITER_THINKING", "LOG_LEVEL"],
  ...["MAX_REQUEST_BODY_MB", "REQUEST_TIMEOUT_SECONDS", "ARBITER_LOCAL_ANSWERS", "TARGET_DIR", "SKIP_NIM_CHECK"],
  ...["OPENROUTER_BASE_URL", "__proto__", "constructor"],
];
const VALUE = fc.oneof(
  fc.constantFrom(
    ...HOSTILE_TEXTS,
    "0",
    "1",
    "4005",
    "65535",
    "65536",
    "1e3",
    "0x10",
    "１",
    "on",
    "off",
  ),
  fc.constantFrom(
    "https://h/v1/",
    "http://",
    "localhost",
    "[::1]",
    "0.0.0.0",
    "127.1",
    "a,b",
    ",",
    "title,quota",
    "all",
    "none",
  ),
);

fuzz(
  "any environment is understood, or refused without showing a key",
  4,
  fc.array(fc.dictionary(fc.constantFrom(...NAMES), VALUE, { maxKeys: 5 }), { minLength: 1, maxLength: 2 }),
  (layers) => {
    const settings = orComplaint(() =>
      resolveSettings({}, layers, (warning) => assert.doesNotMatch(warning, /sk-secret/))
    );
    const backends = orComplaint(() => resolveBackends(layers));
    for (const [name, value] of Object.entries(settings ?? {})) {
      if (typeof value === "number") assert.ok(Number.isSafeInteger(value) && value >= 0, `${name} ${value}`);
      assert.notEqual(value, undefined);
    }
    if (settings) assert.ok(Array.isArray(toLocalAnswers(settings)));
    for (const { baseUrl = "http://x" } of Object.values(backends ?? {})) assert.match(baseUrl, /^https?:.*[^/]$/);
  },
);

const KEY = fc.record({
  key: fc.oneof(
    fc.constantFrom(SECRET, "short", "a-long-secret", "=padded==", "with space", "ümlaut-key", "pad-at-end=="),
    fc.string(),
  ),
  name: fc.option(fc.constantFrom("me", "ci", "a.b-c", "no name", ""), { nil: undefined }),
  rpm: fc.option(fc.constantFrom("0", "20", "1000000", "9999999", "-1", "x", ""), { nil: undefined }),
});

fuzz(
  "any list of keys for clients is read as it was written, or refused without showing one",
  3,
  fc.array(KEY, { minLength: 1, maxLength: 3 }),
  (list) => {
    const text = list.map(({ key, name, rpm }) =>
      `${name === undefined ? "" : `${name}=`}${key}${rpm === undefined ? "" : `:${rpm}`}`
    );
    let keys;
    try {
      keys = parseClientKeys(text.join(","));
    } catch (thrown) {
      assert.ok(thrown instanceof TypeError, String(thrown));
      assert.doesNotMatch(thrown.message, /sk-secret|ümlaut/);
      return;
    }
    const written = keys.map(({ key, name, rpm }) =>
      `${name === undefined ? "" : `${name}=`}${key}${rpm === undefined ? "" : `:${rpm}`}`
    );
    assert.deepEqual(
      written.map((one) => one.replace(/:0+(?=\d)/, ":")),
      text.join(",").split(",").map((one) => one.trim().replace(/:0+(?=\d)/, ":")),
    );
    assert.equal(new Set(keys.map(({ key }) => key)).size, keys.length);
  },
);
