/**
 * Arbiter lets Claude Code work with NVIDIA's free hosted models, or any other host that speaks
 * OpenAI's chat completions: it translates both ways while streaming.
 *
 * As a program: `deno run -A mod.ts code`. As a library:
 *
 * @example
 * ```ts
 * import { createArbiter } from "jsr:@arbiter/proxy";
 *
 * const arbiter = createArbiter({ apiKey: "nvapi-…" });
 * const response = await arbiter.fetch(new Request("http://localhost/health"));
 * ```
 *
 * @module
 */
import { main } from "./cli/main.ts";

export type {
  BlockDelta,
  ContentBlock,
  ContentBlockParam,
  JsonObject,
  Message,
  MessageContent,
  MessageDelta,
  MessageParam,
  MessagesRequest,
  MessageStreamEvent,
  StopReason,
  ToolChoice,
  ToolParam,
  ToolResultParam,
  Usage,
  VisualizationEvent,
} from "./wire/anthropic.ts";
export type {
  ChatChoice,
  ChatChunk,
  ChatDelta,
  ChatMessage,
  ChatPart,
  ChatRequest,
  ChatTool,
  ChatToolCall,
  ChatUsage,
  ToolCallDelta,
} from "./wire/openai.ts";
export {
  ApiError,
  type ApiErrorBody,
  type ApiErrorOptions,
  type ApiErrorType,
  STATUS_BY_ERROR_TYPE,
} from "./wire/errors.ts";
export { type Clock, systemClock } from "./wire/clock.ts";
export { type Fetch } from "./wire/fetch.ts";
export { type NewId, randomId } from "./wire/ids.ts";
export { parseMessagesRequest } from "./wire/messages_request.ts";
export {
  type BackendOptions,
  type ProfileOptions,
  type RouterOptions,
  type RoutingOptions,
  type Tier,
} from "./routing/routing_options.ts";
export { type Backend, type Candidate } from "./routing/candidate.ts";
export { type Catalog } from "./routing/catalog.ts";
export { type Names, type Target } from "./routing/reference.ts";
export { type RequestKind } from "./routing/request_kind.ts";
export { type Asked, createRouter, type Route, type Router, type RouteTrace } from "./routing/router.ts";
export { type RateLimits } from "./routing/rate_limits.ts";
export { classifyTask, type TaskVerdict } from "./routing/classify_task.ts";
export { type RoutedTask, type Task } from "./routing/tasks.ts";
export { type LocalAnswer } from "./routing/local_answers.ts";
export { type CallIdRule, type DigitRule, type Family } from "./models/families.ts";
export { DEFAULT_MODELS, type Model, type ModelRow, ROSTER, toModel, toSuccessors } from "./models/roster.ts";
export { type Effort, type ThinkingSwitch, toEffort } from "./models/thinking.ts";
export { type DeclaredTools } from "./dialects/grammar.ts";
export { type Piece } from "./dialects/reader.ts";
export { type FoundCall } from "./dialects/found_calls.ts";
export { type Found } from "./dialects/scanner.ts";
export { createSanitiser, type Sanitiser } from "./models/sanitiser.ts";
export { estimateTokens, type TextCost } from "./tokens/estimate.ts";
export { estimateRequestTokens, type TokenRules } from "./tokens/request_tokens.ts";
export { Calibration } from "./tokens/calibration.ts";
export { TokenCounter } from "./tokens/token_counter.ts";
export { type ChatRequestOptions, toChatRequest, type TranslatedRequest } from "./translate/request.ts";
export { toDeclaredTools } from "./translate/tools.ts";
export {
  ChunkTranslator,
  type ChunkTranslatorOptions,
  type MessageStart,
  toMessageStart,
} from "./stream/chunk_translator.ts";
export { toMessage } from "./stream/message.ts";
export { SseDecoder } from "./stream/sse_decoder.ts";
export { encodeEvents } from "./stream/event_encoder.ts";
export { type Arbiter, type ArbiterOptions, createArbiter } from "./arbiter.ts";
export { MissingEngineError, type SlidingWindow, type Store, type Taken } from "./store/store.ts";
export { createMemoryStore } from "./store/memory_store.ts";
export { createRedisStore, type RedisStoreOptions } from "./store/redis_store.ts";
export { createSqliteStore, type SqliteStoreOptions } from "./store/sqlite_store.ts";
export { createSteadyStore, type SteadyStoreOptions } from "./store/steady_store.ts";
export { type Call, type CallAnswer, type CallOptions } from "./upstream/call.ts";
export { type ChainOptions } from "./upstream/chain_options.ts";
export { httpCall } from "./upstream/http_call.ts";
export { probeModels, type ProbeOptions, type ProbeResult, type ProbeState } from "./upstream/probe.ts";
export { type ClientKey, parseClientKeys } from "./config/client_keys.ts";
export { type HandlerOptions } from "./server/options.ts";
export { type RequestLog } from "./server/request_log.ts";
export { type ArbiterStatus, type Quota, type Stats } from "./server/stats.ts";
export { type Handler, serve, type ServeOptions, type Server } from "./server/serve.ts";
export { createStandIn, type StandIn, type StandInOptions } from "./stand_in/stand_in.ts";
export { type Script, type ScriptedAnswer, type ScriptedCall, type Step } from "./stand_in/script.ts";
export { main } from "./cli/main.ts";

if (import.meta.main) {
  import("node:process").then(async ({ default: process }) => {
    process.exitCode = await main(process.argv.slice(2));
  });
}
