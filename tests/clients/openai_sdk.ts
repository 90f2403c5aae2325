/** OpenAI's own library: chat completions. */
import OpenAI from "openai";
import { type Client, type Task, toName, WEATHER } from "./client.ts";

function toClient({ url, key }: Task): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: key });
}

export const openaiSdk: Client = {
  name: toName("openai"),
  async *stream(task) {
    const { model, prompt, signal } = task;
    const messages = [{ role: "user" as const, content: prompt }];
    const stream = toClient(task).chat.completions.stream({ model, messages }, { signal });
    for await (const { choices } of stream) if (choices[0]?.delta.content) yield choices[0].delta.content;
    await stream.finalChatCompletion();
  },
  async tools(task) {
    const { model, prompt, signal } = task;
    const runner = toClient(task).chat.completions.runTools({
      model,
      stream: true,
      messages: [{ role: "user", content: prompt }],
      tools: [{
        type: "function",
        function: {
          name: "weather",
          description: "Tells the weather of a city",
          parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
          parse: JSON.parse,
          function: ({ city }: { city: string }) => city === "Zürich" ? WEATHER : `no such city: ${city}`,
        },
      }],
    }, { signal });
    return await runner.finalContent() ?? "";
  },
  async images(task) {
    const { model, prompt, picture, signal } = task;
    const image = { type: "image_url" as const, image_url: { url: `data:image/png;base64,${picture}` } };
    const { choices } = await toClient(task).chat.completions.create({
      model,
      messages: [{ role: "user", content: [{ type: "text", text: prompt }, image] }],
    }, { signal });
    return choices[0]?.message.content ?? "";
  },
};
