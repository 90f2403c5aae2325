import { readTextFile } from "../config/read_text_file.ts";
import { replaceFile } from "../store/replace_file.ts";
import type { Io } from "./io.ts";

/** The text of a `.env` with a variable set in it; all other lines stay as they are. */
export function setVariable(text: string, name: string, value: string): string {
  const line = `${name}=${/^[\w./+=:~-]*$/.test(value) ? value : `'${value}'`}`;
  const old = new RegExp(`^[ \\t]*(?:export[ \\t]+)?${name}[ \\t]*=.*$`, "m");
  if (old.test(text)) return text.replace(old, () => line);
  return `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${line}\n`;
}

/** Keeps a key in the user's config folder, for their eyes only; what cannot be done is told, and nothing else happens. */
export async function keepKey(io: Io, path: string, name: string, key: string, write = replaceFile): Promise<void> {
  try {
    const text = await readTextFile(path).catch((thrown) => {
      if (thrown.code === "ENOENT") return "";
      throw thrown; // What cannot be read must not be replaced.
    });
    await write(path, setVariable(text, name, key));
    io.tell(`Kept in ${path}`);
  } catch (thrown) {
    io.tell(`The key cannot be kept, and counts for this run only: ${(thrown as Error).message}`);
  }
}
