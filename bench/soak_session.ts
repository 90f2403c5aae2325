/** A session of the soak test: it asks as Claude Code does, and checks every answer to the last character. */
import assert from "node:assert/strict";
import { Agent, type IncomingMessage, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { ContentBlock, MessageParam, Usage } from "../mod.ts";
import { assertLegalStream, parseEvents } from "../tests/support/grammar.ts";
import { createChance, makeText, seal, toCounts, unseal } from "./soak_words.ts";

/** What all sessions share: where they ask, what they wait for before each request, and what they count. */
export type Soak = {
  url: string;
  speed: number;
  /** Waits until requests may be made; gives whether the test goes on. */
  enter: () => Promise<boolean>;
  leave: () => void;
  /** Whether texts are long, which fills what remembers them. */
  warming: () => boolean;
  counts: Record<string, number>;
  violations: string[];
};

type Outcome = { what: "whole"; content: ContentBlock[]; usage: Usage } | { what: "again"; wait: number } | {
  what: "left";
};

const TOOLS = ["Write", "Read", "Bash"].map((name) => ({
  name,
  input_schema: { type: "object", properties: { path: { type: "string" }, content: { type: "string" } } },
}));
const MAX_RETRIES = 10;
const AGENT = new Agent({ keepAlive: true });

async function readText(response: IncomingMessage): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of response) text += decoder.decode(piece, { stream: true });
  return text;
}

/** One of many sessions: conversations one after the other. */
export class Session {
  readonly #soak: Soak;
  readonly #name: string;
  readonly #chance: () => number;
  #conversation = 0;
  #messages: MessageParam[] = [];
  #texts = 0;

  constructor(soak: Soak, number: number, seed: number) {
    this.#soak = soak;
    this.#name = `s${number}`;
    this.#chance = createChance(seed * 1_000 + number);
  }

  /** Goes on until the test is over. */
  async run(): Promise<void> {
    while (await this.#soak.enter()) {
      this.#soak.leave();
      this.#conversation++;
      this.#messages = [];
      this.#texts = 0;
      try {
        await this.#converse();
      } catch (thrown) {
        const { message, cause } = thrown as Error;
        this.#violate(`${message}${cause ? ` (${cause})` : ""}`);
      }
    }
  }

