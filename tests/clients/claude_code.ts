/** Claude Code, in more than one version. */
import { createRequire } from "node:module";
import { dirname, join as joinPath } from "node:path";
import process from "node:process";
import { type Client, join, runLines, type Task, toName } from "./client.ts";

/** An environment in which Claude Code has nothing but the proxy and a home of its own. */
export function toClaudeEnv({ url, key, folder }: Task): Record<string, string> {
  return {
    PATH: process.env["PATH"] ?? "",
    HOME: folder,
    TMPDIR: folder,
    IS_SANDBOX: "1", // Else root may not skip permissions.
    ANTHROPIC_BASE_URL: url,
    ANTHROPIC_AUTH_TOKEN: key,
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
  };
}

/** The text of a session as it comes, and its result where that is another. What it could not do is thrown. */
// deno-lint-ignore no-explicit-any
export async function* toPieces(messages: AsyncIterable<any>): AsyncGenerator<string> {
  let text = "";
  for await (const { type, event, is_error, result = "", errors = [] } of messages) {
    const piece = type === "stream_event" && event.delta?.type === "text_delta" ? event.delta.text : "";
    text += piece;
    if (piece) yield piece;
    if (type !== "result") continue;
    if (is_error) throw new Error(result || errors.join("\n"));
    if (!text.endsWith(result)) yield result; // It was asked for once more, without a stream.
  }
}

function toClaudeCode(alias: string): Client {
  const folder = dirname(createRequire(import.meta.url).resolve(`${alias}/package.json`));
  function stream(task: Task): AsyncIterable<string> {
    const options = ["--output-format", "stream-json", "--verbose", "--include-partial-messages"];
    const args = ["-p", task.prompt, "--model", task.model, "--dangerously-skip-permissions", ...options];
    return toPieces(runLines([joinPath(folder, "bin/claude.exe"), ...args], { ...task, env: toClaudeEnv(task) }));
  }
  const answer = (task: Task) => join(stream(task));
  return { name: `Claude Code ${toName("", alias).trim()}`, stream, tools: answer, images: answer };
}

export const claudeCode: Client[] = [toClaudeCode("@anthropic-ai/claude-code"), toClaudeCode("claude-code-older")];
