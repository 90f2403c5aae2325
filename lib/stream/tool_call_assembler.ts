import type { FoundCall } from "../dialects/found_calls.ts";
import type { DeclaredTools } from "../dialects/grammar.ts";
import type { NewId } from "../wire/ids.ts";
import type { ToolCallDelta } from "../wire/openai.ts";
import { BadAnswer } from "./bad_answer.ts";
import type { BlockSequencer } from "./block_sequencer.ts";
import { ToolCall } from "./tool_call.ts";

/** Calls of one answer; each is compared with all others. */
const MOST_CALLS = 1_000;

/** Arguments as text: some hosts send an object, or nothing. */
function toArgumentText(value: unknown): string {
  return typeof value === "string" ? value : value == null ? "" : JSON.stringify(value);
}

/** Whether two whole calls are one: hosts send what their parser found and leave the same call in the text. */
function isSame(one: ToolCall, other: ToolCall): boolean {
  if (one.name !== other.name) return false;
  return one.empty || other.empty || (one.sorted !== "" && one.sorted === other.sorted);
}

/**
 * Puts tool calls together from deltas of every shape hosts send, and passes them on one at a time.
 *
 * Hosts leave out the index or give each call the same one, repeat ids, names or whole arguments, and mix the pieces of
 * parallel calls. The client runs a call as soon as its block is closed, so a block is closed only when its arguments
 * are complete.
 */
export class ToolCallAssembler {
  readonly #blocks: BlockSequencer;
  readonly #tools: DeclaredTools;
  readonly #newId: NewId;
  readonly #calls: ToolCall[] = [];
  /** How many calls are closed; the next one is the only one that is sent on. */
  #closed = 0;

  /** @param tools The declared tools under their names upstream. */
  constructor(blocks: BlockSequencer, tools: DeclaredTools, newId: NewId) {
    this.#blocks = blocks;
    this.#tools = tools;
    this.#newId = newId;
  }

  /** How many calls there are. */
  get count(): number {
    return this.#calls.length;
  }

  /** Whether a call is not closed yet. */
  get open(): boolean {
    return this.#closed < this.#calls.length;
  }

  /** Takes the `tool_calls` of one chunk. */
  feed(deltas: readonly ToolCallDelta[]): void {
    for (const delta of deltas) {
      const text = toArgumentText(delta.function?.arguments);
      const call = this.#find(delta, text) ?? this.#push(new ToolCall(this.#tools, delta.index));
      call.id ??= delta.id;
      this.#setName(call, delta.function?.name ?? "");
      let rest = call.feed(text).trimStart();
      while (rest.startsWith("{")) {
        rest = this.#push(new ToolCall(this.#tools, call.index, false, call)).feed(rest).trimStart();
      }
    }
    this.#advance();
  }

  /** Takes a call that was found in text; one without arguments that is still open gets its. */
  add(found: FoundCall): void {
    const twin = this.#calls.slice(this.#closed).find((call) => !call.found && call.empty && call.name === found.name);
    const call = twin ?? this.#push(new ToolCall(this.#tools, undefined, true));
    call.name = found.name;
    call.feed(found.arguments);
    this.#advance();
  }

  /**
   * Takes text that continues the arguments of a call: vLLM leaves a Kimi call after 8,192 characters and sends the
   * rest as text (vLLM #41182). Gives what does not belong to them.
   */
  absorb(text: string): string {
    const call = this.#calls[this.#closed];
    if (!call?.running) return text;
    const rest = call.feed(text);
    this.#advance();
    return rest;
  }

  /** Closes the call that is being sent if it is complete; tells whether another block may follow. */
  settle(): boolean {
    const call = this.#calls[this.#closed];
    if (call?.settled) this.#close(call);
    return !this.open;
  }

  /**
   * Closes all calls; tells whether one of them was cut. That the answer was `cut` short is not always said: vLLM makes
   * `tool_calls` of `length` once a call has begun (vLLM #9053).
   */
  flush(cut: boolean): boolean {
    let broken = false;
    for (const call of this.#calls.slice(this.#closed)) {
      const half = (cut && !call.complete) || call.half;
      broken ||= half;
      if (this.#blocks.open === "tool_use" || !half) this.#close(call, half);
      else this.#calls.splice(this.#closed, 1);
    }
    return broken;
  }

  /** The call that a delta goes on with, if it is none of its own. */
  #find({ id, index, function: called }: ToolCallDelta, text: string): ToolCall | undefined {
    const name = called?.name;
    // Hosts may give each piece an id of its own: one that is not known tells of another call only with a name.
    const byId = index == null && id && (name || this.#calls.some((call) => call.id === id));
    const last = this.#calls.findLast((call) => {
      return !call.found && (byId ? call.id === id : index == null || call.index === index);
    });
    if (!last || !name || last.name === "") return last;
    // One index for several calls: another id, or a name after the arguments were complete.
    if (id && last.id && id !== last.id) return undefined;
    if (!last.complete) return last;
    const repeats = text === "" || last.empty ? name === last.name : last.repeats(text);
    return repeats ? last : undefined;
  }

  #push(call: ToolCall): ToolCall {
    if (this.#calls.push(call) > MOST_CALLS) throw new BadAnswer("degenerate", "has become nothing but tool calls");
    return call;
  }

  /** Names come whole, late, or again with each piece; rarely in pieces. */
  #setName(call: ToolCall, piece: string): void {
    if (piece === "" || this.#tools.has(call.name)) return;
    const longer = call.name + piece;
    call.name = [...this.#tools.keys()].some((name) => name.startsWith(longer)) ? longer : piece;
  }

  /** Sends on what is certain; closes each complete call that another one follows. */
  #advance(): void {
    for (let call = this.#calls[this.#closed]; call; call = this.#calls[this.#closed]) {
      // What was found in text may come as a call as well: then only the whole tells whether it is another one.
      const twins = this.#calls.some(({ found, name }) => found !== call.found && name === call.name);
      const piece = call.name === "" || twins || call.follows ? "" : call.take();
      if (piece !== "") this.#send(call, piece);
      if (call.name === "" || !call.settled || this.#closed === this.#calls.length - 1) return;
      this.#close(call);
    }
  }

  #send(call: ToolCall, piece: string): void {
    const name = this.#tools.get(call.name)?.name ?? call.name;
    if (this.#blocks.open !== "tool_use") {
      this.#blocks.start({ type: "tool_use", id: this.#newId("toolu_"), name, input: {} });
    }
    if (piece !== "") this.#blocks.append("tool_use", piece);
  }

  #close(call: ToolCall, cut = false): void {
    // A call without a name goes on as well: the client tells the model that it is no tool.
    if (call.name === "") call.name = "unnamed";
    const twin = this.#calls.slice(0, this.#closed).some((other) => {
      return (other === call.follows || other.found !== call.found) && isSame(other, call);
    });
    if (!twin) {
      this.#send(call, call.finish(cut));
      this.#blocks.close(cut);
    }
    this.#closed++;
  }
}