  get #id(): string {
    return `${this.#name}.${this.#conversation}`;
  }

  #violate(what: string): void {
    if (this.#soak.violations.length < 20) this.#soak.violations.push(`${this.#id}: ${what}`);
  }

  #count(what: string): void {
    this.#soak.counts[what] = (this.#soak.counts[what] ?? 0) + 1;
  }

  /** A sealed text that begins with a nonce and how many there are in the conversation. */
  #say(words: number): { nonce: string; text: string } {
    const nonce = `${this.#id}:${++this.#texts}`;
    return { nonce, text: seal(`${nonce} ${this.#texts} ${makeText(this.#chance, words)}`) };
  }

  async #converse(): Promise<void> {
    const turns = 2 + Math.floor(this.#chance() * 8);
    if (this.#chance() < 0.2) await this.#askAside();
    let { nonce, text } = this.#say(20 + Math.floor(this.#chance() * 300));
    this.#messages.push({ role: "user", content: text });
    for (let turn = 0; turn < turns; turn++) {
      const content = await this.#ask(nonce);
      if (!content) return;
      this.#messages.push({ role: "assistant", content });
      const calls = content.filter((block) => block.type === "tool_use");
      const results = calls.map((call) => {
        const said = this.#say(10 + Math.floor(this.#chance() * 200));
        nonce = said.nonce;
        return { type: "tool_result" as const, tool_use_id: call.id, content: said.text };
      });
      if (results.length === 0 || this.#chance() < 0.2) {
        ({ nonce, text } = this.#say(20));
        this.#messages.push({ role: "user", content: [...results, { type: "text", text }] });
      } else this.#messages.push({ role: "user", content: results });
    }
  }

  /** What Claude Code asks beside: a title, a count, and what monitors ask. */
  async #askAside(): Promise<void> {
    const session = "<session>\nfix the bug\n</session>\nWrite the title.";
    const schema = { type: "object", properties: { title: { type: "string" } }, required: ["title"] };
    const title = {
      max_tokens: 100,
      messages: [{ role: "user", content: session }],
      output_config: { format: { type: "json_schema", schema } },
    };
    for (
      const [path, body] of [["messages", title], ["messages/count_tokens", {
        messages: [{ role: "user", content: session }],
      }], ["models", undefined]] as const
    ) {
      if (!await this.#soak.enter()) return;
      try {
        const response = await this.#post(path, body && { model: "claude-haiku-4-5", ...body });
        const answer = JSON.parse(await readText(response));
        assert.equal(response.statusCode, 200, JSON.stringify(answer));
        if (path === "messages") assert.equal(JSON.parse(answer.content[0].text).title, "Fix the bug");
        else if (path !== "models") assert.ok(answer.input_tokens > 5);
        this.#count("asked aside");
      } finally {
        this.#soak.leave();
      }
    }
  }

  get #headers(): Record<string, string> {
    return {
      "user-agent": "claude-cli/2.1.328 (external, cli)",
      "x-claude-code-session-id": this.#id,
      "content-type": "application/json",
    };
  }

  /** Asks until there is an answer; nothing if the user has left or it was in vain too often. */
  async #ask(nonce: string): Promise<ContentBlock[] | undefined> {
    for (let retry = 0; retry <= MAX_RETRIES; retry++) {
      if (!await this.#soak.enter()) return undefined;
      let outcome: Outcome;
      try {
        const kind = this.#chance();
        const alone = this.#messages.length === 1;
        if (alone && kind < 0.15) outcome = await this.#askChat(nonce);
        else outcome = kind < 0.25 ? await this.#askWhole(nonce) : await this.#askStream(nonce);
      } finally {
        this.#soak.leave();
      }
      this.#count(outcome.what);
      if (outcome.what === "left") return undefined;
      if (outcome.what === "whole") return outcome.content;
      await sleep(Math.max(20, outcome.wait / this.#soak.speed) * (1 + this.#chance()));
    }
    this.#count("in vain");
    return undefined;
  }

  /** Asks over connections that are kept; Node's `fetch` may wait for ever for a body that is given up just as it ends. */
  #post(path: string, body?: object, signal?: AbortSignal, headers = this.#headers): Promise<IncomingMessage> {
    const began = Date.now();
    const options = { method: body ? "POST" : "GET", headers, agent: AGENT };
    return new Promise((resolve, reject) => {
      const asked = request(`${this.#soak.url}/v1/${path}`, options, resolve);
      asked.on("error", (cause) => {
        reject(new Error(`the connection broke after ${Date.now() - began} ms: ${path}`, { cause }));
      });
      signal?.addEventListener("abort", () => asked.destroy(), { once: true });
      asked.end(body ? JSON.stringify(body) : undefined);
    });
  }

  #toBody(stream: boolean): object {
    const words = this.#soak.warming() ? 20_000 : 10;
    const system = [{ type: "text", text: `You are Claude Code. ${makeText(this.#chance, words)}` }];
    return { model: "claude-sonnet-5", max_tokens: 32_000, stream, system, tools: TOOLS, messages: this.#messages };
  }

  /** An error before an answer: Claude Code asks again for these. */
  async #toRefusal(response: IncomingMessage): Promise<Outcome> {
    const { error } = JSON.parse(await readText(response));
    const { statusCode: status = 0, headers } = response;
    assert.ok([429, 500, 502, 504, 529].includes(status), `${status}: ${JSON.stringify(error)}`);
    assert.doesNotMatch(error.message, /Arbiter failed|is not a function|undefined/);
    this.#count(`status ${status}`);
    return { what: "again", wait: Number(headers["retry-after"] ?? 1) * 1_000 };
  }

  async #askWhole(nonce: string): Promise<Outcome> {
    const response = await this.#post("messages", this.#toBody(false), AbortSignal.timeout(60_000));
    if (response.statusCode !== 200) return await this.#toRefusal(response);
    const { content, stop_reason, usage } = JSON.parse(await readText(response));
    return this.#check(nonce, content, stop_reason, usage);
  }

  async #askStream(nonce: string): Promise<Outcome> {
    const leaves = this.#chance() < 0.08 ? Math.floor(this.#chance() * 12) : Infinity;
    const gone = new AbortController();
    let [text, pieces, broken] = ["", 0, false];
    const late = setTimeout(() => {
      this.#violate(`an answer took a minute: ${nonce} ${text.slice(-300)}`);
      gone.abort();
    }, 60_000);
    const leaver = leaves < 3 ? setTimeout(() => gone.abort(), leaves * 40) : undefined;
    try {
      const response = await this.#post("messages", this.#toBody(true), gone.signal);
      if (response.statusCode !== 200) return await this.#toRefusal(response);
      const decoder = new TextDecoder();
      for await (const piece of response) {
        text += decoder.decode(piece, { stream: true });
        if (++pieces >= leaves) gone.abort();
      }
    } catch (thrown) {
      if (thrown instanceof assert.AssertionError) throw thrown;
      broken = true;
    } finally {
      clearTimeout(late);
      clearTimeout(leaver);
    }
    if (gone.signal.aborted) return { what: "left" };
    const events = parseEvents(text, !broken);
    const end = broken ? "cut" : events.at(-1)?.type === "error" ? "error" : "whole";
    if (broken && text === "") return { what: "again", wait: 500 };
    const { content, stop_reason, usage } = assertLegalStream(events, end);
    this.#count(`stream ${end}`);
    return end === "whole" ? this.#check(nonce, content, stop_reason, usage) : { what: "again", wait: 500 };
  }

  /** Asks as a client of OpenAI's format. */
  async #askChat(nonce: string): Promise<Outcome> {
    const body = { model: "gpt-4o", stream: true, stream_options: { include_usage: true }, messages: this.#messages };
    const response = await this.#post("chat/completions", body, AbortSignal.timeout(60_000), {
      "content-type": "application/json",
    });
    if (response.statusCode !== 200) return await this.#toRefusal(response);
    let text = "";
    try {
      text = await readText(response);
    } catch {
      return { what: "again", wait: 500 };
    }
    const lines = text.split("\n\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6));
    if (lines.pop() !== "[DONE]") return { what: "again", wait: 500 };
    const chunks = lines.map((line) => JSON.parse(line));
    const said = chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("");
    const { prompt_tokens: input_tokens, completion_tokens: output_tokens } = chunks.at(-1).usage;
    const usage = { input_tokens, output_tokens, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 };
    this.#count("chat whole");
    return this.#check(nonce, [{ type: "text", text: said }], "end_turn", usage);
  }

  /** Checks that an answer is the one to this question, and all of it. */
  #check(nonce: string, content: ContentBlock[], stop: string | null, usage: Usage): Outcome {
    const problem = (what: string) => assert.fail(`${nonce}: ${what}`);
    const { prompt_tokens, completion_tokens } = toCounts(nonce);
    const [said, ...others] = content.flatMap((block) => block.type === "text" ? unseal(block.text, problem) : []);
    const made = Number(
      new RegExp(`^${nonce} answer (\\d) calls `).exec(said ?? "")?.[1] ??
        problem(`wrong answer: ${JSON.stringify(content).slice(0, 300)}`),
    );
    assert.deepEqual(others, [], "more than one answer");
    for (const block of content) {
      if (block.type !== "thinking") continue;
      for (const thought of unseal(block.thinking, problem)) {
        assert.ok(thought.startsWith(`${nonce} thought `), `wrong thought: ${thought}`);
      }
    }
    const calls = content.flatMap((block) => block.type === "tool_use" ? [block] : []);
    assert.equal(calls.length, made, `${nonce}: ${calls.length} of ${made} calls`);
    calls.forEach(({ name, input }, i) => {
      assert.deepEqual([name, input.path], ["Write", `/${i}`]);
      const [argument = ""] = unseal(String(input.content), problem);
      assert.ok(argument.startsWith(`${nonce} call ${i} of ${made} `), `${nonce}: wrong call: ${argument}`);
    });
    assert.equal(stop, made > 0 ? "tool_use" : "end_turn");
    assert.deepEqual([usage.input_tokens + usage.cache_read_input_tokens, usage.output_tokens], [
      prompt_tokens,
      completion_tokens,
    ], "usage");
    return { what: "whole", content, usage };
  }
}
