import { type Found, Scanner } from "../../../lib/dialects/scanner.ts";
import type { DeclaredTools } from "../../../lib/dialects/grammar.ts";
import { toFamily } from "../../../lib/models/families.ts";

/** What a model writes, and what a client is to get of it. */
export interface Vector {
  name: string;
  text: string;
  /** Adjacent text is merged, blanks between blocks are left out: `"text:…"`, `"thinking:…"`, `'Read{"path":"a"}'`. */
  expected: string[];
  /** It also occurs in reasoning; what is text then becomes thinking. */
  reasoning?: true;
  /** The template has opened thinking before it. */
  opened?: true;
  /** The answer was cut short by its length. */
  cut?: true;
}

/** The vectors of one row of the table of families. */
export interface FamilyVectors {
  family: string;
  /** Ids of upstream models that belong to it. */
  models: string[];
  vectors: Vector[];
}

function tool(name: string, properties: Record<string, unknown>, ...required: string[]): [string, { name: string }] {
  return [name, { name, input_schema: { type: "object", properties, required } } as { name: string }];
}

const string = { type: "string" };
const integer = { type: "integer" };

/** What the client has declared in all vectors. */
export const TOOLS: DeclaredTools = new Map([
  tool("Read", { path: string, limit: integer }, "path"),
  tool("Write", { path: string, content: string }, "path", "content"),
  tool("ls", { path: string, depth: integer, all: { type: "boolean" } }),
  tool("search", { q: string, tags: { type: "array", items: string }, opts: { type: "object" } }, "q"),
  tool("send_text", { body: string, to: { type: ["string", "null"] } }, "body"),
  tool("send_text_later", { at: integer }, "at"),
  tool("list_all", {}),
  tool("mcp__wiki__find-all", { q: string, exact: { type: "boolean" } }, "q"),
  tool("wiki.read", { page: integer }, "page"),
]);

/** Writes what was found the short way. */
export function toShort(found: readonly Found[]): string[] {
  const merged: Found[] = [];
  for (const next of found) {
    const last = merged.at(-1);
    if (next.kind !== "call" && last?.kind === next.kind) last.text += next.text;
    else merged.push({ ...next });
  }
  return merged.flatMap((one) => {
    if (one.kind === "call") return [one.name + one.arguments];
    return one.text.trim() === "" ? [] : [`${one.kind}:${one.text}`];
  });
}

/** Scans an answer of `model` that arrives in `pieces`. */
export function scan(
  model: string,
  pieces: readonly string[],
  { kind = "text", cut = false, opened = false, tools = TOOLS }: {
    kind?: "text" | "thinking";
    cut?: boolean;
    opened?: boolean;
    tools?: DeclaredTools;
  } = {},
): Found[] {
  const scanner = new Scanner({ triggers: toFamily(model).dialect, tools, kind, startsInThinking: opened });
  const found = pieces.flatMap((piece) => scanner.feed(piece));
  return [...found, ...scanner.flush(cut)];
}
