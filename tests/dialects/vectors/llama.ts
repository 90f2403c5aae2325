import type { FamilyVectors } from "./vector.ts";

const LS = '{"name":"ls","parameters":{"path":"."}}';

export const LLAMA: FamilyVectors = {
  family: "Llama",
  models: ["meta/llama-3.3-70b-instruct", "meta/llama-4-maverick-17b-128e-instruct", "abacusai/dracarys-llama-3.1-70b"],
  vectors: [
    { name: "a call behind the tag of Python", text: `<|python_tag|>${LS}<|eom_id|>`, expected: ['ls{"path":"."}'] },
    {
      name: "text before the tag",
      text: `Ok.<|python_tag|>${LS}<|eot_id|>noise`,
      expected: ["text:Ok.", 'ls{"path":"."}'],
      reasoning: true,
    },
    { name: "a bare call", text: `${LS}<|eot_id|>`, expected: ['ls{"path":"."}'] },
    {
      name: "a bare call with blanks",
      text: `\n{ "name": "ls", "parameters": {"path": "."} }\n`,
      expected: ['ls{"path":"."}'],
    },
    {
      name: "a bare call of the API",
      text: '{"type": "function", "name": "ls", "parameters": {"path": "."}}',
      expected: ['ls{"path":"."}'],
    },
    {
      name: "a bare call on several lines",
      text: JSON.stringify({ name: "ls", parameters: { path: "." } }, null, 2),
      expected: ['ls{"path":"."}'],
    },
    { name: "arguments", text: '{"name":"ls","arguments":{"path":"."}}', expected: ['ls{"path":"."}'] },
    {
      name: "calls joined by a semicolon and a line break",
      text: `${LS}; ${LS}\n{"name":"Read","parameters":{"path":"a","limit":"5"}}`,
      expected: ['ls{"path":"."}', 'ls{"path":"."}', 'Read{"path":"a","limit":5}'],
    },
    {
      name: "an object with a name that is no call",
      text: '{"name":"ls","version":1}',
      expected: ['text:{"name":"ls","version":1}'],
    },
    {
      name: "an object with a name and what other families call arguments",
      text: '{"name":"ls","input":{"path":"."}}',
      expected: ['text:{"name":"ls","input":{"path":"."}}'],
    },
    {
      name: "an object of another kind",
      text: '{"path": ".", "name": 1} is JSON',
      expected: ['text:{"path": ".", "name": 1} is JSON'],
    },
    {
      name: "a call in the middle of prose",
      text: `Send ${LS} then.`,
      expected: [`text:Send ${LS} then.`],
    },
    {
      name: "the form of a user's own function, also without a bracket",
      text: '<function=ls>{"path":"."}</function> and <function=Read{"path":"a"}</function>!',
      expected: ['ls{"path":"."}', "text: and ", 'Read{"path":"a"}', "text:!"],
      reasoning: true,
    },
    {
      name: "calls of Python",
      text: '[ls(path="."), Read(path=\'a, "b") [c]\', limit=3), list_all()]',
      expected: ['ls{"path":"."}', 'Read{"path":"a, \\"b\\") [c]","limit":3}', "list_all{}"],
    },
    {
      name: "calls of Python with lists and its words",
      text: "[search(q='x', tags=['a', 'b'], opts={'n': None}), ls(all=True)]",
      expected: ['search{"q":"x","tags":["a","b"],"opts":{"n":null}}', 'ls{"all":true}'],
    },
    {
      name: "prose that begins with a bracket",
      text: "[note] ls(path) and [1](a) see",
      expected: ["text:[note] ls(path) and [1](a) see"],
    },
    {
      name: "a tool that was not declared, as it was written",
      text: '{"name":"rm","parameters":{"path":"/"}}',
      expected: ['text:{"name":"rm","parameters":{"path":"/"}}'],
    },
    {
      name: "a call that was cut, which must not run",
      text: '<|python_tag|>{"name":"Write","parameters":{"path":"a","content":"half',
      expected: ['text:<|python_tag|>{"name":"Write","parameters":{"path":"a","content":"half'],
      cut: true,
    },
    {
      name: "prose about the markers",
      text: "A <function=ls> tag, `<|python_tag|>` and <|python_tag|> too",
      expected: ["text:A <function=ls> tag, `<|python_tag|>` and <|python_tag|> too"],
    },
  ],
};
