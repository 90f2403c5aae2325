/** Anthropic's own library for Python, in an environment that is made when it is needed. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Client, join, runLines, type Task, WEATHER } from "./client.ts";

const toPath = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const [requirements, folder] = [toPath("requirements.txt"), toPath("node_modules/.venv")];
const python = `${folder}/bin/python`;

/** Makes an environment with the library; throws where there is no Python. */
async function prepare(): Promise<void> {
  const run = promisify(execFile);
  await run("python3", ["-m", "venv", folder]).catch((cause) => {
    throw new Error("The table needs python3 with venv, for Anthropic's library for Python", { cause });
  });
  await run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", requirements]);
}

function run(how: string, task: Task): AsyncIterable<string> {
  const { url, key, model, prompt, picture } = task;
  const env = { TASK: JSON.stringify({ url, key, model, prompt, picture, weather: WEATHER }) };
  return runLines([python, toPath("anthropic_python.py"), how], { ...task, env });
}

export const anthropicPython: Client = {
  name: `anthropic ${/^anthropic==(.*)$/m.exec(readFileSync(requirements, "utf8"))?.[1]} (Python)`,
  prepare,
  stream: (task) => run("stream", task),
  tools: (task) => join(run("tools", task)),
  images: (task) => join(run("images", task)),
};
