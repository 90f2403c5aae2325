import type { FamilyVectors } from "./vector.ts";

const argument = (key: string, type: string, value: string) =>
  `<|open|>argument key="${key}" type="${type}"<|sep|>${value}<|close|>argument<|sep|>`;
const call = (tool: string, index: number, body: string) =>
  `<|open|>call tool="${tool}" index="${index}"<|sep|>${body}<|close|>call<|sep|>`;
const tools = (...calls: string[]) => `<|open|>tools<|sep|>${calls.join("")}<|close|>tools<|sep|>`;
const response = (text: string) => `<|open|>response<|sep|>${text}<|close|>response<|sep|>`;

const END = "<|close|>message<|sep|><|end_of_msg|>";
const READ = call("Read", 1, argument("path", "string", "src/a.ts") + argument("limit", "number", "40"));

export const KIMI_K3: FamilyVectors = {
  family: "Kimi K3",
  models: ["moonshotai/kimi-k3"],
  vectors: [
    {
      name: "all channels, with the opening tag of thinking",
      text: `<|open|>think<|sep|>plan…<|close|>think<|sep|>${response("I will read it.")}${tools(READ)}${END}`,
      expected: ["thinking:plan…", "text:I will read it.", 'Read{"path":"src/a.ts","limit":40}'],
    },
    {
      name: "thinking that the template has opened, which nobody can tell from an answer",
      text: `plan…<|close|>think<|sep|>${response("I will read it.")}${tools(READ)}${END}`,
      expected: ["text:plan…I will read it.", 'Read{"path":"src/a.ts","limit":40}'],
    },
    {
      name: "thinking that the template has opened, which leaves code open",
      text: `plan \`\n\`\`\`\nx<|close|>think<|sep|>${response("Yes.")}${tools(READ)}${END}`,
      expected: ["thinking:plan `\n```\nx", "text:Yes.", 'Read{"path":"src/a.ts","limit":40}'],
      opened: true,
    },
    {
      name: "an answer that the template has opened",
      text: `Sure.<|close|>response<|sep|>${tools(READ)}${END}`,
      expected: ["text:Sure.", 'Read{"path":"src/a.ts","limit":40}'],
    },
    {
      name: "only an answer",
      text: response("a < b, and <b>c</b>") + END,
      expected: ["text:a < b, and <b>c</b>"],
    },
    {
      name: "calls in reasoning",
      text: `I need a.<|close|>think<|sep|>${tools(READ)}${END}`,
      expected: ["text:I need a.", 'Read{"path":"src/a.ts","limit":40}'],
    },
    {
      name: "two calls and the end of the turn",
      text: `${tools(READ, call("ls", 2, argument("all", "boolean", "true")))}${END}noise`,
      expected: ['Read{"path":"src/a.ts","limit":40}', 'ls{"all":true}'],
    },
    {
      name: "values of every type",
      text: tools(
        call(
          "search",
          1,
          argument("q", "string", '"a" & <b>\n{') + argument("tags", "array", '["x","y"]') +
            argument("opts", "object", '{"n":null}'),
        ),
      ),
      expected: ['search{"q":"\\"a\\" & <b>\\n{","tags":["x","y"],"opts":{"n":null}}'],
    },
    {
      name: "a null, and attributes with escapes",
      text: tools(call("send_text", 1, argument("bo&quot;dy&amp;", "string", "a") + argument("to", "null", "null"))),
      expected: ['send_text{"bo\\"dy&":"a","to":null}'],
    },
    {
      name: "arguments as one object of JSON",
      text: tools(call("Read", 1, '<|open|>json type="object"<|sep|>{"path":"a","limit":2}<|close|>json<|sep|>')),
      expected: ['Read{"path":"a","limit":2}'],
    },
    { name: "a call without arguments", text: tools(call("list_all", 1, "")), expected: ["list_all{}"] },
    {
      name: "blanks around the markers",
      text: 'ok<|close|> think <|sep|> <|open|> tools <|sep|> <|open|> call tool="ls" index="1" <|sep|> ' +
        '<|open|> argument key="path" type="string" <|sep|>.<|close|> argument <|sep|> <|close|> call <|sep|> ' +
        "<|close|> tools <|sep|>",
      expected: ["text:ok", 'ls{"path":"."}'],
    },
    {
      name: "an answer that was cut in a marker",
      text: `${tools(READ).replace("<|close|>tools<|sep|>", "")}<|open|>`,
      expected: ['Read{"path":"src/a.ts","limit":40}'],
      cut: true,
    },
    {
      name: "a value without an end, with which nothing must run",
      text: tools(READ).replace(/40.*/, "4"),
      expected: [`text:${tools(READ).replace(/40.*/, "4")}`],
    },
    {
      name: "a call that was cut, which must not run",
      text: '<|open|>tools<|sep|><|open|>call tool="Read" index="1"<|sep|><|open|>argument key="path" type="string"' +
        "<|sep|>src/a",
      expected: [
        'text:<|open|>tools<|sep|><|open|>call tool="Read" index="1"<|sep|><|open|>argument key="path" type="string"' +
        "<|sep|>src/a",
      ],
      cut: true,
    },
    {
      name: "a tool that was not declared, and one that was",
      text: response("Ok.") + tools(call("rm", 1, argument("path", "string", "/")), READ) + END,
      expected: [
        `text:Ok.<|open|>tools<|sep|>${call("rm", 1, argument("path", "string", "/"))}`,
        'Read{"path":"src/a.ts","limit":40}',
      ],
    },
    {
      name: "a marker of which prose only speaks",
      text: "After <|open|> comes the channel, and `<|open|>tools<|sep|>` is one.",
      expected: ["text:After <|open|> comes the channel, and `<|open|>tools<|sep|>` is one."],
    },
    { name: "the place of an image", text: "a<|kimi_image_placeholder|>b", expected: ["text:ab"], reasoning: true },
  ],
};
