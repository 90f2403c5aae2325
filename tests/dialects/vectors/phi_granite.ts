import { QWEN } from "./qwen.ts";
import type { FamilyVectors } from "./vector.ts";

export const PHI_GRANITE: FamilyVectors = {
  family: "Phi, Granite",
  models: ["microsoft/phi-4-mini-instruct", "ibm/granite-3.3-8b-instruct", "ibm/granite-4.0-h-small"],
  vectors: [
    {
      name: "Phi: functools after text, and text after it",
      text: 'Ok. functools[{"name":"ls","arguments":{"path":"."}},{"name":"list_all","arguments":{}}] bye',
      expected: ["text:Ok. ", 'ls{"path":"."}', "list_all{}", "text: bye"],
      reasoning: true,
    },
    {
      name: "Phi: markers around the list",
      text: '<|tool_call|>[{"name":"ls","arguments":{"path":"."}}]<|/tool_call|>ok',
      expected: ['ls{"path":"."}', "text:ok"],
      reasoning: true,
    },
    {
      name: "Granite 3: a marker before the list",
      text: '<|tool_call|>[{"name":"ls","arguments":{"path":"."}}]',
      expected: ['ls{"path":"."}'],
    },
    {
      name: "Granite 3: the list in the other tag",
      text: '<tool_call>[{"name":"ls","arguments":{"path":"."}}]',
      expected: ['ls{"path":"."}'],
    },
    {
      name: "Granite 20B: calls in a tag of their own",
      text: '<function_call> {"name":"ls","arguments":{"path":"."}}<function_call> {"name":"list_all","arguments":{}}',
      expected: ['ls{"path":"."}', "list_all{}"],
    },
    {
      name: "Phi: prose about functools",
      text: "functools is a module, functools[0] is not, `functools[` neither",
      expected: ["text:functools is a module, functools[0] is not, `functools[` neither"],
    },
    {
      name: "Phi: a tool that was not declared, as it was written",
      text: 'functools[{"name":"rm","arguments":{}}]',
      expected: ['text:functools[{"name":"rm","arguments":{}}]'],
    },
    {
      name: "Phi: a call that was cut, which must not run",
      text: 'functools[{"name":"ls","arguments":{"path":"a',
      expected: ['text:functools[{"name":"ls","arguments":{"path":"a'],
      cut: true,
    },
    {
      name: "Phi: an end without a partner",
      text: "a<|/tool_call|>b",
      expected: ["text:ab"],
    },
    ...QWEN.vectors,
  ],
};
