/** The upstream of the table: the stand-in, which knows by the words in a prompt what it shall do for whom. */
import { type ChatMessage, type ChatRequest, createStandIn, type ScriptedAnswer, serve } from "../../dist/mod.js";
import { WEATHER } from "./client.ts";

/** What a streamed answer says, and in which pieces. */
export const PIECES = ["Grüße ", "aus ", "Zürich 🙂"];
/** The model of the table; it sees. */
export const MODEL = "moonshotai/kimi-k2.6";
/** What a refusal says. */
export const REFUSAL = "Thirteen is an unlucky number";

/** What the upstream knows of one cell. */
export class Cell {
  readonly id: number;
  /** Settles when somebody goes away before the answer is complete. */
  readonly left: Promise<void>;
  /** Called when somebody does. */
  leave = () => {};
  /** Lets an answer that is waited for go on. */
  open = () => {};
  asked = 0;

  constructor(id: number) {
    this.id = id;
    this.left = new Promise((resolve) => this.leave = resolve);
  }
}

/** What to do in a cell, as a model would be told. */
export function toPrompt(task: string, { id }: Cell, folder: string): string {
  return `Please do task-${task}, cell-${id}, with ${folder}/picture.png`;
}

function toText({ content }: ChatMessage): string {
  if (typeof content === "string") return content;
  return content?.map((part) => part.type === "text" ? part.text : "").join("") ?? "";
}

/** The call that leads to the weather, or to the picture: with the tool of the table, or with Claude Code's. */
function toCall({ tools = [] }: ChatRequest, task: string, path: string): ScriptedAnswer {
  const name = tools.map((tool) => tool.function.name).find((name) => /weather$/.test(name));
  const call = task === "images"
    ? { name: "Read", arguments: { file_path: path } }
    : name
    ? { name, arguments: { city: "Zürich" } }
    : { name: "Bash", arguments: { command: "cat weather.txt", description: "Tell the weather" } };
  return { steps: [{ calls: [call] }] };
}

function answer(request: ChatRequest, task: string, path: string, cell: Cell): ScriptedAnswer {
  const { messages, tools = [] } = request;
  const results = messages.filter(({ role }) => role === "tool");
  const sees = JSON.stringify(messages).includes('{"url":"data:image/png;base64,iVBOR');
  const [first = "", ...others] = PIECES;
  const whole = { steps: [{ text: PIECES }] };
  const turn = cell.asked++;
  switch (task) {
    case "stream": // The rest comes when the client has the first piece.
      return { steps: [{ text: [first] }, { wait: cell.id }, { text: others }] };
    case "abort":
      return { steps: [{ text: [first] }, { wait: Infinity }] };
    case "refused":
      return { status: 400, body: { error: { message: REFUSAL, type: "BadRequestError", code: 400 } } };
    case "broken":
      return turn === 0 ? { steps: [{ text: [first] }, { wait: cell.id }, { stop: "cut" }] } : whole;
    case "tools":
      if (results.length === 0) return toCall(request, task, path);
      return { steps: [{ text: results.some((result) => toText(result).includes(WEATHER)) ? "It is warm." : "?" }] };
    default:
      if (!sees && results.length === 0 && tools.some((tool) => tool.function.name === "Read")) {
        return toCall(request, task, path);
      }
      return { steps: [{ text: sees ? "I see it." : "I see nothing." }] };
  }
}

/** Starts the upstream of all cells. */
export async function startUpstream(
  cells: ReadonlyMap<number, Cell>,
): Promise<{ url: string; close(): Promise<void> }> {
  const find = (text: string) => cells.get(Number(/cell-(\d+)/.exec(text)?.[1]));
  const script = (request: ChatRequest): ScriptedAnswer => {
    const text = request.messages.map(toText).join("\n");
    const [, task = "", path = ""] = /task-(\w+), cell-\d+, with (\S+)/.exec(text) ?? [];
    const cell = find(text);
    return cell ? answer(request, task, path, cell) : { steps: [{ text: "Who is asking?" }] };
  };
  const clock = {
    now: Date.now,
    /** A wait is named for a cell, and ends when that is opened. */
    after(ms: number, run: () => void) {
      const cell = cells.get(ms);
      if (cell) cell.open = run;
      return () => {};
    },
  };
  const standIn = createStandIn({ models: { [MODEL]: script }, clock });
  return await serve(async (request) => {
    const body = await request.text();
    const cell = find(body);
    request.signal.addEventListener("abort", () => cell?.leave());
    const { url, method, headers, signal } = request;
    return standIn.fetch(url, { method, headers, signal, ...(body ? { body } : {}) });
  });
}
