import type { FamilyVectors } from "./vector.ts";
import { QWEN } from "./qwen.ts";

export const NEMOTRON: FamilyVectors = {
  family: "Nemotron",
  models: [
    "nvidia/nvidia-nemotron-nano-9b-v2",
    "nvidia/llama-3.3-nemotron-super-49b-v1.5",
    "nvidia/llama-3.1-nemotron-ultra-253b-v1",
  ],
  vectors: [
    {
      name: "TOOLCALL: a list after text, and text after it",
      text: 'Ok.<TOOLCALL>[{"name":"ls","arguments":{"path":"."}}]</TOOLCALL>bye <',
      expected: ["text:Ok.", 'ls{"path":"."}', "text:bye <"],
      reasoning: true,
    },
    {
      name: "TOOLCALL: a list of two",
      text: '<TOOLCALL>[{"name":"ls","arguments":{}}, {"name":"Read","arguments":{"path":"a"}}]</TOOLCALL>',
      expected: ["ls{}", 'Read{"path":"a"}'],
    },
    {
      name: "TOOLCALL: no brackets",
      text: '<TOOLCALL>{"name":"ls","arguments":{}}, {"name":"Read","arguments":{"path":"a"}}</TOOLCALL>',
      expected: ["ls{}", 'Read{"path":"a"}'],
    },
    {
      name: "TOOLCALL: only a closing bracket",
      text: '<TOOLCALL>{"name":"ls","arguments":{}}]</TOOLCALL>ok',
      expected: ["ls{}", "text:ok"],
    },
    {
      name: "TOOLCALL: only an opening bracket",
      text: '<TOOLCALL>[{"name":"ls","arguments":{}}</TOOLCALL>ok',
      expected: ["ls{}", "text:ok"],
    },
    { name: "TOOLCALL: no closing tag", text: '<TOOLCALL>[{"name":"ls","arguments":{}}]', expected: ["ls{}"] },
    {
      name: "TOOLCALL: a tool that was not declared, as it was written",
      text: 'a<TOOLCALL>[{"name":"rm","arguments":{}}]</TOOLCALL>b',
      expected: ['text:a<TOOLCALL>[{"name":"rm","arguments":{}}]</TOOLCALL>b'],
    },
    {
      name: "TOOLCALL: a call that was cut, which must not run",
      text: '<TOOLCALL>[{"name":"ls","arguments":{"path":"a',
      expected: ['text:<TOOLCALL>[{"name":"ls","arguments":{"path":"a'],
      cut: true,
    },
    { name: "TOOLCALL: an empty list", text: "a<TOOLCALL>[]</TOOLCALL>b", expected: ["text:ab"] },
    {
      name: "TOOLCALL: prose about the tag",
      text: "A <TOOLCALL> holds a list; `<TOOLCALL>[]</TOOLCALL>` is empty.",
      expected: ["text:A <TOOLCALL> holds a list; `<TOOLCALL>[]</TOOLCALL>` is empty."],
    },
    {
      name: "TOOLCALL: thinking that a call ends",
      text: '<think>Hm.\n<TOOLCALL>[{"name":"ls","arguments":{}}]</TOOLCALL>',
      expected: ["thinking:Hm.\n", "ls{}"],
    },
    ...QWEN.vectors,
  ],
};
