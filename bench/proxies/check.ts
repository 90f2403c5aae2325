/** What an answer came to, compared with what the upstream said. */
import type { Buffer } from "node:buffer";
import type { Job } from "./client.ts";
import { SCENARIOS, STAMP } from "./scenarios.ts";

/** What is wrong with the content of an answer, if anything, and with what stands beside it. */
export type Verdict = { content: string | undefined; remarks: string[] };

// deno-lint-ignore no-explicit-any
type Json = any;
type Block = { type: string; text: string; name: string; open: boolean };
type Found = { blocks: Block[]; stop: unknown; input: number; output: number };

/** The body of a response, of which the framing is taken off. */
function toBodyText(raw: Buffer): { status: number; text: string } {
  const end = raw.indexOf("\r\n\r\n");
  const head = raw.toString("latin1", 0, end);
  const status = Number(head.split(" ", 2)[1]);
  if (!/^transfer-encoding: *chunked/im.test(head)) return { status, text: raw.toString("utf8", end + 4) };
  const pieces: Uint8Array[] = [];
  for (let at = end + 4; at < raw.length;) {
    const line = raw.indexOf("\r\n", at);
    const size = parseInt(raw.toString("latin1", at, line), 16);
    if (!(size > 0)) break;
    pieces.push(raw.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
  const decoder = new TextDecoder();
  return { status, text: pieces.map((piece) => decoder.decode(piece, { stream: true })).join("") };
}

function toData(text: string): Json[] {
  const data = text.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim());
  return data.filter((line) => line !== "[DONE]").map((line) => JSON.parse(line));
}

function toBlock(type: string, text = "", name = "", open = true): Block {
  return { type, text, name, open };
}

/** Folds Anthropic's events, by their index; whoever mixes blocks up is found out by what they come to. */
function foldEvents(events: Json[]): Found {
  const found: Found = { blocks: [], stop: undefined, input: 0, output: 0 };
  const add = (usage: Json = {}) => {
    found.input = usage.input_tokens ?? found.input;
    found.output = usage.output_tokens ?? found.output;
  };
  for (const { type, index, message, content_block: block, delta, usage, error } of events) {
    if (type === "message_start") add(message.usage);
    if (type === "content_block_start") found.blocks[index] = toBlock(block.type, "", block.name);
    if (type === "content_block_delta") {
      const open = found.blocks[index];
      if (!open?.open) throw new Error("a delta for a block that is not open");
      open.text += delta.text ?? delta.thinking ?? delta.partial_json ?? "";
    }
    if (type === "content_block_stop" && found.blocks[index]) found.blocks[index].open = false;
    if (type === "message_delta") found.stop = delta.stop_reason ?? found.stop;
    if (type === "message_delta") add(usage);
    if (type === "error") throw new Error(`an error: ${error?.type}`);
  }
  return found;
}

function foldMessage({ content, stop_reason: stop, usage }: Json): Found {
  const blocks = content.map(({ type, text, thinking, name, input }: Json) => {
    return toBlock(type, text ?? thinking ?? JSON.stringify(input), name, false);
  });
  return { blocks, stop, input: usage?.input_tokens ?? 0, output: usage?.output_tokens ?? 0 };
}

function join(blocks: Block[], type: string): string {
  return blocks.filter((block) => block?.type === type).map(({ text }) => text).join("");
}

/** Looks into an answer; the floors' answers are in the upstream's format, and only have to be complete. */
export function checkAnswer(raw: Buffer, { scenario: name, stream, format }: Job): Verdict {
  const { status, text } = toBodyText(raw);
  if (status !== 200) return { content: `status ${status}`, remarks: [] };
  const scenario = SCENARIOS[name]!;
  if (format === "chat") {
    const whole = !stream || text.endsWith("data: [DONE]\n\n");
    return { content: whole ? undefined : "is not complete", remarks: [] };
  }
  let found: Found;
  try {
    found = stream ? foldEvents(toData(text)) : foldMessage(JSON.parse(text));
  } catch (thrown) {
    return { content: thrown instanceof Error ? thrown.message.slice(0, 60) : "cannot be read", remarks: [] };
  }
  const { blocks, stop, input, output } = found;
  const plain = (text: string) => text.replace(/@\d+/g, STAMP);
  const calls = blocks.filter((block) => block?.type === "tool_use");
  const readCall = ({ name, text }: Block) => {
    try {
      return JSON.stringify([name, JSON.parse(text)]);
    } catch {
      return "";
    }
  };
  const wanted = scenario.calls.map(({ name, input }) => JSON.stringify([name, input]));
  const problems: [boolean, string][] = [
    [plain(join(blocks, "text")) !== scenario.text, "the text is not the same"],
    [calls.length !== wanted.length, `${calls.length} calls instead of ${wanted.length}`],
    [calls.some((call, i) => readCall(call) !== wanted[i]), "arguments of calls are broken"],
  ];
  const remarks: [boolean, string][] = [
    [join(blocks, "thinking") !== scenario.thinking, "thinking is lost"],
    [blocks.some((block) => !block || block.open), "a block is not closed, or missing"],
    [stop !== (scenario.finish === "stop" ? "end_turn" : "tool_use"), `the stop reason is ${stop}`],
    [input !== 1234 || output !== 567, "usage is not the upstream's"],
  ];
  return {
    content: problems.find(([is]) => is)?.[1],
    remarks: remarks.filter(([is]) => is).map(([, what]) => what),
  };
}
