/** Anthropic's own library for TypeScript. */
import Anthropic from "@anthropic-ai/sdk";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";
import { type Client, type Task, toName, WEATHER } from "./client.ts";

function toClient({ url, key }: Task): Anthropic {
  return new Anthropic({ baseURL: url, apiKey: key, authToken: null });
}

function toText(content: readonly { type: string; text?: string }[]): string {
  return content.map(({ text = "" }) => text).join("");
}

export const anthropicSdk: Client = {
  name: toName("@anthropic-ai/sdk"),
  async *stream(task) {
    const { model, prompt, signal } = task;
    const params = { model, max_tokens: 1000, messages: [{ role: "user" as const, content: prompt }] };
    const stream = toClient(task).messages.stream(params, { signal });
    for await (const event of stream) {
      if (event.type === "content_block_delta" && event.delta.type === "text_delta") yield event.delta.text;
    }
    await stream.finalMessage();
  },
  async tools(task) {
    const { model, prompt, signal } = task;
    const weather = betaTool({
      name: "weather",
      description: "Tells the weather of a city",
      inputSchema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
      run: ({ city }) => city === "Zürich" ? WEATHER : `no such city: ${city}`,
    });
    const runner = toClient(task).beta.messages.toolRunner({
      model,
      max_tokens: 1000,
      messages: [{ role: "user", content: prompt }],
      tools: [weather],
      stream: true,
    }, { signal });
    return toText((await runner.runUntilDone()).content);
  },
  async images(task) {
    const { model, prompt, picture, signal } = task;
    const source = { type: "base64" as const, media_type: "image/png" as const, data: picture };
    const { content } = await toClient(task).messages.create({
      model,
      max_tokens: 1000,
      messages: [{ role: "user", content: [{ type: "text", text: prompt }, { type: "image", source }] }],
    }, { signal });
    return toText(content);
  },
};
