/**
 * What a refusal states of the model: its context, the prompt, prompt and output together, and the most output, all in
 * tokens; fields it does not take.
 */
export type StatedLimits = { limit?: number; used?: number; total?: number; cap?: number; fields?: string[] };

/** No wording is longer; what comes after that is an echo of the request. */
const MAX_WORDS = 1000;

/** The wordings of numbers; of each group the first row that has it counts. Digits carry no separators here. */
const NUMBERS: readonly RegExp[] = [
  /\binputs?[`'" ]+tokens \+ [`'"]?max_new_tokens[`'"]? must be <= (?<limit>\d+)\. Given: (?<used>\d+)/, // TGI
  /too long: (?<used>\d+) tokens > (?<limit>\d+) maximum/, // Anthropic
  /exceed context limit: (?<used>\d+) \+ \d+ > (?<limit>\d+)/, // Anthropic
  /context length:? (?:is|of|=)?(?: only)? ?\(?(?<limit>\d+)/, // vLLM, SGLang, Fireworks
  /Current length is (?<total>\d+) while limit is (?<limit>\d+)/, // Cerebras
  /model token limit: (?<limit>\d+)(?: \(requested: (?<total>\d+))?/, // Moonshot
  /prompt length is (?<limit>\d+) but the request contains (?<used>\d+)/, // xAI
  /token count \((?<used>\d+)\) exceeds the maximum number of tokens allowed \((?<limit>\d+)/, // Gemini
  /max_num_tokens \((?<limit>\d+)\)/, // TRT-LLM
  /maximum sequence length \((?<limit>\d+)\)/, // Triton
  /max_model_len=(?:max_total_tokens=)?(?<limit>\d+)/, // vLLM
  /(?<used>\d+) (?:tokens )?(?:in|from) (?:the|your) (?:input |request )?(?:messages|prompt)/, // OpenAI, vLLM, SGLang
  /messages resulted in (?<used>\d+)/, // OpenAI, vLLM
  /(?:request has|contains|passed)(?: at least)? (?<used>\d+) input tokens/, // vLLM
  /input_tokens, value=(?<used>\d+)/, // vLLM
  /(?:input|request) \((?<used>\d+) tokens\)/, // SGLang, llama.cpp
  /available context size \((?<limit>\d+) tokens\)/, // llama.cpp
  /keep the first (?<used>\d+) tokens/, // LM Studio
  /n_keep: (?<used>\d+) ?>= n_ctx: (?<limit>\d+)/, // LM Studio
  /prompt length \((?<used>\d+)\)/, // TRT-LLM, Triton
  /requested (?:about |a total of )?(?<total>\d+) tokens/, // OpenRouter, OpenAI, vLLM
  /tokens per min\w* \(TPM\): Limit (?<limit>\d+), Requested (?<total>\d+)/, // Groq, OpenAI: of a whole minute
  /max_(?:completion_)?tokens\b[^;]{0,120}?(?:less than or equal to|<=|at most|(?:not|cannot) exceed)[\s`'"]*(?<cap>\d+)/,
  /max_(?:completion_)?tokens\b[^;]{0,120}?maximum (?!context)\D{0,60}?(?:is|of)[\s`'":]*(?<cap>\d+)/,
  /maximum (?!context).{0,60}?(?:max_\w*?|output |completion )tokens\D{0,40}?(?:is|of)[\s`'":]*(?<cap>\d+)/,
  /range of max_(?:completion_)?tokens is [[(]\d+, ?(?<cap>\d+)/, // DeepSeek
  /^max_(?:completion_)?tokens: \d+ > (?<cap>\d+)/, // Anthropic
  /fewer max_tokens.{0,60} can only afford (?<cap>\d{5,})/, // OpenRouter, FCC#752; with less left there is no credit
].map((pattern) => new RegExp(pattern.source.replaceAll("\\d+)", "\\d+(?!\\d*[km]\\b))"), "i")); // Not the 128 of 128k.

/** What else Claude Code 2.1.328 takes for an overflow, of any provider. */
export const OVERFLOW: RegExp = new RegExp(
  [
    "exceeds the (?:context window|available context size|maximum number of tokens allowed)",
    "context window exceeds limit|longer than the maximum model length|exceeded model token limit|exceed context limit",
    "input tokens exceed the configured limit|input token length too long|maximum prompt length|input is too long",
    "prompt exceeds max length|range of input length should be|tokens in request more than max tokens allowed",
    "but model only supports up to|reduce the length of the messages|context exceeds your deployment",
    "`inputs` tokens \\+ `max_new_tokens` must be|contextwindowexceedederror",
  ].join("|"),
  "i",
);

/** The wordings of fields a model does not take; all count. */
const REJECTIONS: readonly RegExp[] = [
  // NIM "Unsupported parameter(s): `a`, `b`", OpenAI "Unrecognized request argument supplied: a", Gemini 'Unknown name "a"'
  /\bun\w+ (?:request )?(?:parameter|argument|field|name|value)[s()]*(?: supplied)?(?:: ?| (?=[`'"]))(?<fields>[\w.`'", ]+)/gi,
  /(?<![\w.])(?<fields>[\w.]+):? Extra (?:inputs are|fields) not permitted/gi, // pydantic, as "body.a: …"
  /support the provided [`'"](?<fields>\w+)/g, // OpenRouter
  // NIM's kimi-k3, Groq, Cerebras, Azure "Extra parameters ['a'] are …"
  /[`'"](?<fields>[a-z][\w.]*)[`'"]\]? (?:is|are) (?:immutable|unsupported|not (?:supported|allowed|permitted))/g,
  /not permitted, field: [`'"](?<fields>[\w.[\]]+)/g, // Fireworks
  /(?:invalid|Unsupported) (?<fields>thinking|tool_choice): (?:only )?type=/g, // Moonshot, Cerebras
  /(?<fields>think)(?: value \S+ is not supported|ing$)/g, // Ollama "… does not support thinking"
  /(?<fields>Reasoning) is mandatory/g, // OpenRouter, of a model that cannot be told not to
  /not support(?:ed on this model:| parameter) (?<fields>\w+)/g, // xAI
  /(?<![\w`'"./-])(?<fields>[a-z]+(?:_[a-z]+)+) (?:is|are) (?:immutable|not (?:supported|allowed|permitted))/g, // NIM
];

/** What refusals call something else than the field. */
const FIELD_NAMES = new Map([
  ["chat_template", ["chat_template", "chat_template_kwargs"]], // Mistral's tokenizers
  ["think", ["reasoning_effort"]], // Ollama
  ["Reasoning", ["reasoning"]], // OpenRouter
]);

/** A list ends where two names have no comma between them. */
function toFields(list: string): string[] {
  const fields = list.replace(/(?<!,) +[\w`'"].*/, "").match(/\w+(?:\.\w+)*/g) ?? [];
  return fields.flatMap((name) => FIELD_NAMES.get(name) ?? name.replace(/^body\./, ""));
}

/** Reads what the text of a refusal states of the model; numbers may be written 32768, 32,768, 32_768 or 32768.0. */
export function parseLimits(text: string): StatedLimits {
  const words = text.slice(0, MAX_WORDS).replace(/(?<=\d)[,_](?=\d{3}(?!\d))|(?<=\d)\.\d+/g, "");
  const limits: StatedLimits = {};
  for (const pattern of NUMBERS) {
    for (const [name, digits] of Object.entries(pattern.exec(words)?.groups ?? {})) {
      const number = Number(digits);
      if (number > 0 && Number.isSafeInteger(number)) limits[name as "limit" | "used" | "total" | "cap"] ??= number;
    }
  }
  if (limits.used !== undefined) delete limits.total;
  const fields = REJECTIONS.flatMap((pattern) =>
    [...words.matchAll(pattern)].flatMap(({ groups }) => toFields(groups?.fields ?? ""))
  );
  if (fields.length > 0) limits.fields = [...new Set(fields)];
  return limits;
}
