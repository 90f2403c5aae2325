import { toStatePath } from "../config/folders.ts";
import { replaceFile } from "../store/replace_file.ts";
import { isJsonObject, parseJson } from "../wire/json.ts";
import type { Io } from "./io.ts";

/** What was chosen in the menu: the model, the ids added to the list and those removed from it. */
export type Choice = { model?: string; added: string[]; removed: string[] };

/** Where the choice is kept; nowhere if nobody knows where files of a user belong. */
export function toChoicePath(io: Pick<Io, "env" | "platform">): string | undefined {
  return toStatePath(io, "choice.json");
}

/** Reads the choice; a file that is missing or spoilt has none. */
export async function readChoice(io: Pick<Io, "env" | "platform">): Promise<Choice> {
  const { readFile } = await import("node:fs/promises");
  const path = toChoicePath(io);
  const found = path ? parseJson(await readFile(path, "utf8").catch(() => "")) : undefined;
  const { model, added, removed } = isJsonObject(found) ? found : {};
  const toIds = (value: unknown) => Array.isArray(value) ? value.filter((id) => typeof id === "string") : [];
  return { ...(typeof model === "string" ? { model } : {}), added: toIds(added), removed: toIds(removed) };
}

/** Adds to a choice what was changed in the menu. */
export function toChoice(before: Choice, model: string, { added, removed }: Pick<Choice, "added" | "removed">): Choice {
  const without = (ids: string[], others: string[]) => [...new Set(ids)].filter((id) => !others.includes(id));
  return {
    model,
    added: without([...before.added, ...added], removed),
    removed: without([...before.removed, ...removed], added),
  };
}

/** Keeps a choice; what cannot be done is told, and nothing else happens. */
export async function writeChoice(io: Io, choice: Choice, write = replaceFile): Promise<void> {
  const path = toChoicePath(io);
  if (!path) return;
  try {
    await write(path, `${JSON.stringify(choice, null, 2)}\n`);
  } catch (thrown) {
    io.tell(`The choice cannot be kept, and counts for this run only: ${(thrown as Error).message}`);
  }
}
