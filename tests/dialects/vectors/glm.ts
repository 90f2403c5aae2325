import type { FamilyVectors } from "./vector.ts";

const LINES = "<tool_call>search\n<arg_key>q</arg_key>\n<arg_value>two words</arg_value>\n<arg_key>tags</arg_key>\n" +
  '<arg_value>["a","b"]</arg_value>\n</tool_call>';
const SEARCH = '{"q":"two words","tags":["a","b"]}';
const call = (name: string, ...fields: [key: string, value: string][]) =>
  `<tool_call>${name}${
    fields.map(([key, value]) => `<arg_key>${key}</arg_key><arg_value>${value}</arg_value>`).join("")
  }</tool_call>`;

export const GLM: FamilyVectors = {
  family: "GLM",
  models: ["z-ai/glm-5.2", "z-ai/glm4.7", "poolside/laguna-m-1"],
  vectors: [
    {
      name: "calls as JSON",
      text:
        '<tool_call>\n{"name": "ls", "arguments": {"path": "."}}\n</tool_call><tool_call>[{"name": "list_all"}]</tool_call>',
      expected: ['ls{"path":"."}', "list_all{}"],
      reasoning: true,
    },
    {
      name: "a call without arguments, with the end of one",
      text: "Ok.<tool_call>list_all</arg_value></tool_call><tool_call>list_all</arg_value>",
      expected: ["text:Ok.", "list_all{}", "list_all{}"],
    },
    {
      name: "a call with line breaks",
      text: `Ok.\n${LINES}`,
      expected: ["text:Ok.\n", `search${SEARCH}`],
      reasoning: true,
    },
    {
      name: "a call without line breaks, and text after it",
      text: `${call("search", ["q", "two words"], ["tags", '["a","b"]'])}\nbye <`,
      expected: [`search${SEARCH}`, "text:\nbye <"],
      reasoning: true,
    },
    {
      name: "JSON in the tags",
      text: `Ok.<tool_call>\n{"name": "search", "arguments": ${SEARCH}}\n</tool_call>bye`,
      expected: ["text:Ok.", `search${SEARCH}`, "text:bye"],
      reasoning: true,
    },
    {
      name: "two calls without arguments",
      text: `${call("list_all")}\n${call("ls")}`,
      expected: ["list_all{}", "ls{}"],
      reasoning: true,
    },
    {
      name: "name and key run together, the longest declared name wins",
      text: "<tool_call>send_textbody</arg_key><arg_value>hi</arg_value></tool_call>" +
        "<tool_call>send_text_laterat</arg_key><arg_value>3</arg_value></tool_call>",
      expected: ['send_text{"body":"hi"}', 'send_text_later{"at":3}'],
    },
    {
      name: "line breaks that were escaped",
      text: "<tool_call>search\\n<arg_key>q</arg_key>\\n<arg_value>n</arg_value>\\n</tool_call>ok",
      expected: ['search{"q":"n"}', "text:ok"],
    },
    {
      name: "a key without a value",
      text: "<tool_call>search<arg_key>q</arg_key><arg_value>x</arg_value><arg_key>tags</arg_key></tool_call>",
      expected: ['search{"q":"x"}'],
    },
    {
      name: "values of every type",
      text: call("ls", ["depth", "2"], ["all", "true"], ["path", "12"]) +
        call("search", ["q", "true"], ["opts", "{'a': None}"]) + call("send_text", ["body", "a"], ["to", "null"]),
      expected: [
        'ls{"depth":2,"all":true,"path":"12"}',
        'search{"q":"true","opts":{"a":null}}',
        'send_text{"body":"a","to":null}',
      ],
    },
    {
      name: "a value whose type nobody declared, read as JSON",
      text: call("list_all", ["ids", "[1,2]"], ["on", "false"], ["word", "a b"]),
      expected: ['list_all{"ids":[1,2],"on":false,"word":"a b"}'],
    },
    {
      name: "an object and a list as strings of JSON",
      text: call("search", ["q", "x"], ["opts", '"{\\"a\\":1}"'], ["tags", '"[\\"y\\"]"']),
      expected: ['search{"q":"x","opts":{"a":1},"tags":["y"]}'],
    },
    {
      name: "an object that lacks its last brace",
      text: call("search", ["q", "x"], ["opts", '{"a":{"b":1}']),
      expected: ['search{"q":"x","opts":{"a":{"b":1}}}'],
    },
    {
      name: "a value with other markup and line breaks",
      text: call("Write", ["path", "a.html"], ["content", "<b>\n  hi</b>\n"]),
      expected: ['Write{"path":"a.html","content":"<b>\\n  hi</b>\\n"}'],
    },
    {
      name: "a call without an end",
      text: call("search", ["q", "x"]).replace("</tool_call>", ""),
      expected: ['search{"q":"x"}'],
    },
    {
      name: "a call without an end, and text after it",
      text: `${call("search", ["q", "x"]).replace("</tool_call>", "")}\nnow`,
      expected: ['search{"q":"x"}', "text:now"],
    },
    {
      name: "the markup in a value",
      text: `${call("Write", ["path", "a"], ["content", "A </tool_call> </arg_value> b"])}ok`,
      expected: ['Write{"path":"a","content":"A </tool_call> </arg_value> b"}', "text:ok"],
    },
    {
      name: "a value without an end before the end of the call",
      text: "<tool_call>search<arg_key>q</arg_key><arg_value>x</tool_call>ok",
      expected: ['search{"q":"x"}', "text:ok"],
    },
    {
      name: "a value without an end at the end of the answer, which may have been cut",
      text: "<tool_call>search<arg_key>q</arg_key><arg_value>x",
      expected: ["text:<tool_call>search<arg_key>q</arg_key><arg_value>x"],
    },
    {
      name: "a value that was cut, with which nothing must run",
      text: "<tool_call>Write<arg_key>path</arg_key><arg_value>a</arg_value><arg_key>content</arg_key><arg_value>half",
      expected: [
        "text:<tool_call>Write<arg_key>path</arg_key><arg_value>a</arg_value><arg_key>content</arg_key><arg_value>half",
      ],
      cut: true,
    },
    {
      name: "a tool that was not declared, as it was written, and one that was",
      text: call("rm", ["path", "/"]) + call("ls"),
      expected: [`text:${call("rm", ["path", "/"])}`, "ls{}"],
    },
    {
      name: "prose about the tag",
      text: "A <tool_call> is a tag, and `<tool_call>ls</tool_call>` a call.",
      expected: ["text:A <tool_call> is a tag, and `<tool_call>ls</tool_call>` a call."],
    },
    { name: "a closing tag without a partner", text: "a</tool_call>b", expected: ["text:ab"] },
    {
      name: "thinking that a call ends",
      text: `<think>Hm.${LINES}Done.`,
      expected: ["thinking:Hm.", `search${SEARCH}`, "text:Done."],
    },
  ],
};
