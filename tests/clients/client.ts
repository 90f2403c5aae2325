/** What the table's clients have in common. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import packageJson from "./package.json" with { type: "json" };

/** Where a client finds the proxy, and what it shall ask. */
export interface Task {
  url: string;
  key: string;
  model: string;
  prompt: string;
  /** A folder with `weather.txt` and `picture.png`, which is also the home of programs. */
  folder: string;
  /** The picture, in base64. */
  picture: string;
  /** Ends the client. */
  signal: AbortSignal;
}

/** One row of the table. What fails throws what the client itself throws. */
export interface Client {
  name: string;
  /** Makes sure that it is there. */
  prepare?(): Promise<void>;
  /** Streams an answer; gives its text in the pieces in which the client has it. */
  stream(task: Task): AsyncIterable<string>;
  /** Asks with the tool `weather`, which answers {@linkcode WEATHER}, or the client's own, and gives the last answer. */
  tools(task: Task): Promise<string>;
  /** Asks about the picture. */
  images(task: Task): Promise<string>;
}

/** What the tool tells. */
export const WEATHER = "21 °C";

/** A package of the table and its version, as installed under `alias`. */
export function toName(name: string, alias: string = name): string {
  const versions: Record<string, string> = packageJson.devDependencies;
  return `${name} ${versions[alias]?.split("@").at(-1)}`;
}

/** Puts the text of a stream together. */
export async function join(pieces: AsyncIterable<string>): Promise<string> {
  let text = "";
  for await (const piece of pieces) text += piece;
  return text;
}

/** Runs a program that writes a JSON value a line; Ctrl-C when the signal fires. Throws what it writes as an error. */
export async function* runLines(
  [file = "", ...args]: string[],
  { env, folder, signal }: { env: Record<string, string>; folder: string; signal: AbortSignal },
  // deno-lint-ignore no-explicit-any
): AsyncGenerator<any> {
  const child = spawn(file, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text) => errors += text);
  const ended = new Promise<number | null>((resolve, reject) => child.once("close", resolve).once("error", reject));
  const stop = () => {
    child.kill("SIGINT");
    setTimeout(() => child.kill("SIGKILL"), 5_000).unref();
  };
  signal.addEventListener("abort", stop);
  try {
    for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line);
    const code = await ended;
    if (code !== 0) throw new Error(`ended with ${code}: ${errors}`);
  } finally {
    signal.removeEventListener("abort", stop);
    child.kill("SIGKILL");
    await ended;
  }
}
