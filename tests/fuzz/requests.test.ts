import assert from "node:assert/strict";
import fc from "fast-check";
import { createRouter } from "../../lib/routing/router.ts";
import { estimateRequestTokens } from "../../lib/tokens/request_tokens.ts";
import { toMessagesRequest } from "../../lib/translate/client_chat_request.ts";
import { toPassedRequest } from "../../lib/translate/passed_request.ts";
import { toChatRequest } from "../../lib/translate/request.ts";
import type { MessagesRequest } from "../../lib/wire/anthropic.ts";
import { parseClientChatRequest } from "../../lib/wire/client_chat_request.ts";
import { ApiError } from "../../lib/wire/errors.ts";
import { parseMessagesRequest } from "../../lib/wire/messages_request.ts";
import { toJsonText } from "../../lib/wire/json.ts";
import { CHAT_REQUESTS, MESSAGES_REQUESTS } from "./samples.ts";
import { fuzz, mutated } from "./support.ts";
import { assertValidUpstreamRequest } from "./upstream_request.ts";

/** Models with rules of their own: ids of calls, sight, tools, thinking. */
const MODELS = fc.constantFrom(
  "test/model",
  "moonshotai/kimi-k2.6",
  "moonshotai/kimi-k3",
  "mistralai/mistral-large-3-675b-instruct-2512",
  "openai/gpt-oss-120b",
  "deepseek-ai/deepseek-v4-pro",
  "nvidia/nvidia-nemotron-nano-9b-v2",
  "minimaxai/minimax-m3",
  "meta/llama-3.1-70b-instruct",
);

/** What a client of the other format asks. */
const parseChat = (body: unknown) => toMessagesRequest(parseClientChatRequest(body)).request;

/** Reads and translates; a client that is refused is told where in its request something is wrong. */
function check(json: string, parse: (body: unknown) => MessagesRequest, model: string): void {
  try {
    checkRequest(parse(JSON.parse(json)), model);
  } catch (thrown) {
    if (!(thrown instanceof ApiError)) throw thrown;
    assert.equal(thrown.status, 400);
    assert.match(thrown.message, /^[\w.]+: \S/);
    assert.doesNotMatch(thrown.message, /undefined|\[object|is not a function|stack/);
  }
}

const router = createRouter({ apiKey: "k", model: "test/model" });

function checkRequest(request: MessagesRequest, model: string): void {
  const { candidates } = router.route({ request, headers: new Headers(), inputTokens: () => 1 });
  assert.ok(candidates.length > 0);
  const tokens = estimateRequestTokens(request, { vision: true, replaysThinking: true, passed: false });
  assert.ok(tokens >= 0 && tokens < 1e9, `${tokens} tokens`);
  const sent = assertValidUpstreamRequest(toJsonText(toChatRequest(request, { model, maxTokens: 100_000 }).request));
  assert.equal(sent.model, model);
  assert.equal(sent.stream === true, request.stream === true);
  const passed = JSON.parse(toJsonText(toPassedRequest(request, { model }).request));
  assert.equal(passed.model, model);
}

fuzz(
  "any Messages request becomes a valid one for the host, or a clear 400",
  20,
  fc.tuple(mutated(MESSAGES_REQUESTS), MODELS),
  ([json, model]) => {
    check(json, parseMessagesRequest, model);
  },
);

fuzz(
  "any chat completion request becomes a valid one for the host, or a clear 400",
  13,
  fc.tuple(mutated(CHAT_REQUESTS), MODELS),
  ([json, model]) => {
    check(json, parseChat, model);
  },
);

fuzz("any JSON at all is a valid request or a clear 400", 2, fc.json({ maxDepth: 4 }), (json) => {
  for (const parse of [parseMessagesRequest, parseChat]) check(json, parse, "test/model");
});
