import type { FamilyVectors } from "./vector.ts";

const ANALYSIS = "<|channel|>analysis<|message|>think it<|end|>";
const CALL = '<|start|>assistant<|channel|>commentary to=functions.ls <|constrain|>json<|message|>{"path":"."}<|call|>';

export const GPT_OSS: FamilyVectors = {
  family: "gpt-oss",
  models: ["openai/gpt-oss-120b", "openai/gpt-oss-20b"],
  vectors: [
    {
      name: "thinking, a call, an answer",
      text: `${ANALYSIS}${CALL}<|start|>assistant<|channel|>final<|message|>a <b<|return|>`,
      expected: ["thinking:think it", 'ls{"path":"."}', "text:a <b"],
    },
    {
      name: "the start of thinking spelled out",
      text: `<|start|>assistant${ANALYSIS}<|start|>assistant<|channel|>final<|message|>ok`,
      expected: ["thinking:think it", "text:ok"],
    },
    {
      name: "the recipient before the channel",
      text: '<|start|>assistant to=functions.ls<|channel|>commentary json<|message|>{"path":"."}<|call|>',
      expected: ['ls{"path":"."}'],
      reasoning: true,
    },
    {
      name: "a call without a start and without an end",
      text: '<|channel|>commentary to=functions.Read<|message|>{"path":"<|end|>"}',
      expected: ['Read{"path":"<|end|>"}'],
      reasoning: true,
    },
    {
      name: "two calls",
      text: CALL + CALL.replace("ls", "wiki.read").replace('"path":"."', '"page":1'),
      expected: ['ls{"path":"."}', 'wiki.read{"page":1}'],
    },
    {
      name: "a comment before the call",
      text: `<|channel|>commentary<|message|>I will look.<|end|>${CALL}`,
      expected: ["text:I will look.", 'ls{"path":"."}'],
    },
    {
      name: "a comment that is JSON, for nobody",
      text: '<|channel|>commentary<|message|>{"path":"."}<|end|>',
      expected: ['text:{"path":"."}'],
    },
    { name: "a bare recipient", text: 'to=functions.ls {"path":"."}', expected: ['ls{"path":"."}'] },
    {
      name: "headers without their tokens",
      text: 'commentary to=functions.ls json{"path":"."}commentary to=functions.ls {"path":"a"}',
      expected: ['ls{"path":"."}', 'ls{"path":"a"}'],
    },
    { name: "a bare recipient with a type", text: 'to=functions.ls json {"path":"."}', expected: ['ls{"path":"."}'] },
    {
      name: "prose about a recipient and its JSON",
      text: 'The call goes to=functions.ls and its arguments are {"path":"."}.',
      expected: ['text:The call goes to=functions.ls and its arguments are {"path":"."}.'],
    },
    {
      name: "prose about recipients and markers",
      text: "Write to=functions.ls or `<|channel|>final<|message|>` or <|channel|> there.",
      expected: ["text:Write to=functions.ls or `<|channel|>final<|message|>` or <|channel|> there."],
    },
    {
      name: "tokens without a partner",
      text: "a<|end|>b<|return|>c<|call|>d",
      expected: ["text:abcd"],
      reasoning: true,
    },
    {
      name: "a tool that was not declared, as it was written",
      text: `Ok. ${CALL.replace("ls", "rm")} b`,
      expected: [`text:Ok. ${CALL.replace("ls", "rm")} b`],
    },
    {
      name: "a call that was cut, which must not run",
      text: CALL.slice(0, -12),
      expected: [`text:${CALL.slice(0, -12)}`],
      cut: true,
    },
    {
      name: "empty arguments",
      text: CALL.replace("ls", "list_all").replace('{"path":"."}', ""),
      expected: ["list_all{}"],
    },
    {
      name: "a header that was cut",
      text: "ok<|start|>assistant<|chan",
      expected: ["text:ok<|start|>assistant<|chan"],
      cut: true,
    },
  ],
};
