import type { FamilyVectors } from "./vector.ts";

export const MISTRAL: FamilyVectors = {
  family: "Mistral",
  models: [
    "mistralai/mistral-large-3-675b-instruct-2512",
    "mistralai/mistral-nemotron",
    "mistralai/mixtral-8x22b-instruct",
    "mistralai/magistral-small-2506",
  ],
  vectors: [
    {
      name: "the old form with two calls, after text",
      text: 'Ok.[TOOL_CALLS] [{"name":"ls","arguments":{"path":"."}},{"name":"Read","arguments":{"path":"a"}}]',
      expected: ["text:Ok.", 'ls{"path":"."}', 'Read{"path":"a"}'],
      reasoning: true,
    },
    {
      name: "the old form without a blank, with ids",
      text: '[TOOL_CALLS][{"name":"ls","arguments":{"path":"."},"id":"Ab3dE5gH9"}]</s>\n',
      expected: ['ls{"path":"."}'],
    },
    {
      name: "the old form without brackets",
      text: '[TOOL_CALLS]{"name":"ls","arguments":{"path":"."}}',
      expected: ['ls{"path":"."}'],
    },
    {
      name: "the form of v11 with two calls",
      text: '[TOOL_CALLS]ls{"path":"."}[TOOL_CALLS]Read{"path":"[TOOL_CALLS]a"}</s>',
      expected: ['ls{"path":"."}', 'Read{"path":"[TOOL_CALLS]a"}'],
      reasoning: true,
    },
    {
      name: "the form of v13 with and without ids",
      text: '[TOOL_CALLS]ls[CALL_ID]Ab3dE5gH9[ARGS]{"path":"."}[TOOL_CALLS]mcp__wiki__find-all[ARGS]{"q":"x"}',
      expected: ['ls{"path":"."}', 'mcp__wiki__find-all{"q":"x"}'],
      reasoning: true,
    },
    {
      name: "text after a call",
      text: '[TOOL_CALLS]ls[ARGS]{"path":"."} bye [',
      expected: ['ls{"path":"."}', "text: bye ["],
    },
    {
      name: "prose behind arguments that are no JSON",
      text: "[TOOL_CALLS]ls{'path': /a}\n\nAnd this is prose.",
      expected: ['ls{"path":"/a"}', "text:\n\nAnd this is prose."],
    },
    {
      name: "the thinking of Magistral",
      text: "[THINK]Hm.[/THINK]Yes.",
      expected: ["thinking:Hm.", "text:Yes."],
    },
    {
      name: "the thinking of Magistral, which a call ends",
      text: '[THINK]Hm.[TOOL_CALLS]ls[ARGS]{"path":"."}',
      expected: ["thinking:Hm.", 'ls{"path":"."}'],
    },
    {
      name: "a call that was cut, which must not run",
      text: '[TOOL_CALLS]Write[ARGS]{"path":"a","content":"half',
      expected: ['text:[TOOL_CALLS]Write[ARGS]{"path":"a","content":"half'],
      cut: true,
    },
    {
      name: "a tool that was not declared, and one that was",
      text: '[TOOL_CALLS]rm[ARGS]{"path":"/"}[TOOL_CALLS]ls[ARGS]{"path":"."}',
      expected: ['text:[TOOL_CALLS]rm[ARGS]{"path":"/"}', 'ls{"path":"."}'],
    },
    {
      name: "HTML that looks like the end of the turn",
      text: "Now <s>9</s> 8 dollars.</s>",
      expected: ["text:Now <s>9</s> 8 dollars."],
    },
    {
      name: "prose about the marker",
      text: "Then [TOOL_CALLS] follows, `[TOOL_CALLS]ls{}` or [x].",
      expected: ["text:Then [TOOL_CALLS] follows, `[TOOL_CALLS]ls{}` or [x]."],
    },
  ],
};
