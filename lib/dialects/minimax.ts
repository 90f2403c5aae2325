import type { Grammar, Trigger } from "./grammar.ts";
import { invokeXml, toAttribute } from "./invoke_xml.ts";
import type { WrittenCall } from "./reader.ts";

const M3_MARK = "]<]minimax[>[";
/** How deep elements may be nested before they are taken for nonsense. */
const MAX_M3_DEPTH = 200;
const MINIMAX_WRAPPER = "<minimax:tool_call>";

/** An element of M3's markup: its text, or the elements in it. */
type M3Element = { tag: string; text: string; children: [name: string, value: unknown][] };

/** Elements as an object, `item` elements as a list, and everything else as text. */
function toM3Value({ text, children }: M3Element): unknown {
  if (children.length === 0) return text;
  return children.every(([name]) => name === "item")
    ? children.map(([, value]) => value)
    : Object.fromEntries(children);
}

function toM3Call(element: M3Element): WrittenCall {
  return { name: toAttribute(element.tag, "name") ?? "", arguments: JSON.stringify(toM3Value(element)) };
}

/** MiniMax M3's calls: a mark before each tag, `invoke` elements whose children are the arguments. */
const m3Calls: Grammar = function* (reader) {
  yield* reader.token(M3_MARK);
  if ((yield* reader.token("<tool_call>")) === undefined) return undefined;
  if ((yield* reader.peek(M3_MARK)) === undefined) return undefined;
  const open: M3Element[] = [];
  for (;;) {
    const text = yield* reader.until([M3_MARK]);
    const element = open.at(-1);
    if (element) element.text += text;
    if ((yield* reader.token(M3_MARK)) === undefined) break;
    const kind = yield* reader.take("<", "</");
    if (kind === undefined) return undefined;
    const tag = yield* reader.tag();
    if (tag === undefined) return undefined;
    if (!element && kind === "<" && !tag.startsWith("invoke")) return undefined;
    if (open.length > MAX_M3_DEPTH) return undefined;
    if (kind === "<") open.push({ tag, text: "", children: [] });
    else {
      const closed = open.pop();
      if (!closed) return [];
      const parent = open.at(-1);
      if (parent) parent.children.push([closed.tag, toM3Value(closed)]);
      else {
        yield* reader.space();
        const last = yield* reader.take(`${M3_MARK}</tool_call>`);
        yield [toM3Call(closed)];
        if (last !== undefined || (yield* reader.peek(M3_MARK)) === undefined) return [];
      }
    }
  }
  const [call] = open;
  return call && [{ ...toM3Call(call), cut: true, torn: open.length > 1 || call.children.length === 0 }];
};

/** What MiniMax M2 to M2.7 leak. */
export const MINIMAX: readonly Trigger[] = [
  ...[MINIMAX_WRAPPER, '<invoke name="'].map((marker) => ({ marker, grammar: invokeXml([""], MINIMAX_WRAPPER) })),
  { marker: "</minimax:tool_call>" },
];

/** What MiniMax M3 leaks. */
export const MINIMAX_M3: readonly Trigger[] = [
  { marker: M3_MARK, grammar: m3Calls },
  ...MINIMAX,
];
