import { resolveToolName } from "../dialects/tool_names.ts";
import type { NewId } from "../wire/ids.ts";
import type { ToolCallDelta } from "../wire/openai.ts";
import type { BlockSequencer } from "./block_sequencer.ts";
import { ToolCall } from "./tool_call.ts";

function toArgumentText(value: unknown): string {
  if (typeof value === "string") return value;
  return value === null || value === undefined ? "" : JSON.stringify(value);
}

/**
 * Puts tool calls together from deltas of every shape hosts send, and passes them on one at a time.
 *
 * Hosts leave out the index or give each call the same one, repeat ids, names or whole arguments,
 * and mix the pieces of parallel calls. The client runs a call as soon as its block is closed, so a
 * block is closed only when its arguments are complete.
 */
export class ToolCallAssembler {
  readonly #blocks: BlockSequencer;
  readonly #names: ReadonlyMap<string, string>;
  readonly #newId: NewId;
  readonly #calls: ToolCall[] = [];
  /** Position in `#calls` of the first call that is not closed; the only one that is sent on. */
  #active = 0;
  #open = false;

  /**
   * @param names Maps each function name sent upstream to the client's own.
   */
  constructor(blocks: BlockSequencer, names: ReadonlyMap<string, string>, newId: NewId) {
    this.#blocks = blocks;
    this.#names = names;
    this.#newId = newId;
  }

  /** How many calls there are. */
  get count(): number {
    return this.#calls.length;
  }

  /** Takes the `tool_calls` of one chunk. */
  feed(deltas: readonly ToolCallDelta[]): void {
    for (const delta of deltas) {
      const text = toArgumentText(delta.function?.arguments);
      const call = this.#find(delta, text);
      if (delta.id) call.id ??= delta.id;
      this.#setName(call, delta.function?.name ?? "");
      this.#feedArguments(call, text);
    }
    this.#advance();
  }

  /** Closes the active call if it is complete, so that something else may follow; tells whether. */
  settle(): boolean {
    const call = this.#calls[this.#active];
    if (call?.settled) this.#close(call, false);
    return this.#active >= this.#calls.length;
  }

  /**
   * Closes all calls.
   *
   * @param cut Whether the answer was cut short by its length.
   * @returns Whether a call was cut with it.
   */
  flush(cut: boolean): boolean {
    let broken = false;
    for (let call = this.#calls[this.#active]; call; call = this.#calls[this.#active]) {
      broken ||= cut && !call.complete;
      if (!this.#open && cut && !call.complete) this.#active++;
      else this.#close(call, cut);
    }
    return broken;
  }

  #find(delta: ToolCallDelta, text: string): ToolCall {
    const { id } = delta;
    const index = delta.index ?? undefined;
    const name = delta.function?.name;
    const last = index === undefined && id
      ? this.#calls.findLast((call) => call.id === id)
      : this.#calls.findLast((call) => index === undefined || call.index === index);
    if (!last) return this.#add(index, id);
    // One index for several calls: another id, or a name after the arguments were complete.
    const another = id && last.id && id !== last.id;
    const again = name && last.complete && !(text !== "" && last.repeats(text)) &&
      !(text === "" && name === last.name);
    return another || again ? this.#add(index, id) : last;
  }

  #add(index: number | undefined, id: string | null | undefined): ToolCall {
    const call = new ToolCall(index, id ?? undefined);
    this.#calls.push(call);
    return call;
  }

  /** Names come whole, late, or again with each piece; rarely in pieces. */
  #setName(call: ToolCall, piece: string): void {
    if (piece === "" || piece === call.name || this.#names.has(call.name)) return;
    const longer = call.name + piece;
    const known = [...this.#names.keys()].some((name) => name.startsWith(longer));
    call.name = call.name === "" || !known ? piece : longer;
  }

  #feedArguments(call: ToolCall, text: string): void {
    const rest = call.feed(text).trimStart();
    if (!rest.startsWith("{")) return;
    const next = this.#add(call.index, undefined);
    next.name = call.name;
    this.#feedArguments(next, rest);
  }

  /** Sends on what is certain; closes each complete call that another one follows. */
  #advance(): void {
    for (let call = this.#calls[this.#active]; call; call = this.#calls[this.#active]) {
      const piece = call.name === "" ? "" : call.take();
      if (piece !== "") {
        this.#start(call);
        this.#blocks.toolInput(piece);
      }
      if (!call.settled || this.#active === this.#calls.length - 1) return;
      this.#close(call, false);
    }
  }

  #start(call: ToolCall): void {
    if (this.#open) return;
    this.#blocks.startTool(this.#newId("toolu_"), resolveToolName(call.name, this.#names));
    this.#open = true;
  }

  #close(call: ToolCall, cut: boolean): void {
    // A call without a name goes on as it is: the client tells the model that it is no tool.
    call.name ||= "unnamed";
    this.#start(call);
    this.#blocks.toolInput(call.finish(cut));
    this.#blocks.close();
    this.#open = false;
    this.#active++;
  }
}
