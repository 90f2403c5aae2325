/** LangChain with its package for Anthropic. */
import { ChatAnthropic } from "@langchain/anthropic";
import { HumanMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { z } from "zod";
import { type Client, type Task, toName, WEATHER } from "./client.ts";

function toModel({ url, key, model }: Task): ChatAnthropic {
  return new ChatAnthropic({ anthropicApiUrl: url, apiKey: key, model, maxTokens: 1000 });
}

export const langchain: Client = {
  name: toName("@langchain/anthropic"),
  async *stream(task) {
    for await (const { text } of await toModel(task).stream(task.prompt, { signal: task.signal })) if (text) yield text;
  },
  async tools(task) {
    const { signal } = task;
    const weather = tool(({ city }) => city === "Zürich" ? WEATHER : `no such city: ${city}`, {
      name: "weather",
      description: "Tells the weather of a city",
      schema: z.object({ city: z.string() }),
    });
    const model = toModel(task).bindTools([weather]);
    const question = new HumanMessage(task.prompt);
    const asked = await model.invoke([question], { signal });
    const results = await Promise.all((asked.tool_calls ?? []).map((call) => weather.invoke(call)));
    return (await model.invoke([question, asked, ...results], { signal })).text;
  },
  async images(task) {
    const { prompt, picture, signal } = task;
    const image = { type: "image_url", image_url: { url: `data:image/png;base64,${picture}` } };
    const message = new HumanMessage({ content: [{ type: "text", text: prompt }, image] });
    return (await toModel(task).invoke([message], { signal })).text;
  },
};
