import type { FamilyVectors } from "./vector.ts";

const LS = '<|tool_call>call:ls{path:<|"|>.<|"|>,depth:2,all:true}<tool_call|>';
const LS_JSON = 'ls{"path":".","depth":2,"all":true}';

export const GEMMA: FamilyVectors = {
  family: "Gemma 4",
  models: ["google/gemma-4-31b-it"],
  vectors: [
    { name: "one call after text", text: `Ok.${LS}`, expected: ["text:Ok.", LS_JSON], reasoning: true },
    {
      name: "two calls and text after them",
      text: `${LS}<|tool_call>call:list_all{}<tool_call|>bye <`,
      expected: [LS_JSON, "list_all{}", "text:bye <"],
      reasoning: true,
    },
    {
      name: "nested values",
      text:
        '<|tool_call>call:search{q:<|"|>x<|"|>,tags:[<|"|>a<|"|>,<|"|>b<|"|>],opts:{a:true,b:{c:null}}}<tool_call|>',
      expected: ['search{"q":"x","tags":["a","b"],"opts":{"a":true,"b":{"c":null}}}'],
    },
    {
      name: "a string with quotes, braces, line breaks and the end of a call",
      text: '<|tool_call>call:Write{path:<|"|>a<|"|>,content:<|"|>"x": {\n\\d}<tool_call|>,<|"|>}<tool_call|>ok',
      expected: ['Write{"path":"a","content":"\\"x\\": {\\n\\\\d}<tool_call|>,"}', "text:ok"],
    },
    { name: "a call without an end", text: LS.replace("<tool_call|>", ""), expected: [LS_JSON] },
    {
      name: "a call without an end before the next",
      text: LS.replace("<tool_call|>", "") + LS,
      expected: [LS_JSON, LS_JSON],
    },
    {
      name: "a string without an end, with which nothing must run",
      text: '<|tool_call>call:Write{path:<|"|>a<|"|>,content:<|"|>half',
      expected: ['text:<|tool_call>call:Write{path:<|"|>a<|"|>,content:<|"|>half'],
    },
    {
      name: "a call that was cut in a string, which must not run",
      text: '<|tool_call>call:Write{path:<|"|>a<|"|>,content:<|"|>half',
      expected: ['text:<|tool_call>call:Write{path:<|"|>a<|"|>,content:<|"|>half'],
      cut: true,
    },
    {
      name: "a tool that was not declared, as it was written",
      text: `a${LS.replace("ls", "rm")}b`,
      expected: [`text:a${LS.replace("ls", "rm")}b`],
    },
    {
      name: "a channel of thinking",
      text: `<|channel>thought\nHm.<channel|>Yes.${LS}`,
      expected: ["thinking:Hm.", "text:Yes.", LS_JSON],
    },
    {
      name: "a channel of thinking that a call ends",
      text: `<|channel>thought\nHm.${LS}Yes.`,
      expected: ["thinking:Hm.", LS_JSON, "text:Yes."],
    },
    {
      name: "prose about the marker, and an end without a partner",
      text: "A <|tool_call> or `<|tool_call>call:ls{}` here<tool_call|>.",
      expected: ["text:A <|tool_call> or `<|tool_call>call:ls{}` here."],
    },
  ],
};
