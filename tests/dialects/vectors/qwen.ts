import type { FamilyVectors } from "./vector.ts";

const call = (json: string) => `<tool_call>\n${json}\n</tool_call>`;
const READ = call('{"name": "Read", "arguments": {"path": "a"}}');
const LS = call('{"name": "ls", "arguments": {"path": "."}}');

export const QWEN: FamilyVectors = {
  family: "Qwen",
  models: ["qwen/qwen3-next-80b-a3b-instruct", "qwen/qwen2.5-coder-32b-instruct", "nousresearch/hermes-4-70b"],
  vectors: [
    {
      name: "a call as XML, and one as JSON",
      text: `<tool_call>\n<function=Read>\n<parameter=path>\na\n</parameter>\n</function>\n</tool_call>${LS}`,
      expected: ['Read{"path":"a"}', 'ls{"path":"."}'],
      reasoning: true,
    },
    {
      name: "one call after text",
      text: `Ok.\n${READ}`,
      expected: ["text:Ok.\n", 'Read{"path":"a"}'],
      reasoning: true,
    },
    {
      name: "two calls with text around them",
      text: `a${READ}\n${LS}\nb <`,
      expected: ["text:a", 'Read{"path":"a"}', 'ls{"path":"."}', "text:\nb <"],
    },
    {
      name: "a call without a closing tag",
      text: READ.replace("</tool_call>", ""),
      expected: ['Read{"path":"a"}'],
      reasoning: true,
    },
    {
      name: "a call without a closing tag before the next",
      text: READ.replace("</tool_call>", "") + LS,
      expected: ['Read{"path":"a"}', 'ls{"path":"."}'],
    },
    {
      name: "arguments that are a string of JSON",
      text: call('{"name": "Read", "arguments": "{\\"path\\": \\"a\\"}"}'),
      expected: ['Read{"path":"a"}'],
    },
    { name: "parameters", text: call('{"name":"Read","parameters":{"path":"a"}}'), expected: ['Read{"path":"a"}'] },
    { name: "no arguments at all", text: call('{"name": "list_all"}'), expected: ["list_all{}"] },
    {
      name: "several objects in one block",
      text: call('{"name":"Read","arguments":{"path":"a"}}\n{"name":"ls","arguments":{}}'),
      expected: ['Read{"path":"a"}', "ls{}"],
    },
    {
      name: "a list in one block",
      text: call('[{"name":"Read","arguments":{"path":"a"}}, {"name":"ls","arguments":{}}]'),
      expected: ['Read{"path":"a"}', "ls{}"],
    },
    {
      name: "the form of the API",
      text: call('{"type":"function","function":{"name":"Read","arguments":"{\\"path\\":\\"a\\"}"}}'),
      expected: ['Read{"path":"a"}'],
    },
    {
      name: "the markup in an argument",
      text: call('{"name":"Write","arguments":{"path":"a","content":"<tool_call>{}</tool_call>"}}'),
      expected: ['Write{"path":"a","content":"<tool_call>{}</tool_call>"}'],
    },
    {
      name: "a doubled opening brace",
      text: call('{{"name": "Read", "arguments": {"path": "a"}}'),
      expected: ['Read{"path":"a"}'],
    },
    {
      name: "doubled braces on both ends",
      text: `${call('{{"name": "Read", "arguments": {"path": "a"}}}')}ok`,
      expected: ['Read{"path":"a"}', "text:ok"],
    },
    {
      name: "a brace too many",
      text: `${call('{"name": "Read", "arguments": {"path": "a"}}}')}ok`,
      expected: ['Read{"path":"a"}', "text:ok"],
    },
    {
      name: "a string without an end, with which nothing must run",
      text: '<tool_call>\n{"name": "Write", "arguments": {"path": "a", "content": "half\n</tool_call>ok',
      expected: ['text:<tool_call>\n{"name": "Write", "arguments": {"path": "a", "content": "half\n</tool_call>ok'],
    },
    {
      name: "a name alone at the end of the answer, with which nothing must run",
      text: '<tool_call>\n{"name": "ls"',
      expected: ['text:<tool_call>\n{"name": "ls"'],
    },
    ...['"arguments": ', '"arguments": {"path": ', '"arguments": let me see, '].map((half) => ({
      name: `a call begun anew behind ${half}`,
      text: `<tool_call>\n{"name": "ls", ${half}${READ}`,
      expected: [`text:<tool_call>\n{"name": "ls", ${half}`, 'Read{"path":"a"}'],
    })),
    {
      name: "a number before a brace too few",
      text: '<tool_call>{"name": "ls", "arguments": {"depth": 12</tool_call>ok',
      expected: ['ls{"depth":12}', "text:ok"],
    },
    {
      name: "a brace too few",
      text: `${call('{"name": "Read", "arguments": {"path": "a"}')}ok`,
      expected: ['Read{"path":"a"}', "text:ok"],
    },
    {
      name: "single quotes and the words of Python",
      text: call("{'name': 'ls', 'arguments': {'path': 'a', 'all': True,}}"),
      expected: ['ls{"path":"a","all":true}'],
    },
    {
      name: "a call without a word between, cut in its arguments",
      text: '<tool_call>{"name":"Write","arguments":{"path":"a","content":"ha',
      expected: ['text:<tool_call>{"name":"Write","arguments":{"path":"a","content":"ha'],
      cut: true,
    },
    {
      name: "a tool that was not declared, as it was written",
      text: `a\n${call('{"name": "rm", "arguments": {}}')}\nb`,
      expected: [`text:a\n${call('{"name": "rm", "arguments": {}}')}\nb`],
      reasoning: true,
    },
    {
      name: "prose about the tag",
      text: "A <tool_call> holds JSON; `<tool_call>` too.\n```\n" + READ + "\n```\n",
      expected: ["text:A <tool_call> holds JSON; `<tool_call>` too.\n```\n" + READ + "\n```\n"],
    },
    { name: "a closing tag without a partner", text: "a</tool_call>b", expected: ["text:ab"], reasoning: true },
    {
      name: "thinking in tags that a call ends",
      text: `<think>\nHm.\n${READ}\nDone.`,
      expected: ["thinking:Hm.\n", 'Read{"path":"a"}', "text:\nDone."],
    },
    {
      name: "thinking that the template has opened",
      text: `Hm.\n</think>\n\nYes.`,
      expected: ["text:Hm.\nYes."],
    },
  ],
};
