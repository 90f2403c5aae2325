import { toEffort } from "../models/thinking.ts";
import type { MessagesRequest } from "../wire/anthropic.ts";
import { BoundedMap } from "../wire/bounded_map.ts";
import { TASK_WEIGHTS } from "./task_weights.ts";
import { type Task, TASKS } from "./tasks.ts";
import { toTypedText } from "./typed_text.ts";

/** What is asked for, if words say so, the tier that serves it, and why: ASCII, under 60 characters. */
export type TaskVerdict = { task: Task | undefined; tier: "elite" | "speed"; why: string };

/** What a text shows beside its words: a path or file name, code, something quoted or pasted, a question. */
const SHAPES: Record<string, RegExp> = {
  "#path": /(?:^|[\s"'`(@])[\w.~-]*\/[\w.-]*\w|\w\.[a-z]{1,4}\b(?!\.)/i,
  "#code": /```|\b[a-z]+[A-Z]\w|\w_\w|\w\(\)|<\/?\w+>|=>|\w(?:Error|Exception)\b|[{}]/,
  "#quote": /["“„«「][^"”“»」]{12,}["”“»」]|:\s*\n|: \S+ \S+ \S+/,
  "#ask": /[?？]/,
};
/** Up to so many words a text has a feature of its own. */
const LENGTHS = [3, 8, 25, 70, Infinity];
/** So many letters tell a word from others, whatever its ending and with many a slip. */
const STEM = 4;

/** Words in lower case without accents; of Chinese, Japanese and Korean each character is one. */
export function toWords(text: string): string[] {
  const plain = text.toLowerCase().normalize("NFKD").replace(/\p{M}+/gu, "").normalize("NFC");
  return plain.replace(/[\u3040-\u9fff\uac00-\ud7a3]/g, " $& ").split(/[^\p{L}\p{N}]+/u).filter(Boolean);
}

/** What tells the task: stems of the words, of the first alone and with the second, and the shape of the text. */
export function toTaskFeatures(words: readonly string[], text: string): string[] {
  const stems = words.map((word) => word.slice(0, STEM));
  const shapes = Object.keys(SHAPES).filter((shape) => SHAPES[shape]!.test(text));
  const length = `#${LENGTHS.find((most) => words.length <= most)}`;
  return [...new Set([...stems, `^${stems[0]}`, stems.slice(0, 2).join("_"), length, "#any", ...shapes])];
}

let weights: Map<string, number[]> | undefined;

/** Weights by feature, the first for no task: in the table a number stands before the features that have it. */
function readWeights(): Map<string, number[]> {
  const read = new Map<string, number[]>();
  for (const line of TASK_WEIGHTS.trim().split("\n")) {
    const [task, ...entries] = line.split(" ");
    let weight = 0;
    for (const entry of entries) {
      if (/^-?\d+$/.test(entry)) weight = Number(entry);
      else if (!read.has(entry)) read.set(entry, new Array(TASKS.length + 1).fill(0));
      if (read.has(entry)) read.get(entry)![TASKS.indexOf(task as Task) + 1] = weight;
    }
  }
  return read;
}

/** The task that most speaks for, and the word that does so most; of two as likely the first. */
type Judgement = { task: Task | undefined; word: string };

function judge(text: string): Judgement {
  const known = weights ??= readWeights();
  const words = toWords(text);
  const rows = toTaskFeatures(words, text).map((feature) => known.get(feature) ?? []);
  const scores = [undefined, ...TASKS].map((_, at) => rows.reduce((sum, row) => sum + (row[at] ?? 0), 0));
  const at = scores.indexOf(Math.max(...scores));
  const toWeight = (stem: string) => known.get(stem)?.[at] ?? 0;
  const counts = words.map((word, i) => toWeight(word.slice(0, STEM)) + (i ? 0 : toWeight(`^${word.slice(0, STEM)}`)));
  const word = words[counts.indexOf(Math.max(...counts))] ?? "";
  return { task: TASKS[at - 1], word };
}

/** What was judged of the last texts: the requests of a turn bring the same again and again. */
const JUDGED = new BoundedMap<string, Judgement>(100);

/**
 * Says what is asked for and which tier serves it: speed only for a small question or text that needs no project, never
 * amid the use of tools or when much thinking is wanted. A message that says nothing has the task of the one before.
 */
export function classifyTask(request: Pick<MessagesRequest, "messages"> & Partial<MessagesRequest>): TaskVerdict {
  const { messages, output_config: output } = request;
  const [[latest, at] = ["", 0], [before] = [""]] = toTypedText(messages);
  const now = JUDGED.recall(latest, judge);
  const { task, word } = now.task ? now : JUDGED.recall(before, judge);
  const busy = messages.slice(at).some((message) =>
    Array.isArray(message?.content) && message.content.some((block) => /^tool_/.test(block?.type))
  );
  const deep = /^(?:max|xhigh)$/.test(output?.effort ?? toEffort(request)) || /\bultrathink\b/i.test(latest);
  const why = task ? `'${word.replace(/[^ -~]/g, "?").slice(0, 20)}' in the user's words` : "nothing recognised";
  return { task, tier: now.task === "fast" && !busy && !deep ? "speed" : "elite", why };
}
