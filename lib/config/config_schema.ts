import { FAMILIES } from "../models/families.ts";
import type { ModelRow } from "../models/roster.ts";
import type { BackendOptions, ProfileOptions, RoutingOptions } from "../routing/routing_options.ts";
import type { RoutedTask } from "../routing/tasks.ts";
import type { JsonSchema } from "./json_schema.ts";

/** What messages call an address of a backend. */
export const AN_ADDRESS = "an address such as https://host/v1, without a password";
const A_MODEL = "a model id";
const A_BACKEND = "a backend";

/** A schema for each key of a type: the type check finds one that is missing or too many. */
type Properties<Key extends string> = Record<Key, JsonSchema>;

const ofText = (title: string, description: string, pattern = "\\S"): JsonSchema => ({
  type: "string",
  pattern,
  title,
  description,
});
const ofCount = (minimum: number, description: string): JsonSchema => ({ type: "integer", minimum, description });
const ofFlag = (description: string): JsonSchema => ({ type: "boolean", description });
const ofList = (items: JsonSchema, description: string): JsonSchema => ({ type: "array", items, description });
const ofMap = (values: JsonSchema, description: string): JsonSchema => ({
  type: "object",
  additionalProperties: values,
  description,
});
const ofRecord = (properties: Properties<string>, description: string, ...required: string[]): JsonSchema => ({
  type: "object",
  properties,
  required,
  additionalProperties: false,
  description,
});

const BACKEND_KEYS: Properties<Exclude<keyof BackendOptions, "rateWindow"> | "rateWindowSeconds"> = {
  baseUrl: ofText(AN_ADDRESS, "Address up to and including /v1. A built-in name has one.", "^https?://(?![^/]*@)\\S+$"),
  apiKey: {
    not: {},
    title: "no key in this file (name the variable that holds it in 'apiKeyEnv')",
    description: "Not here: secrets do not belong in this file. Use apiKeyEnv.",
  },
  apiKeyEnv: ofText("the name of an environment variable", "The variable that holds the key.", "^[A-Za-z_]\\w*$"),
  defaultModel: ofText(A_MODEL, "Model for the main work, if this is the defaultBackend and nobody chose one."),
  format: {
    enum: ["openai", "anthropic"],
    description: "What it speaks: chat completions (the default), or messages, which are passed on as they are.",
  },
  headers: ofMap({ type: "string" }, "Headers for each request. They are no place for secrets."),
  rateLimit: ofCount(0, "Most requests in any rateWindowSeconds. 0 is no limit."),
  rateWindowSeconds: { ...ofCount(1, "Seconds over which requests are counted."), maximum: 86_400 },
  maxConcurrency: ofCount(0, "Most requests at once. 0 is no limit."),
};

const CAPABILITY_KEYS: Properties<keyof NonNullable<ProfileOptions["capabilities"]>> = {
  toolCalls: ofFlag("Whether it calls tools."),
  coding: ofFlag("For people: Arbiter does not use it."),
  vision: ofFlag("Whether it sees images."),
  reasoning: ofFlag("Whether it thinks before it answers."),
};

const PROFILE_KEYS: Properties<keyof ProfileOptions | "notes"> = {
  backend: ofText(A_BACKEND, "Where the model is. Without it, the defaultBackend."),
  providerModel: ofText(A_MODEL, "The model's id there."),
  retryAttempts: ofCount(0, "How often it is asked when it fails, other models in between. 0 and 1 are both once."),
  retryBaseDelayMs: ofCount(
    0,
    "Milliseconds before it is asked again. Each further time waits twice as long, at most a minute.",
  ),
  extraBody: { type: "object", description: "Fields for the body of each request, such as chat_template_kwargs." },
  capabilities: ofRecord(CAPABILITY_KEYS, "What the model can do, where you know better than Arbiter."),
  notes: { type: ["string", "array"], items: { type: "string" }, description: "For people. Arbiter ignores them." },
  context: ofCount(1, "Tokens that fit into its window, the answer included."),
  maxOutput: ofCount(1, "Most tokens of one answer."),
  fallbacks: ofList(
    ofText(A_MODEL, "A name of modelProfiles or modelMap, or a model's id."),
    "Who steps in, in order.",
  ),
};

const ROW_KEYS: Properties<Exclude<keyof ModelRow, "gone" | "host">> = {
  id: ofText(A_MODEL, "The model's id at its host."),
  context: PROFILE_KEYS.context,
  maxOutput: PROFILE_KEYS.maxOutput,
  tools: CAPABILITY_KEYS.toolCalls,
  vision: CAPABILITY_KEYS.vision,
  reasoning: CAPABILITY_KEYS.reasoning,
  successor: ofText(A_MODEL, "The model that takes its place once it is retired."),
  wholeAnswers: ofFlag("Whether it is asked for whole answers, because its streams lose something."),
  family: { enum: FAMILIES.map(({ name }) => name), description: "The family it belongs to, if its id does not tell." },
};

const TASK_KEYS: Properties<RoutedTask> = {
  coding: ofText(A_MODEL, "For writing and mending code."),
  reasoning: ofText(A_MODEL, "For planning, proofs and analysis."),
  longcontext: ofText(A_MODEL, "For work on many files or long documents."),
  ui_complex: ofText(A_MODEL, "For designing whole user interfaces."),
  ui_quick: ofText(A_MODEL, "For small work on user interfaces."),
  fast: ofText(A_MODEL, "For short questions."),
  think: ofText(A_MODEL, "For requests that ask for as much thinking as can be (effort max)."),
  image: ofText(A_MODEL, "For requests with images."),
  background: ofText(A_MODEL, "For what Claude Code does by the way, such as titles."),
  safety: ofText(A_MODEL, "For checks whether a command is safe."),
};

const MAPPED_KEYS: Properties<"backend" | "model"> = {
  backend: ofText(A_BACKEND, "Where the model is."),
  model: ofText(A_MODEL, "The model's id there."),
};

const FILE_KEYS: Properties<keyof RoutingOptions | "$schema" | "port"> = {
  $schema: { type: "string", description: "Where this schema is, for editors." },
  port: { ...ofCount(0, "Port to listen on. 0 takes any free one."), maximum: 65_535 },
  defaultBackend: ofText(A_BACKEND, "The backend of models that name none."),
  backends: ofMap(
    ofRecord(BACKEND_KEYS, "A host."),
    "Hosts by name. One with a built-in name changes only what it says.",
  ),
  modelProfiles: ofMap(
    ofRecord(PROFILE_KEYS, "A model, and how it is asked.", "providerModel"),
    "Models by the name a client asks for. They count more than modelMap.",
  ),
  modelMap: ofMap(
    ofRecord(MAPPED_KEYS, "A model.", "backend", "model"),
    "Models by the name a client asks for, in short.",
  ),
  models: ofList(ofRecord(ROW_KEYS, "A model.", "id"), "Models that Arbiter does not know, or describes wrongly."),
  tasks: ofRecord(TASK_KEYS, "Models for tasks: names of modelProfiles or modelMap, or model ids."),
};

/**
 * The config file as JSON Schema: the shape of Claudia-Router's config.json, and more keys. `arbiter.schema.json` is
 * written from it.
 */
export const CONFIG_SCHEMA: JsonSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  ...ofRecord(FILE_KEYS, "Where Arbiter's requests go. Comments and trailing commas are allowed."),
};
