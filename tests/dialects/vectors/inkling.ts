import type { FamilyVectors } from "./vector.ts";

const call = (name: string, args: string) =>
  `<|message_model|>${name}<|content_invoke_tool_json|>{"name":"${name}","args":${args}}<|end_message|>`;

export const INKLING: FamilyVectors = {
  family: "Inkling",
  models: ["thinkingmachines/inkling"],
  vectors: [
    { name: "a call", text: call("ls", '{"path":"."}'), expected: ['ls{"path":"."}'], reasoning: true },
    {
      name: "two calls with text around them",
      text: `Ok.${call("ls", '{"path":"."}')}${call("Read", '{"path":"a"}')}bye <`,
      expected: ["text:Ok.", 'ls{"path":"."}', 'Read{"path":"a"}', "text:bye <"],
    },
    {
      name: "a call whose head is missing",
      text: call("ls", '{"path":"."}').replace("<|message_model|>ls", ""),
      expected: ['ls{"path":"."}'],
    },
    {
      name: "a call whose end is missing",
      text: call("ls", '{"path":"."}').replace("<|end_message|>", ""),
      expected: ['ls{"path":"."}'],
    },
    { name: "a message", text: "<|message_model|>Hello there.<|end_message|>", expected: ["text:Hello there."] },
    { name: "a message of one word", text: "<|message_model|>Hello<|end_message|>", expected: ["text:Hello"] },
    {
      name: "the end of a message in an argument",
      text: call("Write", '{"path":"a","content":"<|end_message|>"}'),
      expected: ['Write{"path":"a","content":"<|end_message|>"}'],
    },
    {
      name: "a tool that was not declared, as it was written",
      text: call("rm", "{}"),
      expected: [`text:${call("rm", "{}")}`],
    },
    {
      name: "a call that was cut, which must not run",
      text: '<|content_invoke_tool_json|>{"name":"ls","args":{"path":"a',
      expected: ['text:<|content_invoke_tool_json|>{"name":"ls","args":{"path":"a'],
      cut: true,
    },
  ],
};
