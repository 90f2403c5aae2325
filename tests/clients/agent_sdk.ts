/** Claude Agent SDK, with the Claude Code that it brings along. */
import { createSdkMcpServer, type Options, query, type SDKMessage, tool } from "@anthropic-ai/claude-agent-sdk";
import { z } from "zod";
import { toClaudeEnv, toPieces } from "./claude_code.ts";
import { type Client, join, type Task, toName, WEATHER } from "./client.ts";

function ask(task: Task, prompt: Parameters<typeof query>[0]["prompt"], more: Options = {}): AsyncIterable<SDKMessage> {
  const abortController = new AbortController();
  task.signal.addEventListener("abort", () => abortController.abort());
  const { model, folder } = task;
  const env = toClaudeEnv(task);
  return query({
    prompt,
    options: { model, env, cwd: folder, abortController, includePartialMessages: true, settingSources: [], ...more },
  });
}

const weather = tool(
  "weather",
  "Tells the weather of a city",
  { city: z.string() },
  ({ city }) =>
    Promise.resolve({ content: [{ type: "text", text: city === "Zürich" ? WEATHER : `no such city: ${city}` }] }),
);

export const agentSdk: Client = {
  name: toName("@anthropic-ai/claude-agent-sdk"),
  stream: (task) => toPieces(ask(task, task.prompt)),
  tools(task) {
    const server = createSdkMcpServer({ name: "weather", tools: [weather], alwaysLoad: true });
    const tools = { mcpServers: { weather: server }, allowedTools: ["mcp__weather__weather"] };
    return join(toPieces(ask(task, task.prompt, tools)));
  },
  images(task) {
    const source = { type: "base64" as const, media_type: "image/png" as const, data: task.picture };
    async function* prompt() {
      const content = [{ type: "text" as const, text: task.prompt }, { type: "image" as const, source }];
      yield { type: "user" as const, message: { role: "user" as const, content }, parent_tool_use_id: null };
    }
    return join(toPieces(ask(task, prompt())));
  },
};
