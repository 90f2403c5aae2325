/** What is asked and answered in the benchmark of proxies: shared by the upstream, which tells it, and the client, which checks it. */

/** A piece of a streamed answer, as OpenAI's format has it. */
export type Delta = Record<string, unknown>;

/** An answer: its pieces, and what they come to. */
export type Scenario = {
  deltas: Delta[];
  finish: "stop" | "tool_calls";
  text: string;
  thinking: string;
  calls: { name: string; input: unknown }[];
  /** Milliseconds between two pieces; all at once if there are none. */
  pace: number;
};

/** Sizes of requests. */
export type Size = "small" | "claude" | "huge";

/** What the text of an answer, or of its first call, begins with: by it the client knows the first token. */
export const FIRST = "Beginning";
/** Stands for the time at which a paced token leaves the upstream, in microseconds of the machine's clock. */
export const STAMP = "@0000000000000000";

const WORDS = 'the quick brown fox jumps over a lazy dog while `code` and "quotes" wait; naïve façades — 日本 —\n'
  .split(" ");

function toTokens(count: number): string[] {
  return Array.from({ length: count }, (_, i) => i === 0 ? FIRST : ` ${WORDS[i * 7 % WORDS.length]}`);
}

function toFragments(text: string, length: number): string[] {
  return text.match(new RegExp(`[^]{1,${length}}`, "g")) ?? [];
}

function toScenario(deltas: Delta[], rest: Partial<Scenario> = {}): Scenario {
  return { deltas, finish: "stop", text: "", thinking: "", calls: [], pace: 0, ...rest };
}

function toText(count: number, pace = 0): Scenario {
  const tokens = toTokens(count).map((token) => pace > 0 ? `${token} ${STAMP}` : token);
  return toScenario(tokens.map((content) => ({ content })), { text: tokens.join(""), pace });
}

/** Calls whose arguments come in turns, a fragment of each. */
function toCalls(count: number, size: number): Scenario {
  const calls = Array.from({ length: count }, (_, i) => {
    const content = toTokens(size / 5 | 0).join("").slice(0, size);
    return { name: "Write", input: { file_path: `/${FIRST}/${i}.txt`, content } };
  });
  const pieces = calls.map(({ input }) => toFragments(JSON.stringify(input), 12));
  const deltas = calls.map(({ name }, index): Delta => {
    return { tool_calls: [{ index, id: `call_${index}`, type: "function", function: { name, arguments: "" } }] };
  });
  for (let at = 0; at < Math.max(...pieces.map(({ length }) => length)); at++) {
    for (const [index, list] of pieces.entries()) {
      if (at < list.length) deltas.push({ tool_calls: [{ index, function: { arguments: list[at] } }] });
    }
  }
  return toScenario(deltas, { finish: "tool_calls", calls });
}

function toThought(thoughts: number, words: number): Scenario {
  const [thinking, text] = [toTokens(thoughts), toTokens(words)];
  const deltas = [
    ...thinking.map((reasoning_content) => ({ reasoning_content })),
    ...text.map((content) => ({ content })),
  ];
  return toScenario(deltas, { text: text.join(""), thinking: thinking.join("") });
}

/** All answers, by name. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  short: toText(20),
  long: toText(5_000),
  paced: toText(60, 20),
  arguments: toCalls(1, 20_000),
  parallel: toCalls(4, 2_000),
  reasoning: toThought(1_000, 200),
};

const PARAGRAPH = 'A line of a file that was read, with "quotes", a tab\tand\\slashes.\n  const x = f(y); // é\n'
  .repeat(20);

function toHistory(bytes: number): object[] {
  const messages: object[] = [];
  for (let i = 0, size = 0; size < bytes; i++, size += 2 * PARAGRAPH.length + 300) {
    const id = `toolu_${i}`;
    const input = { file_path: `/src/${i}.ts`, content: `${i} ${PARAGRAPH}` };
    messages.push({ role: "assistant", content: [{ type: "tool_use", id, name: "Write", input }] });
    const result = { type: "tool_result", tool_use_id: id, content: [{ type: "text", text: `${i}\n${PARAGRAPH}` }] };
    messages.push({ role: "user", content: [result] });
  }
  return messages;
}

function toTools(count: number): object[] {
  const properties = Object.fromEntries(["file_path", "content", "pattern", "limit"].map((name) => {
    return [name, { type: "string", description: `What ${name} means. `.repeat(8) }];
  }));
  const input_schema = { type: "object", properties, required: ["file_path"], additionalProperties: false };
  return Array.from({ length: count }, (_, i) => {
    return { name: i === 0 ? "Write" : `Tool${i}`, description: "What the tool does. ".repeat(100), input_schema };
  });
}

/** Makes a request for Anthropic's endpoint; `bytes` of history, as Claude Code sends it. */
function toMessages(bytes: number): object {
  const system = [{ type: "text", text: "You are a coding agent. ".repeat(bytes > 0 ? 600 : 1) }];
  const first = { role: "user", content: [{ type: "text", text: "Work on the project." }] };
  return { max_tokens: 4096, system, tools: toTools(bytes > 0 ? 20 : 1), messages: [first, ...toHistory(bytes)] };
}

const HISTORY: Record<Size, number> = { small: 0, claude: 230_000, huge: 4_900_000 };

/**
 * The body of a request; the upstream looks for the scenario behind `SCENARIO:`.
 *
 * The floors get the same bytes: what they pass on they do not read.
 */
export function toBody(model: string, size: Size, scenario: string, stream: boolean): string {
  const request = toMessages(HISTORY[size]) as { messages: object[] };
  const last = { role: "user", content: [{ type: "text", text: `Go on. SCENARIO:${scenario};` }] };
  return JSON.stringify({ model, stream, ...request, messages: [...request.messages, last] });
}
