/** Vercel's AI SDK with its provider for Anthropic. */
import { createAnthropic } from "@ai-sdk/anthropic";
import { generateText, isStepCount, jsonSchema, streamText, tool } from "ai";
import { type Client, type Task, toName, WEATHER } from "./client.ts";

function toCommon({ url, key, model, signal }: Task) {
  const provider = createAnthropic({ baseURL: `${url}/v1`, apiKey: key });
  return { model: provider(model), maxOutputTokens: 1000, abortSignal: signal };
}

export const aiSdk: Client = {
  name: `${toName("ai")}, ${toName("@ai-sdk/anthropic")}`,
  async *stream(task) {
    const { prompt } = task;
    const { stream } = streamText({ ...toCommon(task), prompt, onError() {} });
    for await (const part of stream) {
      if (part.type === "text-delta") yield part.text;
      if (part.type === "error") throw part.error;
    }
  },
  async tools(task) {
    const { prompt } = task;
    const weather = tool({
      description: "Tells the weather of a city",
      inputSchema: jsonSchema<{ city: string }>({
        type: "object",
        properties: { city: { type: "string" } },
        required: ["city"],
      }),
      execute: ({ city }) => city === "Zürich" ? WEATHER : `no such city: ${city}`,
    });
    const { text } = streamText({ ...toCommon(task), prompt, tools: { weather }, stopWhen: isStepCount(3) });
    return await text;
  },
  async images(task) {
    const { prompt, picture } = task;
    const { text } = await generateText({
      ...toCommon(task),
      messages: [{
        role: "user",
        content: [
          { type: "text", text: prompt },
          { type: "file", mediaType: "image/png", data: picture },
        ],
      }],
    });
    return text;
  },
};
